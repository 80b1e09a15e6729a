"""State space from one signal: its delay by mutual information, dimension by two criteria."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding
from takens.series.observable import (
    DelayVectors,
    Observable,
    delay_vectors,
    neighbours,
    observable,
    refuse_constant,
    time_name,
)
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_LIMIT = 20_000  # samples used by the delay and dimension criteria
_REFERENCES = 1500


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Embedding(AbstractResult):
    """Delays and dimensions that the data admit; an ensemble, not one choice.

    Parameters
    ----------
    delay : int
        Consensus delay in samples.
    dimension : int
        Consensus number of delay coordinates (per component).
    settings : array of int, shape (n_settings, 2)
        Admissible pairs (dimension, delay).
    theiler : int
        Window, in samples, within which points are neighbours in time only.
    lags, mutual_information, autocorrelation : array, shape (n_lags,)
        Lags in samples; mutual information in nats.
    dimensions, cao_e1, cao_e2, false_neighbours : array, shape (n_dimensions,)
        Cao's saturation and determinism quantities, and the share of false neighbours.
    map_like : bool
        Successive samples are so weakly related that the record is treated as a map.
    dt : float
        Sampling step in `time_unit`.
    time_unit, label : str
        Unit of time, and what was embedded.
    """

    delay: int
    dimension: int
    settings: np.ndarray
    theiler: int
    lags: np.ndarray
    mutual_information: np.ndarray
    autocorrelation: np.ndarray
    dimensions: np.ndarray
    cao_e1: np.ndarray
    cao_e2: np.ndarray
    false_neighbours: np.ndarray
    map_like: bool
    dt: float
    time_unit: str
    label: str

    def summary(self) -> str:
        """Delay, dimension and the ensemble."""
        span = sorted({int(m) for m in self.settings[:, 0]})
        return (
            f"delay {self.delay * self.dt:.4g} {time_name(self.time_unit)} "
            f"(in samples: {self.delay}), "
            f"dimension {self.dimension}; ensemble of {len(self.settings)} settings, "
            f"dimensions {span[0]} to {span[-1]}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Cao's E1 and the share of false neighbours against dimension."""
        from takens import plot

        ax = plot.axes(ax)
        ax.plot(self.dimensions, self.cao_e1, "o-", label="Cao E1")
        ax.plot(self.dimensions, self.cao_e2, "s-", label="Cao E2")
        ax.plot(self.dimensions, self.false_neighbours, "^-", label="false neighbours")
        ax.legend()
        plot.labels(ax, xlabel="dimension", ylabel="quantity", title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The criteria as functions of lag and dimension."""
        import xarray as xr

        return xr.Dataset(
            {
                "mutual_information": ("lag", self.mutual_information),
                "autocorrelation": ("lag", self.autocorrelation),
                "cao_e1": ("dimension", self.cao_e1),
                "cao_e2": ("dimension", self.cao_e2),
                "false_neighbours": ("dimension", self.false_neighbours),
                "settings": (("setting", "which"), self.settings),
            },
            {"lag": self.lags, "dimension": self.dimensions, "which": ["dimension", "delay"]},
            attrs={"delay": self.delay, "dimension_chosen": self.dimension, "dt": self.dt},
        )


def autocorrelation(x: np.ndarray, max_lag: int) -> np.ndarray:
    """Biased autocorrelation of `x` at lags 0 to `max_lag`; cost O(N log N).

    With missing values (NaN), sums over the pairs that are there, scaled to what all would give.
    """
    from scipy import fft

    seen = np.isfinite(x)
    x = x - (x.mean() if seen.all() else x[seen].mean())
    size = fft.next_fast_len(2 * len(x), real=True)

    def products(values: np.ndarray) -> np.ndarray:
        power = np.abs(fft.rfft(values, size)) ** 2
        return np.asarray(fft.irfft(power, size)[: max_lag + 1])

    if seen.all():
        raw = products(x)
    else:
        pairs = np.round(products(seen.astype(float)))
        share = pairs / (len(x) - np.arange(max_lag + 1))
        known = pairs >= max(1.0, 0.05 * pairs[0])  # few pairs would be scaled up to noise
        raw = np.where(known, products(np.where(seen, x, 0.0)) / np.where(known, share, 1.0), 0.0)
    return np.asarray(raw / raw[0]) if raw[0] > 0 else np.zeros(max_lag + 1)


def mutual_information(x: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Mutual information of ``x(t)`` and ``x(t + lag)`` in nats, for each lag.

    Plug-in estimate on equally filled bins, about ``(N / 5)^(1/3)`` of them and at most 32, less
    its leading bias ``(bins - 1)^2 / (2 N)``. Pairs with a missing value are left out. Cost: O(N) a
    lag.

    References
    ----------
    Fraser and Swinney (1986), Phys. Rev. A 33, 1134; bias: Roulston (1999), Physica D 125, 285.
    """
    there = np.isfinite(x)
    whole = bool(there.all())
    known = x if whole else x[there]
    bins = int(np.clip(round((len(known) / 5) ** (1 / 3)), 4, 32))
    edges = np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])
    code = np.searchsorted(edges, x, side="right")
    found = np.empty(len(lags))
    for number, lag in enumerate(lags):
        a, b = code[: len(x) - lag], code[lag:]
        if not whole:
            both = there[: len(x) - lag] & there[lag:]
            if both.sum() < 4 * bins:
                found[number] = 0.0
                continue
            a, b = a[both], b[both]
        joint = np.bincount(a * bins + b, minlength=bins * bins).reshape(bins, bins) / len(a)
        independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
        seen = joint > 0
        used = max(int((joint.sum(axis=1) > 0).sum()), 1)
        plug_in = float(np.sum(joint[seen] * np.log(joint[seen] / independent[seen])))
        found[number] = plug_in - (used - 1) ** 2 / (2 * len(a))
    return found


def _first_minimum(curve: np.ndarray, reach: int) -> int:
    """Index of the first value that is smallest within `reach`, or of the decay to a tenth."""
    for i in range(1, len(curve) - 1):
        around = curve[max(0, i - reach) : i + reach + 1]
        if curve[i] < 0.1 * curve[0] or (i + reach < len(curve) and curve[i] == around.min()):
            return i
    return len(curve) - 1


def _fast_period(x: np.ndarray) -> float:
    """Samples in a period of the frequency below which 95 % of the power lies."""
    from scipy import fft

    seen = np.flatnonzero(np.isfinite(x))
    if len(seen) < len(x):
        x = np.interp(np.arange(len(x)), seen, x[seen])
    window = np.hanning(len(x) + 2)[1:-1]
    power = np.abs(fft.rfft((x - x.mean()) * window)) ** 2
    mass = np.cumsum(power[1:])
    return len(x) / (1 + float(np.searchsorted(mass, 0.95 * mass[-1])))


def _choose_delay(x: np.ndarray) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, bool]:
    """Delay in samples, the lags looked at, mutual information, autocorrelation, map-like."""
    reach = max(2, min(len(x) // 4, 200_000))
    correlation = autocorrelation(x[: 4 * _LIMIT * 10], reach)
    crossing = np.flatnonzero(correlation < np.exp(-1))
    decay = int(crossing[0]) if crossing.size else reach
    map_like = bool(correlation[1] < 0.55)
    furthest = int(np.clip(4 * decay, 20, reach))
    stride = max(1, furthest // 100)
    lags = np.arange(1, furthest + 1, stride)
    part = x if len(x) <= 5 * _LIMIT else x[: max(5 * _LIMIT, min(len(x), 20 * furthest))]
    information = mutual_information(part, lags[lags < len(part) // 2])
    lags = lags[: len(information)]
    delay = 1 if map_like else int(lags[_first_minimum(information, max(1, decay // (4 * stride)))])
    # Past the decay of the correlation the minimum is one of noise; before a fifth of it the
    # coordinates are redundant.
    if not map_like:
        delay = int(np.clip(delay, max(1, decay // 5), max(1, decay)))
        # A slow switching between two sides of an attractor sets the decay, not the motion on them.
        delay = min(delay, max(1, round(_fast_period(part) / 4)))
    return delay, lags, information, correlation[lags], map_like


def chosen_delay(x: np.ndarray) -> int:
    """Delay in samples at which `embedding` looks at `x`, shape (time,)."""
    return _choose_delay(x)[0]


def _cao_and_false(
    series: tuple[np.ndarray, ...], delay: int, theiler: int, max_dimension: int
) -> tuple[np.ndarray, ...]:
    """Cao's E1, E2 (Cao 1997, eqs. 2 to 5) and the share of false neighbours (Kennel 1992)."""
    growth, successor, false = [], [], []
    first = np.concatenate(series)[:, 0]
    first = first[np.isfinite(first)]
    spread = float(first.std())
    levels = np.unique(first)
    # Exact repetitions, of a sine or of rounded data, are as near as the rounding can tell.
    floor = float(np.median(np.diff(levels))) if len(levels) < len(first) / 4 else 1e-8
    for m in range(1, max_dimension + 2):
        try:
            here = delay_vectors(series, m, delay)
        except ValueError:
            break
        ahead = here.successors(delay)
        usable = np.flatnonzero(ahead >= 0)
        usable = usable[:: max(1, -(-len(usable) // _LIMIT))]
        asked = usable[:: max(1, -(-len(usable) // _REFERENCES))]
        if len(asked) < 20:
            break
        distance, which = neighbours(
            here.points[usable],
            here.clock[usable],
            here.points[asked],
            here.clock[asked],
            k=1,
            theiler=theiler,
        )
        seen = which[:, 0] >= 0
        if seen.sum() < 20:
            break
        partner = usable[which[seen, 0]]
        p = here.n_components
        near = np.max(np.abs(here.points[asked[seen]] - here.points[partner]), axis=1)
        near = np.maximum(near, floor)
        extra = np.max(
            np.abs(here.points[ahead[asked[seen]], :p] - here.points[ahead[partner], :p]), axis=1
        )
        growth.append(float(np.mean(np.maximum(near, extra) / near)))
        successor.append(float(np.mean(extra)))
        false.append(
            float(
                np.mean((extra / np.maximum(distance[seen, 0], floor) > 10) | (extra > 2 * spread))
            )
        )
    if len(growth) < 2:
        empty = np.full(1, np.nan)
        return np.array([1]), empty, empty, empty
    g, s = np.array(growth), np.maximum(np.array(successor), 1e-300)
    return np.arange(1, len(g)), g[1:] / g[:-1], s[1:] / s[:-1], np.array(false)[:-1]


@checked
def embedding(data: Any, *, max_dimension: int = 8) -> Embedding:
    """Delay and dimension of a delay reconstruction, as an ensemble of admissible settings.

    The delay is the first minimum of the mutual information, kept between a fifth of the decay
    time of the autocorrelation (to 1/e) and that time itself, and at most a quarter of the period
    below which 5 % of the power lies; the dimension is the smallest at
    which Cao's E1 exceeds 0.9 and at most 5 % of the neighbours are false. The ensemble holds that
    dimension and the next, each at the delay and at half of it.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Several columns give a joint embedding of their leading principal components.
    max_dimension : int
        Largest dimension tried.

    Returns
    -------
    Embedding

    Raises
    ------
    InvalidInput
        If no evenly sampled stretch is long enough, or nothing varies.

    Notes
    -----
    Both criteria are heuristics: they find settings that unfold the attractor at the resolution of
    the data; noise makes every dimension look too small. Cost: O(N log N) up to 20,000 samples,
    subsampled above.

    References
    ----------
    Fraser and Swinney (1986), Phys. Rev. A 33, 1134; Cao (1997), Physica D 110, 43; Kennel, Brown
    and Abarbanel (1992), Phys. Rev. A 45, 3403; Takens (1981), Lect. Notes Math. 898, 366.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(2000)
    >>> found = embedding(np.sin(0.1 * t) + np.sin(0.1 * np.sqrt(2) * t))
    >>> found.map_like, found.dimension >= 3
    (False, True)
    """
    view = observable(data)
    refuse_constant(view)
    x = max(view.gapped, key=len)[:, 0]
    delay, lags, information, correlation, map_like = _choose_delay(x)
    theiler = 1 if map_like else 3 * delay
    per_component = max(2, max_dimension // view.n_components)
    dims, e1, e2, false = _cao_and_false(view.gapped, delay, theiler, per_component)
    cautions = list(view.findings)
    settled = np.flatnonzero((e1 > 0.9) & (false <= 0.05))
    if settled.size:
        dimension = int(dims[settled[0]])
    else:
        dimension = int(dims[-1])
        cautions.append(
            Finding(
                "dimension-not-settled",
                f"Cao's criterion and that of false neighbours are not met up to {int(dims[-1])} delay "
                "coordinates.",
                "The motion has many degrees of freedom, or noise; a longer record may tell.",
            )
        )
    dimension = max(dimension, 1 if map_like or view.n_components > 1 else 2)
    lower = max(1, delay // 2)
    span = len(x) // 4
    pairs = [
        (m, d)
        for m in (dimension, dimension + 1)
        for d in sorted({delay, lower}, reverse=True)
        if (m - 1) * d < span
    ] or [(dimension, 1)]
    return Embedding(
        delay=delay,
        dimension=dimension,
        settings=np.array(pairs),
        theiler=theiler,
        lags=lags,
        mutual_information=information,
        autocorrelation=correlation,
        dimensions=dims,
        cao_e1=e1,
        cao_e2=e2,
        false_neighbours=false,
        map_like=map_like,
        dt=view.dt,
        time_unit=view.time_unit,
        label=view.label,
        cautions=tuple(cautions),
        provenance={"max_dimension": max_dimension, "n_samples": view.n_samples},
    )


def vectors_of(view: Observable, dimension: int, delay: int) -> DelayVectors:
    """Delay vectors of an observable at one setting.

    Of the bridged series, unless interpolation spoils it: then vectors with a missing sample are
    left out.
    """
    return delay_vectors(view.gapped if view.spoilt else view.series, dimension, delay)
