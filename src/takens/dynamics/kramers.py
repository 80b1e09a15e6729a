"""Rate of escape over a barrier under weak noise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, WrongKind
from takens.core.system import AbstractDiffusion
from takens.dynamics.door import a_diffusion, an_input, describe, state
from takens.dynamics.exit_time import solve
from takens.dynamics.line import PROBED_TIMES

if TYPE_CHECKING:
    import xarray as xr

HIGH_ENOUGH = 5.0  # barrier over noise, below which the formula is only an order of magnitude
TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class KramersRate(AbstractResult):
    """Escapes per time unit from a well over one saddle, for weak noise.

    Parameters
    ----------
    rate : float
        Eyring and Kramers' formula. Asymptotic: it has no interval, see `barrier_over_noise`.
    log_rate : float
        Its natural logarithm, finite where the rate is below the smallest float.
    exact : Estimate
        On a line: half the inverse of the mean time from the minimum to the barrier's top, by
        quadrature. NaN in more dimensions.
    barrier : float
        Height of the potential at the saddle over the minimum, in its units.
    noise_level : float
        Half the squared noise, the temperature of the potential.
    minimum, saddle : array, shape (dim,)
        As refined by Newton's method.
    minimum_rates, saddle_rates : array, shape (dim,)
        Eigenvalues of the Jacobian of the drift there, per time unit, ascending.
    profile : array, shape (position,)
        Potential along the straight line from minimum to saddle.
    """

    rate: float
    log_rate: float
    exact: Estimate
    barrier: float
    noise_level: float
    minimum: np.ndarray
    saddle: np.ndarray
    minimum_rates: np.ndarray
    saddle_rates: np.ndarray
    profile: np.ndarray

    @property
    def barrier_over_noise(self) -> float:
        """The formula's relative error is of the order of the inverse of this."""
        return self.barrier / self.noise_level

    def summary(self) -> str:
        """Rate by the formula and, on a line, exactly."""
        exact = f"; by quadrature {self.exact.value:.4g}" if self.exact.is_finite else ""
        return (
            f"Eyring-Kramers rate {self.rate:.4g} per time unit{exact}. The barrier is "
            f"{self.barrier_over_noise:.3g} times the noise level."
        )

    def plot(self, ax: Any = None) -> Any:
        """Potential along the line from minimum to saddle, with the noise level."""
        from takens import plot

        ax = plot.axes(ax)
        share = np.linspace(0, 1, len(self.profile))
        plot.line(ax, share, self.profile, color=plot.COLOURS[0], label="potential")
        ax.axhspan(0, self.noise_level, color=plot.COLOURS[1], alpha=0.2, lw=0, label="noise level")
        return plot.labels(ax, "way from minimum to saddle", "potential over the minimum")

    def to_xarray(self) -> xr.Dataset:
        """Both states, their rates and the potential between them."""
        import xarray as xr

        return xr.Dataset(
            {
                "state": (("point", "component"), np.stack([self.minimum, self.saddle])),
                "rates": (("point", "index"), np.stack([self.minimum_rates, self.saddle_rates])),
                "potential": ("way", self.profile),
            },
            {"point": ["minimum", "saddle"], "way": np.linspace(0, 1, len(self.profile))},
            attrs={"rate": self.rate, "exact": self.exact.value, "barrier": self.barrier},
        )


@eqx.filter_jit
def _look(system: Any, minimum: Any, saddle: Any, u: Any) -> Any:
    """Refined points, their Jacobians, and drift and noise on the line between them."""

    def field(x: Any) -> Any:
        return system.drift(0.0, x, u)

    def refine(x: Any) -> Any:
        def newton(_: int, x: Any) -> Any:
            return x - jnp.linalg.solve(jax.jacfwd(field)(x), field(x))

        return jax.lax.fori_loop(0, 20, newton, x)

    ends = jax.vmap(refine)(jnp.stack([minimum, saddle]))
    share = jnp.linspace(0, 1, 129)
    way = ends[0] + share[:, None] * (ends[1] - ends[0])
    return (ends, jax.vmap(jax.jacfwd(field))(ends), jax.vmap(field)(way),
            jax.vmap(lambda x: system.diffusion(0.0, x, u))(way),
            jax.vmap(jax.jacfwd(field))(way))  # fmt: skip


def kramers_rate(system: Any, minimum: Any, saddle: Any, *, u: Any = None) -> KramersRate:
    r"""Rate at which weak noise carries a gradient system from a minimum over a saddle.

    For :math:`dX = -\nabla V dt + \sigma dW` with :math:`\epsilon = \sigma^2 / 2`,

    .. math:: k = \frac{|\lambda_-|}{2 \pi}
        \sqrt{\frac{\det \nabla^2 V(\text{min})}{|\det \nabla^2 V(\text{saddle})|}}
        \; e^{-\Delta V / \epsilon},

    where :math:`\lambda_-` is the one negative curvature at the saddle. On a line this is Kramers'
    formula, and the exact rate by quadrature stands beside it.

    Parameters
    ----------
    system : AbstractDiffusion
        Its drift must be a gradient, and its noise the same in every state and direction.
    minimum, saddle : array, shape (dim,)
        Near a stable and a once unstable equilibrium of the drift; refined by Newton's method.
    u : array, shape (input,), optional
        A constant input.

    Returns
    -------
    KramersRate
        With a caution where the barrier is less than five times the noise level.

    Raises
    ------
    WrongKind
        If the system is deterministic or depends on time, its drift is no gradient, or its noise
        is not uniform.
    InvalidInput
        If the points are not a minimum and a saddle of the potential, on a line not next to each
        other, or there is no noise.

    Notes
    -----
    Cost: a few hundred evaluations of the Jacobian of the drift. The formula is the limit of
    weak noise, with a relative error of the order of noise over barrier. It does not check that
    this saddle is the gate of this minimum, nor that it is the lowest: with several gates the
    rates add.

    References
    ----------
    Kramers, Physica 7, 284 (1940); Hänggi, Talkner and Borkovec, Rev. Mod. Phys. 62, 251 (1990);
    Bovier, Eckhoff, Gayrard and Klein, J. Eur. Math. Soc. 6, 399 (2004), theorem 3.2.

    Examples
    --------
    >>> from takens.systems import NoisyDoubleWell
    >>> found = kramers_rate(NoisyDoubleWell(noise=0.3), [1.0], [0.0])
    >>> found.rate, found.exact.value
    (0.000870, 0.000800)
    """
    found, u = a_diffusion(system), an_input(system, u)
    points = state(found, minimum, "minimum"), state(found, saddle, "saddle")
    _autonomous(found, np.stack(points), u)
    ends, jacobians, drift, noise, along = (np.asarray(v) for v in _look(found, *points, u))
    level = _uniform(found, noise, along)
    rates = [np.linalg.eigvals(j) for j in jacobians]
    rates = [np.sort(r.real) for r in rates]
    moved = np.linalg.norm(ends - np.stack(points), axis=1)
    apart = np.linalg.norm(points[1] - points[0])
    good = (
        np.isfinite(ends).all()
        and (moved < 0.25 * apart).all()
        and rates[0][-1] < 0
        and np.sum(rates[1] > 0) == 1
        and not (rates[1] == 0).any()
    )
    if not good:
        raise InvalidInput(
            f"Newton's method leads from the points given to {ends.tolist()} with rates "
            f"{[r.tolist() for r in rates]}; expected an equilibrium with negative rates near the "
            "minimum and one with a single positive rate near the saddle. Find them with "
            "`fixed_points` of the drift."
        )
    profile = _potential(drift, ends[1] - ends[0])
    if found.dim == 1 and (drift[1:-1] @ (ends[1] - ends[0]) >= 0).any():
        raise InvalidInput(
            f"Between {ends[0, 0]:.6g} and {ends[1, 0]:.6g} the drift changes its direction: another "
            "equilibrium lies there, and paths are held up in it. Give the saddle next to the minimum."
        )
    barrier = float(profile[-1])
    determinants = np.prod(np.abs(rates[0])) / np.prod(np.abs(rates[1]))
    log_rate = float(np.log(rates[1][-1] / (2 * np.pi) * determinants**0.5) - barrier / level)
    exact = Estimate(value=np.nan)
    if found.dim == 1:
        exact = _exact(found, float(ends[0, 0]), float(ends[1, 0]), u)
    cautions = []
    if barrier < HIGH_ENOUGH * level:
        cautions.append(Finding(
            code="barrier-too-low",
            text=f"The barrier is only {barrier / level:.2g} times the noise level.",
            action="The formula is the limit of a high barrier; count exits with `escape_times`.",
        ))  # fmt: skip
    return KramersRate(
        rate=float(np.exp(log_rate)), log_rate=log_rate, exact=exact, barrier=barrier,
        noise_level=level, minimum=ends[0],
        saddle=ends[1], minimum_rates=rates[0], saddle_rates=rates[1], profile=profile,
        cautions=tuple(cautions),
        provenance=describe(found) | {"minimum": ends[0].tolist(), "saddle": ends[1].tolist()},
    )  # fmt: skip


@eqx.filter_jit
def _at_times(system: Any, times: Any, points: Any, u: Any) -> Any:
    def at(t: Any) -> Any:
        return jax.vmap(lambda x: (system.drift(t, x, u), system.diffusion(t, x, u)))(points)

    return jax.lax.map(at, times)


def _autonomous(system: AbstractDiffusion, points: np.ndarray, u: Any) -> None:
    """Nothing, if drift and noise are the same at all times, refused otherwise."""
    values = _at_times(system, np.array([0.0, *PROBED_TIMES]), points, u)
    if any(not np.array_equal(v, np.broadcast_to(v[:1], v.shape), equal_nan=True)
           for v in map(np.asarray, values)):  # fmt: skip
        raise WrongKind(
            f"{type(system).__name__} depends on time: its barrier goes up and down. Hold its "
            "forcing fixed, or count exits with `escape_times`."
        )


def _uniform(system: AbstractDiffusion, noise: np.ndarray, along: np.ndarray) -> float:
    """Half the squared noise of a gradient system with uniform noise, refused otherwise."""
    square = noise @ np.swapaxes(noise, 1, 2)
    level = float(square[0, 0, 0])
    if not square.any():
        raise InvalidInput(
            f"{type(system).__name__} has no noise, and without noise nothing escapes. Give it some."
        )
    if not np.allclose(square, level * np.eye(system.dim), rtol=TOLERANCE, atol=0) or level <= 0:
        raise WrongKind(
            f"The noise of {type(system).__name__} differs between states or directions; the "
            "formula needs the same in all. On a line, `mean_exit_time` is exact for any noise."
        )
    skew = np.abs(along - np.swapaxes(along, 1, 2)).max()
    if skew > TOLERANCE * np.abs(along).max():
        raise WrongKind(
            f"The drift of {type(system).__name__} is no gradient: its Jacobian is not symmetric. "
            "Count exits with `escape_times`."
        )
    return 0.5 * level


def _potential(drift: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Work against the drift along a straight line, from its values at equal steps."""
    from scipy.interpolate import CubicSpline

    share = np.linspace(0, 1, len(drift))
    force = CubicSpline(share, -drift @ way)
    return np.asarray([force.integrate(0, s) for s in share])


def _exact(system: AbstractDiffusion, minimum: float, saddle: float, u: Any) -> Estimate:
    """Half the inverse mean time to the top, from which half of the paths fall back."""
    upward = minimum < saddle
    low, high = (-np.inf, saddle) if upward else (saddle, np.inf)
    time = solve(system, minimum, low, high, (not upward, upward), u).mean
    low, high = (0.5 / t for t in time.interval[::-1])
    return Estimate(value=0.5 / time.value, interval=(low, high), level=time.level,
                    method=time.method)  # fmt: skip
