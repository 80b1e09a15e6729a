"""Linear autoregression in delay coordinates, and its one-lag form, dynamic mode decomposition."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Finding, Fit, InvalidInput
from takens.data import Segments
from takens.learn.delay import (
    AbstractDelayEstimator,
    Pairs,
    capped_finding,
    frame_for,
    input_count,
    pairs,
    residual_sample,
)
from takens.learn.frame import HostFrame
from takens.learn.host import AbstractHostMap, AbstractMarchingMap, gathered
from takens.learn.moments import Moments, moments, with_intercept

if TYPE_CHECKING:
    from takens.learn.maps import AffineDelayMap

MAX_COORDINATES = 32


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostAffine(AbstractMarchingMap):
    """One matrix on the delayed coordinates; see `AffineDelayMap`.

    Parameters
    ----------
    matrix, input_matrix, offset : array
        As in `AffineDelayMap`.
    """

    matrix: np.ndarray
    input_matrix: np.ndarray
    offset: np.ndarray

    def advance(self, n: np.ndarray, window: np.ndarray, u: np.ndarray) -> np.ndarray:
        """One multiplication for all orbits."""
        new = self.offset + gathered(window, self.lags, u[:, :0]) @ self.matrix.T
        return np.asarray(new + u @ self.input_matrix.T if u.shape[1] else new)

    def tangent(
        self, n: np.ndarray, window: np.ndarray, u: np.ndarray, vector: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same matrix carries the vector."""
        moved = gathered(vector, self.lags, u[:, :0]) @ self.matrix.T
        return self.advance(n, window, u), moved

    def system(self) -> AffineDelayMap:
        """The same map as a system."""
        from takens.learn.maps import AffineDelayMap

        return AffineDelayMap(
            frame=self.frame.system(),
            matrix=self.matrix,
            input_matrix=self.input_matrix,
            offset=self.offset,
            lags=self.lags,
            observed=self.observed,
            n_inputs=self.n_inputs,
        )


def spectral_radius(matrix: np.ndarray) -> float:
    """Largest modulus of the eigenvalues of the companion matrix of consecutive lags."""
    rows, columns = matrix.shape
    companion = np.zeros((columns, columns))
    companion[:rows] = matrix
    companion[rows:, : columns - rows] = np.eye(columns - rows)
    return float(np.abs(np.linalg.eigvals(companion)).max())


def affine_fit(
    segments: Segments,
    frame: HostFrame,
    found: Pairs,
    coefficients: np.ndarray,
    findings: tuple[Finding, ...],
    settings: dict[str, Any],
    seed: int,
) -> Fit[AbstractHostMap]:
    """The model, its residuals and its cautions from coefficients (1 + delayed + input, target)."""
    n_delayed, n_inputs = found.past.shape[1], found.inputs.shape[1]
    matrix = coefficients[1 : 1 + n_delayed].T
    model = HostAffine(
        frame=frame,
        matrix=matrix,
        input_matrix=coefficients[1 + n_delayed :].T,
        offset=coefficients[0],
        lags=tuple(range(n_delayed // matrix.shape[0])),
        observed=segments.names,
        n_inputs=n_inputs,
    )
    recent = found.thinned(slice(-20_000, None))
    design = with_intercept(np.concatenate([recent.past, recent.inputs], axis=1))
    freedom = np.sqrt(len(found) / max(len(found) - design.shape[1], 1))  # in-sample is too small
    residuals = (recent.future - design @ coefficients) * freedom
    radius = spectral_radius(matrix)
    if radius > 1.0 + 1e-6:
        findings = (
            *findings,
            Finding(
                code="unstable-linear-model",
                text=f"The linear model grows: its largest eigenvalue has modulus {radius:.4f}.",
                action="Its long forecasts drift away; trust the short leads only.",
                level="note",
            ),
        )
    diagnostics = {
        "residuals": residual_sample(residuals, seed),
        "n_pairs": len(found),
        "spectral_radius": radius,
        **settings,
    }
    return Fit(model=model, diagnostics=diagnostics, cautions=findings)


def _design_moments(found: Pairs) -> Moments:
    rows = np.concatenate([found.past, found.inputs], axis=1)
    return moments(with_intercept, rows, found.future)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearAutoregression(AbstractDelayEstimator["AffineDelayMap"]):
    r"""Vector autoregression with intercept, :math:`z_{n+1} = b + \sum_{j<p} A_j z_{n-j} + B u_n`.

    Ordinary least squares from normal equations accumulated over stretches; the order `p` is the
    one of least corrected Akaike criterion on the training data. More than 32 columns are reduced
    to principal components first.

    Parameters
    ----------
    order : int, optional
        Number of lags; chosen when not given.
    max_order : int
        Largest order that is tried.
    ridge : float
        Penalty per training row, in standardised units.

    Raises
    ------
    InvalidInput
        If an order below one is given, or no stretch is longer than the order.

    Notes
    -----
    Says how far *linear* dependence reaches. Residual ensembles assume that residuals are
    exchangeable, so changing variance is averaged.

    References
    ----------
    Hurvich and Tsai, Journal of Time Series Analysis 14, 271 (1993): the corrected criterion for
    vector autoregressions.

    Examples
    --------
    >>> import numpy as np
    >>> rng, x = np.random.default_rng(0), [0.0]
    >>> for noise in rng.normal(size=999):
    ...     x.append(0.8 * x[-1] + noise)
    >>> fit = LinearAutoregression(order=1).fit(np.array(x))
    >>> abs(float(fit.model.matrix[0, 0]) - 0.8) < 0.05
    True
    """

    order: int | None = None
    max_order: int = 20
    ridge: float = 1e-8
    references = ("hurvich1993corrected",)

    def __post_init__(self) -> None:
        if self.order is not None and self.order < 1:
            raise InvalidInput(f"order = {self.order}; expected at least 1. Give a number of lags.")

    @property
    def label(self) -> str:
        """Short name."""
        return "linear autoregression"

    def tuned(self, segments: Segments, *, seed: int = 0) -> LinearAutoregression:
        """With the order of least corrected Akaike criterion, all orders on the same rows."""
        if self.order is not None:
            return self
        frame, _ = frame_for(segments, MAX_COORDINATES)
        r, m = frame.n_coordinates, input_count(segments)
        typical = int(np.median([len(v) for v in segments.values]))
        room = min(segments.n_samples // (5 * r), 200 // r, typical // 3)
        highest = int(max(1, min(self.max_order, room)))
        found = pairs(segments, frame, tuple(range(highest)))
        sums = _design_moments(found)
        n, scores = len(found), []
        for p in range(1, highest + 1):
            k = 1 + p * r + m
            columns = np.r_[: 1 + p * r, 1 + highest * r : 1 + highest * r + m]
            part = sums.part(columns)
            covariance = part.residual_covariance(part.solve(self.ridge * n))
            _, logdet = np.linalg.slogdet(covariance + 1e-14 * np.eye(r))
            slack = max(n - k - r, 1)
            scores.append(n * (logdet + r) + 2 * (r * k + r * (r + 1) / 2) * n / slack)
        return dataclasses.replace(self, order=int(np.argmin(scores)) + 1)

    def learn(self, segments: Segments, *, seed: int = 0) -> Fit[AbstractHostMap]:
        """Solve the normal equations at the chosen order."""
        chosen = self.tuned(segments, seed=seed)
        order = int(chosen.order or 1)
        frame, findings = frame_for(segments, MAX_COORDINATES)
        found = pairs(segments, frame, tuple(range(order)))
        coefficients = _design_moments(found).solve(self.ridge * len(found))
        findings += capped_finding(segments, len(found), "Linear autoregression")
        settings = {"order": order, "ridge": self.ridge}
        return affine_fit(segments, frame, found, coefficients, findings, settings, seed)
