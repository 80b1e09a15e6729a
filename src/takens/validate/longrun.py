"""A model's own long run beside the data: exponent, spectrum, distribution, boundedness."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Fit, InvalidInput, Status, WrongKind, require
from takens.core.trajectory import Finding
from takens.data import Segments, regular_segments
from takens.learn.host import AbstractHostMap, host_map
from takens.learn.simulate import residual_table
from takens.validate.forecasts import FAR, states

if TYPE_CHECKING:
    import xarray as xr

BLOCK = 256  # steps between looks at whether a run is lost
N_QUANTILES = 101


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LongRun(AbstractResult):
    """How a model behaves when it is left alone, and how the data behave.

    Index 0 of a pair is the noise-free run, index 1 the run driven by resampled residuals.

    Parameters
    ----------
    model : str
        Its name.
    time_unit, names : str, tuple of str
        Of the data.
    exponent : Estimate
        Largest Lyapunov exponent of the noise-free run, per time unit.
    driven_exponent : Estimate
        The same along the driven run.
    bounded : bool
        Whether the noise-free run stayed within ten data ranges.
    distribution_distance, distribution_reference : array, shape (2,), and float
        Wasserstein-1 distance of each run to the data, in standard deviations, averaged over
        columns; the reference is that between the halves of the data.
    spectrum_distance, spectrum_reference : array, shape (2,), and float
        Half the summed absolute difference of the normalised power spectra, 0 to 1; the reference
        is that between the halves of the data.
    times : array, shape (step,)
        In `time_unit` after the start of the run.
    orbit : array, shape (2, step, dim)
        In the units of the columns; NaN after a run was lost.
    frequencies : array, shape (frequency,)
        In cycles per time unit.
    spectra : array, shape (3, frequency)
        Normalised to sum one: data, noise-free run, driven run.
    quantiles : array, shape (3, 101)
        Of the first column, in its unit: data, noise-free run, driven run.
    """

    model: str
    time_unit: str
    names: tuple[str, ...]
    exponent: Estimate
    driven_exponent: Estimate
    bounded: bool
    distribution_distance: np.ndarray
    distribution_reference: float
    spectrum_distance: np.ndarray
    spectrum_reference: float
    times: np.ndarray
    orbit: np.ndarray
    frequencies: np.ndarray
    spectra: np.ndarray
    quantiles: np.ndarray

    def summary(self) -> str:
        """Exponent and distances, each beside its reference."""
        if not self.bounded:
            return f"{self.model}: the noise-free run left the range of the data."
        free, driven = self.distribution_distance
        return (
            f"{self.model}: largest exponent {self.exponent} without noise, "
            f"{self.driven_exponent} driven by residuals. Distance of distributions {free:.3g} "
            f"and {driven:.3g} (between halves of the data {self.distribution_reference:.3g}); "
            f"of spectra {self.spectrum_distance[0]:.3g} and {self.spectrum_distance[1]:.3g} "
            f"(halves {self.spectrum_reference:.3g})."
        )

    def plot(self, ax: Any = None) -> Any:
        """Power spectra of data and runs."""
        from takens import plot

        ax = plot.axes(ax)
        shown = self.frequencies > 0
        for row, label in enumerate(("data", "noise-free run", "driven run")):
            power = self.spectra[row][shown]
            if np.isfinite(power).any():
                power = np.maximum(power, 1e-12)
                plot.line(ax, self.frequencies[shown], power, label=label, color=plot.COLOURS[row])
        ax.set_yscale("log")
        unit = "" if self.time_unit == "1" else f"1/{self.time_unit}"
        return plot.labels(ax, plot.quantity("frequency", unit), "share of variance")

    def to_xarray(self) -> xr.Dataset:
        """Orbits, spectra and quantiles with named dimensions; numbers as attributes."""
        import xarray as xr

        variables = {
            "orbit": (("run", "time", "component"), self.orbit),
            "spectrum": (("source", "frequency"), self.spectra),
            "quantile": (("source", "probability"), self.quantiles),
            "distribution_distance": ("run", self.distribution_distance),
            "spectrum_distance": ("run", self.spectrum_distance),
        }
        coords = {
            "run": ["noise-free", "driven"],
            "source": ["data", "noise-free", "driven"],
            "time": ("time", self.times, {"units": self.time_unit}),
            "component": list(self.names),
            "frequency": self.frequencies,
            "probability": np.linspace(0, 1, N_QUANTILES),
        }
        attributes = {
            "exponent": self.exponent.value,
            "exponent_interval": list(self.exponent.interval),
            "bounded": int(self.bounded),
            "distribution_reference": self.distribution_reference,
            "spectrum_reference": self.spectrum_reference,
        }
        return xr.Dataset(variables, coords, attributes)


def long_run(
    fit: Fit[Any],
    data: Any,
    *,
    n_steps: int = 4_096,
    n_transient: int = 512,
    level: float = 0.9,
    name: str = "",
    seed: int = 0,
    throw: bool = True,
) -> LongRun:
    r"""A learned model's own long run, laid beside the data.

    Two runs start from the end of the data: one without noise, one with resampled training
    residuals. Along each a tangent vector is carried (:math:`v \mapsto Df(x) v`, normalised every
    step), whose mean log growth is the largest Lyapunov exponent *of the model*.

    Parameters
    ----------
    fit : Fit of an AbstractDelayMap
        Or of the same map on the host; with residuals in its diagnostics.
    data : array, Trajectory, Recording or path
        What the model is compared with.
    n_steps, n_transient : int
        Length of the run in samples, rounded up to blocks of 256, and what is dropped first.
    level : float
        Coverage of the intervals, from a t distribution over blocks of the run.
    name : str
        What to call the model; its class when not given.
    seed : int
        For residuals and the first tangent vector.
    throw : bool
        Whether to raise when the noise-free run is lost.

    Returns
    -------
    LongRun
        With status DIVERGED and NaN where a run is lost.

    Raises
    ------
    WrongKind
        If `fit` does not hold a map on past observations.
    InvalidInput
        If `n_steps` is below 256 or the data are shorter than the model's window.
    NumericalFailure
        If the noise-free run leaves ten data ranges, and `throw`.

    Notes
    -----
    A noise-free run that settles on a point says that the model needs noise to look like the data,
    not that the system is at rest. Exponents of a model are those of the data only as far
    as the model is right. Inputs are held at their mean.

    References
    ----------
    Benettin, Galgani, Giorgilli and Strelcyn, Meccanica 15, 9 (1980).

    Examples
    --------
    >>> from takens.learn import NVAR
    >>> x = [0.3]
    >>> for _ in range(999):
    ...     x.append(4 * x[-1] * (1 - x[-1]) * 0.99)
    >>> fit = NVAR(n_lags=1, spacing=1, degree=2, noise=0.0).fit(x)
    >>> run = long_run(fit, x, n_steps=1024)
    >>> run.bounded, run.exponent.value > 0.4
    (True, True)
    """
    if not isinstance(fit, Fit):
        raise WrongKind(
            f"{type(fit).__name__} was given; expected the Fit of a map on past observations, such "
            "as `NVAR().fit(data)`."
        )
    model = host_map(fit.model)
    if n_steps < BLOCK or n_transient < 0:
        raise InvalidInput(
            f"n_steps = {n_steps} and n_transient = {n_transient}; expected at least {BLOCK} and "
            "at least 0. Give more steps."
        )
    segments = data if isinstance(data, Segments) else regular_segments(data)
    table = residual_table(np.asarray(fit.diagnostics["residuals"]))
    path, growth = _orbits(model, table, segments, n_steps, n_transient, seed)
    observed = segments.longest[-20_000:]
    bounded = not bool(np.isnan(path[0]).any())
    status = Status.OK if bounded else Status.DIVERGED
    require(status, throw=throw)
    scale = observed.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    first, second = np.array_split(observed, 2)
    frequencies, spectra, distances, reference = _spectra(observed, path, scale, segments.dt)
    with np.errstate(invalid="ignore"):
        shares = np.linspace(0, 1, N_QUANTILES)
        quantiles = np.stack([_quantiles(part[:, 0], shares) for part in (observed, *path)])
    rates = [_exponent(g, segments.dt, segments.time_unit, level) for g in growth]
    return LongRun(
        model=name or type(fit.model).__name__,
        time_unit=segments.time_unit,
        names=segments.names,
        exponent=rates[0],
        driven_exponent=rates[1],
        bounded=bounded,
        distribution_distance=np.array([_wasserstein(observed, run, scale) for run in path]),
        distribution_reference=_wasserstein(first, second, scale),
        spectrum_distance=distances,
        spectrum_reference=reference,
        times=segments.dt * np.arange(1, path.shape[1] + 1),
        orbit=path,
        frequencies=frequencies,
        spectra=spectra,
        quantiles=quantiles,
        status=status,
        cautions=_cautions(path, growth),
        provenance={"seed": seed, "n_steps": n_steps, "n_transient": n_transient},
    )


def _orbits(
    model: AbstractHostMap,
    table: np.ndarray,
    segments: Segments,
    n_steps: int,
    n_transient: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Observed paths (2, step, dim) and log growth (2, step); NaN from where a run is lost."""
    host = model.frame
    rng = np.random.default_rng(seed)
    values = segments.longest
    if len(values) < model.window:
        raise InvalidInput(
            f"The longest stretch has {len(values)} samples; the model's window needs "
            f"{model.window}. Give a longer record."
        )
    z = host.encode(values[-20_000:])
    centre, limit = z.mean(axis=0), FAR * np.ptp(z, axis=0) + 1e-9
    place = next(index for index, part in enumerate(segments.values) if part is values)
    x = np.tile(states(model, segments, np.array([[place, len(values) - 1]])), (2, 1))
    v = rng.normal(size=x.shape)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    drivers = [d for d in segments.inputs if d is not None]
    u = np.concatenate(drivers).mean(axis=0) if drivers else np.zeros(0)
    n = float(round(segments.starts[place] / segments.dt) + len(values) - 1)
    paths, growths = [], []
    lost = np.zeros(2, dtype=bool)
    for _ in range(-(-(n_steps + n_transient) // BLOCK)):
        draws = np.stack(
            [np.zeros(BLOCK, dtype=np.int32), rng.integers(1, len(table), BLOCK, dtype=np.int32)],
            axis=1,
        )
        x, v, path, growth = model.tangent_orbits(x, v, n, u, table, draws)
        n += BLOCK
        far = (~(np.abs(path - centre) <= limit)).any(axis=2)
        gone = np.logical_or.accumulate(far, axis=1) | lost[:, None]
        paths.append(np.where(gone[:, :, None], np.nan, path))
        growths.append(np.where(gone, np.nan, growth))
        lost = gone[:, -1]
        if lost.all():
            break
    observed = host.decode(np.concatenate(paths, axis=1))
    kept = slice(n_transient, n_transient + n_steps)
    growth = np.concatenate(growths, axis=1)
    if observed.shape[1] <= n_transient:  # both runs were lost before the transient was over
        return observed, np.full(growth.shape, np.nan)
    return observed[:, kept], growth[:, kept]


def _exponent(growth: np.ndarray, dt: float, unit: str, level: float) -> Estimate:
    unit = "" if unit == "1" else f"1/{unit}"
    if np.isnan(growth).any() or len(growth) < 20:
        return Estimate(value=np.nan, level=level, unit=unit, method="the run was lost")
    with np.errstate(invalid="ignore"):
        means = np.array([part.mean() for part in np.array_split(growth, 16)]) / dt
    value = float(means.mean())
    if not np.isfinite(value):
        return Estimate(value=-np.inf, level=level, unit=unit, method="the map forgets its state")
    from scipy.special import stdtrit

    error = float(means.std(ddof=1) / len(means) ** 0.5)
    reach = float(stdtrit(len(means) - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=value,
        interval=(value - reach, value + reach),
        standard_error=error,
        level=level,
        unit=unit,
        method="t interval over 16 blocks of the model's run",
    )


def _quantiles(values: np.ndarray, shares: np.ndarray) -> np.ndarray:
    good = values[np.isfinite(values)]
    if good.size < len(values) or good.size == 0:
        return np.full(len(shares), np.nan)
    return np.asarray(np.quantile(good, shares))


def _wasserstein(a: np.ndarray, b: np.ndarray, scale: np.ndarray) -> float:
    """Mean over columns of the Wasserstein-1 distance, by 400 quantiles of each."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan")
    shares = (np.arange(400) + 0.5) / 400
    gap = np.quantile(a, shares, axis=0) - np.quantile(b, shares, axis=0)
    return float((np.abs(gap).mean(axis=0) / scale).mean())


def _power(values: np.ndarray, length: int, scale: np.ndarray) -> np.ndarray:
    """Welch's spectrum with half-overlapping Hann windows, summed over columns, sum one."""
    if not np.isfinite(values).all() or len(values) < length:
        return np.full(length // 2 + 1, np.nan)
    starts = np.arange(0, len(values) - length + 1, max(1, length // 2))
    window = np.hanning(length)[:, None]
    centred = (values - values.mean(axis=0)) / scale
    total = np.zeros(length // 2 + 1)
    for start in starts:
        part = np.fft.rfft(centred[start : start + length] * window, axis=0)
        total += (np.abs(part) ** 2).sum(axis=1)
    power = total.sum()
    return total / power if power > 1e-20 * values.size else np.full(len(total), np.nan)


def _spectra(
    observed: np.ndarray, path: np.ndarray, scale: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    length = int(min(256, len(observed) // 4, path.shape[1]))
    length = max(8, length)
    spectra = np.stack([_power(part, length, scale) for part in (observed, *path)])
    halves = [_power(part, length, scale) for part in np.array_split(observed, 2)]
    distances = 0.5 * np.abs(spectra[1:] - spectra[0]).sum(axis=1)
    reference = 0.5 * float(np.abs(halves[0] - halves[1]).sum())
    return np.fft.rfftfreq(length, dt), spectra, distances, reference


def _cautions(path: np.ndarray, growth: np.ndarray) -> tuple[Finding, ...]:
    if np.isnan(path[0]).any():
        return (
            Finding(
                code="model-run-lost",
                text="The model's noise-free run left ten data ranges.",
                action="Use it for short leads only.",
                level="serious",
            ),
        )
    if np.ptp(path[0], axis=0).max() <= 1e-6 * np.nanmax(np.ptp(path[1], axis=0), initial=1e-300):
        return (
            Finding(
                code="model-run-at-rest",
                text="Without noise the model settles on a point; only its driven run varies.",
                action="Compare the driven run with the data.",
                level="note",
            ),
        )
    return ()
