"""Advice that a record alone carries."""

from __future__ import annotations

from takens.algorithms.diagnosis.result import TrainingAdvice
from takens.algorithms.diagnosis.seen import Seen


def inferred_advice(seen: Seen, verdict: str) -> list[TrainingAdvice]:
    """What the record alone carries."""
    rate = seen.run.settings.get("learning_rate")
    named = f" of {rate:g}" if isinstance(rate, (int, float)) else ""
    if verdict == "edge-of-stability":
        return [TrainingAdvice(
            f"The learning rate{named} is about the largest that the run bears. Lower it only if its spikes "
            "do harm; sharpness then rises to a new edge.",
        )]  # fmt: skip
    if verdict == "oscillating" and seen.period[0]:
        return [
            TrainingAdvice(f"Lower the learning rate{named}: at this one the run repeats itself.")
        ]
    if verdict == "chaotic":
        return [TrainingAdvice(f"Lower the learning rate{named}: no part of this motion settles.")]
    if verdict == "diverging":
        return _of_growth(seen, named)
    if verdict == "stalled":
        return [TrainingAdvice(
            f"Try ten times the learning rate{named}: its steps are too small to tell a plateau from a "
            "slope.",
        )]  # fmt: skip
    if verdict == "noise-floor":
        return [TrainingAdvice(
            f"Lower the learning rate{named} or take larger batches: the floor goes about with the rate over "
            "the batch.",
        )]  # fmt: skip
    return []


def _of_growth(seen: Seen, named: str) -> list[TrainingAdvice]:
    """A flip that grew before the run was lost says by how much the rate is too large."""
    mode = None if seen.multipliers is None else seen.multipliers.named("alternating")
    if mode is not None and seen.multipliers is not None and seen.multipliers.residual < 0.05:
        low = mode.modulus.interval[0]
        if low > 1 and mode.angle.value > 3.0:
            return [TrainingAdvice(
                f"A flip grew {mode.modulus.value:.3g} times a row ({low:.3g} to "
                f"{mode.modulus.interval[1]:.3g}). For gradient descent without momentum the learning "
                f"rate{named} was {(1 + mode.modulus.value) / 2:.3g} times the largest stable one there.",
            )]  # fmt: skip
    return [
        TrainingAdvice(
            f"Lower the learning rate{named}, by halves until the run holds: how far it is too high, this "
            "record does not say."
        )
    ]
