"""Nonlinear vector autoregression: a polynomial of delay coordinates."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np

from takens.core import Finding, Fit, InvalidInput
from takens.data import Segments
from takens.learn.delay import (
    AbstractDelayEstimator,
    capped_finding,
    frame_for,
    input_count,
    pairs,
    residual_sample,
)
from takens.learn.frame import HostFrame
from takens.learn.holdout import (
    Split,
    correlation_length,
    holdout,
    judged_steps,
    multistep_score,
    simplest_first,
)
from takens.learn.host import AbstractHostMap, AbstractMarchingMap, gathered
from takens.learn.moments import Moments, moments
from takens.learn.polynomial import (
    derivative_gram,
    monomial_count,
    monomial_slopes,
    monomial_table,
    monomials,
)

if TYPE_CHECKING:
    from takens.learn.maps import PolynomialDelayMap

MAX_COORDINATES = 6
MAX_FEATURES = 120
MAX_ROWS = 50_000
NOISE_LEVELS = (1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 0.1)  # standard deviations of the coordinates
RIDGE = 1e-10  # per row: only keeps the solve finite, the noise does the regularising
ESCAPE = 10.0  # standard deviations beyond the training extremes, in extents


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostPolynomial(AbstractMarchingMap):
    """A polynomial of the delayed coordinates; see `PolynomialDelayMap`.

    Parameters
    ----------
    coefficients : array, shape (n_coordinates, monomial)
    degree : int
        Largest degree of a monomial.
    """

    coefficients: np.ndarray
    degree: int

    @functools.cached_property
    def _table(self) -> np.ndarray:
        variables = len(self.lags) * self.frame.n_coordinates + self.n_inputs
        return monomial_table(variables, self.degree)

    @functools.cached_property
    def _slopes(self) -> np.ndarray:
        """From monomials to the derivatives by the delayed coordinates: (monomial, derivative)."""
        delayed = len(self.lags) * self.frame.n_coordinates
        slopes = self.coefficients @ monomial_slopes(self._table)[:delayed]
        return np.ascontiguousarray(slopes.reshape(-1, slopes.shape[2]).T)

    def advance(self, n: np.ndarray, window: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Monomials once, then one multiplication for all orbits."""
        z = gathered(window, self.lags, u)
        return np.asarray(monomials(z, self._table, np) @ self.coefficients.T)

    def tangent(
        self, n: np.ndarray, window: np.ndarray, u: np.ndarray, vector: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The derivative is a polynomial in the same monomials."""
        features = monomials(gathered(window, self.lags, u), self._table, np)
        along = gathered(vector, self.lags, u[:, :0])
        slopes = (features @ self._slopes).reshape(*along.shape, -1)
        return features @ self.coefficients.T, (along[:, None] @ slopes)[:, 0]

    def system(self) -> PolynomialDelayMap:
        """The same map as a system."""
        from takens.learn.maps import PolynomialDelayMap

        return PolynomialDelayMap(
            frame=self.frame.system(),
            coefficients=self.coefficients,
            lags=self.lags,
            degree=self.degree,
            observed=self.observed,
            n_inputs=self.n_inputs,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class NVAR(AbstractDelayEstimator["PolynomialDelayMap"]):
    r"""Nonlinear vector autoregression ("next-generation reservoir"), with training noise.

    The next sample is a polynomial of `n_lags` samples, `spacing` apart. Settings that are not
    given are chosen inside the training data by forecasts of many steps on its last quarter.
    Noise of standard deviation `noise` on the regressors is added in closed form: the Gram matrix
    gains :math:`\sigma^2 \sum_n J_n J_n^\top`. A candidate whose noise-free run leaves the data's
    range is passed over for the next one; where every one does, the fit says so.

    Parameters
    ----------
    n_lags, spacing, degree : int, optional
        Number of delays, samples between them, largest degree.
    noise : float, optional
        In standard deviations of the columns.

    Raises
    ------
    InvalidInput
        If a given setting is out of range or asks for more than 120 monomials.

    Notes
    -----
    More ridge does not keep a free run from escaping, training noise mostly does. Beyond the
    range of the training data a polynomial means nothing. More than six columns are reduced
    to principal components first.

    References
    ----------
    Gauthier, Bollt, Griffith and Barbosa, Nature Communications 12, 5564 (2021); Bishop, Neural
    Computation 7, 108 (1995), on noise as a penalty.

    Examples
    --------
    >>> import numpy as np
    >>> x = [0.3]
    >>> for _ in range(300):
    ...     x.append(4 * x[-1] * (1 - x[-1]))
    >>> fit = NVAR(n_lags=1, spacing=1, degree=2, noise=1e-5).fit(np.array(x))
    >>> state = fit.model.encode(np.array([[0.2]]))
    >>> round(float(fit.model.observe(fit.model.step(0, state))[0]), 3)
    0.64
    """

    n_lags: int | None = None
    spacing: int | None = None
    degree: int | None = None
    noise: float | None = None
    references = ("gauthier2021next", "bishop1995training")

    def __post_init__(self) -> None:
        for name in ("n_lags", "spacing", "degree"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidInput(f"{name} = {value}; expected at least 1, or leave it out.")
        if self.noise is not None and not self.noise >= 0:
            raise InvalidInput(f"noise = {self.noise}; expected zero or more, or leave it out.")

    @property
    def label(self) -> str:
        """Short name."""
        return "NVAR"

    def tuned(self, segments: Segments, *, seed: int = 0) -> NVAR:
        """With the settings whose multi-step forecasts of the last quarter are best."""
        if None not in (self.n_lags, self.spacing, self.degree, self.noise):
            return self
        split = holdout(segments)
        frame, _ = frame_for(split.early, MAX_COORDINATES)
        candidates: list[NVAR] = []
        scores: list[np.ndarray] = []
        sizes: list[int] = []
        n_inputs = input_count(segments)
        tau = correlation_length(split.early, frame)
        for n_lags, spacing, degree in self._grid(split, frame, n_inputs, tau):
            found = _scores(
                split, frame, n_lags, spacing, degree, self._noises(), judged_steps(tau)
            )
            size = monomial_count(n_lags * frame.n_coordinates + n_inputs, degree)
            for noise, score in zip(self._noises(), found, strict=True):
                settings = {"n_lags": n_lags, "spacing": spacing, "degree": degree, "noise": noise}
                candidates.append(dataclasses.replace(self, **settings))
                scores.append(score)
                sizes.append(size)
        if not candidates:
            lags, step = self.n_lags or 1, self.spacing or 1
            noise = 0.1 if self.noise is None else self.noise
            degree = self.degree or 1
            return dataclasses.replace(self, n_lags=lags, spacing=step, degree=degree, noise=noise)
        order = simplest_first(scores, sizes)
        for index in order[:8]:
            fit = candidates[index].learn(split.early, seed=seed)
            if fit.diagnostics["escaped"] == 0:
                return candidates[index]
        return candidates[order[0]]

    def _noises(self) -> tuple[float, ...]:
        return NOISE_LEVELS if self.noise is None else (self.noise,)

    def _grid(
        self, split: Split, frame: HostFrame, n_inputs: int, tau: int
    ) -> list[tuple[int, int, int]]:
        """Candidates with few enough monomials for the data, simplest first."""
        spacings = sorted({1, max(1, tau // 3), tau}) if self.spacing is None else [self.spacing]
        lags = (1, 2, 3, 4, 6) if self.n_lags is None else (self.n_lags,)
        degrees = (1, 2, 3, 4) if self.degree is None else (self.degree,)
        room = min(MAX_FEATURES, split.early.n_samples // 8)
        typical = int(np.median([len(v) for v in split.early.values]))
        return [
            (k, s, d)
            for d in degrees
            for k in lags
            for s in (spacings if k > 1 else spacings[:1])
            if monomial_count(k * frame.n_coordinates + n_inputs, d) <= room
            and (k - 1) * s < typical // 3
        ]

    def learn(self, segments: Segments, *, seed: int = 0) -> Fit[AbstractHostMap]:
        """Solve the penalised normal equations at the chosen settings."""
        chosen = self.tuned(segments, seed=seed)
        n_lags, spacing, degree = chosen.n_lags or 1, chosen.spacing or 1, chosen.degree or 1
        noise = chosen.noise or 0.0
        frame, findings = frame_for(segments, MAX_COORDINATES)
        lags = tuple(spacing * i for i in range(n_lags))
        n_variables = n_lags * frame.n_coordinates + input_count(segments)
        count = monomial_count(n_variables, degree)
        if count > MAX_FEATURES:
            raise InvalidInput(
                f"{n_variables} variables to degree {degree} make {count} monomials; at most "
                f"{MAX_FEATURES} are fitted. Take fewer lags or a lower degree."
            )
        found = pairs(segments, frame, lags, cap=MAX_ROWS)
        rows = np.concatenate([found.past, found.inputs], axis=1)
        table = monomial_table(n_variables, degree)
        sums = moments(lambda part: monomials(part, table, np), rows, found.future)
        slopes = _slopes(rows, table, found.past.shape[1])
        coefficients = _solve(sums, slopes, noise)
        model = HostPolynomial(
            frame=frame,
            coefficients=coefficients.T,
            lags=lags,
            degree=degree,
            observed=segments.names,
            n_inputs=input_count(segments),
        )
        recent = slice(-20_000, None)
        freedom = np.sqrt(len(found) / max(len(found) - count, 1))
        residuals = found.future[recent] - monomials(rows[recent], table, np) @ coefficients
        escaped = _escape_share(coefficients, table, found.past, found.inputs, lags, frame)
        findings += capped_finding(segments, len(found), "NVAR")
        if escaped > 0:
            findings += (
                Finding(
                    code="free-run-escapes",
                    text=f"{escaped:.0%} of the NVAR's noise-free runs left the data's range.",
                    action="Trust its short leads only.",
                ),
            )
        diagnostics = {
            "residuals": residual_sample(residuals * freedom, seed),
            "n_pairs": len(found),
            "n_lags": n_lags,
            "spacing": spacing,
            "degree": degree,
            "noise": noise,
            "escaped": escaped,
        }
        return Fit(model=model, diagnostics=diagnostics, cautions=findings)


def _slopes(rows: np.ndarray, table: np.ndarray, n_delayed: int) -> np.ndarray:
    some = rows[:: max(1, len(rows) // 800)]
    return derivative_gram(some, table, np.arange(n_delayed))


def _solve(sums: Moments, slopes: np.ndarray, noise: float) -> np.ndarray:
    penalty = sums.count * (noise**2 * slopes + RIDGE * np.eye(len(slopes)))
    return sums.solve(penalty)


def _scores(
    split: Split,
    frame: HostFrame,
    n_lags: int,
    spacing: int,
    degree: int,
    noises: tuple[float, ...],
    n_steps: int,
) -> np.ndarray:
    """Multi-step error on the late part for each noise level, one pass for all."""
    lags = tuple(spacing * i for i in range(n_lags))
    if max((len(v) for v in split.early.values), default=0) <= max(lags) + 1:
        return np.full((len(noises), 1), np.inf)
    found = pairs(split.early, frame, lags)
    rows = np.concatenate([found.past, found.inputs], axis=1)
    table = monomial_table(rows.shape[1], degree)
    sums = moments(lambda part: monomials(part, table, np), rows, found.future)
    slopes = _slopes(rows, table, found.past.shape[1])
    maps = np.stack([_solve(sums, slopes, noise) for noise in noises])

    def advance(delayed: np.ndarray, drivers: np.ndarray) -> np.ndarray:
        wide = np.broadcast_to(drivers, (*delayed.shape[:2], drivers.shape[1]))
        return np.asarray(monomials(np.concatenate([delayed, wide], axis=2), table, np) @ maps)

    return multistep_score(advance, split.late, frame, lags, len(noises), n_steps=n_steps)


def _escape_share(
    coefficients: np.ndarray,
    table: np.ndarray,
    past: np.ndarray,
    inputs: np.ndarray,
    lags: tuple[int, ...],
    frame: HostFrame,
    n_steps: int = 400,
) -> float:
    """Share of noise-free runs from training windows that leave the range, inputs at their mean."""
    r, spacing = frame.n_coordinates, (lags[1] if len(lags) > 1 else 1)
    # a run from spaced lags needs the samples between them: windows of consecutive pairs give them
    window = max(lags) + 1
    newest = past[:, :r]
    last = len(newest) - 1
    starts = np.unique(np.linspace(min(window - 1, last), last, 16).astype(int))
    offsets = np.clip(starts[:, None] - np.arange(window), 0, None)
    state = newest[offsets]
    limit = ESCAPE * np.ptp(newest, axis=0) + 1e-9
    drive = np.broadcast_to(inputs.mean(axis=0), (len(starts), inputs.shape[1]))
    escaped = np.zeros(len(starts), dtype=bool)
    picks = [spacing * i for i in range(len(lags))]
    for _ in range(n_steps):
        rows = np.concatenate([state[:, picks].reshape(len(starts), -1), drive], axis=1)
        new = monomials(rows, table, np) @ coefficients
        escaped |= (np.abs(new) > limit).any(axis=1) | ~np.isfinite(new).all(axis=1)
        new = np.where(escaped[:, None], 0.0, new)
        state = np.concatenate([new[:, None], state[:, :-1]], axis=1)
    return float(escaped.mean())
