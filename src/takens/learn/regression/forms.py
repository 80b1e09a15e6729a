"""What stands on the left: a slope, the next value, an integral, or a projection on test functions."""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from takens.core import Finding, InvalidInput
from takens.learn.moments import CHUNK, MomentBlocks, Moments
from takens.learn.regression.equations import AbstractEquations, PlainEquations
from takens.learn.regression.samples import measured_noise
from takens.learn.regression.slopes import AbstractSlopes, SmoothingSpline
from takens.learn.sparse.nodes import Nodes
from takens.learn.sparse.sindy import successors
from takens.learn.terms import Terms

MOST_SUMS = 10_000_000  # numbers in the sums of all blocks together
SHORTEST_BLOCK = 25  # rows of a block, at least: longer than residuals are correlated


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AbstractRows(abc.ABC):
    """Data in one form, ready to be regressed on any terms.

    Parameters
    ----------
    nodes : Nodes
        Samples in use.
    variance : array, shape (dim,)
        Of the noise of measurement that the form assumes; zero where it assumes none.
    cautions : tuple of Finding
    """

    nodes: Nodes
    variance: np.ndarray
    cautions: tuple[Finding, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether noise of measurement is all the noise there is."""
        return bool(self.variance.any())

    @abc.abstractmethod
    def equations(self, terms: Terms, table: np.ndarray | None, n_blocks: int) -> AbstractEquations:
        """Normal equations, weighted as a law (term, dim) asks for where the form weights."""


class AbstractForm(abc.ABC):
    """Frozen settings of a form."""

    kind: ClassVar[str]  # of law: "flow" or "map"
    n_rounds: ClassVar[int]  # how often the weights may be made anew from the law that was found
    references: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def on(self, nodes: Nodes) -> AbstractRows:
        """The data in this form."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PlainRows(AbstractRows):
    """A left side for some of the samples.

    Parameters
    ----------
    states : array, shape (node, dim)
        At which terms are evaluated.
    left : array, shape (node, dim)
    kept : array of bool, shape (node,)
    """

    states: np.ndarray
    left: np.ndarray
    kept: np.ndarray

    def equations(self, terms: Terms, table: np.ndarray | None, n_blocks: int) -> PlainEquations:
        """One pass over the samples, a few thousand at a time."""
        count = int(self.kept.sum())
        room = MOST_SUMS // (len(terms) + self.left.shape[1]) ** 2
        n_blocks = int(np.clip(min(count // SHORTEST_BLOCK, room), 1, n_blocks))
        ranks = np.linspace(0, count, n_blocks + 1).astype(int)
        whole = count == len(self.kept)
        edges = ranks if whole else np.r_[np.flatnonzero(self.kept)[ranks[:-1]], len(self.kept)]
        parts = [self._summed(terms, int(lo), int(hi)) for lo, hi in itertools.pairwise(edges)]
        return PlainEquations(blocks=(MomentBlocks.of(parts),), dim=self.left.shape[1])

    def _summed(self, terms: Terms, first: int, last: int) -> Moments:
        k, d = len(terms), self.left.shape[1]
        total = Moments.empty(k, d)
        for rows in _chunks(first, last):
            columns = np.empty((k + d, rows.stop - rows.start))
            terms.stacked(
                self.states[rows], self.nodes.inputs[rows], self.nodes.times[rows], columns[:k]
            )
            columns[k:] = self.left[rows].T
            kept = self.kept[rows]
            if not kept.all():
                columns = columns[:, kept]
            total = total + Moments.of_columns(columns, k)
        return total


def _chunks(first: int, last: int) -> Iterator[slice]:
    for lo in range(first, last, CHUNK):
        yield slice(lo, min(lo + CHUNK, last))


@dataclasses.dataclass(frozen=True)
class StrongForm(AbstractForm):
    r"""Rates of change read off the data, :math:`\hat{\dot x}_n = \theta(\hat x_n) w`.

    Parameters
    ----------
    slopes : AbstractSlopes
        A smoothing spline that chooses its own smoothness, if not given.

    Notes
    -----
    The classical form. Smoothing distorts slopes where the motion is fast, and the noise that is
    left makes regressors noisy; both bias the coefficients, which intervals do not show. Intervals
    rest on blocks of rows and hold for residuals that are correlated over less than a block.
    """

    slopes: AbstractSlopes = SmoothingSpline()  # noqa: RUF009 - a frozen recipe
    kind = "flow"
    n_rounds = 1
    references = ("craven1979smoothing", "girard1989fast")

    def on(self, nodes: Nodes) -> PlainRows:
        """Slopes, stretch by stretch."""
        kept = np.zeros(len(nodes), dtype=bool)
        parts = []
        for rows in nodes.stretches:
            *found, edge = self.slopes.read(nodes.times[rows], nodes.values[rows])
            parts.append(found)
            kept[rows.start + edge : rows.stop - edge] = True
        states, left = (
            parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
        )
        return PlainRows(nodes=nodes, variance=measured_noise(nodes), states=states,
                         left=left, kept=kept)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class StepForm(AbstractForm):
    r"""A map: the next value, :math:`x_{n+1} = \theta(x_n, u_n) w + \text{noise}`.

    Notes
    -----
    The noise is taken to be in the dynamics. Noise of measurement makes the regressors noisy and
    biases the coefficients; `takens.learn.SparseMap` has it in its model. Only true successors, one
    even step later in the same record, make a row.
    """

    kind = "map"
    n_rounds = 1

    def on(self, nodes: Nodes) -> PlainRows:
        """Every sample that has a successor."""
        nodes, cautions = successors(nodes)
        if not nodes.linked.any():
            raise InvalidInput("No sample has a successor one step later. Give an even record.")
        left = np.zeros_like(nodes.values)
        left[:-1] = nodes.values[1:]
        return PlainRows(nodes=nodes, variance=np.zeros(nodes.dim), cautions=cautions,
                         states=nodes.values, left=left, kept=np.r_[nodes.linked, False])  # fmt: skip
