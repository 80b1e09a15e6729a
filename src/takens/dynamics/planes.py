"""Planes that cut the state space of a flow, and coordinates on them."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from takens.core import InvalidInput
from takens.dynamics.door import state


class PlaneEvent(eqx.Module):
    """Signed distance to a plane, in state units; other planes need no new compilation.

    Parameters
    ----------
    normal : array, shape (dim,)
        Of length one.
    offset : array, shape ()
        ``normal @ x`` on the plane.
    """

    normal: Any
    offset: Any

    def __call__(self, t: Any, x: Any) -> Any:
        """Positive on the side that the normal points to."""
        return jnp.dot(self.normal, x) - self.offset


def component(system: Any, which: Any) -> int:
    """The index of a component given by name or number.

    Raises
    ------
    InvalidInput
        If there is none such.
    """
    if isinstance(which, str) and which in system.names:
        return int(system.names.index(which))
    whole = isinstance(which, (int, np.integer)) and not isinstance(which, bool)
    if whole and 0 <= which < system.dim:
        return int(which)
    raise InvalidInput(
        f"{which!r} is no component of {type(system).__name__}. It has {list(system.names[:8])}, "
        f"numbered from 0 to {system.dim - 1}."
    )


def plane_of(system: Any, plane: Any) -> tuple[np.ndarray, float]:
    """Unit normal and offset of ``(component, value)`` or ``(normal, offset)``.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    if not (isinstance(plane, (tuple, list)) and len(plane) == 2):
        raise InvalidInput(
            f"plane = {plane!r}; expected (component, value), such as ('z', 27.0), or "
            "(normal, offset) with one number of the normal for each component."
        )
    first, value = plane
    if isinstance(first, (str, int, np.integer)):
        normal = np.zeros(system.dim)
        normal[component(system, first)] = 1.0
    else:
        normal = state(system, first, "the normal of the plane")
    length = float(np.linalg.norm(normal))
    if not (length > 0 and np.ndim(value) == 0 and np.isfinite(value)):
        raise InvalidInput(f"plane = {plane!r}; expected a nonzero normal and a finite offset.")
    return normal / length, float(value) / length


def basis_of(normal: np.ndarray) -> np.ndarray:
    """Orthonormal rows that span the plane, shape (dim - 1, dim): the other axes where they fit."""
    dim = len(normal)
    along = int(np.argmax(np.abs(normal)))
    rows = np.delete(np.eye(dim), along, axis=0)
    if np.count_nonzero(normal) == 1:
        return rows
    flat = rows - np.outer(rows @ normal, normal)
    return np.linalg.qr(flat.T)[0].T


def section_names(names: tuple[str, ...], normal: np.ndarray) -> tuple[str, ...]:
    """Names of the coordinates on a plane."""
    if np.count_nonzero(normal) == 1:
        along = int(np.argmax(np.abs(normal)))
        return tuple(name for i, name in enumerate(names) if i != along)
    return tuple(f"s{i + 1}" for i in range(len(names) - 1))
