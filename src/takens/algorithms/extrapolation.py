"""How a next point is mixed from the ones before, so that their residuals cancel."""

from __future__ import annotations

import abc
import dataclasses

import numpy as np

from takens.core import InvalidInput


class AbstractAcceleration(abc.ABC):
    """How the next point is made from the ones before."""

    @abc.abstractmethod
    def mixed(self, points: np.ndarray, images: np.ndarray, ridge: float) -> np.ndarray:
        """The next point, from the last points and their images, oldest first, (k, dim) both."""

    @property
    @abc.abstractmethod
    def window(self) -> int:
        """Number of points that are kept."""

    @property
    @abc.abstractmethod
    def cycles(self) -> bool:
        """Whether a step is made only when the window is full, and the window then emptied."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Anderson(AbstractAcceleration):
    r"""Anderson's mixing: the affine combination of images whose residuals nearly cancel.

    With :math:`f = g(x) - x` and differences :math:`\Delta F, \Delta G` of residuals and images over
    the last `memory` steps, :math:`x' = g(x) - \Delta G \gamma` with
    :math:`\gamma = \arg\min |f - \Delta F \gamma|^2 + \rho\,|\Delta F|^2 |\gamma|^2`.

    Parameters
    ----------
    memory : int
        Differences that are kept.

    References
    ----------
    Walker and Ni, SIAM J. Numer. Anal. 49, 1715 (2011).
    """

    memory: int = 10

    def __post_init__(self) -> None:
        if self.memory < 1:
            raise InvalidInput(f"memory = {self.memory}; expected at least 1.")

    @property
    def window(self) -> int:
        """One point more than differences."""
        return self.memory + 1

    @property
    def cycles(self) -> bool:
        """At every step."""
        return False

    def mixed(self, points: np.ndarray, images: np.ndarray, ridge: float) -> np.ndarray:
        """The combination above."""
        return _least(points, images, ridge)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReducedRank(AbstractAcceleration):
    r"""Reduced rank extrapolation: after `cycle` plain steps, the average whose residual is least.

    Parameters
    ----------
    cycle : int
        Plain steps between extrapolations.

    References
    ----------
    Sidi, Vector Extrapolation Methods with Applications (2017), section 2.
    """

    cycle: int = 10

    def __post_init__(self) -> None:
        if self.cycle < 2:
            raise InvalidInput(f"cycle = {self.cycle}; expected at least 2.")

    @property
    def window(self) -> int:
        """The points of a cycle."""
        return self.cycle

    @property
    def cycles(self) -> bool:
        """Once a cycle."""
        return True

    def mixed(self, points: np.ndarray, images: np.ndarray, ridge: float) -> np.ndarray:
        """The average of the images, of weights that sum to one, whose residuals cancel best."""
        return _least(points, images, ridge)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MinimalPolynomial(AbstractAcceleration):
    r"""Minimal polynomial extrapolation: the last of the steps is annulled by those before.

    Parameters
    ----------
    cycle : int
        Plain steps between extrapolations.

    References
    ----------
    Sidi, Vector Extrapolation Methods with Applications (2017), section 2.
    """

    cycle: int = 10

    def __post_init__(self) -> None:
        if self.cycle < 2:
            raise InvalidInput(f"cycle = {self.cycle}; expected at least 2.")

    @property
    def window(self) -> int:
        """The points of a cycle."""
        return self.cycle

    @property
    def cycles(self) -> bool:
        """Once a cycle."""
        return True

    def mixed(self, points: np.ndarray, images: np.ndarray, ridge: float) -> np.ndarray:
        """The average of the images with the weights of the minimal polynomial."""
        residuals = images - points
        c = np.append(_ridge(residuals[:-1].T, -residuals[-1], ridge), 1.0)
        total = c.sum()
        if abs(total) <= 1e-12 * np.abs(c).sum():
            return np.asarray(images[-1])
        return np.asarray((c / total) @ images)


def _least(points: np.ndarray, images: np.ndarray, ridge: float) -> np.ndarray:
    residuals = images - points
    gamma = _ridge(np.diff(residuals, axis=0).T, residuals[-1], ridge)
    return np.asarray(images[-1] - np.diff(images, axis=0).T @ gamma)


def _ridge(columns: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    """Least squares with a penalty relative to the largest singular value, columns scaled alike."""
    size = np.linalg.norm(columns, axis=0)
    size = np.where(size > 0, size, 1.0)
    left, values, right = np.linalg.svd(columns / size, full_matrices=False)
    if not values[0] > 0:  # nothing changed from step to step, and nothing can be mixed
        return np.zeros(columns.shape[1])
    shrunk = values / (values**2 + ridge * values[0] ** 2)
    return np.asarray((right.T @ (shrunk * (left.T @ target))) / size)
