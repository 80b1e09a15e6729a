"""Numbers that the rows of a training run give by themselves; arrays in, numbers with intervals out."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import Estimate

BLOCKS = 16  # of the last half of a run, for trends
LEAST_ROWS = 64  # of projections, below which only the loss is looked at
MOST_ROWS = 4_000  # that neighbours are searched among
LONGEST_CYCLE = 64
REST = 1e-13  # of a weight's size: steps below are rounding in double precision
SINGLE_REST = 3e-6  # the same in single precision
BESIDE_DRIFT = 0.01  # of the net motion in a row, below which an alternation is not counted
SAME = 0.02  # spread of one phase of a cycle over that of the cycle
STEADY_DECAY = -0.98  # correlation of log amplitude with time in an oscillation that dies out


def none(method: str) -> Estimate:
    """No number, and why."""
    return Estimate(value=np.nan, method=method)


def last(values: np.ndarray, share: int) -> np.ndarray:
    """The last one in `share` of the rows."""
    return values[len(values) - len(values) // share :]


def fast_part(shadows: np.ndarray) -> np.ndarray:
    r"""What alternates, shape (row - 6, column): smooth motion is suppressed by :math:`\sin^6(\omega/2)`.

    Three times the filter (-1/4, 1/2, -1/4), which leaves an alternation as it is.
    """
    for _ in range(3):
        shadows = (2 * shadows[1:-1] - shadows[:-2] - shadows[2:]) / 4
    return shadows


def size_of(shadows: np.ndarray) -> float:
    """The largest value, by which rounding goes."""
    return float(np.abs(shadows).max(initial=0.0))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Alternation:
    """Amplitude of what changes sign from row to row.

    Parameters
    ----------
    rows, amplitude : array, shape (block,)
        Over the whole run, one value for a thirty-second of it.
    over_drift : Estimate
        Amplitude now over the net motion in one row.
    alive : bool
        Whether it is there now, above rounding and beside the drift.
    dies_out : bool
        Whether it falls steadily.
    """

    rows: np.ndarray
    amplitude: np.ndarray
    over_drift: Estimate
    alive: bool
    dies_out: bool


def alternation(shadows: np.ndarray) -> Alternation:
    """How strong the alternation is, now and before."""
    fast = fast_part(shadows)
    blocks = np.array_split(np.arange(len(fast)), 32)
    amplitude = np.array([_rms(fast[b]) for b in blocks])
    rows = np.array([3 + b.mean() for b in blocks])
    size = max(size_of(shadows), 1e-300)
    floor = size * float(np.clip(100 * amplitude.min() / size, REST, 1e-6))
    now = last(shadows, 4)
    drift = max(float(np.linalg.norm(now[-1] - now[0])) / len(now), 1e-300)
    ends = amplitude[-8:] / drift  # the last quarter; bursts are far apart
    estimate = Estimate(
        value=float(np.median(ends)), interval=(float(ends.min()), float(ends.max())), level=1.0,
        method="eight parts of the last quarter",
    )  # fmt: skip
    there = (ends >= BESIDE_DRIFT) & (amplitude[-8:] >= floor)
    alive = bool(there.sum() >= 2 and there[-4:].any())
    return Alternation(rows=rows, amplitude=amplitude, over_drift=estimate, alive=alive,
                       dies_out=_dies_out(fast))  # fmt: skip


def _dies_out(fast: np.ndarray) -> bool:
    """Whether the last quarter falls steadily, by a factor of more than e to the half."""
    parts = np.array([_rms(b) for b in np.array_split(last(fast, 4), 8)])
    if not (parts > 0).all():
        return bool(parts[0] > 0 and parts[-1] == 0)
    logs = np.log(parts)
    if not logs[-1] - logs[0] < -0.5:
        return False
    return bool(np.corrcoef(np.arange(8), logs)[0, 1] <= STEADY_DECAY)


def _rms(rows: np.ndarray) -> float:
    return float(np.sqrt((rows**2).sum(axis=1).mean())) if len(rows) else 0.0


def unforetold(shadows: np.ndarray, values: np.ndarray, *, centred: bool = False) -> Estimate:
    """Share of `values` that the state does not foretell: near one for noise, near zero for a rule.

    Local linear fits to the neighbours of a state in its leading two and four principal components,
    those next to it in time left out; the median squared error over the median square.

    Parameters
    ----------
    shadows : array, shape (row, column)
        State, in which neighbours are searched.
    values : array, shape (row,) or (row, column)
        What follows from it.
    centred : bool
        Whether `values` are taken from their mean.
    """
    states = shadows[-MOST_ROWS:]
    wanted = np.asarray(values, float)[-MOST_ROWS:]
    wanted = wanted.reshape(len(wanted), -1)
    if centred:
        wanted = wanted - wanted.mean(axis=0)
    scale = np.abs(wanted).max(initial=0.0)
    if not scale > 0 or len(states) < LEAST_ROWS // 2:
        return none("nothing moves")
    wanted = wanted / scale
    shares = [_unforetold(states, wanted, rank) for rank in (2, 4)]
    shares = [s for s in shares if np.isfinite(s)]
    if not shares:
        return none("states coincide")
    return Estimate(value=min(shares), interval=(min(shares), max(shares)), level=1.0,
                    method="two and four components")  # fmt: skip


def _unforetold(states: np.ndarray, wanted: np.ndarray, rank: int) -> float:
    from scipy.spatial import cKDTree

    centred = states - states.mean(axis=0)
    _, singular, right = np.linalg.svd(centred, full_matrices=False)
    rank = min(rank, int((singular > 1e-12 * singular[0]).sum()))
    if singular[0] <= REST * max(size_of(states), 1e-300) or rank == 0:
        return np.nan
    points = centred @ right[:rank].T / singular[0]
    count = 2 * rank + 4
    chosen = np.arange(0, len(points), max(1, len(points) // 200))
    _, near = cKDTree(points).query(points[chosen], k=min(count + 4, len(points)))
    errors, squares = [], []
    for row, others in zip(chosen, near, strict=True):
        used = others[np.abs(others - row) > 1][:count]
        design = np.column_stack([np.ones(len(used)), points[used]])
        fit = np.linalg.lstsq(design, wanted[used], rcond=1e-6)[0]
        guess = np.concatenate([[1.0], points[row]]) @ fit
        errors.append(((wanted[row] - guess) ** 2).sum())
        squares.append((wanted[row] ** 2).sum())
    typical = float(np.median(squares))
    return float(np.median(errors)) / typical if typical > 0 else np.nan


def background(shadows: np.ndarray) -> float:
    """Power of the steps at middle frequencies over their mean power, in the last quarter.

    Batches drive every direction and so every frequency; a swing of the sharpest direction has its power
    at the highest, and the way on at the lowest.
    """
    steps = np.diff(last(shadows, 4), axis=0)
    steps = (steps - steps.mean(axis=0)) * np.hanning(len(steps))[:, None]
    power = (np.abs(np.fft.rfft(steps, axis=0)) ** 2).sum(axis=1)
    place = np.linspace(0, 1, len(power))
    middle = power[(place > 0.05) & (place < 0.4)]
    return float(np.median(middle) / max(float(power.mean()), 1e-300))


def travel(shadows: np.ndarray) -> Estimate:
    """Whether the run still goes somewhere.

    The mean square displacement of block means over half of the last half, over that from one block to
    the next: 1 for a stationary motion, some 11 for a walk at random, 64 on a straight way.
    """
    found = []
    for share in (2, 3):
        late = last(shadows, share)
        width = max(2 * (len(late) // (2 * BLOCKS)), 2)  # even, so that an alternation cancels
        n = min(len(late) // width, BLOCKS)
        means = late[-n * width :].reshape(n, width, -1).mean(axis=1)
        far = ((means[n // 2 :] - means[: n - n // 2]) ** 2).sum(axis=1).mean()
        near = (np.diff(means, axis=0) ** 2).sum(axis=1).mean()
        if near <= (REST * max(size_of(late), 1e-300)) ** 2:
            return Estimate(value=1.0, interval=(1.0, 1.0), level=1.0, method="block means rest")
        found.append(float(far / near))
    return Estimate(value=float(np.median(found)), interval=(min(found), max(found)), level=1.0,
                    method="last half and last third")  # fmt: skip


def period(shadows: np.ndarray) -> tuple[int, float]:
    """Least number of rows after which the last quarter repeats, and how well; 0 where none does."""
    late = last(shadows, 4)[-MOST_ROWS:]
    spread = np.sqrt(((late - late.mean(axis=0)) ** 2).sum(axis=1).mean())
    best = np.inf
    if spread <= REST * max(size_of(shadows), 1e-300):
        return 0, best
    for length in range(2, min(LONGEST_CYCLE, len(late) // 4) + 1):
        held = late[len(late) % length :].reshape(-1, length, late.shape[1])
        apart = np.sqrt(((held - held.mean(axis=0)) ** 2).sum(axis=2).mean()) / spread
        best = min(best, float(apart))
        if apart < SAME:
            return length, float(apart)
    return 0, best


def step_size(shadows: np.ndarray) -> np.ndarray:
    """Root mean square step in each eighth of the run."""
    steps = np.diff(shadows, axis=0)
    return np.array([_rms(part) for part in np.array_split(steps, 8)])


def change(values: np.ndarray, level: float = 0.98) -> Estimate:
    """Relative change of a series over its last half, from a line through block means.

    The line goes through logarithms where all block means are positive; its interval is Student's, of
    the scatter of the blocks about it.
    """
    late = last(np.asarray(values, float), 2)
    n = min(BLOCKS, len(late) // 2) if len(late) >= 16 else len(late)
    if n < 4:
        return none("too few rows")
    size = max(float(np.abs(late).max()), 1e-300)
    blocks = np.array([b.mean() for b in np.array_split(late / size, n)])
    positive = bool((blocks > 0).all())
    y = np.log(blocks) if positive else blocks
    from scipy.special import stdtrit

    t = np.linspace(0, 1, n) * (n - 1) / n
    centred = t - t.mean()
    slope = float(centred @ y / (centred @ centred))
    left = y - y.mean() - slope * centred
    error = float(np.sqrt(left @ left / (n - 2) / (centred @ centred)))
    reach = float(stdtrit(n - 2, 0.5 + level / 2)) * error
    ends = [slope - reach, slope, slope + reach]
    if positive:
        ends = [float(np.expm1(min(e, 700.0))) for e in ends]
    return Estimate(value=ends[1], interval=(ends[0], ends[2]), level=level, method="block means")


def scatter(values: np.ndarray) -> float:
    """Scatter of the last half from row to row, over its size: of what no smooth curve holds."""
    late = last(np.asarray(values, float), 2)
    if len(late) < 5:
        return np.nan
    bends = late[2:] - 2 * late[1:-1] + late[:-2]
    return float(
        np.median(np.abs(bends)) / 2.45 / max(float(np.median(np.abs(late))), 1e-300) * 1.48
    )
