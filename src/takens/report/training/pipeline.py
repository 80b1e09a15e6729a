"""From a log to a report, in one call."""

from __future__ import annotations

import dataclasses
import hashlib
import time as clock
from pathlib import Path
from typing import Any

from takens.core import InvalidInput, WrongKind
from takens.report.pipeline import provenance_of
from takens.report.training.report import TrainingReport


def training(data: Any, *, tol: float = 1e-3, full_batch: bool | None = None) -> TrainingReport:
    """Diagnose the log of a training run and make a report of it.

    Parameters
    ----------
    data : str, Path or TrainingRun
        A file (``.csv``, ``.jsonl``, ``.npz``) or a recorded run.
    tol : float
        Factor for the steps to go of a run that settles.
    full_batch : bool, optional
        Whether every step saw all data; what the log says, or what its steps show, when not given.

    Returns
    -------
    TrainingReport

    Raises
    ------
    InvalidInput
        If the file cannot be read, or has no loss.
    WrongKind
        If `data` is neither a file nor a run.

    Notes
    -----
    See `takens.algorithms.diagnose` for what the verdicts do and do not establish.

    Examples
    --------
    >>> import numpy as np
    >>> from takens.algorithms import TrainingRun
    >>> training(TrainingRun(steps=np.arange(100), loss=0.9 ** np.arange(100))).verdict.kind
    'converging'
    """
    from takens.algorithms.diagnosis.door import diagnosed
    from takens.algorithms.diagnosis.logs import TrainingLog, read_log
    from takens.algorithms.recording import TrainingRun

    start = clock.perf_counter()
    if not 0 < tol < 1:
        raise InvalidInput(f"tol = {tol}; expected between 0 and 1.")
    if isinstance(data, TrainingRun):
        log, title, given, digest = TrainingLog(run=data), "training run", "", ""
    elif isinstance(data, (str, Path)):
        log, title, given = read_log(data), Path(data).name, str(data)
        digest = hashlib.sha256(Path(data).read_bytes()).hexdigest()
    else:
        raise WrongKind(f"{type(data).__name__} was given; expected a file or a TrainingRun.")
    if full_batch is not None:
        settings = {**log.run.settings, "full_batch": full_batch}
        log = dataclasses.replace(log, run=dataclasses.replace(log.run, settings=settings))
    found = diagnosed(log, tol=tol)
    report = TrainingReport(log=log, diagnosis=found, title=title, given=given,
                            settings={"tol": tol, "full_batch": full_batch})  # fmt: skip
    from takens.report.training.document import recording_of

    provenance = provenance_of(recording_of(report, digest), clock.perf_counter() - start)
    return dataclasses.replace(report, provenance=provenance)
