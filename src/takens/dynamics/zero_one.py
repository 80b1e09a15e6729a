"""The 0-1 test for chaos, on orbits of a deterministic system."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.core.system import AbstractMap
from takens.dynamics.door import an_input, counts, describe, evolution, fraction, state
from takens.dynamics.trajectory import trajectory

if TYPE_CHECKING:
    import xarray as xr

LEAST_STEPS = 400
FREQUENCIES = (np.pi / 5, 4 * np.pi / 5)  # away from the resonances at 0 and pi
OVERSAMPLED = 3  # steps to the first zero of the autocorrelation, from which dt is lengthened
CLEAR = 0.2  # distance of the interval from 0 or 1 within which the answer is clear


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ZeroOneTest(AbstractResult):
    """Gottwald and Melbourne's K: near 0 for regular motion, near 1 for chaos.

    Parameters
    ----------
    k : Estimate
        Median over the frequencies, with an interval from the order statistics of `k_values`.
    k_half : float
        The same from the first half of the orbit: a large difference says that it is too short.
    frequencies, k_values : array, shape (frequency,)
        Random frequencies c and the correlation of the displacement with time at each.
    displacement : array, shape (lag,)
        Modified mean square displacement at the median frequency, in squared units of the
        component.
    component : str
        The observed component.
    dt : float
        Time between the values used, in time units; longer than asked for if that oversampled.
    """

    k: Estimate
    k_half: float
    frequencies: np.ndarray
    k_values: np.ndarray
    displacement: np.ndarray
    component: str
    dt: float

    @property
    def indicates(self) -> str:
        """``"chaotic"``, ``"regular"`` or ``"undecided"``, for this orbit over this span."""
        low, high = self.k.interval
        if low > 1 - CLEAR and self.k_half > 1 - 2 * CLEAR:
            return "chaotic"
        return "regular" if high < CLEAR else "undecided"

    def summary(self) -> str:
        """K and what it indicates."""
        if self.status is not Status.OK:
            return f"No 0-1 test: {self.status.value}"
        return (
            f"K = {self.k} from {self.component} every {self.dt:g} (half of it: "
            f"{self.k_half:.3f}): it indicates a motion that is {self.indicates} over this span."
        )

    def plot(self, ax: Any = None) -> Any:
        """K at each frequency, with the median."""
        from takens import plot

        ax = plot.axes(ax)
        order = np.argsort(self.frequencies)
        plot.line(ax, self.frequencies[order], self.k_values[order], color=plot.COLOURS[0],
                  marker=".", linestyle="none")  # fmt: skip
        if self.k.is_finite:
            ax.axhspan(*self.k.interval, color=plot.COLOURS[1], alpha=0.3, lw=0)
            ax.axhline(self.k.value, color=plot.COLOURS[1], label="median")
        ax.set_ylim(-1.05, 1.05)
        return plot.labels(ax, "frequency c", "K")

    def to_xarray(self) -> xr.Dataset:
        """K over the frequencies, and the displacement."""
        import xarray as xr

        return xr.Dataset(
            {"k": ("frequency", self.k_values), "displacement": ("lag", self.displacement)},
            {"frequency": self.frequencies, "lag": np.arange(1, len(self.displacement) + 1)},
            attrs={"k_median": self.k.value, "dt": self.dt, "component": self.component},
        )


def displacements(values: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Modified mean square displacement at lags 1 to a tenth of the record, (frequency, lag).

    Gottwald and Melbourne (2009), eq. 2.2-2.5: of the walk driven by ``values exp(i j c)``, less
    the oscillating term that the mean of the values makes.
    """
    n = len(values)
    n_lags = n // 10
    base = n - n_lags
    index, lags = np.arange(1, n + 1), np.arange(1, n_lags + 1)
    mean, rows = values.mean(), []
    size = 1 << (2 * n - 1).bit_length()
    for c in frequencies:
        walk = np.cumsum(values * np.exp(1j * c * index))
        square = np.concatenate([[0.0], np.cumsum(np.abs(walk) ** 2)])
        cross = np.fft.ifft(
            np.conj(np.fft.fft(walk[:base], size)) * np.fft.fft(walk, size)
        ).real[1 : n_lags + 1]  # fmt: skip
        ahead = square[lags + base] - square[lags]
        moved = (ahead + square[base] - 2 * cross) / base
        rows.append(moved - mean**2 * (1 - np.cos(lags * c)) / (1 - np.cos(c)))
    return np.stack(rows)


def correlations(displacement: np.ndarray) -> np.ndarray:
    """Correlation of each row with the lag; zero for a row that does not change."""
    lags = np.arange(1.0, displacement.shape[1] + 1)
    x = lags - lags.mean()
    y = displacement - displacement.mean(axis=1, keepdims=True)
    scale = np.sqrt((x**2).sum() * (y**2).sum(axis=1))
    return np.where(scale > 0, y @ x / np.where(scale > 0, scale, 1.0), 0.0)


def first_zero(values: np.ndarray) -> int:
    """First lag at which the autocorrelation is not positive; the longest lag if there is none."""
    y = values - values.mean()
    size = 1 << (2 * len(y) - 1).bit_length()
    acf = np.fft.irfft(np.abs(np.fft.rfft(y, size)) ** 2)[: len(y) // 4]
    below = np.flatnonzero(acf <= 1e-12 * max(acf[0], 1e-300))
    return int(below[0]) if below.size else len(y) // 4


def zero_one_test(
    system: Any,
    x0: Any,
    *,
    component: str | None = None,
    dt: float = 1.0,
    n_steps: int = 5_000,
    n_transient: int = 1_000,
    n_frequencies: int = 100,
    u: Any = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> ZeroOneTest:
    r"""The 0-1 test for chaos on an orbit of a deterministic system.

    The values :math:`\phi_j` of one component drive a walk in the plane, :math:`p_c(n) =
    \sum_{j \le n} \phi_j e^{i j c}`. Regular motion keeps it bounded, chaos makes it diffuse:
    K is the correlation of its modified mean square displacement with time, and the median over
    many random c is taken. A flow that is sampled too densely would look regular, so where the
    autocorrelation takes more than three steps to fall to zero, `dt` is lengthened to that time.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned. A diffusion is refused: the test cannot tell noise from chaos.
    x0 : array, shape (dim,)
        Start, in state units.
    component : str, optional
        Name of the component that is observed; the first when not given.
    dt : float
        Time between values, in time units; 1 for a map.
    n_steps, n_transient : int
        Values used, and dropped before, in multiples of the `dt` that is used.
    n_frequencies : int
        How many random c.
    u : array, shape (input,), optional
        A constant input.
    level : float
        Coverage of the interval.
    seed : int
        Of the frequencies.
    throw : bool
        Whether to raise when the orbit is lost.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    ZeroOneTest
        With status DIVERGED and NaN where the orbit is lost.

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If a shape, a name or a number is out of range.
    NumericalFailure
        If the orbit becomes non-finite, and `throw`.

    Notes
    -----
    Cost: the orbit, for a flow a second one, and two Fourier transforms of it for each frequency;
    memory ``8 n_steps dim``. The interval is that of the median over frequencies for this one
    orbit: it knows nothing of another start. K of a long transient or of an orbit that sticks near
    islands is between 0 and 1 for any length one can afford. Noise of any kind gives K = 1, so the
    test says nothing of measured data, where noise cannot be ruled out.

    References
    ----------
    Gottwald and Melbourne, SIAM J. Appl. Dyn. Syst. 8, 129 (2009), section 3.

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> zero_one_test(LogisticMap(r=3.9), [0.3], n_steps=1000).indicates
    'chaotic'
    >>> zero_one_test(LogisticMap(r=3.5), [0.3], n_steps=1000).indicates
    'regular'
    """
    evolution(system, dt)  # refuses diffusions and impossible steps
    if dt <= 0:
        raise InvalidInput(f"dt = {dt}; expected a positive time step.")
    x, u = state(system, x0), an_input(system, u)
    counts(n_steps=n_steps, n_transient=n_transient, n_frequencies=n_frequencies, seed=seed)
    fraction(level=level)
    name = system.names[0] if component is None else component
    if name not in system.names or n_steps < LEAST_STEPS or n_frequencies < 10:
        raise InvalidInput(
            f"component = {component!r}, n_steps = {n_steps}, n_frequencies = {n_frequencies}; "
            f"expected one of {system.names[:8]}, {LEAST_STEPS} steps and 10 frequencies or more."
        )
    which = system.names.index(name)
    cautions: list[Finding] = []
    values, used = _observed(system, x, which, dt, n_steps, n_transient, u), float(dt)
    if progress is not None:
        progress(0.3)
    if not isinstance(system, AbstractMap) and np.isfinite(values).all():
        stride = first_zero(values)
        if stride > OVERSAMPLED:
            used = float(dt) * stride
            cautions.append(Finding(
                code="oversampled",
                text=f"At dt = {dt:g} the autocorrelation takes {stride} steps to fall to zero.",
                action=f"The orbit was sampled every {used:g} instead.", level="note",
            ))  # fmt: skip
            values = _observed(system, x, which, used, n_steps, n_transient, u)
    status = Status.OK if np.isfinite(values).all() else Status.DIVERGED
    require(status, throw=throw)
    rng = np.random.default_rng(seed)
    frequencies = rng.uniform(*FREQUENCIES, n_frequencies)
    if progress is not None:
        progress(0.6)
    return _assembled(
        values, frequencies, level, name, used, status, cautions,
        describe(system) | {"dt": used, "dt_given": dt, "n_steps": n_steps, "seed": seed,
                            "n_transient": n_transient,
                            "x0": np.asarray(x0, dtype=float).tolist()},
    )  # fmt: skip


def _observed(
    system: Any, x: np.ndarray, which: int, dt: float, n_steps: int, n_transient: int, u: Any
) -> np.ndarray:
    total = n_transient + n_steps
    inputs = None if u is None else np.tile(u, (total, 1))
    found = trajectory(system, x, dt * np.arange(float(total)), inputs=inputs, throw=False)
    return np.asarray(found.states)[n_transient:, which]


def _assembled(
    values: np.ndarray, frequencies: np.ndarray, level: float, name: str, dt: float,
    status: Status, cautions: list[Finding], provenance: dict[str, Any],
) -> ZeroOneTest:  # fmt: skip
    count = len(frequencies)
    if status is not Status.OK:
        return ZeroOneTest(
            k=Estimate(value=np.nan, level=level), k_half=np.nan, frequencies=frequencies,
            k_values=np.full(count, np.nan), displacement=np.full(len(values) // 10, np.nan),
            component=name, dt=dt, status=status, provenance=provenance,
        )  # fmt: skip
    moved = displacements(values, frequencies)
    k_values = correlations(moved)
    half = float(np.median(correlations(displacements(values[: len(values) // 2], frequencies))))
    value = float(np.median(k_values))
    if abs(half - value) > CLEAR:
        cautions.append(Finding(
            code="not-settled",
            text=f"Half of the orbit gives K = {half:.2f}, all of it {value:.2f}.",
            action="Use a longer orbit.",
        ))  # fmt: skip
    middle = int(np.argsort(k_values)[count // 2])
    return ZeroOneTest(
        k=_median(k_values, level), k_half=half, frequencies=frequencies, k_values=k_values,
        displacement=moved[middle], component=name, dt=dt, status=status,
        cautions=tuple(cautions), provenance=provenance,
    )  # fmt: skip


def _median(values: np.ndarray, level: float) -> Estimate:
    """Median with the interval between two order statistics, which no distribution can spoil."""
    from scipy.special import bdtr

    count, ordered = len(values), np.sort(values)
    below = bdtr(np.arange(count), count, 0.5)  # chance of at most i of them below the median
    first = max(int(np.searchsorted(below, (1 - level) / 2, side="right")) - 1, 0)
    low, high = float(ordered[first]), float(ordered[count - 1 - first])
    return Estimate(value=float(np.median(values)), interval=(low, high), level=level,
                    method=f"order statistics over {count} frequencies")  # fmt: skip
