"""Pairs of neighbours followed in time: their mean log distance, and the times it takes to grow."""

from __future__ import annotations

import numpy as np

from takens.series.kernels import compiled

_AT_ONCE = (
    8  # distances multiplied before a logarithm is taken; 1e-13 to the eighth is no underflow
)
_TINY = 1e-13  # closer pairs differ by rounding only


@compiled("void(float64[:, ::1], int64[::1], int64[:, ::1], float64[::1], int64[::1])")
def mean_log_distance(series, starts, partners, sums, counts):  # type: ignore[no-untyped-def]
    """Add the log of the mean distance to the partners, at every lag, over all starts.

    `series` is (time, component), padded by as many NaN as there are lags; `partners` is (start,
    neighbour), -1 where there is none. A lag at which a sample is missing is left out, so that a
    pair goes on behind a gap.
    """
    n_lags, p = len(sums), series.shape[1]
    total, seen = np.empty(n_lags), np.empty(n_lags)
    product = np.ones(n_lags)
    waiting = 0
    for row in range(len(starts)):
        a = starts[row]
        total[:] = 0.0
        seen[:] = 0.0
        for column in range(partners.shape[1]):
            b = partners[row, column]
            if b < 0:
                continue
            if p == 1:
                for lag in range(n_lags):
                    gap = abs(series[a + lag, 0] - series[b + lag, 0])
                    fine = gap == gap  # noqa: PLR0124
                    total[lag] += gap if fine else 0.0
                    seen[lag] += 1.0 if fine else 0.0
            else:
                for lag in range(n_lags):
                    square = 0.0
                    for c in range(p):
                        square += (series[a + lag, c] - series[b + lag, c]) ** 2
                    if square == square:  # noqa: PLR0124
                        total[lag] += np.sqrt(square)
                        seen[lag] += 1.0
        for lag in range(n_lags):
            fine = total[lag] > _TINY * seen[lag]
            product[lag] *= total[lag] / seen[lag] if fine else 1.0
            counts[lag] += 1 if fine else 0
        waiting += 1
        if waiting == _AT_ONCE or row == len(starts) - 1:
            for lag in range(n_lags):
                sums[lag] += np.log(product[lag])
                product[lag] = 1.0
            waiting = 0


@compiled(
    "void(float64[:, ::1], int64[::1], int64[::1], int64[::1], float64[::1], int64,"
    " float64[::1], int64[::1])"
)
def growth_times(series, starts, partners, offsets, scales, most, times, counts):  # type: ignore[no-untyped-def]
    """Add the time in which pairs grow from each scale to the next, and how many did.

    The distance is Euclidean in the delay space spanned by `offsets` (samples back, the largest
    last). Between samples, and across missing ones, the crossing is interpolated in the logarithm of
    the distance. A pair is followed for at most `most` samples.
    """
    p, n_scales = series.shape[1], len(scales)
    for row in range(len(starts)):
        a, b = starts[row], partners[row]
        if b < 0:
            continue
        level, before, earlier, entered = -1, 0.0, 0, 0.0
        for lag in range(most):
            square = 0.0
            for offset in offsets:
                for c in range(p):
                    square += (series[a + lag - offset, c] - series[b + lag - offset, c]) ** 2
            if not square > _TINY**2:  # also where a sample is missing
                continue
            now = 0.5 * np.log(square)
            if level < 0:  # the first scale above the pair
                if lag == 0:
                    level = np.searchsorted(scales, now)
                    before, entered = now, -1.0
                    continue
                break
            while level < n_scales and now >= scales[level]:
                share = (scales[level] - before) / (now - before) if now > before else 1.0
                crossed = earlier + share * (lag - earlier)
                if entered >= 0:
                    times[level - 1] += crossed - entered
                    counts[level - 1] += 1
                entered = crossed
                level += 1
            if level == n_scales:
                break
            before, earlier = now, lag
