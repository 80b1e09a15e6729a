r"""Parameters and states together: every sample is a node, and orbits must join the nodes.

With :math:`y_n = x_n + e_n`, errors of variance V, and :math:`x_{n+1} = F(x_n; w)`, find
:math:`w` and the states :math:`x_n` that are nearest to the data,

.. math:: \min_{w, x} \sum_n (y_n - x_n)^\top V^{-1} (y_n - x_n) \quad\text{with}\quad
   x_{n+1} = F(x_n; w) + q_n,

where :math:`q_n`, of variance Q, is what is left of integration errors and of noise in the dynamics
(Q may be zero). Linearised, the defects :math:`\rho = x_{n+1} - F(x_n) + D (y - x)` have the banded
covariance :math:`C = Q + D V D^\top`; one Gauss-Newton step is generalised least squares of
:math:`\rho` on the sensitivities G, and the states follow as :math:`x = y - V D^\top C^{-1} (\rho + G
\delta w)`. Errors in the regressors are thus part of the model, and there is no bias from them to
the order of the linearisation. This is orthogonal distance regression on an equation, and multiple
shooting with a node at every sample (Bock 1983; Boggs and Rogers 1990).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.linalg import cholesky_banded
from scipy.linalg.lapack import dtbtrs

from takens.learn.sparse.bordered import bordered
from takens.learn.sparse.fields import (
    AbstractAdvance,
    AbstractField,
    AbstractWideAdvance,
    FlowAdvance,
)
from takens.learn.sparse.nodes import UNSEEN, Nodes

STILL = 0.02  # change, in standard errors, at which the iteration has arrived
HALVINGS = 6
ALLOWED_BIAS = 0.2  # of the integration, in standard errors of a coefficient
MOST_SUBSTEPS = 16


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Noise:
    """Variances of what is not in the equations.

    Parameters
    ----------
    measurement : array, shape (dim,)
        Of the error of one sample.
    dynamical : array, shape (dim,)
        Of what is added to the state per unit of time (per iterate for a map).
    kicks : array, shape (link, dim, dim), optional
        Covariance of what that has become at the end of each step; the variance times the step when
        not given.
    """

    measurement: np.ndarray
    dynamical: np.ndarray
    kicks: np.ndarray | None = None

    def of_samples(self, nodes: Nodes) -> np.ndarray:
        """Variance of every entry, (node, dim); of a missing one it is wider than the data."""
        unseen = np.minimum(UNSEEN * nodes.span**2, 1e10 * self.measurement)
        return np.where(nodes.seen, self.measurement, np.maximum(unseen, self.measurement))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Linear:
    """The problem around one set of states and parameters.

    Parameters
    ----------
    tangent : array, shape (link, dim, dim)
    weighted : array, shape (link * dim, 1 + p)
        Inverse covariance times defects and sensitivities.
    gram : array, shape (1 + p, 1 + p)
        Defects and sensitivities squared in that norm.
    log_determinant : float
        Of that covariance, up to a constant that depends on the records alone.
    shift : array, shape (node, dim, 1 + p), optional
        What defects and parameters move the states by, where that is known already.
    free : int, optional
        Samples at which no equation ends, for each column; one for every stretch where not given.
    factor : array, shape (2 * dim, link * dim), optional
        Banded Cholesky factor L of the covariance, where that exists.
    white : array, shape (link * dim, 1 + p), optional
        Inverse of L times defects and sensitivities, where these are all there is.
    """

    tangent: np.ndarray
    weighted: np.ndarray
    gram: np.ndarray
    log_determinant: float
    shift: np.ndarray | None = None
    free: int | None = None
    factor: np.ndarray | None = None
    white: np.ndarray | None = None

    def triangle(self) -> np.ndarray:
        """A factor R of the gram matrix, :math:`R^\\top R`, with at most 1 + p rows.

        From the white columns themselves, where there are such, so that it has the digits that
        products would lose.
        """
        if self.white is not None:
            return np.asarray(np.linalg.qr(self.white, mode="r"))
        size = np.sqrt(np.maximum(np.diag(self.gram), 1e-300))
        with np.errstate(over="ignore", invalid="ignore"):  # of terms that have no scale any more
            values, vectors = np.linalg.eigh(self.gram / np.outer(size, size))
        return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T * size)

    @property
    def information(self) -> np.ndarray:
        """Fisher information of the parameters, (p, p), for the variances assumed."""
        return self.gram[1:, 1:]

    @property
    def score(self) -> np.ndarray:
        """Minus half the slope of the misfit by the parameters, (p,)."""
        return -self.gram[1:, 0]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Shot:
    """Where the iteration ended.

    Parameters
    ----------
    field : AbstractField
    parameters : array, shape (p,)
    states : array, shape (node, dim)
        The data, freed of noise as far as the equations allow.
    misfit : float
        Sum of squared errors over their variances, of data and of the dynamics.
    linear : Linear
        At the end.
    converged : bool
    """

    field: AbstractField
    parameters: np.ndarray
    states: np.ndarray
    misfit: float
    linear: Linear
    converged: bool

    @property
    def covariance(self) -> np.ndarray:
        """Of the parameters, for the variances assumed."""
        return inverse(self.linear.information, unknown=1e12)

    def residual_variance(self, nodes: Nodes) -> np.ndarray:
        """Mean squared difference of data and states, with degrees of freedom, (dim,).

        Of a column that is never measured it is the square of its span: nothing is known of it.
        """
        measured = nodes.measured
        free = self.linear.free if self.linear.free is not None else len(nodes.stretches)
        lost = (self.field.n_parameters + nodes.dim * free) / measured.sum()
        error = np.where(nodes.seen, nodes.values - self.states, 0.0)
        freedom = np.maximum(nodes.seen.sum(axis=0) - lost, 1.0)
        return np.where(measured, (error**2).sum(axis=0) / freedom, nodes.span**2)


ROUNDING = 1e-12  # of the largest eigenvalue, with all diagonal entries one


def inverse(matrix: np.ndarray, *, unknown: float = 0.0) -> np.ndarray:
    """Of a positive matrix whose rows may have any unit.

    Directions that rounding cannot tell from zero get the variance `unknown` over rounding: none in
    a step, which does not move along them, and one in a covariance, where nothing is known of them.
    """
    if not matrix.size:
        return matrix
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    with np.errstate(over="ignore", invalid="ignore"):  # of a rule that has no scale any more
        values, vectors = np.linalg.eigh(matrix / np.outer(size, size))
        least = ROUNDING * max(float(values[-1]), 1e-300)
        spread = np.where(values > least, 1 / np.maximum(values, least), unknown / least)
        return np.asarray(((vectors * spread) @ vectors.T) / np.outer(size, size))


def linearised(
    field: AbstractField,
    w: np.ndarray,
    states: np.ndarray,
    nodes: Nodes,
    noise: Noise,
    advance: AbstractAdvance,
    ends: np.ndarray | None = None,
) -> Linear:
    """Defects, sensitivities and their banded covariance around `states` and `w`.

    Where the orbits end may be given, shape (link, dim), more exact than by `advance`, which then
    serves for derivatives alone.
    """
    if isinstance(advance, AbstractWideAdvance):
        return advance.linearised(field, w, states, nodes, noise)
    inputs = (nodes.inputs[:-1], nodes.inputs[1:])
    start = nodes.times[:-1]
    moved, tangent, response = advance(field, w, states[:-1], inputs, start, nodes.steps)
    moved = moved if ends is None else ends
    tangent = np.where(nodes.linked[:, None, None], tangent, 0.0)
    if not nodes.measured.all():
        found = _partly_measured(states, moved, tangent, response, nodes, noise)
    else:
        error = nodes.values - states
        defect = states[1:] - moved + error[1:] - np.einsum("nij,nj->ni", tangent, error[:-1])
        defect[~nodes.linked] = 0.0
        response[~nodes.linked] = 0.0
        defects = np.concatenate([defect[:, :, None], -response], axis=2)
        found = weighed(tangent, defects.reshape(defect.size, -1), nodes, noise)
    if field.precision is None:
        return found
    return dataclasses.replace(found, gram=_with_prior(found.gram, field, w), white=None)


def weighed(tangent: np.ndarray, columns: np.ndarray, nodes: Nodes, noise: Noise) -> Linear:
    """The linear problem of defects and sensitivities, (link * dim, 1 + p), for some noise.

    Raises
    ------
    numpy.linalg.LinAlgError
        If their covariance is not positive.
    """
    links, dim = tangent.shape[:2]
    broken = ~nodes.linked
    variance = noise.of_samples(nodes)
    own = (tangent * variance[:-1, None, :]) @ np.swapaxes(tangent, 1, 2)
    diagonal = np.arange(dim)
    own[:, diagonal, diagonal] += variance[1:]
    if noise.kicks is None:
        own[:, diagonal, diagonal] += noise.dynamical * nodes.steps[:, None]
    else:
        own += noise.kicks
    next_ = -variance[1:-1, :, None] * np.swapaxes(tangent[1:], 1, 2)
    own[broken] = np.diag(noise.measurement)
    next_[broken[:-1] | broken[1:]] = 0.0
    band = np.zeros((2 * dim, links * dim))
    for i in range(dim):
        for k in range(dim):
            if k <= i:
                band[i - k, k::dim] = own[:, i, k]
            band[dim + k - i, i : (links - 1) * dim : dim] = next_[:, i, k]
    factor = cholesky_banded(band, lower=True, check_finite=False, overwrite_ab=True)
    white = whitened(factor, columns)
    return Linear(
        tangent=tangent,
        weighted=whitened(factor, white, back=True),
        gram=white.T @ white,
        log_determinant=2 * float(np.log(factor[0]).sum()),
        factor=factor,
        white=white,
    )


def whitened(factor: np.ndarray, columns: np.ndarray, *, back: bool = False) -> np.ndarray:
    """The inverse of a banded triangular factor, or of its transpose, times columns."""
    found, _ = dtbtrs(factor, columns, uplo="L", trans="T" if back else "N")
    return np.asarray(found)


def _with_prior(gram: np.ndarray, field: AbstractField, w: np.ndarray) -> np.ndarray:
    """The Gram matrix with what the prior of the numbers adds to misfit, slope and information."""
    if field.precision is None:
        return gram
    prior = np.diag(np.r_[field.precision @ w**2, field.precision])
    prior[1:, 0] = prior[0, 1:] = field.precision * w
    return gram + prior


def _partly_measured(
    states: np.ndarray,
    moved: np.ndarray,
    tangent: np.ndarray,
    response: np.ndarray,
    nodes: Nodes,
    noise: Noise,
) -> Linear:
    """The same where some columns are never measured: see `takens.learn.sparse.bordered`."""
    found = bordered(
        tangent,
        states[1:] - moved,
        response,
        np.where(nodes.seen, nodes.values - states, 0.0),
        np.where(nodes.seen, noise.measurement, np.inf),
        noise.dynamical * nodes.steps[:, None],
        nodes.linked,
    )
    return Linear(
        tangent=tangent,
        weighted=found.weighted,
        gram=found.gram,
        log_determinant=found.log_determinant,
        shift=found.shift,
    )


def shoot(
    field: AbstractField,
    w: np.ndarray,
    states: np.ndarray,
    nodes: Nodes,
    noise: Noise,
    advance: AbstractAdvance,
    *,
    max_steps: int = 30,
) -> Shot:
    """Gauss-Newton from `w` and `states`, with halved steps while a full one makes things worse.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the orbits leave the numbers from wherever a step leads.

    Notes
    -----
    Cost per step: four to eight evaluations of the rule at every node, and ``N dim^2 (dim + p)``
    operations for the banded system. Memory ``N dim p``.
    """
    linear = _tried(field, w, states, nodes, noise, advance)
    if linear is None:
        raise np.linalg.LinAlgError("The rule overflows at the starting values.")
    variance = noise.of_samples(nodes)
    converged = False
    for _ in range(max_steps):
        move_w, move_x = _newton(linear, states, nodes, variance)
        size = 1.0
        for _ in range(HALVINGS):
            found = _tried(field, w + size * move_w, states + size * move_x, nodes, noise, advance)
            if found is not None and found.gram[0, 0] <= 4 * linear.gram[0, 0] + 10 * len(nodes):
                break
            size /= 2
        else:
            break
        w, states, linear = w + size * move_w, states + size * move_x, found
        uncertainty = np.sqrt(np.maximum(np.diag(linear.information), 0.0))
        still = np.abs(move_w) * uncertainty <= STILL + 1e-11 * np.abs(w) * uncertainty
        if not len(w):
            still = move_x**2 <= STILL**2 * variance
        if size == 1.0 and still.all():
            converged = True
            break
    return Shot(
        field=field,
        parameters=w,
        states=states,
        misfit=float(linear.gram[0, 0]),
        linear=linear,
        converged=converged,
    )


def _tried(
    field: AbstractField,
    w: np.ndarray,
    states: np.ndarray,
    nodes: Nodes,
    noise: Noise,
    advance: AbstractAdvance,
) -> Linear | None:
    try:
        with np.errstate(all="ignore"):
            found = linearised(field, w, states, nodes, noise, advance)
    except np.linalg.LinAlgError:
        return None
    return found if np.isfinite(found.gram).all() else None


def _newton(
    linear: Linear, states: np.ndarray, nodes: Nodes, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Changes of parameters and states that solve the linearised problem."""
    move = inverse(linear.information) @ linear.score
    if linear.shift is not None:
        return move, linear.shift[:, :, 0] + linear.shift[:, :, 1:] @ move
    return move, nodes.values - variance * upon_nodes(linear, pulled(linear, move)) - states


def pulled(linear: Linear, move: np.ndarray) -> np.ndarray:
    """Inverse covariance times the defects after a change of the parameters, (link, dim)."""
    found = linear.weighted[:, 0] + linear.weighted[:, 1:] @ move
    return np.asarray(found.reshape(-1, linear.tangent.shape[2]))


def upon_nodes(linear: Linear, pull: np.ndarray) -> np.ndarray:
    """The transposed derivative of the defects by the errors, times one number for each defect."""
    back = np.zeros((len(pull) + 1, pull.shape[1]))
    back[1:] += pull
    back[:-1] -= np.einsum("nij,ni->nj", linear.tangent, pull)
    return back


def ends_of(
    field: AbstractField,
    w: np.ndarray,
    states: np.ndarray,
    nodes: Nodes,
    advance: AbstractAdvance,
) -> np.ndarray:
    """Where the orbit from each node is at the time of the next, (link, dim).

    Raises
    ------
    numpy.linalg.LinAlgError
        If it leaves the numbers.
    """
    inputs = (nodes.inputs[:-1], nodes.inputs[1:])
    with np.errstate(all="ignore"):  # a wild fit overflows, and is then not accepted
        ends = advance.states(field, w, states[:-1], inputs, nodes.times[:-1], nodes.steps)
    if not np.isfinite(ends[nodes.linked]).all():
        raise np.linalg.LinAlgError("The rule overflows between two samples.")
    return ends


def integration_bias(shot: Shot, nodes: Nodes, advance: FlowAdvance) -> np.ndarray:
    """What twice as many substeps would change the parameters by, to first order, (p,)."""
    finer = FlowAdvance(substeps=2 * advance.substeps)
    ends = [ends_of(shot.field, shot.parameters, shot.states, nodes, a) for a in (advance, finer)]
    change = np.where(nodes.linked[:, None], ends[0] - ends[1], 0.0)
    with np.errstate(all="ignore"):  # of a wild fit it is infinite, which is too much for anyone
        pull = -shot.linear.weighted[:, 1:].T @ change.reshape(-1)
        return np.asarray(inverse(shot.linear.information) @ pull)
