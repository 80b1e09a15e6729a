"""What ``takens discover`` found: a judged law, or none, and how to repeat the search."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takens.core import Finding, Recording
from takens.report.result import shell_command

if TYPE_CHECKING:
    from takens.learn.terms import AbstractTermSystem
    from takens.report.law.choice import Choice
    from takens.validate import LawJudgement


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Discovery:
    """Equations found in data, with their judgement.

    Parameters
    ----------
    recording : Recording
        What was read.
    judgement : LawJudgement
    choice : Choice
        What was searched, and why.
    findings : tuple of Finding
        Of reading and of bringing the data to an even step.
    given : str
        The file or data set as it was named; empty for arrays.
    settings, provenance : mapping
        Options; versions, checksum of the source, date and wall time.
    """

    recording: Recording
    judgement: LawJudgement
    choice: Choice
    findings: tuple[Finding, ...] = ()
    given: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def title(self) -> str:
        """What was searched."""
        return self.recording.source if self.recording.source != "array" else "array of numbers"

    @property
    def found(self) -> bool:
        """Whether there is a law at all, whatever its judgement."""
        return self.judgement.outcome != "none"

    @property
    def cautions(self) -> tuple[Finding, ...]:
        """Every finding, each once, the most serious first."""
        found: dict[str, Finding] = {}
        for finding in (*self.findings, *self.judgement.cautions):
            found.setdefault(str(finding), finding)
        rank = {"serious": 0, "caution": 1, "note": 2}
        return tuple(sorted(found.values(), key=lambda finding: rank[finding.level]))

    @property
    def command(self) -> str:
        """What repeats this search; Python when the data were an array."""
        settings = self.settings
        if not self.given:
            chosen = {k: settings[k] for k in ("degree", "horizon") if settings.get(k) is not None}
            if settings.get("terms"):
                chosen["terms"] = settings["terms"]
            shown = "".join(f", {name}={value!r}" for name, value in chosen.items())
            if settings.get("method"):
                shown += f", method=takens.learn.{settings['method']}"
            return f"takens.discover(data, seed={settings.get('seed', 0)}{shown})"
        options = ["--seed", str(settings.get("seed", 0))]
        if settings.get("method"):
            options += ["--kind", self.choice.kind]
        for name in ("degree", "horizon", "max_samples"):
            if settings.get(name) is not None:
                options += [f"--{name.replace('_', '-')}", str(settings[name])]
        reading = dict(settings.get("reading", {}))
        if settings.get("terms"):
            reading["library"] = settings["terms"]
        return shell_command("discover", reading, options, self.given)

    def system(self) -> AbstractTermSystem:
        """The law as a system: the same object that is printed, judged and written to files."""
        return self.judgement.model.equations()

    def summary(self) -> str:
        """The judgement and the cautions as text."""
        lines = [f"{self.title}: {self.judgement.summary()}"]
        lines += [f"{f.level}: {f.text}" for f in self.cautions if f.level != "note"]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()

    def to_dict(self) -> dict[str, Any]:
        """The content of ``results.json``; see the schema in the documentation."""
        from takens.report.law.document import document

        return document(self)

    def to_html(self) -> str:
        """The page as one self-contained HTML text that opens offline."""
        from takens.report.law.page import page

        return page(self)

    def save(self, directory: str | Path) -> tuple[Path, ...]:
        """Write ``report.html``, ``results.json`` and, where there is a law, its files.

        These are ``law.json`` (read by `takens.learn.terms.load`), ``law.py``, ``law_sympy.py``,
        ``law.c``, ``law.tex`` and ``law.png``. Those that need SymPy are left out without it.

        Parameters
        ----------
        directory : str or Path
            Made when missing. An earlier report in it is replaced, files of its law included.

        Returns
        -------
        tuple of Path
            The files written.

        Raises
        ------
        InvalidInput
            If the directory holds a file of one of these names that is not ours, or cannot be
            written.
        """
        from takens.report.law.files import save

        return save(self, Path(directory))
