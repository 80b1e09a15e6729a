"""Lyapunov exponents over a parameter, as one batch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np

from takens.core import AbstractResult, InvalidInput
from takens.core.system import AbstractMap
from takens.dynamics.door import (
    abscissa,
    an_input,
    axis_name,
    counts,
    describe,
    evolution,
    mean_error,
    sweep_starts,
    sweep_values,
    vary,
)
from takens.dynamics.lyapunov import LEAST_STEPS, count, first_frame, how_many, stretch

if TYPE_CHECKING:
    import xarray as xr

N_BLOCKS = 80  # the fewest that give the errors their full freedom


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LyapunovDiagram(AbstractResult):
    """Lyapunov exponents over the values of one parameter.

    Parameters
    ----------
    parameter : str
        Name of the swept field.
    values : array, shape (value,) or (value, ...)
        Its values.
    exponents, standard_error : array, shape (value, exponent)
        Per time unit; NaN where the orbit was lost.
    """

    parameter: str
    values: np.ndarray
    exponents: np.ndarray
    standard_error: np.ndarray

    def summary(self) -> str:
        """Where the largest exponent is positive."""
        largest, error = self.exponents[:, 0], self.standard_error[:, 0]
        positive = np.mean(largest > 2 * error)
        lost = np.mean(np.isnan(largest))
        return (
            f"{len(self.values)} values of {self.parameter} from {np.ravel(self.values)[0]:g} to "
            f"{np.ravel(self.values)[-1]:g}: the largest exponent is above twice its error at "
            f"{positive:.0%}, the orbit was lost at {lost:.0%}."
        )

    def plot(self, ax: Any = None) -> Any:
        """Exponents against the parameter."""
        from takens import plot

        ax = plot.axes(ax)
        for i in range(min(self.exponents.shape[1], 8)):
            colour = plot.COLOURS[i % len(plot.COLOURS)]
            plot.line(ax, abscissa(self.values), self.exponents[:, i], color=colour,
                      label=f"$\\lambda_{{{i + 1}}}$")  # fmt: skip
        ax.axhline(0.0, color="0.5", lw=0.8)
        return plot.labels(ax, self.parameter, "Lyapunov exponent")

    def to_xarray(self) -> xr.Dataset:
        """Exponents with their errors over the parameter."""
        import xarray as xr

        axis = axis_name(self.parameter, "exponent", "standard_error", "index")
        dims = (axis, "index")
        return xr.Dataset(
            {"exponent": (dims, self.exponents), "standard_error": (dims, self.standard_error)},
            {axis: abscissa(self.values)},
        )


@eqx.filter_jit
def _stretch_many(
    evolution: AbstractMap, x: Any, frame: Any, n: Any, n_steps: Any, u: Any, parameter: str,
    values: Any,
) -> Any:  # fmt: skip
    def one(value: Any, x: Any, frame: Any) -> Any:
        return stretch(vary(evolution, parameter, value), x, frame, n, n_steps, u)

    return jax.vmap(one)(values, x, frame)


def lyapunov_diagram(
    system: Any,
    parameter: str,
    values: Any,
    x0: Any,
    *,
    dt: float = 1.0,
    n_steps: int = 2_000,
    n_transient: int = 500,
    n_exponents: int | None = None,
    u: Any = None,
    seed: int = 0,
) -> LyapunovDiagram:
    """Lyapunov exponents over the values of one parameter, all computed as one batch.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned.
    parameter : str
        Name of a field of the system.
    values : array, shape (value,)
        Its values.
    x0 : array, shape (dim,) or (value, dim)
        One start for all values, or one for each.
    dt : float
        Time between orthonormalisations; it is not shortened here, see `lyapunov_spectrum`.
    n_steps, n_transient : int
        In multiples of `dt`.
    n_exponents : int, optional
        How many of the largest; all when not given.
    u : array, shape (input,), optional
        A constant input.
    seed : int
        Of the first tangent vectors.

    Returns
    -------
    LyapunovDiagram
        NaN where an orbit was lost; the others are not touched by it.

    Raises
    ------
    WrongKind, InvalidInput
        As in `lyapunov_spectrum`, and if the system has no such parameter.

    Notes
    -----
    Cost: that of `lyapunov_spectrum` times the number of values, in one compiled batch.

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> found = lyapunov_diagram(LogisticMap(), "r", [3.2, 4.0], [0.3], n_steps=4_000)
    >>> found.exponents[:, 0] > 0
    array([False,  True])
    """
    step_map = evolution(system, dt)
    swept = sweep_values(system, parameter, values)
    start = sweep_starts(system, x0, len(swept))
    counts(n_steps=n_steps, n_transient=n_transient, seed=seed)
    k, u = how_many(system, n_exponents), an_input(system, u)
    if n_steps < LEAST_STEPS:
        raise InvalidInput(f"n_steps = {n_steps}; the errors need {LEAST_STEPS} or more.")
    frame = np.tile(first_frame(k, system.dim, seed), (len(swept), 1, 1))
    sweep = (u, parameter, swept)
    x, frame, _, _ = _stretch_many(step_map, start, frame, *count(0, n_transient), *sweep)
    n_blocks = min(N_BLOCKS, n_steps // 4)
    size, n, blocks = n_steps // n_blocks, n_transient, []
    for _ in range(n_blocks):
        x, frame, growth, _ = _stretch_many(step_map, x, frame, *count(n, size), *sweep)
        blocks.append(np.asarray(growth) / (size * dt))
        n += size
    table = np.stack(blocks) * np.where(np.isfinite(np.asarray(x)).all(axis=1), 1, np.nan)[:, None]
    return LyapunovDiagram(
        parameter=parameter,
        values=swept,
        exponents=table.mean(axis=0),
        standard_error=mean_error(table)[0],
        provenance=describe(system) | {"dt": dt, "n_steps": n_steps, "n_transient": n_transient,
                                       "seed": seed},
    )  # fmt: skip
