"""Many regressions from one pass over the data: how often a term stands, and how much it varies."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import InvalidInput
from takens.learn.regression.problem import Problem
from takens.learn.regression.quadratic import Infeasible
from takens.learn.regression.selectors import AbstractSelector

UNSOLVED = (np.linalg.LinAlgError, Infeasible)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ensemble:
    r"""Block bootstrap: blocks of rows are drawn with replacement, and the terms selected again.

    The sums of the blocks are made once; every member then costs a few small solves, whatever the
    length of the record.

    Parameters
    ----------
    n_models : int
    include : float
        A term stands in the law if it is selected in at least this share of the members.
    n_blocks : int
        Blocks of rows that are drawn; fewer where they would be shorter than 25 rows.

    Notes
    -----
    The law itself is the regression of all data on the terms that stand; its intervals are
    percentiles over the members with these terms. The share of members that select a term is not the
    probability that it is true. Blocks must be longer than residuals are correlated, and there must
    be a good many of them.

    References
    ----------
    Fasel, Kutz, Brunton and Brunton, Proceedings of the Royal Society A 478, 20210904 (2022).
    Kuensch, Annals of Statistics 17, 1217 (1989): the bootstrap of blocks.
    """

    n_models: int = 100
    include: float = 0.5
    n_blocks: int = 100

    def __post_init__(self) -> None:
        if self.n_models < 2 or self.n_blocks < 4:
            raise InvalidInput(
                f"n_models = {self.n_models}, n_blocks = {self.n_blocks}; expected at least 2 and 4."
            )
        if not 0 < self.include <= 1:
            raise InvalidInput(f"include = {self.include}; expected more than 0, at most 1.")

    def drawn(self, problem: Problem, selector: AbstractSelector, seed: int) -> Members:
        """The members, and with the terms that stand the members again."""
        rng = np.random.default_rng(seed)
        n = problem.equations.n_blocks
        if n < 4:
            raise InvalidInput(
                f"The data make {n} blocks of rows; an ensemble needs at least four. Give a longer "
                "record, or leave out the ensemble."
            )
        weights = rng.multinomial(n, np.full(n, 1 / n), size=self.n_models).astype(float)
        tables = []
        for row in weights:
            try:
                tables.append(problem.chosen(selector, row)[0])
            except UNSOLVED:
                continue
        if not tables:
            raise InvalidInput("No member of the ensemble could be solved. Give more data.")
        found = np.stack(tables)
        inclusion = (found != 0).mean(axis=0)
        support = inclusion >= self.include
        refits = []
        for row in weights:
            try:
                refits.append(problem.refitted(support, row))
            except UNSOLVED:
                continue
        return Members(
            inclusion=inclusion, support=support, selected=found, refitted=np.stack(refits)
        )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Members:
    """What the members of an ensemble say.

    Parameters
    ----------
    inclusion : array, shape (term, dim)
        Share of members that select each term.
    support : array of bool, shape (term, dim)
        Terms that stand.
    selected : array, shape (member, term, dim)
        Coefficients of each member with the terms that it selects.
    refitted : array, shape (member, term, dim)
        Coefficients of each member with the terms that stand.
    """

    inclusion: np.ndarray
    support: np.ndarray
    selected: np.ndarray
    refitted: np.ndarray
