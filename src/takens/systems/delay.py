"""Delay differential equations as flows: the history is a polynomial, known at Chebyshev nodes."""

import abc
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from takens.core.errors import InvalidInput
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter, static
from takens.systems.known import AbstractKnown, Reference


class AbstractDelayFlow(AbstractFlow):
    r"""A delay differential equation :math:`\dot x(t) = f(t, x(t), x(t - \tau), u)` as a flow.

    The state of such an equation is the piece of its past of length :math:`\tau`. Here that piece
    is a polynomial, known by its values at Chebyshev nodes :math:`\theta_j \in [-\tau, 0]`, newest
    first. The newest value obeys the equation; the others are carried along, which a polynomial
    does by its derivative, :math:`\dot x_j = \sum_k D_{jk} x_k`. So a delay equation is a flow of
    dimension nodes times components, and every analysis takes it: its leading eigenvalues and
    exponents are those of the equation.

    Notes
    -----
    The error falls faster than any power of the number of nodes while the history is smooth, and
    slowly where it has a kink: just after the start, unless the given history happens to satisfy
    the equation at its newest end; each delay that passes smooths it by one derivative. Double
    `n_nodes` and compare. Eigenvalues far to the left (and the exponents that belong to them) come
    from the discretisation; the largest is about ``0.17 * n_nodes**2 / delay``, so that the default
    `RungeKutta` is stable for steps up to about ``17 * delay / n_nodes**2``; past that the state
    becomes NaN. Measured for Mackey-Glass over 1.5 delays: with 9, 17 and 33 nodes the
    error is 4e-4, 5e-7 and 5e-11; for the fifth pair of eigenvalues of `LinearDelay` 17, 25 and 33
    nodes give 5e-1, 2e-4 and 2e-9.

    References
    ----------
    Breda, Diekmann, Gyllenberg, Scarabel and Vermiglio, SIAM J. Appl. Dyn. Syst. 15, 1 (2016),
    eq. 2.4. Differentiation matrix: Trefethen, Spectral Methods in MATLAB (2000), ch. 6.
    """

    delay: eqx.AbstractVar[Array]
    n_nodes: eqx.AbstractVar[int]

    components: ClassVar[tuple[str, ...]] = ("x",)

    def __check_init__(self) -> None:
        """Refuse a history too coarse to be a polynomial."""
        if not (isinstance(self.n_nodes, int) and self.n_nodes >= 3):
            raise InvalidInput(f"n_nodes = {self.n_nodes}; expected a whole number, 3 or more.")

    @abc.abstractmethod
    def delayed_field(self, t: Any, x: Any, x_delayed: Any, u: Any = None) -> Any:
        """The rate of change now, from the values now and one delay ago; shapes (components,)."""

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Such as ``x[0]`` for the newest value and ``x[24]`` for the oldest of 25."""
        return tuple(f"{name}[{j}]" for j in range(self.n_nodes) for name in self.components)

    @property
    def nodes(self) -> Float[Array, " n_nodes"]:
        """Times of the nodes relative to now: from 0 to minus the delay."""
        return self.delay * (jnp.asarray(_chebyshev(self.n_nodes)[0]) - 1) / 2

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The equation at the newest node, transport at all others."""
        values = x.reshape(self.n_nodes, len(self.components))
        newest = self.delayed_field(t, values[0], values[-1], u)
        transport = (2 / self.delay) * (_chebyshev(self.n_nodes)[1][1:] @ values)
        return jnp.concatenate([newest[None], transport]).reshape(-1)

    def history(self, x: Any, theta: Any) -> Any:
        """The past of a state at times `theta` in [-delay, 0], shape (time, components).

        The interpolating polynomial in barycentric form (Berrut and Trefethen, SIAM Rev. 46, 501
        (2004), eq. 5.4).
        """
        values = x.reshape(self.n_nodes, len(self.components))
        weights = np.where(np.arange(self.n_nodes) % 2, -1.0, 1.0)
        weights[[0, -1]] *= 0.5
        gap = jnp.asarray(theta)[:, None] - self.nodes
        hit = gap == 0
        ratios = weights / jnp.where(hit, 1.0, gap)
        between = (ratios @ values) / ratios.sum(1, keepdims=True)
        return jnp.where(hit.any(1, keepdims=True), hit @ values, between)

    def from_history(self, past: Callable[[Any], Any]) -> Any:
        """The state whose past is the function `past` of time, one array of shape (components,)."""
        return jnp.concatenate([jnp.broadcast_to(jnp.asarray(past(theta), dtype=float),
                                                 (len(self.components),))
                                for theta in self.nodes])  # fmt: skip


@functools.lru_cache(maxsize=32)
def _chebyshev(n_nodes: int) -> tuple[Any, Any]:
    """Nodes from 1 to -1 and the differentiation matrix (Trefethen (2000), theorem 7)."""
    places = np.cos(np.pi * np.arange(n_nodes) / (n_nodes - 1))
    signs = np.where(np.arange(n_nodes) % 2, -1.0, 1.0)
    signs[[0, -1]] *= 2
    gaps = places[:, None] - places + np.eye(n_nodes)
    matrix = np.outer(signs, 1 / signs) / gaps
    return places, matrix - np.diag(matrix.sum(1))


class MackeyGlass(AbstractDelayFlow, AbstractKnown):
    r"""Mackey-Glass: production of blood cells that answers late; chaos from one delay.

    .. math:: \dot x = \frac{\beta\, x(t - \tau)}{1 + x(t - \tau)^n} - \gamma x

    Parameters
    ----------
    beta, gamma : float
        Rates of production and loss, per time.
    exponent : float
        n, the steepness of the feedback.
    delay : float
        In time units; chaos from about 16.8 on.
    n_nodes : int
        Of the history, part of the program.
    integrator : AbstractIntegrator

    Notes
    -----
    On the attractor the default discretisation errs by 1e-7 over 1.5 delays; with 33 nodes by 2e-10.
    Its step is stable for delays above 3.

    References
    ----------
    Mackey and Glass, Science 197, 287 (1977), eq. 4b. Farmer, Physica D 4, 366 (1982).

    Examples
    --------
    >>> system = MackeyGlass()
    >>> rest = system.from_history(lambda theta: 1.0)  # (beta / gamma - 1) ** (1 / exponent)
    >>> bool(abs(system.vector_field(0.0, rest)).max() < 1e-12)
    True
    """

    beta: Array = parameter(0.2)
    gamma: Array = parameter(0.1)
    exponent: Array = parameter(10.0)
    delay: Array = parameter(17.0)
    n_nodes: int = static(21)
    integrator: AbstractIntegrator = RungeKutta(0.125)

    dt: ClassVar[float] = 1.0
    references: ClassVar[tuple[str, ...]] = ("mackey1977oscillation", "farmer1982chaotic")
    truth: ClassVar[Reference | None] = Reference(
        exponents=(0.005194, 0.0, -0.03881, -0.05290, -0.06930),
        standard_errors=(4.1e-5, 1.8e-5, 8e-5, 8e-5, 9e-5),
        dimension=2.1338,
        dimension_error=0.0009,
        identity="one zero exponent: time",
        settings="largest 5 with 33 nodes, RungeKutta(0.25); T = 500,000 after 5,000, orthonormalised "
        "every 1; 49 nodes and steps of 0.125 agree; an independent integration on a "
        "stored history (RK4, T = 400,000) gave 0.00505 +- 0.00008",
    )

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """One bump of production; within 500 time units the orbit is on the attractor."""
        return tuple((0.9 + 0.3 * np.cos(np.pi * _chebyshev(self.n_nodes)[0])).tolist())

    def delayed_field(self, t: Any, x: Any, x_delayed: Any, u: Any = None) -> Any:
        """Mackey and Glass (1977), eq. 4b."""
        return self.beta * x_delayed / (1 + x_delayed**self.exponent) - self.gamma * x


class DelayedLogistic(AbstractDelayFlow, AbstractKnown):
    r"""Hutchinson's delayed logistic equation: growth that feels crowding late.

    .. math:: \dot x = r x \left(1 - x(t - \tau)\right)

    Parameters
    ----------
    rate : float
        r, per time. The equilibrium 1 is stable up to r tau = pi/2, where a cycle is born.
    delay : float
        In time units.
    n_nodes : int
        Of the history, part of the program.
    integrator : AbstractIntegrator

    References
    ----------
    Hutchinson, Ann. N. Y. Acad. Sci. 50, 221 (1948). Wright, J. Reine Angew. Math. 194, 66 (1955).
    """

    rate: Array = parameter(1.8)
    delay: Array = parameter(1.0)
    n_nodes: int = static(17)
    integrator: AbstractIntegrator = RungeKutta(0.025)

    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("hutchinson1948circular",)

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """A bump above equilibrium; within 50 delays the orbit is on its cycle."""
        return tuple((1.2 + 0.3 * np.cos(np.pi * _chebyshev(self.n_nodes)[0])).tolist())

    def delayed_field(self, t: Any, x: Any, x_delayed: Any, u: Any = None) -> Any:
        """Hutchinson (1948)."""
        return self.rate * x * (1 - x_delayed)


class LinearDelay(AbstractDelayFlow, AbstractKnown):
    r"""The linear delay equation, whose eigenvalues are known in closed form.

    .. math:: \dot x = a x + b\, x(t - \tau), \qquad
              \lambda_k = a + W_k\!\left(b \tau e^{-a \tau}\right) / \tau

    with the branches :math:`W_k` of Lambert's function.

    Parameters
    ----------
    a, b : float
        Per time.
    delay : float
        In time units.
    n_nodes : int
        Of the history, part of the program.
    integrator : AbstractIntegrator

    References
    ----------
    Corless, Gonnet, Hare, Jeffrey and Knuth, Adv. Comput. Math. 5, 329 (1996), sec. 2.
    """

    a: Array = parameter(-0.5)
    b: Array = parameter(-1.0)
    delay: Array = parameter(1.0)
    n_nodes: int = static(17)
    integrator: AbstractIntegrator = RungeKutta(0.025)

    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("corless1996lambert",)

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """A history of ones; the origin attracts it."""
        return (1.0,) * self.n_nodes

    def delayed_field(self, t: Any, x: Any, x_delayed: Any, u: Any = None) -> Any:
        """The equation itself."""
        return self.a * x + self.b * x_delayed
