"""Mutual information between a signal and its past, with its first minimum."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.observable import Observable, delay_vectors, observable, time_name
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10
_MIN_PAIRS = 200


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DelayedInformation(AbstractResult):
    """Mutual information with the past as a function of lag.

    Parameters
    ----------
    lags : array of int, shape (n_lags,)
        In samples.
    information : array, shape (n_lags,)
        In nats; zero for independence, within its error.
    standard_error : array, shape (n_lags,)
        In nats, from ten blocks of the record.
    first_minimum : Estimate
        Lag of the first minimum, in time units; NaN where the curve has none. The interval is
        the range over curves that leave one block out.
    n_pairs : array of int, shape (n_lags,)
        Pairs behind each value.
    time_unit : str
        Unit of time.
    dt : float
        Sampling step in `time_unit`.
    label : str
        What was analysed.
    """

    lags: np.ndarray
    information: np.ndarray
    standard_error: np.ndarray
    first_minimum: Estimate
    n_pairs: np.ndarray
    time_unit: str
    dt: float
    label: str

    def summary(self) -> str:
        """Information at lag one and the first minimum."""
        if self.status is not Status.OK:
            return f"mutual information with the past: none ({self.status.value})"
        return (
            f"mutual information with the past: {self.information[0]:.3f} ± "
            f"{self.standard_error[0]:.3f} nats at lag {self.lags[0]}; "
            f"first minimum at {self.first_minimum}"
        )

    def plot(self, ax: Any = None) -> Any:
        """The curve with a band of two standard errors."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line_with_band(
            ax,
            self.lags * self.dt,
            self.information,
            self.information - 2 * self.standard_error,
            self.information + 2 * self.standard_error,
        )
        plot.labels(
            ax,
            xlabel=f"lag ({time_name(self.time_unit)})",
            ylabel="mutual information (nats)",
            title=self.label,
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The curve with its errors."""
        import xarray as xr

        return xr.Dataset(
            {
                "information": ("lag", self.information),
                "standard_error": ("lag", self.standard_error),
                "n_pairs": ("lag", self.n_pairs),
            },
            {"lag": self.lags},
            attrs={"dt": self.dt, "first_minimum": self.first_minimum.value},
        )


def _local_information(pairs: np.ndarray, n_neighbours: int) -> np.ndarray:
    """Contribution of each pair to the estimate, in nats, shape (n,).

    Kraskov, Stoegbauer and Grassberger (2004), eq. 8: ``psi(k) + psi(N) - psi(n_x + 1) -
    psi(n_y + 1)``, with the numbers of points nearer than the k-th neighbour in either coordinate.
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    n = len(pairs)
    reach = cKDTree(pairs).query(pairs, k=n_neighbours + 1, p=np.inf)[0][:, -1]
    total = digamma(n_neighbours) + digamma(n)
    local = np.full(n, float(total))
    for column in range(2):
        ranked = np.sort(pairs[:, column])
        high = np.searchsorted(ranked, pairs[:, column] + reach, side="left")
        low = np.searchsorted(ranked, pairs[:, column] - reach, side="right")
        local -= digamma(np.maximum(high - low, 1))  # the point itself is among them: n_x + 1
    return local


def _pairs(view: Observable, lag: int, max_pairs: int) -> np.ndarray:
    """Present and past values, shape (n, 2), evenly thinned; without those that miss a value."""
    try:
        vectors = delay_vectors(tuple(s[:, :1] for s in view.gapped), 2, lag)
    except InvalidInput:
        return np.zeros((0, 2))
    return vectors.points[:: max(1, -(-len(vectors.points) // max_pairs))]


def _first_minimum(curve: np.ndarray, error: np.ndarray) -> int | None:
    """Place of the first minimum from which the curve rises, or falls no further, within error."""
    if curve[0] < 2 * error[0]:
        return 0
    for i in range(1, len(curve) - 1):
        if not np.isfinite(curve[i]):
            return None
        around = curve[max(0, i - 1) : i + 3]
        if curve[i] <= np.nanmin(around) or curve[i] < 2 * error[i]:
            return i
    return None


@checked
def delayed_information(
    data: Any,
    *,
    max_lag: int | None = None,
    n_neighbours: int = 6,
    max_pairs: int = 5000,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> DelayedInformation:
    r"""Mutual information :math:`I(\tau) = I(x(t); x(t - \tau))` by nearest neighbours.

    The estimator adapts its resolution to the density of the pairs and is unbiased for independent
    values. The first minimum (or the first lag at which the information is within two standard
    errors of zero) is the customary delay of an embedding.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        For several columns the first principal component is used. Pairs with a missing value are
        left out.
    max_lag : int, optional
        Longest lag in samples; by default a twentieth of the record, at most 100.
    n_neighbours : int
        Neighbours that set the local scale: fewer for less bias, more for less variance.
    max_pairs : int
        Pairs used for each lag.
    level : float
        Nominal coverage of the interval of the first minimum.
    seed : int
        For the dither, far below the resolution, that separates equal values.
    throw : bool
        Raise where there is no answer; else the values are NaN and `status` says why.

    Returns
    -------
    DelayedInformation

    Raises
    ------
    InvalidInput
        If a setting is out of range.
    NumericalFailure
        If no lag has 200 pairs, and `throw`.

    Notes
    -----
    The first minimum is a rule of thumb for *two* coordinates; it is no proof that the delay
    suits more (see `nonuniform_embedding`). Cost: O(n_lags * n_pairs log n_pairs).

    References
    ----------
    Kraskov, Stoegbauer and Grassberger (2004), Phys. Rev. E 69, 066138, estimator 1; Fraser and
    Swinney (1986), Phys. Rev. A 33, 1134.

    Examples
    --------
    >>> import numpy as np
    >>> found = delayed_information(np.random.default_rng(0).normal(size=1000), max_lag=3)
    >>> bool(np.all(np.abs(found.information) < 4 * found.standard_error))
    True
    """
    if n_neighbours < 1:
        raise InvalidInput(f"n_neighbours = {n_neighbours}; expected 1 or more.")
    if max_lag is not None and max_lag < 1:
        raise InvalidInput(f"max_lag = {max_lag}; expected a positive number of samples.")
    view = observable(data)
    longest = max(map(len, view.gapped))
    furthest = max(2, min(100, longest // 20)) if max_lag is None else max_lag
    lags = np.arange(1, furthest + 1)
    rng = np.random.default_rng(seed)
    shape = (len(lags), _N_BLOCKS)
    blocks, counts = np.full(shape, np.nan), np.zeros(len(lags), dtype=int)
    levels = np.unique(np.concatenate(view.gapped)[:, 0])
    levels = levels[np.isfinite(levels)]
    grain = 0.5 * float(np.diff(levels).min()) if len(levels) > 1 else 0.0
    for i, lag in enumerate(lags):
        pairs = _pairs(view, int(lag), max_pairs)
        counts[i] = len(pairs)
        if len(pairs) >= _MIN_PAIRS and grain > 0:
            dithered = pairs + grain * rng.uniform(-0.5, 0.5, pairs.shape)
            local = _local_information(dithered, n_neighbours)
            blocks[i] = [part.mean() for part in np.array_split(local, _N_BLOCKS)]
    curve = blocks.mean(axis=1)
    error = blocks.std(axis=1, ddof=1) / np.sqrt(_N_BLOCKS)
    answered = bool(np.isfinite(curve).any())
    status = Status.OK if answered else Status.TOO_SHORT
    require(status, throw=throw)
    cautions = list(view.findings)
    if answered and len(levels) < 50:
        cautions.append(
            Finding(
                "few-levels",
                f"The values have only {len(levels)} levels.",
                "Information within one level is noise of the dither; the curve is a lower bound.",
            )
        )
    return DelayedInformation(
        lags=lags,
        information=curve,
        standard_error=error,
        first_minimum=_minimum(blocks, error, view, level),
        n_pairs=counts,
        time_unit=view.time_unit,
        dt=view.dt,
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={
            "n_neighbours": n_neighbours,
            "max_pairs": max_pairs,
            "seed": seed,
            "level": level,
        },
    )


def _minimum(blocks: np.ndarray, error: np.ndarray, view: Observable, level: float) -> Estimate:
    """First minimum of the curve, and its range over the curves without one block."""
    from scipy.special import stdtrit

    unit = time_name(view.time_unit)
    place = _first_minimum(blocks.mean(axis=1), error)
    if place is None:
        return Estimate(value=np.nan, unit=unit, level=level)
    others = [
        _first_minimum(np.delete(blocks, b, axis=1).mean(axis=1), error) for b in range(_N_BLOCKS)
    ]
    places = np.array([place, *(o for o in others if o is not None)]) + 1.0
    # Jackknife: variance (b - 1) / b times the sum of squares about the mean.
    spread = float(np.sqrt((_N_BLOCKS - 1) * np.mean((places[1:] - places[1:].mean()) ** 2)))
    half = max(spread * float(stdtrit(_N_BLOCKS - 1, 0.5 + level / 2)), 0.5)
    value = (place + 1) * view.dt
    return Estimate(
        value=value,
        interval=(max(value - half * view.dt, view.dt), value + half * view.dt),
        level=level,
        unit=unit,
        method="jackknife over ten blocks, at least half a sample",
    )
