"""Correlation sums of nested vectors: every leading block of coordinates in one pass over pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.series.kernels import compiled


@compiled("int64[:, ::1](float64[:, ::1], int64[::1], int64[::1], float64[::1], int64, int64)")
def nested_counts(
    points: Any, clock: Any, asked: Any, radii: Any, theiler: Any, fewest: Any
) -> Any:
    """Pairs closer than each radius in the maximum norm of the first m coordinates.

    Parameters
    ----------
    points : array, shape (n, q)
    clock : array of int, shape (n,)
    asked : array of int, shape (n_asked,)
        Rows that are paired with all later and earlier ones outside the Theiler window.
    radii : array, shape (n_radii,)
        Ascending and logarithmically spaced.
    theiler, fewest : int
        Window in samples, and the smallest m.

    Returns
    -------
    array of int, shape (q - fewest + 1, n_radii)
    """
    n, q = points.shape
    n_radii = len(radii)
    largest = radii[n_radii - 1]
    first = np.log(radii[0])
    per_bin = (np.log(largest) - first) / max(n_radii - 1, 1)
    counts = np.zeros((q - fewest + 1, n_radii), np.int64)
    for row in asked:
        for j in range(n):
            if abs(clock[j] - clock[row]) <= theiler:
                continue
            distance = 0.0
            for column in range(q):
                distance = max(distance, abs(points[row, column] - points[j, column]))
                if distance >= largest:
                    break
                if column >= fewest - 1:
                    at = 0
                    if distance > radii[0]:
                        at = int(np.ceil((np.log(distance) - first) / per_bin - 1e-9))
                    if at < n_radii:
                        counts[column - fewest + 1, at] += 1
    for m in range(counts.shape[0]):
        for r in range(1, n_radii):
            counts[m, r] += counts[m, r - 1]
    return counts
