"""Analogs: what followed when the past looked like this, to first order around it."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Finding, Fit, InvalidInput
from takens.data import Segments
from takens.learn.delay import (
    AbstractDelayEstimator,
    Pairs,
    frame_for,
    input_count,
    pairs,
    residual_sample,
)
from takens.learn.holdout import (
    correlation_length,
    holdout,
    judged_steps,
    multistep_score,
    simplest_first,
)
from takens.learn.host import MAX_RESIDUALS, AbstractHostMap, AbstractMarchingMap, folded, gathered

if TYPE_CHECKING:
    from takens.learn.maps import LocalLinearMap

MAX_COORDINATES = 8
TUNING_LIBRARY = 600
MAX_NEIGHBOURS = 128


def local_maps(
    points: np.ndarray, future: np.ndarray, counts: tuple[int, ...], *, n_residuals: int = 0
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Weighted linear regression around every point, for several numbers of neighbours.

    Tricube weights on the nearest neighbours; slopes carry a small ridge, so that directions
    in which neighbours do not differ get none.

    Returns
    -------
    list of (values, slopes, residuals)
        For each count; leave-one-out residuals at `n_residuals` points.
    """
    from scipy.spatial import cKDTree

    most = min(max(counts), len(points) - 1)
    distance, index = cKDTree(points).query(points, k=most + 1)
    held_out = np.unique(np.linspace(0, len(points) - 1, n_residuals).astype(int))
    found = []
    for count in counts:
        near = min(count, most) + 1
        reach = np.maximum(distance[:, near - 1 : near] * 1.001, 1e-300)
        weight = (1 - np.minimum(distance[:, :near] / reach, 1) ** 3) ** 3
        values, slopes = _regress(points, points, future, index[:, :near], weight)
        outside = weight[held_out]
        outside[:, 0] = 0.0  # the point itself
        rows = index[held_out, :near]
        guess, _ = _regress(points[held_out], points, future, rows, outside)
        found.append((values, slopes, future[held_out] - guess))
    return found


def _regress(
    centres: np.ndarray,
    points: np.ndarray,
    future: np.ndarray,
    index: np.ndarray,
    weight: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    offset = points[index] - centres[:, None]
    target = future[index]
    mean_offset = np.einsum("ik,ikd->id", weight, offset)
    mean_target = np.einsum("ik,ikr->ir", weight, target)
    offset = offset - mean_offset[:, None]
    weighted = offset * weight[..., None]
    gram = np.swapaxes(weighted, 1, 2) @ offset
    cross = np.swapaxes(weighted, 1, 2) @ (target - mean_target[:, None])
    size = np.trace(gram, axis1=1, axis2=2)[:, None, None]
    gram = gram + (1e-4 * size + 1e-14) * np.eye(points.shape[1])
    slope = np.linalg.solve(gram, cross)
    values = mean_target - np.einsum("id,idr->ir", mean_offset, slope)
    return values, np.swapaxes(slope, 1, 2)


@dataclasses.dataclass(frozen=True, eq=False)
class _Nearest:
    """The linear maps of the library, found by a tree instead of a search through all of it."""

    points: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @functools.cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(self.points)

    def raw(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What follows windows `w`, shape (..., variable), before it is folded; and the slopes."""
        good = np.isfinite(w).all(axis=-1)
        nearest = self._tree.query(np.where(good[..., None], w, 0.0))[1]
        gap = (w - self.points[nearest])[..., None]
        slopes = self.slopes[nearest]
        return self.values[nearest] + (slopes @ gap)[..., 0], slopes

    def advance(self, delayed: np.ndarray, drivers: np.ndarray) -> np.ndarray:
        """The next samples after delay coordinates (..., delayed) under inputs (..., input)."""
        w = delayed
        if drivers.shape[-1]:
            wide = np.broadcast_to(drivers, (*delayed.shape[:-1], drivers.shape[-1]))
            w = np.concatenate([delayed, wide], axis=-1)
        return np.asarray(folded(self.raw(w)[0], self.low, self.high, np))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostLocalLinear(AbstractMarchingMap):
    """The linear map of the nearest library window; see `LocalLinearMap`.

    Parameters
    ----------
    points, values, slopes, low, high : array
        As in `LocalLinearMap`.
    """

    points: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @functools.cached_property
    def _nearest(self) -> _Nearest:
        return _Nearest(self.points, self.values, self.slopes, self.low, self.high)

    def advance(self, n: np.ndarray, window: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The linear maps of the nearest windows."""
        new, _ = self._nearest.raw(gathered(window, self.lags, u))
        return np.asarray(folded(new, self.low, self.high, np))

    def tangent(
        self, n: np.ndarray, window: np.ndarray, u: np.ndarray, vector: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Their slopes; folding back turns a direction round."""
        new, slopes = self._nearest.raw(gathered(window, self.lags, u))
        along = gathered(vector, self.lags, u[:, :0])
        moved = (slopes[:, :, : along.shape[1]] @ along[..., None])[..., 0]
        turns = np.floor((new - self.low) / np.maximum(self.high - self.low, 1e-9))
        back = np.where(turns % 2 == 0, 1.0, -1.0)
        return np.asarray(folded(new, self.low, self.high, np)), moved * back

    def system(self) -> LocalLinearMap:
        """The same map as a system."""
        from takens.learn.maps import LocalLinearMap

        return LocalLinearMap(
            frame=self.frame.system(),
            points=self.points,
            values=self.values,
            slopes=self.slopes,
            low=self.low,
            high=self.high,
            lags=self.lags,
            observed=self.observed,
            n_inputs=self.n_inputs,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Analog(AbstractDelayEstimator["LocalLinearMap"]):
    r"""Local linear maps between nearest neighbours in delay coordinates.

    Around every library window a weighted linear regression on its `n_neighbours` nearest windows
    is fitted once; a forecast applies the map of the nearest window. Settings that are not given
    are chosen inside the training data by forecasts of many steps on its last quarter.

    Parameters
    ----------
    n_lags, spacing : int, optional
        Delays, and samples between them.
    n_neighbours : int, optional
        Neighbours in each regression; few follow a curved map, many average noise.
    max_library : int
        The most recent windows that are kept.

    Raises
    ------
    InvalidInput
        If a given setting is below one, or the record holds fewer than eight windows.

    Notes
    -----
    Knows nothing where the past has not been. Costs about 30 microseconds for each library window
    when fitted.

    References
    ----------
    Farmer and Sidorowich, Physical Review Letters 59, 845 (1987); Lorenz, Journal of the
    Atmospheric Sciences 26, 636 (1969), on analogs.

    Examples
    --------
    >>> fit = Analog(n_lags=2, spacing=5, n_neighbours=8).fit(np.sin(0.1 * np.arange(500)))
    >>> fit.model.window
    6
    """

    n_lags: int | None = None
    spacing: int | None = None
    n_neighbours: int | None = None
    max_library: int = 2_500
    references = ("farmer1987predicting", "lorenz1969atmospheric")

    def __post_init__(self) -> None:
        for name in ("n_lags", "spacing", "n_neighbours", "max_library"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidInput(f"{name} = {value}; expected at least 1, or leave it out.")

    @property
    def label(self) -> str:
        """Short name."""
        return "analog"

    def tuned(self, segments: Segments, *, seed: int = 0) -> Analog:
        """With the settings whose multi-step forecasts of the last quarter are best."""
        if None not in (self.n_lags, self.spacing, self.n_neighbours):
            return self
        split = holdout(segments)
        frame, _ = frame_for(split.early, MAX_COORDINATES)
        tau = correlation_length(split.early, frame)
        lags = (1, 2, 3, 5) if self.n_lags is None else (self.n_lags,)
        spacings = sorted({1, max(1, tau // 2)}) if self.spacing is None else [self.spacing]
        typical = int(np.median([len(v) for v in split.early.values]))
        ranked: list[dict[str, int]] = []
        scores: list[np.ndarray] = []
        for k in lags:
            for spacing in spacings if k > 1 else spacings[:1]:
                if (k - 1) * spacing >= typical // 3:
                    continue
                chosen = tuple(spacing * i for i in range(k))
                found = pairs(split.early, frame, chosen, cap=TUNING_LIBRARY)
                points = np.concatenate([found.past, found.inputs], axis=1)
                few = points.shape[1] + 2
                most = min(len(points) // 2, MAX_NEIGHBOURS)
                counts = tuple(sorted({min(few * factor, most) for factor in (1, 6, 36)}))
                if self.n_neighbours is not None:
                    counts = (self.n_neighbours,)
                ends = found.future.min(axis=0), found.future.max(axis=0)
                maps = local_maps(points, found.future, counts)
                for n, (values, slopes, _) in zip(counts, maps, strict=True):
                    advance = _Nearest(points, values, slopes, *ends).advance
                    scores.append(
                        multistep_score(
                            advance, split.late, frame, chosen, 1, n_steps=judged_steps(tau)
                        )[0]
                    )
                    ranked.append({"n_lags": k, "spacing": spacing, "n_neighbours": n})
        # fewer lags are simpler, and among those a smoother map is
        sizes = [10_000 * trial["n_lags"] - trial["n_neighbours"] for trial in ranked]
        best = ranked[simplest_first(scores, sizes)[0]] if ranked else {}
        fallback = {"n_lags": self.n_lags or 1, "spacing": self.spacing or 1}
        fallback["n_neighbours"] = self.n_neighbours or 8
        return dataclasses.replace(self, **{**fallback, **best})

    def learn(self, segments: Segments, *, seed: int = 0) -> Fit[AbstractHostMap]:
        """Fit the local maps at the chosen settings."""
        chosen = self.tuned(segments, seed=seed)
        n_lags, spacing = chosen.n_lags or 1, chosen.spacing or 1
        n_neighbours = chosen.n_neighbours or 8
        frame, findings = frame_for(segments, MAX_COORDINATES)
        lags = tuple(spacing * i for i in range(n_lags))
        found = pairs(segments, frame, lags, cap=self.max_library)
        if len(found) < 8:
            raise InvalidInput(
                f"The record holds {len(found)} windows of {max(lags) + 1} samples; analogs need "
                "8. Give a longer record, or fewer lags."
            )
        points = np.concatenate([found.past, found.inputs], axis=1)
        ((values, slopes, residuals),) = local_maps(
            points, found.future, (n_neighbours,), n_residuals=MAX_RESIDUALS
        )
        if segments.n_samples > len(found) + 64 * len(segments.values):
            findings += (_library_finding(found, segments),)
        model = HostLocalLinear(
            frame=frame,
            points=points,
            values=values,
            slopes=slopes,
            low=found.future.min(axis=0),
            high=found.future.max(axis=0),
            lags=lags,
            observed=segments.names,
            n_inputs=input_count(segments),
        )
        diagnostics = {
            "residuals": residual_sample(residuals, seed),
            "n_pairs": len(found),
            "n_lags": n_lags,
            "spacing": spacing,
            "n_neighbours": n_neighbours,
        }
        return Fit(model=model, diagnostics=diagnostics, cautions=findings)


def _library_finding(found: Pairs, segments: Segments) -> Finding:
    return Finding(
        code="library-capped",
        text=f"The analog library holds the {len(found)} most recent windows of "
        f"{segments.n_samples} training samples.",
        action="Give Analog a larger max_library to search them all.",
        level="note",
    )
