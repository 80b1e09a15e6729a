"""Covariant Lyapunov vectors: the directions that the dynamics itself carries along."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, require
from takens.core.system import TimeMap
from takens.dynamics.door import (
    an_input,
    counts,
    describe,
    evolution,
    fraction,
    half_width,
    mean_error,
    state,
)
from takens.dynamics.lyapunov import first_frame
from takens.dynamics.tangent import push

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 128  # steps in one compiled program
BLOCKS = 400
LEAST_STEPS = 40
NEUTRAL = 0.02  # of the largest exponent in modulus


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CovariantVectors(AbstractResult):
    """Covariant Lyapunov vectors along an orbit, and how close to a tangency they come.

    Parameters
    ----------
    times : array, shape (time,)
        In time units, iterates for a map, counted from the start of the computation.
    states : array, shape (time, dim)
        The orbit.
    vectors : array, shape (time, exponent, dim)
        Of unit length; vector i at one time is carried into vector i at the next, up to its
        length and sign.
    exponents, standard_error : array, shape (exponent,)
        Per time unit, descending, means of the local ones.
    intervals : array, shape (exponent, 2)
        At `level`.
    level : float
        Nominal coverage of the intervals.
    local_exponents : array, shape (time, exponent)
        Log stretching of each vector over the next step, per time unit.
    n_unstable, n_neutral : int
        How many vectors span the unstable subspace, and how many are taken for neutral.
    angles : array, shape (time,)
        Between the unstable and the stable subspace, in radians: the smallest principal angle.
        NaN where one of the two is empty or not among the vectors computed.
    """

    times: np.ndarray
    states: np.ndarray
    vectors: np.ndarray
    exponents: np.ndarray
    standard_error: np.ndarray
    intervals: np.ndarray
    level: float
    local_exponents: np.ndarray
    n_unstable: int
    n_neutral: int
    angles: np.ndarray

    @property
    def minimum_angle(self) -> float:
        """Smallest angle met along the orbit, in radians."""
        return float(np.min(self.angles))

    def summary(self) -> str:
        """Exponents, and what the angles hint at."""
        if self.status is not Status.OK:
            return f"No covariant vectors: {self.status.value}"
        shown = ", ".join(f"{value:.4f}" for value in self.exponents[:6])
        text = f"Covariant vectors at {len(self.times)} times with exponents {shown}."
        if np.isfinite(self.angles).all():
            low = np.quantile(self.angles, 0.01)
            text += (
                f" Angle between the {self.n_unstable} unstable and the stable directions: "
                f"minimum {self.minimum_angle:.3g}, 1% quantile {low:.3g}, median "
                f"{np.median(self.angles):.3g}. An angle that stays away from zero hints at "
                "hyperbolicity; a longer orbit can only lower the minimum."
            )
        return text

    def plot(self, ax: Any = None) -> Any:
        """Distribution of the angle between unstable and stable subspace."""
        from takens import plot

        ax = plot.axes(ax)
        if np.isfinite(self.angles).all():
            ax.hist(self.angles, bins=60, range=(0, np.pi / 2), density=True,
                    color=plot.COLOURS[0], alpha=0.6)  # fmt: skip
            ax.axvline(self.minimum_angle, color=plot.COLOURS[1], lw=1.5, label="minimum")
            return plot.labels(ax, "angle (rad)", "density")
        for i in range(min(self.local_exponents.shape[1], 6)):
            plot.line(ax, self.times, self.local_exponents[:, i], color=plot.COLOURS[i],
                      label=f"$\\lambda_{{{i + 1}}}$")  # fmt: skip
        return plot.labels(ax, "time", "local exponent")

    def to_xarray(self) -> xr.Dataset:
        """Orbit, vectors, local exponents and angles over time."""
        import xarray as xr

        return xr.Dataset(
            {
                "state": (("time", "component"), self.states),
                "vector": (("time", "index", "component"), self.vectors),
                "local_exponent": (("time", "index"), self.local_exponents),
                "angle": ("time", self.angles),
                "exponent": ("index", self.exponents),
                "standard_error": ("index", self.standard_error),
            },
            {"time": self.times, "index": np.arange(1, len(self.exponents) + 1)},
            attrs={"n_unstable": self.n_unstable, "n_neutral": self.n_neutral},
        )


@eqx.filter_jit
def _forward(step_map: Any, x: Any, frame: Any, first: Any, u: Any) -> Any:
    """`CHUNK` steps: where each begins, its frame (vector, dim) and its upper triangle."""

    def one(carry: Any, index: Any) -> Any:
        x, frame = carry
        y, pushed = push(step_map, first + index, x, frame, u)
        q, r = jnp.linalg.qr(pushed.T)
        sign = jnp.where(jnp.diagonal(r) < 0, -1.0, 1.0)
        return (y, q.T * sign[:, None]), (x, frame, r * sign[:, None])

    return jax.lax.scan(one, (x, frame), jnp.arange(float(CHUNK)))


@jax.jit
def _backward(c: Any, triangles: Any) -> Any:
    """Coefficients before each of `CHUNK` steps, columns of unit length, and log stretching."""

    def one(c: Any, r: Any) -> Any:
        before = jax.scipy.linalg.solve_triangular(r, c)  # Ginelli et al. (2007), eq. 3
        size = jnp.sqrt(jnp.sum(before**2, axis=0))
        before = before / size
        return before, (before, -jnp.log(size))

    return jax.lax.scan(one, c, triangles, reverse=True)


def covariant_lyapunov_vectors(
    system: Any,
    x0: Any,
    *,
    dt: float = 1.0,
    n_steps: int = 2_000,
    n_transient: int = 1_000,
    n_backward: int = 500,
    n_vectors: int | None = None,
    n_unstable: int | None = None,
    n_neutral: int | None = None,
    u: Any = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> CovariantVectors:
    r"""Covariant Lyapunov vectors of a map or a flow along an orbit.

    Forward, frames are carried and factorised, :math:`DF\, Q_n = Q_{n+1} R_{n+1}`; backward,
    :math:`C_n = R_{n+1}^{-1} C_{n+1} D` with columns kept at unit length; the vectors are the
    columns of :math:`Q_n C_n`.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned.
    x0 : array, shape (dim,)
        Start, in state units.
    dt : float
        Time between frames, in time units; 1 for a map.
    n_steps : int
        Times at which vectors are wanted, in multiples of `dt`.
    n_transient, n_backward : int
        Steps dropped before, in which orbit and frames settle, and after, in which the
        coefficients do. Both must last many times the inverse gap between exponents.
    n_vectors : int, optional
        How many of the largest exponents; all when not given.
    n_unstable, n_neutral : int, optional
        How many vectors are unstable and how many neutral. When not given, an exponent within
        three standard errors of zero, or within 2% of the largest modulus, is neutral.
    u : array, shape (input,), optional
        A constant input.
    level : float
        Coverage of the intervals.
    seed : int
        Of the first tangent vectors.
    throw : bool
        Whether to raise when the orbit is lost or has no such vectors.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    CovariantVectors
        With status DIVERGED where the orbit is lost, and NOT_APPLICABLE where the map forgets a
        direction, which has no vector then; with NaN.

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If a shape or a number is out of range.
    NumericalFailure
        If there is no answer, and `throw`.

    Notes
    -----
    Cost: that of the Lyapunov spectrum over all steps, and as many triangular solutions. Memory
    ``8 (n_steps k (dim + 2 k) + n_backward k^2)`` bytes for k vectors, on the host. Vectors of
    exponents that agree within their errors are not defined one by one, only the subspace they
    span; a caution says so. Angles bounded away from zero along one orbit are a hint of
    hyperbolicity and no proof; a small one shows a near tangency.

    References
    ----------
    Ginelli, Poggi, Turchi, Chaté, Livi and Politi, Phys. Rev. Lett. 99, 130601 (2007), eq. 3.

    Examples
    --------
    >>> from takens.systems import HenonMap
    >>> found = covariant_lyapunov_vectors(HenonMap(), [0.1, 0.1], n_steps=1000)
    >>> found.vectors.shape, found.n_unstable, bool(found.minimum_angle < 0.05)
    ((1000, 2, 2), 1, True)
    """
    step_map = evolution(system, dt)
    x = state(system, x0)
    counts(n_steps=n_steps, n_transient=n_transient, n_backward=n_backward, seed=seed)
    u = an_input(system, u)
    fraction(level=level)
    k = system.dim if n_vectors is None else n_vectors
    if not (isinstance(k, (int, np.integer)) and 1 <= k <= system.dim):
        raise InvalidInput(f"n_vectors = {n_vectors}; expected 1 to {system.dim}.")
    if n_steps < LEAST_STEPS:
        raise InvalidInput(f"n_steps = {n_steps}; the errors need {LEAST_STEPS} or more.")
    given = (n_unstable, n_neutral)
    for value in given:
        if value is not None and not 0 <= value <= k:
            raise InvalidInput(f"n_unstable, n_neutral = {given}; expected 0 to {k}, or None.")
    total = n_transient + n_steps + n_backward
    kept, lost = _march(step_map, x, first_frame(int(k), system.dim, seed), n_transient,
                        n_steps, total, u, progress)  # fmt: skip
    states, frames, triangles = kept
    status, cautions = Status.OK, list[Finding]()
    if lost:
        status = Status.DIVERGED
    elif (np.abs(np.diagonal(triangles, axis1=1, axis2=2)) < 1e-290).any():
        status = Status.NOT_APPLICABLE
        cautions.append(Finding(
            code="forgotten-direction",
            text="One step maps a direction to zero, so it cannot be followed backward.",
            action="Ask for fewer vectors.", level="serious",
        ))  # fmt: skip
    require(status, throw=throw)
    step = float(step_map.dt) if isinstance(step_map, TimeMap) else 1.0
    shape = (n_steps, int(k))
    vectors, local = np.full((*shape, system.dim), np.nan), np.full(shape, np.nan)
    if status is Status.OK:
        vectors, local = _pulled_back(frames, triangles, n_steps)
        local = local / step
    else:
        states = np.full((n_steps, system.dim), np.nan)
    return _assembled(
        (n_transient + np.arange(n_steps)) * step, states, vectors, local, given, level, status,
        cautions,
        describe(system) | {"dt": step, "n_steps": n_steps, "n_transient": n_transient,
                            "n_backward": n_backward, "seed": seed,
                            "x0": np.asarray(x0, dtype=float).tolist()},
    )  # fmt: skip


def _march(
    step_map: Any, x: Any, frame: Any, n_transient: int, n_steps: int, total: int, u: Any,
    progress: Callable[[float], None] | None,
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], bool]:  # fmt: skip
    """States and frames in the window, triangles from its start to the end; whether it was lost."""
    states, frames, triangles = [], [], []
    for first in range(0, total, CHUNK):
        (x, frame), out = _forward(step_map, x, frame, np.asarray(float(first)), u)
        if not np.isfinite(np.asarray(x)).all():
            return (np.empty(0), np.empty(0), np.empty(0)), True
        begin, end = max(n_transient - first, 0), n_transient + n_steps - first
        if begin < CHUNK:
            triangles.append(np.asarray(out[2])[begin:])
            if end > 0:
                states.append(np.asarray(out[0])[begin:end])
                frames.append(np.asarray(out[1])[begin:end])
        if progress is not None:
            progress(min(1.0, (first + CHUNK) / total))
    return (np.concatenate(states), np.concatenate(frames), np.concatenate(triangles)), False


def _pulled_back(
    frames: np.ndarray, triangles: np.ndarray, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (time, vector, dim) and log stretching (time, vector) in the window."""
    k = frames.shape[1]
    short = -len(triangles) % CHUNK
    filled = np.concatenate([np.broadcast_to(np.eye(k), (short, k, k)), triangles])
    c: Any = np.triu(np.ones((k, k)))
    coefficients, growth = [], []
    for last in range(len(filled), 0, -CHUNK):
        c, (before, logs) = _backward(c, filled[last - CHUNK : last])
        coefficients.append(np.asarray(before))
        growth.append(np.asarray(logs))
    all_c = np.concatenate(coefficients[::-1])[short:][:n_steps]
    local = np.concatenate(growth[::-1])[short:][:n_steps]
    return np.einsum("tkd,tki->tid", frames, all_c), local


def subspace_angle(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Smallest principal angle between row spaces, shapes (time, vector, dim), in radians.

    By its sine, the least singular value of what one leaves outside the other, which keeps small
    angles exact (Björck and Golub 1973).
    """
    p = np.linalg.qr(np.swapaxes(one, 1, 2))[0]
    q = np.linalg.qr(np.swapaxes(two, 1, 2))[0]
    if q.shape[2] > p.shape[2]:
        p, q = q, p
    outside = q - p @ (np.swapaxes(p, 1, 2) @ q)
    return np.arcsin(np.clip(np.linalg.svd(outside, compute_uv=False)[:, -1], 0, 1))


def _assembled(
    times: np.ndarray, states: np.ndarray, vectors: np.ndarray, local: np.ndarray,
    given: tuple[int | None, int | None], level: float, status: Status, cautions: list[Finding],
    provenance: dict[str, Any],
) -> CovariantVectors:  # fmt: skip
    n, order = len(local), np.argsort(-local.mean(axis=0), kind="stable")
    local, vectors = local[:, order], vectors[:, order]
    blocks = np.stack([part.mean(axis=0) for part in np.array_split(local, min(BLOCKS, n))])
    mean = local.mean(axis=0)
    error, freedom = mean_error(blocks)
    near = np.maximum(3 * error, NEUTRAL * np.abs(mean).max())
    unstable, neutral = given
    if unstable is None:
        unstable = int(np.sum(mean > near))
    if neutral is None:
        neutral = int(np.sum(np.abs(mean) <= near))
    stable = vectors[:, unstable + neutral :]
    angles = np.full(n, np.nan)
    if status is Status.OK and unstable > 0 and stable.shape[1] > 0:
        angles = subspace_angle(vectors[:, :unstable], stable)
    doubt = np.maximum(3 * np.hypot(error[1:], error[:-1]), 1e-9 * np.abs(mean).max())
    close = np.abs(np.diff(mean)) <= doubt
    if close.any():
        pairs = ", ".join(f"{i + 1} and {i + 2}" for i in np.flatnonzero(close)[:6])
        cautions.append(Finding(
            code="exponents-too-close",
            text=f"Exponents {pairs} agree within their errors.",
            action="Only the subspace of such vectors is defined; a longer orbit may part them.",
        ))  # fmt: skip
    reach = half_width(error, freedom, level)
    return CovariantVectors(
        times=times, states=states, vectors=vectors, exponents=mean, standard_error=error,
        intervals=np.stack([mean - reach, mean + reach], axis=1), level=level,
        local_exponents=local, n_unstable=unstable, n_neutral=neutral, angles=angles,
        status=status, cautions=tuple(cautions), provenance=provenance,
    )  # fmt: skip
