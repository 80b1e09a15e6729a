"""Laws in coordinates rebuilt from the past of what was measured."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import numpy as np

from takens.core import AbstractEstimator, Finding, Fit, InvalidInput, Recording, Trajectory
from takens.data import as_recording
from takens.learn.reduction import modes

Model = TypeVar("Model")
UNEVEN = 1e-3  # relative spread of time steps that still counts as none


@dataclasses.dataclass(frozen=True, kw_only=True)
class DelayCoordinates(AbstractEstimator[Model]):
    r"""A law in the leading modes of a sliding window, for records that show only part of the state.

    Every row is set beside its `window - 1` predecessors, `spacing` samples apart; the leading
    singular directions of these windows are the state, and `estimator` learns a law for them.

    Parameters
    ----------
    estimator : AbstractEstimator
        Of the law in these coordinates, such as `takens.learn.SINDy`.
    window : int
        Samples in a window, the newest included. Its span, ``(window - 1) * spacing`` steps, should be
        about a quarter of a turn to a turn of the motion.
    spacing : int
        Samples from one of them to the next.
    n_modes : int
        Coordinates of the law: by Takens' theorem, more than twice the dimension of the motion are
        enough, and often as many as the hidden system has states.

    Raises
    ------
    InvalidInput
        If a setting does not fit the data, or times are uneven: a window has no meaning then.

    Notes
    -----
    The law is one of the reconstruction and not of the mechanism, as a caution on the fit repeats:
    which terms it has depends on the window, and need not be few. What coordinates leave alone
    (exponents, dimension, stability, forecasts) can be read off it. Noise returns in each of the
    windows that a sample is in, so that it is correlated in time in these coordinates: intervals that
    take it for white are too narrow, and an estimator may refuse the law for that. Where the
    derivatives of the column can serve as states, `takens.learn.HigherOrderSINDy` does not have these
    weaknesses.

    ``diagnostics["modes"]`` leads from windows (`embed`) to coordinates and back.

    Cost: that of the estimator, and ``rows * (columns * window)**2`` operations.

    References
    ----------
    Takens, Lecture Notes in Mathematics 898, 366 (1981). Broomhead and King, Physica D 20, 217
    (1986). Brunton et al., Nature Communications 8, 19 (2017), on laws in these coordinates.

    Examples
    --------
    >>> from takens.learn import SINDy
    >>> from takens.learn.terms import Polynomials
    >>> t = 0.1 * np.arange(500)
    >>> swing = np.exp(-0.02 * t) * np.cos(t) + 1e-3 * np.random.default_rng(0).normal(size=500)
    >>> found = DelayCoordinates(estimator=SINDy(library=Polynomials(1)), window=12, n_modes=2).fit(swing)
    >>> found.model.dim, found.cautions[0].code
    (2, 'reconstructed-coordinates')
    """

    estimator: AbstractEstimator[Model]
    window: int
    spacing: int = 1
    n_modes: int = 3
    references = ("takens1981detecting", "broomhead1986extracting", "brunton2017chaos")

    def __post_init__(self) -> None:
        for name in ("window", "spacing", "n_modes"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InvalidInput(f"{name} = {value!r}; expected a whole number, 1 or more.")
        if self.window < 2:
            raise InvalidInput("window = 1 holds no past; expected at least 2.")

    def embed(self, data: Any) -> Recording:
        """Every row beside its predecessors, newest first; missing where one of them is."""
        recording = as_recording(data)
        return dataclasses.replace(
            recording, records=tuple(self._embedded(record) for record in recording)
        )

    def _embedded(self, record: Trajectory) -> Trajectory:
        steps = np.diff(record.times)
        if len(steps) and np.ptp(steps) > UNEVEN * np.median(steps):
            raise InvalidInput(
                "Times are uneven, so that a window has no fixed span. Resample the record first."
            )
        reach = (self.window - 1) * self.spacing
        if len(record) < reach + 8:
            raise InvalidInput(
                f"A record has {len(record)} rows; a window of {self.window} samples, {self.spacing} "
                f"apart, needs {reach + 8}. Take a smaller window."
            )
        rows = np.arange(reach, len(record))
        lags = self.spacing * np.arange(self.window)
        states = record.states[rows[:, None] - lags].reshape(len(rows), -1)
        names = tuple(
            name if lag == 0 else f"{name}[-{lag}]" for lag in lags for name in record.names
        )
        return dataclasses.replace(
            record, times=record.times[rows], states=states, names=names,
            units=record.units * self.window,
            inputs=None if record.inputs is None else record.inputs[rows],
        )  # fmt: skip

    def fit(self, data: Any, *, seed: int = 0) -> Fit[Model]:
        """Embed, find the modes, learn the law."""
        windows = self.embed(data)
        if self.n_modes > len(windows.names):
            raise InvalidInput(
                f"n_modes = {self.n_modes}; the windows have {len(windows.names)} values."
            )
        found = modes(windows, n_modes=self.n_modes)
        fit = self.estimator.fit(found.encode(windows), seed=seed)
        caution = Finding(
            code="reconstructed-coordinates",
            text=f"The law is in {self.n_modes} coordinates rebuilt from windows of {self.window} "
            f"samples, which hold {found.share:.1%} of their variance: of the reconstruction, not of the "
            "mechanism.",
            action="Read exponents, stability and forecasts off it, and no terms.",
        )
        return dataclasses.replace(
            fit,
            diagnostics={**fit.diagnostics, "modes": found},
            cautions=(caution, *found.cautions, *fit.cautions),
        )
