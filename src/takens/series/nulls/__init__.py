"""Null hypotheses by name; a new one is a class in this folder and a line in this table."""

from __future__ import annotations

from takens.core import InvalidInput
from takens.series.nulls.base import AbstractNull as AbstractNull
from takens.series.nulls.cycles import PseudoPeriodic as PseudoPeriodic
from takens.series.nulls.cycles import Twin as Twin
from takens.series.nulls.fourier import AAFT as AAFT
from takens.series.nulls.fourier import IAAFT as IAAFT
from takens.series.nulls.fourier import Phase as Phase
from takens.series.nulls.fourier import Shuffle as Shuffle
from takens.series.nulls.gaps import Gapped as Gapped
from takens.series.nulls.gaps import Uneven as Uneven
from takens.series.nulls.linear import Linear as Linear
from takens.series.nulls.nonstationary import TruncatedFourier as TruncatedFourier
from takens.series.nulls.nonstationary import Wavelet as Wavelet

NULLS: dict[str, type[AbstractNull]] = {
    "linear": Linear,
    "iaaft": IAAFT,
    "aaft": AAFT,
    "phase": Phase,
    "shuffle": Shuffle,
    "pseudo-periodic": PseudoPeriodic,
    "twin": Twin,
    "truncated-fourier": TruncatedFourier,
    "wavelet": Wavelet,
    "gapped": Gapped,
    "uneven": Uneven,
}

NULL_TEXT = {name: null.hypothesis for name, null in NULLS.items()}


def null_named(null: str | AbstractNull) -> tuple[str, AbstractNull]:
    """Name and settings of a null given as either.

    Raises
    ------
    InvalidInput
        If there is no null of that name.
    """
    if isinstance(null, AbstractNull):
        names = [name for name, kind in NULLS.items() if kind is type(null)]
        return (names[0] if names else type(null).__name__), null
    if null not in NULLS:
        raise InvalidInput(f"null = {null!r}; expected one of {', '.join(NULLS)}.")
    return null, NULLS[null]()
