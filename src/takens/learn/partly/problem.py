"""Data and known part together, and an orbit laid through the data."""

from __future__ import annotations

import dataclasses
from math import comb

import numpy as np

from takens.learn.partly.field import PartlyKnownField
from takens.learn.partly.parts import AbstractPart
from takens.learn.sparse.fields import FlowAdvance
from takens.learn.sparse.nodes import DIFFERENCES, FINEST, Nodes
from takens.learn.sparse.shooting import (
    ALLOWED_BIAS,
    MOST_SUBSTEPS,
    Noise,
    Shot,
    integration_bias,
    inverse,
    shoot,
)

ROUNDS = 4  # times that the noise variance is found again
SETTLED = 0.1  # relative change of that variance which ends these rounds
EASED = (1.0, 1e-2, 1e-4, 1e-6)  # of the defects' variance, granted to the dynamics on the way
PASSING = 10  # Gauss-Newton steps of each
FULL = 40
WHITE = 0.01  # probability of the residuals' correlation below which they are no noise


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """What is given.

    Parameters
    ----------
    nodes : Nodes
        The samples.
    part : AbstractPart
        The known rates.
    noise : Noise
        First guess of the variances.
    states, slopes : array, shape (node, dim)
        Of data smoothed to that noise.
    level : float
        Of intervals.
    seed : int
    """

    nodes: Nodes
    part: AbstractPart
    noise: Noise
    states: np.ndarray
    slopes: np.ndarray
    level: float = 0.95
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Orbit:
    """An orbit of a field, as near to the data as its numbers allow.

    Parameters
    ----------
    shot : Shot
        Numbers and states.
    noise : Noise
        Variances as the residuals show them.
    advance : FlowAdvance
    rise : float
        Those variances over the ones that the last iteration had assumed.
    """

    shot: Shot
    noise: Noise
    advance: FlowAdvance
    rise: float = 1.0

    @property
    def field(self) -> PartlyKnownField:
        """What was fitted."""
        field = self.shot.field
        assert isinstance(field, PartlyKnownField)
        return field

    @property
    def numbers(self) -> np.ndarray:
        """Free parameters, then weights of the candidates."""
        return self.shot.parameters

    @property
    def information(self) -> np.ndarray:
        """Fisher information of the numbers from the data alone."""
        found = self.shot.linear.information / self.rise
        if self.shot.field.precision is not None:
            found = found - np.diag(self.shot.field.precision) / self.rise
        return found

    @property
    def covariance(self) -> np.ndarray:
        """Of the numbers."""
        return self.shot.covariance * self.rise

    @property
    def n_effective(self) -> float:
        """How many numbers the data decide; fewer than there are where these have a prior."""
        return _effective(self.shot)

    def freedom(self, nodes: Nodes) -> float:
        """Degrees of freedom of all residuals together."""
        return max(float(nodes.seen.sum()) - _lost(self.shot, nodes), 1.0)

    def residuals(self, nodes: Nodes) -> np.ndarray:
        """Data minus orbit over the standard deviation of the noise, NaN where nothing was seen."""
        error = np.where(nodes.seen, nodes.values - self.shot.states, np.nan)
        return np.asarray(error / np.sqrt(self.noise.measurement))


def settled(
    nodes: Nodes,
    field: PartlyKnownField,
    w: np.ndarray,
    states: np.ndarray,
    noise: Noise,
    advance: FlowAdvance | None = None,
) -> Orbit:
    """Shoot until numbers, noise variance and integration step agree with each other.

    Where Gauss-Newton does not converge at once, the dynamics are first granted noise as large as
    the defects of the starting states, which is then taken back in steps of a hundredth: multiple
    shooting with soft joints, in the end full orbits.

    Raises
    ------
    numpy.linalg.LinAlgError
        If no orbit of finite numbers was found.
    """
    advance = FlowAdvance() if advance is None else advance
    orbit = Orbit(
        shot=_joined(nodes, field, w, states, noise, advance), noise=noise, advance=advance
    )
    for _ in range(ROUNDS):
        measured = remeasured(nodes, orbit)
        change = np.abs(np.log(measured.noise.measurement / orbit.noise.measurement)).max()
        orbit = measured
        if change < SETTLED:
            break
        orbit = _again(nodes, orbit)
    while orbit.advance.substeps < MOST_SUBSTEPS and coarse(nodes, orbit):
        finer = FlowAdvance(substeps=2 * orbit.advance.substeps)
        orbit = remeasured(nodes, _again(nodes, dataclasses.replace(orbit, advance=finer)))
    return orbit


def _joined(
    nodes: Nodes,
    field: PartlyKnownField,
    w: np.ndarray,
    states: np.ndarray,
    noise: Noise,
    advance: FlowAdvance,
) -> Shot:
    try:
        shot = shoot(field, w, states, nodes, noise, advance, max_steps=FULL)
        if shot.converged:
            return shot
    except np.linalg.LinAlgError:
        shot = None
    spread = eased_by(nodes, field, w, states, advance)
    if not np.isfinite(spread).all():
        if shot is None:
            raise np.linalg.LinAlgError("The rule overflows between two samples.")
        return shot
    for share in EASED:
        eased = dataclasses.replace(noise, dynamical=share * spread)
        step = shoot(field, w, states, nodes, eased, advance, max_steps=PASSING)
        w, states = step.parameters, step.states
    final = shoot(field, w, states, nodes, noise, advance, max_steps=FULL)
    return final if shot is None or final.converged or final.misfit < shot.misfit else shot


def eased_by(
    nodes: Nodes, field: PartlyKnownField, w: np.ndarray, states: np.ndarray, advance: FlowAdvance
) -> np.ndarray:
    """Variance of the defects per unit of time, (dim,): what soft joints are granted."""
    inputs = (nodes.inputs[:-1], nodes.inputs[1:])
    with np.errstate(all="ignore"):
        moved = advance(
            field, w, states[:-1], inputs, nodes.times[:-1], nodes.steps, derivatives=False
        )[0]
        defects = np.where(nodes.linked[:, None], states[1:] - moved, np.nan)
        return np.asarray(np.nanmedian(defects**2 / nodes.steps[:, None], axis=0))


def _again(nodes: Nodes, orbit: Orbit) -> Orbit:
    shot = shoot(
        orbit.field, orbit.numbers, orbit.shot.states, nodes, orbit.noise, orbit.advance,
        max_steps=FULL,
    )  # fmt: skip
    return dataclasses.replace(orbit, shot=shot, rise=1.0)


def _effective(shot: Shot) -> float:
    count = float(shot.field.n_parameters)
    if shot.field.precision is not None:
        count -= float(np.sum(np.diag(shot.covariance) * shot.field.precision))
    return count


def _lost(shot: Shot, nodes: Nodes) -> float:
    """Degrees of freedom that the fit took: initial states, and the numbers that data decide."""
    return _effective(shot) + nodes.dim * len(nodes.stretches)


def remeasured(nodes: Nodes, orbit: Orbit) -> Orbit:
    """With the noise variance that the residuals show."""
    error = np.where(nodes.seen, nodes.values - orbit.shot.states, 0.0)
    count = nodes.seen.sum(axis=0)
    freedom = np.maximum(count - _lost(orbit.shot, nodes) * count / count.sum(), 1.0)
    variance = np.maximum((error**2).sum(axis=0) / freedom, (FINEST * nodes.span) ** 2)
    rise = float((variance / orbit.noise.measurement).mean())
    noise = dataclasses.replace(orbit.noise, measurement=variance)
    return dataclasses.replace(orbit, noise=noise, rise=rise)


def coarse(nodes: Nodes, orbit: Orbit) -> bool:
    """Whether the steps between samples still matter to a number, or to the misfit."""
    if not orbit.field.n_parameters:
        return False
    bias = integration_bias(orbit.shot, nodes, orbit.advance)
    error = np.sqrt(np.diag(orbit.covariance))
    return not (np.abs(bias) <= ALLOWED_BIAS * error).all()


def criterion(nodes: Nodes, shot: Shot, price: float) -> float:
    """Minus twice the log-likelihood of the errors of measurement, and the price of the numbers."""
    error = np.where(nodes.seen, nodes.values - shot.states, 0.0)
    count = nodes.seen.sum(axis=0)
    variance = np.maximum((error**2).sum(axis=0) / count, (FINEST * nodes.span) ** 2)
    return float((count * np.log(variance)).sum() + price * _effective(shot))


def whiteness(nodes: Nodes, orbit: Orbit) -> float:
    """Probability of residuals as correlated, or as large, as these if they were noise.

    Twice the lesser of `correlation` and `excess` (Bonferroni).
    """
    return min(1.0, 2 * min(correlation(nodes, orbit), excess(nodes, orbit)))


def correlation(nodes: Nodes, orbit: Orbit) -> float:
    r"""Probability of residuals as correlated as these if they were noise (Ljung and Box 1978).

    :math:`Q = N (N + 2) \sum_{k \le L} r_k^2 / N_k`, summed over the columns, against
    :math:`\chi^2` of L times dim degrees of freedom, with :math:`r_k` from the :math:`N_k` pairs k
    samples apart within one stretch and L the natural logarithm of the samples, rounded (more lags
    cost power against smooth misfits). The mean is not taken out: an orbit that lies beside the
    data is not noise either. Columns that the orbit follows to a millionth of their spread have
    nothing left to test; one, if that is all of them.
    """
    from scipy.special import gammaincc

    error = orbit.residuals(nodes)
    stretch = np.r_[0, np.cumsum(~nodes.linked)]
    longest = round(np.log(len(nodes)))
    total, degrees = 0.0, 0
    for j in range(nodes.dim):
        if orbit.noise.measurement[j] <= 4 * (FINEST * nodes.span[j]) ** 2:
            continue
        e = error[:, j]
        count = float(np.isfinite(e).sum())
        power = float(np.nansum(e**2))
        for k in range(1, longest + 1):
            product = np.where(stretch[k:] == stretch[:-k], e[k:] * e[:-k], np.nan)
            pairs = int(np.isfinite(product).sum())
            if pairs < 5:
                continue
            total += count * (count + 2) / pairs * (float(np.nansum(product)) / power) ** 2
            degrees += 1
    return float(gammaincc(degrees / 2, total / 2)) if degrees else 1.0


def excess(nodes: Nodes, orbit: Orbit) -> float:
    r"""Probability of residuals as large as these beside what the data themselves show of noise.

    The variance of the residuals over the mean square of sixth differences, :math:`\langle (\Delta^6
    y)^2 \rangle / \binom{12}{6}` over runs of even steps, against the F distribution; overlapping
    differences of noise are worth the number of runs over :math:`\binom{24}{12} / \binom{12}{6}^2
    \approx 3.2`. The least over the columns times their number. What a signal does within seven
    samples adds to the differences, so that coarse sampling hides an excess and makes none; one,
    where there are no such runs.
    """
    from scipy.special import fdtrc

    weights = np.array([(-1.0) ** k * comb(DIFFERENCES, k) for k in range(DIFFERENCES + 1)])
    steps = np.where(nodes.linked, np.diff(nodes.times), np.nan)
    if len(nodes) < 3 * DIFFERENCES:
        return 1.0
    run = np.lib.stride_tricks.sliding_window_view(steps, DIFFERENCES)
    even = np.ptp(run, axis=1) <= 0.02 * run.mean(axis=1)
    worth = comb(2 * DIFFERENCES, DIFFERENCES) ** 2 / comb(4 * DIFFERENCES, 2 * DIFFERENCES)
    freedom = orbit.freedom(nodes) / nodes.dim
    found = 1.0
    for j in range(nodes.dim):
        windows = np.lib.stride_tricks.sliding_window_view(
            np.where(nodes.seen[:, j], nodes.values[:, j], np.nan), DIFFERENCES + 1
        )
        squares = (windows[even] @ weights) ** 2 / comb(2 * DIFFERENCES, DIFFERENCES)
        squares = squares[np.isfinite(squares)]
        floor = 4 * (FINEST * nodes.span[j]) ** 2
        if len(squares) * worth < 2 or orbit.noise.measurement[j] <= floor:
            continue
        ratio = orbit.noise.measurement[j] / max(float(squares.mean()), 1e-300)
        found = min(found, nodes.dim * float(fdtrc(freedom, len(squares) * worth, ratio)))
    return min(found, 1.0)


def informed(information: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Information on some of the numbers when the others are unknown (Schur complement)."""
    other = ~kept
    if not other.any():
        return information[np.ix_(kept, kept)]
    across = information[np.ix_(kept, other)]
    return np.asarray(
        information[np.ix_(kept, kept)]
        - across @ inverse(information[np.ix_(other, other)]) @ across.T
    )
