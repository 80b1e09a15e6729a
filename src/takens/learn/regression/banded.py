"""Covariances of rows that only near neighbours share: factors, solves, and their inverse in the band."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.linalg


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class BandedFactors:
    r"""Cholesky factors :math:`L L^\top` of several banded matrices of one shape.

    Parameters
    ----------
    lower : array, shape (matrix, band + 1, row)
        ``lower[m, s, q]`` is the entry in row ``q + s`` and column ``q``.
    parts : integer array, shape (part,)
        Rows of each part; rows of two parts share nothing.

    Notes
    -----
    Cost: ``rows * band^2`` operations each for the factor and for the inverse.
    """

    lower: np.ndarray
    parts: np.ndarray

    @classmethod
    def of(cls, bands: np.ndarray, parts: np.ndarray) -> BandedFactors:
        """Of positive definite matrices, stored as `lower` is."""
        factors = [scipy.linalg.cholesky_banded(b, lower=True, check_finite=False) for b in bands]
        return cls(lower=np.stack(factors), parts=parts)

    def whitened(self, m: int, rows: np.ndarray) -> np.ndarray:
        r""":math:`L_m^{-1}` times some columns."""
        return self._solved(m, rows, "N")

    def weighted(self, m: int, whitened: np.ndarray) -> np.ndarray:
        r""":math:`L_m^{-\top}` times some columns: of whitened ones, the inverse times the original."""
        return self._solved(m, whitened, "T")

    def _solved(self, m: int, rows: np.ndarray, trans: str) -> np.ndarray:
        found, failed = scipy.linalg.lapack.dtbtrs(self.lower[m], rows, uplo="L", trans=trans)
        if failed:
            raise np.linalg.LinAlgError("a covariance of the rows has no factor")
        return np.asarray(found)

    def inverse(self) -> np.ndarray:
        r"""The entries of the inverses that lie in the band, stored as `lower` is.

        From the last row of every part to the first (Takahashi, Fagan and Chin, 8th PICA Conference,
        63, 1973). With :math:`l` the column of `L` below its diagonal entry :math:`L_{qq}`, over
        that entry, and :math:`Z` what is known of the inverse below and right of it,

        .. math::

            Z_{\cdot q} = -Z l, \qquad Z_{qq} = L_{qq}^{-2} - l^\top Z_{\cdot q}.
        """
        n_matrices, width, _ = self.lower.shape
        longest = int(self.parts.max())
        ends = np.cumsum(self.parts)
        places = ends[:, None] - longest + np.arange(longest)  # parts side by side, by their ends
        there = places >= (ends - self.parts)[:, None]
        places = np.where(there, places, 0)
        columns = np.where(there, self.lower[:, :, places], 0.0)
        columns[:, 0][:, ~there] = 1.0
        columns = np.ascontiguousarray(np.moveaxis(columns, (3, 1), (0, 3)))
        diagonal = columns[..., 0].copy()
        columns /= diagonal[..., None]
        found = np.empty_like(columns)
        known = np.zeros((n_matrices, len(self.parts), width, width))
        for q in range(longest - 1, -1, -1):
            below = columns[q, ..., 1:]
            column = -np.einsum("...ab,...b->...a", known[..., :-1, :-1], below)
            known[..., 1:, 1:] = known[..., :-1, :-1].copy()
            known[..., 0, 0] = diagonal[q] ** -2 - (below * column).sum(axis=-1)
            known[..., 0, 1:] = known[..., 1:, 0] = column
            found[q] = known[..., 0]
        band = np.empty_like(self.lower)
        band[:, :, places[there]] = np.moveaxis(found, (0, 3), (3, 1))[:, :, there]
        return band
