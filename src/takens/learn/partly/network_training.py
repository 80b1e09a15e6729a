r"""The hidden layer of a network, trained through orbits.

With the output layer and the orbit at their best for a hidden layer :math:`\theta`, the slope of the
misfit by :math:`\theta` needs the multipliers of the joints alone (the envelope theorem, and what adjoint
methods integrate backwards):

.. math:: \frac{dJ}{d\theta} = -2 \sum_n \lambda_n^\top \frac{\partial F(x_n; \theta)}{\partial \theta},
   \qquad \lambda = C^{-1} \rho .

So one search of an orbit from where the last one ended gives value and slope for all hidden weights.
The joints are soft at first, which is multiple shooting, and then those of full orbits.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.optimize import minimize

from takens.learn.partly.field import PartlyKnownField
from takens.learn.partly.network_units import HiddenUnits
from takens.learn.partly.problem import Orbit, Problem, eased_by
from takens.learn.sparse.fields import AbstractField
from takens.learn.sparse.nodes import Nodes
from takens.learn.sparse.shooting import Noise, linearised, shoot

SOFT = (
    1e-2,
    0.0,
)  # of the defects' variance, granted to the joints: multiple shooting, full orbits
STEPS = 15  # of the search in each stage
SETTLING = 6  # Gauss-Newton steps of the output layer and the orbit for each
SIZE = 1.0  # prior standard deviation of a hidden weight, for standardised columns


@dataclasses.dataclass(frozen=True, eq=False)
class WholeField(AbstractField):
    """A half-known field with the hidden weights of its network among its numbers, as the last.

    Parameters
    ----------
    field : PartlyKnownField
        Its basis is the hidden layer.
    """

    field: PartlyKnownField

    @property
    def n_parameters(self) -> int:
        """Those of the field, then weights and biases of the hidden units."""
        return self.field.n_parameters + self.field.basis.weights.size

    def _at(self, w: np.ndarray) -> tuple[PartlyKnownField, np.ndarray]:
        numbers, weights = np.split(w, [self.field.n_parameters])
        return with_layer(self.field, self.field.basis.moved(weights)), numbers

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Those of the field with this hidden layer."""
        field, numbers = self._at(w)
        return field.rates(x, u, t, numbers)

    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """That of the field, and through the slope of each unit and its output weights."""
        field, numbers = self._at(w)
        units: HiddenUnits = field.basis
        z = units.standard(x)
        slope = 1 - np.tanh(z @ units.hidden.T + units.bias) ** 2
        into = slope[:, :, None] * np.concatenate([z, np.ones((len(z), 1))], axis=1)[:, None]
        assert field.tables is not None
        out = np.tensordot(numbers[field.n_known :], field.tables, axes=1)[:-1]
        hidden = (carry @ out.T)[:, :, :, None] * into[:, None]
        return np.concatenate(
            [field.response(carry, x, u, t, numbers), hidden.reshape(*x.shape, -1)], axis=2
        )


def unlikely(nodes: Nodes, orbit: Orbit) -> float:
    """Minus twice the log evidence of an orbit, all weights of its network integrated out (Laplace)."""
    shot, field = orbit.shot, orbit.field
    assert field.precision is not None
    weights = field.basis.weights.ravel()
    whole = WholeField(field)
    linear = linearised(
        whole, np.r_[orbit.numbers, weights], shot.states, nodes, orbit.noise, orbit.advance
    )
    hidden = np.full(len(weights), SIZE**-2.0)
    information = linear.information + np.diag(np.r_[field.precision, hidden])
    prior = np.r_[field.precision[field.n_known :], hidden]
    misfit = float(linear.gram[0, 0] + field.precision @ orbit.numbers**2 + hidden @ weights**2)
    logarithm = float(np.linalg.slogdet(information)[1] - np.log(prior).sum())
    return misfit + linear.log_determinant + logarithm


def with_layer(field: PartlyKnownField, units: HiddenUnits) -> PartlyKnownField:
    """The field with another hidden layer."""
    return dataclasses.replace(field, basis=units)


def through_orbits(problem: Problem, orbit: Orbit) -> HiddenUnits:
    """A hidden layer for which orbits are nearer to the data, from that of an orbit.

    Notes
    -----
    Cost: at most thirty steps of a quasi-Newton search, each about as much as six Gauss-Newton steps
    of the orbit.
    """
    nodes, first = problem.nodes, orbit.field.basis
    best: HiddenUnits = first
    numbers, states = orbit.numbers, orbit.shot.states
    spread = eased_by(nodes, orbit.field, numbers, problem.states, orbit.advance)
    for share in SOFT:
        noise = dataclasses.replace(orbit.noise, dynamical=share * spread)
        stage = _Stage(nodes, orbit, noise, numbers, states)
        found = minimize(stage, best.weights.ravel(), jac=True, method="L-BFGS-B",
                         options={"maxiter": STEPS})  # fmt: skip
        if np.isfinite(stage.least):
            best, numbers, states = first.moved(found.x), stage.numbers, stage.states
    return best


class _Stage:
    """Half the misfit and its slope by the hidden weights; remembers the best orbit so far."""

    def __init__(
        self, nodes: Nodes, orbit: Orbit, noise: Noise, numbers: np.ndarray, states: np.ndarray
    ) -> None:
        self.nodes, self.orbit, self.noise = nodes, orbit, noise
        self.numbers, self.states = numbers, states
        self.least = np.inf

    def __call__(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        field = with_layer(self.orbit.field, self.orbit.field.basis.moved(weights))
        advance, nodes = self.orbit.advance, self.nodes
        try:
            shot = shoot(
                field, self.numbers, self.states, nodes, self.noise, advance, max_steps=SETTLING
            )
        except np.linalg.LinAlgError:
            far = abs(self.least) if np.isfinite(self.least) else 1e12
            return 10 * far + 1e6, np.zeros_like(weights)
        pull = shot.linear.weighted[:, 0]
        whole = np.r_[shot.parameters, weights]
        inputs = (nodes.inputs[:-1], nodes.inputs[1:])
        with np.errstate(all="ignore"):
            response = advance(
                WholeField(field), whole, shot.states[:-1], inputs, nodes.times[:-1], nodes.steps
            )[2][:, :, len(shot.parameters) :]
        response[~nodes.linked] = 0.0
        slope = -pull @ response.reshape(len(pull), -1) + weights / SIZE**2
        value = shot.misfit / 2 + (weights @ weights) / (2 * SIZE**2)
        if value < self.least:
            self.least, self.numbers, self.states = value, shot.parameters, shot.states
        return value, slope
