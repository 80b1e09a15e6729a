"""Change points: how many changes of level, variance or kind of motion, and where."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.columns import Columns, columns_of
from takens.series.segmentation import Noise, best_places, removed, ruptures, stage_p
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

Of = Literal["level", "variance", "motion", "order"]

_MOST_BINS = 200
_FEWEST_BINS = 40
_FEATURES = 64
_MANY = 200_000
_MOST_AXES = 2
_RESAMPLED = 99
_WORDS = {
    "level": "level", "variance": "variance", "motion": "law of the delay vectors",
    "order": "law of the ordinal patterns",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ChangePoints(AbstractResult):
    """Number and places of the changes of one kind in a record.

    Parameters
    ----------
    of : str
        ``"level"``, ``"variance"``, ``"motion"`` or ``"order"``.
    places : tuple of Estimate
        Time of the first sample after each change, in `time_unit`, with the interval from records
        simulated with the same changes.
    p_values : array, shape (n_stages,)
        Of the sequence of tests: no change against some, then the changes found so far against
        more, and so on; the last is the first above `alpha`.
    alpha : float
        Size of each test, and so the chance of any change found where there is none.
    bin_times, bin_values : array, shape (n_bins,) and (n_bins, d)
        What was segmented: means over bins of time, of the feature named by `of`.
    segment_means : array, shape (n_segments, d)
        Means of `bin_values` between the changes.
    shortest : float
        Least time between two changes, in `time_unit`.
    time_unit, label : str
        Unit of time, and what was analysed.
    """

    of: str
    places: tuple[Estimate, ...]
    p_values: np.ndarray
    alpha: float
    bin_times: np.ndarray
    bin_values: np.ndarray
    segment_means: np.ndarray
    shortest: float
    time_unit: str
    label: str

    @property
    def p_value(self) -> float:
        """Of the first test: no change at all."""
        return float(self.p_values[0]) if len(self.p_values) else float("nan")

    def summary(self) -> str:
        """How many changes, where, and the p-value of none."""
        if self.status is not Status.OK:
            return f"changes of {_WORDS[self.of]}: no answer ({self.status.value})"
        where = "; ".join(f"{p}" for p in self.places)
        return (
            f"changes of {_WORDS[self.of]}: {len(self.places)}{' at ' + where if where else ''}; "
            f"none at all: p = {self.p_value:.3g} (autocorrelated stationary null)"
        )

    def plot(self, ax: Any = None) -> Any:
        """The first feature in bins, the means between changes, and the intervals of the places."""
        from takens import plot

        ax = plot.axes(ax)
        unit = "steps" if self.time_unit == "1" else self.time_unit
        if len(self.bin_times):
            plot.line(
                ax, self.bin_times, self.bin_values[:, 0], color=plot.COLOURS[6], linewidth=0.8
            )
            at = np.array([p.value for p in self.places])
            segment = np.searchsorted(at, self.bin_times, side="right")
            for number, mean in enumerate(self.segment_means):
                inside = self.bin_times[segment == number]
                if len(inside):
                    level = np.full(2, mean[0])
                    plot.line(ax, inside[[0, -1]], level, color=plot.COLOURS[0], linewidth=2.5)
            for place in self.places:
                ax.axvline(place.value, color=plot.COLOURS[1])
                ax.axvspan(*place.interval, color=plot.COLOURS[1], alpha=0.2, lw=0)
        title = f"none at all: p = {self.p_value:.3g}"
        plot.labels(ax, xlabel=f"time ({unit})", ylabel=_WORDS[self.of], title=title)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Places with their intervals, and the binned feature."""
        import xarray as xr

        ends = np.array([p.interval for p in self.places]).reshape(-1, 2)
        return xr.Dataset(
            {
                "place": ("change", np.array([p.value for p in self.places])),
                "low": ("change", ends[:, 0]),
                "high": ("change", ends[:, 1]),
                "feature": (("time", "axis"), self.bin_values),
                "p_value": ("stage", self.p_values),
            },
            {"time": self.bin_times},
            attrs={"of": self.of, "alpha": self.alpha},
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Bins:
    """Means of a feature over bins of time: `values` (n, d), `begin`, `end` and `times` (n,)."""

    values: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    times: np.ndarray


def _binned(table: Columns, feature: np.ndarray) -> _Bins:
    """Means over about 200 bins, none of which spans a break; missing rows are left out."""
    seen = np.isfinite(feature).all(axis=1)
    size = max(1, -(-len(feature) // _MOST_BINS))
    broken = np.flatnonzero(np.diff(table.clock) != 1) + 1
    edges = np.concatenate(
        [np.arange(a, b, size) for a, b in
         zip([0, *broken], [*broken, len(feature)], strict=True)]
    )  # fmt: skip
    count = np.add.reduceat(seen.astype(float), edges)
    total = np.add.reduceat(np.where(seen[:, None], feature, 0.0), edges, axis=0)
    kept = count >= max(1, size // 4)
    ends = np.append(edges[1:], len(feature)) - 1
    return _Bins(
        values=total[kept] / count[kept, None],
        begin=table.times[edges][kept],
        end=table.times[ends][kept] + table.dt,
        times=((table.times[edges] + table.times[ends]) / 2)[kept],
    )


def _windows(table: Columns, size: int, delay: int) -> np.ndarray:
    """Delay vectors (time, size * columns) that end at each sample; NaN across breaks."""
    span = (size - 1) * delay
    out = np.full((len(table.clock), size * table.values.shape[1]), np.nan)
    rows = np.arange(span, len(table.clock))
    rows = rows[table.clock[rows - span] == table.clock[rows] - span]
    out[rows] = np.concatenate([table.values[rows - i * delay] for i in range(size)], axis=1)
    return out


def _patterns(table: Columns, delay: int) -> np.ndarray:
    """Which of the six orders of three values each window of the first column has, one column each."""
    first = dataclasses.replace(table, values=table.values[:, :1])
    windows = _windows(first, 3, delay)
    code = np.argsort(windows, axis=1, kind="stable") @ np.array([9, 3, 1])
    known = np.array([5, 7, 11, 15, 19, 21])
    out = (code[:, None] == known).astype(float)
    out[~np.isfinite(windows).all(axis=1)] = np.nan
    return out


def _kernel_features(windows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cosines at random frequencies, whose products are a Gaussian kernel (Rahimi and Recht 2007).

    The width is the median distance between two vectors.
    """
    seen = np.flatnonzero(np.isfinite(windows).all(axis=1))
    pair = windows[rng.choice(seen, size=(2, 2000))]
    width = max(float(np.median(np.linalg.norm(pair[0] - pair[1], axis=1))), 1e-12)
    number = _FEATURES if len(windows) <= _MANY else _FEATURES // 4  # bounds the memory
    turn = rng.normal(size=(windows.shape[1], number)) / width
    return np.cos(windows @ turn + rng.uniform(0, 2 * np.pi, size=number))


def _feature(table: Columns, of: Of, delay: int, settled: np.ndarray, seed: int) -> np.ndarray:
    """What is averaged and segmented, (time, d); `settled` is the level at each sample."""
    if of == "level":
        return table.values
    if of == "variance":
        # The logarithm scatters as much where the variance is large as where it is small.
        size = np.abs(table.values - settled)
        return np.log(size + 0.2 * np.nanmedian(size, axis=0) + 1e-12)
    if of == "order":
        return _patterns(table, delay)
    return _kernel_features(_windows(table, 3, delay), np.random.default_rng([seed, 1]))


def _leading(values: np.ndarray) -> np.ndarray:
    """Standardised principal axes of the bins that carry 90 % of their variance, two at most."""
    centred = values - values.mean(axis=0)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    share = np.cumsum(size**2) / max(float(np.sum(size**2)), 1e-300)
    kept = min(_MOST_AXES, int(np.searchsorted(share, 0.9)) + 1)
    turned = centred @ axes[:kept].T
    return turned / np.maximum(turned.std(axis=0), 1e-300)


def _search(
    rows: np.ndarray, shortest: int, alpha: float, max_changes: int, n_surrogates: int, seed: int
) -> tuple[list[int], np.ndarray, Noise]:
    """Add changes as long as a test finds them; their places are best for their number."""
    rng = np.random.default_rng(seed)
    places: list[int] = []
    p_values: list[float] = []
    while True:
        p, more, noise = stage_p(rows, places, shortest, n_surrogates, rng)
        p_values.append(p)
        if p > alpha or len(places) + more > max_changes:
            return places, np.array(p_values), noise
        places = best_places(rows, len(places) + more, shortest)


def _intervals(
    rows: np.ndarray, places: list[int], shortest: int, noise: Noise, level: float, seed: int
) -> np.ndarray:
    """Lowest and highest bin of each place, from records drawn with the same changes."""
    rng, n = np.random.default_rng([seed, 2]), len(rows)
    course = rows - removed(rows[None], np.array([places]))[0]
    drawn = noise.draw(_RESAMPLED, n, rng) + course
    found = np.array([best_places(one, len(places), shortest) for one in drawn])
    away = found - np.array(places)
    low, high = np.quantile(away, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.stack([places - high, places - low], axis=1)


def _checked(
    of: str, min_segment: float, alpha: float, max_changes: int, n_surrogates: int
) -> None:
    if of not in _WORDS:
        raise InvalidInput(f"of = {of!r}; expected 'level', 'variance', 'motion' or 'order'.")
    if not 0 < min_segment <= 0.3:
        raise InvalidInput(
            f"min_segment = {min_segment}; expected a share of the record above 0, at most 0.3."
        )
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha = {alpha}; expected a number between 0 and 1.")
    if max_changes < 1:
        raise InvalidInput(f"max_changes = {max_changes}; at least 1 is needed.")
    if n_surrogates < 2 / alpha - 1:
        raise InvalidInput(
            f"n_surrogates = {n_surrogates}; at least {2 / alpha - 1:.0f} are needed to reach "
            f"alpha = {alpha}."
        )


@checked
def change_points(
    data: Any,
    *,
    of: Of = "level",
    min_segment: float = 0.05,
    max_changes: int = 6,
    delay: int | None = None,
    alpha: float = 0.05,
    n_surrogates: int = 199,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> ChangePoints:
    """Number and places of changes, tested against an autocorrelated record without any.

    The record becomes means of a feature over about 200 bins of time: the values (``"level"``),
    the logarithm of their distance from the level, changes of level taken out (``"variance"``), features
    of a Gaussian kernel of three delay coordinates (``"motion"``), or ordinal patterns of three
    values (``"order"``, blind to level and scale). Starting without changes, one or two further
    ones are tested: their gain, over the long-run variance of what they leave, is ranked among its
    values on autoregressions of order 1 to 3 without them. For the number so found the places are
    those of least variance among all segmentations.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Missing samples are left out of the bins. All columns change at once; ``"order"`` looks at
        the first. Records follow each other.
    of : {"level", "variance", "motion", "order"}
        What may change.
    min_segment : float
        Least share of the record between two changes, at least five bins.
    max_changes : int
        Where to stop.
    delay : int, optional
        Samples between delay coordinates; by default the first minimum of the mutual information.
    alpha : float
        Size of each test in the sequence.
    n_surrogates : int
        Autoregressions for each test.
    level : float
        Nominal coverage of each interval.
    seed : int
        For all that is drawn.
    throw : bool
        Raise where the record is too short; else there are no places.

    Returns
    -------
    ChangePoints

    Raises
    ------
    InvalidInput
        If a setting is out of range, the record has fewer than 100 samples or nothing varies.
    MissingDependency
        If `ruptures` is not installed (``pip install 'takens[changes]'``).
    NumericalFailure
        If fewer than 40 bins hold data, and `throw`.

    Notes
    -----
    A slow drift is approximated by steps: changes of level are *not* evidence for jumps. A random
    walk has none, and the test can tell it only if the record spans many correlation times; below
    20 a caution says so. The noise is taken to be the same before and after. Places are known to
    one bin at best. Changes closer than `min_segment` are not found. Cost: 200 bins whatever the
    length; about 0.05 s for each test, 0.1 s for the intervals.

    References
    ----------
    Bai and Perron (1998), Econometrica 66, 47, section 4, for the sequence; Harchaoui and Cappé
    (2007), IEEE Workshop on Statistical Signal Processing, 768, for kernels; Truong, Oudre and
    Vayatis (2020), Signal Processing 167, 107299, for the search; Kilian (1998), Rev. Economics
    and Statistics 80, 218, for the autoregression.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=600) + 2.0 * (np.arange(600) >= 400)
    >>> found = change_points(x, n_surrogates=59)
    >>> len(found.places), bool(abs(found.places[0].value - 400) < 10)
    (1, True)
    """
    _checked(of, min_segment, alpha, max_changes, n_surrogates)
    ruptures()
    table = columns_of(data)
    step = delay or _delay(table)
    settled, first = np.zeros_like(table.values), None
    if of == "variance":  # a change of level would look like one of variance
        first = _segmented(table, table.values, min_segment, 0.01, max_changes, 199, seed)
        if first is not None:
            settled = _level_at(table, first)
    feature = _feature(table, of, step, settled, seed)
    parts = _segmented(table, feature, min_segment, alpha, max_changes, n_surrogates, seed)
    about: dict[str, Any] = {
        "of": of, "alpha": alpha, "time_unit": table.time_unit, "label": ", ".join(table.names),
        "provenance": {"seed": seed, "delay": step, "n_surrogates": n_surrogates},
    }  # fmt: skip
    if parts is None:
        require(Status.TOO_SHORT, throw=throw)
        return ChangePoints(
            places=(), p_values=np.empty(0), bin_times=np.empty(0), bin_values=np.empty((0, 1)),
            segment_means=np.empty((0, 1)), shortest=float("nan"), status=Status.TOO_SHORT,
            cautions=table.findings, **about,
        )  # fmt: skip
    bins, rows, places, p_values, noise, shortest = parts
    ends = np.empty((0, 2))
    if places:
        ends = _intervals(rows, places, shortest, noise, level, seed)
    shown = bins.values if of in ("level", "variance") else rows
    pieces = np.split(shown, places)
    return ChangePoints(
        places=tuple(
            _place(bins, p, e, level, table.time_unit) for p, e in zip(places, ends, strict=True)
        ),
        p_values=p_values,
        bin_times=bins.times,
        bin_values=shown,
        segment_means=np.stack([piece.mean(axis=0) for piece in pieces]),
        shortest=float(shortest * np.median(np.diff(bins.begin))),
        cautions=(*table.findings, *_doubts(noise, len(rows))),
        **about,
    )


_Parts = tuple[_Bins, np.ndarray, list[int], np.ndarray, Noise, int]


def _segmented(
    table: Columns, feature: np.ndarray, min_segment: float, alpha: float, max_changes: int,
    n_surrogates: int, seed: int,
) -> _Parts | None:  # fmt: skip
    """The bins of a feature and the changes in them; None where there are too few bins."""
    bins = _binned(table, feature)
    if len(bins.values) < _FEWEST_BINS:
        return None
    rows = _leading(bins.values)
    shortest = max(5, int(np.ceil(min_segment * len(rows))))
    found = _search(rows, shortest, alpha, max_changes, n_surrogates, seed)
    return bins, rows, *found, shortest


def _level_at(table: Columns, parts: _Parts) -> np.ndarray:
    """Mean of the values between changes of level, at every sample."""
    bins, _, places, _, _, _ = parts
    segment = np.searchsorted(bins.begin[places], table.times, side="right")
    out = np.zeros_like(table.values)
    for number in range(len(places) + 1):
        out[segment == number] = np.nanmean(table.values[segment == number], axis=0)
    return out


def _delay(table: Columns) -> int:
    from takens.series.embedding import chosen_delay

    return chosen_delay(table.values[:, 0])


def _place(bins: _Bins, at: int, ends: np.ndarray, level: float, unit: str) -> Estimate:
    """A bin number as a time, a gap by its middle; the interval holds the bins, or gap, at its ends."""
    size = float(np.median(np.diff(bins.begin)))
    low, high = np.interp(ends, np.arange(len(bins.begin)), bins.begin)
    value, before = bins.begin[at], bins.end[max(at - 1, 0)]
    if value - before > size / 2:
        value, low, high = (before + value) / 2, min(low, before), max(high, value)
    return Estimate(
        value=float(value),
        interval=(float(low - size / 2), float(high + size / 2)),
        level=level,
        unit="" if unit == "1" else unit,
        method="records simulated with the same changes",
    )


def _doubts(noise: Noise, n: int) -> tuple[Finding, ...]:
    """A caution where the record spans few correlation times."""
    share = float(np.clip(noise.weights.sum(axis=0).max(), 0, 0.98))
    memories = n * (1 - share) / (1 + share)
    if memories >= 20:
        return ()
    return (
        Finding(
            "few-correlation-times",
            f"Between changes the record spans about {memories:.0f} correlation times.",
            "Steps and slow wandering can hardly be told apart, and false changes are more "
            "frequent than stated. Give a longer record.",
        ),
    )
