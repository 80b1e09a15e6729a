"""What learning returns: maps on a window of past observations, as systems.

Their parameters are arrays that can be differentiated and swept. The same maps in NumPy, many orbits
at once, are in the files of their methods; fitting and forecasting need no more than those.
"""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from takens.core import InvalidInput, WrongKind
from takens.core.system import AbstractMap, parameter
from takens.learn.host import folded
from takens.learn.polynomial import monomial_table, monomials


class Frame(eqx.Module):
    r"""An affine change of coordinates between observations and a model's own coordinates.

    :math:`z = ((y - m) / s) B`, and back :math:`y = m + s\,(B z)`. Without `basis` the columns
    are standardised one by one, and the way back is exact.

    Parameters
    ----------
    mean, scale : array, shape (dim,)
        In the units of the observed columns.
    basis : array, shape (dim, n_coordinates), or None
        Orthonormal columns: leading principal components of the standardised data.

    Examples
    --------
    >>> frame = Frame(mean=[10.0], scale=[2.0])
    >>> float(frame.encode(jnp.array([14.0]))[0]), float(frame.decode(jnp.array([2.0]))[0])
    (2.0, 14.0)
    """

    mean: Float[Array, " dim"] = parameter()
    scale: Float[Array, " dim"] = parameter()
    basis: Float[Array, "dim coordinate"] | None = eqx.field(
        default=None, converter=lambda basis: None if basis is None else jnp.asarray(basis)
    )

    @property
    def n_coordinates(self) -> int:
        """Number of coordinates that a model sees."""
        return int(self.mean.shape[0] if self.basis is None else self.basis.shape[1])

    def encode(self, y: Any) -> Any:
        """Coordinates of observations `y`, shape (..., dim)."""
        z = (y - self.mean) / self.scale
        return z if self.basis is None else z @ self.basis

    def decode(self, z: Any) -> Any:
        """Observations at coordinates `z`, shape (..., n_coordinates)."""
        wide = z if self.basis is None else z @ self.basis.T
        return self.mean + self.scale * wide

    def labels(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the coordinates: the columns, or numbered components."""
        if self.basis is None:
            return names
        return tuple(f"pc{i}" for i in range(self.n_coordinates))


class AbstractDelayMap(AbstractMap):
    """A deterministic map whose state is the window of past observations, newest first.

    The state is the last `window` observations in the coordinates of `frame`, flattened with the
    newest first: shape (window * n_coordinates,). `step` shifts the window by one sample and puts
    `advance` in front. An input acts on the step from its own time to the next.
    """

    frame: eqx.AbstractVar[Frame]
    lags: eqx.AbstractVar[tuple[int, ...]]
    observed: eqx.AbstractVar[tuple[str, ...]]
    n_inputs: eqx.AbstractVar[int]

    @property
    def window(self) -> int:
        """Number of past samples in the state."""
        return max(self.lags) + 1

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Coordinates at each delay, such as ``"x"``, ``"x[-1]"``."""
        labels = self.frame.labels(self.observed)
        return tuple(
            name if lag == 0 else f"{name}[-{lag}]" for lag in range(self.window) for name in labels
        )

    @abc.abstractmethod
    def advance(self, n: Any, x: Any, u: Any = None) -> Any:
        """The next observation in the coordinates of `frame`, shape (n_coordinates,).

        `n` counts samples from the origin of time, and `u` is the input now, shape (n_inputs,).
        """

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The window one sample later."""
        new = self.advance(n, x, u)
        return jnp.concatenate([new, x[: x.shape[0] - new.shape[0]]])

    def encode(self, history: Any) -> Any:
        """The state after `history`, shape (at least window, dim), oldest row first."""
        if history.shape[0] < self.window:
            raise InvalidInput(
                f"The history has {history.shape[0]} rows; this model needs {self.window}. "
                "Give more past samples."
            )
        recent = history[history.shape[0] - self.window :]
        return self.frame.encode(recent)[::-1].reshape(-1)

    def observe(self, x: Any) -> Any:
        """The newest observation in a state, shape (dim,), in the units of the columns."""
        return self.frame.decode(x[: self.frame.n_coordinates])

    def in_units(self) -> "ObservedMap":
        """The same map on the window in the units of the columns; see `ObservedMap`.

        Raises
        ------
        WrongKind
            If the model sees fewer components than there are columns.
        """
        basis = self.frame.basis
        if basis is not None and basis.shape[1] < basis.shape[0]:
            raise WrongKind(
                f"This model sees {basis.shape[1]} components of {basis.shape[0]} columns, so that "
                "a state in the units of the columns is not one of its own. Ask it in its own "
                "coordinates, with `encode` before and `observe` after."
            )
        return ObservedMap(model=self)

    def delays(self, x: Any) -> Any:
        """The coordinates at `lags`, newest first, shape (len(lags) * n_coordinates,)."""
        return x.reshape(self.window, -1)[jnp.asarray(self.lags)].reshape(-1)


class ObservedMap(AbstractMap):
    r"""A learned map whose state is the window in the units of the observed columns.

    With F the map in the coordinates of its frame, and E the change to them of each row of the
    window, :math:`y_{n+1} = E^{-1}(F(E(y_n)))`: the same orbits, exponents and multipliers.

    Parameters
    ----------
    model : AbstractDelayMap
        Its frame has as many coordinates as there are columns.

    Notes
    -----
    Starts, grids and answers are then in the units of the data, and comparable between models and
    with a system known otherwise. The input is in its own units already.
    """

    model: AbstractDelayMap

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Columns at each delay, such as ``"x"``, ``"x[-1]"``."""
        return tuple(
            name if lag == 0 else f"{name}[-{lag}]"
            for lag in range(self.model.window)
            for name in self.model.observed
        )

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The window one sample later, flattened with the newest first, shape (dim,)."""
        coordinates = self.model.frame.encode(x.reshape(self.model.window, -1)).reshape(-1)
        new = self.model.frame.decode(self.model.advance(n, coordinates, u))
        return jnp.concatenate([new, x[: x.shape[0] - new.shape[0]]])


class PersistenceMap(AbstractDelayMap):
    """``y[n+1] = y[n]``.

    Parameters
    ----------
    frame : Frame
        Standardised columns.
    """

    frame: Frame
    observed: tuple[str, ...] = eqx.field(static=True)
    n_inputs: int = eqx.field(static=True, default=0)
    lags: tuple[int, ...] = eqx.field(static=True, default=(0,))

    def advance(self, n: Any, x: Any, u: Any = None) -> Any:
        """The newest observation again."""
        return x


class SeasonalMeanMap(AbstractDelayMap):
    r"""The mean at each phase, a sum of `n_harmonics` harmonics of one period; none is the mean.

    :math:`y_{n+1} = \sum_k a_k \cos(2\pi k (n+1)/P) + b_k \sin(2\pi k (n+1)/P)`.

    Parameters
    ----------
    frame : Frame
        Standardised columns.
    period : array, shape ()
        In samples.
    coefficients : array, shape (1 + 2 n_harmonics, n_coordinates)
        Constant, cosines, sines; in standardised units.
    """

    frame: Frame
    period: Float[Array, ""] = parameter()
    coefficients: Float[Array, "term coordinate"] = parameter()
    observed: tuple[str, ...] = eqx.field(static=True, default=())
    n_inputs: int = eqx.field(static=True, default=0)
    lags: tuple[int, ...] = eqx.field(static=True, default=(0,))

    def advance(self, n: Any, x: Any, u: Any = None) -> Any:
        """The mean at the phase of sample ``n + 1``."""
        orders = jnp.arange(1, (self.coefficients.shape[0] - 1) // 2 + 1)
        angles = 2 * jnp.pi * orders * (n + 1) / self.period
        terms = jnp.concatenate([jnp.ones(1), jnp.cos(angles), jnp.sin(angles)])
        return terms @ self.coefficients + 0.0 * x  # the zero keeps a NaN state NaN


class AffineDelayMap(AbstractDelayMap):
    r"""``z[n+1] = b + sum_j A_j z[n-j] + B u[n]`` in the coordinates of `frame`.

    Parameters
    ----------
    frame : Frame
    matrix : array, shape (n_coordinates, n_lags * n_coordinates)
        :math:`A_0, A_1, \dots` side by side, newest first.
    input_matrix : array, shape (n_coordinates, n_inputs)
        Per unit of the inputs.
    offset : array, shape (n_coordinates,)
    """

    frame: Frame
    matrix: Float[Array, "coordinate delayed"] = parameter()
    input_matrix: Float[Array, "coordinate input"] = parameter()
    offset: Float[Array, " coordinate"] = parameter()
    lags: tuple[int, ...] = eqx.field(static=True, default=(0,))
    observed: tuple[str, ...] = eqx.field(static=True, default=())
    n_inputs: int = eqx.field(static=True, default=0)

    def advance(self, n: Any, x: Any, u: Any = None) -> Any:
        """One multiplication; an input that is not given counts as zero."""
        new = self.offset + self.matrix @ self.delays(x)
        return new if u is None or self.n_inputs == 0 else new + self.input_matrix @ u


class PolynomialDelayMap(AbstractDelayMap):
    """``z[n+1] = C monomials(delays, u[n])`` in the coordinates of `frame`.

    Parameters
    ----------
    frame : Frame
    coefficients : array, shape (n_coordinates, monomial)
    lags : tuple of int
    degree : int
        Largest degree of a monomial.
    """

    frame: Frame
    coefficients: Float[Array, "coordinate monomial"] = parameter()
    lags: tuple[int, ...] = eqx.field(static=True, default=(0,))
    degree: int = eqx.field(static=True, default=2)
    observed: tuple[str, ...] = eqx.field(static=True, default=())
    n_inputs: int = eqx.field(static=True, default=0)

    def advance(self, n: Any, x: Any, u: Any = None) -> Any:
        """The polynomial; an input that is not given counts as zero."""
        z = self.delays(x)
        if self.n_inputs:
            z = jnp.concatenate([z, jnp.zeros(self.n_inputs) if u is None else u])
        table = monomial_table(z.shape[0], self.degree)
        return self.coefficients @ monomials(z, table, jnp)


class LocalLinearMap(AbstractDelayMap):
    """``z[n+1] = value[i] + slope[i] (w - point[i])``, i the nearest library point to ``w``.

    What overshoots the range of the library is folded back into it, so that the run stays bounded
    and its tangent map keeps its size.

    Parameters
    ----------
    frame : Frame
    points : array, shape (library, variable)
        Delay coordinates, and inputs after them.
    values : array, shape (library, n_coordinates)
    slopes : array, shape (library, n_coordinates, variable)
    low, high : array, shape (n_coordinates,)
        Range of the library.

    Notes
    -----
    Continuous only within the cells of the library; one step searches the whole library.
    """

    frame: Frame
    points: Float[Array, "library variable"] = parameter()
    values: Float[Array, "library coordinate"] = parameter()
    slopes: Float[Array, "library coordinate variable"] = parameter()
    low: Float[Array, " coordinate"] = parameter()
    high: Float[Array, " coordinate"] = parameter()
    lags: tuple[int, ...] = eqx.field(static=True, default=(0,))
    observed: tuple[str, ...] = eqx.field(static=True, default=())
    n_inputs: int = eqx.field(static=True, default=0)

    def advance(self, n: Any, x: Any, u: Any = None) -> Any:
        """The linear map of the nearest point; an input that is not given counts as zero."""
        w = self.delays(x)
        if self.n_inputs:
            w = jnp.concatenate([w, jnp.zeros(self.n_inputs) if u is None else u])
        nearest = jnp.argmin(jnp.sum((self.points - w) ** 2, axis=1))
        new = self.values[nearest] + self.slopes[nearest] @ (w - self.points[nearest])
        return folded(new, self.low, self.high, jnp)


@eqx.filter_jit
def paths(model: Any, x0: Any, n0: Any, inputs: Any, residuals: Any, draws: Any) -> Any:
    """Scan over steps, vmap over orbits; row 0 of `residuals` is zero."""
    width = residuals.shape[1]

    def advance(carry: Any, now: Any) -> Any:
        x, n = carry
        u, draw = now
        kick = jnp.zeros_like(x).at[:, :width].set(residuals[draw])
        x = jax.vmap(model.step)(n, x, u) + kick
        return (x, n + 1), x[:, :width]

    (x, _), path = jax.lax.scan(advance, (x0, n0), (inputs, draws))
    return x, path


@eqx.filter_jit
def stretch(model: Any, x: Any, v: Any, n: Any, u: Any, residuals: Any, draws: Any) -> Any:
    """Scan over steps of several orbits, each with one tangent vector."""

    def one(x: Any, v: Any, n: Any, kick: Any) -> Any:
        y, w = jax.jvp(lambda s: model.step(n, s, u), (x,), (v,))
        size = jnp.linalg.norm(w)
        y = y.at[: kick.shape[0]].add(kick)
        # a vector that is mapped to zero starts again in its old direction
        return y, jnp.where(size > 0, w / jnp.where(size > 0, size, 1.0), v), jnp.log(size)

    def advance(carry: Any, draw: Any) -> Any:
        x, v, n = carry
        x, v, growth = jax.vmap(one, in_axes=(0, 0, None, 0))(x, v, n, residuals[draw])
        return (x, v, n + 1), (x[:, : residuals.shape[1]], growth)

    return jax.lax.scan(advance, (x, v, n), draws)
