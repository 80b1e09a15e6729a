"""Attractors as sets of points, and how near and how far are measured between states."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from takens.core.system import AbstractMap

LOST, UNDECIDED = -1, -2


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Attractor:
    """An attractor as a set of points.

    Parameters
    ----------
    points : array, shape (point, dim)
        In state units: the point, the points of the cycle in their order, or a thinned sample.
    kind : str
        A guess: ``"point"``, ``"cycle"`` or ``"other"`` (quasi-periodic or chaotic).
    period : float
        In steps; 1 for a point, NaN for the cycle of an autonomous flow and for ``"other"``.
    reach : float
        A state this near, in units of the scale of every component, counts as being on it.
    """

    points: np.ndarray
    kind: str
    period: float
    reach: float

    @property
    def centre(self) -> np.ndarray:
        """Mean of the points, shape (dim,)."""
        return np.asarray(self.points.mean(axis=0))

    @property
    def what(self) -> str:
        """Its kind, with the period of a cycle."""
        return f"cycle of period {self.period:g}" if self.period > 1 else self.kind

    def __str__(self) -> str:
        at = ", ".join(f"{value:.4g}" for value in self.centre[:4])
        return f"{self.what} at ({at}{', ...' if len(self.centre) > 4 else ''})"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """How near and how far are measured: the largest difference over components, scaled.

    Parameters
    ----------
    centre, scale : array, shape (dim,)
        In state units.
    wrap : array, shape (dim,)
        Period of a component that is an angle, in units of its scale; 0 for one that is none.
    tolerance : float
        Nearness, in units of the scale.
    escape : float
        Distance from the centre beyond which a state is lost, in units of the scale.
    """

    centre: np.ndarray
    scale: np.ndarray
    wrap: np.ndarray
    tolerance: float
    escape: float

    @property
    def frame(self) -> tuple[np.ndarray, ...]:
        """Centre, scale, periods and escape as arrays, for compiled programs."""
        return self.centre, self.scale, self.wrap, np.asarray(float(self.escape))

    def coordinates(self, states: np.ndarray) -> np.ndarray:
        """States (..., dim) in units of the scale, angles between 0 and their period."""
        scaled = (states - self.centre) / self.scale
        angle = self.wrap > 0
        turned = np.mod(scaled[..., angle], self.wrap[angle])
        scaled[..., angle] = np.where(turned >= self.wrap[angle], 0.0, turned)
        return np.asarray(scaled)

    def unwound(self, states: np.ndarray) -> np.ndarray:
        """The same states (..., dim) with angles within half a period of the centre."""
        period = np.where(self.wrap > 0, self.wrap * self.scale, 1.0)
        turns = np.where(self.wrap > 0, np.round((states - self.centre) / period), 0.0)
        return np.asarray(states - turns * period)

    def tree(self, states: np.ndarray) -> Any:
        """A search tree of states (point, dim)."""
        from scipy.spatial import cKDTree

        return cKDTree(self.coordinates(states), boxsize=self.wrap if self.wrap.any() else None)

    def nearest(self, tree: Any, states: np.ndarray, reach: float = np.inf) -> tuple[Any, Any]:
        """Distance and index of the nearest point of `tree`; infinite beyond `reach`."""
        found: tuple[Any, Any] = tree.query(
            self.coordinates(states), p=np.inf, distance_upper_bound=reach, workers=-1
        )
        return found

    def lost(self, states: np.ndarray) -> np.ndarray:
        """Whether states (..., dim) are non-finite or beyond escape."""
        with np.errstate(invalid="ignore", over="ignore"):
            far = np.abs((states - self.centre) / self.scale) > self.escape
        return np.asarray((~np.isfinite(states) | (far & (self.wrap == 0))).any(axis=-1))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What does not change while attractors are looked for.

    Parameters
    ----------
    evolution : AbstractMap
        One step.
    u : array or None
        The constant input.
    space : Space
        In which states are compared.
    n_transient, n_steps, n_pilots : int
        Steps dropped, steps recorded, and orbits of a pilot.
    progress : callable, optional
        Called with the fraction of starts that are done.
    """

    evolution: AbstractMap
    u: Any
    space: Space
    n_transient: int
    n_steps: int
    n_pilots: int
    progress: Callable[[float], None] | None = None
