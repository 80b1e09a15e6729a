"""The content of ``results.json`` and ``results.nc`` of a training run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Recording, Trajectory, plain
from takens.report.document import source
from takens.report.references import references_for

if TYPE_CHECKING:
    from takens.report.training.report import TrainingReport

FORMAT, SCHEMA_VERSION = "takens-training", "1.0"
SHOWN = 4  # projections among the columns


def recording_of(report: TrainingReport, digest: str = "") -> Recording:
    """The rows of a log as a recording; infinite values count as missing there."""
    run, log = report.log.run, report.log
    columns: dict[str, np.ndarray] = {"loss": run.loss}
    if run.gradient_norm is not None:
        columns["gradient norm"] = run.gradient_norm
    if log.learning_rate is not None:
        columns["learning rate"] = log.learning_rate
    if run.projections is not None:
        for i, values in enumerate(run.projections.T[:SHOWN]):
            columns[f"projection {i}"] = values
    states = np.stack(list(columns.values()), axis=1)
    record = Trajectory(
        times=run.steps, states=np.where(np.isfinite(states), states, np.nan), names=tuple(columns)
    )
    return Recording(records=(record,), source=report.title, digest=digest, findings=log.findings)


def document(report: TrainingReport) -> dict[str, Any]:
    """The report in JSON types; a number that does not exist is None."""
    found = report.diagnosis
    content = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "title": report.title,
        "verdict": dataclasses.asdict(report.verdict),
        "door": found.door,
        "evidence": [
            {"name": e.name, "says": e.says, **dataclasses.asdict(e.value)} for e in found.evidence
        ],
        "advice": [dataclasses.asdict(a) for a in found.advice],
        "multipliers": _modes(found),
        "rate": _rate(found),
        "source": source(recording_of(report, str(report.provenance.get("source_sha256", "")))),
        "cautions": [dataclasses.asdict(finding) for finding in report.cautions],
        "settings": {k: v for k, v in report.settings.items() if v is not None},
        "provenance": dict(report.provenance),
        "references": references_for(["training"]),
        "command": report.command,
    }
    shown: dict[str, Any] = plain(content)
    return shown


def _modes(found: Any) -> list[dict[str, Any]]:
    if found.multipliers is None:
        return []
    return [
        {"name": m.name, "real": m.multiplier.real, "imaginary": m.multiplier.imag,
         "modulus": dataclasses.asdict(m.modulus), "angle": dataclasses.asdict(m.angle)}
        for m in found.multipliers.modes
    ]  # fmt: skip


def _rate(found: Any) -> dict[str, Any] | None:
    rate = found.rate
    if rate is None:
        return None
    return {
        "rate": dataclasses.asdict(rate.rate), "remaining": dataclasses.asdict(rate.remaining),
        "tol": rate.tol, "status": rate.status.name, "windows": rate.windows, "ranks": rate.ranks,
        "rates": rate.rates,
    }  # fmt: skip


def write_arrays(report: TrainingReport, path: Path) -> None:
    """Write the groups ``run``, ``alternation``, ``multipliers`` and ``rate``."""
    import h5netcdf

    from takens.report.archive import clean_text

    found = report.diagnosis
    groups: dict[str, dict[str, tuple[tuple[str, ...], np.ndarray]]] = {"run": _run_arrays(report)}
    if found.alternation is not None:
        groups["alternation"] = {
            "row": (("block",), found.alternation.rows),
            "amplitude": (("block",), found.alternation.amplitude),
        }
    if found.multipliers is not None:
        groups["multipliers"] = {}
        for name in ("alternating", "slow"):
            values = getattr(found.multipliers, name)
            if len(values):
                both = np.stack([values.real, values.imag], axis=1)
                groups["multipliers"][name] = ((f"{name}_fit", "part"), both)
    if found.rate is not None and len(found.rate.rates):
        groups["rate"] = {name: (("estimate",), np.asarray(getattr(found.rate, name), float))
                          for name in ("windows", "ranks", "rates")}  # fmt: skip
    with h5netcdf.File(path, "w") as root:
        root.attrs["format"] = FORMAT
        root.attrs["schema_version"] = SCHEMA_VERSION
        root.attrs["source"] = clean_text(report.title)
        root.attrs["verdict"] = found.verdict
        for name, arrays in groups.items():
            group = root.create_group(name)
            for key, (dimensions, values) in arrays.items():
                for dimension, size in zip(dimensions, values.shape, strict=True):
                    if dimension not in group.dimensions:
                        group.dimensions[dimension] = size
                group.create_variable(key, dimensions, data=values)


def _run_arrays(report: TrainingReport) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    run, log = report.log.run, report.log
    arrays: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "steps": (("row",), run.steps),
        "loss": (("row",), run.loss),
    }
    for name, values in (
        ("gradient_norm", run.gradient_norm),
        ("learning_rate", log.learning_rate),
    ):
        if values is not None:
            arrays[name] = (("row",), values)
    if run.projections is not None:
        arrays["projections"] = (("row", "projection"), run.projections)
    if log.validation is not None:
        arrays["validation"] = (("what", "entry"), log.validation)
    return arrays
