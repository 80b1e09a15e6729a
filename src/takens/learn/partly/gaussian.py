r"""A Gaussian process as the missing part: smooth, of no particular form, with an interval.

Its covariance is the rational quadratic :math:`k(z, z') = s^2 / (1 + |z - z'|^2 / 2 \ell^2)`: squared
exponentials averaged over their lengths of correlation (Rasmussen and Williams 2006, eqs. 4.19, 4.20). One
length alone would promise a smoothness in every place that a few numbers seldom have, and its band is
then too narrow.

The process is written on inducing points Z: :math:`r(z) = \phi(z)^\top w` with :math:`\phi(z) = L^{-1}
k(Z, z)`, :math:`L L^\top = k(Z, Z)` and :math:`w \sim N(0, s^2)`, so that :math:`s^2 \phi^\top \phi`
is the covariance of the process on the points and near them (Quinonero-Candela and Rasmussen 2005,
deterministic training conditional). The rates are then linear in the numbers, and the shooting that
finds parameters finds the process too, orbits, noise in the arguments and all.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from takens.core import InvalidInput
from takens.learn.partly.field import AbstractBasis, PartlyKnownField
from takens.learn.partly.problem import Orbit, Problem, criterion, settled, whiteness
from takens.learn.partly.start import started
from takens.learn.partly.unknown import AbstractUnknown, Rung, absorbed, lacking
from takens.learn.sparse.fields import FlowAdvance
from takens.learn.sparse.shooting import Noise, linearised

if TYPE_CHECKING:
    from takens.learn.partly.flow import AbstractLearned

LENGTHS = (
    0.4,
    0.6,
    0.9,
    1.4,
    2.0,
    3.0,
    4.5,
    7.0,
)  # of correlation, in standard deviations of the columns
SIZES = 10.0 ** np.arange(-3, 1.01, 0.25)  # of the process, in standard deviations of the slopes
NOISES = np.exp(np.arange(-6, 7) / 8)  # variance of the noise, over the one assumed
JITTER = 1e-8  # on the diagonal of k(Z, Z)
ROUNDS = 3  # times that the hyper-parameters are found again around a better orbit
FLAT = 1e-9  # prior precision of the parameters, as a share of their information


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Kernels(AbstractBasis):
    """Rational quadratics of some columns around inducing points, made independent.

    Parameters
    ----------
    places : tuple of int
        Columns of `x` that the process depends on.
    centre, scale : array, shape (column,)
        By which they are standardised.
    points : array, shape (point, column)
        Standardised inducing points.
    length : float
        Of correlation, in standardised units.
    """

    places: tuple[int, ...]
    centre: np.ndarray
    scale: np.ndarray
    points: np.ndarray
    length: float

    @property
    def factor(self) -> np.ndarray:
        """Lower Cholesky factor of the kernel on the points."""
        gram = self._kernel(self.points)
        return np.asarray(cholesky(gram + JITTER * np.eye(len(gram)), lower=True))

    def _standard(self, x: np.ndarray) -> np.ndarray:
        return (np.asarray(x)[:, list(self.places)] - self.centre) / self.scale

    def _kernel(self, z: np.ndarray) -> np.ndarray:
        square = ((z[:, None, :] - self.points) ** 2).sum(axis=2)
        return np.asarray(1 / (1 + 0.5 * square / self.length**2))

    def __call__(self, x: Any, u: Any = None, t: Any = None) -> np.ndarray:
        """Independent functions of unit prior variance, (point, function)."""
        kernel = self._kernel(self._standard(x))
        return np.asarray(solve_triangular(self.factor, kernel.T, lower=True).T)

    def jacobian(self, x: Any, u: Any = None, t: Any = None) -> np.ndarray:
        """Their derivatives."""
        z = self._standard(x)
        slopes = (self.points - z[:, None, :]) * self._kernel(z)[:, :, None] ** 2 / self.length**2
        n, count, columns = slopes.shape
        flat = np.moveaxis(slopes / self.scale, 1, 0).reshape(count, n * columns)
        found = solve_triangular(self.factor, flat, lower=True).reshape(count, n, columns)
        whole = np.zeros((n, count, np.shape(x)[1]))
        whole[:, :, list(self.places)] = np.moveaxis(found, 0, 1)
        return whole


@dataclasses.dataclass(frozen=True)
class GaussianProcess(AbstractUnknown):
    """A smooth function of some columns is missing in some equations.

    Its covariance is a rational quadratic, a mixture of lengths of correlation. Their scale, the size
    of the process and the noise are found by marginal likelihood, around the orbit that the last ones
    gave.

    Parameters
    ----------
    equations : tuple of str, optional
        Columns whose equations lack something; all when not given.
    columns : tuple of str, optional
        Columns of state that it depends on; all when not given.
    most : int
        Inducing points; spread over the states so that each new one is the farthest from the others.

    Raises
    ------
    InvalidInput
        If a name is no column, or `most` is below two.

    Notes
    -----
    ``fit.model.learned`` is a `GaussianRates`: the process, and its standard deviation at any state,
    which grows to that of the prior where no data are. Parameters of the known part are found
    together with it; where the process can imitate the effect of one, `Identifiability` says so and
    the interval is wide. The interval speaks of functions as smooth as the ones seen, and not of a
    jump between the data; it takes the scale of correlation as known. How often it holds is measured
    in the documentation.

    Cost: ``N dim^2 (dim + m)`` a Gauss-Newton step for m inducing points times equations, some
    hundred steps' worth in all; one to several seconds for a thousand samples.

    References
    ----------
    Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), sections 4.2 and 5.4;
    Quinonero-Candela and Rasmussen, J. Mach. Learn. Res. 6, 1939 (2005). Kennedy and O'Hagan, J. R.
    Stat. Soc. B 63, 425 (2001).
    """

    equations: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    most: int = 30

    def __post_init__(self) -> None:
        if self.most < 2:
            raise InvalidInput(f"most = {self.most}; expected two inducing points or more.")

    def rung(self, problem: Problem) -> Rung:
        """Hyper-parameters and orbit in turn."""
        nodes = problem.nodes
        equations, places = (
            tuple(place_of(name, nodes.names) for name in (chosen or nodes.names))
            for chosen in (self.equations, self.columns)
        )
        orbit: Orbit | None = None
        try:
            p = started(problem)
            states, noise = problem.states, problem.noise
            for _ in range(ROUNDS):  # the last orbit that was found is the answer
                field, w = _best(problem, equations, places, self.most, (p, states, noise))
                orbit = settled(nodes, field, w, states, noise)
                p, states = orbit.numbers[: field.n_known], orbit.shot.states
                noise = orbit.noise
        except np.linalg.LinAlgError as error:
            if orbit is None:
                return lacking(problem, "a Gaussian process", str(error))
        assert orbit is not None
        last = orbit
        return Rung(
            unknown="a Gaussian process",
            orbit=orbit,
            learned=lambda: _learned(last, equations, nodes.dim),
            criterion=criterion(nodes, orbit.shot, float(np.log(len(nodes)))),
            whiteness=whiteness(nodes, orbit),
            absorbed=absorbed(orbit, len(problem.part.parameters)),
        )


def place_of(name: str, names: tuple[str, ...]) -> int:
    """Where a column stands."""
    if name not in names:
        raise InvalidInput(f"{name!r} is no column. Columns are {list(names)}.")
    return names.index(name)


def _best(
    problem: Problem,
    equations: tuple[int, ...],
    places: tuple[int, ...],
    most: int,
    start: tuple[np.ndarray, np.ndarray, Noise],
) -> tuple[PartlyKnownField, np.ndarray]:
    """The field of the most likely hyper-parameters, and where its numbers begin."""
    best: tuple[float, Any, Any] = (np.inf, None, None)
    for length in LENGTHS:
        basis = _kernels(start[1], places, most, length)
        found = with_prior(problem, basis, len(basis.points), equations, start)
        if found is not None and found[0] < best[0]:
            best = found
    if best[1] is None:
        raise np.linalg.LinAlgError("the rates overflow around the data")
    return best[1], best[2]


def with_prior(
    problem: Problem,
    basis: AbstractBasis,
    count: int,
    equations: tuple[int, ...],
    start: tuple[np.ndarray, np.ndarray, Noise],
) -> tuple[float, PartlyKnownField, np.ndarray] | None:
    """Minus twice the log evidence of `count` functions in some equations, their field and numbers.

    The numbers of each equation have a prior variance of their own, found by evidence.
    """
    p, states, noise = start
    tables = np.zeros((count * len(equations), count, problem.nodes.dim))
    for k, i in enumerate(equations):
        tables[k * count + np.arange(count), np.arange(count), i] = 1.0
    field = PartlyKnownField(problem.part, basis, tables)
    wide = np.r_[p, np.zeros(field.n_candidates)]
    with np.errstate(all="ignore"):
        linear = linearised(field, wide, states, problem.nodes, noise, FlowAdvance())
    gram = linear.information
    if not np.isfinite(gram).all():
        return None
    square = linear.gram[0, 0] + 2 * wide @ linear.score + wide @ gram @ wide
    fit = _Quadratic(
        gram=gram,
        pull=linear.score + gram @ wide,
        square=float(square),
        rows=int(problem.nodes.linked.sum()) * problem.nodes.dim,
        known=len(p),
    )
    rate = problem.slopes.std(axis=0)[list(equations)]
    precision, noise_scale = _hyper(fit, count, rate)
    value, w = fit.evidence(precision, noise_scale)
    prior = np.r_[np.zeros(len(p)), precision]
    return value, dataclasses.replace(field, precision=prior), w


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Quadratic:
    r"""The misfit over all numbers, those of the known part first, :math:`c - 2 b^\top w + w^\top G w`."""

    gram: np.ndarray
    pull: np.ndarray
    square: float
    rows: int
    known: int

    def evidence(self, precision: np.ndarray, noise: float) -> tuple[float, np.ndarray]:
        r"""Minus twice the log marginal likelihood up to a constant, and the most likely numbers.

        With the noise `s` times the variance assumed, :math:`n \log s + c/s - b^\top (G + s
        \Lambda)^{-1} b / s + \log |G/s + \Lambda| - \log |\Lambda|`, the parameters of the known part with
        a flat prior.
        """
        flat = FLAT * np.maximum(np.diag(self.gram)[: self.known], 1e-300)
        whole = (self.gram + np.diag(np.r_[flat, noise * precision])) / noise
        factor = cholesky(whole, lower=True)
        half = solve_triangular(factor, self.pull / noise, lower=True)
        value = self.rows * np.log(noise) + self.square / noise - half @ half
        value += 2 * np.log(np.diag(factor)).sum() - np.log(precision).sum()
        return float(value), solve_triangular(factor.T, half)


def _hyper(fit: _Quadratic, count: int, rate: np.ndarray) -> tuple[np.ndarray, float]:
    """Precision of the numbers, from sizes in each equation, and noise: search along each in turn."""

    def value(sizes: np.ndarray, noise: float) -> float:
        return fit.evidence(np.repeat(sizes**-2.0, count), noise)[0]

    sizes, noise = rate, 1.0
    for _ in range(2):
        for here in np.eye(len(rate), dtype=bool):
            tried = [np.where(here, size * rate, sizes) for size in SIZES]
            sizes = tried[int(np.argmin([value(t, noise) for t in tried]))]
        noise = float(NOISES[np.argmin([value(sizes, s) for s in NOISES])])
    return np.repeat(sizes**-2.0, count), noise


def _kernels(states: np.ndarray, places: tuple[int, ...], most: int, length: float) -> Kernels:
    columns = states[:, list(places)]
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    z = (columns - centre) / np.where(scale > 0, scale, 1.0)
    chosen = [int(np.argmin((z**2).sum(axis=1)))]
    distance = ((z - z[chosen[0]]) ** 2).sum(axis=1)
    # points nearer than a fifth of the correlation length say the same
    while len(chosen) < min(most, len(z)) and distance.max() > (0.2 * length) ** 2:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, ((z - z[chosen[-1]]) ** 2).sum(axis=1))
    return Kernels(
        places=places,
        centre=centre,
        scale=np.where(scale > 0, scale, 1.0),
        points=z[chosen],
        length=length,
    )


def _learned(orbit: Orbit, equations: tuple[int, ...], dim: int) -> AbstractLearned:
    from takens.learn.partly.gaussian_rates import GaussianRates

    field = orbit.field
    basis = field.basis
    count = len(basis.points)
    known = field.n_known
    weights = np.zeros((count, dim))
    spread = np.zeros((dim, count, count))
    prior = np.zeros(dim)
    assert field.precision is not None
    for k, i in enumerate(equations):
        rows = slice(known + k * count, known + (k + 1) * count)
        weights[:, i] = orbit.numbers[rows]
        spread[i] = orbit.covariance[rows, rows]
        prior[i] = 1 / field.precision[rows][0]
    inverse = solve_triangular(basis.factor, np.eye(count), lower=True)
    return GaussianRates(
        weights=weights, covariance=spread, prior=prior, whitening=inverse, points=basis.points,
        centre=basis.centre, scale=basis.scale, length=basis.length, places=basis.places,
    )  # fmt: skip
