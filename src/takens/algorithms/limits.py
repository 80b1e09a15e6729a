"""What training becomes for small steps: flows, and a diffusion for gradients of batches."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.algorithms.loss import Loss
from takens.algorithms.optimisers import (
    AbstractOptimiser,
    GradientDescent,
    HeavyBall,
    Nesterov,
    StochasticGradient,
)
from takens.core import AbstractResult, Estimate, Finding, InvalidInput, WrongKind
from takens.core.integrators import (
    AbstractIntegrator,
    AbstractStochasticIntegrator,
    Adaptive,
    EulerMaruyama,
)
from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractMap, parameter

if TYPE_CHECKING:
    import xarray as xr


class GradientFlow(AbstractFlow):
    r"""The limit of small steps, :math:`\dot w = -s\,\nabla(L + c\,|\nabla L|^2)`.

    With c = 0 it is the gradient flow, which a training run follows to the first order of its
    learning rate; with c of `modified_flow` the one that it follows to the second.

    Parameters
    ----------
    loss : Loss
    speed : float
        The factor s: one, or :math:`1/(1 - \beta)` with momentum.
    penalty : float
        The coefficient c, in units of time.
    integrator : AbstractIntegrator
        Sharp losses are stiff: `Implicit` for those.

    Notes
    -----
    Time is the sum of learning rates. Cost: a gradient, and with a penalty a product with curvature
    besides.

    References
    ----------
    Barrett and Dherin, Implicit gradient regularization, ICLR (2021).

    Examples
    --------
    >>> flow = GradientFlow(Loss.of(lambda w: 0.5 * jnp.sum(w**2), [1.0]), penalty=0.25)
    >>> flow.vector_field(0.0, jnp.array([1.0])).tolist()
    [-1.5]
    """

    loss: Loss
    speed: Array = parameter(1.0)
    penalty: Array = parameter(0.0)
    integrator: AbstractIntegrator = Adaptive()

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the weights."""
        return self.loss.names

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Down the gradient of the loss and of its penalty."""
        slope = self.loss.gradient(x)
        return -self.speed * (slope + 2 * self.penalty * self.loss.curvature(x, slope))


@functools.singledispatch
def momentum_of(system: Any) -> tuple[float, float, float]:
    """Speed of the flow; its penalty over the learning rate; the slope that a start at rest is ahead by."""
    raise WrongKind(
        f"{type(system).__name__} was given; expected GradientDescent, HeavyBall or Nesterov, whose "
        "small steps follow a flow of the weights alone."
    )


@momentum_of.register(GradientDescent)
@momentum_of.register(StochasticGradient)
def _(system: GradientDescent | StochasticGradient) -> tuple[float, float, float]:
    return 1.0, 0.25, 0.0


@momentum_of.register
def _(system: HeavyBall) -> tuple[float, float, float]:
    beta = float(system.momentum)
    rest = _rest(beta)
    return 1 / rest, (1 + beta) / (4 * rest**2), beta / rest**2


@momentum_of.register
def _(system: Nesterov) -> tuple[float, float, float]:
    beta = float(system.momentum)
    rest = _rest(beta)
    return 1 / rest, (1 - beta + 2 * beta**2) / (4 * rest**2), beta**2 / rest**2


def _rest(beta: float) -> float:
    if not 0 <= beta < 1:
        raise InvalidInput(f"The momentum is {beta}; expected at least 0 and below 1.")
    return 1 - beta


def modified_flow(system: AbstractOptimiser, weights: Any) -> tuple[GradientFlow, np.ndarray]:
    r"""The flow that an optimiser follows to the second order of its learning rate, and its start.

    Matching a step of the optimiser with the flow over the same time gives the penalty on
    :math:`|\nabla L|^2`: :math:`\eta/4` for gradient descent,
    :math:`\eta(1 + \beta)/(4(1 - \beta)^2)` for the heavy ball and
    :math:`\eta(1 - \beta + 2\beta^2)/(4(1 - \beta)^2)` for Nesterov's momentum, with the speed
    :math:`1/(1 - \beta)`. A run with momentum begins at rest; once its momentum has built up it is where
    the flow comes to from :math:`w_0 + \eta\beta^k \nabla L(w_0)/(1 - \beta)^2`, k being one for
    the heavy ball and two for Nesterov.

    Parameters
    ----------
    system : GradientDescent, HeavyBall or Nesterov
    weights : nested arrays
        As the loss takes them, where the run begins.

    Returns
    -------
    flow : GradientFlow
    start : array, shape (weight,)

    Raises
    ------
    WrongKind
        If the system is none of these.

    Notes
    -----
    Asymptotic: good while learning rate times sharpness is well below one, and worthless near the
    edge of stability, where the series does not converge. Cost: a gradient.

    References
    ----------
    Barrett and Dherin, ICLR (2021). Kovachki and Stuart, J. Mach. Learn. Res. 22, 17 (2021), on
    momentum.

    Examples
    --------
    >>> loss = Loss.of(lambda w: 0.5 * jnp.sum(w**2), [1.0])
    >>> flow, start = modified_flow(HeavyBall(loss, 0.1, 0.5), [1.0])
    >>> round(float(flow.penalty), 6), start.round(6).tolist()
    (0.15, [1.2])
    """
    speed, penalty, ahead = momentum_of(system)
    rate = float(system.learning_rate)
    flat = system.loss.shape.flat(weights)
    start = flat + rate * ahead * system.loss.gradient(flat)
    return GradientFlow(system.loss, speed, penalty * rate), np.asarray(start)


class GradientDiffusion(AbstractDiffusion):
    r"""The diffusion that stochastic gradients follow for small learning rates.

    .. math:: dW = -\nabla\Big(L + \frac{\eta}{4}|\nabla L|^2\Big)\,dt + \sqrt{\eta}\,\Sigma_B(W)^{1/2}\,dB,
              \qquad \Sigma_B = \frac{N - B}{B(N - 1)}\,\mathrm{Cov}_i(\nabla L_i)

    Parameters
    ----------
    descent : StochasticGradient
    integrator : AbstractStochasticIntegrator

    Notes
    -----
    Time is learning rate times steps. The noise matrix has a column for each of N examples, which needs
    no root; memory (weight, N). Weakly right to the second order of :math:`\eta` (the drift's term
    is what gives it that), for fixed time: over times in which a well is left it may not be, as
    the tails of a batch's noise are not Gaussian. The stationary variance of a mode is
    :math:`1 - \eta\lambda/2` times that of the steps themselves or less; `stationary_noise` has theirs.

    References
    ----------
    Li, Tai and E, J. Mach. Learn. Res. 20, 40 (2019), theorem 9.

    Examples
    --------
    >>> loss = Loss.of(lambda w, x: 0.5 * jnp.mean((w - x) ** 2), [0.0], jnp.array([-1.0, 1.0]))
    >>> limit = GradientDiffusion(StochasticGradient(loss, 0.04, batch=1))
    >>> noise = limit.diffusion(0.0, jnp.zeros(1))
    >>> float((noise @ noise.T)[0, 0])
    0.04
    """

    descent: StochasticGradient
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.01)

    def __check_init__(self) -> None:
        if not isinstance(self.descent, StochasticGradient):
            raise WrongKind(
                f"{type(self.descent).__name__} was given; expected a StochasticGradient."
            )

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the weights."""
        return self.descent.loss.names

    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """Down the gradient of the loss and of its penalty."""
        loss, rate = self.descent.loss, self.descent.learning_rate
        return GradientFlow(loss, 1.0, rate / 4).vector_field(t, x)

    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """Deviations of the examples' gradients, scaled; shape (weight, example)."""
        slopes = example_gradients(self.descent, x)
        scale = jnp.sqrt(self.descent.learning_rate * batch_share(self.descent) / len(slopes))
        return (slopes - slopes.mean(axis=0)).T * scale


def batch_share(descent: StochasticGradient) -> float:
    """Covariance of a batch's gradient over that of the examples' gradients."""
    n, batch = descent.n_examples, descent.batch
    return (n - batch) / (batch * (n - 1)) if n > 1 else 0.0


def example_gradients(descent: StochasticGradient, x: Any) -> Any:
    """Of each example alone, shape (example, weight)."""
    loss = descent.loss

    def one(row: Any) -> Any:
        alone = jax.tree.map(lambda a: a[None], row)
        return Loss(loss.function, loss.shape, alone).gradient(x)

    return jax.vmap(one)(loss.data)


class IndependentRuns(AbstractMap):
    """A random map whose state ends with the number of a run, which chooses its noise.

    A random map draws the noise of iterate n from n alone, so that orbits of one system see the
    same. Here the orbit that begins with the number k at the end of its state sees the noise of the
    iterates from k times `stride` on, independent of other runs': what escapes, ensembles and
    averages over runs need.

    Parameters
    ----------
    system : AbstractMap
        Such as `StochasticGradient` or `UnadjustedLangevin`.
    stride : int
        More than the iterates of a run.

    Notes
    -----
    Cost: that of the system.

    Examples
    --------
    >>> loss = Loss.of(lambda w, x: jnp.mean((w - x) ** 2), [0.0], jnp.arange(10.0))
    >>> runs = IndependentRuns(StochasticGradient(loss, 0.1, batch=2))
    >>> runs.starts([0.0], 3)[:, 1].tolist()
    [0.0, 1.0, 2.0]
    """

    system: AbstractMap
    stride: int = eqx.field(static=True, default=1_000_000)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the system, and the run."""
        return (*self.system.names, "run")

    @property
    def dim(self) -> int:
        """One more than that of the system."""
        return self.system.dim + 1

    def starts(self, x: Any, n_runs: int) -> np.ndarray:
        """States of runs that begin alike, shape (run, dim)."""
        state = np.asarray(x, float)
        if state.shape != (self.system.dim,):
            raise InvalidInput(f"x has shape {state.shape}; expected ({self.system.dim},).")
        return np.column_stack([np.tile(state, (n_runs, 1)), np.arange(n_runs, dtype=float)])

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """That of the system, with the noise of this run."""
        run = jnp.round(x[-1]).astype(int)
        moved = self.system.step(n + run * self.stride, x[:-1], u)
        return jnp.concatenate([moved, x[-1:]])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FlowErrors(AbstractResult):
    """How far training is from its flows, over the learning rate.

    Parameters
    ----------
    rates : array, shape (rate,)
        Falling.
    gradient, modified : array, shape (rate,)
        Distance of the weights from gradient flow and from the modified flow, at the same time.
    gradient_order, modified_order : Estimate
        The power of the learning rate by which they fall, from the smallest rates; the interval is
        that of the last two pairs of rates.
    time : float
        Sum of learning rates after which weights are compared.
    """

    rates: np.ndarray
    gradient: np.ndarray
    modified: np.ndarray
    gradient_order: Estimate
    modified_order: Estimate
    time: float

    def summary(self) -> str:
        """Orders and the errors at the greatest rate."""
        return (
            f"at time {self.time:g} and learning rate {self.rates[0]:g} the weights are "
            f"{self.gradient[0]:.3g} from gradient flow, {self.modified[0]:.3g} from the modified one; "
            f"orders {self.gradient_order.value:.3f} and {self.modified_order.value:.3f}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Both distances over the learning rate."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, self.rates, self.gradient, label="gradient flow")
        plot.line(ax, self.rates, self.modified, label="modified flow")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.legend()
        return plot.labels(ax, "learning rate", "distance of the weights")

    def to_xarray(self) -> xr.Dataset:
        """Both distances by rate."""
        import xarray as xr

        return xr.Dataset(
            {"gradient": ("rate", self.gradient), "modified": ("rate", self.modified)},
            {"rate": self.rates},
            attrs={"time": self.time},
        )


def flow_errors(
    system: AbstractOptimiser, weights: Any, *, time: float, n_halvings: int = 5
) -> FlowErrors:
    """How well gradient flow and the modified flow describe a run, and to which order.

    The optimiser runs for the same sum of learning rates with its own rate and with halves of it.

    Parameters
    ----------
    system : GradientDescent, HeavyBall or Nesterov
    weights : nested arrays
        Where the runs begin.
    time : float
        Sum of learning rates; rounded to whole steps of the system's own rate.
    n_halvings : int
        At least two.

    Returns
    -------
    FlowErrors
        With a caution where the orders have not settled to one and two: the rates are too large for
        a flow to say anything.

    Raises
    ------
    WrongKind
        If the system is none of these.
    InvalidInput
        If the time holds less than a step, or a run or a flow diverges.

    Notes
    -----
    At one moment and from one start. With momentum the time must be long against
    :math:`\\eta/(1 - \\beta)`, in which momentum builds up. Cost: ``time / learning_rate *
    2**(n_halvings + 1)`` gradients, and the flows.

    References
    ----------
    Barrett and Dherin, ICLR (2021).

    Examples
    --------
    >>> loss = Loss.of(lambda w: 0.25 * jnp.sum((w**2 - 1) ** 2), [1.0])
    >>> found = flow_errors(GradientDescent(loss, 0.1), [0.3], time=1.0)
    >>> round(found.gradient_order.value, 1), round(found.modified_order.value, 1)
    (1.0, 2.0)
    """
    from takens.dynamics import trajectory

    momentum_of(system)
    rate = float(system.learning_rate)
    n_steps = round(time / rate) if np.isfinite(time) and rate > 0 else 0
    if n_steps < 1 or n_halvings < 2:
        raise InvalidInput(
            f"time = {time} at a learning rate of {rate}, n_halvings = {n_halvings}; expected at least "
            "one step and two halvings."
        )
    time = n_steps * rate
    rates = rate / 2.0 ** np.arange(n_halvings + 1)
    errors = []
    for k, eta in enumerate(rates):
        slow = system.with_parameters(learning_rate=eta)
        end = trajectory(slow, slow.start(weights), [0, n_steps * 2**k]).states[-1]
        flow, start = modified_flow(slow, weights)
        plain = GradientFlow(system.loss, flow.speed)
        begin = system.loss.shape.flat(weights)
        ends = [
            trajectory(f, s, [0.0, time]).states[-1] for f, s in ((plain, begin), (flow, start))
        ]
        errors.append([np.linalg.norm(np.asarray(system.weights(end)) - e) for e in ends])
    gradient, modified = np.array(errors).T
    orders = [_order(rates, e) for e in (gradient, modified)]
    cautions = []
    if not all(abs(o.value - due) < 0.2 for o, due in zip(orders, (1, 2), strict=True)):
        text = (
            "The orders are not one and two: these learning rates are too large for a flow to describe "
            "the run, or its errors are rounding already."
        )
        cautions.append(Finding("no-limit-yet", text, ""))
    return FlowErrors(
        rates=rates, gradient=gradient, modified=modified, gradient_order=orders[0],
        modified_order=orders[1], time=time, cautions=tuple(cautions),
    )  # fmt: skip


def _order(rates: np.ndarray, errors: np.ndarray) -> Estimate:
    if not (errors > 0).all():
        return Estimate(value=np.nan, method="an error is zero")
    slopes = np.diff(np.log(errors)) / np.diff(np.log(rates))
    low, high = sorted(slopes[-2:])
    return Estimate(
        value=float(slopes[-1]),
        interval=(float(low), float(high)),
        method="last two pairs of rates",
    )
