"""Times to an event when some were not seen: survival curve, rate of its tail, mean."""

from __future__ import annotations

import numpy as np

from takens.core import Estimate

FEWEST = 10  # exits in the tail, below which no rate is given
RESAMPLES = 400


def product_limit(times: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kaplan-Meier survival after each distinct time, with Greenwood's standard error.

    Parameters
    ----------
    times : array, shape (path,)
        Of the event, or of the last look where it was not seen.
    seen : array of bool, shape (path,)

    Returns
    -------
    event_times, survival, standard_error : array, shape (event,)
        Beginning with time zero and survival one.
    """
    event, back = np.unique(times[seen], return_inverse=True)
    deaths = np.bincount(back, minlength=len(event))
    at_risk = len(times) - np.searchsorted(np.sort(times), event, side="left")
    share = np.cumprod(1 - deaths / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.cumsum(deaths / (at_risk * (at_risk - deaths)))
        error = np.where(share > 0, share * np.sqrt(terms), 0.0)
    return np.append(0.0, event), np.append(1.0, share), np.append(0.0, error)


def tail_rate(
    times: np.ndarray, seen: np.ndarray, tail: float, level: float, whole: bool
) -> Estimate:
    """Exits over time at risk, after the moment that leaves a share `tail` of the exits to come.

    The interval is that of a Poisson count. In discrete time (`whole`) the escape rate is
    ``-log(1 - p)`` with p the chance of an exit in one iterate, and the interval that of Clopper
    and Pearson, Biometrika 26, 404 (1934).
    """
    from scipy.special import betaincinv, gammaincinv

    start = _tail_start(times[seen], tail)
    late = times > start
    deaths, exposure = int(np.sum(seen & late)), float(np.sum(times[late] - start))
    if deaths < FEWEST:
        return Estimate(value=np.nan, level=level, method=f"{deaths} exits in the tail: too few")
    share = deaths / exposure
    if whole:
        tries = max(round(exposure), deaths)
        low = betaincinv(deaths, tries - deaths + 1, (1 - level) / 2)
        high = betaincinv(deaths + 1, tries - deaths, (1 + level) / 2) if tries > deaths else 1.0
        with np.errstate(divide="ignore"):  # where all leave at once, the rate has no upper end
            value, low, high = (float(-np.log1p(-p)) for p in (share, low, high))
            error = float((share / ((1 - share) * tries)) ** 0.5) if share < 1 else np.inf
    else:
        value, error = share, share / deaths**0.5
        low = gammaincinv(deaths, (1 - level) / 2) / exposure
        high = gammaincinv(deaths + 1, (1 + level) / 2) / exposure
    return Estimate(
        value=float(value),
        interval=(float(low), float(high)),
        standard_error=float(error),
        level=level,
        method=f"{deaths} exits in the tail as a {'binomial' if whole else 'Poisson'} count",
    )


def tail_steady(times: np.ndarray, seen: np.ndarray, tail: float, level: float) -> bool:
    """Whether the rates before and after the median exit of the tail agree within chance."""
    start = _tail_start(times[seen], tail)
    late = times[seen & (times > start)]
    if len(late) < 4 * FEWEST:
        return True
    middle = float(np.median(late))
    logs, variance = [], 0.0
    for low, high in ((start, middle), (middle, np.inf)):
        deaths = int(np.sum((late > low) & (late <= high)))
        exposure = float(np.sum(np.clip(times, low, min(high, times.max())) - low))
        if deaths == 0 or exposure == 0:
            return True
        logs.append(np.log(deaths / exposure))
        variance += 1 / deaths
    return bool(abs(logs[0] - logs[1]) < 3 * variance**0.5)


def mean_time(
    times: np.ndarray, seen: np.ndarray, tail: float, level: float, whole: bool, seed: int
) -> Estimate:
    """Mean time to the event, by bootstrap over paths where some were not seen."""
    from scipy.special import stdtrit

    if len(times) < 2:
        return Estimate(value=np.nan, level=level, method="one path: no error can be given")
    if seen.all():
        value, error = float(times.mean()), float(times.std(ddof=1) / len(times) ** 0.5)
        reach = float(stdtrit(max(len(times) - 1, 1), 0.5 + level / 2)) * error
        return Estimate(value=value, interval=(value - reach, value + reach), level=level,
                        standard_error=error, method=f"t interval over {len(times)} paths")  # fmt: skip
    value = _extended(times, seen, tail, whole)
    if not np.isfinite(value):
        return Estimate(value=np.nan, level=level, method="too few exits to extend the tail")
    rng = np.random.default_rng(seed)
    drawn = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        pick = rng.integers(0, len(times), len(times))
        drawn[i] = _extended(times[pick], seen[pick], tail, whole)
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value=value, interval=(float(low), float(high)), level=level,
                    standard_error=float(drawn.std(ddof=1)),
                    method="bootstrap over paths, censored ones with an exponential tail")  # fmt: skip


def _extended(times: np.ndarray, seen: np.ndarray, tail: float, whole: bool) -> float:
    """Mean with what is missing of each censored time added as the mean of the tail."""
    start = _tail_start(times[seen], tail)
    late = times > start
    deaths, exposure = np.sum(seen & late), np.sum(times[late] - start)
    if deaths < FEWEST:
        return float("nan")
    return float(np.mean(times + np.where(seen, 0.0, exposure / deaths)))


def _tail_start(times: np.ndarray, tail: float) -> float:
    return float(np.quantile(times, 1 - tail, method="lower")) if len(times) else 0.0
