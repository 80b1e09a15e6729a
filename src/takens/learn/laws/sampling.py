r"""Draws from the posterior of a law's parameters, with the orbits integrated out.

For given parameters w the orbits through the data are one per stretch, free in its start. With a flat
prior on the starts the likelihood of w is the density of the defects that the data leave,

.. math:: -2 \log L(w) = \rho^\top C^{-1} \rho + \log |C|,

at the states that are nearest to the data, where :math:`\rho` and C are those of
`takens.learn.sparse.shooting`. It is exact where the rule is linear in the states within the noise
(Laplace's approximation elsewhere), and not restricted to linear dependence on w.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from takens.learn.laws.delayed import DelayField, GivenDelayField
from takens.learn.sparse.fields import AbstractField, GivenField
from takens.learn.sparse.nodes import Nodes
from takens.learn.sparse.selection import Found, Search, table_of
from takens.learn.sparse.shooting import Shot, shoot

FREEDOM = 8.0  # degrees of the t distribution that proposals come from
ROUNDS = 4
ENOUGH = 0.5  # effective share of the draws at which the proposals are good
SETTLED = 0.01  # change of the misfit at which the states of given parameters have arrived
MOST_SETTLING = 8


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Draws:
    """Weighted draws.

    Parameters
    ----------
    parameters : array, shape (draw, p)
    ends : array, shape (draw, state)
        State of the system at the last sample, drawn given the parameters.
    weights : array, shape (draw,)
        Sum to one.
    """

    parameters: np.ndarray
    ends: np.ndarray
    weights: np.ndarray

    @property
    def effective(self) -> float:
        """How many independent draws of the posterior they are worth (Kish)."""
        return float(1 / (self.weights**2).sum())

    def resampled(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Parameters and ends with equal weights, by systematic resampling, in random order."""
        ladder = (np.arange(count) + rng.random()) / count
        rows = np.searchsorted(np.cumsum(self.weights), ladder).clip(max=len(self.weights) - 1)
        rng.shuffle(rows)
        return self.parameters[rows], self.ends[rows]


def last_state(states: np.ndarray, w: np.ndarray) -> np.ndarray:
    """What a system without a memory goes on from."""
    return np.asarray(states[-1])


def drawn(
    search: Search,
    found: Found,
    count: int,
    rng: np.random.Generator,
    end: Callable[[np.ndarray, np.ndarray], np.ndarray] = last_state,
) -> Draws:
    """Adaptive importance sampling: proposals move and widen until half of the draws count.

    Parameters
    ----------
    search, found
        The problem and its solution.
    count : int
        Draws in a round.
    rng : numpy.random.Generator
    end : callable
        What of the states at all samples, and the parameters, the system goes on from.

    Raises
    ------
    numpy.linalg.LinAlgError
        If no draw has an orbit.

    Notes
    -----
    Cost: for each draw some six passes over the data without derivatives by the parameters; at
    most four rounds.

    References
    ----------
    Cappe, Guillin, Marin and Robert, J. Comput. Graph. Stat. 13, 907 (2004): population Monte Carlo.
    """
    shot = _at_its_noise(search, found)
    centre, spread = shot.parameters, shot.covariance
    best: Draws | None = None
    for _ in range(ROUNDS):
        now = _round(search, found, shot, (centre, spread), count, rng, end)
        if best is None or now.effective > best.effective:
            best = now
        if now.effective >= ENOUGH * count:
            break
        centre, spread = _moments(now, spread)
    assert best is not None
    return best


def _at_its_noise(search: Search, found: Found) -> Shot:
    """The fit once more with the noise that its residuals have."""
    start = table_of(found).T[found.support.T]
    return shoot(
        found.shot.field, start, found.shot.states, search.nodes, found.noise, found.advance
    )


def _moments(draws: Draws, fallback: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance under weights that no few draws may rule."""
    weights = np.minimum(draws.weights, 3 / np.sqrt(len(draws.weights)))
    weights = weights / weights.sum()
    centre = weights @ draws.parameters
    off = draws.parameters - centre
    spread = (off * weights[:, None]).T @ off
    rounding = 1e-3 * np.diag(np.diag(fallback))
    return centre, spread + rounding


def _round(
    search: Search,
    found: Found,
    shot: Shot,
    proposal: tuple[np.ndarray, np.ndarray],
    count: int,
    rng: np.random.Generator,
    end: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Draws:
    centre, spread = proposal
    size = len(centre)
    factor = _root(spread)
    normal = rng.normal(size=(count, size))
    stretch = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, size=count))
    parameters = centre + (normal * stretch[:, None]) @ factor.T
    squares = (normal**2).sum(axis=1) * stretch**2
    proposed = -(FREEDOM + size) / 2 * np.log1p(squares / FREEDOM)
    likelihood, ends = np.empty(count), []
    for k in range(count):
        likelihood[k], states = _orbit(search, found, shot, parameters[k], rng)
        ends.append(end(states, parameters[k]))
    logs = likelihood - proposed
    if not np.isfinite(logs).any():
        raise np.linalg.LinAlgError("No draw of the parameters has an orbit.")
    weights = np.exp(logs - logs[np.isfinite(logs)].max())
    weights = np.where(np.isfinite(logs), weights, 0.0)
    return Draws(parameters=parameters, ends=np.array(ends), weights=weights / weights.sum())


def _root(spread: np.ndarray) -> np.ndarray:
    """A factor of a covariance whose rows may have any unit."""
    size = np.sqrt(np.maximum(np.diag(spread), 1e-300))
    values, vectors = np.linalg.eigh(spread / np.outer(size, size))
    return np.asarray(size[:, None] * vectors * np.sqrt(np.maximum(values, 0.0)))


def _orbit(
    search: Search, found: Found, shot: Shot, w: np.ndarray, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    """Log-likelihood of parameters, and a draw of the states; where there is none, those of the fit."""
    nodes, none = search.nodes, np.empty(0)
    late = isinstance(shot.field, DelayField)
    field: AbstractField = GivenDelayField(shot.field, w) if late else GivenField(shot.field, w)
    misfit, states = np.inf, shot.states
    try:
        for _ in range(MOST_SETTLING):
            settled = shoot(field, none, states, nodes, found.noise, found.advance, max_steps=1)
            states = settled.states
            if abs(misfit - settled.misfit) < SETTLED:
                break
            misfit = settled.misfit
        again = _perturbed(nodes, found, rng)
        moved = shoot(field, none, states, again, found.noise, found.advance, max_steps=1)
    except np.linalg.LinAlgError:
        return -np.inf, shot.states
    return -0.5 * (settled.misfit + settled.linear.log_determinant), moved.states


def _perturbed(nodes: Nodes, found: Found, rng: np.random.Generator) -> Nodes:
    """Data with noise once more: states fitted to them scatter as the posterior of the states does."""
    noise = np.sqrt(found.noise.measurement) * rng.normal(size=nodes.values.shape)
    return dataclasses.replace(
        nodes, values=np.where(nodes.seen, nodes.values + noise, nodes.values)
    )
