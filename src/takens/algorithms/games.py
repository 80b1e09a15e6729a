"""Learning in games of two players, as maps on both players' weights."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from takens.algorithms.loss import Layout
from takens.core.system import AbstractMap, parameter, static


class Game(eqx.Module):
    r"""Two players, each with weights and a loss of its own over both.

    Parameters
    ----------
    loss_x, loss_y : callable
        ``loss(x, y)`` or ``loss(x, y, data)``: what the first and the second player minimise. In a
        game of zero sum the second is minus the first.
    shape_x, shape_y : Layout
        Of the players' weights.
    data : arrays, optional

    Examples
    --------
    >>> game = Game.of(lambda x, y: x @ y, lambda x, y: -x @ y, [1.0], [0.0])
    >>> game.pull(jnp.array([1.0, 0.0])).tolist()
    [0.0, -1.0]
    """

    loss_x: Callable[..., Any] = static()
    loss_y: Callable[..., Any] = static()
    shape_x: Layout = static()
    shape_y: Layout = static()
    data: Any = None

    @classmethod
    def of(
        cls,
        loss_x: Callable[..., Any],
        loss_y: Callable[..., Any],
        x: Any,
        y: Any,
        data: Any = None,
    ) -> Game:
        """A game over weights laid out like `x` and `y`."""
        arrays = None if data is None else jax.tree.map(jnp.asarray, data)
        return cls(loss_x, loss_y, Layout.of(x), Layout.of(y), arrays)

    @property
    def dim(self) -> int:
        """Number of weights of both."""
        return self.shape_x.dim + self.shape_y.dim

    @property
    def names(self) -> tuple[str, ...]:
        """``x.`` and ``y.`` before the names of each player's weights."""
        return tuple(f"x.{n}" for n in self.shape_x.names) + tuple(
            f"y.{n}" for n in self.shape_y.names
        )

    def split(self, z: Any) -> tuple[Any, Any]:
        """Flat weights of the players."""
        return z[: self.shape_x.dim], z[self.shape_x.dim :]

    def start(self, x: Any, y: Any) -> Array:
        """Both players' weights as one state."""
        return jnp.concatenate([self.shape_x.flat(x), self.shape_y.flat(y)])

    def pull_x(self, x: Any, y: Any) -> Any:
        """Gradient of the first player's loss in its own weights."""
        return jax.grad(lambda a: self._value(self.loss_x, a, y))(x)

    def pull_y(self, x: Any, y: Any) -> Any:
        """Gradient of the second player's loss in its own weights."""
        return jax.grad(lambda b: self._value(self.loss_y, x, b))(y)

    def pull(self, z: Any) -> Any:
        """Both gradients: the field along which simultaneous descent moves backwards."""
        x, y = self.split(z)
        return jnp.concatenate([self.pull_x(x, y), self.pull_y(x, y)])

    def _value(self, loss: Callable[..., Any], x: Any, y: Any) -> Any:
        restored = self.shape_x.restore(x), self.shape_y.restore(y)
        return loss(*restored) if self.data is None else loss(*restored, self.data)


class AbstractGamePlay(AbstractMap):
    """Two players who descend; how, is the class. A linear game has its multipliers in closed form."""

    game: Any
    learning_rate: Any

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Of the state: the weights, and whatever is remembered of them."""
        return self.game.names + tuple(f"past[{n}]" for n in self.game.names) * self.memories

    @property
    def dim(self) -> int:
        """Number of state components."""
        return int(self.game.dim) * (1 + self.memories)

    @property
    def memories(self) -> int:
        """How many earlier gradients the state holds."""
        return 0

    @abc.abstractmethod
    def multipliers(self, rates: Any) -> Array:
        """Multipliers of a mode whose field has the eigenvalue `rates`, shape (..., 1 + memories).

        `rates` are eigenvalues of the Jacobian of `Game.pull`: positive real parts attract, and
        imaginary ones turn. They hold where players move together; see each class.
        """


class SimultaneousDescent(AbstractGamePlay):
    r"""Both players step at once, :math:`z' = z - \eta F(z)`.

    Parameters
    ----------
    game : Game
    learning_rate : float

    Notes
    -----
    A mode that only turns, with eigenvalue :math:`i\omega` of the field, has a multiplier of modulus
    :math:`\sqrt{1 + \eta^2\omega^2} > 1`: no step is small enough. Cost: both gradients.

    References
    ----------
    Gidel et al., A variational inequality perspective on GANs, ICLR (2019).

    Examples
    --------
    >>> game = Game.of(lambda x, y: x @ y, lambda x, y: -x @ y, [1.0], [0.0])
    >>> play = SimultaneousDescent(game, 0.5)
    >>> play.step(0, jnp.array([1.0, 0.0])).tolist()
    [1.0, 0.5]
    """

    game: Game
    learning_rate: Array = parameter()

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Down both gradients."""
        return x - self.learning_rate * self.game.pull(x)

    def multipliers(self, rates: Any) -> Array:
        r""":math:`1 - \eta r`."""
        return jnp.asarray(1 - self.learning_rate * (jnp.asarray(rates) + 0j))[..., None]


class AlternatingDescent(AbstractGamePlay):
    r"""The second player sees the first's step, :math:`x' = x - \eta F_x(x, y)`, :math:`y' = y - \eta F_y(x', y)`.

    Parameters
    ----------
    game : Game
    learning_rate : float

    Notes
    -----
    In a bilinear game of zero sum multipliers have modulus one for :math:`\eta\omega < 2`: play
    neither converges nor diverges. Cost: both gradients.

    References
    ----------
    Bailey, Gidel and Piliouras, Proc. COLT 125, 391 (2020).

    Examples
    --------
    >>> game = Game.of(lambda x, y: x @ y, lambda x, y: -x @ y, [1.0], [0.0])
    >>> round(float(abs(AlternatingDescent(game, 0.5).multipliers(1j))[0]), 12)
    1.0
    """

    game: Game
    learning_rate: Array = parameter()

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The first player, then the second."""
        a, b = self.game.split(x)
        a = a - self.learning_rate * self.game.pull_x(a, b)
        b = b - self.learning_rate * self.game.pull_y(a, b)
        return jnp.concatenate([a, b])

    def multipliers(self, rates: Any) -> Array:
        r"""Of a bilinear game, :math:`\mu^2 - (2 - \eta^2\omega^2)\mu + 1 = 0` with :math:`r = \pm i\omega`.

        The sign of the imaginary part picks the root. Where a field attracts by itself the order of
        moves has no such closed form, and this is NaN; ask the Jacobian of the map.
        """
        r = jnp.asarray(rates) + 0j
        step = self.learning_rate * r.imag
        half = 1 - 0.5 * step**2
        root = jnp.sqrt(half**2 - 1 + 0j)
        side = jnp.where(r.imag < 0, 1.0, -1.0)
        return jnp.where(r.real == 0, half + side * root, jnp.nan)[..., None]


class Extragradient(AbstractGamePlay):
    r"""A step is tried, and its gradient taken: :math:`z' = z - \eta F(z - \eta F(z))`.

    Parameters
    ----------
    game : Game
    learning_rate : float

    Notes
    -----
    A mode has the multiplier :math:`1 - \eta r + \eta^2 r^2`; one that only turns is damped for
    :math:`\eta\omega < 1`, most at :math:`1/\sqrt 2`. Cost: both gradients, twice.

    References
    ----------
    Korpelevich, Ekonomika i Matematicheskie Metody 12, 747 (1976).

    Examples
    --------
    >>> game = Game.of(lambda x, y: x @ y, lambda x, y: -x @ y, [1.0], [0.0])
    >>> round(float(abs(Extragradient(game, 0.5**0.5).multipliers(1j))[0]), 6)
    0.866025
    """

    game: Game
    learning_rate: Array = parameter()

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Look ahead, then step from where one was."""
        ahead = x - self.learning_rate * self.game.pull(x)
        return x - self.learning_rate * self.game.pull(ahead)

    def multipliers(self, rates: Any) -> Array:
        r""":math:`1 - \eta r + \eta^2 r^2`."""
        r = self.learning_rate * (jnp.asarray(rates) + 0j)
        return jnp.asarray(1 - r + r**2)[..., None]


class OptimisticDescent(AbstractGamePlay):
    r"""The last gradient foretells the next, :math:`z' = z - \eta(2F(z) - F(z_\mathrm{before}))`.

    Parameters
    ----------
    game : Game
    learning_rate : float

    Notes
    -----
    The state holds the last gradient; starting it at zero is a first step twice as long. A mode has
    multipliers that solve :math:`\mu^2 - (1 - 2\eta r)\mu - \eta r = 0`; one that only turns is damped for
    :math:`\eta\omega < 1/\sqrt 3`. Cost: both gradients.

    References
    ----------
    Daskalakis et al., Training GANs with optimism, ICLR (2018).

    Examples
    --------
    >>> game = Game.of(lambda x, y: x @ y, lambda x, y: -x @ y, [1.0], [0.0])
    >>> OptimisticDescent(game, 0.25).dim
    4
    """

    game: Game
    learning_rate: Array = parameter()

    @property
    def memories(self) -> int:
        """One gradient."""
        return 1

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Twice the gradient now, less that before."""
        z, before = jnp.split(x, 2)
        now = self.game.pull(z)
        return jnp.concatenate([z - self.learning_rate * (2 * now - before), now])

    def start(self, x: Any, y: Any) -> Array:
        """Weights of both, with the gradient there as the one before."""
        z = self.game.start(x, y)
        return jnp.concatenate([z, self.game.pull(z)])

    def multipliers(self, rates: Any) -> Array:
        """Roots of the quadratic above."""
        r = self.learning_rate * (jnp.asarray(rates) + 0j)
        half = 0.5 * (1 - 2 * r)
        root = jnp.sqrt(half**2 + r)
        return jnp.stack([half + root, half - root], axis=-1)


class ProximalPoint(AbstractGamePlay):
    r"""The implicit step, :math:`z' = z - \eta F(z')`, by Newton's method.

    Parameters
    ----------
    game : Game
    learning_rate : float
    n_newton : int
        Steps of Newton's method, from the point before; one is exact where the field is linear.

    Notes
    -----
    Multipliers are :math:`1/(1 + \eta r)`. Cost: for each Newton step the Jacobian of the field and a
    solve, cubic in the number of weights: a yardstick, no method for large games.

    References
    ----------
    Rockafellar, SIAM J. Control Optim. 14, 877 (1976).

    Examples
    --------
    >>> game = Game.of(lambda x, y: x @ y, lambda x, y: -x @ y, [1.0], [0.0])
    >>> [round(v, 6) for v in ProximalPoint(game, 1.0).step(0, jnp.array([1.0, 0.0])).tolist()]
    [0.5, 0.5]
    """

    game: Game
    learning_rate: Array = parameter()
    n_newton: int = static(3)

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Newton's method on the implicit equation."""
        new = x
        for _ in range(self.n_newton):
            gap = new - x + self.learning_rate * self.game.pull(new)
            slope = jnp.eye(len(x)) + self.learning_rate * jax.jacfwd(self.game.pull)(new)
            new = new - jnp.linalg.solve(slope, gap)
        return new

    def multipliers(self, rates: Any) -> Array:
        r""":math:`1/(1 + \eta r)`."""
        return (1 / (1 + self.learning_rate * (jnp.asarray(rates) + 0j)))[..., None]
