"""Optimisers of other libraries as systems."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.algorithms.loss import Layout, Loss
from takens.core.errors import InvalidInput, MissingDependency, WrongKind
from takens.core.system import AbstractMap, parameter, static

if TYPE_CHECKING:
    from takens.algorithms.optimisers import AbstractOptimiser


class OptaxMap(AbstractMap):
    """A training step of an optax optimiser, as a map on weights and buffers; see `from_optax`.

    Parameters
    ----------
    loss : Loss
    optimiser : optax.GradientTransformation, or a function of the learning rate that makes one
    buffers : Layout
        Of the floating-point arrays in the optimiser's state.
    whole : tuple
        The structure of that state, and for every leaf whether it is a buffer, a counter or constant.
    learning_rate : float
        NaN where the optimiser keeps its own.
    recipe : bool
        Whether `optimiser` waits for the learning rate.
    """

    loss: Loss
    optimiser: Any = static()
    buffers: Layout = static()
    whole: Any = static()
    learning_rate: Array = parameter(np.nan)
    recipe: bool = static(False)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the weights, then those of the buffers by their place in the optimiser's state."""
        return self.loss.names + self.buffers.names

    @property
    def dim(self) -> int:
        """Number of state components."""
        return self.loss.dim + self.buffers.dim

    def weights(self, x: Any) -> Any:
        """The flat weights in a state."""
        return x[..., : self.loss.dim]

    def as_optimiser(self) -> AbstractOptimiser:
        """The rule of this package that takes the same steps, on the same state.

        Raises
        ------
        WrongKind
            If there is none.
        """
        from takens.algorithms.recognition import recognised

        rule = recognised(self)
        if rule is None:
            raise WrongKind(
                "This optimiser takes the steps of none whose threshold is known: gradient descent, "
                "momentum, RMSProp, Adam and AdamW at a constant rate. Name the one that is nearest, "
                "such as sharpness(Adam(system.loss, rate), x), if its buffers lie alike."
            )
        return rule

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """One update; what the optimiser counts is the iterate."""
        made = self.optimiser(self.learning_rate) if self.recipe else self.optimiser
        weights = self.loss.shape.restore(x[: self.loss.dim])
        state = self._state(n, x[self.loss.dim :])
        gradient = self.loss.shape.restore(self.loss.gradient(x[: self.loss.dim]))
        change, state = made.update(gradient, state, weights)
        moved = self.loss.shape.flat(jax.tree.map(lambda w, c: w + c, weights, change))
        kept = [leaf for leaf, kind in zip(jax.tree.leaves(state), self.whole[1], strict=True)
                if kind == "buffer"]  # fmt: skip
        flat = [jnp.asarray(leaf).ravel().astype(moved.dtype) for leaf in kept]
        return jnp.concatenate([moved, *flat])

    def _state(self, n: Any, flat: Any) -> Any:
        structure, kinds, constants = self.whole
        floats = iter(self.buffers.restore(flat) if self.buffers.shapes else ())
        leaves = []
        for kind, constant in zip(kinds, constants, strict=True):
            if kind == "buffer":
                leaves.append(next(floats))
            else:
                value, shape, dtype = constant
                start = jnp.asarray(value, dtype).reshape(shape)
                leaves.append(start + jnp.asarray(n).astype(dtype) if kind == "counter" else start)
        return jax.tree.unflatten(structure, leaves)


def from_optax(
    loss: Callable[..., Any],
    optimiser: Any,
    params: Any,
    *,
    batch: Any = None,
    learning_rate: float | None = None,
) -> tuple[OptaxMap, Array]:
    """A training step of an optax optimiser as a map, with its start.

    Parameters
    ----------
    loss : callable
        ``loss(params, batch)``, or ``loss(params)`` without a batch.
    optimiser : optax.GradientTransformation, or callable
        Or a function that makes one from a learning rate, such as ``optax.adam``, if `learning_rate`
        is given; that rate is then a parameter of the map, which can be scanned.
    params : arrays, or nested containers of them
        Weights at the start.
    batch : arrays, optional
        The data of the loss: all of them, or one batch that is used at every step.
    learning_rate : float, optional

    Returns
    -------
    system : OptaxMap
        To which all of `takens.dynamics` applies.
    x0 : array, shape (dim,)
        Weights, and the buffers as the optimiser starts them.

    Raises
    ------
    InvalidInput
        If the weights hold anything but real numbers, or the optimiser keeps integers that neither
        rest nor count, such as the key of a random generator.

    Notes
    -----
    Counters in the optimiser's state are no part of the map's state: they follow from the iterate, on
    which the map then depends. Cost: that of the step.

    Examples
    --------
    >>> import optax
    >>> system, x0 = from_optax(lambda w: 0.5 * jnp.sum(w**2), optax.sgd, jnp.ones(2), learning_rate=0.5)
    >>> system.step(0, x0).tolist()
    [0.5, 0.5]
    """
    try:
        import optax
    except ImportError:
        raise MissingDependency(
            "optax is needed for its optimisers. Install it: pip install 'takens[optax]'."
        ) from None
    recipe = learning_rate is not None
    made = optimiser(learning_rate) if recipe else optimiser
    if not isinstance(made, optax.GradientTransformation):
        raise InvalidInput(
            f"optimiser = {made!r}; expected an optax optimiser, or a function of a learning rate "
            "that makes one, with `learning_rate` given."
        )
    objective = Loss.of(loss, params, batch)
    flat = objective.shape.flat(params)
    weights = objective.shape.restore(flat)
    before = made.init(weights)
    after = made.update(jax.tree.map(jnp.zeros_like, weights), before, weights)[1]
    leaves, structure = jax.tree.flatten(before)
    if str(jax.tree.structure(after)) != str(structure):
        raise InvalidInput("The optimiser changes the structure of its state from step to step.")
    kinds: list[str] = []
    constants: list[Any] = []
    floats: list[np.ndarray] = []
    for old, new in zip(leaves, jax.tree.leaves(after), strict=True):
        if jnp.issubdtype(jnp.asarray(old).dtype, jnp.floating):
            kinds.append("buffer")
            constants.append(None)
            floats.append(np.asarray(old))
        else:
            kind, constant = _counted(old, new)
            kinds.append(kind)
            constants.append(constant)
    layout = Layout.of(floats) if floats else Layout(None, (), ())
    buffers = layout.flat(floats).astype(flat.dtype) if floats else jnp.zeros(0, flat.dtype)
    system = OptaxMap(
        loss=objective, optimiser=optimiser, buffers=layout,
        whole=(structure, tuple(kinds), tuple(constants)),
        learning_rate=learning_rate if recipe else np.nan, recipe=recipe,
    )  # fmt: skip
    return system, jnp.concatenate([flat, buffers])


def _counted(old: Any, new: Any) -> tuple[str, Any]:
    """Whether an integer of an optimiser rests or counts, and where it begins."""
    if jnp.issubdtype(jnp.asarray(old).dtype, jax.dtypes.prng_key):
        raise InvalidInput("The optimiser draws at random. Write the step with `as_map` instead.")
    array = np.asarray(old)
    moved = np.asarray(new).astype(np.int64) - array.astype(np.int64)
    if np.any(moved) and not np.all(moved == 1):
        raise InvalidInput(
            f"The optimiser keeps integers that neither rest nor count: {old} becomes {new}. "
            "Write the step with `as_map`."
        )
    kind = "counter" if array.size and np.all(moved == 1) else "constant"
    return kind, (tuple(array.ravel().tolist()), array.shape, str(array.dtype))
