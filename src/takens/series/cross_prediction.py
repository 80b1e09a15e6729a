"""Cross-prediction: whether one part of a record foretells another as well as itself."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, require
from takens.series.embedding import autocorrelation, chosen_delay
from takens.series.observable import DelayVectors, Observable, delay_vectors, observable
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_MOST_QUERIES = 800
_MOST_LIBRARY = 20_000
_BLOCKS = 8  # of a segment, at most
_FEWEST_BLOCKS = 3
_MEMORIES = 6  # correlation times that a block spans at least
_LEAST_ROWS = 24  # of a block


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CrossPrediction(AbstractResult):
    """How well each part of a record foretells each part.

    Parameters
    ----------
    errors : array, shape (n_segments, n_segments)
        Root-mean-square error of forecasts in segment ``column`` from neighbours in segment
        ``row``, over the standard deviation of the whole record; dimensionless.
    standard_errors : array, shape (n_segments, n_segments)
        Of `errors`, from the scatter among the blocks of the segment that is foretold.
    contrast : float
        Mean logarithm of the typical errors between segments less that within segments: near 0 for
        a stationary record, 0.1 where foreign neighbours foretell about 10 % worse. The typical
        error is the squared mean of the roots of the errors, which the largest do not govern.
    reassigned : array, shape (n_reassignments,)
        The contrast after blocks were dealt to segments at random.
    p_value : float
        Share of reassignments with at least the observed contrast; a small one speaks against
        stationarity.
    bounds : array, shape (n_segments + 1,)
        Times at which the segments begin and end, in `time_unit` from the start of the record,
        breaks not counted.
    dimension, delay, lead, n_neighbours, n_blocks : int
        Delay coordinates, samples between them, samples ahead, neighbours averaged, and blocks of
        a segment.
    time_unit, label : str
        Unit of time, and what was analysed.
    """

    errors: np.ndarray
    standard_errors: np.ndarray
    contrast: float
    reassigned: np.ndarray
    p_value: float
    bounds: np.ndarray
    dimension: int
    delay: int
    lead: int
    n_neighbours: int
    n_blocks: int
    time_unit: str
    label: str

    def summary(self) -> str:
        """Errors within and between the segments, and the p-value."""
        if self.status is not Status.OK:
            return f"cross-prediction: no answer ({self.status.value})"
        own = np.eye(len(self.errors), dtype=bool)
        return (
            f"cross-prediction of {len(self.errors)} segments: error {self.errors[own].mean():.3g} "
            f"within, {self.errors[~own].mean():.3g} between (standard deviations); stationarity "
            f"p = {self.p_value:.3g} ({len(self.reassigned)} reassignments)"
        )

    def plot(self, ax: Any = None) -> Any:
        """The matrix of errors: a stationary record has no pattern."""
        from takens import plot

        ax = plot.axes(ax)
        if np.isfinite(self.errors).any():
            plot.heat(ax, self.bounds, self.bounds, self.errors, label="error (deviations)")
        unit = "steps" if self.time_unit == "1" else self.time_unit
        title = f"stationarity p = {self.p_value:.3g}"
        plot.labels(
            ax, xlabel=f"foretold ({unit})", ylabel=f"neighbours from ({unit})", title=title
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Errors by the segment of the neighbours and the segment foretold."""
        import xarray as xr

        pair = ("neighbours", "foretold")
        return xr.Dataset(
            {
                "error": (pair, self.errors),
                "standard_error": (pair, self.standard_errors),
                "reassigned": ("reassignment", self.reassigned),
            },
            attrs={"contrast": self.contrast, "p_value": self.p_value},
        )


def memory_within(series: tuple[np.ndarray, ...], n_parts: int = 10) -> float:
    """Integrated correlation time in samples of `series` less the means of `n_parts` parts.

    A slow drift or a step would look like an endless memory; within a part it is small. Missing
    values count as zero, so that many of them shorten it a little. Each of shape (time, dim).
    """
    longest = max(series, key=len)
    # The size of a motion may remember longer than its sign: two wings that are visited in turn.
    looked_at = np.concatenate([longest, np.abs(longest)], axis=1)
    worst = 1.0
    for column in looked_at.T:
        parts = []
        for part in np.array_split(column, n_parts):
            seen = np.isfinite(part)
            middle = part[seen].mean() if seen.any() else 0.0
            parts.append(np.where(seen, part - middle, 0.0))
        x = np.concatenate(parts)
        if x.std() > 0:
            lags = np.arange(len(x) // n_parts)
            total = 2 * np.cumsum(autocorrelation(x, len(lags) - 1)) - 1
            # Parts without their means have autocovariances that sum to zero.
            total = total / np.maximum(1 - (2 * lags + 1) / max(len(lags), 1), 0.2)
            window = lags >= 5 * np.maximum(total, 1)
            last = int(np.argmax(window)) if window.any() else -1
            worst = max(worst, float(total[last]))
    return worst


@dataclasses.dataclass(frozen=True, eq=False)
class _Forecasts:
    """Nearest neighbours of every query in every block, and where they went.

    `distance` (query, block, k), `landed` and `target` (query, block, k, dim) and (query, dim).
    """

    distance: np.ndarray
    landed: np.ndarray
    target: np.ndarray
    block: np.ndarray


def _forecasts(
    vectors: DelayVectors, lead: int, n_blocks: int, k: int, theiler: int
) -> _Forecasts | None:
    """Ask every block for the neighbours of every query; None where a block has too few rows."""
    from scipy.spatial import cKDTree

    ahead = vectors.successors(lead)
    usable = np.flatnonzero(ahead >= 0)
    if len(usable) < n_blocks * _LEAST_ROWS:
        return None
    blocks, p = np.array_split(usable, n_blocks), vectors.n_components
    queries, owner = [], []
    for number, rows in enumerate(blocks):
        # Rows near the ends of a block are neighbours in time of the next block's.
        clock, inner = vectors.clock[rows], np.ones(len(rows), dtype=bool)
        if number:
            inner &= clock - vectors.clock[blocks[number - 1][-1]] > theiler
        if number < n_blocks - 1:
            inner &= vectors.clock[blocks[number + 1][0]] - clock > theiler
        chosen = rows[inner]
        if len(chosen) < 3:
            return None
        few = min(len(chosen), max(3, _MOST_QUERIES // n_blocks))
        queries.append(chosen[np.linspace(0, len(chosen) - 1, few).astype(int)])
        owner.append(np.full(few, number))
    asked = np.concatenate(queries)
    distance = np.empty((len(asked), n_blocks, k))
    landed = np.empty((len(asked), n_blocks, k, p))
    for number, rows in enumerate(blocks):
        library = rows[:: max(1, -(-len(usable) // _MOST_LIBRARY))]
        near, which = cKDTree(vectors.points[library]).query(vectors.points[asked], k=k)
        distance[:, number] = near.reshape(-1, k)
        landed[:, number] = vectors.points[ahead[library[which.reshape(-1, k)]], :p]
    return _Forecasts(distance, landed, vectors.points[ahead[asked], :p], np.concatenate(owner))


def _squared_errors(made: _Forecasts, order: np.ndarray) -> np.ndarray:
    """Squared error of each query from the neighbours in each segment, (n_segments, n_queries).

    `order` (n_segments, n_blocks) deals the blocks to segments. Every segment is asked without the
    block at the query's own place, so that all libraries are equally large.
    """
    n, (n_segments, n_blocks), k = len(made.block), order.shape, made.distance.shape[2]
    place = np.empty(order.size, dtype=int)
    place[order.ravel()] = np.tile(np.arange(n_blocks), n_segments)
    distance = made.distance[:, order]  # (query, segment, block, k)
    distance[np.arange(n), :, place[made.block]] = np.inf
    nearest = np.argpartition(distance.reshape(n, n_segments, -1), k - 1, axis=2)[:, :, :k]
    block = order[np.arange(n_segments)[None, :, None], nearest // k]
    forecast = made.landed[np.arange(n)[:, None, None], block, nearest % k].mean(axis=2)
    return np.asarray(np.sum((forecast - made.target[:, None]) ** 2, axis=2).T / (1 + 1 / k))


def _by_segment(values: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Means of `values` (n_segments, n_queries) over the queries of each segment, and their matrix."""
    member = segment == np.arange(len(values))[:, None]
    return values @ (member / member.sum(axis=1, keepdims=True)).T


def _contrast(squared: np.ndarray, segment: np.ndarray) -> float:
    """Mean log typical error between segments less that within; see `CrossPrediction.contrast`."""
    size = 2 * np.log(np.maximum(_by_segment(squared**0.25, segment), 1e-150))
    own = np.eye(len(size), dtype=bool)
    return float(size[~own].mean() - size[own].mean())


def _matrix(
    squared: np.ndarray, block: np.ndarray, n_blocks: int, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Root-mean-square errors and their standard errors from the scatter among blocks."""
    n_segments = len(squared)
    by_block = _by_segment(np.repeat(squared, n_blocks, axis=0), block)[::n_blocks]
    by_block = by_block.reshape(n_segments, n_segments, n_blocks) / scale**2
    errors = np.sqrt(by_block.mean(axis=2))
    scatter = by_block.std(axis=2, ddof=1) / np.sqrt(n_blocks)
    return errors, scatter / np.maximum(2 * errors, 1e-300)


def _checked(n_segments: int, dimension: int, n_neighbours: int, n_reassignments: int) -> None:
    for name, value, least, most in (
        ("n_segments", n_segments, 2, 100),
        ("dimension", dimension, 1, 100),
        ("n_neighbours", n_neighbours, 1, 1000),
        ("n_reassignments", n_reassignments, 19, 100_000),
    ):
        if not least <= value <= most:
            raise InvalidInput(f"{name} = {value}; at least {least} and at most {most} is needed.")


def _positive(**settings: int | None) -> None:
    for name, value in settings.items():
        if value is not None and value < 1:
            raise InvalidInput(f"{name} = {value}; expected a positive number of samples.")


def _bounds(view: Observable, vectors: DelayVectors, lead: int, n_segments: int) -> np.ndarray:
    """Times at which the segments begin and end; breaks between stretches are not counted."""
    usable = np.flatnonzero(vectors.successors(lead) >= 0)
    first = [rows[0] for rows in np.array_split(usable, n_segments)[1:]]
    inner = vectors.clock[first] % 10_000_000 + (vectors.dimension - 1) * vectors.delay
    whole = sum(len(s) for s in view.gapped)
    return np.concatenate([[0.0], inner * view.dt, [whole * view.dt]])


@checked
def cross_prediction(
    data: Any,
    *,
    n_segments: int = 5,
    dimension: int = 3,
    delay: int | None = None,
    lead: int | None = None,
    n_neighbours: int = 4,
    n_reassignments: int = 199,
    seed: int = 0,
    throw: bool = True,
) -> CrossPrediction:
    """Nonlinear cross-prediction errors between the segments of a record, and stationarity.

    The record is cut into `n_segments`. A delay vector of one segment is foretold by the mean of
    the successors of its nearest neighbours in another,

    ``e_ij^2 = mean over n in j of |s(n + lead) - mean over neighbours k in i of s(k + lead)|^2``.

    Under stationarity all segments foretell each other equally well. For the p-value every segment
    is made of blocks, each several correlation times long, and the blocks are dealt to segments at
    random: the share of deals whose contrast is as large as the observed one is an exact p-value
    where the blocks are exchangeable.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Several columns are reduced to principal components. Delay vectors with a missing value are
        left out; several records are taken one after the other.
    n_segments : int
        At least 2.
    dimension : int
        Delay coordinates. Few are enough to compare segments.
    delay : int, optional
        Samples between them; by default the first minimum of the mutual information.
    lead : int, optional
        Samples ahead; by default `delay`.
    n_neighbours : int
        Successors averaged.
    n_reassignments : int
        At least 19.
    seed : int
        For dealing the blocks.
    throw : bool
        Raise where the record is too short; else the values are NaN.

    Returns
    -------
    CrossPrediction

    Raises
    ------
    InvalidInput
        If a setting is out of range.
    NumericalFailure
        If there are fewer than three blocks, of six correlation times, for every segment, or
        nothing varies; and `throw`.

    Notes
    -----
    A small p-value says that the rule, or what parts of the state space are visited, changes along
    the record; *not* what changes. It sees changes of level and variance as well
    (`stationarity` asks for those alone). A large p-value does *not* prove stationarity: changes
    slower than the record, or smaller than the noise, stay unseen; a record that visits its regions
    rarely (fewer than about thirty times) looks nonstationary, and is. Cost: 800 queries in trees
    of 20,000 points at most, then 3 ms for each reassignment.

    References
    ----------
    Schreiber (1997), Phys. Rev. Lett. 78, 843, eq. 1; test by permutation: Good (2005),
    Permutation, Parametric and Bootstrap Tests of Hypotheses, chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> x = [0.3]
    >>> for r in np.linspace(3.8, 3.95, 1000):
    ...     x.append(r * x[-1] * (1 - x[-1]))
    >>> cross_prediction(x, n_reassignments=39).p_value
    0.025
    """
    _checked(n_segments, dimension, n_neighbours, n_reassignments)
    _positive(delay=delay, lead=lead)
    view = observable(data)
    flat = view.constant
    step = delay or (1 if flat else chosen_delay(view.longest))
    ahead = lead or step
    memory = 1.0 if flat else memory_within(view.gapped)
    seen = (1 - view.missing) * sum(len(s) for s in view.gapped)
    shortest = max(_MEMORIES * memory, _LEAST_ROWS)
    n_blocks = int(min(_BLOCKS, seen / (n_segments * shortest)))
    made = None
    if not flat and n_blocks >= _FEWEST_BLOCKS:
        vectors = delay_vectors(view.gapped, dimension, step)
        theiler = int(max(memory, (dimension - 1) * step))
        made = _forecasts(vectors, ahead, n_segments * n_blocks, n_neighbours, theiler)
    nothing = np.full((n_segments, n_segments), np.nan)
    about: dict[str, Any] = {
        "dimension": dimension, "delay": step, "lead": ahead, "n_neighbours": n_neighbours,
        "n_blocks": n_blocks, "time_unit": view.time_unit, "label": view.label,
        "provenance": {"seed": seed, "memory": memory, "n_samples": int(seen)},
    }  # fmt: skip
    if made is None:
        status = Status.NOT_APPLICABLE if flat else Status.TOO_SHORT
        require(status, throw=throw)
        why = Finding(
            "too-few-blocks",
            f"{int(seen)} samples with a correlation time of {memory:.3g} make {n_blocks} blocks "
            f"for each of {n_segments} segments; {_FEWEST_BLOCKS} are needed.",
            "Give a longer record, or ask for fewer segments.",
        )
        return CrossPrediction(
            errors=nothing, standard_errors=nothing, contrast=float("nan"),
            reassigned=np.empty(0), p_value=float("nan"), bounds=np.full(n_segments + 1, np.nan),
            status=status, cautions=(*view.findings, why), **about,
        )  # fmt: skip
    order = np.arange(n_segments * n_blocks).reshape(n_segments, n_blocks)
    squared = _squared_errors(made, order)
    contrast = _contrast(squared, made.block // n_blocks)
    rng, dealt = np.random.default_rng(seed), np.empty(n_reassignments)
    for i in range(n_reassignments):
        order = rng.permutation(order.size).reshape(order.shape)
        segment = np.empty(order.size, dtype=int)
        segment[order] = np.arange(n_segments)[:, None]
        dealt[i] = _contrast(_squared_errors(made, order), segment[made.block])
    scale = float(np.sqrt(np.sum(made.target.var(axis=0))))
    errors, standard_errors = _matrix(squared, made.block, n_blocks, scale or 1.0)
    return CrossPrediction(
        errors=errors,
        standard_errors=standard_errors,
        contrast=contrast,
        reassigned=dealt,
        p_value=float((1 + np.sum(dealt >= contrast)) / (1 + n_reassignments)),
        bounds=_bounds(view, vectors, ahead, n_segments),
        cautions=view.findings,
        **about,
    )
