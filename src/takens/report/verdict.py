"""The verdict in plain words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from takens.series import Motion

WITHOUT_A_RULE = ("stochastic-linear", "stochastic-nonlinear", "nonstationary")
_SENTENCES = {
    "equilibrium": "The system rests: nothing in these data moves in a lasting way.",
    "periodic": "The motion repeats itself, and keeps its beat throughout the record.",
    "quasiperiodic": "Several independent rhythms beat together; the motion is regular, "
    "but never repeats exactly.",
    "chaotic": "Deterministic chaos: a rule governs the motion, yet small errors grow "
    "exponentially, so that only the near future can be foretold.",
    "stochastic-linear": "Random fluctuations that a linear process explains: there is no "
    "evidence of a nonlinear rule, and none of chaos.",
    "stochastic-nonlinear": "Random fluctuations with nonlinear structure: a linear process is "
    "ruled out, but no deterministic rule is established.",
    "nonstationary": "The system changes during the record (trend, random walk or changing "
    "variance), so that questions about one unchanging motion do not apply.",
    "undetermined": "These data cannot tell which kind of motion it is.",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """Kind of motion in plain words.

    Parameters
    ----------
    kind : str
        As `takens.series.Motion.kind`.
    sentence : str
        What that means.
    reasons, would_change : tuple of str
        Why, and which data could change it.
    """

    kind: str
    sentence: str
    reasons: tuple[str, ...] = ()
    would_change: tuple[str, ...] = ()

    def summary(self) -> str:
        """The kind, the sentence and the reasons as text."""
        lines = [f"{self.kind}: {self.sentence}", *(f"  - {reason}" for reason in self.reasons)]
        if self.would_change:
            lines.append("What could change this: " + " ".join(self.would_change))
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()


def verdict_of(motion: Motion | None, failure: str = "") -> Verdict:
    """The verdict of a motion, or an undetermined one that says why there is none.

    Examples
    --------
    >>> verdict_of(None, "Only 3 samples were given.").kind
    'undetermined'
    """
    if motion is None:
        return Verdict(
            kind="undetermined",
            sentence=_SENTENCES["undetermined"],
            reasons=(failure,) if failure else (),
            would_change=("A longer record without gaps.",),
        )
    return Verdict(
        kind=motion.kind,
        sentence=_SENTENCES[motion.kind],
        reasons=motion.reasons,
        would_change=motion.would_change,
    )
