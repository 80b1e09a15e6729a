"""The best constant settings of an optimiser for a spectrum of curvature."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.algorithms.classes import AbstractFunctions, Quadratics, SmoothConvex, transfer
from takens.algorithms.optimisers import (
    AbstractOptimiser,
    Adam,
    GradientDescent,
    HeavyBall,
    Nesterov,
    RMSProp,
)
from takens.core import AbstractResult, Estimate, Finding, Status, WrongKind

if TYPE_CHECKING:
    import xarray as xr

MOMENTUM = {HeavyBall: "momentum", Nesterov: "momentum", Adam: "first"}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Tuning(AbstractResult):
    """Settings of an optimiser, and how fast it is certain to converge with them.

    Parameters
    ----------
    system : AbstractOptimiser
        With the settings found.
    settings : mapping of str to float
        Those that were chosen.
    rate : Estimate
        Factor by which errors shrink in a step, for the worst function of the class; the interval
        is that of the curvature, its upper end NaN where that admits a least curvature of zero.
    before : float
        The rate with the settings that were given; NaN where none is certain.
    beyond : float
        Rate that is certain with the settings found for every smooth and strongly convex function of
        these bounds; NaN where none is.
    bounds : (float, float)
        Least and greatest curvature.
    functions : str
        Name of the class.
    """

    system: AbstractOptimiser
    settings: Mapping[str, float]
    rate: Estimate
    before: float
    beyond: float
    bounds: tuple[float, float]
    functions: str

    @property
    def steps_to_tenth(self) -> float:
        """Steps in which errors fall to a tenth, in the long run."""
        return float(np.log(0.1) / np.log(self.rate.value)) if 0 < self.rate.value < 1 else np.nan

    def summary(self) -> str:
        """Settings and rates."""
        name = type(self.system).__name__
        chosen = ", ".join(f"{key} = {value:.6g}" for key, value in self.settings.items())
        if not self.rate.is_finite:
            return f"{name}: no setting converges for certain on {self.functions} of {self.bounds}"
        before = "no certain rate" if np.isnan(self.before) else f"{self.before:.6g}"
        beyond = "none certain" if np.isnan(self.beyond) else f"{self.beyond:.6g}"
        lines = [
            f"{name}: {chosen}",
            f"rate on {self.functions} {self.rate}, a tenth in {self.steps_to_tenth:.0f} steps "
            f"(before: {before})",
            f"rate on every smooth and strongly convex function: {beyond}",
        ]
        return "\n".join([*lines, *map(str, self.cautions)])

    def plot(self, ax: Any = None) -> Any:
        """Largest modulus of a multiplier over curvature."""
        from takens import plot

        ax = plot.axes(ax)
        curvature = np.geomspace(*self.bounds, 400)
        modulus = np.abs(np.asarray(self.system.multipliers(curvature))).max(axis=-1)
        plot.line(ax, curvature, modulus)
        ax.axhline(1.0, color="0.5", ls="--", lw=0.8)
        ax.set_xscale("log")
        return plot.labels(ax, "curvature", "largest modulus of a multiplier")

    def to_xarray(self) -> xr.Dataset:
        """The settings and rates."""
        import xarray as xr

        return xr.Dataset(
            {"setting": ("name", list(self.settings.values()))},
            {"name": list(self.settings)},
            attrs={"rate": self.rate.value, "before": self.before, "beyond": self.beyond},
        )


def tune(system: AbstractOptimiser, functions: AbstractFunctions) -> Tuning:
    r"""The constant learning rate, and momentum if there is one, with the best certain rate.

    On quadratics of curvature m to L, with :math:`\kappa = L/m`:

    - gradient descent: :math:`\eta = 2/(L + m)`, with the rate :math:`\rho = (\kappa - 1)/(\kappa + 1)`;
    - heavy ball: :math:`\eta = 4/(\sqrt L + \sqrt m)^2` and :math:`\beta = \rho^2`, with
      :math:`\rho = (\sqrt\kappa - 1)/(\sqrt\kappa + 1)`;
    - Nesterov: :math:`\eta = 4/(3L + m)` and
      :math:`\beta = (\sqrt{3\kappa + 1} - 2)/(\sqrt{3\kappa + 1} + 2)`, with
      :math:`\rho = 1 - 2/\sqrt{3\kappa + 1}`.

    RMSProp in a fixed metric is gradient descent there, and Adam is a heavy ball. For other classes
    settings are sought by descent on the certain rate, from those of gradient descent up.

    Parameters
    ----------
    system : AbstractOptimiser
        Its settings are the ones compared with.
    functions : AbstractFunctions
        `Quadratics` for the end of training near a minimum, `SmoothConvex` for a guarantee from
        everywhere. ``Quadratics.of(spectrum)`` takes the ends of a measured spectrum.

    Returns
    -------
    Tuning
        With a caution where the settings have no guarantee beyond quadratics, or where the least
        curvature may be zero.

    Raises
    ------
    WrongKind
        If the system is not one of these, or `functions` is no class of functions.

    Notes
    -----
    Of full gradients: the noise of batches asks for less. Of the curvature where it was measured: a
    network's changes on the way, and at the edge of stability the tuned rate is beyond what the
    curvature that training then meets will bear. Nothing is said of generalisation. Cost: for
    quadratics none; else some seconds.

    References
    ----------
    Polyak, USSR Comput. Math. Math. Phys. 4, 1 (1964). Lessard, Recht and Packard, SIAM J. Optim. 26,
    57 (2016).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from takens.algorithms import Loss
    >>> loss = Loss.of(lambda w: 0.5 * jnp.sum(jnp.array([1.0, 100.0]) * w**2), [0.0, 0.0])
    >>> found = tune(HeavyBall(loss, 0.01, 0.0), Quadratics(1.0, 100.0))
    >>> round(found.rate.value, 6), round(found.settings["momentum"], 6)
    (0.818182, 0.669421)
    """
    _check(system, functions)
    settings = closed_form(system, *functions.bounds)
    if not isinstance(functions, Quadratics):
        settings = _searched(system, functions, settings)
    return _tuning(system, functions, settings)


def momentum_for(system: AbstractOptimiser, functions: AbstractFunctions) -> Tuning:
    r"""The momentum with the best certain rate at the learning rate that the optimiser has.

    For a heavy ball on quadratics it is :math:`\max_\lambda (1 - \sqrt{\eta\lambda})^2` over both
    ends; in general it is sought on a grid that is then refined.

    Parameters
    ----------
    system : AbstractOptimiser
        With a momentum: HeavyBall, Nesterov or Adam.
    functions : AbstractFunctions

    Returns
    -------
    Tuning
        With the status `NOT_APPLICABLE` where no momentum below one converges for certain.

    Raises
    ------
    WrongKind
        If the system has no momentum, or `functions` is no class of functions.

    Notes
    -----
    As for `tune`. Cost: for quadratics some milliseconds, else some seconds.

    References
    ----------
    Polyak, USSR Comput. Math. Math. Phys. 4, 1 (1964).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from takens.algorithms import Loss
    >>> loss = Loss.of(lambda w: 0.5 * jnp.sum(jnp.array([1.0, 100.0]) * w**2), [0.0, 0.0])
    >>> round(momentum_for(HeavyBall(loss, 0.01), Quadratics(1.0, 100.0)).settings["momentum"], 6)
    0.81
    """
    _check(system, functions)
    name = MOMENTUM.get(type(system))
    if name is None:
        raise WrongKind(
            f"{type(system).__name__} has no momentum. Give HeavyBall, Nesterov or Adam."
        )

    def rate(momentum: float) -> float:
        found = functions.rate(system.with_parameters(**{name: momentum}), functions.bounds)
        return found if np.isfinite(found) else 2.0

    # Fine towards one, where ill-conditioned problems have their best momentum.
    condition = functions.bounds[1] / functions.bounds[0]
    grid = np.concatenate([[0.0], 1 - np.geomspace(1, 1e-2 / np.sqrt(condition), 40)[1:]])
    return _tuning(system, functions, {name: _narrowed(rate, grid)})


@functools.singledispatch
def closed_form(system: Any, low: float, high: float) -> dict[str, float]:
    """Best settings on quadratics."""
    raise WrongKind(f"{type(system).__name__} has no closed form.")


@closed_form.register(GradientDescent)
@closed_form.register(RMSProp)
def _(system: GradientDescent | RMSProp, low: float, high: float) -> dict[str, float]:
    return {"learning_rate": 2 / (low + high)}


@closed_form.register
def _(system: HeavyBall, low: float, high: float) -> dict[str, float]:
    rate, momentum = _polyak(low, high)
    return {"learning_rate": rate, "momentum": momentum}


@closed_form.register
def _(system: Adam, low: float, high: float) -> dict[str, float]:
    rate, momentum = _polyak(low, high)
    return {"learning_rate": rate / (1 - momentum), "first": momentum}


@closed_form.register
def _(system: Nesterov, low: float, high: float) -> dict[str, float]:
    root = np.sqrt(3 * high / low + 1)
    return {"learning_rate": 4 / (3 * high + low), "momentum": float((root - 2) / (root + 2))}


def _polyak(low: float, high: float) -> tuple[float, float]:
    total, difference = np.sqrt(high) + np.sqrt(low), np.sqrt(high) - np.sqrt(low)
    return float(4 / total**2), float((difference / total) ** 2)


def _check(system: Any, functions: Any) -> None:
    transfer(system)  # refuses what is none of them
    if not isinstance(functions, AbstractFunctions):
        raise WrongKind(
            f"{type(functions).__name__} was given; expected Quadratics or SmoothConvex."
        )


def _searched(
    system: AbstractOptimiser, functions: AbstractFunctions, start: dict[str, float]
) -> dict[str, float]:
    """Settings with the least certain rate, by descent without derivatives from two places."""
    from scipy.optimize import minimize

    low, high = functions.bounds
    names = list(start)
    gentle = {**dict.fromkeys(names, 0.0), "learning_rate": 1 / high}

    def settings(place: np.ndarray) -> dict[str, float]:
        chosen = dict(zip(names, map(float, place), strict=True))
        chosen["learning_rate"] /= high
        return chosen

    def rate(place: np.ndarray) -> float:
        if not (place[0] > 0 and (place[1:] >= 0).all() and (place[1:] < 1).all()):
            return 3.0
        found = functions.rate(system.with_parameters(**settings(place)), (low, high))
        return found if np.isfinite(found) else 2.0

    best, least = gentle, np.inf
    for begin in (start, gentle):
        place = np.array([begin[n] for n in names])
        place[0] *= high
        found = minimize(
            rate, place, method="Nelder-Mead",
            options={"xatol": 1e-5, "fatol": 1e-8, "maxfev": 150,
                     "initial_simplex": np.vstack([place, place + 0.1 * np.eye(len(place))])},
        )  # fmt: skip
        if found.fun < least:
            best, least = settings(found.x), float(found.fun)
    return best


def _narrowed(function: Callable[[float], float], grid: np.ndarray) -> float:
    """Where a function with one valley is least, by a grid and then by golden sections."""
    from scipy.optimize import minimize_scalar

    values = [function(float(g)) for g in grid]
    k = int(np.argmin(values))
    low, high = float(grid[max(k - 1, 0)]), float(grid[min(k + 1, len(grid) - 1)])
    found = minimize_scalar(
        function, bounds=(low, high), method="bounded", options={"xatol": 1e-12, "maxiter": 200}
    )
    return float(found.x) if found.fun < values[k] else float(grid[k])


def _tuning(
    system: AbstractOptimiser, functions: AbstractFunctions, settings: dict[str, float]
) -> Tuning:
    bounds = functions.bounds
    tuned = system.with_parameters(**settings)
    value = functions.rate(tuned, bounds)
    name = type(functions).__name__
    beyond = (
        value if isinstance(functions, SmoothConvex) else SmoothConvex(*bounds).rate(tuned, bounds)
    )
    if not value < 1:
        return Tuning(
            system=tuned, settings=dict.fromkeys(settings, np.nan), rate=Estimate(value=np.nan),
            before=np.nan, beyond=np.nan, bounds=bounds, functions=name, status=Status.NOT_APPLICABLE,
            cautions=(Finding("no-certain-rate", "No setting tried converges for certain on all of the class.", ""),),
        )  # fmt: skip
    before = functions.rate(system, bounds)
    narrow, wide = (
        functions.rate(tuned, b) if 0 < b[0] <= b[1] else np.nan for b in functions.spread()
    )
    cautions = []
    if np.isnan(beyond):
        text = (
            "With these settings no rate is certain beyond quadratics: on some smooth and strongly "
            "convex functions of this curvature the optimiser may cycle. SmoothConvex tunes for all."
        )
        cautions.append(Finding("no-guarantee", text, ""))
    if np.isnan(wide):
        text = "The least curvature may be zero within its interval: the rate has no upper end."
        cautions.append(Finding("curvature-may-vanish", text, ""))
    return Tuning(
        system=tuned, settings=settings,
        rate=Estimate(value=value, interval=(narrow, wide), level=1.0, method="interval of curvature"),
        before=before if before < 1 else np.nan, beyond=beyond, bounds=bounds, functions=name,
        cautions=tuple(cautions),
    )  # fmt: skip
