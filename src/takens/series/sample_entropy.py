"""Sample entropy and fuzzy entropy: how often what was alike stays alike."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.linearised import linearised_estimate
from takens.series.observable import Observable, observable, time_name
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_MOST_TEMPLATES = 200_000
_MOST_FUZZY = 20_000
_FEW_MATCHES = 50


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SampleEntropy(AbstractResult):
    """Sample or fuzzy entropy, with the matches that it rests on.

    Parameters
    ----------
    entropy : Estimate
        In nats for each `delay`.
    kind : {"sample", "fuzzy"}
        Whether two templates match or not, or match to a degree.
    matches, longer_matches : float
        Pairs of templates that match in `dimension` and in one more coordinate; sums of degrees
        for fuzzy entropy.
    dimension, delay, theiler : int
        Coordinates of a template, samples between them, and samples in time within which pairs are
        left out.
    radius : float
        Largest distance of a match (scale of the degrees for fuzzy entropy), in `unit`.
    templates : int
        Number of templates.
    times, contributions : array, shape (n_templates,)
        Time of each template, in `time_unit`, and its share in the entropy: how much rarer, in
        nats, its own matches survive than those of all.
    unit, time_unit, label : str
        Of the values, of time, and what was analysed.
    """

    entropy: Estimate
    kind: str
    matches: float
    longer_matches: float
    dimension: int
    delay: int
    theiler: int
    radius: float
    templates: int
    times: np.ndarray
    contributions: np.ndarray
    unit: str
    time_unit: str
    label: str

    def summary(self) -> str:
        """The entropy, its settings and the number of matches."""
        unit = f" {self.unit}" if self.unit not in {"", "1"} else ""
        return (
            f"{self.kind} entropy (dimension {self.dimension}, delay {self.delay}, radius "
            f"{self.radius:.4g}{unit}): {self.entropy}; {self.longer_matches:.4g} of "
            f"{self.matches:.4g} matches last"
        )

    def plot(self, ax: Any = None) -> Any:
        """What each stretch of the record adds to the entropy."""
        from takens import plot

        ax = plot.axes(ax)
        blocks = np.array_split(np.arange(self.templates), min(100, max(1, self.templates)))
        held = [b for b in blocks if len(b)]
        plot.line(
            ax,
            [self.times[b].mean() for b in held],
            [self.entropy.value + self.contributions[b].mean() for b in held],
        )
        plot.labels(
            ax,
            xlabel=plot.quantity("time", time_name(self.time_unit)),
            ylabel=f"{self.kind} entropy (nats)",
            title=self.label,
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Contributions of the templates over time."""
        import xarray as xr

        return xr.Dataset(
            {"contribution": ("time", self.contributions)},
            {"time": self.times},
            attrs={
                "entropy": self.entropy.value,
                "matches": self.matches,
                "longer_matches": self.longer_matches,
                "radius": self.radius,
            },
        )


def first_component(view: Observable) -> tuple[tuple[np.ndarray, ...], float]:
    """First component of each stretch, NaN where missing, and the deviation of what is there."""
    columns = tuple(np.ascontiguousarray(values[:, 0]) for values in view.gapped)
    spread = float(np.nanstd(np.concatenate(columns)))
    return columns, spread


def templates_of(
    columns: tuple[np.ndarray, ...], size: int, delay: int
) -> tuple[np.ndarray, np.ndarray]:
    """Every window of `size` values without a missing one, shape (n, size), and its clock.

    Windows run forward in time; stretches are so far apart on the clock that they never meet.
    """
    windows, clock, offset = [], [], 0
    for x in columns:
        n = len(x) - (size - 1) * delay
        if n > 0:
            rows = np.stack([x[i * delay : i * delay + n] for i in range(size)], axis=1)
            whole = np.isfinite(rows).all(axis=1)
            windows.append(rows[whole])
            clock.append(offset + np.flatnonzero(whole))
        offset += len(x) + 10_000_000
    if not windows:
        return np.empty((0, size)), np.empty(0, np.int64)
    return np.concatenate(windows), np.concatenate(clock).astype(np.int64)


def _parts(n: int) -> list[tuple[int, int]]:
    """Ranges of templates, for threads; small problems in one piece."""
    edges = np.linspace(0, n, 1 + (1 if n < 4_000 else 8)).astype(int)
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def _sorted(windows: np.ndarray, clock: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order = np.argsort(windows[:, 0], kind="stable")
    return np.ascontiguousarray(windows[order].T), np.ascontiguousarray(clock[order]), order


def sample_matches(
    windows: np.ndarray, clock: np.ndarray, radius: float, theiler: int
) -> tuple[np.ndarray, np.ndarray]:
    """Matches of each template in all coordinates but the last, and in all; each shape (n,)."""
    from takens.series.kernels import side_by_side
    from takens.series.kernels.templates import match_counts

    if not len(windows):
        return np.empty(0), np.empty(0)
    rows, times, order = _sorted(windows, clock)
    made = side_by_side(
        match_counts, [(rows, times, radius, theiler, a, b) for a, b in _parts(len(clock))]
    )
    counts = np.empty((2, len(clock)))
    counts[:, order] = sum(made[1:], made[0])
    return counts[0], counts[1]


def fuzzy_matches(
    windows: np.ndarray, clock: np.ndarray, radius: float, theiler: int, power: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Degrees of match of each template, centred, in all coordinates but the last, and in all."""
    from takens.series.kernels import side_by_side
    from takens.series.kernels.templates import similarity_sums

    sums = np.zeros((2, len(clock)))
    if not len(windows):
        return sums[0], sums[1]
    radius = max(radius, 1e-300)
    for number, size in enumerate((windows.shape[1] - 1, windows.shape[1])):
        part = windows[:, :size]
        rows, times, order = _sorted(part - part.mean(axis=1, keepdims=True), clock)
        jobs = [(rows, times, radius, power, theiler, a, b) for a, b in _parts(len(clock))]
        made = side_by_side(similarity_sums, jobs)
        sums[number, order] = sum(made[1:], made[0])
    return sums[0], sums[1]


def pair_entropy(
    shorter: np.ndarray, longer: np.ndarray, clock: np.ndarray, level: float, *, kind: str
) -> tuple[Estimate, np.ndarray]:
    """``ln(sum shorter / sum longer)`` with interval, and the influence of each template."""
    below, above = float(longer.sum()), float(shorter.sum())
    if below <= 0 or above <= 0:
        return Estimate(value=np.nan, level=level), np.full(len(clock), np.nan)
    # A pair belongs to two templates, hence the 2 (Hoeffding's projection of a mean over pairs).
    influence = 2 * (shorter / above - longer / below) * len(clock)
    value = float(np.log(above / below))
    # The chance of a single pair is in the influence of both of its templates, once too often: by
    # the binomial variance of the share of `above / 2` pairs that last.
    chance = 2 * (1 - below / above) / below if kind == "sample" else 0.0
    estimate = linearised_estimate(
        value, influence, clock, level=level, bounds=(0, np.inf), excess=chance
    )
    return estimate, influence


def check_templates(dimension: int, delay: int, tolerance: float, theiler: int) -> None:
    """Refuse settings that define no template.

    Raises
    ------
    InvalidInput
    """
    if dimension < 1 or delay < 1:
        raise InvalidInput(
            f"dimension = {dimension}, delay = {delay}; both are positive numbers of samples."
        )
    if not tolerance > 0:
        raise InvalidInput(
            f"tolerance = {tolerance}; expected a positive share of the standard deviation."
        )
    if theiler < 0:
        raise InvalidInput(f"theiler = {theiler}; expected a number of samples, 0 or more.")


def _answer(
    kind: str,
    data: Any,
    dimension: int,
    delay: int,
    tolerance: float,
    theiler: int,
    level: float,
    throw: bool,
    most: int,
    **settings: float,
) -> SampleEntropy:
    check_templates(dimension, delay, tolerance, theiler)
    view = observable(data)
    columns, spread = first_component(view)
    windows, clock = templates_of(columns, dimension + 1, delay)
    cautions = list(view.findings)
    if len(clock) > most:
        kept = np.linspace(0, len(clock) - 1, most).astype(int)
        cautions.append(
            Finding(
                "templates-thinned",
                f"{most} of {len(clock)} templates, evenly spaced, were compared.",
                "The estimate is unbiased; its interval is a little wider than it could be.",
                "note",
            )
        )
        windows, clock = windows[kept], clock[kept]
    radius = tolerance * spread
    matches = sample_matches if kind == "sample" else fuzzy_matches
    shorter, longer = matches(windows, clock, radius, theiler, **settings)
    estimate, influence = pair_entropy(shorter, longer, clock, level, kind=kind)
    status = Status.OK if estimate.is_finite else Status.TOO_SHORT
    require(status, throw=throw)
    if status is Status.OK and longer.sum() / 2 < _FEW_MATCHES:
        cautions.append(
            Finding(
                "few-matches",
                f"Only {longer.sum() / 2:.3g} pairs of templates match in {dimension + 1} "
                "coordinates.",
                "Lower `dimension`, raise `tolerance`, or give a longer record.",
            )
        )
    if view.missing > 0:
        cautions.append(
            Finding(
                "templates-with-gaps",
                f"{view.missing:.1%} of the samples are missing; templates that hold one were left "
                f"out, {len(clock)} remain.",
                "If samples are missing because of their value, the entropy is that of the rest.",
                "note",
            )
        )
    return SampleEntropy(
        entropy=estimate,
        kind=kind,
        matches=float(shorter.sum()) / 2,
        longer_matches=float(longer.sum()) / 2,
        dimension=dimension,
        delay=delay,
        theiler=theiler,
        radius=radius * (view.scale or 1.0),
        templates=len(clock),
        times=(clock % 10_000_000) * view.dt,
        contributions=influence,
        unit=view.unit,
        time_unit=view.time_unit,
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={"dimension": dimension, "delay": delay, "tolerance": tolerance,
                    "theiler": theiler, "n_samples": view.n_samples, **settings},
    )  # fmt: skip


@checked
def sample_entropy(
    data: Any,
    *,
    dimension: int = 2,
    delay: int = 1,
    tolerance: float = 0.2,
    theiler: int = 0,
    level: float = 0.9,
    throw: bool = True,
) -> SampleEntropy:
    r"""Sample entropy :math:`\ln(B / A)`: the rate at which similar stretches become dissimilar.

    `B` pairs of templates of `dimension` successive values lie within the radius of each other
    in every coordinate, and `A` of these pairs still do with one more value.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used.
    dimension : int
        Values in a template (m).
    delay : int
        Samples between the values of a template.
    tolerance : float
        Radius over the standard deviation of the record (r).
    theiler : int
        Pairs at most this many samples apart in time are left out; 0 is the usual definition,
        in which densely sampled neighbours in time count as matches.
    level : float
        Nominal coverage of the interval, which comes from the influence of each template on the
        two counts, averaged over 20 blocks.
    throw : bool
        Raise where nothing matches; else the value is NaN.

    Returns
    -------
    SampleEntropy

    Raises
    ------
    InvalidInput
        If `dimension`, `delay` or `tolerance` is not positive, or `theiler` is negative.
    NumericalFailure
        If no pair matches in ``dimension + 1`` coordinates, and `throw`.

    Notes
    -----
    Templates with a missing value are left out, and no template crosses a gap. Independent Gaussian
    noise has :math:`-\ln \mathrm{erf}(r / 2)`, whatever the dimension. A low value does not tell
    determinism from strong autocorrelation, and the number depends on `tolerance`, `delay` and the
    sampling step: compare only at equal settings. Cost: pairs within the radius in one
    coordinate, about a tenth of N^2 / 2; memory O(N). More than 200,000 templates are thinned.

    References
    ----------
    Richman and Moorman (2000), Am. J. Physiol. 278, H2039; variance: Lake, Richman, Griffin and
    Moorman (2002), Am. J. Physiol. 283, R789, here with blocks in place of their count of overlaps.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=2000)
    >>> from scipy.special import erf
    >>> found = sample_entropy(noise).entropy
    >>> bool(found.interval[0] < -np.log(erf(0.1)) < found.interval[1])
    True
    """
    return _answer(
        "sample", data, dimension, delay, tolerance, theiler, level, throw, _MOST_TEMPLATES
    )


@checked
def fuzzy_entropy(
    data: Any,
    *,
    dimension: int = 2,
    delay: int = 1,
    tolerance: float = 0.2,
    power: float = 2.0,
    theiler: int = 0,
    level: float = 0.9,
    throw: bool = True,
) -> SampleEntropy:
    r"""Fuzzy entropy: sample entropy with degrees of match :math:`e^{-(d / r)^{power}}`.

    Each template is freed of its own mean; distance `d` is the largest difference of coordinates.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used.
    dimension, delay, tolerance, theiler
        As in `sample_entropy`; `dimension` is at least 2, as a single value less its mean is 0.
    power : float
        Steepness of the degrees; large powers approach a sharp radius.
    level : float
        Nominal coverage of the interval, from the influence of each template, over 20 blocks.
    throw : bool
        Raise where nothing matches; else the value is NaN.

    Returns
    -------
    SampleEntropy
        With ``kind`` "fuzzy".

    Raises
    ------
    InvalidInput
        If a setting is out of range.
    NumericalFailure
        If no pair matches to any degree, and `throw`.

    Notes
    -----
    Smooth in the data and in `tolerance`, so steadier than sample entropy in short records; the
    local mean makes it blind to slow drift. It does not tell determinism from autocorrelation.
    Cost: O(N^2) exponentials; more than 20,000 templates are thinned. Memory O(N).

    References
    ----------
    Chen, Wang, Xie and Yu (2007), IEEE Trans. Neural Syst. Rehabil. Eng. 15, 266.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=500)
    >>> sine = np.sin(0.1 * np.arange(500))
    >>> fuzzy_entropy(noise).entropy.value > 5 * fuzzy_entropy(sine).entropy.value
    True
    """
    if dimension < 2:
        raise InvalidInput(f"dimension = {dimension}; fuzzy templates less their mean need 2.")
    if not power > 0:
        raise InvalidInput(f"power = {power}; expected a positive number.")
    return _answer("fuzzy", data, dimension, delay, tolerance, theiler, level, throw, _MOST_FUZZY,
                   power=float(power))  # fmt: skip
