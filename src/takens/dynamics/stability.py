"""Names and indices of equilibria and cycles from their eigenvalues or multipliers."""

from __future__ import annotations

import numpy as np

NEUTRAL = 1e-9  # relative: growth below this is undecided in double precision
UNDECIDED = "non-hyperbolic (undecided linearly)"


def growth(eigenvalues: np.ndarray, is_map: bool) -> np.ndarray:
    """Real parts for a flow, ``|multiplier| - 1`` for a map: positive means unstable."""
    return np.abs(eigenvalues) - 1 if is_map else np.real(eigenvalues)


def n_unstable(eigenvalues: np.ndarray, is_map: bool, blur: float = 0.0) -> int:
    """Number of unstable directions; `blur` is how far off the eigenvalues may be, per time unit."""
    slack = max(blur, _slack(eigenvalues, is_map))
    return int(np.sum(growth(eigenvalues, is_map) > slack))


def n_neutral(eigenvalues: np.ndarray, is_map: bool) -> int:
    """Number of directions of which linearisation does not decide."""
    return int(np.sum(np.abs(growth(eigenvalues, is_map)) <= _slack(eigenvalues, is_map)))


def kind(eigenvalues: np.ndarray, is_map: bool) -> str:
    """The standard name: node, focus, saddle, saddle-focus, with its stability.

    A focus has a complex pair. Where an eigenvalue is neutral, linearisation does not decide: all
    on the imaginary axis in pairs is a linear centre, anything else is non-hyperbolic.
    """
    if not np.isfinite(eigenvalues).all():
        return "unknown"
    turns = np.abs(np.imag(eigenvalues)) > _slack(eigenvalues, is_map)
    turning = bool(turns.any())
    unstable, neutral = n_unstable(eigenvalues, is_map), n_neutral(eigenvalues, is_map)
    if neutral:
        whole = neutral == len(eigenvalues) and turns.all()
        return "centre (undecided linearly)" if whole else UNDECIDED
    if 0 < unstable < len(eigenvalues):
        return "saddle-focus" if turning else "saddle"
    return ("unstable " if unstable else "stable ") + ("focus" if turning else "node")


def topological_index(jacobian: np.ndarray, is_map: bool) -> int:
    """Sign of ``det J`` for a flow, of ``det(1 - J)`` for a map; 0 where it is singular."""
    matrix = np.eye(len(jacobian)) - jacobian if is_map else jacobian
    values = np.linalg.svd(matrix, compute_uv=False)
    if not values[-1] > NEUTRAL * max(values[0], 1e-300):
        return 0
    return int(np.linalg.slogdet(matrix)[0])


def ordered(eigenvalues: np.ndarray, is_map: bool) -> np.ndarray:
    """Most unstable first; of a conjugate pair the one with positive imaginary part."""
    rise = growth(eigenvalues, is_map)
    alike = 1e-3 * _slack(eigenvalues, is_map)  # apart by rounding only
    order = np.lexsort((-np.imag(eigenvalues), -np.round(rise / (alike or 1.0))))
    return np.asarray(eigenvalues, dtype=complex)[order]


def _slack(eigenvalues: np.ndarray, is_map: bool) -> float:
    """What growth is lost in rounding: multipliers are compared with one, rates with the fastest."""
    sizes = np.abs(eigenvalues)
    largest = float(np.max(sizes, where=np.isfinite(sizes), initial=0.0))
    return NEUTRAL * (max(1.0, largest) if is_map else largest)
