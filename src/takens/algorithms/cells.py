"""What a recurrent network does to its state for one input: the cells."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from takens.algorithms.loss import Layout
from takens.core.errors import InvalidInput
from takens.core.system import parameter, static


class AbstractCell(eqx.Module):
    """One step of a recurrent network, from a flat state and an input."""

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """Of the state components."""

    @property
    @abc.abstractmethod
    def n_inputs(self) -> int:
        """Number of inputs that it takes."""

    @abc.abstractmethod
    def advance(self, h: Any, u: Any) -> Any:
        """The next state, (dim,), for an input of shape (input,)."""

    @abc.abstractmethod
    def output(self, h: Any) -> Any:
        """What a layer above is given of a state."""


class ElmanCell(AbstractCell):
    r"""The plain network, :math:`h' = \phi(W h + B u + b)`.

    Parameters
    ----------
    recurrent : array, shape (unit, unit)
        The matrix W.
    incoming : array, shape (unit, input)
        The matrix B; no columns where there is no input.
    bias : array, shape (unit,)
    activation : callable
        The function :math:`\phi` of one number, in JAX; ``jnp.tanh`` or ``jax.nn.relu``.

    References
    ----------
    Elman, Cognitive Science 14, 179 (1990).

    Examples
    --------
    >>> ElmanCell(jnp.eye(2), jnp.zeros((2, 0)), jnp.zeros(2)).advance(jnp.zeros(2), jnp.zeros(0))
    Array([0., 0.], dtype=float64)
    """

    recurrent: Array = parameter()
    incoming: Array = parameter()
    bias: Array = parameter()
    activation: Callable[[Any], Any] = static(jnp.tanh)

    def __check_init__(self) -> None:
        units = _units(self.recurrent, 1)
        _fits(self.incoming, (units, None), "incoming")
        _fits(self.bias, (units,), "bias")

    @property
    def names(self) -> tuple[str, ...]:
        """``h0`` and so on."""
        return _numbered("h", self.recurrent.shape[1])

    @property
    def n_inputs(self) -> int:
        """Columns of `incoming`."""
        return int(self.incoming.shape[1])

    def advance(self, h: Any, u: Any) -> Any:
        """One step."""
        return self.activation(self.recurrent @ h + self.incoming @ u + self.bias)

    def output(self, h: Any) -> Any:
        """The state."""
        return h


class GRUCell(AbstractCell):
    r"""The gated recurrent unit, as PyTorch, Keras (``reset_after``) and equinox write it.

    .. math:: r, z = \sigma(W_{r,z} h + B_{r,z} u + b_{r,z}),\quad
              m = \tanh\big(B_m u + b_m + r (W_m h + c_m)\big),\quad h' = (1 - z) m + z h

    Parameters
    ----------
    recurrent : array, shape (3 unit, unit)
        Rows for r, z and m, in this order, as in all that follows.
    incoming : array, shape (3 unit, input)
    bias, recurrent_bias : array, shape (3 unit,)
        The second stands inside the bracket of the reset gate.

    References
    ----------
    Cho et al., Proc. EMNLP, 1724 (2014), with the reset after the matrix.

    Examples
    --------
    >>> cell = GRUCell(jnp.zeros((3, 1)), jnp.zeros((3, 0)), jnp.zeros(3), jnp.zeros(3))
    >>> cell.advance(jnp.ones(1), jnp.zeros(0)).tolist()
    [0.5]
    """

    recurrent: Array = parameter()
    incoming: Array = parameter()
    bias: Array = parameter()
    recurrent_bias: Array = parameter()

    def __check_init__(self) -> None:
        units = _units(self.recurrent, 3)
        _fits(self.incoming, (3 * units, None), "incoming")
        _fits(self.bias, (3 * units,), "bias")
        _fits(self.recurrent_bias, (3 * units,), "recurrent_bias")

    @property
    def names(self) -> tuple[str, ...]:
        """``h0`` and so on."""
        return _numbered("h", self.recurrent.shape[1])

    @property
    def n_inputs(self) -> int:
        """Columns of `incoming`."""
        return int(self.incoming.shape[1])

    def advance(self, h: Any, u: Any) -> Any:
        """One step."""
        own = jnp.split(self.recurrent @ h + self.recurrent_bias, 3)
        given = jnp.split(self.incoming @ u + self.bias, 3)
        r, z = (jax.nn.sigmoid(own[i] + given[i]) for i in (0, 1))
        m = jnp.tanh(given[2] + r * own[2])
        return (1 - z) * m + z * h

    def output(self, h: Any) -> Any:
        """The state."""
        return h


class LSTMCell(AbstractCell):
    r"""Long short-term memory; the state is (h, c).

    .. math:: i, f, o = \sigma(\cdot),\quad g = \tanh(\cdot),\quad c' = f c + i g,\quad
              h' = o \tanh c'

    of :math:`W h + B u + b`.

    Parameters
    ----------
    recurrent : array, shape (4 unit, unit)
        Rows for i, f, g and o, in this order, as in all that follows.
    incoming : array, shape (4 unit, input)
    bias : array, shape (4 unit,)

    References
    ----------
    Hochreiter and Schmidhuber, Neural Computation 9, 1735 (1997), with the forget gate of Gers,
    Schmidhuber and Cummins, Neural Computation 12, 2451 (2000).

    Examples
    --------
    >>> cell = LSTMCell(jnp.zeros((4, 1)), jnp.zeros((4, 0)), jnp.zeros(4))
    >>> cell.advance(jnp.array([0.0, 1.0]), jnp.zeros(0))[1].tolist()
    0.5
    """

    recurrent: Array = parameter()
    incoming: Array = parameter()
    bias: Array = parameter()

    def __check_init__(self) -> None:
        units = _units(self.recurrent, 4)
        _fits(self.incoming, (4 * units, None), "incoming")
        _fits(self.bias, (4 * units,), "bias")

    @property
    def names(self) -> tuple[str, ...]:
        """``h0`` and so on, then ``c0`` and so on."""
        units = self.recurrent.shape[1]
        return _numbered("h", units) + _numbered("c", units)

    @property
    def n_inputs(self) -> int:
        """Columns of `incoming`."""
        return int(self.incoming.shape[1])

    def advance(self, h: Any, u: Any) -> Any:
        """One step."""
        shown, held = jnp.split(h, 2)
        i, f, g, o = jnp.split(self.recurrent @ shown + self.incoming @ u + self.bias, 4)
        held = jax.nn.sigmoid(f) * held + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jnp.concatenate([jax.nn.sigmoid(o) * jnp.tanh(held), held])

    def output(self, h: Any) -> Any:
        """The first half, h."""
        return h[..., : self.recurrent.shape[1]]


class StackedCells(AbstractCell):
    """Layers, each of which takes the new output of the one below.

    Parameters
    ----------
    cells : tuple of AbstractCell
        From the input upwards.

    Examples
    --------
    >>> one = ElmanCell(jnp.zeros((2, 2)), jnp.ones((2, 2)), jnp.zeros(2))
    >>> StackedCells((one, one)).names[2:]
    ('layer1.h0', 'layer1.h1')
    """

    cells: tuple[AbstractCell, ...]

    def __check_init__(self) -> None:
        if not self.cells:
            raise InvalidInput("There are no layers. Give at least one cell.")
        for below, above in zip(self.cells, self.cells[1:], strict=False):
            given = below.output(jnp.zeros(len(below.names))).shape[0]
            if above.n_inputs != given:
                raise InvalidInput(
                    f"A layer takes {above.n_inputs} inputs; the one below it gives {given}."
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Layer by layer."""
        return tuple(f"layer{k}.{name}" for k, cell in enumerate(self.cells) for name in cell.names)

    @property
    def n_inputs(self) -> int:
        """Those of the first layer."""
        return self.cells[0].n_inputs

    def advance(self, h: Any, u: Any) -> Any:
        """All layers, upwards."""
        made, start = [], 0
        for cell in self.cells:
            size = len(cell.names)
            made.append(cell.advance(h[start : start + size], u))
            u = cell.output(made[-1])
            start += size
        return jnp.concatenate(made)

    def output(self, h: Any) -> Any:
        """That of the last layer."""
        last = self.cells[-1]
        return last.output(h[..., -len(last.names) :])


class WrittenCell(AbstractCell):
    """Any function of state and input, written in JAX; see `rnn_system`.

    Parameters
    ----------
    function : callable
        ``function(h, u)``, or ``function(h, u, weights)`` where there are weights.
    layout : Layout
        Of the state h.
    inputs : int
        Number of inputs.
    weights : arrays, or nested containers of them, optional
        They travel as arguments of every compiled program.

    Examples
    --------
    >>> WrittenCell(lambda h, u: h / 2 + u, Layout.of([1.0]), 1).advance(jnp.ones(1), jnp.ones(1))
    Array([1.5], dtype=float64)
    """

    function: Callable[..., Any] = static()
    layout: Layout = static()
    inputs: int = static()
    weights: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        """From the places in the container of the state."""
        return _placed(self.layout)

    @property
    def n_inputs(self) -> int:
        """As given."""
        return self.inputs

    def advance(self, h: Any, u: Any) -> Any:
        """The function, between flat states."""
        state = self.layout.restore(h)
        new = (self.function(state, u) if self.weights is None
               else self.function(state, u, self.weights))  # fmt: skip
        return self.layout.flat(new)

    def output(self, h: Any) -> Any:
        """The state."""
        return h


class EquinoxCell(AbstractCell):
    """A module that is called as equinox's own cells are, ``module(input, hidden)``.

    Parameters
    ----------
    module : equinox.Module
        In double precision.
    layout : Layout
        Of its hidden state.
    inputs : int
        Number of inputs.

    Examples
    --------
    >>> gru = eqx.nn.GRUCell(2, 3, key=jax.random.key(0))
    >>> EquinoxCell(gru, Layout.of(jnp.zeros(3)), 2).advance(jnp.zeros(3), jnp.zeros(2)).shape
    (3,)
    """

    module: Any
    layout: Layout = static()
    inputs: int = static()

    @property
    def names(self) -> tuple[str, ...]:
        """From the places in the container of the hidden state."""
        return _placed(self.layout)

    @property
    def n_inputs(self) -> int:
        """As given."""
        return self.inputs

    def advance(self, h: Any, u: Any) -> Any:
        """The module, between flat states."""
        return self.layout.flat(self.module(u, self.layout.restore(h)))

    def output(self, h: Any) -> Any:
        """The first array of the hidden state."""
        return jax.tree.leaves(self.layout.restore(h))[0].ravel()


def _placed(layout: Layout) -> tuple[str, ...]:
    """Names from a container; those of a plain array are numbered."""
    return layout.names if any(layout.places) else _numbered("h", layout.dim)


def _numbered(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{i}" for i in range(count))


def _units(recurrent: Array, gates: int) -> int:
    """Units of a recurrent matrix with the rows of so many gates."""
    shape = recurrent.shape
    if len(shape) != 2 or shape[0] != gates * shape[1] or not shape[1]:
        rows = f"{gates} * unit" if gates > 1 else "unit"
        raise InvalidInput(f"recurrent has shape {shape}; expected ({rows}, unit).")
    return int(shape[1])


def _fits(array: Array, shape: tuple[int | None, ...], what: str) -> None:
    good = array.ndim == len(shape) and all(
        b is None or a == b for a, b in zip(array.shape, shape, strict=True)
    )
    if not good:
        wanted = ", ".join("input" if s is None else str(s) for s in shape)
        raise InvalidInput(f"{what} has shape {array.shape}; expected ({wanted}).")
