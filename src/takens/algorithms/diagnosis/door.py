"""The door: a system, a run, or a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from takens.algorithms.diagnosis import measures
from takens.algorithms.diagnosis.evidence import collect
from takens.algorithms.diagnosis.logs import TrainingLog, read_log
from takens.algorithms.diagnosis.loss_rule import LEAST_LOSSES
from takens.algorithms.diagnosis.result import TrainingAdvice, TrainingDiagnosis
from takens.algorithms.diagnosis.rule import Ruling, decide
from takens.algorithms.diagnosis.seen import Seen, look
from takens.algorithms.rates import ConvergenceRate, convergence_rate
from takens.algorithms.recording import TrainingRun
from takens.core import Finding, InvalidInput, Status, TakensError

LEAST_FOR_RATE = 26


def diagnose(
    subject: Any,
    x0: Any = None,
    *,
    n_steps: int | None = None,
    n_transient: int | None = None,
    n_trials: int | None = None,
    tol: float = 1e-3,
    seed: int = 0,
) -> TrainingDiagnosis:
    r"""What becomes of a training run: it settles, swings, wanders, stands, or is lost.

    Tests are made in this order, and the first that holds decides: the record ends without finite
    numbers, or grows (diverging); the state does not foretell the steps, so that batches drive them
    (noise-floor, converging or undetermined, from averages alone); the steps are down to rounding
    (converging, or stalled where nothing ever moved); the states repeat (oscillating); an alternation
    stays while the weights move on (edge-of-stability, if sharpness or multipliers agree) or about one
    place (chaotic with a positive exponent, oscillating where the motion is regular); the loss falls or
    steps shrink (converging); neither does (stalled).

    Parameters
    ----------
    subject : AbstractMap, TrainingRun, str or Path
        A system, such as an optimiser, which is run from `x0`; a recorded run; or the file of one.
    x0 : array, shape (dim,), optional
        State from which a system is run: ``system.start(weights)``.
    n_steps, n_transient : int, optional
        Steps of a system that are recorded, and made before; 2,000 and none if not given.
    n_trials : int, optional
        Runs of an optimiser at other learning rates, for advice that was tried out; 4 if not given.
    tol : float
        Factor for the steps to go of a run that settles.
    seed : int
        Of projections and of starts.

    Returns
    -------
    TrainingDiagnosis
        ``undetermined`` where the evidence does not suffice, with what would.

    Raises
    ------
    WrongKind
        If the subject is none of these.
    InvalidInput
        If a file cannot be read, the state does not fit, or settings of a system are given for a record.

    Notes
    -----
    A verdict is on the steps that were made. ``converging`` does not say to what, nor that the limit is
    good; at the edge of stability the loss may be falling as well as anywhere. Without projections of the
    weights (`Recorder`) only the loss is looked at: it shows falling, repeating and creeping, and leaves
    the rest open. A record at every second step shows no flip. Sharpness, multipliers and exponents are
    of the full batch; for batches only averages over blocks are claimed. Chaos of more than a few
    dimensions looks like noise in a record.

    Cost: for a record, well below a second for 10,000 rows. For a system, `n_steps` steps and as many
    losses, some 20 products for each of nine states, 1.5 times as many steps with a tangent where the run
    swings, and the same again for each trial; memory for 18 numbers a step.

    References
    ----------
    Cohen et al., ICLR (2021), and arXiv:2207.14484 (2022), on the edge; Schmid, J. Fluid Mech. 656, 5
    (2010), on multipliers.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from takens.algorithms import GradientDescent, Loss
    >>> loss = Loss.of(lambda w: 0.25 * jnp.sum((w**2 - 1) ** 2), [1.0])
    >>> found = diagnose(GradientDescent(loss, 1.1), [0.4], n_steps=256)
    >>> found.verdict
    'oscillating'
    >>> "1.1 times the largest that is stable" in found.advice[0].text
    True
    """
    if not 0 < tol < 1:
        raise InvalidInput(f"tol = {tol}; expected between 0 and 1.")
    if isinstance(subject, (str, Path, TrainingRun)):
        given = {"x0": x0, "n_steps": n_steps, "n_transient": n_transient, "n_trials": n_trials}
        names = [name for name, value in given.items() if value is not None]
        if names:
            raise InvalidInput(
                f"{', '.join(names)}: for a system that is run; a recorded run has been. Leave it out."
            )
        log = TrainingLog(run=subject) if isinstance(subject, TrainingRun) else read_log(subject)
        return diagnosed(log, tol=tol)
    from takens.algorithms.diagnosis.advice import tried_advice
    from takens.algorithms.diagnosis.running import inspect, make

    if x0 is None:
        raise InvalidInput("A system needs x0, the state it is run from: system.start(weights).")
    trials = 4 if n_trials is None else n_trials
    if trials < 0:
        raise InvalidInput(f"n_trials = {n_trials}; expected 0 or more.")
    made = make(
        subject, x0, n_steps=2_000 if n_steps is None else n_steps, n_transient=n_transient or 0,
        seed=seed,
    )  # fmt: skip
    seen = inspect(made, rtol=0.01, seed=seed)
    ruling = decide(seen)
    advice = tried_advice(made, seen, ruling.verdict, trials, seed)
    return _assembled(seen, ruling, "system", advice, tol)


def diagnosed(log: TrainingLog, *, tol: float) -> TrainingDiagnosis:
    """The diagnosis of a log."""
    from takens.algorithms.diagnosis.inferred import inferred_advice

    seen = look(log.run)
    seen = dataclasses.replace(seen, cautions=(*log.findings, *_validation(log), *seen.cautions))
    ruling = decide(seen)
    door = "loss" if seen.shadows is None else "projections"
    return _assembled(seen, ruling, door, inferred_advice(seen, ruling.verdict), tol)


def _validation(log: TrainingLog) -> list[Finding]:
    """Whether the loss on held-out data has risen since its least: no verdict says so."""
    if log.validation is None or log.validation.shape[1] < 4:
        return []
    steps, values = log.validation
    least = int(values.argmin())
    late = float(np.median(values[-max(len(values) // 8, 1) :]))
    size = abs(float(values[least]))
    if not late - values[least] > 0.05 * size or least >= len(values) - 2:
        return []
    return [
        Finding("validation-rises", f"The validation loss was least, {values[least]:.4g}, at step "
                f"{steps[least]:g}, and is {late:.4g} now.",
                "The verdict is on the training loss: what it still gains does not carry over.", "caution")
    ]  # fmt: skip


def _assembled(
    seen: Seen, ruling: Ruling, door: str, advice: list[TrainingAdvice], tol: float
) -> TrainingDiagnosis:
    rate = _rate(seen, tol) if ruling.verdict == "converging" and not seen.noisy else None
    reasons = ruling.reasons
    if rate is not None and not seen.rests:
        reasons = (*reasons, _settling(rate))
    short = seen.shadows is None and len(seen.loss) < LEAST_LOSSES
    undecided = ruling.verdict == "undetermined"
    return TrainingDiagnosis(
        status=Status.TOO_SHORT if short and undecided else Status.OK,
        verdict=ruling.verdict, reasons=reasons, would_change=ruling.would_change,
        evidence=collect(seen, rate), advice=tuple(advice), run=seen.run, rate=rate,
        multipliers=seen.multipliers, alternation=seen.alternation, door=door,
        cautions=seen.cautions, provenance={"rows": len(seen.run), "tol": tol},
    )  # fmt: skip


def _settling(rate: ConvergenceRate) -> str:
    if rate.status is Status.OK:
        return f"Rate {rate.rate} a row; {rate.remaining} rows for a factor of {rate.tol:g}."
    return "Not yet asymptotic: no single rate describes it, so that the steps to go are not known."


def _rate(seen: Seen, tol: float) -> ConvergenceRate | None:
    """Of the weights where they are recorded, else of the loss."""
    data = seen.shadows if seen.shadows is not None else seen.loss
    even = seen.shadows is not None or np.ptp(np.diff(seen.run.steps)) == 0
    if len(data) < LEAST_FOR_RATE or not even:
        return None
    try:
        return convergence_rate(measures.last(data, 2), tol=tol, throw=False)
    except TakensError:
        return None
