"""Local against global linear prediction: the error as a function of the number of neighbours."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, Status, require
from takens.series.observable import DelayVectors, delay_vectors, observable
from takens.series.prediction import as_estimate, coordinates, ratio_by_blocks
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_MAX_TESTS = 400
_MAX_LIBRARY = 10_000
_MIN_LIBRARY = 100
_N_SIZES = 16


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LocalGlobalCurve(AbstractResult):
    """Out-of-sample error of linear models fitted to ever more neighbours.

    Parameters
    ----------
    gain : Estimate
        Error at the best number of neighbours over the error of the one global model;
        dimensionless. Near 1 a linear model says all there is.
    best_share : float
        That number as a share of all states: small for a deterministic rule with little noise,
        larger for a noisy nonlinear one, 1 for a linear one.
    neighbours : array of int, shape (n_sizes,)
        Numbers of neighbours.
    error, low, high : array, shape (n_sizes,)
        Root mean square over the standard deviation, and interval.
    dimension, delay, lead : int
        Of the delay vectors, and how far ahead was predicted, in samples.
    label : str
        What was predicted.
    """

    gain: Estimate
    best_share: float
    neighbours: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    dimension: int
    delay: int
    lead: int
    label: str

    def summary(self) -> str:
        """How much better local models are, and how local the best is."""
        if not self.gain.is_finite:
            return f"local against global prediction: no answer ({self.status.value})"
        return (
            f"local linear models make {self.gain} of the global one's error, the best with "
            f"{self.best_share:.1%} of the states"
        )

    def plot(self, ax: Any = None) -> Any:
        """Error against number of neighbours."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line_with_band(ax, self.neighbours, self.error, self.low, self.high, marker="o", ms=3)
        ax.set_xscale("log")
        ylabel = "error (standard deviations)"
        plot.labels(ax, xlabel="neighbours fitted", ylabel=ylabel, title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The curve against number of neighbours."""
        import xarray as xr

        curves = {name: ("neighbours", getattr(self, name)) for name in ("error", "low", "high")}
        return xr.Dataset(
            curves, {"neighbours": self.neighbours}, attrs={"best_share": self.best_share}
        )


def nested_errors(
    library: tuple[np.ndarray, np.ndarray, np.ndarray],
    tests: tuple[np.ndarray, np.ndarray, np.ndarray],
    sizes: np.ndarray,
    theiler: int,
) -> np.ndarray:
    """Squared errors of linear models fitted to the nearest states, shape (n_tests, n_sizes).

    Normal equations are summed from the nearest neighbour outwards, so that all sizes cost one
    pass over the sorted library; a ridge of 1e-6 of the mean square steadies small fits.

    Parameters
    ----------
    library, tests : (points, targets, clock)
        Of shapes (n, q), (n, p) and (n,).
    sizes : array of int, shape (n_sizes,)
        Ascending numbers of neighbours.
    """
    points, targets, clock = library
    q = points.shape[1] + 1
    found = np.full((len(tests[0]), len(sizes)), np.nan)
    for row, (state, truth, now) in enumerate(zip(*tests, strict=True)):
        apart = np.abs(clock - now) > theiler
        distance = np.where(apart, np.sum((points - state) ** 2, axis=1), np.inf)
        order = np.argsort(distance)[: int(apart.sum())]
        # About the tested state itself, so that the forecast is the constant term.
        design = np.c_[np.ones(len(order)), points[order] - state]
        gram, moment, start = np.zeros((q, q)), np.zeros((q, targets.shape[1])), 0
        for column, size in enumerate(sizes):
            if size > len(order):
                break
            part = design[start:size]
            gram += part.T @ part
            moment += part.T @ targets[order[start:size]]
            start = size
            ridge = np.diag(np.r_[0.0, np.full(q - 1, 1e-6 * np.trace(gram[1:, 1:]) / q + 1e-300)])
            forecast = np.linalg.solve(gram + ridge, moment)[0]
            found[row, column] = np.sum((truth - forecast) ** 2)
    return found


def _split(vectors: DelayVectors, lead: int) -> tuple[Any, Any]:
    """Library and tests: the first half of the usable states and evenly spread ones of the second."""
    ahead = vectors.successors(lead)
    seen = np.flatnonzero(ahead >= 0)
    half = len(seen) // 2
    first, second = seen[:half], seen[half:]
    first = first[:: max(1, -(-len(first) // _MAX_LIBRARY))]
    second = second[:: max(1, -(-len(second) // _MAX_TESTS))]
    p = vectors.n_components
    return tuple(
        (vectors.points[rows], vectors.points[ahead[rows], :p], vectors.clock[rows])
        for rows in (first, second)
    )  # type: ignore[return-value]


@checked
def local_global_prediction(
    data: Any,
    *,
    dimension: int | None = None,
    delay: int | None = None,
    lead: int | None = None,
    level: float = 0.9,
    throw: bool = True,
) -> LocalGlobalCurve:
    """Prediction error of linear models against the number of neighbours they are fitted to.

    For each state of the second half of the record, linear models are fitted to its k nearest
    states of the first half, from a few to all of them (the global linear model).

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        States with a missing coordinate or target are left out.
    dimension, delay : int, optional
        Of the delay vectors; by default from `embedding`. Delay in samples.
    lead : int, optional
        Samples ahead; by default one delay.
    level : float
        Nominal coverage of the intervals.
    throw : bool
        Whether to raise where there is no answer.

    Returns
    -------
    LocalGlobalCurve

    Raises
    ------
    InvalidInput
        If `lead` is below 1, or no stretch holds a delay vector.
    NumericalFailure
        If a half holds fewer than 100 states, and `throw`.

    Notes
    -----
    The smallest of several errors is compared with one, so `gain` is below 1 by chance on a linear
    process; the interval, a jackknife over ten blocks of time, does *not* allow for that choice.
    A change of law between the halves looks like unpredictability. Cost: 400 tests, each a sort of
    at most 10,000 states.

    References
    ----------
    Casdagli (1992), J. R. Stat. Soc. B 54, 303; Casdagli and Weigend (1994), in Time Series
    Prediction, 347.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.empty(600)
    >>> x[0] = 0.3
    >>> for n in range(599):
    ...     x[n + 1] = 3.9 * x[n] * (1 - x[n])
    >>> curve = local_global_prediction(x)
    >>> curve.gain.value < 0.05, curve.best_share < 0.1
    (True, True)
    """
    if lead is not None and lead < 1:
        raise InvalidInput(f"lead = {lead}; a forecast looks at least one sample ahead.")
    view = observable(data)
    at = coordinates(view, dimension, delay)
    ahead = lead or at.delay
    vectors = delay_vectors(view.gapped, at.dimension, at.delay)
    library, tests = _split(vectors, ahead)
    fewest = 2 * (library[0].shape[1] + 1)
    status = Status.OK if len(library[0]) >= max(_MIN_LIBRARY, fewest) else Status.TOO_SHORT
    require(status, throw=throw)
    most = max(len(library[0]) - 2 * at.theiler - 1, fewest + 1)
    sizes = np.unique(np.round(np.geomspace(fewest, most, _N_SIZES)).astype(int))
    curve = gain = (np.full(len(sizes), np.nan),) * 3
    best = 0
    if status is Status.OK:
        squared = nested_errors(library, tests, sizes, at.theiler)
        spread = np.sum((tests[1] - library[1].mean(axis=0)) ** 2, axis=1)[:, None]
        curve = ratio_by_blocks(squared, np.broadcast_to(spread, squared.shape), level=level)
        best = int(np.nanargmin(curve[0]))
        gain = ratio_by_blocks(squared[:, best, None], squared[:, -1, None], level=level)
    return LocalGlobalCurve(
        gain=as_estimate(gain[0][0], gain[1][0], gain[2][0], level, "jackknife over ten blocks"),
        best_share=float(sizes[best] / sizes[-1]) if status is Status.OK else float("nan"),
        neighbours=sizes,
        error=curve[0],
        low=curve[1],
        high=curve[2],
        dimension=at.dimension,
        delay=at.delay,
        lead=ahead,
        label=view.label,
        status=status,
        cautions=view.findings,
        provenance={**at.described(), "n_tests": len(tests[0]), "n_library": len(library[0])},
    )
