"""What every field on a periodic grid is: a linear symbol, a nonlinear part, a grid."""

import abc
import functools
from itertools import product
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from takens.core.errors import InvalidInput
from takens.core.system import AbstractFlow


@functools.lru_cache(maxsize=64)
def _point_names(components: tuple[str, ...], n_points: int, axes: int) -> tuple[str, ...]:
    places = [",".join(map(str, index)) for index in product(range(n_points), repeat=axes)]
    return tuple(f"{component}[{place}]" for component in components for place in places)


class AbstractField(AbstractFlow):
    r"""A partial differential equation :math:`u_t = L u + N(u)` on a periodic grid.

    The state is the field on the grid, flattened: components first, then the axes. So it is a flow
    like any other and every analysis takes it. Behind that it is pseudo-spectral: `L` is diagonal
    in Fourier space with entries `symbol()`, and `N` is `nonlinear`, evaluated on the grid and
    freed of aliases. With nonlinearity of degree p, modes beyond :math:`1/(p+1)` of the number of
    points take no part in `N` (the rule of two thirds where p = 2), so that `N` is the exact
    Galerkin projection; they still evolve linearly, so they count among the `dim` directions.

    Notes
    -----
    An input `u` of shape (dim,), if given, is added to the rate of change as a body force. The
    field must be resolved: look at `to_modes` and see that the modes decay before the cut.
    """

    n_points: eqx.AbstractVar[int]
    length: eqx.AbstractVar[Array]

    axes: ClassVar[int] = 1
    components: ClassVar[tuple[str, ...]] = ("u",)
    degree: ClassVar[int] = 2
    conserves_mean: ClassVar[bool] = False

    def __check_init__(self) -> None:
        """Refuse a grid on which no wave fits."""
        if not (isinstance(self.n_points, int) and self.n_points >= 4):
            raise InvalidInput(f"n_points = {self.n_points}; expected a whole number, 4 or more.")

    @abc.abstractmethod
    def symbol(self) -> Any:
        """Entries of `L`, per time unit, in the shape of the modes (or broadcast to it)."""

    @abc.abstractmethod
    def nonlinear(self, t: Any, v: Any) -> Any:
        """Modes of `N`, from the modes `v`, both of shape (components, modes...)."""

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for every component and point, such as ``u[3]`` or ``u[3,0]``."""
        return _point_names(self.components, self.n_points, self.axes)

    @property
    def dim(self) -> int:
        """Number of points times number of components."""
        return len(self.components) * self.n_points**self.axes

    @property
    def grid(self) -> Float[Array, " n_points"]:
        """Places of the points along each axis, in length units; the same for all axes."""
        return self.length * jnp.arange(self.n_points) / self.n_points

    def on_grid(self, x: Any) -> Any:
        """States of shape (..., dim) as fields of shape (..., components, n_points, ...)."""
        return x.reshape(*x.shape[:-1], len(self.components), *[self.n_points] * self.axes)

    def to_modes(self, x: Any) -> Any:
        """Fourier coefficients of one state of shape (dim,): (components, ..., n_points//2 + 1)."""
        return jnp.fft.rfftn(self.on_grid(x), axes=range(1, self.axes + 1))

    def from_modes(self, v: Any) -> Any:
        """The state whose Fourier coefficients are `v`."""
        shape = [self.n_points] * self.axes
        return jnp.fft.irfftn(v, s=shape, axes=range(1, self.axes + 1)).reshape(-1)

    def wavenumbers(self) -> tuple[Any, ...]:
        """Angular wavenumber along each axis, broadcasting to the modes; radians per length."""
        unit = 2 * jnp.pi / self.length
        return tuple(unit * count for count in self.wave_counts())

    def kept(self) -> Any:
        """True where a mode takes part in the nonlinearity; the rest would alias."""
        inside = [np.abs(count) * (self.degree + 1) < self.n_points for count in self.wave_counts()]
        return functools.reduce(np.logical_and, inside)

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The rate of change on the grid; stiff, since `L` is: take `ETDRK4` or `Implicit`."""
        v = self.to_modes(x)
        return self.from_modes(self.symbol() * v + self.forcing(t, v, u))

    def forcing(self, t: Any, v: Any, u: Any = None) -> Any:
        """All that is not the linear part: the nonlinearity and the input, as modes."""
        kept = self.kept()
        rate = kept * self.nonlinear(t, kept * v)
        return rate if u is None else rate + self.to_modes(u)

    def wave_counts(self) -> list[Any]:
        """Whole waves per domain along each axis; of a real field the last axis keeps one half."""
        n = self.n_points
        full, half = np.fft.fftfreq(n, 1 / n), np.fft.rfftfreq(n, 1 / n)
        waves = [full] * (self.axes - 1) + [half]
        return [w.reshape([-1 if i == j else 1 for j in range(self.axes)])
                for i, w in enumerate(waves)]  # fmt: skip


def phase(field: AbstractField) -> Any:
    """Places of the points in radians per domain; of no parameter, so that a start is host-side."""
    return 2 * np.pi * np.arange(field.n_points) / field.n_points


def flattened(*components: Any) -> tuple[float, ...]:
    """Fields on the grid as one state, on the host."""
    return tuple(np.concatenate([np.ravel(values) for values in components]).tolist())
