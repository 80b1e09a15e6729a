"""Sharpness of a training run against the threshold of its optimiser."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.algorithms.curvature import converged, first_vector
from takens.algorithms.operators import Curvature, an_optimiser, curvature_of
from takens.core import AbstractResult, Estimate, InvalidInput

if TYPE_CHECKING:
    import xarray as xr

    from takens.algorithms.from_libraries import OptaxMap
    from takens.algorithms.optimisers import AbstractOptimiser

AT_THE_EDGE = (0.9, 1.1)  # ratio of sharpness to threshold that is called the edge
MOST_HALVINGS = 60
MODES = 4  # that are followed, so that one that rises is known before it leads


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sharpness(AbstractResult):
    r"""The largest curvature that an optimiser meets, and what it can bear.

    Parameters
    ----------
    value : Estimate
        Greatest eigenvalue of :math:`P^{-1/2} H P^{-1/2}`, with P the metric of the optimiser.
    threshold : float
        Value beyond which a mode grows under the optimiser's settings.
    ratio : Estimate
        `value` over `threshold`; above one the mode is unstable.
    multipliers : complex array, shape (1 + n_memories,)
        Of that mode in one step.
    modes, images : array, shape (mode, weight)
        The sharpest few modes, in the metric, and their products; from them the next state is asked
        with one product. Products may be those of earlier states.
    residual : float
        Norm of what the product with the first mode had beside it, when last taken.
    turn : int
        States since the process began at random.
    steady : bool
        Whether the value hardly changed when last taken afresh, so that the next product may go to
        another mode.
    n_products : int
        Products that this answer took.
    optimiser : str
    """

    value: Estimate
    threshold: float
    ratio: Estimate
    multipliers: np.ndarray
    modes: np.ndarray
    images: np.ndarray
    residual: float
    turn: int
    steady: bool
    n_products: int
    optimiser: str

    @property
    def vector(self) -> np.ndarray:
        """The sharpest mode, of length one in the metric."""
        return np.asarray(self.modes[0])

    def summary(self) -> str:
        """Value, threshold, and which side of it."""
        low, high = AT_THE_EDGE
        place = "below the threshold"
        if self.ratio.value >= low:
            place = "at the threshold" if self.ratio.value <= high else "above the threshold"
        return (
            f"sharpness {self.value}, {self.ratio.value:.3f} of the {self.threshold:.4g} that "
            f"{self.optimiser} bears: {place} ({self.n_products} products)"
        )

    def plot(self, ax: Any = None) -> Any:
        """Multipliers of the mode in the unit circle."""
        from takens import plot

        ax = plot.axes(ax)
        turn = np.linspace(0, 2 * np.pi, 200)
        ax.plot(np.cos(turn), np.sin(turn), color="0.6", lw=0.8)
        ax.plot(self.multipliers.real, self.multipliers.imag, "o")
        ax.set_aspect("equal")
        return plot.labels(ax, "real part", "imaginary part", "multipliers of the sharpest mode")

    def to_xarray(self) -> xr.Dataset:
        """The modes, and the numbers as attributes."""
        import xarray as xr

        return xr.Dataset(
            {"vector": (("mode", "weight"), self.modes)},
            attrs={
                "sharpness": self.value.value,
                "threshold": self.threshold,
                "ratio": self.ratio.value,
                "n_products": self.n_products,
            },
        )


def sharpness(
    system: AbstractOptimiser | OptaxMap,
    x: Any,
    *,
    n: int = 0,
    previous: Sharpness | None = None,
    check_every: int = 25,
    rtol: float = 1e-2,
    max_products: int = 200,
    seed: int = 0,
) -> Sharpness:
    r"""Largest curvature in a state of a training run, against the threshold of *this* optimiser.

    Parameters
    ----------
    system : AbstractOptimiser or OptaxMap
        With the loss that it minimises; an optax optimiser is asked as the rule that takes its steps.
    x : array, shape (dim,)
        State, buffers included; `AbstractOptimiser.start` makes that of a beginning.
    n : int
        Iterate, on which the metric of Adam depends.
    previous : Sharpness, optional
        Of the state a little earlier. Its modes are followed with one product: by turns a fresh one of
        the sharpest mode, and one of what the product of another had beside it, by which a mode that
        rises is met. Only
        if the residual is too large does the process begin anew, from that mode.
    check_every : int
        After so many states the process begins anew at random, because a mode that grows out of
        sight of those followed is met late.
    rtol : float
        Relative error asked for.
    max_products : int
    seed : int
        Of the first start.

    Returns
    -------
    Sharpness

    Raises
    ------
    WrongKind
        If the system is no optimiser, or one of optax that no rule here is like.
    InvalidInput
        If the state does not fit, is not finite, or the metric is not positive.

    Notes
    -----
    A ratio near one over many steps is the edge of stability; it does not establish that training
    fails, as the loss may still fall there. The threshold is that of a quadratic in a frozen metric; see
    each optimiser. For stochastic gradients the full-batch ratio may stay well below one though the
    run is limited by noise. A flat direction has the multiplier one and says nothing about stability.

    Followed, the value is up to a step old, every second one then without an interval, and a mode that
    rises out of sight is met at the next check at latest.

    Cost: some 10 to 30 products of two gradients each; one where `previous` still serves, and memory
    for eight vectors more.

    References
    ----------
    Cohen et al., ICLR (2021), and arXiv:2207.14484 (2022).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from takens.algorithms import GradientDescent, Loss
    >>> loss = Loss.of(lambda w: 0.5 * jnp.sum(jnp.array([1.0, 8.0]) * w**2), [0.0, 0.0])
    >>> found = sharpness(GradientDescent(loss, 0.2), [1.0, 1.0])
    >>> round(found.value.value, 6), round(found.ratio.value, 6)
    (8.0, 0.8)
    """
    system = an_optimiser(system)
    operator = curvature_of(system, x, n)
    if not 0 < rtol < 1:
        raise InvalidInput(f"rtol = {rtol}; expected between 0 and 1.")
    if check_every < 1:
        raise InvalidInput(f"check_every = {check_every}; expected at least 1.")
    turn, vector = 0, None
    if previous is not None and previous.turn + 1 < check_every:
        followed = _followed(system, operator, previous, rtol)
        if followed is not None:
            return followed
        turn, vector = previous.turn + 1, previous.vector
    start = first_vector(operator.dim, vector, seed)
    space, _ = converged(operator, (1, 0), rtol, max_products, start)
    values, residuals, inner = space.ritz()
    top = inner[:, ::-1][:, :MODES]
    modes = space.vectors(top)
    images = values[::-1][:MODES, None] * modes + np.outer(top[-1], space.leading_out)
    return _judged(
        system, float(values[-1]), float(residuals[-1]), modes, images,
        turn=turn, steady=False, n_products=len(space) + (turn > 0),
    )  # fmt: skip


def _followed(
    system: AbstractOptimiser, operator: Curvature, previous: Sharpness, rtol: float
) -> Sharpness | None:
    """The modes of an earlier state, followed by one product; none where they do not serve."""
    modes, images = previous.modes, previous.images.copy()
    if modes.shape[1] != operator.dim:
        raise InvalidInput(
            f"`previous` is of {modes.shape[1]} weights, the state of {operator.dim}. Leave it out."
        )
    turn = previous.turn + 1
    if previous.steady and len(modes) < operator.dim:
        k = (turn // 2) % len(modes)
        beside = images[k] - (modes[k] @ images[k]) * modes[k]
        beside = _outside(beside, modes)
        if beside is not None:
            values, modes, images = _rotated(
                np.concatenate([modes, beside[None]]),
                np.concatenate([images, operator(beside)[None]]),
            )
            return _judged(system, float(values[0]), previous.residual, modes, images,
                           turn=turn, steady=False, n_products=1, fresh=False)  # fmt: skip
    images[0] = operator(modes[0])
    value = float(modes[0] @ images[0])
    residual = float(np.linalg.norm(images[0] - value * modes[0]))
    values, modes, images = _rotated(modes, images)
    others = values[values < (1 - rtol) * values[0]]
    gap = float(values[0] - others[0]) if len(others) else rtol * abs(value)
    if not (value > 0 and min(residual, residual**2 / gap) <= rtol * value):
        return None
    steady = abs(value - previous.value.value) <= 0.5 * rtol * value
    return _judged(system, value, residual, modes, images,
                   turn=turn, steady=steady, n_products=1)  # fmt: skip


def _outside(vector: np.ndarray, modes: np.ndarray) -> np.ndarray | None:
    """What a vector has outside orthonormal rows, of length one; none where that is nothing."""
    for _ in range(2):
        vector = vector - modes.T @ (modes @ vector)
        length = float(np.linalg.norm(vector))
        if not length > 1e-300:
            return None
        vector = vector / length
    return vector


def _rotated(modes: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ritz values from the top down of orthonormal rows and their products, and both turned to them."""
    inner = modes @ images.T
    values, turn = np.linalg.eigh(0.5 * (inner + inner.T))
    turn = turn[:, ::-1][:, :MODES]
    return values[::-1][:MODES], turn.T @ modes, turn.T @ images


def _judged(
    system: AbstractOptimiser,
    value: float,
    residual: float,
    modes: np.ndarray,
    images: np.ndarray,
    *,
    turn: int,
    steady: bool,
    n_products: int,
    fresh: bool = True,
) -> Sharpness:
    threshold = float(system.threshold())
    # A product of an earlier state bounds nothing in this one: the value then has no interval.
    reach = (value, value + residual) if fresh else (np.nan, np.nan)
    method = "residual" if fresh else "products of earlier states"

    def estimate(scale: float) -> Estimate:
        interval = (reach[0] / scale, reach[1] / scale)
        return Estimate(value=value / scale, interval=interval, level=1.0, method=method)

    return Sharpness(
        value=estimate(1.0), threshold=threshold, ratio=estimate(threshold),
        multipliers=np.asarray(system.multipliers(value)), modes=modes, images=images,
        residual=residual, turn=turn, steady=steady, n_products=n_products, optimiser=system.title,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CriticalSharpness(AbstractResult):
    r"""Two over the largest step along the gradient that does not raise the loss.

    Parameters
    ----------
    value : Estimate
        In inverse units of the learning rate; zero where no step raises the loss.
    ratio : Estimate
        Over :math:`2/\eta` of the optimiser.
    n_evaluations : int
        Of the loss; besides these, one gradient.
    """

    value: Estimate
    ratio: Estimate
    n_evaluations: int

    def summary(self) -> str:
        """Value and ratio."""
        return (
            f"critical sharpness {self.value}, {self.ratio.value:.3f} of what the learning rate bears "
            f"({self.n_evaluations} evaluations)"
        )

    def plot(self, ax: Any = None) -> Any:
        """The ratio with its bracket."""
        from takens import plot

        ax = plot.axes(ax)
        plot.errorbars(ax, ["critical sharpness"], [self.ratio])
        ax.axvline(1.0, color="0.4", ls="--")
        return plot.labels(ax, "over the threshold of gradient descent")

    def to_xarray(self) -> xr.Dataset:
        """The numbers."""
        import xarray as xr

        return xr.Dataset({"value": self.value.value, "ratio": self.ratio.value})


def critical_sharpness(
    system: AbstractOptimiser | OptaxMap, x: Any, *, rtol: float = 1e-2, max_evaluations: int = 80
) -> CriticalSharpness:
    r"""Sharpness along the gradient, from evaluations of the loss alone: :math:`2/\eta_c`.

    The learning rate :math:`\eta_c` is the least at which a step down the gradient raises the loss;
    it is bracketed by doubling from that of the optimiser, then halved.

    Parameters
    ----------
    system : AbstractOptimiser or OptaxMap
    x : array, shape (dim,)
        State, buffers included.
    rtol : float
        Relative width of the bracket.
    max_evaluations : int

    Returns
    -------
    CriticalSharpness

    Raises
    ------
    WrongKind
        If the system is no optimiser, or one of optax that no rule here is like.
    InvalidInput
        If the state does not fit or is not finite, or the gradient vanishes.

    Notes
    -----
    A detector and no early warning: well before the edge it is far below `sharpness`, because the
    gradient does not yet point along the sharpest mode, and it rises to it only there. On a quadratic
    it is :math:`g^\top H g / g^\top g`. Cost: a gradient and some ten evaluations.

    References
    ----------
    Kalra and Barkeshli, Why warmup the learning rate?, NeurIPS (2024), appendix, on :math:`\eta_c`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from takens.algorithms import GradientDescent, Loss
    >>> loss = Loss.of(lambda w: 0.5 * 3.0 * jnp.sum(w**2), [1.0])
    >>> round(critical_sharpness(GradientDescent(loss, 0.1), [1.0], rtol=1e-6).value.value, 4)
    3.0
    """
    import jax.numpy as jnp

    system = an_optimiser(system)
    operator = curvature_of_plain(system, x)
    weights = jnp.asarray(operator.weights)
    gradient = system.loss.gradient(weights)
    if not bool(jnp.any(gradient)):
        raise InvalidInput("The gradient vanishes there: no step changes the loss.")
    here = float(system.loss(weights))
    used = 1

    def raises(rate: float) -> bool:
        nonlocal used
        used += 1
        there = float(system.loss(weights - rate * gradient))
        return not there <= here  # a loss that overflows is above

    high = float(system.learning_rate)
    low = 0.0
    while not raises(high):
        low, high = high, 2 * high
        if used >= MOST_HALVINGS:
            return _critical(system, 0.0, 2 / low, used)
    while (high - low > rtol * high or low == 0.0) and used < max_evaluations:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if raises(middle) else (middle, high)
    return _critical(system, 2 / high, 2 / low if low else np.inf, used)


def curvature_of_plain(system: AbstractOptimiser, x: Any) -> Curvature:
    """Curvature in the plain metric, whatever that of the optimiser."""
    state = np.asarray(x, float)
    if state.shape != (system.dim,) or not np.isfinite(state).all():
        raise InvalidInput(
            f"x has shape {state.shape}; expected ({system.dim},), finite: weights and buffers."
        )
    return Curvature(system.loss, system.weights(state))


def _critical(system: AbstractOptimiser, low: float, high: float, used: int) -> CriticalSharpness:
    bear = 2 / float(system.learning_rate)
    value = low if low == 0 or not np.isfinite(high) else 0.5 * (low + high)

    def estimate(scale: float) -> Estimate:
        return Estimate(
            value=value / scale, interval=(low / scale, high / scale), level=1.0, method="bracket"
        )

    return CriticalSharpness(value=estimate(1.0), ratio=estimate(bear), n_evaluations=used)
