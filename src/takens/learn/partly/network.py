r"""A small network as the missing part: a universal differential equation, and terms made of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from takens.core import Finding, InvalidInput
from takens.learn.partly.field import PartlyKnownField
from takens.learn.partly.gaussian import place_of, with_prior
from takens.learn.partly.network_training import through_orbits, unlikely
from takens.learn.partly.network_units import HiddenUnits
from takens.learn.partly.problem import Orbit, Problem, criterion, settled, whiteness
from takens.learn.partly.start import started
from takens.learn.partly.unknown import AbstractUnknown, MissingTerms, Rung, absorbed, lacking

if TYPE_CHECKING:
    from takens.learn.partly.flow import AbstractLearned

STARTS = 5  # draws of the first weights
DECAY = 1e-2  # weight of their squares beside the mean squared misfit of the slopes
MATCHED = 1_000  # samples, evenly spread, that the hidden layer is matched to
ROUNDS = 3  # times that the prior is found again around a better orbit


@dataclasses.dataclass(frozen=True)
class Network(AbstractUnknown):
    r"""A network with one hidden layer is missing in some equations.

    All weights are first matched to the slopes of smoothed data, from five draws. Then the output
    layer, which enters linearly, and the parameters of the known part are found with the orbits, as
    everywhere here: from soft joints between samples, where needed, to full orbits. Its prior, and
    the best of the draws, are chosen by evidence, so that a wide layer does not fit noise. Then the
    hidden layer is moved as well, by the slope of the misfit through soft joints (multiple shooting)
    and through full orbits; it stays where its evidence, all weights integrated out, is higher. At
    last the terms of a library are looked for along the orbit that was found; where they do as well at
    a lower price, they are the answer.

    Parameters
    ----------
    equations : tuple of str, optional
        Columns whose equations lack something; all when not given.
    columns : tuple of str, optional
        Columns of state that it depends on; all when not given.
    width : int
        Of the hidden layer.
    terms : MissingTerms, optional
        What the network is tried to be turned into; ``None`` leaves it as it is.

    Raises
    ------
    InvalidInput
        If a name is no column, or `width` is below one.

    Notes
    -----
    ``fit.model.learned`` is a `NetworkRates`, with a standard deviation at any state. It takes the
    hidden layer as given and is therefore too small, most of all away from the data: a
    `GaussianProcess` is the better choice where the interval matters, a network where many columns
    enter.

    Cost: five searches of a fraction of a second, then as for `HalfKnown` with a number for each unit
    and equation, twice, and some thirty searches of an orbit from close by: a second in all for 100
    samples of two columns and eight units.

    References
    ----------
    Rackauckas et al., arXiv:2001.04385. MacKay, Neural Computation 4, 448 (1992): evidence.
    """

    equations: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    width: int = 8
    terms: MissingTerms | None = MissingTerms()  # noqa: RUF009 - frozen settings

    def __post_init__(self) -> None:
        if isinstance(self.width, bool) or not isinstance(self.width, int) or self.width < 1:
            raise InvalidInput(f"width = {self.width!r}; expected a whole number, one or more.")

    def rung(self, problem: Problem) -> Rung:
        """Train, and turn into terms where these do as well."""
        nodes = problem.nodes
        equations, places = (
            tuple(place_of(name, nodes.names) for name in (chosen or nodes.names))
            for chosen in (self.equations, self.columns)
        )
        try:
            orbit = _trained(problem, equations, places, self.width)
        except np.linalg.LinAlgError as error:
            return lacking(problem, "a network", str(error))
        rung = Rung(
            unknown="a network",
            orbit=orbit,
            learned=lambda: _learned(orbit, equations, nodes.dim),
            criterion=criterion(nodes, orbit.shot, float(np.log(len(nodes)))),
            whiteness=whiteness(nodes, orbit),
            absorbed=absorbed(orbit, len(problem.part.parameters)),
        )
        return rung if self.terms is None else self._turned(problem, rung, orbit)

    def _turned(self, problem: Problem, rung: Rung, orbit: Orbit) -> Rung:
        """The terms of the network, or the network with a note."""
        assert self.terms is not None
        nodes, states = problem.nodes, orbit.shot.states
        slopes = orbit.field.rates(states, nodes.inputs, nodes.times, orbit.numbers)[0]
        freed = dataclasses.replace(problem, states=states, slopes=slopes, noise=orbit.noise)
        terms = self.terms.rung(freed)
        if terms.orbit is not None and terms.criterion <= rung.criterion:
            return dataclasses.replace(terms, unknown="terms of a network")
        note = Finding(
            code="no-terms",
            text="Terms of the library do not do as well as the network.",
            action="It stays a network.",
            level="note",
        )
        return dataclasses.replace(rung, cautions=(*rung.cautions, note))


def _trained(
    problem: Problem, equations: tuple[int, ...], places: tuple[int, ...], width: int
) -> Orbit:
    """Slopes, then orbits with the prior between them."""
    nodes = problem.nodes
    rng = np.random.default_rng(problem.seed)
    layers = [_matched(problem, equations, places, width, rng) for _ in range(STARTS)]
    p, states, noise = started(problem), problem.states, problem.noise
    orbit: Orbit | None = None
    for _ in range(ROUNDS):
        tried = [with_prior(problem, h, width + 1, equations, (p, states, noise)) for h in layers]
        there = [found for found in tried if found is not None]
        if not there:
            raise np.linalg.LinAlgError("the rates overflow around the data")
        _, field, w = min(there, key=lambda found: found[0])
        try:
            orbit = settled(nodes, field, w, states, noise)
        except np.linalg.LinAlgError:
            if orbit is None:
                raise
            break
        p, states, noise = orbit.numbers[: field.n_known], orbit.shot.states, orbit.noise
    assert orbit is not None
    return _bettered(problem, orbit, equations, width)


def _bettered(problem: Problem, orbit: Orbit, equations: tuple[int, ...], width: int) -> Orbit:
    """With the hidden layer trained through orbits, where the data speak for it."""
    nodes = problem.nodes
    try:
        layer = through_orbits(problem, orbit)
        start = (orbit.numbers[: orbit.field.n_known], orbit.shot.states, orbit.noise)
        found = with_prior(problem, layer, width + 1, equations, start)
        if found is None:
            return orbit
        trained = settled(nodes, found[1], found[2], orbit.shot.states, orbit.noise)
    except np.linalg.LinAlgError:
        return orbit
    return trained if unlikely(nodes, trained) < unlikely(nodes, orbit) else orbit


def _matched(
    problem: Problem,
    equations: tuple[int, ...],
    places: tuple[int, ...],
    width: int,
    rng: np.random.Generator,
) -> HiddenUnits:
    """A hidden layer that helps the slopes, from one draw of all weights.

    The output layer and a linear correction of the known part are solved for at each step of the
    search (variable projection), so that the hidden weights alone are moved.
    """
    from scipy.optimize import least_squares

    nodes, part, count = problem.nodes, problem.part, len(problem.nodes)
    rows = np.unique(np.linspace(0, count - 1, min(count, MATCHED)).astype(int))
    states, slopes = problem.states[rows], problem.slopes[rows]
    columns = states[:, list(places)]
    scale = columns.std(axis=0)
    centre, scale = columns.mean(axis=0), np.where(scale > 0, scale, 1.0)
    at = (states, nodes.inputs[rows], nodes.times[rows], started(problem))
    known, beside = part.rates(*at)[0], part.sensitivities(*at)
    rate = np.maximum(slopes.std(axis=0), 1e-300)
    targets = ((slopes - known) / rate)[:, list(equations)]

    def units(weights: np.ndarray) -> HiddenUnits:
        layer = weights.reshape(width, len(places) + 1)
        return HiddenUnits(
            places=places, centre=centre, scale=scale, hidden=layer[:, :-1], bias=layer[:, -1]
        )

    def left(weights: np.ndarray) -> np.ndarray:
        functions = units(weights)(states)
        parts = []
        for k, i in enumerate(equations):
            design = np.concatenate([functions, beside[:, i] / rate[i]], axis=1)
            ridge = DECAY * np.sqrt(len(design)) * np.eye(design.shape[1])
            whole = np.concatenate([design, ridge])
            aim = np.r_[targets[:, k], np.zeros(len(ridge))]
            parts.append(aim - whole @ np.linalg.lstsq(whole, aim, rcond=None)[0])
        return np.concatenate([*parts, DECAY * weights])

    first = rng.normal(size=width * (len(places) + 1))
    found = least_squares(left, first, max_nfev=15)
    return units(found.x)


def _learned(orbit: Orbit, equations: tuple[int, ...], dim: int) -> AbstractLearned:
    from takens.learn.partly.network_rates import NetworkRates

    field: PartlyKnownField = orbit.field
    layer = field.basis
    count = len(layer.bias) + 1
    output, spread = np.zeros((count, dim)), np.zeros((dim, count, count))
    for k, i in enumerate(equations):
        rows = slice(field.n_known + k * count, field.n_known + (k + 1) * count)
        output[:, i] = orbit.numbers[rows]
        spread[i] = orbit.covariance[rows, rows]
    return NetworkRates(
        hidden=layer.hidden, bias=layer.bias, output=output, covariance=spread,
        centre=layer.centre, scale=layer.scale, places=layer.places,
    )  # fmt: skip
