"""Roots of a residual from many starts: damped Newton with deflation, as one compiled batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

N_ITERATIONS = 100
MOST_DAMPED = 1e10  # no step that lowers the residual is left
ROUNDS = 6  # of deflation, at most
REGULAR = 1e-9  # Newton's last correction, relative: the root is simple and reached
DEGENERATE = 1e-5  # the same where the Jacobian is singular and convergence is linear


def damped_newton(residual: Callable[[Any], Any], x: Any, n_iterations: int = N_ITERATIONS) -> Any:
    """A least-squares minimiser of ``|residual|`` by Levenberg and Marquardt.

    The damping is a multiple of the residual's norm, which keeps quadratic convergence to simple
    roots (Fan and Yuan, Computing 74, 23, 2005); the multiple adapts to success and failure.
    """
    identity = jnp.eye(x.size)

    def unfinished(carry: Any) -> Any:
        index, _, _, _, done = carry
        return (index < n_iterations) & ~done

    def improve(carry: Any) -> Any:
        index, x, f, mu, _ = carry
        jacobian = jax.jacfwd(residual)(x)
        normal = jacobian.T @ jacobian + mu * jnp.sqrt(f @ f) * identity
        step = -jnp.linalg.solve(normal, jacobian.T @ f)
        trial = residual(x + step)
        better = trial @ trial < f @ f  # false for NaN
        resting = jnp.max(jnp.abs(step)) <= 1e-15 * (1 + jnp.max(jnp.abs(x)))
        slope = jacobian.T @ f  # a minimum that is no root: nothing more to win
        resting |= slope @ slope <= 1e-20 * (f @ f) * jnp.sum(jacobian**2)
        resting |= mu > MOST_DAMPED
        x, f = jnp.where(better, x + step, x), jnp.where(better, trial, f)
        mu = jnp.clip(jnp.where(better, mu / 5, mu * 4), 1e-12, 1e30)
        return index + 1, x, f, mu, resting | ~jnp.all(jnp.isfinite(f)) | (f @ f == 0)

    start = (jnp.zeros((), int), x, residual(x), jnp.asarray(1e-3), jnp.zeros((), bool))
    return jax.lax.while_loop(unfinished, improve, start)[1]


def polished(residual: Callable[[Any], Any], x: Any, n_steps: int = 3) -> Any:
    """A few undamped Newton steps, each kept only where it is short; and the Jacobian at the end."""

    def one(_: Any, x: Any) -> Any:
        step = -jnp.linalg.solve(jax.jacfwd(residual)(x), residual(x))
        close = jnp.max(jnp.abs(step)) < 1e-3 * (1 + jnp.max(jnp.abs(x)))
        return jnp.where(close, x + step, x)

    x = jax.lax.fori_loop(0, n_steps, one, x)
    return x, residual(x), jax.jacfwd(residual)(x)


def deflated(residual: Callable[[Any], Any], roots: Any, known: Any) -> Callable[[Any], Any]:
    """`residual` times a factor that grows without bound at the known roots, and is 1 far away.

    Farrell, Birkisson and Funke, SIAM J. Sci. Comput. 37, A2026 (2015), eq. 2.12 with power 2 and
    shift 1. `roots` has shape (root, n), `known` of shape (root,) tells which rows count.
    """

    def product(x: Any) -> Any:
        distance = jnp.sum((x - roots) ** 2, axis=1)
        factors = jnp.where(known, 1 + 1 / jnp.where(known, distance, 1.0), 1.0)
        return residual(x) * jnp.prod(factors)

    return product


def solve_from(residual: Callable[[Any], Any], start: Any, roots: Any, known: Any) -> Any:
    """From one start: the root, its residual and Jacobian, with the known roots deflated."""
    return polished(residual, damped_newton(deflated(residual, roots, known), start))


def corrections(f: np.ndarray, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's next step from each candidate, shape (candidate, n), and which are nearly singular."""
    fine = np.isfinite(jacobian).all(axis=(1, 2)) & np.isfinite(f).all(axis=1)
    step = np.full(f.shape, np.nan)
    singular = np.zeros(len(f), dtype=bool)
    if fine.any():
        values = np.linalg.svd(jacobian[fine], compute_uv=False)
        singular[fine] = ~(values[:, -1] > 1e-6 * values[:, 0])
        inverse = np.linalg.pinv(jacobian[fine], rcond=1e-14)
        step[fine] = -np.einsum("kij,kj->ki", inverse, f[fine])
    return step, singular


def first_order_errors(
    x: np.ndarray, f: np.ndarray, jacobian: np.ndarray,
    jacobians: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:  # fmt: skip
    r"""Norm of :math:`|J^{-1}| (|f| + \varepsilon (|J| |x| + |x|))` at each root, shape (root,).

    Infinite where the root is not simple: along the most singular direction v the Jacobian changes
    so fast that a second root may lie within 1e-7 of ``1 + |x|``.
    """
    if not len(x):
        return np.zeros(0)
    left, values, right = np.linalg.svd(jacobian)
    v, w = right[:, -1, :], left[:, :, -1]
    reach = 1e-4 * (1 + np.abs(x).max(axis=1))
    with np.errstate(all="ignore"):
        change = np.abs(np.einsum(
            "ki,kij,kj->k", w, jacobians(x + reach[:, None] * v) - jacobian, v
        ))  # fmt: skip
        rounding = np.finfo(float).eps * (
            np.einsum("kij,kj->ki", np.abs(jacobian), np.abs(x)) + np.abs(x)
        )
        inverse = np.abs(np.linalg.pinv(jacobian, rcond=0.0))
        error = np.linalg.norm(np.einsum("kij,kj->ki", inverse, np.abs(f) + rounding), axis=1)
    simple = (values[:, -1] > 1e-3 * change) & (values[:, -1] > 1e-13 * values[:, 0])
    return np.where(simple & np.isfinite(error), error, np.inf)


def accepted(x: np.ndarray, f: np.ndarray, jacobian: np.ndarray, scale: float) -> np.ndarray:
    """Which candidates are roots: Newton moves them no further, or hardly if they are degenerate.

    `scale` is the size of the residual where the search began.
    """
    step, singular = corrections(f, jacobian)
    size = 1 + np.abs(x).max(axis=1)
    move = np.abs(step).max(axis=1) / size
    small = np.linalg.norm(f, axis=1) <= 1e-12 * scale
    return (move <= REGULAR) | (singular & small & (move <= DEGENERATE))


def collected(
    search: Callable[[np.ndarray, np.ndarray], Any], n: int, scale: float, tolerance: float,
    max_points: int,
    images: Callable[[np.ndarray], np.ndarray] = lambda x: x[None],
    given: np.ndarray | None = None,
) -> tuple[list[np.ndarray], list[int]]:  # fmt: skip
    """Distinct roots, and how many starts ended on each, over rounds of deflation.

    `search(roots, known)` runs all starts with those roots deflated; `images` lists what counts as
    the same root as another; `given` are roots known from elsewhere, deflated but not returned.
    """
    found: list[np.ndarray] = []
    hits: list[int] = []
    taken = [] if given is None else list(given)
    own: list[int] = [-1] * len(taken)
    room = capacity(max_points + len(taken))
    for _ in range(ROUNDS):
        roots, known = np.zeros((room, n)), np.zeros(room, dtype=bool)
        count = min(len(taken), room)
        if count:
            roots[:count], known[:count] = np.stack(taken[:count]), True
        x, f, jacobian = (np.asarray(a) for a in search(roots, known))
        new = False
        for candidate in x[accepted(x, f, jacobian, scale)]:
            reach = tolerance * (1 + np.abs(candidate).max())
            at = next((i for i, r in enumerate(taken)
                       if np.abs(r - candidate).max() <= reach), None)  # fmt: skip
            if at is None and len(found) < max_points:
                shapes = images(candidate)
                taken.extend(shapes)
                own.extend([len(found)] * len(shapes))
                found.append(candidate)
                hits.append(1)
                new = True
            elif at is not None and own[at] >= 0:
                hits[own[at]] += 1
        if not new or len(found) >= max_points:
            break
    return found, hits


def capacity(count: int) -> int:
    """Rows for `count` known roots, in powers of two so that few programs are compiled."""
    return int(2 ** np.ceil(np.log2(max(count, 16))))
