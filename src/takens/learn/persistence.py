"""Tomorrow is as today: the reference that every forecast of a slow signal must beat."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import numpy as np

from takens.core import Fit
from takens.data import Segments
from takens.learn.delay import (
    AbstractDelayEstimator,
    AbstractDelayMap,
    capped_finding,
    input_count,
    pairs,
    residual_sample,
)
from takens.learn.frame import Frame, fit_frame
from takens.learn.simulate import march, simulate


class PersistenceMap(AbstractDelayMap):
    """``y[n+1] = y[n]``.

    Parameters
    ----------
    frame : Frame
        Standardised columns.
    """

    frame: Frame
    observed: tuple[str, ...] = eqx.field(static=True)
    n_inputs: int = eqx.field(static=True, default=0)
    lags: tuple[int, ...] = eqx.field(static=True, default=(0,))

    def advance(self, n: Any, x: Any, u: Any = None) -> Any:
        """The newest observation again."""
        return x


@dataclasses.dataclass(frozen=True, kw_only=True)
class Persistence(AbstractDelayEstimator[PersistenceMap]):
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

    def fit_segments(self, segments: Segments, *, seed: int = 0) -> Fit[PersistenceMap]:
        """Keep the scale of the columns, and a sample of the increments."""
        frame, _ = fit_frame(segments, segments.values[0].shape[1])
        found = pairs(segments, frame, (0,), cap=50_000)
        model = PersistenceMap(frame=frame, observed=segments.names, n_inputs=input_count(segments))
        residuals = residual_sample(np.asarray(found.future - found.past), seed)
        return Fit(
            model=model,
            diagnostics={"residuals": residuals, "n_pairs": len(found)},
            cautions=capped_finding(segments, len(found), "The spread of persistence"),
        )


@simulate.register(PersistenceMap)
def _simulate_persistence(
    model: PersistenceMap, *arguments: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return march(lambda n, window, u: window[:, 0], *arguments)
