"""How much white measurement noise is on a deterministic record, by two methods that share nothing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.gate import gate
from takens.series.observable import neighbours, observable
from takens.series.prediction import Coordinates, as_estimate, coordinates
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10
_REFERENCES = 1000
_MAX_LIBRARY = 20_000
_MIN_VECTORS = 300
_RADII = np.geomspace(0.005, 3, 64)
_HALF_WINDOW = 3  # radii on either side of a slope
_MOST_DIMENSION = 100
_EXTRA = 4  # coordinates added to the delay vector to see noise fill them
_MIN_PAIRS = 100
_TRACE = 0.15  # slope per coordinate below which noise has left none
_SHARES = (2, 3, 4, 6, 8, 12, 16)  # neighbours in units of the coefficients of a local model


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NoiseLevel(AbstractResult):
    """Standard deviation of the measurement noise, by two methods and together.

    Parameters
    ----------
    share : Estimate
        Geometric mean of the two, as a share of the record's standard deviation; its interval
        holds both intervals.
    by_neighbours, by_correlation : Estimate
        From local linear models extrapolated to no curvature and many neighbours, and from how the
        slopes of the correlation integral grow with the dimension. Shares as well.
    sigma : Estimate
        `share` in the unit of the record.
    neighbours, residual, fitted : array, shape (n_sizes,)
        Neighbours fitted, the noise level each suggests, and the curve that is extrapolated.
    radii, growth, expected : array, shape (n_radii,)
        In standard deviations; slope gained for each added coordinate, and what Gaussian noise of
        the level `by_correlation` gives.
    label : str
        What was looked at.
    """

    share: Estimate
    by_neighbours: Estimate
    by_correlation: Estimate
    sigma: Estimate
    neighbours: np.ndarray
    residual: np.ndarray
    fitted: np.ndarray
    radii: np.ndarray
    growth: np.ndarray
    expected: np.ndarray
    label: str

    def summary(self) -> str:
        """Both levels, and the level in the record's unit."""
        if not self.share.is_finite:
            return f"noise level: no answer ({self.status.value})"
        return (
            f"noise level {self.share} of the standard deviation (neighbours "
            f"{self.by_neighbours.value:.3g}, correlation integral {self.by_correlation.value:.3g})"
        )

    def plot(self, ax: Any = None) -> Any:
        """Growth of the slope with dimension against radius, and Schreiber's curve."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, self.radii, self.growth, label="record", marker="o", ms=3, ls="")
        plot.line(ax, self.radii, self.expected, label="Gaussian noise")
        ax.set_xscale("log")
        xlabel = "radius (standard deviations)"
        plot.labels(ax, xlabel=xlabel, ylabel="slope per coordinate", title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The curves from which the levels were read."""
        import xarray as xr

        return xr.Dataset(
            {
                "residual": ("neighbours", self.residual),
                "fitted": ("neighbours", self.fitted),
                "growth": ("radius", self.growth),
                "expected": ("radius", self.expected),
            },
            {"neighbours": self.neighbours, "radius": self.radii},
            attrs={"share": self.share.value, "sigma": self.sigma.value},
        )


def lagged(series: tuple[np.ndarray, ...], lags: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``[x(t - l) for l in lags]`` without a missing value, and their clock.

    Returns
    -------
    points : array, shape (n, len(lags))
    clock : array of int, shape (n,)
    """
    rows, clock, offset, span = [], [], 0, max(lags)
    for x in series:
        n = len(x) - span
        if n > 0:
            block = np.stack([x[span - lag : span - lag + n] for lag in lags], axis=1)
            whole = np.isfinite(block).all(axis=1)
            rows.append(block[whole])
            clock.append(offset + np.flatnonzero(whole))
        offset += len(x) + 10_000_000
    if not rows:
        return np.empty((0, len(lags))), np.empty(0, dtype=int)
    return np.ascontiguousarray(np.concatenate(rows)), np.concatenate(clock)


def _asked(n: int) -> list[np.ndarray]:
    """Reference rows, evenly spread, in blocks of time."""
    rows = np.unique(np.linspace(0, n - 1, min(n, _REFERENCES)).astype(np.int64))
    return np.array_split(rows, _N_BLOCKS)


def schreiber(z: np.ndarray) -> np.ndarray:
    """Slope that Gaussian noise adds for each coordinate at radius ``2 sigma z``: eq. 6 of 1993."""
    from scipy.special import erf

    z = np.maximum(z, 1e-12)
    return np.asarray(2 / np.sqrt(np.pi) * z * np.exp(-(np.minimum(z, 30.0) ** 2)) / erf(z))


def _growth(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope gained per coordinate at each radius, NaN where pairs are few; and those radii."""
    w = _HALF_WINDOW
    usable = counts[-1, : -2 * w] >= _MIN_PAIRS
    logs = np.log(np.maximum(counts, 1))
    slopes = (logs[:, 2 * w :] - logs[:, : -2 * w]) / (2 * w * np.log(_RADII[1] / _RADII[0]))
    at = np.arange(len(counts)) - (len(counts) - 1) / 2
    return np.where(usable, at @ slopes / np.sum(at**2), np.nan), _RADII[w:-w]


def _fitted_sigma(growth: np.ndarray, radii: np.ndarray) -> float:
    """Level whose curve is closest to `growth` below one standard deviation, to 0.5 %."""
    seen = np.isfinite(growth) & (radii < 1)
    if seen.sum() < 4:
        return float("nan")
    levels = np.geomspace(1e-3, 2, 1500)
    curves = schreiber(radii[seen] / (2 * levels[:, None]))
    return float(levels[np.argmin(np.sum((curves - growth[seen]) ** 2, axis=1))])


def correlation_counts(
    series: tuple[np.ndarray, ...], at: Coordinates
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of close pairs for each block of references, and the counts of all.

    The first coordinates are the delay vector; those added lie between them, where a deterministic
    record has nothing new to say, or before them where the delay is one sample.
    """
    from takens.series.kernels.nested import nested_counts

    base = [i * at.delay for i in range(max(2, at.dimension))]
    between = [lag for lag in range(base[-1]) if lag not in base]
    extra = between[:: max(1, len(between) // _EXTRA)][:_EXTRA]
    extra += [base[-1] + 1 + i for i in range(_EXTRA - len(extra))]
    points, clock = lagged(series, base + extra)
    if len(points) < _MIN_VECTORS:
        none = np.zeros((_EXTRA + 1, len(_RADII)), dtype=np.int64)
        return none[None], none
    kept = slice(None, None, max(1, -(-len(points) // _MAX_LIBRARY)))
    points, clock = np.ascontiguousarray(points[kept]), np.ascontiguousarray(clock[kept])
    blocks = np.array(
        [
            nested_counts(points, clock, rows, _RADII, at.theiler, len(base))
            for rows in _asked(len(points))
        ]
    )
    return blocks, blocks.sum(axis=0)


def local_residuals(
    series: tuple[np.ndarray, ...], spacing: int, theiler: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise variances that local linear models of x(t) on its four neighbours in time suggest.

    The squared residual of each reference is divided by ``1 + leverage`` for the coefficients
    fitted, and by ``1 + |a|^2`` for the noise on the regressors that coefficients `a` pass on.

    Returns
    -------
    sizes : array of int, shape (n_sizes,)
    variance : array, shape (n_blocks, n_sizes)
        Means over the references of each block of time.
    reach : array, shape (n_sizes,)
        Mean squared distance to the farthest neighbour used.
    """
    rows, clock = lagged(series, [2 * spacing, 0, spacing, 3 * spacing, 4 * spacing])
    y, z = rows[:, 0], rows[:, 1:]
    q = 1 + z.shape[1]
    sizes = q * np.array(_SHARES)
    if len(rows) < _MIN_VECTORS:
        return sizes, np.full((_N_BLOCKS, len(sizes)), np.nan), np.full(len(sizes), np.nan)
    library = np.arange(0, len(rows), max(1, -(-len(rows) // _MAX_LIBRARY)))
    blocks = _asked(len(rows))
    asked = np.concatenate(blocks)
    far, which = neighbours(
        z[library], clock[library], z[asked], clock[asked], k=int(sizes[-1]), theiler=theiler
    )
    full = which[:, -1] >= 0
    near = library[which]
    design = np.concatenate(
        [np.ones((len(asked), near.shape[1], 1)), z[near] - z[asked, None]], axis=2
    )
    found = np.full((len(asked), len(sizes)), np.nan)
    for column, k in enumerate(sizes):
        part = design[full, :k]
        gram = np.einsum("rki,rkj->rij", part, part)
        ridge = 1e-9 * np.einsum("rii->r", gram[:, 1:, 1:]) / q + 1e-300
        gram[:, range(1, q), range(1, q)] += ridge[:, None]
        inverse = np.linalg.inv(gram)
        moment = np.einsum("rki,rk->ri", part, y[near[full, :k]])
        fit = np.einsum("rij,rj->ri", inverse, moment)
        passed_on = (1 + inverse[:, 0, 0]) * (1 + np.sum(fit[:, 1:] ** 2, axis=1))
        found[full, column] = (y[asked[full]] - fit[:, 0]) ** 2 / passed_on
    ends = np.cumsum([len(rows) for rows in blocks])[:-1]
    parts = [p[np.isfinite(p[:, 0])] for p in np.split(found, ends)]
    variance = np.array([p.mean(axis=0) if len(p) else np.full(len(sizes), np.nan) for p in parts])
    return sizes, variance, np.mean(far[full][:, sizes - 1] ** 2, axis=0)


def _extrapolated(
    sizes: np.ndarray, variance: np.ndarray, reach: np.ndarray
) -> tuple[float, np.ndarray]:
    """Noise level at no curvature and many neighbours, and the fitted levels.

    The suggested variance is ``s^2 (1 - b / k) + c r^4``: few neighbours follow the noise itself, and
    a wide neighbourhood curves; all terms are held non-negative and fitted to relative accuracy.
    """
    from scipy.optimize import nnls

    if not np.isfinite(variance).all():
        return float("nan"), np.full(len(sizes), np.nan)
    weight = 1 / np.maximum(variance, 1e-30)
    few = sizes[0] / sizes
    columns = np.stack([1 - 0.5 * few, 1 - few, reach**2 / reach[-1] ** 2], axis=1)
    coefficients, _ = nnls(columns * weight[:, None], variance * weight)
    fitted = np.sqrt(columns @ coefficients)
    return float(np.sqrt(coefficients[0] + coefficients[1])), fitted


def _with_interval(
    value: float, without: np.ndarray, level: float, method: str, floor: float
) -> Estimate:
    """Jackknife interval on the level, never narrower than the resolution `floor`."""
    from scipy.special import stdtrit

    if not np.isfinite(value) or not np.isfinite(without).all():
        return as_estimate(float("nan"), np.nan, np.nan, level, method)
    n = len(without)
    error = np.sqrt((n - 1) * np.mean((without - without.mean()) ** 2))
    reach = max(float(error * stdtrit(n - 1, (1 + level) / 2)), floor)
    return as_estimate(value, max(0.0, value - reach), value + reach, level, method)


def _by_correlation(
    series: tuple[np.ndarray, ...], at: Coordinates, level: float
) -> tuple[Estimate, np.ndarray, np.ndarray]:
    blocks, counts = correlation_counts(series, at)
    growth, radii = _growth(counts)
    value = _fitted_sigma(growth, radii)
    without = np.array([_fitted_sigma(*_growth(counts - block)) for block in blocks])
    seen = np.flatnonzero(np.isfinite(growth))
    # Without growth even at the smallest radii with enough pairs, noise is below what they resolve.
    traceless = seen.size > 0 and np.median(growth[seen[:5]]) < _TRACE
    floor = max(0.1 * value, float(radii[seen[0]] / 2) if traceless else 0.0)
    method = "jackknife over ten blocks, at least a tenth for the shape of the curve"
    return _with_interval(value, without, level, method, floor), growth, radii


def _by_neighbours(
    series: tuple[np.ndarray, ...], at: Coordinates, level: float
) -> tuple[Estimate, np.ndarray, np.ndarray, np.ndarray]:
    sizes, blocks, reach = local_residuals(series, max(1, at.delay // 3), at.theiler)
    value, fitted = _extrapolated(sizes, blocks.mean(axis=0), reach)
    n = len(blocks)
    totals = blocks.sum(axis=0)
    without = np.array([_extrapolated(sizes, (totals - b) / (n - 1), reach)[0] for b in blocks])
    method = "jackknife over ten blocks, at least a tenth for the extrapolation"
    estimate = _with_interval(value, without, level, method, 0.1 * value)
    return estimate, sizes, np.sqrt(blocks.mean(axis=0)), fitted


def _together(one: Estimate, other: Estimate, level: float) -> Estimate:
    known = [e for e in (one, other) if e.is_finite]
    if not known:
        return as_estimate(float("nan"), np.nan, np.nan, level, "")
    value = float(np.exp(np.mean([np.log(max(e.value, 1e-6)) for e in known])))
    low, high = min(e.interval[0] for e in known), max(e.interval[1] for e in known)
    return as_estimate(value, min(low, value), max(high, value), level, "both methods' intervals")


@checked
def noise_level(
    data: Any,
    *,
    dimension: int | None = None,
    delay: int | None = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> NoiseLevel:
    r"""Standard deviation of white measurement noise on a deterministic record.

    *Correlation integral*: Gaussian noise of level :math:`\sigma` adds
    :math:`g(z) = 2 z e^{-z^2} / (\sqrt\pi\, \mathrm{erf} z)`, :math:`z = r / 2\sigma`, to the slope of
    the correlation integral (maximum norm) for every coordinate beyond those that unfold the
    attractor; :math:`\sigma` is fitted. *Nearest neighbours*: x(t) is fitted by local linear models
    on two samples before and two after it; the residual, corrected for noise on the regressors, is
    extrapolated over the number of neighbours.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used. Vectors with a missing sample are
        left out.
    dimension, delay : int, optional
        Of the delay vectors; by default from `embedding`. Delay in samples.
    level : float
        Nominal coverage of the intervals.
    seed : int
        For the surrogates of the gate.
    throw : bool
        Whether to raise where there is no answer.

    Returns
    -------
    NoiseLevel

    Raises
    ------
    InvalidInput
        If no stretch holds a delay vector.
    NumericalFailure
        If fewer than 300 vectors are whole or the record cannot be told from noise, and `throw`.

    Notes
    -----
    The record must follow a rule: on a stochastic process the question has no answer, and a gate of
    surrogates and spectral lines refuses it. Dynamical noise is *not* told apart from measurement
    noise where it makes neighbours part; noise correlated over samples counts as signal. A level
    below what the nearest pairs resolve is an upper bound: its interval then reaches down to zero.
    Cost: 1,000 references against at most 20,000 vectors.

    References
    ----------
    Schreiber (1993), Phys. Rev. E 48, R13, eq. 6; Cawley and Hsu (1992), Phys. Rev. A 46, 3057, for
    local fits; Fuller (1987), Measurement Error Models, for the correction.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = np.empty(2000)
    >>> x[0] = 0.3
    >>> for n in range(1999):
    ...     x[n + 1] = 3.9 * x[n] * (1 - x[n])
    >>> noisy = x + 0.05 * x.std() * rng.normal(size=2000)
    >>> found = noise_level(noisy)
    >>> 0.04 < found.share.value < 0.06
    True
    """
    if dimension is not None and not 1 <= dimension <= _MOST_DIMENSION:
        raise InvalidInput(f"dimension = {dimension}; expected 1 to {_MOST_DIMENSION}.")
    view = observable(data)
    at = coordinates(view, dimension, delay)
    series = tuple(part[:, 0] for part in view.gapped)
    cautions, status = list(view.findings), Status.OK
    straight, sizes, residual, fitted = _by_neighbours(series, at, level)
    curved, growth, radii = _by_correlation(series, at, level)
    share = _together(straight, curved, level)
    passed = gate(view, at, seed=seed)
    if not share.is_finite:
        status = Status.TOO_SHORT
    elif not passed.open:
        status = Status.NOT_APPLICABLE
        cautions.append(passed.finding)
    require(status, throw=throw)
    if status is not Status.OK:
        share = straight = curved = as_estimate(float("nan"), np.nan, np.nan, level, "")
    elif max(share.interval) > 2 * share.value + 0.02 or not (
        straight.is_finite and curved.is_finite
    ):
        cautions.append(
            Finding(
                "noise-methods-disagree",
                f"Local fits give {straight.value:.3g}, the correlation integral "
                f"{curved.value:.3g} of the standard deviation.",
                "The interval holds both. Coarse sampling, or a rule with many variables, does this.",
            )
        )
    low, high = (view.scale * end for end in share.interval)
    return NoiseLevel(
        share=share,
        by_neighbours=straight,
        by_correlation=curved,
        sigma=as_estimate(view.scale * share.value, low, high, level, share.method, view.unit),
        neighbours=sizes,
        residual=residual,
        fitted=fitted,
        radii=radii,
        growth=growth,
        expected=schreiber(radii / (2 * max(curved.value, 1e-9))),
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={**at.described(), "seed": seed, "n_samples": view.n_samples},
    )
