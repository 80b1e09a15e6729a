"""Learned partial differential equations as systems: spectral where periodic, differences else."""

import functools
from itertools import product
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from takens.core.errors import InvalidInput
from takens.core.integrators import AbstractIntegrator
from takens.core.system import AbstractFlow, parameter, static
from takens.learn.partial.terms import PDETerm
from takens.systems.field import AbstractField

BOUNDARIES = ("periodic", "reflecting", "held")


@functools.lru_cache(maxsize=64)
def _names(components: tuple[str, ...], shape: tuple[int, ...]) -> tuple[str, ...]:
    places = [",".join(map(str, index)) for index in product(*map(range, shape))]
    return tuple(f"{component}[{place}]" for component in components for place in places)


def _monomial(field: Any, term: PDETerm) -> Any:
    """The monomial of a term on the grid, from (component and input, axes...)."""
    made = jnp.ones(field.shape[1:])
    for c, power in enumerate(term.powers):
        if power:
            made = made * field[c] ** power
    return made


def _is_linear(term: PDETerm, n_components: int) -> bool:
    return sum(term.powers) == 1 and any(term.powers[:n_components])


def _with_inputs(field: Any, inputs: tuple[str, ...], u: Any) -> Any:
    """Components and then inputs on the grid; where no input is given it is zero."""
    if not inputs:
        return field
    shape = (len(inputs), *field.shape[1:])
    known = jnp.zeros(shape) if u is None else jnp.reshape(u, shape)
    return jnp.concatenate([field, known])


class PeriodicPDE(AbstractField):
    r"""A learned equation :math:`u_t = \sum_k w_k D^{\alpha_k} m_k(u)` on a periodic grid.

    Pseudo-spectral as every `AbstractField`: linear terms of a component's own are solved exactly
    by `ETDRK4`, the others are evaluated on the grid and freed of aliases. Axes may have different
    lengths and numbers of points.

    Parameters
    ----------
    coefficients : array, shape (term, component)
        Of every term in the equation of every component; units of the component per time, over
        those of the term.
    lengths : array, shape (axis,)
        Of the periodic domain.
    terms : tuple of PDETerm
    shape : tuple of int
        Points along every axis.
    components, inputs : tuple of str
        Inputs are known fields: `u` holds their values on the grid, flattened, the inputs one after
        the other. Without inputs, an `u` of shape (dim,) is added to the rate of change.
    integrator : AbstractIntegrator
    """

    coefficients: Array = parameter()
    lengths: Array = parameter()
    terms: tuple[PDETerm, ...] = static()
    shape: tuple[int, ...] = static()
    components: tuple[str, ...] = static()
    integrator: AbstractIntegrator = static()
    inputs: tuple[str, ...] = static(())

    @property
    def n_points(self) -> int:  # type: ignore[override]
        """Along the axis with the fewest."""
        return min(self.shape)

    @property
    def length(self) -> Any:  # type: ignore[override]
        """Of the first axis."""
        return self.lengths[0]

    @property
    def axes(self) -> int:  # type: ignore[override]
        """Dimensions of space."""
        return len(self.shape)

    @property
    def degree(self) -> int:  # type: ignore[override]
        """Largest degree of a term."""
        return max(1, *(sum(t.powers) for t in self.terms), 1)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for every component and point, such as ``u[3]`` or ``u[3,0]``."""
        return _names(self.components, self.shape)

    @property
    def dim(self) -> int:
        """Number of points times number of components."""
        return len(self.components) * int(np.prod(self.shape))

    @property
    def grid(self) -> Float[Array, " n_points"]:
        """Places of the points along the first axis, in length units."""
        return self.lengths[0] * jnp.arange(self.shape[0]) / self.shape[0]

    def on_grid(self, x: Any) -> Any:
        """States of shape (..., dim) as fields of shape (..., components, axes...)."""
        return x.reshape(*x.shape[:-1], len(self.components), *self.shape)

    def from_modes(self, v: Any) -> Any:
        """The state whose Fourier coefficients are `v`."""
        return jnp.fft.irfftn(v, s=self.shape, axes=range(1, self.axes + 1)).reshape(-1)

    def wave_counts(self) -> list[Any]:
        """Whole waves per domain along each axis; the last axis keeps one half."""
        waves = [np.fft.fftfreq(n, 1 / n) for n in self.shape[:-1]]
        waves.append(np.fft.rfftfreq(self.shape[-1], 1 / self.shape[-1]))
        return [
            w.reshape([-1 if i == j else 1 for j in range(self.axes)]) for i, w in enumerate(waves)
        ]

    def wavenumbers(self) -> tuple[Any, ...]:
        """Angular wavenumber along each axis, broadcasting to the modes; radians per length."""
        return tuple(
            2 * jnp.pi / self.lengths[i] * count for i, count in enumerate(self.wave_counts())
        )

    def kept(self) -> Any:
        """True where a mode takes part in the nonlinearity; the rest would alias."""
        inside = [
            np.abs(count) * (self.degree + 1) < n
            for count, n in zip(self.wave_counts(), self.shape, strict=True)
        ]
        return functools.reduce(np.logical_and, inside)

    def _slope(self, term: PDETerm) -> Any:
        """The derivative of a term in Fourier space; the shortest wave has no odd derivative."""
        made: Any = 1.0
        for k, count, n, order in zip(
            self.wavenumbers(), self.wave_counts(), self.shape, term.orders, strict=True
        ):
            signed = k * (2 * np.abs(count) != n) if order % 2 else k
            made = made * (1j * signed) ** order if order else made
        return made

    def symbol(self) -> Any:
        """Linear terms of every component in its own equation."""
        modes = np.broadcast_shapes(*(c.shape for c in self.wave_counts()))
        rows = []
        for c in range(len(self.components)):
            total = jnp.zeros(modes, dtype=complex)
            for i, term in enumerate(self.terms):
                if _is_linear(term, len(self.components)) and term.powers[c]:
                    total = total + self.coefficients[i, c] * self._slope(term)
            rows.append(total)
        return jnp.stack(rows)

    def nonlinear(self, t: Any, v: Any) -> Any:
        """All other terms, as modes, where every input is zero."""
        return self._driven(v, None)

    def forcing(self, t: Any, v: Any, u: Any = None) -> Any:
        """All that is not the linear part, under inputs, as modes."""
        kept = self.kept()
        rate = kept * self._driven(kept * v, u)
        return rate if u is None or self.inputs else rate + self.to_modes(u)

    def _driven(self, v: Any, u: Any) -> Any:
        field = _with_inputs(self.on_grid(self.from_modes(v)), self.inputs, u)
        total = jnp.zeros_like(v)
        for i, term in enumerate(self.terms):
            modes = self._slope(term) * jnp.fft.rfftn(_monomial(field, term))
            weights = self.coefficients[i]
            if _is_linear(term, len(self.components)):  # the component's own stands in the symbol
                own = int(np.argmax(term.powers))
                weights = weights.at[own].set(0.0)
            total = total + weights.reshape(-1, *[1] * self.axes) * modes
        return total


class GridPDE(AbstractFlow):
    r"""A learned equation :math:`u_t = \sum_k w_k D^{\alpha_k} m_k(u)` by central differences.

    For fields with an open axis. What happens at an open end is not in the data of a window and
    has to be chosen: ``"reflecting"`` continues the field as its mirror image (no flux of a
    diffusion), ``"held"`` keeps the end at its initial value.

    Parameters
    ----------
    coefficients : array, shape (term, component)
        As in `PeriodicPDE`.
    steps : array, shape (axis,)
        Spacing of the grid.
    terms : tuple of PDETerm
    shape : tuple of int
        Points along every axis.
    components, inputs : tuple of str
    boundaries : tuple of str
        For every axis ``"periodic"``, ``"reflecting"`` or ``"held"``.
    integrator : AbstractIntegrator

    Notes
    -----
    Differences are of second order in the spacing; the state is the field flattened, components
    first. `u` is as in `PeriodicPDE`.
    """

    coefficients: Array = parameter()
    steps: Array = parameter()
    terms: tuple[PDETerm, ...] = static()
    shape: tuple[int, ...] = static()
    components: tuple[str, ...] = static()
    boundaries: tuple[str, ...] = static()
    integrator: AbstractIntegrator = static()
    inputs: tuple[str, ...] = static(())

    def __check_init__(self) -> None:
        """Refuse an unknown boundary."""
        for name in self.boundaries:
            if name not in BOUNDARIES:
                raise InvalidInput(f"boundary {name!r} is unknown; expected one of {BOUNDARIES}.")

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for every component and point, such as ``u[3]`` or ``u[3,0]``."""
        return _names(self.components, self.shape)

    @property
    def dim(self) -> int:
        """Number of points times number of components."""
        return len(self.components) * int(np.prod(self.shape))

    def on_grid(self, x: Any) -> Any:
        """States of shape (..., dim) as fields of shape (..., components, axes...)."""
        return x.reshape(*x.shape[:-1], len(self.components), *self.shape)

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The rate of change on the grid; zero at held ends."""
        states = self.on_grid(x)
        field = _with_inputs(states, self.inputs, u)
        rates = jnp.zeros_like(states)
        for i, term in enumerate(self.terms):
            made = _monomial(field, term)
            for axis, order in enumerate(term.orders):
                if order:
                    matrix = difference_matrix(self.shape[axis], order, self.boundaries[axis])
                    made = jnp.moveaxis(jnp.tensordot(matrix, made, axes=(1, axis)), 0, axis)
                    made = made / self.steps[axis] ** order
            rates = rates + self.coefficients[i].reshape(-1, *[1] * len(self.shape)) * made
        for axis, name in enumerate(self.boundaries):
            if name == "held":
                inner = np.ones(self.shape[axis])
                inner[[0, -1]] = 0
                rates = rates * inner.reshape(
                    [-1 if i == axis else 1 for i in range(len(self.shape))]
                )
        flat = rates.reshape(-1)
        return flat if u is None or self.inputs else flat + u


@functools.lru_cache(maxsize=64)
def difference_matrix(n_points: int, order: int, boundary: str) -> np.ndarray:
    """Central differences of second order at unit spacing: (point, point)."""
    stencil = np.ones(1)
    for _ in range(order // 2):
        stencil = np.convolve(stencil, [1.0, -2.0, 1.0])
    if order % 2:
        stencil = np.convolve(stencil, [-0.5, 0.0, 0.5])
    reach = len(stencil) // 2
    matrix = np.zeros((n_points, n_points))
    last = n_points - 1
    for i in range(n_points):
        for offset, weight in zip(range(-reach, reach + 1), stencil, strict=True):
            j = i + offset
            if boundary == "periodic":
                matrix[i, j % n_points] += weight
            elif 0 <= j <= last:
                matrix[i, j] += weight
            else:
                end, mirror = (0, -j) if j < 0 else (last, 2 * last - j)
                if boundary == "held":  # odd about the value at the end
                    matrix[i, end] += 2 * weight
                    matrix[i, mirror] -= weight
                else:
                    matrix[i, mirror] += weight
    return matrix
