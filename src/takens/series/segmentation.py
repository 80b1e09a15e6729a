"""Changes of mean in correlated rows: the gain of a split, its law under no change, where it lies."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import MissingDependency

_COARSE = 48  # places tried in pairs
_BURN_IN = 60


def ruptures() -> Any:
    """The optional library that finds the best segmentation.

    Raises
    ------
    MissingDependency
        If it is not installed.
    """
    try:
        import ruptures as library
    except ImportError as error:
        raise MissingDependency(
            "Change points need ruptures, which is not installed. "
            "Install it with `pip install 'takens[changes]'`."
        ) from error
    return library


def best_places(rows: np.ndarray, number: int, shortest: int) -> list[int]:
    """The `number` places at which cutting `rows` (n, d) leaves the least variance, exactly.

    By dynamic programming over all segmentations (`ruptures.KernelCPD`, linear kernel).
    """
    if number == 0:
        return []
    search = ruptures().KernelCPD(kernel="linear", min_size=shortest).fit(rows)
    found = [int(place) for place in search.predict(n_bkps=number)]
    return found[:-1]


def removed(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """`rows` (batch, n, d) less the mean of each segment; `places` (batch, k) may differ."""
    n = rows.shape[1]
    segment = np.sum(np.arange(n)[None, :, None] >= places[:, None, :], axis=2)
    out = rows.copy()
    for number in range(places.shape[1] + 1):
        member = (segment == number)[:, :, None]
        mean = np.sum(rows * member, axis=1, keepdims=True)
        out -= member * mean / np.maximum(member.sum(axis=1, keepdims=True), 1)
    return out


@dataclasses.dataclass(frozen=True, eq=False)
class Noise:
    """An autoregression of each column, driven by common rows of shocks.

    `weights` (order, d), `shocks` (n, d).
    """

    weights: np.ndarray
    shocks: np.ndarray

    def draw(self, size: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """`size` stationary records of `n` rows, shape (size, n, d)."""
        order = len(self.weights)
        x = self.shocks[rng.integers(len(self.shocks), size=(size, n + _BURN_IN))]
        for t in range(order, n + _BURN_IN):
            for lag in range(order):
                x[:, t] += self.weights[lag] * x[:, t - 1 - lag]
        return np.asarray(x[:, _BURN_IN:])


def autoregression(rows: np.ndarray, order: int) -> np.ndarray:
    """Yule-Walker weights of every column of every record, (batch, order, d); always stationary."""
    n = rows.shape[1]
    moment = np.stack(
        [np.sum(rows[:, lag:] * rows[:, : n - lag], axis=1) for lag in range(order + 1)]
    )
    moment[0] = np.maximum(moment[0], 1e-300)
    weights = np.zeros((order, *moment.shape[1:]))
    left = moment[0].copy()
    for m in range(order):  # Levinson's recursion
        known = weights[:m].copy()
        turn = (moment[m + 1] - np.sum(known * moment[m:0:-1], axis=0)) / left
        weights[:m] = known - turn * known[::-1]
        weights[m] = turn
        left = left * np.maximum(1 - turn**2, 1e-9)
    return np.asarray(weights.transpose(1, 0, 2))


def _innovations(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """One-step errors of the autoregressions, (batch, n - order, d)."""
    order, n = weights.shape[1], rows.shape[1]
    out = rows[:, order:].copy()
    for lag in range(order):
        out -= weights[:, lag, None] * rows[:, order - 1 - lag : n - 1 - lag]
    return out


def _long_run(rows: np.ndarray, order: int) -> np.ndarray:
    """Variance of sums over the number of rows, of each column, (batch, d)."""
    weights = autoregression(rows, order)
    variance = np.mean(_innovations(rows, weights) ** 2, axis=1)
    return variance / np.maximum(1 - weights.sum(axis=1), 0.02) ** 2


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """The best further split and pair of splits of every record.

    `single`, `double` (batch,) are gains over the long-run variance; `one` (batch, 1) and `two`
    (batch, 2) the places; `left` (batch, n, d) what remains when four further cuts are made.
    """

    single: np.ndarray
    double: np.ndarray
    one: np.ndarray
    two: np.ndarray
    left: np.ndarray


def _inside(length: int, shortest: int, limit: int) -> np.ndarray:
    """Places at which a segment may be cut, thinned to about `limit`."""
    at = np.arange(shortest, length - shortest + 1)
    return at[:: max(1, -(-len(at) // limit))]


def _best_one(rows: np.ndarray, places: list[int], shortest: int) -> tuple[np.ndarray, np.ndarray]:
    """Place (batch, 1) of the best single cut within a segment, and whether there is room."""
    batch, n, _ = rows.shape
    top, one = np.full(batch, -1.0), np.zeros((batch, 1), dtype=int)
    for start, stop in zip([0, *places], [*places, n], strict=True):
        length, total = stop - start, np.cumsum(rows[:, start:stop], axis=1)
        at = _inside(length, shortest, length)
        if not len(at):
            continue
        gain = np.sum(total[:, at - 1] ** 2, axis=2) * length / (at * (length - at))
        better = gain.max(axis=1) > top
        one[better, 0] = start + at[gain.argmax(axis=1)][better]
        top = np.maximum(top, gain.max(axis=1))
    return one, top >= 0


def _best_two(rows: np.ndarray, places: list[int], shortest: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (batch, 2) of the best pair of cuts within a segment, and whether there is room."""
    batch, n, _ = rows.shape
    top, two = np.full(batch, -1.0), np.zeros((batch, 2), dtype=int)
    for start, stop in zip([0, *places], [*places, n], strict=True):
        length, total = stop - start, np.cumsum(rows[:, start:stop], axis=1)
        at = _inside(length, shortest, _COARSE)
        i, j = np.triu_indices(len(at), 1)
        wide = at[j] - at[i] >= shortest
        i, j = i[wide], j[wide]
        if not len(i):
            continue
        sums = total[:, at - 1]
        ends = np.sum(sums**2, axis=2)
        between = np.einsum("bid,bjd->bij", sums, sums)[:, i, j]
        middle = ends[:, i] + ends[:, j] - 2 * between
        gain = ends[:, i] / at[i] + middle / (at[j] - at[i]) + ends[:, j] / (length - at[j])
        better, best = gain.max(axis=1) > top, gain.argmax(axis=1)
        two[better] = start + np.stack([at[i[best]], at[j[best]]], axis=1)[better]
        top = np.maximum(top, gain.max(axis=1))
    return two, top >= 0


def further_splits(rows: np.ndarray, places: list[int], shortest: int, order: int) -> Splits:
    """Search every segment of every record for one more change, and for two.

    A pair is looked for as such because a bump in the middle gains nothing by a single cut. The
    long-run variance is that of what four cuts leave, so that changes do not hide each other.
    """
    known = np.tile(np.array(places, dtype=int), (len(rows), 1))
    centred = removed(rows, known)
    # Weights of the columns for the search: rough, from differences, which no change enters.
    rough = np.maximum(np.mean(np.diff(centred, axis=1) ** 2, axis=1), 1e-300)
    scaled = centred / np.sqrt(rough)[:, None]
    (one, room), (two, wide) = (
        _best_one(scaled, places, shortest),
        _best_two(scaled, places, shortest),
    )

    def without(*new: np.ndarray) -> np.ndarray:
        return removed(scaled, np.sort(np.concatenate([known, *new], axis=1), axis=1))

    less_one, less_two = without(one), without(two)
    more, _ = _best_two(less_two, [], shortest)
    left = without(two, more)
    variance = np.maximum(_long_run(left, order), 1e-300)

    def score(less: np.ndarray) -> np.ndarray:
        gain = np.sum(scaled**2, axis=1) - np.sum(less**2, axis=1)
        return np.asarray(np.sum(gain / variance, axis=1))

    return Splits(
        single=np.where(room, score(less_one), -np.inf),
        double=np.where(wide, score(less_two), -np.inf),
        one=one,
        two=two,
        left=left * np.sqrt(rough)[:, None],
    )


def noise_of(
    rows: np.ndarray, places: list[int], shortest: int, order: int, rng: np.random.Generator
) -> Noise:
    """The autoregression left when every change that may be there is taken out.

    Taking out changes takes slow motion with it, so the weights are too small; the same is done to
    records drawn from the first fit, and their loss is added (Kilian 1998).
    """
    n = len(rows)

    left = further_splits(rows[None], places, shortest, order).left
    weights = autoregression(left, order)
    shocks = _innovations(left, weights)[0]
    first = Noise(weights[0], shocks - shocks.mean(axis=0))
    again = further_splits(first.draw(59, n, rng), places, shortest, order).left
    lost = weights[0] - autoregression(again, order).mean(axis=0)
    for share in np.linspace(1, 0, 11):  # as much of the correction as leaves it stationary
        corrected = weights[0] + share * lost
        if all(_is_stationary(column) for column in corrected.T):
            break
    shocks = _innovations(left, corrected[None])[0]
    return Noise(corrected, shocks - shocks.mean(axis=0))


def _is_stationary(weights: np.ndarray) -> bool:
    roots = np.roots(np.concatenate([[1.0], -weights]))
    return bool(np.abs(roots).max(initial=0.0) < 0.985)


def best_order(rows: np.ndarray, places: list[int], shortest: int) -> int:
    """Order from 1 to 3 with the least information criterion of Akaike."""
    left = further_splits(rows[None], places, shortest, 1).left
    scores = []
    for order in (1, 2, 3):
        errors = _innovations(left[:, 3 - order :], autoregression(left, order))
        fit = np.log(np.maximum(np.mean(errors**2, axis=1), 1e-300)).sum()
        scores.append(len(rows) * fit + 2 * order * rows.shape[1])
    return 1 + int(np.argmin(scores))


def stage_p(
    rows: np.ndarray, places: list[int], shortest: int, n_surrogates: int, rng: np.random.Generator
) -> tuple[float, int, Noise]:
    """Chance of so good a further cut without any, how many cuts to add, and the noise.

    Twice the smaller of the p-values for one and for two further changes.
    """
    order = best_order(rows, places, shortest)
    noise = noise_of(rows, places, shortest, order, rng)
    observed = further_splits(rows[None], places, shortest, order)
    drawn = further_splits(noise.draw(n_surrogates, len(rows), rng), places, shortest, order)
    one = (1 + np.sum(drawn.single >= observed.single[0])) / (1 + n_surrogates)
    two = (1 + np.sum(drawn.double >= observed.double[0])) / (1 + n_surrogates)
    if not np.isfinite(observed.double[0]):
        return (float(one) if np.isfinite(observed.single[0]) else 1.0), 1, noise
    return float(min(1.0, 2 * min(one, two))), 1 if one <= two else 2, noise
