"""Multipliers of a training run, from projections of its weights."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.algorithms.diagnosis.measures import last
from takens.core import Estimate

WINDOWS = (4, 6, 8, 12, 16)  # the last one in so many of the rows
RANKS = (1, 2, 3, 4, 6, 8)
LEAST = 24  # pairs of rows in a window
POOR = 1.5  # residual over that of the best rank beyond which a fit is not believed
PART = 0.02  # of the strongest mode, below which a mode is not believed to be there
MOST = 4_000
COORDINATES, MOST_LAGS = 8, 4  # directions that a fit is given, and rows at most to make them of


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Mode:
    """One multiplier with its range over windows and ranks.

    Parameters
    ----------
    name : str
    multiplier : complex
        The middle of those found.
    modulus, angle : Estimate
        The angle in radians a row, from 0 to pi.
    """

    name: str
    multiplier: complex
    modulus: Estimate
    angle: Estimate


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Multipliers:
    """Multipliers of steps over windows and ranks.

    Parameters
    ----------
    alternating, slow : complex array, shape (fit,)
        Of each believed fit the strongest with a negative real part, and of the others the one nearest
        to one, where there are such.
    modes : tuple of Mode
        Their middles, under these names.
    residual : float
        Share of the steps that the best fits leave: near one for noise.
    """

    alternating: np.ndarray
    slow: np.ndarray
    modes: tuple[Mode, ...]
    residual: float

    def named(self, name: str) -> Mode | None:
        """The mode of that name, if it was found."""
        return next((m for m in self.modes if m.name == name), None)


def multipliers(shadows: np.ndarray) -> Multipliers:
    r"""Multipliers of the steps of a run, :math:`d_{n+1} = M d_n`, without a limit or a constant.

    M is fitted on the leading singular directions of the steps, each pair of rows over its own size, for
    several windows at the end of the record and several ranks; of each window the fits that leave hardly
    more than its best are believed.

    Parameters
    ----------
    shadows : array, shape (row, column)
        Evenly recorded.

    Notes
    -----
    A mode that is not excited leaves no trace, and a range over windows is no confidence interval where
    curvature changes along the run. Noise pulls multipliers to zero. Cost: a singular value decomposition
    of each window.
    """
    alternating: list[complex] = []
    slow: list[complex] = []
    left: list[float] = []
    steps = delayed(np.diff(shadows, axis=0))
    windows = {len(last(steps, share)[-MOST:]) for share in WINDOWS}
    for length in sorted(n for n in windows if n - 1 >= LEAST):
        fits = _fits(steps[-length:], shadows.shape[1])
        if not fits:
            continue
        least = max(min(f[0] for f in fits), 1e-12)
        left.append(least)
        for residual, values, parts in fits:
            if residual > POOR * least:
                continue
            there = parts >= PART * parts.max()
            turning = there & (values.real < 0)
            if turning.any():
                alternating.append(complex(values[turning][np.argmax(parts[turning])]))
            steady = there & (values.real >= 0)
            if steady.any():
                slow.append(complex(values[steady][np.argmin(np.abs(values[steady] - 1))]))
    pairs = (("alternating", np.array(alternating, complex)), ("slow", np.array(slow, complex)))
    return Multipliers(
        alternating=pairs[0][1],
        slow=pairs[1][1],
        modes=tuple(_mode(name, values) for name, values in pairs if len(values)),
        residual=float(np.median(left)) if left else np.nan,
    )


def delayed(rows: np.ndarray, wanted: int = COORDINATES) -> np.ndarray:
    """Rows beside those before, where fewer than `wanted` directions are filled: momentum has a memory."""
    filled = int((np.linalg.svd(last(rows, 4), compute_uv=False) > 1e-9 * np.abs(rows).max()).sum())
    lags = int(np.clip(-(-wanted // max(filled, 1)), 1, MOST_LAGS))
    return np.concatenate([rows[i : len(rows) - lags + 1 + i] for i in range(lags)], axis=1)


def _mode(name: str, values: np.ndarray) -> Mode:
    modulus, angle = np.abs(values), np.abs(np.angle(values))
    middle = np.median(modulus) * np.exp(1j * np.median(angle))

    def estimate(of: np.ndarray) -> Estimate:
        low, high = np.quantile(of, [0.05, 0.95])
        return Estimate(value=float(np.median(of)), interval=(float(low), float(high)),
                        method="windows x ranks")  # fmt: skip

    return Mode(name=name, multiplier=complex(middle), modulus=estimate(modulus),
                angle=estimate(angle))  # fmt: skip


def _fits(rows: np.ndarray, newest: int) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """(residual, multipliers, their parts) for every rank; the residual is of the last `newest` columns."""
    size = np.linalg.norm(rows, axis=1)
    usable = size[:-1] > 0
    if usable.sum() < LEAST:
        return []
    before = rows[:-1][usable] / size[:-1][usable, None]
    after = rows[1:][usable] / size[:-1][usable, None]
    left, singular, right = np.linalg.svd(before, full_matrices=False)
    fits = []
    for rank in RANKS:
        if rank > min(len(singular), len(before) // 4) or singular[rank - 1] <= 1e-9 * singular[0]:
            break
        basis = right[:rank].T
        small = basis.T @ after.T @ left[:, :rank] / singular[:rank]
        if not np.isfinite(small).all():
            break
        values, vectors = np.linalg.eig(small)
        inner = np.linalg.lstsq(vectors, (before @ basis).T.astype(complex), rcond=None)[0]
        parts = np.sqrt((np.abs(inner) ** 2).mean(axis=1))
        # only the newest row of the delayed ones is foretold, the others are known
        wanted = after[:, -newest:]
        over = wanted - (before @ basis) @ small.T @ basis[-newest:].T
        fits.append((float((over**2).mean() / max((wanted**2).mean(), 1e-300)), values, parts))
    return fits
