"""Samples of laws that the data allow, and of the state at their end: forecasts with their spread."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, WrongKind
from takens.learn.laws.delay import DelaySINDy, IdentifiedDelay
from takens.learn.laws.higher_order import HigherOrderSINDy
from takens.learn.laws.rational import RationalSINDy
from takens.learn.laws.sampling import Draws, drawn, last_state
from takens.learn.sparse.finder import Identified
from takens.learn.sparse.law import Law
from takens.learn.sparse.selection import renewed
from takens.learn.sparse.sindy import SINDy, SparseMap

if TYPE_CHECKING:
    import xarray as xr

FEW = 50.0  # effective draws below which a quantile of 95 % is loose


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Posterior(AbstractResult):
    """Laws of one structure that the data allow, with equal weights.

    Parameters
    ----------
    law : Law
        The best one.
    samples : array, shape (sample, term, equation)
        Coefficients, zero where a term does not stand.
    last_states : array, shape (sample, state)
        The state at the last sample of the data, for each of them; of a delay equation its past, as
        `TermDelayFlow` holds it.
    last_time : float
    effective : float
        How many independent draws the weighted ones were worth, before they were resampled.
    n_draws : int
    level : float
        Of the intervals.
    delays : array, shape (sample,)
        Empty where the law has no delay.
    """

    law: Law
    samples: np.ndarray
    last_states: np.ndarray
    last_time: float
    effective: float
    n_draws: int
    level: float = 0.95
    delays: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The fields of the system, each with a leading sample axis."""
        if len(self.delays):
            return {"coefficients": self.samples, "delay": self.delays}
        if not self.law.n_lower:
            return {"coefficients": self.samples}
        upper = self.samples.shape[1] - self.law.n_lower
        return {"numerator": self.samples[:, :upper], "denominator": self.samples[:, upper:]}

    def coefficient(self, term: str, equation: str) -> Estimate:
        """Median and interval of one coefficient; zero where the term does not stand."""
        k, i = self.law.terms.index(term), self.law.names.index(equation)
        values = self.samples[:, k, i]
        if not values.any():
            return Estimate(value=0.0, level=self.level, method="not selected")
        return self._estimate(values)

    @property
    def delay(self) -> Estimate:
        """Median and interval of the delay; NaN where the law has none."""
        if not len(self.delays):
            return Estimate(value=np.nan, level=self.level, method="no delay")
        return self._estimate(self.delays)

    def _estimate(self, values: np.ndarray) -> Estimate:
        low, middle, high = np.quantile(values, [(1 - self.level) / 2, 0.5, (1 + self.level) / 2])
        return Estimate(
            value=float(middle),
            interval=(float(low), float(high)),
            standard_error=float(values.std()),
            level=self.level,
            method="posterior samples",
        )

    def summary(self) -> str:
        """How many samples, and what they are worth."""
        if self.status is not Status.OK:
            return self.status.value
        return "\n".join(
            [
                f"{len(self.samples)} laws of {int(self.law.support.sum())} coefficients, from "
                f"{self.n_draws} draws worth {self.effective:.0f} independent ones.",
                *self.law.equations,
                *([f"delay {self.delay}"] if len(self.delays) else []),
            ]
        )

    def plot(self, ax: Any = None) -> Any:
        """The interval of every coefficient that stands, over its median."""
        from takens.plot import axes, errorbars, labels

        ax = axes(ax)
        names, shares = [], []
        for i, k in np.argwhere(self.law.support.T):
            found = self.coefficient(self.law.terms[k], self.law.names[i])
            names.append(f"{self.law.left(self.law.names[i])}: {self.law.terms[k]}")
            low, high = sorted(end / found.value for end in found.interval)
            shares.append(Estimate(value=1.0, interval=(low, high), level=self.level))
        if shares and self.status is Status.OK:
            errorbars(ax, names, shares)
        return labels(ax, xlabel=f"{self.level:.0%} interval over the median")

    def to_xarray(self) -> xr.Dataset:
        """Samples of coefficients and of the last state."""
        import xarray as xr

        return xr.Dataset(
            {
                "coefficient": (("sample", "term", "equation"), self.samples),
                "last_state": (("sample", "state"), self.last_states),
                **({"delay": ("sample", self.delays)} if len(self.delays) else {}),
            },
            coords={"term": list(self.law.terms), "equation": list(self.law.names)},
            attrs={"effective": self.effective, "n_draws": self.n_draws, "level": self.level},
        )


def posterior(
    data: Any, finder: Any = None, *, n_samples: int = 200, n_draws: int = 400, seed: int = 0
) -> Posterior:
    r"""Samples of the coefficients of a law, given its terms, and of the state at the end of the data.

    For coefficients w the orbits are integrated out, with a flat prior on w and on their starts,
    :math:`-2 \log p(w) = \rho^\top C^{-1} \rho + \log |C|` at the states nearest to the data (see
    `takens.learn.laws.sampling`). Draws from a t distribution about the best fit are weighted by
    what they are worth, the t distribution is moved where fewer than half of them count, and
    `n_samples` are taken with equal weights.

    Parameters
    ----------
    data : Recording, Trajectory, array, table or path
    finder : SINDy, SparseMap, HigherOrderSINDy, RationalSINDy or DelaySINDy, optional
        What finds the law; `SINDy` if not given.
    n_samples : int
        Samples returned.
    n_draws : int
        Weighted draws of each of at most four rounds.
    seed : int

    Returns
    -------
    Posterior
        NaN, with status ``NO_LAW``, where there is no law. ``fit.model.with_parameters(
        **found.parameters)`` is the ensemble, with a leading sample axis on its arrays; and
        ``trajectories(fit.model, found.last_states, times, parameters=found.parameters)`` its
        forecast.

    Raises
    ------
    WrongKind
        If the finder is another.
    InvalidInput
        If a number is too small, or as the finder does.

    Notes
    -----
    The terms are taken as given: what else might stand has no part in the spread. The variance of
    the noise is that of the best fit. Cost: some ten milliseconds of CPU for each draw on 1,000 samples of three
    columns.

    References
    ----------
    Cappe, Guillin, Marin and Robert, J. Comput. Graph. Stat. 13, 907 (2004): population Monte Carlo.

    Examples
    --------
    >>> import numpy as np
    >>> from takens.core import Trajectory
    >>> from takens.learn.terms import Polynomials
    >>> t = 0.1 * np.arange(60)
    >>> x = np.exp(-0.5 * t) + 0.02 * np.random.default_rng(0).normal(size=60)
    >>> data = Trajectory(times=t, states=x[:, None], names=("x",))
    >>> found = posterior(data, SINDy(library=Polynomials(1)), n_samples=50, n_draws=100)
    >>> low, high = found.coefficient("x", "x").interval
    >>> low < -0.5 < high
    True
    """
    finder = SINDy() if finder is None else finder
    if not isinstance(finder, (SINDy, SparseMap, HigherOrderSINDy, RationalSINDy, DelaySINDy)):
        raise WrongKind(
            f"{type(finder).__name__} was given; expected SINDy, SparseMap, HigherOrderSINDy, "
            "RationalSINDy or DelaySINDy."
        )
    for name, value, least in (("n_samples", n_samples, 1), ("n_draws", n_draws, 20)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidInput(f"{name} = {value!r}; expected a whole number, {least} or more.")
    identified = finder.identified(data)
    if identified.law.status is not Status.OK:
        return _none(identified, n_samples, finder)
    search, found = identified.search, identified.found
    assert search is not None
    assert found is not None
    rng = np.random.default_rng(seed)
    late = isinstance(finder, DelaySINDy)
    draws = drawn(search, renewed(search, found), n_draws, rng, _end(finder, identified))
    numbers, ends = draws.resampled(n_samples, rng)
    samples = np.zeros((n_samples, *found.support.shape))
    equation, term = np.nonzero(found.support.T)
    samples[:, term, equation] = numbers
    delays = samples[:, -1, 0] if late else np.empty(0)
    samples = samples[:, :-1] if late else samples
    return Posterior(
        law=identified.law,
        samples=samples,
        last_states=ends,
        last_time=float(search.nodes.times[-1]),
        effective=draws.effective,
        n_draws=n_draws,
        level=finder.level,
        delays=delays,
        cautions=identified.cautions + _cautions(draws, ends),
        provenance={"seed": seed, "finder": type(finder).__name__},
    )


def _end(finder: Any, identified: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """What the system goes on from: with a delay its past."""
    if isinstance(finder, DelaySINDy):
        return functools.partial(identified.past_at_end, finder.n_nodes)
    return last_state


def _cautions(draws: Draws, ends: np.ndarray) -> tuple[Finding, ...]:
    made = []
    if draws.effective < FEW:
        made.append(Finding(
            code="few-effective-draws",
            text=f"The {len(draws.weights)} draws are worth {draws.effective:.0f} independent ones.",
            action="Give more `n_draws`, or take the law with fewer terms.",
        ))  # fmt: skip
    if np.isnan(ends).any():
        made.append(Finding(
            code="no-past-at-end",
            text="The last stretch of the data is shorter than a delay, so that it holds no past to go on from.",
            action="Start forecasts from a past of your own.",
        ))  # fmt: skip
    return tuple(made)


def _none(identified: Identified | IdentifiedDelay, n_samples: int, finder: Any) -> Posterior:
    law, level = identified.law, finder.level
    width = len(identified.terms.states)
    width *= finder.n_nodes if isinstance(finder, DelaySINDy) else 1
    return Posterior(
        law=law,
        samples=np.full((n_samples, *law.coefficients.shape), np.nan),
        last_states=np.full((n_samples, width), np.nan),
        last_time=float(identified.nodes.times[-1]),
        effective=0.0,
        n_draws=0,
        level=level,
        status=law.status,
        cautions=identified.cautions,
    )
