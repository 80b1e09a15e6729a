"""Power spectrum and the periods that stand out of a smooth background."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate
from takens.series.observable import observable, time_name
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_LIMIT = 65_536
_N_TAPERS = 6
_SEPARATE = 0.01  # level at which a valley tells two peaks apart


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum(AbstractResult):
    """Multitaper power spectrum with its significant periods.

    Parameters
    ----------
    frequency : array, shape (n_frequencies,)
        Cycles per time unit.
    power, background : array, shape (n_frequencies,)
        Power per unit frequency, in squared standard deviations; the background is a first-order
        autoregression (red noise) fitted robustly to the spectrum.
    periods : tuple of Estimate
        Significant periods in time units, strongest first.
    period_shares : array, shape (n_periods,)
        Share of the variance within the half-power width of each peak.
    p_values : array, shape (n_periods,)
        Against the background, corrected for the number of frequencies looked at (Bonferroni).
    characteristic_period : float
        Period of the median frequency by power, in time units: how long one turn takes.
    fast_period : float
        Period above whose frequency 5 % of the power lies: the fastest motion to be sampled.
    dt : float
        Sampling step in `time_unit`.
    time_unit : str
        Unit of time.
    """

    frequency: np.ndarray
    power: np.ndarray
    background: np.ndarray
    periods: tuple[Estimate, ...]
    period_shares: np.ndarray
    p_values: np.ndarray
    characteristic_period: float
    fast_period: float
    dt: float
    time_unit: str

    def summary(self) -> str:
        """The significant periods."""
        if not self.periods:
            return "no period stands out of the background"
        return "; ".join(
            f"period {p} carrying {share:.0%} of the variance"
            for p, share in zip(self.periods, self.period_shares, strict=True)
        )

    def plot(self, ax: Any = None) -> Any:
        """The spectrum, its background, and the significant periods."""
        from takens import plot

        ax = plot.axes(ax)
        ax.loglog(self.frequency[1:], self.power[1:], lw=1, label="data")
        ax.loglog(self.frequency[1:], self.background[1:], lw=1, label="background")
        for period in self.periods:
            ax.axvline(1 / period.value, ls=":", lw=1)
        ax.legend()
        plot.labels(ax, xlabel=f"frequency (1/{self.time_unit})", ylabel="power density")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Spectrum and background."""
        import xarray as xr

        return xr.Dataset(
            {"power": ("frequency", self.power), "background": ("frequency", self.background)},
            {"frequency": self.frequency},
            attrs={
                "periods": [p.value for p in self.periods],
                "characteristic_period": self.characteristic_period,
            },
        )


def multitaper(x: np.ndarray, n_tapers: int = _N_TAPERS) -> tuple[np.ndarray, np.ndarray]:
    """Sine-taper spectrum of `x`: frequencies in cycles per sample, one-sided density.

    Riedel and Sidorenko (1995), IEEE Trans. Signal Process. 43, 188. Cost: O(n_tapers N log N).
    """
    from scipy import fft

    n = len(x)
    grid = np.arange(1, n + 1)
    size = fft.next_fast_len(n, real=True)
    power = np.zeros(size // 2 + 1)
    for k in range(1, n_tapers + 1):
        taper = np.sqrt(2 / (n + 1)) * np.sin(np.pi * k * grid / (n + 1))
        power += np.abs(fft.rfft((x - x.mean()) * taper, size)) ** 2
    return np.arange(size // 2 + 1) / size, 2 * power / n_tapers


def _red_background(frequency: np.ndarray, power: np.ndarray) -> np.ndarray:
    """AR(1) spectrum whose median ratio to `power` is one; the coefficient is fitted robustly."""
    best, found = np.inf, np.ones_like(power)
    logs, cosine = np.log(np.maximum(power[1:], 1e-300)), np.cos(2 * np.pi * frequency)
    for rho in np.concatenate([[0.0], 1 - np.geomspace(1, 1e-4, 60)]):
        inverse = 1 + rho**2 - 2 * rho * cosine
        gap = logs + np.log(inverse[1:])
        offset = np.median(gap)
        cost = float(np.mean(np.abs(gap - offset)))
        if cost < best:
            best, found = cost, np.exp(offset) / inverse
    return found


def _refined_frequency(x: np.ndarray, start: float, width: float) -> float:
    """Frequency of the largest windowed periodogram value within `width` of `start`."""
    window = np.hanning(len(x) + 2)[1:-1]
    values = (x - x.mean()) * window
    turns = -2j * np.pi * np.arange(len(x))
    grid = np.linspace(max(start - width, 1e-9), start + width, 41)
    for _ in range(3):
        phased, rotation = values * np.exp(turns * grid[0]), np.exp(turns * (grid[1] - grid[0]))
        power = np.empty(len(grid))
        for number in range(len(grid)):  # the grid is even: one rotation leads to the next
            power[number] = abs(phased.sum())
            phased *= rotation
        best = int(np.clip(np.argmax(power), 1, len(grid) - 2))
        grid = np.linspace(grid[best - 1], grid[best + 1], 11)
    return float(grid[len(grid) // 2])


def _one_peak(power: np.ndarray, lower: int, higher: int, reach: int) -> bool:
    """Whether two peaks may be one, of which chance has cut off the lower.

    They are two if somewhere between them the power, averaged over one cell of the tapers or over
    more, is below the lower peak by more than chance allows: the ratio of two estimates of one
    power follows an F distribution, at 1 % corrected for the pairs of cells that it is the extreme
    of. Noise that drives a damped oscillator has one broad and ragged peak, not many periods.
    """
    from scipy.special import fdtri

    between = power[min(lower, higher) : max(lower, higher) + 1]
    cell, freedom = 2 * reach, 2 * _N_TAPERS
    level = _SEPARATE * (cell / len(between)) ** 2
    total = np.concatenate([[0.0], np.cumsum(between)])
    n_cells, width = 1, 1
    while cell < len(between) and width <= max(1, len(between) - cell):
        valley = float((total[width:] - total[:-width]).min()) / width
        if valley < fdtri(freedom * n_cells, freedom, level) * power[lower]:
            return False
        n_cells, width = 2 * n_cells, 2 * n_cells * cell
    return True


def _period_interval(
    x: np.ndarray, frequency: float, width: float, level: float
) -> tuple[float, float, float]:
    """Period and its interval from overlapping halves of the record, in samples."""
    from scipy.special import stdtrit

    centre = _refined_frequency(x, frequency, width)
    n = len(x)
    parts = [x[start : start + n // 2] for start in np.linspace(0, n - n // 2, 5).astype(int)]
    each = np.array([_refined_frequency(part, centre, 2 * width) for part in parts])
    # Five overlapping halves hold about three independent ones, and a half is less sharp than the
    # whole by a factor between 2^(1/2) (diffusing phase) and 2^(3/2) (a line): the first is taken.
    error = max(float(each.std(ddof=1)) / np.sqrt(2), 0.05 / n)
    half = float(stdtrit(2, 0.5 + level / 2)) * error
    low, high = 1 / (centre + half), 1 / max(centre - half, 1e-12)
    return 1 / centre, low, min(high, float(n))


@checked
def spectrum(data: Any, *, level: float = 0.9, max_periods: int = 5) -> Spectrum:
    """Multitaper spectrum, significant periods with intervals, characteristic and fast period.

    A peak is significant when its ratio to a red-noise background exceeds the chi-squared quantile
    of the tapers at 1 %, corrected for the number of frequencies. Of peaks that no
    significant valley parts, only the highest counts: one broad peak is one period. The period is
    the maximum of the windowed periodogram there; its interval comes from overlapping halves.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        For several columns the first principal component is used.
    level : float
        Nominal coverage of the intervals of the periods.
    max_periods : int
        Most periods to report.

    Returns
    -------
    Spectrum
        Frequencies in 1 / `time_unit`.

    Raises
    ------
    InvalidInput
        If no evenly sampled stretch is long enough.

    Notes
    -----
    The longest gap-free stretch is used. A significant period is *not* a periodic motion: noise
    driving a damped oscillator has one as well. In white and red noise of 500 to 8,000 samples, 1.5 to
    2.5 % of records showed one. Cost: O(N log N); at most 65,536 samples are used.

    References
    ----------
    Thomson (1982), Proc. IEEE 70, 1055; Mann and Lees (1996), Climatic Change 33, 409.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(1000)
    >>> rng = np.random.default_rng(0)
    >>> found = spectrum(np.sin(2 * np.pi * t / 25) + rng.normal(size=1000))
    >>> bool(abs(found.periods[0].value - 25) < 0.5)
    True
    """
    from scipy.special import chdtrc

    view = observable(data)
    x = view.longest[:_LIMIT]
    frequency, power = multitaper(x)
    background = _red_background(frequency, power)
    mass = np.cumsum(power) / max(float(power.sum()), 1e-300)
    middle = frequency[min(int(np.searchsorted(mass, 0.5)), len(mass) - 1)]
    fast = frequency[min(int(np.searchsorted(mass, 0.95)), len(mass) - 1)]
    width = (_N_TAPERS + 1) / (2 * (len(x) + 1))
    ratio = power / np.maximum(background, 1e-300)
    # Estimates overlap, yet their maximum is that of about as many as there are frequencies.
    p_all = np.minimum(1.0, chdtrc(2 * _N_TAPERS, 2 * _N_TAPERS * ratio) * len(frequency))
    reach = max(1, round(width * 2 * (len(frequency) - 1)))
    padded = np.pad(power, reach, constant_values=0.0)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    peak = (power == highest) & (frequency > 2 / len(x))
    candidates = np.flatnonzero((p_all < 0.01) & peak)
    periods: list[Estimate] = []
    shares, p_values = [], []
    taken: list[int] = []
    for index in candidates[np.argsort(-power[candidates])]:
        if len(periods) == max_periods:
            break
        if any(_one_peak(power, index, other, reach) for other in taken):
            continue
        taken.append(int(index))
        value, low, high = _period_interval(x, float(frequency[index]), width, level)
        periods.append(
            Estimate(
                value=value * view.dt,
                interval=(low * view.dt, high * view.dt),
                level=level,
                unit=time_name(view.time_unit),
                method="overlapping halves",
            )
        )
        near = np.abs(frequency - frequency[index]) <= 1.5 * width
        shares.append(float(power[near].sum() / max(float(power.sum()), 1e-300)))
        p_values.append(float(p_all[index]))
    return Spectrum(
        frequency=frequency / view.dt,
        power=power * view.dt,
        background=background * view.dt,
        periods=tuple(periods),
        period_shares=np.array(shares),
        p_values=np.array(p_values),
        characteristic_period=float(view.dt / middle) if middle > 0 else float("inf"),
        fast_period=float(view.dt / fast) if fast > 0 else float("inf"),
        dt=view.dt,
        time_unit=time_name(view.time_unit),
        cautions=view.findings,
        provenance={"level": level},
    )
