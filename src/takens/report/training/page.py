"""``report.html`` of a training run: one page from its content and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from takens.report.markup import Markup, bullets, escaped, interval, number, table, tag
from takens.report.page import REPORT_HOLDS, assembled, caution_line, cautions_section, in_pairs
from takens.report.sections import data_section, repeat_section, sentence
from takens.report.training.report import KEY

if TYPE_CHECKING:
    from takens.report.training.report import TrainingReport

HEADS = {
    "converging": "Converging",
    "edge-of-stability": "At the edge of stability",
    "oscillating": "Oscillating",
    "chaotic": "Chaotic",
    "stalled": "Stalled",
    "noise-floor": "At the noise floor",
    "diverging": "Diverging",
    "undetermined": "Undetermined",
}
DOORS = {
    "projections": "Drawn from projections of the weights, and from the loss.",
    "loss": "Drawn from the loss alone: weaker than a record with projections of the weights allows.",
}


def verdict_section(content: dict[str, Any]) -> Markup:
    """Verdict, advice, reasons, and the key numbers."""
    verdict = content["verdict"]
    told = {e["name"]: e for e in content["evidence"]}
    tiles = [
        tag("div", tag("dt", name[:1].upper() + name[1:]),
            tag("dd", number(told[name]["value"]), class_="value"),
            tag("dd", f"{told[name]['level']:.0%}: ", interval(*told[name]["interval"]), class_="range"),
            class_="tile")
        for name in KEY if name in told
    ]  # fmt: skip
    head = HEADS[verdict["kind"]]
    if content["door"] == "loss" and verdict["kind"] == "converging":
        head = "The loss falls"
    return tag(
        "section",
        tag("div",
            tag("h2", head, class_="kind"),
            tag("p", verdict["sentence"], class_="sentence"),
            tag("h3", "What to do") if content["advice"] else "",
            bullets([a["text"] for a in content["advice"]]),
            tag("h3", "Why"), bullets(verdict["reasons"]),
            tag("h3", "What would change this") if verdict["would_change"] else "",
            bullets([sentence(text) for text in verdict["would_change"]]),
            tag("p", DOORS[content["door"]]),
            class_="verdict"),
        tag("dl", *tiles, class_="tiles") if tiles else "",
        caution_line(content),
        id="verdict", aria_label="Verdict",
    )  # fmt: skip


def evidence_section(content: dict[str, Any]) -> Markup:
    """Every number, with its interval and what it says."""
    rows = [
        (e["name"], number(e["value"]), interval(*e["interval"]), f"{e['level']:.0%}", e["method"], e["says"])
        for e in content["evidence"]
    ]  # fmt: skip
    if not rows:
        return Markup("")
    return tag(
        "section", tag("h2", "Evidence"),
        tag("p", "An interval at 100 % is the range over parts of the run, windows or states."),
        table("What was measured", ("Quantity", "Value", "Interval", "Level", "Interval from", "What it says"),
              rows, numeric=(1, 2, 3)),
        id="evidence",
    )  # fmt: skip


def _drawn(name: str, heading: str, text: str, figures: Markup | None) -> Markup:
    if figures is None:
        return Markup("")
    return tag("section", tag("h2", heading), tag("p", text), figures, id=name)


def page(report: TrainingReport, content: dict[str, Any] | None = None) -> str:
    """The whole page.

    Parameters
    ----------
    report : TrainingReport
    content : dict, optional
        ``report.to_dict()``, when it is at hand already.
    """
    from takens.report.training.figures import figures_of

    content = report.to_dict() if content is None else content
    figures = figures_of(report)
    drawn = {name: in_pairs(group) for name, group in figures.items()}
    sections = [
        ("verdict", "Verdict", verdict_section(content)),
        ("run", "Run", _drawn("run", "The run", "Loss and gradient as they were logged.", drawn.get("run"))),
        ("swings", "Swings", _drawn(
            "swings", "Swings and multipliers", "From random projections of the weights: their differences, "
            "so that neither limit nor drift enters.", drawn.get("swings"))),
        ("rate", "Rate", _drawn(
            "rate", "How fast", "The rate is believed where windows and ranks agree.", drawn.get("rate"))),
        ("evidence", "Evidence", evidence_section(content)),
        ("data", "Data", data_section(content, Markup(""))),
        ("cautions", "Cautions", cautions_section(content)),
        ("repeat", "Repeat", repeat_section(content)),
    ]  # fmt: skip
    title = f"{content['title']}: {content['verdict']['kind']} – Takens report"
    return assembled(content, sections, figures, title=title, holds=escaped([REPORT_HOLDS]))
