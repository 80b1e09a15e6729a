"""Does a found law hold? Forecasts of held-out data beside simple models, blow-ups, long runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from takens.core import Estimate, Finding, InvalidInput, Status, require
from takens.data import Segments, as_recording, regular_segments
from takens.learn import Climatology, LawForecast, LinearAutoregression, Persistence, SINDy
from takens.validate.backtest import FREE_RUN_STEPS, Scored, check_settings, scored
from takens.validate.forecasts import FAR, clocks, starts, states
from takens.validate.judge import MIN_ORIGINS, N_BOOT
from takens.validate.judgement import BlowUp, LawJudgement
from takens.validate.longrun import long_run
from takens.validate.scores import block_weights, weighted_means

LAW, LINEAR = LawForecast().label, LinearAutoregression().label
LOST = 0.05  # share of free runs that a law of bounded data may lose
N_FREE = 24  # places from which the law is let run
BLOCK = 256  # steps between two looks at whether a run is lost
LONG = 2_048  # samples of the long run
UNLIKE = 3.0  # times the distance between halves of the data at which a long run is unlike them


def judge_law(
    data: Any,
    finder: Any = None,
    *,
    horizon: float | None = None,
    n_folds: int = 4,
    n_origins: int = 40,
    free_run: bool = True,
    lyapunov: Estimate | None = None,
    period: float | None = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> LawJudgement:
    r"""Find a law, and judge by simulation whether it survives.

    The law that is reported is found from all of the data. The way it was found is judged by a
    rolling-origin backtest: in every fold a law is found anew from the past alone, and its orbit
    from the filtered last samples is laid beside what happened, at all leads up to the horizon,
    with persistence, climatology and linear autoregression on the same origins.

    A law *survives* if

    1. it beats persistence and climatology at some lead (the test of `backtest`, 5 % level);
    2. it has no less skill than linear autoregression, beyond what sampling explains: the gain in
       mean positive skill over it (see `gain_over`) has the upper end of its interval at zero or
       above;
    3. no more than one free run in twenty is lost: the lower end of the interval of the share that
       leaves ten data ranges is at 5 % or below.

    With fewer than 20 forecast origins the law is *untested*; otherwise it is *refused*.

    Parameters
    ----------
    data : array, Trajectory, Recording or path
        Anything `takens.data.as_recording` accepts.
    finder : AbstractEstimator, optional
        What finds the law: `SINDy` when not given, `SparseMap`, `HigherOrderSINDy` and
        `OrderLadder` for records of positions, or another estimator of equations over the columns.
    horizon : float, optional
        Longest lead in time units; see `backtest`.
    n_folds, n_origins : int
        Test blocks, and forecast origins in each.
    free_run : bool
        Whether the law's long run is laid beside the data.
    lyapunov : Estimate, optional
        Largest exponent per time unit, to express valid times in Lyapunov times; that of the law's
        own long run when not given.
    period : float, optional
        Characteristic period in time units.
    level : float
        Coverage of the intervals of scores; those of coefficients are the finder's.
    seed : int
        For resampling.
    throw : bool
        Whether to raise when no law is supported by the data.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    LawJudgement
        With status NO_LAW where the finder supports none.

    Raises
    ------
    InvalidInput
        If the finder refuses the data, or a setting is out of range.
    NumericalFailure
        If no law is supported, and `throw`.

    Notes
    -----
    A record that grows without bound fails the third rule, even with its true law. That a law
    survives says that it forecasts this record and stays within it, not that it is the mechanism.
    Every run has a fixed number of steps of fixed length: a blow-up ends as a result and never
    hangs. Cost: one search for each fold and one for all, and about a millisecond a step.

    References
    ----------
    Tashman, International Journal of Forecasting 16, 437 (2000), on rolling origins.

    Examples
    --------
    >>> from takens.learn import SparseMap
    >>> x = [0.3]
    >>> for _ in range(600):
    ...     x.append(3.8 * x[-1] * (1 - x[-1]))
    >>> found = judge_law(np.array(x), SparseMap(), n_folds=2, free_run=False)
    >>> found.outcome, found.model.equations().pruned().equations(3)
    ('survives', ('x[+1] = 3.8*x - 3.8*x^2',))
    """
    check_settings(n_folds, n_origins, 1, 2, level, horizon)
    tell = progress or (lambda part: None)
    recording = as_recording(data)
    segments = regular_segments(recording)
    estimator = LawForecast(finder=SINDy() if finder is None else finder, records=recording)
    fit = estimator.learn(segments, seed=seed)
    law, model = fit.diagnostics["law"], fit.model
    tell(0.2)
    common: dict[str, Any] = {
        "law": law,
        "model": model,
        "provenance": {"seed": seed, "n_folds": n_folds, "n_origins": n_origins},
    }
    require(fit.status, throw=throw)
    if fit.status is not Status.OK:
        serious = tuple(c.text for c in fit.cautions if c.level == "serious")
        reasons = serious or (fit.status.value,)
        return LawJudgement(
            outcome="none", reasons=reasons, status=fit.status, cautions=fit.cautions, **common
        )
    blow_up = first_blow_up(model, segments, _places(model, segments), FREE_RUN_STEPS)
    run = None
    if free_run and not segments.input_names:
        run = long_run(
            fit, segments, n_steps=LONG, n_transient=BLOCK, level=level, name=LAW, seed=seed,
            throw=False,
        )  # fmt: skip
    if lyapunov is None and run is not None and run.exponent.interval[0] > 0:
        lyapunov = run.exponent
    tell(0.4)
    cautions = fit.cautions + _on_the_run(run, blow_up)
    try:
        judged = scored(
            segments,
            [Persistence(), Climatology(), LinearAutoregression(), estimator],
            horizon=horizon,
            n_folds=n_folds,
            n_origins=n_origins,
            n_ensembles=6,
            n_members=32,
            level=level,
            lyapunov=lyapunov,
            period=period,
            seed=seed,
            throw=False,
            progress=lambda part: tell(0.4 + 0.6 * part),
        )
    except InvalidInput as refusal:
        return LawJudgement(
            outcome="untested", reasons=(str(refusal),), long_run=run, blow_up=blow_up,
            cautions=cautions, **common,
        )  # fmt: skip
    gain = gain_over(judged, LAW, LINEAR, level=level, seed=seed)
    terms = tuple(tuple(fits[LAW].diagnostics["terms"]) for fits in judged.fits if LAW in fits)
    outcome, reasons = _decided(judged, gain, terms, blow_up)
    return LawJudgement(
        outcome=outcome, reasons=reasons, backtest=judged.backtest, gain_over_linear=gain,
        fold_terms=terms, long_run=run, blow_up=blow_up,
        cautions=_joined(cautions, judged.backtest.cautions), **common,
    )  # fmt: skip


def _joined(first: tuple[Finding, ...], second: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return first + tuple(c for c in second if c not in first)


def gain_over(
    judged: Scored, model: str, other: str, *, level: float = 0.9, seed: int = 0
) -> Estimate:
    r"""How much more skill a model has than another: the difference of their mean skills.

    The skill at a lead is :math:`1 - E/E_0`, with :math:`E_0` the smaller squared error of
    persistence and climatology there, and zero where it would be negative: beyond the time to which
    a forecast has skill nobody uses it, and an orbit of a chaotic law that has lost the true one is
    then as far from it as any two states. The mean is over the leads.

    Parameters
    ----------
    judged : Scored
    model, other : str
        Labels.
    level : float
        Of the interval: circular block bootstrap over origins, paired.
    seed : int

    Returns
    -------
    Estimate
        Between -1 and 1; NaN where one of them was left out.
    """
    labels = judged.backtest.models
    if model not in labels or other not in labels:
        return Estimate(value=np.nan, level=level, method=f"{other} or {model} was left out")
    squared = judged.scores["squared"]
    count = squared.shape[1]
    block = max(1, round(count**0.5 / 2))
    weights = block_weights(count, block, N_BOOT, np.random.default_rng(seed))
    errors = weighted_means(squared, np.concatenate([np.ones((1, count)), weights]))
    references = errors[:, [labels.index("persistence"), labels.index("climatology")]].min(axis=1)
    chosen = errors[:, [labels.index(model), labels.index(other)]]
    skill = np.nan_to_num(np.maximum(1 - chosen / np.maximum(references, 1e-300)[:, None], 0.0))
    own, reference = skill.mean(axis=2).T
    low, high = np.quantile((own - reference)[1:], (0.5 - level / 2, 0.5 + level / 2))
    return Estimate(
        value=float(own[0] - reference[0]),
        interval=(float(low), float(high)),
        level=level,
        method=f"circular block bootstrap over {count} origins",
    )


def _decided(
    judged: Scored, gain: Estimate, terms: tuple[tuple[str, ...], ...], blow_up: BlowUp | None
) -> tuple[str, tuple[str, ...]]:
    """The outcome and its reasons."""
    found = judged.backtest
    if LAW not in found.models:
        why = next((c.text for c in found.cautions if c.code == "model-left-out"), "")
        return "untested", (why or "The first half of the record carries no law.",)
    if found.n_origins < MIN_ORIGINS:
        return "untested", (found.reasons[0],)
    reasons, held = [], True
    useful = LAW in found.useful_models
    held &= useful
    reasons.append(
        f"It {'beats' if useful else 'does not beat'} persistence and climatology on held-out data "
        f"(paired block bootstrap over {found.n_origins} origins, corrected "
        "over models and leads, 5 % level)."
    )
    if gain.is_finite:
        better, worse = gain.interval[0] > 0, gain.interval[1] < 0
        held &= not worse
        word = "better" if better else "worse" if worse else "no better and no worse"
        reasons.append(
            f"It forecasts {word} than linear autoregression: gain in mean skill {gain}, over leads "
            f"up to {found.leads[-1]:.4g}."
        )
    rate = found.blow_up_rate[found.of(LAW)]
    if rate.value > 0:
        held &= rate.interval[0] <= LOST
        reasons.append(f"Of its free runs from held-out data {rate} are lost.")
    empty = sum(not names for names in terms)
    if empty:
        reasons.append(f"In {empty} of {len(terms)} folds the past alone supports no law.")
    elif len(set(terms)) > 1:
        reasons.append(
            "The terms differ between the folds: "
            + "; ".join(", ".join(names) for names in dict.fromkeys(terms))
            + "."
        )
    elif len(terms) > 1:
        reasons.append(f"The same terms were found in all {len(terms)} folds.")
    if blow_up is not None:
        reasons.append(str(blow_up))
    return "survives" if held else "refused", tuple(reasons)


def _on_the_run(run: Any, blow_up: BlowUp | None) -> tuple[Finding, ...]:
    """What the law's own runs say against it."""
    findings = []
    if blow_up is not None:
        findings.append(
            Finding("law-blows-up", str(blow_up), "Use the law for short leads only.", "serious")
        )
    if run is None:
        return tuple(findings)
    findings += [c for c in run.cautions if c.code != "model-run-lost" or blow_up is None]
    distance, reference = run.distribution_distance[0], run.distribution_reference
    if run.bounded and distance > max(UNLIKE * reference, 0.1):
        findings.append(
            Finding(
                "long-run-unlike-data",
                f"The law left alone is distributed unlike the data: distance {distance:.3g} standard "
                f"deviations, between halves of the data {reference:.3g}.",
                "Its forecasts may still hold; its long-run behaviour does not.",
            )
        )
    return tuple(findings)


def _places(model: Any, segments: Segments) -> np.ndarray:
    """Evenly spread places with a whole window before them, the last sample of all among them."""
    found = [
        (index, row)
        for index, values in enumerate(segments.values)
        for row in range(model.window - 1, len(values))
    ]
    if not found:
        return np.empty((0, 2), dtype=int)
    return np.array(
        [found[i] for i in np.unique(np.linspace(0, len(found) - 1, N_FREE).astype(int))]
    )


def first_blow_up(
    model: Any, segments: Segments, places: np.ndarray, n_steps: int
) -> BlowUp | None:
    """The first of the free runs from `places` to leave ten data ranges, or None.

    Parameters
    ----------
    model : HostLaw
    segments : Segments
    places : integer array, shape (run, 2)
        Stretch and row of the starts.
    n_steps : int
        Samples after which a run has stood.
    """
    if not len(places):
        return None
    values = np.concatenate([model.frame.encode(v) for v in segments.values])
    centre, limit = values.mean(axis=0), FAR * np.ptp(values, axis=0) + 1e-9
    x0, n0 = states(model, segments, places), clocks(segments, places)
    still = np.zeros((1, model.width))
    drive = np.swapaxes(starts(segments, places, n_steps).inputs, 0, 1)

    def escape(rule: Any, rows: np.ndarray) -> tuple[int, int, np.ndarray] | None:
        """Step and run of the first escape among `rows`, with its last finite state."""
        x = x0[rows]
        for done in range(0, n_steps, BLOCK):
            count = min(BLOCK, n_steps - done)
            draws = np.zeros((count, len(rows)), dtype=int)
            before = x
            x, path = rule.orbits(
                x, n0[rows] + done, drive[done : done + count, rows], still, draws
            )
            out = (~(np.abs(path - centre) <= limit)).any(axis=2)
            if out.any():
                step = int(out.any(axis=1).argmax())
                run = int(out[step].argmax())
                last, there = before[run], step + int(np.isfinite(path[step, run]).all())
                if there:
                    last = rule.orbits(
                        before[[run]], n0[rows[[run]]] + done,
                        drive[done : done + there, rows[[run]]], still, draws[:there, :1],
                    )[0][0]  # fmt: skip
                return done + step + 1, int(rows[run]), last
        return None

    found = escape(model, np.arange(len(places)))
    if found is None:
        return None
    steps, run, state = found
    again = escape(model.finer(4), np.array([run]))
    y = model.decode(state[None])
    t = np.array([(n0[run] + steps) * segments.dt])
    u = drive[min(steps, n_steps - 1), run][None]
    with np.errstate(all="ignore"):
        parts = np.nan_to_num(model.contributions(y, u, t)[0])
    total = parts.sum(axis=0)
    equation = int(np.argmax(np.abs(total) / model.frame.scale))
    term = int(np.argmax(parts[:, equation] * np.sign(total[equation])))
    index, row = places[run]
    return BlowUp(
        start=float(segments.starts[index] + segments.dt * row),
        time=steps * segments.dt,
        time_unit=segments.time_unit,
        names=model.terms.states,
        state=y[0],
        equation=segments.names[equation],
        term=model.terms.names[term],
        confirmed=again is not None and abs(again[0] - steps) <= 0.2 * steps + 2,
    )
