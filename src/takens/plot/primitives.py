"""Small drawing primitives on Matplotlib axes. Nothing here shows, saves or keeps a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Estimate, InvalidInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart with every common kind of colour vision, and in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5A5A5A")


def axes(ax: Axes | None = None, *, projection: str | None = None) -> Axes:
    """The axes to draw on: `ax` itself, or new ones on a figure of their own.

    New figures are made without pyplot, so no window opens, no global state changes and the figure
    is freed with its last reference. ``ax.figure.savefig(path)`` writes it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Returned as it is when given.
    projection : str, optional
        Projection of new axes, such as ``"3d"``; ignored when `ax` is given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInput
        If `ax` is not Matplotlib axes.

    Examples
    --------
    >>> from takens import plot
    >>> ax = plot.axes()
    >>> plot.axes(ax) is ax
    True
    """
    from matplotlib.axes import Axes

    if ax is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        new: Axes = figure.subplots(subplot_kw={"projection": projection})
        return new
    if not isinstance(ax, Axes):
        raise InvalidInput(
            f"ax is a {type(ax).__name__}; expected Matplotlib axes. "
            "Leave it out to have new ones made."
        )
    return ax


def line(ax: Axes, x: Any, y: Any, *, label: str = "", **style: Any) -> Axes:
    """A line; NaN in `y` leaves a gap.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : array, shape (n,)
        In the units of the axes.
    label : str
        Entry in the legend; none when empty.
    **style
        Passed to ``Axes.plot``.

    Examples
    --------
    >>> from takens import plot
    >>> ax = plot.line(plot.axes(), [0, 1, 2], [1.0, 0.5, 0.2])
    """
    ax.plot(np.asarray(x), np.asarray(y), label=label or None, **{"linewidth": 1.2, **style})
    return ax


def line_with_band(
    ax: Axes, x: Any, y: Any, low: Any, high: Any, label: str = "", **style: Any
) -> Axes:
    """A line inside the band from `low` to `high`, in one colour.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y, low, high : array, shape (n,)
        In the units of the axes; NaN leaves a gap.
    label : str
        Entry in the legend; none when empty.
    **style
        Passed to ``Axes.plot``.

    Examples
    --------
    >>> from takens import plot
    >>> ax = plot.line_with_band(plot.axes(), [0, 1], [1, 2], [0.5, 1.5], [1.5, 2.5], "skill")
    """
    x, low, high = np.asarray(x), np.asarray(low, float), np.asarray(high, float)
    (drawn,) = ax.plot(x, np.asarray(y), label=label or None, **{"linewidth": 1.5, **style})
    ax.fill_between(x, low, high, color=drawn.get_color(), alpha=0.2, linewidth=0)
    return ax


def histogram_with_marker(
    ax: Axes, values: Any, marker: float, *, label: str = "", marker_label: str = "", **style: Any
) -> Axes:
    """A histogram of a null distribution, and a vertical line at what was observed.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    values : array, shape (n,)
        The distribution; values that are not finite are left out.
    marker : float
        The observed value, same unit; no line when not finite.
    label, marker_label : str
        Entries in the legend.
    **style
        Passed to ``Axes.hist``.

    Examples
    --------
    >>> from takens import plot
    >>> ax = plot.histogram_with_marker(plot.axes(), [0.1, 0.2, 0.2, 0.4], 0.9)
    """
    values = np.asarray(values, dtype=float).ravel()
    values = values[np.isfinite(values)]
    settings = {"bins": "auto", "color": COLOURS[6], "alpha": 0.55, **style}
    if values.size:
        ax.hist(values, label=label or None, **settings)
    if np.isfinite(marker):
        ax.axvline(float(marker), color=COLOURS[1], linewidth=2, label=marker_label or None)
    return ax


def errorbars(ax: Axes, names: Sequence[str], estimates: Sequence[Estimate], **style: Any) -> Axes:
    """Estimates with their intervals, one row each, the first at the top.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    names : sequence of str
        One label per estimate.
    estimates : sequence of Estimate
        All in one unit; an estimate without a value leaves its row empty.
    **style
        Passed to ``Axes.errorbar``.

    Raises
    ------
    InvalidInput
        If the numbers of names and estimates differ.

    Examples
    --------
    >>> from takens import Estimate, plot
    >>> ax = plot.errorbars(plot.axes(), ["a"], [Estimate(value=1.0, interval=(0.8, 1.3))])
    """
    if len(names) != len(estimates):
        raise InvalidInput(
            f"{len(names)} names were given for {len(estimates)} estimates. Give one per estimate."
        )
    values = np.array([estimate.value for estimate in estimates], dtype=float)
    ends = np.array([estimate.interval for estimate in estimates], dtype=float).reshape(-1, 2)
    reach = np.clip(np.stack([values - ends[:, 0], ends[:, 1] - values]), 0, None)
    rows = np.arange(len(names))
    settings = {"fmt": "o", "capsize": 3, "color": COLOURS[0], **style}
    ax.errorbar(values, rows, xerr=reach, **settings)
    ax.set_yticks(rows, labels=[str(name).replace("$", r"\$") for name in names])
    ax.invert_yaxis()
    return ax


def points(ax: Axes, x: Any, y: Any, *, bins: tuple[int, int] = (900, 600)) -> Axes:
    """Many points; more than 20,000 are drawn as an image of how many fall where, which is fast.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : array, shape (n,) or (n, ...)
        In the units of the axes; values that are not finite are left out.
    bins : (int, int)
        Pixels of the image across and upwards.

    Examples
    --------
    >>> from takens import plot
    >>> ax = plot.points(plot.axes(), [0, 1, 2], [1.0, 0.5, 0.2])
    """
    x, y = np.ravel(np.asarray(x, dtype=float)), np.ravel(np.asarray(y, dtype=float))
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = x[kept], y[kept]
    if x.size <= 20_000 or np.ptp(x) == 0 or np.ptp(y) == 0:
        ax.plot(x, y, ".", ms=2, color=COLOURS[0], alpha=0.6, rasterized=True)
        return ax
    columns = np.unique(x)
    # One column for each value where there are fewer values than pixels: no stripes.
    number, half = columns.size, 0.5 * np.ptp(x) / max(columns.size - 1, 1)
    across = number if number <= bins[0] else bins[0]
    ends = (x.min() - half, x.max() + half) if number <= bins[0] else (x.min(), x.max())
    table, at_x, at_y = np.histogram2d(
        x, y, bins=(across, bins[1]), range=(ends, (y.min(), y.max()))
    )
    shade = np.ma.masked_equal(np.log1p(table.T), 0)
    ax.imshow(shade, origin="lower", aspect="auto", cmap="Blues", vmin=-0.8 * shade.max(),
              extent=(at_x[0], at_x[-1], at_y[0], at_y[-1]), interpolation="nearest")  # fmt: skip
    return ax


def heat(
    ax: Axes, x: Any, y: Any, values: Any, *, label: str = "", diverging: bool = False, **style: Any
) -> Axes:
    """An image of values on a grid, with a colour bar; NaN stays white.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : array, shape (n + 1,) and (m + 1,), or (n,) and (m,)
        Edges, or centres, of the cells in the units of the axes.
    values : array, shape (m, n)
        Row i belongs to ``y[i]``.
    label : str
        Of the colour bar; no bar when empty.
    diverging : bool
        Whether zero is in the middle of the colours.
    **style
        Passed to ``Axes.pcolormesh``.

    Examples
    --------
    >>> from takens import plot
    >>> ax = plot.heat(plot.axes(), [0, 1, 2], [0, 1], [[0.5, 1.0]], label="density")
    """
    shown = np.ma.masked_invalid(np.asarray(values, dtype=float))
    settings: dict[str, Any] = {"cmap": "viridis", "rasterized": True}
    if diverging and shown.count():
        reach = float(np.abs(shown).max()) or 1.0
        settings |= {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach}
    image = ax.pcolormesh(np.asarray(x), np.asarray(y), shown, **(settings | style))
    if label:
        ax.figure.colorbar(image, ax=ax, label=label)
    return ax


def labels(ax: Axes, xlabel: str = "", ylabel: str = "", title: str = "") -> Axes:
    """Label the axes, and show a legend when something has an entry in it.

    Dollar signs are drawn as they are: names from a file are not mathematics.

    Examples
    --------
    >>> from takens import plot
    >>> plot.labels(plot.axes(), "time (a)", "sunspots").get_xlabel()
    'time (a)'
    """
    for text, setter in ((xlabel, ax.set_xlabel), (ylabel, ax.set_ylabel), (title, ax.set_title)):
        if text:
            setter(text.replace("$", r"\$"))
    if ax.get_legend() is None and ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize="small")
    return ax


def quantity(name: str, unit: str = "") -> str:
    """`name` with its unit in brackets, for an axis; a pure number has none.

    Examples
    --------
    >>> quantity("time", "a"), quantity("time", "1")
    ('time (a)', 'time')
    """
    return f"{name} ({unit})" if unit not in {"", "1"} else name
