r"""Best subsets of a linear problem, by paths and exchanges on its triangular factor.

With the whitened columns :math:`A = QR` all that least squares on some of them can say is in the
square factor R, whatever the number of rows. A set of k of p columns is scored by

.. math:: N \log \mathrm{RSS} + k \, (\text{price of a coefficient}),

and improved by the best of all single additions, removals and exchanges until there is none, and by
removing one after the other along a whole path, which finds what no single move does: several
columns that stand only by each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from takens.learn.sparse.shooting import Linear

CLEARLY = 1e-3  # drop of the criterion that counts as one
DEPENDENT = 1e-10  # of its length: what is left of a column that the others span
LEAST = 1e-14  # singular value, relative to the largest, that rounding cannot tell from zero
MOST = 1 / 3  # of the number of rows: columns that a set may have
SEVERAL = 6  # best moves of each kind that are looked at
ROUNDS = 400  # moves before a search is given up, far more than any has needed


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Subset:
    """A linear least-squares problem, boiled down.

    Parameters
    ----------
    columns : array, shape (p + 1, p)
        Of the factor, every one of length one.
    target : array, shape (p + 1,)
    size : array, shape (p,)
        Length that the columns had.
    n_rows : int
    forced : array of bool, shape (p,)
        Columns that always stand.
    price : float
    least : float
        Residual sum of squares that counts as none.
    """

    columns: np.ndarray
    target: np.ndarray
    size: np.ndarray
    n_rows: int
    forced: np.ndarray
    price: float
    least: float

    @classmethod
    def of(
        cls,
        linear: Linear,
        w: np.ndarray,
        *,
        n_rows: int,
        forced: np.ndarray,
        price: float,
        least: float = 0.0,
    ) -> Subset:
        """For whole coefficients, where the linear problem is around `w`.

        Raises
        ------
        numpy.linalg.LinAlgError
            If squares of the columns are no numbers.

        Notes
        -----
        Cost: :math:`2 N p^2` operations for the triangular factor.
        """
        factor = linear.triangle()
        with np.errstate(over="ignore"):  # of terms of wild states, which is seen here
            size = np.sqrt((factor**2).sum(axis=0))
        if not np.isfinite(size).all():
            raise np.linalg.LinAlgError("The terms overflow at the data.")
        size = size[1:]
        size = np.where(size > 0, size, 1.0)
        columns = factor[:, 1:] / -size
        return cls(
            columns=columns,
            target=factor[:, 0] + columns @ (w * size),
            size=size,
            n_rows=n_rows,
            forced=forced,
            price=price,
            least=max(least, 1e-28 * float(factor[:, 0] @ factor[:, 0]), 1e-300),
        )

    def criterion(self, left: float, count: int) -> float:
        """Of a residual sum of squares, with so many columns; none for those that would fit noise."""
        if count > MOST * self.n_rows:
            return np.inf
        return self.n_rows * float(np.log(max(left, self.least))) + self.price * count

    def solved(self, chosen: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients, zero outside `chosen`, and the residual sum of squares."""
        w = np.zeros(len(chosen))
        w[chosen] = np.linalg.lstsq(self.columns[:, chosen], self.target, rcond=LEAST)[0]
        left = self.target - self.columns @ w
        return w / self.size, float(left @ left)

    def best(self, *starts: np.ndarray) -> np.ndarray:
        """The best set that is reached from any of the starts, from none and from all columns."""
        everything = np.ones(len(self.size), dtype=bool)
        found = [self.polished(s) for s in (*starts, self.forced, self.thinned(everything))]
        values = [self.criterion(self.solved(f)[1], int(f.sum())) for f in found]
        return found[int(np.argmin(values))]

    def polished(self, chosen: np.ndarray) -> np.ndarray:
        """Single moves, then removals along a path, until neither helps."""
        for _ in range(ROUNDS):
            chosen = self._moved(chosen)
            fewer = self.thinned(chosen)
            if fewer.sum() == chosen.sum():
                break
            chosen = fewer
        return chosen

    def thinned(self, chosen: np.ndarray) -> np.ndarray:
        r"""The best set on the path along which the weakest column goes, one after the other.

        With :math:`S S^\top` the covariance of the coefficients, the removal of one projects the
        rows of S on what is orthogonal to its row, which loses no digits where columns are nearly
        dependent.
        """
        places = np.flatnonzero(chosen)
        u, values, vt = np.linalg.svd(self.columns[:, places], full_matrices=False)
        floor = LEAST * values[0] if values.any() else 1.0
        reached = np.where(values > floor, u.T @ self.target, 0.0)
        spread = vt.T / np.maximum(values, floor)
        w = spread @ reached
        rest = self.target - u @ reached
        left = float(rest @ rest)
        least = self.criterion(left, len(places)) - CLEARLY
        best = places
        for _ in range(len(places) - 1):
            variance = np.maximum((spread**2).sum(axis=1), 1e-300)
            squares = np.where(self.forced[places], np.inf, w**2 / variance)
            k = int(np.argmin(squares))
            if not np.isfinite(squares[k]):
                break
            left += float(squares[k])
            row = spread[k] / np.sqrt(variance[k])
            others = np.arange(len(places)) != k
            across = spread[others] @ row
            w = w[others] - across * (w[k] / np.sqrt(variance[k]))
            spread = spread[others] - np.outer(across, row)
            places = places[others]
            value = self.criterion(left, len(places))
            if value < least:
                best, least = places, value
        found = np.zeros(len(chosen), dtype=bool)
        found[best] = True
        return found

    def neighbours(self, chosen: np.ndarray, most: int) -> Iterator[np.ndarray]:
        """Sets one addition, removal or exchange away that are better, the best first."""
        table = self._moves(chosen)
        now = self.criterion(self.solved(chosen)[1], int(chosen.sum()))
        for value, k, j in sorted(table)[:most]:
            if value > now - CLEARLY:
                return
            yield _changed(chosen, k, j)

    def _moved(self, chosen: np.ndarray) -> np.ndarray:
        """The best move each time, until none helps."""
        now = np.inf
        for _ in range(ROUNDS):
            moves = self._moves(chosen)
            value, k, j = min(moves, default=(np.inf, -1, -1))
            now = min(now, self.criterion(self.solved(chosen)[1], int(chosen.sum())))
            if value > now - CLEARLY:
                break
            chosen = _changed(chosen, k, j)
        return chosen

    def _moves(self, chosen: np.ndarray) -> list[tuple[float, int, int]]:
        """Criterion after the best exchange for each column that may go, and after each addition.

        As (value, column that goes, column that comes), minus one for none.
        """
        places = np.flatnonzero(chosen)
        q, r = np.linalg.qr(self.columns[:, places])
        across, reached = q.T @ self.columns, q.T @ self.target
        free = self.columns - q @ across
        free -= q @ (q.T @ free)
        own = (free**2).sum(axis=0)
        comes = np.flatnonzero(~chosen & (own > DEPENDENT**2))
        slope = free[:, comes].T @ self.target / own[comes]
        gain = slope**2 * own[comes]
        rest = self.target - q @ reached
        left = float(rest @ rest)
        moves = [
            (self.criterion(left - float(gain[i]), len(places) + 1), -1, int(comes[i]))
            for i in np.argsort(-gain)[:SEVERAL]
        ]
        goes = np.flatnonzero(~self.forced[places])
        if not len(goes):
            return moves
        inner = np.linalg.pinv(r)[goes]
        w, variance = inner @ reached, (inner**2).sum(axis=1)
        squares = w**2 / np.maximum(variance, 1e-300)
        for i in np.argsort(squares)[:SEVERAL]:
            value = self.criterion(left + float(squares[i]), len(places) - 1)
            moves.append((value, int(places[goes[i]]), -1))
        if not len(comes):
            return moves
        share = inner @ across[:, comes]  # of each column, what those that stand make of it
        change = (w[:, None] - share * slope) ** 2 / (variance[:, None] + share**2 / own[comes])
        change -= gain
        for i in np.argsort(change, axis=None)[:SEVERAL]:
            a, b = np.unravel_index(i, change.shape)
            value = self.criterion(left + float(change[a, b]), len(places))
            moves.append((value, int(places[goes[a]]), int(comes[b])))
        return moves


def _changed(chosen: np.ndarray, goes: int, comes: int) -> np.ndarray:
    new = chosen.copy()
    if goes >= 0:
        new[goes] = False
    if comes >= 0:
        new[comes] = True
    return new
