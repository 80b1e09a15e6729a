"""Iterations of statistics, transport and control that are maps, though seldom asked as such."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from takens.algorithms.loss import Layout, Loss
from takens.core.errors import InvalidInput
from takens.core.system import AbstractMap, parameter, static


class Iteration(AbstractMap):
    """Any update written in JAX, as a map on flat numbers; see `as_map`.

    Parameters
    ----------
    function : callable
        From a state laid out like `shape`, and the data if there are any, to the next.
    shape : Layout
    data : arrays, optional
        Passed on at every step, as an argument of the compiled program.

    Examples
    --------
    >>> halves = Iteration(lambda s: {"a": s["a"] / 2}, Layout.of({"a": 1.0}))
    >>> halves.step(0, jnp.array([1.0])).tolist()
    [0.5]
    """

    function: Callable[..., Any] = static()
    shape: Layout = static()
    data: Any = None

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """From the places in the container of the state."""
        return self.shape.names

    @property
    def dim(self) -> int:
        """Number of numbers in the state."""
        return self.shape.dim

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The function, between flat states."""
        state = self.shape.restore(x)
        new = self.function(state) if self.data is None else self.function(state, self.data)
        return self.shape.flat(new)


class ExponentiatedGradient(AbstractMap):
    r"""Mirror descent with entropy, :math:`w' = w\, e^{-\eta \nabla L(w)}` for weights above zero.

    Parameters
    ----------
    loss : Loss
    learning_rate : float
    dual : bool
        Whether the state is :math:`\theta = \log w`, in which the same map is
        :math:`\theta' = \theta - \eta \nabla L(e^\theta)`.

    Notes
    -----
    Both states hold the same dynamics in other coordinates, so that all multipliers agree. Cost: one
    gradient.

    References
    ----------
    Kivinen and Warmuth, Inform. Comput. 132, 1 (1997).

    Examples
    --------
    >>> loss = Loss.of(lambda w: 0.5 * jnp.sum((w - 0.7) ** 2), [1.0])
    >>> mirror = ExponentiatedGradient(loss, 0.1)
    >>> round(float(jax.jacobian(lambda w: mirror.step(0, w))(jnp.array([0.7]))[0, 0]), 6)
    0.93
    """

    loss: Loss
    learning_rate: Array = parameter()
    dual: bool = static(False)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the weights."""
        return self.loss.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """One step, in the coordinates of the state."""
        if self.dual:
            return x - self.learning_rate * self.loss.gradient(jnp.exp(x))
        return x * jnp.exp(-self.learning_rate * self.loss.gradient(x))


class GaussianMixtureEM(AbstractMap):
    r"""Expectation maximisation for the means of a mixture of unit Gaussians on a line.

    .. math:: \mu_k' = \sum_i r_{ik} y_i \Big/ \sum_i r_{ik},\qquad
              r_{ik} \propto \pi_k e^{-(y_i - \mu_k)^2 / 2 s^2}

    Parameters
    ----------
    data : array, shape (sample,)
    shares : array, shape (component,)
        The shares :math:`\pi_k` of the components, known.
    scale : float
        Their standard deviation, known, in the unit of the data.

    Notes
    -----
    The rate at which it converges is the share of information that is missing: the largest
    eigenvalue of the Jacobian at the fixed point. Cost: samples times components.

    References
    ----------
    Dempster, Laird and Rubin, J. R. Stat. Soc. B 39, 1 (1977), section 3.

    Examples
    --------
    >>> both = GaussianMixtureEM(jnp.array([-1.0, 1.0]), jnp.array([0.5, 0.5]))
    >>> bool(jnp.allclose(both.step(0, jnp.array([-1.0, 1.0])), jnp.tanh(1.0) * jnp.array([-1, 1])))
    True
    """

    data: Array = parameter()
    shares: Array = parameter()
    scale: Array = parameter(1.0)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """``mean1`` and so on."""
        return tuple(f"mean{k + 1}" for k in range(self.shares.shape[0]))

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Shares of every sample, then means."""
        logs = jnp.log(self.shares) - 0.5 * ((self.data[:, None] - x) / self.scale) ** 2
        r = jax.nn.softmax(logs, axis=1)
        return (r * self.data[:, None]).sum(axis=0) / r.sum(axis=0)


class Sinkhorn(AbstractMap):
    r"""Entropic optimal transport, on the logarithm of the first scaling.

    .. math:: f' = \epsilon \log a - \epsilon \log \sum_j e^{(g_j - C_{ij})/\epsilon},\qquad
              g = \epsilon \log b - \epsilon \log \sum_i e^{(f_i - C_{ij})/\epsilon}

    Parameters
    ----------
    cost : array, shape (source, target)
    source, target : array
        Masses, each summing to one.
    epsilon : float
        Regularisation, in units of the cost.

    Notes
    -----
    Adding a constant to :math:`f` changes nothing, so that one multiplier is exactly one; the rate of
    convergence is the next, :math:`\sigma_2^2` of the plan scaled by its margins. Cost: one pass over
    the matrix, twice.

    References
    ----------
    Peyré and Cuturi, Found. Trends Mach. Learn. 11, 355 (2019), section 4.2 and remark 4.15.

    Examples
    --------
    >>> plan = Sinkhorn(jnp.zeros((2, 2)), jnp.array([0.5, 0.5]), jnp.array([0.5, 0.5]))
    >>> bool(jnp.allclose(plan.step(0, jnp.zeros(2)), plan.step(1, plan.step(0, jnp.zeros(2)))))
    True
    """

    cost: Array = parameter()
    source: Array = parameter()
    target: Array = parameter()
    epsilon: Array = parameter(0.05)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One potential for each source."""
        return tuple(f"f{i}" for i in range(self.source.shape[0]))

    def other(self, x: Any) -> Any:
        """The potential of the targets that belongs to one of the sources."""
        logs = (x[:, None] - self.cost) / self.epsilon
        return self.epsilon * (jnp.log(self.target) - jax.nn.logsumexp(logs, axis=0))

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Targets first, then sources."""
        logs = (self.other(x)[None, :] - self.cost) / self.epsilon
        return self.epsilon * (jnp.log(self.source) - jax.nn.logsumexp(logs, axis=1))

    def plan(self, x: Any) -> Any:
        """Mass carried from each source to each target, for one potential."""
        return jnp.exp((x[:, None] + self.other(x) - self.cost) / self.epsilon)


class KMeans(AbstractMap):
    """Lloyd's iteration: every centre moves to the mean of the points nearest to it.

    Parameters
    ----------
    data : array, shape (sample, column)
    n_centres : int

    Notes
    -----
    Within a cell of assignments the map is constant: it ends after finitely many steps and has no
    rate. A centre without points stays. Cost: samples times centres times columns.

    References
    ----------
    Lloyd, IEEE Trans. Inf. Theory 28, 129 (1982).

    Examples
    --------
    >>> cells = KMeans(jnp.array([[0.0], [1.0], [10.0]]), 2)
    >>> cells.step(0, jnp.array([0.0, 9.0])).tolist()
    [0.5, 10.0]
    """

    data: Array = parameter()
    n_centres: int = static(2)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Centre by centre, column by column."""
        columns = self.data.shape[1]
        return tuple(f"centre{k}.{j}" for k in range(self.n_centres) for j in range(columns))

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Assign, then average."""
        centres = x.reshape(self.n_centres, -1)
        squares = ((self.data[:, None] - centres) ** 2).sum(axis=-1)
        mine = jax.nn.one_hot(squares.argmin(axis=1), self.n_centres)
        count = mine.sum(axis=0)[:, None]
        means = (mine.T @ self.data) / jnp.maximum(count, 1)
        return jnp.where(count > 0, means, centres).ravel()


class ValueIteration(AbstractMap):
    r"""Bellman's operator, :math:`v'(s) = \max_a \big(r(s, a) + \gamma \sum_{s'} P(s' | s, a) v(s')\big)`.

    Parameters
    ----------
    transitions : array, shape (action, state, state)
        Rows sum to one. With one action this is the evaluation of a policy.
    rewards : array, shape (action, state)
    discount : float
        The factor :math:`\gamma` below one.

    Notes
    -----
    A contraction by :math:`\gamma` in the largest deviation; once the best actions no longer change,
    the multipliers are :math:`\gamma` times the eigenvalues of their chain. Cost: one product with
    every matrix.

    References
    ----------
    Puterman, Markov Decision Processes (1994), section 6.3.

    Examples
    --------
    >>> stay = ValueIteration(jnp.eye(2)[None], jnp.array([[1.0, 0.0]]), 0.5)
    >>> stay.step(0, jnp.zeros(2)).tolist()
    [1.0, 0.0]
    """

    transitions: Array = parameter()
    rewards: Array = parameter()
    discount: Array = parameter(0.9)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One value for each state."""
        return tuple(f"v{i}" for i in range(self.rewards.shape[1]))

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The best action in every state."""
        return (self.rewards + self.discount * (self.transitions @ x)).max(axis=0)


class UnadjustedLangevin(AbstractMap):
    r"""Langevin's sampler, :math:`x' = x - h \nabla U(x) + \sqrt{2 h}\, \xi_n`: a random map.

    Parameters
    ----------
    loss : Loss
        The energy U, minus the logarithm of the density.
    step_size : float
        The step h.
    seed : int
        The noise of iterate n is drawn from this and n alone.

    Notes
    -----
    It samples another density than asked, by an error of the order of the step: on a Gaussian of
    curvature :math:`\lambda` the variance is :math:`1/(\lambda(1 - h\lambda/2))`. Cost: one gradient.

    References
    ----------
    Roberts and Tweedie, Bernoulli 2, 341 (1996).

    Examples
    --------
    >>> sampler = UnadjustedLangevin(Loss.of(lambda x: 0.5 * jnp.sum(x**2), [0.0]), 0.3)
    >>> sampler.step(0, jnp.zeros(1)).shape
    (1,)
    """

    loss: Loss
    step_size: Array = parameter()
    seed: int = static(0)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the energy's coordinates."""
        return self.loss.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Down the gradient, and a kick."""
        key = jax.random.fold_in(jax.random.key(self.seed), jnp.asarray(n, int))
        kick = jax.random.normal(key, jnp.shape(x), jnp.asarray(x).dtype)
        return x - self.step_size * self.loss.gradient(x) + jnp.sqrt(2 * self.step_size) * kick


def as_map(step: Callable[..., Any], state0: Any, *, data: Any = None) -> tuple[Iteration, Array]:
    """Any update written in JAX as a map, with its start.

    Parameters
    ----------
    step : callable
        ``step(state)`` or ``step(state, data)``, to a state of the same layout. It must be pure: what
        it depends on besides the state belongs into `data`.
    state0 : array, or nested containers of them
        A state; real numbers only.
    data : arrays, optional
        What the step needs besides.

    Returns
    -------
    system : Iteration
        To which all of `takens.dynamics` applies.
    x0 : array, shape (dim,)
        The state laid flat.

    Raises
    ------
    InvalidInput
        If the state holds anything but real numbers, or a step changes its layout.

    Examples
    --------
    >>> system, x0 = as_map(lambda s: {"a": s["a"] / 2, "b": s["b"] + s["a"]}, {"a": 1.0, "b": 0.0})
    >>> system.names, system.step(0, x0).tolist()
    (('a', 'b'), [0.5, 1.0])
    """
    layout = Layout.of(state0)
    x0 = layout.flat(state0)
    arrays = None if data is None else jax.tree.map(jnp.asarray, data)
    system = Iteration(function=step, shape=layout, data=arrays)
    try:
        made = jax.eval_shape(system.step, 0, x0)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"The step fails on the state that was given: {error}") from error
    if made.shape != x0.shape:
        raise InvalidInput(f"The step makes {made.shape[0]} numbers out of {len(x0)}.")
    return system, x0
