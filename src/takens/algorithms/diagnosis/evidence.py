"""The numbers behind a verdict, each with its interval and what it says."""

from __future__ import annotations

import numpy as np

from takens.algorithms.diagnosis import measures
from takens.algorithms.diagnosis.result import TrainingEvidence
from takens.algorithms.diagnosis.seen import NOISE, Seen
from takens.algorithms.rates import ConvergenceRate
from takens.core import Estimate, Status


def collect(seen: Seen, rate: ConvergenceRate | None) -> tuple[TrainingEvidence, ...]:
    """Everything that was measured, in the order of the tests."""
    if np.isfinite(seen.lost_at):
        return _of_loss(seen)
    rows: list[tuple[str, Estimate | None, str]] = [
        ("loss: change over the last half", seen.loss_change,
         "relative, of a line through block means; its interval is for noise of blocks"),
        ("gradient norm: change over the last half", seen.gradient_change,
         "the same; a run that settles has less and less of it"),
        ("step left to chance", seen.noise,
         f"share that the state does not foretell; from {NOISE:g} on, batches or chance drive the run"),
    ]  # fmt: skip
    if seen.shadows is not None:
        rows += _of_weights(seen)
    if seen.sharpness is not None:
        rows.append(("sharpness over threshold", seen.sharpness,
                     "1 is the largest curvature that this optimiser bears at its settings"))  # fmt: skip
    if seen.flip is not None:
        rows.append(("multiplier of least real part", seen.flip,
                     "of the Jacobian of the step; a flip is at -1"))  # fmt: skip
    if seen.exponent is not None:
        rows.append(("Lyapunov exponent of training", seen.exponent,
                     "nats a step; a flat direction has zero"))  # fmt: skip
    if rate is not None and rate.status is Status.OK:
        rows += [("rate", rate.rate, "factor of the distance to the limit in each row"),
                 ("steps to go", rate.remaining, f"until the distance is {rate.tol:g} of what it is")]  # fmt: skip
    return tuple(
        TrainingEvidence(name=name, value=value, says=says)
        for name, value, says in rows
        if value is not None and value.is_finite
    )


def _of_loss(seen: Seen) -> tuple[TrainingEvidence, ...]:
    """Growth of the loss in the last rows before it was lost."""
    late = seen.loss[-16:]
    if len(late) < 4 or not (late > 0).all():
        return ()
    factors = np.exp(np.diff(np.log(late)))
    low, middle, high = (float(q) for q in np.quantile(factors, [0.05, 0.5, 0.95]))
    value = Estimate(value=middle, interval=(low, high), method=f"last {len(factors)} rows")
    return (TrainingEvidence(name="growth of the loss", value=value, says="factor in each row before "
                             "the run was lost"),)  # fmt: skip


def _of_weights(seen: Seen) -> list[tuple[str, Estimate | None, str]]:
    last, before = seen.step_sizes[-1], seen.step_sizes[3]
    fading = measures.none("nothing moved")
    if before > 0:
        halves = seen.step_sizes[4:] / before
        fading = Estimate(value=float(last / before), interval=(float(halves.min()), float(halves.max())),
                          level=1.0, method="eighths of the run")  # fmt: skip
    rows: list[tuple[str, Estimate | None, str]] = [
        ("steps: last eighth over the fourth", fading, "of the weights; below 1 they shrink"),
        ("travel", seen.travel, "1 is a motion about one place, 11 a random walk, 64 straight on"),
    ]  # fmt: skip
    if seen.alternation is not None:
        rows.append(("alternation over drift", seen.alternation.over_drift,
                     "amplitude of what changes sign at every row, over the net motion in a row"))  # fmt: skip
    length, apart = seen.period
    if length:
        value = Estimate(value=float(length), interval=(float(length), float(length)), level=1.0,
                         method="rows after which all phases repeat")  # fmt: skip
        rows.append(("period", value, f"in rows; states repeat to {apart:.1g} of the extent"))
    mode = None if seen.multipliers is None else seen.multipliers.named("alternating")
    swings = seen.alternation is not None and seen.alternation.alive
    if mode is not None and swings and not seen.noisy:  # noise has no multipliers
        rows.append(("alternating multiplier: modulus", mode.modulus,
                     "near 1 it stays"))  # fmt: skip
        rows.append(("alternating multiplier: angle", mode.angle, "radians a row; pi is a flip"))
    return rows
