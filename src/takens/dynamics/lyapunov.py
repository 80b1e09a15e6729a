"""Lyapunov exponents of a system, from tangent vectors along an orbit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.core.system import AbstractMap, AbstractSystem, TimeMap
from takens.dynamics.dimension import jackknife, kaplan_yorke_dimension
from takens.dynamics.door import (
    an_input,
    block_estimate,
    counts,
    describe,
    evolution,
    fraction,
    half_width,
    mean_error,
    state,
)
from takens.dynamics.tangent import orthonormalise, push

if TYPE_CHECKING:
    import xarray as xr

PIECE = 25  # blocks of the orbit in one call of the compiled program
N_CALLS = 20  # or nearly so: the errors come from about 500 blocks
LEAST_STEPS = 40
FORGOTTEN = -30.0  # log factor of a step, below which only round-off is left of a vector
RESOLVED = 23.0  # largest log ratio of stretching in one step; beyond it round-off takes over


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LyapunovSpectrum(AbstractResult):
    """Lyapunov exponents in descending order, with standard errors from blocks of the orbit.

    Parameters
    ----------
    exponents, standard_error : array, shape (exponent,)
        Per time unit (per iterate for a map), natural logarithm.
    intervals : array, shape (exponent, 2)
        At `level`, t intervals over blocks.
    blocks : array, shape (block, exponent)
        Exponents of consecutive pieces of the orbit.
    level : float
        Nominal coverage of the intervals.
    span : float
        Length of the orbit in time units, without the transient.
    complete : bool
        Whether these are all exponents of the system.
    last_state : array, shape (dim,)
        From which the orbit can be continued.
    """

    exponents: np.ndarray
    standard_error: np.ndarray
    intervals: np.ndarray
    blocks: np.ndarray
    level: float
    span: float
    complete: bool
    last_state: np.ndarray

    @property
    def kaplan_yorke(self) -> Estimate:
        """Kaplan-Yorke dimension, with a jackknife interval over blocks; NaN without a crossing."""
        return jackknife(self.blocks, kaplan_yorke_dimension, self.level)

    @property
    def entropy_bound(self) -> Estimate:
        """Sum of the positive exponents: an upper bound of the metric entropy (Ruelle), equal to
        it under Pesin's conditions. Per time unit.
        """  # noqa: D205
        return jackknife(self.blocks, lambda e: float(np.sum(e[e > 0])), self.level)

    @property
    def sum(self) -> Estimate:
        """Sum of the exponents: the mean rate at which volume grows, if the spectrum is complete."""
        return block_estimate(self.blocks.sum(axis=1), level=self.level)

    def summary(self) -> str:
        """Exponents with intervals, dimension and sum."""
        if self.status is not Status.OK:
            return f"No Lyapunov exponents: {self.status.value}"
        shown = [
            f"{value:.4f} ± {error:.4f}"
            for value, error in zip(self.exponents[:6], self.standard_error[:6], strict=True)
        ]
        more = f" and {len(self.exponents) - 6} more" if len(self.exponents) > 6 else ""
        text = f"Lyapunov exponents {', '.join(shown)}{more} per time unit, over {self.span:g}."
        if self.complete:
            text += f" Sum {self.sum.value:.6g}; Kaplan-Yorke dimension {self.kaplan_yorke}."
        return text

    def plot(self, ax: Any = None) -> Any:
        """Each exponent over the blocks of the orbit, with its mean and interval."""
        from takens import plot

        ax = plot.axes(ax)
        index = np.arange(1, len(self.blocks) + 1)
        running = np.cumsum(self.blocks, axis=0) / index[:, None]
        times = self.span * index / len(self.blocks)
        for i in range(min(len(self.exponents), 8)):
            colour = plot.COLOURS[i % len(plot.COLOURS)]
            plot.line(ax, times, running[:, i], label=f"$\\lambda_{{{i + 1}}}$", color=colour)
            ax.axhspan(*self.intervals[i], color=colour, alpha=0.15, lw=0)
        return plot.labels(ax, "length of orbit", "running mean of exponents")

    def to_xarray(self) -> xr.Dataset:
        """Exponents, errors, intervals and blocks with named dimensions."""
        import xarray as xr

        return xr.Dataset(
            {
                "exponent": ("index", self.exponents),
                "standard_error": ("index", self.standard_error),
                "interval": (("index", "end"), self.intervals),
                "block": (("block_number", "index"), self.blocks),
            },
            {"index": np.arange(1, len(self.exponents) + 1), "end": ["low", "high"]},
            attrs={"level": self.level, "span": self.span, "status": self.status.name},
        )


def stretch(evolution: AbstractMap, x: Any, frame: Any, n: Any, n_steps: Any, u: Any) -> Any:
    """Orbit and frame after `n_steps` steps; summed log stretching and its widest spread."""

    def one(index: Any, carry: Any) -> Any:
        x, frame, growth, spread = carry
        x, frame = push(evolution, n + index, x, frame, u)
        frame, sizes = orthonormalise(frame)
        logs = jnp.log(sizes)
        small = jnp.min(jnp.where(sizes > 0, logs, jnp.inf))
        return x, frame, growth + logs, jnp.maximum(spread, jnp.max(logs) - small)

    start = (x, frame, jnp.zeros(frame.shape[0]), jnp.zeros(()))
    return jax.lax.fori_loop(0, n_steps, one, start)


@eqx.filter_jit
def _stretch_one(evolution: AbstractMap, x: Any, frame: Any, n: Any, n_steps: Any, u: Any) -> Any:
    """`PIECE` blocks of `n_steps` steps each; summed log stretching (block, vector)."""

    def block(carry: Any, index: Any) -> Any:
        x, frame, spread = carry
        start = n + index * n_steps
        x, frame, growth, widest = stretch(evolution, x, frame, start, n_steps, u)
        return (x, frame, jnp.maximum(spread, widest)), growth

    carry, growth = jax.lax.scan(block, (x, frame, jnp.zeros(())), jnp.arange(float(PIECE)))
    return *carry, growth


def lyapunov_spectrum(
    system: Any,
    x0: Any,
    *,
    dt: float = 1.0,
    n_steps: int = 10_000,
    n_transient: int = 1_000,
    n_exponents: int | None = None,
    u: Any = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> LyapunovSpectrum:
    r"""Lyapunov exponents of a map or a flow, largest first.

    Tangent vectors are carried along the orbit by forward-mode differentiation and
    orthonormalised every `dt`; an exponent is the mean log of its diagonal factor,
    :math:`\lambda_i = \langle \log R_{ii} \rangle / dt`. If one step stretches so unevenly that
    round-off would hide an exponent, a flow is orthonormalised more often, at half the `dt` as
    many times as it takes; the orbit stays as long.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned.
    x0 : array, shape (dim,)
        Start, in state units. The transient should bring it to the attractor.
    dt : float
        Time between orthonormalisations, in time units; 1 for a map.
    n_steps, n_transient : int
        Length of the orbit, and of what is dropped before it, in multiples of `dt`.
    n_exponents : int, optional
        How many of the largest; all when not given.
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
    LyapunovSpectrum
        With status DIVERGED and NaN where the orbit is lost.

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If `x0` has the wrong shape, a number is out of range, or `n_steps` is below 40.
    NumericalFailure
        If the orbit becomes non-finite, and `throw`.

    Notes
    -----
    Cost: `n_steps` steps of the system with `n_exponents` tangents each, and as many
    factorisations of cost ``dim * n_exponents**2``; memory ``dim * n_exponents``. The exponents
    belong to the orbit: with several attractors, or on an orbit that sticks near islands, another
    start gives others. The error is that of the mean of about 500
    consecutive blocks, from a fit to the lowest frequencies of their spectrum. On a run that is short
    against the time over which two close exponents exchange directions it comes out too small for
    the larger of them (docs/lyapunov-coverage.md). The exponents of a learned model are those
    of the data only as far as the model is right.

    References
    ----------
    Benettin, Galgani, Giorgilli and Strelcyn, Meccanica 15, 9 (1980).

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> spectrum = lyapunov_spectrum(LogisticMap(r=4.0), [0.3], n_steps=20_000)
    >>> low, high = spectrum.intervals[0]
    >>> bool(low < np.log(2) < high)
    True
    """
    step_map = evolution(system, dt)
    x = state(system, x0)
    counts(n_steps=n_steps, n_transient=n_transient, seed=seed)
    fraction(level=level)
    k, u = how_many(system, n_exponents), an_input(system, u)
    if n_steps < LEAST_STEPS:
        raise InvalidInput(f"n_steps = {n_steps}; the errors need {LEAST_STEPS} or more.")
    frame = first_frame(k, system.dim, seed)
    step_map, n_rounds, settled = _resolved(step_map, x, frame, n_steps, n_transient, u)
    cautions: list[Finding] = []
    x, frame, n = settled
    size = max(1, n_steps // (PIECE * N_CALLS))
    n_calls = n_steps // (PIECE * size)
    size *= n_rounds // n_steps  # more rounds where the step was shortened
    blocks, spread, step = np.full((n_calls * PIECE, k), np.nan), 0.0, _step_of(step_map)
    for call in range(n_calls):
        x, frame, widest, growth = _stretch_one(step_map, x, frame, *count(n, size), u)
        if not np.isfinite(np.asarray(x)).all():
            break
        blocks[call * PIECE : (call + 1) * PIECE] = np.asarray(growth) / (size * step)
        spread = max(spread, float(widest))
        n = n + size * PIECE
        if progress is not None:
            progress((call + 1) / n_calls)
    status = Status.DIVERGED if np.isnan(blocks).any() else Status.OK
    require(status, throw=throw)
    if spread > RESOLVED:
        cautions.append(_unresolved(spread))
    elif np.nanmin(np.where(np.isfinite(blocks), blocks, np.nan), initial=0.0) * step < FORGOTTEN:
        cautions.append(
            Finding(
                code="direction-forgotten",
                text="Some direction shrinks to round-off within one step.",
                action="Read its exponent as minus infinity, or ask for a shorter dt.",
            )
        )
    return _assembled(
        blocks, level, size * len(blocks) * step, k == system.dim, np.asarray(x), status,
        tuple(cautions),
        describe(system) | {"dt": float(step), "n_steps": n_steps, "n_transient": n_transient,
                            "seed": seed, "x0": np.asarray(x0, dtype=float).tolist()},
    )  # fmt: skip


def how_many(system: AbstractSystem, n_exponents: int | None) -> int:
    """Exponents asked for; all when none is given.

    Raises
    ------
    InvalidInput
        If there are not so many.
    """
    if n_exponents is None:
        return system.dim
    counts(n_exponents=n_exponents)
    if n_exponents > system.dim:
        raise InvalidInput(f"n_exponents = {n_exponents}; expected 1 to {system.dim}.")
    return int(n_exponents)


def first_frame(k: int, dim: int, seed: int) -> np.ndarray:
    """Random orthonormal rows, shape (k, dim); fewer of them are the first of more."""
    rows = np.random.default_rng(seed).normal(size=(k, dim))
    return np.linalg.qr(rows.T)[0].T.copy()


def count(n: int, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """As arrays, because a Python number would be compiled in."""
    return np.asarray(float(n)), np.asarray(n_steps)


def _step_of(step_map: AbstractMap) -> float:
    return float(step_map.dt) if isinstance(step_map, TimeMap) else 1.0


def _resolved(
    step_map: AbstractMap, x: np.ndarray, frame: np.ndarray, n_steps: int, n_transient: int, u: Any
) -> tuple[AbstractMap, int, tuple[Any, Any, int]]:
    """A step short enough that round-off hides no exponent, and orbit and frame after the transient."""
    factor = 1
    while True:
        size = -(-max(n_transient, 20) * factor // PIECE)
        y, settled, spread, _ = _stretch_one(step_map, x, frame, *count(0, size), u)
        fine = not float(spread) > RESOLVED
        if fine or factor >= 1024 or not isinstance(step_map, TimeMap):
            return step_map, n_steps * factor, (y, settled, size * PIECE)
        factor *= 2
        step_map = step_map.flow.as_map(float(step_map.dt) / 2)


def _unresolved(spread: float) -> Finding:
    return Finding(
        code="exponents-unresolved",
        text=f"One step stretches directions by factors that differ by e^{spread:.0f}.",
        action="The smallest exponents are lost in round-off; ask for fewer, or for a shorter dt.",
        level="serious",
    )


def _assembled(
    blocks: np.ndarray, level: float, span: float, complete: bool, last: np.ndarray, status: Status,
    cautions: tuple[Finding, ...], provenance: dict[str, Any],
) -> LyapunovSpectrum:  # fmt: skip
    with np.errstate(invalid="ignore"):  # a direction that is forgotten has exponent -inf
        mean = blocks.mean(axis=0)
        order = np.argsort(-mean)
        blocks, mean = blocks[:, order], mean[order]
        error, freedom = mean_error(blocks)
        reach = half_width(error, freedom, level)
    return LyapunovSpectrum(
        exponents=mean,
        standard_error=error,
        intervals=np.stack([mean - reach, mean + reach], axis=1),
        blocks=blocks,
        level=level,
        span=span,
        complete=complete,
        last_state=last,
        status=status,
        cautions=cautions,
        provenance=provenance,
    )
