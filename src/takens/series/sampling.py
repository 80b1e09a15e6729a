"""How a record is sampled: map or flow, too finely or too coarsely, rounded, held."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, Status, require
from takens.series.embedding import embedding
from takens.series.observable import delay_vectors, observable
from takens.series.settings import checked
from takens.series.spectrum import spectrum

if TYPE_CHECKING:
    import xarray as xr

_MIN_SAMPLES = 64
_FINE = 50  # samples a fast period above which thinning loses nothing
_COARSE = 4  # below this, motion between samples is not seen
_SMOOTH = 0.5  # step over distance at random, below which an orbit is traced
_RANDOM_PAIRS = 2000


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sampling(AbstractResult):
    """Whether samples trace an orbit or jump along it, and what the recording did to the values.

    Parameters
    ----------
    map_like : bool
        Successive states lie about as far apart as states at random: the record is to be read as
        the orbit of a map.
    step_ratio : float
        Median distance of successive delay states over that of states at random: near 0 for a
        finely sampled flow, near 1 for a map, for noise and for a flow sampled too coarsely.
    samples_per_period, samples_per_fast_period : float
        Samples in the characteristic period, and in the period of the fastest motion that carries
        5 % of the power. Without meaning for a map.
    stride : int
        Every `stride`-th sample would hold as much; 1 unless the record is oversampled.
    resolution : float
        Smallest step between values that occur, over the standard deviation, where a record is
        rounded; 0 where it is not.
    held : float
        Share of samples that repeat the one before, in stretches that move: 0.5 where every sample
        occurs twice.
    missing : float
        Share of missing samples within stretches; a gap of more than 20 parts two of them.
    label : str
        What was looked at.
    """

    map_like: bool
    step_ratio: float
    samples_per_period: float
    samples_per_fast_period: float
    stride: int
    resolution: float
    held: float
    missing: float
    label: str

    def summary(self) -> str:
        """Kind of sampling and what stands out."""
        if self.status is not Status.OK:
            return f"sampling: no answer ({self.status.value})"
        kind = "read as a map" if self.map_like else "sampled from a flow"
        text = (
            f"{kind} (step ratio {self.step_ratio:.2f}), {self.samples_per_period:.3g} samples a "
            f"characteristic period, {self.samples_per_fast_period:.3g} a fast one"
        )
        return " ".join((text + ".", *(str(c) for c in self.cautions if c.level != "note")))

    def plot(self, ax: Any = None) -> Any:
        """Samples of the fast period between too few and too many."""
        from takens import plot

        ax = plot.axes(ax)
        ax.barh(
            ["fast period", "characteristic period"],
            [self.samples_per_fast_period, self.samples_per_period],
        )
        for limit in (_COARSE, _FINE):
            ax.axvline(limit, ls="--", color="0.4")
        ax.set_xscale("log")
        plot.labels(ax, xlabel="samples (dashed: too few, more than needed)", title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The numbers as scalars."""
        import xarray as xr

        names = (
            "map_like",
            "step_ratio",
            "samples_per_period",
            "samples_per_fast_period",
            "stride",
            "resolution",
            "held",
            "missing",
        )
        return xr.Dataset(
            {name: float(getattr(self, name)) for name in names}, attrs={"label": self.label}
        )


def _step_ratio(series: tuple[np.ndarray, ...]) -> float:
    """Median distance of successive states over that of states at random, in two coordinates."""
    vectors = delay_vectors(series, 2, 1)
    ahead = vectors.successors(1)
    moved = np.flatnonzero(ahead >= 0)
    if len(moved) < _MIN_SAMPLES // 2:
        return float("nan")
    steps = np.linalg.norm(vectors.points[ahead[moved]] - vectors.points[moved], axis=1)
    a, b = np.random.default_rng(0).integers(0, len(vectors.points), (2, _RANDOM_PAIRS))
    apart = np.median(np.linalg.norm(vectors.points[a] - vectors.points[b], axis=1))
    return float(np.median(steps) / max(float(apart), 1e-300))


def _grain(x: np.ndarray) -> float:
    """Common step of the values that occur, where they repeat as rounded ones do; else 0."""
    levels = np.unique(x)
    if len(levels) > len(x) / 2 or len(levels) < 2:
        return 0.0
    gaps = np.diff(levels)
    grain = float(gaps.min())
    whole = np.round(gaps / grain)
    return grain if np.mean(np.abs(gaps / grain - whole) < 0.05) > 0.9 else 0.0


@checked
def sampling(data: Any, *, throw: bool = True) -> Sampling:
    """How the record samples the motion, and what rounding and holding did to the values.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        For several columns, their leading principal components.
    throw : bool
        Raise where the record is too short; else numbers are NaN and `status` says why.

    Returns
    -------
    Sampling

    Raises
    ------
    InvalidInput
        If no evenly sampled stretch is long enough.
    NumericalFailure
        If the record is constant or the longest stretch has fewer than 64 samples, and `throw`.

    Notes
    -----
    A flow sampled more coarsely than its motion *is* read as a map, and noise looks like a map:
    `map_like` says how to treat a record, not what made it. Cost: O(N log N).

    References
    ----------
    Kantz and Schreiber (2004), Nonlinear Time Series Analysis, 2nd ed., Cambridge, sections 3.2
    and 9.2 (sampling time and delay).

    Examples
    --------
    >>> import numpy as np
    >>> found = sampling(np.sin(0.02 * np.arange(5000)))
    >>> found.map_like, found.stride > 1
    (False, True)
    """
    view = observable(data)
    enough = not view.constant and len(view.longest) >= _MIN_SAMPLES
    status = Status.OK if enough else Status.TOO_SHORT
    require(status, throw=throw)
    if not enough:
        nan = float("nan")
        return Sampling(
            map_like=False,
            step_ratio=nan,
            samples_per_period=nan,
            samples_per_fast_period=nan,
            stride=1,
            resolution=nan,
            held=nan,
            missing=view.missing,
            label=view.label,
            status=status,
            cautions=view.findings,
        )
    rhythm, chosen = spectrum(view), embedding(view)
    ratio = _step_ratio(view.series)
    fast = rhythm.fast_period / view.dt
    map_like = bool(chosen.map_like and not ratio < _SMOOTH)
    first = np.concatenate(view.gapped)[:, 0]
    pairs = np.isfinite(first[1:]) & np.isfinite(first[:-1])
    held = float(np.mean(first[1:][pairs] == first[:-1][pairs])) if pairs.any() else 0.0
    grain = _grain(first[np.isfinite(first)])
    stride = 1 if map_like or not fast > _FINE else int(fast / (_FINE / 2))
    return Sampling(
        map_like=map_like,
        step_ratio=ratio,
        samples_per_period=float(rhythm.characteristic_period / view.dt),
        samples_per_fast_period=float(fast),
        stride=stride,
        resolution=grain,
        held=held,
        missing=view.missing,
        label=view.label,
        cautions=(
            *view.findings,
            *(
                finding
                for finding in _noticed(map_like, fast, stride, grain, held)
                if finding.code not in {known.code for known in view.findings}
            ),
        ),
        provenance={"n_samples": view.n_samples},
    )


def _noticed(map_like: bool, fast: float, stride: int, grain: float, held: float) -> list[Finding]:
    """What the reader should know before any estimate."""
    found = []
    if stride > 1:
        found.append(
            Finding(
                "oversampled",
                f"The fastest motion has {fast:.0f} samples a period.",
                f"Every {stride}th sample would do; neighbours in time crowd out those in space.",
                "note",
            )
        )
    if not map_like and fast < _COARSE:
        found.append(
            Finding(
                "undersampled",
                f"The fastest motion has {fast:.2g} samples a period.",
                f"Sample at least {_COARSE / max(fast, 1e-9):.1f} times as often.",
            )
        )
    if grain > 0.01:
        found.append(
            Finding(
                "rounded",
                f"Values come in steps of {grain:.2g} standard deviations.",
                "No distance below that step means anything.",
                "caution" if grain > 0.05 else "note",
            )
        )
    if held > 0.3:
        found.append(
            Finding(
                "held-samples",
                f"{held:.0%} of the samples repeat the one before.",
                "Values may have been held or duplicated; thin the record to those that are new.",
            )
        )
    return found
