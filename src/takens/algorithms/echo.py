"""Whether a driven network forgets its past: conditional exponents, orbits that meet, and bounds."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.algorithms.cells import ElmanCell
from takens.algorithms.drives import RandomDrive, SequenceDrive
from takens.algorithms.networks import RecurrentNetwork
from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, WrongKind, require
from takens.dynamics.door import block_estimate, counts, describe, fraction, half_width, states
from takens.dynamics.lyapunov import first_frame, how_many, stretch

if TYPE_CHECKING:
    import xarray as xr

BLOCKS = 500  # pieces of every orbit
MET = 1e-6  # separation at which orbits count as one
EXPANSIVE_FREE = (jnp.tanh, jax.nn.relu)  # activations that move no two numbers apart
LARGEST_SCALED = 1000  # units up to which the scaled norm is looked for


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EchoState(AbstractResult):
    r"""Whether a driven network forgets where it began.

    Parameters
    ----------
    verdict : str
        ``"echo state"``: the largest exponent is below zero at `level` and all orbits met.
        ``"no echo state"``: it is above zero. ``"several responses"``: it is below zero and orbits
        stay apart. ``"undetermined"`` else.
    exponents : tuple of Estimate
        Conditional Lyapunov exponents along the input, per step, the largest first.
    realisations : array, shape (realisation, exponent)
        By independent inputs; one row where the input is given.
    steps : array of int, shape (piece,)
    separations : array, shape (realisation, piece)
        Largest distance between orbits of different starts under the same input after `steps`, over
        that at the start, or over the size of the state where that is larger.
    spectral_radius : float
        Of the recurrent matrix; NaN, as the next two, for other than plain networks of tanh or ReLU.
    norm : float
        Its largest singular value. Below one every input is forgotten (Jaeger).
    scaled_norm : float
        The least that a diagonal scaling was found to make of it. Below one every input is forgotten
        (Buehner and Young).
    """

    verdict: str
    exponents: tuple[Estimate, ...]
    realisations: np.ndarray
    steps: np.ndarray
    separations: np.ndarray
    spectral_radius: float
    norm: float
    scaled_norm: float

    def summary(self) -> str:
        """Verdict, largest exponent, how far orbits are apart, and the bounds."""
        if self.status is not Status.OK:
            return f"No verdict on the echo state: {self.status.value}"
        text = (
            f"{self.verdict}: largest conditional exponent {self.exponents[0]} for each step, over "
            f"{len(self.realisations)} input(s); after {self.steps[-1]} steps orbits of different starts "
            f"are at most {self.separations[:, -1].max():.2g} as far apart as the starts."
        )
        if np.isfinite(self.norm):
            sure = min(self.norm, self.scaled_norm) < 1
            text += (
                f" Whatever the input: spectral radius {self.spectral_radius:.4g}, norm {self.norm:.4g}, "
                f"scaled {self.scaled_norm:.4g}: {'forgotten' if sure else 'not settled'}."
            )
        return text

    def plot(self, ax: Any = None) -> Any:
        """Separation of the orbits of each input over steps, with the slope of the exponent."""
        from takens import plot

        ax = plot.axes(ax)
        for row in self.separations:
            plot.line(ax, self.steps, np.maximum(row, 1e-17), color=plot.COLOURS[0], alpha=0.6)
        largest = self.exponents[0].value
        if np.isfinite(largest):
            due = largest * self.steps
            seen = np.abs(due) < 36  # rounding, or as large as the states themselves
            plot.line(
                ax,
                self.steps[seen],
                np.exp(due[seen]),
                color="0.3",
                linestyle="--",
                label="exponent",
            )
            ax.legend()
        ax.set_yscale("log")
        return plot.labels(ax, "steps under the same input", "separation of orbits", self.verdict)

    def to_xarray(self) -> xr.Dataset:
        """Exponents of every input, and separations."""
        import xarray as xr

        return xr.Dataset(
            {
                "exponent": (("realisation", "order"), self.realisations),
                "interval": (("order", "end"), np.array([e.interval for e in self.exponents])),
                "separation": (("realisation", "step"), self.separations),
            },
            {"step": self.steps, "end": ["low", "high"]},
            attrs={
                "verdict": self.verdict,
                "spectral_radius": self.spectral_radius,
                "norm": self.norm,
                "scaled_norm": self.scaled_norm,
            },
        )


@eqx.filter_jit
def _driven(system: RecurrentNetwork, seeds: Any, starts: Any, frame: Any, size: Any) -> Any:
    """Growth (realisation, piece, vector) and separation (realisation, piece) along driven orbits."""

    def realisation(seed: Any, x: Any) -> Any:
        own, apart0 = system, jnp.max(jnp.abs(x[1:] - x[0]))
        if isinstance(system.drive, RandomDrive):
            own = eqx.tree_at(lambda s: s.drive.seed, system, seed)

        def piece(carry: Any, index: Any) -> Any:
            first, rest, vectors = carry
            n = index * size
            first, vectors, growth, _ = stretch(own, first, vectors, n, size, None)

            def one(i: Any, others: Any) -> Any:
                return jax.vmap(lambda s: own.step(n + i, s))(others)

            rest = jax.lax.fori_loop(0, size, one, rest)
            scale = jnp.maximum(apart0, jnp.max(jnp.abs(first)))
            apart = jnp.max(jnp.abs(rest - first)) / scale
            fine = jnp.all(jnp.isfinite(first)) & jnp.all(jnp.isfinite(rest))
            return (first, rest, vectors), (growth, jnp.where(fine, apart, jnp.nan))

        return jax.lax.scan(piece, (x[0], x[1:], frame), jnp.arange(float(BLOCKS)))[1]

    return jax.vmap(realisation)(seeds, starts)


def echo_state(
    system: Any,
    x0: Any = None,
    *,
    n_steps: int = 2000,
    n_transient: int = 500,
    n_realisations: int = 12,
    n_starts: int = 6,
    n_exponents: int = 1,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> EchoState:
    r"""Whether a network, driven as it is, forgets its initial state.

    For independent realisations of the input, orbits from several starts are driven alike, one of them
    with tangent vectors: :math:`\lambda_1 = \lim \frac1n \ln |DF_{u_n} \cdots DF_{u_1}|` is the largest
    conditional exponent, below zero where neighbouring states meet under the same input.

    Parameters
    ----------
    system : RecurrentNetwork
        With its drive: drawn inputs are drawn anew for each realisation; under a record or a constant
        there is one realisation.
    x0 : array, shape (sample, dim), optional
        Starts, at least two, the same for all realisations; normal ones when not given.
    n_steps, n_transient : int
        Over which exponents are taken, and that pass before.
    n_realisations : int
        Of drawn inputs; at least three.
    n_starts : int
        Where `x0` is not given; at least two.
    n_exponents : int
        How many of the largest.
    level : float
        Of the intervals: t intervals over realisations, or over 400 or more pieces of the one orbit.
    seed : int
        Of starts, tangent vectors and realisations.
    throw : bool
        Whether to raise when an orbit is lost.

    Returns
    -------
    EchoState
        With status DIVERGED where an orbit is lost.

    Raises
    ------
    WrongKind
        If `system` is no recurrent network.
    InvalidInput
        If a record of inputs is shorter than the run, which would count its inputs twice, or a number
        is out of range.
    NumericalFailure
        If an orbit becomes non-finite, and `throw`.

    Notes
    -----
    What it establishes: along inputs of this kind neighbouring states meet, with an interval, and the
    starts that were tried did. What it does not: that every start meets, that every input is
    forgotten (only the norms below one say that), that inputs of another size or kind are, or that the
    memory is of any use. An exponent below zero allows several responses, each stable.

    Cost: ``n_realisations * (n_transient + n_steps) * (n_starts + n_exponents)`` steps.

    References
    ----------
    Jaeger, GMD Report 148 (2001), the property and the norm; Buehner and Young, IEEE Trans. Neural
    Netw. 17, 820 (2006), the scaled norm; Manjunath and Jaeger, Neural Computation 25, 671 (2013), that
    it belongs to an input.

    Examples
    --------
    >>> from takens.algorithms import rnn_system
    >>> network = rnn_system({"weight_hh": np.eye(2) / 2, "weight_ih": np.eye(2)},
    ...                      inputs=lambda key: jax.random.normal(key, (2,)))
    >>> echo_state(network, n_steps=500).verdict
    'echo state'
    """
    if not isinstance(system, RecurrentNetwork):
        raise WrongKind(
            f"{type(system).__name__} was given; expected a recurrent network. Make one with `rnn_system`."
        )
    counts(n_steps=n_steps, n_transient=n_transient, n_starts=n_starts, seed=seed,
           n_realisations=n_realisations)  # fmt: skip
    fraction(level=level)
    k = how_many(system, n_exponents)
    drawn = isinstance(system.drive, RandomDrive)
    total = n_steps + n_transient
    size = max(1, -(-total // BLOCKS))
    _enough(system, size * BLOCKS, n_realisations if drawn else 3)
    rng = np.random.default_rng(seed)
    starts = _starts(system, x0, n_starts, n_realisations if drawn else 1, rng)
    seeds = rng.integers(0, 2**31, len(starts))
    growth, apart = (
        np.asarray(a)
        for a in _driven(system, seeds, starts, first_frame(k, system.dim, seed), size)
    )
    first = round(BLOCKS * n_transient / total)
    status = Status.OK if np.isfinite(apart).all() else Status.DIVERGED
    require(status, throw=throw)
    pieces = growth[:, first:] / size
    exponents = tuple(_exponent(pieces[..., i], level) for i in range(k))
    if status is not Status.OK:
        exponents = (Estimate(value=np.nan),) * k
    radius, norm, scaled = _bounds(system)
    return EchoState(
        verdict=_verdict(exponents[0], apart, size * BLOCKS), exponents=exponents,
        realisations=pieces.mean(axis=1), steps=size * np.arange(1, BLOCKS + 1), separations=apart,
        spectral_radius=radius, norm=norm, scaled_norm=scaled, status=status,
        cautions=_cautions(exponents[0]),
        provenance=describe(system) | {"n_steps": n_steps, "n_transient": n_transient, "seed": seed,
                                       "n_starts": starts.shape[1]},
    )  # fmt: skip


def _enough(system: RecurrentNetwork, steps: int, realisations: int) -> None:
    if realisations < 3:
        raise InvalidInput(f"n_realisations = {realisations}; an interval needs three or more.")
    if isinstance(system.drive, SequenceDrive) and len(system.drive.values) < steps:
        raise InvalidInput(
            f"The record holds {len(system.drive.values)} inputs for a run of {steps}, which would count "
            "some twice. Shorten n_steps or n_transient, or give a longer record."
        )


def _starts(
    system: RecurrentNetwork, x0: Any, n_starts: int, n_inputs: int, rng: np.random.Generator
) -> np.ndarray:
    """Shape (realisation, start, dim)."""
    if x0 is not None:
        given = states(system, x0)
        n_starts = len(given)
        made = np.tile(given, (n_inputs, 1, 1))
    else:
        made = rng.normal(size=(n_inputs, n_starts, system.dim))
    if n_starts < 2 or np.ptp(made, axis=1).max() == 0:
        raise InvalidInput("Whether orbits meet needs two or more different starts. Give more.")
    return made


def _exponent(pieces: np.ndarray, level: float) -> Estimate:
    """From pieces (realisation, piece): over realisations, or over pieces where there is one."""
    if np.isneginf(pieces).any():
        return Estimate(value=-np.inf, interval=(-np.inf, -np.inf), level=level,
                        method="a step forgets all")  # fmt: skip
    if len(pieces) == 1:
        return block_estimate(pieces[0], level=level)
    values = pieces.mean(axis=1)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    reach = half_width(error, len(values) - 1, level)
    middle = float(values.mean())
    return Estimate(
        value=middle, interval=(middle - reach, middle + reach), standard_error=error, level=level,
        method=f"t interval over {len(values)} realisations of the input",
    )  # fmt: skip


def _verdict(largest: Estimate, apart: np.ndarray, steps: int) -> str:
    low, high = largest.interval
    if low > 0:
        return "no echo state"
    if not high < 0:
        return "undetermined"
    # Where the exponent is so small that orbits have not met yet, it says how near they should be.
    due = min(1e-2, 100 * float(np.exp(max(largest.value * steps, -700.0))))
    together = apart[:, -1].max() <= max(MET, due)
    return "echo state" if together else "several responses"


def _cautions(largest: Estimate) -> tuple[Finding, ...]:
    if not np.isneginf(largest.value):
        return ()
    return (
        Finding(
            code="direction-forgotten",
            text="Some step forgets the state altogether, as where all units are cut off.",
            action="The exponent is minus infinity; look whether the network answers its input at all.",
        ),
    )


def _bounds(system: RecurrentNetwork) -> tuple[float, float, float]:
    """Spectral radius, norm and least scaled norm found of the recurrent matrix."""
    cell = system.cell
    if not (isinstance(cell, ElmanCell) and cell.activation in EXPANSIVE_FREE):
        return np.nan, np.nan, np.nan
    matrix = np.asarray(cell.recurrent)
    radius = float(np.abs(np.linalg.eigvals(matrix)).max())
    norm = float(np.linalg.norm(matrix, 2))
    if len(matrix) > LARGEST_SCALED or radius >= 1 or norm < 1:
        return radius, norm, norm  # no scaling comes below the spectral radius
    return radius, norm, min(norm, _scaled(matrix))


def _scaled(matrix: np.ndarray) -> float:
    r"""The least of :math:`|D W D^{-1}|_2` that was found; convex in log D (Sezginer and Overton, 1990)."""
    from scipy.optimize import minimize

    def value(logs: np.ndarray) -> tuple[float, np.ndarray]:
        left, sizes, right = np.linalg.svd(np.exp(logs)[:, None] * matrix * np.exp(-logs))
        return float(sizes[0]), sizes[0] * (left[:, 0] ** 2 - right[0] ** 2)

    found = minimize(
        value, np.zeros(len(matrix)), jac=True, method="L-BFGS-B", options={"maxiter": 60}
    )
    scaling = np.exp(found.x)
    return float(np.linalg.norm(scaling[:, None] * matrix / scaling, 2))
