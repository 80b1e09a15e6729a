"""Matches between templates: the pair loops of sample and fuzzy entropy.

Templates come as columns, sorted by their first coordinate, so that the candidates of one template
are a contiguous stretch; flags and counts are floats, so that the inner loops run on vectors.
"""

from __future__ import annotations

import numpy as np

from takens.series.kernels import compiled


@compiled("float64[:, ::1](float64[:, ::1], int64[::1], float64, int64, int64, int64)")
def match_counts(templates, clock, radius, theiler, start, stop):  # type: ignore[no-untyped-def]
    """Matches of each template in all coordinates but the last, and in all of them.

    Each pair (i, j) with ``start <= i < stop`` and ``j > i`` is looked at once and counted for both;
    Chebyshev distance at most `radius`, more than `theiler` apart in time. Returns shape (2, n).
    """
    size, n = templates.shape
    counts = np.zeros((2, n))
    flag = np.empty(n)
    end = start + 1
    for i in range(start, stop):
        while end < n and templates[0, end] - templates[0, i] <= radius:
            end += 1
        near = 0.0
        here = clock[i]
        if theiler > 0:
            for j in range(i + 1, end):
                flag[j] = 1.0 if abs(clock[j] - here) > theiler else 0.0
        else:
            for j in range(i + 1, end):
                flag[j] = 1.0
        for c in range(1, size - 1):
            value = templates[c, i]
            for j in range(i + 1, end):
                flag[j] *= 1.0 if abs(templates[c, j] - value) <= radius else 0.0
        for j in range(i + 1, end):
            counts[0, j] += flag[j]
            near += flag[j]
        counts[0, i] += near
        near = 0.0
        value = templates[size - 1, i]
        for j in range(i + 1, end):
            flag[j] *= 1.0 if abs(templates[size - 1, j] - value) <= radius else 0.0
            counts[1, j] += flag[j]
            near += flag[j]
        counts[1, i] += near
    return counts


@compiled("float64[::1](float64[:, ::1], int64[::1], float64, float64, int64, int64, int64)")
def similarity_sums(templates, clock, radius, power, theiler, start, stop):  # type: ignore[no-untyped-def]
    """Sum of ``exp(-(distance / radius)^power)`` over the partners of each template, shape (n,).

    Chebyshev distance; terms below ``exp(-36)`` are zero to rounding and are skipped.
    """
    size, n = templates.shape
    sums = np.zeros(n)
    distance = np.empty(n)
    reach = radius * 36.0 ** (1.0 / power)
    end = start + 1
    for i in range(start, stop):
        while end < n and templates[0, end] - templates[0, i] <= reach:
            end += 1
        for j in range(i + 1, end):
            distance[j] = templates[0, j] - templates[0, i]
        for c in range(1, size):
            value = templates[c, i]
            for j in range(i + 1, end):
                distance[j] = max(distance[j], abs(templates[c, j] - value))
        near = 0.0
        here = clock[i]
        for j in range(i + 1, end):
            if distance[j] > reach or abs(clock[j] - here) <= theiler:
                continue
            ratio = distance[j] / radius if distance[j] > 0 else 0.0
            like = np.exp(-ratio * ratio) if power == 2.0 else np.exp(-(ratio**power))
            sums[j] += like
            near += like
        sums[i] += near
    return sums
