"""Images of categories in colours that every common kind of colour vision tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.plot.primitives import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def category_colour(index: int) -> str:
    """The colour of a category: `COLOURS`, then paler rounds of them; grey tones below zero.

    Parameters
    ----------
    index : int
        From 0; -1 and -2 are what belongs to no category.

    Examples
    --------
    >>> category_colour(0), category_colour(-1)
    ('#0072B2', '#ffffff')
    """
    if index < 0:
        return "#ffffff" if index == -1 else "#d9d9d9"
    base, rounds = COLOURS[index % len(COLOURS)], index // len(COLOURS)
    white = 1 - 0.6 ** (rounds % 4)
    parts = [int(base[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(p + white * (255 - p)):02x}" for p in parts) if rounds else base


def categories(ax: Axes, x: Any, y: Any, table: Any, names: Sequence[str]) -> Axes:
    """An image of categories, told apart with every common kind of colour vision.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : array, shape (n,) and (m,)
        Increasing centres of the cells.
    table : array of int, shape (n, m)
        Category of each cell; -1 is drawn white, -2 pale grey.
    names : sequence of str
        Of the categories, for the legend; more than 10 get none.

    Examples
    --------
    >>> from takens import plot
    >>> ax = plot.categories(plot.axes(), [0, 1], [0, 1], [[0, 1], [1, -1]], ["left", "right"])
    """
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    x, y, table = np.asarray(x, float), np.asarray(y, float), np.asarray(table, dtype=int)
    palette = np.array([to_rgb(category_colour(i)) for i in range(-2, max(table.max(), 0) + 1)])
    image = np.moveaxis(palette[table + 2], 0, 1)
    steps = np.diff(x), np.diff(y)
    if all(np.ptp(step) <= 1e-6 * step.max() for step in steps):
        half = 0.5 * steps[0][0], 0.5 * steps[1][0]
        extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])
        ax.imshow(image, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
    else:
        ax.pcolormesh(x, y, image, shading="nearest", rasterized=True)
    shown = [(i, str(name)) for i, name in enumerate(names)] if len(names) <= 10 else []
    shown += [(-1, "diverged")] * bool((table == -1).any())
    shown += [(-2, "undecided")] * bool((table == -2).any())
    patches = [
        Patch(facecolor=category_colour(i), edgecolor="0.5", label=name.replace("$", r"\$"))
        for i, name in shown
    ]
    if patches:
        ax.legend(handles=patches, fontsize="x-small", loc="upper left", bbox_to_anchor=(1.0, 1.0),
                  frameon=False)  # fmt: skip
    return ax
