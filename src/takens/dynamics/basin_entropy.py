"""How unpredictable the end of a start is: entropy and uncertainty exponent of basins."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.dynamics.basins import BasinsOfAttraction
from takens.dynamics.door import fraction, half_width
from takens.dynamics.places import UNDECIDED

if TYPE_CHECKING:
    import xarray as xr

TILES = 4  # along each axis, for the jackknife


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BasinEntropy(AbstractResult):
    """Entropy of basins in small boxes.

    Parameters
    ----------
    entropy : Estimate
        Mean entropy of a box, in nats: how unpredictable the end of a start is.
    boundary_entropy : Estimate
        Mean over the boxes that hold more than one basin; NaN when there are none.
    boxes : array, shape (box, ...)
        Entropy of each box, laid out as the grid; NaN where a start was undecided.
    box_size : int
        Cells along each side of a box.
    """

    entropy: Estimate
    boundary_entropy: Estimate
    boxes: np.ndarray
    box_size: int

    @property
    def boundary_is_fractal(self) -> bool:
        """Whether the boundary entropy exceeds log 2 by its whole interval.

        That is sufficient for a fractal boundary when boxes are small, and not necessary: with
        two basins it cannot happen.
        """
        return bool(self.boundary_entropy.interval[0] > np.log(2))

    def summary(self) -> str:
        """Both entropies and the log 2 criterion."""
        if not self.boundary_entropy.is_finite:
            return f"Basin entropy {self.entropy}: no box holds more than one basin."
        verdict = (
            "above log 2 = 0.6931: the boundary is fractal"
            if self.boundary_is_fractal
            else "not above log 2 = 0.6931: the criterion says nothing about the boundary"
        )
        return f"Basin entropy {self.entropy}; on the boundary {self.boundary_entropy}, {verdict}."

    def plot(self, ax: Any = None) -> Any:
        """How many boundary boxes have which entropy, with log 2 marked."""
        from takens import plot

        ax, inside = plot.axes(ax), self.boxes[self.boxes > 0]
        plot.histogram_with_marker(ax, inside, float(np.log(2)), label="boundary boxes",
                                   marker_label="log 2", bins=20)  # fmt: skip
        return plot.labels(ax, "entropy of a box (nats)", "number of boxes")

    def to_xarray(self) -> xr.Dataset:
        """Entropy of each box."""
        import xarray as xr

        dims = tuple(f"box_{i}" for i in range(self.boxes.ndim))
        return xr.Dataset(
            {"entropy": (dims, self.boxes)},
            attrs={"basin_entropy": self.entropy.value,
                   "boundary_entropy": self.boundary_entropy.value, "box_size": self.box_size},
        )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class UncertaintyExponent(AbstractResult):
    r"""How the fraction of uncertain starts falls with the error of the start.

    Parameters
    ----------
    exponent : Estimate
        :math:`\alpha` in :math:`f(\varepsilon) \propto \varepsilon^\alpha`; 1 for a smooth
        boundary.
    boundary_dimension : Estimate
        Dimension of the grid less the exponent.
    distances : array, shape (distance,)
        Errors, in cells.
    fractions : array, shape (distance,)
        Fraction of starts whose label differs from that of a start so far away along an axis.
    """

    exponent: Estimate
    boundary_dimension: Estimate
    distances: np.ndarray
    fractions: np.ndarray

    def summary(self) -> str:
        """The exponent and what it costs to know the end twice as often."""
        if self.status is not Status.OK:
            return f"No uncertainty exponent: {self.status.value}"
        factor = 2 ** (1 / max(self.exponent.value, 1e-3))
        return (
            f"Uncertainty exponent {self.exponent}; boundary of dimension "
            f"{self.boundary_dimension}. To halve the uncertain starts, know the start "
            f"{factor:.3g} times better."
        )

    def plot(self, ax: Any = None) -> Any:
        """Uncertain fraction over the error, with the fitted power."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, self.distances, self.fractions, marker="o", ls="", label="uncertain starts")
        if self.exponent.is_finite:
            middle = np.exp(np.mean(np.log(self.fractions)))
            ratio = self.distances / np.exp(np.mean(np.log(self.distances)))
            plot.line(ax, self.distances, middle * ratio**self.exponent.value, color="0.5",
                      label=f"power {self.exponent.value:.3g}")  # fmt: skip
            ax.set_xscale("log")
            ax.set_yscale("log")
        return plot.labels(ax, "error of the start (cells)", "fraction")

    def to_xarray(self) -> xr.Dataset:
        """Fractions over distances."""
        import xarray as xr

        return xr.Dataset(
            {"fraction": ("distance", self.fractions)},
            {"distance": self.distances},
            attrs={"exponent": self.exponent.value, "status": self.status.name},
        )


def basin_entropy(data: Any, *, box_size: int = 5, level: float = 0.9) -> BasinEntropy:
    r"""Basin entropy and boundary basin entropy of labels on a grid.

    The grid is cut into boxes; a box in which a fraction :math:`p_j` of the starts goes to
    attractor j has entropy :math:`-\sum_j p_j \log p_j`. Their mean over all boxes is the basin
    entropy, that over boxes with more than one label the boundary entropy. Diverging starts are a
    basin like another; boxes with undecided starts are left out.

    Parameters
    ----------
    data : BasinsOfAttraction or array of int
        Labels on a grid of any dimension.
    box_size : int
        Cells along each side of a box, 2 or more; cells that fill no box are left out.
    level : float
        Coverage of the intervals.

    Returns
    -------
    BasinEntropy

    Raises
    ------
    InvalidInput
        If there are no labels, or the grid holds no two boxes.

    Notes
    -----
    Cost: a pass over the grid for each label. Intervals take boxes as independent, which
    neighbours are not quite. *What this does not establish*: a coarse box may meet several smooth
    boundaries and pass log 2; look whether the answer stays when the grid becomes finer.

    References
    ----------
    Daza, Wagemakers, Georgeot, Guéry-Odelin and Sanjuán, Scientific Reports 6, 31416 (2016),
    eq. 2-5.

    Examples
    --------
    >>> halves = np.repeat([[0], [1]], 10, axis=0) * np.ones(20, dtype=int)
    >>> basin_entropy(halves, box_size=4).entropy.value  # the middle row of boxes is shared
    0.1386
    """
    labels = _labels(data)
    fraction(level=level)
    whole = isinstance(box_size, (int, np.integer)) and box_size >= 2
    if not whole or np.prod([n // box_size for n in labels.shape]) < 2:
        raise InvalidInput(
            f"box_size = {box_size!r} on a grid of shape {labels.shape}; expected a whole number "
            "from 2 on that leaves two boxes or more."
        )
    boxes = _boxed(labels, int(box_size))
    total = np.zeros(boxes.shape[:-1])
    for label in np.unique(labels):
        p = np.mean(boxes == label, axis=-1)
        total -= p * np.log(np.where(p > 0, p, 1.0))
    open_ = (boxes == UNDECIDED).any(axis=-1)
    total[open_] = np.nan
    kept = total[~open_]
    cautions = () if not open_.any() else (Finding(
        code="boxes-undecided",
        text=f"{open_.mean():.2%} of the boxes hold undecided starts and were left out.",
        action="Follow the starts for longer.",
    ),)  # fmt: skip
    return BasinEntropy(
        entropy=_mean(kept, level, "all boxes"),
        boundary_entropy=_mean(kept[kept > 0], level, "boundary boxes"),
        boxes=total,
        box_size=int(box_size),
        cautions=cautions,
        provenance={"box_size": int(box_size), "shape": list(labels.shape)},
    )


def uncertainty_exponent(
    data: Any, *, level: float = 0.9, throw: bool = True
) -> UncertaintyExponent:
    r"""Uncertainty exponent of labels on a grid, and with it the dimension of the boundary.

    A start is uncertain at :math:`\varepsilon` if one so far away along an axis, forwards or
    backwards, has another label. The exponent is the slope of the log of their fraction over the
    log of :math:`\varepsilon` = 1, 2, 4, ... cells, up to a sixteenth of the shortest axis.

    Parameters
    ----------
    data : BasinsOfAttraction or array of int
        Labels on an evenly spaced grid of 64 cells or more along every axis.
    level : float
        Coverage of the intervals.
    throw : bool
        Whether to raise when no start is uncertain at the smallest error.

    Returns
    -------
    UncertaintyExponent
        With status NO_SCALING and NaN where there is no boundary.

    Raises
    ------
    InvalidInput
        If there are no labels, or an axis has fewer than 64 cells.
    NumericalFailure
        If there is no boundary, and `throw`.

    Notes
    -----
    Cost: a few passes over the grid. The interval is a jackknife over four tiles along each axis,
    which tells how much the boundary differs from place to place. *What this does not
    establish*: scaling below one cell.

    References
    ----------
    McDonald, Grebogi, Ott and Yorke, Physica D 17, 125 (1985), section 2.

    Examples
    --------
    >>> halves = np.repeat([[0], [1]], 64, axis=0) * np.ones(128, dtype=int)
    >>> uncertainty_exponent(halves).exponent.value
    1.0
    """
    labels = _labels(data)
    fraction(level=level)
    if min(labels.shape) < 64:
        raise InvalidInput(
            f"The grid has shape {labels.shape}; distances over a decade need 64 cells or more "
            "along every axis. Make it finer."
        )
    margin = 2 ** int(np.log2(min(labels.shape) // 16))
    distances = 2 ** np.arange(int(np.log2(margin)) + 1)
    counts, sizes = _uncertain_by_tile(labels, distances, margin)
    fractions = counts.sum(axis=1) / sizes.sum()
    status = Status.OK if (fractions > 0).all() else Status.NO_SCALING
    require(status, throw=throw)
    slope = _slope(distances, fractions)
    left = [
        _slope(distances, (counts.sum(axis=1) - counts[:, i]) / (sizes.sum() - sizes[i]))
        for i in range(len(sizes))
    ]
    known = np.array(left)[np.isfinite(left)]
    error = ((len(known) - 1) * np.var(known)) ** 0.5 if len(known) == len(left) else np.nan
    reach = half_width(error, len(left), level)

    def estimate(value: float) -> Estimate:
        return Estimate(
            value=value, interval=(value - reach, value + reach), standard_error=float(error),
            level=level, method=f"jackknife over {len(left)} tiles of the grid",
        )  # fmt: skip

    return UncertaintyExponent(
        exponent=estimate(slope),
        boundary_dimension=estimate(labels.ndim - slope),
        distances=distances,
        fractions=fractions,
        status=status,
        provenance={"shape": list(labels.shape)},
    )


def _labels(data: Any) -> np.ndarray:
    labels = data.labels if isinstance(data, BasinsOfAttraction) else np.asarray(data)
    if labels.ndim == 0 or labels.size == 0 or labels.dtype.kind not in "iu":
        raise InvalidInput(
            f"{type(data).__name__} was given; expected basins of attraction, or an array of whole "
            "numbers that label the cells of a grid."
        )
    return labels


def _boxed(labels: np.ndarray, size: int) -> np.ndarray:
    """Labels by box, shape (box, ..., cell)."""
    whole = [n // size for n in labels.shape]
    cut = labels[tuple(slice(n * size) for n in whole)]
    split = cut.reshape([part for n in whole for part in (n, size)])
    order = [*range(0, 2 * labels.ndim, 2), *range(1, 2 * labels.ndim, 2)]
    return split.transpose(order).reshape(*whole, -1)


def _mean(values: np.ndarray, level: float, what: str) -> Estimate:
    if not len(values):
        return Estimate(value=np.nan, level=level)
    error = float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else np.nan
    reach = half_width(error, len(values), level)
    value = float(np.mean(values))
    return Estimate(
        value=value, interval=(value - reach, value + reach), standard_error=error, level=level,
        unit="nat", method=f"t interval over {len(values)} boxes: {what}",
    )  # fmt: skip


def _uncertain_by_tile(
    labels: np.ndarray, distances: np.ndarray, margin: int
) -> tuple[np.ndarray, np.ndarray]:
    """Uncertain starts (distance, tile) and all starts (tile,), away from the rim."""
    inner = tuple(slice(margin, n - margin) for n in labels.shape)
    centre = labels[inner]
    tile = np.zeros(centre.shape, dtype=int)
    for axis, n in enumerate(centre.shape):
        shape = [1] * centre.ndim
        shape[axis] = n
        tile = tile * TILES + (np.arange(n) * TILES // n).reshape(shape)
    sizes = np.bincount(tile.ravel(), minlength=TILES**centre.ndim)
    counts = []
    for distance in distances:
        other = np.zeros(centre.shape, dtype=bool)
        for axis in range(centre.ndim):
            for shift in (-int(distance), int(distance)):
                moved = list(inner)
                moved[axis] = slice(margin + shift, labels.shape[axis] - margin + shift)
                other |= labels[tuple(moved)] != centre
        counts.append(np.bincount(tile.ravel(), other.ravel(), minlength=len(sizes)))
    return np.array(counts), sizes


def _slope(distances: np.ndarray, fractions: np.ndarray) -> float:
    if not (fractions > 0).all():
        return float("nan")
    return float(np.polyfit(np.log(distances), np.log(fractions), 1)[0])
