"""``report.html``: one page from the content of ``results.json`` and the figures."""

from __future__ import annotations

import json
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

import takens
from takens.report.drawing import Figure
from takens.report.markup import Markup, bullets, escaped, interval, number, table, tag
from takens.report.sections import (
    backtest_section,
    data_section,
    evidence_section,
    law_section,
    models_part,
    numbers_section,
    repeat_section,
    sentence,
    space_section,
    sufficiency_section,
)  # fmt: skip

if TYPE_CHECKING:
    from takens.report.result import Report


def figure_html(figure: Figure) -> Markup:
    """The place of one figure, with its caption and a description for those who cannot see it."""
    heading = f"title-{figure.name}"
    return tag(
        "figure",
        tag("h3", figure.title, id=heading),
        tag("div", id=f"plot-{figure.name}", class_=f"plot {figure.size}".strip(), role="img",
            aria_label=figure.description),
        tag("figcaption", figure.caption),
        aria_labelledby=heading,
    )  # fmt: skip


def in_pairs(figures: list[Figure]) -> Markup:
    """Figures; small ones side by side where there is room."""
    parts, waiting = [], []
    for figure in figures:
        if figure.size == "small":
            waiting.append(figure_html(figure))
            continue
        if waiting:
            parts.append(tag("div", *waiting, class_="pair"))
            waiting = []
        parts.append(figure_html(figure))
    if waiting:
        parts.append(tag("div", *waiting, class_="pair"))
    return escaped(parts)


def _verdict(content: dict[str, Any], report: Report) -> Markup:
    from takens.report.numbers import key_estimates

    verdict = content["verdict"]
    tiles = []
    for name, estimate in key_estimates(report):
        low, high = estimate.interval
        tiles.append(tag(
            "div", tag("dt", name[:1].upper() + name[1:]),
            tag("dd", number(float(estimate.value), unit=estimate.unit), class_="value"),
            tag("dd", f"{estimate.level:.0%}: ", interval(float(low), float(high)), class_="range"),
            class_="tile",
        ))  # fmt: skip
    return tag(
        "section",
        tag("div",
            tag("h2", verdict["kind"].capitalize(), class_="kind"),
            tag("p", verdict["sentence"], class_="sentence"),
            tag("h3", "Why") if verdict["reasons"] else "", bullets(verdict["reasons"]),
            tag("h3", "What would change this") if verdict["would_change"] else "",
            bullets([sentence(text) for text in verdict["would_change"]]),
            models_part(content["backtest"]),
            class_="verdict"),
        tag("dl", *tiles, class_="tiles") if tiles else "",
        *(tag("p", gap["text"], class_="gap") for gap in content["gaps"]),
        caution_line(content),
        id="verdict", aria_label="Verdict",
    )  # fmt: skip


def caution_line(content: dict[str, Any]) -> Markup:
    """How many cautions there are, with a link to them."""
    levels = [finding["level"] for finding in content["cautions"]]
    count = sum(level != "note" for level in levels)
    if not count:
        return Markup("")
    link = tag("a", f"{count} caution{'s' if count > 1 else ''}", href="#cautions")
    return tag("p", "Read this with ", link, ".")


def findings_html(findings: list[dict[str, Any]]) -> Markup:
    """Findings as a list, each with its level in words."""
    entries = [
        tag("li", tag("span", f["level"], class_="level"), f["text"], " " if f["action"] else "",
            f["action"], class_=f["level"])
        for f in findings
    ]  # fmt: skip
    return tag("ul", *entries, class_="findings") if entries else tag("p", "None.")


def cautions_section(content: dict[str, Any]) -> Markup:
    """Cautions, and notes folded away."""
    warnings = [f for f in content["cautions"] if f["level"] != "note"]
    notes = [f for f in content["cautions"] if f["level"] == "note"]
    parts = [tag("h2", "Cautions"), findings_html(warnings)]
    if notes:
        parts.append(tag("details", tag("summary", f"{len(notes)} notes"), findings_html(notes)))
    return tag("section", *parts, id="cautions")


def page(report: Report, content: dict[str, Any] | None = None) -> str:
    """The whole page.

    Parameters
    ----------
    report : Report
    content : dict, optional
        ``report.to_dict()``, when it is at hand already.
    """
    from takens.report.figures import data_figure, motion_figures
    from takens.report.model_figures import backtest_figures, long_run_figures

    content = report.to_dict() if content is None else content
    figures: dict[str, list[Figure]] = {"data": [data_figure(report.recording)]}
    if report.motion is not None:
        figures |= motion_figures(report.recording, report.motion)
    if report.backtest is not None:
        figures["models"] = backtest_figures(report.backtest)
    if report.long_run is not None:
        figures["models"] = figures.get("models", []) + long_run_figures(report.long_run)
    drawn = {name: in_pairs(group) for name, group in figures.items()}
    nothing = Markup("")
    sections = [
        ("verdict", "Verdict", _verdict(content, report)),
        ("evidence", "Evidence", evidence_section(content, drawn.get("tests", nothing))),
        ("numbers", "Numbers", numbers_section(content, drawn.get("numbers", nothing))),
        ("data", "Data", data_section(content, drawn["data"])),
        ("sufficiency", "Can they answer?", sufficiency_section(content)),
        ("space", "State space", space_section(content, drawn.get("space", nothing))),
        ("models", "Models", backtest_section(content, drawn.get("models", nothing))),
        ("law", "Law", law_section(content)),
        ("cautions", "Cautions", cautions_section(content)),
        ("repeat", "Repeat", repeat_section(content)),
    ]
    title = f"{content['title']}: {content['verdict']['kind']} – Takens report"
    return assembled(content, sections, figures, title=title, holds=REPORT_HOLDS)


REPORT_HOLDS = escaped([
    "Every number of this page is in ", tag("code", "results.json"), ", every array in ",
    tag("code", "results.nc"), ".",
])  # fmt: skip


def assembled(
    content: dict[str, Any],
    sections: list[tuple[str, str, Markup]],
    figures: dict[str, list[Figure]],
    *,
    title: str,
    holds: Markup,
) -> str:
    """One page from its sections: those that are empty are left out.

    Parameters
    ----------
    content : dict
        With ``source``, ``title`` and ``provenance``.
    sections : list of (str, str, Markup)
        Identifier, name in the table of contents, and the section.
    figures : dict of list of Figure
        Whose places stand in the sections.
    title : str
        Of the browser's window.
    holds : Markup
        What the other files hold, for the foot of the page.
    """
    from plotly.offline import get_plotlyjs

    kept = [(key, name, html) for key, name, html in sections if html]
    links = tag("ul", *(tag("li", tag("a", name, href=f"#{key}")) for key, name, _ in kept))
    places = [figure.to_dict() for group in figures.values() for figure in group]
    source = content["source"]
    unit = "steps" if source["time_unit"] == "1" else source["time_unit"]
    first, last = source["records"][0], source["records"][-1]
    subheading = [
        number(source["n_rows"]), " rows in ", number(source["n_records"]),
        " record" if source["n_records"] == 1 else " records", ", ",
        ", ".join(c["name"] for c in source["columns"][:6]),
        " …" if len(source["columns"]) > 6 else "", "; time ",
        interval(first["start"], last["end"], unit=unit), ", step ",
        number(first["median_step"]),
    ]  # fmt: skip
    assets = resources.files("takens.report") / "assets"
    values = {
        "version": escaped(takens.__version__),
        "date": escaped(content["provenance"].get("date", "")),
        "title": escaped(title),
        "heading": escaped(content["title"]),
        "subheading": escaped(subheading),
        "contents": links,
        "body": Markup("\n".join(html for _, _, html in kept)),
        "holds": holds,
        "figures": script_json(places),
        "style": (assets / "page.css").read_text(encoding="utf-8"),
        "script": (assets / "page.js").read_text(encoding="utf-8"),
        "plotly": get_plotlyjs(),
    }
    return Template((assets / "page.html").read_text(encoding="utf-8")).substitute(values)


def script_json(content: Any) -> str:
    """JSON that cannot end the script element that holds it.

    Examples
    --------
    >>> script_json(["</script>"])
    '["\\\\u003c/script>"]'
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


__all__ = ["figure_html", "findings_html", "in_pairs", "page", "script_json", "table"]
