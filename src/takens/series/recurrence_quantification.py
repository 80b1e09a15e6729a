"""Recurrence quantification: how the recurrences of one record, or of two, form lines."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.recurrence import (
    DEFAULT_RATE,
    Norm,
    States,
    check_rule,
    gap_findings,
    groups_of,
    radius_at,
    states_of,
)
from takens.series.recurrence_lines import NAMES, LineCounts, count_lines, estimates
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_MOST_STATES = 200_000

LONG_NAMES = {
    "recurrence_rate": "recurrence rate",
    "determinism": "determinism",
    "mean_line": "mean diagonal line (samples)",
    "line_entropy": "entropy of diagonal lines (nats)",
    "laminarity": "laminarity",
    "trapping_time": "trapping time (samples)",
    "recurrence_time": "recurrence time, first kind (samples)",
    "return_time": "recurrence time, second kind (samples)",
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RecurrenceQuantification(AbstractResult):
    """Measures of the lines in a recurrence matrix.

    Parameters
    ----------
    recurrence_rate : Estimate
        Share of the pairs of states that recur (RR).
    determinism : Estimate
        Share of the recurrences on diagonal lines of at least `shortest` samples (DET).
    mean_line, line_entropy : Estimate
        Mean length of these lines, in samples (L), and Shannon entropy of their lengths, in nats
        (ENTR), allowing for lines that are cut.
    laminarity, trapping_time : Estimate
        Share of the recurrences on vertical lines of at least `shortest_vertical` samples (LAM),
        and the mean length of these, in samples (TT).
    recurrence_time, return_time : Estimate
        Mean time, in samples, between successive recurrences to a state (T1), and from one entry
        into its neighbourhood to the next (T2), each one over the rate of the event (Kac's lemma).
    longest_line, longest_vertical : int
        In samples (Lmax, Vmax); extremes have no interval, and those that touch a border are lower
        bounds.
    divergence : float
        ``1 / longest_line``, per sample (DIV).
    radius : tuple of float
        In standard deviations; one for each record.
    kind : {"auto", "cross", "joint"}
        Of one record; of one against another; of two at once.
    norm : str
        Euclidean or maximum.
    dimension, delay, theiler, shortest, shortest_vertical : int
        Settings, in samples but for the first.
    n_states : int
        Complete states (of the first record).
    diagonal_counts, vertical_counts : array of int, shape (longest + 1,)
        Number of lines of each length, cut ones included.
    dt : float
        Sampling step in `time_unit`.
    time_unit, label : str
        Unit of time, and what was analysed.
    """

    recurrence_rate: Estimate
    determinism: Estimate
    mean_line: Estimate
    line_entropy: Estimate
    laminarity: Estimate
    trapping_time: Estimate
    recurrence_time: Estimate
    return_time: Estimate
    longest_line: int
    longest_vertical: int
    divergence: float
    radius: tuple[float, ...]
    kind: str
    norm: str
    dimension: int
    delay: int
    theiler: int
    shortest: int
    shortest_vertical: int
    n_states: int
    diagonal_counts: np.ndarray
    vertical_counts: np.ndarray
    dt: float
    time_unit: str
    label: str

    def summary(self) -> str:
        """Each measure with its interval."""
        if self.status is not Status.OK:
            return f"recurrence quantification: no answer ({self.status.value})"
        rows = [f"{LONG_NAMES[name]}: {getattr(self, name)}" for name in NAMES]
        longest = f"longest lines: diagonal {self.longest_line}, vertical {self.longest_vertical}"
        return "; ".join([*rows, longest])

    def plot(self, ax: Any = None) -> Any:
        """How many diagonal and vertical lines are at least so long."""
        from takens import plot

        ax = plot.axes(ax)
        for counts, label in (
            (self.diagonal_counts, "diagonal"),
            (self.vertical_counts, "vertical"),
        ):
            beyond = np.cumsum(counts[::-1])[::-1][1:]
            shown = beyond > 0
            if shown.any():
                at = np.arange(1, len(counts))[shown]
                plot.line(ax, at, beyond[shown], label=label, drawstyle="steps-pre")
                ax.set_yscale("log")
        plot.labels(
            ax, xlabel="length (samples)", ylabel="lines at least so long", title=self.label
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Line counts by length; the measures as attributes."""
        import xarray as xr

        return xr.Dataset(
            {
                "diagonal": ("length", self.diagonal_counts),
                "vertical": ("height", self.vertical_counts),
            },
            {
                "length": np.arange(len(self.diagonal_counts)),
                "height": np.arange(len(self.vertical_counts)),
            },
            attrs={name: getattr(self, name).value for name in NAMES}
            | {"longest_line": self.longest_line, "longest_vertical": self.longest_vertical},
        )


def check_lines(shortest: int, shortest_vertical: int) -> None:
    """Refuse lines of less than two points."""
    if shortest < 2 or shortest_vertical < 2:
        raise InvalidInput(
            f"shortest = {shortest}, shortest_vertical = {shortest_vertical}; a line has 2 points."
        )


def _longest(counts: np.ndarray) -> int:
    seen = np.flatnonzero(counts)
    return int(seen[-1]) if seen.size else 0


def _cut_findings(values: dict[str, Estimate]) -> tuple[Finding, ...]:
    """A caution where long lines are seen in pieces only."""
    bounds = [LONG_NAMES[name] for name in NAMES if values[name].method == "lower bound"]
    if not bounds:
        return ()
    return (
        Finding(
            "lines-cut",
            "Of the longest lines only pieces are seen, between borders and missing states: "
            f"{', '.join(bounds)} are lower bounds, without an interval.",
            "Give a longer record, or one with fewer missing samples.",
        ),
    )


def answer(
    counts: LineCounts | None,
    states: States,
    *,
    kind: str,
    radius: tuple[float, ...],
    norm: str,
    shortest: int,
    shortest_vertical: int,
    level: float,
    status: Status,
    cautions: tuple[Finding, ...],
    provenance: dict[str, Any],
    scattered: bool = False,
) -> RecurrenceQuantification:
    """The result from the counts; NaN where there are none. `scattered`: samples are missing."""
    if counts is None:
        values = {name: Estimate(value=np.nan, level=level) for name in NAMES}
        diagonal = vertical = np.zeros(1, np.int64)
    else:
        values = estimates(counts, shortest, shortest_vertical, level, scattered=scattered)
        diagonal = counts.diagonal[:, -1].sum(axis=0)
        vertical = counts.vertical[:, -1].sum(axis=0)
        cautions = (*cautions, *_cut_findings(values))
    diagonal = diagonal[: _longest(diagonal) + 1]
    vertical = vertical[: _longest(vertical) + 1]
    return RecurrenceQuantification(
        **values,
        longest_line=len(diagonal) - 1,
        longest_vertical=len(vertical) - 1,
        divergence=1 / (len(diagonal) - 1) if len(diagonal) > 1 else float("nan"),
        radius=radius,
        kind=kind,
        norm=norm,
        dimension=states.dimension,
        delay=states.delay,
        theiler=states.theiler,
        shortest=shortest,
        shortest_vertical=shortest_vertical,
        n_states=int(states.known.sum()),
        diagonal_counts=diagonal,
        vertical_counts=vertical,
        dt=states.view.dt,
        time_unit=states.view.time_unit,
        label=states.view.label,
        status=status,
        cautions=cautions,
        provenance=provenance,
    )


def check_size(*several: States) -> None:
    """Refuse records whose pairs would take minutes to hours."""
    for states in several:
        if states.n > _MOST_STATES:
            raise InvalidInput(
                f"{states.n} states, so {states.n**2:.1g} pairs; at most {_MOST_STATES} are "
                "compared. Give a part of the record, every n-th sample, or use "
                "recurrence_windows."
            )


@checked
def recurrence_quantification(
    data: Any,
    *,
    rate: float | None = None,
    radius: float | None = None,
    norm: Norm = "euclidean",
    dimension: int | None = None,
    delay: int | None = None,
    theiler: int | None = None,
    shortest: int = 2,
    shortest_vertical: int = 2,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> RecurrenceQuantification:
    """Recurrence quantification analysis, without a recurrence matrix.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Several columns are embedded jointly through their leading principal components.
    rate : float, optional
        Share of the pairs of states that are to recur; 5 % when neither it nor `radius` is given. A
        fixed rate makes records of different noise, scale and dimension comparable.
    radius : float, optional
        Distance within which states recur, in standard deviations.
    norm : {"euclidean", "maximum"}
    dimension, delay, theiler : int, optional
        Of the delay vectors, and half the width of the corridor about the main diagonal, of pairs
        that are neighbours in time only; by default from `embedding`.
    shortest, shortest_vertical : int
        Samples that make a line.
    level : float
        Nominal coverage of the intervals, from leaving out one of ten blocks of time after the
        other. They hold for the radius found, not for the choice of it.
    seed : int
        For the pairs from which the radius is found.
    throw : bool
        Raise where nothing varies or the record is too short; else every value is NaN.

    Returns
    -------
    RecurrenceQuantification

    Raises
    ------
    InvalidInput
        If there are more than 200,000 states, or a setting is out of range.
    NumericalFailure
        If the record is constant or has fewer than 100 complete states, and `throw`.

    Notes
    -----
    Lines end at a missing state, at the borders and at the corridor. Shares (DET, LAM) count only
    points whose neighbours along the line are known; lengths (L, ENTR, TT) follow from the
    product-limit estimate, in which a cut line is longer than what is seen of it. Independent
    noise at rate p has DET = ``1 - (1 - p)^2``, L = ``2 + p / (1 - p)`` and T1 = ``1 / p``. A high
    determinism alone is *not* a sign of determinism: any densely sampled or autocorrelated record
    has it; compare with surrogates. Cost: 1.5 N^2 distances (0.1 s for 5,000 states); memory
    O(N) for each thread.

    References
    ----------
    Webber and Zbilut (1994), J. Appl. Physiol. 76, 965; Marwan, Romano, Thiel and Kurths (2007),
    Phys. Rep. 438, 237, section 3.5; times of recurrence: Gao and Cai (2000), Phys. Lett. A 270, 75.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).uniform(size=1000)
    >>> found = recurrence_quantification(noise, rate=0.1, dimension=1, theiler=0)
    >>> round(found.determinism.value, 2)  # 1 - 0.9^2
    0.19
    """
    check_rule(rate, radius, norm, theiler)
    check_lines(shortest, shortest_vertical)
    states = states_of(data, dimension, delay, theiler)
    check_size(states)
    status = Status.OK if states.known.sum() >= 100 else Status.TOO_SHORT
    cautions = [*states.view.findings, *gap_findings(states)]
    if states.view.constant:
        status = Status.NOT_APPLICABLE
        cautions.append(
            Finding("constant", "Nothing varies: every state recurs at once.", "", "serious")
        )
    require(status, throw=throw)
    counts = None
    found = radius if radius is not None else float("nan")
    if status is Status.OK:
        if radius is None:
            found = radius_at(
                states.points, states.points, rate or DEFAULT_RATE, norm, states.theiler, seed
            )
        counts = counts_at(states, found, norm)
    return answer(
        counts,
        states,
        kind="auto",
        radius=(found,),
        norm=norm,
        shortest=shortest,
        shortest_vertical=shortest_vertical,
        level=level,
        status=status,
        cautions=tuple(cautions),
        provenance={"rate": rate, "radius": radius, "seed": seed, "n_states": states.n},
        scattered=states.view.missing > 0,
    )


def counts_at(states: States, radius: float, norm: Norm) -> LineCounts:
    """Lines of one record at a radius."""
    scaled = np.ascontiguousarray(states.points / max(radius, 1e-300))
    known = np.ascontiguousarray(states.known)
    return count_lines(scaled, scaled, groups_of(len(scaled), norm), (known, known), states.theiler)
