"""From data to a report, in one call."""

from __future__ import annotations

import dataclasses
import datetime
import platform
import time as clock
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import takens
from takens.core import Finding, InvalidInput, Recording, Status, TakensError
from takens.report.result import Report

if TYPE_CHECKING:
    from takens.series import Motion
    from takens.validate import Backtest, LawJudgement, LongRun

Progress = Callable[[float, str], None]

MAX_COLUMNS = 5_000  # wider tables are a transposed file or a field to be thinned first


def opened(data: Any, reading: dict[str, Any]) -> tuple[Recording, str]:
    """The recording, and the name under which it was given (empty for arrays)."""
    from takens.data import as_recording, open_any

    options = {name: value for name, value in reading.items() if value is not None}
    if isinstance(data, (str, Path)):
        return _narrow(open_any(data, max_columns=MAX_COLUMNS, **options)), str(data)
    if options and isinstance(data, Recording):
        raise InvalidInput(
            f"Options {', '.join(options)} were given for data that are read already. "
            "Give them to `takens.read`."
        )
    return _narrow(as_recording(data, **options)), ""


def _narrow(recording: Recording) -> Recording:
    """The recording, refused when a page could not show its columns."""
    from takens.data.options import Options

    Options(max_columns=MAX_COLUMNS).check_width(len(recording.names))
    return recording


def provenance_of(recording: Recording, wall_s: float) -> dict[str, Any]:
    """Versions, checksum of the source, date and wall time."""
    return {
        "takens": takens.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: metadata.version(name) for name in ("numpy", "scipy")},
        "source_sha256": recording.digest,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "wall_s": round(wall_s, 3),
    }


def analyse(
    data: Any,
    *,
    seed: int = 0,
    quick: bool = False,
    progress: Progress | None = None,
    time: str | None = None,
    columns: Any = None,
    inputs: Any = None,
    group: str | None = None,
    dt: float | None = None,
    time_unit: str | None = None,
) -> Report:
    """Analyse measurements: what moves, against which null hypotheses, and how far it is foretold.

    Reads the data, asks `takens.series.kind_of_motion` for the verdict and
    `takens.validate.backtest` for the models, and lays the best model's long run beside the data.

    Parameters
    ----------
    data : str, Path or anything `takens.data.as_recording` accepts
        A file, the name of a bundled data set, an array of shape (time,) or (time, dim), a table.
    seed : int
        Of every random number; the same seed gives the same numbers.
    quick : bool
        Fewer settings and models: faster, with wider intervals.
    progress : callable, optional
        Called with the fraction done and what is being done.
    time, columns, inputs, group, dt, time_unit
        How to read the data, as for `takens.read`.

    Returns
    -------
    Report
        A question that these data cannot answer is a stated gap in it, not an error.

    Raises
    ------
    InvalidInput
        If the data cannot be read, or the options do not fit them.
    MissingDependency
        If the file needs a library that is not installed.

    Notes
    -----
    The verdict is about the record, at its length, sampling and noise. Cost: about three seconds for
    10,000 rows of one column; larger records are subsampled where a step would grow faster than
    the record, which the cautions state.

    Examples
    --------
    >>> import numpy as np
    >>> report = analyse(np.sin(np.arange(600) * 0.2), quick=True)
    >>> report.verdict.kind
    'periodic'
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InvalidInput(f"seed = {seed!r}; expected a whole number from 0 on.")
    start = clock.perf_counter()
    tell = progress or (lambda fraction, what: None)
    tell(0.0, "reading")
    options = {"time": time, "columns": columns, "inputs": inputs, "group": group, "dt": dt,
               "time_unit": time_unit}  # fmt: skip
    recording, given = opened(data, options)
    gaps: list[Finding] = []

    def guarded(question: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except TakensError as error:
            gaps.append(
                Finding(question.replace(" ", "-"), f"No answer on {question}: {error}", "",
                        "caution")
            )  # fmt: skip
            return None

    from takens.series import kind_of_motion

    motion = guarded("kind of motion", lambda: kind_of_motion(
        recording, seed=seed, quick=quick,
        progress=lambda part, what: tell(0.05 + 0.5 * part, what),
    ))  # fmt: skip
    backtest, long_run = _models(recording, motion, seed=seed, quick=quick, guarded=guarded,
                                 tell=lambda part, what: tell(0.55 + 0.35 * part, what))  # fmt: skip
    tell(0.9, "equations")
    law, why_no_law = _law(recording, motion, seed=seed, quick=quick, guarded=guarded)
    tell(1.0, "done")
    reading = {name: value for name, value in options.items() if value is not None}
    return Report(
        recording=recording,
        motion=motion,
        backtest=backtest,
        long_run=long_run,
        law=law,
        why_no_law=why_no_law,
        gaps=tuple(gaps),
        given=given,
        settings={"seed": seed, "quick": quick, "reading": reading},
        provenance=provenance_of(recording, clock.perf_counter() - start),
    )


def _models(
    recording: Recording,
    motion: Motion | None,
    *,
    seed: int,
    quick: bool,
    guarded: Callable[[str, Callable[[], Any]], Any],
    tell: Progress,
) -> tuple[Backtest | None, LongRun | None]:
    """Models on held-out data, and the best one left alone; nothing to foretell at rest."""
    if motion is None or motion.kind == "equilibrium" or motion.status is Status.TOO_SHORT:
        return None, None
    tell(0.0, "models")
    from takens.data import regular_segments
    from takens.validate import backtest, long_run

    chaotic = motion.kind == "chaotic"
    exponent = motion.exponent.exponent if chaotic and motion.exponent is not None else None
    period = _period(motion)
    effort: dict[str, Any] = {"n_origins": 20, "n_ensembles": 4} if quick else {}
    judged = guarded("models", lambda: backtest(
        recording, lyapunov=exponent, period=period,
        seed=seed, progress=lambda part: tell(0.8 * part, "models on held-out data"), **effort,
    ))  # fmt: skip
    if judged is None or quick:
        return judged, None
    tell(0.8, "long run of the best model")
    best = judged.estimators[judged.of(judged.best)]
    segments = regular_segments(recording)
    run = guarded("long run of the best model", lambda: long_run(
        best.learn(segments, seed=seed), segments, name=best.label, seed=seed, throw=False
    ))  # fmt: skip
    return judged, run


LAW_ROWS = 2_000  # of the end of the longest stretch, on which equations are looked for
LAW_SAMPLES = 500  # of these that the search uses; all are forecast from
LAW_COLUMNS = 4
LAW_KINDS = ("periodic", "quasiperiodic", "chaotic", "undetermined")


def _law(
    recording: Recording,
    motion: Motion | None,
    *,
    seed: int,
    quick: bool,
    guarded: Callable[[str, Callable[[], Any]], Any],
) -> tuple[LawJudgement | None, str]:
    """A law of few terms on part of the record, judged; or why none was looked for."""
    if motion is None or motion.kind not in LAW_KINDS or motion.status is Status.TOO_SHORT:
        return None, "No equations were looked for: no rule of motion is established."
    if quick:
        return None, "No equations were looked for in this quick analysis."
    if motion.embedding is None:
        return None, "No equations were looked for: no state space was found."
    from takens.data import regular_segments
    from takens.learn import SINDy, SparseMap
    from takens.learn.sparse.forecast import as_records
    from takens.report.law.choice import chosen
    from takens.validate import judge_law

    segments = regular_segments(recording)
    map_like = motion.embedding.map_like
    if len(segments.names) > LAW_COLUMNS:
        return None, f"No equations were looked for in {len(segments.names)} columns."
    if len(segments.names) == 1 and not map_like:
        return None, "No equations were looked for: one column of a flow is not its whole state."
    part = as_records(segments)
    longest = max(part, key=len)
    last = slice(-LAW_ROWS, None)
    short = Recording(records=(dataclasses.replace(
        longest, times=longest.times[last], states=longest.states[last],
        inputs=None if longest.inputs is None else longest.inputs[last],
    ),))  # fmt: skip
    choice = chosen(
        short, segments.names, method=SparseMap if map_like else SINDy, degree=None, terms=(),
        max_samples=LAW_SAMPLES,
    )  # fmt: skip
    found = guarded("equations", lambda: judge_law(
        short, choice.finder.finders[-1], n_folds=1, n_origins=40, free_run=False, seed=seed, throw=False
    ))  # fmt: skip
    if found is None:
        return None, "No equations could be looked for."
    if found.survives:
        return found, ""
    return found, " ".join((found.sentence, *found.reasons[:2]))


def _period(motion: Motion) -> float | None:
    """The period that valid times are counted in: a line, a significant peak, or none."""
    found = motion.line_periods or (motion.spectrum.periods if motion.spectrum is not None else ())
    return float(found[0].value) if found else None
