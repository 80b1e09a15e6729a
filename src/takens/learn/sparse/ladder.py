"""Which library: several searches on the same data, compared by one criterion."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import InvalidInput, Status, WrongKind
from takens.data import as_recording
from takens.learn.sparse.finder import AbstractFinder, Identified
from takens.learn.sparse.sindy import SINDy
from takens.learn.terms import Polynomials

EQUAL = 1.0  # difference of the criterion that decides nothing: the smaller library is taken


@dataclasses.dataclass(frozen=True, kw_only=True)
class LibraryLadder(AbstractFinder[Any]):
    r"""Of the laws that several searches find, the one of least extended BIC.

    With :math:`\hat\sigma_j` what the orbits leave of column j, N samples and k coefficients, the
    criterion is :math:`\sum_j N \log \hat\sigma_j^2 + k\,p`, where the price p of a coefficient is
    that of the largest library for all. Laws whose residuals are not noise do not compete; where
    none is left, the answer is that of the last search. Laws with noise in the dynamics compete only
    where none without stands, by their likelihood. Laws of different order are compared by
    `OrderLadder`.

    Parameters
    ----------
    finders : tuple of AbstractFinder
        From the smallest library up: `SINDy` with polynomials of degree one, two and three when not
        given. All of flows or all of maps.

    Raises
    ------
    InvalidInput
        If no finder is given, or all refuse the data.

    Notes
    -----
    Choosing among libraries by the data is part of the search, so judge the ladder as a whole, as
    `takens.validate.judge_law` does. Cost: the sum of the searches.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(0.0, 12.0, 0.05)
    >>> rng = np.random.default_rng(0)
    >>> data = np.exp(-0.1 * t) * np.array([np.cos(2 * t), -np.sin(2 * t)])
    >>> fit = LibraryLadder().fit(data.T + 0.01 * rng.normal(size=(len(t), 2)))
    >>> len(fit.diagnostics["law"].terms), int(fit.diagnostics["law"].support.sum())
    (3, 4)
    """

    finders: tuple[AbstractFinder[Any], ...] = tuple(
        SINDy(library=Polynomials(degree)) for degree in (1, 2, 3)
    )
    references = ("chen2008extended",)

    def __post_init__(self) -> None:
        if not self.finders:
            raise InvalidInput("no finder was given; expected one or more.")
        for finder in self.finders:
            if not isinstance(finder, AbstractFinder):
                raise WrongKind(
                    f"{type(finder).__name__} is no finder of laws; give `SINDy` or `SparseMap`."
                )

    def identified(self, data: Any) -> Identified:
        """The best of the laws."""
        recording = as_recording(data)
        found: list[Identified] = []
        for finder in self.finders:
            try:
                found.append(finder.identified(recording))
            except InvalidInput:
                if finder is self.finders[-1] and not found:
                    raise
        price = max(f.law.price for f in found)
        sound = [f for f in found if f.law.status is Status.OK]
        if not sound:
            return found[-1]
        still = [f for f in sound if f.law.noise is None]
        sound = still or sound  # orbits that follow a law need no noise in the dynamics
        values = [_criterion(f, price) for f in sound]
        return next(f for f, v in zip(sound, values, strict=True) if v <= min(values) + EQUAL)

    def system_of(self, found: Identified) -> Any:
        """As the finders make it."""
        return self.finders[0].system_of(found)


def _criterion(found: Identified, price: float) -> float:
    law = found.law
    if law.noise is not None and found.found is not None:
        shot = found.found.shot
        return shot.linear.log_determinant + shot.misfit + price * float(law.support.sum())
    variance = np.maximum(law.measurement_noise**2, 1e-300)
    return float(law.n_samples * np.log(variance).sum() + price * law.support.sum())
