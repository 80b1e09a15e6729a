"""Lyapunov spectrum of a record from local maps, spurious exponents rejected by reversing time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, Status, require
from takens.series.embedding import Embedding, embedding
from takens.series.observable import Observable, observable, time_name
from takens.series.reversal import AGREE_TOP, N_BLOCKS, Reversal, confirmed, reversals
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_WORST_MISFIT = 0.35  # of the standard deviation: above it the local maps forecast too little


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ObservedLyapunovSpectrum(AbstractResult):
    """Lyapunov exponents of a record that survive the reversal of time.

    Parameters
    ----------
    exponents, standard_error : array, shape (exponent,)
        Confirmed exponents in descending order, per time unit, natural logarithm.
    intervals : array, shape (exponent, 2)
        At `level`.
    blocks : array, shape (block, exponent)
        Exponents of consecutive pieces of the record, median over settings.
    zero : int
        Index of the exponent whose interval holds zero and that is nearest to it, as every flow
        must have; -1 if there is none.
    kaplan_yorke : Estimate
        Dimension from the confirmed exponents; NaN where their sum stays positive, because the
        contracting exponent that would end it was not confirmed.
    candidates, reversed_candidates : array, shape (n_settings, n_candidates)
        All exponents of the local maps, and those of the reversed record with their sign changed
        and in descending order; NaN where a setting has fewer.
    settings : array of int, shape (n_settings, 3)
        Dimension, delay in samples, neighbours.
    misfit : float
        Root-mean-square error of the local maps one delay ahead or back, whichever is larger, in
        standard deviations; the smallest over settings.
    level : float
        Nominal coverage of the intervals.
    time_unit : str
        Unit of time.
    """

    exponents: np.ndarray
    standard_error: np.ndarray
    intervals: np.ndarray
    blocks: np.ndarray
    zero: int
    kaplan_yorke: Estimate
    candidates: np.ndarray
    reversed_candidates: np.ndarray
    settings: np.ndarray
    misfit: float
    level: float
    time_unit: str

    def summary(self) -> str:
        """Confirmed exponents with intervals, and the dimension."""
        if self.status is not Status.OK:
            return f"Lyapunov spectrum from data: none ({self.status.value})"
        shown = ", ".join(
            f"{value:.4g} ({low:.4g} to {high:.4g})"
            for value, (low, high) in zip(self.exponents, self.intervals, strict=True)
        )
        return (
            f"Lyapunov exponents confirmed by time reversal: {shown}; "
            f"Kaplan-Yorke dimension {self.kaplan_yorke}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Candidates forward and reversed, with the confirmed exponents as lines."""
        from takens import plot

        ax = plot.axes(ax)
        rows = np.arange(len(self.settings))
        for values, marker, label in (
            (self.candidates, "o", "forward"),
            (self.reversed_candidates, "x", "reversed, sign changed"),
        ):
            at = np.repeat(rows, values.shape[1])
            ax.plot(values.ravel(), at, marker, label=label)
        for value in self.exponents:
            ax.axvline(value, color="0.6", lw=1)
        ax.set_yticks(rows, [f"m {m}, delay {d}, {k} neighbours" for m, d, k in self.settings])
        ax.legend()
        return plot.labels(ax, plot.quantity("exponent", f"1/{time_name(self.time_unit)}"), "")

    def to_xarray(self) -> xr.Dataset:
        """Exponents, errors, blocks and candidates with named dimensions."""
        import xarray as xr

        return xr.Dataset(
            {
                "exponent": ("index", self.exponents),
                "standard_error": ("index", self.standard_error),
                "interval": (("index", "end"), self.intervals),
                "block": (("piece", "index"), self.blocks),
                "candidate": (("setting", "rank"), self.candidates),
                "reversed_candidate": (("setting", "rank"), self.reversed_candidates),
                "settings": (("setting", "which"), self.settings),
            },
            {"which": ["dimension", "delay", "neighbours"]},
            attrs={"kaplan_yorke": self.kaplan_yorke.value, "misfit": self.misfit},
        )


def _dimension(exponents: np.ndarray) -> float:
    """Kaplan-Yorke dimension; NaN where the sum of all is still positive."""
    sums = np.cumsum(exponents)
    ended = np.flatnonzero(sums < 0)
    if not ended.size:
        return float("nan")
    j = int(ended[0])
    return j + float(sums[j - 1] / abs(exponents[j])) if j else 0.0


def _kaplan_yorke(values: np.ndarray, errors: np.ndarray, level: float) -> Estimate:
    """Dimension, its error propagated from those of the exponents."""
    from scipy.special import stdtrit

    centre = _dimension(values)
    shifted = []
    for i, error in enumerate(errors):
        step = np.zeros(len(values))
        step[i] = error
        shifted.append((_dimension(values + step) - _dimension(values - step)) / 2)
    error = float(np.sqrt(np.sum(np.square(shifted)))) if shifted else np.nan
    if not np.isfinite([centre, error]).all():
        return Estimate(value=np.nan, level=level)
    half = float(stdtrit(N_BLOCKS - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=centre,
        interval=(max(centre - half, 0.0), centre + half),
        standard_error=error,
        level=level,
        method="propagated from the exponents",
    )


@checked
def lyapunov_spectrum_from_data(
    data: Any,
    *,
    settings: Embedding | None = None,
    level: float = 0.9,
    throw: bool = True,
) -> ObservedLyapunovSpectrum:
    r"""Lyapunov exponents of a record, those that change their sign when time is reversed.

    Local maps with curvature are fitted along the orbit in delay space; an orthonormal frame is
    pushed through their derivatives and restored by QR, as in

    .. math:: J_k Q_{k-1} = Q_k R_k, \qquad
              \lambda_i = \lim_n \frac{1}{n \tau\, dt} \sum_{k=1}^{n} \ln |R_k|_{ii} .

    In a delay space of more dimensions than the motion has, some of these exponents are
    spurious. The smallest dimension whose maps forecast within 1.5 of the best is used, and the
    next. The same is done with the record reversed in time: the exponents of the motion
    change their sign, the others have no reason to. What has a partner within 20 % (and 0.3 of
    the largest exponent), and no rival nearly as near, is confirmed: in half of the settings, or
    in three of four if it contracts, where chance partners are many. An expanding or neutral
    exponent is read forward, where the data fill its direction; a contracting one is the mean of
    both directions, which err to opposite sides. The interval joins blocks of the record, the
    spread over settings and, for a contracting one, half the difference of the directions.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Missing samples are used as missing: delay vectors that hold one are left out.
    settings : Embedding, optional
        Made from `data` when not given.
    level : float
        Nominal coverage of the intervals.
    throw : bool
        Raise where there is no answer; else there are no exponents and `status` says why.

    Returns
    -------
    ObservedLyapunovSpectrum
        Exponents in 1 / `time_unit`.

    Raises
    ------
    NumericalFailure
        If the record is too short, the local maps forecast too little (noise), or no exponent is
        confirmed, and `throw`.

    Notes
    -----
    Strong contraction is out of reach: once an error has shrunk below the resolution of the data
    within one delay, its rate cannot be read, and such exponents are missing rather than wrong. A
    motion that cannot be run backwards, as of a one-dimensional map, confirms nothing: use
    `largest_lyapunov`. It does *not* establish determinism. Cost: twice a local fit with
    curvature at up to 1,500 references for each of four settings, under a second.

    References
    ----------
    Sano and Sawada (1985), Phys. Rev. Lett. 55, 1082; Eckmann, Oliffson Kamphorst, Ruelle and
    Ciliberto (1986), Phys. Rev. A 34, 4971; Brown, Bryant and Abarbanel (1991), Phys. Rev. A 43,
    2787; Parlitz (1992), Int. J. Bifurcation Chaos 2, 155 (time reversal).

    Examples
    --------
    >>> import numpy as np
    >>> x = np.empty(3000)
    >>> x[:2] = 0.1, 0.2
    >>> for n in range(2, 3000):
    ...     x[n] = 1 - 1.4 * x[n - 1] ** 2 + 0.3 * x[n - 2]
    >>> found = lyapunov_spectrum_from_data(x)
    >>> len(found.exponents), bool(0.38 < found.exponents[0] < 0.46)
    (2, True)
    """
    view = observable(data)
    rows: list[Reversal] = []
    if not view.constant:
        chosen = embedding(view) if settings is None else settings
        rows = reversals(view, chosen)
    status, cautions, groups = Status.OK, list(view.findings), list[np.ndarray]()
    misfit = min((row.misfit for row in rows), default=float("nan"))
    if not rows:
        status = Status.TOO_SHORT
    elif misfit > _WORST_MISFIT:
        status = Status.NOT_APPLICABLE
        cautions.append(_unforeseeable(misfit))
    else:
        span = max(m * d for m, d, _ in (row.label for row in rows)) * view.dt
        groups = confirmed(rows, 0.01 / span)
        if not groups:
            status = Status.NOT_APPLICABLE
            cautions.append(_irreversible())
    require(status, throw=throw)
    return _result(view, rows, groups, level, status, tuple(cautions), misfit)


def _result(
    view: Observable,
    rows: list[Reversal],
    groups: list[np.ndarray],
    level: float,
    status: Status,
    cautions: tuple[Finding, ...],
    misfit: float,
) -> ObservedLyapunovSpectrum:
    """Values and intervals of the confirmed exponents."""
    from scipy.special import stdtrit

    blocks = np.array([np.nanmedian(g, axis=0) for g in groups]).T.reshape(N_BLOCKS, -1)
    centres = [np.nanmean(g, axis=1) for g in groups]
    values = np.array([np.median(c) for c in centres])
    sampling = np.nanstd(blocks, axis=0, ddof=1) / np.sqrt(N_BLOCKS)
    between = np.array([np.std(c, ddof=1) if len(c) > 1 else 0.0 for c in centres])
    contracting = values < -AGREE_TOP * max(values.max(initial=0.0), 0.0)
    apart = np.array([_direction_gap(rows, value) for value in values]) * contracting
    errors = np.sqrt(sampling**2 + between**2 + apart**2)
    half = float(stdtrit(N_BLOCKS - 1, 0.5 + level / 2)) * errors
    intervals = np.stack([values - half, values + half], axis=1).reshape(-1, 2)
    holds = np.flatnonzero((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0))
    width = max((row.forward.shape[1] for row in rows), default=0)
    candidates = np.full((2, len(rows), width), np.nan)
    for i, row in enumerate(rows):
        n = row.forward.shape[1]
        candidates[0, i, :n] = np.nanmean(row.forward, axis=0)
        candidates[1, i, :n] = np.nanmean(row.backward, axis=0)
    return ObservedLyapunovSpectrum(
        exponents=values,
        standard_error=errors,
        intervals=intervals,
        blocks=blocks,
        zero=int(holds[np.argmin(np.abs(values[holds]))]) if holds.size else -1,
        kaplan_yorke=_kaplan_yorke(values, errors, level),
        candidates=candidates[0],
        reversed_candidates=candidates[1],
        settings=np.array([row.label for row in rows], dtype=int).reshape(-1, 3),
        misfit=misfit,
        level=level,
        time_unit=view.time_unit,
        status=status,
        cautions=cautions,
        provenance={"level": level},
    )


def _direction_gap(rows: list[Reversal], value: float) -> float:
    """Median over settings of half the distance between the two directions, nearest `value`."""
    gaps = []
    for row in rows:
        f, b = np.nanmean(row.forward, axis=0), np.nanmean(row.backward, axis=0)
        i, j = np.nanargmin(np.abs(f - value)), np.nanargmin(np.abs(b - value))
        gaps.append(abs(float(f[i] - b[j])) / 2)
    return float(np.median(gaps))


def _unforeseeable(misfit: float) -> Finding:
    return Finding(
        "no-local-maps",
        f"The local maps miss by {misfit:.0%} of the standard deviation one delay ahead (at most "
        f"{_WORST_MISFIT:.0%}): they describe noise, or too few data for the dimension.",
        "Test for determinism first; measure longer or with less noise.",
    )


def _irreversible() -> Finding:
    return Finding(
        "no-exponent-confirmed",
        "No exponent changes its sign when time is reversed: the motion cannot be run backwards "
        "(a map of one dimension), or the data do not resolve it.",
        "Ask for the largest exponent alone.",
    )
