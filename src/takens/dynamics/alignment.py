"""Alignment indices: whether tangent vectors of an orbit fall into line, and how fast."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.core.system import TimeMap
from takens.dynamics.dimension import jackknife
from takens.dynamics.door import (
    an_input,
    block_estimate,
    counts,
    describe,
    evolution,
    fraction,
    state,
)
from takens.dynamics.lyapunov import first_frame
from takens.dynamics.tangent import push

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 256  # steps in one compiled program
LEAST_STEPS = 200
BLOCKS = 20
SMALL = np.log(1e-8)  # the customary threshold, below which an index speaks of chaos
PROBES = 64


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AlignmentIndex(AbstractResult):
    """An alignment index along an orbit, and the two laws by which it may fall.

    Parameters
    ----------
    name : str
        ``"SALI"`` or ``"GALI_k"``.
    order : int
        Number k of tangent vectors.
    times : array, shape (time,)
        In time units, iterates for a map.
    log_index : array, shape (time,)
        Natural logarithm of the index; it is followed far below the smallest float.
    rate : Estimate
        Exponential rate of decay over the later half, per time unit: in chaos the sum of
        :math:`\\lambda_1 - \\lambda_j` for j from 2 to k.
    power : Estimate
        Exponent p of a decay as ``t ** -p`` over the last decade of time.
    exponential_misfit, power_misfit : float
        Root mean square of what each law leaves of the logarithm over the last decade.
    """

    name: str
    order: int
    times: np.ndarray
    log_index: np.ndarray
    rate: Estimate
    power: Estimate
    exponential_misfit: float
    power_misfit: float

    @property
    def index(self) -> np.ndarray:
        """The index itself, zero where it is below the smallest float."""
        return np.exp(self.log_index)

    @property
    def indicates(self) -> str:
        """``"chaotic"``, ``"regular"`` or ``"undecided"``, for this orbit over this span.

        Chaotic: it fell below 1e-8, the exponential fits better and its rate is clearly positive.
        Regular: the power law fits better.
        """
        if self.status is not Status.OK:
            return "undecided"
        if self.log_index[-1] < SMALL and self.exponential_misfit < self.power_misfit:
            return "chaotic" if self.rate.interval[0] > 0 else "undecided"
        return "regular" if self.power_misfit <= self.exponential_misfit else "undecided"

    def summary(self) -> str:
        """Last value, both laws and what they indicate."""
        if self.status is not Status.OK:
            return f"No alignment index: {self.status.value}"
        return (
            f"{self.name} is 1e{self.log_index[-1] / np.log(10):.1f} at time {self.times[-1]:g}: "
            f"rate {self.rate} or power {self.power}; it indicates a motion that is "
            f"{self.indicates} over this span."
        )

    def plot(self, ax: Any = None) -> Any:
        """The decimal logarithm of the index over time, both axes logarithmic in effect."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, self.times, self.log_index / np.log(10), color=plot.COLOURS[0])
        if self.indicates != "chaotic":
            ax.set_xscale("log")
        return plot.labels(ax, "time", f"log10 {self.name}")

    def to_xarray(self) -> xr.Dataset:
        """The logarithm of the index over time."""
        import xarray as xr

        return xr.Dataset(
            {"log_index": ("time", self.log_index)}, {"time": self.times},
            attrs={"name": self.name, "rate": self.rate.value, "power": self.power.value,
                   "indicates": self.indicates},
        )  # fmt: skip


@eqx.filter_jit
def _ahead(step_map: Any, x: Any, n_steps: Any, u: Any) -> Any:
    return jax.lax.fori_loop(0, n_steps, lambda i, s: step_map.step(i + 0.0, s, u), x)


@eqx.filter_jit
def _march(step_map: Any, carry: Any, first: Any, u: Any) -> Any:
    """`CHUNK` steps; the logarithm of the volume of the unit vectors after each, and the states.

    The vectors are ``Q C`` with orthonormal Q. The volume is the product of all diagonal factors
    over that of the lengths, so its logarithm loses no digits where the vectors are parallel.
    """

    def one(carry: Any, index: Any) -> Any:
        x, frame, c, total = carry
        y, pushed = push(step_map, first + index, x, frame, u)
        q, r = jnp.linalg.qr(pushed.T)
        c = r @ c
        size = jnp.sqrt(jnp.sum(c**2, axis=0))
        total = total + jnp.sum(jnp.log(jnp.abs(jnp.diagonal(r)))) - jnp.sum(jnp.log(size))
        return (y, q.T, c / size, total), (total, x)

    return jax.lax.scan(one, carry, jnp.arange(float(CHUNK)))


@eqx.filter_jit
def _log_volume(step_map: Any, x: Any, u: Any) -> Any:
    """Log modulus of the determinant of the tangent of one step at many states."""
    tangents = jax.vmap(jax.jacfwd(lambda s: step_map.step(0.0, s, u)))(x)
    return jnp.linalg.slogdet(tangents)[1]


def generalised_alignment_index(
    system: Any,
    x0: Any,
    *,
    order: int = 2,
    dt: float = 1.0,
    n_steps: int = 2_000,
    n_transient: int = 0,
    u: Any = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> AlignmentIndex:
    r"""Generalised alignment index GALI_k: the volume that k unit tangent vectors span.

    In chaos :math:`\mathrm{GALI}_k \propto e^{-[(\lambda_1 - \lambda_2) + \dots +
    (\lambda_1 - \lambda_k)] t}`. On a torus of dimension N of a Hamiltonian system of N degrees of
    freedom it stays constant for :math:`k \leq N` and falls as :math:`t^{-2 (k - N)}` above.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned; the laws above are those of volume-preserving systems.
    x0 : array, shape (dim,)
        Start, in state units.
    order : int
        Number k of vectors, from 2 to the dimension.
    dt : float
        Time between values, in time units; 1 for a map.
    n_steps, n_transient : int
        Length of the orbit and of what is dropped before it, in multiples of `dt`.
    u : array, shape (input,), optional
        A constant input.
    level : float
        Coverage of the intervals.
    seed : int
        Of the first tangent vectors, which are orthonormal.
    throw : bool
        Whether to raise when the orbit is lost.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    AlignmentIndex
        With status DIVERGED and NaN where the orbit is lost.

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If a shape or a number is out of range.
    NumericalFailure
        If the orbit becomes non-finite, and `throw`.

    Notes
    -----
    Cost: `n_steps` steps with k tangents and a factorisation each; memory ``8 n_steps (dim + 1)``.
    The volume is accumulated in logarithms from an orthonormal frame, so it does not end at 1e-16
    as the singular values of the vectors would. Where volumes contract an index falls
    exponentially on a limit cycle too: a caution says so, and `lyapunov_spectrum` is the question
    to ask. An orbit that sticks near an island looks regular until it leaves.

    References
    ----------
    Skokos, Bountis and Antonopoulos, Physica D 231, 30 (2007), eq. 13, 22 and 26.

    Examples
    --------
    >>> from takens.systems import StandardMap
    >>> island = StandardMap(kick=0.5)
    >>> generalised_alignment_index(island, [3.3, 0.1]).indicates
    'regular'
    >>> generalised_alignment_index(StandardMap(kick=6.0), [3.0, 1.0]).indicates
    'chaotic'
    """
    step_map = evolution(system, dt)
    x: Any = state(system, x0)
    counts(n_steps=n_steps, n_transient=n_transient, seed=seed)
    fraction(level=level)
    if not (isinstance(order, (int, np.integer)) and 2 <= order <= system.dim):
        raise InvalidInput(
            f"order = {order!r} for a system of dimension {system.dim}; expected 2 to "
            f"{system.dim} vectors."
        )
    if n_steps < LEAST_STEPS:
        raise InvalidInput(f"n_steps = {n_steps}; the laws need {LEAST_STEPS} or more.")
    u = an_input(system, u)
    x = _ahead(step_map, x, np.asarray(n_transient), u)
    carry: Any = (x, first_frame(int(order), system.dim, seed), np.eye(order), np.asarray(0.0))
    logs, orbit = [], []
    for first in range(0, n_steps, CHUNK):
        carry, (values, states) = _march(step_map, carry, np.asarray(float(n_transient + first)), u)
        logs.append(np.asarray(values))
        orbit.append(np.asarray(states))
        if not np.isfinite(np.asarray(carry[0])).all():
            break
        if progress is not None:
            progress(min(1.0, (first + CHUNK) / n_steps))
    step = float(step_map.dt) if isinstance(step_map, TimeMap) else 1.0
    curve = np.concatenate(logs)[:n_steps]
    lost = len(curve) < n_steps or np.isnan(curve).any()
    status = Status.DIVERGED if lost else Status.OK
    require(status, throw=throw)
    cautions: list[Finding] = []
    if status is Status.OK:
        seen = np.concatenate(orbit)
        probes = seen[np.linspace(0, n_steps - 1, PROBES).astype(int)]
        volume = float(np.mean(np.asarray(_log_volume(step_map, probes, u)))) / abs(step)
        if abs(volume) > 1e-3:
            cautions.append(Finding(
                code="volume-not-preserved",
                text=f"Volumes change at the rate {volume:.3g}.",
                action="An index falls exponentially on attracting cycles too: ask "
                "`lyapunov_spectrum` for the sign of the largest exponent.",
                level="serious",
            ))  # fmt: skip
    else:
        curve = np.full(n_steps, np.nan)
    return _assembled(
        f"GALI_{order}", int(order), curve, step, level, status, tuple(cautions),
        describe(system) | {"dt": step, "n_steps": n_steps, "n_transient": n_transient,
                            "order": int(order), "seed": seed,
                            "x0": np.asarray(x0, dtype=float).tolist()},
    )  # fmt: skip


def smaller_alignment_index(
    system: Any,
    x0: Any,
    *,
    dt: float = 1.0,
    n_steps: int = 2_000,
    n_transient: int = 0,
    u: Any = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> AlignmentIndex:
    r"""Smaller alignment index SALI of two tangent vectors.

    :math:`\mathrm{SALI} = \min(|\hat w_1 + \hat w_2|, |\hat w_1 - \hat w_2|)`, which falls as
    :math:`e^{-(\lambda_1 - \lambda_2) t}` in chaos; on a torus it stays positive, or falls as
    :math:`t^{-2}` in a map of the plane.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned, of two or more components.
    x0 : array, shape (dim,)
        Start, in state units.
    dt : float
        Time between values, in time units; 1 for a map.
    n_steps, n_transient : int
        Length of the orbit and of what is dropped before it, in multiples of `dt`.
    u : array, shape (input,), optional
        A constant input.
    level : float
        Coverage of the intervals.
    seed : int
        Of the first tangent vectors.
    throw : bool
        Whether to raise when the orbit is lost.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    AlignmentIndex
        With status DIVERGED and NaN where the orbit is lost.

    Raises
    ------
    WrongKind, InvalidInput, NumericalFailure
        As `generalised_alignment_index`.

    Notes
    -----
    Cost, meaning and cautions as those of `generalised_alignment_index` of order 2, from which it
    follows: with :math:`\sin\theta = \mathrm{GALI}_2`, :math:`\mathrm{SALI} = 2 \sin(\theta/2)`.

    References
    ----------
    Skokos, J. Phys. A 34, 10029 (2001); Skokos, Antonopoulos, Bountis and Vrahatis, J. Phys. A 37,
    6269 (2004), eq. 11.

    Examples
    --------
    >>> from takens.systems import StandardMap
    >>> smaller_alignment_index(StandardMap(kick=6.0), [3.0, 1.0], n_steps=200).name
    'SALI'
    """
    found = generalised_alignment_index(
        system, x0, order=2, dt=dt, n_steps=n_steps, n_transient=n_transient, u=u, level=level,
        seed=seed, throw=throw, progress=progress,
    )  # fmt: skip
    # 2 sin(theta / 2) = sin(theta) / cos(theta / 2), with an acute theta
    cosine = np.sqrt(-np.expm1(np.minimum(2 * found.log_index, 0.0)))
    curve = found.log_index - 0.5 * np.log((1 + cosine) / 2)
    step = float(found.provenance["dt"])
    return _assembled("SALI", 2, curve, step, level, found.status, found.cautions, found.provenance)


def _assembled(
    name: str, order: int, curve: np.ndarray, step: float, level: float, status: Status,
    cautions: tuple[Finding, ...], provenance: Any,
) -> AlignmentIndex:  # fmt: skip
    n = len(curve)
    times = step * np.arange(1, n + 1)
    with np.errstate(invalid="ignore"):  # an index that is exactly zero has no rate
        late = np.diff(curve[n // 2 - 1 :]) / abs(step)  # per time elapsed, backward too
    slopes = np.array([part.mean() for part in np.array_split(late, BLOCKS)])
    rate = block_estimate(-slopes, level=level)
    decade = slice(max(n // 10, 1) - 1, n)
    elapsed = np.abs(times)
    log_t, log_g = np.log(elapsed[decade]), curve[decade]
    # Equal weight to equal steps of log t, or the end would decide alone.
    bins = np.clip(((log_t - log_t[0]) / np.ptp(log_t) * BLOCKS).astype(int), 0, BLOCKS - 1)
    size = np.maximum(np.bincount(bins, minlength=BLOCKS), 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(bins, values, minlength=BLOCKS) / size

    points = np.stack([mean(log_t), mean(log_g), mean(elapsed[decade])], axis=1)
    return AlignmentIndex(
        name=name, order=order, times=times, log_index=curve, rate=rate,
        power=_power(points, level), exponential_misfit=_misfit(points[:, 2], points[:, 1]),
        power_misfit=_misfit(points[:, 0], points[:, 1]), status=status, cautions=cautions,
        provenance=provenance,
    )  # fmt: skip


def _power(points: np.ndarray, level: float) -> Estimate:
    """Minus the slope of the second column over the first, leaving each point out in turn."""
    x, y = points[:, 0], points[:, 1]
    moments = np.stack([x, y, x * x, x * y], axis=1)

    def slope(m: np.ndarray) -> float:
        return float(-(m[3] - m[0] * m[1]) / (m[2] - m[0] ** 2))

    return jackknife(moments, slope, level)


def _misfit(x: np.ndarray, y: np.ndarray) -> float:
    design = np.stack([np.ones_like(x), x], axis=1)
    if not np.isfinite(y).all():
        return float("nan")
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(np.sqrt(np.mean(rest**2)))
