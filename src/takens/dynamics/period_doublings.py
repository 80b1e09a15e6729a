"""Cascades of period doublings: parameters at which a cycle's multiplier passes minus one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, WrongKind, require
from takens.core.system import AbstractMap, TimeMap
from takens.dynamics.cycles import followed, is_prime, recorded, tangent_around
from takens.dynamics.door import a_system, an_input, counts, describe, state, sweep_values, vary
from takens.dynamics.fixed_points import autonomous
from takens.dynamics.newton import capacity
from takens.dynamics.rescaled import rescaled, unit_of

if TYPE_CHECKING:
    import xarray as xr

N_MARCH = 64  # steps over the bounds in which the first cycle is followed
BLOCK = 512  # iterates between two looks at whether a cycle is reached
LONGEST = 64  # blocks
RATIO = 4.669  # of successive gaps, as a first guess of where the next doubling is
EPS = float(np.finfo(float).eps)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PeriodDoublings(AbstractResult):
    """A cascade of period doublings.

    Parameters
    ----------
    parameter : str
        Name of the field that is varied.
    values, error : array, shape (doubling,)
        Where the cycle of each period loses its stability, and how far the exact value may be.
    periods : array of int, shape (doubling,)
        Of the cycle that loses its stability there.
    cycles : tuple of array, shape (period, dim)
        The cycles at those values, in state units.
    """

    parameter: str
    values: np.ndarray
    error: np.ndarray
    periods: np.ndarray
    cycles: tuple[np.ndarray, ...]

    @property
    def ratios(self) -> np.ndarray:
        """Ratios of successive gaps, shape (doubling - 2,); they tend to Feigenbaum's 4.669201..."""
        gaps = np.diff(self.values)
        return gaps[:-1] / gaps[1:]

    @property
    def ratio_error(self) -> np.ndarray:
        """Errors of the ratios, from those of the values, shape (doubling - 2,)."""
        gaps = np.abs(np.diff(self.values))
        slack = self.error[:-1] + self.error[1:]
        return np.abs(self.ratios) * (slack[:-1] / gaps[:-1] + slack[1:] / gaps[1:])

    @property
    def accumulation(self) -> Estimate:
        """Where the cascade ends, from the last three values as a geometric series (Aitken).

        The interval reaches to what the three before give; NaN with fewer than four doublings.
        """
        if len(self.values) < 4:
            return Estimate(value=float("nan"))
        last, before = _aitken(self.values[-3:]), _aitken(self.values[-4:-1])
        reach = abs(last - before) + float(self.error[-3:].sum())
        return Estimate(
            value=last, interval=(last - reach, last + reach), level=0.9,
            method="difference of successive extrapolations, not a statistical interval",
        )  # fmt: skip

    def summary(self) -> str:
        """Where each doubling is, and the last ratio of gaps."""
        if not len(self.values):
            return f"No period doubling: {self.status.value}"
        shown = ", ".join(
            f"{v:.9g} ({p} to {2 * p})" for v, p in zip(self.values, self.periods, strict=True)
        )
        text = f"Period doublings at {self.parameter} = {shown}."
        if len(self.values) > 2:
            text += f" Last ratio of gaps {self.ratios[-1]:.6g} ± {self.ratio_error[-1]:.1g}."
        return text

    def plot(self, ax: Any = None) -> Any:
        """Gaps between doublings against the period, on logarithmic axes: a line of Feigenbaum's slope."""
        from takens import plot

        ax = plot.axes(ax)
        gaps = np.abs(np.diff(self.values))
        plot.line(ax, self.periods[1:], gaps, marker="o", label="gap to the doubling before")
        if len(gaps):
            guide = gaps[-1] * RATIO ** (np.log2(self.periods[-1] / self.periods[1:]))
            plot.line(ax, self.periods[1:], guide, linestyle="--", color="0.5", label="ratio 4.669")
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        return plot.labels(ax, "period that loses stability", f"gap in {self.parameter}")

    def to_xarray(self) -> xr.Dataset:
        """Values and errors by doubling."""
        import xarray as xr

        return xr.Dataset(
            {"value": ("doubling", self.values), "error": ("doubling", self.error)},
            {"period": ("doubling", self.periods)},
            attrs={"parameter": self.parameter, "status": self.status.name},
        )


def _aitken(three: np.ndarray) -> float:
    first, second = np.diff(three)
    return float(three[2] - second**2 / (second - first))


class _Branch:
    """A cycle followed in the parameter, on the host; each look is a few compiled Newton steps."""

    def __init__(
        self, system: AbstractMap, parameter: str, x0: np.ndarray, room: int, u: Any
    ) -> None:
        self.system, self.parameter, self.x0, self.room, self.u = system, parameter, x0, room, u

    def at(self, value: float) -> AbstractMap:
        """The map at a value of the parameter."""
        return vary(self.system, self.parameter, np.asarray(value))

    def settled(self, value: float, period: int) -> np.ndarray | None:
        """The cycle of this prime period that the orbit from `x0` settles on, if it does."""
        system, x = self.at(value), self.x0[None]
        for _ in range(LONGEST):
            path = recorded(system, x, BLOCK, self.u)
            if not len(path):
                return None
            stretch = path[0, -period:]
            cycle = followed(system, stretch, self.u, self.room)
            close = (
                cycle is not None
                and np.abs(cycle - stretch).max() < 0.1 * np.ptp(path[0], axis=0).max() + 1e-3
            )
            if cycle is not None and close and is_prime(cycle, 1e-9) and self.stable(value, cycle):
                return cycle
            x = path[:, -1]
        return None

    def stable(self, value: float, cycle: np.ndarray) -> bool:
        """Whether all multipliers lie inside the unit circle."""
        return bool(
            np.abs(np.linalg.eigvals(tangent_around(self.at(value), cycle, self.u))).max() < 1
        )

    def margin(self, value: float, cycle: np.ndarray) -> tuple[float, np.ndarray | None]:
        """``det(1 + M)``, which vanishes at a multiplier of minus one, and the cycle there."""
        near = followed(self.at(value), cycle, self.u, self.room)
        if near is None:
            return float("nan"), None
        tangent = tangent_around(self.at(value), near, self.u)
        return float(np.linalg.det(np.eye(len(tangent)) + tangent)), near

    def zero(self, low: float, high: float, cycle: np.ndarray) -> tuple[float, float, np.ndarray]:
        """Where the margin vanishes between two values of opposite sign; and the error of that."""
        from scipy.optimize import brentq

        held = [cycle]

        def margin(value: float) -> float:
            found, near = self.margin(value, held[0])
            held[0] = held[0] if near is None else near
            return found

        root = float(brentq(margin, low, high, xtol=4 * EPS * abs(high), rtol=8.9e-16))
        step = 1e-4 * abs(high - low)
        slope = (margin(root + step) - margin(root - step)) / (2 * step)
        margin(root)
        noise = 16 * EPS * len(cycle) * (1 + abs(slope))
        return root, abs(noise / slope) + 4 * EPS * abs(root), held[0]


def period_doublings(
    system: Any,
    parameter: str,
    bounds: tuple[float, float],
    x0: Any,
    *,
    n_doublings: int = 6,
    period: int = 1,
    u: Any = None,
    throw: bool = True,
) -> PeriodDoublings:
    r"""Parameters of a period-doubling cascade, each where a multiplier of the cycle is -1.

    The stable cycle at the first of the `bounds` is followed by Newton's method until
    :math:`\det(1 + M)`, M its tangent once around, changes sign; the zero is then bracketed to
    round-off. Beyond it the orbit settles on the cycle of twice the period, and so on.

    Parameters
    ----------
    system : AbstractMap
        Known or learned; for a flow, its Poincaré or stroboscopic map, by its own parameters.
    parameter : str
        Name of a field of the system.
    bounds : (float, float)
        Values of the parameter: at the first a stable cycle of `period`, towards the second the
        cascade. The first may be the larger.
    x0 : array, shape (dim,)
        Start of the orbits that settle on the cycles, in state units.
    n_doublings : int
        How many to locate.
    period : int
        Of the cycle at the first of the bounds.
    u : array, shape (input,), optional
        A constant input.
    throw : bool
        Whether to raise when not even one is found.

    Returns
    -------
    PeriodDoublings
        As many as lie within the bounds, with a caution if fewer than asked for.

    Raises
    ------
    WrongKind
        If `system` is not a map, or depends on time.
    InvalidInput
        If the parameter or a setting is malformed.
    NumericalFailure
        If no doubling is found, and `throw`.

    Notes
    -----
    Cost: for each doubling some ten Newton solves of cost ``(2**n_doublings * dim)**3``, and the
    iterates until the cycle is reached. Whether a doubling is supercritical is not asked: behind a
    subcritical one the orbit does not settle on the doubled cycle, and the search ends there.
    Two doublings within one step of the march, 1/64 of the bounds, are overlooked.

    References
    ----------
    Feigenbaum, J. Stat. Phys. 19, 25 (1978).

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> found = period_doublings(LogisticMap(), "r", (2.5, 3.57), [0.4], n_doublings=2)
    >>> [round(float(v), 9) for v in found.values]
    [3.0, 3.449489743]
    """
    if not isinstance(a_system(system), AbstractMap) or isinstance(system, TimeMap):
        raise WrongKind(
            f"{type(system).__name__} is no map on its own; a cascade is asked of cycles of a map. "
            "Pass `poincare_map(system, ...)` or `stroboscopic_map(system, period)`."
        )
    start = state(system, x0)
    counts(n_doublings=n_doublings, n_period=period)
    u = an_input(system, u)
    ends = sweep_values(system, parameter, bounds)
    if ends.ndim > 1:
        raise InvalidInput(f"{parameter} is an array; a cascade is followed through one number.")
    if ends.shape != (2,) or ends[0] == ends[1]:
        raise InvalidInput(f"bounds = {bounds!r}; expected two different values of {parameter}.")
    low, high = (float(v) for v in ends)
    autonomous(system, start[None], u)
    unit = unit_of(start[None])
    room = capacity(period * 2**n_doublings)
    branch = _Branch(rescaled(system, unit), parameter, start / unit, room, u)
    values, errors, cycles = _cascade(branch, low, high, period, n_doublings)
    status = Status.OK if values else Status.NOT_CONVERGED
    require(status, throw=throw)
    short = len(values) < n_doublings
    return PeriodDoublings(
        parameter=parameter, values=np.array(values), error=np.array(errors),
        periods=period * 2 ** np.arange(len(values)), cycles=tuple(unit * c for c in cycles), status=status,
        cautions=(_short(len(values), n_doublings),) if short else (),
        provenance=describe(system) | {"bounds": [low, high], "x0": start.tolist()},
    )  # fmt: skip


def _cascade(
    branch: _Branch, low: float, high: float, period: int, n_doublings: int
) -> tuple[list[float], list[float], list[np.ndarray]]:
    values: list[float] = []
    errors: list[float] = []
    cycles: list[np.ndarray] = []
    value, step = low, (high - low) / N_MARCH
    cycle = branch.settled(value, period)
    while cycle is not None and len(values) < n_doublings:
        bracket = _marched(branch, value, cycle, step, high)
        if bracket is None:
            break
        root, error, there = branch.zero(*bracket)
        values.append(root)
        errors.append(error)
        cycles.append(there)
        period *= 2
        if len(values) > 1:
            step = (values[-1] - values[-2]) / RATIO / 4
        value, cycle = root, None
        for share in (1.0, 0.5, 2.0, 0.25):  # of a guessed step beyond the doubling
            trial = root + share * step
            if (high - trial) * (high - low) < 0:
                continue
            cycle = branch.settled(trial, period)
            if cycle is not None:
                value = trial
                break
        step = step / 2
    return values, errors, cycles


def _marched(
    branch: _Branch, value: float, cycle: np.ndarray, step: float, high: float
) -> tuple[float, float, np.ndarray] | None:
    """Two values between which the margin changes sign, and the cycle at the first."""
    margin, _ = branch.margin(value, cycle)
    for _ in range(8 * N_MARCH):
        following = value + step
        if (high - following) * step < 0:
            return None
        after, near = branch.margin(following, cycle)
        if near is None or not np.isfinite(after):
            step /= 2
            continue
        if margin > 0 >= after:
            return value, following, cycle
        value, margin, cycle = following, after, near
    return None


def _short(found: int, wanted: int) -> Finding:
    return Finding(
        code="cascade-ends",
        text=f"{found} of {wanted} period doublings were found within the bounds.",
        action="Widen the bounds, or start where the doubled cycle attracts.",
    )
