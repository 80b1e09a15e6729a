"""Drift and noise of a diffusion without a formula: conditional moments, extrapolated to step zero."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractEstimator, Finding, Fit, InvalidInput, NumericalFailure
from takens.learn.stochastic.coefficients import KramersMoyalCoefficients
from takens.learn.stochastic.local import Rates, bandwidth
from takens.learn.stochastic.pairs import Paths, memory, paths_of, refuse_coarse

if TYPE_CHECKING:
    from takens.learn.stochastic.systems import GridDiffusion

NODES = {1: 41, 2: 15}
FEWEST_VISITS = 10
FEWEST_EFFECTIVE = 40.0
COARSE = 0.8  # correlation of successive samples, below which a third order leaves more than 2 %


@dataclasses.dataclass(frozen=True, kw_only=True)
class KramersMoyal(AbstractEstimator["GridDiffusion"]):
    r"""Drift and squared noise as functions of one or two observed components.

    The first two Kramers-Moyal coefficients,

    .. math:: D_1(x) = \lim_{\tau \to 0} \frac{E[\Delta X \mid x]}{\tau}, \qquad
        b b^\top (x) = 2 D_2(x) = \lim_{\tau \to 0} \frac{E[\Delta X \Delta X^\top \mid x]}{\tau},

    by local quadratic regression on the start, with powers of the time step in the regression so
    that its constant is the limit: the error left by steps :math:`\tau, 2\tau, 3\tau` is of third
    order. Pairs are taken by the clock, so irregular times and missing samples are used as they are.
    The width of the kernel is the one that balances bias and variance of a local *line*; the
    quadratic then takes the bias out, and its own variance is the one reported.

    Parameters
    ----------
    lags : int
        Steps between samples that are used, 1 to this; also the order of the extrapolation.
    width : float, optional
        Half-width of the kernel for drift and noise, in standard deviations of the data; chosen
        when not given.
    level : float
        Nominal coverage of the pointwise intervals.

    Raises
    ------
    InvalidInput
        If there are more than two columns, fewer than 100 transitions, a constant column, or
        successive samples are not correlated: then the sampling is too coarse.
    NumericalFailure
        If no point of the grid was visited often enough.

    Notes
    -----
    `fit` gives a `GridDiffusion`, which is NaN outside the region of support, and the table in
    ``diagnostics["law"]``. Cost: one small least-squares problem for each node of the grid (41, or
    15 by 15) over the pairs under the kernel. It does not establish that the data *are* a diffusion:
    ask `jump_test`, `noise_decision` and `transition_check`. Sensor noise appears as a noise that
    grows as the step shrinks, and is not corrected here.

    References
    ----------
    Siegert, Friedrich and Peinke, Phys. Lett. A 243, 275 (1998); Lamouroux and Lehnertz, Phys. Lett. A
    373, 3507 (2009), for kernels; Gottschall and Peinke, New J. Phys. 10, 083034 (2008), eq. 9, for
    finite steps; Calonico, Cattaneo and Farrell, J. Am. Stat. Assoc. 113, 767 (2018), for the
    order above that of the width.

    Examples
    --------
    >>> rng, x = np.random.default_rng(0), [0.0]
    >>> for kick in 0.43 * rng.normal(size=4000):  # dX = -X dt + dW, seen every 0.2
    ...     x.append(np.exp(-0.2) * x[-1] + kick)
    >>> from takens.core import Trajectory
    >>> path = Trajectory(times=0.2 * np.arange(4001), states=np.array(x)[:, None])
    >>> law = KramersMoyal().fit(path).diagnostics["law"]
    >>> bool(abs(np.interp(0.5, law.axes[0], law.drift[:, 0]) + 0.5) < 0.3)
    True
    """

    lags: int = 3
    width: float | None = None
    level: float = 0.95
    references = ("siegert1998analysis", "lamouroux2009kernel")

    def __post_init__(self) -> None:
        if not isinstance(self.lags, int) or not 1 <= self.lags <= 5:
            raise InvalidInput(f"lags = {self.lags!r}; expected a whole number from 1 to 5.")
        if self.width is not None and not (np.isfinite(self.width) and self.width > 0):
            raise InvalidInput(f"width = {self.width!r}; expected a positive number.")
        if not 0 < self.level < 1:
            raise InvalidInput(f"level = {self.level!r}; expected a share between 0 and 1.")

    def fit(self, data: Any, *, seed: int = 0) -> Fit[GridDiffusion]:
        """Drift and noise from `data`; nothing is drawn, so `seed` changes nothing."""
        paths = paths_of(data, (1, 2))
        refuse_coarse(paths)
        law = self._law(paths)
        return Fit(
            model=_system(law, paths),
            diagnostics={"law": law},
            cautions=law.cautions,
        )

    def _law(self, paths: Paths) -> KramersMoyalCoefficients:
        dim, values = paths.dim, paths.values
        centre, scale = values.mean(axis=0), values.std(axis=0)
        moves, squares = _rates(paths, self.lags, centre, scale)
        first = paths.transitions()
        x, tau = (first.start - centre) / scale, first.dt / paths.dt
        step = (first.end - first.start) / scale
        single, double = step / tau[:, None], squares.y[: len(first)]
        widths = tuple(
            self.width or bandwidth(x, y, w)
            for y, w in ((single, tau), (double, np.ones_like(tau)))
        )
        low, high = np.quantile(x, [0.002, 0.998], axis=0)
        axes = [np.linspace(a, b, NODES[dim]) for a, b in zip(low, high, strict=True)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dim)
        table = [_point(p, moves, squares, widths) for p in points]
        shape = (NODES[dim],) * dim
        drift, drift_error, noise, noise_error, effective, visits = (
            np.array(column).reshape(*shape, *np.shape(column[0]))
            for column in zip(*table, strict=True)
        )
        if not np.isfinite(drift).any():
            raise NumericalFailure(
                f"No point was visited {FEWEST_VISITS} times with an effective sample of "
                f"{FEWEST_EFFECTIVE:g}. Give a longer record or a larger `width`."
            )
        size = scale / paths.dt
        area = np.outer(scale, scale) / paths.dt
        return KramersMoyalCoefficients(
            names=paths.names, units=paths.units, time_unit=paths.time_unit,
            axes=tuple(c + s * a for c, s, a in zip(centre, scale, axes, strict=True)),
            drift=drift * size, drift_error=drift_error * size,
            squared_noise=noise * area, squared_noise_error=noise_error * area,
            effective=effective, visits=visits.astype(int),
            widths=np.array([w * scale for w in widths]), level=self.level, dt=paths.dt,
            cautions=(*paths.findings, *_cautions(paths, self.lags)),
            provenance={"lags": self.lags, "n_transitions": len(first)},
        )  # fmt: skip


def _rates(paths: Paths, lags: int, centre: np.ndarray, scale: np.ndarray) -> tuple[Rates, Rates]:
    """Rates of the state and of its products, over all lags, the shortest first."""
    dim = paths.dim
    upper = [(i, j) for i in range(dim) for j in range(i, dim)]
    pairs = [paths.transitions(lag) for lag in range(1, lags + 1)]
    x = (np.concatenate([p.start for p in pairs]) - centre) / scale
    move = np.concatenate([p.end - p.start for p in pairs]) / scale
    tau = np.concatenate([p.dt for p in pairs])[:, None] / paths.dt
    origin = np.concatenate([p.origin for p in pairs])
    products = np.stack([move[:, i] * move[:, j] for i, j in upper], axis=1)
    flat = tau[:, 0]
    even = np.ones_like(flat)
    order = lags if lags > 1 or np.ptp(flat) > 0.5 else 1
    return (
        Rates(x=x, tau=flat, y=move / tau, weight=flat, origin=origin, order=order),
        Rates(x=x, tau=flat, y=products / tau, weight=even, origin=origin, order=order),
    )


def _point(
    point: np.ndarray, moves: Rates, squares: Rates, widths: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float, int]:
    """Drift, noise, their errors, effective sample and visits at one node; NaN off the support."""
    dim = len(point)
    drift, drift_cov, effective, visits = moves.at(point, widths[0])
    flat, flat_cov, other, other_visits = squares.at(point, widths[1])
    effective, visits = min(effective, other), min(visits, other_visits)
    with np.errstate(invalid="ignore"):
        drift_error, flat_error = np.sqrt(np.diag(drift_cov)), np.sqrt(np.diag(flat_cov))
    noise, noise_error = np.empty((dim, dim)), np.empty((dim, dim))
    noise[np.triu_indices(dim)], noise_error[np.triu_indices(dim)] = flat, flat_error
    noise, noise_error = (np.triu(a) + np.triu(a, 1).T for a in (noise, noise_error))
    supported = effective >= FEWEST_EFFECTIVE and visits >= FEWEST_VISITS
    if not (supported and np.isfinite(noise).all() and np.linalg.eigvalsh(noise)[0] > 0):
        gone = np.nan
        return drift * gone, drift_error * gone, noise * gone, noise_error * gone, effective, visits
    return drift, drift_error, noise, noise_error, effective, visits


def _cautions(paths: Paths, lags: int) -> list[Finding]:
    found = float(memory(paths).min())
    if found > COARSE:
        return []
    return [Finding(
        code="coarse-sampling",
        text=f"Successive samples have a correlation of only {found:.2f}.",
        action=f"The limit of step zero is extrapolated from afar with {lags} lags; a bias of more "
        "than 2 % may remain. Sample faster, or fit a `DiffusionLaw`, which is exact at any step.",
    )]  # fmt: skip


def _system(law: KramersMoyalCoefficients, paths: Paths) -> GridDiffusion:
    from takens.core.integrators import EulerMaruyama
    from takens.learn.stochastic.systems import GridDiffusion

    known = law.supported
    values, vectors = np.linalg.eigh(np.where(known[..., None, None], law.squared_noise, 0.0))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    drift = np.where(known[..., None], law.drift, 0.0)
    nearest = _nearest(known)
    return GridDiffusion(
        low=np.array([a[0] for a in law.axes]),
        spacing=np.array([a[1] - a[0] for a in law.axes]),
        drift_values=drift[nearest],
        noise_values=root[nearest],
        known=known.astype(float),
        names=paths.names,
        integrator=EulerMaruyama(paths.dt / 5),
    )


def _nearest(known: np.ndarray) -> tuple[np.ndarray, ...]:
    """Index of the nearest known node of each node, for the stencil at the rim."""
    from scipy.ndimage import distance_transform_edt

    index = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return tuple(np.asarray(index))
