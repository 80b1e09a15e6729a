"""Delay maps in NumPy: many orbits side by side, without a compiler."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import numpy as np

from takens.learn.frame import HostFrame

MAX_RESIDUALS = 512  # rows of residuals kept for ensembles; fixed, so that programs are reused


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AbstractHostMap(abc.ABC):
    """A map on a window of past observations, on the host; `system` is the same map as a system.

    Parameters
    ----------
    frame : HostFrame
        Coordinates in which it works.
    lags : tuple of int
        Samples of the past that it looks at, 0 the newest.
    observed : tuple of str
        Names of the columns.
    n_inputs : int
    """

    one_shape: ClassVar[bool]  # whether every new shape of the arguments costs a compilation

    frame: HostFrame
    lags: tuple[int, ...] = (0,)
    observed: tuple[str, ...] = ()
    n_inputs: int = 0

    @property
    def window(self) -> int:
        """Number of past samples in the state."""
        return max(self.lags) + 1

    @abc.abstractmethod
    def system(self) -> Any:
        """The same map as an `AbstractDelayMap`, whose parameters can be swept."""

    def start(self, past: np.ndarray, inputs: np.ndarray, n: np.ndarray) -> np.ndarray:
        """States from which forecasts start, shape (orbit, state): the window itself.

        Parameters
        ----------
        past : array, shape (orbit, window, coordinate)
            The last observations, newest first.
        inputs : array, shape (orbit, window, n_inputs)
            At the same times.
        n : array, shape (orbit,)
            Sample number of the newest.
        """
        return past.reshape(len(past), -1)

    @abc.abstractmethod
    def orbits(
        self,
        x0: np.ndarray,
        n0: np.ndarray,
        inputs: np.ndarray,
        residuals: np.ndarray,
        draws: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Last states and paths from many states; see `takens.learn.simulate`."""

    @abc.abstractmethod
    def tangent_orbits(
        self,
        x: np.ndarray,
        v: np.ndarray,
        n: float,
        u: np.ndarray,
        residuals: np.ndarray,
        draws: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Orbits that each carry one tangent vector, from sample `n`, at the constant input `u`.

        Parameters
        ----------
        x, v : array, shape (orbit, state)
            States, and tangent vectors of length one.
        n : float
            Sample number of the newest observation in the states.
        u : array, shape (n_inputs,)
        residuals, draws : array
            As in `takens.learn.simulate`.

        Returns
        -------
        x, v : array, shape (orbit, state)
            From which the orbits can be continued.
        path : array, shape (orbit, step, coordinate)
        growth : array, shape (orbit, step)
            Logarithm of the growth of the vector. One that is mapped to zero has minus infinity,
            and starts again in its old direction.
        """


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AbstractMarchingMap(AbstractHostMap):
    """A host map that advances all orbits by a few array operations."""

    one_shape: ClassVar[bool] = False

    @abc.abstractmethod
    def advance(self, n: np.ndarray, window: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The next samples, shape (orbit, coordinate).

        Parameters
        ----------
        n : array, shape (orbit,)
            Sample numbers of the newest observations.
        window : array, shape (orbit, window, coordinate)
            Newest first.
        u : array, shape (orbit, n_inputs)
        """

    @abc.abstractmethod
    def tangent(
        self, n: np.ndarray, window: np.ndarray, u: np.ndarray, vector: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The next samples, and the derivative of `advance` along `vector`, shaped as `window`."""

    def orbits(
        self,
        x0: np.ndarray,
        n0: np.ndarray,
        inputs: np.ndarray,
        residuals: np.ndarray,
        draws: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Last states and paths from many states; see `takens.learn.simulate`."""
        width = residuals.shape[1]
        first = x0.reshape(len(x0), -1, width)
        n_steps, window = len(draws), first.shape[1]
        orbit = np.empty((len(x0), n_steps + window, width))  # newest first, filled from the right
        orbit[:, n_steps:] = first
        with np.errstate(all="ignore"):  # an orbit that escapes becomes infinite, and is counted
            for step, draw in enumerate(draws):
                at = n_steps - step
                new = self.advance(n0 + step, orbit[:, at : at + window], inputs[step])
                orbit[:, at - 1] = new + residuals[draw]
        path = np.ascontiguousarray(np.swapaxes(orbit[:, :n_steps][:, ::-1], 0, 1))
        return orbit[:, :window].reshape(len(x0), -1), path

    def tangent_orbits(
        self,
        x: np.ndarray,
        v: np.ndarray,
        n: float,
        u: np.ndarray,
        residuals: np.ndarray,
        draws: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Orbits that each carry one tangent vector; see `AbstractHostMap`."""
        count, width, n_steps = len(x), residuals.shape[1], len(draws)
        drive = np.broadcast_to(u, (count, len(u)))
        window = x.shape[1] // width
        orbit = np.empty((count, n_steps + window, width))  # newest first, filled from the right
        carried = np.empty_like(orbit)
        orbit[:, n_steps:], carried[:, n_steps:] = (a.reshape(count, -1, width) for a in (x, v))
        sizes = np.empty((count, n_steps))
        numbers = np.full(count, n)
        with np.errstate(all="ignore"):  # an orbit that escapes becomes infinite, and is counted
            for step, draw in enumerate(draws):
                at = n_steps - step
                old = carried[:, at : at + window].copy()
                new, moved = self.tangent(numbers + step, orbit[:, at : at + window], drive, old)
                orbit[:, at - 1] = new + residuals[draw]
                carried[:, at - 1] = moved
                vector = carried[:, at - 1 : at - 1 + window]
                size = np.sqrt(np.einsum("owc,owc->o", vector, vector))
                sizes[:, step] = size
                lost = size == 0
                vector /= np.where(lost, 1.0, size)[:, None, None]
                if lost.any():
                    vector[lost] = old[lost]
        path = orbit[:, :n_steps][:, ::-1]
        last = orbit[:, :window].reshape(count, -1), carried[:, :window].reshape(count, -1)
        with np.errstate(all="ignore"):
            return *last, path, np.log(sizes)


def host_map(model: Any) -> AbstractHostMap:
    """`model` itself when it is a host map; a system of delays through its compiled programs."""
    if isinstance(model, AbstractHostMap):
        return model
    from takens.learn.simulate import HostedSystem

    return HostedSystem.of(model)


def gathered(window: np.ndarray, lags: tuple[int, ...], u: np.ndarray) -> np.ndarray:
    """Coordinates at `lags`, newest first, and the inputs after them: (orbit, variable)."""
    delayed = window[:, list(lags)].reshape(len(window), -1)
    return np.concatenate([delayed, u], axis=1) if u.shape[1] else delayed


def folded(y: Any, low: Any, high: Any, xp: Any) -> Any:
    """`y` reflected at `low` and `high` as often as needed, in array library `xp`.

    Examples
    --------
    >>> folded(np.array([0.25, 1.25, -0.5]), 0.0, 1.0, np).tolist()
    [0.25, 0.75, 0.5]
    """
    width = xp.maximum(high - low, 1e-9)
    return low + width * xp.abs(xp.mod((y - low) / width - 1, 2) - 1)
