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


Residual = Callable[[Any], tuple[Any, Any]]  # value, shape (n,), and Jacobian, shape (n, n)


def with_jacobian(residual: Callable[[Any], Any]) -> Residual:
    """A residual together with its Jacobian, by forward differentiation."""
    return lambda x: (residual(x), jax.jacfwd(residual)(x))


def damped_newton(at: Residual, x: Any, n_iterations: int = N_ITERATIONS) -> Any:
    """A least-squares minimiser of ``|residual|`` by Levenberg and Marquardt.

    The damping is a multiple of the residual's norm, which keeps quadratic convergence to simple
    roots (Fan and Yuan, Computing 74, 23, 2005); the multiple adapts to success and failure.
    """
    identity = jnp.eye(x.size)

    def unfinished(carry: Any) -> Any:
        index, _, _, _, _, done = carry
        return (index < n_iterations) & ~done

    def improve(carry: Any) -> Any:
        index, x, f, jacobian, mu, _ = carry
        slope = jacobian.T @ f
        normal = jacobian.T @ jacobian + mu * jnp.sqrt(f @ f) * identity
        step = -jnp.linalg.solve(normal, slope)
        trial, trial_jacobian = at(x + step)
        better = trial @ trial < f @ f  # false for NaN
        done = jnp.max(jnp.abs(step)) <= 1e-15 * (1 + jnp.max(jnp.abs(x)))
        # A minimum that is no root: nothing more to win.
        done |= (slope @ slope <= 1e-20 * (f @ f) * jnp.sum(jacobian**2)) | (mu > MOST_DAMPED)
        x, f = jnp.where(better, x + step, x), jnp.where(better, trial, f)
        jacobian = jnp.where(better, trial_jacobian, jacobian)
        mu = jnp.clip(jnp.where(better, mu / 5, mu * 4), 1e-12, 1e30)
        done |= ~jnp.all(jnp.isfinite(f)) | (f @ f == 0)
        return index + 1, x, f, jacobian, mu, done

    start = (jnp.zeros((), int), x, *at(x), jnp.asarray(1e-3), jnp.zeros((), bool))
    return jax.lax.while_loop(unfinished, improve, start)[1]


def polished(at: Residual, x: Any, n_steps: int = 3) -> Any:
    """A few undamped Newton steps, each kept only where it is short; then value and Jacobian."""

    def one(_: Any, carry: Any) -> Any:
        x, f, jacobian = carry
        step = -jnp.linalg.solve(jacobian, f)
        close = jnp.max(jnp.abs(step)) < 1e-3 * (1 + jnp.max(jnp.abs(x)))
        x = jnp.where(close, x + step, x)
        return x, *at(x)

    return jax.lax.fori_loop(0, n_steps, one, (x, *at(x)))


def deflated(at: Residual, roots: Any, known: Any) -> Residual:
    """The residual times a factor that grows without bound at the known roots, and is 1 far away.

    Farrell, Birkisson and Funke, SIAM J. Sci. Comput. 37, A2026 (2015), eq. 2.12 with power 2 and
    shift 1. `roots` has shape (root, n), `known` of shape (root,) tells which rows count.
    """

    def product(x: Any) -> tuple[Any, Any]:
        f, jacobian = at(x)
        away = x - roots
        distance = jnp.where(known, jnp.sum(away**2, axis=1), 1.0)
        factor = jnp.prod(jnp.where(known, 1 + 1 / distance, 1.0))
        # d log(1 + 1/d) = -1 / (d (d + 1)) dd
        pull = jnp.where(known, -2 / (distance * (distance + 1)), 0.0) @ away
        return factor * f, factor * (jacobian + f[:, None] * pull[None, :])

    return product


def solve_from(at: Residual, start: Any, roots: Any, known: Any) -> Any:
    """From one start: the root, its residual and Jacobian, with the known roots deflated."""
    return polished(at, damped_newton(deflated(at, roots, known), start))


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
    norm = np.linalg.norm(f, axis=1)
    small = norm <= 1e-12 * scale
    # At a minimum that is no root the residual lies where no step reaches it.
    left = np.linalg.norm(f + np.einsum("kij,kj->ki", jacobian, step), axis=1)
    solvable = small | (left <= 1e-3 * norm)
    return (solvable & (move <= REGULAR)) | (singular & small & (move <= DEGENERATE))


def collected(
    search: Callable[[np.ndarray, np.ndarray], Any], n: int, scale: float, tolerance: float,
    max_points: int,
    images: Callable[[np.ndarray], np.ndarray] = lambda x: x[None],
    given: list[np.ndarray] | None = None,
    room: int | None = None,
) -> tuple[list[np.ndarray], list[int]]:  # fmt: skip
    """Distinct roots, and how many starts ended on each, over rounds of deflation.

    `search(roots, known)` runs all starts with those roots deflated; `images` lists what counts as
    the same root as another; `given` are roots known from elsewhere, deflated but not returned.
    """
    found: list[np.ndarray] = []
    hits: list[int] = []
    taken = [] if given is None else list(given)
    own: list[int] = [-1] * len(taken)
    table = np.zeros((0, n))
    room = max(room or 0, capacity(max_points + len(taken)))
    for _ in range(ROUNDS):
        roots, known = np.zeros((room, n)), np.zeros(room, dtype=bool)
        count = min(len(taken), room)
        if count:
            roots[:count], known[:count] = np.stack(taken[:count]), True
        x, f, jacobian = (np.asarray(a) for a in search(roots, known))
        new = False
        for candidate in x[accepted(x, f, jacobian, scale)]:
            reach = tolerance * (1 + np.abs(candidate).max())
            at = None
            if taken:
                if len(table) != len(taken):
                    table = np.stack(taken)
                near = np.nonzero(np.abs(table - candidate).max(axis=1) <= reach)[0]
                at = int(near[0]) if len(near) else None
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
