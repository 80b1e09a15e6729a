"""Non-uniform embedding of one or several columns: which delays of which columns, by PECUZAL."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, require
from takens.series.columns import Columns, columns_of
from takens.series.embedding import autocorrelation
from takens.series.observable import neighbours
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_NEAR = 13  # largest neighbourhood of the continuity statistic (Pecora et al. 2007)
_LEAST_NEAR = 8
_N_UZAL = 3  # neighbours of the noise amplification (Uzal et al. 2011)
_SIGNIFICANCE = 0.05
_N_BLOCKS = 10
_SURE = 3.0  # standard errors by which a gain must differ from zero: some ten peaks compete


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NonuniformEmbedding(AbstractResult):
    """Delay coordinates chosen one by one, and by how much each improved the reconstruction.

    Parameters
    ----------
    columns : tuple of str, length dimension
        Column of each coordinate.
    delays : array of int, shape (dimension,)
        Delay of each coordinate in samples, backwards in time; the first is 0.
    gains : array, shape (dimension - 1,)
        Decrease of Uzal's ``L`` (base-10 logarithm of noise amplification) that each coordinate
        after the first brought; the larger, the better.
    gain_errors : array, shape (dimension - 1,)
        Standard errors of the gains, from ten blocks of references.
    lags : array of int, shape (n_lags,)
        Lags tried, in samples.
    continuity : array, shape (dimension, n_columns, n_lags)
        Continuity statistic of each step, in standard deviations: large where a further coordinate
        is not yet a function of those chosen.
    names : tuple of str
        The columns offered.
    theiler : int
        Window in samples within which points are neighbours in time only.
    dt : float
        Sampling step in `time_unit`.
    time_unit : str
        Unit of time.
    """

    columns: tuple[str, ...]
    delays: np.ndarray
    gains: np.ndarray
    gain_errors: np.ndarray
    lags: np.ndarray
    continuity: np.ndarray
    names: tuple[str, ...]
    theiler: int
    dt: float
    time_unit: str

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return len(self.columns)

    def summary(self) -> str:
        """The coordinates and what they gained."""
        pairs = ", ".join(
            f"{name}(t - {delay})" if delay else f"{name}(t)"
            for name, delay in zip(self.columns, self.delays, strict=True)
        )
        gains = (
            ", ".join(
                f"{gain:.2f} ± {error:.2f}"
                for gain, error in zip(self.gains, self.gain_errors, strict=True)
            )
            or "none"
        )
        return f"{self.dimension} coordinates, delays in samples: {pairs}; gains in L: {gains}"

    def plot(self, ax: Any = None) -> Any:
        """The continuity statistic of each step, with the delay that was chosen at it."""
        from takens import plot

        ax = plot.axes(ax)
        for step in range(self.dimension):
            ax.plot(self.lags, self.continuity[step].max(axis=0), label=f"{step + 1} coordinate(s)")
        for delay in self.delays[1:]:
            ax.axvline(delay, ls=":", color="0.5")
        ax.legend()
        plot.labels(ax, xlabel="lag (samples)", ylabel="continuity statistic")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The chosen coordinates, and the continuity statistic of every step."""
        import xarray as xr

        return xr.Dataset(
            {
                "continuity": (("step", "column", "lag"), self.continuity),
                "delay": ("step", self.delays),
                "gain": ("step", np.concatenate([self.gains, [np.nan]])[: self.dimension]),
            },
            {"lag": self.lags, "column": list(self.names), "chosen": ("step", list(self.columns))},
            attrs={"theiler": self.theiler, "dt": self.dt},
        )


@functools.cache
def _needed(n_near: int) -> int:
    """Successes out of `n_near` fair trials that chance exceeds less than once in twenty."""
    from scipy.stats import binom

    return int(binom.isf(_SIGNIFICANCE, n_near, 0.5)) + 1


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Space:
    """Reference points of one embedding with their neighbours, and where these are in time."""

    rows: np.ndarray  # row of the joint grid of each reference, (n,)
    near: np.ndarray  # rows of the joint grid of its neighbours, (n, k)
    points: np.ndarray  # (n, 1 + k, dim)


def _space(
    data: Columns,
    chosen: list[tuple[int, int]],
    rows: np.ndarray,
    theiler: int,
    n_references: int,
) -> _Space:
    """Neighbours of up to `n_references` of the `rows` of the grid in the embedding `chosen`."""
    vectors = np.stack([data.values[rows - lag, column] for column, lag in chosen], axis=1)
    whole = np.isfinite(vectors).all(axis=1)
    rows, vectors = rows[whole], vectors[whole]
    asked = np.arange(len(rows))[:: max(1, -(-len(rows) // n_references))]
    distance, which = neighbours(
        vectors,
        data.clock[rows],
        vectors[asked],
        data.clock[rows[asked]],
        k=_N_NEAR,
        theiler=theiler,
    )
    full = np.isfinite(distance).all(axis=1)
    asked, which = asked[full], which[full]
    return _Space(
        rows=rows[asked],
        near=rows[which],
        points=vectors[np.concatenate([asked[:, None], which], axis=1)],
    )


def _continuity(data: Columns, space: _Space, lags: np.ndarray) -> np.ndarray:
    """Continuity statistic of every column at every lag, shape (n_columns, n_lags).

    For each reference, the smallest distance in the new coordinate that holds significantly more
    of its `k` neighbours than chance would, minimal over ``k``; then the mean over references.
    """
    found = np.full((data.values.shape[1], len(lags)), np.nan)
    counts = np.arange(_LEAST_NEAR, _N_NEAR + 1)
    places = np.array([_needed(int(k)) - 1 for k in counts])
    for j, lag in enumerate(lags):
        gap = np.abs(data.values[space.near - lag] - data.values[space.rows - lag][:, None])
        for column in range(gap.shape[2]):
            best = np.full(len(gap), np.inf)
            for k, place in zip(counts, places, strict=True):
                ranked = np.partition(
                    np.where(np.isfinite(gap[:, :k, column]), gap[:, :k, column], np.inf),
                    place,
                    axis=1,
                )
                best = np.minimum(best, ranked[:, place])
            known = np.isfinite(best)
            if known.sum() >= 20:
                found[column, j] = float(best[known].mean())
    return found


def _amplification(
    data: Columns, chosen: list[tuple[int, int]], space: _Space, reach: int
) -> np.ndarray:
    """Uzal's L for horizons 1 to `reach`, in each block of references, shape (n_blocks, reach).

    ``L = log10(alpha sigma)`` with ``sigma^2 = <E_k^2 / eps_k^2>``, the spread of the first column's
    future among ``k`` neighbours over that of the neighbours, and ``alpha^2 = 1 / <1 / eps_k^2>`` (Uzal, Grinblat
    and Verdes 2011, eqs. 8 to 16).
    """
    points = space.points[:, : _N_UZAL + 1]
    size = 2 / (_N_UZAL * (_N_UZAL + 1)) * _pair_squares(points)
    rows = np.concatenate([space.rows[:, None], space.near[:, :_N_UZAL]], axis=1)
    target = data.values[:, chosen[0][0]]
    spread = np.var(target[rows + np.arange(1, reach + 1)[:, None, None]], axis=2)
    known = np.isfinite(spread)  # a horizon at which one of the group is missing does not count
    so_far = np.cumsum(known, axis=0)
    with np.errstate(invalid="ignore"):
        over = np.cumsum(np.where(known, spread, 0.0), axis=0) / so_far
    good = np.flatnonzero((so_far[0] > 0) & (size > 0))
    found = np.full((_N_BLOCKS, reach), np.nan)
    if len(good) < 10 * _N_BLOCKS:
        return found
    for number, block in enumerate(np.array_split(good, _N_BLOCKS)):
        ratio = np.mean(over[:, block] / size[block], axis=1)
        found[number] = np.log10(np.sqrt(ratio / np.mean(1 / size[block])))
    return found


def _gain(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Mean decrease of L over blocks at the horizon where it is largest, and its standard error."""
    drop = before - after
    mean = drop.mean(axis=0)
    if not np.isfinite(mean).any():
        return -np.inf, np.inf
    place = int(np.nanargmax(mean))
    return float(mean[place]), float(drop[:, place].std(ddof=1) / np.sqrt(_N_BLOCKS))


def _pair_squares(points: np.ndarray) -> np.ndarray:
    """Sum of the squared distances of all pairs in each group, (n, k, dim) to (n,)."""
    k = points.shape[1]
    around = points - points.mean(axis=1, keepdims=True)
    return k * np.sum(around**2, axis=(1, 2))


def _peaks(curve: np.ndarray, lags: np.ndarray, taken: set[int]) -> list[int]:
    """Places of the local maxima of `curve` beyond lag 0, with ends, not `taken`."""
    padded = np.concatenate([[-np.inf], np.where(np.isfinite(curve), curve, -np.inf), [-np.inf]])
    inner = padded[1:-1]
    top = np.isfinite(inner) & (inner > padded[:-2]) & (inner >= padded[2:])
    return [int(i) for i in np.flatnonzero(top) if int(lags[i]) not in taken]


@checked
def nonuniform_embedding(
    data: Any,
    *,
    max_dimension: int = 8,
    max_lag: int | None = None,
    n_references: int = 1500,
    least_gain: float = 0.1,
    throw: bool = True,
) -> NonuniformEmbedding:
    r"""Delay coordinates of one or several columns, chosen one by one until none helps.

    At each step the continuity statistic :math:`\langle \varepsilon^\star \rangle(\tau)` of every
    column tells at which lags a further coordinate is independent of those chosen; of its peaks,
    the one that lowers Uzal's noise amplification :math:`L` most is taken. The choice ends when no
    peak lowers :math:`L` by `least_gain` and by three standard errors. Every column is tried as
    the first coordinate, and the embedding with the largest total gain is kept.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Every column that varies is offered, standardised. Missing values are left out.
    max_dimension : int
        Most coordinates.
    max_lag : int, optional
        Longest lag in samples; by default four times the slowest decay of the autocorrelation to
        1/e, at most a tenth of the record.
    n_references : int
        States at which the two statistics are taken.
    least_gain : float
        Decrease of ``L`` that a coordinate must bring.
    throw : bool
        Raise where there is no answer; else the result has one coordinate and says why.

    Returns
    -------
    NonuniformEmbedding

    Raises
    ------
    InvalidInput
        If a setting is out of range, or no column has enough samples.
    NumericalFailure
        If no coordinate lowers ``L``, as of noise, and `throw`.

    Notes
    -----
    A low ``L`` says that the future of neighbours stays together; it does *not* establish
    determinism, and delays that serve prediction need not be best for dimensions. Cost:
    O(steps * columns * (N log N + n_references * (lags * columns + peaks * horizon))).

    References
    ----------
    Kraemer, Datseris, Kurths, Kiss, Ocampo-Espindola and Marwan (2021), New J. Phys. 23, 033017
    (PECUZAL); Pecora, Moniz, Nichols and Carroll (2007), Chaos 17, 013110 (continuity statistic);
    Uzal, Grinblat and Verdes (2011), Phys. Rev. E 84, 016223 (noise amplification).

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(1500)
    >>> found = nonuniform_embedding(np.sin(0.1 * t))
    >>> found.columns, bool(8 < found.delays[1] % 31.4 < 24)
    (('x', 'x'), True)
    """
    if max_dimension < 2:
        raise InvalidInput(f"max_dimension = {max_dimension}; expected 2 or more coordinates.")
    if n_references < 50:
        raise InvalidInput(f"n_references = {n_references}; expected at least 50 states.")
    if max_lag is not None and max_lag < 1:
        raise InvalidInput(f"max_lag = {max_lag}; expected a positive number of samples.")
    table = columns_of(data)
    decay = max(_decay(table.values[:, j]) for j in range(table.values.shape[1]))
    longest = min(4 * decay, table.longest // 10)
    longest = max(1, longest if max_lag is None else min(max_lag, table.longest // 4))
    lags = (
        np.arange(0, longest + 1)
        if longest <= 400
        else np.unique(np.linspace(0, longest, 401).astype(int))
    )
    theiler = 1 if decay <= 1 else 2 * decay
    reach = int(np.clip(2 * decay, 2, 60))
    rows = table.inner(before=int(lags[-1]), after=reach)
    grown = [
        _grow(
            table, (first, 0), rows, lags, theiler, reach, n_references, max_dimension, least_gain
        )
        for first in range(table.values.shape[1])
    ]
    chosen, gains, curves = max(grown, key=lambda found: sum(gain for gain, _ in found[1]))
    status = Status.OK if gains else Status.NO_EMBEDDING
    require(status, throw=throw)
    cautions = list(table.findings)
    if len(chosen) == max_dimension:
        cautions.append(
            Finding(
                "embedding-not-ended",
                f"Coordinate {max_dimension} still lowered L; more may help.",
                "Raise `max_dimension`, if the record is long enough for that many.",
            )
        )
    return NonuniformEmbedding(
        columns=tuple(table.names[c] for c, _ in chosen),
        delays=np.array([lag for _, lag in chosen]),
        gains=np.array(gains).reshape(-1, 2)[:, 0],
        gain_errors=np.array(gains).reshape(-1, 2)[:, 1],
        lags=lags,
        continuity=np.array(curves),
        names=table.names,
        theiler=theiler,
        dt=table.dt,
        time_unit=table.time_unit,
        status=status,
        cautions=tuple(cautions),
        provenance={
            "max_dimension": max_dimension,
            "n_references": n_references,
            "least_gain": least_gain,
        },
    )


def _decay(x: np.ndarray) -> int:
    """Lag at which the autocorrelation has fallen to 1/e, in samples, at least 1."""
    filled = np.where(np.isfinite(x), x, 0.0)  # standardised: a missing value counts as the mean
    correlation = autocorrelation(filled[:200_000], min(len(x) // 4, 20_000))
    below = np.flatnonzero(correlation < np.exp(-1))
    return max(1, int(below[0])) if below.size else len(correlation)


def _grow(
    table: Columns,
    first: tuple[int, int],
    rows: np.ndarray,
    lags: np.ndarray,
    theiler: int,
    reach: int,
    n_references: int,
    max_dimension: int,
    least_gain: float,
) -> tuple[list[tuple[int, int]], list[tuple[float, float]], list[np.ndarray]]:
    """Coordinates from `first` on, the gain of each, and the continuity curves of each step."""
    chosen, gains, curves = [first], list[tuple[float, float]](), list[np.ndarray]()
    space = _space(table, chosen, rows, theiler, n_references)
    level = _amplification(table, chosen, space, reach)
    while True:
        curve = _continuity(table, space, lags)
        curves.append(curve)
        if len(chosen) == max_dimension:
            return chosen, gains, curves
        options = [
            (column, int(lags[place]))
            for column in range(curve.shape[0])
            for place in _peaks(curve[column], lags, {lag for c, lag in chosen if c == column})
        ]
        best: tuple[tuple[float, float], tuple[int, int], _Space, np.ndarray] | None = None
        for option in options:
            there = _space(table, [*chosen, option], rows, theiler, n_references)
            new = _amplification(table, [*chosen, option], there, reach)
            gain = _gain(level, new)
            if best is None or gain > best[0]:
                best = (gain, option, there, new)
        if best is None or best[0][0] < max(least_gain, _SURE * best[0][1]):
            return chosen, gains, curves
        gains.append(best[0])
        chosen, space, level = [*chosen, best[1]], best[2], best[3]
