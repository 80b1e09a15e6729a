"""The content of ``results.json``: every number that the page shows, in JSON types."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Recording, plain
from takens.report.numbers import estimates
from takens.report.references import references_for

if TYPE_CHECKING:
    from takens.report.result import Report

FORMAT, SCHEMA_VERSION = "takens-results", "1.1"
_LONGEST = 64  # arrays above this go to results.nc only


def document(report: Report) -> dict[str, Any]:
    """The report in JSON types; a number that does not exist is None."""
    verdict, motion = report.verdict, report.motion
    sections = [name for name in SECTIONS if motion is not None and getattr(motion, name)]
    if report.backtest is not None:
        sections.append("backtest")
    content = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "title": report.title,
        "verdict": dataclasses.asdict(verdict),
        "evidence": [] if motion is None else [dataclasses.asdict(e) for e in motion.evidence],
        "source": source(report.recording),
        "quantities": [
            {"id": key, "name": name, **dataclasses.asdict(value)}
            for key, name, value in estimates(report)
        ],
        "surrogates": [] if motion is None else [_surrogate(test) for test in motion.surrogates],
        "periods": _periods(report),
        "analyses": {} if motion is None else _analyses(motion),
        "backtest": None if report.backtest is None else scalars(report.backtest),
        "long_run": None if report.long_run is None else scalars(report.long_run),
        "law": _law(report),
        "gaps": [dataclasses.asdict(gap) for gap in report.gaps],
        "cautions": [dataclasses.asdict(finding) for finding in report.cautions],
        "settings": dict(report.settings),
        "provenance": dict(report.provenance),
        "references": references_for(sections),
        "command": report.command,
    }
    shown: dict[str, Any] = plain(content)
    return shown


def _law(report: Report) -> dict[str, Any] | None:
    """The law that survives, or why there is none; None where the question was not put."""
    judged = report.law
    if judged is None or not judged.survives:
        return {"outcome": "none" if judged is None else judged.outcome,
                "reasons": [report.why_no_law], "equations": [], "coefficients": []}  # fmt: skip
    from takens.report.law.document import coefficients

    return {"outcome": judged.outcome, "reasons": list(judged.reasons),
            "equations": list(judged.law.equations), "coefficients": coefficients(judged)}  # fmt: skip


SECTIONS = (
    "sufficiency", "stationarity", "embedding", "spectrum", "lines", "surrogates", "exponent",
    "dimension", "entropy",
)  # fmt: skip


def scalars(result: Any) -> dict[str, Any]:
    """Every field of a result; longer arrays are left to ``results.nc``."""
    content: dict[str, Any] = {}
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, np.ndarray) and value.size > _LONGEST:
            continue
        if field.name == "cautions":
            value = [dataclasses.asdict(finding) for finding in value]
        content[field.name] = _short(value)
    if isinstance(result, AbstractResult):
        content["status_text"] = result.status.value
        content["summary"] = result.summary()
    return content


def _short(value: Any) -> Any:
    """Nested results in the same way, arrays that are too long as their shape."""
    if isinstance(value, np.ndarray):
        return value if value.size <= _LONGEST else {"shape": list(value.shape)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _short(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_short(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _short(item) for key, item in value.items()}
    return value


def _analyses(motion: Any) -> dict[str, Any]:
    found = {}
    for name in SECTIONS:
        result = getattr(motion, name)
        if name != "surrogates" and result is not None:
            found[name] = scalars(result)
    return found


def _surrogate(test: Any) -> dict[str, Any]:
    drawn = test.surrogates[np.isfinite(test.surrogates)]
    low, middle, high = np.quantile(drawn, [0.05, 0.5, 0.95]) if drawn.size else (np.nan,) * 3
    return {
        "statistic": test.statistic, "null": test.null, "null_text": test.null_text,
        "alternative": test.alternative, "observed": test.observed, "p_value": test.p_value,
        "ratio": test.ratio, "n_surrogates": len(test.surrogates), "n_samples": test.n_samples,
        "null_low": low, "null_median": middle, "null_high": high, "status": test.status.name,
    }  # fmt: skip


def _periods(report: Report) -> list[dict[str, Any]]:
    spectrum = None if report.motion is None else report.motion.spectrum
    if spectrum is None:
        return []
    return [
        {"period": dataclasses.asdict(period), "share": share, "p_value": p_value}
        for period, share, p_value in zip(
            spectrum.periods, spectrum.period_shares, spectrum.p_values, strict=True
        )
    ]


def source(recording: Recording) -> dict[str, Any]:
    """What was read: columns, records and findings."""
    states = np.concatenate([record.states for record in recording])
    columns = [
        _column(name, unit, "observed", states[:, i])
        for i, (name, unit) in enumerate(zip(recording.names, recording.units, strict=True))
    ]
    if recording[0].inputs is not None:
        drivers = np.concatenate([r.inputs for r in recording if r.inputs is not None])
        columns += [
            _column(name, "", "input", drivers[:, i])
            for i, name in enumerate(recording[0].input_names)
        ]
    records = []
    for record in recording:
        steps = np.diff(record.times)
        step = float(np.median(steps)) if steps.size else np.nan
        records.append({
            "label": record.label, "rows": len(record), "start": record.times[0],
            "end": record.times[-1], "median_step": step,
            "smallest_step": steps.min() if steps.size else np.nan,
            "largest_step": steps.max() if steps.size else np.nan,
            "gaps": int(np.sum(steps > 1.5 * step)) if steps.size else 0,
        })  # fmt: skip
    return {
        "name": recording.source, "sha256": recording.digest, "settings": dict(recording.settings),
        "time_unit": recording.time_unit, "n_rows": recording.n_samples,
        "n_records": len(recording), "columns": columns, "records": records,
        "findings": [dataclasses.asdict(finding) for finding in recording.findings],
    }  # fmt: skip


def _column(name: str, unit: str, role: str, values: np.ndarray) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    quantiles = np.quantile(finite, [0, 0.5, 1]) if finite.size else np.full(3, np.nan)
    scale = float(np.abs(finite).max(initial=0.0)) or 1.0  # squares of 1e300 would overflow
    return {
        "name": name, "unit": unit, "role": role, "values": int(finite.size),
        "missing": int(values.size - finite.size), "smallest": quantiles[0],
        "median": quantiles[1], "largest": quantiles[2],
        "mean": float(np.mean(finite / scale)) * scale if finite.size else np.nan,
        "standard_deviation": float(np.std(finite / scale)) * scale if finite.size else np.nan,
    }  # fmt: skip
