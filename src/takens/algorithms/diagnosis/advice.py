"""What to do about a run: tried out where there is a system to try it on, else only inferred."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.algorithms.diagnosis.result import TrainingAdvice
from takens.algorithms.diagnosis.rule import Ruling, decide
from takens.algorithms.diagnosis.running import Made, inspect, make
from takens.algorithms.diagnosis.seen import Seen
from takens.algorithms.edge import sharpness
from takens.algorithms.optimisers import AbstractOptimiser
from takens.core import Estimate, TakensError

BELOW = 0.9  # of a largest stable rate, for one that is advised
BETTER = 0.9  # factor by which a loss must fall lower for another rate to be worth a word
MOST_UP = 1e4  # factor by which a rate is raised at most in one try


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Try:
    """Another learning rate from a given state, and what came of it."""

    rate: float
    ruling: Ruling
    made: Made
    seen: Seen

    @property
    def loss(self) -> float:
        """Mean of the last eighth; infinite where the run was lost."""
        late = self.made.run.loss[-max(len(self.made.run) // 8, 1) :]
        return float(late.mean()) if np.isfinite(late).all() else np.inf


class Trials:
    """Runs of one system at other learning rates, as many as are allowed."""

    def __init__(self, made: Made, seen: Seen, n_trials: int, seed: int) -> None:
        self.made, self.seen, self.left, self.seed = made, seen, n_trials, seed

    @property
    def possible(self) -> bool:
        """Whether the system has a learning rate to change."""
        system = self.made.system
        return isinstance(system, AbstractOptimiser) and self.left > 0

    def run(self, rate: float, x: np.ndarray) -> _Try | None:
        """A run as long as the first; none where no more are allowed."""
        if self.left <= 0:
            return None
        self.left -= 1
        system = self.made.system.with_parameters(learning_rate=rate)
        made = make(system, x, n_steps=len(self.made.run), n_transient=0, seed=self.seed)
        seen = inspect(made, rtol=0.05, seed=self.seed)
        return _Try(rate=rate, ruling=decide(seen), made=made, seen=seen)


def tried_advice(
    made: Made, seen: Seen, verdict: str, n_trials: int, seed: int
) -> list[TrainingAdvice]:
    """Advice that was tried out; none where nothing better was found."""
    trials = Trials(made, seen, n_trials, seed)
    if not trials.possible:
        return []
    asked = {
        "diverging": _lower_from_start, "oscillating": _largest_stable, "chaotic": _largest_stable,
        "edge-of-stability": _half, "stalled": _higher, "converging": _higher,
        "noise-floor": _quieter,
    }.get(verdict)  # fmt: skip
    if asked is None:
        return []
    try:
        return asked(trials)
    except TakensError:
        return []


def _rate(trials: Trials) -> float:
    return float(trials.made.system.learning_rate)


def _ratio_at(trials: Trials, system: Any, n: int, x: np.ndarray) -> Estimate | None:
    try:
        return sharpness(system, x, n=n, rtol=0.01, seed=trials.seed).ratio
    except TakensError:
        return None


def _lower_from_start(trials: Trials) -> list[TrainingAdvice]:
    """The greatest of a few rates, each half the last, at which the run from the start is not lost."""
    rate, start = _rate(trials), trials.made.x0
    ratio = _ratio_at(trials, trials.made.system, 1, start)
    said = f"Learning rate {rate:.3g} loses the run."
    factor = 0.5
    if ratio is not None and ratio.value > 1:
        said = (f"Learning rate {rate:.3g} is {ratio.value:.2g} times the largest stable one at the start "
                f"({rate / ratio.value:.3g}).")  # fmt: skip
        factor = min(factor, BELOW / ratio.value)
    while True:
        found = trials.run(rate * factor, start)
        if found is None:
            return (
                [TrainingAdvice(said, tried=False)] if ratio is not None and ratio.value > 1 else []
            )
        if found.ruling.verdict != "diverging":
            return [TrainingAdvice(
                f"{said} At {found.rate:.3g} the same run of {len(found.made.run)} steps is "
                f"{found.ruling.verdict}, and ends at a loss of {found.loss:.3g}.", tried=True,
            )]  # fmt: skip
        factor /= 4


def _largest_stable(trials: Trials) -> list[TrainingAdvice]:
    """Come to rest at lower rates, ask sharpness there, and try a rate just below what it bears."""
    rate, (_, x) = _rate(trials), trials.made.last
    factor = 0.5
    while True:
        rested = trials.run(rate * factor, x)
        if rested is None:
            return []
        if rested.ruling.verdict == "converging":
            break
        factor /= 2
    n, place = rested.made.last
    ratio = _ratio_at(trials, rested.made.system, n, place)
    if ratio is None or not ratio.value > 0:
        return []
    largest = rested.rate / ratio.value
    if largest >= rate:
        return [TrainingAdvice(
            f"At {rested.rate:.3g} the run settles, at a loss of {rested.loss:.3g}.", tried=True,
        )]  # fmt: skip
    said = (f"Learning rate {rate:.3g} is {rate / largest:.2g} times the largest that is stable at the "
            f"minimum nearby, {largest:.4g}.")  # fmt: skip
    found = trials.run(BELOW * largest, x)
    if found is not None and found.ruling.verdict == "converging":
        return [TrainingAdvice(f"{said} At {found.rate:.3g} the run settles, at a loss of "
                               f"{found.loss:.3g}.", tried=True)]  # fmt: skip
    return [TrainingAdvice(f"{said} At {rested.rate:.3g} it settles, at a loss of {rested.loss:.3g}.",
                           tried=True)]  # fmt: skip


def _half(trials: Trials) -> list[TrainingAdvice]:
    """At the edge: what half the rate would do from here, beside going on."""
    rate, (_, x) = _rate(trials), trials.made.last
    half, same = trials.run(0.5 * rate, x), trials.run(rate, x)
    if half is None or same is None or not np.isfinite(half.loss):
        return []
    swings = (
        "still swings"
        if half.ruling.verdict == "edge-of-stability"
        else f"is {half.ruling.verdict}"
    )
    return [TrainingAdvice(
        f"Learning rate {rate:.3g} is about the largest that the run bears, and sharpness follows it: a "
        f"lower one meets its own edge later. Half of it {swings} and comes to a loss of {half.loss:.3g} in "
        f"{len(half.made.run)} more steps, the same rate to {same.loss:.3g}.", tried=True,
    )]  # fmt: skip


def _higher(trials: Trials) -> list[TrainingAdvice]:
    """Far below the threshold: what a rate at half of it would do from the start."""
    ratio = trials.seen.sharpness
    if ratio is None or not 0 < ratio.value < 0.25 or trials.seen.rests:
        return []
    rate = _rate(trials)
    factor = min(0.5 / max(ratio.interval[1], ratio.value), MOST_UP)
    here = float(trials.made.run.loss[-max(len(trials.made.run) // 8, 1) :].mean())
    first = float(trials.made.run.loss[0])
    while factor > 2:
        found = trials.run(rate * factor, trials.made.x0)
        if found is None:
            return []
        bad = found.ruling.verdict in ("diverging", "oscillating", "chaotic")
        if not bad and first - found.loss > (first - here) / BETTER:
            return [TrainingAdvice(
                f"Learning rate {rate:.3g} uses {ratio.value:.2g} of what curvature bears. At "
                f"{found.rate:.3g} the same number of steps from the same start comes to a loss of "
                f"{found.loss:.3g} instead of {here:.3g} ({found.ruling.verdict}).", tried=True,
            )]  # fmt: skip
        factor /= 4
    return []


def _quieter(trials: Trials) -> list[TrainingAdvice]:
    """At the noise floor: what a quarter of the rate does from here."""
    rate, (_, x) = _rate(trials), trials.made.last
    found = trials.run(0.25 * rate, x)
    here = float(trials.made.run.loss[-max(len(trials.made.run) // 8, 1) :].mean())
    if found is None or not found.loss < here:
        return []
    return [TrainingAdvice(
        f"At this learning rate, {rate:.3g}, the loss stays about {here:.4g}. At {found.rate:.3g} it came "
        f"to {found.loss:.4g} from here; larger batches lower it as well.", tried=True,
    )]  # fmt: skip
