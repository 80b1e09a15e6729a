"""Where the parameters begin: known rates matched to the slopes of smoothed data."""

from __future__ import annotations

import numpy as np

from takens.core import InvalidInput
from takens.learn.partly.problem import Problem

STARTS = 12  # beginnings where rates are not linear in the parameters
DECADES = 1.0  # standard deviation of their logarithm to base ten


def started(problem: Problem) -> np.ndarray:
    r"""Least squares of slopes on the known rates.

    One linear solve where the rates are linear in the parameters. Elsewhere a trust region search
    from the guess (one, where none was given) and from eleven others around it, drawn log-normally;
    the best is taken.

    Raises
    ------
    InvalidInput
        If the rates are not finite at any of them.
    """
    names = problem.part.parameters
    if not names:
        return np.empty(0)
    first = np.array([problem.part.guess.get(name, 1.0) for name in names])
    if _linear(problem, first):
        values, slopes = _residuals(problem, first), _sensitivities(problem, first)
        size = np.sqrt((slopes**2).sum(axis=0))
        size = np.where(size > 0, size, 1.0)
        move = np.linalg.lstsq(slopes / size, -values, rcond=1e-10)[0] / size
        return np.asarray(first + move)
    rng = np.random.default_rng(problem.seed)
    others = first * 10 ** (DECADES * rng.normal(size=(STARTS - 1, len(first))))
    best, least = None, np.inf
    for beginning in (first, *others):
        found, cost = _searched(problem, beginning)
        if cost < least:
            best, least = found, cost
    if best is None:
        raise InvalidInput(
            "the known rates are not finite on the data, from whichever parameters. Give `guess` "
            f"for {list(names)}, and check the equations."
        )
    return best


def _searched(problem: Problem, beginning: np.ndarray) -> tuple[np.ndarray, float]:
    from scipy.optimize import least_squares

    if not np.isfinite(_residuals(problem, beginning)).all():
        return beginning, np.inf
    try:
        found = least_squares(
            lambda p: _finite(_residuals(problem, p)),
            beginning,
            jac=lambda p: _finite(_sensitivities(problem, p)),
            x_scale="jac",
            loss="soft_l1",
            max_nfev=60,
        )
    except (ValueError, np.linalg.LinAlgError):
        return beginning, np.inf
    return found.x, float(found.cost)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, nan=1e6, posinf=1e6, neginf=-1e6)


def _scale(problem: Problem) -> np.ndarray:
    return np.maximum(problem.slopes.std(axis=0), 1e-12 * problem.nodes.span)


def _residuals(problem: Problem, p: np.ndarray) -> np.ndarray:
    nodes = problem.nodes
    with np.errstate(all="ignore"):
        rates = problem.part.rates(problem.states, nodes.inputs, nodes.times, p)[0]
    return ((rates - problem.slopes) / _scale(problem)).reshape(-1)


def _sensitivities(problem: Problem, p: np.ndarray) -> np.ndarray:
    nodes = problem.nodes
    with np.errstate(all="ignore"):
        found = problem.part.sensitivities(problem.states, nodes.inputs, nodes.times, p)
    return (found / _scale(problem)[:, None]).reshape(-1, len(p))


def _linear(problem: Problem, p: np.ndarray) -> bool:
    """Whether sensitivities do not depend on the parameters."""
    here = _sensitivities(problem, p)
    there = _sensitivities(problem, 1.7 * p + 0.3)
    if not (np.isfinite(here).all() and np.isfinite(there).all()):
        return False
    return bool(np.abs(here - there).max() <= 1e-9 * np.abs(here).max())
