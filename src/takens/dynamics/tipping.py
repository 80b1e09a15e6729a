"""Where a start ends after a sudden change, from the basins before and after."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput
from takens.dynamics.attractors import wilson
from takens.dynamics.basin_stability import BasinStability
from takens.dynamics.basins import BasinsOfAttraction
from takens.dynamics.door import fraction
from takens.dynamics.places import UNDECIDED

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TippingProbabilities(AbstractResult):
    """Probability to go from each basin before a change to each basin after it.

    Parameters
    ----------
    before, after : tuple of int
        Labels of the rows and of the columns; -1 is divergence.
    probabilities : array, shape (before, after)
        Each row sums to one.
    intervals : array, shape (before, after, 2)
        Wilson's, at `level`.
    counts : array, shape (before, after)
        Starts behind each probability.
    level : float
        Nominal coverage of the intervals.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    probabilities: np.ndarray
    intervals: np.ndarray
    counts: np.ndarray
    level: float

    def probability(self, before: int, after: int) -> Estimate:
        """The probability to go from basin `before` to basin `after`; 0 where that is not met.

        Raises
        ------
        InvalidInput
            If no start was in basin `before`.
        """
        if before not in self.before:
            raise InvalidInput(f"No start was in basin {before}; there are {self.before}.")
        row = self.counts[self.before.index(before)]
        count = row[self.after.index(after)] if after in self.after else 0
        return wilson(int(count), int(row.sum()), self.level, METHOD)

    def summary(self) -> str:
        """The likeliest end of each basin."""
        parts = []
        for i, label in enumerate(self.before[:8]):
            j = int(self.probabilities[i].argmax())
            parts.append(f"{label} -> {self.after[j]}: {self.probability(label, self.after[j])}")
        return f"Likeliest end from each of {len(self.before)} basins. " + "; ".join(parts) + "."

    def plot(self, ax: Any = None) -> Any:
        """For each basin before, a bar divided by where its starts end."""
        from takens import plot

        ax, rows = plot.axes(ax), np.arange(len(self.before))
        left = np.zeros(len(rows))
        for j, label in enumerate(self.after):
            share = self.probabilities[:, j]
            name = "diverged" if label == -1 else f"to {label}"
            ax.barh(rows, share, left=left, color=plot.category_colour(label), edgecolor="0.5",
                    label=name)  # fmt: skip
            left = left + share
        ax.set_yticks(rows, [f"from {label}" for label in self.before])
        ax.invert_yaxis()
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
        return plot.labels(ax, "probability")

    def to_xarray(self) -> xr.Dataset:
        """Probabilities, intervals and counts by label."""
        import xarray as xr

        dims = ("before", "after")
        return xr.Dataset(
            {
                "probability": (dims, self.probabilities),
                "interval": ((*dims, "end"), self.intervals),
                "count": (dims, self.counts),
            },
            {"before": list(self.before), "after": list(self.after), "end": ["low", "high"]},
        )


METHOD = "Wilson interval, the starts taken as independent draws"


def tipping_probabilities(data: Any, after: Any, *, level: float = 0.9) -> TippingProbabilities:
    r"""Probability that a start in one basin before a change ends in another after it.

    With :math:`B_i` the basins before and :math:`B'_j` those after a sudden change of the system,
    :math:`P_{ij} = |B_i \cap B'_j| / |B_i|`, over the same starts. Undecided starts are left out.

    Parameters
    ----------
    data, after : BasinsOfAttraction, BasinStability or array of int
        Labels before and after, of the same starts in the same order: on one grid, or drawn from
        one box with one seed.
    level : float
        Coverage of the intervals.

    Returns
    -------
    TippingProbabilities

    Raises
    ------
    InvalidInput
        If the starts differ, or none is decided before and after.

    Notes
    -----
    Cost: one pass over the labels. On a grid the intervals are those of as many independent draws.
    *What this does not establish*: what a slow change does, for which the state follows its
    attractor; and a start is taken as equally likely everywhere in its basin, not as lying on the
    attractor. Labels before and after need not name the same attractors, see `follow_attractors`.

    References
    ----------
    Kaszás, Feudel and Tél, Scientific Reports 9, 8654 (2019).

    Examples
    --------
    >>> found = tipping_probabilities(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 1, 1, 1, 1]))
    >>> found.probabilities
    array([[0.25, 0.75],
           [0.  , 1.  ]])
    """
    fraction(level=level)
    first, second = _labels(data, "data"), _labels(after, "after")
    alike = first.shape == second.shape and _components(data) == _components(after)
    if not (alike and np.array_equal(_starts(data), _starts(after))):
        raise InvalidInput(
            f"The labels before, of shape {first.shape}, and after, of shape {second.shape}, are "
            "not of the same starts. Use one grid, or one box, number of samples and seed."
        )
    decided = (first >= -1) & (second >= -1)
    if not decided.any():
        raise InvalidInput("No start is decided both before and after. Follow them for longer.")
    rows, i = np.unique(first[decided], return_inverse=True)
    columns, j = np.unique(second[decided], return_inverse=True)
    counts = np.zeros((len(rows), len(columns)), dtype=int)
    np.add.at(counts, (i.ravel(), j.ravel()), 1)
    estimates = [[wilson(int(c), int(row.sum()), level, METHOD) for c in row] for row in counts]
    return TippingProbabilities(
        before=tuple(rows.tolist()),
        after=tuple(columns.tolist()),
        probabilities=np.array([[e.value for e in row] for row in estimates]),
        intervals=np.array([[e.interval for e in row] for row in estimates]),
        counts=counts,
        level=level,
        provenance={"starts": int(first.size), "undecided": int(np.sum(~decided))},
    )


def _labels(data: Any, what: str) -> np.ndarray:
    known = isinstance(data, (BasinsOfAttraction, BasinStability))
    labels = np.asarray(data.labels if known else data)
    if labels.dtype.kind not in "iu" or labels.size == 0:
        raise InvalidInput(
            f"{what} is {type(data).__name__}; expected basins of attraction, basin stability, or "
            "an array of whole numbers that label starts."
        )
    if labels.min() < UNDECIDED:
        raise InvalidInput(
            f"{what} holds the label {labels.min()}; expected attractors from 0 on, -1 for "
            "divergence and -2 for undecided starts."
        )
    return labels


def _starts(data: Any) -> np.ndarray:
    """What must agree: the draws or the axes; nothing is known of a bare array."""
    if isinstance(data, BasinStability):
        return data.starts
    if isinstance(data, BasinsOfAttraction):
        return np.concatenate([*data.grid.values(), data.provenance["through"]])
    return np.empty(0)


def _components(data: Any) -> tuple[str, ...]:
    """Along which components the starts lie; nothing is known of a bare array."""
    return tuple(data.grid) if isinstance(data, BasinsOfAttraction) else ()
