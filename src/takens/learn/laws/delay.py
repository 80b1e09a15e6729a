"""Delay equations from records: the terms, their numbers and the delay."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Estimate, Finding, Fit, InvalidInput, Status
from takens.learn.laws.chain import derivatives
from takens.learn.laws.delay_search import delay_of, from_starts, rivals, without_delay
from takens.learn.laws.delayed import POINTS, DelayAdvance, DelayField, interpolated
from takens.learn.laws.scan import DelayScan, scanned
from takens.learn.sparse.law import Law
from takens.learn.sparse.nodes import Nodes, nodes_of, noise_variance
from takens.learn.sparse.selection import Found, Search, price_of
from takens.learn.sparse.sindy import AbstractSparse, marked, shortened
from takens.learn.sparse.verdict import judged
from takens.learn.terms import AbstractLibrary, Delays, Polynomials, Terms

if TYPE_CHECKING:
    from takens.learn.terms import TermDelayFlow


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdentifiedDelay:
    """A law with a delay, and what it was found from.

    Parameters
    ----------
    nodes, law, terms, cautions, search, found
        As `Identified` has them; in `found` the delay stands as the last row of the table.
    delay : Estimate
    scan : DelayScan
    """

    nodes: Nodes
    law: Law
    terms: Terms
    cautions: tuple[Finding, ...]
    search: Search
    found: Found | None
    delay: Estimate
    scan: DelayScan

    def past_at_end(self, n_nodes: int, states: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The past of states at the last sample, at the nodes of a `TermDelayFlow`; newest first.

        NaN where the last stretch is shorter than the delay.
        """
        assert self.found is not None
        field = self.found.shot.field
        assert isinstance(field, DelayField)
        places = np.cos(np.pi * np.arange(n_nodes) / (n_nodes - 1))
        times = self.nodes.times[-1] + field.split(w)[1] * (places - 1) / 2
        last = np.full(n_nodes, len(self.nodes) - 2)
        try:
            weights, _ = interpolated(self.nodes, last, times, POINTS)
        except np.linalg.LinAlgError:
            return np.full(n_nodes * states.shape[1], np.nan)
        return np.asarray((weights @ states).reshape(-1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DelaySINDy(AbstractSparse["TermDelayFlow"]):
    r"""Delay equations with few terms, :math:`\dot x(t) = \theta(x(t), x(t - \tau), u)\, W`, and their delay.

    The delay is scanned first: least squares of the slopes of smoothed data on few candidates, for
    many delays. From its dips on, terms are found as `SINDy` finds them, with every sample a
    node; the past is read off the nodes between which it lies, and the delay is one of the numbers
    that are fitted. Its interval is that of the profile likelihood, with all else fitted anew.

    Parameters
    ----------
    delays : (float, float)
        The shortest and the longest delay that are thought of, in time units; the shortest is at
        least two steps between samples.
    library : AbstractLibrary
        Candidates over the columns, and their values one delay ago, which are called ``x[-1]`` for a
        column ``x``; polynomials of degree two if not given.
    known, excluded, gamma, level, max_samples
        As for `SINDy`.
    n_nodes : int
        Chebyshev nodes that hold the past in the model, see `takens.systems.AbstractDelayFlow`.

    Raises
    ------
    InvalidInput
        As for `SINDy`; also if the delays are no pair in order, shorter than what samples resolve or
        longer than half of every stretch.

    Notes
    -----
    There is one delay for all terms and columns. Samples within the longest delay of the beginning
    of a record, or of the end of a long gap, are only the past of later ones, so give no wider
    range than is thought of.

    A delay is not told apart from a chain of hidden variables by a good fit. On a cycle of one
    period, delays that differ by it fit alike, and so may several terms; a caution tells where a fit
    that was followed at another delay is nearly as good. The standard errors of coefficients include what is
    not known of the delay.

    Cost: N samples, a delay of L of them and d columns take ``N d^3 L^2`` operations a step; 1,000
    samples at a delay of 40 take some seconds.

    References
    ----------
    Sandoz, Ducret, Gottwald, Vilmart and Perron, Proc. R. Soc. A 479, 20220556 (2023): sparse
    identification of delay equations. Horbelt, Timmer and Voss, Phys. Lett. A 299, 513 (2002): multiple
    shooting for them.

    Examples
    --------
    >>> import numpy as np
    >>> from takens.core import Trajectory
    >>> x, h = [0.3 + 0.01 * n for n in range(101)], 0.01  # a past of one time unit
    >>> for _ in range(3_000):
    ...     k = 1.8 * x[-1] * (1 - x[-101])
    ...     end = x[-1] + h * k
    ...     x.append(x[-1] + h / 2 * (k + 1.8 * end * (1 - x[-100])))
    >>> noisy = np.array(x)[100:3_100:10] + 0.02 * np.random.default_rng(0).normal(size=300)
    >>> data = Trajectory(times=0.1 * np.arange(300), states=noisy[:, None], names=("x",))
    >>> fit = DelaySINDy(delays=(0.5, 2.0)).fit(data)
    >>> fit.model.equations(2)
    ("x' = 1.8*x - 1.8*x*x[-1]",)
    >>> round(fit.diagnostics["delay"].value, 2)
    1.0
    """

    delays: tuple[float, float]
    library: AbstractLibrary = Polynomials(2)  # noqa: RUF009 - a frozen recipe
    n_nodes: int = 17

    references = ("sandoz2023sindy", "horbelt2002parameter", "bock1983recent")

    def __post_init__(self) -> None:
        AbstractSparse.__post_init__(self)
        pair = np.asarray(self.delays, dtype=float)
        if pair.shape != (2,) or not (0 < pair[0] < pair[1] < np.inf):
            raise InvalidInput(
                f"delays = {self.delays!r}; expected the shortest and the longest delay, such as "
                "(0.5, 2.0)."
            )

    def fit(self, data: Any, *, seed: int = 0) -> Fit[TermDelayFlow]:
        """Find the equations and the delay; nothing here is random."""
        found = self.identified(data)
        return Fit(
            model=self.system_of(found),
            diagnostics={"law": found.law, "delay": found.delay, "scan": found.scan},
            status=found.law.status,
            cautions=found.cautions,
        )

    def identified(self, data: Any) -> IdentifiedDelay:
        """The law and the delay without a system made of them."""
        nodes, fewer = shortened(nodes_of(data), self.max_samples)
        search = self._search(nodes)
        links = self._links(nodes)
        variance = noise_variance(nodes)
        smooth = derivatives(nodes, variance, 1)
        scan = scanned(search, links, smooth, self.delays)
        advance = DelayAdvance(nodes=nodes, links=links)
        ended = from_starts(search, scan, advance, variance, smooth)
        found = ended[0] if ended else None
        law, more = judged(search, found, "flow", self.level)
        law = without_delay(law, found)
        estimate = Estimate(value=np.nan, level=self.level, unit=nodes.time_unit)
        if law.status is Status.OK and found is not None:
            estimate, further = delay_of(search, found, self.level)
            more += further + rivals(search, ended, estimate)
        return IdentifiedDelay(
            nodes=nodes, law=law, terms=search.terms, cautions=fewer + more, search=search, found=found,
            delay=estimate, scan=scan,
        )  # fmt: skip

    def system_of(self, found: IdentifiedDelay) -> TermDelayFlow:
        """The delay equation of a law."""
        from takens.learn.terms import TermDelayFlow

        return TermDelayFlow(
            found.law.coefficients, found.terms, delay=found.delay.value, n_nodes=self.n_nodes,
            units=found.nodes.units, time_unit=found.nodes.time_unit,
        )  # fmt: skip

    def _search(self, nodes: Nodes) -> Search:
        terms = Delays(1, self.library).over(nodes.names, inputs=nodes.input_names)
        if {lag for _, lag in terms.delays} != {1}:
            raise InvalidInput(
                f"the library has the lags {sorted({lag for _, lag in terms.delays})}; expected "
                "x[-1] alone, which stands for x one delay ago."
            )
        delay = np.arange(nodes.dim)[None] == 0  # one number, with the first equation
        allowed = ~marked(self.excluded, terms.names, nodes.names)
        forced = marked(self.known, terms.names, nodes.names)
        return Search(
            terms=terms,
            nodes=nodes,
            allowed=np.concatenate([allowed, delay]),
            forced=np.concatenate([forced, delay]),
            price=price_of(len(nodes), len(terms), self.gamma),
            field=DelayField,
        )

    def _links(self, nodes: Nodes) -> np.ndarray:
        """First samples of the links that have a past for every delay thought of."""
        shortest, longest = self.delays
        step = float(np.median(nodes.steps[nodes.linked]))
        if shortest < 2 * step:
            raise InvalidInput(
                f"delays = {self.delays!r} with samples {step:.3g} apart; expected a shortest delay "
                f"of at least two steps, {2 * step:.3g}. Sample faster."
            )
        past = np.zeros(len(nodes), dtype=bool)
        for part in nodes.stretches:
            times = nodes.times[part]
            if times[-1] - times[0] >= 2 * longest:
                past[part] = times >= times[0] + longest
        links = np.flatnonzero(past[:-1] & nodes.linked)
        if len(links) < 8:
            raise InvalidInput(
                f"no stretch is twice as long as the longest delay, {longest:g}. Give a longer "
                "record, or a shorter range of delays."
            )
        return links
