"""A law with few terms for drift and squared noise, by the likelihood of the transitions themselves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractEstimator, Finding, Fit, InvalidInput, NumericalFailure, Status
from takens.learn.stochastic.law import StochasticLaw
from takens.learn.stochastic.likelihood import (
    Peak,
    Problem,
    Support,
    chosen,
    climb,
    curvature,
    settled,
)
from takens.learn.stochastic.noise_decision import ERROR_RATE, NoiseDecision, decided
from takens.learn.stochastic.pairs import Paths, Transitions, paths_of, refuse_coarse
from takens.learn.stochastic.powers import (
    Scaled,
    checked_powers,
    noise_choices,
    relaxation,
    started,
)
from takens.learn.stochastic.transition import Lattice

if TYPE_CHECKING:
    from takens.learn.stochastic.systems import PolynomialDiffusion

SCREENING, FINAL, FINER = 0.8, 0.3, 0.15  # longest closed-form step, over the time of relaxation
CLOSE = 6.0  # difference of the criterion, below which another law is named beside the best
INEXACT = 0.2  # standard errors by which a finer lattice may move a coefficient


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiffusionLaw(AbstractEstimator["PolynomialDiffusion"]):
    r"""A stochastic differential equation with few terms, from one or more paths of one variable.

    .. math:: dX = \sum_k a_k X^{p_k} dt + \sqrt{\textstyle\sum_k c_k X^{q_k}} \, dW

    Coefficients maximise the likelihood of the transitions, whose density is computed to any accuracy
    at the time step of each (closed form to third order in Lamperti's coordinate, composed over a
    lattice), so that none of the bias of Euler's scheme is left: irregular times, gaps and missing
    samples cost nothing. Which powers are in the law is decided by the extended Bayesian criterion,
    over all parts of the powers of the drift and all of the noise; no threshold is set.

    Parameters
    ----------
    degree, noise_degree : int
        Largest powers that are tried in the drift and in the squared noise.
    drift_powers, noise_powers : tuple of int, optional
        The powers, when they are known; then nothing is chosen.
    sensor : {"decide", "none"}
        Whether `noise_decision` is asked first; where it finds noise of the sensor, the law is that
        of its filter and says how large that noise is. Otherwise there is none by assumption.
    level : float
        Nominal coverage of the intervals.

    Raises
    ------
    InvalidInput
        If there is more than one column, fewer than 100 transitions, a constant column, successive
        samples are not correlated, or a squared noise without a constant is asked of data that
        reach zero or below.
    NumericalFailure
        If no law has a likelihood.

    Notes
    -----
    ``diagnostics["law"]`` is a `StochasticLaw`: coefficients with intervals from the observed
    information, the runners-up, curves with bands, and parameter draws for what follows from the law.
    ``diagnostics["check"]`` is the `TransitionCheck` of the same data, and the fit has the status
    `NOT_APPLICABLE` where that refuses the law; ``diagnostics["noise_decision"]`` says why the sensor
    is in the law or not. The intervals are those of the chosen terms and do not know of the choice. Cost: a few hundred
    evaluations of the likelihood, each about a microsecond a transition for short steps and ten
    for steps near the time of relaxation: one to five seconds for 4,000 samples.

    References
    ----------
    Ait-Sahalia, Econometrica 70, 223 (2002); Chen and Chen, Biometrika 95, 759 (2008).

    Examples
    --------
    >>> rng, x = np.random.default_rng(0), [0.0]
    >>> for kick in 0.43 * rng.normal(size=2000):  # dX = -X dt + dW, seen every 0.2
    ...     x.append(np.exp(-0.2) * x[-1] + kick)
    >>> from takens.core import Trajectory
    >>> path = Trajectory(times=0.2 * np.arange(2001), states=np.array(x)[:, None], names=["x"])
    >>> DiffusionLaw().fit(path).diagnostics["law"].terms
    (('x',), ('1',))
    """

    degree: int = 5
    noise_degree: int = 2
    drift_powers: tuple[int, ...] | None = None
    noise_powers: tuple[int, ...] | None = None
    sensor: str = "decide"
    level: float = 0.95
    references = ("aitsahalia2002maximum", "chen2008extended")

    def __post_init__(self) -> None:
        for name, value, most in (
            ("degree", self.degree, 9),
            ("noise_degree", self.noise_degree, 4),
        ):
            if not isinstance(value, int) or not 0 <= value <= most:
                raise InvalidInput(f"{name} = {value!r}; expected a whole number from 0 to {most}.")
        if self.sensor not in ("decide", "none"):
            raise InvalidInput(f'sensor = {self.sensor!r}; expected "decide" or "none".')
        if not 0 < self.level < 1:
            raise InvalidInput(f"level = {self.level!r}; expected a share between 0 and 1.")
        checked_powers(self.drift_powers, "drift_powers", empty=True)
        checked_powers(self.noise_powers, "noise_powers", empty=False)

    def fit(self, data: Any, *, seed: int = 0) -> Fit[PolynomialDiffusion]:
        """The law behind `data`; nothing is drawn, so `seed` changes nothing."""
        paths = paths_of(data, (1,))
        refuse_coarse(paths)
        pairs = paths.transitions()
        x = paths.values[:, 0]
        scaled = Scaled.of(self, x)
        choices = noise_choices(self, scaled, x)
        decision = None if self.sensor == "none" else decided(paths, self)
        if decision is not None and decision.p_sensor < ERROR_RATE:
            return self._seen_through_noise(paths, decision)
        found = chosen(
            _problem(pairs, scaled, *started(pairs, scaled, None), SCREENING),
            lambda support: np.concatenate(started(pairs, scaled, support)),
            scaled.size(pairs),
            choices,
            tuple(range(len(scaled.drift_powers))),
            self.drift_powers is not None,
        )
        found = settled(found, lambda support, peak: _on_finer(pairs, scaled, support, peak))
        if not found:
            raise NumericalFailure(
                "No law has a finite likelihood on these data. Look at them for jumps or outliers, or "
                "give `drift_powers` and `noise_powers`."
            )
        _, support, peak = found[0]
        peak, information, findings = _refined(pairs, scaled, support, peak)
        law = self._law(paths, scaled, support, peak, information, found, findings)
        if decision is not None:
            law = dataclasses.replace(law, decision=decision.decision)
        return _judged(law, paths, {"law": law, "noise_decision": decision})

    def _seen_through_noise(
        self, paths: Paths, decision: NoiseDecision
    ) -> Fit[PolynomialDiffusion]:
        """The law of the filter."""
        drift, noise, coefficients, covariance = decision.law
        x = paths.values[:, 0]
        findings = [Finding(
            code="sensor-noise",
            text=f"The record needs noise of the sensor (p = {decision.p_sensor:.2g}), of standard "
            f"deviation {decision.sensor.value:.4g}.",
            action="The law is that of the motion behind it, by a Gaussian filter.", level="note",
        )]  # fmt: skip
        if decision.decision == "sensor noise":
            findings.append(Finding(
                code="no-dynamical-noise",
                text=f"Noise in the motion is not needed (p = {decision.p_dynamical:.2g}).",
                action="Learn a flow instead; the squared noise of this law is compatible with zero.",
            ))  # fmt: skip
        law = StochasticLaw(
            names=paths.names, units=paths.units, time_unit=paths.time_unit, drift_powers=drift,
            noise_powers=noise, coefficients=coefficients[:-1], covariance=covariance[:-1, :-1],
            n_drift=len(drift), log_likelihood=float(decision.log_likelihoods[2]), rivals=(),
            level=self.level, n_transitions=len(paths.transitions()), dt=paths.dt,
            support=(float(x.min()), float(x.max())), decision=decision.decision,
            sensor=decision.sensor, cautions=(*paths.findings, *findings),
            provenance={"degree": self.degree, "noise_degree": self.noise_degree},
        )  # fmt: skip
        return Fit(
            model=law.system(),
            diagnostics={"law": law, "noise_decision": decision},
            cautions=law.cautions,
        )

    def _law(
        self, paths: Paths, scaled: Scaled, support: Support, peak: Peak, information: np.ndarray,
        found: list[tuple[float, Support, Peak]], findings: list[Finding],
    ) -> StochasticLaw:  # fmt: skip
        units = scaled.units(support)
        theta = peak.theta / units
        covariance = np.linalg.pinv(information) / np.outer(units, units)
        n_drift = len(support.drift)
        rivals = [(s, score - found[0][0]) for score, s, _ in found if score - found[0][0] < CLOSE]
        others = tuple(
            (scaled.named(s, paths.names[0]), float(gap)) for s, gap in rivals if s is not support
        )
        if others:
            findings.append(Finding(
                code="rival-laws",
                text=f"{len(others)} law(s) with other terms are within {CLOSE:g} of the criterion of the "
                f"best; the next has drift {others[0][0][0]} and squared noise {others[0][0][1]}.",
                action="Which terms are in the law is not settled; a longer record can settle it.",
                level="note",
            ))  # fmt: skip
        x = paths.values[:, 0]
        return StochasticLaw(
            names=paths.names, units=paths.units, time_unit=paths.time_unit,
            drift_powers=tuple(scaled.drift_powers[c] for c in support.drift),
            noise_powers=tuple(scaled.noise_powers[c] for c in support.noise),
            coefficients=theta, covariance=covariance, n_drift=n_drift,
            log_likelihood=peak.value, rivals=others, level=self.level,
            n_transitions=len(peak.scores), dt=paths.dt, support=(float(x.min()), float(x.max())),
            cautions=(*paths.findings, *findings),
            provenance={"degree": self.degree, "noise_degree": self.noise_degree},
        )  # fmt: skip


def _judged(
    law: StochasticLaw, paths: Paths, diagnostics: dict[str, Any]
) -> Fit[PolynomialDiffusion]:
    """The fit with the test of its transitions, which may refuse it."""
    from takens.learn.stochastic.check import checked

    model, status, findings = law.system(), Status.OK, list(law.cautions)
    try:
        check = checked(model, paths)
    except (InvalidInput, NumericalFailure) as error:
        findings.append(Finding(
            code="not-checked", text=f"The law could not be held against its transitions: {error}",
            action="Do not rely on it near the edges of the data.",
        ))  # fmt: skip
    else:
        diagnostics = diagnostics | {"check": check}
        status = check.status
        findings += [f for f in check.cautions if f.code == "law-refused"]
    law = dataclasses.replace(law, status=status, cautions=tuple(findings))
    return Fit(
        model=model, diagnostics=diagnostics | {"law": law}, status=status, cautions=law.cautions
    )


def _problem(
    pairs: Transitions, scaled: Scaled, drift: np.ndarray, noise: np.ndarray, share: float
) -> Problem:
    """Transitions on a lattice fine enough for a law of all candidates."""
    x, place = np.unique(np.concatenate([pairs.start[:, 0], pairs.end[:, 0]]), return_inverse=True)
    count = len(pairs)

    def root(at: np.ndarray) -> np.ndarray:
        square = scaled.noise(at) @ noise
        return np.sqrt(np.maximum(square, 1e-6 * np.median(square)))

    # Where a changing noise comes close to zero, few samples see rates without bound.
    seen = 0.995 if share < SCREENING and np.count_nonzero(noise) > 1 else 0.9
    short = share * relaxation(scaled, drift, noise, pairs.start[:, 0], seen)
    short = max(short, float(pairs.dt.max()) / 400)
    lattice = Lattice.of(x, place[:count], place[count:], pairs.dt, short, root)
    nodes = lattice.chart.x
    return Problem(lattice=lattice, drift=scaled.drift(nodes), noise=scaled.noise(nodes))


def _whole(scaled: Scaled, support: Support, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of all candidates, zero where they are not in the law."""
    drift, noise = np.zeros(len(scaled.drift_powers)), np.zeros(len(scaled.noise_powers))
    drift[list(support.drift)] = theta[: len(support.drift)]
    noise[list(support.noise)] = theta[len(support.drift) :]
    return drift, noise


def _on_finer(
    pairs: Transitions, scaled: Scaled, support: Support, peak: Peak
) -> tuple[float, Peak]:
    """Criterion and peak on a lattice made for this very law; infinite where it has none."""
    problem = _problem(pairs, scaled, *_whole(scaled, support, peak.theta), FINAL)
    better = climb(problem.density(support), peak.theta, _size(peak.theta))
    if better is None:
        return np.inf, peak
    return problem.criterion(better, support), better


def _size(theta: np.ndarray) -> np.ndarray:
    return np.abs(theta) + 1e-3 * np.abs(theta).max()


def _refined(
    pairs: Transitions, scaled: Scaled, support: Support, best: Peak
) -> tuple[Peak, np.ndarray, list[Finding]]:
    """The law on a still finer lattice, its information, and what the comparison says."""
    findings: list[Finding] = []
    if not best.converged:
        findings.append(Finding(
            code="not-converged", text="The ascent of the likelihood did not settle.",
            action="The coefficients may be off by a part of their standard errors.",
        ))  # fmt: skip
    law = _whole(scaled, support, best.theta)
    coarse = _problem(pairs, scaled, *law, SCREENING).density(support)
    information = curvature(coarse, best)
    again = climb(
        _problem(pairs, scaled, *law, FINER).density(support), best.theta, _size(best.theta)
    )
    if again is not None:
        shift = np.abs(again.theta - best.theta) * np.sqrt(np.abs(np.diag(information)))
        if shift.max() > INEXACT:
            findings.append(Finding(
                code="inexact-density",
                text=f"On a lattice twice as fine a coefficient moves by {shift.max():.2f} standard "
                "errors.",
                action="The numbers of the finer lattice are given; a faster sampling is safer.",
            ))  # fmt: skip
        best = again
    return best, information, findings
