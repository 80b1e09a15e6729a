"""Estimators of maps on a window of past observations, and the pairs that they learn from."""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from takens.core import AbstractEstimator, Finding, Fit, InvalidInput
from takens.data import Segments, regular_segments
from takens.learn.frame import HostFrame, fit_frame
from takens.learn.host import MAX_RESIDUALS, AbstractHostMap

if TYPE_CHECKING:
    from takens.learn.maps import AbstractDelayMap

DelayModel = TypeVar("DelayModel", bound="AbstractDelayMap")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractDelayEstimator(AbstractEstimator[DelayModel]):
    """Settings of a method that learns an `AbstractDelayMap`.

    `learn` does the work and returns the map on the host, which needs no compiler; `fit` makes a
    system of it. What has only a system returns ``HostedSystem.of(system)`` from `learn`.
    """

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """Short name for tables and figures."""

    @abc.abstractmethod
    def tuned(self, segments: Segments, *, seed: int = 0) -> Self:
        """The same estimator with every open setting chosen from `segments` alone."""

    @abc.abstractmethod
    def learn(self, segments: Segments, *, seed: int = 0) -> Fit[AbstractHostMap]:
        """Learn from evenly sampled stretches; no pair of samples spans a break."""

    def fit_segments(self, segments: Segments, *, seed: int = 0) -> Fit[DelayModel]:
        """The same with a system as the model."""
        found = self.learn(segments, seed=seed)
        return Fit(
            model=found.model.system(),
            diagnostics=found.diagnostics,
            status=found.status,
            cautions=found.cautions,
        )

    def fit(self, data: Any, *, seed: int = 0) -> Fit[DelayModel]:
        """Learn a map from `data` (anything `takens.data.as_recording` accepts)."""
        return self.fit_segments(regular_segments(data), seed=seed)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Pairs:
    """Windows and what followed them.

    Parameters
    ----------
    past : array, shape (pair, n_lags * n_coordinates)
        Coordinates at the lags, newest first.
    inputs : array, shape (pair, n_inputs)
        Inputs at the newest time of each window.
    future : array, shape (pair, n_coordinates)
        The next sample.
    positions : array, shape (pair, 2)
        Stretch and row of the newest sample in the window.
    """

    past: np.ndarray
    inputs: np.ndarray
    future: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.past)

    def thinned(self, rows: np.ndarray | slice) -> Pairs:
        """A selection of the pairs."""
        return Pairs(
            past=self.past[rows],
            inputs=self.inputs[rows],
            future=self.future[rows],
            positions=self.positions[rows],
        )


def input_count(segments: Segments) -> int:
    """Number of input columns, zero without inputs."""
    first = segments.inputs[0]
    return 0 if first is None else int(first.shape[1])


def pairs(
    segments: Segments, frame: HostFrame, lags: tuple[int, ...], *, cap: int = 200_000
) -> Pairs:
    """Every window of `segments` with its successor; of more than `cap`, the most recent.

    Raises
    ------
    InvalidInput
        If no stretch is long enough for one window and its successor.
    """
    window = max(lags) + 1
    past, inputs, future, positions = [], [], [], []
    left = cap
    for index in reversed(range(len(segments.values))):
        values = segments.values[index]
        drivers = segments.inputs[index]
        if len(values) <= window or left <= 0:
            continue
        first = max(window - 1, len(values) - 1 - left)
        z = frame.encode(values[first - window + 1 :])
        rows = np.arange(window - 1, len(z) - 1)
        past.append(np.concatenate([z[rows - lag] for lag in lags], axis=1))
        future.append(z[rows + 1])
        absolute = rows + first - window + 1
        inputs.append(np.empty((len(rows), 0)) if drivers is None else drivers[absolute])
        positions.append(np.stack([np.full(len(rows), index), absolute], axis=1))
        left -= len(rows)
    if not past:
        raise InvalidInput(
            f"No stretch is longer than the window of {window} samples. "
            "Give a longer record, or a model with fewer lags."
        )

    def join(parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(parts[::-1])

    return Pairs(
        past=join(past), inputs=join(inputs), future=join(future), positions=join(positions)
    )


def capped_finding(segments: Segments, used: int, what: str) -> tuple[Finding, ...]:
    """A caution when only the most recent `used` samples were taken."""
    if used >= segments.n_samples - 64 * len(segments.values):
        return ()
    return (
        Finding(
            code="training-capped",
            text=f"{what} used the {used} most recent of {segments.n_samples} training samples.",
            action="Older samples did not enter this model.",
            level="note",
        ),
    )


def frame_for(segments: Segments, cap: int) -> tuple[HostFrame, tuple[Finding, ...]]:
    """A frame of at most `cap` coordinates, and of at most a tenth as many as samples."""
    return fit_frame(segments, max(1, min(cap, segments.n_samples // 10)))


def residual_sample(residuals: np.ndarray, seed: int) -> np.ndarray:
    """At most `MAX_RESIDUALS` rows of `residuals`, evenly taken and centred."""
    if len(residuals) > MAX_RESIDUALS:
        rng = np.random.default_rng(seed)
        residuals = residuals[np.sort(rng.choice(len(residuals), MAX_RESIDUALS, replace=False))]
    return residuals
