"""How well few terms explain the slopes of smoothed data, for many delays: where a search begins."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult
from takens.learn.laws.delayed import POINTS, Past
from takens.learn.sparse.nodes import Nodes
from takens.learn.sparse.selection import Search
from takens.learn.sparse.start import sieved, sums_of_slopes
from takens.learn.terms import Terms

if TYPE_CHECKING:
    import xarray as xr

PER_STEP = 2  # delays tried between two samples
MOST_DELAYS = 400
STRICTER = (10.0, 100.0, 1.0)  # prices, over that of the search: errors of slopes are correlated
DIPS = 2  # at each price, that are followed


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DelayScan(AbstractResult):
    """What few terms leave of the slopes, for many delays.

    Parameters
    ----------
    delays : array, shape (delay,)
        In `time_unit`.
    left : array, shape (delay,)
        Share of the variance of the slopes, averaged over columns.
    n_terms : array, shape (delay,)
        How many coefficients were kept for that.
    starts : array
        Delays from which the search sets out.
    time_unit : str
    """

    delays: np.ndarray
    left: np.ndarray
    n_terms: np.ndarray
    starts: np.ndarray
    time_unit: str = "1"

    @property
    def dips(self) -> np.ndarray:
        """Delays at local minima, the deepest first."""
        low = _minima(self.left)
        return np.asarray(self.delays[low[np.argsort(self.left[low], kind="stable")]])

    def summary(self) -> str:
        """The deepest dips."""
        rows = [int(np.flatnonzero(self.delays == d)[0]) for d in self.dips[:3]]
        shown = [
            f"{self.delays[k]:.4g} ({self.left[k]:.2%}, {self.n_terms[k]} terms)" for k in rows
        ]
        return (
            f"{len(self.delays)} delays from {self.delays[0]:.4g} to {self.delays[-1]:.4g}. Least is "
            f"left of the slopes at {', '.join(shown)}."
        )

    def plot(self, ax: Any = None) -> Any:
        """What is left, over the delay, and where the search set out."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, self.delays, self.left)
        depths = np.interp(self.starts, self.delays, self.left)
        plot.line(ax, self.starts, depths, ls="none", marker="o", color=plot.COLOURS[1])
        ax.set_yscale("log")
        unit = "" if self.time_unit == "1" else f" ({self.time_unit})"
        return plot.labels(ax, f"delay{unit}", "share of the slopes left")

    def to_xarray(self) -> xr.Dataset:
        """What is left, by delay."""
        import xarray as xr

        return xr.Dataset(
            {
                "left": ("delay", self.left),
                "n_terms": ("delay", self.n_terms),
                "starts": ("start", self.starts),
            },
            coords={"delay": self.delays},
            attrs={"time_unit": self.time_unit},
        )


def _minima(values: np.ndarray) -> np.ndarray:
    padded = np.r_[np.inf, values, np.inf]
    return np.flatnonzero((values <= padded[:-2]) & (values <= padded[2:]))


def scanned(
    search: Search, links: np.ndarray, smooth: np.ndarray, delays: tuple[float, float]
) -> DelayScan:
    """Sieved least squares of slopes, for delays half a sample apart, at several prices.

    Cost: for each delay, at most 400 of them, eliminations from K candidates of ``K^4`` at three
    prices, and one Gram matrix of ``N K^2`` for each.
    """
    nodes = search.nodes
    step = float(np.median(nodes.steps[nodes.linked]))
    count = int(np.clip(np.ceil((delays[1] - delays[0]) / step * PER_STEP) + 1, 2, MOST_DELAYS))
    slopes = smooth[1][links]
    spread = np.maximum(slopes.var(axis=0), 1e-300)
    tried = np.linspace(*delays, count)
    left, kept = np.empty((len(STRICTER), count)), np.empty((len(STRICTER), count), dtype=int)
    for n, delay in enumerate(tried):
        values = terms_at(search.terms, nodes, links, smooth[0], float(delay))
        for k, stricter in enumerate(STRICTER):
            part = dataclasses.replace(search, price=search.price * stricter)
            support, table = few(part, values, slopes)
            error = ((slopes - values @ table) ** 2).mean(axis=0)
            left[k, n] = float((error / spread).mean())
            kept[k, n] = int(support.sum())
    starts: list[float] = []
    for k, stricter in enumerate(STRICTER):
        value = len(links) * np.log(np.maximum(left[k], 1e-300)) * slopes.shape[1]
        value += stricter * search.price * kept[k]
        low = _minima(value)
        starts += [float(tried[j]) for j in low[np.argsort(value[low], kind="stable")][:DIPS]]
    return DelayScan(
        delays=tried,
        left=left[0],
        n_terms=kept[0],
        starts=np.array(list(dict.fromkeys(starts))),
        time_unit=nodes.time_unit,
    )


def few(search: Search, values: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Terms that least squares keeps, and their coefficients, (term, dim) each."""
    rows = values.shape[1]
    part = dataclasses.replace(search, allowed=search.allowed[:rows], forced=search.forced[:rows])
    support = sieved(values, slopes, part)
    table = np.zeros(support.shape)
    for i in range(support.shape[1]):
        chosen = np.flatnonzero(support[:, i])
        if len(chosen):
            table[chosen, i] = sums_of_slopes(values[:, chosen], slopes[:, i])
    return support, table


def terms_at(
    terms: Terms, nodes: Nodes, links: np.ndarray, states: np.ndarray, delay: float
) -> np.ndarray:
    """Values of the terms at the beginning of every link, (link, term)."""
    past = Past.of(nodes, links, delay, np.zeros(1), POINTS)
    both = np.concatenate([states[links], past.values[0] @ states], axis=1)
    return np.asarray(terms(both, nodes.inputs[links], nodes.times[links]))
