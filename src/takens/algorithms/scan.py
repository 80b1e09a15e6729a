"""What training comes to over the learning rate: convergence, cycles, chaos, divergence."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.algorithms.from_libraries import OptaxMap
from takens.algorithms.optimisers import AbstractOptimiser
from takens.algorithms.torch_step import TorchStep
from takens.core import AbstractResult, Estimate, Finding, InvalidInput, TakensError, WrongKind
from takens.core.system import AbstractMap

if TYPE_CHECKING:
    import xarray as xr

RECORDED = 16  # components that are looked at, where there are more
MAX_PERIOD = 64
SMALL = 32  # dimension up to which doublings are solved for and not only bracketed
KINDS = ("converges", "cycles", "chaotic", "unsettled", "diverges")
SOLVED = "multiplier -1 of the cycle"
FEIGENBAUM = 4.669201609
WIDER = 1.5  # growth of a chaotic attractor between neighbours that is a crisis
CONVERGES, CYCLES, CHAOTIC, UNSETTLED, DIVERGES = range(5)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LearningRateScan(AbstractResult):
    """The fate of training over the learning rate.

    Parameters
    ----------
    rates : array, shape (rate,)
        All that were run, rising.
    kinds : array of int, shape (rate,)
        Places in `KINDS`: converges, cycles, chaotic, unsettled, diverges.
    periods : array, shape (rate,)
        Of the cycle; zero where there is none, NaN where the run diverged.
    exponents, standard_error : array, shape (rate,)
        Largest Lyapunov exponent, per step.
    states : array, shape (rate, step, component)
        After the transient, of the components that were looked at; NaN where the run diverged.
    components : tuple of str
        Weights of an optimiser, or of the state of another map.
    largest_stable : Estimate
        Rate up to which every run converged.
    flips : tuple of Estimate
        Where cycles double, the first being that of the fixed point.
    chaos_onset, divergence : Estimate
        First rate with a positive exponent; rate from which every run diverges. NaN where neither
        was met.
    crises : tuple of Estimate
        Where chaos suddenly fills half as much space again, as when bands of two minima merge.
    """

    rates: np.ndarray
    kinds: np.ndarray
    periods: np.ndarray
    exponents: np.ndarray
    standard_error: np.ndarray
    states: np.ndarray
    components: tuple[str, ...]
    largest_stable: Estimate
    flips: tuple[Estimate, ...]
    chaos_onset: Estimate
    divergence: Estimate
    crises: tuple[Estimate, ...] = ()

    def summary(self) -> str:
        """The thresholds."""
        lines = [
            f"{len(self.rates)} learning rates from {self.rates[0]:.4g} to {self.rates[-1]:.4g}"
        ]
        for name, found in (
            ("largest stable", self.largest_stable),
            ("chaos from", self.chaos_onset),
            ("divergence from", self.divergence),
        ):
            lines.append(f"{name}: {found if found.is_finite else 'not met'}")
        if self.flips:
            lines.insert(2, "cycles double at " + ", ".join(f"{f.value:.8g}" for f in self.flips))
        if self.crises:
            lines.append("chaos widens at " + ", ".join(str(c) for c in self.crises))
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """The orbit diagram: recorded states over the learning rate."""
        from takens import plot

        ax = plot.axes(ax)
        x = np.repeat(self.rates, self.states.shape[1])
        y = self.states[:, :, 0].ravel()
        seen = np.isfinite(y)
        ax.plot(x[seen], y[seen], "o", ms=1, mew=0, alpha=0.6, rasterized=True)
        for found in (self.largest_stable, self.chaos_onset, self.divergence):
            if found.is_finite:
                ax.axvline(found.value, color="0.5", ls="--", lw=0.8)
        return plot.labels(ax, "learning rate", self.components[0])

    def to_xarray(self) -> xr.Dataset:
        """Everything by rate."""
        import xarray as xr

        return xr.Dataset(
            {
                "kind": ("rate", self.kinds),
                "period": ("rate", self.periods),
                "exponent": ("rate", self.exponents),
                "standard_error": ("rate", self.standard_error),
                "state": (("rate", "step", "component"), self.states),
            },
            {"rate": self.rates, "component": list(self.components)},
            attrs={"kinds": ", ".join(KINDS)},
        )


def learning_rate_scan(
    system: AbstractMap,
    x0: Any,
    bounds: tuple[float, float],
    *,
    parameter: str = "learning_rate",
    n_steps: int = 256,
    n_transient: int = 2_000,
    rtol: float = 1e-3,
    n_rates: int = 64,
    n_rounds: int = 4,
    seed: int = 0,
) -> LearningRateScan:
    """What runs of training from one start come to, over the learning rate.

    A grid of rates runs as one batch; each is told apart by the least period of its recorded states
    and by its largest exponent. The brackets between unlike neighbours are then filled by batches of
    the same size until they are narrow. Where the system is small and does not depend on the iterate,
    doublings are solved for by the multiplier -1 of the cycle instead.

    Parameters
    ----------
    system : AbstractMap
        An optimiser or any other map with a rate.
    x0 : array, shape (dim,)
        State in which every run begins.
    bounds : (float, float)
        Least and greatest rate, both positive.
    parameter : str
        Name of the field that is the rate.
    n_steps, n_transient : int
        Steps recorded, and dropped before.
    rtol : float
        Relative width of the brackets asked for.
    n_rates : int
        That run side by side, in every batch.
    n_rounds : int
        Batches after the first, at most.
    seed : int
        Of the tangent vector, and of the components that are looked at where there are many.

    Returns
    -------
    LearningRateScan

    Raises
    ------
    WrongKind
        If the system is no map.
    InvalidInput
        If the bounds or a setting are malformed.

    Notes
    -----
    One start sees one attractor, and a run that ends within `n_transient` steps of a threshold's slow
    motion is called by what it then does: brackets near a bifurcation are as good as the transient is
    long. "Unsettled" is neither a cycle nor certain chaos: a run that still descends, a torus, or a
    long transient. Where four doublings or more are solved for, chaos is taken to begin at the end of
    their cascade, which the universal ratio 4.669 gives. The other intervals are brackets, between
    neighbours that were run; they do not establish that nothing happens between. Just past a crisis
    orbits cross over rarely, so that its interval reaches down by `rtol` at least.

    Cost: ``n_rates * (n_rounds + 1)`` runs of ``2 * (n_transient + n_steps)`` steps; memory for
    ``n_rates * n_steps * 16`` numbers for each batch.

    References
    ----------
    Chen et al., From stability to chaos: analyzing gradient descent dynamics in quadratic regression,
    Trans. Mach. Learn. Res. (2024). Feigenbaum, J. Stat. Phys. 19, 25 (1978).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from takens.algorithms import GradientDescent, Loss
    >>> loss = Loss.of(lambda w: 0.25 * jnp.sum((w**2 - 1) ** 2), [1.0])
    >>> found = learning_rate_scan(GradientDescent(loss, 0.1), [0.4], (0.5, 2.1), n_rounds=1)
    >>> [round(f.value, 6) for f in found.flips[:2]]
    [1.0, 1.236068]
    """
    scanner = _Scanner(system, x0, parameter, n_steps, n_transient, seed, rtol)
    low, high = _checked(bounds, rtol, n_rates, n_rounds)
    scanner.run(np.geomspace(low, high, n_rates))
    for _ in range(n_rounds):
        wanted = scanner.between(rtol, n_rates)
        if not len(wanted):
            break
        scanner.run(wanted)
    return scanner.result()


def _checked(bounds: Any, rtol: float, n_rates: int, n_rounds: int) -> tuple[float, float]:
    try:
        low, high = (float(b) for b in bounds)
    except (TypeError, ValueError):
        raise InvalidInput(f"bounds = {bounds!r}; expected two numbers.") from None
    if not (0 < low < high < np.inf):
        raise InvalidInput(f"bounds = {bounds}; expected two positive numbers, the lesser first.")
    if not 0 < rtol < 1 or n_rounds < 0 or n_rates < 4:
        raise InvalidInput(
            f"rtol = {rtol}, n_rounds = {n_rounds}, n_rates = {n_rates}; expected 0 to 1, 0 or more, "
            "and 4 or more."
        )
    return low, high


class _Scanner:
    """The runs up to now, and what they say."""

    def __init__(
        self, system: Any, x0: Any, parameter: str, n_steps: int, n_transient: int, seed: int,
        rtol: float,
    ) -> None:  # fmt: skip
        if not isinstance(system, AbstractMap):
            raise WrongKind(
                f"{type(system).__name__} was given; expected a map with a rate, such as an optimiser."
            )
        if n_steps < 2 * MAX_PERIOD:
            raise InvalidInput(f"n_steps = {n_steps}; expected at least {2 * MAX_PERIOD}.")
        self.system, self.x0, self.parameter = system, np.asarray(x0, float), parameter
        self.n_steps, self.n_transient, self.seed, self.rtol = n_steps, n_transient, seed, rtol
        dim = system.dim
        if isinstance(system, (AbstractOptimiser, OptaxMap, TorchStep)):
            dim = system.loss.dim
        rows = np.arange(dim)  # weights alone: a mean of squares still shrinks when all else rests
        if dim > RECORDED:
            rows = np.sort(np.random.default_rng(seed).choice(dim, RECORDED, replace=False))
        self.components = tuple(np.asarray(system.names)[rows].tolist())
        self.found: list[tuple[float, int, float, float, float, np.ndarray]] = []

    def run(self, rates: np.ndarray) -> None:
        """One batch, told apart."""
        from takens.dynamics import lyapunov_diagram, orbit_diagram

        diagram = orbit_diagram(
            self.system, self.parameter, rates, self.x0, n_steps=self.n_steps,
            n_transient=self.n_transient, components=self.components, max_period=MAX_PERIOD,
        )  # fmt: skip
        exponents = lyapunov_diagram(
            self.system, self.parameter, rates, self.x0, n_steps=max(self.n_transient, 400),
            n_transient=self.n_transient, n_exponents=1, seed=self.seed,
        )  # fmt: skip
        largest, error = exponents.exponents[:, 0], exponents.standard_error[:, 0]
        for i, rate in enumerate(rates):
            period = float(diagram.periods[i])
            if np.isnan(period):
                kind = DIVERGES
            elif period == 1:
                kind = CONVERGES
            elif period > 1:
                kind = CYCLES
            else:
                kind = CHAOTIC if largest[i] > 3 * error[i] else UNSETTLED
            self.found.append((float(rate), kind, period, float(largest[i]), float(error[i]),
                               diagram.states[i]))  # fmt: skip
        self.found.sort(key=lambda r: r[0])

    def brackets(self) -> list[tuple[int, int]]:
        """Neighbours between which the stable range, the chaos-free, and the bounded range end."""
        kinds = [row[1] for row in self.found]
        edges = [next((i for i, k in enumerate(kinds) if k != CONVERGES), None)]
        edges.append(next((i for i, k in enumerate(kinds) if k == CHAOTIC), None))
        held = [i for i, k in enumerate(kinds) if k != DIVERGES]
        edges.append(held[-1] + 1 if held and held[-1] + 1 < len(kinds) else None)
        return [(i - 1, i) if i else (-1, -1) for i in edges]

    def crises(self) -> list[tuple[int, int]]:
        """Neighbours in chaos between which it widens at once, and stays as wide."""
        chaotic = [i for i, row in enumerate(self.found) if row[1] == CHAOTIC]
        extents = [float(np.linalg.norm(np.ptp(self.found[i][5], axis=0))) for i in chaotic]
        made, first = [], 0
        for j in range(2, len(chaotic)):
            before = extents[first:j]
            if len(before) < 2:
                continue
            if min(extents[j], float(np.median(extents[j : j + 3]))) >= WIDER * max(before):
                made.append((chaotic[j - 1], chaotic[j]))
                first = j
        return made

    def between(self, rtol: float, n_rates: int) -> np.ndarray:
        """A batch of rates that fills the wide brackets evenly."""
        open_ = []
        for a, b in sorted({*self.brackets(), *self.crises()}):
            if a >= 0 and self.found[b][0] - self.found[a][0] > rtol * self.found[b][0]:
                open_.append((self.found[a][0], self.found[b][0]))
        if not open_:
            return np.empty(0)
        counts = np.full(len(open_), n_rates // len(open_))
        counts[: n_rates - counts.sum()] += 1
        return np.concatenate([
            np.linspace(a, b, n + 2)[1:-1] for (a, b), n in zip(open_, counts, strict=True)
        ])  # fmt: skip

    def result(self) -> LearningRateScan:
        stable, chaos, divergence = (self.estimate(b) for b in self.brackets())
        flips, cautions = self.flips()
        if flips:
            low, high = stable.interval
            reach = 0.05 * flips[0].value
            if low - reach <= flips[0].value <= high + reach:  # solved for, not bracketed
                stable = flips[0]
        if len(flips) >= 4 and flips[0].method == SOLVED:
            chaos = _accumulation(np.array([f.value for f in flips]))
        columns = list(zip(*self.found, strict=True))
        return LearningRateScan(
            rates=np.array(columns[0]), kinds=np.array(columns[1]), periods=np.array(columns[2]),
            exponents=np.array(columns[3]), standard_error=np.array(columns[4]),
            states=np.stack(columns[5]), components=self.components, largest_stable=stable,
            flips=flips, chaos_onset=chaos, divergence=divergence, cautions=cautions,
            crises=tuple(self.crisis(b) for b in self.crises()),
            provenance={"system": type(self.system).__name__, "n_steps": self.n_steps,
                        "n_transient": self.n_transient},
        )  # fmt: skip

    def estimate(self, bracket: tuple[int, int]) -> Estimate:
        a, b = bracket
        if a < 0:
            return Estimate(value=np.nan, method="not met")
        low, high = self.found[a][0], self.found[b][0]
        return Estimate(
            value=0.5 * (low + high), interval=(low, high), level=1.0, method="bracket of two runs"
        )

    def crisis(self, bracket: tuple[int, int]) -> Estimate:
        low, high = (self.found[i][0] for i in bracket)
        low = min(low, high * (1 - self.rtol))
        return Estimate(
            value=0.5 * (low + high), interval=(low, high), level=0.9, method="bracket of two runs"
        )

    def flips(self) -> tuple[tuple[Estimate, ...], tuple[Finding, ...]]:
        """Where cycles double: solved for where that is possible, else between two runs."""
        bracketed = []
        for row, after in zip(self.found[:-1], self.found[1:], strict=True):
            if row[2] > 0 and after[2] == 2 * row[2]:
                middle = 0.5 * (row[0] + after[0])
                bracketed.append(Estimate(value=middle, interval=(row[0], after[0]), level=1.0,
                                          method="bracket of two runs"))  # fmt: skip
        if not bracketed or self.system.dim > SMALL or self.found[0][1] != CONVERGES:
            return tuple(bracketed), ()
        chaotic = [row[0] for row in self.found if row[1] in (CHAOTIC, DIVERGES)]
        last = min(chaotic, default=self.found[-1][0])
        try:
            return self.solved(last), ()
        except TakensError as error:
            text = f"Doublings were bracketed and not solved for: {error}"
            return tuple(bracketed), (Finding("doublings-bracketed", text, ""),)

    def solved(self, last: float) -> tuple[Estimate, ...]:
        from takens.dynamics import period_doublings

        found = period_doublings(
            self.system, self.parameter, (self.found[0][0], last), self.x0, n_doublings=6
        )
        exact = 1e-9
        return tuple(
            Estimate(value=float(v), interval=(float(v) * (1 - exact), float(v) * (1 + exact)),
                     level=1.0, method=SOLVED)
            for v in found.values
        )  # fmt: skip


def _accumulation(values: np.ndarray) -> Estimate:
    """Where a cascade of doublings ends, from their ratio in the limit."""
    ends = values[1:] + np.diff(values) / (FEIGENBAUM - 1)
    error = 2 * abs(float(ends[-1] - ends[-2]))
    end = float(ends[-1])
    return Estimate(
        value=end, interval=(end - error, end + error), level=0.9, method="end of the doublings"
    )
