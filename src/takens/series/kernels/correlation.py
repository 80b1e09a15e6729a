"""All pairs of delay vectors, counted by distance in every embedding dimension in one pass."""

from __future__ import annotations

import numpy as np

from takens.series.kernels import compiled

SUB_BITS = 3  # each octave of distance is cut into 2**SUB_BITS bins
LOWEST = -40  # distances below 2**LOWEST share the first bin
N_BINS = (4 - LOWEST) << SUB_BITS
_SHIFT = 52 - SUB_BITS
_FIRST = (1023 + LOWEST) << SUB_BITS
_LANES = 4
_CHUNK = 512  # distances that stay in the processor's first cache


def bin_edges() -> np.ndarray:
    """Upper edges of the bins, shape (N_BINS,): ``2**e (1 + k / 2**SUB_BITS)``.

    The leading bits of a binary number are its logarithm, cut linearly within each octave: no
    logarithm is taken in the loop.
    """
    number = np.arange(1, N_BINS + 1)
    octave, part = number >> SUB_BITS, number & ((1 << SUB_BITS) - 1)
    return np.asarray(2.0 ** (octave + LOWEST) * (1 + part / (1 << SUB_BITS)))


@compiled(
    "int64[:, ::1](float64[:, ::1], int64[::1], int64, int64[::1], int64, int64, int64, boolean)"
)
def pair_counts(columns, block, rows_per_step, first, start, stop, lowest, squares):  # type: ignore[no-untyped-def]
    """Pairs of one row of `block` and one column ``start <= j < stop``, ``j >= first[row]``.

    ``columns[c]`` holds coordinate c of all vectors; `rows_per_step` coordinates make one
    embedding step. Returns counts (n_dimensions, N_BINS) by `bin_edges`, of the maximum norm or of
    the squared Euclidean distance, for the dimensions from `lowest` on.
    """
    n_dimensions = columns.shape[0] // rows_per_step
    counts = np.zeros((n_dimensions - lowest + 1, _LANES, N_BINS), dtype=np.int64)
    distance = np.empty(_CHUNK)
    bits = distance.view(np.uint64)
    place = np.empty(_CHUNK, dtype=np.int32)
    shift, base = np.uint64(_SHIFT), np.int32(_FIRST)
    bottom, top = np.int32(0), np.int32(N_BINS - 1)
    for i in block:
        low = max(start, first[i])
        while low < stop:
            size = min(_CHUNK, stop - low)
            distance[:size] = 0.0
            for m in range(n_dimensions):
                for c in range(m * rows_per_step, (m + 1) * rows_per_step):
                    here, other = columns[c, i], columns[c, low : low + size]
                    if squares:
                        for k in range(size):
                            distance[k] += (here - other[k]) ** 2
                    else:
                        for k in range(size):
                            distance[k] = max(distance[k], abs(here - other[k]))
                if m + 1 < lowest:
                    continue
                for k in range(size):
                    place[k] = min(max(np.int32(bits[k] >> shift) - base, bottom), top)
                lanes = counts[m + 1 - lowest]
                whole = size - size % _LANES
                for k in range(0, whole, _LANES):  # neighbours often meet in one bin: four tables
                    lanes[0, place[k]] += 1
                    lanes[1, place[k + 1]] += 1
                    lanes[2, place[k + 2]] += 1
                    lanes[3, place[k + 3]] += 1
                for k in range(whole, size):
                    lanes[0, place[k]] += 1
            low += size
    return counts.sum(axis=1)
