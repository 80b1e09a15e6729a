"""How much worse the misfit becomes when one parameter is held elsewhere."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, NumericalFailure, Status
from takens.learn.partly.estimator import HalfKnown, posed
from takens.learn.partly.field import HeldField
from takens.learn.partly.problem import Orbit, Problem
from takens.learn.sparse.shooting import Shot, shoot

if TYPE_CHECKING:
    import xarray as xr

POINTS = 20  # on each side at most
GROWTH = 1.6  # of the step from one point to the next
STEPS = 40


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ProfileLikelihood(AbstractResult):
    """The misfit along one parameter, all other numbers fitted again at each of its values.

    Parameters
    ----------
    parameter : str
    values : array, shape (point,)
        At which it was held, ascending.
    rises : array, shape (point,)
        Of the misfit over its least, in units of the noise variance; NaN where no orbit was found.
    estimate : Estimate
        Its interval are the values where the rise reaches the quantile of chi-squared with one
        degree of freedom; an end is infinite where it never does.
    """

    parameter: str
    values: np.ndarray
    rises: np.ndarray
    estimate: Estimate

    def summary(self) -> str:
        """The interval, or that there is none."""
        low, high = self.estimate.interval
        text = f"{self.parameter} = {self.estimate.value:.4g}"
        text += f" ({self.estimate.level:.0%} of the profile likelihood: {low:.4g} to {high:.4g})."
        return "\n".join([text, *(f"{finding}" for finding in self.cautions)])

    def plot(self, ax: Any = None) -> Any:
        """The rise of the misfit over the parameter."""
        from takens.plot import axes, labels

        ax = axes(ax)
        ax.plot(self.values, self.rises, "o-", markersize=3)
        ax.axhline(_quantile(self.estimate.level), color="0.6", linewidth=0.8)
        ax.set_ylim(-0.3, 3 * _quantile(self.estimate.level))
        return labels(ax, xlabel=self.parameter, ylabel="rise of the misfit")

    def to_xarray(self) -> xr.Dataset:
        """The rise by value."""
        import xarray as xr

        low, high = self.estimate.interval
        return xr.Dataset(
            {"rise": ("value", self.rises)},
            coords={"value": self.values},
            attrs={"parameter": self.parameter, "low": low, "high": high},
        )


def profile_likelihood(
    data: Any, estimator: HalfKnown, parameter: str, *, seed: int = 0
) -> ProfileLikelihood:
    """The interval of one parameter without the assumption that the misfit is quadratic in it.

    Parameters
    ----------
    data : Recording, Trajectory, array, table or path
    estimator : HalfKnown
        Fitted once; missing terms that it finds keep their place, and their numbers are fitted
        again along the profile.
    parameter : str
        One of the free ones.
    seed : int
        As for the fit.

    Returns
    -------
    ProfileLikelihood
        With status ``NOT_IDENTIFIABLE`` where the misfit stays low to one side.

    Raises
    ------
    InvalidInput
        If the parameter is not free.
    NumericalFailure
        If no orbit follows the data at all.

    Notes
    -----
    The noise variance is held at that of the fit. Of a residual without numbers of its own (a
    Gaussian process, a network) the prior is held too. Values are tried outwards, in growing steps,
    at most 20 on each side, until the misfit has risen by three times the quantile. Cost: as many
    fits as values, each a few Gauss-Newton steps.

    References
    ----------
    Raue et al., Bioinformatics 25, 1923 (2009).

    Examples
    --------
    >>> import numpy as np
    >>> from takens.learn import Nothing, known
    >>> data = np.exp(-0.3 * np.arange(30)) + 0.01 * np.random.default_rng(0).normal(size=30)
    >>> profile = profile_likelihood(data, known("dx/dt = -k*x") + Nothing(), "k")
    >>> low, high = profile.estimate.interval
    >>> low < 0.3 < high
    True
    """
    problem, _ = posed(estimator, data, seed)
    names = problem.part.parameters
    if parameter not in names:
        raise InvalidInput(f"{parameter!r} is no free parameter; those are {list(names)}.")
    orbit = estimator.unknown.rung(problem).orbit
    if orbit is None:
        raise NumericalFailure(Status.NO_LAW.value)
    k = names.index(parameter)
    start = float(orbit.numbers[k])
    fitted = shoot(
        orbit.field, orbit.numbers, orbit.shot.states, problem.nodes, orbit.noise, orbit.advance,
        max_steps=STEPS,
    )  # fmt: skip
    error = float(1 / np.sqrt(max(fitted.linear.information[k, k], 1e-300)))
    limit = 3 * _quantile(estimator.level)
    sides = [_outwards(problem, orbit, fitted, k, sign * error, limit) for sign in (-1.0, 1.0)]
    values = np.r_[[v for v, _ in sides[0]][::-1], start, [v for v, _ in sides[1]]]
    rises = np.r_[[r for _, r in sides[0]][::-1], 0.0, [r for _, r in sides[1]]]
    return _result(parameter, start, values, rises, estimator.level)


def _outwards(
    problem: Problem, orbit: Orbit, fitted: Shot, k: int, step: float, limit: float
) -> list[tuple[float, float]]:
    """Values and rises on one side, each fit begun from the one before."""
    w, states = np.delete(fitted.parameters, k), fitted.states
    found: list[tuple[float, float]] = []
    value = float(orbit.numbers[k])
    for _ in range(POINTS):
        value += step
        step *= GROWTH
        try:
            shot = shoot(
                HeldField(orbit.field, k, value), w, states, problem.nodes, orbit.noise,
                orbit.advance, max_steps=STEPS,
            )  # fmt: skip
        except np.linalg.LinAlgError:
            shot = None
        if shot is None or not shot.converged:
            found.append((value, np.nan))
            break
        found.append((value, max(shot.misfit - fitted.misfit, 0.0)))
        w, states = shot.parameters, shot.states
        if found[-1][1] > limit:
            break
    return found


def _result(
    parameter: str, start: float, values: np.ndarray, rises: np.ndarray, level: float
) -> ProfileLikelihood:
    bound = _quantile(level)
    centre = int(np.flatnonzero(values == start)[0])
    low = _crossing(values[centre::-1], rises[centre::-1], bound)
    high = _crossing(values[centre:], rises[centre:], bound)
    ends = (-np.inf if low is None else low, np.inf if high is None else high)
    open_ = [side for side, end in zip(("below", "above"), ends, strict=True) if np.isinf(end)]
    findings: tuple[Finding, ...] = ()
    if open_:
        findings = (
            Finding(
                code="profile-open",
                text=f"The misfit does not rise enough {' and '.join(open_)} within "
                f"{values[0]:.3g} to {values[-1]:.3g}.",
                action="The data do not bound the parameter there; fix another one, or measure more.",
                level="serious",
            ),
        )
    estimate = Estimate(
        value=start if not open_ else np.nan,
        interval=ends,
        level=level,
        method="profile likelihood",
    )
    return ProfileLikelihood(
        parameter=parameter,
        values=values,
        rises=rises,
        estimate=estimate,
        status=Status.NOT_IDENTIFIABLE if open_ else Status.OK,
        cautions=findings,
    )


def _crossing(values: np.ndarray, rises: np.ndarray, bound: float) -> float | None:
    """Where the root of the rise, nearly straight in the value, reaches that of the bound."""
    root = np.sqrt(rises)
    for i in range(1, len(values)):
        if rises[i] >= bound:
            share = (np.sqrt(bound) - root[i - 1]) / (root[i] - root[i - 1])
            return float(values[i - 1] + share * (values[i] - values[i - 1]))
    return None


def _quantile(level: float) -> float:
    from scipy.special import chdtri

    return float(chdtri(1, 1 - level))
