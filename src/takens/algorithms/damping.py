"""Whether a fixed-point iteration converges, and the damping with which it does so fastest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.algorithms.mixing import Acceleration, accelerate
from takens.core import AbstractResult, Estimate, Finding, Status, WrongKind, require
from takens.core.system import AbstractMap, parameter
from takens.dynamics.door import a_number, an_input, counts, describe, state
from takens.dynamics.fixed_points import autonomous

if TYPE_CHECKING:
    import xarray as xr

DENSE = 600  # components up to which all multipliers are found
PRODUCTS = 100  # with the Jacobian, beyond that
NEUTRAL = 1e-7  # from one, at which a multiplier is taken for a family of fixed points
FELL = 1e-3  # of the first step, to which that at a fixed point has fallen at least
SAME = 1e-4  # relative: runs that end so near have ended at one point
TRIED = (1.0, 0.5, 0.2, 0.05)  # dampings from which the fixed point is sought


class DampedMap(AbstractMap):
    r"""A map made less bold, :math:`x' = x + \alpha\,(F(x) - x)`, with the same fixed points.

    Parameters
    ----------
    system : AbstractMap
        The map F.
    damping : float
        The factor :math:`\alpha`; one is the map itself, more is over-relaxation.

    Notes
    -----
    A multiplier :math:`\mu` of F becomes :math:`1 - \alpha (1 - \mu)`. Cost: that of F.

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> DampedMap(LogisticMap(r=2.0), 0.5).step(0, jnp.array([0.25])).tolist()
    [0.3125]
    """

    system: AbstractMap
    damping: Array = parameter()

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the map."""
        return self.system.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """A part of the way to the image."""
        return x + self.damping * (self.system.step(n, x, u) - x)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DampingAdvice(AbstractResult):
    r"""A fixed point, its spectrum, and how it is reached.

    Parameters
    ----------
    point : array, shape (dim,)
        NaN where none was found.
    multipliers : complex array, shape (multiplier,)
        All of them, or Ritz values of a large map, the largest modulus first.
    rate : Estimate
        Of the plain iteration: the largest modulus.
    damping : float
        The factor at which the iteration converges fastest; NaN where no factor makes it converge.
    damped_rate : Estimate
        With that factor.
    largest_damping : float
        The least upper bound of factors with which it converges; zero where there is none.
    plain_steps, damped_steps : float
        Steps from the start until one is as small as `tol`, a damped one as small as its share of that,
        as they were run; infinite where they do not arrive at the point in time.
    acceleration : Acceleration or None
        The same by `accelerate`.
    tol : float
        Largest entry of a step at which the runs end, relative to the state's, or one.
    complete : bool
        Whether the multipliers are all there are.
    """

    point: np.ndarray
    multipliers: np.ndarray
    rate: Estimate
    damping: float
    damped_rate: Estimate
    largest_damping: float
    plain_steps: float
    damped_steps: float
    acceleration: Acceleration | None
    tol: float
    complete: bool

    @property
    def converges(self) -> bool | None:
        """Whether the plain iteration does so from nearby; None where the interval holds one."""
        low, high = self.rate.interval
        return True if high < 1 else (False if low > 1 else None)

    def rate_at(self, damping: float) -> float:
        """The rate of the iteration with another factor."""
        return _rate(damping, self.multipliers)

    def summary(self) -> str:
        """Whether it converges, the advice, and what the runs took."""
        if self.status is not Status.OK:
            return f"No fixed point: {self.status.value}"
        word = {True: "converges", False: "does not converge", None: "is undecided"}[self.converges]
        text = f"The plain iteration {word}: rate {self.rate} for each step ({_steps(self.plain_steps)})."
        if np.isnan(self.damping):
            text += " No positive damping converges: a multiplier has a real part of one or more."
        else:
            text += (
                f" Damping {self.damping:.4g}: rate {self.damped_rate} ({_steps(self.damped_steps)}); "
                f"it converges below {self.largest_damping:.4g}."
            )
        quick = self.acceleration
        if quick is not None and quick.status is Status.OK:
            other = "" if self.cautions or _same(self.point, quick.x) else ", to another point"
            text += f" Accelerated: {quick.n_evaluations} evaluations{other}."
        return text

    def plot(self, ax: Any = None) -> Any:
        """Multipliers before and after damping, and the unit circle."""
        from takens import plot

        ax = plot.axes(ax)
        turn = np.exp(2j * np.pi * np.linspace(0, 1, 201))
        plot.line(ax, turn.real, turn.imag, color="0.6")
        sets = [("plain", self.multipliers)]
        if np.isfinite(self.damping):
            sets.append((f"damping {self.damping:.3g}", 1 - self.damping * (1 - self.multipliers)))
        for i, (label, values) in enumerate(sets):
            plot.line(ax, values.real, values.imag, label=label, linestyle="none", marker="o",
                      markersize=3, color=plot.COLOURS[i])  # fmt: skip
        ax.set_aspect("equal")
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
        return plot.labels(ax, "real part", "imaginary part", "multipliers")

    def to_xarray(self) -> xr.Dataset:
        """Point and multipliers."""
        import xarray as xr

        return xr.Dataset(
            {
                "point": ("component", self.point),
                "multiplier_real": ("order", self.multipliers.real),
                "multiplier_imag": ("order", self.multipliers.imag),
            },
            attrs={
                "rate": self.rate.value,
                "damping": self.damping,
                "damped_rate": self.damped_rate.value,
                "largest_damping": self.largest_damping,
                "plain_steps": self.plain_steps,
                "damped_steps": self.damped_steps,
            },
        )


def damping_for(
    system: Any, x0: Any, *, u: Any = None, tol: float = 1e-10, max_steps: int = 10_000,
    throw: bool = True,
) -> DampingAdvice:  # fmt: skip
    r"""Whether :math:`x' = F(x)` converges to its fixed point, and the best damping :math:`\alpha` for it.

    The point is where the iteration ends from `x0`, damped where need be, else what `accelerate` finds,
    and is polished by Newton steps. With the multipliers :math:`\mu` of F there, the damped map has
    :math:`1 - \alpha(1 - \mu)`: the advice is :math:`\alpha = \arg\min \max_\mu |1 - \alpha(1 - \mu)|`, a
    convex problem in which only the hull of the spectrum counts.

    Parameters
    ----------
    system : AbstractMap
        Such as a deep-equilibrium layer, which is a recurrent network under a constant input (see
        `rnn_system`), EM or Sinkhorn's scaling; not dependent on time.
    x0 : array, shape (dim,)
        Start, in state units.
    u : array, shape (input,), optional
        A constant input.
    tol : float
        Largest entry of a step at which the runs end, relative to that of the state or one.
    max_steps : int
        Of each run.
    throw : bool
        Whether to raise when no fixed point is found.

    Returns
    -------
    DampingAdvice
        With status NOT_CONVERGED where no fixed point was found.

    Raises
    ------
    WrongKind
        If `system` is no map, or depends on time.
    InvalidInput
        If the start does not fit.
    NumericalFailure
        If no fixed point was found, and `throw`.

    Notes
    -----
    Rates are those near the fixed point, and of it alone: far away the iteration may do otherwise
    (which is why it is also run), and there may be other fixed points. A multiplier of one, as of
    Sinkhorn's potentials, belongs to a family of fixed points and is left out, with a caution.

    Cost: for up to 600 components a Jacobian (`dim` tangents) and its eigenvalues, ``25 * dim**3``;
    above, a hundred products with it by Arnoldi's process, which finds the outline of the spectrum
    before its inside; two runs of at most `max_steps` evaluations, and those of `accelerate`.

    References
    ----------
    Bai, Kolter and Koltun, Adv. Neural Inf. Process. Syst. 32 (2019), deep equilibrium models.

    Examples
    --------
    >>> from takens.algorithms import rnn_system
    >>> turn = rnn_system(1.5 * np.array([[0.0, 1.0], [-1.0, 0.0]]))
    >>> found = damping_for(turn, [0.1, 0.2])
    >>> found.converges, round(found.damping, 4), round(found.damped_rate.value, 4)
    (False, 0.3077, 0.8321)
    """
    if not isinstance(system, AbstractMap):
        raise WrongKind(f"{type(system).__name__} was given; expected a map, x' = F(x).")
    x = state(system, x0)
    u = an_input(system, u)
    counts(max_steps=max_steps)
    a_number(tol=tol)
    autonomous(system, x[None], u)
    point, error = _point(system, x, u, tol, max_steps)
    status = Status.OK if np.isfinite(point).all() else Status.NOT_CONVERGED
    require(status, throw=throw)
    provenance = describe(system) | {"x0": x.tolist(), "max_steps": max_steps}
    if status is not Status.OK:
        none = Estimate(value=np.nan)
        return DampingAdvice(
            point=point, multipliers=np.zeros(0, complex), rate=none, damping=np.nan, damped_rate=none,
            largest_damping=np.nan, plain_steps=np.inf, damped_steps=np.inf, acceleration=None, tol=tol,
            complete=False, status=status, provenance=provenance,
        )  # fmt: skip
    multipliers, blur = _spectrum(system, point, error, u)
    still = np.abs(multipliers - 1) <= NEUTRAL
    moving = multipliers[~still]
    damping, largest = _best(moving)
    plain, damped = (
        _arrival(point, *_run(system, x, u, a, tol, max_steps), family=bool(still.any()))
        for a in (1.0, damping)
    )
    return DampingAdvice(
        point=point, multipliers=moving, rate=_interval(1.0, moving, blur),
        damping=damping, damped_rate=_interval(damping, moving, blur), largest_damping=largest,
        plain_steps=plain, damped_steps=damped,
        acceleration=_accelerated(system, x, u, tol, max_steps), tol=tol,
        complete=system.dim <= DENSE, cautions=_cautions(int(still.sum())), provenance=provenance,
    )  # fmt: skip


@eqx.filter_jit
def _image(system: AbstractMap, x: Any, u: Any) -> Any:
    return system.step(0.0, x, u)


@eqx.filter_jit
def _jacobian(system: AbstractMap, x: Any, u: Any) -> Any:
    return jax.jacfwd(lambda s: system.step(0.0, s, u))(x)


@eqx.filter_jit
def _product(system: AbstractMap, x: Any, v: Any, u: Any) -> Any:
    return jax.jvp(lambda s: system.step(0.0, s, u), (x,), (v,))[1]


@eqx.filter_jit
def _steps_to(system: AbstractMap, x: Any, u: Any, tol: Any, most: Any) -> Any:
    def unfinished(carry: Any) -> Any:
        x, move, n = carry
        size = jnp.maximum(jnp.max(jnp.abs(x)), 1.0)
        return (n < most) & (move > tol * size)  # false for NaN

    def one(carry: Any) -> Any:
        x, _, n = carry
        new = system.step(0.0, x, u)
        return new, jnp.max(jnp.abs(new - x)), n + 1

    return jax.lax.while_loop(unfinished, one, (jnp.asarray(x), jnp.asarray(jnp.inf), 0))


def _run(
    system: AbstractMap, x: np.ndarray, u: Any, damping: float, tol: float, most: int
) -> tuple[np.ndarray, float]:
    """Where a run ends, and its steps until one was small; infinite where that did not happen in time."""
    if not np.isfinite(damping):
        return x, np.inf
    end, move, n = _steps_to(DampedMap(system, damping), x, u, tol * damping, most)
    size = max(float(np.abs(end).max()), 1.0)
    return np.asarray(end), float(n) if float(move) <= tol * damping * size else np.inf


def _accelerated(system: AbstractMap, x: np.ndarray, u: Any, tol: float, most: int) -> Acceleration:
    return accelerate(lambda s: _image(system, s, u), x, tol=tol, max_evaluations=most, throw=False)


def _point(
    system: AbstractMap, x: np.ndarray, u: Any, tol: float, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """The fixed point, and Newton's last correction of it; NaN where none was found.

    The one that the iteration itself reaches, damped if need be; else what `accelerate` finds.
    """
    for damping in TRIED:
        point, steps = _run(system, x, u, damping, min(tol, 1e-10), most)
        if np.isfinite(steps):
            break
    else:
        point = _accelerated(system, x, u, min(tol, 1e-10), most).x
    off = np.asarray(_image(system, point, u)) - point
    first = np.abs(np.asarray(_image(system, x, u)) - x).max()
    if not np.abs(off).max() <= max(FELL * first, tol):  # else it is small beside the state alone
        return np.full(len(x), np.nan), off
    if len(point) > DENSE:
        return point, off
    move = off
    for _ in range(3):
        matrix = np.eye(len(x)) - np.asarray(_jacobian(system, point, u))
        move = np.linalg.lstsq(matrix, off, rcond=1e-12)[0]
        if not np.abs(move).max() < 1e-3 * max(1.0, np.abs(point).max()):
            return point, off  # singular: there is nothing to polish
        point = point + move
        off = np.asarray(_image(system, point, u)) - point
    return point, move


def _same(point: np.ndarray, end: np.ndarray) -> bool:
    return bool(np.abs(end - point).max() <= SAME * max(1.0, float(np.abs(point).max())))


def _arrival(point: np.ndarray, end: np.ndarray, steps: float, *, family: bool) -> float:
    """Steps of a run that ended at this point, not at another; any of its family will do."""
    return steps if family or _same(point, end) else np.inf


def _spectrum(
    system: AbstractMap, point: np.ndarray, error: np.ndarray, u: Any
) -> tuple[np.ndarray, float]:
    """Multipliers, the largest first, and how far they may be off."""
    if len(point) <= DENSE:
        from scipy.linalg import eig

        matrix = np.asarray(_jacobian(system, point, u))
        values, left, right = eig(matrix, left=True)
        overlap = np.abs(np.einsum("ij,ij->j", left.conj(), right))
        change = np.linalg.norm(np.asarray(_jacobian(system, point + error, u)) - matrix, 2)
        change += np.finfo(float).eps * len(point) * np.linalg.norm(matrix, 2)
        # Bauer and Fike's first order, and the root of the change where a multiplier is defective.
        blur = min(change / max(float(overlap.min()), 1e-300), np.sqrt(change))
    else:
        values, blur = _ritz(system, point, u)
    return values[np.argsort(-np.abs(values), kind="stable")], float(blur)


def _ritz(system: AbstractMap, point: np.ndarray, u: Any) -> tuple[np.ndarray, float]:
    """Arnoldi's process: values whose hull fills that of the spectrum, and the residual of the largest."""
    n = len(point)
    basis = np.zeros((PRODUCTS + 1, n))
    small = np.zeros((PRODUCTS + 1, PRODUCTS))
    first = np.random.default_rng(0).normal(size=n)
    basis[0] = first / np.linalg.norm(first)
    for k in range(PRODUCTS):
        v = np.asarray(_product(system, point, basis[k], u))
        for _ in range(2):  # twice is enough (Giraud, Langou and Rozloznik, 2005)
            part = basis[: k + 1] @ v
            small[: k + 1, k] += part
            v = v - part @ basis[: k + 1]
        small[k + 1, k] = np.linalg.norm(v)
        if small[k + 1, k] < 1e-12 * np.abs(small).max():
            break
        basis[k + 1] = v / small[k + 1, k]
    values, vectors = np.linalg.eig(small[: k + 1, : k + 1])
    residuals = small[k + 1, k] * np.abs(vectors[-1])
    return values, float(residuals[np.abs(values).argmax()])


def _rate(damping: float, multipliers: np.ndarray) -> float:
    return float(np.abs(1 - damping * (1 - multipliers)).max(initial=0.0))


def _best(multipliers: np.ndarray) -> tuple[float, float]:
    """The factor of least rate, and the least upper bound of those that converge."""
    from scipy.optimize import minimize_scalar

    gaps = 1 - multipliers
    if not len(gaps):
        return 1.0, np.inf
    if gaps.real.min() <= 0:
        return np.nan, 0.0
    largest = float((2 * gaps.real / np.abs(gaps) ** 2).min())
    found = minimize_scalar(
        _rate,
        bounds=(0.0, largest),
        args=(multipliers,),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return float(found.x), largest


def _interval(damping: float, multipliers: np.ndarray, blur: float) -> Estimate:
    if not np.isfinite(damping):
        return Estimate(value=np.nan)
    value, reach = _rate(damping, multipliers), abs(damping) * blur
    return Estimate(
        value=value, interval=(max(value - reach, 0.0), value + reach), level=0.99,
        method="first-order bound of rounding and of the point's error",
    )  # fmt: skip


def _steps(count: float) -> str:
    return f"{count:.0f} steps" if np.isfinite(count) else "did not arrive"


def _cautions(n_still: int) -> tuple[Finding, ...]:
    if not n_still:
        return ()
    return (
        Finding(
            code="neutral-direction",
            text=f"{n_still} multiplier(s) of one were left out: fixed points seem to fill a family.",
            action="The rate is that of the others; where this is a fold instead, nothing is said of it.",
        ),
    )
