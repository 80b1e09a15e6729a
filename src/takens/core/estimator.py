"""Question and answer are two objects: an estimator is frozen, and `fit` returns a `Fit`."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from takens.core.errors import Status
from takens.core.trajectory import Finding

Model = TypeVar("Model")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fit(Generic[Model]):
    """What learning returns; an unfitted model cannot exist.

    Parameters
    ----------
    model : AbstractSystem
        The learned system. An ensemble is a leading ``sample`` axis on its arrays.
    diagnostics : mapping
        Arrays and numbers that say how well it went, such as one-step residuals.
    status : Status
        How the fit ended.
    cautions : tuple of Finding
        What weakens the fit.
    """

    model: Model
    diagnostics: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    status: Status = Status.OK
    cautions: tuple[Finding, ...] = ()


class AbstractEstimator(abc.ABC, Generic[Model]):
    """Frozen settings of a method that turns data into a system.

    Concrete classes are frozen dataclasses whose fields are the settings.
    """

    references: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def fit(self, data: Any, *, seed: int = 0) -> Fit[Model]:
        """Learn a system from `data` (anything `takens.data.as_recording` accepts)."""
