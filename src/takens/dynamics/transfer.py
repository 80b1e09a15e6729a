"""Transfer operator by Ulam's method: how a cloud of states moves among cells."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, WrongKind, require
from takens.core.system import AbstractDiffusion
from takens.dynamics.door import (
    a_number,
    a_system,
    affordable,
    an_input,
    counts,
    describe,
    evolution,
)
from takens.dynamics.invariant import a_mesh

if TYPE_CHECKING:
    import scipy.sparse
    import xarray as xr

CHUNK = 1 << 14  # samples in one compiled program
DENSE = 600  # up to this many cells a dense eigenvalue problem is the safer one


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TransferMatrix(AbstractResult):
    """Chances of moving from cell to cell in one step, and what they say of the long run.

    Cells are numbered with the last component running fastest.

    Parameters
    ----------
    edges : tuple of array
        Edges of the cells along each component, in state units.
    names : tuple of str
        Of the components.
    rows, columns : array of int, shape (entry,)
        From which cell and to which.
    chances : array, shape (entry,)
        Probability of that move; a row sums to less than one where cells leak from the grid.
    eigenvalues, error : array, shape (mode,)
        Of the matrix, largest modulus first, complex; the standard error is that of drawing the
        samples, to first order: it does not know the error of the cells.
    density : array, shape (cell, ...)
        Left eigenvector of the first eigenvalue, per state unit (to the power dim): the stationary
        density, or with leakage the one that keeps its shape while it decays.
    density_error : array, shape (cell, ...)
        Half the difference between those from the two halves of the samples.
    second : array, shape (cell, ...)
        Right eigenvector of the second eigenvalue, scaled to a largest modulus of one; its sign
        divides the grid into two almost invariant sets. NaN where that eigenvalue is complex.
    leak : array, shape (cell, ...)
        Chance of leaving the grid from each cell.
    dt : float
        Length of the step in time units, 1 for a map.
    """

    edges: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    rows: np.ndarray
    columns: np.ndarray
    chances: np.ndarray
    eigenvalues: np.ndarray
    error: np.ndarray
    density: np.ndarray
    density_error: np.ndarray
    second: np.ndarray
    leak: np.ndarray
    dt: float

    @property
    def matrix(self) -> scipy.sparse.csr_array:
        """Sparse matrix of chances, shape (cell, cell); rows are where a move starts."""
        import scipy.sparse

        n = self.density.size
        return scipy.sparse.csr_array((self.chances, (self.rows, self.columns)), shape=(n, n))

    @property
    def escape_rate(self) -> float:
        """Rate at which probability leaves the grid in the long run, per time unit."""
        return float(np.log(1 / min(abs(self.eigenvalues[0]), 1.0)) / self.dt)

    @property
    def mixing_rate(self) -> float:
        """Rate at which the second mode decays against the first, per time unit."""
        with np.errstate(divide="ignore"):
            return float(np.log(abs(self.eigenvalues[0]) / abs(self.eigenvalues[1])) / self.dt)

    @property
    def almost_invariant(self) -> tuple[float, float]:
        """Chance of staying in one step in each of the two sets, weighted by the density."""
        mass = self.density.ravel() * _volumes(self.edges).ravel()
        stays = []
        for inside in (self.second.ravel() > 0, self.second.ravel() < 0):
            flow = mass * inside
            total = flow.sum()
            stays.append(float((flow @ self.matrix)[inside].sum() / total) if total > 0 else np.nan)
        return stays[0], stays[1]

    def summary(self) -> str:
        """Spectrum and rates."""
        if self.status is not Status.OK:
            return f"No spectrum: {self.status.value}"
        shown = ", ".join(
            f"{value:.4g} ± {error:.1g}"
            for value, error in zip(self.eigenvalues[:4], self.error[:4], strict=True)
        )
        return (
            f"{self.density.size} cells, eigenvalues {shown}; mixing rate {self.mixing_rate:.4g}, "
            f"escape rate {self.escape_rate:.4g} per time unit."
        )

    def plot(self, ax: Any = None) -> Any:
        """The stationary density; in one dimension with the second mode, beyond two its margin."""
        from takens import plot

        ax = plot.axes(ax)
        volume = _volumes(self.edges)
        if len(self.edges) == 1:
            centres = 0.5 * (self.edges[0][1:] + self.edges[0][:-1])
            d, e = self.density, self.density_error
            plot.line_with_band(ax, centres, d, d - 2 * e, d + 2 * e, "stationary density",
                                color=plot.COLOURS[0])  # fmt: skip
            if np.isfinite(self.second).all():
                plot.line(ax, centres, self.second * np.nanmax(d), label="second mode, scaled",
                          color=plot.COLOURS[1], ls="--")  # fmt: skip
            return plot.labels(ax, self.names[0], "density")
        others = tuple(range(2, len(self.edges)))
        mass = (self.density * volume).sum(axis=others)
        shown = mass / np.outer(np.diff(self.edges[0]), np.diff(self.edges[1]))
        shown = np.where(shown > 1e-12 * shown.max(), shown, np.nan)
        plot.heat(ax, self.edges[0], self.edges[1], shown.T, label="density")
        return plot.labels(ax, *self.names[:2])

    def to_xarray(self) -> xr.Dataset:
        """Density, leakage and second mode over the cells; the spectrum."""
        import xarray as xr

        centres = {n: 0.5 * (e[1:] + e[:-1]) for n, e in zip(self.names, self.edges, strict=True)}
        return xr.Dataset(
            {
                "density": (self.names, self.density),
                "density_error": (self.names, self.density_error),
                "second": (self.names, self.second),
                "leak": (self.names, self.leak),
                "eigenvalue": (("mode", "part"), np.stack(
                    [self.eigenvalues.real, self.eigenvalues.imag], axis=1)),
                "error": ("mode", self.error),
            },
            {**centres, "part": ["real", "imaginary"]},
            attrs={"dt": self.dt, "mixing_rate": self.mixing_rate},
        )  # fmt: skip


@eqx.filter_jit
def _carry(system: Any, x: Any, h: Any, u: Any, key: Any, n_substeps: int) -> Any:
    """Samples `x`, shape (dim, sample), one step on."""
    if isinstance(system, AbstractDiffusion):
        keys = jax.random.split(key, x.shape[1])
        return jax.vmap(
            lambda s, k: system.integrator.advance(system, 0.0, h, s, u, k, n_substeps),
            in_axes=(1, 0), out_axes=1,
        )(x, keys)  # fmt: skip
    return jax.vmap(lambda s: system.step(0.0, s, u), in_axes=1, out_axes=1)(x)


def transfer_matrix(
    system: Any,
    grid: Any,
    *,
    dt: float = 1.0,
    n_samples: int = 100,
    n_modes: int = 6,
    u: Any = None,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> TransferMatrix:
    r"""Ulam's approximation of the transfer operator of a map, a flow or a diffusion.

    From cell i sample points are carried over `dt`:

    .. math:: P_{ij} = \frac{\text{points of cell } i \text{ that arrive in cell } j}
                            {\text{points of cell } i}.

    The left eigenvector for the eigenvalue 1 approximates the invariant density, the second
    eigenvalue the rate of mixing, and the sign of its right eigenvector two almost invariant sets.

    Parameters
    ----------
    system : AbstractMap, AbstractFlow or AbstractDiffusion
        Known or learned; without dependence on time.
    grid : sequence of array
        For each component the increasing edges of the cells, in state units.
    dt : float
        Length of the step, in time units; 1 for a map.
    n_samples : int
        Points a cell, or a few more: they are stratified, so that each part of the cell has one.
    n_modes : int
        Leading eigenvalues asked for, two or more.
    u : array, shape (input,), optional
        A constant input.
    seed : int
        Of the points within their strata, and of the noise.
    throw : bool
        Whether to raise when the eigenvalue iteration fails or everything leaks.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    TransferMatrix
        With status NOT_CONVERGED and NaN where there is no spectrum.

    Raises
    ------
    WrongKind
        If `system` is no system, or its step differs from one time to the next.
    InvalidInput
        If the grid is malformed or too fine, or a number out of range.
    NumericalFailure
        If there is no spectrum, and `throw`.

    Notes
    -----
    Cost: ``cell * n_samples`` steps of the system, at least ``2**dim`` a cell and at most 50 million
    in all; memory some 24 bytes an entry and 40 a point. A cell blurs
    states by its size, as noise of that size would: the density converges as cells shrink (for
    expanding maps, with their logarithm), but eigenvalues inside the essential spectrum depend on
    the partition, so compare two grids before a rate is believed. Points that become NaN count as
    leaked, with a caution.

    References
    ----------
    Ulam, A Collection of Mathematical Problems (1960), p. 73; Li, J. Approx. Theory 17, 177 (1976);
    Dellnitz and Junge, SIAM J. Numer. Anal. 36, 491 (1999); Froyland, Physica D 200, 205 (2005).

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> found = transfer_matrix(LogisticMap(r=4.0), [np.linspace(0, 1, 65)])
    >>> float(found.density[32])  # exact: 1 / (pi sqrt(x (1 - x)))
    0.6
    """
    noisy = isinstance(a_system(system), AbstractDiffusion)
    edges = a_mesh(grid, system.dim, "grid")
    counts(n_samples=n_samples, n_modes=n_modes, seed=seed)
    a_number(dt=dt)
    u = an_input(system, u)
    cells = math.prod(len(e) - 1 for e in edges)  # exact, however many
    if not 2 <= n_modes <= max(cells - 2, 2) or cells < 3:
        raise InvalidInput(
            f"n_modes = {n_modes} for {cells} cells; expected 2 to {max(cells - 2, 2)}."
        )
    mover = system if noisy else evolution(system, dt)
    n_substeps = system.integrator.substeps(dt) if noisy else 1
    _refuse_time(mover, edges, dt, u)
    side = max(2, int(np.ceil(n_samples ** (1 / system.dim) - 1e-9)))
    per_cell = side**system.dim
    affordable(cells * per_cell, "points in all cells were asked for. Give coarser cells, or take a "
               "system of fewer components.")  # fmt: skip
    rng, key = np.random.default_rng(seed), jax.random.key(seed)
    start = np.repeat(np.arange(cells), per_cell)
    end = np.empty(len(start), int)
    n_lost = 0
    for number, first in enumerate(range(0, len(start), CHUNK)):
        part = np.arange(first, first + CHUNK) % len(start)  # the last chunk wraps round
        x = _points(edges, start[part], part % per_cell, side, rng)
        y = np.asarray(_carry(mover, x, np.asarray(dt), u, jax.random.fold_in(key, number),
                              n_substeps))  # fmt: skip
        kept = min(CHUNK, len(start) - first)
        n_lost += int(np.isnan(y[:, :kept]).any(axis=0).sum())
        end[first : first + kept] = _cell_of(edges, y[:, :kept])
        if progress is not None:
            progress(min(1.0, (first + CHUNK) / len(start)))
    half = (np.arange(len(start)) % per_cell) // side ** (system.dim - 1) % 2  # alternate strata
    found = [_spectrum(start[m], end[m], cells, n_modes)
             for m in (slice(None), half == 0, half == 1)]  # fmt: skip
    status = Status.OK if np.isfinite(found[0][0]).all() else Status.NOT_CONVERGED
    require(status, throw=throw)
    return _assembled(system, edges, (start, end, per_cell, n_lost), found, status, dt,
                      {"n_samples": per_cell, "seed": seed})  # fmt: skip


@eqx.filter_jit
def _at_two_times(mover: Any, x: Any, later: Any, u: Any) -> Any:
    """What moves a state, at time zero and later."""

    def one(t: Any) -> Any:
        if isinstance(mover, AbstractDiffusion):
            return mover.drift(t, x, u), mover.diffusion(t, x, u)
        return mover.step(t, x, u)

    return one(0.0 * later), one(later)


def _refuse_time(mover: Any, edges: tuple[np.ndarray, ...], dt: float, u: Any) -> None:
    """Refuse a system whose step differs from one time to the next."""
    x = np.array([e[0] + 0.37 * (e[-1] - e[0]) for e in edges])
    later = np.asarray(float(dt) if isinstance(mover, AbstractDiffusion) else 1.0)
    now, then = (jax.tree.leaves(v) for v in _at_two_times(mover, x, later, u))
    if not all(np.allclose(p, q, rtol=1e-9, atol=1e-12, equal_nan=True)
               for p, q in zip(now, then, strict=True)):  # fmt: skip
        raise WrongKind(
            "The system depends on time, so one matrix does not move all clouds. Take dt as long "
            "as the period of its forcing, or ask its stroboscopic map."
        )


def _points(
    edges: tuple[np.ndarray, ...], cell: np.ndarray, number: np.ndarray, side: int,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """A random point of stratum `number` of each cell, shape (dim, sample)."""
    shape = tuple(len(e) - 1 for e in edges)
    where = np.unravel_index(cell, shape)
    stratum = np.unravel_index(number, (side,) * len(edges))
    rows = []
    for e, i, s in zip(edges, where, stratum, strict=True):
        share = (s + rng.uniform(size=len(cell))) / side
        rows.append(e[i] + share * (e[i + 1] - e[i]))
    return np.stack(rows)


def _cell_of(edges: tuple[np.ndarray, ...], x: np.ndarray) -> np.ndarray:
    """Number of the cell of each sample, -1 outside; the last edge belongs to the last cell."""
    number, inside = np.zeros(x.shape[1], int), np.ones(x.shape[1], bool)
    for e, row in zip(edges, x, strict=True):
        i = np.searchsorted(e, row, side="right") - 1
        i = np.where(row == e[-1], len(e) - 2, i)
        inside &= (i >= 0) & (i < len(e) - 1) & ~np.isnan(row)
        number = number * (len(e) - 1) + np.clip(i, 0, len(e) - 2)
    return np.where(inside, number, -1)


def _counted(start: np.ndarray, end: np.ndarray, cells: int) -> Any:
    """Sparse matrix of chances from pairs of cells."""
    import scipy.sparse

    kept = end >= 0
    table = scipy.sparse.coo_array(
        (np.ones(int(kept.sum())), (start[kept], end[kept])), shape=(cells, cells)
    ).tocsr()
    weight = 1 / np.maximum(np.bincount(start, minlength=cells), 1)
    return scipy.sparse.diags_array(weight) @ table


def _spectrum(
    start: np.ndarray, end: np.ndarray, cells: int, n_modes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Any]:
    """Eigenvalues with errors, first left and second right eigenvector, matrix."""
    matrix = _counted(start, end, cells)
    values, right = _leading(matrix, n_modes)
    others, left = _leading(matrix.T, n_modes)
    left = left[:, [int(np.argmin(np.abs(others - v))) for v in np.nan_to_num(values)]]
    mass = np.real(left[:, 0] / left[np.argmax(np.abs(left[:, 0])), 0])
    mass = np.clip(mass, 0, None)
    with np.errstate(invalid="ignore"):
        mass = mass / mass.sum() if abs(values[0]) > 1e-12 else np.full(cells, np.nan)
    second = right[:, 1]
    real = abs(values[1].imag) <= 1e-9 * abs(values[0]) and abs(values[1]) > 1e-9
    second = np.real(second) / np.abs(second).max() if real else np.full(cells, np.nan)
    if abs(values[0]) <= 1e-12:
        values = np.full(n_modes, np.nan + 0j)
    return values, _sampling_error(matrix, left, right, np.bincount(start)[0]), mass, second, matrix


def _sampling_error(matrix: Any, left: np.ndarray, right: np.ndarray, count: int) -> np.ndarray:
    """Standard error of each eigenvalue to first order, ``l dP r / l r``, with multinomial rows."""
    mean, square = matrix @ right, matrix @ np.abs(right) ** 2
    variance = np.maximum(square - np.abs(mean) ** 2, 0) / count
    with np.errstate(divide="ignore", invalid="ignore"):
        overlap = np.abs(np.sum(left * right, axis=0))
        spread = np.sqrt(np.sum(np.abs(left) ** 2 * variance, axis=0))
        error = np.where(spread == 0, 0.0, spread / overlap)
    return np.minimum(error, 1.0)  # a defective eigenvalue moves by more than first order says


def _leading(matrix: Any, n_modes: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of largest modulus with their vectors as columns."""
    from scipy.sparse.linalg import ArpackError, eigs

    n = matrix.shape[0]
    if n <= DENSE:
        values, vectors = np.linalg.eig(matrix.toarray())
    else:
        try:
            values, vectors = eigs(matrix, n_modes, v0=np.ones(n), ncv=max(4 * n_modes, 20))
        except ArpackError:
            return np.full(n_modes, np.nan + 0j), np.full((n, n_modes), np.nan + 0j)
    order = np.argsort(-np.abs(values), kind="stable")[:n_modes]
    return values[order].astype(complex), vectors[:, order]


def _volumes(edges: tuple[np.ndarray, ...]) -> np.ndarray:
    volume = np.ones(())
    for e in edges:
        volume = np.multiply.outer(volume, np.diff(e))
    return volume


def _assembled(
    system: Any, edges: tuple[np.ndarray, ...], samples: tuple[Any, Any, int, int], found: Any,
    status: Status, dt: float, settings: dict[str, Any],
) -> TransferMatrix:  # fmt: skip
    start, end, per_cell, n_lost = samples
    values, error, mass, second, matrix = found[0]
    volume = _volumes(edges)
    shape = volume.shape
    entries = matrix.tocoo()
    leak = np.bincount(start[end < 0], minlength=volume.size) / per_cell
    cautions: list[Finding] = []
    if n_lost:
        cautions.append(Finding(
            code="lost-points",
            text=f"{n_lost} of {len(start)} sample points became NaN.",
            action="They count as leaked; shorten dt or the step of the integrator.",
        ))  # fmt: skip
    if np.isnan(second).all() and status is Status.OK:
        cautions.append(Finding(
            code="no-second-real-mode",
            text="The second eigenvalue is complex or zero, so its sign divides nothing.",
            action="Look at the eigenvalues: a complex pair is a rotation of sets, zero is fast "
            "mixing.",
            level="note",
        ))  # fmt: skip
    return TransferMatrix(
        edges=edges, names=tuple(system.names), rows=entries.row, columns=entries.col,
        chances=entries.data, eigenvalues=values, error=error,
        density=mass.reshape(shape) / volume,
        density_error=np.abs(found[1][2] - found[2][2]).reshape(shape) / 2 / volume,
        second=second.reshape(shape), leak=leak.reshape(shape), dt=float(dt), status=status,
        cautions=tuple(cautions),
        provenance=describe(system) | {"dt": dt, "n_cells": list(shape)} | settings,
    )  # fmt: skip
