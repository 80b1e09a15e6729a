"""The diagnosis of a training run: a verdict with what it rests on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate

if TYPE_CHECKING:
    import xarray as xr

    from takens.algorithms.diagnosis.measures import Alternation
    from takens.algorithms.diagnosis.modes import Multipliers
    from takens.algorithms.rates import ConvergenceRate
    from takens.algorithms.recording import TrainingRun

SENTENCES = {
    "converging": "The run settles: its loss falls or its steps shrink, and nothing swings.",
    "edge-of-stability": "The run trains at the edge of stability: it swings along its sharpest "
    "direction at about the largest learning rate that it bears, and still moves on.",
    "oscillating": "The run goes round and round: it repeats the same states and makes no progress.",
    "chaotic": "The run wanders without end: it is bounded and makes no progress, and small differences "
    "grow exponentially.",
    "stalled": "The run hardly moves: its loss does not fall, though its gradient does not shrink either.",
    "noise-floor": "The run has come down to the noise of its batches: it fluctuates about one place, "
    "and more of the same steps will not lower the loss.",
    "diverging": "The run is lost: its loss grows beyond its start, or is no number any more.",
    "undetermined": "This run cannot tell what becomes of it.",
}
FALLS = (
    "The loss falls. Whether the weights settle, or swing at the edge of stability, a loss alone does "
    "not show."
)
VERDICTS = tuple(SENTENCES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingEvidence:
    """One number, and what it says.

    Parameters
    ----------
    name : str
    value : Estimate
        With its interval, and how that was obtained.
    says : str
        In plain words.
    """

    name: str
    value: Estimate
    says: str


@dataclasses.dataclass(frozen=True)
class TrainingAdvice:
    """What to do about it.

    Parameters
    ----------
    text : str
    tried : bool
        Whether it was tried out by running the system on; otherwise it is inferred from the record.
    """

    text: str
    tried: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainingDiagnosis(AbstractResult):
    """What becomes of a training run, and why that is believed.

    Parameters
    ----------
    verdict : str
        One of ``VERDICTS``: converging, edge-of-stability, oscillating, chaotic, stalled, noise-floor,
        diverging, undetermined.
    reasons : tuple of str
        Why.
    would_change : tuple of str
        Which record could decide, or change this.
    evidence : tuple of TrainingEvidence
    advice : tuple of TrainingAdvice
        Only what the evidence carries.
    run : TrainingRun
        The record that was looked at.
    rate : ConvergenceRate or None
        Where the run settles, and its rate was asked for.
    multipliers : Multipliers or None
        From the projections.
    alternation : Alternation or None
        From the projections.
    door : str
        ``"system"``, ``"projections"`` or ``"loss"``: what the verdict could be drawn from.
    """

    verdict: str
    reasons: tuple[str, ...]
    would_change: tuple[str, ...]
    evidence: tuple[TrainingEvidence, ...]
    advice: tuple[TrainingAdvice, ...]
    run: TrainingRun
    rate: ConvergenceRate | None
    multipliers: Multipliers | None
    alternation: Alternation | None
    door: str

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        if self.door == "loss" and self.verdict == "converging":
            return FALLS
        return SENTENCES[self.verdict]

    def named(self, name: str) -> TrainingEvidence | None:
        """The evidence of that name, if there is any."""
        return next((e for e in self.evidence if e.name == name), None)

    def summary(self) -> str:
        """Verdict, reasons, advice and cautions."""
        lines = [f"{self.verdict}: {self.sentence}", *(f"  - {r}" for r in self.reasons)]
        lines += [f"advice{' (tried)' if a.tried else ''}: {a.text}" for a in self.advice]
        if self.would_change:
            lines.append("What could change this: " + " ".join(self.would_change))
        lines += [f"{c.level}: {c}" for c in self.cautions if c.level != "note"]
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """Loss over steps, on a logarithmic scale where it is positive."""
        from takens import plot

        ax = plot.axes(ax)
        seen = np.isfinite(self.run.loss)
        plot.line(ax, self.run.steps[seen], self.run.loss[seen])
        if seen.any() and (self.run.loss[seen] > 0).all():
            ax.set_yscale("log")
        return plot.labels(ax, "step", "loss", self.verdict)

    def to_xarray(self) -> xr.Dataset:
        """The evidence as a table."""
        import xarray as xr

        values = [e.value for e in self.evidence]
        return xr.Dataset(
            {
                "value": ("evidence", np.array([v.value for v in values], float)),
                "low": ("evidence", np.array([v.interval[0] for v in values], float)),
                "high": ("evidence", np.array([v.interval[1] for v in values], float)),
            },
            {"evidence": [e.name for e in self.evidence]},
            attrs={"verdict": self.verdict, "door": self.door},
        )
