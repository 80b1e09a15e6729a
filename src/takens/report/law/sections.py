"""Sections of a law's page, each from the content of ``results.json`` alone."""

from __future__ import annotations

from typing import Any

from takens.report.markup import Markup, bullets, interval, number, table, tag
from takens.report.page import caution_line
from takens.report.sections import equations_block, sentence

_NOTHING = Markup("")
HEADS = {
    "survives": "A law that survives",
    "refused": "A law that does not survive",
    "untested": "A law that could not be tested",
    "none": "No sparse law",
}


def verdict_section(content: dict[str, Any]) -> Markup:
    """Outcome, equations, reasons, and what would change them."""
    verdict = content["verdict"]
    return tag(
        "section",
        tag("div",
            tag("h2", HEADS[verdict["kind"]], class_="kind"),
            tag("p", verdict["sentence"], class_="sentence"),
            equations_block(content["equations"]),
            tag("p", "In brackets the standard error of the last digits.")
            if content["equations"] else "",
            tag("h3", "Why"), bullets(verdict["reasons"]),
            tag("h3", "What would change this") if verdict["would_change"] else "",
            bullets([sentence(text) for text in verdict["would_change"]]),
            class_="verdict"),
        caution_line(content),
        id="verdict", aria_label="Verdict",
    )  # fmt: skip


def equations_section(content: dict[str, Any], figures: Markup) -> Markup:
    """Every coefficient with its interval; noise and what the orbits hold; what was searched."""
    rows = [
        (c["equation"], c["term"], number(c["value"], digits=6), interval(*c["interval"]),
         number(c["standard_error"], digits=2), c["unit"] or "–")
        for c in content["coefficients"]
    ]  # fmt: skip
    level = content["coefficients"][0]["level"] if rows else 0.95
    columns = [
        (c["name"], number(c["noise"]), _share(c["explained"]), number(c["memory"], digits=2))
        for c in content["columns"]
    ]
    folds = content["fold_terms"]
    terms = [(f"fold {i}", ", ".join(names) or "no law")
             for i, names in enumerate(folds, start=1)]  # fmt: skip
    return tag(
        "section", tag("h2", "Equations" if rows else "What was searched"),
        bullets(content["choice"]["reasons"]),
        tag("p", f"{len(rows)} of ", number(content["n_candidates"]), " candidate coefficients stand, "
            "from ", number(content["n_samples"]), " samples. There is no threshold: a term stands "
            "while the data would be worse described without it, by the extended Bayesian "
            "information criterion.") if rows else "",
        table(f"Coefficients, {level:.0%} intervals", ("Equation of", "Term", "Value", "Interval",
              "Std. error", "Unit"), rows, numeric=(2, 3, 4)),
        figures,
        table("What orbits of the best law leave of the data; it must look like noise of measurement",
              ("Column", "Std. deviation left", "Share of variance held",
               "Correlation from sample to sample"), columns, numeric=(1, 2, 3)),
        table("Terms that the past alone supports", ("Fold", "Terms"), terms),
        id="equations",
    )  # fmt: skip


def _share(value: Any) -> Markup:
    if value is None:
        return number(None)
    return tag("data", f"{value:.2%}", value=repr(value))


def behaviour_section(content: dict[str, Any], figures: Markup) -> Markup:
    """The law left alone, beside the data; where it blows up."""
    run, blown = content["long_run"], content["blow_up"]
    if run is None and blown is None:
        return _NOTHING
    parts = [tag("h2", "The law left alone")]
    if blown is not None:
        where = ", ".join(f"{n} = {v:.4g}" for n, v in zip(blown["names"], blown["state"], strict=True)
                          if v is not None)  # fmt: skip
        parts.append(tag("p", "A free run blows up ", number(blown["time"]), " after its start, at ",
                         where, f", driven by the term {blown['term']} in the equation of "
                         f"{blown['equation']}.",
                         "" if blown["confirmed"] else " With finer steps it does not: the equations "
                         "are stiff there."))  # fmt: skip
    if run is not None:
        parts += [tag("p", "Distances are 0 for equal distributions or spectra; two halves of the "
                      "data differ by what stands in brackets."),
                  *(tag("p", line) for line in run["summary"].splitlines())]  # fmt: skip
    return tag("section", *parts, figures, id="behaviour")
