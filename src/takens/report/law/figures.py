"""Figures of a law: its coefficients, and its own orbit beside the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.core import Recording
from takens.plot import quantity
from takens.report.drawing import (
    BLUE,
    GREY,
    Figure,
    axis,
    dots,
    layout,
    line,
    plotly_text,
    rounded,
    vertical,
)
from takens.report.figures import time_label
from takens.validate import LongRun

MOST_POINTS = 2_000


def coefficient_figure(rows: list[dict[str, Any]]) -> Figure:
    """Interval of every coefficient over its value, one below the other."""
    names = [plotly_text(f"{r['equation']}: {r['term']}") for r in rows]
    half = [(r["interval"][1] - r["value"]) / abs(r["value"]) for r in rows]
    trace = {
        "type": "scatter", "mode": "markers", "x": [1.0] * len(rows), "y": names,
        "error_x": {"type": "data", "array": rounded(half), "color": BLUE, "thickness": 1.6},
        "marker": {"color": BLUE, "size": 7}, "name": "interval",
        "text": [f"{r['value']:.6g}" for r in rows],
        "hovertemplate": "%{y} = %{text}<extra></extra>",
    }  # fmt: skip
    return Figure(
        name="coefficients", title="How well each coefficient is known", data=[trace],
        layout=layout(axis("interval over the value"), axis("", autorange="reversed"),
                      showlegend=False, shapes=[vertical(1.0), vertical(0.0)]),
        caption="An interval that reached 0 would say that the term may be absent.",
        description=f"Relative intervals of {len(rows)} coefficients.",
    )  # fmt: skip


def run_figures(recording: Recording, run: LongRun) -> list[Figure]:
    """The data and the law's own run in the plane of the first two columns, or in time."""
    free = run.orbit[0]
    good = np.isfinite(free).all(axis=1)
    if not good.any():
        return []
    free = free[good][:MOST_POINTS]
    record = max(recording, key=len)
    columns = [record.names.index(name) for name in run.names]
    seen = record.states[-MOST_POINTS:, columns]
    labels = [quantity(name, record.units[i]) for name, i in zip(run.names, columns, strict=True)]
    caption = "The law is left alone from the end of the data on, without noise."
    if len(columns) > 1:
        data = [dots(seen[:, 0], seen[:, 1], "data", GREY),
                line(free[:, 0], free[:, 1], "the law, left alone", BLUE)]  # fmt: skip
        shown = layout(axis(labels[0]), axis(labels[1]))
    else:
        times = record.times[-len(seen) :] - record.times[-1]
        count = min(len(seen), len(free))
        data = [line(times[-count:], seen[-count:, 0], "data", GREY),
                line(run.times[:count], free[:count, 0], "the law, left alone", BLUE)]  # fmt: skip
        shown = layout(
            axis(time_label(run.time_unit, "time from the end of the data")), axis(labels[0])
        )
    return [
        Figure(name="run", title="Data, and the law's own orbit", data=data, layout=shown,
               caption=caption, description="The law's free run beside the data. " + run.summary(),
               size="tall" if len(columns) > 1 else ""),
    ]  # fmt: skip
