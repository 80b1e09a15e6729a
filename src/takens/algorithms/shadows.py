"""Random projections of weights that lie in many arrays, at a cost that a training step does not feel."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from takens.core import InvalidInput

WHOLE = 16_384  # weights in all up to which every one is taken
SMALL = 1_024  # length of an array that is taken whole in any model
RUN, STRETCH = (
    16,
    208,
)  # of a longer one, so many neighbours in every such stretch
STREAM = 7_483_241  # keeps the factors apart from weights that begin with draws of the same seed
DEEP, AT_ONCE = 16, 2**18  # rows that wait at most, and weights of the sample in all of them
WIDE = 32  # rows of sums that are added as vectors


class Shadow:
    """Sums that will be there when all that wait are settled."""

    __slots__ = ("value",)
    value: np.ndarray


class Projector:
    """Sums of every n-th weight of a sample, each with a random factor.

    Parameters
    ----------
    weights : arrays, or containers of them
        As at every call.
    n : int
        Number of sums.
    seed : int
        Of the factors, and of where runs begin.

    Notes
    -----
    Factors are normal, because signs cancel too often where many weights change alike. The stretch is 13
    runs long, so that runs wander over the columns of matrices whose rows are no multiple of it. Factors
    carry the root of 13 where one run stands for 13, which keeps squared distances right on average.
    Memory: a factor for each weight of the sample, and places for up to 16 samples of a small model.
    """

    def __init__(self, weights: Any, n: int, seed: int) -> None:
        rng = np.random.default_rng([seed, STREAM])
        leaves = list(arrays(weights))
        self.sizes = [_size(leaf) for leaf in leaves]
        sparse = sum(self.sizes) > WHOLE
        self._starts = [
            int(rng.integers(STRETCH // RUN)) * RUN if sparse and size > SMALL else -1
            for size in self.sizes
        ]
        self._known: list[tuple[Any, Any]] = []
        self._plain: list[np.ndarray] = []
        self._runs: list[np.ndarray] = []
        self._take(leaves)
        kind = np.result_type(np.float32, *self._plain, *self._runs)
        n_plain = sum(part.size for part in self._plain)
        n_all = n_plain + sum(part.size for part in self._runs)
        width = n * (WIDE if n_all >= WIDE * n else 1)
        size = max(-(-n_all // width), 1) * width
        self._factors = rng.standard_normal(size).astype(kind)
        self._factors[n_plain:] *= (STRETCH / RUN) ** 0.5
        self._held = np.zeros((max(min(DEEP, AT_ONCE // size), 1), size), kind)
        self._heads = [row[:n_plain] for row in self._held]
        self._tails = [row[n_plain:n_all].reshape(-1, RUN) for row in self._held]
        self._waiting: list[Shadow] = []
        self._n, self._width = n, width
        self._compiled = None
        if leaves and all(is_jax(leaf) and not on_cpu(leaf) for leaf in leaves):
            self._compiled = self._on_device()

    def __call__(self, weights: Any) -> Any:
        """The sums, shape (n,), as an array of JAX or a `Shadow`, that may still be on its way.

        Raises
        ------
        InvalidInput
            If the weights are not those of the beginning.
        """
        if self._compiled is not None:
            return self._compiled(weights)
        made = Shadow()
        if not self._unmoved(weights):
            self._take(list(arrays(weights)))
        row = len(self._waiting)
        if self._plain:
            np.concatenate(self._plain, out=self._heads[row], casting="same_kind")
        if self._runs:
            np.concatenate(self._runs, out=self._tails[row], casting="same_kind")
        if not self._known:  # a view would keep an array of JAX from being donated
            self._plain, self._runs = [], []
        self._waiting.append(made)
        if len(self._waiting) == len(self._held):
            self.settle()
        return made

    def settle(self) -> None:
        """Sums what is waiting: many rows at once, because one alone finds all caches cold."""
        count = len(self._waiting)
        if not count:
            return
        scaled = (self._held[:count] * self._factors).reshape(count, -1, self._width)
        columns = scaled.sum(axis=1, dtype=float).reshape(count, -1, self._n)
        for made, value in zip(self._waiting, columns.sum(axis=1), strict=True):
            made.value = value
        self._waiting = []

    def _check(self, leaves: list[Any]) -> None:
        sizes = [_size(leaf) for leaf in leaves]
        if sizes != self.sizes:
            raise InvalidInput(
                f"The weights have sizes {sizes}; at the first call they had {self.sizes}. Record one "
                "model with one recorder."
            )

    def _on_device(self) -> Any:
        """The same sums as a compiled function of JAX arrays, which waits for nothing."""
        import jax
        import jax.numpy as jnp

        def sums(weights: Any, factors: Any) -> Any:
            leaves = jax.tree.leaves(weights)
            self._check(leaves)  # whenever it is compiled for a new layout
            parts = [self._cut(i, leaf.reshape(-1)) for i, leaf in enumerate(leaves)]
            plain = [p.ravel() for p, at in zip(parts, self._starts, strict=True) if at < 0]
            runs = [p.ravel() for p, at in zip(parts, self._starts, strict=True) if at >= 0]
            flat = jnp.concatenate([*plain, *runs])
            flat = jnp.pad(flat, (0, len(factors) - len(flat)))
            columns = (flat * factors).reshape(-1, self._width).sum(axis=0)
            return columns.reshape(-1, self._n).sum(axis=0)

        return functools.partial(jax.jit(sums), factors=jnp.asarray(self._factors))

    def _unmoved(self, weights: Any) -> bool:
        """Whether these are the tensors of the last call, in a list, where they were then."""
        if type(weights) is not list or len(weights) != len(self._known):
            return False
        for leaf, (known, where) in zip(weights, self._known, strict=True):
            if leaf is not known or leaf.data_ptr() != where:
                return False
        return True

    def _take(self, leaves: list[Any]) -> None:
        """What is taken of each array, as views where they can be."""
        self._check(leaves)
        self._known, self._plain, self._runs = [], [], []
        for i, leaf in enumerate(leaves):
            part = self._part(i, leaf)
            (self._plain if self._starts[i] < 0 else self._runs).append(part)

    def _part(self, i: int, leaf: Any) -> np.ndarray:
        """What is taken of an array: flat, or runs by row."""
        detach = getattr(leaf, "detach", None)
        if detach is None:
            return self._cut(i, np.asarray(leaf).reshape(-1))
        tensor = detach()
        if not tensor.is_cpu:  # the rest stays on the device
            return on_host(self._cut(i, tensor.reshape(-1)))
        flat = on_host(tensor).reshape(-1)
        if i == len(self._known) and flat.ctypes.data == leaf.data_ptr():
            self._known.append((leaf, leaf.data_ptr()))
        return self._cut(i, flat)

    def _cut(self, i: int, flat: Any) -> Any:
        start = self._starts[i]
        if start < 0:
            return flat
        n_rows = self.sizes[i] // STRETCH
        return flat[: n_rows * STRETCH].reshape(n_rows, STRETCH)[:, start : start + RUN]


def is_jax(leaf: Any) -> bool:
    """Whether an array of JAX, which need not be imported to know."""
    return type(leaf).__module__.partition(".")[0] in ("jax", "jaxlib")


def on_cpu(leaf: Any) -> bool:
    """Whether an array of JAX lies where NumPy can read it."""
    return all(device.platform == "cpu" for device in leaf.devices())


def later(value: Any) -> Any:
    """A number, or what becomes one without waiting for a device now."""
    if is_jax(value):
        return value
    if getattr(value, "is_cpu", True):
        item = getattr(value, "item", None)
        return float(value if item is None else item())
    return value.detach().clone()


def on_host(leaf: Any) -> np.ndarray:
    """An array of any library as NumPy's."""
    detach = getattr(leaf, "detach", None)
    if detach is not None:  # a torch tensor
        leaf = detach().cpu()
        leaf = leaf.numpy() if leaf.element_size() > 2 else leaf.float().numpy()
    return np.asarray(leaf)


def arrays(weights: Any) -> Iterable[Any]:
    """Those in nested containers, in the order of these; of mappings, in that of their keys."""
    if isinstance(weights, Mapping):
        for key in sorted(weights, key=str):  # as JAX gives them back
            yield from arrays(weights[key])
    elif isinstance(weights, (list, tuple)) or (
        getattr(weights, "shape", None) is None and isinstance(weights, Iterable)
    ):
        for part in weights:
            if getattr(part, "shape", None) is None:
                yield from arrays(part)
            else:
                yield part
    elif weights is not None:
        yield weights


def _size(leaf: Any) -> int:
    return math.prod(np.shape(leaf) if isinstance(leaf, (int, float)) else leaf.shape)
