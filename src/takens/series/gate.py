"""Whether there is a rule at all: what estimators of deterministic quantities ask before they answer."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import Finding, InvalidInput
from takens.series.lines import fit_lines
from takens.series.observable import Observable, delay_vectors
from takens.series.prediction import Coordinates, local_prediction_error
from takens.series.surrogates import surrogate_tests

RATIO = 0.6  # prediction error over that of surrogates; above it what is foretold is not enough
ALPHA = 0.05
LINES_UNEXPLAINED = 0.25


@dataclasses.dataclass(frozen=True)
class Gate:
    """Whether a record is deterministic beyond a linear Gaussian process, or a few spectral lines.

    Parameters
    ----------
    nonlinear, lines : bool
        Local prediction beats its surrogates; sinusoids foretell the last third of the record.
    ratio, p_value : float
        Prediction error over the surrogates' median, and its rank p-value.
    unexplained : float
        Share of the held-out variance that the sinusoids leave.
    """

    nonlinear: bool
    lines: bool
    ratio: float
    p_value: float
    unexplained: float

    @property
    def open(self) -> bool:
        """Whether questions to a deterministic system make sense."""
        return self.nonlinear or self.lines

    @property
    def finding(self) -> Finding:
        """Why the gate is shut, with the numbers."""
        return Finding(
            "no-rule",
            f"Local prediction makes {self.ratio:.2g} of the error on linear surrogates "
            f"(p = {self.p_value:.2g}; a rule makes at most {RATIO}), and sinusoids leave "
            f"{self.unexplained:.0%} of the held-out variance: the record cannot be told from noise.",
            "No answer is given. A longer or less noisy record may show a rule.",
            "serious",
        )


def gate(view: Observable, at: Coordinates, *, seed: int, n_surrogates: int = 39) -> Gate:
    """Prediction error against IAAFT surrogates, and spectral lines on held-out data.

    With missing samples the null is the gapped one. Cost: `n_surrogates` IAAFT runs and prediction
    errors with 600 references on at most 4,096 samples.
    """
    m = max(2, min(4, at.dimension))

    def error(x: np.ndarray) -> float:
        columns = x[:, None] if x.ndim == 1 else x
        try:
            vectors = delay_vectors((columns,), m, at.delay)
        except InvalidInput:
            return float("nan")
        return local_prediction_error(
            vectors, lead=at.delay, theiler=at.theiler, max_references=600
        )

    null = "gapped" if view.missing > 0 and view.n_components == 1 else "iaaft"
    (test,) = surrogate_tests(
        view, {"prediction error": (error, "less")}, null=null, n_surrogates=n_surrogates, seed=seed
    )
    unexplained = fit_lines(view.longest).unexplained_outside if len(view.longest) > 63 else np.nan
    return Gate(
        nonlinear=bool(test.p_value <= ALPHA and test.ratio <= RATIO),
        lines=bool(unexplained <= LINES_UNEXPLAINED),
        ratio=test.ratio,
        p_value=test.p_value,
        unexplained=float(unexplained),
    )
