"""A loss that PyTorch computes, asked by JAX."""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.algorithms.loss import Layout, drawn_rows, n_rows
from takens.algorithms.operators import DifferenceCurvature
from takens.core import Finding
from takens.core.errors import InvalidInput
from takens.core.system import static

if TYPE_CHECKING:
    import torch

SINGLE = 1e-2  # relative length of a difference step for gradients in single precision
DOUBLE = 1e-5
ROUNDING = 64  # times the precision: two evaluations that differ by less are the same


class TorchEngine:
    """A private copy of a torch model and its loss, evaluated at flat weights.

    Parameters
    ----------
    function : callable
        ``function(model, data)``, a scalar tensor.
    model : torch.nn.Module
        A copy that nothing else holds; its trained parameters are moved into one flat tensor.
    data : tensors, or nested containers of them
    names : list of str
        Of the parameters that are trained, sorted.

    Notes
    -----
    The graph of the last weights whose curvature was asked for stays in memory, so that further products
    there cost one backward pass.
    """

    def __init__(
        self, function: Callable[..., Any], model: Any, data: Any, names: list[str]
    ) -> None:
        import torch

        self.function, self.model, self.data, self.names = function, model, data, names
        table = dict(model.named_parameters())
        self.parameters = [table[name] for name in names]
        first = self.parameters[0]
        self.dtype, self.device = first.dtype, first.device
        self.shape = Layout.of({n: on_host(p) for n, p in zip(names, self.parameters, strict=True)})
        self.flat = torch.cat([p.detach().ravel() for p in self.parameters]).clone()
        for p, part in zip(self.parameters, self._split(self.flat), strict=True):
            p.data = part
        self.random = False
        self.differentiable = True
        self.cautions: tuple[Finding, ...] = ()
        self._lock = threading.Lock()
        self._graph: tuple[tuple[Any, ...], Any] | None = None

    @property
    def relative(self) -> float:
        """Length of a difference step, for the precision of the model."""
        import torch

        return DOUBLE if self.dtype == torch.float64 else SINGLE

    def value(self, weights: Any, rows: Any, draw: Any) -> np.ndarray:
        """The loss, shape ()."""
        import torch

        with self._lock, torch.no_grad(), self._chance(draw):
            self._place(weights)
            return np.asarray(float(self._loss(rows)), np.asarray(weights).dtype)

    def gradient(self, weights: Any, rows: Any, draw: Any) -> np.ndarray:
        """Of flat weights, shape (weight,)."""
        import torch

        weights = np.asarray(weights)
        with self._lock, torch.enable_grad():
            if self._graph is not None and _same(self._graph[0], (weights, rows, draw)):
                parts = self._graph[1]
            else:
                with self._chance(draw):
                    self._place(weights)
                    parts = torch.autograd.grad(self._loss(rows), self.parameters)
            return self._joined(parts, weights.dtype)

    def product(self, weights: Any, vector: Any, rows: Any, draw: Any) -> np.ndarray:
        """Hessian times a vector of shape (weight,)."""
        weights, vector = np.asarray(weights), np.asarray(vector)
        if not self.differentiable:
            by_differences = DifferenceCurvature(
                lambda w: self.gradient(w, rows, draw), weights, relative=self.relative
            )
            return by_differences(vector).astype(weights.dtype)
        return self._joined(self._twice(weights, vector, rows, draw), weights.dtype)

    def forget(self) -> None:
        """Frees the graph that is held."""
        with self._lock:
            self._graph = None

    def _twice(self, weights: Any, vector: Any, rows: Any, draw: Any) -> Any:
        import torch

        asked = (weights, rows, draw)
        with self._lock, torch.enable_grad():
            if self._graph is None or not _same(self._graph[0], asked):
                with self._chance(draw):
                    self._place(weights)
                    parts = torch.autograd.grad(
                        self._loss(rows), self.parameters, create_graph=True
                    )
                kept = tuple(None if a is None else np.array(a) for a in asked)
                self._graph = kept, parts
            parts = self._graph[1]
            pairs = [
                (p, v)
                for p, v in zip(parts, self._split(self._tensor(vector)), strict=True)
                if p.requires_grad
            ]
            if not pairs:  # a loss that is linear in its weights
                return [torch.zeros_like(p) for p in self.parameters]
            gradients, vectors = zip(*pairs, strict=True)
            return torch.autograd.grad(
                gradients, self.parameters, vectors, retain_graph=True,
                allow_unused=True, materialize_grads=True,
            )  # fmt: skip

    def _loss(self, rows: Any) -> torch.Tensor:
        data = self.data
        if rows is not None:
            import torch

            at = torch.from_numpy(np.array(rows, np.int64)).to(self.device)
            data = jax.tree.map(lambda a: a[at], data)
        result: torch.Tensor = self.function(self.model, data)
        return result

    def _place(self, weights: Any) -> None:
        self._graph = None  # which holds the weights that are overwritten here
        self.flat.copy_(self._tensor(weights))

    def _tensor(self, array: Any) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.array(array)).to(device=self.device, dtype=self.dtype)

    def _split(self, flat: torch.Tensor) -> list[torch.Tensor]:
        sizes = [p.numel() for p in self.parameters]
        parts = flat.split(sizes)
        return [part.view(p.shape) for part, p in zip(parts, self.parameters, strict=True)]

    def _joined(self, parts: Any, dtype: Any) -> np.ndarray:
        import torch

        flat = torch.cat([p.detach().reshape(-1) for p in parts])
        return on_host(flat).astype(dtype, copy=False)

    @contextlib.contextmanager
    def _chance(self, draw: Any) -> Iterator[None]:
        """Random numbers of the model that depend on `draw` alone; the user's stay untouched."""
        if not self.random:
            yield
            return
        import torch

        devices = [] if self.device.type == "cpu" else [self.device]
        with torch.random.fork_rng(devices):
            torch.manual_seed(0 if draw is None else int(draw))
            yield


class TorchLoss(eqx.Module):
    r"""A loss of a torch model, as a function of flat weights; see `from_torch`.

    Parameters
    ----------
    engine : TorchEngine
        The copy of the model, which does the computing.
    decay : array, shape (weight,), optional
        Of a penalty :math:`\tfrac12 \sum_i d_i w_i^2`, which weight decay in the gradient is.
    rows : array of int, optional
        Examples over which the loss is taken; all when not given.
    draw : int, optional
        Of the random numbers that the model uses, if it does.

    Notes
    -----
    Values, gradients and their forward derivatives are called for on the host and computed in the
    precision of the model. The value has derivatives of both modes, the gradient those of forward mode
    only. Many at once are computed one after another. Cost: a gradient is one forward and one backward
    pass; a product with the Hessian twice that, and one backward pass where the weights are those of
    the product before.
    """

    engine: TorchEngine = static()
    decay: Any = None
    rows: Any = None
    draw: Any = None

    @property
    def shape(self) -> Layout:
        """How flat weights lie in the model, by the names of its parameters."""
        return self.engine.shape

    @property
    def dim(self) -> int:
        """Number of weights that are trained."""
        return self.shape.dim

    @property
    def names(self) -> tuple[str, ...]:
        """One for each weight, from the names of the parameters."""
        return self.shape.names

    @property
    def cautions(self) -> tuple[Finding, ...]:
        """What was found out about the model."""
        return self.engine.cautions

    @property
    def n_examples(self) -> int:
        """Length of the first axis of the data."""
        return n_rows(self.engine.data)

    def __call__(self, weights: Any) -> Any:
        """The loss of flat weights, shape (weight,)."""
        weights = jnp.asarray(weights)
        plain = _value(self.engine, weights, self.rows, self.draw)
        return plain if self.decay is None else plain + 0.5 * jnp.sum(self.decay * weights**2)

    def gradient(self, weights: Any) -> Any:
        """Of flat weights, shape (weight,)."""
        weights = jnp.asarray(weights)
        plain = _gradient(self.engine, weights, self.rows, self.draw)
        return plain if self.decay is None else plain + self.decay * weights

    def curvature(self, weights: Any, direction: Any) -> Any:
        """Hessian times a direction."""
        return jax.jvp(self.gradient, (weights,), (direction,))[1]

    def batch(self, n: Any, seed: int, size: int) -> TorchLoss:
        """The same loss over the batch of iterate `n`, with its random numbers."""
        rows = drawn_rows(n, seed, self.n_examples, size)
        return TorchLoss(self.engine, self.decay, rows, jnp.asarray(n, int) + (seed << 20))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _value(engine: TorchEngine, weights: Any, rows: Any, draw: Any) -> Any:
    kind = jax.ShapeDtypeStruct((), weights.dtype)
    return jax.pure_callback(engine.value, kind, weights, rows, draw, vmap_method="sequential")


@_value.defjvp
def _value_jvp(engine: TorchEngine, primals: Any, tangents: Any) -> Any:
    slope = jnp.vdot(_gradient(engine, *primals), tangents[0])
    return _value(engine, *primals), slope


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _gradient(engine: TorchEngine, weights: Any, rows: Any, draw: Any) -> Any:
    kind = jax.ShapeDtypeStruct(weights.shape, weights.dtype)
    return jax.pure_callback(engine.gradient, kind, weights, rows, draw, vmap_method="sequential")


@_gradient.defjvp
def _gradient_jvp(engine: TorchEngine, primals: Any, tangents: Any) -> Any:
    weights, rows, draw = primals
    kind = jax.ShapeDtypeStruct(weights.shape, weights.dtype)
    product = jax.pure_callback(
        engine.product, kind, weights, tangents[0], rows, draw, vmap_method="sequential"
    )
    return _gradient(engine, *primals), product


def engine_of(model: Any, loss: Any, data: Any, wanted: set[str]) -> TorchEngine:
    """The engine of a copied model, after a look at what its loss does.

    Raises
    ------
    InvalidInput
        If the loss is no scalar, uses none of the parameters, or changes what it depends on.
    """
    import torch

    function = loss
    if isinstance(loss, torch.nn.Module):
        function = functools.partial(_criterion, loss)
    with torch.random.fork_rng([]):
        held = {name: b.clone() for name, b in model.named_buffers()}
        used = _used(function, model, data, wanted)
        engine = TorchEngine(function, model, data, used)
        _look(engine, held)
        return engine


def _criterion(criterion: Any, model: Any, data: Any) -> Any:
    try:
        inputs, targets = data
    except (TypeError, ValueError):
        raise InvalidInput(
            f"The loss is {type(criterion).__name__}, so that data must be (inputs, targets). Else "
            "write loss(model, data) as a function."
        ) from None
    return criterion(model(inputs), targets)


def _used(function: Any, model: Any, data: Any, wanted: set[str]) -> list[str]:
    import torch

    table = {n: p for n, p in sorted(model.named_parameters()) if n in wanted}
    with torch.enable_grad():
        result = function(model, data)
        if not (torch.is_tensor(result) and result.dim() == 0 and result.is_floating_point()):
            raise InvalidInput(
                f"The loss returns {type(result).__name__} "
                f"{tuple(result.shape) if torch.is_tensor(result) else ''}; expected one real number. "
                "Take the mean or the sum."
            )
        parts: Any = [None] * len(table)
        if result.requires_grad:
            parts = torch.autograd.grad(result, list(table.values()), allow_unused=True)
    used = [name for name, part in zip(table, parts, strict=True) if part is not None]
    if not used:
        raise InvalidInput(
            "The loss depends on no parameter that the optimiser trains. It is called as "
            "loss(model, data) with a copy of the model: use that argument, not the model outside."
        )
    return used


def _look(engine: TorchEngine, held: dict[str, Any]) -> None:
    """Finds out whether the model draws at random, changes buffers, and can be differentiated twice."""
    import torch

    weights = on_host(engine.flat)
    changed = [n for n, b in engine.model.named_buffers() if not _equal(held.get(n), b)]
    engine.random = True  # until it is known: every evaluation from a number of its own
    first = engine.gradient(weights, None, 0)
    again = engine.gradient(weights, None, 0)
    close = ROUNDING * torch.finfo(engine.dtype).eps * float(np.abs(first).max(initial=0.0))

    def same(a: np.ndarray, b: np.ndarray) -> bool:
        return bool(np.allclose(a, b, rtol=0, atol=close, equal_nan=True))

    for name, buffer in engine.model.named_buffers():
        if name in changed:
            buffer.copy_(held[name])
    restored = engine.gradient(weights, None, 0)
    if not (same(first, again) and same(first, restored)):
        where = ", ".join(changed) or "no buffer, but a state or chance outside torch"
        raise InvalidInput(
            f"The loss changes what it depends on ({where}): that is a state of its own. Call "
            "model.eval(), or write the whole step with `as_map`."
        )
    engine.random = not same(first, engine.gradient(weights, None, 1))
    cautions = []
    if changed:
        cautions.append(
            Finding(
                "running-statistics",
                f"Buffers that follow the weights and never act on this loss, {', '.join(changed)}, are "
                "no part of the state: batch statistics are those of the data given.",
                "Call model.eval() to train with the running statistics held.",
            )
        )
    try:
        engine.product(weights, np.ones_like(weights), None, 0)
    except (RuntimeError, NotImplementedError) as error:
        engine.differentiable = False
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        cautions.append(
            Finding(
                "no-second-derivative",
                f"The gradient cannot be differentiated again ({text}); products with the Hessian are "
                f"differences of gradients, with steps of {engine.relative:g} of the weights' length.",
                "For fused attention, call it under torch.nn.attention.sdpa_kernel(SDPBackend.MATH).",
            )
        )
    engine.forget()
    engine.cautions = tuple(cautions)


def private(*things: Any) -> Any:
    """Copies that share with each other what the originals share, and nothing with these."""
    try:
        return copy.deepcopy(things)
    except (RuntimeError, TypeError) as error:
        raise InvalidInput(
            f"The model, loss or optimiser cannot be copied: {error} Give them before the first step, "
            "or without tensors that hold a graph."
        ) from None


def _equal(before: Any, after: Any) -> bool:
    import torch

    return before is not None and torch.equal(before, after)


def _same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    return all(
        (x is None) == (y is None) and (x is None or np.array_equal(x, np.asarray(y)))
        for x, y in zip(a, b, strict=True)
    )


def on_host(tensor: Any) -> np.ndarray:
    """On the host, in single precision at least."""
    import torch

    tensor = tensor.detach().cpu()
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    return np.asarray(tensor.numpy())
