"""Many orbits of a delay map at once, with or without resampled residuals."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from takens.core import WrongKind
from takens.learn.frame import HostFrame
from takens.learn.host import MAX_RESIDUALS, AbstractHostMap, host_map

if TYPE_CHECKING:
    from takens.learn.maps import AbstractDelayMap


def residual_table(residuals: np.ndarray) -> np.ndarray:
    """Residuals under a leading row of zeros, repeated to a fixed size so programs are reused."""
    rows = np.resize(residuals, (MAX_RESIDUALS, residuals.shape[1]))
    return np.concatenate([np.zeros((1, rows.shape[1])), rows])


def simulate(
    model: AbstractDelayMap | AbstractHostMap,
    x0: np.ndarray,
    n0: np.ndarray,
    inputs: np.ndarray,
    residuals: np.ndarray,
    draws: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Orbits of `model` from many states, ``z[n+1] = advance(z) + residuals[draw]``.

    Parameters
    ----------
    model : AbstractDelayMap
        Or the same map on the host, as `AbstractDelayEstimator.learn` returns it: the numbers are
        the same, and nothing is compiled.
    x0 : array, shape (orbit, state)
        Initial states.
    n0 : array, shape (orbit,)
        Sample number of the newest observation in each state.
    inputs : array, shape (step, orbit, n_inputs)
    residuals : array, shape (row, n_coordinates)
        Row 0 is zero, so that draw 0 is the deterministic map.
    draws : integer array, shape (step, orbit)
        Row of `residuals` added at each step.

    Returns
    -------
    last : array, shape (orbit, state)
        From which the orbits can be continued.
    path : array, shape (step, orbit, n_coordinates)
        In the coordinates of the model's frame.

    Notes
    -----
    A system costs one compilation for each shape; a persistent cache keeps it.

    Examples
    --------
    >>> from takens.learn import Persistence
    >>> model = Persistence().fit(np.arange(20.0)).model
    >>> still, steps = np.zeros((1, 1)), np.zeros((3, 1), int)
    >>> last, path = simulate(model, still, np.zeros(1), np.zeros((3, 1, 0)), still, steps)
    >>> path.shape
    (3, 1, 1)
    """
    return host_map(model).orbits(x0, n0, inputs, residuals, draws)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostedSystem(AbstractHostMap):
    """A system of delays, driven from the host through compiled programs.

    Parameters
    ----------
    model : AbstractDelayMap
        What is driven; `HostedSystem.of` fills in the rest from it.
    """

    one_shape: ClassVar[bool] = True

    model: AbstractDelayMap

    @classmethod
    def of(cls, model: Any) -> HostedSystem:
        """Wrap `model`, refused when it is no map on past observations."""
        from takens.learn.maps import AbstractDelayMap

        if not isinstance(model, AbstractDelayMap):
            raise WrongKind(
                f"{type(model).__name__} was given; expected a map on past observations, such as "
                "the model of `NVAR().fit(data)`."
            )
        return cls(
            model=model,
            frame=HostFrame.of(model.frame),
            lags=model.lags,
            observed=model.observed,
            n_inputs=model.n_inputs,
        )

    def system(self) -> AbstractDelayMap:
        """The system that was wrapped."""
        return self.model

    def orbits(
        self,
        x0: np.ndarray,
        n0: np.ndarray,
        inputs: np.ndarray,
        residuals: np.ndarray,
        draws: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Last states and paths from many states; see `simulate`."""
        from takens.learn.maps import paths

        last, path = paths(self.model, x0, n0, inputs, residuals, np.asarray(draws, dtype=np.int32))
        return np.asarray(last), np.asarray(path)

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
        from takens.learn.maps import stretch

        (x, v, _), (path, growth) = stretch(
            self.model, x, v, float(n), u, residuals, np.asarray(draws, dtype=np.int32)
        )
        return x, v, np.swapaxes(np.asarray(path), 0, 1), np.asarray(growth).T
