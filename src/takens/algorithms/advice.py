"""What a game is like near a point, and which method is to be played there with which step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, WrongKind

if TYPE_CHECKING:
    import xarray as xr

    from takens.algorithms.games import Game

N_STEPS = 400  # step sizes that are tried between a ten thousandth and four of the inverse slope
NEUTRAL = 1e-9  # modulus beyond one that is rounding


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodAdvice:
    """What one method does near the point.

    Parameters
    ----------
    method : str
        Name of the class in `takens.algorithms`.
    stable : Estimate
        Step below which it contracts; zero where no step does.
    best : Estimate
        Step at which it contracts fastest; NaN where no step does.
    modulus : float
        Of its largest multiplier there, in one step.
    n_gradients : int
        Gradients of both players that a step takes.
    """

    method: str
    stable: Estimate
    best: Estimate
    modulus: float
    n_gradients: int

    @property
    def per_gradient(self) -> float:
        """Contraction for one gradient of both players."""
        return float(self.modulus ** (1 / self.n_gradients))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GameAnalysis(AbstractResult):
    r"""The field of a game near a point, split into what attracts and what turns.

    Parameters
    ----------
    rates : complex array, shape (weight,)
        Eigenvalues of the Jacobian J of the field, by rising real part: positive ones attract.
    symmetric, turning : float
        Spectral norms of :math:`(J + J^\top)/2` and :math:`(J - J^\top)/2`.
    pull : float
        Norm of the field at the point; zero at an equilibrium.
    methods : tuple of MethodAdvice
        The best first, by contraction for one gradient.
    """

    rates: np.ndarray
    symmetric: float
    turning: float
    pull: float
    methods: tuple[MethodAdvice, ...]

    @property
    def rotation(self) -> float:
        """Share of the turning part: zero for a common loss, one for a game that only turns."""
        whole = self.symmetric + self.turning
        return self.turning / whole if whole else 0.0

    def summary(self) -> str:
        """Rotation, and every method with its steps."""
        lines = [
            f"rotation {self.rotation:.3f} (attracting part {self.symmetric:.4g}, turning part "
            f"{self.turning:.4g})"
        ]
        for m in self.methods:
            if not m.stable.value > 0:
                lines.append(f"{m.method}: no step contracts")
                continue
            lines.append(
                f"{m.method}: contracts below {m.stable.value:.4g}, fastest at {m.best.value:.4g} by "
                f"{m.modulus:.4f} a step, {m.per_gradient:.4f} a gradient"
            )
        return "\n".join([*lines, *map(str, self.cautions)])

    def plot(self, ax: Any = None) -> Any:
        """Eigenvalues of the field."""
        from takens import plot

        ax = plot.axes(ax)
        ax.axvline(0.0, color="0.6", lw=0.8)
        ax.plot(self.rates.real, self.rates.imag, "o")
        return plot.labels(ax, "attraction", "rotation", "eigenvalues of the field")

    def to_xarray(self) -> xr.Dataset:
        """Eigenvalues, and the methods' steps."""
        import xarray as xr

        return xr.Dataset(
            {
                "real": ("rate", self.rates.real),
                "imaginary": ("rate", self.rates.imag),
                "stable": ("method", [m.stable.value for m in self.methods]),
                "best": ("method", [m.best.value for m in self.methods]),
                "modulus": ("method", [m.modulus for m in self.methods]),
            },
            {"method": [m.method for m in self.methods]},
            attrs={"rotation": self.rotation},
        )


def game_analysis(system: Game, z: Any, *, rtol: float = 1e-6) -> GameAnalysis:
    r"""Which method contracts near a point of a game, and up to which step.

    The field is linearised there. For simultaneous, alternating, extrapolated and optimistic descent
    the multipliers follow from its Jacobian; steps are tried from small to large, the end of the
    stable range is bracketed, and the fastest step is found within it.

    Parameters
    ----------
    system : Game
    z : array, shape (weight,)
        Both players' weights, as `Game.start` lays them out; best an equilibrium.
    rtol : float
        Relative width of the brackets.

    Returns
    -------
    GameAnalysis
        With a caution where the point is no equilibrium, or some mode repels, which no method that
        follows the field can cure.

    Raises
    ------
    WrongKind
        If `system` is no game.
    InvalidInput
        If the point does not fit or is not finite.

    Notes
    -----
    Local, and of full gradients: noise of batches asks for smaller steps, and far from the point
    nothing is said. Cost: one Jacobian of the field, and some 2,000 eigenvalue problems of twice its
    size; for games of a few hundred weights.

    References
    ----------
    Balduzzi et al., The mechanics of n-player differentiable games, ICML (2018), on the split.

    Examples
    --------
    >>> from takens.algorithms import Game
    >>> game = Game.of(lambda x, y: x @ y, lambda x, y: -x @ y, [1.0], [0.0])
    >>> found = game_analysis(game, [0.0, 0.0])
    >>> found.rotation, found.methods[0].method
    (1.0, 'OptimisticDescent')
    """
    from takens.algorithms.games import Game

    if not isinstance(system, Game):
        raise WrongKind(f"{type(system).__name__} was given; expected a Game.")
    point = np.asarray(z, float)
    if point.shape != (system.dim,) or not np.isfinite(point).all():
        raise InvalidInput(f"z has shape {point.shape}; expected ({system.dim},), finite.")
    import jax

    jacobian = np.asarray(jax.jacfwd(system.pull)(point))
    pull = float(np.linalg.norm(np.asarray(system.pull(point))))
    if not np.isfinite(jacobian).all():
        raise InvalidInput("The field has no finite Jacobian there. Choose another point.")
    rates = np.linalg.eigvals(jacobian)
    rates = rates[np.lexsort((rates.imag, rates.real))]
    scale = float(np.linalg.norm(jacobian, 2))
    methods = [
        _advised(name, build, jacobian, system.shape_x.dim, scale, rtol, cost)
        for name, (build, cost) in METHODS.items()
    ]
    methods.sort(key=lambda m: m.per_gradient if m.stable.value > 0 else np.inf)
    return GameAnalysis(
        rates=rates,
        symmetric=float(np.linalg.norm(0.5 * (jacobian + jacobian.T), 2)),
        turning=float(np.linalg.norm(0.5 * (jacobian - jacobian.T), 2)),
        pull=pull,
        methods=tuple(methods),
        cautions=_cautions(pull, scale, rates),
    )


def _cautions(pull: float, scale: float, rates: np.ndarray) -> tuple[Finding, ...]:
    made = []
    if pull > 1e-6 * max(scale, 1e-300):
        text = f"The field is {pull:.3g} there: the point is no equilibrium."
        made.append(
            Finding("no-equilibrium", text, "Find one first (`takens.dynamics.fixed_points`).")
        )
    if scale > 0 and rates.real.min() < -NEUTRAL * scale:
        text = f"{int((rates.real < -NEUTRAL * scale).sum())} modes repel, whatever the step."
        made.append(Finding("repelling", text, "The point is no minimum of either player's loss."))
    return tuple(made)


def _simultaneous(j: np.ndarray, step: float, n_x: int) -> np.ndarray:
    return np.eye(len(j)) - step * j


def _alternating(j: np.ndarray, step: float, n_x: int) -> np.ndarray:
    eye = np.eye(len(j))
    first, second = eye.copy(), eye.copy()
    first[:n_x] -= step * j[:n_x]
    second[n_x:] -= step * j[n_x:]
    return second @ first


def _extrapolated(j: np.ndarray, step: float, n_x: int) -> np.ndarray:
    return np.eye(len(j)) - step * j @ (np.eye(len(j)) - step * j)


def _optimistic(j: np.ndarray, step: float, n_x: int) -> np.ndarray:
    eye = np.eye(len(j))
    return np.block([[eye - 2 * step * j, step * eye], [j, np.zeros_like(j)]])


METHODS: dict[str, tuple[Callable[[np.ndarray, float, int], np.ndarray], int]] = {
    "SimultaneousDescent": (_simultaneous, 1),
    "AlternatingDescent": (_alternating, 1),
    "Extragradient": (_extrapolated, 2),
    "OptimisticDescent": (_optimistic, 1),
}


def _advised(
    name: str,
    build: Callable[[np.ndarray, float, int], np.ndarray],
    j: np.ndarray,
    n_x: int,
    scale: float,
    rtol: float,
    cost: int,
) -> MethodAdvice:
    nothing = Estimate(value=np.nan, method="none")

    def modulus(step: float) -> float:
        return float(np.abs(np.linalg.eigvals(build(j, step, n_x))).max())

    never = MethodAdvice(
        method=name, stable=Estimate(value=0.0, interval=(0.0, 0.0), level=1.0, method="no step"),
        best=nothing, modulus=np.inf, n_gradients=cost,
    )  # fmt: skip
    if not scale > 0:
        return never
    steps = np.geomspace(1e-4, 4.0, N_STEPS) / scale
    sizes = np.array([modulus(s) for s in steps])
    holds = sizes < 1 - NEUTRAL
    if not holds[: N_STEPS // 4].any():  # a method that contracts at all does so for small steps
        return never
    first = int(np.argmax(holds))
    beyond = np.flatnonzero(~holds[first:])
    if not len(beyond):
        low = high = float(steps[-1])
    else:
        low, high = float(steps[first + beyond[0] - 1]), float(steps[first + beyond[0]])
        while high - low > rtol * high:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if modulus(middle) < 1 else (low, middle)
    k = first + int(np.argmin(sizes[first : first + (beyond[0] if len(beyond) else N_STEPS)]))
    left, right = float(steps[max(k - 1, 0)]), float(steps[min(k + 1, N_STEPS - 1)])
    while right - left > rtol * right:  # the modulus falls to its least and rises after it
        a, b = left + (right - left) / 3, right - (right - left) / 3
        left, right = (left, b) if modulus(a) <= modulus(b) else (a, right)
    best = 0.5 * (left + right)
    return MethodAdvice(
        method=name,
        stable=Estimate(
            value=0.5 * (low + high), interval=(low, high), level=1.0, method="bracket"
        ),
        best=Estimate(value=best, interval=(left, right), level=1.0, method="bracket"),
        modulus=modulus(best),
        n_gradients=cost,
    )
