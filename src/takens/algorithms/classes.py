"""Classes of functions, and the rate at which an optimiser is certain to converge on all of one."""

from __future__ import annotations

import abc
import dataclasses
import functools
from typing import Any

import numpy as np

from takens.algorithms.curvature import CurvatureSpectrum
from takens.algorithms.optimisers import (
    AbstractOptimiser,
    Adam,
    GradientDescent,
    HeavyBall,
    Nesterov,
    RMSProp,
)
from takens.core import Estimate, InvalidInput, WrongKind

EXACT = 1e-10  # to which the rate of a class is narrowed


@dataclasses.dataclass(frozen=True, eq=False)
class AbstractFunctions(abc.ABC):
    """Functions whose curvature lies between two bounds, in the metric of the optimiser.

    Parameters
    ----------
    low, high : float or Estimate
        Least and greatest curvature, positive. An estimate's interval is carried on to the rates.
    """

    low: Any
    high: Any

    def __post_init__(self) -> None:
        low, high = self.bounds
        if not (0 < low <= high < np.inf):
            raise InvalidInput(
                f"low = {low}, high = {high}; expected two positive numbers, the lesser first. Without "
                "a positive least curvature no constant setting has a linear rate: give the smallest "
                "one that matters, such as a weight decay."
            )

    @classmethod
    def of(cls, spectrum: CurvatureSpectrum, low: Any = None) -> AbstractFunctions:
        """Those with the ends of a measured spectrum.

        Parameters
        ----------
        spectrum : CurvatureSpectrum
        low : float or Estimate, optional
            In place of the least eigenvalue, which for a model with more weights than data is zero.
        """
        if not isinstance(spectrum, CurvatureSpectrum):
            raise WrongKind(f"{type(spectrum).__name__} was given; expected a CurvatureSpectrum.")
        if not spectrum.leading or (low is None and not spectrum.trailing):
            raise InvalidInput("The spectrum lacks an end. Ask for n_leading=1 and n_trailing=1.")
        return cls(spectrum.trailing[0] if low is None else low, spectrum.leading[0])

    @property
    def bounds(self) -> tuple[float, float]:
        """Both ends."""
        return _number(self.low), _number(self.high)

    def spread(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The narrowest and the widest bounds that the intervals of both ends allow."""
        low, high = _interval(self.low), _interval(self.high)
        return (low[1], high[0]), (low[0], high[1])

    @abc.abstractmethod
    def rate(self, system: AbstractOptimiser, bounds: tuple[float, float]) -> float:
        """Factor by which errors shrink in a step, for the worst function; NaN where none is certain."""


@dataclasses.dataclass(frozen=True, eq=False)
class Quadratics(AbstractFunctions):
    r"""Quadratics: near a minimum every smooth loss is one.

    The rate is the largest modulus of a multiplier over modes of curvature, which for all optimisers
    here lies at one of the ends.

    Parameters
    ----------
    low, high : float or Estimate

    Notes
    -----
    Exact for quadratics. For Adam and RMSProp curvature is that in their metric, held fixed. On other
    functions with the same bounds a method tuned here may cycle for ever: heavy ball does.

    References
    ----------
    Polyak, Introduction to Optimization (1987), section 3.2.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from takens.algorithms import Loss
    >>> loss = Loss.of(lambda w: jnp.sum(w**2), [0.0])
    >>> functions = Quadratics(1.0, 25.0)
    >>> round(functions.rate(GradientDescent(loss, 2 / 26), functions.bounds), 6) == round(24 / 26, 6)
    True
    """

    def rate(self, system: AbstractOptimiser, bounds: tuple[float, float]) -> float:
        """Of the ends of the spectrum."""
        return float(np.abs(np.asarray(system.multipliers(np.array(bounds)))).max())


@dataclasses.dataclass(frozen=True, eq=False)
class SmoothConvex(AbstractFunctions):
    r"""Smooth and strongly convex functions, whose curvature is within the bounds everywhere.

    With bounds m and L, :math:`f - \frac{m}{2}|w|^2` and :math:`\frac{L}{2}|w|^2 - f` are convex. The
    optimiser is a linear system G(z) from gradients to the points where they are taken. Errors shrink at
    least like :math:`\rho^n` if for some :math:`0 \le h \le \rho^2`

    .. math:: \mathrm{Re}\,\{\overline{(1 - m G)}\,(1 - h/z)\,(L G - 1)\} \le 0
              \quad\text{for all } |z| = \rho,

    the inequality in frequencies for the weighted off-by-one quadratic constraint that every such
    gradient obeys. The left side is a polynomial in the cosine of the frequency, whose extremes are
    found from its roots, so that no grid is trusted; the least :math:`\rho` is found by halving.

    Parameters
    ----------
    low, high : float or Estimate

    Notes
    -----
    An upper bound, and no rate at all where none is certain; NaN does not establish divergence. For
    gradient descent it is exact. Cost: some ten milliseconds.

    References
    ----------
    Lessard, Recht and Packard, SIAM J. Optim. 26, 57 (2016).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from takens.algorithms import Loss
    >>> loss = Loss.of(lambda w: jnp.sum(w**2), [0.0])
    >>> functions = SmoothConvex(1.0, 25.0)
    >>> round(functions.rate(Nesterov(loss, 1 / 25, 4 / 6), functions.bounds) ** 2, 4)
    0.7219
    """

    def rate(self, system: AbstractOptimiser, bounds: tuple[float, float]) -> float:
        """The least that the inequality holds for."""
        numerator, denominator = transfer(system)
        least = Quadratics(*bounds).rate(system, bounds)
        if least >= 1 - EXACT or not _holds(numerator, denominator, bounds, 1 - EXACT):
            return np.nan
        if _holds(numerator, denominator, bounds, least * (1 + EXACT)):
            return least  # no quadratic is faster
        low, high = least, 1 - EXACT
        while high - low > EXACT:
            middle = 0.5 * (low + high)
            good = _holds(numerator, denominator, bounds, middle)
            low, high = (low, middle) if good else (middle, high)
        return high


@functools.singledispatch
def transfer(system: Any) -> tuple[np.ndarray, np.ndarray]:
    """From gradients to the points where they are taken: numerator and denominator in z."""
    raise WrongKind(
        f"{type(system).__name__} was given; expected an optimiser with constant settings: "
        "GradientDescent, HeavyBall, Nesterov, or RMSProp and Adam in a fixed metric."
    )


@transfer.register(GradientDescent)
@transfer.register(RMSProp)
def _(system: GradientDescent | RMSProp) -> tuple[np.ndarray, np.ndarray]:
    return np.array([-float(system.learning_rate)]), np.array([1.0, -1.0])


@transfer.register
def _(system: HeavyBall) -> tuple[np.ndarray, np.ndarray]:
    return _with_memory(float(system.learning_rate), 0.0, float(system.momentum))


@transfer.register
def _(system: Nesterov) -> tuple[np.ndarray, np.ndarray]:
    rate, momentum = float(system.learning_rate), float(system.momentum)
    return _with_memory(rate * (1 + momentum), rate * momentum, momentum)


@transfer.register
def _(system: Adam) -> tuple[np.ndarray, np.ndarray]:
    first = float(system.first)
    return _with_memory(float(system.learning_rate) * (1 - first), 0.0, first)


def _with_memory(ahead: float, behind: float, momentum: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([-ahead, behind]), np.array([1.0, -(1 + momentum), momentum])


def _holds(
    numerator: np.ndarray, denominator: np.ndarray, bounds: tuple[float, float], rho: float
) -> bool:
    """Whether some multiplier h makes the inequality hold on the circle of radius rho."""
    degree = len(denominator)  # of the polynomial in the cosine: three at most
    angles = np.linspace(0, np.pi, degree + 1)
    z = rho * np.exp(1j * angles)
    below = np.polyval(denominator, z)
    above = np.polyval(numerator, z)
    base = np.conj(below - bounds[0] * above) * (below - bounds[1] * above)
    powers = np.vander(np.cos(angles), 4, increasing=True)[:, : degree + 1]
    both = np.zeros((4, 2))
    both[: degree + 1] = np.linalg.solve(powers, np.stack([base.real, (base / z).real], axis=1))
    low, high = 0.0, rho**2
    for _ in range(8):  # the least value is concave in h: each round narrows to two of its steps
        h = np.linspace(low, high, 17)
        least = _least(both[:, 0] - h[:, None] * both[:, 1])
        k = int(np.argmax(least))
        if least[k] >= 0:
            return True
        low, high = h[max(k - 1, 0)], h[min(k + 1, 16)]
    return False


def _least(cubics: np.ndarray) -> np.ndarray:
    """Least values on [-1, 1] of cubics, shape (cubic, power); turns from their derivatives' roots."""
    _, one, two, three = cubics.T
    with np.errstate(all="ignore"):  # a turn that does not exist is no number and is left out
        half = np.sqrt(two**2 - 3 * one * three)
        far = -(two + np.copysign(half, two))  # free of cancellation
        turns = np.stack([far / (3 * three), one / far], axis=1)
    turns = np.where(np.abs(turns) < 1, turns, 1.0)
    places = np.concatenate([turns, np.broadcast_to([-1.0, 1.0], turns.shape)], axis=1)
    values = (places[..., None] ** np.arange(4) * cubics[:, None]).sum(axis=-1)
    return np.asarray(values.min(axis=1))


def _number(end: Any) -> float:
    value = end.value if isinstance(end, Estimate) else end
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"A bound is {end!r}; expected a number or an Estimate.") from None


def _interval(end: Any) -> tuple[float, float]:
    if isinstance(end, Estimate) and np.isfinite(end.interval).all():
        return (float(end.interval[0]), float(end.interval[1]))
    return (_number(end), _number(end))
