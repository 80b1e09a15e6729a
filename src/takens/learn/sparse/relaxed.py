r"""A law to begin with: one that need hold only roughly, and more strictly round by round.

The orbits may first leave the law by noise in the dynamics (weak-constraint assimilation; Sasaki,
Monthly Weather Review 98, 875, 1970), as large as what is not known of the law makes likely. Around
smoothed data all candidates are then a linear problem with the covariance
:math:`C = D V D^\top + Q` of the defects, whose best subset gives coefficients, these better states,
and both a better D. The variances V and Q follow by fixed-point steps of maximum likelihood,

.. math:: Q_i \leftarrow Q_i \, \frac{\sum_n h_n u_{ni}^2}{\sum_n h_n (C^{-1})_{ni,ni}}, \quad
   u = C^{-1} (\rho + G \delta w),

so that Q goes as the law comes. It ends when two rounds choose the same terms.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.learn.sparse.fields import AbstractAdvance, FlowAdvance, SparseField
from takens.learn.sparse.nodes import FINEST
from takens.learn.sparse.selection import Search, subset_of
from takens.learn.sparse.shooting import (
    MOST_SUBSTEPS,
    Linear,
    Noise,
    ends_of,
    pulled,
    upon_nodes,
    whitened,
)
from takens.learn.sparse.start import sums_of_slopes

ROUNDS = 12
START = 8.0  # prices of a coefficient in the first round; half as many in each that follows
CHANGE = 10.0  # factor by which a variance may change in a round


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Rough:
    """Where the rounds have led.

    Parameters
    ----------
    table : array, shape (term, dim)
        Coefficients.
    states : array, shape (node, dim)
    noise : Noise
    advance : AbstractAdvance
        With steps short enough for that noise.
    """

    table: np.ndarray
    states: np.ndarray
    noise: Noise
    advance: AbstractAdvance


def first_noise(
    search: Search, states: np.ndarray, slopes: np.ndarray, measurement: np.ndarray
) -> Noise:
    """Noise in the dynamics as large as the unknown answer of the law to noise in the data.

    The derivative J of the law is taken from least squares on the slopes, which is poor point by
    point but right in size: :math:`Q_i = h \\sum_j J_{ij}^2 V_j`.
    """
    nodes = search.nodes
    values = search.terms(states, nodes.inputs, nodes.times)
    table = np.zeros(search.allowed.shape)
    for i in range(nodes.dim):
        chosen = search.allowed[:, i]
        if chosen.any():
            table[chosen, i] = sums_of_slopes(values[:, chosen], slopes[:, i])
    jacobian = np.einsum(
        "nkj,ki->nij", search.terms.jacobian(states, nodes.inputs, nodes.times), table
    )
    size = np.nanmedian(jacobian**2, axis=0)
    step = float(np.median(nodes.steps[nodes.linked]))
    return Noise(measurement=measurement, dynamical=step * (size @ measurement))


def approached(search: Search, states: np.ndarray, noise: Noise, advance: AbstractAdvance) -> Rough:
    """Rounds of linearising, choosing and relaxing less.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the law overflows at the data.

    Notes
    -----
    Cost: for p candidates in all, every round takes :math:`O(N d p (d + p))` operations and memory
    ``2 N d p``.
    """
    table = np.zeros(search.allowed.shape)
    ends = states[:-1]  # of a law without terms
    if not isinstance(advance, FlowAdvance):
        ends = np.zeros_like(ends)
    before: np.ndarray | None = None
    for k in range(ROUNDS):
        price = search.price * max(1.0, START / 2.0**k)
        subset, linear = subset_of(search, table, states, noise, advance, ends, price)
        chosen = subset.best(*([] if before is None else [before]))
        new, _ = subset.solved(chosen)
        move = new - table.T[search.allowed.T]
        states, noise = _relaxed(search, linear, move, noise)
        table.T[search.allowed.T] = new
        if price == search.price and before is not None and (chosen == before).all():
            break
        before = chosen
        ends, advance = _refined(search, table, states, noise, advance)
    return Rough(table=table, states=states, noise=noise, advance=advance)


def _refined(
    search: Search, table: np.ndarray, states: np.ndarray, noise: Noise, advance: AbstractAdvance
) -> tuple[np.ndarray, AbstractAdvance]:
    """Ends of the orbits, and steps so short that their error is a tenth of the noise."""
    nodes = search.nodes
    field = SparseField(search.terms, table != 0)
    w = table.T[field.support.T]
    ends = ends_of(field, w, states, nodes, advance)
    while isinstance(advance, FlowAdvance) and advance.substeps < MOST_SUBSTEPS:
        finer = FlowAdvance(substeps=2 * advance.substeps)
        try:
            better = ends_of(field, w, states, nodes, finer)
        except np.linalg.LinAlgError:  # of a wild law, which the next round replaces
            break
        change = ((better - ends)[nodes.linked] ** 2).mean(axis=0)
        if (change <= 0.01 * noise.measurement).all():
            break
        ends, advance = better, finer
    return ends, advance


def _relaxed(
    search: Search, linear: Linear, move: np.ndarray, noise: Noise
) -> tuple[np.ndarray, Noise]:
    """States for changed coefficients, and the variances they speak for."""
    nodes = search.nodes
    variance = noise.of_samples(nodes)
    assert linear.factor is not None
    pull = pulled(linear, move)
    back = upon_nodes(linear, pull)
    states = nodes.values - variance * back
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=len(nodes))
    hidden, seen = np.empty(nodes.dim), np.empty(nodes.dim)
    time = np.where(nodes.linked, nodes.steps, 0.0)
    for i in range(nodes.dim):  # traces by one random probe each (Hutchinson)
        probe = np.zeros((len(nodes) - 1, nodes.dim))
        probe[:, i] = signs[1:] * np.sqrt(time)
        white = whitened(linear.factor, probe.reshape(-1, 1))
        hidden[i] = (time * pull[:, i] ** 2).sum() / float((white**2).sum())
        error = np.where(nodes.seen[:, i], signs, 0.0)
        probe = -linear.tangent[:, :, i] * error[:-1, None]
        probe[:, i] += error[1:]
        probe[~nodes.linked] = 0.0
        white = whitened(linear.factor, probe.reshape(-1, 1))
        seen[i] = (back[nodes.seen[:, i], i] ** 2).sum() / float((white**2).sum())
    least = (FINEST * nodes.span) ** 2
    return states, Noise(
        measurement=np.maximum(noise.measurement * np.clip(seen, 1 / CHANGE, CHANGE), least),
        dynamical=noise.dynamical * np.clip(hidden, 1 / CHANGE, CHANGE),
    )
