"""Figures of the models: skill, scores, one forecast, and the long run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from takens.plot import quantity
from takens.report.drawing import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    ORANGE,
    Figure,
    axis,
    band,
    horizontal,
    layout,
    line,
    thinned,
)  # fmt: skip
from takens.report.figures import time_label

if TYPE_CHECKING:
    from takens.validate import Backtest, LongRun

_FLOOR = -1.0  # skill below this is drawn at this value: how bad beyond bad does not matter


def backtest_figures(found: Backtest) -> list[Figure]:
    """Skill by lead, CRPS by lead and one forecast with its band."""
    label = time_label(found.time_unit, "lead time")
    leads = found.leads
    skill = _by_model(
        found,
        np.clip(found.skill_climatology, _FLOOR, 1),
        np.clip(found.skill_climatology_interval, _FLOOR, 1),
        {"climatology"},
    )
    score = _by_model(found, found.crps, found.crps_interval, set())
    top = (
        1.6 * float(np.nanmax(found.crps[found.models.index("climatology")]))
        if "climatology" in found.models and np.isfinite(found.crps).any()
        else None
    )
    limits: dict[str, Any] = {} if top is None or not np.isfinite(top) else {"range": [0, top]}
    figures = [
        Figure(
            name="skill", title="Forecast skill by lead", data=skill,
            layout=layout(axis(label, log=len(leads) > 4), axis("skill over climatology",
                          range=[_FLOOR * 1.05, 1.05]), shapes=[horizontal(0.0)]),
            caption="1 is a perfect forecast, 0 no better than the climatological mean. Bands are "
            f"{found.level:.0%} intervals over forecast origins. Skill below {_FLOOR:g} is drawn "
            "there. Click a model in the legend to hide it.",
            description=f"Skill of {len(found.models)} models against lead time. Best: "
            f"{found.best}.",
        ),
        Figure(
            name="crps", title="Ensemble score by lead", data=score,
            layout=layout(axis(label, log=len(leads) > 4),
                          axis("CRPS (standard deviations)", rangemode="tozero", **limits)),
            caption="Continuous ranked probability score: smaller is better; it rewards ensembles "
            "that are sharp and honest about their spread.",
            description="Continuous ranked probability score of every model against lead time.",
        ),
    ]  # fmt: skip
    if found.example is not None:
        figures.append(_forecast_figure(found))
    return figures


def _by_model(
    found: Backtest, values: np.ndarray, ends: np.ndarray, without: set[str]
) -> list[dict[str, Any]]:
    """A line and a band for each model; the band follows its line in the legend."""
    traces: list[dict[str, Any]] = []
    for row, model in enumerate(found.models):
        if model in without:
            continue
        colour = COLOURS[row % len(COLOURS)]
        shown: dict[str, Any] = {"legendgroup": f"model-{row}"}
        traces += band(found.leads, ends[0, row], ends[1, row], colour, **shown)
        heavy = {"color": colour, "width": 2.6 if model == found.best else 1.5}
        traces.append(line(found.leads, values[row], model, colour, line=heavy, **shown))
    return traces


def _forecast_figure(found: Backtest) -> Figure:
    one = found.example
    assert one is not None
    name = found.names[0]
    history_x, history = thinned(one.history_times, one.history[:, 0], 600)
    quantiles = one.quantiles[:, :, 0]
    traces = [
        *band(one.times, quantiles[0], quantiles[4], BLUE, "5 to 95 %"),
        *band(one.times, quantiles[1], quantiles[3], BLUE, "25 to 75 %"),
        line(history_x, history, "before", GREY),
        line(one.times, one.truth[:, 0], "what happened", ORANGE),
        line(one.times, quantiles[2], "forecast (median)", BLUE),
    ]
    seen = np.r_[one.history[:, 0], one.truth[:, 0]]
    seen = seen[np.isfinite(seen)]
    low, high = (seen.min(), seen.max()) if seen.size else (0.0, 1.0)
    room = 0.6 * (high - low) or 1.0
    inside = np.nanmin(quantiles) > low - room and np.nanmax(quantiles) < high + room
    limits: dict[str, Any] = {} if inside else {"range": [float(low - room), float(high + room)]}
    beyond = (
        ""
        if inside
        else (" The band leaves the frame or ends where members of the ensemble run away.")
    )
    return Figure(
        name="forecast", title=f"One forecast by {one.model}", data=traces,
        layout=layout(axis(time_label(found.time_unit)), axis(name, **limits)),
        caption="The last forecast of the backtest, not a chosen one: the model knew only what "
        "lies before it." + beyond,
        description=f"Forecast of {name} by {one.model} with its ensemble band and what happened.",
    )  # fmt: skip


def long_run_figures(found: LongRun) -> list[Figure]:
    """The best model left alone: its path, spectrum and distribution beside the data's."""
    labels = ("data", "free run", "run driven by residuals")
    colours = (GREY, BLUE, GREEN)
    shown = found.frequencies > 0
    spectra, values = [], []
    shares = np.linspace(0, 1, found.quantiles.shape[1])
    for label, colour, power, quantiles in zip(
        labels, colours, found.spectra, found.quantiles, strict=True
    ):
        power = np.where(power > 0, power, np.nan)[shown]  # noqa: PLW2901
        if np.isfinite(power).any():
            x, y = thinned(found.frequencies[shown], np.log10(power), 900)
            spectra.append(line(x, 10.0**y, label, colour, line={"color": colour, "width": 1.2}))
        if np.isfinite(quantiles).any():
            values.append(line(quantiles, shares, label, colour))
    unit = "step" if found.time_unit == "1" else found.time_unit
    said = found.summary()
    tops = [np.nanmax(found.spectra[:, shown])] if shown.any() else [1.0]
    top = float(np.log10(max(tops[0], 1e-12))) if np.isfinite(tops[0]) else 0.0
    return [
        Figure(
            name="long-spectrum", title="Spectrum: model and data", data=spectra, size="small",
            layout=layout(axis(f"frequency (cycles per {unit})", log=True, dtick=1),
                          axis("share of variance", log=True, dtick=1, range=[top - 6, top + 0.4])),
            caption=f"The free run of {found.model} has no noise; the other is driven by its own "
            "training residuals.",
            description="Power spectra of the data and of two long runs of the model. " + said,
        ),
        Figure(
            name="long-distribution", title="Distribution: model and data", data=values,
            size="small",
            layout=layout(axis(quantity(found.names[0], "")), axis("share of values below",
                          range=[0, 1])),
            caption="Cumulative distribution of the first column.",
            description="Cumulative distributions of the data and of two runs. " + said,
        ),
    ]  # fmt: skip
