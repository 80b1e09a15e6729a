"""Powers as candidate terms: scaled, started by least squares, and what time scale they imply."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from takens.core import InvalidInput
from takens.learn.stochastic.likelihood import Support
from takens.learn.stochastic.pairs import Transitions

WIDE = 10.0  # largest sample over the median one, above which only low powers are tried:
HIGHEST = 2  # where samples span decades, the top few would fix all higher ones


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Scaled:
    """Powers of the state over its root mean square.

    Parameters
    ----------
    drift_powers, noise_powers : tuple of int
        Candidates.
    scale : float
        Root mean square of the samples.
    """

    drift_powers: tuple[int, ...]
    noise_powers: tuple[int, ...]
    scale: float

    @classmethod
    def of(cls, settings: Any, x: np.ndarray) -> Scaled:
        """The candidates of a `DiffusionLaw`."""
        drift, noise = settings.drift_powers, settings.noise_powers
        wide = bool(np.abs(x).max() > WIDE * np.median(np.abs(x)))
        degree = min(settings.degree, HIGHEST) if wide else settings.degree
        return cls(
            drift_powers=tuple(range(degree + 1)) if drift is None else drift,
            noise_powers=tuple(range(settings.noise_degree + 1)) if noise is None else noise,
            scale=float(np.median(np.abs(x)) if wide else np.sqrt(np.mean(x**2))),
        )

    def drift(self, x: np.ndarray, order: int = 0) -> np.ndarray:
        """Candidates of the drift or their derivatives, shape (x, candidate)."""
        return _powers(x / self.scale, self.drift_powers, order) / self.scale**order

    def noise(self, x: np.ndarray, order: int = 0) -> np.ndarray:
        """Candidates of the squared noise or their derivatives, shape (x, candidate)."""
        return _powers(x / self.scale, self.noise_powers, order) / self.scale**order

    def units(self, support: Support) -> np.ndarray:
        """By which coefficients of scaled powers are divided to be those of powers."""
        powers = [self.drift_powers[c] for c in support.drift]
        powers += [self.noise_powers[c] for c in support.noise]
        return self.scale ** np.array(powers, float)

    def named(self, support: Support, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the terms of a support."""
        return (
            tuple(term(self.drift_powers[c], name) for c in support.drift),
            tuple(term(self.noise_powers[c], name) for c in support.noise),
        )

    def size(self, pairs: Transitions) -> Callable[[Support], np.ndarray]:
        """Typical magnitudes of the coefficients of a support."""
        square = float(np.mean((pairs.end - pairs.start) ** 2) / np.mean(pairs.dt))
        pace = np.sqrt(square / float(np.mean(pairs.dt)))

        def of(support: Support) -> np.ndarray:
            return np.array([pace] * len(support.drift) + [square] * len(support.noise))

        return of


def term(power: int, name: str) -> str:
    """Such as ``"1"``, ``"x"``, ``"x^2"``."""
    return "1" if power == 0 else name if power == 1 else f"{name}^{power}"


def _powers(z: np.ndarray, powers: tuple[int, ...], order: int) -> np.ndarray:
    columns = []
    for p in powers:
        factor = float(np.prod([p - k for k in range(order)])) if order else 1.0
        columns.append(factor * z ** max(p - order, 0))
    return np.stack(columns, axis=1) if columns else np.empty((len(z), 0))


def checked_powers(powers: tuple[int, ...] | None, name: str, *, empty: bool) -> None:
    """Nothing, if `powers` are distinct whole numbers from 0 to 9.

    Raises
    ------
    InvalidInput
        If they are not.
    """
    if powers is None:
        return
    whole = isinstance(powers, tuple) and all(isinstance(p, int) and 0 <= p <= 9 for p in powers)
    if not whole or len(set(powers)) < len(powers) or not (powers or empty):
        raise InvalidInput(
            f"{name} = {powers!r}; expected a tuple of distinct whole numbers from 0 to 9."
        )


def noise_choices(settings: Any, scaled: Scaled, x: np.ndarray) -> list[tuple[int, ...]]:
    """Columns of the squared noise that are tried: those that can be positive on the data.

    Raises
    ------
    InvalidInput
        If the one that was asked for cannot.
    """
    count = len(scaled.noise_powers)
    positive = bool(x.min() > 0)
    clear = positive or bool(x.max() < 0)
    if settings.noise_powers is not None:
        odd = [p for p in settings.noise_powers if p % 2]
        if 0 not in settings.noise_powers and not (positive or (clear and not odd)):
            raise InvalidInput(
                f"noise_powers = {settings.noise_powers} has no constant, and the data reach down to "
                f"{x.min():.4g}: a squared noise proportional to a power of the state is positive "
                "above zero only. Shift the data, or add the power 0."
            )
        return [tuple(range(count))]
    every = [
        part for size in range(1, count + 1) for part in itertools.combinations(range(count), size)
    ]
    return [part for part in every if part[0] == 0 or positive or (clear and part[0] % 2 == 0)]


def started(
    pairs: Transitions, scaled: Scaled, support: Support | None
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients by least squares on rates; the squared noise is kept positive."""
    from scipy.optimize import nnls

    x, dt = pairs.start[:, 0], pairs.dt
    move = (pairs.end - pairs.start)[:, 0]
    columns = slice(None) if support is None else list(support.drift)
    design = scaled.drift(x)[:, columns]
    columns = slice(None) if support is None else list(support.noise)
    candidates = scaled.noise(x)[:, columns]
    # Weights are the inverse of the squared noise, at first that of its largest power.
    square = candidates[:, -1] if x.min() > 0 else np.ones(len(x))
    sites = (
        np.linspace(x.min(), x.max(), 101) if x.min() <= 0 else np.geomspace(x.min(), x.max(), 101)
    )
    ends = scaled.noise(sites)[:, columns]
    for _ in range(3):
        root = np.sqrt(dt / square)
        drift = np.linalg.lstsq(design * root[:, None], move / dt * root, rcond=1e-8)[0]
        rate = (move - design @ drift * dt) ** 2 / dt
        noise = nnls(candidates / square[:, None], rate / square)[0]
        noise = noise + 0.01 * np.mean(rate / square) / np.mean(
            np.abs(candidates) / square[:, None], axis=0
        )
        if (ends @ noise <= 0).any():  # keep to the powers that are positive everywhere
            noise = np.where((ends < 0).any(axis=0), 0.0, noise)
            noise = noise * np.mean(rate) / np.mean(candidates @ noise)
        square = candidates @ noise
    return drift, noise


def relaxation(
    scaled: Scaled, drift: np.ndarray, noise: np.ndarray, x: np.ndarray, share: float
) -> float:
    """Inverse of the rate at which paths approach each other, fast for this `share` of samples."""
    f, f1 = scaled.drift(x) @ drift, scaled.drift(x, 1) @ drift
    d, d1, d2 = (scaled.noise(x, k) @ noise for k in range(3))
    d = np.maximum(d, 1e-3 * d.mean())
    rate = np.abs(f1 - d2 / 4 - (f - d1 / 4) * d1 / (2 * d))
    return float(1 / max(np.quantile(rate, share), 1e-12))
