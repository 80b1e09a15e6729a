"""Ensembles of slopes: one number from many scaling windows, each weighted by what it can be wrong by."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import Estimate

MIN_SPAN = float(np.log(4.0))  # shortest window of log radius
_FLOOR = 0.003  # no slope is known better, whatever its window says
_STEP = float(np.log(2.0)) / 2  # windows start and end on such a grid


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SlopeEnsemble:
    """Slopes of several curves over many windows, straight or with a term for the edges.

    Parameters
    ----------
    low, high : array of int, shape (n_members,)
        First index and one past the last of the window on the grid of radii.
    curve : array of int, shape (n_members,)
        Which curve.
    slope, error : array, shape (n_members,)
        Slope, and what it may be wrong by: sampling, curvature, and disagreement of the curves.
    disagreement : array, shape (n_members,)
        Half the range of the slopes of three successive curves in this window.
    replicates : array, shape (n_blocks, n_members)
        Slope when one block of time is left out.
    """

    low: np.ndarray
    high: np.ndarray
    curve: np.ndarray
    slope: np.ndarray
    error: np.ndarray
    disagreement: np.ndarray
    replicates: np.ndarray

    def value(self, level: float) -> Estimate:
        """Weighted mean; interval from blocks of time and from the spread of the members."""
        return combined(self.slope, self.replicates, self.weights, level)

    @property
    def weights(self) -> np.ndarray:
        """Shares of the members, proportional to the inverse cube of `error`."""
        raw = 1 / self.error**3
        return np.asarray(raw / raw.sum())


def combined(
    values: np.ndarray, replicates: np.ndarray, weights: np.ndarray, level: float
) -> Estimate:
    """Weighted mean of members; the error joins the jackknife over time and their spread."""
    from scipy.special import stdtrit

    centre = float(weights @ values)
    sampling = float(jackknife_error(replicates @ weights))
    spread = float(np.sqrt(weights @ (values - centre) ** 2))
    error = float(np.hypot(sampling, spread))
    half = float(stdtrit(len(replicates) - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=centre,
        interval=(centre - half, centre + half),
        standard_error=error,
        level=level,
        method=f"{len(replicates)} blocks x {len(values)} windows and dimensions",
    )


def jackknife_error(replicates: np.ndarray) -> np.ndarray:
    """Standard error from values with one block left out, along the first axis."""
    n = len(replicates)
    spread = replicates - replicates.mean(axis=0)
    return np.asarray(np.sqrt((n - 1) / n * np.sum(spread**2, axis=0)))


def windows(log_r: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of all windows of at least `MIN_SPAN`, on a grid of half octaves."""
    grid = np.arange(log_r[0], log_r[-1] + 1e-9, _STEP)
    at = np.searchsorted(log_r, grid - 1e-9)
    return [
        (int(a), int(b) + 1)
        for i, a in enumerate(at)
        for b in at[i + 1 :]
        if log_r[b] - log_r[a] >= MIN_SPAN - 1e-6
    ]


def slope_ensemble(
    log_r: np.ndarray, log_c: np.ndarray, log_without: np.ndarray, usable: np.ndarray
) -> SlopeEnsemble | None:
    """Slopes of ``log_c`` over every window that is `usable` for a curve and the two after it.

    Parameters
    ----------
    log_r : array, shape (n_radii,)
    log_c : array, shape (n_curves, n_radii)
    log_without : array, shape (n_blocks, n_curves, n_radii)
    usable : array of bool, shape (n_curves, n_radii)

    Returns
    -------
    SlopeEnsemble or None
        None where no window is usable.
    """
    n_curves = len(log_c)
    stacked = np.concatenate([log_c[None], log_without])
    rows: list[tuple[int, int, int]] = []
    fits, errors, apart = [], [], []
    span = min(3, n_curves)
    for low, high in windows(log_r):
        fine = np.all(usable[:, low:high], axis=1)
        curves = [c for c in range(n_curves - span + 1) if fine[c : c + span].all()]
        if not curves:
            continue
        x = log_r[low:high] - log_r[low:high].mean()
        radius = np.exp(log_r[low:high] - log_r[high - 1])
        straight = np.linalg.pinv(np.stack([np.ones_like(x), x], axis=1))[1]
        bent = np.linalg.pinv(np.stack([np.ones_like(x), x, radius], axis=1))[1]
        middle = len(x) // 2
        halves = []
        for part in (slice(0, middle + 1), slice(middle, None)):
            z = x[part] - x[part].mean()
            halves.append(stacked[0][:, low:high][:, part] @ (z / (z @ z)))
        curvature = np.abs(halves[1] - halves[0]) / 2
        for row, share in ((straight, 1.0), (bent, 0.5)):
            slopes = stacked[:, :, low:high] @ row  # (1 + n_blocks, n_curves)
            for c in curves:
                apart.append(float(np.ptp(slopes[0, c : c + span])) / 2)
                fits.append(slopes[:, c])
                sampling = float(jackknife_error(slopes[1:, c]))
                errors.append(
                    float(np.sqrt(sampling**2 + (share * curvature[c]) ** 2 + (2 * apart[-1]) ** 2))
                )
                rows.append((low, high, c))
    if not rows:
        return None
    values, members = np.array(fits).T, np.array(rows)
    return SlopeEnsemble(
        low=members[:, 0],
        high=members[:, 1],
        curve=members[:, 2],
        slope=values[0],
        error=np.maximum(np.array(errors), _FLOOR),
        disagreement=np.array(apart),
        replicates=values[1:],
    )


def likelihood_slopes(
    log_r: np.ndarray, counts: np.ndarray, low: np.ndarray, high: np.ndarray, curve: np.ndarray
) -> np.ndarray:
    r"""Maximum likelihood exponent of pairs whose distance lies in each window.

    With :math:`y = \ln (r_0 / d)` for a pair at distance `d` below the window's top :math:`r_0` and
    :math:`L` the window's length, :math:`D` solves
    :math:`\langle y \rangle = 1/D - L / (e^{D L} - 1)`: Takens' estimator with Theiler's lower
    cut-off.

    Parameters
    ----------
    log_r : array, shape (n_radii,)
    counts : array, shape (..., n_curves, n_radii)
        Pairs closer than each radius.
    low, high, curve : array of int, shape (n_members,)

    Returns
    -------
    array, shape (..., n_members)

    References
    ----------
    Takens (1985), Lect. Notes Math. 1125, 99; Theiler (1990), Phys. Rev. A 41, 3038.
    """
    middle = (log_r[1:] + log_r[:-1]) / 2
    inside = np.diff(counts, axis=-1)
    moment = np.cumsum(inside * middle, axis=-1)
    moment = np.concatenate([np.zeros_like(moment[..., :1]), moment], axis=-1)
    top = high - 1
    number = counts[..., curve, top] - counts[..., curve, low]
    first = (moment[..., curve, top] - moment[..., curve, low]) / np.maximum(number, 1)
    length = log_r[top] - log_r[low]
    mean = np.clip((log_r[top] - first) / length, 1e-6, 0.5 - 1e-6)  # of y / L
    below, above = np.full(mean.shape, 1e-6), np.full(mean.shape, 100.0)
    for _ in range(40):  # the right-hand side falls with D L
        guess = (below + above) / 2
        higher = 1 / guess - 1 / np.expm1(guess) > mean
        below, above = np.where(higher, guess, below), np.where(higher, above, guess)
    return np.asarray((below + above) / 2 / length)
