"""The coordinates in which a model works: standardised columns, or their leading components."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from takens.core import Finding
from takens.data import Segments

if TYPE_CHECKING:
    from takens.learn.maps import Frame


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostFrame:
    r"""An affine change of coordinates between observations and a model's own coordinates.

    :math:`z = ((y - m) / s) B`, and back :math:`y = m + s\,(B z)`. Without `basis` the columns
    are standardised one by one, and the way back is exact.

    Parameters
    ----------
    mean, scale : array, shape (dim,)
        In the units of the observed columns.
    basis : array, shape (dim, n_coordinates), or None
        Orthonormal columns: leading principal components of the standardised data.

    Examples
    --------
    >>> host = HostFrame(mean=np.array([1.0]), scale=np.array([2.0]))
    >>> host.encode(np.array([[3.0]])).tolist()
    [[1.0]]
    """

    mean: np.ndarray
    scale: np.ndarray
    basis: np.ndarray | None = None

    @classmethod
    def of(cls, frame: Frame) -> HostFrame:
        """That of a system."""
        basis = None if frame.basis is None else np.asarray(frame.basis)
        return cls(mean=np.asarray(frame.mean), scale=np.asarray(frame.scale), basis=basis)

    @property
    def n_coordinates(self) -> int:
        """Number of coordinates that a model sees."""
        return int(self.mean.shape[0] if self.basis is None else self.basis.shape[1])

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Coordinates of observations, shape (..., n_coordinates)."""
        z: np.ndarray = (y - self.mean) / self.scale
        return z if self.basis is None else z @ self.basis

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Observations, shape (..., dim); of a run that has escaped they are infinite."""
        with np.errstate(over="ignore", invalid="ignore"):
            wide = z if self.basis is None else z @ self.basis.T
            return np.asarray(self.mean + self.scale * wide)

    def system(self) -> Frame:
        """The same change of coordinates as part of a system."""
        from takens.learn.maps import Frame

        return Frame(mean=self.mean, scale=self.scale, basis=self.basis)


def fit_frame(segments: Segments, max_coordinates: int) -> tuple[HostFrame, tuple[Finding, ...]]:
    """Standardise the columns, and reduce them when there are more than `max_coordinates`.

    Parameters
    ----------
    segments : Segments
        Training data.
    max_coordinates : int
        Above it, leading principal components are kept: those that hold 99 % of the variance, at
        most `max_coordinates`.

    Returns
    -------
    frame : HostFrame
    findings : tuple of Finding
        A caution that names the share of variance kept, when the columns were reduced.

    Examples
    --------
    >>> import numpy as np
    >>> from takens.data import regular_segments
    >>> frame, findings = fit_frame(regular_segments(np.arange(20.0)), max_coordinates=4)
    >>> frame.n_coordinates, findings
    (1, ())
    """
    stacked = segments.values[0] if len(segments.values) == 1 else np.concatenate(segments.values)
    mean = stacked.mean(axis=0)
    scale = stacked.std(axis=0)
    flat = scale <= 1e-12 * np.abs(mean)  # a constant column must not be blown up
    scale = np.where(flat, 1.0, scale)
    dim = stacked.shape[1]
    if dim <= max_coordinates:
        return HostFrame(mean=mean, scale=scale), ()
    z = (stacked[-10_000:] - mean) / scale
    _, singular, right = np.linalg.svd(z, full_matrices=False)
    share = np.cumsum(singular**2) / max(float((singular**2).sum()), 1e-300)
    kept = min(max_coordinates, int(np.searchsorted(share, 0.99)) + 1, len(singular))
    finding = Finding(
        code="reduced-columns",
        text=f"{dim} columns were reduced to {kept} principal components for a model, which hold "
        f"{share[kept - 1]:.0%} of the training variance.",
        action="What the other components do is not forecast beyond their mean.",
    )
    return HostFrame(mean=mean, scale=scale, basis=right[:kept].T), (finding,)
