"""Dynamic mode decomposition with an intercept."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from takens.core import Fit, InvalidInput
from takens.data import Segments
from takens.learn.delay import AbstractDelayEstimator, capped_finding, frame_for, pairs
from takens.learn.host import AbstractHostMap
from takens.learn.linear import MAX_COORDINATES, affine_fit
from takens.learn.moments import moments

if TYPE_CHECKING:
    from takens.learn.maps import AffineDelayMap  # noqa: F401  (named by the class below)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DMD(AbstractDelayEstimator["AffineDelayMap"]):
    r"""Exact dynamic mode decomposition with intercept, :math:`z_{n+1} = b + A z_n + B u_n`.

    Past and future are centred (which *is* the intercept), the past is projected on its `rank`
    leading singular directions, and the map is least squares there:
    :math:`A = Y' V \Sigma^{-1} U^\top`.

    Parameters
    ----------
    rank : int, optional
        Number of singular directions kept; all that rounding can tell from zero when not given.

    Raises
    ------
    InvalidInput
        If a rank below one is given.

    Notes
    -----
    Without the constant term the map is biased as soon as the mean is not zero. Noise in the
    observations still pulls eigenvalues towards zero.

    References
    ----------
    Schmid, Journal of Fluid Mechanics 656, 5 (2010); Hirsh et al., SIAM Journal on Applied
    Dynamical Systems 19, 1920 (2020), on centring.

    Examples
    --------
    >>> import numpy as np
    >>> turns = 0.1 * np.arange(200)[:, None]
    >>> fit = DMD().fit(5 + np.hstack([np.cos(turns), np.sin(turns)]))
    >>> eigenvalues = np.linalg.eigvals(np.asarray(fit.model.matrix))
    >>> bool(np.allclose(np.abs(np.angle(eigenvalues)), 0.1))
    True
    """

    rank: int | None = None
    references = ("schmid2010dynamic", "hirsh2020centering")

    def __post_init__(self) -> None:
        if self.rank is not None and self.rank < 1:
            raise InvalidInput(f"rank = {self.rank}; expected at least 1. Leave it out for all.")

    @property
    def label(self) -> str:
        """Short name."""
        return "DMD"

    def tuned(self, segments: Segments, *, seed: int = 0) -> DMD:
        """Itself: nothing is open."""
        return self

    def learn(self, segments: Segments, *, seed: int = 0) -> Fit[AbstractHostMap]:
        """Centre, project, solve."""
        frame, findings = frame_for(segments, MAX_COORDINATES)
        found = pairs(segments, frame, (0,))
        rows = np.concatenate([found.past, found.inputs], axis=1)
        raw = moments(lambda part: part, rows, found.future)
        centre, target = np.split(raw.mean, [rows.shape[1]])
        sums = raw.centred()
        values, vectors = np.linalg.eigh(sums.gram)
        keep = values > 1e-13 * max(float(values[-1]), 1e-300)
        if self.rank is not None:
            keep &= np.arange(len(values)) >= len(values) - self.rank
        basis = vectors[:, keep]
        slope = basis @ ((basis.T @ sums.cross) / values[keep, None])
        coefficients = np.concatenate([(target - centre @ slope)[None], slope])
        findings += capped_finding(segments, len(found), "DMD")
        settings = {"rank": int(keep.sum())}
        return affine_fit(segments, frame, found, coefficients, findings, settings, seed)
