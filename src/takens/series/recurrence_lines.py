"""Measures of recurrence quantification from counted lines, and their intervals."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Estimate

N_BLOCKS = 10
RESOLVED = 0.02  # of the lines may be longer than any whole one
METHOD = f"jackknife over {N_BLOCKS} blocks of time, at the radius found"
NAMES = (
    "recurrence_rate",
    "determinism",
    "mean_line",
    "line_entropy",
    "laminarity",
    "trapping_time",
    "recurrence_time",
    "return_time",
)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class LineCounts:
    """Counted lines of a recurrence matrix, by blocks of time.

    Parameters
    ----------
    diagonal : array of int, shape (3, n_blocks + 1, longest + 1)
        Diagonal lines by ends cut, block that they touch (the last is all) and length.
    vertical : array of int, shape (3, n_blocks + 1, longest + 1)
        Vertical lines, likewise.
    pairs, steps : array, shape (n_blocks + 1,)
        Pairs that were compared along diagonals, and steps down a column from one known state to
        the next, which touch each block; the last is all.
    """

    diagonal: np.ndarray
    vertical: np.ndarray
    pairs: np.ndarray
    steps: np.ndarray

    def without(self, block: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Counts over all pairs that do not touch a block; -1: all pairs."""
        if block < 0:
            whole = float(self.pairs[-1]), float(self.steps[-1])
            return self.diagonal[:, -1], self.vertical[:, -1], *whole
        return (
            self.diagonal[:, -1] - self.diagonal[:, block],
            self.vertical[:, -1] - self.vertical[:, block],
            float(self.pairs[-1] - self.pairs[block]),
            float(self.steps[-1] - self.steps[block]),
        )


def count_lines(
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    known: tuple[np.ndarray, np.ndarray],
    corridor: int,
) -> LineCounts:
    """Count the lines of the recurrence matrix of x (columns) against y.

    Parameters
    ----------
    x, y : array, shape (n_coordinates, n_x) and (n_coordinates, n_y)
        States as columns, divided by the radius; NaN where not known.
    groups : array of int
        Boundaries of the groups of coordinates that must be near each.
    known : two arrays of bool, shape (n_x,) and (n_y,)
    corridor : int
        Half width of what is left out about the main diagonal, where x and y are the same and one
        triangle tells all; -1 for two records.

    Notes
    -----
    Cost: N^2 / 2 distances along diagonals and N^2 down columns; memory O(N) for each thread.
    """
    from takens.series.kernels import n_workers, side_by_side
    from takens.series.kernels.recurrence import diagonal_lines, vertical_lines

    nx, ny, workers = x.shape[1], y.shape[1], n_workers()
    workers = 1 if nx * ny < 4_000_000 else workers
    first, last = (corridor + 1, nx) if corridor >= 0 else (1 - nx, ny)
    arguments = (x, y, groups, *known)
    diagonal = side_by_side(
        diagonal_lines, [(*arguments, first + k, last, workers, N_BLOCKS) for k in range(workers)]
    )
    vertical = side_by_side(
        vertical_lines, [(*arguments, corridor, k, workers, N_BLOCKS) for k in range(workers)]
    )
    return LineCounts(
        diagonal=sum(diagonal[1:], diagonal[0]),
        vertical=sum(vertical[1:], vertical[0]),
        pairs=_touching(*known, (corridor, corridor)) / (2 if corridor >= 0 else 1),
        steps=_touching(known[0], _steps(known[1]), (corridor, corridor + 1)),
    )


def partners(known: np.ndarray, events: np.ndarray, reach: tuple[int, int]) -> np.ndarray:
    """Events of the second record that each known state of the first is compared with, (n_x,).

    Those from ``reach[0]`` before to ``reach[1]`` after its time are left out, none if negative.
    """
    if min(reach) < 0:
        return np.where(known, int(events.sum()), 0)
    n = len(known)
    upto, at = np.concatenate([[0], np.cumsum(events)]), np.arange(n)
    near = upto[np.minimum(at + reach[1] + 1, n)] - upto[np.maximum(at - reach[0], 0)]
    return np.where(known, upto[-1] - near, 0)


def _steps(known: np.ndarray) -> np.ndarray:
    """Where a known state follows a known one."""
    return np.concatenate([[False], known[1:] & known[:-1]])


def _touching(known: np.ndarray, events: np.ndarray, reach: tuple[int, int]) -> np.ndarray:
    """Comparisons of a state and an event that touch each block of time, and all of them."""
    row = np.arange(len(known)) * N_BLOCKS // len(known)
    column = np.arange(len(events)) * N_BLOCKS // len(events)
    each = partners(known, events, reach)
    made = np.bincount(row, weights=each, minlength=N_BLOCKS)
    for k in range(N_BLOCKS):
        inside = partners(known, events & (column == k), reach)
        made[k] += inside.sum() - inside[row == k].sum()
    return np.append(made, each.sum())


def share_in_lines(black: np.ndarray, shortest: int) -> float:
    """Share of the recurrences that lie on lines of at least `shortest`.

    Only points are counted whose next ``shortest - 1`` neighbours along the line are known, on
    either side, so that neither borders nor missing states bias the share.

    Parameters
    ----------
    black : array of int, shape (3, longest + 1)
        Lines by ends cut and length.
    """
    length = np.arange(black.shape[1])
    inside = numerator = 0.0
    for cut in range(3):
        points = np.maximum(length - cut * (shortest - 1), 0) * black[cut]
        inside += points.sum()
        numerator += points[shortest:].sum()
    return float(numerator / inside) if inside else float("nan")


def length_distribution(black: np.ndarray, shortest: int, *, scattered: bool = False) -> np.ndarray:
    """Distribution of the lengths of lines of at least `shortest`, shape (longest + 1,).

    The product-limit estimate: a line with one end cut is known to be longer than what is seen of
    it; whole lines are seen from either end. Lines with both ends cut tell little and are left out,
    unless they are more than a fiftieth of all: then they count as cut from either end, and the
    mean is a lower bound. Where samples are missing here and there (`scattered`) they are left out
    in any case, for what cuts them says nothing on their length, and of long ones more pieces are
    seen. What mass remains beyond the longest line seen is put there.

    References
    ----------
    Kaplan and Meier (1958), J. Am. Stat. Assoc. 53, 457.
    """
    ended, cut = 2 * black[0].astype(float), black[1].astype(float)
    if not scattered and _both_cut(black, shortest) > RESOLVED:
        cut = cut + 2 * black[2]
    seen = np.flatnonzero(black[: 2 if scattered else 3].sum(axis=0))
    longest = int(seen[-1]) if seen.size else 0
    at_risk = np.cumsum((ended + cut)[::-1])[::-1] - cut  # a line cut here may end here or not
    hazard = np.divide(ended, at_risk, out=np.zeros_like(ended), where=at_risk > 0)
    hazard[:shortest] = 0
    alive = np.cumprod(1 - hazard)
    mass = np.concatenate([[0.0], alive[:-1] - alive[1:]])
    mass[: min(shortest, len(mass))] = 0
    if longest >= shortest and not (scattered and not ended[shortest:].any()):
        mass[longest] += max(alive[-1], 0.0)
    return mass


def entropy_of(mass: np.ndarray) -> float:
    """Shannon entropy of a distribution, in nats; NaN where there is none."""
    held = mass[mass > 1e-15]
    return float(-np.sum(held * np.log(held))) if held.size else float("nan")


def _both_cut(black: np.ndarray, shortest: int) -> float:
    """Share of the lines of at least `shortest` of which neither end is seen."""
    lines = black[:, shortest:].sum(axis=1)
    return float(lines[2] / max(lines.sum(), 1))


def unresolved(
    mass: np.ndarray, black: np.ndarray, shortest: int, *, scattered: bool = False
) -> float:
    """Share of the lines that lies beyond what whole lines show, or of which no end is seen."""
    whole = np.flatnonzero(black[0][shortest:])
    last = shortest + int(whole[-1]) if whole.size else 0
    beyond = float(mass[last + 1 :].sum())
    return beyond if scattered else max(beyond, _both_cut(black, shortest))


def measures(
    diagonal: np.ndarray,
    vertical: np.ndarray,
    pairs: float,
    steps: float,
    shortest: int,
    shortest_vertical: int,
    *,
    scattered: bool = False,
) -> np.ndarray:
    """The eight measures of `NAMES`, NaN where one has no lines.

    Mean times of recurrence are, by Kac's lemma, one over the rate of the event: of a recurrence,
    or of an entry, counted as the mean of entries and exits that are seen.
    """
    length, height = np.arange(diagonal.shape[1]), np.arange(vertical.shape[1])
    points = float((diagonal.sum(axis=0) * length).sum())
    entries = float(vertical[0].sum() + 0.5 * vertical[1].sum())
    lines = length_distribution(diagonal, shortest, scattered=scattered)
    columns = length_distribution(vertical, shortest_vertical, scattered=scattered)
    nothing = float("nan")
    return np.array(
        [
            points / pairs if pairs else nothing,
            share_in_lines(diagonal, shortest),
            float(lines @ length) if lines.any() else nothing,
            entropy_of(lines),
            share_in_lines(vertical, shortest_vertical),
            float(columns @ height) if columns.any() else nothing,
            pairs / points if points else nothing,
            steps / entries if entries else nothing,
        ]
    )


def estimates(
    counts: LineCounts,
    shortest: int,
    shortest_vertical: int,
    level: float,
    *,
    scattered: bool = False,
) -> dict[str, Estimate]:
    """Each measure with its interval from leaving out one block of time after the other.

    Where samples are missing here and there (`scattered`), a measure whose few lines lie in one
    block has no interval, and no value.
    """
    from scipy.special import stdtrit

    every = np.array(
        [
            measures(*counts.without(b), shortest, shortest_vertical, scattered=scattered)
            for b in (-1, *range(N_BLOCKS))
        ]
    )
    whole, left = every[0], every[1:]
    spread = (N_BLOCKS - 1) / N_BLOCKS * np.sum((left - left.mean(axis=0)) ** 2, axis=0)
    half = float(stdtrit(N_BLOCKS - 1, 0.5 + level / 2)) * np.sqrt(spread)
    bounds: dict[str, tuple[float, float]] = {
        "recurrence_rate": (0, 1),
        "determinism": (0, 1),
        "laminarity": (0, 1),
        "line_entropy": (0, np.inf),
    }
    made: dict[str, Estimate] = {}
    diagonal, vertical, *_ = counts.without(-1)
    mass = length_distribution(diagonal, shortest, scattered=scattered)
    beyond = unresolved(mass, diagonal, shortest, scattered=scattered)
    bound = {"mean_line", "line_entropy"} if beyond > RESOLVED else set()
    if scattered:
        mass = length_distribution(vertical, shortest_vertical, scattered=True)
        if unresolved(mass, vertical, shortest_vertical, scattered=True) > RESOLVED:
            bound.add("trapping_time")
    for k, name in enumerate(NAMES):
        low, high = bounds.get(name, (1, np.inf))
        settings: dict[str, Any] = {"value": float(whole[k]), "level": level}
        if name in bound:  # of the longest lines only pieces are seen
            settings["method"] = "lower bound"
        elif np.isfinite(half[k]) and np.isfinite(whole[k]):
            settings |= {
                "interval": (
                    float(max(whole[k] - half[k], low)),
                    float(min(whole[k] + half[k], high)),
                ),
                "standard_error": float(np.sqrt(spread[k])),
                "method": METHOD,
            }
        elif scattered:
            settings["value"] = float("nan")
        made[name] = Estimate(**settings)
    return made
