"""Forecast the training mean, or the mean of the season: what any useful forecast must beat."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from takens.core import Fit, InvalidInput
from takens.data import Segments
from takens.learn.delay import (
    AbstractDelayEstimator,
    input_count,
    residual_sample,
)
from takens.learn.frame import fit_frame
from takens.learn.host import AbstractHostMap, AbstractMarchingMap
from takens.learn.moments import moments

if TYPE_CHECKING:
    from takens.learn.maps import SeasonalMeanMap


def _sample_numbers(segments: Segments) -> np.ndarray:
    numbers = [
        np.round(start / segments.dt) + np.arange(len(values))
        for start, values in zip(segments.starts, segments.values, strict=True)
    ]
    return np.concatenate(numbers)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostSeason(AbstractMarchingMap):
    """The mean at each phase of one period; see `SeasonalMeanMap`.

    Parameters
    ----------
    period : float
        In samples.
    coefficients : array, shape (1 + 2 n_harmonics, n_coordinates)
        Constant, cosines, sines; in standardised units.
    """

    period: float
    coefficients: np.ndarray

    def advance(self, n: np.ndarray, window: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The mean at the phase of the next sample."""
        orders = np.arange(1, (len(self.coefficients) - 1) // 2 + 1)
        angles = 2 * np.pi * orders * (n[:, None] + 1) / self.period
        terms = np.concatenate([np.ones((len(n), 1)), np.cos(angles), np.sin(angles)], axis=1)
        return np.asarray(terms @ self.coefficients + 0.0 * window[:, 0])  # NaN stays NaN

    def tangent(
        self, n: np.ndarray, window: np.ndarray, u: np.ndarray, vector: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """It, and zero: the state is forgotten."""
        return self.advance(n, window, u), 0.0 * vector[:, 0]

    def system(self) -> SeasonalMeanMap:
        """The same map as a system."""
        from takens.learn.maps import SeasonalMeanMap

        return SeasonalMeanMap(
            frame=self.frame.system(),
            period=self.period,
            coefficients=self.coefficients,
            observed=self.observed,
            n_inputs=self.n_inputs,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Climatology(AbstractDelayEstimator["SeasonalMeanMap"]):
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

    def learn(self, segments: Segments, *, seed: int = 0) -> Fit[AbstractHostMap]:
        """Take the mean."""
        frame, _ = fit_frame(segments, segments.values[0].shape[1])
        anomalies = frame.encode(np.concatenate(segments.values))
        model = HostSeason(
            frame=frame,
            period=1.0,
            coefficients=np.zeros((1, anomalies.shape[1])),
            observed=segments.names,
            n_inputs=input_count(segments),
        )
        return Fit(model=model, diagnostics={"residuals": residual_sample(anomalies, seed)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeasonalClimatology(AbstractDelayEstimator["SeasonalMeanMap"]):
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

    def learn(self, segments: Segments, *, seed: int = 0) -> Fit[AbstractHostMap]:
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
        z = frame.encode(np.concatenate(segments.values))

        def terms(rows: np.ndarray) -> np.ndarray:
            angles = 2 * np.pi * rows * orders / samples
            return np.concatenate([np.ones((len(rows), 1)), np.cos(angles), np.sin(angles)], axis=1)

        sums = moments(terms, numbers[:, None], z)
        coefficients = sums.solve()
        model = HostSeason(
            frame=frame,
            period=samples,
            coefficients=coefficients,
            observed=segments.names,
            n_inputs=input_count(segments),
        )
        recent = slice(-50_000, None)
        residuals = z[recent] - terms(numbers[recent, None]) @ coefficients
        return Fit(model=model, diagnostics={"residuals": residual_sample(residuals, seed)})
