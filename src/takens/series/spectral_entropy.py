"""Spectral entropy: over how many frequencies the power is spread."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.observable import observable, time_name
from takens.series.sample_entropy import first_component
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10
_LEAST_BLOCK = 3  # maximal lags in a block of time


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SpectralEntropy(AbstractResult):
    """Spectral entropy with the spectrum that it is of.

    Parameters
    ----------
    entropy : Estimate
        Dimensionless: 1 for white noise, 0 for a line (as far as the resolution allows).
    frequencies : array, shape (n_frequencies,)
        In cycles per `time_unit`.
    power : array, shape (n_frequencies,)
        Share of the power at each.
    max_lag : int
        Largest lag of the autocovariance, in samples; the resolution is its inverse.
    degrees_of_freedom : float
        Of the power at one frequency.
    time_unit, label : str
        Unit of time, and what was analysed.
    """

    entropy: Estimate
    frequencies: np.ndarray
    power: np.ndarray
    max_lag: int
    degrees_of_freedom: float
    time_unit: str
    label: str

    def summary(self) -> str:
        """The entropy and the resolution."""
        return f"spectral entropy ({len(self.frequencies)} frequencies): {self.entropy}"

    def plot(self, ax: Any = None) -> Any:
        """Share of the power at each frequency."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, self.frequencies, self.power)
        unit = time_name(self.time_unit)
        plot.labels(
            ax, xlabel=f"frequency (per {unit})", ylabel="share of the power", title=self.label
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The spectrum."""
        import xarray as xr

        return xr.Dataset(
            {"power": ("frequency", self.power)},
            {"frequency": self.frequencies},
            attrs={"entropy": self.entropy.value, "max_lag": self.max_lag},
        )


def lagged_sums(x: np.ndarray, max_lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of products at lags 0 to `max_lag`, and how many there are; NaN is left out."""
    from scipy import fft

    known = np.isfinite(x)
    size = fft.next_fast_len(len(x) + max_lag + 1, real=True)
    made = []
    for values in (np.where(known, x, 0.0), known.astype(float)):
        power = np.abs(fft.rfft(values, size)) ** 2
        made.append(fft.irfft(power, size)[: max_lag + 1])
    return made[0], np.round(made[1])


def _shares(sums: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Shares of the power at ``max_lag`` frequencies, through Parzen's lag window."""
    from scipy import fft
    from scipy.signal.windows import parzen

    max_lag = len(sums) - 1
    covariance = np.divide(sums, number, out=np.zeros_like(sums), where=number > 0)
    window = parzen(2 * max_lag + 1)[max_lag:]
    even = np.concatenate([covariance * window, (covariance * window)[-2:0:-1]])
    # Parzen's window keeps the power positive, but for the unequal numbers of products.
    power = np.maximum(fft.rfft(even).real[1:-1], 0.0)
    return np.asarray(power / power.sum())


def _entropy(share: np.ndarray, degrees: float) -> float:
    """Over ``ln n``, free of the bias of scattered power: E[g ln g] of a gamma variate of mean 1."""
    from scipy.special import psi

    held = share[share > 0]
    shape = degrees / 2
    bias = float(psi(shape + 1) - np.log(shape))
    return float(np.clip((-np.sum(held * np.log(held)) + bias) / np.log(len(share)), 0, 1))


@checked
def spectral_entropy(
    data: Any, *, max_lag: int | None = None, level: float = 0.9, throw: bool = True
) -> SpectralEntropy:
    r"""Spectral entropy :math:`-\sum_f p(f) \ln p(f) / \ln n` of the shares p of the power.

    The spectrum is that of the autocovariance up to `max_lag`, through Parzen's lag window
    (Blackman and Tukey); the autocovariance is estimated from all pairs of samples that are there.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used.
    max_lag : int, optional
        In samples; a twentieth of the record by default, 16 to 256. There are ``max_lag - 1``
        frequencies, without zero and the highest.
    level : float
        Nominal coverage of the interval, from leaving out one of ten blocks of time after the other.
    throw : bool
        Raise where there is no answer; else the value is NaN.

    Returns
    -------
    SpectralEntropy

    Raises
    ------
    InvalidInput
        If `max_lag` is below 8.
    NumericalFailure
        If the record is constant, or a tenth of it is shorter than three times `max_lag`, and
        `throw`.

    Notes
    -----
    Scattered power makes the entropy of an estimated spectrum too small by
    ``psi(d / 2 + 1) - ln(d / 2)`` for d degrees of freedom, which is added. The number is that of
    the spectrum seen through the lag window and depends on the resolution: compare at equal
    `max_lag` and sampling step. It sees second moments only, so a chaotic and a noisy record may
    have the same. Cost: O(N log N).

    References
    ----------
    Inouye et al. (1991), Electroencephalogr. Clin. Neurophysiol. 79, 204; lag window: Priestley
    (1981), Spectral Analysis and Time Series, section 6.2.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=4000)
    >>> bool(spectral_entropy(noise).entropy.value > 0.99)
    True
    """
    if max_lag is not None and max_lag < 8:
        raise InvalidInput(f"max_lag = {max_lag}; expected 8 samples or more.")
    view = observable(data)
    columns, _ = first_component(view)
    n = int(sum(np.isfinite(x).sum() for x in columns))
    longest = max_lag or int(np.clip(n // 50, 16, 256))
    status = Status.OK if n >= _N_BLOCKS * _LEAST_BLOCK * longest else Status.TOO_SHORT
    status = Status.NOT_APPLICABLE if view.constant else status
    require(status, throw=throw)
    cautions = list(view.findings)
    estimate, degrees = Estimate(value=np.nan, level=level), float("nan")
    shares = np.full(longest - 1, np.nan)
    if status is Status.OK:
        shares, degrees, estimate = _estimate(columns, n, longest, level)
    if view.missing > 0:
        cautions.append(
            Finding(
                "autocovariance-with-gaps",
                f"{view.missing:.1%} of the samples are missing; the autocovariance is the mean over "
                "the pairs that are there.",
                "Unbiased where samples are missing at random.",
                "note",
            )
        )
    return SpectralEntropy(
        entropy=estimate,
        frequencies=np.arange(1, longest) / (2 * longest * view.dt),
        power=shares,
        max_lag=longest,
        degrees_of_freedom=degrees,
        time_unit=view.time_unit,
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={"max_lag": longest, "n_samples": n},
    )


def _estimate(
    columns: tuple[np.ndarray, ...], n: int, longest: int, level: float
) -> tuple[np.ndarray, float, Estimate]:
    """Shares of the power, degrees of freedom, and the entropy with its interval."""
    from scipy.special import stdtrit

    mean = np.nanmean(np.concatenate(columns))
    # Blocks of time: each holds the pairs that begin in it.
    blocks = []
    for x in columns:
        edges = np.linspace(0, len(x), 1 + max(1, round(_N_BLOCKS * len(x) / n))).astype(int)
        for a, b in itertools.pairwise(edges):
            whole = lagged_sums(x[a : b + longest] - mean, longest)
            later = lagged_sums(x[b : b + longest] - mean, longest)
            blocks.append([w - s for w, s in zip(whole, later, strict=True)])
    table = np.array(blocks)
    total = table.sum(axis=0)
    pairs = float(np.mean(total[1] / total[1][0]))  # missing samples cost degrees of freedom
    degrees = 3.709 * n * pairs / longest
    shares = _shares(*total)
    value = _entropy(shares, degrees)
    k = len(table)
    fewer = degrees * (k - 1) / k
    left = np.array([_entropy(_shares(*(total - part)), fewer) for part in table])
    error = float(np.sqrt((k - 1) * left.var()))
    half = float(stdtrit(k - 1, 0.5 + level / 2)) * error
    interval = (max(value - half, 0.0), min(value + half, 1.0))
    return (
        shares,
        degrees,
        Estimate(
            value=value,
            interval=interval,
            standard_error=error,
            level=level,
            method=f"jackknife over {k} blocks of time",
        ),
    )
