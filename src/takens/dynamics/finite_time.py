"""Finite-time Lyapunov exponents of many starts: where neighbours part, and along which lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, require
from takens.core.system import AbstractMap
from takens.dynamics.door import a_number, a_system, an_input, describe, numbers, state, states

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 4096  # starts in one compiled program
ROUND_OFF = 1e-13  # of the largest singular value; below it another is noise


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FiniteTimeLyapunov(AbstractResult):
    """Exponents of the tangent of the flow map over a finite span, exact for each start.

    Parameters
    ----------
    starts, ends : array, shape (sample, dim)
        Before and after the span.
    exponents : array, shape (sample, dim)
        Log of each singular value over the length of the span, descending, per time unit. NaN
        where the orbit was lost, or where a small one drowned in round-off.
    directions : array, shape (sample, dim)
        Unit vector at the start that is stretched most, its largest component positive.
    span, t0 : float
        Length of the span, negative backward in time, and when it begins.
    axes : tuple of array
        The two axes of the grid on which the starts lie, the second running fastest; empty for
        scattered starts.
    names : tuple of str
        Of the components along the axes; of all components for scattered starts.
    """

    starts: np.ndarray
    ends: np.ndarray
    exponents: np.ndarray
    directions: np.ndarray
    span: float
    t0: float
    axes: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    @property
    def field(self) -> np.ndarray:
        """The largest exponent on the grid, shape (first axis, second axis)."""
        if not self.axes:
            raise InvalidInput(
                "The starts are scattered. Ask `finite_time_lyapunov_field` for a grid."
            )
        return self.exponents[:, 0].reshape(len(self.axes[0]), len(self.axes[1]))

    @property
    def ridges(self) -> np.ndarray:
        """Where the field has a ridge within half a cell: candidates for transport barriers.

        Across the ridge the curvature is the most negative, and at least a hundredth of the
        strongest on the grid, and the slope vanishes; the field is above its mean there.
        """
        f = self.field
        gradient = np.gradient(f, *self.axes)
        hessian = np.array([np.gradient(g, *self.axes) for g in gradient])
        hessian = np.moveaxis(0.5 * (hessian + np.swapaxes(hessian, 0, 1)), (0, 1), (-2, -1))
        known = np.isfinite(hessian).all(axis=(-2, -1))
        curvature, across = np.linalg.eigh(np.where(known[..., None, None], hessian, 0.0))
        slope = np.abs(np.einsum("ijk,kij->ij", across[..., 0], np.array(gradient)))
        sizes = np.array([float(np.diff(axis).max()) for axis in self.axes])
        cell = np.einsum("ijk,k->ij", np.abs(across[..., 0]), sizes)
        bend = -curvature[..., 0]
        with np.errstate(invalid="ignore"):
            crest = (slope <= bend * cell / 2) & (bend > 0.01 * bend.max())
            return np.asarray(known & crest & (f > np.nanmean(f)))

    def summary(self) -> str:
        """Range of the largest exponent."""
        largest = self.exponents[:, 0]
        known = largest[np.isfinite(largest)]
        if not known.size:
            return f"No finite-time exponents: {self.status.value}"
        low, middle, high = np.quantile(known, [0.05, 0.5, 0.95])
        return (
            f"Largest exponent over a span of {self.span:g} from {len(largest)} starts: median "
            f"{middle:.4g}, 90% between {low:.4g} and {high:.4g} per time unit."
        )

    def plot(self, ax: Any = None) -> Any:
        """The field of the largest exponent, or its distribution for scattered starts."""
        from takens import plot

        ax = plot.axes(ax)
        if self.axes:
            plot.heat(ax, self.axes[0], self.axes[1], self.field.T, label="largest exponent")
            return plot.labels(ax, *self.names)
        plot.histogram_with_marker(ax, self.exponents[:, 0], np.nan)
        return plot.labels(ax, "largest exponent", "starts")

    def to_xarray(self) -> xr.Dataset:
        """Starts, ends, exponents and directions; the field where there is a grid."""
        import xarray as xr

        rows = ("sample", "component")
        content: dict[str, Any] = {
            "start": (rows, self.starts),
            "end": (rows, self.ends),
            "exponent": (("sample", "index"), self.exponents),
            "direction": (rows, self.directions),
        }
        coords: dict[str, Any] = {}
        if self.axes:
            content["field"] = (self.names, self.field)
            coords = dict(zip(self.names, self.axes, strict=True))
        return xr.Dataset(content, coords, attrs={"span": self.span, "t0": self.t0})


@eqx.filter_jit
def _tangents(step_map: Any, x: Any, first: Any, n_steps: Any, u: Any) -> Any:
    """Ends (dim, sample) and tangents (dim, dim, sample) of starts `x`, shape (dim, sample)."""
    basis = np.eye(x.shape[0])

    def one(start: Any) -> Any:
        def step(index: Any, carry: Any) -> Any:
            x, frame = carry

            def along(v: Any) -> Any:
                return jax.jvp(lambda s: step_map.step(first + index, s, u), (x,), (v,))

            y, pushed = jax.vmap(along, in_axes=1, out_axes=(None, 1))(frame)
            return y, pushed

        return jax.lax.fori_loop(0, n_steps, step, (start, jax.numpy.asarray(basis)))

    return jax.vmap(one, in_axes=-1, out_axes=-1)(x)


def finite_time_lyapunov(
    system: Any,
    x0: Any,
    *,
    span: float,
    t0: float = 0.0,
    u: Any = None,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> FiniteTimeLyapunov:
    r"""Finite-time Lyapunov exponents of a map or a flow from many starts.

    With the singular values :math:`\sigma_i` of the tangent of the flow map over the span T,
    carried by forward-mode differentiation along each orbit,

    .. math:: \Lambda_i(x; T) = \frac{1}{|T|} \ln \sigma_i(D\phi_T(x)) .

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned; a flow may depend on time.
    x0 : array, shape (sample, dim)
        Starts, in state units.
    span : float
        In time units, negative for backward; a whole number of iterates for a map.
    t0 : float
        When the span begins, in time units or iterates.
    u : array, shape (input,), optional
        A constant input.
    throw : bool
        Whether to raise when all orbits are lost.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    FiniteTimeLyapunov
        NaN where an orbit was lost, the others not touched by it; status DIVERGED if all were.

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If a shape or the span does not fit; maps have no backward.
    NumericalFailure
        If all orbits were lost, and `throw`.

    Notes
    -----
    Cost: the span with `dim` tangents from each start, and a singular value decomposition; memory
    ``8 sample dim^2``. An exponent that lies so far below the largest that their singular values
    differ by 1e13 is given as NaN: over long spans ask `lyapunov_spectrum`. The exponents have no
    error bar: they are exact for their span, up to the integrator. Ridges of the field are
    candidates for material barriers; not every ridge is one (Haller 2011).

    References
    ----------
    Shadden, Lekien and Marsden, Physica D 212, 271 (2005), eq. 7-9; Haller, Physica D 240, 574
    (2011).

    Examples
    --------
    >>> from takens.systems import HenonMap
    >>> found = finite_time_lyapunov(HenonMap(), [[0.1, 0.1], [0.6, 0.2]], span=5)
    >>> found.exponents.sum(axis=1)  # ln 0.3, whatever the start
    array([-1.2040, -1.2040])
    """
    found = a_system(system)
    starts = states(found, x0)
    return _computed(found, starts, span, t0, u, throw, progress, (), tuple(found.names))


def finite_time_lyapunov_field(
    system: Any,
    axes: Sequence[Any],
    *,
    span: float,
    components: Sequence[str] | None = None,
    at: Any = None,
    t0: float = 0.0,
    u: Any = None,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> FiniteTimeLyapunov:
    """Finite-time Lyapunov exponents on a grid of two components, ready to be drawn.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned.
    axes : sequence of array
        Increasing positions along the first and the second component, in state units.
    span : float
        In time units, negative for backward; a whole number of iterates for a map.
    components : sequence of str, optional
        Names of the two components; the first two when not given.
    at : array, shape (dim,), optional
        Values of the other components; needed where there are any.
    t0 : float
        When the span begins.
    u : array, shape (input,), optional
        A constant input.
    throw : bool
        Whether to raise when all orbits are lost.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    FiniteTimeLyapunov
        With `axes`, `field` and `ridges`.

    Raises
    ------
    WrongKind, InvalidInput, NumericalFailure
        As `finite_time_lyapunov`, and if the grid is malformed.

    Notes
    -----
    Cost and meaning as those of `finite_time_lyapunov`.

    Examples
    --------
    >>> from takens.systems import HenonMap
    >>> axis = np.linspace(-0.5, 0.5, 5)
    >>> finite_time_lyapunov_field(HenonMap(), [axis, axis], span=3).field.shape
    (5, 5)
    """
    found = a_system(system)
    names = tuple(found.names[:2]) if components is None else _names(components)
    if not isinstance(axes, (Sequence, np.ndarray)) or isinstance(axes, str):
        raise InvalidInput(
            f"axes is {type(axes).__name__}; expected the positions along two components. Give "
            "a list of two arrays."
        )
    lines = [numbers(axis, "an axis") for axis in axes]
    good = len(lines) == 2 and all(
        a.ndim == 1 and len(a) > 2 and np.isfinite(a).all() and (np.diff(a) > 0).all()
        for a in lines
    )
    if not good or len(set(names)) != 2 or not set(names) <= set(found.names):
        raise InvalidInput(
            f"axes of shapes {[a.shape for a in lines]} for components {names}; expected three or "
            f"more increasing positions along each of two of {found.names[:8]}."
        )
    if at is None and found.dim > 2:
        raise InvalidInput(
            f"{type(system).__name__} has {found.dim} components. Give `at`, the values of those "
            "that are not on the grid."
        )
    centre = np.zeros(found.dim) if at is None else state(found, at, "at")
    first, second = np.meshgrid(*lines, indexing="ij")
    starts = np.tile(centre, (first.size, 1))
    starts[:, found.names.index(names[0])] = first.ravel()
    starts[:, found.names.index(names[1])] = second.ravel()
    return _computed(found, starts, span, t0, u, throw, progress, tuple(lines), names)


def _names(components: Any) -> tuple[str, ...]:
    """Names of components, refused unless they are a list of strings."""
    listed = isinstance(components, Sequence) and not isinstance(components, str)
    if not (listed and all(isinstance(name, str) for name in components)):
        raise InvalidInput(f"components = {components!r}; expected a list of two names.")
    return tuple(components)


def _computed(
    system: Any, starts: np.ndarray, span: float, t0: float, u: Any, throw: bool,
    progress: Callable[[float], None] | None, axes: tuple[np.ndarray, ...], names: tuple[str, ...],
) -> FiniteTimeLyapunov:  # fmt: skip
    a_number(span=span, t0=t0)
    u = an_input(system, u)
    if not (np.isfinite(span) and span != 0 and np.isfinite(t0)):
        raise InvalidInput(f"span = {span}, t0 = {t0}; expected finite numbers, span not zero.")
    if isinstance(system, AbstractMap):
        if span != round(span) or span < 0 or t0 != round(t0):
            raise InvalidInput(
                f"span = {span}, t0 = {t0} for a map; expected whole numbers of iterates, span "
                "from 1 on. A map has no backward in general: pass its inverse as a map."
            )
        step_map, first, n_steps = system, t0, int(span)
    else:
        step_map, first, n_steps = system.as_map(span), t0 / span, 1
    total, dim = starts.shape
    ends, tangents = np.empty((total, dim)), np.empty((total, dim, dim))
    size = min(CHUNK, 1 << (total - 1).bit_length())
    for begin in range(0, total, size):
        rows = np.arange(begin, begin + size) % total  # the last chunk wraps round
        y, tangent = _tangents(step_map, starts[rows].T.copy(), np.asarray(float(first)),
                               np.asarray(n_steps), u)  # fmt: skip
        kept = min(size, total - begin)
        ends[begin : begin + kept] = np.asarray(y).T[:kept]
        tangents[begin : begin + kept] = np.moveaxis(np.asarray(tangent), -1, 0)[:kept]
        if progress is not None:
            progress(min(1.0, (begin + size) / total))
    known = np.asarray(np.isfinite(ends).all(axis=1) & np.isfinite(tangents).all(axis=(1, 2)))
    status = Status.OK if known.any() else Status.DIVERGED
    require(status, throw=throw)
    exponents, directions, drowned = _decomposed(tangents, known, abs(span))
    cautions = []
    if not known.all():
        cautions.append(Finding(
            code="lost-orbits", text=f"{int(np.sum(~known))} of {total} orbits were lost.",
            action="Their exponents are NaN; shorten the span.",
        ))  # fmt: skip
    if drowned:
        cautions.append(Finding(
            code="exponents-unresolved",
            text=f"At {drowned} starts small singular values drown in round-off.",
            action="They are NaN; shorten the span, or ask `lyapunov_spectrum`.",
        ))  # fmt: skip
    return FiniteTimeLyapunov(
        starts=starts, ends=np.where(known[:, None], ends, np.nan), exponents=exponents,
        directions=directions, span=float(span), t0=float(t0), axes=axes, names=names,
        status=status, cautions=tuple(cautions),
        provenance=describe(system) | {"span": span, "t0": t0, "n_starts": total},
    )  # fmt: skip


def _decomposed(
    tangents: np.ndarray, known: np.ndarray, span: float
) -> tuple[np.ndarray, np.ndarray, int]:
    """Exponents, most stretched directions, and at how many starts some are lost in round-off."""
    total, dim, _ = tangents.shape
    exponents, directions = np.full((total, dim), np.nan), np.full((total, dim), np.nan)
    if not known.any():
        return exponents, directions, 0
    _, sizes, rows = np.linalg.svd(tangents[known])
    lead = rows[:, 0]
    largest = np.take_along_axis(lead, np.argmax(np.abs(lead), axis=1)[:, None], axis=1)
    directions[known] = lead * np.sign(largest)
    # An exact zero is a direction that is forgotten, with exponent minus infinity.
    unclear = (sizes < ROUND_OFF * sizes[:, :1]) & (sizes > 0)
    with np.errstate(divide="ignore"):
        exponents[known] = np.where(unclear, np.nan, np.log(sizes) / span)
    return exponents, directions, int(unclear.any(axis=1).sum())
