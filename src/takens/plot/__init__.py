"""Drawing primitives on Matplotlib axes; a result draws itself with them.

Matplotlib itself is imported when something is drawn.
"""

from takens.plot.categories import categories as categories
from takens.plot.categories import category_colour as category_colour
from takens.plot.primitives import COLOURS as COLOURS
from takens.plot.primitives import axes as axes
from takens.plot.primitives import errorbars as errorbars
from takens.plot.primitives import heat as heat
from takens.plot.primitives import histogram_with_marker as histogram_with_marker
from takens.plot.primitives import labels as labels
from takens.plot.primitives import line as line
from takens.plot.primitives import line_with_band as line_with_band
from takens.plot.primitives import points as points
from takens.plot.primitives import quantity as quantity
