"""Figures of the data, the state space and the tests behind the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Recording
from takens.plot import quantity
from takens.report.drawing import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Figure,
    axis,
    band,
    dots,
    histogram,
    horizontal,
    layout,
    line,
    plotly_text,
    rounded,
    thinned,
    vertical,
)  # fmt: skip
from takens.report.markup import counted, number_text

if TYPE_CHECKING:
    from takens.series import (
        CorrelationDimension,
        Embedding,
        LargestLyapunov,
        Motion,
        Spectrum,
        SurrogateTest,
    )  # fmt: skip

_MAX_PANELS, _MAX_RECORDS, _MAX_GAPS = 5, 6, 40


def time_label(unit: str, what: str = "time") -> str:
    """Axis title of a time axis.

    Examples
    --------
    >>> time_label("1"), time_label("year")
    ('time (steps)', 'time (year)')
    """
    return quantity(what, "steps" if unit == "1" else unit)


def data_figure(recording: Recording) -> Figure:
    """The data over time, one panel a column, with gaps shaded."""
    n_panels = min(len(recording.names), _MAX_PANELS)
    traces: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    settings: dict[str, Any] = {}
    height = 1 / n_panels
    was_thinned, n_gaps, n_missing = False, 0, 0
    per_line = max(300, 4000 // (n_panels * min(len(recording), _MAX_RECORDS)))
    for number, record in enumerate(recording.records[:_MAX_RECORDS]):
        steps = np.diff(record.times)
        step = float(np.median(steps)) if steps.size else 1.0
        breaks = np.flatnonzero(steps > 1.5 * step)
        n_gaps += len(breaks)
        if len(recording) == 1:
            shapes += [_shade(record.times[i], record.times[i + 1]) for i in breaks[:_MAX_GAPS]]
            begun, ended = _missing_runs(record.states)
            n_missing = len(begun)
            shapes += [
                _shade(record.times[i] - step / 2, record.times[j] + step / 2)
                for i, j in zip(begun[:_MAX_GAPS], ended[:_MAX_GAPS], strict=True)
            ]
        times = np.insert(record.times, breaks + 1, record.times[breaks] + step)
        for panel in range(n_panels):
            values = np.insert(record.states[:, panel], breaks + 1, np.nan)
            x, y = thinned(times, values, per_line)
            was_thinned |= len(x) < len(times)
            suffix = "" if panel == 0 else str(panel + 1)
            traces.append(line(
                x, y, record.label or recording.names[panel], COLOURS[number % len(COLOURS)],
                yaxis=f"y{suffix}", showlegend=len(recording) > 1 and panel == 0,
                line={"color": COLOURS[number % len(COLOURS)], "width": 1.1},
            ))  # fmt: skip
    for panel in range(n_panels):
        suffix = "" if panel == 0 else str(panel + 1)
        title = quantity(recording.names[panel], recording.units[panel])
        top = 1 - panel * height
        settings[f"yaxis{suffix}"] = axis(
            title if len(title) <= 34 else title[:32] + "…",
            domain=[top - height * 0.9, top], nticks=6 if n_panels < 3 else 4,
        )  # fmt: skip
    last = "" if n_panels == 1 else str(n_panels)
    shown = layout(axis(time_label(recording.time_unit), anchor=f"y{last}"), settings.pop("yaxis"),
                   shapes=shapes, **settings)  # fmt: skip
    notes = [f"{counted(recording.n_samples, 'row')} in {counted(len(recording), 'record')}."]
    if n_gaps:
        notes.append(f"Gaps in time, shaded and not bridged: {n_gaps}.")
    if n_missing:
        notes.append(f"Stretches with missing values, shaded and not filled: {n_missing}.")
    if max(n_gaps, n_missing) > _MAX_GAPS and len(recording) == 1:
        notes.append(f"Only the first {_MAX_GAPS} of each are marked.")
    if was_thinned:
        notes.append("Thinned for the page: the lowest and highest value of each short stretch "
                     "are drawn; results.nc holds every row.")  # fmt: skip
    if len(recording.names) > n_panels:
        notes.append(f"The first {n_panels} of {len(recording.names)} columns.")
    if len(recording) > _MAX_RECORDS:
        notes.append(f"The first {_MAX_RECORDS} of {len(recording)} records.")
    return Figure(
        name="data", title="The data", caption=" ".join(notes), data=traces, layout=shown,
        description="Line chart of " + ", ".join(recording.names[:n_panels]) + " over time. "
        + " ".join(notes), size="tall" if n_panels > 2 else "",
    )  # fmt: skip


def _missing_runs(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of each run of rows with a missing value."""
    edges = np.diff(np.r_[0, np.isnan(states).any(axis=1).astype(int), 0])
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1


def _shade(start: float, end: float) -> dict[str, Any]:
    return {
        "type": "rect", "xref": "x", "yref": "paper", "x0": float(start), "x1": float(end),
        "y0": 0, "y1": 1, "fillcolor": RED, "opacity": 0.15, "line": {"width": 0},
    }  # fmt: skip


def portrait_figure(recording: Recording, chosen: Embedding) -> Figure:
    """The delay portrait in three dimensions, with a flat one for browsers without WebGL."""
    from takens.series.observable import observable

    view = observable(recording)
    stride = max(1, round(chosen.dt / view.dt))
    x, delay = view.longest[::stride], chosen.delay
    n_all = len(x) - 2 * delay
    count = min(n_all, 3000)
    names = [f"x(t{f' − {k * delay}' if k else ''})" for k in range(3)]
    points = [x[2 * delay - k * delay :][:count] for k in range(3)]
    smooth = not chosen.map_like
    style: dict[str, Any] = (
        {
            "mode": "lines",
            "line": {"color": list(range(count)), "colorscale": "Viridis", "width": 2},
        }
        if smooth
        else {"mode": "markers", "marker": {"size": 2, "color": BLUE, "opacity": 0.7}}
    )
    solid = {
        "type": "scatter3d", "hoverinfo": "none", "showlegend": False, **style,
        **{key: rounded(values, 4) for key, values in zip("xyz", points, strict=True)},
    }  # fmt: skip
    scene: dict[str, Any] = {
        f"{key}axis": {"title": {"text": name}} for key, name in zip("xyz", names, strict=True)
    }
    scene |= {"aspectmode": "cube", "camera": {"eye": {"x": 1.5, "y": 1.5, "z": 0.9}}}
    draw = line if smooth else dots
    trace = draw(points[1], points[0], "portrait", BLUE, hoverinfo="skip")
    if smooth:
        trace["line"]["width"] = 0.8
    else:
        trace["marker"] = {"color": BLUE, "size": 2.5, "opacity": 0.7}
    caption = (
        f"{view.label}, in standard deviations, against itself {delay} and {2 * delay} samples "
        "earlier. Drag to turn, scroll to zoom."
    )
    if count < n_all:
        caption += f" The first {count} of {n_all} states are drawn."
    flat = Figure(
        name="portrait", title="", caption="", description="", data=[trace],
        layout=layout(axis(names[1]), axis(names[0]), showlegend=False),
    )  # fmt: skip
    return Figure(
        name="portrait", title="Delay portrait", caption=caption, data=[solid], flat=flat,
        layout={"scene": scene, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}, size="tall",
        description=f"Delay portrait of {view.label} with a delay of {delay} samples.",
    )  # fmt: skip


def delay_figure(chosen: Embedding) -> Figure:
    """Mutual information and autocorrelation against lag, with the chosen delay."""
    lags = chosen.lags * chosen.dt
    x, information = thinned(lags, chosen.mutual_information, 600)
    x2, correlation = thinned(lags, chosen.autocorrelation, 600)
    traces = [
        line(x, information, "mutual information (nats)", BLUE),
        line(x2, correlation, "autocorrelation", ORANGE),
    ]
    when = chosen.delay * chosen.dt
    return Figure(
        name="delay", title="Choice of the delay", data=traces, size="small",
        layout=layout(axis(time_label(chosen.time_unit, "lag")), axis(""),
                      shapes=[vertical(when, "delay")]),
        caption=f"Chosen delay: {counted(chosen.delay, 'sample')}.",
        description="Mutual information and autocorrelation fall with the lag; the chosen delay "
        f"is {counted(chosen.delay, 'sample')}.",
    )  # fmt: skip


def dimension_choice_figure(chosen: Embedding) -> Figure:
    """Cao's quantities and the share of false neighbours against dimension."""
    traces = [
        line(chosen.dimensions, values, name, colour, mode="lines+markers")
        for values, name, colour in (
            (chosen.cao_e1, "Cao's E1", BLUE), (chosen.cao_e2, "Cao's E2", GREEN),
            (chosen.false_neighbours, "false neighbours", ORANGE),
        )
    ]  # fmt: skip
    return Figure(
        name="dimension-choice", title="Choice of the dimension", data=traces, size="small",
        layout=layout(axis("embedding dimension", dtick=1,
                           range=[0.7, float(chosen.dimensions[-1]) + 0.9]), axis("", rangemode="tozero"),
                      shapes=[vertical(chosen.dimension, "chosen")]),
        caption="E1 levels off, and false neighbours vanish, where the state is unfolded. E2 "
        "stays at 1 for noise.",
        description=f"The chosen embedding dimension is {chosen.dimension}.",
    )  # fmt: skip


def surrogate_figure(test: SurrogateTest, number: int) -> Figure:
    """The statistic's values on surrogates, with the data's."""
    bars = list(histogram(test.surrogates, test.observed, "surrogates", ""))
    shapes = (
        [vertical(test.observed, "data", ORANGE, "solid")] if np.isfinite(test.observed) else []
    )
    values = np.r_[test.surrogates[np.isfinite(test.surrogates)], test.observed]
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    pad = 0.08 * (high - low) or 0.05 * max(abs(high), 1e-6)
    p_text = number_text(test.p_value)
    return Figure(
        name=f"surrogate-{number}", title=f"Surrogate test: {test.statistic}", data=bars,
        layout=layout(axis(test.statistic, range=[low - pad, high + 2 * pad]),
                      axis("surrogates"), shapes=shapes, showlegend=False, bargap=0),
        caption=f"Null hypothesis: {test.null_text}. p = {p_text} "
        f"({len(test.surrogates)} surrogates, alternative: {test.alternative}).",
        description=f"Histogram of {test.statistic} on {len(test.surrogates)} surrogates; the "
        f"data's value is {number_text(test.observed)}, p = {p_text}.", size="small",
    )  # fmt: skip


def divergence_figure(found: LargestLyapunov) -> Figure:
    """Growth of the distance of neighbours, with the slope of the estimated exponent."""
    traces = [
        line(found.lags, curve, f"setting {i + 1}", (BLUE, GREEN, GREY, RED)[i])
        for i, curve in enumerate(found.divergence[:4])
    ]
    value, (low, high) = found.exponent.value, found.exponent.interval
    curve = found.divergence[-1] if len(found.divergence) else np.empty(0)
    good = np.isfinite(curve)
    if np.isfinite(value) and good.sum() > 3:
        start, end = _rise(curve)
        x, origin = found.lags[start : end + 1], found.lags[start]
        spread = [curve[start] + rate * (x - origin) for rate in (value, low, high)]
        traces += band(x, spread[1], spread[2], ORANGE, "interval of the exponent")
        traces.append(line(x, spread[0], "slope of the exponent", ORANGE,
                           line={"color": ORANGE, "width": 2, "dash": "dash"}))  # fmt: skip
    return Figure(
        name="divergence", title="Divergence of neighbouring states", data=traces,
        layout=layout(axis(time_label(found.time_unit, "time since the neighbours were found")),
                      axis("mean log distance (SD)")),
        caption="A straight rise is exponential growth. The exponent is estimated from local "
        "tangent maps"
        + ("; its slope is laid over the rise as a check." if found.exponent.is_finite
           else "; none is stated for these data."),
        description="Mean logarithmic distance of neighbours against time; the estimated largest "
        f"Lyapunov exponent is {found.exponent}.",
    )  # fmt: skip


def _rise(curve: np.ndarray) -> tuple[int, int]:
    """First and last index of the part of the curve that rises before it saturates."""
    top, bottom = np.nanmax(curve), curve[0]
    reached = np.flatnonzero(curve >= bottom + 0.85 * (top - bottom))
    begun = np.flatnonzero(curve >= bottom + 0.3 * (top - bottom))
    start = int(begun[0]) if begun.size else 0
    end = int(reached[0]) if reached.size else len(curve) - 1
    return (start, end) if end >= start + 3 else (0, min(len(curve) - 1, max(end, 3)))


def correlation_figures(found: CorrelationDimension) -> list[Figure]:
    """Correlation sums, and their local slopes with the scaling region."""
    # A rounded record has equal states: below its resolution the sums are flat, and say nothing.
    first = found.correlation_sums[0]
    rises = np.flatnonzero(first > 1.001 * first[0])
    start = max(int(rises[0]) - 2, 0) if rises.size else 0
    seen = found.radii[start:]
    sums, slopes = [], []
    for i, m in enumerate(found.embedding_dimensions.tolist()):
        colour = COLOURS[i % len(COLOURS)]
        with np.errstate(all="ignore"):
            share = np.where(found.correlation_sums[i] > 0, found.correlation_sums[i], np.nan)
        sums.append(line(seen, share[start:], f"dimension {m}", colour))
        slopes.append(line(seen, found.local_slopes[i, start:], f"dimension {m}", colour))
    low, high = found.scaling
    region = [] if not np.isfinite([low, high]).all() else [_shade(low, high) | {"fillcolor": GREY}]
    level = [horizontal(found.dimension.value, ORANGE)] if found.dimension.is_finite else []
    said = f"Estimate: {found.dimension}." if found.dimension.is_finite else (
        "No plateau common to the embedding dimensions was found, so no dimension is stated."
    )  # fmt: skip
    radius = "radius (standard deviations)"
    wide: dict[str, Any] = {"dtick": 1} if seen[-1] > 50 * seen[0] else {}
    top = float(np.nanmax(np.where(np.isfinite(found.local_slopes), found.local_slopes, 0)))
    figures = [
        Figure(
            name="correlation-sum", title="Correlation integral", data=sums, size="small",
            layout=layout(axis(radius, log=True, **wide), axis("share of pairs", log=True, dtick=1), shapes=region),
            caption="Share of pairs of states closer than the radius. "
            + ("The scaling region is shaded." if found.dimension.is_finite
               else "The window nearest to scaling is shaded." if region else ""),
            description="Correlation sums against radius on logarithmic axes. " + said,
        ),
        Figure(
            name="local-slopes", title="Local slopes", data=slopes, size="small",
            layout=layout(axis(radius, log=True, **wide),
                          axis("slope", range=[0, min(max(top, 1.0), 12.0) * 1.05]),
                          shapes=region + level),
            caption="A plateau shared by several embedding dimensions is a dimension. " + said,
            description="Local slopes of the correlation integral. " + said,
        ),
    ]  # fmt: skip
    return figures if np.isfinite(found.local_slopes).any() else figures[:1]


def spectrum_figure(found: Spectrum) -> Figure:
    """Power against frequency with the background and the significant periods."""
    keep = (found.frequency > 0) & (found.power > 0)
    x = found.frequency[keep]
    x1, power = thinned(x, np.log10(found.power[keep]), 1800)
    x2, background = thinned(x, np.log10(np.maximum(found.background[keep], 1e-300)), 300)
    traces = [
        line(x1, 10.0**power, "power", BLUE, line={"color": BLUE, "width": 1.1}),
        line(x2, 10.0**background, "red-noise background", GREY),
    ]
    unit = "step" if found.time_unit in ("1", "steps") else found.time_unit
    marks = np.array([1 / p.value for p in found.periods])
    if marks.size:
        heights = np.interp(marks, found.frequency, found.power)
        text = [plotly_text(f"{number_text(p.value)} {unit}") for p in found.periods]
        traces.append(dots(marks, heights, "significant periods", ORANGE, text=text,
                           hovertemplate="period %{text}<extra></extra>",
                           marker={"color": ORANGE, "size": 8, "symbol": "diamond"}))  # fmt: skip
    floor = float(np.log10(np.quantile(found.power[keep], 0.002))) if keep.any() else -3.0
    top = float(np.log10(found.power[keep].max())) if keep.any() else 1.0
    said = (
        f"{counted(len(marks), 'significant period')}."
        if len(marks)
        else "No period is significant."
    )
    return Figure(
        name="spectrum", title="Power spectrum", data=traces,
        layout=layout(axis(f"frequency (cycles per {unit})", log=True, dtick=1),
                      axis("power density (variance)", log=True, dtick=1, range=[floor - 0.5, top + 0.5])),
        caption="Multitaper estimate. Peaks are judged against red noise, corrected for the "
        f"number of frequencies looked at. {said}",
        description=f"Power spectrum on logarithmic axes. {said}",
    )  # fmt: skip


def motion_figures(recording: Recording, motion: Motion) -> dict[str, list[Figure]]:
    """Figures by the section of the page in which they appear."""
    found: dict[str, list[Figure]] = {"space": [], "tests": [], "numbers": []}
    if motion.embedding is not None:
        found["space"] += [
            portrait_figure(recording, motion.embedding), delay_figure(motion.embedding),
            dimension_choice_figure(motion.embedding),
        ]  # fmt: skip
    found["tests"] += [
        surrogate_figure(test, i)
        for i, test in enumerate(motion.surrogates, start=1)
        if np.isfinite(test.surrogates).any()
    ]
    if motion.spectrum is not None:
        found["numbers"].append(spectrum_figure(motion.spectrum))
    if motion.exponent is not None and np.isfinite(motion.exponent.divergence).any():
        found["numbers"].append(divergence_figure(motion.exponent))
    if motion.dimension is not None and np.isfinite(motion.dimension.correlation_sums).any():
        found["numbers"] += correlation_figures(motion.dimension)
    return found
