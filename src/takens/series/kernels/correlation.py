"""All pairs of delay vectors, counted by distance in every embedding dimension in one pass."""

from __future__ import annotations

import numpy as np

from takens.series.kernels import compiled

SUB_BITS = 3  # each octave of distance is cut into 2**SUB_BITS bins
LOWEST = -40  # distances below 2**LOWEST share the first bin
N_BINS = (4 - LOWEST) << SUB_BITS
_SHIFT = 52 - SUB_BITS
_FIRST = (1023 + LOWEST) << SUB_BITS
_CHUNK = 1024  # distances that stay in the processor's first cache


def bin_edges() -> np.ndarray:
    """Upper edges of the bins, shape (N_BINS,): ``2**e (1 + k / 2**SUB_BITS)``.

    The leading bits of a binary number are its logarithm, cut linearly within each octave: no
    logarithm is taken in the loop.
    """
    number = np.arange(1, N_BINS + 1)
    octave, part = number >> SUB_BITS, number & ((1 << SUB_BITS) - 1)
    return np.asarray(2.0 ** (octave + LOWEST) * (1 + part / (1 << SUB_BITS)))


@compiled("int64[:, ::1](float64[:, ::1], int64[::1], int64, int64[::1], int64, int64, int64)")
def pair_counts(columns, block, rows_per_step, first, start, stop, lowest):  # type: ignore[no-untyped-def]
    """Pairs of one row of `block` and one column ``start <= j < stop``, ``j >= first[row]``.

    ``columns[c]`` holds coordinate c of all vectors; `rows_per_step` coordinates make one
    embedding step. Returns counts (n_dimensions, N_BINS) of the maximum norm by `bin_edges`, for
    the dimensions from `lowest` on.
    """
    n_dimensions = columns.shape[0] // rows_per_step
    counts = np.zeros((n_dimensions - lowest + 1, 2, N_BINS), dtype=np.int64)
    distance = np.empty(_CHUNK)
    bits = distance.view(np.int64)
    top = N_BINS - 1
    for i in block:
        low = max(start, first[i])
        while low < stop:
            size = min(_CHUNK, stop - low)
            for k in range(size):
                distance[k] = 0.0
            for m in range(n_dimensions):
                for c in range(m * rows_per_step, (m + 1) * rows_per_step):
                    here = columns[c, i]
                    other = columns[c]
                    for k in range(size):
                        distance[k] = max(distance[k], abs(here - other[low + k]))
                if m + 1 < lowest:
                    continue
                for k in range(size):
                    place = (bits[k] >> _SHIFT) - _FIRST
                    place = min(max(place, 0), top)
                    counts[m + 1 - lowest, k & 1, place] += 1
            low += size
    return counts[:, 0] + counts[:, 1]
