"""The report: every result of one analysis, and how to repeat it."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takens.core import Estimate, Finding, Recording
from takens.report.verdict import WITHOUT_A_RULE, Verdict, verdict_of

if TYPE_CHECKING:
    from takens.series import Motion
    from takens.validate import Backtest, LawJudgement, LongRun

_ON_THE_EXPONENT = ("noise-biases-exponent", "exponents-disagree")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """Everything that one analysis found.

    Parameters
    ----------
    recording : Recording
        What was read.
    motion : Motion or None
        The kind of motion with the results behind it.
    backtest : Backtest or None
        Models judged on held-out data.
    long_run : LongRun or None
        The best model's own behaviour beside the data's.
    law : LawJudgement or None
        Equations of few terms on part of the record, with their judgement.
    why_no_law : str
        Why there is none that survives; empty where one does.
    gaps : tuple of Finding
        Questions that these data could not answer, with the reason.
    given : str
        The file or data set as it was named; empty for arrays.
    settings : mapping
        Options of the analysis: seed, quick.
    provenance : mapping
        Versions, checksum of the source, date and wall time.
    """

    recording: Recording
    motion: Motion | None = None
    backtest: Backtest | None = None
    long_run: LongRun | None = None
    law: LawJudgement | None = None
    why_no_law: str = ""
    gaps: tuple[Finding, ...] = ()
    given: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Kind of motion in plain words, with reasons and what would change it."""
        return verdict_of(self.motion, " ".join(str(gap) for gap in self.gaps[:1]))

    @property
    def title(self) -> str:
        """What was analysed."""
        return self.recording.source if self.recording.source != "array" else "array of numbers"

    @property
    def cautions(self) -> tuple[Finding, ...]:
        """Every finding of reading and analysis, each once, the most serious first."""
        results = [r for r in (self.motion, self.backtest, self.long_run) if r is not None]
        found: dict[str, Finding] = {}
        for finding in (
            *self.gaps, *self.recording.findings, *(f for r in results for f in r.cautions)
        ):  # fmt: skip
            found.setdefault(str(finding), finding)
        if self.verdict.kind in WITHOUT_A_RULE:  # what weakens an exponent that nobody claims
            found = {
                text: dataclasses.replace(f, level="note") if f.code in _ON_THE_EXPONENT else f
                for text, f in found.items()
            }
        rank = {"serious": 0, "caution": 1, "note": 2}
        return tuple(sorted(found.values(), key=lambda finding: rank[finding.level]))

    @property
    def command(self) -> str:
        """The exact command that repeats this analysis; Python when the data were an array."""
        seed, quick = self.settings.get("seed", 0), self.settings.get("quick", False)
        if not self.given:
            return f"takens.analyse(data, seed={seed}{', quick=True' if quick else ''})"
        options = ["--seed", str(seed), *(["--quick"] if quick else [])]
        return shell_command("analyse", self.settings.get("reading", {}), options, self.given)

    def key_numbers(self) -> list[tuple[str, str]]:
        """Name and text of the few numbers that matter most, each with its interval."""
        from takens.report.numbers import key_estimates

        rows = [(name, estimate_text(estimate)) for name, estimate in key_estimates(self)]
        if self.backtest is not None:
            rows.append(("models", self.backtest.summary().splitlines()[0]))
        if self.law is not None and self.law.survives:
            rows.append(("law", "; ".join(self.law.law.equations)))
        return rows

    def summary(self) -> str:
        """The verdict, the key numbers and the cautions as compact text."""
        lines = [f"{self.title}: {self.verdict.summary()}"]
        lines += [f"{name}: {text}" for name, text in self.key_numbers()]
        lines += [f"{f.level}: {f.text}" for f in self.cautions if f.level != "note"]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()

    def to_dict(self) -> dict[str, Any]:
        """The content of ``results.json``; see the schema in the documentation."""
        from takens.report.document import document

        return document(self)

    def to_html(self) -> str:
        """The page as one self-contained HTML text that opens offline."""
        from takens.report.page import page

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
            The files written.

        Raises
        ------
        InvalidInput
            If the directory holds a file of one of these names that is not an earlier report, or
            cannot be written.
        """
        from takens.report.archive import write_arrays
        from takens.report.files import save
        from takens.report.page import page

        return save(self, Path(directory), page, write_arrays)


def estimate_text(estimate: Estimate) -> str:
    """An estimate with its unit and interval, with units that read well."""
    unit = "" if estimate.unit == "1" else estimate.unit
    return str(dataclasses.replace(estimate, unit=unit))


def shell_command(verb: str, reading: Mapping[str, Any], options: list[str], given: str) -> str:
    """A command line that does it again, with the options of reading and its own."""
    parts = ["takens", verb]
    for name, value in reading.items():
        if isinstance(value, (list, tuple)):
            value = ",".join(_quoted(str(item)) for item in value)  # noqa: PLW2901
        parts += [f"--{name.replace('_', '-')}", str(value)]
    parts += options
    # "--" keeps a file whose name starts with a dash from being read as an option
    parts += ["--", given] if given.startswith("-") else [given]
    return shlex.join(parts)


def _quoted(name: str) -> str:
    return f'"{name}"' if "," in name or '"' in name else name
