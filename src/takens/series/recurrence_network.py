"""Recurrence networks: states as nodes, recurrences as links, geometry as topology."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.recurrence import (
    DEFAULT_RATE,
    Norm,
    check_rule,
    gap_findings,
    radius_at,
    states_of,
)
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10
_SOURCES = 200  # nodes from which paths are measured

NAMES = ("transitivity", "clustering", "assortativity", "path_length", "dimension")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RecurrenceNetwork(AbstractResult):
    """Measures of a recurrence network.

    Parameters
    ----------
    transitivity : Estimate
        Share of the connected triples of states that are closed.
    clustering : Estimate
        Mean over states of the share of pairs of their neighbours that are neighbours.
    assortativity : Estimate
        Correlation of the numbers of neighbours at the two ends of a link.
    path_length : Estimate
        Mean number of links on shortest paths between states that are connected.
    dimension : Estimate
        ``ln transitivity / ln(3 / 4)``, the dimension of the set at this radius (maximum norm; else
        NaN); the interval does not hold the limit of small radii.
    links : array of int, shape (n_links, 2)
        States that recur, each pair once.
    degrees : array of int, shape (n_nodes,)
        Neighbours of each state.
    local_clustering : array, shape (n_nodes,)
        Share of the pairs of neighbours that are neighbours; 0 below two neighbours.
    times : array, shape (n_nodes,)
        Of the states, in `time_unit`.
    density, radius : float
        Share of the pairs that are linked, and the distance, in standard deviations.
    components : int
        Connected parts of the network.
    norm, time_unit, label : str
        Norm, unit of time, and what was analysed.
    """

    transitivity: Estimate
    clustering: Estimate
    assortativity: Estimate
    path_length: Estimate
    dimension: Estimate
    links: np.ndarray
    degrees: np.ndarray
    local_clustering: np.ndarray
    times: np.ndarray
    density: float
    radius: float
    components: int
    norm: str
    time_unit: str
    label: str

    def summary(self) -> str:
        """Each measure with its interval."""
        if self.status is not Status.OK:
            return f"recurrence network: no answer ({self.status.value})"
        parts = [f"{name.replace('_', ' ')}: {getattr(self, name)}" for name in NAMES]
        return f"recurrence network of {len(self.degrees)} states; " + "; ".join(parts)

    def plot(self, ax: Any = None) -> Any:
        """Local clustering of the states over time."""
        from takens import plot
        from takens.series.observable import time_name

        ax = plot.axes(ax)
        ax.plot(self.times, self.local_clustering, ".", ms=3, color=plot.COLOURS[0])
        plot.labels(
            ax,
            xlabel=plot.quantity("time", time_name(self.time_unit)),
            ylabel="local clustering",
            title=self.label,
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Degrees and clustering of the states, and the links."""
        import xarray as xr

        return xr.Dataset(
            {
                "degree": ("time", self.degrees),
                "clustering": ("time", self.local_clustering),
                "links": (("link", "end"), self.links),
            },
            {"time": self.times},
            attrs={name: getattr(self, name).value for name in NAMES}
            | {"density": self.density, "radius": self.radius},
        )


def network_measures(adjacency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transitivity, clustering, assortativity and path length; and the clustering of each node.

    Parameters
    ----------
    adjacency : array of bool, shape (n, n)
        Symmetric, without loops.

    References
    ----------
    Newman (2003), SIAM Rev. 45, 167, eqs. 3, 5, 6 and 26.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    links = adjacency.astype(np.float32)
    degree = links.sum(axis=1, dtype=float)
    closed = ((links @ links) * links).sum(axis=1, dtype=float)
    triples = degree * (degree - 1)
    local = np.divide(closed, triples, out=np.zeros_like(closed), where=triples > 0)
    transitivity = closed.sum() / triples.sum() if triples.any() else float("nan")
    a, b = np.nonzero(adjacency)
    ends = degree[a]
    spread = ends.var() if len(a) else 0.0
    mixed = float(np.mean(ends * degree[b]) - ends.mean() ** 2) if len(a) else 0.0
    assortativity = mixed / spread if spread > 0 else float("nan")
    sources = np.unique(np.linspace(0, len(degree) - 1, _SOURCES).astype(int))
    steps = dijkstra(csr_array(adjacency), unweighted=True, indices=sources)
    reached = np.isfinite(steps) & (steps > 0)
    path = float(steps[reached].mean()) if reached.any() else float("nan")
    return np.array([transitivity, local.mean(), assortativity, path]), local


@checked
def recurrence_network(
    data: Any,
    *,
    rate: float | None = None,
    radius: float | None = None,
    norm: Norm = "maximum",
    dimension: int | None = None,
    delay: int | None = None,
    theiler: int | None = None,
    max_states: int = 1_000,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> RecurrenceNetwork:
    """Transitivity, clustering, assortativity and path length of the network of recurrences.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Several columns are embedded jointly through their leading principal components.
    rate : float, optional
        Share of the pairs of states that are linked; 5 % when neither it nor `radius` is given.
    radius : float, optional
        Distance within which states are linked, in standard deviations.
    norm : {"maximum", "euclidean"}
        The dimension from transitivity holds for the maximum norm only.
    dimension, delay, theiler : int, optional
        As in `recurrence_quantification`; pairs at most `theiler` samples apart are not linked.
    max_states : int
        So many states at most, evenly spaced in time, at most 5,000.
    level : float
        Nominal coverage of the intervals, from leaving out one of ten blocks of time after the
        other.
    seed : int
        For the pairs from which the radius is found.
    throw : bool
        Raise where there is no answer; else every value is NaN.

    Returns
    -------
    RecurrenceNetwork

    Raises
    ------
    InvalidInput
        If `max_states` is not between 100 and 5,000, or a setting is out of range.
    NumericalFailure
        If the record is constant or has fewer than 100 complete states, and `throw`.

    Notes
    -----
    A network knows the set of states, not their order in time: shuffling whole delay vectors leaves
    it as it is, so it cannot tell determinism. Path lengths are in units of the radius. States with
    a missing coordinate are no nodes. Cost: n^3 / 6 for triangles, on matrix products; memory n^2.

    References
    ----------
    Donner, Zou, Donges, Marwan and Kurths (2010), New J. Phys. 12, 033025; dimension: Donner et al.
    (2011), Eur. Phys. J. B 84, 653.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.random.default_rng(0).uniform(size=1000)
    >>> found = recurrence_network(line, dimension=1, theiler=0)
    >>> bool(abs(found.transitivity.value - 0.75) < 0.03)  # a line has 3 / 4
    True
    """
    check_rule(rate, radius, norm, theiler)
    if not 100 <= max_states <= 5_000:
        raise InvalidInput(f"max_states = {max_states}; expected 100 to 5,000.")
    states = states_of(data, dimension, delay, theiler)
    whole = np.flatnonzero(states.known)
    kept = whole[np.unique(np.linspace(0, len(whole) - 1, max_states).astype(int))] \
        if len(whole) > max_states else whole  # fmt: skip
    cautions = [*states.view.findings, *gap_findings(states)]
    if len(kept) < len(whole):
        cautions.append(
            Finding(
                "network-of-a-part",
                f"{len(kept)} of {len(whole)} states, evenly spaced in time, are nodes.",
                "Raise `max_states` to use more.",
                "note",
            )
        )
    status = Status.OK if len(kept) >= 100 else Status.TOO_SHORT
    status = Status.NOT_APPLICABLE if states.view.constant else status
    require(status, throw=throw)
    estimates = {name: Estimate(value=np.nan, level=level) for name in NAMES}
    adjacency, local, found = np.zeros((len(kept),) * 2, bool), np.zeros(len(kept)), float("nan")
    if status is Status.OK:
        found = radius if radius is not None else radius_at(
            states.points, states.points, rate or DEFAULT_RATE, norm, states.theiler, seed
        )  # fmt: skip
        adjacency = _adjacency(states.points[:, kept], kept, found, norm, states.theiler)
        estimates, local = _estimates(adjacency, norm, level)
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n = len(kept)
    return RecurrenceNetwork(
        **estimates,
        links=np.argwhere(np.triu(adjacency)),
        degrees=adjacency.sum(axis=1),
        local_clustering=local,
        times=(kept + (states.dimension - 1) * states.delay) * states.view.dt,
        density=float(adjacency.sum() / max(n * (n - 1), 1)),
        radius=found,
        components=int(connected_components(csr_array(adjacency), directed=False)[0]) if n else 0,
        norm=norm,
        time_unit=states.view.time_unit,
        label=states.view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={"rate": rate, "radius": radius, "max_states": max_states, "seed": seed},
    )


def _adjacency(
    points: np.ndarray, clock: np.ndarray, radius: float, norm: Norm, corridor: int
) -> np.ndarray:
    """Links between states (columns), none within the corridor in time."""
    from scipy.spatial.distance import cdist

    distance = cdist(points.T, points.T, "euclidean" if norm == "euclidean" else "chebyshev")
    return np.asarray((distance <= radius) & (np.abs(clock[:, None] - clock) > corridor))


def _estimates(
    adjacency: np.ndarray, norm: Norm, level: float
) -> tuple[dict[str, Estimate], np.ndarray]:
    from scipy.special import stdtrit

    block = np.arange(len(adjacency)) * _N_BLOCKS // len(adjacency)
    whole, local = network_measures(adjacency)
    left = np.array(
        [network_measures(adjacency[np.ix_(block != b, block != b)])[0] for b in range(_N_BLOCKS)]
    )

    def with_dimension(values: np.ndarray) -> np.ndarray:
        first = values[..., :1]
        steep = np.log(np.where(first > 0, first, np.nan)) / math.log(0.75)
        return np.concatenate([values, steep if norm == "maximum" else np.nan * steep], axis=-1)

    whole, left = with_dimension(whole), with_dimension(left)
    error = np.sqrt((_N_BLOCKS - 1) * left.var(axis=0))
    half = float(stdtrit(_N_BLOCKS - 1, 0.5 + level / 2)) * error
    bounds = ((0.0, 1.0), (0.0, 1.0), (-1.0, 1.0), (1.0, np.inf), (0.0, np.inf))
    made = {}
    for k, name in enumerate(NAMES):
        settings: dict[str, Any] = {"value": float(whole[k]), "level": level}
        if np.isfinite(whole[k]) and np.isfinite(error[k]):
            settings |= {
                "interval": (
                    max(float(whole[k] - half[k]), bounds[k][0]),
                    min(float(whole[k] + half[k]), bounds[k][1]),
                ),
                "standard_error": float(error[k]),
                "method": f"jackknife over {_N_BLOCKS} blocks of time",
            }
        made[name] = Estimate(**settings)
    return made, local
