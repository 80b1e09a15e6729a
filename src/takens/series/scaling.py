"""Scaling regions by an ensemble of slopes: no region is chosen, all of them vote."""

from __future__ import annotations

import dataclasses

import numpy as np

_GRID = 36  # points on which windows begin and end
_SHARPNESS = 96  # points at which the density of slopes is looked at


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SlopeDistribution:
    """Slopes of all windows of a curve, weighted by length and goodness of fit.

    Parameters
    ----------
    slope : float
        Mode of the weighted density.
    width : float
        Full width of its peak at half its height.
    start, stop : float
        Abscissa between which the windows near the mode lie: weighted medians of their ends.
    slopes, weights : array, shape (n_windows,)
        The ensemble; the weights add up to one.
    """

    slope: float
    width: float
    start: float
    stop: float
    slopes: np.ndarray
    weights: np.ndarray


def slope_distribution(
    x: np.ndarray, y: np.ndarray, *, shortest: float = 0.25, length_power: float = 1.0
) -> SlopeDistribution | None:
    r"""Slope of `y` against `x` by the ensemble of all windows.

    Each window of at least `shortest` of the span gets the least-squares slope, with the weight

    .. math:: w \propto \frac{\ell^{p}}{\varepsilon^{2}},

    :math:`\ell` its length and :math:`\varepsilon` the root-mean-square misfit. The mode of the
    weighted density is the slope; its full width at half maximum says how far the choice of the
    region matters.

    Parameters
    ----------
    x, y : array, shape (n,)
        Increasing abscissa, and the curve; points that are not finite are left out.
    shortest : float
        Shortest window, as a share of the span.
    length_power : float
        The power :math:`p`.

    Returns
    -------
    SlopeDistribution or None
        None where fewer than five points are finite.

    References
    ----------
    Deshmukh, Bradley, Garland and Meiss (2021), Chaos 31, 123102.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < 5:
        return None
    at = np.unique(np.linspace(0, len(x) - 1, _GRID).astype(int))
    low, high = (at[i] for i in np.triu_indices(len(at), 1))
    fine = (high - low >= 3) & (x[high] - x[low] >= shortest * (x[-1] - x[0]))
    low, high = low[fine], high[fine]
    slopes, misfit = _fits(x, y, low, high)
    floor = 1e-3 * (np.ptp(y) + 1e-300)
    weights = (x[high] - x[low]) ** length_power / np.maximum(misfit, floor) ** 2
    weights /= weights.sum()
    mode, width = _mode(slopes, weights)
    near = np.abs(slopes - mode) <= max(width / 2, 1e-12)
    if not near.any():
        near = np.abs(slopes - mode) <= np.abs(slopes - mode).min()
    return SlopeDistribution(
        slope=mode,
        width=width,
        start=_weighted_median(x[low][near], weights[near]),
        stop=_weighted_median(x[high][near], weights[near]),
        slopes=slopes,
        weights=weights,
    )


def _fits(
    x: np.ndarray, y: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slope and root-mean-square misfit of every window, from cumulative sums."""
    x, y = x - x.mean(), y - y.mean()
    sums = np.zeros((5, len(x) + 1))
    sums[:, 1:] = np.cumsum([x, y, x * x, x * y, y * y], axis=1)
    n = high - low + 1
    sx, sy, sxx, sxy, syy = (s[high + 1] - s[low] for s in sums)
    xx, xy, yy = sxx - sx * sx / n, sxy - sx * sy / n, syy - sy * sy / n
    slope = xy / xx
    return slope, np.sqrt(np.maximum(yy - slope * xy, 0) / n)


def _mode(slopes: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mode of the weighted density and the full width of its peak at half height."""
    centre = float(weights @ slopes)
    spread = float(np.sqrt(weights @ (slopes - centre) ** 2))
    order = np.argsort(slopes)
    cumulative = np.cumsum(weights[order])
    quarter, three = slopes[order][np.searchsorted(cumulative, [0.25, 0.75])]
    size = 1 / float(np.sum(weights**2))  # effective number of windows
    scale = min(spread, (three - quarter) / 1.349) if three > quarter else spread
    band = max(0.9 * scale * size**-0.2, 1e-9 * (abs(centre) + 1e-300))
    grid = np.linspace(slopes.min() - 2 * band, slopes.max() + 2 * band, _SHARPNESS)
    grid = np.unique(np.concatenate([grid, np.linspace(quarter - band, three + band, _SHARPNESS)]))
    density = np.exp(-0.5 * ((grid[:, None] - slopes) / band) ** 2) @ weights
    peak = int(np.argmax(density))
    above = density >= density[peak] / 2
    left, right = peak, peak
    while left > 0 and above[left - 1]:
        left -= 1
    while right < len(grid) - 1 and above[right + 1]:
        right += 1
    return float(grid[peak]), float(grid[right] - grid[left])


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
