"""Tomorrow is as today: the reference that every forecast of a slow signal must beat."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from takens.core import Fit
from takens.data import Segments
from takens.learn.delay import (
    AbstractDelayEstimator,
    capped_finding,
    input_count,
    pairs,
    residual_sample,
)
from takens.learn.frame import fit_frame
from takens.learn.host import AbstractHostMap, AbstractMarchingMap

if TYPE_CHECKING:
    from takens.learn.maps import PersistenceMap


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostPersistence(AbstractMarchingMap):
    """``y[n+1] = y[n]``."""

    def advance(self, n: np.ndarray, window: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The newest observation again."""
        return window[:, 0]

    def tangent(
        self, n: np.ndarray, window: np.ndarray, u: np.ndarray, vector: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """It, and the newest part of `vector`."""
        return window[:, 0], vector[:, 0]

    def system(self) -> PersistenceMap:
        """The same map as a system."""
        from takens.learn.maps import PersistenceMap

        return PersistenceMap(
            frame=self.frame.system(), observed=self.observed, n_inputs=self.n_inputs
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Persistence(AbstractDelayEstimator["PersistenceMap"]):
    """Persistence: every forecast is the last observation.

    With resampled increments as noise its ensemble is a random walk.

    Notes
    -----
    A reference, not a model of the system: it says nothing about how the state evolves.

    Examples
    --------
    >>> import numpy as np
    >>> fit = Persistence().fit(np.sin(np.arange(100.0)))
    >>> x = fit.model.encode(np.array([[0.5]]))
    >>> round(float(fit.model.observe(fit.model.step(0, x))[0]), 6)
    0.5
    """

    @property
    def label(self) -> str:
        """Short name."""
        return "persistence"

    def tuned(self, segments: Segments, *, seed: int = 0) -> Persistence:
        """Itself: nothing is open."""
        return self

    def learn(self, segments: Segments, *, seed: int = 0) -> Fit[AbstractHostMap]:
        """Keep the scale of the columns, and a sample of the increments."""
        frame, _ = fit_frame(segments, segments.values[0].shape[1])
        found = pairs(segments, frame, (0,), cap=50_000)
        model = HostPersistence(
            frame=frame, observed=segments.names, n_inputs=input_count(segments)
        )
        residuals = residual_sample(np.asarray(found.future - found.past), seed)
        return Fit(
            model=model,
            diagnostics={"residuals": residuals, "n_pairs": len(found)},
            cautions=capped_finding(segments, len(found), "The spread of persistence"),
        )
