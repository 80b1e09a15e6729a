"""Spectra of curvature without a matrix: extreme eigenvalues, density, trace."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.algorithms.lanczos import Krylov, krylov
from takens.algorithms.operators import AbstractSymmetric
from takens.core import AbstractResult, Estimate, Finding, InvalidInput, WrongKind

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CurvatureSpectrum(AbstractResult):
    """Eigenvalues at the ends of a symmetric spectrum.

    Parameters
    ----------
    leading : tuple of Estimate
        The greatest, from the top down.
    trailing : tuple of Estimate
        The least, from the bottom up.
    residuals : array, shape (leading + trailing,)
        Norms of the residuals, within which an eigenvalue lies for certain.
    vectors : array, shape (leading + trailing, dim)
        Of length one, in the metric of the operator.
    n_products : int
    dim : int
    """

    leading: tuple[Estimate, ...]
    trailing: tuple[Estimate, ...]
    residuals: np.ndarray
    vectors: np.ndarray
    n_products: int
    dim: int

    def summary(self) -> str:
        """Both ends."""
        parts = [
            f"{name} {', '.join(str(e) for e in ends)}"
            for name, ends in (("greatest", self.leading), ("least", self.trailing))
            if ends
        ]
        return f"{'; '.join(parts)} ({self.n_products} products of dimension {self.dim})"

    def plot(self, ax: Any = None) -> Any:
        """Eigenvalues with their error bars."""
        from takens import plot

        ax = plot.axes(ax)
        both = (*self.leading, *self.trailing[::-1])
        names = [f"{i + 1}" for i in range(len(self.leading))]
        names += [f"{self.dim - i}" for i in range(len(self.trailing))][::-1]
        plot.errorbars(ax, names, both)
        return plot.labels(ax, "eigenvalue", "rank")

    def to_xarray(self) -> xr.Dataset:
        """Values, residuals and vectors."""
        import xarray as xr

        both = (*self.leading, *self.trailing)
        ends = ["leading"] * len(self.leading) + ["trailing"] * len(self.trailing)
        return xr.Dataset(
            {
                "eigenvalue": ("rank", [e.value for e in both]),
                "residual": ("rank", self.residuals),
                "vector": (("rank", "weight"), self.vectors),
            },
            {"end": ("rank", ends)},
            attrs={"n_products": self.n_products},
        )


def curvature_spectrum(
    system: AbstractSymmetric,
    *,
    n_leading: int = 1,
    n_trailing: int = 0,
    rtol: float = 1e-2,
    max_products: int = 200,
    start: Any = None,
    seed: int = 0,
) -> CurvatureSpectrum:
    r"""The greatest and the least eigenvalues of a symmetric operator, by Lanczos' process.

    Parameters
    ----------
    system : AbstractSymmetric
        Such as `Curvature` or `DifferenceCurvature`.
    n_leading, n_trailing : int
        How many of the greatest, and of the least.
    rtol : float
        Error asked for, over the largest modulus found.
    max_products : int
    start : array, shape (dim,), optional
        Such as an eigenvector of a moment ago; at random when not given.
    seed : int
        Of the random start.

    Returns
    -------
    CurvatureSpectrum
        With a caution where the products ran out.

    Raises
    ------
    WrongKind
        If `system` is no symmetric operator.
    InvalidInput
        If a setting is malformed, or the operator gives no finite numbers.

    Notes
    -----
    The process ends when two estimates of the error are below the one asked for: that of Kato and
    Temple, :math:`r^2/\delta` for a residual r and a distance :math:`\delta` to the next eigenvalue that
    is not within `rtol` of it, and 2k times the last change in k steps, more than remains at the
    edge of a dense spectrum. The interval is wider and certain: a Ritz value is never beyond the end
    of the spectrum, and some eigenvalue is within the residual of it. That it is the extreme one holds
    with probability one over the start, not for certain. Clustered eigenvalues are not told apart
    below `rtol`, nor is the multiplicity of one.

    Cost: `n_products` products and memory for as many vectors; without restarts.

    References
    ----------
    Parlett, The Symmetric Eigenvalue Problem (1998), sections 10.5 and 13.2.

    Examples
    --------
    >>> from takens.algorithms import Curvature, Loss
    >>> import jax.numpy as jnp
    >>> loss = Loss.of(lambda w: 0.5 * jnp.sum(jnp.arange(1.0, 101) * w**2), np.zeros(100))
    >>> found = curvature_spectrum(Curvature(loss, np.zeros(100)), n_trailing=1)
    >>> bool(found.leading[0].value > 99), bool(found.trailing[0].value < 2)
    (True, True)
    """
    _checked(system, n_leading, n_trailing, rtol, max_products)
    space, complete = converged(
        system, (n_leading, n_trailing), rtol, max_products, first_vector(system.dim, start, seed)
    )
    values, residuals, inner = space.ritz()
    counts = min(n_leading, len(values)), min(n_trailing, len(values))
    cautions = () if complete else (_unfinished(len(space)),)
    return CurvatureSpectrum(
        leading=tuple(_estimate(values[-1 - i], residuals[-1 - i], 1) for i in range(counts[0])),
        trailing=tuple(_estimate(values[i], residuals[i], -1) for i in range(counts[1])),
        residuals=_ends(residuals, counts),
        vectors=space.vectors(_ends(inner.T, counts).T),
        n_products=len(space),
        dim=system.dim,
        cautions=cautions,
    )


def converged(
    system: AbstractSymmetric,
    counts: tuple[int, int],
    rtol: float,
    max_products: int,
    start: np.ndarray,
) -> tuple[Krylov, bool]:
    """A Krylov space with that many converged values at its ends, and whether they are.

    Raises
    ------
    InvalidInput
        If a product is not finite.
    """

    def enough(space: Krylov) -> bool:
        if len(space) < sum(counts) + 1:
            return False
        return bool((_errors(space, counts, rtol) <= rtol * _size(space)).all())

    space = krylov(system, start, max_products, enough=enough)
    if not np.isfinite(space.diagonal).all():
        raise InvalidInput(
            "A product is not finite. The weights may have overflowed, or the loss has no second "
            "derivative there; try DifferenceCurvature."
        )
    whole = len(space) == system.dim or space.beside[-1] <= 1e-10 * _size(space)
    return space, bool(whole or enough(space))


def _size(space: Krylov) -> float:
    return max(float(np.abs(space.ritz()[0]).max()), 1e-300)


def _errors(space: Krylov, counts: tuple[int, int], rtol: float) -> np.ndarray:
    """Estimates of the errors at both ends; see `curvature_spectrum`."""
    values, residuals, _ = space.ritz()
    distance = np.abs(values[:, None] - values[None, :])
    gap = np.where(distance > rtol * _size(space), distance, np.inf).min(axis=1)
    temple = _ends(np.where(np.isfinite(gap), residuals**2 / gap, residuals), counts)
    before = values if len(space) == 1 else space.shorter().ritz()[0]
    moved = 2 * len(space) * np.abs(_ends(values, counts) - _ends(before, counts))
    return np.minimum(_ends(residuals, counts), np.maximum(temple, moved))


def first_vector(dim: int, start: Any, seed: int) -> np.ndarray:
    """A start of the process: the one given, or one at random."""
    if start is None:
        return np.random.default_rng(seed).normal(size=dim)
    vector = np.asarray(start, float)
    if vector.shape != (dim,) or not np.isfinite(vector).all() or not vector.any():
        raise InvalidInput(
            f"start has shape {vector.shape}; expected ({dim},), finite and not all zero."
        )
    return vector


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SpectralDensity(AbstractResult):
    """How the eigenvalues of a symmetric operator are distributed, smoothed.

    Parameters
    ----------
    values : array, shape (grid,)
    density, standard_error : array, shape (grid,)
        Share of eigenvalues per unit, and its error over the probes.
    trace : Estimate
        Sum of all eigenvalues.
    width : float
        Standard deviation of the smoothing kernel.
    n_products : int
    dim : int
    """

    values: np.ndarray
    density: np.ndarray
    standard_error: np.ndarray
    trace: Estimate
    width: float
    n_products: int
    dim: int

    def summary(self) -> str:
        """Trace, and the range that holds nearly all."""
        share = np.cumsum(self.density)
        share = share / share[-1]
        low, high = (float(self.values[np.searchsorted(share, q)]) for q in (0.005, 0.995))
        return (
            f"trace {self.trace}; 99 % of {self.dim} eigenvalues lie between {low:.3g} and {high:.3g}, "
            f"smoothed over {self.width:.2g} ({self.n_products} products)"
        )

    def plot(self, ax: Any = None) -> Any:
        """The density, on a logarithmic scale."""
        from takens import plot

        ax = plot.axes(ax)
        floor = 1e-3 / self.dim / self.width
        band = 2 * self.standard_error
        plot.line_with_band(
            ax, self.values, np.maximum(self.density, floor),
            np.maximum(self.density - band, floor), np.maximum(self.density + band, floor),
        )  # fmt: skip
        ax.set_yscale("log")
        return plot.labels(ax, "eigenvalue", "density")

    def to_xarray(self) -> xr.Dataset:
        """Density and error over the eigenvalue."""
        import xarray as xr

        return xr.Dataset(
            {
                "density": ("eigenvalue", self.density),
                "standard_error": ("eigenvalue", self.standard_error),
            },
            {"eigenvalue": self.values},
            attrs={"trace": self.trace.value, "width": self.width},
        )


def spectral_density(
    system: AbstractSymmetric,
    *,
    n_probes: int = 10,
    n_steps: int = 60,
    n_values: int = 400,
    seed: int = 0,
) -> SpectralDensity:
    r"""Density of all eigenvalues, by Lanczos quadrature from random probes.

    Each probe's tridiagonal matrix gives nodes :math:`\theta_j` and weights :math:`\tau_j^2`, with which
    :math:`v^\top f(A) v \approx \sum_j \tau_j^2 f(\theta_j)`; the density is that sum for a Gaussian f of
    the width of one part in `n_steps` of the range, and the trace that for f the identity.

    Parameters
    ----------
    system : AbstractSymmetric
    n_probes : int
        Random vectors of signs; at least two, from which the errors come.
    n_steps : int
        Products for each.
    n_values : int
        Of the grid.
    seed : int

    Returns
    -------
    SpectralDensity

    Raises
    ------
    WrongKind
        If `system` is no symmetric operator.
    InvalidInput
        If a setting is malformed.

    Notes
    -----
    A few outlying eigenvalues of a million are seen only as far as their share: take
    `curvature_spectrum` for the ends. Cost: ``n_probes * n_steps`` products and memory for `n_steps`
    vectors.

    References
    ----------
    Ubaru, Chen and Saad, SIAM J. Matrix Anal. Appl. 38, 1075 (2017). Hutchinson, Commun. Stat.
    Simul. Comput. 18, 1059 (1989), on the trace.

    Examples
    --------
    >>> from takens.algorithms import Curvature, Loss
    >>> import jax.numpy as jnp
    >>> loss = Loss.of(lambda w: 0.5 * jnp.sum(jnp.arange(1.0, 101) * w**2), np.zeros(100))
    >>> round(spectral_density(Curvature(loss, np.zeros(100))).trace.value)
    5050
    """
    _checked(system, 1, 0, 0.1, max(n_steps, 2))
    if n_probes < 2 or n_values < 2:
        raise InvalidInput(
            f"n_probes = {n_probes}, n_values = {n_values}; expected at least 2 each."
        )
    rng = np.random.default_rng(seed)
    nodes, shares = [], []
    for _ in range(n_probes):
        space = krylov(system, rng.choice([-1.0, 1.0], size=system.dim), n_steps)
        values, _, inner = space.ritz()
        nodes.append(values)
        shares.append(inner[0] ** 2)
    low, high = min(float(v[0]) for v in nodes), max(float(v[-1]) for v in nodes)
    width = max((high - low) / n_steps, 1e-12 * max(abs(low), abs(high), 1e-300))
    grid = np.linspace(low - 3 * width, high + 3 * width, n_values)
    each = np.array([
        (w * np.exp(-0.5 * ((grid[:, None] - v) / width) ** 2)).sum(axis=1)
        for v, w in zip(nodes, shares, strict=True)
    ]) / (width * np.sqrt(2 * np.pi))  # fmt: skip
    traces = system.dim * np.array([v @ w for v, w in zip(nodes, shares, strict=True)])
    return SpectralDensity(
        values=grid,
        density=each.mean(axis=0),
        standard_error=each.std(axis=0, ddof=1) / np.sqrt(n_probes),
        trace=mean_of_probes(traces),
        width=width,
        n_products=sum(len(v) for v in nodes),
        dim=system.dim,
    )


def mean_of_probes(values: np.ndarray, level: float = 0.9) -> Estimate:
    """The mean of independent draws with Student's interval."""
    from scipy.special import stdtrit

    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(stdtrit(len(values) - 1, 0.5 + level / 2)) * error
    mean = float(values.mean())
    return Estimate(
        value=mean, interval=(mean - half, mean + half), standard_error=error, level=level,
        method="random probes",
    )  # fmt: skip


def _checked(system: Any, n_leading: int, n_trailing: int, rtol: float, most: int) -> None:
    if not isinstance(system, AbstractSymmetric):
        raise WrongKind(
            f"{type(system).__name__} was given; expected a symmetric operator, such as "
            "`curvature_of(optimiser, state)` or `Curvature(loss, weights)`."
        )
    if n_leading < 0 or n_trailing < 0 or not 1 <= n_leading + n_trailing <= system.dim:
        raise InvalidInput(
            f"n_leading = {n_leading}, n_trailing = {n_trailing}; expected 1 to {system.dim} in all."
        )
    if not 0 < rtol < 1:
        raise InvalidInput(f"rtol = {rtol}; expected between 0 and 1.")
    if most < 2:
        raise InvalidInput(f"{most} products are allowed; expected at least 2.")


def _ends(array: np.ndarray, counts: tuple[int, int]) -> np.ndarray:
    """The last entries from the top down, then the first from the bottom up."""
    top = array[::-1][: counts[0]]
    return np.concatenate([top, array[: counts[1]]])


def _estimate(value: float, residual: float, side: int) -> Estimate:
    reach = (value, value + residual) if side > 0 else (value - residual, value)
    return Estimate(
        value=float(value),
        interval=(float(reach[0]), float(reach[1])),
        level=1.0,
        method="residual",
    )


def _unfinished(n_products: int) -> Finding:
    return Finding(
        code="products-ran-out",
        text=f"After {n_products} products the eigenvalues are not as accurate as asked for.",
        action="Raise max_products or rtol; the intervals hold as they are.",
    )
