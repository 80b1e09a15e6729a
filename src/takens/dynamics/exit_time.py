"""Mean exit time of a diffusion on a line, by quadrature."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, NumericalFailure
from takens.dynamics.door import a_number, an_input, describe, state
from takens.dynamics.line import PANELS, Line, a_line, make_line

if TYPE_CHECKING:
    import xarray as xr


UNRESOLVED = 1e-2  # relative change on halving the panels, beyond which no number is given


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MeanExitTime(AbstractResult):
    """How long a diffusion on a line takes to leave an interval, and on which side.

    Parameters
    ----------
    mean : Estimate
        From the start asked for, in time units; the interval is the change on halving the panels.
        Infinite where it exceeds the largest float.
    log_mean : float
        Natural logarithm of the mean, which is finite however high the barrier.
    upper_share : float
        Probability of leaving at the upper end.
    x0 : float
        The start.
    positions, times : array, shape (position,)
        Mean exit time from other starts.
    """

    mean: Estimate
    log_mean: float
    upper_share: float
    x0: float
    positions: np.ndarray
    times: np.ndarray

    def summary(self) -> str:
        """Mean exit time and the side."""
        return (
            f"From {self.x0:g} the mean exit time is {self.mean.value:.6g} "
            f"(1e{self.log_mean / np.log(10):.2f}); "
            f"{self.upper_share:.1%} leave at the upper end."
        )

    def plot(self, ax: Any = None) -> Any:
        """Mean exit time over the start."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, self.positions, self.times, color=plot.COLOURS[0])
        ax.plot([self.x0], [self.mean.value], "o", color=plot.COLOURS[1])
        return plot.labels(ax, "start", "mean exit time")

    def to_xarray(self) -> xr.Dataset:
        """The curve, with the answer as attributes."""
        import xarray as xr

        return xr.Dataset(
            {"mean_exit_time": ("x", self.times)}, {"x": self.positions},
            attrs={"x0": self.x0, "mean": self.mean.value, "upper_share": self.upper_share},
        )  # fmt: skip


def exit_curve(line: Line, absorbs: tuple[bool, bool]) -> tuple[np.ndarray, float, np.ndarray]:
    """Mean exit time over a factor, its logarithm, and the share that leaves at the upper end.

    No large terms of opposite sign meet, however high the barrier; only next to an absorbing end,
    where the time goes to zero, does it lose relative digits.
    """
    log_speed = line.phi - np.log(line.b2)
    top, bottom = float(log_speed.max()), float(line.phi.min())
    speed_density = 2 * np.exp(log_speed - top) * line.slope
    if absorbs != (True, True):
        scale_density = np.exp(bottom - line.phi) * line.slope
        if absorbs == (False, True):
            inner = line.remaining(scale_density * line.cumulative(speed_density)[0])
            return inner, top - bottom, np.ones_like(inner)
        inner, _ = line.cumulative(scale_density * line.remaining(speed_density))
        return inner, top - bottom, np.zeros_like(inner)
    # Karlin and Taylor (1981), eq. 15.3.10 and 15.3.11. A barrier beyond e^600 is as good as
    # infinite if the other end is reached, and else no number is given.
    highest = float(line.phi.max())
    scale_density = np.exp(np.minimum(highest - line.phi, 600.0)) * line.slope
    below, above = line.cumulative(scale_density)[0], line.remaining(scale_density)
    up, down = below / (below + above), above / (below + above)
    late = line.cumulative(up * speed_density)[0]
    early = line.remaining(down * speed_density)
    times = above * late + below * early
    return np.where(times < np.exp(550.0), times, np.nan), top - highest, up


@dataclasses.dataclass(frozen=True)
class Solution:
    """What quadrature gives from one start, and the curve over the line."""

    mean: Estimate
    log_mean: float
    share: float
    line: Line
    times: np.ndarray


def solve(
    system: Any, x: float, low: float, high: float, absorbs: tuple[bool, bool], u: Any
) -> Solution:
    """Mean exit time from `x` with its numerical error, and the curve."""
    start = np.array([x])
    grid = np.array([v for v in (low, x, high) if np.isfinite(v)])
    logs = []
    for panels in (PANELS // 2, PANELS):
        line = make_line(system, (low, high), grid, u, panels, absorbs, grid)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            scaled, log_factor, share = exit_curve(line, absorbs)
            logs.append(log_factor + float(np.log(line.at(scaled, start)[0])))
    if not abs(logs[1] - logs[0]) < UNRESOLVED:  # or NaN
        raise NumericalFailure(
            f"The logarithm of the mean time is {logs[0]:.6g} with {PANELS // 2} panels and "
            f"{logs[1]:.6g} with {PANELS}. Bring the ends closer to where paths are; an end that is "
            "hardly ever reached may as well be infinite."
        )
    error = max(abs(logs[1] - logs[0]), 1e-14)
    with np.errstate(over="ignore", divide="ignore"):
        low_end, value, high_end = np.exp(logs[1] + np.array([-error, 0.0, error]))
        times = np.exp(log_factor + np.log(np.maximum(scaled, 0.0)))
    mean = Estimate(value=float(value), interval=(float(low_end), float(high_end)),
                    method="quadrature: change on halving the panels")  # fmt: skip
    return Solution(mean, logs[1], float(line.at(share, start)[0]), line, times)


def mean_exit_time(
    system: Any,
    x0: Any,
    low: float,
    high: float,
    *,
    reflecting: str | None = None,
    u: Any = None,
) -> MeanExitTime:
    r"""Mean time until a diffusion on a line leaves the interval from `low` to `high`.

    With :math:`\varphi = \int 2a/b^2`, speed density :math:`m = 2 e^{\varphi}/b^2` and scale
    density :math:`s = e^{-\varphi}`, from below a single absorbing end

    .. math:: T(x) = \int_x^{high} s(y) \int_{low}^{y} m(z)\, dz\, dy ,

    and the corresponding double integral with two.

    Parameters
    ----------
    system : AbstractDiffusion
        Of one component, without dependence on time.
    x0 : array, shape (1,)
        The start, in state units.
    low, high : float
        The ends, in state units. A finite end absorbs; an infinite one is not reached.
    reflecting : {"low", "high"}, optional
        A finite end that reflects; also one at which the noise vanishes and that is not reached.
    u : array, shape (input,), optional
        A constant input.

    Returns
    -------
    MeanExitTime

    Raises
    ------
    WrongKind
        If the system is deterministic, has more than one component, or depends on time.
    InvalidInput
        If the start is outside, no end absorbs, the noise vanishes inside, or paths can drift away
        to an infinite end.
    NumericalFailure
        If the quadrature does not resolve the interval.

    Notes
    -----
    Cost: some ten thousand evaluations of drift and noise. The answer is exact for the
    model up to the error stated; a simulated path at a finite step leaves later.

    References
    ----------
    Karlin and Taylor, A Second Course in Stochastic Processes (1981), chapter 15.3; Gardiner,
    Handbook of Stochastic Methods (2004), eq. 5.2.160.

    Examples
    --------
    >>> from takens.systems import OrnsteinUhlenbeck
    >>> free = OrnsteinUhlenbeck(rate=0.0, noise=1.0)
    >>> mean_exit_time(free, [0.5], 0.0, 2.0).mean.value  # x (L - x)
    0.75
    """
    u = an_input(system, u)
    found = a_line(system, u)
    x = float(state(found, x0)[0])
    a_number(low=low, high=high)
    if reflecting not in (None, "low", "high"):
        raise InvalidInput(f'reflecting = {reflecting!r}; expected "low", "high" or None.')
    absorbs = (bool(np.isfinite(low)) and reflecting != "low",
               bool(np.isfinite(high)) and reflecting != "high")  # fmt: skip
    if not low < x < high or not any(absorbs):
        raise InvalidInput(
            f"x0 = {x:g}, low = {low:g}, high = {high:g}, reflecting = {reflecting!r}; expected a "
            "start between the ends and at least one finite end that absorbs."
        )
    answer = solve(found, x, float(low), float(high), absorbs, u)
    edge = [v if np.isfinite(v) else x + 3 * (x - w) for v, w in ((low, high), (high, low))]
    shown = np.linspace(edge[0], edge[1], 203)[1:-1]
    curve = (
        answer.line.at(answer.times, shown)
        if np.isfinite(answer.times).all()
        else np.full_like(shown, np.inf)
    )
    return MeanExitTime(
        mean=answer.mean, log_mean=answer.log_mean, upper_share=answer.share, x0=x, positions=shown, times=curve,
        provenance=describe(found) | {"low": low, "high": high, "reflecting": reflecting, "x0": x},
    )  # fmt: skip
