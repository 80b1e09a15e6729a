"""Dimension and persistence of each state, from extreme values of its returns."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.dimension import eckmann_ruelle_ceiling
from takens.series.embedding import embedding
from takens.series.observable import (
    DelayVectors,
    Observable,
    delay_vectors,
    observable,
    time_name,
)
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 16
_MIN_RETURNS = 20
_ROWS_AT_ONCE = 64
_MAX_LIBRARY = 30_000
_ELASTICITY = 0.42  # growth of the dimension over that of the number of delays: 1 for noise
_MISSING = 0.02  # a gap splits a visit in two, so persistence asks for nearly whole records
_BREAK = 1_000_000  # samples: two records never meet on the clock


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LocalDimension(AbstractResult):
    """Local dimension and persistence of states, and their means.

    Parameters
    ----------
    dimension : Estimate
        Mean of the local dimensions, which estimates the information dimension; dimensionless.
    persistence : Estimate
        Mean time for which the motion stays near a state, in time units: one sample over the
        extremal index.
    extremal_index : Estimate
        Mean extremal index, between 0 and 1: share of the close states that begin a visit.
    times : array, shape (n_states,)
        Time of each state since the start of its record, in time units.
    local_dimensions, standard_errors : array, shape (n_states,)
        Dimension at each state, and its error from the number of separate visits.
    extremal_indices : array, shape (n_states,)
        Extremal index at each state; NaN where samples are missing.
    quantile : float
        Quantile of closeness above which a state counts as a return.
    n_returns : int
        Returns behind each local dimension.
    embedding_dim, delay : int
        Of the states.
    time_unit : str
        Unit of time.
    """

    dimension: Estimate
    persistence: Estimate
    extremal_index: Estimate
    times: np.ndarray
    local_dimensions: np.ndarray
    standard_errors: np.ndarray
    extremal_indices: np.ndarray
    quantile: float
    n_returns: int
    embedding_dim: int
    delay: int
    time_unit: str

    def summary(self) -> str:
        """Mean dimension and persistence, with the range over states."""
        if not self.dimension.is_finite:
            return f"local dimension: none ({self.status.value})"
        low, high = np.nanquantile(self.local_dimensions, [0.05, 0.95])
        return (
            f"local dimension: mean {self.dimension}, between {low:.3g} and {high:.3g} in 90 % of "
            f"the states; persistence {self.persistence}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Local dimension of each state against time."""
        from takens import plot

        ax = plot.points(plot.axes(ax), self.times, self.local_dimensions)
        if self.dimension.is_finite:
            ax.axhline(self.dimension.value, color="0.4", linestyle="--")
        plot.labels(
            ax,
            xlabel=plot.quantity("time", time_name(self.time_unit)),
            ylabel="local dimension",
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Local dimension, its error and the extremal index of each state."""
        import xarray as xr

        return xr.Dataset(
            {
                "local_dimension": ("time", self.local_dimensions),
                "standard_error": ("time", self.standard_errors),
                "extremal_index": ("time", self.extremal_indices),
            },
            {"time": self.times},
            attrs={
                "dimension": self.dimension.value,
                "extremal_index_mean": self.extremal_index.value,
                "quantile": self.quantile,
            },
        )


def suveges(times: np.ndarray, share: float) -> float:
    r"""Extremal index from the times of exceedances, by maximum likelihood.

    With :math:`S_i` the gaps between successive exceedances less one sample, `N` their number,
    :math:`N_c` the number that are not zero and :math:`a = q \sum_i S_i`,

    .. math:: \theta = \frac{a + N + N_c - \sqrt{(a + N + N_c)^2 - 8 N_c a}}{2 a}.

    Gaps across a break between records are left out.

    Parameters
    ----------
    times : array of int, shape (n,)
        Increasing sample numbers.
    share : float
        Share `q` of samples that exceed.

    References
    ----------
    Süveges (2007), Extremes 10, 41, eq. 5.
    """
    gaps = np.diff(times)
    gaps = gaps[gaps < _BREAK] - 1
    total = share * float(gaps.sum())
    if total <= 0:
        return 0.0 if len(gaps) else float("nan")
    clusters = int(np.count_nonzero(gaps))
    whole = total + len(gaps) + clusters
    return float((whole - np.sqrt(whole**2 - 8 * clusters * total)) / (2 * total))


def _returns(
    vectors: DelayVectors, states: np.ndarray, theiler: int, quantile: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Dimension at the threshold and at half its tail, extremal index, number of returns."""
    from scipy.spatial.distance import cdist

    stride = max(1, -(-len(vectors.clock) // _MAX_LIBRARY))
    points, clock = vectors.points[::stride], vectors.clock[::stride]
    n_returns = round((1 - quantile) * len(clock))
    share = n_returns / len(clock)
    full, half = np.full(len(states), np.nan), np.full(len(states), np.nan)
    index = np.full(len(states), np.nan)
    for start in range(0, len(states), _ROWS_AT_ONCE):
        rows = states[start : start + _ROWS_AT_ONCE]
        distance = cdist(vectors.points[rows], points)
        for i, row in enumerate(rows):
            own = np.abs(clock - vectors.clock[row]) <= theiler
            distance[i, own] = np.inf
            near = np.argpartition(distance[i], n_returns)[: n_returns + 1]
            with np.errstate(divide="ignore"):
                closeness = -np.log(distance[i, near])
            ranked = np.sort(closeness)  # the first is the threshold
            good = np.isfinite(ranked)
            if good.all() and ranked[-1] > ranked[0]:
                full[start + i] = 1 / np.mean(ranked[1:] - ranked[0])
                middle = len(ranked) // 2
                half[start + i] = 1 / np.mean(ranked[middle + 1 :] - ranked[middle])
            close = near[np.isfinite(closeness)]
            index[start + i] = suveges(np.sort(clock[close]) // stride, share)
    return full, half, index, n_returns


def _mean(values: np.ndarray, other: np.ndarray, level: float, method: str) -> Estimate:
    """Mean over states; the error joins blocks of time and the difference to another threshold."""
    from scipy.special import stdtrit

    blocks = [b[np.isfinite(b)] for b in np.array_split(values, _N_BLOCKS)]
    means = np.array([float(b.mean()) for b in blocks if len(b)])
    if len(means) < 2:
        return Estimate(value=np.nan, level=level)
    centre = float(np.nanmean(values))
    sampling = float(means.std(ddof=1) / np.sqrt(len(means)))
    error = float(np.hypot(sampling, centre - float(np.nanmean(other))))
    half = float(stdtrit(len(means) - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=centre,
        interval=(centre - half, centre + half),
        standard_error=error,
        level=level,
        method=method,
    )


def _elasticity(
    view: Observable, m: int, lag: int, window: int, quantile: float, mean: float
) -> float:
    """Relative growth of the mean dimension over that of the number of delays, for two more."""
    try:
        more = delay_vectors(view.gapped, m + 2, lag)
    except InvalidInput:
        return float("nan")
    few = np.arange(len(more.clock))[:: max(1, -(-len(more.clock) // 200))]
    grown = _returns(more, few, window, quantile)[0]
    found = grown[np.isfinite(grown)]
    return float((found.mean() / mean - 1) * m / 2) if found.size else float("nan")


@checked
def local_dimension(
    data: Any,
    *,
    embedding_dim: int | None = None,
    delay: int | None = None,
    theiler: int | None = None,
    quantile: float = 0.98,
    n_states: int = 1000,
    level: float = 0.9,
    throw: bool = True,
) -> LocalDimension:
    r"""Local dimension :math:`d(\zeta)` and persistence of states, from their returns.

    The closeness :math:`g_t = -\ln \lVert x_t - \zeta \rVert` of the orbit to one of its states
    exceeds a high threshold with exponential excesses whose mean is :math:`1/d(\zeta)`; the
    exceedances come in visits, and the extremal index :math:`\theta(\zeta)` is one over their mean
    length in samples. The mean of `d` estimates the information dimension.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Missing samples are left out together with the delay vectors that hold them.
    embedding_dim : int, optional
        Delay blocks in a state; 1 takes the columns themselves as the state. The consensus of
        `embedding` when not given; then two more must raise the mean by clearly less than they do
        for noise, where it grows in proportion.
    delay, theiler : int, optional
        Samples between blocks, and within which states are neighbours in time only.
    quantile : float
        Quantile of closeness that is the threshold.
    n_states : int
        States at which to ask, evenly spread over the record.
    level : float
        Nominal coverage of the intervals.
    throw : bool
        Raise where there is no answer; else the means are NaN and `status` says why.

    Returns
    -------
    LocalDimension

    Raises
    ------
    InvalidInput
        If the quantile is not between 0.5 and 1.
    NumericalFailure
        If fewer than 20 returns lie above the threshold, the dimension grows with the number of
        delays as that of noise does, or it is above the Eckmann-Ruelle ceiling, and `throw`.

    Notes
    -----
    Local dimensions differ between states also where there is nothing to differ: each has the
    error ``standard_errors``. A low dimension at a state is *not* predictability there. Cost:
    O(n_states * N), at most 30,000 states as the library; memory of 64 rows of distances.

    References
    ----------
    Lucarini, Faranda and Wouters (2012), J. Stat. Phys. 147, 63; Faranda, Messori and Yiou (2017),
    Sci. Rep. 7, 41278; Süveges (2007), Extremes 10, 41, eq. 5.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.random.default_rng(0).uniform(size=(4000, 2))
    >>> found = local_dimension(square, embedding_dim=1, n_states=200)
    >>> bool(1.85 < found.dimension.value < 2.15), bool(found.extremal_index.value > 0.95)
    (True, True)
    """
    if theiler is not None and theiler < 0:
        raise InvalidInput(f"theiler = {theiler}; expected a number of samples, 0 or more.")
    if not 0.5 < quantile < 1:
        raise InvalidInput(f"quantile = {quantile!r}; expected a number between 0.5 and 1.")
    view = observable(data)
    asked = None
    if embedding_dim is None or (delay is None and embedding_dim > 1) or theiler is None:
        asked = embedding(view)
    m = asked.dimension if embedding_dim is None and asked else int(embedding_dim or 1)
    lag = delay if delay is not None else asked.delay if asked and m > 1 else 1
    window = theiler if theiler is not None else asked.theiler if asked else 1
    vectors = delay_vectors(view.gapped, m, lag)
    states = np.arange(len(vectors.clock))[:: max(1, -(-len(vectors.clock) // n_states))]
    full, half, index, n_returns = np.empty(0), np.empty(0), np.empty(0), 0
    status, cautions = Status.TOO_SHORT, list(view.findings)
    mean = persistence = theta = Estimate(value=np.nan, level=level)
    if (1 - quantile) * len(vectors.clock) >= _MIN_RETURNS:
        full, half, index, n_returns = _returns(vectors, states, window, quantile)
        status = Status.OK if np.isfinite(full).any() else Status.NO_SCALING
    if status is Status.OK and embedding_dim is None:
        grown = _elasticity(view, m, lag, window, quantile, float(np.nanmean(full)))
        ceiling = eckmann_ruelle_ceiling(min(len(vectors.clock), _MAX_LIBRARY))
        if not (grown <= _ELASTICITY and np.nanmean(full) <= ceiling):
            status = Status.NO_SCALING
    if status is Status.OK:
        mean = _mean(full, half, level, f"{_N_BLOCKS} blocks of time, two thresholds")
        if view.missing > _MISSING:
            index = np.full(len(index), np.nan)
            cautions.append(
                Finding(
                    "persistence-needs-whole-visits",
                    f"{view.missing:.1%} of the samples are missing; a gap cuts a visit in two.",
                    "Persistence is not stated; dimensions use the states that are whole.",
                )
            )
        else:
            theta = _mean(index, index, level, f"{_N_BLOCKS} blocks of time")
            persistence = _inverse(theta, view.dt, time_name(view.time_unit))
    require(status, throw=throw)
    with np.errstate(divide="ignore", invalid="ignore"):
        visits = n_returns * np.where(np.isfinite(index), np.maximum(index, 1e-3), 1)
        errors = full / np.sqrt(visits)
    since = vectors.clock[states[: len(full)]] % (_BREAK * 10) if len(view.gapped) == 1 else (
        np.arange(len(full)) * max(1, len(vectors.clock) // max(len(full), 1))
    )  # fmt: skip
    return LocalDimension(
        dimension=mean,
        persistence=persistence,
        extremal_index=theta,
        times=since * view.dt,
        local_dimensions=full,
        standard_errors=errors,
        extremal_indices=index,
        quantile=quantile,
        n_returns=n_returns,
        embedding_dim=m,
        delay=lag,
        time_unit=view.time_unit,
        status=status,
        cautions=tuple(cautions),
        provenance={"level": level, "theiler": window},
    )


def _inverse(theta: Estimate, dt: float, unit: str) -> Estimate:
    """Time near a state: one sample over the extremal index, its interval turned over."""
    if not (theta.is_finite and theta.value > 0):
        return Estimate(value=np.nan, level=theta.level, unit=unit)
    low, high = theta.interval
    return Estimate(
        value=dt / theta.value,
        interval=(dt / high, dt / low if low > 0 else float("inf")),
        standard_error=dt * theta.standard_error / theta.value**2,
        level=theta.level,
        unit=unit,
        method=theta.method,
    )
