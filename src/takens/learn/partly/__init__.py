"""Half-known systems: equations with free parameters, and what is missing in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from takens.learn.partly.estimator import HalfKnown as HalfKnown
from takens.learn.partly.gaussian import GaussianProcess as GaussianProcess
from takens.learn.partly.identifiability import Identifiability as Identifiability
from takens.learn.partly.known import known as known
from takens.learn.partly.ladder import Ladder as Ladder
from takens.learn.partly.ladder import Rungs as Rungs
from takens.learn.partly.law import PartlyKnownLaw as PartlyKnownLaw
from takens.learn.partly.network import Network as Network
from takens.learn.partly.profile import ProfileLikelihood as ProfileLikelihood
from takens.learn.partly.profile import profile_likelihood as profile_likelihood
from takens.learn.partly.structure import Conserving as Conserving
from takens.learn.partly.structure import Dissipative as Dissipative
from takens.learn.partly.structure import Free as Free
from takens.learn.partly.structure import Hamiltonian as Hamiltonian
from takens.learn.partly.structure import Positive as Positive
from takens.learn.partly.unknown import MissingTerms as MissingTerms
from takens.learn.partly.unknown import Nothing as Nothing

if TYPE_CHECKING:
    from takens.learn.partly.flow import PartlyKnownFlow as PartlyKnownFlow


def __getattr__(name: str) -> Any:
    if name == "PartlyKnownFlow":  # needs JAX, and is imported when first used
        from takens.learn.partly.flow import PartlyKnownFlow

        return PartlyKnownFlow
    raise AttributeError(f"module 'takens.learn.partly' has no attribute {name!r}")
