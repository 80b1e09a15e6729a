"""The amplitude adjustment of surrogates: sorted values put in the order of others, in linear time."""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.series.kernels import compiled

_BITS = 11


@compiled("void(float64[:, ::1], float64[:, ::1], float64[:, ::1])")
def impose(values: Any, ranked: Any, out: Any) -> None:
    """Write the sorted values `ranked` to each row of `out`, in the order of that row of `values`.

    `ranked` has one row for each column of the record, and `values` repeats them in turn.

    A radix sort of the values scaled to 33 bits, then one insertion pass that settles what the
    scaling made equal; rows on which that pass would be long are sorted by comparison.
    """
    n = values.shape[1]
    order, other = np.empty(n, np.int64), np.empty(n, np.int64)
    keys = np.empty(n, np.int64)
    count = np.empty(1 << _BITS, np.int64)
    mask = (1 << _BITS) - 1
    for row in range(values.shape[0]):
        x = values[row]
        low, high = x[0], x[0]
        for i in range(n):
            low, high = min(low, x[i]), max(high, x[i])
        scale = (2.0 ** (3 * _BITS) - 1) / (high - low) if high > low else 0.0
        for i in range(n):
            keys[i] = np.int64((x[i] - low) * scale)
            order[i] = i
        for digit in range(3):
            count[:] = 0
            for i in range(n):
                count[(keys[i] >> (_BITS * digit)) & mask] += 1
            total = 0
            for b in range(1 << _BITS):
                count[b], total = total, total + count[b]
            for i in range(n):
                b = (keys[order[i]] >> (_BITS * digit)) & mask
                other[count[b]] = order[i]
                count[b] += 1
            order, other = other, order
        moves = 0
        for i in range(1, n):
            at, j = order[i], i - 1
            while j >= 0 and x[order[j]] > x[at]:
                order[j + 1] = order[j]
                j -= 1
                moves += 1
            order[j + 1] = at
            if moves > 20 * n:
                break
        if moves > 20 * n:
            order = np.argsort(x)
        for i in range(n):
            out[row, order[i]] = ranked[row % len(ranked), i]
