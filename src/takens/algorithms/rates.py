"""How fast a sequence converges, read from the sequence alone."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require

if TYPE_CHECKING:
    import xarray as xr

LEAST_ROWS = 24  # differences that a window must hold
WINDOWS = (1, 2, 4, 8)  # the last whole, half, quarter and eighth of what is above rounding
RANKS = (1, 2, 3, 4, 5, 6)
LAGS = 8  # delays at most that stand in for columns, where those are few
ROUNDING = 1e-12  # of a value's size: differences below a few of these are not looked at
POOR = 3.0  # residual of a window's best rank beyond which another rank is not believed
APART = 0.2  # relative spread of the rates (of minus their logarithm) that is no agreement


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ConvergenceRate(AbstractResult):
    r"""By which factor a sequence shrinks its distance to the limit in each step.

    Parameters
    ----------
    rate : Estimate
        The modulus of the slowest multiplier; NaN where windows and ranks disagree.
    multiplier : complex
        The slowest itself, as the last window has it.
    remaining : Estimate
        Steps until the distance is `tol` of what it is at the end of the record.
    tol : float
    windows : array of int, shape (estimate,)
        Rows of each window.
    ranks : array of int, shape (estimate,)
    rates : array, shape (estimate,)
        The rate by each window and rank.
    """

    rate: Estimate
    multiplier: complex
    remaining: Estimate
    tol: float
    windows: np.ndarray
    ranks: np.ndarray
    rates: np.ndarray

    def summary(self) -> str:
        """Rate, and what it means in steps."""
        if self.status is not Status.OK:
            why = "; ".join(str(c) for c in self.cautions) or self.status.value
            return f"rate: none ({why})"
        return (
            f"rate {self.rate} for each step; {self.remaining} steps for a factor of {self.tol:g}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Every window and rank."""
        from takens import plot

        ax = plot.axes(ax)
        for rank in np.unique(self.ranks):
            these = self.ranks == rank
            ax.plot(self.windows[these], self.rates[these], "o", ms=3, label=f"rank {rank}")
        if self.rate.is_finite:
            ax.axhspan(*self.rate.interval, color="0.85", zorder=0)
        ax.set_xscale("log")
        ax.legend()
        return plot.labels(ax, "rows of the window", "rate for each step")

    def to_xarray(self) -> xr.Dataset:
        """Every window and rank."""
        import xarray as xr

        return xr.Dataset(
            {
                "rate": ("estimate", self.rates),
                "window": ("estimate", self.windows),
                "rank": ("estimate", self.ranks),
            },
            attrs={
                "value": self.rate.value,
                "low": self.rate.interval[0],
                "high": self.rate.interval[1],
            },
        )


def convergence_rate(data: Any, *, tol: float = 1e-3, throw: bool = True) -> ConvergenceRate:
    r"""The rate at which a sequence converges, from its differences, with an interval.

    Differences :math:`d_n = y_{n+1} - y_n` of a linear iteration obey :math:`d_{n+1} = M d_n` whatever
    its limit. M is fitted on the leading singular directions of the differences (with some delays,
    where columns are few), each pair of rows over its own size, for several windows at the end of the
    record and several ranks. The rate is the modulus of the slowest multiplier that has a part in the
    last difference; windows and ranks that fit well must agree.

    Parameters
    ----------
    data : array, shape (step,) or (step, column)
        Weights, random projections of them, losses, or anything else that converges, at every step
        or at every so many; the rate is for one row.
    tol : float
        Factor by which the remaining distance should shrink.
    throw : bool
        Whether to raise where there is no answer.

    Returns
    -------
    ConvergenceRate

    Raises
    ------
    InvalidInput
        If the data are not finite numbers over at least 26 steps.
    NumericalFailure
        If nothing moves, or windows and ranks disagree ("not yet asymptotic"), and `throw`.

    Notes
    -----
    Without a limit or a constant in the fit, a decomposition of the values themselves is biased
    towards one; differences have none. A loss near a minimum shrinks by the square of the rate of the
    weights. That windows agree does not establish that they are asymptotic: a mode too weak to be seen
    may still be slower. Noise of batches makes rates of differences meaningless; it shows as
    disagreement.

    Cost: ``window * (columns * lags)**2`` for each of four windows.

    References
    ----------
    Schmid, J. Fluid Mech. 656, 5 (2010), on the decomposition.

    Examples
    --------
    >>> n = np.arange(200.0)
    >>> found = convergence_rate(5 + 0.97**n + 0.3 * 0.5**n)
    >>> round(found.rate.value, 6)
    0.97
    """
    values = _checked(data, tol)
    steps = _above_rounding(values)
    rows = [len(steps) // share for share in WINDOWS]
    tried: list[tuple[int, int, float, complex]] = []
    for window in dict.fromkeys(r for r in rows if r >= LEAST_ROWS):
        tried.extend(_window(steps[-window:], window))
    if not tried:
        return _none("too-short", f"{len(steps)} differences are above rounding.",
                     "Record from earlier on, or more often.", Status.TOO_SHORT, tol, throw)  # fmt: skip
    good = _believed(tried)
    moduli = np.array([abs(t[3]) for t in good])
    arrays = (np.array([t[0] for t in tried]), np.array([t[1] for t in tried]),
              np.array([abs(t[3]) for t in tried]))  # fmt: skip
    low, high = float(moduli.min()), float(moduli.max())
    middle = float(np.median(moduli))
    if not _agree(low, high):
        return _none(
            "not-yet-asymptotic", f"Windows and ranks put the rate between {low:.6g} and {high:.6g}.",
            "Run longer; several modes still shrink at once, or batches make noise.",
            Status.NOT_CONVERGED, tol, throw, arrays,
        )  # fmt: skip
    # What the windows differ by is bias of modes that still fade: the truth lies beyond the last of
    # them as often as between them, so their range is widened by itself on both sides. A quarter of
    # what the last rank changed stands for the ranks that were not taken: where the limit was known and
    # an interval had missed it, the bias was some eighth of that change. Rounding, and what no rank
    # holds, move a multiplier by about the residual over the root of the rows.
    loose = float(np.median([t[2] / np.sqrt(t[0]) for t in good]))
    reach = high - low + 2 * loose + 0.25 * _last_gain(tried) + 1e-9
    low, high = max(low - reach, 0.0), high + reach
    rate = Estimate(value=middle, interval=(low, high), level=0.9, method="windows x ranks")
    return ConvergenceRate(
        rate=rate, multiplier=complex(good[-1][3]), remaining=_remaining(rate, tol), tol=tol,
        windows=arrays[0], ranks=arrays[1], rates=arrays[2],
    )  # fmt: skip


def _checked(data: Any, tol: float) -> np.ndarray:
    try:
        values = np.array(data, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInput("The data are no array of real numbers over steps.") from None
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[1] == 0 or len(values) < LEAST_ROWS + 2:
        raise InvalidInput(
            f"The data have shape {np.shape(data)}; expected (step,) or (step, column) with at least "
            f"{LEAST_ROWS + 2} steps."
        )
    if not np.isfinite(values).all():
        first = int(np.argmax(~np.isfinite(values).all(axis=1)))
        raise InvalidInput(
            f"Row {first} is not finite: the run has diverged, or a value is missing."
        )
    if not 0 < tol < 1:
        raise InvalidInput(f"tol = {tol}; expected between 0 and 1.")
    return values


def _above_rounding(values: np.ndarray) -> np.ndarray:
    """Differences, up to the last that is more than rounding of the values."""
    steps = np.diff(values, axis=0)
    floor = ROUNDING * np.abs(values).max() * np.sqrt(values.shape[1])
    large = np.linalg.norm(steps, axis=1) > 100 * floor
    return steps[: int(np.flatnonzero(large)[-1]) + 1] if large.any() else steps[:0]


def _window(steps: np.ndarray, window: int) -> list[tuple[int, int, float, complex]]:
    """(window, rank, residual, slowest multiplier) for every rank that the window bears."""
    columns = steps.shape[1]
    lags = int(np.clip(-(-LAGS // columns), 1, max(window // 4, 1)))
    held = np.concatenate([steps[i : window - lags + 1 + i] for i in range(lags)], axis=1)
    size = np.linalg.norm(held, axis=1)
    usable = size[:-1] > 0
    before = held[:-1][usable] / size[:-1][usable, None]
    after = held[1:][usable] / size[:-1][usable, None]
    last = held[-1] / max(float(size[-1]), 1e-300)
    left, singular, right = np.linalg.svd(before, full_matrices=False)
    found = []
    for rank in RANKS:
        if rank > min(len(singular), len(before) // 4) or singular[rank - 1] <= 1e-9 * singular[0]:
            break
        basis = right[:rank].T
        small = basis.T @ after.T @ left[:, :rank] / singular[:rank]
        multipliers, vectors = np.linalg.eig(small)
        parts = np.abs(np.linalg.solve(vectors, basis.T @ last.astype(complex)))
        parts *= np.linalg.norm(vectors, axis=0)
        present = parts >= 1e-3 * parts.max()
        slowest = multipliers[present][np.abs(multipliers[present]).argmax()]
        left_over = after - (before @ basis) @ small.T @ basis.T
        residual = float(np.sqrt((left_over**2).mean() / (after**2).mean()))
        found.append((window, rank, residual, complex(slowest)))
    return found


def _believed(
    tried: list[tuple[int, int, float, complex]],
) -> list[tuple[int, int, float, complex]]:
    """Of each window the ranks that leave hardly more than its best."""
    good: list[tuple[int, int, float, complex]] = []
    for window in dict.fromkeys(t[0] for t in tried):
        these = [t for t in tried if t[0] == window]
        least = max(min(t[2] for t in these), 1e-7)
        good.extend(t for t in these if t[2] <= POOR * least)
    return good


def _last_gain(tried: list[tuple[int, int, float, complex]]) -> float:
    """By how much the best rank of a window moved the rate from that of the rank before; median."""
    gains = []
    for window in dict.fromkeys(t[0] for t in tried):
        these = [t for t in tried if t[0] == window]
        best = int(np.argmin([t[2] for t in these]))
        if best:
            gains.append(abs(abs(these[best][3]) - abs(these[best - 1][3])))
    return float(np.median(gains)) if gains else 0.0


def _agree(low: float, high: float) -> bool:
    if not low > 0:
        return False
    slow, fast = -np.log(high), -np.log(low)
    middle = 0.5 * (slow + fast)
    return bool(abs(fast - slow) <= max(APART * abs(middle), 1e-7))


def _remaining(rate: Estimate, tol: float) -> Estimate:
    """Steps for a factor `tol`; infinite where the rate may be one or more."""
    steps = [np.log(tol) / np.log(r) if 0 < r < 1 else (np.inf if r >= 1 else 0.0)
             for r in (rate.value, *rate.interval)]  # fmt: skip
    return Estimate(value=float(steps[0]), interval=(float(steps[1]), float(steps[2])), level=rate.level,
                    method=rate.method)  # fmt: skip


def _none(
    code: str, text: str, action: str, status: Status, tol: float, throw: bool,
    arrays: tuple[np.ndarray, ...] = (np.empty(0, int), np.empty(0, int), np.empty(0)),
) -> ConvergenceRate:  # fmt: skip
    require(status, throw=throw)
    nothing = Estimate(value=np.nan, method="none")
    return ConvergenceRate(
        rate=nothing, multiplier=complex(np.nan), remaining=nothing, tol=tol, windows=arrays[0],
        ranks=arrays[1], rates=arrays[2], status=status, cautions=(Finding(code, text, action),),
    )  # fmt: skip
