r"""Laws of records that have noise in their dynamics as well as in their sensors.

.. math:: y_n = x_n + e_n, \qquad x_{n+1} = F(x_n; w) + q_n,

with errors of variance V and kicks that are what white noise of variance Q per unit of time has become
at the end of a step, :math:`\mathrm{cov}\, q_n = \int_0^h \Phi(s)\, Q\, \Phi(s)^\top ds`. The defects of
`takens.learn.sparse.shooting` then have the covariance :math:`C = Q_n + D V D^\top`, banded as before.
Both variances are those of largest restricted likelihood,

.. math:: -2 \ell(V, Q) = \log|C| + \log|G^\top C^{-1} G| + \rho^\top P \rho, \qquad
   P = C^{-1} - C^{-1} G (G^\top C^{-1} G)^{-1} G^\top C^{-1},

in which coefficients and starting states have been integrated out (Patterson and Thompson, Biometrika
58, 545, 1971); the coefficients are generalised least squares with that covariance, and terms are
chosen by the same price of a coefficient.
"""

from __future__ import annotations

import dataclasses
from math import comb

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

from takens.learn.sparse.fields import AbstractAdvance, FlowAdvance
from takens.learn.sparse.nodes import FINEST, Nodes
from takens.learn.sparse.selection import (
    Found,
    Search,
    coarse,
    fitted,
    measured,
    subset_of,
    table_of,
)
from takens.learn.sparse.shooting import (
    MOST_SUBSTEPS,
    Linear,
    Noise,
    ends_of,
    inverse,
    linearised,
    pulled,
    upon_nodes,
    weighed,
    whitened,
)
from takens.learn.terms import Terms

ROUNDS = 10  # of choosing terms and variances, more than any has needed
IN_PASSING = 4  # Gauss-Newton steps in each of them
SETTLED = 0.05  # relative change of a kind of noise, over all others, that counts as none
BENT = 1e-9  # relative change of the slopes of a term over the states that counts as none
STEP = 1e-3  # of the logarithm of a variance, for slopes of the likelihood


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Likelihood:
    """The restricted likelihood of the variances around one law and its states.

    Parameters
    ----------
    nodes : Nodes
    tangent : array, shape (link, dim, dim)
    columns : array, shape (link * dim, 1 + p)
        Defects and sensitivities.
    spread : array, shape (dim, link, dim, dim)
        What a unit of noise in each component has become at the end of a step.
    """

    nodes: Nodes
    tangent: np.ndarray
    columns: np.ndarray
    spread: np.ndarray

    @classmethod
    def around(cls, search: Search, found: Found) -> Likelihood:
        """For the law of a fit."""
        linear, nodes = found.shot.linear, search.nodes
        assert linear.factor is not None
        assert linear.white is not None
        return cls(
            nodes=nodes,
            tangent=linear.tangent,
            columns=_unwhitened(linear.factor, linear.white),
            spread=kicks_of(linear.tangent, nodes.steps, found.advance),
        )

    def noise(self, theta: np.ndarray) -> Noise:
        """Of the logarithms of both variances, measurement first."""
        measurement, dynamical = np.exp(theta.reshape(2, -1))
        kicks = np.tensordot(dynamical, self.spread, axes=1)
        return Noise(measurement=measurement, dynamical=dynamical, kicks=kicks)

    def linear(self, theta: np.ndarray) -> Linear:
        """The linear problem for some variances."""
        return weighed(self.tangent, self.columns, self.nodes, self.noise(theta))

    def value(self, theta: np.ndarray) -> float:
        """Minus twice the logarithm, up to a constant of the data."""
        return restricted(self.linear(theta))

    def slope(self, theta: np.ndarray) -> np.ndarray:
        """Of `value`, by central differences."""
        steps = STEP * np.eye(len(theta))
        return np.array(
            [(self.value(theta + s) - self.value(theta - s)) / (2 * STEP) for s in steps]
        )

    def likeliest(self, noise: Noise, *, sensors: bool = True) -> np.ndarray:
        """Logarithms of the variances of largest likelihood, from a guess, both or one kind."""
        nodes = self.nodes
        step = float(np.median(nodes.steps[nodes.linked]))
        size = np.tile(nodes.span**2, 2) / np.repeat([1.0, step], nodes.dim)
        least, most = np.log(FINEST**2 * size), np.log(2 * size)
        start = np.clip(np.log(np.r_[noise.measurement, noise.dynamical]), least + 1, most - 1)
        if not sensors:
            most[: nodes.dim] = start[: nodes.dim] = least[: nodes.dim]
        found = minimize(
            self.value, start, jac=self.slope, method="L-BFGS-B",
            bounds=list(zip(least, most, strict=True)), options={"maxiter": 40, "gtol": 1e-2, "ftol": 1e-6},
        )  # fmt: skip
        return np.asarray(found.x)

    def errors(self, noise: Noise) -> np.ndarray:
        r"""Standard errors of all variances, measurement first, from their average information.

        With :math:`f_i = C_i P \rho` for a covariance :math:`C = \sum_i v_i C_i`, that is
        :math:`f_i^\top P f_j / 2` (Gilmour, Thompson and Cullis, Biometrics 51, 1440, 1995).
        """
        linear = weighed(self.tangent, self.columns, self.nodes, noise)
        assert linear.factor is not None
        pull = pulled(linear, inverse(linear.information) @ linear.score)
        back = np.where(self.nodes.seen, upon_nodes(linear, pull), 0.0)
        parts = []
        for i in range(self.nodes.dim):
            ahead = -self.tangent[:, :, i] * back[:-1, None, i]
            ahead[:, i] += back[1:, i]
            parts.append(np.where(self.nodes.linked[:, None], ahead, 0.0))
        parts += [np.einsum("nij,nj->ni", unit, pull) for unit in self.spread]
        white = whitened(linear.factor, np.stack([p.reshape(-1) for p in parts], axis=1))
        assert linear.white is not None
        free, _ = np.linalg.qr(linear.white[:, 1:])
        white -= free @ (free.T @ white)
        return np.sqrt(np.diag(inverse(white.T @ white / 2, unknown=1e12)))


def restricted(linear: Linear) -> float:
    """Minus twice the restricted log-likelihood of a linear problem; see the head of this file."""
    information, score = linear.information, linear.score
    gain = float(score @ inverse(information) @ score)
    logarithm = float(np.linalg.slogdet(information)[1]) if len(information) else 0.0
    return linear.log_determinant + logarithm + float(linear.gram[0, 0]) - gain


def kicks_of(tangent: np.ndarray, steps: np.ndarray, advance: AbstractAdvance) -> np.ndarray:
    r"""Covariance of kicks for unit noise in each component, (dim, link, dim, dim).

    Simpson's rule for :math:`\int_0^h \Phi Q \Phi^\top ds`, with the first terms of the root of
    :math:`1 + X = \Phi(h)` for :math:`\Phi(h/2)`; of a map, the noise itself.
    """
    eye = np.broadcast_to(np.eye(tangent.shape[1]), tangent.shape)
    parts = [(eye, 1.0)]
    if isinstance(advance, FlowAdvance):
        change = tangent - eye
        half = eye + change / 2 - change @ change / 8
        parts = [(eye, 1 / 6), (half, 4 / 6), (tangent, 1 / 6)]
    found = sum(share * np.einsum("nij,nkj->jnik", carry, carry) for carry, share in parts)
    return np.asarray(found * steps[:, None, None])


def _unwhitened(factor: np.ndarray, white: np.ndarray) -> np.ndarray:
    """A banded lower factor times columns."""
    found = factor[0][:, None] * white
    for k in range(1, len(factor)):
        found[k:] += factor[k, : len(white) - k, None] * white[:-k]
    return found


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Driven:
    """A law with noise of both kinds.

    Parameters
    ----------
    found : Found
    likelihood : Likelihood
        Around it, for the variances.
    settled : bool
        Whether terms and variances have come to rest.
    """

    found: Found
    likelihood: Likelihood
    settled: bool


def driven(
    search: Search,
    table: np.ndarray,
    states: np.ndarray,
    noise: Noise,
    advance: AbstractAdvance,
) -> Driven:
    """From a rough law with noise in its dynamics to one with the likeliest noise of both kinds.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the law overflows at the data.

    Notes
    -----
    Cost: every round takes four Gauss-Newton steps, some hundred banded factorisations for the
    variances, and one choice of terms: a tenth of a second for 1,000 samples of two columns.
    """
    settled = False
    now = (table.T[search.allowed.T] != 0) | search.forced.T[search.allowed.T]
    for _ in range(ROUNDS):
        found = fitted(search, _placed(search, now), table, states, noise, advance, IN_PASSING)
        table, states = table_of(found), found.shot.states
        likelihood = Likelihood.around(search, found)
        before, noise = noise, likelihood.noise(likelihood.likeliest(noise))
        chosen, better = _chosen(search, found, noise, now)
        if not (chosen == now).all():
            now, table = chosen, better
        elif _still(likelihood, before, noise):
            if not coarse(search, found) or _steps(advance) >= MOST_SUBSTEPS:
                settled = True
                break
            advance = FlowAdvance(substeps=2 * _steps(advance))
    found = fitted(search, _placed(search, now), table, states, noise, advance)
    return Driven(found=found, likelihood=Likelihood.around(search, found), settled=settled)


def hypotheses(search: Search, driven: Driven) -> tuple[float, float]:
    """Probability of the likelihood ratios if there were no sensor, and no dynamical noise.

    Of chi-squared with as many degrees as columns, which is too large for variances at their edge,
    where half of the ratios vanish (Self and Liang, J. Am. Stat. Assoc. 82, 605, 1987). Where no
    orbit can be laid without noise in the dynamics, the largest of its variances over their standard
    errors, squared, takes the place of the second ratio.
    """
    found, nodes = driven.found, search.nodes
    best = restricted(found.shot.linear)
    errors = driven.likelihood.errors(found.noise)[nodes.dim :]
    gains = [np.inf, float(((found.noise.dynamical / errors) ** 2).max())]
    quiet = Noise(measurement=(FINEST * nodes.span) ** 2, dynamical=found.noise.dynamical,
                  kicks=found.noise.kicks)  # fmt: skip
    still = Noise(measurement=found.noise.measurement, dynamical=np.zeros(nodes.dim))
    for k, noise in enumerate((quiet, still)):
        try:
            alone = fitted(search, found.support, table_of(found), found.shot.states, noise,
                           found.advance)  # fmt: skip
            if k == 0:
                likelihood = Likelihood.around(search, alone)
                value = likelihood.value(likelihood.likeliest(noise, sensors=False))
            elif alone.shot.converged:
                alone = measured(search, alone)
                alone = fitted(search, found.support, table_of(alone), alone.shot.states, alone.noise,
                               found.advance)  # fmt: skip
                value = restricted(alone.shot.linear)
            else:
                continue
        except np.linalg.LinAlgError:
            continue
        gains[k] = value - best
    low, high = chi2.sf(np.maximum(gains, 0.0), nodes.dim)
    return float(low), float(high)


def beyond_linear(search: Search, driven: Driven, wider: Terms) -> float:
    """Probability, if the law were linear in the state, that other terms gain as much as they do.

    Of chi-squared for the misfit that the terms of the law take off that of all linear ones, times
    the number of ways to choose so many terms: every record without any law follows a linear one
    with noise in the dynamics, which is a linear autoregression.

    Parameters
    ----------
    search : Search
    driven : Driven
    wider : Terms
        The candidates, and all linear terms.
    """
    found, nodes = driven.found, search.nodes
    states = found.shot.states
    slopes = wider.jacobian(states, nodes.inputs, nodes.times)
    still = np.broadcast_to(states.mean(axis=0), states.shape)
    other = np.ptp(slopes, axis=0).max(axis=1) > BENT * np.abs(slopes).max(axis=(0, 2))
    other |= np.ptp(wider(still, nodes.inputs, nodes.times), axis=0) > 0
    table = np.zeros((len(wider), nodes.dim))
    places = [wider.names.index(name) for name in search.terms.names]
    table[places] = table_of(found)
    support = (table != 0) | ~other[:, None]
    count = int((table[other] != 0).sum())
    if not count:
        return 1.0
    w = table.T[support.T]
    field = search.field(wider, support)
    linear = linearised(field, w, states, nodes, found.noise, found.advance)
    assert linear.white is not None
    white = linear.white / np.maximum(np.linalg.norm(linear.white, axis=0), 1e-300)
    target = linear.white[:, 0] - linear.white[:, 1:] @ w
    lower = np.broadcast_to(~other[:, None], support.shape).T[support.T]
    left = []
    for columns in (white[:, 1:][:, lower], white[:, 1:]):
        basis, _ = np.linalg.qr(columns)
        left.append(float(((target - basis @ (basis.T @ target)) ** 2).sum()))
    gain = max(left[0] - left[1], 0.0) / (left[1] / len(target))
    ways = comb(int(other.sum()) * nodes.dim, count)
    return float(min(1.0, ways * chi2.sf(gain, count)))


def _placed(search: Search, chosen: np.ndarray) -> np.ndarray:
    support = np.zeros_like(search.allowed)
    support.T[search.allowed.T] = chosen
    return support


def _steps(advance: AbstractAdvance) -> int:
    return advance.substeps if isinstance(advance, FlowAdvance) else MOST_SUBSTEPS


def _chosen(
    search: Search, found: Found, noise: Noise, now: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The best terms for some noise, as places among the candidates and as a table."""
    shot, ends = found.shot, None
    if isinstance(found.advance, FlowAdvance):
        ends = ends_of(shot.field, shot.parameters, shot.states, search.nodes, found.advance)
    subset, _ = subset_of(search, table_of(found), shot.states, noise, found.advance, ends)
    chosen = subset.polished(now)
    table = np.zeros(search.allowed.shape)
    table.T[search.allowed.T] = subset.solved(chosen)[0]
    return chosen, table


def _still(likelihood: Likelihood, before: Noise, after: Noise) -> bool:
    """Whether the covariance of the defects is the same, on average, in every component."""
    sizes = []
    for noise in (before, after):
        theta = np.log(np.r_[noise.measurement, noise.dynamical])
        kicks = np.einsum("nii->i", likelihood.noise(theta).kicks) / len(likelihood.tangent)
        sizes.append((noise.measurement, kicks))
    total = sizes[1][0] + sizes[1][1]
    return all((np.abs(b - a) <= SETTLED * total).all() for a, b in zip(*sizes, strict=True))
