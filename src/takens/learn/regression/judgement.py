"""What speaks against a regression: dependent columns, contradicted constraints, residuals."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import Finding, InvalidInput
from takens.learn.regression.constraints import Bounds
from takens.learn.regression.equations import (
    FEWEST_BLOCKS,
    AbstractEquations,
    PlainEquations,
    WhitenedEquations,
    residual_square,
)
from takens.learn.regression.forms import AbstractRows
from takens.learn.regression.problem import Problem
from takens.learn.regression.projection import Remains, remains
from takens.learn.regression.selectors import Choice
from takens.learn.regression.weak import integral_rows, weak_rows
from takens.learn.terms import Terms

TRIED = 400  # samples on which a law from slopes is tried
LARGE, REJECTED = 1.5, 3.0  # variance of residuals over that of noise, for a note and a refusal
EXACT = 1e-3  # residual, in deviations of the left side, below which it refuses nothing
USEFUL = 0.2  # share of the variance of a left side that a law must account for
ENTANGLED = (
    1e-3  # squared share of a term that stands which is no sum of the others, to be a caution
)


def standing(
    problem: Problem, choices: tuple[Choice, ...], terms: Terms, table: np.ndarray
) -> tuple[Finding, ...]:
    """Cautions on columns that are sums of others, on searches not ended, and on constraints."""
    findings: list[Finding] = []
    names = terms.names
    sums = problem.equations.sums()
    gram = sums[0].gram
    size = np.sqrt(np.diag(gram))
    empty = [names[k] for k in np.flatnonzero(~(size > 0))]
    if empty:
        findings.append(
            Finding(
                code="terms-vanish",
                text=f"{', '.join(empty)} is zero on all data.",
                action="Nothing was learned of it.",
                level="note",
            )
        )
    _, quadratic = problem.quadratics()[0]
    k = len(terms)
    apart = quadratic.independent()[:k]
    made = [names[j] for j in np.flatnonzero(quadratic.allowed[:k] & ~apart)]
    if made:
        findings.append(
            Finding(
                code="collinear-terms",
                text=f"On these data {', '.join(made[:8])}{' ...' if made[8:] else ''} "
                f"{'is a sum' if len(made) == 1 else 'are sums'} of simpler terms of the library.",
                action="Such data cannot tell them apart; the simpler ones were preferred. Records "
                "from other states, or fewer terms, would help.",
            )
        )
    for i, name in enumerate(terms.states):
        used = np.flatnonzero(table[:, i])
        if len(used) < 2:
            continue
        part = sums[i].gram[np.ix_(used, used)]
        length = np.sqrt(np.diag(part))
        inner = np.linalg.pinv(part / np.outer(length, length), hermitian=True)
        tied = used[np.diag(inner) > 1 / ENTANGLED]
        if len(tied):
            findings.append(
                Finding(
                    code="entangled-terms",
                    text=f"In the equation of {name!r} {', '.join(names[j] for j in tied)} are "
                    "nearly sums of the other terms that stand.",
                    action="Their coefficients are uncertain together; see the covariance.",
                )
            )
    if isinstance(problem.equations, PlainEquations) and problem.equations.n_blocks < FEWEST_BLOCKS:
        findings.append(
            Finding(
                code="few-rows",
                text=f"{int(problem.equations.blocks[0].counts.sum())} rows are too few to tell how "
                "far their residuals are correlated; the intervals take them as independent.",
                action="Take the intervals as a lower end.",
            )
        )
    if isinstance(problem.equations, WhitenedEquations) and not problem.equations.noises.any():
        findings.append(
            Finding(
                code="noise-left-in",
                text=f"{len(terms)} terms have too many products: what noise adds to them was not "
                "taken off.",
                action="Coefficients are drawn towards zero where noise is large. Take fewer terms.",
            )
        )
    if not all(choice.proven for choice in choices):
        findings.append(
            Finding(
                code="not-proven-best",
                text="The search over all subsets ended before it had ruled out the rest.",
                action="Give BestSubset more max_nodes, or fewer terms.",
            )
        )
    return (*findings, *_contradicted(problem))


def _contradicted(problem: Problem) -> tuple[Finding, ...]:
    """Whether all terms together fit much better without the constraints."""
    bounds = problem.bounds
    if not len(bounds.rhs) and not bounds.signs.any() and bounds.allowed.all():
        return ()
    from scipy.special import chdtri

    d, k = problem.shape
    free = dataclasses.replace(problem, bounds=Bounds.none(d * k))
    free.__dict__["dispersions"] = problem.dispersions
    worse, lost = 0.0, 0.0
    try:
        for sign, one in ((1.0, problem), (-1.0, free)):
            for _, quadratic in one.quadratics():
                solution = quadratic.solve(quadratic.independent())
                worse += sign * solution.misfit
                lost -= sign * solution.effective
    except np.linalg.LinAlgError:
        return ()
    lost = max(lost, 1.0)
    if worse < float(chdtri(lost, 1e-4)):
        return ()
    return (
        Finding(
            code="constraints-contradicted",
            text=f"Without the constraints all terms together fit better by {worse:.3g} in units of "
            f"the noise, for {lost:.0f} more coefficients.",
            action="A constraint is wrong, or terms are missing. Intervals take it as exact.",
        ),
    )


def objections(
    rows: AbstractRows, problem: Problem, terms: Terms, table: np.ndarray
) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """Share of each left side that the law accounts for, and what refuses the law.

    The left sides of a flow are judged in the weak form, whatever the form of the regression: its
    residuals have a known covariance if measurement is the only noise.
    """
    equations = problem.equations
    if rows.measured and not isinstance(equations, WhitenedEquations):
        found = _trial(rows, terms, table)
    else:
        found = _remains(equations, table)
    beyond = np.maximum(found.left - (found.count if rows.measured else 0), 0.0)
    motion = found.total - found.noise
    moves = motion > USEFUL * found.noise
    explained = np.where(moves, 1 - beyond / np.where(moves, motion, 1.0), 0.0)
    excess = found.left / np.maximum(found.count - (table != 0).sum(axis=0), 1)
    findings = []
    for i, name in enumerate(terms.states):
        if not explained[i] >= USEFUL:
            findings.append(
                Finding(
                    code="nothing-held",
                    text=f"The best law accounts for {max(explained[i], 0):.0%} of what {name!r} "
                    "does beyond noise.",
                    action="These candidate terms say nothing of this column.",
                    level="serious",
                )
            )
        elif rows.measured and excess[i] > LARGE and beyond[i] > EXACT**2 * motion[i]:
            grave = excess[i] > REJECTED
            findings.append(
                Finding(
                    code="residuals-too-large",
                    text=f"What the law leaves of the motion of {name!r} has {excess[i]:.3g} times "
                    "the variance that noise of measurement would give it.",
                    action="Terms are missing, there is noise in the dynamics, or the sampling is "
                    "too coarse."
                    if grave
                    else "Take the intervals as a lower end.",
                    level="serious" if grave else "note",
                )
            )
    return explained, tuple(findings)


def _remains(equations: AbstractEquations, table: np.ndarray) -> Remains:
    """From the sums of the regression itself."""
    sums = equations.sums()
    return Remains(
        left=np.array([residual_square(s, table[:, i]) for i, s in enumerate(sums)]),
        total=np.array([float(s.spread[-1, -1]) for s in sums]),
        noise=np.array([equations.noise(i)[-1, -1] for i in range(equations.dim)]),
        count=float(sums[0].count),
    )


def _trial(rows: AbstractRows, terms: Terms, table: np.ndarray) -> Remains:
    """On some stretches of the data in the weak form; in the integral one if they are short."""
    nodes = rows.nodes
    if len(nodes) > TRIED:
        starts = np.linspace(0, len(nodes) - TRIED // 2, 2).astype(int)
        nodes = nodes.rows(np.concatenate([np.arange(s, s + TRIED // 2) for s in starts]))
    try:
        found = weak_rows(nodes, rows.variance, None)
    except InvalidInput:
        found = integral_rows(nodes, rows.variance)
    return remains(found.nodes, terms, rows.variance, table, found.projections())
