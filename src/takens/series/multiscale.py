"""Entropy of a record seen at coarser and coarser scales."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.entropy import check_pattern, ordinal_patterns
from takens.series.linearised import entropy_of_counts
from takens.series.observable import observable, time_name
from takens.series.sample_entropy import (
    check_templates,
    first_component,
    fuzzy_matches,
    pair_entropy,
    sample_matches,
    templates_of,
)
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

Measure = Literal["sample", "fuzzy", "permutation"]

_LEAST = 100  # coarse samples below which a scale has no answer
_MOST_SCALES = 10_000
_MOST = {"sample": 200_000, "fuzzy": 20_000}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MultiscaleEntropy(AbstractResult):
    """Entropy against scale.

    Parameters
    ----------
    scales : array of int, shape (n_scales,)
        Samples averaged into one.
    entropies : tuple of Estimate, length n_scales
        Nats (sample, fuzzy) or a share of the largest possible (permutation); NaN at scales for
        which the record is too short.
    measure : str
        Which entropy.
    radius : float
        Of sample and fuzzy entropy, the same at all scales, in `unit`; NaN for permutations.
    dt : float
        Sampling step in `time_unit`.
    unit, time_unit, label : str
        Of the values, of time, and what was analysed.
    """

    scales: np.ndarray
    entropies: tuple[Estimate, ...]
    measure: str
    radius: float
    dt: float
    unit: str
    time_unit: str
    label: str

    @property
    def values(self) -> np.ndarray:
        """The point estimates, shape (n_scales,)."""
        return np.array([e.value for e in self.entropies])

    def summary(self) -> str:
        """Entropy at the finest, a middle and the coarsest scale."""
        answered = np.flatnonzero(np.isfinite(self.values))
        if not answered.size:
            return f"multiscale {self.measure} entropy: no answer ({self.status.value})"
        shown = sorted({int(answered[0]), int(answered[len(answered) // 2]), int(answered[-1])})
        parts = [f"scale {self.scales[i]}: {self.entropies[i]}" for i in shown]
        return f"multiscale {self.measure} entropy; " + "; ".join(parts)

    def plot(self, ax: Any = None) -> Any:
        """Entropy against scale with its band."""
        from takens import plot

        ax = plot.axes(ax)
        low, high = np.array([e.interval for e in self.entropies]).T
        plot.line_with_band(ax, self.scales * self.dt, self.values, low, high, marker="o", ms=3)
        unit = "share of the largest" if self.measure == "permutation" else "nats"
        plot.labels(
            ax,
            xlabel=plot.quantity("scale", time_name(self.time_unit)),
            ylabel=f"{self.measure} entropy ({unit})",
            title=self.label,
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Entropy and interval by scale."""
        import xarray as xr

        low, high = np.array([e.interval for e in self.entropies]).T
        return xr.Dataset(
            {"entropy": ("scale", self.values), "low": ("scale", low), "high": ("scale", high)},
            {"scale": self.scales},
            attrs={"measure": self.measure, "radius": self.radius, "dt": self.dt},
        )


def coarse_grained(
    columns: tuple[np.ndarray, ...], scale: int
) -> list[tuple[tuple[np.ndarray, ...], int]]:
    """Means of `scale` successive samples, from each of the `scale` first samples on.

    A mean over a missing sample is missing.
    """
    if scale == 1:
        return [(columns, 0)]
    made = []
    for offset in range(scale):
        parts = tuple(
            x[offset : offset + (len(x) - offset) // scale * scale].reshape(-1, scale).mean(axis=1)
            for x in columns
            if len(x) - offset >= scale
        )
        if parts:
            made.append((parts, offset))
    return made


def _pairs_at(
    columns: tuple[np.ndarray, ...], scale: int, measure: Measure, size: int, delay: int,
    radius: float, theiler: int, level: float,
) -> Estimate:  # fmt: skip
    """Refined composite entropy: matches of all offsets are added before the ratio is taken."""
    matches = sample_matches if measure == "sample" else fuzzy_matches
    short, long, when = [], [], []
    for parts, offset in coarse_grained(columns, scale):
        windows, clock = templates_of(parts, size + 1, delay)
        kept = np.linspace(0, len(clock) - 1, min(len(clock), _MOST[measure])).astype(int)
        a, b = matches(windows[kept], clock[kept], radius, theiler)
        short.append(a)
        long.append(b)
        when.append(clock[kept] * scale + offset)
    if not when or len(when[0]) < _LEAST:
        return Estimate(value=np.nan, level=level)
    counts = np.concatenate(short), np.concatenate(long)
    return pair_entropy(*counts, np.concatenate(when), level, kind=measure)[0]


def _patterns_at(
    columns: tuple[np.ndarray, ...], scale: int, order: int, delay: int, level: float
) -> Estimate:
    """Entropy of the ordinal patterns of all offsets together."""
    found = [
        (ordinal_patterns(parts, order, delay), offset)
        for parts, offset in coarse_grained(columns, scale)
    ]
    if not found or len(found[0][0].codes) < 5 * len(found[0][0].patterns):
        return Estimate(value=np.nan, level=level)
    return entropy_of_counts(
        np.concatenate([f.codes for f, _ in found]),
        np.concatenate([f.clock * scale + offset for f, offset in found]),
        len(found[0][0].patterns),
        level=level,
        overlap=scale,
    )[0]


def _scales(scales: Any) -> np.ndarray:
    """The scales that were asked for, whole and positive."""
    try:
        given = np.asarray(scales, dtype=float)
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.ndim > 1 or not given.size or not np.all((given >= 1) & (given == np.round(given))):
        raise InvalidInput(
            f"scales = {scales!r}; expected positive numbers of samples, whole ones."
        )
    if np.max(given) > _MOST_SCALES:
        raise InvalidInput(f"scales = {scales!r}; expected no more than {_MOST_SCALES} samples.")
    return np.arange(1, int(given) + 1) if given.ndim == 0 else given.astype(int)


@checked
def multiscale_entropy(
    data: Any,
    *,
    measure: Measure = "sample",
    scales: int | Sequence[int] = 20,
    dimension: int = 2,
    order: int = 4,
    delay: int = 1,
    tolerance: float = 0.2,
    theiler: int = 0,
    level: float = 0.9,
    throw: bool = True,
) -> MultiscaleEntropy:
    """Entropy of the means over 1, 2, 3 ... samples (refined composite form).

    At each scale the matches, or the patterns, of all ways to begin the averaging are counted
    together. The radius stays that of the record itself.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used.
    measure : {"sample", "fuzzy", "permutation"}
        Which entropy.
    scales : int or sequence of int
        The largest scale, or the scales themselves, in samples.
    dimension, tolerance, theiler
        Of sample and fuzzy entropy (`theiler` in coarse samples); see `sample_entropy`.
    order : int
        Of permutation entropy; see `permutation_entropy`.
    delay : int
        Coarse samples between the values of a template or pattern.
    level : float
        Nominal coverage of each interval, which comes from the influence of each template or
        pattern, averaged over 20 blocks of time.
    throw : bool
        Raise where no scale has an answer; else all are NaN.

    Returns
    -------
    MultiscaleEntropy

    Raises
    ------
    InvalidInput
        If a setting is out of range or the measure is unknown.
    NumericalFailure
        If the record is too short at every scale, and `throw`.

    Notes
    -----
    Averages over a missing sample are missing. A falling curve is what independent noise has, at
    scale s ``-ln erf(r sqrt(s) / 2)`` for sample entropy; a flat one is that of 1/f noise. Neither
    tells chaos from noise. The bands of neighbouring scales are not independent. Cost: N^2 ln of
    the largest scale for sample and fuzzy entropy.

    References
    ----------
    Costa, Goldberger and Peng (2002), Phys. Rev. Lett. 89, 068102; refined composite: Wu, Wu, Lin,
    Lee and Peng (2014), Phys. Lett. A 378, 1369.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=2000)
    >>> curve = multiscale_entropy(noise, scales=[1, 4]).values
    >>> bool(curve[1] < curve[0])
    True
    """
    if measure not in ("sample", "fuzzy", "permutation"):
        raise InvalidInput(f"measure = {measure!r}; expected 'sample', 'fuzzy' or 'permutation'.")
    wanted = _scales(scales)
    if measure == "permutation":
        check_pattern(order, delay)
    else:
        check_templates(dimension, delay, tolerance, theiler)
    if measure == "fuzzy" and dimension < 2:
        raise InvalidInput(f"dimension = {dimension}; fuzzy templates less their mean need 2.")
    view = observable(data)
    if wanted.max() > view.n_samples:
        raise InvalidInput(
            f"A scale of {wanted.max()} samples was asked of {view.n_samples}. Give smaller ones."
        )
    columns, spread = first_component(view)
    radius = tolerance * spread
    estimates = tuple(
        _patterns_at(columns, int(s), order, delay, level)
        if measure == "permutation"
        else _pairs_at(columns, int(s), measure, dimension, delay, radius, theiler, level)
        for s in wanted
    )
    answered = np.array([e.is_finite for e in estimates])
    status = Status.OK if answered.any() else Status.TOO_SHORT
    require(status, throw=throw)
    cautions = list(view.findings)
    if answered.any() and not answered.all():
        cautions.append(
            Finding(
                "scales-without-answer",
                f"{int((~answered).sum())} of {len(wanted)} scales have no answer: too few averages "
                "without a missing sample, or no match.",
                "Give a longer record, or ask for smaller scales.",
                "note",
            )
        )
    return MultiscaleEntropy(
        scales=wanted,
        entropies=estimates,
        measure=measure,
        radius=float("nan") if measure == "permutation" else radius * (view.scale or 1.0),
        dt=view.dt,
        unit=view.unit,
        time_unit=view.time_unit,
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={"measure": measure, "dimension": dimension, "order": order, "delay": delay,
                    "tolerance": tolerance, "theiler": theiler, "n_samples": view.n_samples},
    )  # fmt: skip
