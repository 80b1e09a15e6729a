"""The rule of the verdict: numbers in, verdict and reasons out, in a fixed order."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.algorithms.diagnosis.seen import QUIET, Seen
from takens.core import Estimate

FALLING = -0.05  # relative change of the loss over half a run that is progress
NOISY_FALL = -0.02  # the same where batches make noise, beside the interval
FLAT = 0.05  # and up to which it is none
STATIONARY, TRAVELS = 2.5, 4.0  # for `measures.travel`
EDGE = (0.8, 1.2)  # sharpness over threshold: median over states, within
REACHES = 0.95  # and the largest, at least
FLIPS = 0.7  # modulus of an alternating multiplier at the edge, at the least
MORE_ROWS = "A longer record of the same run."
PROJECTIONS = "A record with projections of the weights at every step, as takens.algorithms.Recorder keeps it."
CLEAN = 0.05  # share of a step left to chance, beyond which a record shows no chaos
NEARLY = 0.2  # of its extent, to which a run that nearly repeats does so
BENT = (
    0.6  # share of a step that a linear rule leaves, beyond which no multiplier describes a swing
)
LINES = 0.01  # variance that lines leave of a regular motion, which a log has without noise
NO_GROWTH = 2e-3  # exponent, in nats a step, that is none


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ruling:
    """Verdict with its reasons, and what would change it."""

    verdict: str
    reasons: tuple[str, ...]
    would_change: tuple[str, ...] = ()


def decide(seen: Seen) -> Ruling:
    """Apply the tests in order: lost, noise, rest, cycle, swings that die out, swings, progress."""
    if np.isfinite(seen.lost_at):
        return ruling(
            "diverging", f"From step {seen.lost_at:g} on the record holds no finite number."
        )
    if seen.grows:
        return ruling("diverging", "The loss grows steadily, and beyond what it was at the start."
                       if len(seen.loss) else "The steps grow steadily.")  # fmt: skip
    if seen.shadows is None:
        from takens.algorithms.diagnosis.loss_rule import decide_by_loss

        return decide_by_loss(seen)
    if seen.rests:
        return _at_rest(seen)
    if seen.noisy:
        return _noisy(seen)
    length, apart = seen.period
    if length:
        return ruling(
            "oscillating", f"The last quarter of the run repeats every {length} rows, to {apart:.1g} of "
            "its extent."
        )  # fmt: skip
    swings = seen.alternation
    if swings is not None and swings.alive and not swings.dies_out:
        return _swinging(seen)
    return _smooth(seen)


def ruling(verdict: str, *reasons: str, change: tuple[str, ...] = ()) -> Ruling:
    """One with its reasons, those that are empty left out."""
    return Ruling(verdict=verdict, reasons=tuple(r for r in reasons if r), would_change=change)


def _at_rest(seen: Seen) -> Ruling:
    if seen.step_sizes.max() <= 1e3 * max(seen.step_sizes[-1], 1e-300) and _loss_held(seen):
        return ruling(
            "stalled", "No weight has moved by more than rounding since the first row.",
            change=("A start elsewhere: a gradient of zero also stands on a saddle or a dead unit.",),
        )  # fmt: skip
    return ruling(
        "converging", "The steps have shrunk to the rounding of the weights: it has arrived."
    )


def _loss_held(seen: Seen) -> bool:
    """Whether the loss is still what it was at first."""
    if len(seen.loss) < 2:
        return True
    size = max(float(np.abs(seen.loss).max()), 1e-300)
    return bool(abs(seen.loss[-1] - seen.loss[0]) <= 1e-6 * size)


def _noisy(seen: Seen) -> Ruling:
    """Batches drive the steps: only what averages say is claimed."""
    change, travel = seen.loss_change, seen.travel
    share = (
        f"The state leaves {seen.noise.value:.0%} of a step to chance."
        if seen.noise.is_finite
        else ""
    )
    if not change.is_finite:
        return ruling("undetermined", share, "There is no loss to tell progress by.",
                       change=("A record with the loss.",))  # fmt: skip
    low, high = change.interval
    moved = (
        f"The loss changes by {change.value:+.1%} ({low:+.1%} to {high:+.1%}) over the last half."
    )
    if high < 0 and change.value < NOISY_FALL and travel.value > STATIONARY:
        return ruling("converging", share, f"{moved} That is more than the noise of its blocks.")
    settled = travel.interval[1] < STATIONARY
    if settled and high > -0.1 and low > -0.3:
        return ruling(
            "noise-floor", share, moved,
            f"The weights do not go anywhere: block means are {travel.value:.2g} times as far apart over "
            "half of the record as from one to the next (squared; 1 is a fluctuation about one place).",
        )  # fmt: skip
    return ruling(
        "undetermined", share, moved,
        f"The weights still travel ({travel.value:.2g}, where 1 is a fluctuation about one place)."
        if not settled else "",
        change=(MORE_ROWS, "The loss of all data, or of a fixed part, now and then: it has no noise."),
    )  # fmt: skip


def _swinging(seen: Seen) -> Ruling:
    """An alternation that stays: the edge, a long cycle, chaos, or not to be told."""
    travel = seen.travel
    swing = seen.alternation
    assert swing is not None  # the branch is taken where it is alive
    beside = f"What alternates is {swing.over_drift.value:.2g} times the net motion in a row."
    if not (seen.ruled or seen.sharpness is not None):
        return ruling(
            "undetermined", beside, f"{seen.unforetold.value:.0%} of a step are not foretold by the state: "
            "noise of batches near the edge and chaos at it look alike.",
            change=("A setting `full_batch`, or `batch_size` and `n_examples`, in the record.",),
        )  # fmt: skip
    if travel.interval[1] < STATIONARY:
        return _bounded(seen, beside)
    if travel.value < TRAVELS:
        return ruling("undetermined", beside, "Whether it still moves on is not clear: "
                       f"{travel.value:.2g}, between {STATIONARY:g} and {TRAVELS:g}.",
                       change=(MORE_ROWS,))  # fmt: skip
    return _edge(seen, beside)


def _edge(seen: Seen, beside: str) -> Ruling:
    onward = "The weights still move on."
    if seen.period[1] < NEARLY:
        return ruling("undetermined", beside, f"It nearly repeats, to {seen.period[1]:.1g} of its extent: "
                       "it may come to a cycle.", change=(MORE_ROWS,))  # fmt: skip
    if seen.sharpness is not None:
        ratio = seen.sharpness
        said = (f"Sharpness is {ratio.value:.3g} of what the optimiser bears (median of states in the last "
                f"quarter; {ratio.interval[0]:.3g} to {ratio.interval[1]:.3g}).")  # fmt: skip
        if EDGE[0] <= ratio.value <= EDGE[1] and ratio.interval[1] >= REACHES:
            return ruling("edge-of-stability", said, beside, onward)
        return ruling("undetermined", said, beside, "A swing that the threshold does not explain.")
    if seen.flip is not None:
        said = f"The step has a multiplier of real part {seen.flip.value:.3g}."
        if -EDGE[1] <= seen.flip.value <= -EDGE[0] and seen.flip.interval[0] <= -REACHES:
            return ruling("edge-of-stability", said, beside, onward)
        return ruling(
            "undetermined", said, beside, "A swing that this multiplier does not explain."
        )
    mode = None if seen.multipliers is None else seen.multipliers.named("alternating")
    bent = (
        seen.multipliers is not None
        and seen.multipliers.residual > BENT
        and not seen.background < QUIET
    )
    if mode is None or bent or not (mode.modulus.value >= FLIPS and mode.angle.value >= 2.6):
        return ruling(
            "undetermined", beside, "No multiplier near -1 goes with it.", change=(MORE_ROWS,)
        )
    return ruling(
        "edge-of-stability", beside, onward,
        f"An alternating mode stays: multiplier of modulus {mode.modulus.value:.3f} "
        f"({mode.modulus.interval[0]:.3f} to {mode.modulus.interval[1]:.3f}), {mode.angle.value:.2f} "
        "radians a row. A settled run has none: it would be gone in some ten steps.",
    )  # fmt: skip


def _bounded(seen: Seen, beside: str) -> Ruling:
    """It swings about one place and does not repeat: a cycle of many beats, or chaos."""
    stays = f"It moves about one place ({seen.travel.value:.2g})."
    kind, exponent = _by_exponent(seen.exponent) if seen.exponent is not None else _by_record(seen)
    if kind == "chaotic":
        said = f"Largest Lyapunov exponent {exponent}, in nats a row."
    elif kind == "oscillating":
        said = (
            "Its motion is regular: spectral lines explain all of it."
            if seen.exponent is None
            else f"No exponent is positive: {exponent}."
        )
    else:
        said = "Neither regular motion nor chaos can be shown."
    change = (MORE_ROWS,) if kind == "undetermined" else ()
    return ruling(kind, beside, stays, said, change=change)


def _by_exponent(exponent: Estimate) -> tuple[str, Estimate]:
    """Chaos or not, from the tangents of the run."""
    if exponent.interval[0] > 0 and exponent.value > NO_GROWTH:
        return "chaotic", exponent
    return ("oscillating" if exponent.interval[1] < NO_GROWTH else "undetermined"), exponent


def _by_record(seen: Seen) -> tuple[str, Estimate | None]:
    """The same from projections, where they hold no noise: from data, both are claimed less often."""
    motion = seen.motion() if seen.unforetold.value < CLEAN else None
    if motion is None:
        return "undetermined", None
    exponent = None if motion.exponent is None else motion.exponent.exponent
    if motion.kind == "chaotic" and exponent is not None and exponent.interval[0] > 0:
        return "chaotic", exponent
    lines = motion.lines
    regular = motion.kind in ("periodic", "quasiperiodic")
    if regular and lines is not None and lines.unexplained_outside < LINES:
        return "oscillating", exponent
    return "undetermined", exponent


def _smooth(seen: Seen) -> Ruling:
    """Nothing alternates: progress, none, or a slow round."""
    change = seen.loss_change
    moved = (
        f"The loss changes by {change.value:+.2%} over the last half." if change.is_finite else ""
    )
    dies = seen.alternation is not None and seen.alternation.dies_out and seen.alternation.alive
    swings = "What alternates dies out steadily." if dies else "Nothing alternates."
    if seen.gradient_change.is_finite:
        fades = f"The gradient changes by {seen.gradient_change.value:+.1%} over the last half."
    else:
        fades = f"Steps change by {seen.step_sizes[-1] / max(seen.step_sizes[3], 1e-300) - 1:+.1%}."
    if seen.shrinks or (change.is_finite and change.value < FALLING):
        return ruling("converging", moved, fades, swings)
    if seen.travel.interval[1] < STATIONARY:
        return _bounded(seen, swings)
    if change.is_finite and abs(change.value) <= FLAT:
        return ruling("stalled", moved, fades, change=(
            "Whether it stands on a plateau or its steps are too small, only a try tells: ten times "
            "the learning rate.",))  # fmt: skip
    return ruling("undetermined", moved, fades, swings, change=(MORE_ROWS,))
