"""What of a few runs does not depend on the coordinates in which they were recorded."""

from __future__ import annotations

import abc
import dataclasses
import itertools
from math import comb

import numpy as np

from takens.core import InvalidInput

CUT = 1e-10  # singular values of a dictionary below this share of the largest are rounding
ROUNDING = 1e-6  # multipliers nearer than this are one, however small their residuals
TRUST = 2.0  # residuals times condition by which a multiplier may be off
OTHERS = 3  # times as many multipliers of the other unit are looked through for the nearest
PAIRS = 4  # of states for each function of a dictionary
FUNCTIONS = 130  # of a dictionary, at most
DEGREES = (1, 2, 3, 4, 5, 6)
DIRECTIONS = (1, 2, 3, 4, 6, 8)
FEWEST = 6  # coordinates up to which no delays are needed where none are asked for
ROTATIONS = 8  # starts of the search over the orthogonal group
ROUNDS = 40

Trials = list[np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fingerprint:
    """Of one unit: what is compared, and how far it may be off.

    Parameters
    ----------
    values : complex array, shape (multiplier,), or array, shape (direction, direction)
        Koopman multipliers, the surely largest modulus first, or a matrix.
    blur : array, shape (multiplier,), or shape ()
        In the same unit.
    """

    values: np.ndarray
    blur: np.ndarray


class AbstractFingerprint(abc.ABC):
    """A way to compare runs that does not see a change of coordinates."""

    @property
    @abc.abstractmethod
    def n_compared(self) -> int:
        """Values of a unit that are shown."""

    @abc.abstractmethod
    def read(self, units: list[Trials]) -> list[Fingerprint]:
        """One of each unit; settings left open are chosen on all of them together."""

    @abc.abstractmethod
    def distances(self, prints: list[Fingerprint]) -> np.ndarray:
        """Between each two, shape (unit, unit)."""

    @abc.abstractmethod
    def shifted(
        self, prints: list[Fingerprint], distances: np.ndarray, half: int, shift: float
    ) -> np.ndarray:
        """The distances if every multiplier of the units from `half` on were larger by `shift`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KoopmanSpectrum(AbstractFingerprint):
    r"""The leading multipliers of a Koopman operator, each with its residual.

    Extended dynamic mode decomposition: polynomials :math:`\psi` of degree p in r principal coordinates,
    the constant among them, :math:`K = \Psi(x)^+ \Psi(x')`. A multiplier is kept if its residual
    :math:`|\Psi(x') g - \lambda \Psi(x) g| / |\Psi(x) g|` is small, and is taken to be right to twice its
    residual times its condition number: differences within this blur are none. Each leading multiplier
    of one unit is compared with the nearest of the other.

    Parameters
    ----------
    n_multipliers : int
        Most that are compared: those whose modulus is surely largest. A complex pair counts as one.
    max_residual : float
        Relative; multipliers with more are not looked at.
    n_delays : int, optional
        Delayed copies of the columns; enough for six coordinates when not given, none from three
        columns on.

    Raises
    ------
    InvalidInput
        If a setting is out of range.

    Notes
    -----
    Unseen by every invertible change of coordinates that the polynomials can express, affine ones
    exactly. Degree and number of directions are those with the least residuals on all units of both
    runs. Cost: for each unit and setting, ``pairs * functions**2``.

    References
    ----------
    Williams, Kevrekidis and Rowley, J. Nonlinear Sci. 25, 1307 (2015); Colbrook and Townsend, Commun.
    Pure Appl. Math. 77, 221 (2024), the residual; Redman et al., arXiv:2302.09160, on runs of training.
    """

    n_multipliers: int = 2
    max_residual: float = 0.05
    n_delays: int | None = None

    def __post_init__(self) -> None:
        if self.n_multipliers < 1 or not 0 < self.max_residual < 1 or (self.n_delays or 1) < 1:
            raise InvalidInput(
                f"n_multipliers = {self.n_multipliers}, max_residual = {self.max_residual}, n_delays = "
                f"{self.n_delays}; expected at least 1, between 0 and 1, and at least 1."
            )

    @property
    def n_compared(self) -> int:
        """Multipliers that lead."""
        return self.n_multipliers

    def read(self, units: list[Trials]) -> list[Fingerprint]:
        """Of the setting whose leading multipliers have the least residuals over all units."""
        held = [principal(unit, self.n_delays) for unit in units]
        pairs = min(len(before) for before, _ in held)
        most = min(before.shape[1] for before, _ in held)
        best: list[Fingerprint] = [Fingerprint(values=np.zeros(0), blur=np.zeros(0))] * len(units)
        least = np.inf
        for r, p in itertools.product(DIRECTIONS, DEGREES):
            size = comb(r + p, p)
            if r > most or size > min(pairs / PAIRS, FUNCTIONS) or (r == 1 and r < most):
                continue
            found = [self._multipliers(before[:, :r], after[:, :r], p) for before, after in held]
            score = float(np.mean([self._score(one) for one in found]))
            if score < least:
                best, least = found, score
        return best

    def _score(self, one: Fingerprint) -> float:
        leading = one.blur[: self.n_multipliers]
        return float(
            leading.sum() + TRUST * self.max_residual * (self.n_multipliers - len(leading))
        )

    def _multipliers(self, before: np.ndarray, after: np.ndarray, degree: int) -> Fingerprint:
        size = np.abs(before).max(axis=0)
        exponents = _exponents(before.shape[1], degree)
        x, y = (_monomials(part / size, exponents) for part in (before, after))
        left, singular, right = np.linalg.svd(x, full_matrices=False)
        keep = singular > CUT * singular[0]
        left, inverse = left[:, keep], right[keep].T / singular[keep]
        moved = y @ inverse
        values, vectors = np.linalg.eig(left.T @ moved)
        if np.linalg.cond(vectors) > 1 / ROUNDING**2:
            return Fingerprint(values=np.zeros(0), blur=np.zeros(0))
        functions = left @ vectors
        norm = np.linalg.norm(functions, axis=0)
        residual = np.linalg.norm(moved @ vectors - values * functions, axis=0) / norm
        condition = np.linalg.norm(np.linalg.inv(vectors), axis=1) * norm
        varies = np.linalg.norm(functions - functions.mean(axis=0), axis=0) > 0.1 * norm
        blur = TRUST * condition * residual + ROUNDING
        # One of each complex pair; a pair nearer to the real line than it is known may be two real ones.
        one = values.imag >= -blur
        kept = np.flatnonzero(varies & (residual <= self.max_residual) & one)
        surely = (
            np.abs(values) - blur
        )  # on a cycle all are of modulus one, and the best known leads
        kept = kept[np.argsort(-surely[kept], kind="stable")][: OTHERS * self.n_multipliers]
        return Fingerprint(values=values[kept], blur=blur[kept])

    def distances(self, prints: list[Fingerprint]) -> np.ndarray:
        """Mean over leading multipliers of what the nearest of the other differs beyond their blur."""
        made = np.zeros((len(prints), len(prints)))
        for i, j in itertools.combinations(range(len(prints)), 2):
            made[i, j] = made[j, i] = self._distance(prints, i, j, 0.0)
        return made

    def _distance(self, prints: list[Fingerprint], i: int, j: int, shift: float) -> float:
        a, b = prints[i], prints[j]
        if not (a.values.size and b.values.size):
            return np.nan
        size = np.abs(b.values)
        other = b.values * (1 + shift / np.where(size > 0, size, 1.0))
        # A pair that one unit tells apart may be one multiplier in another, so both may take the same.
        beyond = np.maximum(np.abs(a.values[:, None] - other) - a.blur[:, None] - b.blur, 0.0)
        k = self.n_multipliers
        return float(0.5 * (beyond[:k].min(axis=1).mean() + beyond[:, :k].min(axis=0).mean()))

    def shifted(
        self, prints: list[Fingerprint], distances: np.ndarray, half: int, shift: float
    ) -> np.ndarray:
        """Along the radius, so that distances within a run hardly change, and are left as they are."""
        made = distances.copy()
        for i, j in itertools.product(range(half), range(half, len(prints))):
            made[i, j] = made[j, i] = self._distance(prints, i, j, shift)
        return made


@dataclasses.dataclass(frozen=True, kw_only=True)
class DelayMatrix(AbstractFingerprint):
    r"""The matrix of a linear model in whitened delay coordinates, up to a rotation: DSA.

    Delayed copies of the columns are reduced to r whitened principal coordinates, in which
    :math:`v' = A v` is fitted. The distance of two matrices is
    :math:`\min_{C \in O(r)} |A - C B C^\top|_F`.

    Parameters
    ----------
    n_delays : int
        Copies, the present one among them.
    rank : int
        The number r of coordinates.

    Raises
    ------
    InvalidInput
        If a setting is out of range.

    Notes
    -----
    Whitening makes it unseen by linear changes of coordinates where the rank holds every direction, and
    nearly so where it holds most; a nonlinear one it sees, more or less by how well delays express it.
    Where runs converge, decay and not the dynamics dominates whitened coordinates: it is for motion
    that goes on. The minimum is sought from eight rotations and may be missed, which makes a distance
    too large and never too small. Cost: for each two units some hundreds of steps of ``rank**6``.

    References
    ----------
    Ostrow, Eisen, Kozachkov and Fiete, Adv. Neural Inf. Process. Syst. 36 (2023).
    """

    n_delays: int = 4
    rank: int = 4

    def __post_init__(self) -> None:
        if self.n_delays < 1 or self.rank < 1:
            raise InvalidInput(
                f"n_delays = {self.n_delays}, rank = {self.rank}; expected at least 1 of both."
            )

    @property
    def n_compared(self) -> int:
        """All eigenvalues of the matrix."""
        return self.rank

    def read(self, units: list[Trials]) -> list[Fingerprint]:
        """Least squares in the whitened coordinates of each unit."""
        made = []
        for unit in units:
            before, after = (part[:, : self.rank] for part in principal(unit, self.n_delays))
            if before.shape[1] < self.rank:
                raise InvalidInput(
                    f"The runs fill {before.shape[1]} directions; rank = {self.rank} was asked. Ask for "
                    "fewer, or for more delays."
                )
            x, y = before - before.mean(axis=0), after - after.mean(axis=0)
            made.append(
                Fingerprint(values=np.linalg.lstsq(x, y, rcond=None)[0].T, blur=np.zeros(()))
            )
        return made

    def distances(self, prints: list[Fingerprint]) -> np.ndarray:
        """The least found over rotations and reflections."""
        i, j = np.triu_indices(len(prints), 1)
        matrices = np.array([one.values for one in prints])
        made = np.zeros((len(prints), len(prints)))
        made[i, j] = made[j, i] = _turned(matrices[i], matrices[j])
        return made

    def shifted(
        self, prints: list[Fingerprint], distances: np.ndarray, half: int, shift: float
    ) -> np.ndarray:
        """By a multiple of the identity, which no rotation sees, so that the best one stays."""
        trace = np.array([np.trace(one.values) for one in prints])
        made = distances.copy()
        gap = trace[:half, None] - trace[half:]
        square = distances[:half, half:] ** 2 - 2 * shift * gap + self.rank * shift**2
        made[:half, half:] = np.sqrt(np.maximum(square, 0.0))
        made[half:, :half] = made[:half, half:].T
        return made


def principal(unit: Trials, n_delays: int | None) -> tuple[np.ndarray, np.ndarray]:
    """States and their successors, (pair, direction) both, in whitened principal coordinates."""
    columns = unit[0].shape[1]
    lags = n_delays or (1 if columns > 2 else -(-FEWEST // columns))
    if n_delays is None and columns == 2:
        lags = 1
    windows = [
        np.concatenate([run[k : len(run) - lags + 1 + k] for k in range(lags)], axis=1)
        for run in unit
    ]
    before = np.concatenate([w[:-1] for w in windows])
    after = np.concatenate([w[1:] for w in windows])
    middle = before.mean(axis=0)
    _, sizes, right = np.linalg.svd(before - middle, full_matrices=False)
    keep = sizes > CUT * max(sizes[0], 1e-300)
    turn = right[keep].T / sizes[keep] * np.sqrt(len(before))
    return (before - middle) @ turn, (after - middle) @ turn


def _exponents(columns: int, degree: int) -> np.ndarray:
    """Of all monomials up to a degree, shape (monomial, column)."""
    made = [
        np.bincount(np.array(picked, dtype=int), minlength=columns)
        for total in range(degree + 1)
        for picked in itertools.combinations_with_replacement(range(columns), total)
    ]
    return np.array(made)


def _monomials(x: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    powers = x[:, :, None] ** np.arange(int(exponents.max()) + 1)
    columns = np.arange(x.shape[1])
    return np.stack([powers[:, columns, e].prod(axis=1) for e in exponents], axis=1)


def _turned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    r"""Least :math:`|A - C B C^\top|` over orthogonal C found, for many pairs of shape (pair, r, r).

    Levenberg and Marquardt's steps: with :math:`M = C B C^\top`, a turn by a small antisymmetric X moves
    it by :math:`X M - M X`.
    """
    r = a.shape[-1]
    rows, columns = np.triu_indices(r, 1)
    turns = np.zeros((len(rows), r, r))
    turns[np.arange(len(rows)), rows, columns] = 1.0
    turns -= turns.swapaxes(1, 2)
    starts = np.linalg.qr(np.random.default_rng(0).normal(size=(ROTATIONS, r, r)))[0]
    starts[0] = np.eye(r)
    starts[1::2, :, 0] *= -1  # of both determinants
    best = np.full(len(a), np.inf)
    for start in starts:
        m = start @ b @ start.T
        least = np.linalg.norm(a - m, axis=(1, 2))
        damping = np.full(len(a), 1e-2)
        for _ in range(ROUNDS if r > 1 else 0):
            moved = turns @ m[:, None] - m[:, None] @ turns
            slope = moved.reshape(len(a), len(turns), -1)
            normal = slope @ slope.swapaxes(1, 2)
            size = np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-300
            normal = normal + damping[:, None, None] * size * np.eye(len(turns))
            gap = (a - m).reshape(len(a), -1, 1)
            x = (np.linalg.solve(normal, slope @ gap) * turns.reshape(len(turns), -1)).sum(axis=1)
            x = 0.5 * x.reshape(-1, r, r)
            step = np.linalg.solve(np.eye(r) - x, np.eye(r) + x)  # Cayley's, orthogonal
            trial = step @ m @ step.swapaxes(1, 2)
            found = np.linalg.norm(a - trial, axis=(1, 2))
            better = found < least
            m = np.where(better[:, None, None], trial, m)
            settled = bool(np.all(least - np.minimum(found, least) <= 1e-9 * (least + 1e-9)))
            least = np.minimum(found, least)
            damping = np.clip(np.where(better, damping / 5, damping * 5), 1e-14, 1e6)
            if settled and damping.min() > 1e-3:
                break
        best = np.minimum(best, least)
    return best
