"""The coordinates in which a model works: standardised columns, or their leading components."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from takens.core import Finding
from takens.core.system import parameter
from takens.data import Segments


class Frame(eqx.Module):
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
    >>> frame = Frame(mean=[10.0], scale=[2.0])
    >>> float(frame.encode(jnp.array([14.0]))[0]), float(frame.decode(jnp.array([2.0]))[0])
    (2.0, 14.0)
    """

    mean: Float[Array, " dim"] = parameter()
    scale: Float[Array, " dim"] = parameter()
    basis: Float[Array, "dim coordinate"] | None = None

    @property
    def n_coordinates(self) -> int:
        """Number of coordinates that a model sees."""
        return int(self.mean.shape[0] if self.basis is None else self.basis.shape[1])

    def encode(self, y: Any) -> Any:
        """Coordinates of observations `y`, shape (..., dim)."""
        z = (y - self.mean) / self.scale
        return z if self.basis is None else z @ self.basis

    def decode(self, z: Any) -> Any:
        """Observations at coordinates `z`, shape (..., n_coordinates)."""
        wide = z if self.basis is None else z @ self.basis.T
        return self.mean + self.scale * wide

    def labels(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the coordinates: the columns, or numbered components."""
        if self.basis is None:
            return names
        return tuple(f"pc{i}" for i in range(self.n_coordinates))


class HostFrame:
    """The same change of coordinates in NumPy, for fitting and scoring on the host.

    Examples
    --------
    >>> import numpy as np
    >>> host = HostFrame(Frame(mean=[1.0], scale=[2.0]))
    >>> host.encode(np.array([[3.0]])).tolist()
    [[1.0]]
    """

    def __init__(self, frame: Frame) -> None:
        self.mean = np.asarray(frame.mean)
        self.scale = np.asarray(frame.scale)
        self.basis = None if frame.basis is None else np.asarray(frame.basis)

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Coordinates of observations, shape (..., n_coordinates)."""
        z: np.ndarray = (y - self.mean) / self.scale
        return z if self.basis is None else z @ self.basis

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Observations, shape (..., dim)."""
        wide = z if self.basis is None else z @ self.basis.T
        return np.asarray(self.mean + self.scale * wide)


def fit_frame(segments: Segments, max_coordinates: int) -> tuple[Frame, tuple[Finding, ...]]:
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
    frame : Frame
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
        return Frame(mean=mean, scale=scale), ()
    z = (stacked[-10_000:] - mean) / scale
    _, singular, right = np.linalg.svd(z, full_matrices=False)
    share = np.cumsum(singular**2) / max(float((singular**2).sum()), 1e-300)
    kept = min(max_coordinates, int(np.searchsorted(share, 0.99)) + 1, len(singular))
    finding = Finding(
        code="reduced-columns",
        text=f"{dim} columns were reduced to {kept} principal components, which hold "
        f"{share[kept - 1]:.0%} of the training variance.",
        action="What the other components do is not forecast beyond their mean.",
    )
    return Frame(mean=mean, scale=scale, basis=jnp.asarray(right[:kept].T)), (finding,)
