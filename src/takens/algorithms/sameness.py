"""Whether two sets of runs are the same dynamics in other coordinates, by permutation."""

from __future__ import annotations

import dataclasses
import itertools
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.algorithms.fingerprints import (
    AbstractFingerprint,
    Fingerprint,
    KoopmanSpectrum,
)
from takens.algorithms.trials import as_trials, cut, dealt
from takens.core import (
    AbstractResult,
    Estimate,
    Finding,
    Status,
    require,
)
from takens.dynamics.door import counts, fraction, half_width

if TYPE_CHECKING:
    import xarray as xr

LEAST_UNITS = 4  # of each run: with three, no division has a p-value below a tenth
MOST_DIVISIONS = 50_000  # looked at one by one; beyond that some are drawn
DRAWN = 20_000
SHIFTS = (1e-5, 0.5)  # of multipliers, between which the resolution is looked for
HALVINGS = 7
FEW = 500


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SameDynamics(AbstractResult):
    """Whether two sets of runs are told apart by what does not depend on coordinates.

    Parameters
    ----------
    p_value : Estimate
        Share of divisions of all units into two groups that set them at least as far apart; NaN where
        there are too few units.
    distance : Estimate
        Mean distance between units of the two runs beyond that within each, in the unit of the
        fingerprint: multipliers, or entries of a matrix.
    resolution : float
        The least shift of all multipliers of one run, outwards and inwards, that would have been told
        apart at `level`; NaN where the runs are told apart as they are.
    level : float
        Of the test.
    values_a, values_b : complex array, shape (unit, multiplier)
        Of every unit; what is compared, or eigenvalues of the matrix that is.
    blur_a, blur_b : array, shape (unit, multiplier)
        By how much each may be off.
    distances : array, shape (unit, unit)
        The units of the first run before those of the second.
    """

    p_value: Estimate
    distance: Estimate
    resolution: float
    level: float
    values_a: np.ndarray
    values_b: np.ndarray
    blur_a: np.ndarray
    blur_b: np.ndarray
    distances: np.ndarray

    @property
    def verdict(self) -> str:
        """``"different"``, ``"not told apart"``, or ``"undetermined"`` where there is no p-value."""
        if not self.p_value.is_finite:
            return "undetermined"
        return "different" if self.p_value.value <= self.level else "not told apart"

    def summary(self) -> str:
        """Verdict, p-value, multipliers, and what would have been seen."""
        if self.status is not Status.OK:
            return f"undetermined: {'; '.join(str(c) for c in self.cautions) or self.status.value}"
        text = (
            f"{self.verdict}: p = {self.p_value.value:.2g} over {len(self.values_a)} and "
            f"{len(self.values_b)} units, distance {self.distance}; leading multipliers "
            f"{_listed(self.values_a)} and {_listed(self.values_b)}."
        )
        if np.isfinite(self.resolution):
            text += f" A shift of {self.resolution:.2g} would have been told apart."
        elif self.verdict == "not told apart":
            text += " No shift up to 0.5 would have been told apart."
        return text

    def plot(self, ax: Any = None) -> Any:
        """Multipliers of all units of both runs in the complex plane."""
        from takens import plot

        ax = plot.axes(ax)
        turn = np.exp(2j * np.pi * np.linspace(0, 1, 201))
        plot.line(ax, turn.real, turn.imag, color="0.6")
        for i, (label, values) in enumerate((("a", self.values_a), ("b", self.values_b))):
            flat = np.ravel(values)
            plot.line(ax, flat.real, flat.imag, label=label, linestyle="none", marker="ox"[i],
                      markersize=6 - 2 * i, color=plot.COLOURS[i], markerfacecolor="none")  # fmt: skip
        everything = np.concatenate([np.ravel(self.values_a), np.ravel(self.values_b)])
        if everything.size:
            middle, reach = (
                everything.mean(),
                1.3 * np.abs(everything - everything.mean()).max() + 0.05,
            )
            ax.set_xlim(middle.real - reach, middle.real + reach)
            ax.set_ylim(middle.imag - reach, middle.imag + reach)
        ax.legend()
        return plot.labels(
            ax, "real part", "imaginary part", f"{self.verdict}, p = {self.p_value.value:.2g}"
        )

    def to_xarray(self) -> xr.Dataset:
        """Multipliers of every unit, and the distances between units."""
        import xarray as xr

        return xr.Dataset(
            {
                "real_a": (("unit_a", "order"), self.values_a.real),
                "imag_a": (("unit_a", "order"), self.values_a.imag),
                "real_b": (("unit_b", "order"), self.values_b.real),
                "imag_b": (("unit_b", "order"), self.values_b.imag),
                "distance": (("unit", "other_unit"), self.distances),
            },
            attrs={
                "verdict": self.verdict,
                "p_value": self.p_value.value,
                "distance": self.distance.value,
                "resolution": self.resolution,
            },
        )


def same_dynamics(
    run_a: Any,
    run_b: Any,
    *,
    fingerprint: AbstractFingerprint | None = None,
    n_units: int = 8,
    n_segments: int = 1,
    n_steps: int = 40,
    level: float = 0.05,
    seed: int = 0,
    throw: bool = True,
) -> SameDynamics:
    r"""Whether two sets of runs can be told apart by what no change of coordinates touches.

    The trials of each run (starts, or seeds of training) are dealt into units. Of every unit a
    fingerprint is taken, by default its leading Koopman multipliers, with how far they may be off; two
    units differ by what exceeds that. If both runs are one system in the same coordinates, started
    alike, units are exchangeable, so that all divisions of the pooled units into two groups are equally
    likely to set them farthest apart, by the mean distance between the groups less that within (zero
    unless the medians say so too, so that no single unit decides): the p-value is the share that does so
    at least as much as the true one, and exact.

    Parameters
    ----------
    run_a, run_b : list of arrays, TrainingRuns or Trajectories, array, Recording, Ensemble, or pair
        Independent trials, each of shape (time, column); columns may differ between the runs, the
        interval from row to row must not. An array of shape (trial, time, column) is such a list. Of a
        `TrainingRun` the projections are taken, or the loss where there are none. A pair ``(system,
        x0)`` with starts of shape (sample, dim) is run for `n_steps` steps.
    fingerprint : AbstractFingerprint, optional
        `KoopmanSpectrum` when not given; `DelayMatrix` for motion that goes on.
    n_units : int
        Into which the trials of each run are dealt; fewer where there are fewer trials.
    n_segments : int
        Pieces into which each trial is cut. Give more than one only for motion that has settled (not
        for runs that converge), with pieces longer than its memory: pieces of one trial count as
        independent.
    n_steps : int
        Of systems that are run.
    level : float
        Of the test.
    seed : int
        Of divisions that are drawn, where there are too many for all.
    throw : bool
        Whether to raise where there is no p-value.

    Returns
    -------
    SameDynamics
        Status NOT_APPLICABLE where some unit has no multiplier with a small residual, TOO_SHORT where
        there are fewer than four units of a run.

    Raises
    ------
    InvalidInput
        If trials are not finite numbers over at least eight times, or do not move.
    NumericalFailure
        If there is no p-value, and `throw`.

    Notes
    -----
    A large p-value does not establish that the dynamics are the same: `resolution` says what would have
    been seen, and equal spectra do not make systems conjugate. A small one says that fingerprints
    differ, which for one system in the same coordinates happens in at most a share `level` of cases. In
    *other* coordinates, or from starts in another region, the errors of the fingerprints differ
    too, and exchangeability rests on their blur: see the measured sizes in the documentation.
    Multipliers closer than their blur stay unresolved, with a caution.

    Trials are cut to the shortest, so that units are alike.

    Cost: of the fingerprints, and up to 50,000 divisions.

    References
    ----------
    Redman, Fonoberova, Mohr, Kevrekidis and Mezić, IEEE CDC (2022), on conjugate algorithms; Ostrow et
    al. (2023), the similarity; Good, Permutation, Parametric and Bootstrap Tests (2005).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> decay = 0.9 ** np.arange(30.0)[:, None]
    >>> runs = [decay * rng.normal(size=2) for _ in range(16)]
    >>> slower = [np.sqrt(decay) * rng.normal(size=2) for _ in range(16)]
    >>> same_dynamics(runs, slower).verdict
    'different'
    """
    fingerprint = fingerprint or KoopmanSpectrum()
    counts(n_units=n_units, n_segments=n_segments, n_steps=n_steps, seed=seed)
    fraction(level=level)
    trials = [as_trials(run, n_steps, name) for run, name in ((run_a, "run_a"), (run_b, "run_b"))]
    groups = dealt(*(cut(t, n_segments) for t in trials), n_units)
    half = len(groups[0])
    prints = fingerprint.read([*groups[0], *groups[1]])
    distances = fingerprint.distances(prints)
    enough = half >= LEAST_UNITS
    resolved = all(one.values.size for one in prints)
    status = Status.OK if enough and resolved else (
        Status.TOO_SHORT if resolved else Status.NOT_APPLICABLE
    )  # fmt: skip
    require(status, throw=throw)
    good = status is Status.OK
    divisions = _divisions(half, seed) if good else None
    p_value = _p_value(distances, divisions)
    # Those that lead, as many of them as every unit has.
    leading = min(fingerprint.n_compared, *(len(one.values) for one in prints))
    values = [_shown(part, leading) for part in (prints[:half], prints[half:])]
    told = good and p_value.value <= level
    return SameDynamics(
        p_value=p_value, distance=_distance(distances, half, good), level=level,
        resolution=_resolution(fingerprint, prints, distances, half, divisions, level) if good and not told else np.nan,
        values_a=values[0][0], values_b=values[1][0], blur_a=values[0][1], blur_b=values[1][1],
        distances=distances, status=status, cautions=_cautions(prints, half, leading, resolved),
        provenance={"fingerprint": dataclasses.asdict(fingerprint), "n_units": half,  # type: ignore[call-overload]
                    "n_segments": n_segments, "seed": seed},
    )  # fmt: skip


def _divisions(half: int, seed: int) -> np.ndarray:
    """Of 2 `half` units into two groups, (division, unit), those of the first before; the true one first."""
    n = 2 * half
    if comb(n, half) <= MOST_DIVISIONS:
        chosen = np.array(list(itertools.combinations(range(n), half)))
    else:
        rng = np.random.default_rng(seed)
        drawn = [np.sort(rng.permutation(n)[:half]) for _ in range(DRAWN)]
        chosen = np.array([np.arange(half), *drawn])
    others = np.ones((len(chosen), n), dtype=bool)
    np.put_along_axis(others, chosen, False, axis=1)
    return np.concatenate([chosen, np.nonzero(others)[1].reshape(len(chosen), -1)], axis=1)


def _between(distances: np.ndarray, divisions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean distance between groups less that within, for each division; and the same of medians."""
    half = divisions.shape[1] // 2
    first, second = divisions[:, :half], divisions[:, half:]
    i, j = np.triu_indices(half, 1)
    across = distances[first[:, :, None], second[:, None, :]].reshape(len(divisions), -1)
    within = [distances[part[:, i], part[:, j]] for part in (first, second)]
    mean, median = (
        middle(across, axis=1) - 0.5 * (middle(within[0], axis=1) + middle(within[1], axis=1))
        for middle in (np.mean, np.median)
    )
    return mean, median


def _statistic(distances: np.ndarray, divisions: np.ndarray) -> np.ndarray:
    """The mean, where most units differ: one whose error is larger than it looks moves nothing."""
    mean, median = _between(distances, divisions)
    return np.where(median > 0, mean, 0.0)


def _p_value(distances: np.ndarray, divisions: np.ndarray | None) -> Estimate:
    if divisions is None:
        return Estimate(value=np.nan)
    found = _statistic(distances, divisions)
    slack = 1e-12 * max(float(np.abs(distances).max()), 1e-300)
    p = float((found >= found[0] - slack).mean())
    count = len(divisions)
    every = count == comb(divisions.shape[1], divisions.shape[1] // 2)
    reach = 0.0 if every else 1.645 * np.sqrt(p * (1 - p) / count)
    return Estimate(
        value=p, interval=(max(p - reach, 0.0), min(p + reach, 1.0)),
        method=f"all {count} divisions" if every else f"{count - 1} divisions drawn",
    )  # fmt: skip


def _distance(distances: np.ndarray, half: int, good: bool) -> Estimate:
    """Mean distance between the runs beyond that within, with a jackknife over pairs of units."""
    if half < 2:
        return Estimate(value=float(distances[0, 1]))
    value = float(_between(distances, np.arange(2 * half)[None])[0][0])
    if not good:
        return Estimate(value=value)
    left = []
    for k in range(half):
        keep = np.delete(np.arange(2 * half), [k, half + k])
        part = distances[np.ix_(keep, keep)]
        left.append(_between(part, np.arange(len(keep))[None])[0][0])
    error = float(np.sqrt((half - 1) / half * np.sum((left - np.mean(left)) ** 2)))
    reach = half_width(error, half - 1, 0.9)
    return Estimate(
        value=value, interval=(value - reach, value + reach), standard_error=error,
        method=f"jackknife over {half} pairs of units",
    )  # fmt: skip


def _resolution(
    fingerprint: AbstractFingerprint, prints: list[Fingerprint], distances: np.ndarray, half: int,
    divisions: np.ndarray | None, level: float,
) -> float:  # fmt: skip
    """The least shift of all multipliers of the second run that is told apart, by halving its logarithm."""

    def told(shift: float) -> bool:
        for way in (shift, -shift):
            moved = fingerprint.shifted(prints, distances, half, way)
            if _p_value(moved, divisions).value > level:
                return False
        return True

    if divisions is not None and len(divisions) > FEW:  # for a figure of two digits some will do
        divisions = divisions[:: len(divisions) // FEW]
    low, high = SHIFTS
    if not told(high):
        return np.nan
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if told(middle) else (middle, high)
    return high


def _shown(prints: list[Fingerprint], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers and blurs of units, (unit, multiplier), as many as all have."""
    if prints[0].values.ndim == 2:
        values = [np.linalg.eigvals(one.values) for one in prints]
        sorted_values = np.array([v[np.argsort(-np.abs(v), kind="stable")] for v in values])
        return sorted_values.astype(complex), np.full(sorted_values.shape, np.nan)
    return (np.array([one.values[:count] for one in prints], dtype=complex),
            np.array([one.blur[:count] for one in prints]))  # fmt: skip


def _listed(values: np.ndarray) -> str:
    middle = np.median(values.real, axis=0) + 1j * np.median(values.imag, axis=0)
    return "(" + ", ".join(
        f"{z.real:.4g}" + (f"{z.imag:+.3g}i" if abs(z.imag) > 1e-3 * abs(z) else "") for z in middle[:4]
    ) + ")"  # fmt: skip


def _cautions(
    prints: list[Fingerprint], half: int, count: int, resolved: bool
) -> tuple[Finding, ...]:
    found = []
    if not resolved:
        found.append(Finding(
            code="nothing-resolved",
            text="Some units have no multiplier with a small residual.",
            action="Give more or longer trials, other columns, or ask by `DelayMatrix`.",
            level="serious",
        ))  # fmt: skip
    if half < LEAST_UNITS:
        found.append(Finding(
            code="too-few-units",
            text=f"There are {half} units of each run; without repeats nothing says what chance does.",
            action=f"Repeat the runs from {LEAST_UNITS} or more other starts or seeds.",
            level="serious",
        ))  # fmt: skip
    if resolved and any(_blurred(one, count) for one in prints):
        share = np.mean([_blurred(one, count) for one in prints])
        found.append(Finding(
            code="near-degenerate",
            text=f"In {share:.0%} of the units leading multipliers lie closer than they are known.",
            action="Which is which stays unresolved, and differences of that size are not seen.",
        ))  # fmt: skip
    return tuple(found)


def _blurred(one: Fingerprint, count: int) -> bool:
    """Whether two leading multipliers are nearer to one another than they are known."""
    if one.values.ndim == 2:
        return False
    values, blur = one.values[:count], one.blur[:count]
    apart = np.abs(values[:, None] - values) + np.diag(np.full(count, np.inf))
    return bool(np.any(apart < blur[:, None] + blur))
