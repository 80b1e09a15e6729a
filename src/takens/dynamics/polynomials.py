"""Polynomial rules as coefficients, and all their complex roots by homotopy."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import WrongKind
from takens.core.system import AbstractFlow, AbstractSystem
from takens.systems.algebra import Algebra, objects
from takens.systems.expressions import rule

MAX_DEGREE = 256  # of one component
TINY_STEP = 1e-9  # of the homotopy parameter: a path that needs less ends on a multiple root
MAX_MOVES = 4000


class Poly:
    """A polynomial as coefficients by exponents; numbers join in from either side.

    Parameters
    ----------
    terms : dict of tuple of int to float
    """

    def __init__(self, terms: dict[tuple[int, ...], float]) -> None:
        self.terms = {e: c for e, c in terms.items() if c != 0}

    @property
    def degree(self) -> int:
        """Largest total degree of a term; 0 for a constant."""
        return max((sum(e) for e in self.terms), default=0)


def _plus(a: Any, b: Any) -> Any:
    if not isinstance(a, Poly):
        a, b = b, a
    if not isinstance(b, Poly):
        b = Poly({tuple(0 for _ in next(iter(a.terms))): float(b)}) if a.terms else Poly({})
    terms = dict(a.terms)
    for e, c in b.terms.items():
        terms[e] = terms.get(e, 0.0) + c
    return _settled(terms)


def _times(a: Any, b: Any) -> Any:
    if not isinstance(a, Poly):
        a, b = b, a
    if not isinstance(b, Poly):
        return _settled({e: c * float(b) for e, c in a.terms.items()})
    terms: dict[tuple[int, ...], float] = {}
    if a.degree + b.degree > MAX_DEGREE:
        raise WrongKind(
            f"The rule is a polynomial of degree above {MAX_DEGREE}, too high to find all roots of. "
            "Search with `fixed_points` from many starts instead."
        )
    for e, c in a.terms.items():
        for g, d in b.terms.items():
            key = tuple(i + j for i, j in zip(e, g, strict=True))
            terms[key] = terms.get(key, 0.0) + c * d
    return _settled(terms)


def _settled(terms: dict[tuple[int, ...], float]) -> Any:
    """As a number where nothing but a constant is left."""
    found = Poly(terms)
    return found if found.degree else float(sum(found.terms.values()))


def _power(a: Any, b: Any) -> Any:
    whole = isinstance(b, (int, float, np.generic)) and float(b).is_integer() and float(b) >= 0
    if not (isinstance(a, Poly) and whole):
        raise WrongKind(
            "The rule divides by the state, or takes a power of it that is no whole number: it is "
            "no polynomial. Search with `fixed_points` from many starts instead."
        )
    found: Any = 1.0
    for _ in range(int(b)):
        found = _times(a, found) if isinstance(found, Poly) else _times(a, float(found))
    return found


POLYNOMIALS = Algebra(
    "polynomials",
    {"add": _plus, "mul": _times, "pow": _power},
    "All fixed points are found of polynomial rules only; search with `fixed_points` instead.",
)


@dataclasses.dataclass(frozen=True)
class PolynomialSystem:
    """Polynomials in several variables, with shared exponents.

    Parameters
    ----------
    exponents : array of int, shape (term, variable)
    coefficients : array, shape (equation, term)
    """

    exponents: np.ndarray
    coefficients: np.ndarray

    @property
    def degrees(self) -> np.ndarray:
        """Total degree of each equation."""
        total = self.exponents.sum(axis=1)
        return np.array([int(total[row != 0].max(initial=0)) for row in self.coefficients])

    def values(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and Jacobians at many points, shapes (point, equation) and with (variable) more."""
        top = int(self.exponents.max(initial=0))
        powers = x[..., None] ** np.arange(top + 1)
        table = [powers[:, j, self.exponents[:, j]] for j in range(x.shape[1])]
        slopes = []
        for j in range(x.shape[1]):
            e = self.exponents[:, j]
            slope = e * powers[:, j, np.maximum(e - 1, 0)]
            others = [slope if k == j else column for k, column in enumerate(table)]
            slopes.append(np.prod(others, axis=0) @ self.coefficients.T)
        return np.prod(table, axis=0) @ self.coefficients.T, np.stack(slopes, axis=-1)


def polynomial_system(system: AbstractSystem, u: Any = None) -> PolynomialSystem:
    """What vanishes at a fixed point, as polynomials in the state.

    Raises
    ------
    WrongKind
        If the rule is no polynomial, or of too high a degree.
    """
    n = system.dim
    unit = np.eye(n, dtype=int)
    symbols = objects((n,), [Poly({tuple(row.tolist()): 1.0}) for row in unit])
    method = "vector_field" if isinstance(system, AbstractFlow) else "step"
    found = list(rule(system, method, 0.0, symbols, u, algebra=POLYNOMIALS))
    if method == "step":
        found = [_plus(e, _times(symbols[i], -1.0)) for i, e in enumerate(found)]
    origin = tuple(0 for _ in range(n))
    tables = [e.terms if isinstance(e, Poly) else {origin: float(e)} for e in found]
    exponents = sorted({e for table in tables for e in table} | {origin})
    coefficients = [[table.get(e, 0.0) for e in exponents] for table in tables]
    return PolynomialSystem(np.array(exponents, dtype=int), np.array(coefficients, dtype=float))


def scaled(system: PolynomialSystem) -> tuple[PolynomialSystem, np.ndarray]:
    """The same in variables ``y = x / scale`` in which coefficients are of like size.

    Least squares on their logarithms (Morgan, Solving Polynomial Systems (1987), chapter 5).
    """
    rows, columns = np.nonzero(system.coefficients)
    n, m = system.coefficients.shape[0], system.exponents.shape[1]
    design = np.zeros((len(rows), n + m))
    design[np.arange(len(rows)), rows] = 1.0
    design[:, n:] = system.exponents[columns]
    sizes = -np.log(np.abs(system.coefficients[rows, columns]))
    ridge = 1e-3 * np.eye(n + m)
    fit = np.linalg.lstsq(np.vstack([design, ridge]), np.r_[sizes, np.zeros(n + m)], rcond=None)[0]
    change = np.exp(fit[:n, None] + system.exponents @ fit[n:])
    return PolynomialSystem(system.exponents, system.coefficients * change), np.exp(fit[n:])


@dataclasses.dataclass(frozen=True)
class Roots:
    """Where the paths of a homotopy ended.

    Parameters
    ----------
    simple : complex array, shape (root, variable)
        Distinct finite roots with a regular Jacobian.
    multiple : complex array, shape (path, variable)
        Approximate finite ends with a singular Jacobian.
    scale : array, shape (variable,)
        Natural size of each variable.
    n_infinite, n_paths : int
        Paths that went to infinity, and paths in all.
    clean : bool
        Whether no two paths ended on one simple root.
    """

    simple: np.ndarray
    multiple: np.ndarray
    scale: np.ndarray
    n_infinite: int
    n_paths: int
    clean: bool


def all_roots(system: PolynomialSystem, seed: int) -> Roots:
    """All isolated complex roots by total-degree homotopy with a random constant, in projective space.

    Paths lead from the roots of :math:`y_i^{d_i} = y_0^{d_i}` to those of the system (Sommese and
    Wampler, The Numerical Solution of Systems of Polynomials (2005), chapters 7 and 8); almost
    every random constant keeps them apart. They run in homogeneous coordinates on a random affine
    patch, where infinity is a point as any other.
    """
    rng = np.random.default_rng(seed)
    system, scale = scaled(system)
    degrees, n = system.degrees, system.exponents.shape[1]
    target = _homogeneous(system, degrees)
    patch = np.exp(2j * np.pi * rng.random(n + 1))
    gamma = np.exp(2j * np.pi * rng.random())
    grid = np.meshgrid(*[np.exp(2j * np.pi * np.arange(d) / d) for d in degrees], indexing="ij")
    start = np.stack([np.ones(grid[0].size, dtype=complex), *[g.ravel() for g in grid]], axis=1)
    start /= (start @ patch)[:, None]

    def homotopy(x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        f, slope = target.values(x)
        g = x[:, 1:] ** degrees - x[:, :1] ** degrees
        g_slope = np.zeros_like(slope)
        index = np.arange(n)
        g_slope[:, index, index + 1] = degrees * x[:, 1:] ** (degrees - 1)
        g_slope[:, :, 0] = -degrees * x[:, :1] ** (degrees - 1)
        s = t[:, None]
        value = np.concatenate([gamma * (1 - s) * g + s * f, (x @ patch - 1)[:, None]], axis=1)
        jacobian = gamma * (1 - s[..., None]) * g_slope + s[..., None] * slope
        rows = np.broadcast_to(patch, (len(x), 1, n + 1))
        change = np.concatenate([f - gamma * g, np.zeros((len(x), 1))], axis=1)
        return value, np.concatenate([jacobian, rows], axis=1), change

    ends = _tracked(homotopy, start)
    return _sorted_out(homotopy, ends, scale)


def _homogeneous(system: PolynomialSystem, degrees: np.ndarray) -> PolynomialSystem:
    """Variable 0 added so that every term of an equation has its degree."""
    exponents: list[list[int]] = []
    rows, columns = [], []
    for i, row in enumerate(system.coefficients):
        for k in np.nonzero(row)[0]:
            rows.append((i, len(exponents)))
            columns.append(row[k])
            exponents.append([degrees[i] - system.exponents[k].sum(), *system.exponents[k]])
    coefficients = np.zeros((len(degrees), len(exponents)))
    for place, value in zip(rows, columns, strict=True):
        coefficients[place] = value
    return PolynomialSystem(np.array(exponents, dtype=int), coefficients)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(matrix, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        return np.einsum("kij,kj->ki", np.linalg.pinv(matrix), right)


def _tracked(homotopy: Any, x: np.ndarray) -> np.ndarray:
    """Ends of all paths, each with its own step: fourth-order prediction, Newton correction."""
    t, h = np.zeros(len(x)), np.full(len(x), 0.02)
    streak = np.zeros(len(x), dtype=int)

    def slope(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        _, jacobian, change = homotopy(x, t)
        return _solved(jacobian, -change)

    for _ in range(MAX_MOVES):
        on = np.nonzero((t < 1) & (h > TINY_STEP * np.maximum(1 - t, 1e-4)))[0]
        if not len(on):
            break
        y, s, d = x[on], t[on], np.minimum(h[on], 1 - t[on])
        with np.errstate(all="ignore"):
            step = d[:, None]
            k1 = slope(y, s)
            k2 = slope(y + step / 2 * k1, s + d / 2)
            k3 = slope(y + step / 2 * k2, s + d / 2)
            k4 = slope(y + step * k3, s + d)
            z = y + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            first = last = np.full(len(on), np.inf)
            for turn in range(3):
                value, jacobian, _ = homotopy(z, s + d)
                move = _solved(jacobian, -value)
                z = z + move
                last = np.linalg.norm(move, axis=1) / np.linalg.norm(z, axis=1)
                first = last if turn == 0 else first
        # The first correction bounds the error of prediction: a path must not slip to another.
        good = (first < 1e-5) & (last < 1e-11)
        x[on[good]], t[on[good]] = z[good], (s + d)[good]
        streak[on] = np.where(good, streak[on] + 1, 0)
        longer = good & (streak[on] >= 3)
        streak[on[longer]] = 0
        h[on] = np.where(good, np.where(longer, 2 * d, d), d / 2)
    return x


def _sorted_out(homotopy: Any, x: np.ndarray, scale: np.ndarray) -> Roots:
    """Ends of paths as simple roots, multiple roots and infinity."""
    one = np.ones(len(x))
    with np.errstate(all="ignore"):
        for _ in range(4):
            value, jacobian, _ = homotopy(x, one)
            move = _solved(jacobian, -value)
            near = np.linalg.norm(move, axis=1) < 1e-4 * np.linalg.norm(x, axis=1)
            x = np.where(near[:, None], x + move, x)
        _, jacobian, _ = homotopy(x, one)
        spectrum = np.linalg.svd(jacobian, compute_uv=False)
    size = np.linalg.norm(x, axis=1)
    regular = (np.linalg.norm(move, axis=1) < 1e-11 * size) & (
        spectrum[:, -1] > 1e-9 * spectrum[:, 0]
    )
    far = np.abs(x[:, 0]) < np.where(regular, 1e-11, 1e-3) * size
    points = x[:, 1:] / np.where(x[:, :1] == 0, 1, x[:, :1])
    ends = points[regular & ~far]
    simple: list[np.ndarray] = []
    for end in ends:
        if all(np.abs(end - other).max() > 1e-8 * (1 + np.abs(end).max()) for other in simple):
            simple.append(end)
    return Roots(
        simple=np.array(simple, dtype=complex).reshape(-1, x.shape[1] - 1) * scale,
        multiple=points[~regular & ~far] * scale,
        scale=scale,
        n_infinite=int(far.sum()),
        n_paths=len(x),
        clean=len(simple) == len(ends),
    )
