"""Generalised dimensions by counting boxes: capacity, information, and every other order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, Status, require
from takens.series.dimension import eckmann_ruelle_ceiling
from takens.series.embedding import embedding
from takens.series.observable import DelayVectors, delay_vectors, observable
from takens.series.settings import checked
from takens.series.slopes import slope_ensemble

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 16
_MAX_POINTS = 100_000
_PER_BOX = 5.0  # points for each occupied box, below which counting is undersampled
_PER_SIDE = 3.0  # boxes along the attractor, above which its edges do not matter
_SHIFTS = 3
_FINEST = 40  # half octaves
_AGREEMENT = 0.1
_LARGEST_ERROR = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GeneralisedDimensions(AbstractResult):
    """Generalised dimensions of one or more orders, or the reason why there are none.

    Parameters
    ----------
    orders : array, shape (n_orders,)
        0 is the capacity (box-counting) dimension, 1 the information dimension, 2 that of pairs.
    dimensions : tuple of Estimate
        One for each order, dimensionless; NaN where there is no scaling.
    embedding_dimensions : array of int, shape (n_dimensions,)
    sizes : array, shape (n_sizes,)
        Sides of the boxes in standard deviations, increasing.
    entropies : array, shape (n_orders, n_dimensions, n_sizes)
        Renyi entropies of the boxes in nats, corrected for the number of points; NaN where too few
        points fall into a box.
    ceiling : float
        Largest dimension that this number of points could resolve.
    """

    orders: np.ndarray
    dimensions: tuple[Estimate, ...]
    embedding_dimensions: np.ndarray
    sizes: np.ndarray
    entropies: np.ndarray
    ceiling: float

    @property
    def dimension(self) -> Estimate:
        """That of the first order."""
        return self.dimensions[0]

    def summary(self) -> str:
        """The dimension of each order."""
        parts = [f"D{q:g} = {d}" for q, d in zip(self.orders, self.dimensions, strict=True)]
        reason = f" ({self.status.value})" if self.status is not Status.OK else ""
        return "generalised dimensions: " + "; ".join(parts) + reason

    def plot(self, ax: Any = None) -> Any:
        """Entropy against the size of the boxes, for each order in the largest dimension."""
        from takens import plot

        ax = plot.axes(ax)
        for q, entropy in zip(self.orders, self.entropies[:, -1], strict=True):
            plot.line(ax, self.sizes, entropy, label=f"order {q:g}", marker=".")
        ax.set_xscale("log")
        plot.labels(ax, xlabel="size of the boxes (standard deviations)", ylabel="entropy (nats)")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Entropies, and the dimensions with their intervals."""
        import xarray as xr

        return xr.Dataset(
            {
                "entropy": (("order", "embedding_dimension", "size"), self.entropies),
                "dimension": ("order", [d.value for d in self.dimensions]),
                "interval": (("order", "end"), np.array([d.interval for d in self.dimensions])),
            },
            {
                "order": self.orders,
                "embedding_dimension": self.embedding_dimensions,
                "size": self.sizes,
                "end": ["low", "high"],
            },
            attrs={"ceiling": self.ceiling},
        )


def renyi_entropy(counts: np.ndarray, order: float) -> np.ndarray:
    r"""Renyi entropy of counts along the first axis, corrected for their finite number.

    Order 0 is the logarithm of the number of boxes with the unseen ones of Chao (1984) added,
    order 1 Shannon's with the term of Miller and Madow, order 2 counts pairs without bias; other
    orders are the plain :math:`\ln \sum_i p_i^q / (1 - q)`.

    Parameters
    ----------
    counts : array, shape (n_boxes, ...)
        Points in each box.
    order : float

    Returns
    -------
    array, shape (...,)
        In nats.

    References
    ----------
    Chao (1984), Scand. J. Statist. 11, 265; Grassberger (1988), Phys. Lett. A 128, 369.
    """
    total = counts.sum(axis=0)
    seen = np.count_nonzero(counts, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if order == 0:
            single, double = (counts == 1).sum(axis=0), (counts == 2).sum(axis=0)
            return np.asarray(np.log(seen + single * (single - 1) / (2 * (double + 1))))
        if order == 1:
            filled = np.where(counts > 0, counts * np.log(np.maximum(counts, 1)), 0.0)
            return np.asarray(np.log(total) - filled.sum(axis=0) / total + (seen - 1) / (2 * total))
        if order == 2:
            pairs = (counts * (counts - 1.0)).sum(axis=0)
            return np.asarray(-np.log(pairs / (total * (total - 1.0))))
        share = np.where(counts > 0, counts, np.nan) / total
        return np.asarray(np.log(np.nansum(share**order, axis=0)) / (1 - order))


def _box_counts(points: np.ndarray, size: float, shift: float, block: np.ndarray) -> np.ndarray:
    """Points of each block of time in each occupied box, shape (n_boxes, n_blocks)."""
    cells = np.floor((points - points.min(axis=0)) / size + shift).astype(np.int64)
    key = np.zeros(len(points), dtype=np.int64)
    for column in cells.T:  # numbered anew after each coordinate, so that no key overflows
        key = key * (int(column.max()) + 1) + column
        _, key = np.unique(key, return_inverse=True)
    n_boxes = int(key.max()) + 1
    table = np.bincount(key * _N_BLOCKS + block, minlength=n_boxes * _N_BLOCKS)
    return np.asarray(table.reshape(n_boxes, _N_BLOCKS))


def _entropies(
    vectors: DelayVectors, width: int, sizes: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Entropies (1 + n_blocks, n_orders, n_sizes), whole and without each block; NaN if too fine."""
    stride = max(1, -(-len(vectors.clock) // _MAX_POINTS))
    points = vectors.points[::stride, :width]
    block = np.arange(len(points)) * _N_BLOCKS // len(points)
    found = np.full((1 + _N_BLOCKS, len(orders), len(sizes)), np.nan)
    fine = np.zeros((len(orders), len(sizes)), dtype=bool)
    for place in range(len(sizes) - 1, -1, -1):
        made = np.empty((_SHIFTS, 1 + _N_BLOCKS, len(orders)))
        for number in range(_SHIFTS):
            table = _box_counts(points, sizes[place], number / _SHIFTS, block)
            whole = table.sum(axis=1)
            counts = np.column_stack([whole, whole[:, None] - table])
            for i, order in enumerate(orders):
                made[number, :, i] = renyi_entropy(counts, float(order))
        found[:, :, place] = made.mean(axis=0)
        fine[:, place] = np.exp(found[0, :, place]) * _PER_BOX <= len(points)
        if not fine[:, place].any():
            break
    return found, fine & np.isfinite(found).all(axis=0)


@checked
def generalised_dimensions(
    data: Any,
    *,
    orders: Sequence[float] = (0, 1, 2),
    embedding_dim: int | None = None,
    delay: int | None = None,
    level: float = 0.9,
    throw: bool = True,
) -> GeneralisedDimensions:
    r"""Generalised dimensions :math:`D_q` from the Renyi entropies of boxes.

    .. math:: D_q = \lim_{\varepsilon \to 0} \frac{S_q(\varepsilon)}{\ln (1/\varepsilon)},
        \qquad S_q = \frac{1}{1 - q} \ln \sum_i p_i^q ,

    with :math:`p_i` the share of states in box `i` of side :math:`\varepsilon`. Entropies are means
    over three positions of the grid and corrected for the finite number of points; boxes are used
    as long as five points fall into each. Slopes over all windows of two octaves or more are
    weighted by what they may be wrong by, as in `correlation_dimension`.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Missing samples are left out together with the delay vectors that hold them.
    orders : sequence of float
        Orders `q`, none negative: boxes with few points would decide alone.
    embedding_dim : int, optional
        Delay blocks in a state; 1 takes the columns themselves as the state. When not given, the
        consensus of `embedding` and the two dimensions above it, which must agree.
    delay : int, optional
        Samples between blocks.
    level : float
        Nominal coverage of the intervals.
    throw : bool
        Raise where no order has an answer; else the values are NaN and `status` says why.

    Returns
    -------
    GeneralisedDimensions

    Raises
    ------
    InvalidInput
        If an order is negative.
    NumericalFailure
        If no order has slopes that agree between dimensions within 10 % and are known to 20 %,
        below the Eckmann-Ruelle ceiling, and `throw`.

    Notes
    -----
    Needs many more points than `correlation_dimension`: the number of boxes grows as
    :math:`\varepsilon^{-D}` and each must be visited. A finite value does *not* establish
    determinism. Cost: O(n_sizes n_dimensions N log N), at most 100,000 states.

    References
    ----------
    Hentschel and Procaccia (1983), Physica D 8, 435; Grassberger (1988), Phys. Lett. A 128, 369
    (corrections).

    Examples
    --------
    >>> import numpy as np
    >>> line = np.random.default_rng(0).uniform(size=5000)
    >>> found = generalised_dimensions(line, embedding_dim=1)
    >>> [bool(0.95 < d.value < 1.05) for d in found.dimensions]
    [True, True, True]
    """
    wanted = np.asarray(orders, dtype=float).ravel()
    if not wanted.size or not np.isfinite(wanted).all() or (wanted < 0).any():
        raise InvalidInput(f"orders = {list(orders)}; expected finite numbers of at least 0.")
    view = observable(data)
    asked = None
    if embedding_dim is None or (delay is None and embedding_dim > 1):
        asked = embedding(view)
    first = asked.dimension if embedding_dim is None and asked else int(embedding_dim or 1)
    lag = delay if delay is not None else asked.delay if asked else 1
    dims = np.array([first] if embedding_dim is not None else [first, first + 1, first + 2])
    vectors = delay_vectors(view.gapped, int(dims[-1]), lag)
    extent = float(np.ptp(vectors.points[:, 0]))
    sizes = extent / _PER_SIDE * 2.0 ** (-np.arange(_FINEST)[::-1] / 2)
    made = [_entropies(vectors, int(m) * view.n_components, sizes, wanted) for m in dims]
    curves = np.array([m[0] for m in made])  # (n_dimensions, 1 + n_blocks, n_orders, n_sizes)
    usable = np.array([m[1] for m in made])
    ceiling = eckmann_ruelle_ceiling(min(len(vectors.clock), _MAX_POINTS))
    estimates = [
        _one_order(np.log(sizes), curves[:, :, i], usable[:, i], ceiling, level)
        for i in range(len(wanted))
    ]
    status = Status.OK if any(e.is_finite for e in estimates) else Status.NO_SCALING
    require(status, throw=throw)
    entropies = np.where(usable, curves[:, 0], np.nan).transpose(1, 0, 2)
    reached = np.isfinite(entropies).any(axis=(0, 1))
    return GeneralisedDimensions(
        orders=wanted,
        dimensions=tuple(estimates),
        embedding_dimensions=dims,
        sizes=sizes[reached],
        entropies=entropies[:, :, reached],
        ceiling=ceiling,
        status=status,
        cautions=view.findings,
        provenance={"level": level, "delay": lag},
    )


def _one_order(
    log_size: np.ndarray, curves: np.ndarray, usable: np.ndarray, ceiling: float, level: float
) -> Estimate:
    """Ensemble estimate of one order, or none; `curves` (n_dimensions, 1 + n_blocks, n_sizes)."""
    nothing = Estimate(value=np.nan, level=level)
    inside = np.flatnonzero(usable.any(axis=0))
    if len(inside) < 5:
        return nothing
    part = slice(int(inside[0]), int(inside[-1]) + 1)
    keep = usable[:, part]
    filled = np.where(keep[:, None], -curves[:, :, part], 0.0)
    members = slope_ensemble(
        log_size[part], filled[:, 0], np.ascontiguousarray(filled[:, 1:].swapaxes(0, 1)), keep
    )
    if members is None:
        return nothing
    found = members.value(level)
    apart = float(members.weights @ members.disagreement)
    trusted = (
        0 < found.value <= ceiling
        and apart <= _AGREEMENT * found.value
        and found.standard_error <= _LARGEST_ERROR * found.value
    )
    return found if trusted else nothing


@checked
def box_dimension(
    data: Any,
    *,
    embedding_dim: int | None = None,
    delay: int | None = None,
    level: float = 0.9,
    throw: bool = True,
) -> GeneralisedDimensions:
    """Box-counting dimension (capacity): `generalised_dimensions` of order 0.

    Parameters
    ----------
    data, embedding_dim, delay, level, throw
        As in `generalised_dimensions`.

    Returns
    -------
    GeneralisedDimensions

    Raises
    ------
    NumericalFailure
        If there is no scaling, and `throw`.

    Notes
    -----
    Converges slowest of all orders: boxes that are hardly ever visited count as much as any other.
    Cost and references as for `generalised_dimensions`.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.random.default_rng(0).uniform(size=4000)
    >>> bool(0.95 < box_dimension(line, embedding_dim=1).dimension.value < 1.05)
    True
    """
    return generalised_dimensions(
        data, orders=(0,), embedding_dim=embedding_dim, delay=delay, level=level, throw=throw
    )


@checked
def information_dimension(
    data: Any,
    *,
    embedding_dim: int | None = None,
    delay: int | None = None,
    level: float = 0.9,
    throw: bool = True,
) -> GeneralisedDimensions:
    """Information dimension: `generalised_dimensions` of order 1.

    Parameters
    ----------
    data, embedding_dim, delay, level, throw
        As in `generalised_dimensions`.

    Returns
    -------
    GeneralisedDimensions

    Raises
    ------
    NumericalFailure
        If there is no scaling, and `throw`.

    Notes
    -----
    The Kaplan-Yorke dimension of an exponent spectrum is conjectured to equal it; the mean of
    `local_dimension` estimates it as well. Cost and references as for `generalised_dimensions`.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.random.default_rng(0).uniform(size=4000)
    >>> bool(0.95 < information_dimension(line, embedding_dim=1).dimension.value < 1.05)
    True
    """
    return generalised_dimensions(
        data, orders=(1,), embedding_dim=embedding_dim, delay=delay, level=level, throw=throw
    )
