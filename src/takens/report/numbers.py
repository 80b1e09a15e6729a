"""The estimates of a report under one roof: name, value, interval, unit, origin."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from takens.core import Estimate

if TYPE_CHECKING:
    from takens.report.result import Report


def in_words(estimate: Estimate) -> Estimate:
    """The estimate with ``"steps"`` where the unit of time is unknown.

    Examples
    --------
    >>> in_words(Estimate(value=3.0, unit="1")).unit
    'steps'
    """
    return dataclasses.replace(estimate, unit="steps") if estimate.unit == "1" else estimate


def estimates(report: Report) -> list[tuple[str, str, Estimate]]:
    """Identifier, name and value of every estimate, missing ones included."""
    motion = report.motion
    if motion is None:
        return []
    rows: list[tuple[str, str, Estimate]] = []
    if motion.exponent is not None:
        rows += [
            ("largest-lyapunov", "largest Lyapunov exponent", motion.exponent.exponent),
            ("doubling-time", "doubling time of an error", motion.exponent.doubling_time),
            (
                "prediction-horizon",
                "prediction horizon of a perfect model",
                motion.exponent.prediction_horizon,
            ),
        ]
    if motion.dimension is not None:
        rows.append(("correlation-dimension", "correlation dimension", motion.dimension.dimension))
    if motion.entropy is not None:
        rows.append(("permutation-entropy", "permutation entropy (1 for noise)",
                     motion.entropy.entropy))  # fmt: skip
    for number, period in enumerate(motion.line_periods, start=1):
        rows.append((f"line-period-{number}", f"period of line {number}", period))
    if motion.spectrum is not None:
        for number, period in enumerate(motion.spectrum.periods, start=1):
            rows.append((f"period-{number}", f"period {number} of the spectrum", period))
    return [(key, name, in_words(estimate)) for key, name, estimate in rows]


_KEY = {
    "chaotic": ("largest-lyapunov", "doubling-time", "prediction-horizon", "correlation-dimension",
                "period-1"),
    "periodic": ("line-period-1", "period-1"),
    "quasiperiodic": ("line-period-1", "line-period-2"),
    "equilibrium": (),
}  # fmt: skip


def key_estimates(report: Report) -> list[tuple[str, Estimate]]:
    """The few estimates that matter for this kind of motion; only those that exist."""
    wanted = _KEY.get(report.verdict.kind, ("period-1", "permutation-entropy"))
    found = {key: (name, value) for key, name, value in estimates(report)}
    if "line-period-1" in wanted and "line-period-1" in found:
        found.pop("period-1", None)
    chosen = [found[key] for key in wanted if key in found and found[key][1].is_finite]
    return [(name.removesuffix(" 1 of the spectrum").replace("period of line 1", "period"), value)
            for name, value in chosen]  # fmt: skip
