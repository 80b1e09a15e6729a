"""Figures of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from takens.algorithms.diagnosis.measures import fast_part, last
from takens.algorithms.diagnosis.seen import NOISE
from takens.core import Status
from takens.report.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    Figure,
    axis,
    band,
    dots,
    horizontal,
    layout,
    line,
    thinned,
    vertical,
)

if TYPE_CHECKING:
    from takens.algorithms.diagnosis.modes import Multipliers
    from takens.algorithms.rates import ConvergenceRate
    from takens.report.training.report import TrainingReport

MOST_SHOWN = 120  # rows of an oscillation, of which more would be a blur


def figures_of(report: TrainingReport) -> dict[str, list[Figure]]:
    """All figures that the record bears, by section."""
    found = report.diagnosis
    drawn = {"run": [_loss(report)]}
    if report.log.run.gradient_norm is not None:
        drawn["run"].append(_gradient(report))
    swings = []
    if found.alternation is not None and report.log.run.projections is not None:
        swings = [_amplitude(report), *_swing(report)]
    chance = found.named("step left to chance")
    ruled = chance is None or chance.value.value < NOISE  # noise has no multipliers
    if ruled and found.multipliers is not None and found.multipliers.modes:
        swings.append(_circle(found.multipliers))
    drawn["swings"] = swings
    if found.rate is not None and len(found.rate.rates):
        drawn["rate"] = [_windows(found.rate)]
        if found.rate.status is Status.OK:
            drawn["rate"].append(_to_go(found.rate))
    return {name: group for name, group in drawn.items() if group}


def _log_axis(values: np.ndarray, title: str) -> tuple[dict[str, Any], str]:
    """A logarithmic axis where all values are positive and differ by more than a little."""
    seen = values[np.isfinite(values)]
    if len(seen) and (seen > 0).all() and seen.max() > 2 * seen.min():
        return axis(title, log=True), ""
    return axis(title), " The axis is linear."


def _loss(report: TrainingReport) -> Figure:
    run, validation = report.log.run, report.log.validation
    traces = [
        line(
            *thinned(run.steps, np.where(np.isfinite(run.loss), run.loss, np.nan)), "training loss"
        )
    ]
    values = run.loss
    if validation is not None:
        traces.append(line(*thinned(*validation), "validation loss", ORANGE))
        values = np.concatenate([values, validation[1]])
    shapes = []
    lost = np.flatnonzero(~np.isfinite(run.loss))
    if len(lost):
        shapes.append(vertical(float(run.steps[lost[0]]), "no finite number", RED))
    shown, note = _log_axis(values, "loss")
    return Figure(
        name="loss", title="Loss", data=traces,
        layout=layout(axis("step"), shown, shapes=shapes, showlegend=validation is not None),
        caption="The last half, from which trends are read, is the right half of the picture." + note,
        description=f"Loss over {len(run)} rows.",
    )  # fmt: skip


def _gradient(report: TrainingReport) -> Figure:
    run = report.log.run
    assert run.gradient_norm is not None  # looked at by the caller
    values = np.where(np.isfinite(run.gradient_norm), run.gradient_norm, np.nan)
    shown, note = _log_axis(values, "norm of the gradient")
    return Figure(
        name="gradient", title="Gradient", data=[line(*thinned(run.steps, values), "norm", GREEN)],
        layout=layout(axis("step"), shown, showlegend=False), size="small",
        caption="A run that settles has less and less of it." + note,
        description="Norm of the gradient over steps.",
    )  # fmt: skip


def _amplitude(report: TrainingReport) -> Figure:
    swing = report.diagnosis.alternation
    assert swing is not None  # looked at by the caller
    held = np.maximum(swing.amplitude, 1e-18)
    return Figure(
        name="amplitude", title="What alternates, along the run",
        data=[line(swing.rows, held, "amplitude", PURPLE, mode="lines+markers")],
        layout=layout(axis("row"), axis("amplitude", log=True),
                      showlegend=False), size="small",
        caption="Amplitude of what changes sign at every row, over the size of the projections. In a "
        "smooth run it is rounding; at the edge of stability it stays, in bursts or steadily.",
        description="Amplitude of the alternating part of the projections in 32 parts of the run.",
    )  # fmt: skip


def _swing(report: TrainingReport) -> list[Figure]:
    projections = report.log.run.projections
    assert projections is not None  # looked at by the caller
    good = np.isfinite(projections).all(axis=1)
    late, steps = projections[good][-MOST_SHOWN:], report.log.run.steps[good][-MOST_SHOWN:]
    if len(late) < 16:
        return []
    moves = np.diff(late / max(float(np.abs(late).max()), 1e-300), axis=0)
    fast = fast_part(
        last(projections[good], 4) / max(float(np.abs(projections[good]).max()), 1e-300)
    )
    alive = report.diagnosis.alternation is not None and report.diagnosis.alternation.alive
    space = fast if alive else moves
    direction = np.linalg.svd(space, full_matrices=False)[2][0]
    what = "alternates most" if alive else "moves most"
    return [Figure(
        name="swing", title="Steps along the direction that " + what,
        data=[line(steps[1:], moves @ direction, "step", BLUE, mode="lines+markers",
                   marker={"size": 4, "color": BLUE})],
        layout=layout(axis("step"), axis("difference of projections"), showlegend=False,
                      shapes=[horizontal(0.0)]), size="small",
        caption=f"The last {len(moves)} rows, over the size of the projections.",
        description=f"Differences of projections along the direction that {what}.",
    )]  # fmt: skip


def _circle(found: Multipliers) -> Figure:
    turn = np.linspace(0, 2 * np.pi, 181)
    traces = [line(np.cos(turn), np.sin(turn), "unit circle", GREY)]
    for name, colour in (("alternating", RED), ("slow", BLUE)):
        values = getattr(found, name)
        if not len(values):
            continue
        traces.append(dots(values.real, values.imag, f"{name}, each window and rank", colour,
                           marker={"color": colour, "size": 5, "opacity": 0.35}))  # fmt: skip
        mode = found.named(name)
        if mode is not None:
            low, high = mode.modulus.interval
            side = mode.multiplier / max(abs(mode.multiplier), 1e-300)
            ends = np.array([low * side, high * side])
            traces.append(line(ends.real, ends.imag, f"{name}: interval of the modulus", colour,
                               line={"color": colour, "width": 5}))  # fmt: skip
    reach = max(1.15, 1.1 * max((float(np.abs(getattr(found, n)).max(initial=0)))
                                for n in ("alternating", "slow")))  # fmt: skip
    reach = min(reach, 3.0)
    return Figure(
        name="circle", title="Multipliers against the unit circle", data=traces,
        layout=layout(axis("real part", range=[-reach, reach]),
                      axis("imaginary part", range=[-reach, reach], scaleanchor="x")),
        size="tall",
        caption="Factors by which parts of a step come back in the next. Inside the circle they fade, on it "
        "they stay; -1 is a flip, 1 a flat or slow direction, which every run has. A pair inside is "
        "usual with momentum.",
        description="Multipliers in the complex plane, with intervals over windows and ranks.",
    )  # fmt: skip


def _windows(rate: ConvergenceRate) -> Figure:
    traces = []
    if rate.rate.is_finite:
        low, high = rate.rate.interval
        span = np.array([rate.windows.min() / 1.1, rate.windows.max() * 1.1])
        traces += band(span, np.full(2, low), np.full(2, high), BLUE, "interval")
    for rank in np.unique(rate.ranks):
        these = rate.ranks == rank
        traces.append(dots(rate.windows[these], rate.rates[these], f"rank {rank}",
                           (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)[int(rank - 1) % 6]))  # fmt: skip
    note = "" if rate.rate.is_finite else " They disagree: no single rate describes the run yet."
    return Figure(
        name="windows", title="Rate by window and rank", data=traces,
        layout=layout(axis("rows of the window", log=True), axis("rate for each row")), size="small",
        caption="The slowest multiplier, from the last rows, more of them to the right." + note,
        description="Rates over the length of the window, one colour a rank.",
    )  # fmt: skip


def _to_go(rate: ConvergenceRate) -> Figure:
    tolerances = np.geomspace(0.5, 1e-6, 40)

    def rows(value: float) -> np.ndarray:
        if not 0 < value < 1:
            return np.full(len(tolerances), np.nan if value >= 1 else 0.0)
        return np.log(tolerances) / np.log(value)

    low, high = rate.rate.interval
    return Figure(
        name="to-go", title="Steps to go", size="small",
        data=[*band(tolerances, rows(low), rows(high), BLUE, "interval"),
              line(tolerances, rows(rate.rate.value), "rows", BLUE)],
        layout=layout(axis("factor of the distance that is left", log=True, autorange="reversed"),
                      axis("rows"), showlegend=False),
        caption="Rows until the distance to the limit is so small, as rounded, if the rate stays.",
        description="Rows to go over the factor of the remaining distance.",
    )  # fmt: skip
