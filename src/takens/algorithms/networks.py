"""Recurrent networks as systems: autonomous, or driven by a constant, a record or chance."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.algorithms.cells import (
    AbstractCell,
    ElmanCell,
    EquinoxCell,
    GRUCell,
    LSTMCell,
    StackedCells,
    WrittenCell,
)
from takens.algorithms.drives import AbstractDrive, as_drive
from takens.algorithms.loss import Layout
from takens.core.errors import InvalidInput
from takens.core.system import AbstractMap

KNOWN = re.compile(r"(weight|bias)_(ih|hh)(?:_l(\d+))?")  # names that PyTorch gives its arrays
ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}  # by the names that it gives them


class RecurrentNetwork(AbstractMap):
    """A recurrent network as a map of its state; see `rnn_system`.

    Parameters
    ----------
    cell : AbstractCell
    drive : AbstractDrive
        Its input at every step, where `step` is given none.

    Notes
    -----
    With a drive that changes, the map depends on the iterate, and Lyapunov exponents are the
    conditional ones, along that input. `takens.dynamics.with_input` holds the input at a value, which
    then is a parameter. Cost: that of the cell.

    Examples
    --------
    >>> cell = ElmanCell(0.5 * jnp.eye(1), jnp.eye(1), jnp.zeros(1), lambda x: x)
    >>> network = rnn_system(cell, inputs=[1.0])
    >>> network.step(0, jnp.array([2.0])).tolist()
    [2.0]
    """

    cell: AbstractCell
    drive: AbstractDrive

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the cell's state."""
        return self.cell.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """One step, under `u` if there is one, else under the drive."""
        return self.cell.advance(x, self.drive.at(n) if u is None else u)

    def visited(
        self, n_starts: int = 256, *, n_steps: int = 64, scale: float = 1.0, u: Any = None,
        seed: int = 0,
    ) -> np.ndarray:  # fmt: skip
        """States that orbits from random starts pass, from which rests are looked for.

        Parameters
        ----------
        n_starts : int
            Orbits; their starts are normal.
        n_steps : int
            Length of the orbits. States are taken at the start, and after 1, 2, 4, ... steps: near
            saddles an orbit is early, near attractors late.
        scale : float
            Standard deviation of the starts, in units of the state.
        u : array, shape (input,), optional
            A constant input, instead of the drive.
        seed : int

        Returns
        -------
        array, shape (sample, dim)
            Without those that are not finite.

        Examples
        --------
        >>> rnn_system(np.eye(3) / 2).visited(4, n_steps=8).shape
        (20, 3)
        """
        if n_starts < 1 or n_steps < 1:
            raise InvalidInput(f"n_starts = {n_starts}, n_steps = {n_steps}; expected 1 or more.")
        x = scale * np.random.default_rng(seed).normal(size=(n_starts, self.dim))
        kept, now, until = [x], 0, 1
        held = None if u is None else jnp.asarray(u, dtype=float)
        while until <= n_steps:
            x = np.asarray(_advanced(self, x, float(now), until - now, held))
            kept.append(x)
            now, until = until, 2 * until
        states = np.concatenate(kept)
        return states[np.isfinite(states).all(axis=1)]


@eqx.filter_jit
def _advanced(system: AbstractMap, x: Any, start: Any, n_steps: Any, u: Any) -> Any:
    def one(index: Any, states: Any) -> Any:
        return jax.vmap(lambda s: system.step(start + index, s, u))(states)

    return jax.lax.fori_loop(0, n_steps, one, jnp.asarray(x))


def rnn_system(
    cell: Any,
    *,
    inputs: Any = None,
    h0: Any = None,
    n_inputs: int = 0,
    weights: Any = None,
    activation: Callable[[Any], Any] | None = None,
    seed: int = 0,
) -> RecurrentNetwork:
    r"""A recurrent network as a system, :math:`h_{n+1} = F(h_n, u_n)`, to which all of `takens.dynamics` applies.

    Parameters
    ----------
    cell : AbstractCell, array, mapping, torch or equinox module, or callable
        - one of `ElmanCell`, `GRUCell`, `LSTMCell`, `StackedCells`;
        - the recurrent matrix alone, shape (unit, unit), of a plain network without input;
        - arrays under the names of PyTorch, ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``,
          ``bias_hh_l0`` and so on, without the ending in a cell: four times as many rows as units are
          an LSTM, three a GRU, one a plain network;
        - ``torch.nn.RNN``, ``GRU``, ``LSTM`` or their cells, whose arrays are copied;
        - an equinox module called as ``module(input, hidden)``;
        - a function ``cell(h, u)``, or ``cell(h, u, weights)`` with `weights`, written in JAX.
    inputs : array or callable, optional
        Shape (input,): constant. Shape (time, input): a record, which begins anew after its end. A
        function of a key of JAX, to shape (input,): drawn independently at every step. Zero when not
        given.
    h0 : array, or nested containers of them, optional
        A state, for its layout; needed for a function and for an equinox module with no known layout.
    n_inputs : int
        Of a function or such a module.
    weights : arrays, or nested containers of them, optional
        Of a function, which then travel as arguments of every compiled program.
    activation : callable, optional
        Of a plain network given by its arrays; ``jnp.tanh`` when not given.
    seed : int
        Of inputs that are drawn.

    Returns
    -------
    RecurrentNetwork

    Raises
    ------
    InvalidInput
        If the weights or inputs do not fit, or the network is no map of one state: bidirectional, or
        with projections.

    Notes
    -----
    The arrays are copied in double precision: training goes on without the system. Dropout between
    layers is left out, as in evaluation.

    Examples
    --------
    >>> network = rnn_system(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    >>> network.step(0, jnp.array([0.0, 1.0])).round(3).tolist()
    [0.762, 0.0]
    """
    made = _cell(cell, h0, n_inputs, weights, activation)
    system = RecurrentNetwork(made, as_drive(inputs, made.n_inputs, seed))
    x = jnp.zeros(system.dim)
    try:
        after = jax.eval_shape(system.step, 0, x)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(
            f"The cell fails on a state of {system.dim} and an input of {made.n_inputs} numbers: {error}"
        ) from error
    if after.shape != x.shape:
        raise InvalidInput(f"The cell makes {after.shape} out of a state of shape {x.shape}.")
    return system


def _cell(cell: Any, h0: Any, n_inputs: int, weights: Any, activation: Any) -> AbstractCell:
    if weights is not None and (isinstance(cell, eqx.Module) or not callable(cell)):
        raise InvalidInput("weights belong to a function cell(h, u, weights). Leave them out.")
    if isinstance(cell, AbstractCell):
        return cell
    if any(base.__module__.startswith("torch.nn.modules.rnn") for base in type(cell).__mro__):
        arrays = {name: _on_host(value) for name, value in cell.state_dict().items()}
        named = ACTIVATIONS[str(getattr(cell, "nonlinearity", "tanh"))]
        return _from_arrays(arrays, named)
    if isinstance(cell, Mapping):
        return _from_arrays(cell, activation or jnp.tanh)
    if isinstance(cell, eqx.Module):
        return _from_equinox(cell, h0, n_inputs)
    if callable(cell):
        if h0 is None:
            raise InvalidInput("A function needs h0, a state, from which its layout is read.")
        held = None if weights is None else jax.tree.map(jnp.asarray, weights)
        return WrittenCell(cell, Layout.of(h0), n_inputs, held)
    matrix = _real(cell, "cell")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InvalidInput(
            f"cell has shape {matrix.shape}; expected a recurrent matrix (unit, unit), a cell, a "
            "mapping of arrays, a module or a function."
        )
    units = len(matrix)
    return ElmanCell(matrix, np.zeros((units, 0)), np.zeros(units), activation or jnp.tanh)


def _from_equinox(module: eqx.Module, h0: Any, n_inputs: int) -> EquinoxCell:
    precise = jax.tree.map(lambda a: a.astype(float) if eqx.is_inexact_array(a) else a, module)
    size = int(getattr(module, "hidden_size", 0))
    if h0 is None and isinstance(module, eqx.nn.GRUCell):
        h0 = np.zeros(size)
    if h0 is None and isinstance(module, eqx.nn.LSTMCell):
        h0 = (np.zeros(size), np.zeros(size))
    if h0 is None:
        raise InvalidInput(
            f"The layout of the state of {type(module).__name__} is not known. Give h0, a state."
        )
    return EquinoxCell(precise, Layout.of(h0), int(getattr(module, "input_size", n_inputs)))


def _from_arrays(arrays: Mapping[str, Any], activation: Callable[[Any], Any]) -> AbstractCell:
    """Layers from arrays under the names of PyTorch."""
    layers: dict[int, dict[str, np.ndarray]] = {}
    for name, value in arrays.items():
        match = KNOWN.fullmatch(str(name))
        if match is None:
            raise InvalidInput(
                f"There is an array {name!r}; expected names such as weight_hh_l0 or bias_ih_l1. "
                "Bidirectional networks and projections are no maps of one state."
            )
        layer = layers.setdefault(int(match[3] or 0), {})
        layer[f"{match[1]}_{match[2]}"] = _real(value, str(name))
    if sorted(layers) != list(range(max(len(layers), 1))):
        raise InvalidInput(f"Layers {sorted(layers)} were given; expected 0, 1 and so on.")
    cells = tuple(_layer(layers[k], activation) for k in sorted(layers))
    return cells[0] if len(cells) == 1 else StackedCells(cells)


def _layer(arrays: dict[str, np.ndarray], activation: Callable[[Any], Any]) -> AbstractCell:
    recurrent = arrays.get("weight_hh")
    if recurrent is None or recurrent.ndim != 2 or not recurrent.shape[1]:
        raise InvalidInput("weight_hh is missing, or no matrix. Give it for every layer.")
    rows, units = recurrent.shape
    incoming = arrays.get("weight_ih", np.zeros((rows, 0)))
    bias, own = (arrays.get(f"bias_{side}", np.zeros(rows)) for side in ("ih", "hh"))
    if rows == units:
        return ElmanCell(recurrent, incoming, bias + own, activation)
    if rows == 3 * units:
        return GRUCell(recurrent, incoming, bias, own)
    if rows == 4 * units:
        return LSTMCell(recurrent, incoming, bias + own)
    raise InvalidInput(
        f"weight_hh has shape {recurrent.shape}; expected one, three or four rows for each column."
    )


def _real(value: Any, what: str) -> np.ndarray:
    try:
        array = np.array(_on_host(value), dtype=float)
    except (TypeError, ValueError):
        raise InvalidInput(f"{what} is no array of real numbers.") from None
    if not np.isfinite(array).all():
        raise InvalidInput(f"{what} holds NaN or infinity. Was the training lost?")
    return array


def _on_host(value: Any) -> Any:
    detach = getattr(value, "detach", None)  # of a torch tensor
    return value if detach is None else detach().cpu().numpy()
