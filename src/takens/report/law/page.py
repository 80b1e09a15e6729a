"""``report.html`` of a discovery: one page from its content and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from takens.report.drawing import Figure
from takens.report.law.sections import behaviour_section, equations_section, verdict_section
from takens.report.markup import Markup, escaped, tag
from takens.report.page import assembled, cautions_section, in_pairs
from takens.report.sections import backtest_section, data_section, repeat_section

if TYPE_CHECKING:
    from takens.report.law.discovery import Discovery

HOLDS = escaped([
    "Every number of this page is in ", tag("code", "results.json"), "; the law, where there is one, "
    "is in ", tag("code", "law.json"), ", ", tag("code", "law.py"), ", ", tag("code", "law_sympy.py"),
    ", ", tag("code", "law.c"), " and ", tag("code", "law.tex"), ".",
])  # fmt: skip


def page(found: Discovery, content: dict[str, Any] | None = None) -> str:
    """The whole page.

    Parameters
    ----------
    found : Discovery
    content : dict, optional
        ``found.to_dict()``, when it is at hand already.
    """
    from takens.report.figures import data_figure
    from takens.report.law.figures import coefficient_figure, run_figures
    from takens.report.model_figures import backtest_figures, long_run_figures

    content = found.to_dict() if content is None else content
    judged = found.judgement
    figures: dict[str, list[Figure]] = {"data": [data_figure(found.recording)]}
    if judged.outcome != "none":
        figures["equations"] = [coefficient_figure(content["coefficients"])]
    if judged.backtest is not None:
        figures["models"] = backtest_figures(judged.backtest)
    if judged.long_run is not None:
        figures["behaviour"] = run_figures(found.recording, judged.long_run)
        figures["behaviour"] += long_run_figures(judged.long_run)
    drawn = {name: in_pairs(group) for name, group in figures.items()}
    nothing = Markup("")
    models = content | {"long_run": None}
    sections = [
        ("verdict", "Verdict", verdict_section(content)),
        ("equations", "Equations", equations_section(content, drawn.get("equations", nothing))),
        ("models", "Judgement", backtest_section(models, drawn.get("models", nothing))
         if judged.backtest is not None else nothing),
        ("behaviour", "Long run", behaviour_section(content, drawn.get("behaviour", nothing))),
        ("data", "Data", data_section(content, drawn["data"])),
        ("cautions", "Cautions", cautions_section(content)),
        ("repeat", "Repeat", repeat_section(content)),
    ]  # fmt: skip
    title = f"{content['title']}: equations – Takens report"
    return assembled(content, sections, figures, title=title, holds=HOLDS)
