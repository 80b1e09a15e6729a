"""The decision rule of the verdict: numbers in, kind of motion out, all thresholds in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from takens.series.exponent import LargestLyapunov
from takens.series.foresight import Foresight
from takens.series.lines import Lines
from takens.series.spectrum import Spectrum
from takens.series.stationarity import Stationarity
from takens.series.sufficiency import Sufficiency
from takens.series.surrogates import SurrogateTest

ALPHA = 0.05
LINES_UNEXPLAINED = 0.25  # lines must foretell at least three quarters of the held-out variance
LINES_CYCLES = 6  # the strongest line must turn this often: slow drift passes for a slow wave
LINES_DECAY = 1.6  # and do no worse outside than this many times their misfit inside
LINES_BEATEN = 0.3  # a local predictor with less than this share of the lines' error beats them
DETERMINISTIC_RATIO = 0.7  # prediction error over that of surrogates
WANDERING_RATIO = 0.5  # the same for a record that looks like a random walk or drifts
FORGOTTEN = 1.5  # error many turns ahead over that one delay ahead, at the least, in chaos
FORGOTTEN_ERROR = 0.03  # and that error itself, over the standard deviation: below, it is numerics
REMEMBERED = 2.0  # the same ratio of the usual error, at the most, in regular motion
REMEMBERED_ERROR = 0.005  # or that error itself
NEUTRAL_GROWTH = 0.05  # exponent times characteristic period below which growth is negligible
HARMONIC_TOLERANCE = 0.5  # resolution cells at full noise, for the frequency of a multiple


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """One number beside its threshold, and what it speaks for.

    Parameters
    ----------
    name, supports, text : str
        What it is, which verdict it speaks for, and how it was obtained.
    value, threshold : float
        In the same unit.
    """

    name: str
    value: float
    threshold: float
    supports: str
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """Kind of motion with reasons and evidence."""

    kind: Any
    reasons: tuple[str, ...]
    would_change: tuple[str, ...]
    evidence: tuple[Evidence, ...]


def harmonic(lines: Lines, n_samples: int) -> bool:
    """Whether all lines are multiples of one frequency, the strongest's or a fraction of it.

    Lines are left out that carry less than a thousandth of the strongest one's power, or no more
    than the largest of the residual noise's own Fourier lines would in 99 of 100 records.
    """
    fitted = 2 * n_samples / 3
    by_chance = 2 * lines.unexplained_inside / fitted * (np.log(fitted / 2) + 4.6)
    strong = lines.powers > max(1e-3 * lines.powers.max(), by_chance)
    strong[np.argmax(lines.powers)] = True
    frequencies = lines.frequencies[strong]
    errors = lines.frequency_errors[strong]
    first = int(np.argmax(lines.powers[strong]))
    # What is left unexplained pulls the fitted frequencies by a share of the resolution.
    cell = (0.01 + HARMONIC_TOLERANCE * np.sqrt(lines.unexplained_inside)) / n_samples
    for divisor in (1, 2, 3, 4):
        base = frequencies[first] / divisor
        order = np.round(frequencies / base)
        weight = order / divisor
        slack = (1 + weight) * cell + 3 * errors + 3 * weight * errors[first]
        if np.all((order >= 1) & (np.abs(frequencies - order * base) <= slack)):
            return True
    return False


def _sinusoids(lines: Lines) -> str:
    count = len(lines.frequencies)
    return "One sinusoid" if count == 1 else f"{count} sinusoids"


def _lines_hold(lines: Lines, error: float, n_samples: int) -> bool:
    """Coherent lines explain held-out data, and no local predictor does much better."""
    outside, inside = lines.unexplained_outside, lines.unexplained_inside
    if lines.frequencies[int(np.argmax(lines.powers))] * n_samples < LINES_CYCLES:
        return False
    if outside > LINES_UNEXPLAINED or outside > LINES_DECAY * inside + 1e-4:
        return False
    beaten = np.isfinite(error) and error**2 < LINES_BEATEN * outside
    return bool(outside < 1e-3 or not beaten)


def _length_and_steadiness(
    enough: Sufficiency, steady: Stationarity
) -> list[tuple[str, float, float, str, str]]:
    """Rows of evidence on the record itself."""
    return [
        (
            "length in turns",
            enough.length_in_periods,
            30.0,
            "chaos can be claimed when above",
            "record length over the period of half the power of the rate of change",
        ),
        (
            "unit root: p-value",
            steady.unit_root_p,
            0.05,
            "random walk not ruled out when above",
            "augmented Dickey-Fuller",
        ),
        (
            "level stationarity: KPSS",
            steady.kpss_statistic,
            0.739,
            "level not constant when above",
            "Kwiatkowski-Phillips-Schmidt-Shin",
        ),
        (
            "drift over the record",
            abs(steady.drift),
            1.0,
            "nonstationary when above",
            "in standard deviations",
        ),
        (
            "largest over smallest block variance",
            steady.variance_ratio,
            4.0,
            "nonstationary when above",
            "ten blocks",
        ),
    ]


def _growth(
    exponent: LargestLyapunov, ahead: Foresight
) -> list[tuple[str, float, float, str, str]]:
    """Rows of evidence on the growth of small differences."""
    unit = exponent.exponent.unit
    return [
        (
            "exponent: lower end of the interval",
            exponent.exponent.interval[0],
            0.0,
            "chaotic when above",
            f"largest Lyapunov exponent in {unit}",
        ),
        (
            "exponent: growth at every setting",
            exponent.certain_growth,
            0.0,
            "chaotic when above, in place of the interval",
            f"least of the better half of the settings, blocks allowed for, in {unit}",
        ),
        (
            "divergence of neighbours: slope",
            exponent.divergence_slope,
            0.0,
            "chaotic when above, together with one of the two before",
            f"sustained rise of the mean log distance, in {unit}",
        ),
        (
            "forecasts: far error over near",
            ahead.least / max(ahead.near, 1e-300),
            FORGOTTEN,
            "chaotic only when above",
            f"smallest error {ahead.first} to {ahead.last} samples ahead over that one delay ahead",
        ),
    ]


def _collect(
    lines: Lines,
    prediction: SurrogateTest,
    asymmetry: SurrogateTest,
    exponent: LargestLyapunov,
    ahead: Foresight,
    steady: Stationarity,
    enough: Sufficiency,
) -> tuple[Evidence, ...]:
    rows: list[tuple[str, float, float, str, str]] = [
        (
            "lines: unexplained held-out variance",
            lines.unexplained_outside,
            LINES_UNEXPLAINED,
            "periodic or quasiperiodic when below",
            f"{_sinusoids(lines)} fitted to two thirds leave this share of the rest",
        ),
        (
            "prediction error: p-value",
            prediction.p_value,
            ALPHA / 2,
            "nonlinear when at or below",
            "local prediction against IAAFT surrogates",
        ),
        (
            "prediction error: ratio to surrogates",
            prediction.ratio,
            DETERMINISTIC_RATIO,
            "deterministic when below",
            "error over the median error of the surrogates",
        ),
        (
            "time asymmetry: p-value",
            asymmetry.p_value,
            ALPHA / 2,
            "nonlinear when at or below",
            "skewness of increments against IAAFT surrogates",
        ),
        *_growth(exponent, ahead),
        *_length_and_steadiness(enough, steady),
    ]
    return tuple(
        Evidence(name=n, value=float(v), threshold=t, supports=s, text=x) for n, v, t, s, x in rows
    )


def decide(
    *,
    enough: Sufficiency,
    steady: Stationarity,
    rhythm: Spectrum,
    lines: Lines,
    tests: tuple[SurrogateTest, ...],
    exponent: LargestLyapunov,
    ahead: Foresight,
    n_samples: int,
) -> Decision:
    """Apply the rule to the results; see `kind_of_motion` for the order of the tests."""
    prediction, asymmetry = tests
    evidence = _collect(lines, prediction, asymmetry, exponent, ahead, steady, enough)
    wandering = steady.wanders or steady.drifts
    limit = WANDERING_RATIO if wandering else DETERMINISTIC_RATIO
    deterministic = bool(prediction.p_value <= ALPHA / 2 and prediction.ratio < limit)
    reasons: list[str] = []

    def done(kind: str, *would: str) -> Decision:
        return Decision(
            kind=kind,
            reasons=tuple(reasons),
            would_change=(*would, *enough.needs),
            evidence=evidence,
        )

    if len(lines.frequencies) and _lines_hold(lines, prediction.observed, n_samples):
        share = 1 - lines.unexplained_outside
        reasons.append(
            f"{_sinusoids(lines)} fitted to the first two thirds foretell "
            f"{share:.1%} of the variance of the last third without losing phase."
        )
        return _regular(lines, n_samples, reasons, done)
    if deterministic:
        reasons.append(
            f"The recent past foretells the near future {1 / max(prediction.ratio, 1e-9):.3g} "
            f"times better than in linear surrogates (p = {prediction.p_value:.3g}): the motion "
            "follows a rule."
        )
        return _deterministic(enough, rhythm, lines, exponent, ahead, n_samples, reasons, done)
    if wandering or steady.changes_variance:
        reasons.append(steady.summary().removeprefix("stationarity: ").capitalize() + ".")
        return done("nonstationary", "Differences or a detrended record can be analysed further.")
    return _stochastic(prediction, asymmetry, n_samples, reasons, done)


def _regular(
    lines: Lines, n_samples: int, reasons: list[str], done: Callable[..., Decision]
) -> Decision:
    if harmonic(lines, n_samples):
        reasons.append("All of them are multiples of one frequency.")
        return done("periodic", "A longer record could resolve a second frequency close by.")
    reasons.append("Their frequencies are not multiples of one.")
    return done("quasiperiodic", "A longer record could show that the frequencies lock.")


def _deterministic(
    enough: Sufficiency,
    rhythm: Spectrum,
    lines: Lines,
    exponent: LargestLyapunov,
    ahead: Foresight,
    n_samples: int,
    reasons: list[str],
    done: Callable[..., Decision],
) -> Decision:
    """A rule is at work: chaos, a cycle with many harmonics, or a question left open."""
    estimate = exponent.exponent
    low, high = estimate.interval
    if _chaos(exponent, ahead):
        reasons += _why_chaotic(exponent, ahead)
        if enough.enough_for_chaos:
            turns = "iterates" if enough.samples_per_period == 1 else "turns"
            reasons.append(f"The record is long enough: {enough.length_in_periods:.4g} {turns}.")
            return done("chaotic", "More noise than estimated would weaken the exponent.")
        reasons.append("The record does not suffice for a claim of chaos: " + enough.needs[0] + ".")
        return done("undetermined")
    well = lines.unexplained_outside < LINES_UNEXPLAINED
    if well and ahead.usual <= max(REMEMBERED * ahead.near, REMEMBERED_ERROR):
        reasons.append(
            f"The state is foretold {ahead.first} to {ahead.last} samples ahead with an error of "
            f"{ahead.usual:.2g} standard deviations, as well as one delay ahead."
        )
        return _regular(lines, n_samples, reasons, done)
    small = abs(estimate.value) * rhythm.characteristic_period < NEUTRAL_GROWTH
    if small and low <= 0 <= high and well:
        reasons.append(f"The largest Lyapunov exponent is zero within its interval: {estimate}.")
        return _regular(lines, n_samples, reasons, done)
    if low > 0:
        reasons.append(
            f"The largest Lyapunov exponent, {estimate}, is positive, but neighbours do not part "
            "or the state is foretold far ahead as well as one delay ahead."
        )
        return done("undetermined", "A record of more of the state would tell what is wrong.")
    reasons.append(
        f"The sign of the largest Lyapunov exponent is not resolved: {estimate}."
        if estimate.is_finite
        else "The largest Lyapunov exponent could not be estimated."
    )
    return done("undetermined", "A longer record, or one with less noise, would fix the exponent.")


def _chaos(exponent: LargestLyapunov, ahead: Foresight) -> bool:
    """Tangent vectors grow, neighbours part, and the state cannot be foretold far ahead.

    Where forecasts could not be made, for gaps, the whole interval of the exponent is asked for.
    """
    if not exponent.divergence_slope > 0:  # NaN where neighbours do not part, as in a cycle
        return False
    if not np.isfinite(ahead.least):
        return bool(exponent.exponent.interval[0] > 0)
    forgotten = ahead.least >= max(FORGOTTEN * ahead.near, FORGOTTEN_ERROR)
    return bool(forgotten and (exponent.exponent.interval[0] > 0 or exponent.certain_growth > 0))


def _why_chaotic(exponent: LargestLyapunov, ahead: Foresight) -> list[str]:
    estimate = exponent.exponent
    reasons = [
        f"The largest Lyapunov exponent is positive with its whole interval: {estimate}."
        if estimate.interval[0] > 0
        else f"The size of the largest Lyapunov exponent is uncertain, {estimate}, its sign is not: "
        "tangent vectors grow at every setting of the better half, by at least "
        f"{exponent.certain_growth:.3g}.",
        f"Neighbours part exponentially as well, at {exponent.divergence_slope:.3g} "
        f"{estimate.unit}.",
    ]
    if np.isfinite(ahead.least):
        reasons.append(
            f"Forecasts fail: their error is {ahead.near:.2g} standard deviations one delay ahead "
            f"and at least {ahead.least:.2g} from {ahead.first} to {ahead.last} samples ahead."
        )
    return reasons


def _stochastic(
    prediction: SurrogateTest,
    asymmetry: SurrogateTest,
    n_samples: int,
    reasons: list[str],
    done: Callable[..., Decision],
) -> Decision:
    """Tell linear from nonlinear noise where no rule is strong enough to foretell."""
    rejected = [t for t in (prediction, asymmetry) if t.p_value <= ALPHA / 2]
    if rejected:
        named = " and ".join(f"{t.statistic} (p = {t.p_value:.3g})" for t in rejected)
        reasons.append(
            f"A linear Gaussian process seen through a fixed function is rejected by {named}."
        )
        reasons.append(
            f"Yet the local prediction error is {prediction.ratio:.2f} times that of linear "
            "surrogates: what is foretold is not enough to call the motion deterministic."
        )
        return done("stochastic-nonlinear", "Less noise or finer sampling could uncover a rule.")
    if n_samples < 200:
        reasons.append(f"{n_samples} samples are too few for the tests to reject anything.")
        return done("undetermined", "At least 200 samples, better 500.")
    reasons.append(
        "Neither prediction error nor time asymmetry differs from linear Gaussian surrogates "
        f"(p = {prediction.p_value:.3g} and {asymmetry.p_value:.3g})."
    )
    return done("stochastic-linear", "A longer record could reveal a weak nonlinearity.")
