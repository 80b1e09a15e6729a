"""Many trajectories of one system."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Recording, Trajectory

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Ensemble(AbstractResult):
    """Trajectories from many starts, with many parameters or many noises, at common times.

    Parameters
    ----------
    times : array, shape (time,)
        In time units, or iterates.
    states : array, shape (sample, time, dim)
        NaN from where a sample was lost.
    names : tuple of str
        Of the state components.
    parameters : mapping from name to array, shape (sample, ...)
        What differs between the samples, besides their starts and noises.
    """

    times: np.ndarray
    states: np.ndarray
    names: tuple[str, ...]
    parameters: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def lost(self) -> np.ndarray:
        """Which samples became non-finite before the end, shape (sample,)."""
        return np.isnan(self.states[:, -1]).any(axis=1)

    def recording(self) -> Recording:
        """The samples that were not lost, as a data set."""
        return Recording(
            records=tuple(
                Trajectory(times=self.times, states=rows, names=self.names, label=f"sample {i}")
                for i, rows in enumerate(self.states)
                if not self.lost[i]
            ),
            source="simulation",
        )

    def summary(self) -> str:
        """How many samples there are and how many were lost."""
        return (
            f"{len(self.states)} trajectories of {len(self.times)} states in {len(self.names)} "
            f"components, from {self.times[0]:g} to {self.times[-1]:g}; "
            f"{int(self.lost.sum())} lost."
        )

    def plot(self, ax: Any = None) -> Any:
        """The first component of up to 50 samples over time."""
        from takens import plot

        ax = plot.axes(ax)
        for rows in self.states[:50]:
            plot.line(ax, self.times, rows[:, 0], color=plot.COLOURS[0], alpha=0.4, linewidth=0.8)
        return plot.labels(ax, "time", self.names[0])

    def to_xarray(self) -> xr.Dataset:
        """States with named dimensions, the varied parameters beside them."""
        import xarray as xr

        variables: dict[str, Any] = {"state": (("sample", "time", "component"), self.states)}
        for name, values in self.parameters.items():
            extra = tuple(f"{name}_{i}" for i in range(values.ndim - 1))
            variables[name] = (("sample", *extra), values)
        return xr.Dataset(variables, {"time": self.times, "component": list(self.names)})
