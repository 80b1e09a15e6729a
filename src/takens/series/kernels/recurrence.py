"""Lines in recurrence matrices, streamed: no matrix is ever held.

Coordinates come as rows, divided by the radius, in groups: two points recur when their Euclidean
distance within *each* group is at most 1. One group is the Euclidean norm, one group for each
coordinate the maximum norm, one group for each record a joint recurrence. Points that are not known
hold NaN, which is near to nothing.

A line is counted by its length, by how many of its two ends are cut (by a border, by a point that is
not known, by the corridor about the main diagonal), and by the blocks of time that it touches, so that
whole blocks can be taken out of the counts later.
"""

from __future__ import annotations

import numpy as np

from takens.series.kernels import compiled


@compiled(
    "void(uint8[::1], float64[::1], float64[:, ::1], float64[:, ::1], int64[::1], int64, int64, int64)"
)
def near_along(flag, total, x, y, groups, i, j, n):  # type: ignore[no-untyped-def]
    """Whether x at ``i + k`` recurs with y at ``j + k``, for k from 0 to n - 1."""
    for k in range(n):
        flag[k] = 1
    for g in range(len(groups) - 1):
        a = groups[g]
        for k in range(n):
            d = x[a, i + k] - y[a, j + k]
            total[k] = d * d
        for c in range(a + 1, groups[g + 1]):
            for k in range(n):
                d = x[c, i + k] - y[c, j + k]
                total[k] += d * d
        for k in range(n):
            flag[k] &= total[k] <= 1.0


@compiled("void(uint8[::1], float64[::1], float64[:, ::1], float64[:, ::1], int64[::1], int64)")
def near_column(flag, total, x, y, groups, i):  # type: ignore[no-untyped-def]
    """Whether x at `i` recurs with y at each time."""
    n = y.shape[1]
    for k in range(n):
        flag[k] = 1
    for g in range(len(groups) - 1):
        a = groups[g]
        for k in range(n):
            d = x[a, i] - y[a, k]
            total[k] = d * d
        for c in range(a + 1, groups[g + 1]):
            for k in range(n):
                d = x[c, i] - y[c, k]
                total[k] += d * d
        for k in range(n):
            flag[k] &= total[k] <= 1.0


@compiled("void(int64[:, :, ::1], int64, int64, int64, int64, int64)")
def count_line(counts, kind, length, first, second, number):  # type: ignore[no-untyped-def]
    """Add `number` lines to the whole and to the blocks that they touch."""
    counts[kind, counts.shape[1] - 1, length] += number
    counts[kind, first, length] += number
    if second != first:
        counts[kind, second, length] += number


@compiled(
    "int64[:, :, ::1](float64[:, ::1], float64[:, ::1], int64[::1], boolean[::1], boolean[::1], "
    "int64, int64, int64, int64)"
)
def diagonal_lines(x, y, groups, known_x, known_y, first, last, step, n_blocks):  # type: ignore[no-untyped-def]
    """Lines along the diagonals ``j - i`` from `first`, in steps of `step`, to below `last`.

    Returns counts, shape (3, n_blocks + 1, longest + 1), by ends cut, block (the last is the whole
    matrix) and length.
    """
    nx, ny = x.shape[1], y.shape[1]
    longest = min(nx, ny)
    counts = np.zeros((3, n_blocks + 1, longest + 1), np.int64)
    flag, total = np.zeros(longest + 1, np.uint8), np.empty(longest)
    for lag in range(first, last, step):
        i, j = max(0, -lag), max(0, lag)
        n = min(nx - i, ny - j)
        near_along(flag, total, x, y, groups, i, j, n)
        flag[n] = 0
        run = 0
        for k in range(n + 1):
            if flag[k]:
                run += 1
            elif run > 0:
                begin = k - run
                cut = 0
                if begin == 0 or not (known_x[i + begin - 1] and known_y[j + begin - 1]):
                    cut += 1
                if k == n or not (known_x[i + k] and known_y[j + k]):
                    cut += 1
                middle = begin + run // 2
                count_line(
                    counts,
                    cut,
                    run,
                    (i + middle) * n_blocks // nx,
                    (j + middle) * n_blocks // ny,
                    1,
                )
                run = 0
    return counts


@compiled(
    "int64[:, :, ::1](float64[:, ::1], float64[:, ::1], int64[::1], boolean[::1], boolean[::1], "
    "int64, int64, int64, int64)"
)
def vertical_lines(x, y, groups, known_x, known_y, corridor, start, step, n_blocks):  # type: ignore[no-untyped-def]
    """Vertical lines in the columns from `start` in steps of `step`.

    Times at most `corridor` from the column's own are not looked at (-1: all are). Returns counts,
    shape (3, n_blocks + 1, longest + 1), as `diagonal_lines`.
    """
    nx, ny = x.shape[1], y.shape[1]
    counts = np.zeros((3, n_blocks + 1, ny + 1), np.int64)
    flag, total = np.zeros(ny, np.uint8), np.empty(ny)
    for i in range(start, nx, step):
        if not known_x[i]:
            continue
        near_column(flag, total, x, y, groups, i)
        mine = i * n_blocks // nx
        for side in range(2 if corridor >= 0 else 1):
            low = 0 if side == 0 else min(i + corridor + 1, ny)
            high = ny if corridor < 0 or side == 1 else max(i - corridor, 0)
            run = 0
            for k in range(low, high + 1):
                if k < high and flag[k]:
                    run += 1
                elif run > 0:
                    begin = k - run
                    cut = 0
                    if begin == low or not known_y[begin - 1]:
                        cut += 1
                    if k == high or not known_y[k]:
                        cut += 1
                    count_line(counts, cut, run, mine, (begin + run // 2) * n_blocks // ny, 1)
                    run = 0
    return counts
