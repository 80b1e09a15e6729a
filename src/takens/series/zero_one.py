"""The 0-1 test for chaos on measured data, behind a gate: it cannot tell noise from chaos itself."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, Status, require
from takens.series.gate import gate
from takens.series.observable import observable
from takens.series.prediction import as_estimate, coordinates
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_ANGLES = 100
_N_LAGS = 60
_MIN_SAMPLES = 200  # after thinning
_MAX_SAMPLES = 5000
_MAX_BRIDGED = 0.05
_CHAOTIC, _REGULAR = 0.8, 0.3  # bounds that the whole interval has to pass


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ZeroOneTestOfData(AbstractResult):
    """Growth of a two-dimensional walk driven by the data: K near 1 for chaos, near 0 for order.

    Parameters
    ----------
    k : Estimate
        Median over angles of the correlation of mean square displacement with time; NaN where the
        data cannot be told from noise, on which K is near 1 as well.
    kind : {"chaotic", "regular", "undecided"}
        Chaotic if the whole interval lies above 0.8, regular if it lies below 0.3.
    angles, k_by_angle : array, shape (n_angles,)
        In radians per sample, and the correlation at each.
    stride : int
        Every how many samples the record was used: an oversampled one looks regular.
    ratio, p_value : float
        Prediction error over that of surrogates, and its p-value: the gate.
    label : str
        What was tested.
    """

    k: Estimate
    kind: Literal["chaotic", "regular", "undecided"]
    angles: np.ndarray
    k_by_angle: np.ndarray
    stride: int
    ratio: float
    p_value: float
    label: str

    def summary(self) -> str:
        """The answer or the reason for its absence."""
        if not self.k.is_finite:
            return f"0-1 test: no answer ({self.status.value})"
        return f"0-1 test: {self.kind}, K = {self.k}, every {self.stride} sample(s) used"

    def plot(self, ax: Any = None) -> Any:
        """K against angle."""
        from takens import plot

        ax = plot.axes(ax)
        plot.points(ax, self.angles, self.k_by_angle)
        ax.set_ylim(-1.1, 1.1)
        if self.k.is_finite:
            ax.axhline(self.k.value, ls="--")
        plot.labels(ax, xlabel="angle (radians per sample)", ylabel="K", title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """K against angle."""
        import xarray as xr

        return xr.Dataset(
            {"k": ("angle", self.k_by_angle)},
            {"angle": self.angles},
            attrs={"k_median": self.k.value, "kind": self.kind, "stride": self.stride},
        )


def growth_of_displacement(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
    r"""Correlation with time of the mean square displacement of the walk, for each angle.

    The walk is :math:`z_n = \sum_{j \le n} x_j e^{i j c}`; its displacement over up to a tenth of the
    record, less the oscillating term of the mean (Gottwald and Melbourne 2009, eqs. 2.1 to 3.4).

    Returns
    -------
    array, shape (n_angles,)
        Between -1 and 1. Cost O(60 n_angles N).
    """
    n = len(x)
    longest = n // 10
    lags = np.unique(np.linspace(1, longest, min(longest, _N_LAGS)).astype(int))
    walks = np.cumsum(x * np.exp(1j * np.outer(angles, np.arange(1, n + 1))), axis=1)
    start = walks[:, : n - longest]
    moved = np.array(
        [np.mean(np.abs(walks[:, lag : lag + n - longest] - start) ** 2, axis=1) for lag in lags]
    )
    turn = (1 - np.cos(np.outer(lags, angles))) / (1 - np.cos(angles))
    moved = moved - x.mean() ** 2 * turn
    centred, time = moved - moved.mean(axis=0), lags - lags.mean()
    scale = np.linalg.norm(centred, axis=0) * np.linalg.norm(time)
    return np.asarray(time @ centred / np.maximum(scale, 1e-300))


def _settings(x: np.ndarray, stride: int, whole: bool) -> list[np.ndarray]:
    """Thinned records: strides up to twice the delay, from two starts; each whole or in halves."""
    strides = (1,) if stride == 1 else sorted({stride, -(-3 * stride // 2), 2 * stride})
    found = []
    for step in strides:
        for offset in sorted({0, step // 2}):
            part = x[offset::step][:_MAX_SAMPLES]
            half = len(part) // 2
            pieces = [part] if whole else [part[:half], part[half:]]
            found += [piece for piece in pieces if len(piece) >= _MIN_SAMPLES]
    return found


@checked
def zero_one_test_of_data(
    data: Any,
    *,
    delay: int | None = None,
    n_surrogates: int = 39,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> ZeroOneTestOfData:
    """The 0-1 test for chaos, thinned to the delay and asked only of records that follow a rule.

    The test looks at how fast a walk driven by the data spreads. Noise drives it as chaos does, so
    the record must first beat its linear surrogates in local prediction, or follow spectral lines
    on held-out data. A finely sampled flow looks regular, so every `delay`-th sample is used.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used; of several stretches the longest.
    delay : int, optional
        In samples; by default from `embedding`.
    n_surrogates : int
        Of the gate; at least 19.
    level : float
        Nominal coverage of the interval.
    seed : int
        For surrogates and angles.
    throw : bool
        Whether to raise where there is no answer.

    Returns
    -------
    ZeroOneTestOfData

    Raises
    ------
    InvalidInput
        If fewer than 19 surrogates are asked for or the delay is below 1.
    NumericalFailure
        If fewer than 200 thinned samples are left, more than 5 % were bridged, or the record cannot
        be told from noise; and `throw`.

    Notes
    -----
    The interval is the spread of K over strides, starts and halves of the record. It does *not*
    distinguish weak chaos from slow quasiperiodicity at a finite length, and measurement noise
    pushes the K of regular motion up: `undecided` is a proper answer. Cost: the gate's, and some
    6,000 passes over at most 5,000 samples.

    References
    ----------
    Gottwald and Melbourne (2009), SIAM J. Appl. Dyn. Syst. 8, 129; on oversampling and noise: the
    same (2016), in Chaos Detection and Predictability, 221.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.empty(1000)
    >>> x[0] = 0.3
    >>> for n in range(999):
    ...     x[n + 1] = 3.9 * x[n] * (1 - x[n])
    >>> zero_one_test_of_data(x).kind
    'chaotic'
    >>> noise = np.random.default_rng(0).normal(size=1000)
    >>> zero_one_test_of_data(noise, throw=False).status.name
    'NOT_APPLICABLE'
    """
    view = observable(data)
    at = coordinates(view, None, delay)
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(np.pi / 5, 4 * np.pi / 5, _N_ANGLES))
    x, cautions, status = view.longest, list(view.findings), Status.OK
    wholes = _settings(x, at.delay, whole=True)
    if not wholes:
        status = Status.TOO_SHORT
    elif view.bridged > _MAX_BRIDGED:
        status = Status.NOT_APPLICABLE
        cautions.append(_TOO_BRIDGED)
    passed = gate(view, at, seed=seed, n_surrogates=n_surrogates)
    if status is Status.OK and not passed.open:
        status = Status.NOT_APPLICABLE
        cautions.append(passed.finding)
    require(status, throw=throw)
    by_angle = np.full(_N_ANGLES, np.nan)
    k = low = high = float("nan")
    if status is Status.OK:
        by_angle = growth_of_displacement(wholes[0], angles)
        settings = [*wholes, *_settings(x, at.delay, whole=False)]
        spread = [float(np.median(growth_of_displacement(part, angles))) for part in settings]
        k = float(np.median(spread[: len(wholes)]))
        ends = np.quantile([*spread, k], [(1 - level) / 2, (1 + level) / 2])
        low, high = float(min(ends[0], k)), float(max(ends[1], k))
        if at.delay > 1:
            cautions.append(_thinned(at.delay))
    return ZeroOneTestOfData(
        k=as_estimate(k, low, high, level, "spread over strides, starts and halves"),
        kind="chaotic" if low > _CHAOTIC else "regular" if high < _REGULAR else "undecided",
        angles=angles,
        k_by_angle=by_angle,
        stride=at.delay,
        ratio=passed.ratio,
        p_value=passed.p_value,
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={**at.described(), "seed": seed, "n_surrogates": n_surrogates},
    )


_TOO_BRIDGED = Finding(
    "too-many-bridged",
    f"More than {_MAX_BRIDGED:.0%} of the samples were interpolated, which drives the walk like noise.",
    "Give a stretch with fewer missing samples.",
    "serious",
)


def _thinned(stride: int) -> Finding:
    return Finding(
        "oversampled",
        f"The record is sampled {stride} times in a delay, and finely sampled chaos looks regular.",
        f"Every {stride}th sample was used, and strides up to twice that for the interval.",
        "note",
    )
