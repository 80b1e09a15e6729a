"""Where the noise of batches holds stochastic gradients: their stationary covariance at a minimum."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.algorithms.limits import IndependentRuns, batch_share, example_gradients
from takens.algorithms.loss import Loss
from takens.algorithms.optimisers import StochasticGradient
from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, WrongKind

if TYPE_CHECKING:
    import xarray as xr

MOST = 30_000_000  # numbers in all examples' curvatures together
FLAT = 1e-10  # curvature over the greatest below which a direction is flat
LEVEL = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StationaryNoise(AbstractResult):
    r"""How far the noise of batches spreads the weights around a minimum.

    Parameters
    ----------
    curvatures : array, shape (mode,)
        Eigenvalues of the Hessian, from the top down.
    modes : array, shape (mode, weight)
    covariance : array, shape (weight, weight)
        Of the weights, noise in the curvature of batches included; NaN where there is none.
    variances : array, shape (mode,)
        Along the modes.
    additive, diffusion : array, shape (mode,)
        With the curvature of all batches alike, and in the limit of a diffusion.
    measured : array, shape (mode,)
        Of runs; NaN where none were made.
    measured_interval : array, shape (mode, 2)
    mean_square : Estimate
        Factor by which the second moment around the minimum changes in a step, in the long run:
        from one on, batches alone drive the weights away.
    excess_loss : Estimate
        Mean of the loss above its minimum, to the second order.
    level : float
    """

    curvatures: np.ndarray
    modes: np.ndarray
    covariance: np.ndarray
    variances: np.ndarray
    additive: np.ndarray
    diffusion: np.ndarray
    measured: np.ndarray
    measured_interval: np.ndarray
    mean_square: Estimate
    excess_loss: Estimate
    level: float

    def summary(self) -> str:
        """Stability in mean square, and the leading modes."""
        lines = [
            f"second moments change by {self.mean_square.value:.6g} a step; excess loss "
            f"{self.excess_loss.value:.4g}"
        ]
        for k in range(min(3, len(self.curvatures))):
            seen = ""
            if np.isfinite(self.measured[k]):
                low, high = self.measured_interval[k]
                seen = (
                    f", measured {self.measured[k]:.4g} ({self.level:.0%}: {low:.4g} to {high:.4g})"
                )
            lines.append(
                f"curvature {self.curvatures[k]:.4g}: variance {self.variances[k]:.4g} (additive noise "
                f"{self.additive[k]:.4g}, diffusion {self.diffusion[k]:.4g}){seen}"
            )
        return "\n".join([*lines, *map(str, self.cautions)])

    def plot(self, ax: Any = None) -> Any:
        """Variances over curvature, predicted and measured."""
        from takens import plot

        ax = plot.axes(ax)
        held = self.curvatures > 0
        x = self.curvatures[held]
        for values, name in ((self.variances, "steps"), (self.diffusion, "diffusion")):
            plot.line(ax, x, values[held], label=name)
        if np.isfinite(self.measured).any():
            reach = np.abs(self.measured_interval[held].T - self.measured[held])
            ax.errorbar(x, self.measured[held], reach, fmt="o", ms=3, color="0.2", label="runs")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.legend()
        return plot.labels(ax, "curvature", "stationary variance")

    def to_xarray(self) -> xr.Dataset:
        """Variances by mode, and the covariance."""
        import xarray as xr

        return xr.Dataset(
            {
                "curvature": ("mode", self.curvatures),
                "variance": ("mode", self.variances),
                "additive": ("mode", self.additive),
                "diffusion": ("mode", self.diffusion),
                "measured": ("mode", self.measured),
                "measured_interval": (("mode", "end"), self.measured_interval),
                "direction": (("mode", "weight"), self.modes),
                "covariance": (("weight", "weight_too"), self.covariance),
            },
            attrs={"mean_square": self.mean_square.value, "excess_loss": self.excess_loss.value},
        )


def stationary_noise(
    system: StochasticGradient,
    weights: Any,
    *,
    n_runs: int = 16,
    n_steps: int = 4_000,
    rtol: float = 1e-8,
) -> StationaryNoise:
    r"""The covariance that the noise of batches gives the weights around a minimum, beside that of runs.

    Near a minimum with curvature H and the examples' curvatures :math:`H_i`, the covariance of the weights
    obeys the discrete Lyapunov equation

    .. math:: S = (I - \eta H) S (I - \eta H) + \eta^2 f \Big[\frac1N\sum_i H_i S H_i - H S H + C\Big],
              \qquad f = \frac{N - B}{B(N - 1)},

    with C the covariance of the examples' gradients. Where all batches had the curvature H and noise along
    the modes were independent, a mode of curvature :math:`\lambda` would have the variance
    :math:`\eta f C / (\lambda (2 - \eta\lambda))`; the diffusion limit has :math:`\eta f C/(2\lambda)`,
    too little by :math:`1 - \eta\lambda/2`. The homogeneous part tells whether the minimum is stable in
    mean square at all, which needs smaller rates than :math:`2/\lambda`.

    Parameters
    ----------
    system : StochasticGradient
        Its loss is a mean over examples.
    weights : nested arrays
        As the loss takes them, at a minimum of the whole loss.
    n_runs, n_steps : int
        Runs from there, each with noise of its own, and their length; half is dropped as transient. No
        run is made for zero.
    rtol : float
        To which the equation is solved.

    Returns
    -------
    StationaryNoise
        With status NOT_APPLICABLE, and NaN for the covariance, where the minimum is not stable in
        mean square; with a caution where flat directions drift, where the gradient does not vanish
        against its noise, or where runs left the quadratic neighbourhood.

    Raises
    ------
    WrongKind
        If the system is no StochasticGradient.
    InvalidInput
        If the weights do not fit, the loss is no mean over examples, the point is no minimum, or there
        are too many weights for the curvature of every example.

    Notes
    -----
    Exact for quadratic losses; else it describes a neighbourhood in which they are as good as quadratic,
    and says nothing of other minima. Runs shorter than the slowest mode's memory
    :math:`1/(\eta\lambda)` have not come to rest there: the intervals, from the spread between runs, do
    not see that, and such modes have none. Cost: memory for N curvatures, ``N dim^2`` numbers; time
    ``N dim^3`` for each of some ten to hundred iterations, and ``n_runs * n_steps`` gradients of batches.

    References
    ----------
    Mandt, Hoffman and Blei, J. Mach. Learn. Res. 18, 134 (2017), on the diffusion. Wu, Ma and E, How SGD
    selects the global minima, NeurIPS (2018), and Mulayoff and Michaeli, arXiv:2306.07850 (2023), on
    stability in mean square.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> loss = Loss.of(lambda w, x: 0.5 * jnp.mean((w - x) ** 2), [0.0], jnp.array([-1.0, 1.0]))
    >>> found = stationary_noise(StochasticGradient(loss, 0.5, batch=1), [0.0], n_runs=0)
    >>> round(float(found.variances[0]), 6)  # eta / (2 - eta)
    0.333333
    """
    flat, slopes, curvature, parts = _at_minimum(system, weights)
    rate, share = float(system.learning_rate), batch_share(system)
    values, vectors = np.linalg.eigh(curvature)
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = vectors.T @ (np.cov(slopes.T, bias=True).reshape(curvature.shape)) @ vectors
    cautions = _looked_at(slopes, share)
    held = values > FLAT * values[0]
    if not held.all():
        drifts = bool((np.diag(noise)[~held] > 1e-12 * np.trace(noise)).any())
        text = f"{int((~held).sum())} directions are flat: " + (
            "noise along them is not held, and the weights drift there for ever."
            if drifts else "they have no noise, and stay as they began."
        )  # fmt: skip
        cautions.append(Finding("flat-directions", text, ""))
    turned = np.einsum("ka,nab,bl->nkl", vectors[:, held].T, parts, vectors[:, held], optimize=True)
    moments = _Moments(rate, share, values[held], turned)
    radius = moments.radius(rtol)
    full = np.full((len(values), len(values)), np.nan)
    if radius < 1:
        inner = moments.solved(noise[np.ix_(held, held)], rtol)
        full = np.zeros_like(full)
        full[np.ix_(held, held)] = inner
        if not held.all():
            full[~held] = full[:, ~held] = np.nan
    else:
        text = (
            "The minimum is not stable in mean square at this learning rate and batch: noise in the "
            "curvature of batches drives the weights away."
        )
        cautions.append(Finding("unstable-in-mean-square", text, ""))
    measured, interval = _measured(system, flat, vectors, values, n_runs, n_steps)
    diagonal = np.diag(noise) * rate * share
    with np.errstate(divide="ignore", invalid="ignore"):
        additive = np.where(
            held & (rate * values < 2), diagonal / (values * (2 - rate * values)), np.nan
        )
        diffusion = np.where(held, diagonal / (2 * values), np.nan)
    variances = np.diag(full).copy()
    outside = _outside(variances, interval)
    if outside:
        text = (
            f"Runs spread otherwise than the quadratic does along {outside} modes: the loss is not "
            "quadratic over this spread."
        )
        cautions.append(Finding("not-quadratic", text, ""))
    excess = 0.5 * float(np.nansum(values * variances)) if radius < 1 else np.nan
    return StationaryNoise(
        curvatures=values, modes=vectors.T, covariance=vectors @ full @ vectors.T, variances=variances,
        additive=additive, diffusion=diffusion, measured=measured, measured_interval=interval,
        mean_square=Estimate(value=radius, interval=(radius * (1 - rtol), radius * (1 + rtol)),
                             level=1.0, method="power iteration"),
        excess_loss=Estimate(value=excess, method="second order"), level=LEVEL,
        status=Status.OK if radius < 1 else Status.NOT_APPLICABLE, cautions=tuple(cautions),
    )  # fmt: skip


def _at_minimum(system: Any, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Flat weights, examples' gradients, the curvature and the examples' curvatures."""
    import jax

    if not isinstance(system, StochasticGradient):
        raise WrongKind(f"{type(system).__name__} was given; expected a StochasticGradient.")
    loss = system.loss
    flat = np.asarray(loss.shape.flat(weights), float)
    if not np.isfinite(flat).all():
        raise InvalidInput("The weights hold numbers that are not finite.")
    size = system.n_examples * loss.dim**2
    if size > MOST:
        raise InvalidInput(
            f"{system.n_examples} examples with {loss.dim} weights have {size:.2g} numbers of "
            f"curvature; at most {MOST:.2g} are held. Take fewer examples or weights."
        )

    def one(row: Any) -> Any:
        alone = jax.tree.map(lambda a: a[None], row)
        return jax.hessian(Loss(loss.function, loss.shape, alone))(flat)

    slopes = np.asarray(example_gradients(system, flat))
    whole, parts = np.asarray(jax.hessian(loss)(flat)), np.asarray(jax.vmap(one)(loss.data))
    if not (np.isfinite(parts).all() and np.isfinite(slopes).all()):
        raise InvalidInput("A gradient or a curvature there is not finite. Choose another point.")
    scale = float(np.abs(parts).max()) or 1.0
    if not np.allclose(parts.mean(axis=0), whole, rtol=1e-4, atol=1e-6 * scale):
        raise InvalidInput(
            "The loss is not the mean of its values over single examples. Take the mean, and leave out "
            "what joins examples, such as batch statistics."
        )
    values = np.linalg.eigvalsh(whole)
    if not values[-1] > 0 or values[0] < -1e-6 * values[-1]:
        raise InvalidInput(
            f"The curvature there goes from {values[0]:.3g} to {values[-1]:.3g}: no minimum. Train to "
            "the end first, with full gradients."
        )
    return flat, slopes, whole, parts


def _looked_at(slopes: np.ndarray, share: float) -> list[Finding]:
    pull = float(np.linalg.norm(slopes.mean(axis=0)))
    noise = float(np.sqrt(share * slopes.var(axis=0).sum()))
    if pull <= 0.01 * noise or pull <= 1e-8:
        return []
    text = (
        f"The gradient of the whole loss is {pull:.3g} there, its noise {noise:.3g}: no minimum yet. "
        "Train on with full gradients."
    )
    return [Finding("no-minimum", text, "")]


class _Moments:
    """The map of second moments around the minimum, in the modes of its curvature."""

    def __init__(self, rate: float, share: float, values: np.ndarray, parts: np.ndarray) -> None:
        self.rate, self.share, self.values, self.parts = rate, share, values, parts
        kept = 1 - rate * values
        self.held = kept[:, None] * kept  # of a mode pair, in a step with the mean curvature

    def batches(self, s: np.ndarray) -> np.ndarray:
        """What the batches' own curvatures add."""
        middle = np.einsum("nab,bc,ncd->ad", self.parts, s, self.parts, optimize=True)
        beside = middle / len(self.parts) - self.values[:, None] * s * self.values
        return np.asarray(self.rate**2 * self.share * beside)

    def radius(self, rtol: float) -> float:
        """Of the map: it keeps covariances, so that its largest eigenvalue is its radius."""
        s, last = np.eye(len(self.values)) / len(self.values), 0.0
        for _ in range(10_000):
            s = self.held * s + self.batches(s)
            size = float(np.trace(s))
            if not size > 0 or abs(size - last) <= 0.01 * rtol * size:
                return size
            s, last = s / size, size
        return last

    def solved(self, noise: np.ndarray, rtol: float) -> np.ndarray:
        """The stationary covariance: what the mean curvature gives, then what batches add, summed."""
        source = self.rate**2 * self.share * noise / (1 - self.held)
        s = source
        for _ in range(100_000):
            new = source + self.batches(s) / (1 - self.held)
            if np.abs(new - s).max() <= 0.01 * rtol * np.abs(new).max():
                return np.asarray(new)
            s = new
        return np.asarray(s)


def _measured(
    system: StochasticGradient,
    flat: np.ndarray,
    vectors: np.ndarray,
    values: np.ndarray,
    n_runs: int,
    n_steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Variances along the modes in runs, with intervals from their spread between runs."""
    from scipy import stats

    from takens.dynamics import trajectories

    found, reach = np.full(len(values), np.nan), np.full((len(values), 2), np.nan)
    if n_runs == 0:
        return found, reach
    if n_runs < 4 or n_steps < 100:
        raise InvalidInput(
            f"n_runs = {n_runs}, n_steps = {n_steps}; expected 4 and 100 at least, or no run."
        )
    runs = IndependentRuns(system)
    late = np.arange(n_steps // 2, n_steps)
    made = trajectories(runs, runs.starts(flat, n_runs), np.concatenate([[0], late]))
    states = np.asarray(made.states)[:, 1:, :-1] - flat
    squares = ((states @ vectors) ** 2).mean(axis=1)
    rested = np.isfinite(squares).all(axis=0)
    rested &= float(system.learning_rate) * values * n_steps / 2 > 5
    mean, error = squares.mean(axis=0), squares.std(axis=0, ddof=1) / np.sqrt(n_runs)
    width = stats.t.ppf(0.5 + LEVEL / 2, n_runs - 1) * error
    found[rested] = mean[rested]
    reach[rested] = np.stack([mean - width, mean + width], axis=1)[rested]
    return found, reach


def _outside(variances: np.ndarray, interval: np.ndarray) -> int:
    """Modes whose variance is far from the runs': beyond twice the width of their interval."""
    known = np.isfinite(variances) & np.isfinite(interval).all(axis=1)
    middle, half = interval.mean(axis=1), 0.5 * np.ptp(interval, axis=1)
    return int((np.abs(variances - middle)[known] > 3 * half[known]).sum())
