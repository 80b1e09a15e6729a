"""Rates of change from samples: smoothing splines that choose their own smoothness, and differences."""

from __future__ import annotations

import abc
import dataclasses

import numpy as np

from takens.core import InvalidInput

PROBES = 12  # random vectors for the trace of the smoother on long stretches
EXACTLY = 200  # rows up to which that trace is exact
EDGE = 4  # rows at each end of a stretch whose slope is not used, at least
STENCIL = 5


class AbstractSlopes(abc.ABC):
    """How rates of change are read off a stretch of samples."""

    @abc.abstractmethod
    def read(self, times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Values and slopes, (sample, dim) each, and rows at each end that are not to be used."""


@dataclasses.dataclass(frozen=True)
class SmoothingSpline(AbstractSlopes):
    r"""Cubic smoothing spline, its penalty by generalised cross-validation, column by column.

    The least of :math:`n\,\mathrm{RSS}(\lambda) / \mathrm{tr}(I - S_\lambda)^2` over
    :math:`\lambda`; on more than 200 rows the trace is that of 12 random vectors, always the same.

    Notes
    -----
    Cross-validation chooses the smoothness for the values; slopes would want a little more. Cost:
    some 30 banded solves with 13 right-hand sides; memory 15 times the stretch.

    References
    ----------
    Craven and Wahba, Numerische Mathematik 31, 377 (1979); Girard, Numerische Mathematik 56, 1
    (1989): the random trace.
    """

    def read(self, times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """One column after the other."""
        smooth, slopes = np.empty_like(values), np.empty_like(values)
        step = float(np.median(np.diff(times)))
        band = _Band.of(times / step)
        freedom = len(times)
        for j in range(values.shape[1]):
            size = max(float(np.ptp(values[:, j])), 1e-300)
            y, slope, own = _smoothed(band, values[:, j] / size)
            smooth[:, j], slopes[:, j] = y * size, slope * (size / step)
            freedom = min(freedom, own)
        wide = int(np.ceil(len(times) / max(freedom, 1)))
        return smooth, slopes, min(max(wide, EDGE), max(len(times) // 10, 1))


@dataclasses.dataclass(frozen=True, eq=False)
class _Band:
    """Second differences and roughness of cubic splines over some times (Reinsch 1967)."""

    steps: np.ndarray
    differences: np.ndarray
    bend: np.ndarray
    rough: np.ndarray

    @classmethod
    def of(cls, times: np.ndarray) -> _Band:
        h = np.diff(times)
        q = np.stack([1 / h[:-1], -1 / h[:-1] - 1 / h[1:], 1 / h[1:]])
        bend = np.zeros((3, len(times) - 2))
        bend[0] = (h[:-1] + h[1:]) / 3
        bend[1, :-1] = h[1:-1] / 6
        rough = np.zeros_like(bend)
        rough[0] = (q**2).sum(axis=0)
        rough[1, :-1] = q[1, :-1] * q[0, 1:] + q[2, :-1] * q[1, 1:]
        rough[2, :-2] = q[2, :-2] * q[0, 2:]
        return cls(h, q, bend, rough)

    def second(self, y: np.ndarray) -> np.ndarray:
        """Second differences of columns, (sample - 2, column)."""
        q = self.differences[:, :, None]
        return q[0] * y[:-2] + q[1] * y[1:-1] + q[2] * y[2:]

    def spread(self, curvature: np.ndarray) -> np.ndarray:
        """The transpose of `second`."""
        back = np.zeros((len(curvature) + 2, *curvature.shape[1:]))
        for k in range(3):
            back[k : len(back) - 2 + k] += self.differences[k][:, None] * curvature
        return back


def _smoothed(band: _Band, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Values, slopes and degrees of freedom at the least generalised cross-validation."""
    from scipy.linalg import solveh_banded
    from scipy.optimize import minimize_scalar

    n = len(y)
    probes = (
        np.eye(n) if n <= EXACTLY
        else np.random.default_rng(0).choice([-1.0, 1.0], size=(n, PROBES))
    )  # fmt: skip
    known = np.concatenate([band.second(y[:, None]), band.second(probes)], axis=1)

    def at(log_penalty: float) -> tuple[np.ndarray, np.ndarray, float]:
        penalty = 10.0**log_penalty
        curvature = solveh_banded(
            band.bend + penalty * band.rough, known, lower=True, check_finite=False
        )
        left = penalty * band.spread(curvature[:, :1])[:, 0]
        lost = penalty * float((known[:, 1:] * curvature[:, 1:]).sum()) * n / (probes**2).sum()
        return y - left, curvature[:, 0], lost

    def score(log_penalty: float) -> float:
        z, _, lost = at(log_penalty)
        floor = (1e-15 * np.abs(y).max()) ** 2 * n  # what rounding leaves of an exact fit
        return float(np.log(((y - z) ** 2).sum() + floor) - 2 * np.log(max(lost, 1e-12)))

    grid = np.arange(-8.0, 11.0)
    best = grid[int(np.argmin([score(g) for g in grid]))]
    found = minimize_scalar(score, bounds=(best - 1, best + 1), method="bounded",
                            options={"xatol": 0.05})  # fmt: skip
    z, curvature, lost = at(float(found.x))
    gamma = np.r_[0.0, curvature, 0.0]
    h = band.steps
    slope = np.empty(n)
    slope[:-1] = np.diff(z) / h - h * (2 * gamma[:-1] + gamma[1:]) / 6
    slope[-1] = (z[-1] - z[-2]) / h[-1] + h[-1] * (gamma[-2] + 2 * gamma[-1]) / 6
    return z, slope, max(int(n - lost), 1)


@dataclasses.dataclass(frozen=True)
class Differences(AbstractSlopes):
    """Derivative of the polynomial of degree four through each sample and its four neighbours.

    Notes
    -----
    For data without noise: noise of standard deviation s becomes about 0.95 s over the step. The
    error is of fourth order in the step, even where steps are uneven.
    """

    def read(self, times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Centred inside; the two rows at each end have no centred stencil and are not used."""
        if len(times) < STENCIL:
            raise InvalidInput(f"{len(times)} rows were given; expected at least {STENCIL}.")
        slopes = np.zeros_like(values)
        step = np.diff(times)
        if np.ptp(step) <= 1e-6 * step[0]:
            x, one = values, (times[-1] - times[0]) / (len(times) - 1)
            inner = slopes[2:-2]
            np.subtract(x[3:-1], x[1:-3], out=inner)
            inner *= 8.0
            inner += x[:-4]
            inner -= x[4:]
            inner /= 12 * one
        else:
            for m, weight in enumerate(_stencils(times)):
                slopes[2:-2] += weight[:, None] * values[m : len(times) - 4 + m]
        return values, slopes, 2


def _stencils(times: np.ndarray) -> np.ndarray:
    """Weights of five samples in the derivative at the middle one, (5, sample - 4)."""
    s = np.stack([times[m : len(times) - 4 + m] - times[2:-2] for m in range(STENCIL)])
    weights = np.zeros_like(s)
    for j in range(STENCIL):
        if j == 2:
            continue
        others = [m for m in range(STENCIL) if m not in (j, 2)]
        top = np.prod([-s[m] for m in others], axis=0)
        bottom = np.prod([s[j] - s[m] for m in (*others, 2)], axis=0)
        weights[j] = top / bottom
    weights[2] = -weights.sum(axis=0)
    return weights
