"""What drives a recurrent network: a constant, a record, or chance."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core.errors import InvalidInput
from takens.core.system import parameter, static


class AbstractDrive(eqx.Module):
    """An input for every step."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Number of inputs."""

    @abc.abstractmethod
    def at(self, n: Any) -> Any:
        """The input of step `n`, shape (input,)."""


class ConstantDrive(AbstractDrive):
    """The same input at every step.

    Parameters
    ----------
    value : array, shape (input,)
        In the unit of the inputs.

    Examples
    --------
    >>> ConstantDrive([1.0, 2.0]).at(3).tolist()
    [1.0, 2.0]
    """

    value: Array = parameter()

    @property
    def dim(self) -> int:
        """Length of the value."""
        return int(self.value.shape[0])

    def at(self, n: Any) -> Any:
        """The value."""
        return self.value


class SequenceDrive(AbstractDrive):
    """A record of inputs, which begins anew after its end.

    Parameters
    ----------
    values : array, shape (time, input)
        In the unit of the inputs, one row a step.

    Examples
    --------
    >>> SequenceDrive([[1.0], [2.0]]).at(3).tolist()
    [2.0]
    """

    values: Array = parameter()

    @property
    def dim(self) -> int:
        """Columns of the record."""
        return int(self.values.shape[1])

    def at(self, n: Any) -> Any:
        """Row `n`, counted around."""
        return self.values[jnp.mod(jnp.asarray(n).astype(int), self.values.shape[0])]


class RandomDrive(AbstractDrive):
    """Inputs drawn independently at every step.

    Parameters
    ----------
    draw : callable
        From a key of JAX to an input of shape (input,).
    seed : int
        The input of step n is drawn from this and n alone, so that a run can be repeated.

    Examples
    --------
    >>> noise = RandomDrive(lambda key: jax.random.normal(key, (2,)))
    >>> bool(jnp.all(noise.at(5) == noise.at(5))), bool(jnp.any(noise.at(5) == noise.at(6)))
    (True, False)
    """

    draw: Callable[[Any], Any] = static()
    seed: Array = eqx.field(converter=jnp.asarray, default_factory=lambda: jnp.asarray(0))

    @property
    def dim(self) -> int:
        """Length of a draw."""
        return int(jax.eval_shape(self.draw, jax.random.key(0)).shape[0])

    def at(self, n: Any) -> Any:
        """The draw of step `n`."""
        key = jax.random.key(jnp.asarray(self.seed).astype(int))
        return self.draw(jax.random.fold_in(key, jnp.asarray(n).astype(int)))


def as_drive(inputs: Any, n_inputs: int, seed: int) -> AbstractDrive:
    """What people give for inputs as a drive of `n_inputs` inputs; zero where nothing is given.

    Raises
    ------
    InvalidInput
        If it is not finite, or gives another number of inputs.
    """
    if inputs is None:
        drive: AbstractDrive = ConstantDrive(jnp.zeros(n_inputs))
    elif isinstance(inputs, AbstractDrive):
        drive = inputs
    elif callable(inputs):
        drive = _drawn(inputs, seed)
    else:
        drive = _recorded(inputs)
    if drive.dim != n_inputs:
        raise InvalidInput(
            f"The inputs have {drive.dim} column(s); the network takes {n_inputs}. Give one for each."
        )
    return drive


def _drawn(draw: Callable[[Any], Any], seed: int) -> RandomDrive:
    try:
        made = jax.eval_shape(draw, jax.random.key(0))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"inputs(key) fails: {error}. It takes a key of JAX.") from error
    if getattr(made, "ndim", None) != 1:
        raise InvalidInput(f"inputs(key) gives {made}; expected an array of shape (input,).")
    return RandomDrive(draw, seed)


def _recorded(inputs: Any) -> AbstractDrive:
    try:
        array = np.array(inputs, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInput(
            "inputs holds something that is no real number. Give (input,) for a constant, "
            "(time, input) for a record, or a function of a key of JAX."
        ) from None
    if array.ndim not in (1, 2) or not len(array):
        raise InvalidInput(
            f"inputs has shape {array.shape}; expected (input,) for a constant or (time, input) for "
            "a record."
        )
    if not np.isfinite(array).all():
        raise InvalidInput("inputs holds NaN or infinity. Fill the gaps, or cut them out.")
    return ConstantDrive(array) if array.ndim == 1 else SequenceDrive(array)
