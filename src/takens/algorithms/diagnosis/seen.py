"""Everything that a record of training says, gathered once for the rule that decides."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from takens.algorithms.diagnosis import measures
from takens.algorithms.diagnosis.modes import Multipliers, delayed, multipliers
from takens.core import Estimate, Finding

if TYPE_CHECKING:
    from takens.algorithms.recording import TrainingRun
    from takens.series import Motion

NOISE = 0.6  # share of a step that the state does not foretell, from which on it is noise
RULE = 0.2  # and up to which it follows a rule
QUIET = 0.01  # background of steps, below which no batches drive them
LOSS_NOISE = 0.5  # share of the loss that the weights do not tell, from which on batches change it
GROWN = 3.0  # factor by which a loss grows over half a run that diverges


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A run with what was measured on it.

    Parameters
    ----------
    run : TrainingRun
    loss : array, shape (row,)
        The finite rows before the run was lost, over the largest; empty where there is no loss.
    gradient : array, shape (row,), or None
    shadows : array, shape (row, column), or None
        The last evenly recorded stretch of projections over their largest, if it is long enough.
    every : float
        Steps from one row of it to the next.
    lost_at : float
        Step of the first row that is not finite, where all later ones are not either; else NaN.
    grows : bool
        Whether the loss, or the steps where there is none, grow beyond their start.
    loss_change, gradient_change : Estimate
        Over the last half, relative.
    step_sizes : array, shape (8,)
        Of each eighth, over the size of the weights.
    alternation, travel, period, multipliers
        Of the projections; none where there are none.
    noise : Estimate
        Share of a step, or of a loss where there are no projections, that nothing foretells.
    unforetold, loss_noise : Estimate
        Share of a step that neighbours of the state do not foretell, and of the loss that they do not
        tell.
    background : float
        Power of the steps at middle frequencies over their mean power.
    full_batch : bool or None
        As the record says.
    sharpness, exponent : Estimate or None
        Over the threshold, and in nats a step: from the system alone.
    flip : Estimate or None
        Least real part of a multiplier of the step: from a system that is no optimiser of ours.
    cautions : tuple of Finding
    """

    run: TrainingRun
    loss: np.ndarray
    gradient: np.ndarray | None
    shadows: np.ndarray | None
    every: float
    lost_at: float
    grows: bool
    loss_change: Estimate
    gradient_change: Estimate
    step_sizes: np.ndarray
    alternation: measures.Alternation | None
    travel: Estimate
    period: tuple[int, float]
    multipliers: Multipliers | None
    noise: Estimate
    unforetold: Estimate
    loss_noise: Estimate
    background: float
    full_batch: bool | None
    sharpness: Estimate | None = None
    exponent: Estimate | None = None
    flip: Estimate | None = None
    cautions: tuple[Finding, ...] = ()

    @property
    def noisy(self) -> bool:
        """Whether batches, or chance of another kind, drive the steps."""
        if self.full_batch is True:
            return False
        if self.full_batch is False or self.noise.value >= NOISE:
            return True
        # a flat loss is told by no weights either
        varies = len(self.loss) > 4 and measures.scatter(self.loss) > 1e-5
        return bool(varies and self.loss_noise.value >= LOSS_NOISE)

    @property
    def ruled(self) -> bool:
        """Whether the record shows that no batches drive the steps, or says so."""
        quiet = self.background < QUIET or self.unforetold.value < RULE
        return self.full_batch is True or bool(quiet)

    @property
    def rests(self) -> bool:
        """Whether steps are down to the rounding of the weights."""
        now = self.step_sizes[-1]
        if now <= measures.REST:
            return True
        quiet = len(self.loss) < 5 or measures.scatter(self.loss) <= 1e-5
        return bool(now <= measures.SINGLE_REST and self.noise.value >= NOISE and quiet)

    @property
    def shrinks(self) -> bool:
        """Whether gradient, or steps where none is recorded, became less over the last half."""
        if self.gradient_change.is_finite:
            return self.gradient_change.value < -0.1
        return bool(self.step_sizes[-1] < 0.9 * self.step_sizes[3])

    def motion(self) -> Motion | None:
        """Kind of motion of the last half's leading component; none where it cannot be asked."""
        from takens.core import TakensError
        from takens.series import kind_of_motion

        if self.shadows is None:
            return None
        late = measures.last(self.shadows, 2)[-measures.MOST_ROWS :]
        centred = late - late.mean(axis=0)
        left, singular, _ = np.linalg.svd(centred, full_matrices=False)
        if not singular[0] > 0:
            return None
        try:
            return kind_of_motion(left[:, 0] * len(late) ** 0.5, quick=True)
        except TakensError:
            return None


def look(run: TrainingRun) -> Seen:
    """Measure everything that the record bears."""
    found: list[Finding] = []
    lost_at = _lost_at(run)
    kept = run.steps < lost_at if np.isfinite(lost_at) else np.ones(len(run), bool)
    no_loss = not np.isfinite(run.loss).any()
    seen = kept & (np.isfinite(run.loss) | no_loss)
    if seen.sum() < kept.sum():
        found.append(
            Finding("missing-loss", f"{int(kept.sum() - seen.sum())} rows have no loss.",
                    "They are left out.")
        )  # fmt: skip
    loss = np.empty(0) if no_loss else _scaled(run.loss[seen])
    gradient = None
    if run.gradient_norm is not None:
        gradient = _scaled(run.gradient_norm[kept & np.isfinite(run.gradient_norm)])
    shadows, every, notes = _even(run, kept)
    found.extend(notes)
    nothing = measures.none("no projections")
    alternation = travel = period = found_modes = None
    noise, near, loss_noise = _noise_of_loss(loss), nothing, nothing
    sizes = np.full(8, np.nan)
    if shadows is not None:
        sizes = measures.step_size(shadows)
        alternation = measures.alternation(shadows)
        travel, period = measures.travel(shadows), measures.period(shadows)
        late = measures.last(shadows, 4)[-measures.MOST_ROWS :]
        found_modes = multipliers(shadows)
        states = delayed(late, 4)
        near = measures.unforetold(states[:-1], np.diff(late, axis=0)[len(late) - len(states) :])
        noise = _noise(near, found_modes)
        if len(loss) >= len(late) and len(loss) == kept.sum():
            loss_noise = measures.unforetold(late, loss[-len(late) :], centred=True)
    return Seen(
        run=run, loss=loss, gradient=gradient, shadows=shadows, every=every, lost_at=lost_at,
        grows=_grows(loss, sizes), loss_change=_change(loss), step_sizes=sizes,
        gradient_change=measures.none("none recorded") if gradient is None else _change(gradient),
        alternation=alternation, travel=travel or nothing, period=period or (0, np.inf),
        multipliers=found_modes, noise=noise, unforetold=near, loss_noise=loss_noise,
        background=np.nan if shadows is None else measures.background(shadows),
        full_batch=_full_batch(run.settings),
        cautions=tuple(found),
    )  # fmt: skip


def _scaled(values: np.ndarray) -> np.ndarray:
    """Over the largest: squares of a run that is being lost would overflow."""
    return np.asarray(values / max(float(np.abs(values).max(initial=0.0)), 1e-300))


def _change(values: np.ndarray) -> Estimate:
    return measures.change(values) if len(values) >= 8 else measures.none("too few rows")


def _lost_at(run: TrainingRun) -> float:
    """Step from which on loss or projections are not finite; NaN where they end finite."""
    good = np.isfinite(run.loss)
    if not good.any() and run.projections is not None:  # a map without a loss
        good = np.ones(len(run), bool)
    if run.projections is not None:
        good = good & np.isfinite(run.projections).all(axis=1)
    if good[-1]:
        return np.nan
    return float(run.steps[np.flatnonzero(good)[-1] + 1]) if good.any() else float(run.steps[0])


def _even(run: TrainingRun, kept: np.ndarray) -> tuple[np.ndarray | None, float, list[Finding]]:
    """The last stretch of projections at even steps, with its spacing."""
    if run.projections is None:
        return None, np.nan, []
    rows = np.flatnonzero(kept & np.isfinite(run.projections).all(axis=1))
    if len(rows) < 2:
        return None, np.nan, []
    gaps = np.diff(run.steps[rows])
    every = float(gaps[-1])
    odd = np.flatnonzero(gaps != every)
    first = int(odd[-1]) + 1 if len(odd) else 0
    shadows = _scaled(run.projections[rows[first:]])
    notes = []
    if len(shadows) < measures.LEAST_ROWS:
        notes.append(
            Finding("few-projections", f"The last even stretch has {len(shadows)} rows of projections; "
                    f"{measures.LEAST_ROWS} are needed.", "Only the loss is looked at.")
        )  # fmt: skip
        return None, every, notes
    if first:
        notes.append(
            Finding("uneven-steps", "Steps from row to row change along the run.",
                    f"Projections are looked at from step {run.steps[rows[first]]:g} on.")
        )  # fmt: skip
    if every > 1:
        notes.append(
            Finding("rows-skipped", f"Only every {every:g}th step was recorded: what changes sign at "
                    "every step may not be seen.", "Record every step to see flips.", "serious")
        )  # fmt: skip
    return shadows, every, notes


def _grows(loss: np.ndarray, sizes: np.ndarray) -> bool:
    if len(loss) >= 16:
        late = measures.last(loss, 2)
        blocks = np.array([b.mean() for b in np.array_split(late, 8)])
        start = float(np.abs(loss[: max(len(loss) // 16, 1)]).max())
        rising = (np.diff(blocks) > 0).sum() >= 6
        return bool(rising and blocks[-1] > GROWN * abs(blocks[0]) and blocks[-1] > GROWN * start)
    if len(loss) >= 4:
        return bool((np.diff(loss[-4:]) > 0).all() and loss[-1] > GROWN * abs(loss[0]))
    return bool(
        np.isfinite(sizes).all() and (np.diff(sizes[3:]) > 0).all() and sizes[-1] > 10 * sizes[3]
    )


def _noise(near: Estimate, found: Multipliers) -> Estimate:
    """Share of a step that neither neighbours nor a linear rule foretell.

    Neighbours do not serve where steps shrink by orders of magnitude, a linear rule where it bends.
    """
    both = [v for v in (near.value, found.residual) if np.isfinite(v)]
    if not near.is_finite or not both:
        return near
    least, most = (float(v) for v in np.clip([min(both), max(both)], 0, 1))
    return Estimate(
        value=least, interval=(least, most), level=1.0, method="neighbours and a linear rule"
    )


def _noise_of_loss(loss: np.ndarray) -> Estimate:
    """Share of the loss that its own last values do not foretell."""
    late = measures.last(loss, 2)[-measures.MOST_ROWS :]
    if len(late) < measures.LEAST_ROWS:
        return measures.none("too few rows")
    late = _scaled(late)
    delays = np.column_stack([late[:-2], late[1:-1]])
    if np.ptp(delays) <= 1e-12:
        return measures.none("the loss rests")
    return measures.unforetold(delays, np.diff(late)[1:])


def _full_batch(settings: object) -> bool | None:
    held = dict(settings) if settings else {}  # type: ignore[call-overload]
    if isinstance(held.get("full_batch"), bool):
        return held["full_batch"]
    batch = held.get("batch", held.get("batch_size"))
    examples = held.get("n_examples", held.get("dataset_size"))
    if isinstance(batch, (int, float)) and isinstance(examples, (int, float)):
        return bool(batch >= examples)
    return None
