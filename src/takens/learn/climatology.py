"""Forecast the training mean, or the mean of the season: what any useful forecast must beat."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from takens.core import Fit, InvalidInput
from takens.core.system import parameter
from takens.data import Segments
from takens.learn.delay import (
    AbstractDelayEstimator,
    AbstractDelayMap,
    input_count,
    residual_sample,
)
from takens.learn.frame import Frame, HostFrame, fit_frame
from takens.learn.moments import moments
from takens.learn.simulate import march, simulate


class SeasonalMeanMap(AbstractDelayMap):
    r"""The mean at each phase, a sum of `n_harmonics` harmonics of one period; none is the mean.

    :math:`y_{n+1} = \sum_k a_k \cos(2\pi k (n+1)/P) + b_k \sin(2\pi k (n+1)/P)`.

    Parameters
    ----------
    frame : Frame
        Standardised columns.
    period : array, shape ()
        In samples.
    coefficients : array, shape (1 + 2 n_harmonics, n_coordinates)
        Constant, cosines, sines; in standardised units.
    """

    frame: Frame
    period: Float[Array, ""] = parameter()
    coefficients: Float[Array, "term coordinate"] = parameter()
    observed: tuple[str, ...] = eqx.field(static=True, default=())
    n_inputs: int = eqx.field(static=True, default=0)
    lags: tuple[int, ...] = eqx.field(static=True, default=(0,))

    def advance(self, n: Any, x: Any, u: Any = None) -> Any:
        """The mean at the phase of sample ``n + 1``."""
        orders = jnp.arange(1, (self.coefficients.shape[0] - 1) // 2 + 1)
        angles = 2 * jnp.pi * orders * (n + 1) / self.period
        terms = jnp.concatenate([jnp.ones(1), jnp.cos(angles), jnp.sin(angles)])
        return terms @ self.coefficients + 0.0 * x  # the zero keeps a NaN state NaN


def _sample_numbers(segments: Segments) -> np.ndarray:
    numbers = [
        np.round(start / segments.dt) + np.arange(len(values))
        for start, values in zip(segments.starts, segments.values, strict=True)
    ]
    return np.concatenate(numbers)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Climatology(AbstractDelayEstimator[SeasonalMeanMap]):
    """Climatology: every forecast is the mean of the training data.

    With resampled anomalies as noise its ensemble is the climatological distribution.

    Notes
    -----
    A reference: it knows the distribution and nothing about the order of events.

    Examples
    --------
    >>> import numpy as np
    >>> fit = Climatology().fit(np.arange(20.0))
    >>> x = fit.model.encode(np.array([[3.0]]))
    >>> float(fit.model.observe(fit.model.step(0, x))[0])
    9.5
    """

    @property
    def label(self) -> str:
        """Short name."""
        return "climatology"

    def tuned(self, segments: Segments, *, seed: int = 0) -> Climatology:
        """Itself: nothing is open."""
        return self

    def fit_segments(self, segments: Segments, *, seed: int = 0) -> Fit[SeasonalMeanMap]:
        """Take the mean."""
        frame, _ = fit_frame(segments, segments.values[0].shape[1])
        anomalies = HostFrame(frame).encode(np.concatenate(segments.values))
        model = SeasonalMeanMap(
            frame=frame,
            period=1.0,
            coefficients=np.zeros((1, anomalies.shape[1])),
            observed=segments.names,
            n_inputs=input_count(segments),
        )
        return Fit(model=model, diagnostics={"residuals": residual_sample(anomalies, seed)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeasonalClimatology(AbstractDelayEstimator[SeasonalMeanMap]):
    """Seasonal climatology: the mean at each phase of a known period, as a few harmonics.

    Parameters
    ----------
    period : float
        In the time unit of the data; at least two samples.
    n_harmonics : int
        Shape of the season; fewer are used when the period has too few samples for them.

    Raises
    ------
    InvalidInput
        If the period is shorter than two samples or longer than the training data.

    Notes
    -----
    The period must be known beforehand, like the year. A cycle of drifting phase does not follow
    a calendar, and then this is no better than the mean.

    Examples
    --------
    >>> import numpy as np
    >>> fit = SeasonalClimatology(period=8.0).fit(np.sin(2 * np.pi * np.arange(64) / 8))
    >>> x = fit.model.encode(np.array([[0.0]]))
    >>> round(float(fit.model.observe(fit.model.step(1, x))[0]), 6)
    1.0
    """

    period: float
    n_harmonics: int = 3

    @property
    def label(self) -> str:
        """Short name."""
        return "seasonal climatology"

    def tuned(self, segments: Segments, *, seed: int = 0) -> SeasonalClimatology:
        """Itself: nothing is open."""
        return self

    def fit_segments(self, segments: Segments, *, seed: int = 0) -> Fit[SeasonalMeanMap]:
        """Least squares on the harmonics."""
        samples = self.period / segments.dt
        numbers = _sample_numbers(segments)
        if not 2 <= samples <= np.ptp(numbers) + 1:
            raise InvalidInput(
                f"period = {self.period} is {samples:.3g} samples; expected between 2 and the "
                f"{int(np.ptp(numbers)) + 1} samples of the training data. Give another period."
            )
        orders = np.arange(1, max(1, min(self.n_harmonics, int(samples / 2 - 1e-9))) + 1)
        frame, _ = fit_frame(segments, segments.values[0].shape[1])
        z = HostFrame(frame).encode(np.concatenate(segments.values))

        def terms(rows: np.ndarray) -> np.ndarray:
            angles = 2 * np.pi * rows * orders / samples
            return np.concatenate([np.ones((len(rows), 1)), np.cos(angles), np.sin(angles)], axis=1)

        sums = moments(terms, numbers[:, None], z)
        coefficients = sums.solve()
        model = SeasonalMeanMap(
            frame=frame,
            period=samples,
            coefficients=coefficients,
            observed=segments.names,
            n_inputs=input_count(segments),
        )
        recent = slice(-50_000, None)
        residuals = z[recent] - terms(numbers[recent, None]) @ coefficients
        return Fit(model=model, diagnostics={"residuals": residual_sample(residuals, seed)})


@simulate.register(SeasonalMeanMap)
def _simulate_season(
    model: SeasonalMeanMap, *arguments: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    coefficients, period = np.asarray(model.coefficients), float(model.period)
    orders = np.arange(1, (len(coefficients) - 1) // 2 + 1)

    def advance(n: np.ndarray, window: np.ndarray, u: np.ndarray) -> np.ndarray:
        angles = 2 * np.pi * orders * (n[:, None] + 1) / period
        terms = np.concatenate([np.ones((len(n), 1)), np.cos(angles), np.sin(angles)], axis=1)
        return np.asarray(terms @ coefficients + 0.0 * window[:, 0])

    return march(advance, *arguments)
