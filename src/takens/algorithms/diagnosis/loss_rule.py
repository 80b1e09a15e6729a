"""The verdict from a loss alone, which says less: nothing is claimed that only weights can show."""

from __future__ import annotations

import numpy as np

from takens.algorithms.diagnosis import measures
from takens.algorithms.diagnosis.rule import FALLING, FLAT, PROJECTIONS, Ruling, ruling
from takens.algorithms.diagnosis.seen import NOISE, Seen

LEAST_LOSSES = 12
WEAK = "From the loss alone, which does not see the weights move."


def decide_by_loss(seen: Seen) -> Ruling:
    """Falling, flat with noise, or repeating; everything else is left open."""
    loss = seen.loss
    if len(loss) < LEAST_LOSSES:
        return ruling("undetermined", f"The record has {len(loss)} finite losses; {LEAST_LOSSES} are needed.",
                       change=("A longer record.",))  # fmt: skip
    change = seen.loss_change
    low, high = change.interval
    late = measures.last(loss, 2)
    size = max(float(np.abs(loss).max()), 1e-300)
    moved = (
        f"The loss changes by {change.value:+.2%} ({low:+.2%} to {high:+.2%}) over the last half."
    )
    if np.ptp(late) <= 1e-12 * size:
        return _still(seen, moved)
    ups = float(np.mean(np.diff(late) > 0))
    if _repeats(late):
        return ruling("oscillating", WEAK, "The last half of the losses repeats itself.")
    if ups == 0:
        return _monotone(seen, moved)
    noisy = seen.noise.value >= NOISE if seen.noise.is_finite else True
    if high < 0 and change.value < FALLING:
        return ruling("converging", WEAK, moved, "It falls by more than its scatter.",
                       change=(PROJECTIONS,))  # fmt: skip
    if noisy and max(-low, high) < FLAT:
        why = "It has stopped falling and scatters: the noise of batches, or a plateau; the loss alone cannot tell."
    elif noisy:
        why = "It scatters too much to tell a trend."
    else:
        why = (
            "It rises and falls smoothly, as training at the edge of stability does, and as schedules, "
            "cycles and chaos do as well."
        )
    return ruling("undetermined", WEAK, moved, why, change=(PROJECTIONS,))


def _still(seen: Seen, moved: str) -> Ruling:
    if abs(seen.loss[0] - seen.loss[-1]) > 0.01 * abs(seen.loss[0]) and seen.shrinks:
        return ruling("converging", WEAK, moved, "The gradient has shrunk as well.")
    return ruling(
        "undetermined", WEAK, moved, "It does not change any more: arrived, or stuck.",
        change=("The norm of the gradient, or projections of the weights, would tell which.",),
    )  # fmt: skip


def _repeats(late: np.ndarray) -> bool:
    """A cycle of a few losses that stays the same to a thousandth of its extent."""
    spread = float(late.std())
    for length in range(2, min(16, len(late) // 4) + 1):
        held = late[len(late) % length :].reshape(-1, length)
        if np.abs(held - held.mean(axis=0)).max() <= 1e-3 * spread:
            return True
    return False


def _monotone(seen: Seen, moved: str) -> Ruling:
    """A loss that only falls: settling, or creeping."""
    pace = np.array([b[0] - b[-1] for b in np.array_split(seen.loss, 4)])
    falls = "It falls at every row."
    if (
        seen.loss_change.value < FALLING
        or pace[-1] < 0.5 * pace[-2]
        or (seen.gradient is not None and seen.shrinks)
    ):
        return ruling("converging", WEAK, moved, falls, change=(PROJECTIONS,))
    if seen.loss_change.value > -FLAT and pace[-1] > 0.8 * pace[-2]:
        return ruling("stalled", WEAK, moved, "Its pace does not slacken, so that it is not settling: "
                       "it creeps.", change=(PROJECTIONS,))  # fmt: skip
    return ruling("undetermined", WEAK, moved, falls, change=(PROJECTIONS,))
