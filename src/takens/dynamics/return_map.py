"""Return maps: one recorded number along an orbit against the next."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from takens.core import AbstractResult, InvalidInput, Status, require
from takens.dynamics.crossings import a_flow, all_crossings, cautions_of, checked
from takens.dynamics.door import an_input, counts, describe, state
from takens.dynamics.planes import component

if TYPE_CHECKING:
    import xarray as xr


class MaximumEvent(eqx.Module):
    """Rate of change of one component: it falls through zero at a maximum.

    Parameters
    ----------
    flow : AbstractFlow
    weights : array, shape (dim,)
        One at the component, zero elsewhere.
    u : array, shape (input,), optional
    """

    flow: Any
    weights: Any
    u: Any

    def __call__(self, t: Any, x: Any) -> Any:
        """The rate, per time unit."""
        return jnp.dot(self.weights, self.flow.vector_field(t, x, self.u))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ReturnMap(AbstractResult):
    """A recorded number against the next one.

    Parameters
    ----------
    before, after : array, shape (pair,)
        Successive values, in state units.
    name : str
        What they are.
    """

    before: np.ndarray
    after: np.ndarray
    name: str

    @property
    def thickness(self) -> float:
        """How far the pairs are from a curve: median gap of `after` between neighbours in `before`.

        Relative to the standard deviation of `after`; near zero, the next value is a function of
        this one, and one number describes the attractor. It shrinks as the slope over the number
        of pairs even on a curve, and does not vanish faster than that.
        """
        order = np.argsort(self.before)
        spread = float(np.std(self.after))
        gaps = np.abs(np.diff(self.after[order]))
        return float(np.median(gaps)) / spread if len(gaps) and spread > 0 else float("nan")

    def summary(self) -> str:
        """Number of pairs, range and thickness."""
        if not len(self.before):
            return f"No return map: {self.status.value}"
        return (
            f"{len(self.before)} pairs of {self.name} and the next, from {self.before.min():.4g} to "
            f"{self.before.max():.4g}; thickness {self.thickness:.2g} of the spread."
        )

    def plot(self, ax: Any = None) -> Any:
        """The pairs, and the diagonal on which nothing changes."""
        from takens import plot

        ax = plot.axes(ax)
        if len(self.before):
            ends = [
                min(self.before.min(), self.after.min()),
                max(self.before.max(), self.after.max()),
            ]
            plot.line(ax, ends, ends, color="0.6", linewidth=0.8)
        plot.line(ax, self.before, self.after, linestyle="none", marker=".", markersize=3,
                  color=plot.COLOURS[0])  # fmt: skip
        return plot.labels(ax, self.name, f"next {self.name}")

    def to_xarray(self) -> xr.Dataset:
        """Both columns."""
        import xarray as xr

        return xr.Dataset(
            {"before": ("pair", self.before), "after": ("pair", self.after)},
            attrs={"name": self.name, "status": self.status.name},
        )


def paired(values: np.ndarray, name: str, status: Status, provenance: Any) -> ReturnMap:
    """Successive pairs within each row of `values`, shape (sample, n)."""
    before, after = values[:, :-1].ravel(), values[:, 1:].ravel()
    keep = np.isfinite(before) & np.isfinite(after)
    return ReturnMap(
        before=before[keep], after=after[keep], name=name, status=status, provenance=provenance
    )


def return_map(
    system: Any,
    x0: Any,
    variable: str | int,
    *,
    dt: float,
    n_maxima: int = 500,
    n_transient: int = 20,
    max_time: float | None = None,
    u: Any = None,
    throw: bool = True,
) -> ReturnMap:
    """Successive maxima of one component along an orbit of a flow, each against the next.

    Parameters
    ----------
    system : AbstractFlow
        Known or learned.
    x0 : array, shape (dim,)
        Start, in state units.
    variable : str or int
        Name or number of the component.
    dt : float
        Time between two looks, in time units, shorter than from a maximum to the next minimum.
    n_maxima, n_transient : int
        Maxima to record, and to drop before them.
    max_time : float, optional
        When to give up, in time units; ``1000 dt`` for each maximum if not given.
    u : array, shape (input,), optional
        A constant input.
    throw : bool
        Whether to raise when the orbit is lost or has no second maximum.

    Returns
    -------
    ReturnMap

    Raises
    ------
    WrongKind, InvalidInput, NumericalFailure
        As in `crossings`.

    Notes
    -----
    Maxima are where the rate of the component falls through zero, located to the accuracy of the
    integrator. That the pairs lie close to a curve shows strong contraction; it is no proof that
    the dynamics are one-dimensional. For other recorded numbers take `poincare_section` and its
    method `return_map`.

    References
    ----------
    Lorenz, J. Atmos. Sci. 20, 130 (1963), figure 4.

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> cusp = return_map(Lorenz63(), [-5.76, -2.28, 27.08], "z", dt=0.02, n_maxima=200)
    >>> bool(30 < cusp.before.min() and cusp.before.max() < 50)
    True
    """
    flow = a_flow(system, "a return map of maxima")
    x = state(flow, x0)
    counts(n_maxima=n_maxima, n_transient=n_transient)
    u = an_input(flow, u)
    checked(dt, -1, max_time)
    if n_maxima < 2:
        raise InvalidInput(f"n_maxima = {n_maxima}; a pair needs two. Ask for more.")
    i = component(flow, variable)
    event = MaximumEvent(flow, np.eye(flow.dim)[i], u)
    found = all_crossings(
        flow, event, x[None], dt=dt, direction=-1, n_crossings=n_maxima,
        n_transient=n_transient, max_time=max_time, u=u, progress=None,
    )  # fmt: skip
    have = np.isfinite(found.times[0]).sum() > 1
    status = Status.DIVERGED if found.lost[0] else Status.OK if have else Status.NO_EVENT
    require(status, throw=throw)
    result = paired(found.states[..., i], f"maximum of {flow.names[i]}", status, describe(flow))
    return dataclasses.replace(result, cautions=cautions_of(found, n_maxima))
