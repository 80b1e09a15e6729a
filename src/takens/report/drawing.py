"""Interactive figures as plain dictionaries in Plotly's format, thinned for the page.

Building the dictionaries directly costs nothing; importing Plotly's own figure classes costs a
second.
"""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from takens.report.markup import visible

MAX_POINTS = 2400  # per line: more than a screen is wide, and the page stays light
BLUE, ORANGE, GREEN, PURPLE, GREY, RED = (
    "#3b82c4", "#dd6b20", "#2f9e73", "#9b62c8", "#8b929b", "#c94f45",
)  # fmt: skip
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#b7892b", "#2ba3b8", RED, GREY)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Figure:
    """One figure of the page.

    Parameters
    ----------
    name : str
        Identifier on the page, in kebab case.
    title, caption : str
        Shown around the figure; plain text.
    description : str
        What a reader who cannot see it should know.
    data, layout : list of dict, dict
        Traces and layout in Plotly's format.
    flat : Figure, optional
        Shown instead where the browser cannot draw in three dimensions.
    size : str
        ``""``, ``"tall"`` or ``"small"``.
    """

    name: str
    title: str
    caption: str
    description: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    flat: Figure | None = None
    size: str = ""

    def to_dict(self) -> dict[str, Any]:
        """What the page's script needs to draw it."""
        content: dict[str, Any] = {"id": f"plot-{self.name}", "data": self.data}
        content["layout"] = self.layout
        if self.flat is not None:
            content["flat"] = {"data": self.flat.data, "layout": self.flat.layout}
        return content


def plotly_text(text: Any) -> str:
    """`text` as Plotly shows it literally; Plotly reads a little HTML in every string."""
    return html.escape(visible(str(text)).replace("\n", " "), quote=False)


def rounded(values: Any, digits: int = 6) -> list[float | None]:
    """Values with `digits` significant digits; None where not finite, which leaves a gap."""
    return [
        float(f"{v:.{digits}g}") if math.isfinite(v) else None
        for v in np.asarray(values, dtype=float).ravel().tolist()
    ]


def thinned(x: np.ndarray, y: np.ndarray, n: int = MAX_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most about `n` points of a curve: the lowest and highest of each bin, in order.

    Extremes and gaps survive, which every second point would not promise.

    Parameters
    ----------
    x, y : array, shape (points,)
        `x` increases; NaN in `y` marks a gap.
    n : int
        Most points to keep.

    Examples
    --------
    >>> x, y = thinned(np.arange(10_000), np.r_[np.zeros(9_999), 5.0], 100)
    >>> len(x) <= 100, float(y.max())
    (True, 5.0)
    """
    if len(x) <= n:
        return x, y
    n_bins = max(1, n // 3)
    edges = np.linspace(0, len(x), n_bins + 1).astype(int)
    finite = np.isfinite(y)
    low = np.minimum.reduceat(np.where(finite, y, np.inf), edges[:-1])
    high = np.maximum.reduceat(np.where(finite, y, -np.inf), edges[:-1])
    bins = np.repeat(np.arange(n_bins), np.diff(edges))
    keep = np.zeros(len(x), dtype=bool)
    for extreme in (low, high):
        rows = np.flatnonzero(finite & (y == extreme[bins]))
        keep[rows[np.unique(bins[rows], return_index=True)[1]]] = True
    holes = np.flatnonzero(~finite)
    if holes.size:
        keep[holes[np.unique(bins[holes], return_index=True)[1]]] = True
    keep[[0, -1]] = True
    return x[keep], y[keep]


def axis(title: str = "", *, log: bool = False, **settings: Any) -> dict[str, Any]:
    """An axis with a plain-text title."""
    content: dict[str, Any] = {
        "title": {"text": plotly_text(title), "standoff": 8}, "zeroline": False,
        "automargin": True, "ticks": "outside", "ticklen": 4,
    }  # fmt: skip
    if log:
        content |= {"type": "log", "exponentformat": "power"}
    return content | settings


def layout(xaxis: dict[str, Any], yaxis: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A layout with one pair of axes and the legend above the plot."""
    return {
        "xaxis": xaxis, "yaxis": yaxis, "margin": {"l": 8, "r": 12, "t": 34, "b": 8},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest", "hoverlabel": {"namelength": -1},
    } | settings  # fmt: skip


def line(x: Any, y: Any, name: str, colour: str = BLUE, **settings: Any) -> dict[str, Any]:
    """A line; gaps stay gaps."""
    trace: dict[str, Any] = {
        "type": "scatter", "mode": "lines", "x": rounded(x, 8), "y": rounded(y),
        "name": plotly_text(name), "line": {"color": colour, "width": 1.6},
    }  # fmt: skip
    return trace | settings


def dots(x: Any, y: Any, name: str, colour: str = BLUE, **settings: Any) -> dict[str, Any]:
    """Points without a line."""
    trace: dict[str, Any] = {
        "type": "scatter", "mode": "markers", "x": rounded(x, 8), "y": rounded(y),
        "name": plotly_text(name), "marker": {"color": colour, "size": 5},
    }  # fmt: skip
    return trace | settings


def band(
    x: Any, low: Any, high: Any, colour: str = BLUE, name: str = "", **settings: Any
) -> list[dict[str, Any]]:
    """A shaded region between two curves; the ends that are not finite are left out."""
    x, low, high = (np.asarray(v, dtype=float) for v in (x, low, high))
    good = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    if not good.any():
        return []
    x, low, high = x[good], low[good], high[good]
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    trace = {
        "type": "scatter", "mode": "lines", "fill": "toself", "hoverinfo": "skip",
        "x": rounded(np.r_[x, x[::-1]], 8), "y": rounded(np.r_[high, low[::-1]]),
        "line": {"width": 0}, "fillcolor": f"rgba({r},{g},{b},0.18)",
        "name": plotly_text(name), "showlegend": bool(name),
    }  # fmt: skip
    return [trace | settings]


def vertical(x: float, label: str = "", colour: str = GREY, dash: str = "dash") -> dict[str, Any]:
    """A vertical rule over the whole height, for ``layout["shapes"]``."""
    shape: dict[str, Any] = {
        "type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1,
        "line": {"color": colour, "width": 1.5, "dash": dash},
    }  # fmt: skip
    if label:
        shape["label"] = {"text": plotly_text(label), "textposition": "end", "textangle": 0,
                          "xanchor": "left", "yanchor": "top", "font": {"size": 11}}  # fmt: skip
    return shape


def horizontal(y: float, colour: str = GREY, dash: str = "dash") -> dict[str, Any]:
    """A horizontal rule over the whole width, for ``layout["shapes"]``."""
    return {
        "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": y, "y1": y,
        "line": {"color": colour, "width": 1.5, "dash": dash},
    }  # fmt: skip


def histogram(values: Any, marker: float, name: str, unit: str) -> Sequence[dict[str, Any]]:
    """Bars of a null distribution, binned here so that the page holds counts, not samples."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not values.size:
        return []
    n_bins = int(np.clip(np.sqrt(values.size) * 1.5, 5, 30))
    spread = float(np.ptp(values))
    if spread <= 1e-12 * max(1.0, float(np.abs(values).max())):
        centre = float(values[0])
        half = max(1e-9, abs(centre - marker) / 40 if math.isfinite(marker) else 1e-9)
        edges = np.array([centre - half, centre + half])
    else:
        edges = np.linspace(float(values.min()), float(values.max()), n_bins + 1)
    counts, edges = np.histogram(values, edges)
    return [
        {
            "type": "bar", "x": rounded((edges[1:] + edges[:-1]) / 2), "y": counts.tolist(),
            "width": rounded(np.diff(edges)), "name": plotly_text(name),
            "marker": {"color": GREY, "opacity": 0.65},
            "hovertemplate": "%{x:.4g}: %{y}<extra></extra>",
        }
    ]  # fmt: skip
