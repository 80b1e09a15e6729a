"""What a known system brings with it: where to start, how often to look, and what is true of it."""

import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any, ClassVar

import equinox as eqx
import numpy as np

from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractMap, AbstractSystem


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """Recomputed invariants of a known system at its default parameters.

    Exponents are per time unit (per iterate for a map), base e, in descending order. A standard
    error of zero marks an exact value.

    Parameters
    ----------
    exponents : tuple of float
        Lyapunov exponents; of a forced system those of its state, without the zero of time.
    standard_errors : tuple of float
        Of each exponent, from block averages along one orbit.
    dimension : float
        Kaplan-Yorke dimension; NaN where the exponents of a flow without attractor give none.
    dimension_error : float
        Its standard error, from the same blocks.
    total : float, optional
        Exact sum of the exponents: the mean divergence, or mean log-determinant of a map.
    identity : str
        What is known exactly, in words or symbols.
    settings : str
        How the numbers were obtained.
    agrees_with : str
        A published source that gives the same within errors; ``""`` when none is known to us.
    """

    exponents: tuple[float, ...]
    standard_errors: tuple[float, ...]
    dimension: float = np.nan
    dimension_error: float = 0.0
    total: float | None = None
    identity: str = ""
    settings: str = ""
    agrees_with: str = ""


class AbstractKnown(AbstractSystem):
    """A system from the literature. What does not depend on its numbers belongs to its class."""

    x0: eqx.AbstractVar[tuple[float, ...]]  # on the attractor at the default parameters
    references: eqx.AbstractClassVar[tuple[str, ...]]  # keys of the bibliography
    dt: ClassVar[float] = 1.0  # suggested interval between observations
    inputs: ClassVar[tuple[str, ...]] = ()  # names of the components of `u`, if it takes any
    truth: ClassVar[Reference | None] = None


def pushed(u: Any) -> Any:
    """The first component of an input, and zero where no input is given."""
    return 0.0 if u is None else u[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the catalogue of known systems.

    Parameters
    ----------
    name : str
        Of the class, in ``takens.systems``.
    kind : str
        ``"flow"``, ``"map"`` or ``"diffusion"``.
    dim : int
        State components at the default parameters.
    description : str
        One sentence.
    system : type
        The class itself; called without arguments it gives the textbook parameters.
    """

    name: str
    kind: str
    dim: int
    description: str
    system: type[AbstractKnown]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}, {self.dim}): {self.description}"


KINDS = {AbstractMap: "map", AbstractFlow: "flow", AbstractDiffusion: "diffusion"}


def catalogue() -> tuple[Entry, ...]:
    """Every known system with its kind and dimension, sorted by name.

    Returns
    -------
    tuple of Entry

    Examples
    --------
    >>> print(next(entry for entry in catalogue() if entry.name == "LogisticMap"))
    LogisticMap (map, 1): The logistic map, from one fixed point through period doubling to chaos.
    """
    room = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"{__package__}.{module.name}")
    entries = []
    for cls in AbstractKnown.__subclasses__():
        if not inspect.isabstract(cls) and cls.__module__.startswith(f"{__package__}."):
            kind = next(word for base, word in KINDS.items() if issubclass(cls, base))
            first = (inspect.getdoc(cls) or "").split("\n\n")[0]
            entry = Entry(
                name=cls.__name__,
                kind=kind,
                dim=cls().dim,
                description=" ".join(first.split()),
                system=cls,
            )
            entries.append(entry)
    return tuple(sorted(entries, key=lambda entry: entry.name))
