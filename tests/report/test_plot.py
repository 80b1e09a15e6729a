"""Drawing primitives: no pyplot state, gaps and missing values, names taken literally."""

import subprocess
import sys

import numpy as np
import pytest

from takens import plot
from takens.core import Estimate, InvalidInput


def test_drawing_does_not_touch_pyplot() -> None:
    code = "import sys; from takens import plot; plot.axes(); assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_room_does_not_import_matplotlib() -> None:
    code = "import sys, takens.plot; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_something_else_than_axes_is_refused() -> None:
    with pytest.raises(InvalidInput, match="expected Matplotlib axes"):
        plot.axes("figure.png")


def test_a_band_has_the_colour_of_its_line() -> None:
    ax = plot.line_with_band(plot.axes(), [0, 1], [1, 2], [0, np.nan], [2, 3], "a", color="#123456")
    assert ax.lines[0].get_color() == "#123456"
    assert len(ax.collections) == 1


def test_a_null_without_values_and_a_missing_marker_draw_nothing() -> None:
    ax = plot.histogram_with_marker(plot.axes(), [np.nan], float("nan"))
    assert len(ax.lines) == 0
    assert len(ax.patches) == 0


def test_an_estimate_without_an_interval_keeps_its_row() -> None:
    rows = [Estimate(value=1.0, interval=(0.5, 2.0)), Estimate(value=float("nan"))]
    ax = plot.errorbars(plot.axes(), ["$x", "y"], rows)
    assert [t.get_text() for t in ax.get_yticklabels()] == [r"\$x", "y"]
    ax.figure.draw_without_rendering()


def test_names_with_dollars_are_not_mathematics() -> None:
    ax = plot.labels(plot.axes(), "$price$ {", "y", "a_b $")
    ax.figure.draw_without_rendering()
    assert ax.get_title() == r"a_b \$"
