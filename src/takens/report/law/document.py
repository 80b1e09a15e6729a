"""The content of ``results.json`` of a discovery: every number that its page shows, in JSON types."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import plain
from takens.learn.terms.units import derivative_units
from takens.report.document import scalars, source
from takens.report.references import references_for

if TYPE_CHECKING:
    from takens.report.law.discovery import Discovery

FORMAT, SCHEMA_VERSION = "takens-law", "1.1"


def document(found: Discovery) -> dict[str, Any]:
    """The discovery in JSON types; a number that does not exist is None."""
    judged = found.judgement
    sections = ["law"] + (["backtest"] if judged.backtest is not None else [])
    actions = [str(f.action) for f in judged.cautions if f.level == "serious" and f.action]
    content = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "title": found.title,
        "verdict": {
            "kind": judged.outcome,
            "sentence": judged.sentence,
            "reasons": list(judged.reasons),
            "would_change": list(dict.fromkeys(actions)),
        },
        "choice": {
            "kind": found.choice.kind,
            "degrees": list(found.choice.degrees),
            "reasons": list(found.choice.reasons),
        },
        **law_part(judged),
        "source": source(found.recording),
        "cautions": [dataclasses.asdict(finding) for finding in found.cautions],
        "settings": {k: v for k, v in found.settings.items() if v not in (None, ())},
        "provenance": dict(found.provenance),
        "references": references_for(sections),
        "command": found.command,
    }
    shown: dict[str, Any] = plain(content)
    return shown


def law_part(judged: Any) -> dict[str, Any]:
    """The law and what it was judged by."""
    law = judged.law
    there = judged.outcome != "none"
    backtest = judged.backtest
    return {
        "equations": list(law.equations) if there else [],
        "coefficients": coefficients(judged) if there else [],
        "columns": [
            {"name": name, "noise": noise, "explained": share, "memory": memory}
            for name, noise, share, memory in zip(
                law.names, law.measurement_noise, law.explained, law.memory, strict=True
            )
        ],
        "order": law.order,
        "n_candidates": law.coefficients.size,
        "n_samples": law.n_samples,
        "gain_over_linear": dataclasses.asdict(judged.gain_over_linear),
        "fold_terms": [list(names) for names in judged.fold_terms],
        "blow_up": None if judged.blow_up is None else scalars(judged.blow_up),
        "backtest": None if backtest is None else scalars(backtest),
        "long_run": None if judged.long_run is None else scalars(judged.long_run),
    }


def coefficients(judged: Any) -> list[dict[str, Any]]:
    """Every coefficient that stands, equation by equation, with its interval and unit."""
    law, model = judged.law, judged.model
    time_unit = model.time_unit if law.kind == "flow" else "1"
    units, _ = model.terms.units(derivative_units(model.units, time_unit, law.order), time_unit)
    highest = len(law.names) * (law.order - 1)
    rows = []
    for i, k in np.argwhere(law.support.T):
        term, name = law.terms[k], law.names[i]
        value = law.coefficient(term, name)
        unit = units[model.terms.names.index(term)][highest + i]
        rows.append({"equation": name, "term": term, **dataclasses.asdict(value)} | {"unit": unit})
    return rows
