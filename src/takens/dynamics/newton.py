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
    """A residual together with its Jacobian, by one pass of forward differentiation."""

    def both(x: Any) -> tuple[Any, Any]:
        value = residual(x)
        return value, value

    def at(x: Any) -> tuple[Any, Any]:
        jacobian, value = jax.jacfwd(both, has_aux=True)(x)
        return value, jacobian

    return at


def deflated(value: tuple[Any, Any], x: Any, roots: Any, known: Any) -> tuple[Any, Any]:
    """Residual and Jacobian at `x`, times a factor that has poles at the known roots and is 1 far away.

    Farrell, Birkisson and Funke, SIAM J. Sci. Comput. 37, A2026 (2015), eq. 2.12 with power 2 and
    shift 1. `roots` has shape (root, n), `known` of shape (root,) tells which rows count.
    """
    f, jacobian = value
    away = x - roots
    distance = jnp.where(known, jnp.sum(away**2, axis=1), 1.0)
    factor = jnp.prod(jnp.where(known, 1 + 1 / distance, 1.0))
    # d log(1 + 1/d) = -1 / (d (d + 1)) dd
    pull = jnp.where(known, -2 / (distance * (distance + 1)), 0.0) @ away
    return factor * f, factor * (jacobian + f[:, None] * pull[None, :])


def solve_from(
    at: Residual, start: Any, roots: Any = None, known: Any = None, *,
    n_damped: int = N_ITERATIONS, n_polish: int = 3,
) -> Any:  # fmt: skip
    """From one start: the root, its residual and Jacobian, with the known roots deflated.

    First at most `n_damped` steps of Levenberg and Marquardt. The damping is a multiple of the
    residual's norm, which keeps quadratic convergence to simple roots (Fan and Yuan, Computing 74,
    23, 2005); the multiple adapts to success and failure. Then `n_polish` undamped Newton steps
    without deflation, each taken only where it is short. The residual stands once in the compiled
    program, in the one loop that does both: it may hold an integrator, and its compilation is what
    a first call spends its time on.
    """
    n = start.size
    identity = jnp.eye(n)

    def unfinished(carry: Any) -> Any:
        return carry[1] <= n_polish

    def improve(carry: Any) -> Any:
        index, polish, x, step, f, jacobian, mu, final = carry
        damped, trial = polish < 0, x + step
        found, slopes = at(trial)
        if roots is not None:
            found, slopes = deflated((found, slopes), trial, roots, known & damped)
        better = ~damped | (found @ found < f @ f)  # false for NaN
        mu = jnp.where(index > 0, jnp.clip(jnp.where(better, mu / 5, mu * 4), 1e-12, 1e30), mu)
        x, f = jnp.where(better, trial, x), jnp.where(better, found, f)
        jacobian = jnp.where(better, slopes, jacobian)
        final |= ~jnp.all(jnp.isfinite(f)) | (f @ f == 0) | (index >= n_damped)

        slope = jacobian.T @ f
        normal = jacobian.T @ jacobian + mu * jnp.sqrt(f @ f) * identity
        step = -jnp.linalg.solve(
            jnp.where(damped, normal, jacobian), jnp.where(damped, slope, f)
        )  # fmt: skip
        length, size = jnp.max(jnp.abs(step)), 1 + jnp.max(jnp.abs(x))
        go = jnp.where(damped, ~final, length < 1e-3 * size)
        polish = jnp.where(damped, jnp.where(final, 0, -1), polish + 1)
        # A minimum that is no root: nothing more to win.
        flat = slope @ slope <= 1e-20 * (f @ f) * jnp.sum(jacobian**2)
        final = (length <= 1e-15 * size) | flat | (mu > MOST_DAMPED)
        return index + 1, polish, x, jnp.where(go, step, 0.0), f, jacobian, mu, final

    carry = (
        jnp.zeros((), int), jnp.asarray(-1), start, jnp.zeros(n), jnp.full(n, jnp.inf),
        jnp.zeros((n, n)), jnp.asarray(1e-3), jnp.zeros((), bool),
    )  # fmt: skip
    _, _, x, _, f, jacobian, _, _ = jax.lax.while_loop(unfinished, improve, carry)
    return x, f, jacobian


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


def uncertain(
    x: np.ndarray, jacobian: np.ndarray, jacobians: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """How far the Jacobian changes as near as 1e-4 of ``1 + |x|`` along its most singular direction.

    Where a root is not simple, eigenvalues below this may be anything. Shape (root,).
    """
    if not len(x):
        return np.zeros(0)
    v = np.linalg.svd(jacobian)[2][:, -1, :]
    reach = 1e-4 * (1 + np.abs(x).max(axis=1))
    return np.asarray(np.linalg.norm(jacobians(x + reach[:, None] * v) - jacobian, axis=(1, 2)))


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
