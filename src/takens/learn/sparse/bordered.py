r"""The linearised problem where some columns are never measured.

Their errors have no variance, so that the covariance of the defects does not exist. With the
multipliers :math:`\lambda` of the defects as unknowns beside the moves :math:`\delta` of the states,

.. math:: V^{-1}(\delta - e) + D^\top \lambda = 0, \qquad D \delta - Q \lambda = G\,\delta w - r,

only :math:`V^{-1}` is needed, which is zero for what was not seen. Where V exists,
:math:`\lambda = C^{-1}(r + D e - G\,\delta w)` with :math:`C = Q + D V D^\top` as in
`takens.learn.sparse.shooting`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.linalg.lapack import dgbtrf, dgbtrs


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Bordered:
    """The solution for the defects, and for each parameter.

    Parameters
    ----------
    shift : array, shape (node, dim, 1 + p)
        What the states move by.
    weighted : array, shape (link * dim, 1 + p)
        The multipliers.
    gram : array, shape (1 + p, 1 + p)
        Misfit, score and information of the parameters.
    log_determinant : float
        Of the whole matrix, up to a constant that depends on the records alone.
    """

    shift: np.ndarray
    weighted: np.ndarray
    gram: np.ndarray
    log_determinant: float


def bordered(
    tangent: np.ndarray,
    defect: np.ndarray,
    response: np.ndarray,
    error: np.ndarray,
    variance: np.ndarray,
    dynamical: np.ndarray,
    linked: np.ndarray,
) -> Bordered:
    """Solve for states and multipliers in the order of time.

    Parameters
    ----------
    tangent : array, shape (link, dim, dim)
        Derivative of the next state by the state.
    defect : array, shape (link, dim)
        Of the states as they are.
    response : array, shape (link, dim, p)
        Derivative of the next state by the parameters.
    error, variance : array, shape (node, dim)
        Data less states, and their variance; infinite where there are no data.
    dynamical : array, shape (link, dim)
        Variance of the noise in the dynamics.
    linked : array of bool, shape (link,)

    Raises
    ------
    numpy.linalg.LinAlgError
        If the data do not determine the states, or hold what is not finite.

    Notes
    -----
    One banded factorisation with pivots: some ``60 N dim^3`` operations, and ``8 N dim^2 p`` more
    for the parameters.
    """
    nodes, dim = error.shape
    count, width = response.shape[2], 2 * dim
    scale = _scales(variance)
    half = width - 1
    size = nodes * width - dim
    band = np.zeros((3 * half + 1, size))
    places = np.arange(dim)
    starts = width * np.arange(nodes)[:, None]

    def put(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        band[2 * half + rows - columns, columns] = values

    precision = np.where(np.isfinite(variance), scale**2 / variance, 0.0)
    put(starts + places, starts + places, precision)
    links = starts[:-1] + dim
    noise = np.where(linked[:, None], dynamical / scale**2, 1.0)
    put(links + places, links + places, -noise)
    one = np.broadcast_to(linked[:, None].astype(float), (nodes - 1, dim))
    put(links + places, starts[1:] + places, one)
    put(starts[1:] + places, links + places, one)
    scaled = np.where(linked[:, None, None], -tangent * scale / scale[:, None], 0.0)
    for i in range(dim):
        put(links + i, starts[:-1] + places, scaled[:, i])
        put(starts[:-1] + places, links + i, scaled[:, i])
    right = np.zeros((nodes, 2, dim, 1 + count))
    right[:, 0, :, 0] = precision * error / scale
    right[:-1, 1, :, 0] = np.where(linked[:, None], -defect / scale, 0.0)
    moved = np.where(linked[:, None, None], response / scale[:, None], 0.0)
    right[:-1, 1, :, 1:] = moved
    factor, pivots, failed = dgbtrf(band, half, half, overwrite_ab=True)
    if failed:
        raise np.linalg.LinAlgError("The data do not determine the states.")
    found, _ = dgbtrs(factor, half, half, right.reshape(-1, 1 + count)[:size], pivots)
    whole = np.zeros((nodes, 2, dim, 1 + count))
    whole.reshape(-1, 1 + count)[:size] = found
    shift, multipliers = whole[:, 0], whole[:-1, 1] * linked[:, None, None]
    gram = np.empty((1 + count, 1 + count))
    flat = -moved.reshape((nodes - 1) * dim, count)
    both = multipliers.reshape(-1, 1 + count)
    gram[1:, :] = flat.T @ both
    gram[0, 1:] = gram[1:, 0]
    left = precision * (shift[:, :, 0] - error / scale) ** 2
    gram[0, 0] = left.sum() + (noise * multipliers[:, :, 0] ** 2).sum()
    return Bordered(
        shift=shift * scale[:, None],
        weighted=(multipliers / scale[:, None]).reshape(-1, 1 + count),
        gram=gram,
        log_determinant=float(np.log(np.abs(factor[2 * half])).sum()),
    )


def _scales(variance: np.ndarray) -> np.ndarray:
    """A unit for each column in which the matrix is well balanced, (dim,)."""
    finite = np.isfinite(variance)
    known = finite.any(axis=0)
    scale = np.ones(variance.shape[1])
    for j in np.flatnonzero(known):
        scale[j] = np.sqrt(np.median(variance[finite[:, j], j]))
    scale[~known] = scale[known].max()
    return scale
