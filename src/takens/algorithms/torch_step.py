"""Any optimiser of PyTorch through its own step, as a map on weights and buffers."""

from __future__ import annotations

import functools
import threading
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.algorithms.torch_loss import TorchLoss
from takens.core.errors import InvalidInput
from takens.core.system import AbstractMap, static

DIFFERENCE = 1e-6  # length of a difference step over the state
ALIKE = 1e-3  # relative difference of tangents that agree


class OwnStep:
    """An optimiser's own update, from flat weights, buffers and a gradient to weights and buffers.

    Parameters
    ----------
    optimiser : torch.optim.Optimizer
        A copy that nothing else holds, begun: its state exists.
    parameters : list of tensor
        Of the optimiser, in the order of the flat weights.
    gradients : list of tensor
        From which two trial steps are made, to tell counters from buffers.
    names : list of str

    Raises
    ------
    InvalidInput
        If the optimiser wants the loss instead of a gradient, draws at random, or keeps a state that
        is neither tensors nor counters.

    Notes
    -----
    Works in double precision on tensors of its own, the model stays out. Tangents are those of forward
    differentiation through the update, exact to rounding, but along single numbers, such as the products
    of a schedule, which are differences; all are where an optimiser reads numbers off its tensors.
    """

    def __init__(self, optimiser: Any, parameters: list[Any], gradients: list[Any]) -> None:
        self.optimiser, self._lock = optimiser, threading.Lock()
        self.groups = [
            [next(i for i, q in enumerate(parameters) if q is p) for p in g["params"]
             if any(q is p for q in parameters)]
            for g in optimiser.param_groups
        ]  # fmt: skip
        self.state = [_double(optimiser.state.get(p, {})) for p in parameters]
        self.shapes = [tuple(p.shape) for p in parameters]
        self.sizes = [p.numel() for p in parameters]
        weights = [p.detach().double().cpu() for p in parameters]
        slopes = [g.detach().double().cpu() for g in gradients]
        one = self._update(weights, self.state, slopes)
        two = self._update(*one, slopes)
        if not _alike(one[1], self._update(weights, self.state, slopes)[1]):
            raise InvalidInput(
                "The optimiser draws at random. Write the step with `as_map` instead."
            )
        self.kinds = [
            {key: _kind(key, old, a[key], b[key]) for key, old in held.items()}
            for held, a, b in zip(self.state, one[1], two[1], strict=True)
        ]
        self.buffers = [
            (i, key) for i, kinds in enumerate(self.kinds) for key, kind in kinds.items()
            if kind == "buffer"
        ]  # fmt: skip
        self.scalars = [(i, key) for i, key in self.buffers if not self.state[i][key].dim()]
        self.exact = self._is_exact(self._joined(weights, self.state), slopes)

    def names(self, places: tuple[str, ...]) -> tuple[str, ...]:
        """One for every entry of the buffers, from the places of the parameters."""
        made: list[str] = []
        for i, key in self.buffers:
            size = self.state[i][key].numel()
            made.extend(f"{key}[{places[i]}[{k}]]" for k in range(size))
        return tuple(made)

    def start(self) -> np.ndarray:
        """The buffers as they are, flat."""
        flat = [self.state[i][key].numpy().ravel() for i, key in self.buffers]
        return np.concatenate([*flat, np.empty(0)])

    def __call__(self, n: Any, x: Any, gradient: Any) -> np.ndarray:
        """The state after an update, shape (dim,)."""
        weights, state = self._laid_out(np.asarray(x, float), int(n))
        slopes = self._parts(np.asarray(gradient, float))
        moved, state = self._update(weights, state, slopes)
        return self._joined(moved, state)

    def tangent(self, n: Any, x: Any, gradient: Any, dx: Any, dgradient: Any) -> np.ndarray:
        """Derivative of the update along a direction of state and gradient."""
        x, dx, gradient, dgradient = (np.asarray(a, float) for a in (x, dx, gradient, dgradient))
        if not self.exact:
            return self._difference(n, x, gradient, dx, dgradient)
        made = self._dual(n, x, gradient, dx, dgradient)
        if self.scalars:  # which an optimiser reads as plain numbers, past any differentiation
            alone = np.zeros_like(dx)
            alone[self._is_scalar] = dx[self._is_scalar]
            made += self._difference(n, x, gradient, alone, np.zeros_like(gradient))
        return made

    def _dual(self, n: Any, x: Any, gradient: Any, dx: Any, dgradient: Any) -> np.ndarray:
        """By forward differentiation, along all but the scalars."""
        import torch
        import torch.autograd.forward_ad as forward

        weights, state = self._laid_out(x, int(n))
        along, beside = self._laid_out(dx, int(n))
        slopes, turned = self._parts(gradient), self._parts(dgradient)
        arrays = set(self.buffers) - set(self.scalars)
        with forward.dual_level():
            weights = [forward.make_dual(w, d) for w, d in zip(weights, along, strict=True)]
            slopes = [forward.make_dual(g, d) for g, d in zip(slopes, turned, strict=True)]
            for i, key in arrays:
                state[i][key] = forward.make_dual(state[i][key], beside[i][key])
            moved, state = self._update(weights, state, slopes)

            def part(value: Any) -> Any:
                tangent = forward.unpack_dual(value).tangent
                return torch.zeros_like(value) if tangent is None else tangent

            moved = [part(w) for w in moved]
            for i, key in self.buffers:
                state[i][key] = part(state[i][key])
        return self._joined(moved, state)

    def _difference(self, n: Any, x: Any, gradient: Any, dx: Any, dgradient: Any) -> np.ndarray:
        """By a central difference."""
        length = float(np.hypot(np.linalg.norm(dx), np.linalg.norm(dgradient)))
        if length == 0:
            return np.zeros_like(x)
        h = DIFFERENCE * max(float(np.abs(x[np.abs(dx) > 0]).max(initial=0.0)), 1e-3) / length
        up = self(n, x + h * dx, gradient + h * dgradient)
        return np.asarray((up - self(n, x - h * dx, gradient - h * dgradient)) / (2 * h))

    def _is_exact(self, x: np.ndarray, slopes: list[Any]) -> bool:
        """Whether forward differentiation sees all of the update."""
        slope = np.concatenate([g.numpy().ravel() for g in slopes])
        asked = 0, x, slope, np.where(self._is_scalar, 0.0, x), slope
        with warnings.catch_warnings():  # torch warns of itself where forward mode is first used
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                made = self._dual(*asked)
            except NotImplementedError:  # of the loop over parameters: all at once do better
                for group in self.optimiser.param_groups:
                    group["foreach"] = True
                try:
                    made = self._dual(*asked)
                except (NotImplementedError, RuntimeError):
                    return False
            except RuntimeError:
                return False
        error = np.linalg.norm(made - self._difference(*asked))
        return bool(error <= ALIKE * np.linalg.norm(made))

    @functools.cached_property
    def _is_scalar(self) -> np.ndarray:
        sizes = [self.state[i][key].numel() for i, key in self.buffers]
        flags = [where in self.scalars for where in self.buffers]
        return np.concatenate(
            [np.zeros(sum(self.sizes), bool), np.repeat(flags, sizes).astype(bool)]
        )

    def _update(self, weights: Any, state: Any, slopes: Any) -> tuple[list[Any], list[Any]]:
        """One step of the optimiser on fresh tensors."""
        with self._lock:
            return self._stepped(weights, state, slopes)

    def _stepped(self, weights: Any, state: Any, slopes: Any) -> tuple[list[Any], list[Any]]:
        import torch

        tool = self.optimiser
        held = [g["params"] for g in tool.param_groups], tool.state
        fresh = [w.clone() for w in weights]
        for w, g in zip(fresh, slopes, strict=True):
            w.grad = g.clone()
        try:
            tool.state = type(tool.state)(dict)
            for w, kept in zip(fresh, state, strict=True):
                tool.state[w] = {k: v.clone() if torch.is_tensor(v) else v for k, v in kept.items()}
            for group, members in zip(tool.param_groups, self.groups, strict=True):
                group["params"] = [fresh[i] for i in members]
            type(tool).step(tool)
            return fresh, [dict(tool.state[w]) for w in fresh]
        except TypeError as error:
            raise InvalidInput(
                f"{type(tool).__name__} cannot take a step from a gradient alone: {error} Write the "
                "step with `as_map`."
            ) from None
        finally:
            tool.state = held[1]
            for group, params in zip(tool.param_groups, held[0], strict=True):
                group["params"] = params

    def _laid_out(self, x: np.ndarray, n: int) -> tuple[list[Any], list[Any]]:
        import torch

        flat = torch.from_numpy(np.array(x))
        n_weights = sum(self.sizes)
        weights = self._parts(x[:n_weights])
        state = [dict(held) for held in self.state]
        at = n_weights
        for i, key in self.buffers:
            like = self.state[i][key]
            state[i][key] = flat[at : at + like.numel()].reshape(like.shape)
            at += like.numel()
        for i, kinds in enumerate(self.kinds):
            for key, kind in kinds.items():
                if kind == "counter":
                    state[i][key] = self.state[i][key] + n
        return weights, state

    def _parts(self, flat: np.ndarray) -> list[Any]:
        import torch

        parts = torch.from_numpy(np.array(flat)).split(self.sizes)
        return [p.reshape(shape) for p, shape in zip(parts, self.shapes, strict=True)]

    def _joined(self, weights: list[Any], state: list[Any]) -> np.ndarray:
        flat = [w.detach().numpy().ravel() for w in weights]
        flat += [state[i][key].detach().numpy().ravel() for i, key in self.buffers]
        return np.concatenate(flat)


class TorchStep(AbstractMap):
    """A training step of any torch optimiser, through its own update; see `from_torch`.

    Parameters
    ----------
    loss : TorchLoss
    update : OwnStep
        The optimiser's copy.
    batch : int
        Examples drawn at every iterate; zero for all of them.
    seed : int

    Notes
    -----
    Its curvature can be asked for, `Curvature(system.loss, system.weights(x))`, but no threshold is
    known for it. Cost: a gradient and the optimiser's step; as much again for a tangent.
    """

    loss: TorchLoss
    update: Any = static()
    batch: int = static(0)
    seed: int = static(0)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the weights, then those of the buffers by parameter."""
        return self.loss.names + tuple(self.update.names(self.loss.shape.places))

    @property
    def dim(self) -> int:
        """Number of state components."""
        return int(self.loss.dim) + int(self.update.start().size)

    def weights(self, x: Any) -> Any:
        """The flat weights in a state."""
        return x[..., : self.loss.dim]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """One update; what the optimiser counts is the iterate."""
        loss = self.loss.batch(n, self.seed, self.batch) if self.batch else self.loss
        x = jnp.asarray(x)
        return _updated(self.update, jnp.asarray(n, int), x, loss.gradient(self.weights(x)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _updated(update: OwnStep, n: Any, x: Any, gradient: Any) -> Array:
    kind = jax.ShapeDtypeStruct(x.shape, np.float64)
    made = jax.pure_callback(update, kind, n, x, gradient, vmap_method="sequential")
    return made.astype(x.dtype)


@_updated.defjvp
def _updated_jvp(update: OwnStep, primals: Any, tangents: Any) -> Any:
    n, x, gradient = primals
    kind = jax.ShapeDtypeStruct(x.shape, np.float64)
    along = jax.pure_callback(
        update.tangent, kind, n, x, gradient, tangents[1], tangents[2], vmap_method="sequential"
    )
    return _updated(update, *primals), along.astype(x.dtype)


def _double(held: dict[str, Any]) -> dict[str, Any]:
    import torch

    return {
        key: (v.detach().cpu().double() if v.is_floating_point() else v.detach().cpu().clone())
        if torch.is_tensor(v)
        else v
        for key, v in held.items()
    }


def _kind(key: str, old: Any, one: Any, two: Any) -> str:
    """Whether an entry of the state is a buffer, counts the steps, or rests."""
    import torch

    if torch.is_tensor(old):
        by_one = torch.equal(one, old + 1) and torch.equal(two, old + 2)
        if by_one:
            return "counter"
        if old.is_floating_point() and torch.is_tensor(two) and two.shape == old.shape:
            return "buffer"
        if torch.is_tensor(two) and torch.equal(old, one) and torch.equal(one, two):
            return "constant"
    elif isinstance(old, (int, float)) and not isinstance(old, bool):
        if one == old + 1 and two == old + 2:
            return "counter"
        if one == old and two == old:
            return "constant"
    elif old is None and one is None and two is None:
        return "constant"
    raise InvalidInput(
        f"The optimiser keeps {key!r}, which goes from {old!r} to {one!r}: neither numbers that a map "
        "can hold nor a counter. Write the step with `as_map`."
    )


def _alike(a: list[Any], b: list[Any]) -> bool:
    import torch

    return all(
        torch.equal(v, y[k]) if torch.is_tensor(v) else v == y[k]
        for x, y in zip(a, b, strict=True)
        for k, v in x.items()
    )
