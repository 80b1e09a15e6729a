"""The report on a training run: its diagnosis, and how to repeat it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takens.core import Finding
from takens.report.result import estimate_text, shell_command
from takens.report.verdict import Verdict

if TYPE_CHECKING:
    from takens.algorithms import TrainingDiagnosis
    from takens.algorithms.diagnosis.logs import TrainingLog

KEY = (
    "loss: change over the last half", "gradient norm: change over the last half", "rate", "steps to go",
    "period", "alternating multiplier: modulus", "step left to chance", "growth of the loss",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainingReport:
    """Everything found in the log of one training run.

    Parameters
    ----------
    log : TrainingLog
        What was read.
    diagnosis : TrainingDiagnosis
    title : str
        What was analysed.
    given : str
        The file as it was named; empty for a run in memory.
    settings, provenance : mapping
        Options; versions, checksum of the source, date and wall time.
    """

    log: TrainingLog
    diagnosis: TrainingDiagnosis
    title: str
    given: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Verdict in plain words, with reasons and what would change it."""
        found = self.diagnosis
        return Verdict(kind=found.verdict, sentence=found.sentence, reasons=found.reasons,
                       would_change=found.would_change)  # fmt: skip

    @property
    def cautions(self) -> tuple[Finding, ...]:
        """Every finding, the most serious first."""
        rank = {"serious": 0, "caution": 1, "note": 2}
        return tuple(sorted(self.diagnosis.cautions, key=lambda finding: rank[finding.level]))

    @property
    def command(self) -> str:
        """What repeats this; Python for a run in memory."""
        full = self.settings.get("full_batch")
        if not self.given:
            return "takens.report.training(run)"
        options = ["--tol", str(self.settings["tol"])]
        if full is not None:
            options.append("--full-batch" if full else "--mini-batch")
        return shell_command("training", {}, options, self.given)

    def key_numbers(self) -> list[tuple[str, str]]:
        """Name and text of the few numbers that matter most, each with its interval."""
        named = (self.diagnosis.named(name) for name in KEY)
        return [(e.name, estimate_text(e.value)) for e in named if e is not None]

    def summary(self) -> str:
        """The diagnosis as text."""
        return f"{self.title}: {self.diagnosis.summary()}"

    def __str__(self) -> str:
        return self.summary()

    def to_dict(self) -> dict[str, Any]:
        """The content of ``results.json``; see the schema in the documentation."""
        from takens.report.training.document import document

        return document(self)

    def to_html(self) -> str:
        """The page as one self-contained HTML text that opens offline."""
        from takens.report.training.page import page

        return page(self)

    def save(self, directory: str | Path) -> tuple[Path, ...]:
        """Write ``report.html``, ``results.json`` and ``results.nc``.

        Parameters
        ----------
        directory : str or Path
            Made when missing. An earlier report in it is replaced.

        Returns
        -------
        tuple of Path

        Raises
        ------
        InvalidInput
            If the directory holds a file of one of these names that is not an earlier report, or
            cannot be written.
        """
        from takens.report.files import save
        from takens.report.training.document import write_arrays
        from takens.report.training.page import page

        return save(self, Path(directory), page, write_arrays)
