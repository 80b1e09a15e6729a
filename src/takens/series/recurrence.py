"""Recurrences: which states of a record come back to which, and the plot of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, require
from takens.series.embedding import embedding
from takens.series.observable import Observable, observable, time_name
from takens.series.recurrence_lines import partners
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

Norm = Literal["euclidean", "maximum"]

DEFAULT_RATE = 0.05
_PAIRS_ASKED = 400_000  # the rate of recurrence is met to one part in a hundred
_LARGEST_MATRIX = 20_000
_FEWEST_STATES = 20


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class States:
    """States of one record on its time grid, and which of them recur at which radius.

    Parameters
    ----------
    points : array, shape (n_coordinates, n)
        Delay vectors as columns, in standard deviations; NaN where a coordinate is missing, and
        between records.
    known : array of bool, shape (n,)
        Where there is a state.
    dimension, delay, theiler : int
        Delay coordinates, samples between them, and the corridor about the main diagonal.
    """

    points: np.ndarray
    known: np.ndarray
    dimension: int
    delay: int
    theiler: int
    view: Observable

    @property
    def n(self) -> int:
        """Columns, known or not."""
        return len(self.known)

    def part(self, rows: slice) -> States:
        """The states in a range of time."""
        return dataclasses.replace(
            self,
            points=np.ascontiguousarray(self.points[:, rows]),
            known=np.ascontiguousarray(self.known[rows]),
        )


def check_rule(
    rate: float | None, radius: float | None, norm: str, theiler: int | None = None
) -> None:
    """Refuse thresholds that are none.

    Raises
    ------
    InvalidInput
    """
    if rate is not None and radius is not None:
        raise InvalidInput(
            f"Both rate = {rate} and radius = {radius} were given; one fixes the other. Give one."
        )
    if rate is not None and not 0 < rate < 1:
        raise InvalidInput(f"rate = {rate}; expected a share of all pairs, between 0 and 1.")
    if radius is not None and not radius > 0:
        raise InvalidInput(
            f"radius = {radius}; expected a positive number, in standard deviations."
        )
    if norm not in ("euclidean", "maximum"):
        raise InvalidInput(f"norm = {norm!r}; expected 'euclidean' or 'maximum'.")
    if theiler is not None and theiler < 0:
        raise InvalidInput(f"theiler = {theiler}; expected a number of samples, 0 or more.")


def states_of(data: Any, dimension: int | None, delay: int | None, theiler: int | None) -> States:
    """Delay vectors on the time grid; settings that are not given come from `embedding`."""
    view = observable(data)
    for name, value in (("dimension", dimension), ("delay", delay)):
        if value is not None and value < 1:
            raise InvalidInput(f"{name} = {value}; expected a positive whole number.")
    wanted = dimension is None or theiler is None or (delay is None and dimension > 1)
    if wanted and not view.constant:
        chosen = embedding(view)
        dimension = dimension or chosen.dimension
        delay = delay or chosen.delay
        theiler = chosen.theiler if theiler is None else theiler
    dimension, delay, theiler = dimension or 1, delay or 1, theiler or 0
    span = (dimension - 1) * delay
    parts: list[np.ndarray] = []
    between = np.full((dimension * view.n_components, theiler + 1), np.nan)
    for values in view.gapped:
        n = len(values) - span
        if n > 0:
            if parts:
                parts.append(between)
            blocks = [values[span - i * delay : span - i * delay + n].T for i in range(dimension)]
            parts.append(np.concatenate(blocks))
    if not parts:
        raise InvalidInput(
            f"Delay vectors of dimension {dimension} and delay {delay} span {span + 1} samples; the "
            f"longest stretch has {max(map(len, view.gapped))}. Lower one of them."
        )
    points = np.ascontiguousarray(np.concatenate(parts, axis=1))
    known = np.isfinite(points).all(axis=0)
    points[:, ~known] = np.nan
    return States(
        points=points, known=known, dimension=dimension, delay=delay, theiler=theiler, view=view
    )


def groups_of(n_coordinates: int, norm: Norm) -> np.ndarray:
    """Boundaries of the groups of coordinates whose Euclidean distance is compared."""
    if norm == "euclidean":
        return np.array([0, n_coordinates])
    return np.arange(n_coordinates + 1)


def radius_at(
    x: np.ndarray, y: np.ndarray, rate: float, norm: Norm, corridor: int, seed: int
) -> float:
    """Radius within which the share `rate` of the pairs (columns of x and y) lie.

    The quantile of 400,000 pairs drawn at random, or of all pairs where there are no more.

    Parameters
    ----------
    x, y : array, shape (n_coordinates, n_x) and (n_coordinates, n_y)
    corridor : int
        Pairs at most so far apart in time are left out; -1 for two records.
    """
    nx, ny = x.shape[1], y.shape[1]
    if nx * ny <= 2 * _PAIRS_ASKED:
        i, j = np.divmod(np.arange(nx * ny), ny)
    else:
        rng = np.random.default_rng(seed)
        i, j = rng.integers(0, nx, _PAIRS_ASKED), rng.integers(0, ny, _PAIRS_ASKED)
    if corridor >= 0:
        apart = np.abs(i - j) > corridor
        i, j = i[apart], j[apart]
    distance = np.zeros(len(i))
    for a, b in zip(x, y, strict=True):
        gap = np.abs(a[i] - b[j])
        distance = distance + gap**2 if norm == "euclidean" else np.maximum(distance, gap)
    distance = distance[np.isfinite(distance)]
    if not len(distance):
        return float("nan")
    at = min(int(rate * len(distance)), len(distance) - 1)
    found = float(np.partition(distance, at)[at])
    return float(np.sqrt(found)) if norm == "euclidean" else found


def gap_findings(states: States) -> tuple[Finding, ...]:
    """What missing states do to lines."""
    lost = states.view.missing
    if not lost > 0:
        return ()
    share = 1 - states.known.mean()
    return (
        Finding(
            "recurrences-with-gaps",
            f"{lost:.1%} of the samples are missing and {share:.1%} of the states with them; lines "
            "end there and count as cut.",
            "Measures allow for cut lines, but the longest of them cannot be seen whole.",
            "note" if share < 0.1 else "caution",
        ),
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RecurrencePlot(AbstractResult):
    """Recurrence matrix, one bit for each pair of times.

    Parameters
    ----------
    packed : array of uint8, shape (n, ceil(n / 8))
        Rows of the matrix, eight columns in a byte (`numpy.packbits`).
    n : int
        Number of times.
    times : array, shape (n,)
        Of the newest coordinate of each state, counted from the first, in `time_unit`.
    known : array of bool, shape (n,)
        Whether the state at that time is complete.
    rate : float
        Share of the pairs outside the corridor that recur.
    radius : float
        In standard deviations of the (first component of the) data.
    norm : str
        Euclidean or maximum.
    dimension, delay, theiler : int
        Of the delay vectors, and half the width of the corridor about the diagonal that `rate`
        leaves out; the matrix holds it.
    time_unit, label : str
        Unit of time, and what was analysed.
    """

    packed: np.ndarray
    n: int
    times: np.ndarray
    known: np.ndarray
    rate: float
    radius: float
    norm: str
    dimension: int
    delay: int
    theiler: int
    time_unit: str
    label: str

    def matrix(self) -> np.ndarray:
        """The matrix unpacked, array of bool, shape (n, n)."""
        return np.unpackbits(self.packed, axis=1, count=self.n).astype(bool)

    def to_sparse(self) -> Any:
        """The matrix as a SciPy sparse array, for networks and linear algebra."""
        from scipy.sparse import csr_array

        return csr_array(self.matrix())

    def summary(self) -> str:
        """Size, rate and radius."""
        return (
            f"recurrence plot of {self.n} states (dimension {self.dimension}, delay {self.delay}): "
            f"{self.rate:.2%} of pairs within {self.radius:.3g} standard deviations ({self.norm})"
        )

    def plot(self, ax: Any = None) -> Any:
        """The recurrence plot; times without a state stay grey."""
        from takens import plot

        ax = plot.axes(ax)
        step = -(-self.n // 1500)
        shown = self.matrix()[: self.n // step * step, : self.n // step * step]
        size = self.n // step
        shade = shown.reshape(size, step, size, step).mean(axis=(1, 3))
        ends = (self.times[0], self.times[-1])
        ax.imshow(shade ** 0.5, origin="lower", cmap="Greys", vmin=0, vmax=1,
                  extent=(*ends, *ends), interpolation="nearest")  # fmt: skip
        label = plot.quantity("time", time_name(self.time_unit))
        plot.labels(ax, xlabel=label, ylabel=label, title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The packed matrix and the times."""
        import xarray as xr

        return xr.Dataset(
            {"packed": (("time", "byte"), self.packed), "known": ("time", self.known)},
            {"time": self.times},
            attrs={"n": self.n, "rate": self.rate, "radius": self.radius, "norm": self.norm},
        )


@checked
def recurrence_plot(
    data: Any,
    *,
    rate: float | None = None,
    radius: float | None = None,
    norm: Norm = "euclidean",
    dimension: int | None = None,
    delay: int | None = None,
    theiler: int | None = None,
    seed: int = 0,
    throw: bool = True,
) -> RecurrencePlot:
    r"""Recurrence matrix :math:`R_{ij} = [\,\lVert x_i - x_j \rVert \le \varepsilon\,]`.

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
        Of the delay vectors, and pairs left out because they are neighbours in time only (so many
        samples apart or fewer); by default from `embedding`.
    seed : int
        For the pairs from which the radius is found.
    throw : bool
        Raise where nothing varies or states are too few; else the plot is empty.

    Returns
    -------
    RecurrencePlot

    Raises
    ------
    InvalidInput
        If there are more than 20,000 states (`recurrence_quantification` needs no matrix), or a
        setting is out of range.
    NumericalFailure
        If the record is constant or has fewer than 20 complete states, and `throw`.

    Notes
    -----
    States with a missing coordinate recur with nothing and leave white bands. What a plot seems to
    show depends on the radius; judge by `recurrence_quantification` and its intervals. Cost: N^2
    distances, memory N^2 / 8 bytes.

    References
    ----------
    Eckmann, Kamphorst and Ruelle (1987), Europhys. Lett. 4, 973; Marwan, Romano, Thiel and Kurths
    (2007), Phys. Rep. 438, 237.

    Examples
    --------
    >>> import numpy as np
    >>> found = recurrence_plot(np.sin(0.1 * np.arange(600)), dimension=2, delay=16, theiler=8)
    >>> found.matrix().shape, round(found.rate, 2)
    ((584, 584), 0.05)
    """
    check_rule(rate, radius, norm, theiler)
    states = states_of(data, dimension, delay, theiler)
    if states.n > _LARGEST_MATRIX:
        raise InvalidInput(
            f"{states.n} states; a matrix is drawn for at most {_LARGEST_MATRIX}. Use "
            "recurrence_quantification, which holds no matrix, or give a part of the record."
        )
    status = Status.OK if states.known.sum() >= _FEWEST_STATES else Status.TOO_SHORT
    if states.view.constant:
        status = Status.NOT_APPLICABLE
    require(status, throw=throw)
    if radius is None:
        radius = float("nan")
        if status is not Status.TOO_SHORT:
            radius = radius_at(
                states.points, states.points, rate or DEFAULT_RATE, norm, states.theiler, seed
            )
    rows = np.zeros((states.n, -(-states.n // 8)), np.uint8)
    within = 0
    if status is Status.OK:
        rows, within = _packed_rows(states, radius, norm)
    pairs = partners(states.known, states.known, (states.theiler,) * 2).sum()
    return RecurrencePlot(
        packed=rows,
        n=states.n,
        times=(np.arange(states.n) + (states.dimension - 1) * states.delay) * states.view.dt,
        known=states.known,
        rate=float(within / pairs) if pairs and status is Status.OK else float("nan"),
        radius=radius,
        norm=norm,
        dimension=states.dimension,
        delay=states.delay,
        theiler=states.theiler,
        time_unit=states.view.time_unit,
        label=states.view.label,
        status=status,
        cautions=(*states.view.findings, *gap_findings(states)),
        provenance={"rate": rate, "radius": radius, "norm": norm, "seed": seed},
    )


def _packed_rows(states: States, radius: float, norm: Norm) -> tuple[np.ndarray, int]:
    """Packed rows of the matrix, and the recurrences outside the corridor."""
    from takens.series.kernels.recurrence import near_column

    n, scaled = states.n, np.ascontiguousarray(states.points / max(radius, 1e-300))
    rows, within = np.zeros((n, -(-n // 8)), np.uint8), 0
    groups, total, flag = groups_of(len(scaled), norm), np.empty(n), np.zeros(n, np.uint8)
    for i in np.flatnonzero(states.known):
        near_column(flag, total, scaled, scaled, groups, i)
        rows[i] = np.packbits(flag)
        low, high = max(0, i - states.theiler), i + states.theiler + 1
        within += int(flag.sum(dtype=np.int64) - flag[low:high].sum(dtype=np.int64))
    return rows, within
