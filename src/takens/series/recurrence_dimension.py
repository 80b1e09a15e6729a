"""Dimension from the times at which states return."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.recurrence import States, gap_findings, states_of
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10
_N_RADII = 12
_REFERENCES = 400
_MOST_STATES = 50_000
_AT_ONCE = 2_000_000  # distances held at a time
_LEAST_RATE, _MOST_RATE = 0.002, 0.05
_CURVED, _UNSATURATED = (
    0.35,
    0.5,
)  # change of slope along the curve (share); with one more coordinate


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RecurrenceTimeDimension(AbstractResult):
    """How times of return grow as neighbourhoods shrink.

    Parameters
    ----------
    dimension : Estimate
        Exponent of the mean time between recurrences, ``T1 ~ radius^(-dimension)``.
    return_exponent : Estimate
        The same for the time between entries, ``T2``: the dimension of a map, one less for a flow,
        where the stay in a neighbourhood is in proportion to its radius.
    radii : array, shape (n_radii,)
        In standard deviations.
    recurrence_times, return_times : array, shape (n_radii,)
        Mean T1 and T2 in samples.
    saturation : float
        Change of the dimension with one more delay coordinate.
    label : str
        What was analysed.
    """

    dimension: Estimate
    return_exponent: Estimate
    radii: np.ndarray
    recurrence_times: np.ndarray
    return_times: np.ndarray
    saturation: float
    label: str

    def summary(self) -> str:
        """Both exponents."""
        if self.status is not Status.OK:
            return f"recurrence-time dimension: no answer ({self.status.value})"
        return (
            f"recurrence-time dimension: {self.dimension}; exponent of the time between entries: "
            f"{self.return_exponent}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Both times against the radius, on logarithmic axes."""
        from takens import plot

        ax = plot.axes(ax)
        for times, label in (
            (self.recurrence_times, "between recurrences"),
            (self.return_times, "between entries"),
        ):
            plot.line(ax, self.radii, times, label=label, marker="o", ms=3)
        if np.isfinite(self.recurrence_times).any():
            ax.set_xscale("log")
            ax.set_yscale("log")
        plot.labels(
            ax,
            xlabel="radius (standard deviations)",
            ylabel="mean time (samples)",
            title=self.label,
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Times by radius."""
        import xarray as xr

        return xr.Dataset(
            {
                "recurrence_time": ("radius", self.recurrence_times),
                "return_time": ("radius", self.return_times),
            },
            {"radius": self.radii},
            attrs={
                "dimension": self.dimension.value,
                "return_exponent": self.return_exponent.value,
                "saturation": self.saturation,
            },
        )


def return_counts(
    states: States, references: np.ndarray, radii: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Recurrences and entries at each radius, and what they are out of, for each reference.

    Returns
    -------
    radii : array, shape (n_radii,)
        Those given, or between the rates 0.2 % and 5 %.
    table : array, shape (n_references, n_radii, 4)
        Recurrences, pairs, entries, and steps from one known state to the next, outside the corridor.
    """
    at, n = np.arange(states.n), states.n
    table = np.empty((len(references), _N_RADII, 4))
    follows = np.concatenate([[False], states.known[1:] & states.known[:-1]])
    size = max(1, _AT_ONCE // n)
    for start in range(0, len(references), size):
        here = references[start : start + size]
        square = np.zeros((len(here), n))
        for row in states.points:
            square += (row[here, None] - row) ** 2
        apart = np.abs(at - here[:, None]) > states.theiler
        square[~apart] = np.nan
        if radii is None:
            seen = square[np.isfinite(square)]
            ends = np.sqrt(np.quantile(seen, [_LEAST_RATE, _MOST_RATE]))
            radii = np.geomspace(max(ends[0], 1e-12), ends[1], _N_RADII)
        step = apart & follows
        step[:, 1:] &= apart[:, :-1]
        for k, radius in enumerate(radii):
            near = square <= radius**2
            entry = step.copy()
            entry[:, 1:] &= near[:, 1:] & ~near[:, :-1]
            entry[:, 0] = False
            block = table[start : start + size, k]
            block[:, 0], block[:, 2] = near.sum(axis=1), entry.sum(axis=1)
            block[:, 1], block[:, 3] = (apart & states.known).sum(axis=1), step.sum(axis=1)
    assert radii is not None
    return radii, table


def _slopes(table: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Exponents of T1 and T2, over all radii and over the lower and upper half, shape (2, 3)."""
    total = table.sum(axis=0)
    rates = np.stack([total[:, 0] / total[:, 1], total[:, 2] / total[:, 3]])
    if not (rates > 0).all():
        return np.full((2, 3), np.nan)
    x, half, made = np.log(radii), len(radii) // 2, []
    for part in (slice(None), slice(0, half + 1), slice(half, None)):
        made.append(np.polyfit(x[part], np.log(rates[:, part].T), 1)[0])
    return np.array(made).T


def _exponent(values: np.ndarray, left: np.ndarray, level: float) -> Estimate:
    """An exponent with the interval of blocks of references and of the choice of radii."""
    from scipy.special import stdtrit

    # A state counts as reference and as neighbour; blocks of references show one half of it.
    by_block = 2 * np.sqrt((_N_BLOCKS - 1) * left.var())
    by_range = abs(values[1] - values[2]) / np.sqrt(12)
    error = float(np.hypot(by_block, by_range))
    half = float(stdtrit(_N_BLOCKS - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=float(values[0]),
        interval=(max(float(values[0]) - half, 0.0), float(values[0]) + half),
        standard_error=error,
        level=level,
        method=f"jackknife over {_N_BLOCKS} blocks x ranges of radii",
    )


@checked
def recurrence_time_dimension(
    data: Any,
    *,
    dimension: int | None = None,
    delay: int | None = None,
    theiler: int | None = None,
    level: float = 0.9,
    throw: bool = True,
) -> RecurrenceTimeDimension:
    r"""Dimension from mean times of return: :math:`T_1(r) \sim r^{-D}`.

    By Kac's lemma the mean time between recurrences to a neighbourhood is one over its measure, and
    the mean time between entries one over the rate of entries; both are averaged as rates over 400
    states, at twelve radii between the recurrence rates of 0.2 % and 5 %.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Several columns are embedded jointly through their leading principal components.
    dimension, delay, theiler : int, optional
        Of the delay vectors, and the corridor of neighbours in time only; by default from
        `embedding`.
    level : float
        Nominal coverage of the intervals, from blocks of reference states and from the difference
        between small and large radii.
    throw : bool
        Raise where there is no answer; else the values are NaN.

    Returns
    -------
    RecurrenceTimeDimension

    Raises
    ------
    InvalidInput
        If a setting is out of range.
    NumericalFailure
        If the record is constant, has fewer than 1,000 complete states, or shows no scaling: the
        slope changes along the curve, or the dimension grows with one more coordinate, as it does
        for noise; and `throw`.

    Notes
    -----
    Rates are averaged, so this is a correlation dimension in other words, with the exponent of
    entries beside it, which tells flow from map. A random walk has a finite dimension, too: test
    stationarity first. More than 50,000 states are cut. Cost: 800 N distances.

    References
    ----------
    Gao (1999), Phys. Rev. Lett. 83, 3178; Kac (1947), Bull. Am. Math. Soc. 53, 1002.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(4000)
    >>> found = recurrence_time_dimension(np.sin(0.1 * t), dimension=2, delay=16, theiler=20)
    >>> bool(abs(found.dimension.value - 1) < 0.1)
    True
    """
    if theiler is not None and theiler < 0:
        raise InvalidInput(f"theiler = {theiler}; expected a number of samples, 0 or more.")
    states = states_of(data, dimension, delay, theiler)
    cautions = [*states.view.findings, *gap_findings(states)]
    if states.n > _MOST_STATES:
        cautions.append(
            Finding(
                "first-states-only",
                f"The first {_MOST_STATES} of {states.n} states were used.",
                "Give every n-th sample to cover more time.",
                "note",
            )
        )
    status = Status.OK if states.known.sum() >= 1_000 else Status.TOO_SHORT
    status = Status.NOT_APPLICABLE if states.view.constant else status
    require(status, throw=throw)
    nothing = Estimate(value=np.nan, level=level)
    found, exponent, growth = nothing, nothing, float("nan")
    radii = times = returns = np.full(_N_RADII, np.nan)
    if status is Status.OK:
        radii, table = _table(states)
        total = table.sum(axis=0)
        with np.errstate(divide="ignore"):
            times, returns = total[:, 1] / total[:, 0], total[:, 3] / total[:, 2]
        slopes = _slopes(table, radii)
        more = states_of(data, states.dimension + 1, states.delay, states.theiler)
        growth = float(_slopes(*_table(more)[::-1])[0, 0] - slopes[0, 0])
        curved = abs(slopes[0, 1] - slopes[0, 2]) > _CURVED * slopes[0, 0]
        scaling = np.isfinite(slopes).all() and not curved and growth < _UNSATURATED
        status = Status.OK if scaling else Status.NO_SCALING
        require(status, throw=throw)
        if scaling:
            block = np.arange(len(table)) * _N_BLOCKS // len(table)
            left = np.array([_slopes(table[block != b], radii) for b in range(_N_BLOCKS)])
            found, exponent = (_exponent(slopes[k], left[:, k, 0], level) for k in range(2))
    return RecurrenceTimeDimension(
        dimension=found,
        return_exponent=exponent,
        radii=radii,
        recurrence_times=times,
        return_times=returns,
        saturation=growth,
        label=states.view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={
            "dimension": states.dimension,
            "delay": states.delay,
            "theiler": states.theiler,
        },
    )


def _table(states: States) -> tuple[np.ndarray, np.ndarray]:
    """Radii and counts of evenly spaced reference states."""
    part = states if states.n <= _MOST_STATES else states.part(slice(0, _MOST_STATES))
    whole = np.flatnonzero(part.known)
    chosen = np.unique(np.linspace(0, len(whole) - 1, _REFERENCES).astype(int))
    return return_counts(part, whole[chosen], None)
