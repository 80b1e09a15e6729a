"""A system with its input held: the input becomes a parameter, which every analysis can sweep."""

from typing import Any

import numpy as np
from jaxtyping import Array

from takens.core import InvalidInput, WrongKind
from takens.core.integrators import AbstractIntegrator
from takens.core.system import AbstractFlow, AbstractMap, AbstractSystem, parameter
from takens.dynamics.door import a_system, heard


class HeldMap(AbstractMap):
    """A map with a constant input.

    Parameters
    ----------
    system : AbstractMap
        The map that takes an input.
    u : array, shape (input,)
        The input, in its own units; it is used whatever input `step` is given.
    """

    system: AbstractMap
    u: Array = parameter()

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the map."""
        return self.system.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """One iterate under the held input."""
        return self.system.step(n, x, self.u)


class HeldFlow(AbstractFlow):
    """A flow with a constant input.

    Parameters
    ----------
    system : AbstractFlow
        The flow that takes an input.
    u : array, shape (input,)
        The input, in its own units; it is used whatever input `vector_field` is given.
    """

    system: AbstractFlow
    u: Array = parameter()

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the flow."""
        return self.system.names

    @property
    def integrator(self) -> AbstractIntegrator:  # type: ignore[override]
        """That of the flow."""
        return self.system.integrator

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The field under the held input."""
        return self.system.vector_field(t, x, self.u)


def with_input(system: Any, u: Any) -> AbstractSystem:
    """The system with its input held at `u`, which becomes a parameter named ``u``.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned, taking an input.
    u : array, shape (input,)
        The value at which it is held.

    Returns
    -------
    HeldMap or HeldFlow

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If `u` is not one-dimensional, or the rule of the system does not depend on it.

    Examples
    --------
    A model learned with an input is asked for its equilibria at another value of that input.

    >>> from takens.systems import Duffing
    >>> pushed = with_input(Duffing(), [0.5])
    >>> pushed.with_parameters(u=[0.1]).u.shape
    (1,)
    """
    held: AbstractSystem
    known = a_system(system)
    if isinstance(known, AbstractMap):
        held = HeldMap(system=known, u=u)
    elif isinstance(known, AbstractFlow):
        held = HeldFlow(system=known, u=u)
    else:
        raise WrongKind(f"{type(known).__name__} is a diffusion; only maps and flows are held.")
    if held.u.ndim != 1:
        raise InvalidInput(f"u has shape {held.u.shape}; expected (input,).")
    heard(known, np.asarray(held.u))
    return held
