"""Rolling-origin backtest: every model on the same origins, trained on the past alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from takens.core import Estimate, Finding, Fit, InvalidInput, Status, WrongKind, require
from takens.data import Segments, regular_segments
from takens.learn import (
    DMD,
    NVAR,
    AbstractDelayEstimator,
    Analog,
    Climatology,
    LinearAutoregression,
    Persistence,
    SeasonalClimatology,
)
from takens.validate.folds import folds, origins
from takens.validate.forecasts import Starts, blow_ups, starts
from takens.validate.judge import judge
from takens.validate.result import Backtest
from takens.validate.scoring import Scores, example_of, judge_fold

MAX_STEPS = 160
MAX_LEADS = 40
FREE_RUN_STEPS = 1_000
INPUTS_KNOWN = Finding(
    code="inputs-known",
    text="Inputs over the forecast horizon were taken as known.",
    action="Without a forecast of the inputs, real skill is lower.",
)


def default_estimators(*, season: float | None = None) -> tuple[AbstractDelayEstimator[Any], ...]:
    """The two references, and the models that every record is tried on.

    Parameters
    ----------
    season : float, optional
        A period known beforehand, such as the year, in the time unit of the data; adds the
        seasonal climatology.

    Returns
    -------
    tuple of AbstractDelayEstimator

    Examples
    --------
    >>> [estimator.label for estimator in default_estimators()]
    ['persistence', 'climatology', 'DMD', 'linear autoregression', 'analog', 'NVAR']
    """
    seasonal = () if season is None else (SeasonalClimatology(period=season),)
    return (
        Persistence(),
        Climatology(),
        *seasonal,
        DMD(),
        LinearAutoregression(),
        Analog(),
        NVAR(),
    )


def backtest(
    data: Any,
    estimators: Sequence[AbstractDelayEstimator[Any]] | None = None,
    *,
    horizon: float | None = None,
    n_folds: int = 4,
    n_origins: int = 40,
    n_ensembles: int = 6,
    n_members: int = 32,
    level: float = 0.9,
    lyapunov: Estimate | None = None,
    period: float | None = None,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> Backtest:
    r"""Forecast skill of several models on data they have not seen.

    The record is split by time: its first half trains the first fold, and every later block tests
    models that were refitted on all that came before it. Open settings are chosen once, inside the
    first fold's training data. From every origin the map is iterated; ensembles add resampled
    training residuals at every step, so that climatology gives the climatological law and
    persistence a random walk.

    A model is *useful* when at some lead its squared error is smaller than that of persistence and
    of climatology, by a one-sided paired test at 5 % over all models and leads at once: the
    largest studentised gain against its distribution in a circular block bootstrap over origins.

    Parameters
    ----------
    data : array, Trajectory, Recording or path
        Anything `takens.data.as_recording` accepts; breaks and several records are respected.
    estimators : sequence of AbstractDelayEstimator, optional
        Default: `default_estimators`. Persistence and climatology are added when missing.
    horizon : float, optional
        Longest lead in time units; by default four periods or five Lyapunov times, within 20 to
        160 samples and a tenth of the record.
    n_folds, n_origins, n_ensembles, n_members : int
        Test blocks, forecast origins in each, origins in each that get an ensemble, its size.
    level : float
        Coverage of every interval.
    lyapunov : Estimate, optional
        Largest exponent per time unit, to express valid times in Lyapunov times.
    period : float, optional
        Characteristic period in time units.
    seed : int
        For resampling.
    throw : bool
        Whether to raise when no forecast could be judged.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    Backtest

    Raises
    ------
    InvalidInput
        If a setting is out of range, or the record is too short to be split.
    WrongKind
        If an estimator does not learn a map on past observations.
    NumericalFailure
        If no forecast could be judged and `throw`.

    Notes
    -----
    Costs about a second for ten thousand rows; a model that exists only as a system is compiled.
    Skill here is skill on this record: a change of regime after it is not foreseen. Inputs over
    the horizon are taken as known. A forecast beyond ten data ranges is scored as that far.

    References
    ----------
    Tashman, International Journal of Forecasting 16, 437 (2000), on rolling origins; White,
    Econometrica 68, 1097 (2000), on the test.

    Examples
    --------
    >>> from takens.learn import LinearAutoregression
    >>> wave = np.sin(0.3 * np.arange(600))
    >>> result = backtest(wave, [LinearAutoregression(order=2)], n_folds=2, n_members=8)
    >>> result.best, result.useful
    ('linear autoregression', True)
    """
    return scored(
        data,
        estimators,
        horizon=horizon,
        n_folds=n_folds,
        n_origins=n_origins,
        n_ensembles=n_ensembles,
        n_members=n_members,
        level=level,
        lyapunov=lyapunov,
        period=period,
        seed=seed,
        throw=throw,
        progress=progress,
    ).backtest


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Scored:
    """A backtest with what it was made of.

    Parameters
    ----------
    backtest : Backtest
    scores : dict of array
        Per model and origin, see `Scores`.
    fits : tuple of dict
        The fits of each fold by label.
    """

    backtest: Backtest
    scores: dict[str, np.ndarray]
    fits: tuple[dict[str, Fit[Any]], ...]


def scored(
    data: Any,
    estimators: Sequence[AbstractDelayEstimator[Any]] | None,
    *,
    horizon: float | None,
    n_folds: int,
    n_origins: int,
    n_ensembles: int,
    n_members: int,
    level: float,
    lyapunov: Estimate | None,
    period: float | None,
    seed: int,
    throw: bool,
    progress: Callable[[float], None] | None,
) -> Scored:
    """What `backtest` does, and the scores and fits behind it."""
    check_settings(n_folds, n_origins, n_ensembles, n_members, level, horizon)
    segments = data if isinstance(data, Segments) else regular_segments(data)
    rivals = _with_references(estimators)
    steps = _horizon_steps(segments, horizon, lyapunov, period)
    leads = np.unique(np.round(np.geomspace(1, steps, MAX_LEADS)).astype(int))
    rng = np.random.default_rng(seed)
    parts: list[Scores] = []
    history: list[dict[str, Fit[Any]]] = []
    cautions: list[Finding] = []
    blocks = folds(segments, n_folds)
    rivals, fits, trouble = _tuned(rivals, blocks[0].train, seed)
    cautions += trouble
    n_ensembles = min(n_ensembles, n_origins)
    n_rows = n_ensembles * (1 + n_members)
    last: tuple[dict[str, Fit[Any]], Starts] | None = None
    for number, fold in enumerate(blocks):
        if number > 0:
            fits = {e.label: e.learn(fold.train, seed=seed) for e in rivals}
        window = max(fit.model.window for fit in fits.values())
        places = origins(segments, fold, window, steps, n_origins)
        if len(places):
            begin = starts(segments, places, steps)
            part = judge_fold(
                fits, segments, fold.train, begin, leads, n_ensembles, n_members, rng, n_rows
            )
            parts.append(part)
            last = (fits, begin)
            history.append(fits)
        if progress is not None:
            progress(0.8 * (number + 1) / len(blocks))
    labels = tuple(e.label for e in rivals)
    status = Status.OK if last is not None else Status.TOO_SHORT
    require(status, throw=throw)
    if last is None:
        raise InvalidInput(
            f"No forecast of {steps} samples could be judged in {segments.n_samples} samples. "
            "Give a longer record, or a shorter horizon."
        )
    fits, begin = last
    rates = []
    for label in labels:
        cautions += [c for c in fits[label].cautions if c not in cautions]
        rates.append(blow_ups(fits[label], segments, begin, _free_steps(steps), n_rows))
    if segments.input_names:
        cautions.append(INPUTS_KNOWN)
    joined = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts], axis=1)
        for f in dataclasses.fields(Scores)
    }
    verdict = judge(
        labels, joined, rates, leads, steps, segments.dt, segments.time_unit,
        lyapunov=lyapunov, period=period, level=level, rng=rng,
    )  # fmt: skip
    if progress is not None:
        progress(1.0)
    found = Backtest(
        models=labels,
        estimators=tuple(rivals),
        leads=leads * segments.dt,
        steps=leads,
        time_unit=segments.time_unit,
        names=segments.names,
        free_run_steps=_free_steps(steps),
        n_folds=len(parts),
        level=level,
        example=example_of(verdict["best"], fits, segments, begin, rng, n_rows),
        settings={label: _settings(fit) for label, fit in fits.items()},
        cautions=tuple(cautions),
        provenance={
            "seed": seed,
            "horizon_steps": steps,
            "n_folds": n_folds,
            "n_origins": n_origins,
            "n_members": n_members,
            "dt": segments.dt,
        },
        **verdict,
    )
    return Scored(backtest=found, scores=joined, fits=tuple(history))


def _settings(fit: Fit[Any]) -> dict[str, Any]:
    """What was chosen, without the arrays and results behind it."""
    return {k: v for k, v in fit.diagnostics.items() if k not in {"residuals", "law"}}


def _free_steps(steps: int) -> int:
    """Length of the free runs in samples."""
    return max(steps, min(10 * steps, FREE_RUN_STEPS))


def check_settings(
    n_folds: int, n_origins: int, n_ensembles: int, n_members: int, level: float, horizon: Any
) -> None:
    """Refuse settings out of their range, before any work."""
    for name, value, least in (
        ("n_folds", n_folds, 1),
        ("n_origins", n_origins, 2),
        ("n_ensembles", n_ensembles, 1),
        ("n_members", n_members, 2),
    ):
        if value < least:
            raise InvalidInput(f"{name} = {value}; expected at least {least}. Give more.")
    if not 0.5 <= level < 1:
        raise InvalidInput(f"level = {level}; expected between 0.5 and 1. Try 0.9.")
    if horizon is not None and not horizon > 0:
        raise InvalidInput(f"horizon = {horizon}; expected a positive time. Or leave it out.")


def _with_references(
    estimators: Sequence[AbstractDelayEstimator[Any]] | None,
) -> list[AbstractDelayEstimator[Any]]:
    chosen = list(default_estimators() if estimators is None else estimators)
    for estimator in chosen:
        if not isinstance(estimator, AbstractDelayEstimator):
            raise WrongKind(
                f"{type(estimator).__name__} was given; expected an estimator of maps on past "
                "observations. Subclass `takens.learn.AbstractDelayEstimator`."
            )
    kinds = {type(e) for e in chosen}
    missing = [kind() for kind in (Persistence, Climatology) if kind not in kinds]
    chosen = missing + chosen
    if len({e.label for e in chosen}) < len(chosen):
        raise InvalidInput("Two estimators have one label. Give each kind once.")
    return chosen


def _horizon_steps(
    segments: Segments, horizon: float | None, lyapunov: Estimate | None, period: float | None
) -> int:
    room = max(1, min(segments.n_samples // 10, len(segments.longest) // 4))
    if horizon is not None:
        return int(np.clip(round(horizon / segments.dt), 1, max(room, 1)))
    wanted = 0.0
    if period is not None and np.isfinite(period):
        wanted = 4 * period / segments.dt
    if lyapunov is not None and lyapunov.value > 0:
        wanted = max(wanted, 5 / (lyapunov.value * segments.dt))
    if wanted == 0.0:
        wanted = 100
    return int(min(np.clip(np.ceil(wanted), 20, MAX_STEPS), room))


def _tuned(
    rivals: list[AbstractDelayEstimator[Any]], train: Segments, seed: int
) -> tuple[list[AbstractDelayEstimator[Any]], dict[str, Fit[Any]], list[Finding]]:
    """Every open setting chosen on the first past; a model that this cannot carry is left out."""
    fits: dict[str, Fit[Any]] = {}
    kept: list[AbstractDelayEstimator[Any]] = []
    findings = []
    for rival in rivals:
        try:
            chosen = rival.tuned(train, seed=seed)
            fits[chosen.label] = chosen.learn(train, seed=seed)
        except InvalidInput as refusal:
            if isinstance(rival, (Persistence, Climatology)):
                raise
            findings.append(
                Finding(
                    code="model-left-out",
                    text=f"{rival.label} was left out: {refusal}",
                    action="The other models are judged without it.",
                )
            )
        else:
            kept.append(chosen)
    return kept, fits, findings
