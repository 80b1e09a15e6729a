"""What can go wrong, said in three parts: what was given, the rule, what to do."""

from __future__ import annotations

import enum


class TakensError(Exception):
    """Base of every error that the package raises on purpose."""


class InvalidInput(TakensError, ValueError):
    """The question is malformed; raised at the door, before anything is computed."""


class WrongKind(TakensError, TypeError):
    """The question does not apply to this kind of object."""


class MissingDependency(TakensError, ImportError):
    """An optional library is needed for this file or object and is not installed."""


class NumericalFailure(TakensError, RuntimeError):
    """The question was well posed, but the computation found no answer."""


class CautionWarning(UserWarning):
    """A caution that the result also carries in its ``cautions`` field."""


class Status(enum.Enum):
    """How a computation ended. The value is the message, and the message says what to do."""

    OK = ""
    DIVERGED = "The state became non-finite. Shorten the span or check the model."
    TOO_SHORT = (
        "The record is too short for this question. Give more samples, or ask a simpler one."
    )
    NOT_APPLICABLE = "The question does not apply to these data; see the cautions for the reason."
    NO_SCALING = "No scaling region was found. A longer or less noisy record may show one."
    STIFF = (
        "An explicit method crawls here: some rates are much faster than the motion. "
        "Give `integrator=Implicit()`."
    )
    NO_EMBEDDING = (
        "No further coordinate improves the prediction of neighbours: noise, or a record too short."
    )
    NO_LAW = "No sparse law over these terms is supported by the data; the cautions say why. Try other terms."
    NOT_IDENTIFIABLE = "The data cannot tell some parameters; see the cautions. Fix some of them."
    NO_EVENT = "The event did not happen within the span. Allow more time, or place it where the orbit goes."
    NOT_CONVERGED = "The iteration did not converge. Allow more steps or start elsewhere."


def require(status: Status, *, throw: bool) -> None:
    """Raise `NumericalFailure` when `status` is a failure and the caller asked for that."""
    if throw and status is not Status.OK:
        raise NumericalFailure(status.value)
