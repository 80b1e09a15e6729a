"""Principal factors: modes of columns, the noise of each, and missing values, found from each other."""

from __future__ import annotations

import dataclasses

import numpy as np

MOST_ROUNDS = 200  # of finding modes, noise and missing values from each other
SETTLED = 1e-5  # relative change of the noise, or of filled values in spreads, at which they end
FEWEST_COLUMNS = 8  # below which noise cannot be told from modes
LEAST_NOISE = 0.1  # of a column, over the median share of all: a perfect sensor is not believed
EXACT = 1e-6  # share of a column's spread that counts as no noise at all


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Factors:
    """Modes of standardised columns, the noise they leave, and how the search went."""

    basis: np.ndarray
    singular_values: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    noise: np.ndarray
    data: np.ndarray
    settled: bool

    @property
    def significant(self) -> int:
        """Number of singular values above the threshold and above rounding."""
        shape = self.data.shape
        beta = min(shape) / max(shape)
        level = np.sqrt(np.mean((self.noise / self.scale) ** 2))
        root = np.sqrt(beta**2 + 14 * beta + 1)
        factor = np.sqrt(2 * (beta + 1) + 8 * beta / (beta + 1 + root))  # eq. 11
        threshold = max(factor * level * np.sqrt(max(shape)), 1e-7 * self.singular_values[0])
        return int((self.singular_values > threshold).sum())


def grown(standard: np.ndarray, n_modes: int | None, most: int) -> Factors:
    """The modes asked for; else one more as long as the next stands above the noise.

    The next is judged before anything is filled in from it, which would make it stronger.
    """
    missing = ~np.isfinite(standard)
    data = np.where(missing, 0.0, standard)
    scale = np.ones(data.shape[1])
    if n_modes is not None:
        return _settled(data, missing, scale, n_modes)
    most = min(most, data.shape[1] // 2, len(data) // 2)
    found = _settled(data, missing, scale, 1)
    for k in range(2, most + 1):
        if found.significant < k:
            break
        found = _settled(found.data, missing, found.scale, k)
    return found


def _settled(data: np.ndarray, missing: np.ndarray, scale: np.ndarray, k: int) -> Factors:
    """Modes, noise and missing values, each found from the others until they settle."""
    n, d = data.shape
    judged = d >= FEWEST_COLUMNS and 2 * k <= d and 2 * k <= n
    noise = np.full(d, np.nan)
    settled = False
    for _ in range(MOST_ROUNDS):
        shift = data.mean(axis=0)
        values, basis = _spectrum((data - shift) / scale)
        basis = basis[:, :k]
        held = shift + scale * ((((data - shift) / scale) @ basis) @ basis.T)
        moved = 0.0
        if missing.any():
            moved = float(np.sqrt(np.mean((held - data)[missing] ** 2)))
            data = np.where(missing, held, data)
        if judged:
            new = _noise(data, held, missing, basis, k)
            moved = max(moved, float(np.abs(new / np.maximum(noise, EXACT) - 1).max(initial=0.0)))
            moved = np.inf if np.isnan(noise).any() else moved
            noise, scale = new, new / np.median(new)
        if moved < SETTLED:
            settled = True
            break
    sign = np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(k)])
    return Factors(
        basis=basis * sign,
        singular_values=values,
        shift=shift,
        scale=scale,
        noise=noise,
        data=data,
        settled=settled,
    )


def _noise(
    data: np.ndarray, held: np.ndarray, missing: np.ndarray, basis: np.ndarray, k: int
) -> np.ndarray:
    """Deviation of what the modes leave of each column, corrected for what they took of the noise."""
    count = (~missing).sum(axis=0)
    squares = np.where(missing, 0.0, (data - held) ** 2).sum(axis=0)
    leverage = np.minimum((basis**2).sum(axis=1) / np.mean(~missing), 0.9)
    freedom = np.maximum(count * (1 - leverage) * (1 - k / len(data)), 1.0)
    noise = np.sqrt(squares / freedom)
    return np.maximum(noise, max(LEAST_NOISE * float(np.median(noise)), EXACT))


def _spectrum(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values, largest first, and right singular directions, from the smaller Gram matrix."""
    n, d = centred.shape
    gram = centred.T @ centred if d <= n else centred @ centred.T
    squares, vectors = np.linalg.eigh(gram)
    values = np.sqrt(np.maximum(squares[::-1], 0.0))
    vectors = vectors[:, ::-1]
    if d <= n:
        return values, vectors
    return values, (centred.T @ vectors) / np.maximum(values, 1e-300)
