"""Invariant density from a long orbit: a histogram with honest errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np

from takens.core import AbstractResult, InvalidInput, Status, require
from takens.core.system import AbstractDiffusion
from takens.dynamics.door import (
    a_number,
    a_system,
    affordable,
    an_input,
    counts,
    describe,
    evolution,
    state,
)

if TYPE_CHECKING:
    import xarray as xr

N_BLOCKS = 20
CHUNK = 4096  # steps in one compiled program


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class InvariantDensity(AbstractResult):
    """How often a long orbit visits each bin of one or two components.

    Parameters
    ----------
    components : tuple of str
        Those of the histogram, one or two.
    edges : tuple of array
        Edges of the bins along each component, in state units.
    density : array, shape (bin,) or (bin, bin)
        Share of the time per state unit (squared), over all of the orbit.
    standard_error : array
        Of the density, from blocks of the orbit; too small in bins that the orbit visits in few
        blocks only.
    outside : float
        Share of the time spent outside the edges.
    n_steps : int
        Length of the orbit.
    """

    components: tuple[str, ...]
    edges: tuple[np.ndarray, ...]
    density: np.ndarray
    standard_error: np.ndarray
    outside: float
    n_steps: int

    @property
    def centres(self) -> tuple[np.ndarray, ...]:
        """Of the bins, along each component."""
        return tuple(0.5 * (e[1:] + e[:-1]) for e in self.edges)

    def summary(self) -> str:
        """Where it is, and how well it is known."""
        if self.status is not Status.OK:
            return f"No invariant density: {self.status.value}"
        visited = self.density > 0
        if not visited.any():
            return f"No visit to any of the {self.density.size} bins in {self.n_steps} steps."
        worst = np.median(self.standard_error[visited] / self.density[visited])
        return (
            f"Density of {', '.join(self.components)} over {self.density.size} bins from "
            f"{self.n_steps} steps: {visited.mean():.0%} of the bins visited, median relative "
            f"error {worst:.1%}, {self.outside:.2%} of the time outside."
        )

    def plot(self, ax: Any = None) -> Any:
        """The density, with a band of two standard errors or as an image."""
        from takens import plot

        ax = plot.axes(ax)
        if len(self.edges) == 2:
            shown = np.where(self.density > 0, self.density, np.nan)
            plot.heat(ax, self.edges[0], self.edges[1], shown.T, label="density")
            return plot.labels(ax, *self.components)
        low, high = (self.density + s * self.standard_error for s in (-2.0, 2.0))
        plot.line_with_band(ax, self.centres[0], self.density, np.maximum(low, 0), high,
                            color=plot.COLOURS[0])  # fmt: skip
        return plot.labels(ax, self.components[0], "density")

    def to_xarray(self) -> xr.Dataset:
        """Density and its error over the centres of the bins."""
        import xarray as xr

        return xr.Dataset(
            {
                "density": (self.components, self.density),
                "standard_error": (self.components, self.standard_error),
            },
            dict(zip(self.components, self.centres, strict=True)),
            attrs={"outside": self.outside, "n_steps": self.n_steps},
        )


@eqx.filter_jit
def _orbit(system: Any, x: Any, first: Any, h: Any, u: Any, key: Any, n_substeps: int, which: Any) -> Any:  # fmt: skip
    """`CHUNK` steps: the last state, and the components asked for, shape (step, component)."""
    noisy = isinstance(system, AbstractDiffusion)

    def one(carry: Any, index: Any) -> Any:
        n = first + index
        if noisy:
            mine = jax.random.fold_in(key, n.astype(int))
            carry = system.integrator.advance(system, n * h, h, carry, u, mine, n_substeps)
        else:
            carry = system.step(n, carry, u)
        return carry, carry[which]

    return jax.lax.scan(one, x, jax.numpy.arange(float(CHUNK)))


def invariant_density(
    system: Any,
    x0: Any,
    *,
    components: Sequence[str] | None = None,
    bins: int = 100,
    edges: Sequence[Any] | None = None,
    dt: float = 1.0,
    n_steps: int = 100_000,
    n_transient: int = 1_000,
    u: Any = None,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> InvariantDensity:
    r"""Density of one or two components along a long orbit of any system.

    Parameters
    ----------
    system : AbstractMap, AbstractFlow or AbstractDiffusion
        Known or learned.
    x0 : array, shape (dim,)
        Start, in state units.
    components : sequence of str, optional
        One or two names of components; the first when not given.
    bins : int
        Along each component, over the range of the orbit, where `edges` are not given.
    edges : sequence of array, optional
        Increasing edges of the bins for each component, in state units.
    dt : float
        Time between looks, in time units; 1 for a map.
    n_steps, n_transient : int
        Length of the orbit, and of what is dropped before it, in multiples of `dt`.
    u : array, shape (input,), optional
        A constant input.
    seed : int
        Of the noise of a diffusion.
    throw : bool
        Whether to raise when the orbit is lost.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    InvariantDensity
        With status DIVERGED and NaN where the orbit is lost.

    Raises
    ------
    WrongKind
        If `system` is no system.
    InvalidInput
        If names, shapes or numbers are out of range.
    NumericalFailure
        If the orbit becomes non-finite, and `throw`.

    Notes
    -----
    Cost: the steps, and ``8 * n_steps * components`` bytes. The density is that of this orbit's
    attractor, smoothed over the bin; singular densities (a fractal, the logistic map's spikes)
    change with the bin. Errors assume that a twentieth of the orbit forgets the rest: an
    orbit that hops rarely between parts of its attractor is less well known than they say.

    References
    ----------
    Lasota and Mackey, Chaos, Fractals, and Noise (1994), chapter 1.

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> found = invariant_density(LogisticMap(r=4.0), [0.3], edges=[[0.0, 0.5, 1.0]])
    >>> np.round(found.density, 1)
    array([1., 1.])
    """
    noisy = isinstance(a_system(system), AbstractDiffusion)
    x = state(system, x0)
    counts(n_steps=n_steps, n_transient=n_transient, bins=bins, seed=seed)
    if n_steps < 2 * N_BLOCKS:
        raise InvalidInput(f"n_steps = {n_steps}; {N_BLOCKS} blocks need {2 * N_BLOCKS} or more.")
    chosen = tuple(components) if components is not None else system.names[:1]
    known = set(chosen) <= set(system.names) and not isinstance(components, str)
    if not (known and 1 <= len(chosen) <= 2 and len(set(chosen)) == len(chosen)):
        raise InvalidInput(
            f"components = {components!r}; expected a list of one or two of {system.names[:8]}."
        )
    affordable(
        N_BLOCKS * bins ** len(chosen), "bins of all blocks were asked for. Give fewer bins."
    )
    a_number(dt=dt)
    if noisy and not (np.isfinite(dt) and dt > 0):
        raise InvalidInput(f"dt = {dt}; expected a positive, finite time step of a diffusion.")
    mover, u = system if noisy else evolution(system, dt), an_input(system, u)
    which = np.array([system.names.index(name) for name in chosen])
    n_substeps = system.integrator.substeps(dt) if noisy else 1
    key, total, pieces = jax.random.key(seed), n_transient + n_steps, []
    for first in range(0, total, CHUNK):
        x, seen = _orbit(mover, x, np.asarray(float(first)), np.asarray(dt), u, key, n_substeps,
                         which)  # fmt: skip
        pieces.append(np.asarray(seen))
        if not np.isfinite(np.asarray(x)).all():
            break
        if progress is not None:
            progress(min(1.0, (first + CHUNK) / total))
    orbit = np.concatenate(pieces)[n_transient:total]
    lost = len(orbit) < n_steps or not np.isfinite(orbit).all()
    status = Status.DIVERGED if lost else Status.OK
    require(status, throw=throw)
    cuts = _edges(orbit[np.isfinite(orbit).all(axis=1)], edges, len(chosen), bins)
    density, error, outside = _histogram(orbit, cuts, lost)
    return InvariantDensity(
        components=chosen, edges=cuts, density=density, standard_error=error, outside=outside,
        n_steps=n_steps, status=status,
        provenance=describe(system) | {"dt": dt, "n_steps": n_steps, "n_transient": n_transient,
                                       "seed": seed, "x0": np.asarray(x0, dtype=float).tolist()},
    )  # fmt: skip


def _edges(
    orbit: np.ndarray, edges: Sequence[Any] | None, dim: int, bins: int
) -> tuple[np.ndarray, ...]:
    if edges is not None:
        return a_mesh(edges, dim, "edges")
    cuts = []
    for i in range(dim):
        low, high = (orbit[:, i].min(), orbit[:, i].max()) if len(orbit) else (0.0, 1.0)
        spare = 1e-9 * max(abs(low), abs(high), 1e-300) if high > low else max(abs(low), 1.0) * 1e-3
        cuts.append(np.linspace(low - spare, high + spare, bins + 1))
    return tuple(cuts)


def a_mesh(grid: Any, dim: int, what: str) -> tuple[np.ndarray, ...]:
    """Increasing edges for each of `dim` components.

    Raises
    ------
    InvalidInput
        If there are more or fewer, or one is not increasing.
    """
    try:
        cuts = tuple(np.array(e, dtype=float) for e in grid)
    except (TypeError, ValueError):
        cuts = ()
    good = len(cuts) == dim and all(
        e.ndim == 1 and len(e) > 1 and np.isfinite(e).all() and (np.diff(e) > 0).all() for e in cuts
    )
    if not good:
        raise InvalidInput(
            f"{what} has {len(cuts)} entries of shapes {[e.shape for e in cuts]}; expected a "
            f"sequence of {dim}, each with the increasing edges of the cells along one component."
        )
    return cuts


def _histogram(
    orbit: np.ndarray, cuts: tuple[np.ndarray, ...], lost: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    shape = tuple(len(e) - 1 for e in cuts)
    if lost:
        return np.full(shape, np.nan), np.full(shape, np.nan), np.nan
    volume = np.diff(cuts[0]) if len(cuts) == 1 else np.outer(np.diff(cuts[0]), np.diff(cuts[1]))
    blocks = np.stack(
        [np.histogramdd(part, cuts)[0] / len(part) for part in np.array_split(orbit, N_BLOCKS)]
    )
    visits = np.histogramdd(orbit, cuts)[0]
    error = blocks.std(axis=0, ddof=1) / N_BLOCKS**0.5
    return visits / len(orbit) / volume, error / volume, 1 - float(visits.sum()) / len(orbit)
