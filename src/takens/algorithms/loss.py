"""What is minimised, as a function of flat weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core.errors import InvalidInput
from takens.core.system import static


class Loss(eqx.Module):
    """A scalar function of weights, laid out flat, and the data that it is taken over.

    Parameters
    ----------
    function : callable
        ``function(weights, data)``, or ``function(weights)`` where there are no data; a scalar that
        JAX can differentiate.
    shape : Layout
        How flat weights become those that the function takes.
    data : arrays, or nested containers of them, optional
        They travel as arguments of every compiled program, so that changing them compiles nothing.

    Notes
    -----
    `of` makes one from weights as a model holds them. A function with sources of chance of its own,
    or with batch statistics, is another function at every call and no loss in this sense.

    Examples
    --------
    >>> loss = Loss.of(lambda w, x: jnp.sum((w["a"] * x - w["b"]) ** 2), {"a": 1.0, "b": [0.0]}, jnp.ones(3))
    >>> loss.dim, loss.names
    (2, ('a', 'b[0]'))
    >>> float(loss(jnp.array([1.0, 0.0])))
    3.0
    """

    function: Callable[..., Any] = static()
    shape: Layout = static()
    data: Any = None

    @classmethod
    def of(cls, function: Callable[..., Any], weights: Any, data: Any = None) -> Loss:
        """A loss over weights laid out like `weights`.

        Raises
        ------
        InvalidInput
            If the weights hold anything but real numbers, or the function gives no scalar.
        """
        layout = Layout.of(weights)
        arrays = None if data is None else jax.tree.map(_as_data, data)
        made = cls(function, layout, arrays)
        flat = jax.ShapeDtypeStruct((layout.dim,), float)
        result = jax.eval_shape(made, flat)
        if getattr(result, "shape", None) != () or not jnp.issubdtype(result.dtype, jnp.floating):
            raise InvalidInput(
                f"The loss returns {result}; expected one real number. Take the mean or the sum."
            )
        return made

    @property
    def dim(self) -> int:
        """Number of weights."""
        return self.shape.dim

    @property
    def names(self) -> tuple[str, ...]:
        """One for each weight, from the places in their container."""
        return self.shape.names

    def __call__(self, weights: Any) -> Any:
        """The loss of flat weights, shape (dim,)."""
        restored = self.shape.restore(weights)
        return self.function(restored) if self.data is None else self.function(restored, self.data)

    def over(self, data: Any) -> Loss:
        """The same loss of other data, such as a batch."""
        return Loss(self.function, self.shape, jax.tree.map(_as_data, data))

    @property
    def n_examples(self) -> int:
        """Length of the first axis of the data."""
        return n_rows(self.data)

    def batch(self, n: Any, seed: int, size: int) -> Loss:
        """The same loss over the batch of iterate `n`: some examples, drawn without one twice."""
        rows = drawn_rows(n, seed, self.n_examples, size)
        return Loss(self.function, self.shape, jax.tree.map(lambda a: a[rows], self.data))

    def gradient(self, weights: Any) -> Any:
        """Of flat weights, shape (dim,)."""
        return jax.grad(self)(weights)

    def curvature(self, weights: Any, direction: Any) -> Any:
        """Hessian times a direction, at the cost of about two gradients and no matrix."""
        return jax.jvp(jax.grad(self), (weights,), (direction,))[1]


class Layout(eqx.Module):
    """How nested weights lie in one flat array, in the order of their container.

    Parameters
    ----------
    structure : jax.tree_util.PyTreeDef
    shapes : tuple of tuple of int
        Of the arrays in it.
    places : tuple of str
        Where each array stands.
    """

    structure: Any = static()
    shapes: tuple[tuple[int, ...], ...] = static()
    places: tuple[str, ...] = static()

    @classmethod
    def of(cls, weights: Any) -> Layout:
        """That of `weights`."""
        if isinstance(weights, list) and all(np.ndim(w) == 0 for w in weights):
            weights = np.asarray(weights)  # a list of numbers is a vector
        leaves, structure = jax.tree_util.tree_flatten_with_path(weights, is_leaf=_is_vector)
        arrays = [np.asarray(leaf) for _, leaf in leaves]
        if not arrays or not sum(a.size for a in arrays):
            raise InvalidInput(
                "The weights hold no number. Give an array or a container of arrays."
            )
        for (path, _), array in zip(leaves, arrays, strict=True):
            if array.dtype.kind not in "fiu":
                raise InvalidInput(
                    f"The weights at {jax.tree_util.keystr(path) or 'the top'} have type {array.dtype}; "
                    "expected real numbers. Split off what is not trained."
                )
        return cls(
            structure,
            tuple(a.shape for a in arrays),
            tuple(_place(path) for path, _ in leaves),
        )

    @property
    def dim(self) -> int:
        """Number of weights."""
        return int(sum(np.prod(s, dtype=int) for s in self.shapes))

    @property
    def names(self) -> tuple[str, ...]:
        """One for each weight."""
        made: list[str] = []
        for place, shape in zip(self.places, self.shapes, strict=True):
            name = place or "w"
            made.extend(
                [name] if shape == () else [f"{name}[{i}]" for i in range(int(np.prod(shape)))]
            )
        return tuple(made)

    def flat(self, weights: Any) -> Array:
        """Nested weights as one array, in double precision unless all are single."""
        leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(weights, is_leaf=_is_vector)]
        if len(leaves) != len(self.shapes) or any(
            leaf.shape != shape for leaf, shape in zip(leaves, self.shapes, strict=True)
        ):
            raise InvalidInput(
                f"The weights have the shapes {[leaf.shape for leaf in leaves]}; expected "
                f"{list(self.shapes)}."
            )
        single = all(leaf.dtype == jnp.float32 for leaf in leaves)
        kind = jnp.float32 if single else float
        return jnp.concatenate([leaf.ravel().astype(kind) for leaf in leaves])

    def restore(self, weights: Any) -> Any:
        """Nested weights of a flat array, which keep its precision."""
        leaves, start = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape, dtype=int))
            leaves.append(weights[start : start + size].reshape(shape))
            start += size
        return jax.tree.unflatten(self.structure, leaves)


def n_rows(data: Any) -> int:
    """Length of the first axis that all data share.

    Raises
    ------
    InvalidInput
        If there are none, or they differ.
    """
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(data)]
    lengths = {int(shape[0]) if shape else 0 for shape in shapes}
    if len(lengths) != 1:
        raise InvalidInput(
            f"The data have {sorted(lengths) or 'no'} examples; expected one number for all of them."
        )
    return lengths.pop()


def drawn_rows(n: Any, seed: int, n_examples: int, size: int) -> Array:
    """Examples of the batch of iterate `n`, from the seed and `n` alone."""
    key = jax.random.fold_in(jax.random.key(seed), jnp.asarray(n, int))
    return jax.random.choice(key, n_examples, (size,), replace=False)


def _is_vector(thing: Any) -> bool:
    """Whether a list of plain numbers, which is taken for an array."""
    return (
        isinstance(thing, list)
        and bool(thing)
        and all(np.ndim(t) == 0 and np.isreal(t) for t in thing)
    )


def _as_data(array: Any) -> Any:
    values = jnp.asarray(array)
    return values.astype(float) if values.dtype == jnp.float64 else values


def _place(path: tuple[Any, ...]) -> str:
    keys = [getattr(p, "key", getattr(p, "name", getattr(p, "idx", p))) for p in path]
    return ".".join(str(k) for k in keys)
