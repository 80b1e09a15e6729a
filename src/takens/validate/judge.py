"""From scores at every origin to numbers with intervals, and to a verdict."""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.core import Estimate
from takens.validate.scores import (
    block_weights,
    max_statistic_test,
    proportion_interval,
    weighted_means,
)

N_BOOT = 500
ALPHA = 0.05
MIN_ORIGINS = 20
TEST_LEADS = 12


def judge(
    labels: tuple[str, ...],
    scores: dict[str, np.ndarray],
    rates: list[tuple[int, int]],
    leads: np.ndarray,
    horizon: int,
    dt: float,
    unit: str,
    *,
    lyapunov: Estimate | None,
    period: float | None,
    level: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """The fields of a `Backtest` that follow from the scores."""
    squared, score = scores["squared"], scores["score"]
    count = squared.shape[1]
    block = max(1, round(count**0.5 / 2))
    weights = block_weights(count, block, N_BOOT, rng)
    few = block_weights(score.shape[1], max(1, round(score.shape[1] ** 0.5 / 2)), N_BOOT, rng)
    ends = (0.5 - level / 2, 0.5 + level / 2)
    base, clim = labels.index("persistence"), labels.index("climatology")
    mse, draws = _mean(squared), weighted_means(squared, weights)
    out: dict[str, Any] = {"n_origins": count}
    out["rmse"] = np.sqrt(mse)
    out["rmse_interval"] = np.sqrt(_ends(draws, ends))
    for name, row in (("skill_persistence", base), ("skill_climatology", clim)):
        out[name] = _skill(mse, mse[row])
        out[f"{name}_interval"] = _ends(_skill(draws, draws[:, row : row + 1]), ends)
    mean_score, score_draws = _mean(score), weighted_means(score, few)
    out["crps"], out["crps_interval"] = mean_score, _ends(score_draws, ends)
    out["crps_skill"] = _skill(mean_score, mean_score[clim])
    out["crps_skill_interval"] = _ends(_skill(score_draws, score_draws[:, clim : clim + 1]), ends)
    rank = scores["rank"]
    known = np.isfinite(rank)
    inside = known & (rank >= 0.05) & (rank <= 0.95)
    with np.errstate(invalid="ignore"):
        out["coverage"] = inside.sum(axis=1) / known.sum(axis=1)
    out["pit"] = np.stack(
        [
            np.histogram(r[np.isfinite(r)], 10, (0, 1))[0] / max(np.isfinite(r).sum(), 1)
            for r in rank
        ]
    )
    valid = [_median(v * dt, weights, level, unit) for v in scores["valid"]]
    out["valid_time"] = tuple(valid)
    out["valid_time_periods"] = tuple(_in_periods(v, period) for v in valid)
    out["valid_time_lyapunov"] = tuple(_in_lyapunov(v, lyapunov) for v in valid)
    out["blow_up_rate"] = tuple(
        Estimate(
            value=hits / total,
            interval=proportion_interval(hits, total, level),
            level=level,
            method=f"Wilson interval over {total} free runs",
        )
        for hits, total in rates
    )
    out.update(_usefulness(labels, squared, mse, weights, block, leads, dt, unit, horizon))
    return out


def _mean(values: np.ndarray) -> np.ndarray:
    return weighted_means(values, np.ones((1, values.shape[-2])))[0]


def _ends(draws: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    return np.asarray(np.quantile(draws, ends, axis=0))


def _skill(error: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """1 - error / reference; NaN where the reference makes no error at all."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(reference > 1e-24, 1 - error / reference, np.nan)


def _median(values: np.ndarray, weights: np.ndarray, level: float, unit: str) -> Estimate:
    draws = [np.median(np.repeat(values, w.astype(int))) for w in weights[:200]]
    low, high = np.quantile(draws, (0.5 - level / 2, 0.5 + level / 2))
    return Estimate(
        value=float(np.median(values)),
        interval=(float(low), float(high)),
        level=level,
        unit="" if unit == "1" else unit,
        method="median over origins, circular block bootstrap",
    )


def _scaled(valid: Estimate, factor: float, ends: tuple[float, float], unit: str) -> Estimate:
    low, high = valid.interval
    return Estimate(
        value=valid.value * factor,
        interval=(low * ends[0], high * ends[1]),
        level=valid.level,
        unit=unit,
        method=valid.method,
    )


def _in_periods(valid: Estimate, period: float | None) -> Estimate:
    if period is None or not period > 0:
        return Estimate(value=np.nan, level=valid.level, unit="periods", method="no period given")
    return _scaled(valid, 1 / period, (1 / period, 1 / period), "periods")


def _in_lyapunov(valid: Estimate, lyapunov: Estimate | None) -> Estimate:
    if lyapunov is None or not lyapunov.value > 0:
        return Estimate(
            value=np.nan,
            level=valid.level,
            unit="Lyapunov times",
            method="no positive exponent given",
        )
    low, high = np.maximum(np.nan_to_num(lyapunov.interval, nan=lyapunov.value), 0.0)
    return _scaled(valid, lyapunov.value, (float(low), float(high)), "Lyapunov times")


def _usefulness(
    labels: tuple[str, ...],
    squared: np.ndarray,
    mse: np.ndarray,
    weights: np.ndarray,
    block: int,
    leads: np.ndarray,
    dt: float,
    unit: str,
    horizon: int,
) -> dict[str, Any]:
    references = [labels.index("persistence"), labels.index("climatology")]
    rivals = [i for i in range(len(labels)) if i not in references]
    count = squared.shape[1]
    statistic = np.zeros(mse.shape)
    critical = np.inf
    picks = np.unique(np.linspace(0, len(leads) - 1, TEST_LEADS).astype(int))
    if rivals:
        gains = squared[references][None] - squared[rivals][:, None]
        tested, critical = max_statistic_test(gains[..., picks], weights, ALPHA, block)
        statistic[rivals] = max_statistic_test(gains, weights, ALPHA, block)[0]
        beaten = (tested > critical).any(axis=1) & (count >= MIN_ORIGINS)
    else:
        beaten = np.zeros(0, dtype=bool)
    useful = tuple(labels[i] for i, won in zip(rivals, beaten, strict=True) if won)
    gain = np.nan_to_num(_skill(mse, mse[references].min(axis=0)), nan=0.0)
    area = np.maximum(gain, 0).mean(axis=1)
    candidates = [labels.index(name) for name in useful] or list(range(len(labels)))
    best = max(candidates, key=lambda i: (area[i], -float(np.nanmean(np.sqrt(mse[i])))))
    suffix = "" if unit == "1" else f" {unit}"
    reasons = []
    if count < MIN_ORIGINS:
        reasons.append(
            f"Only {count} forecast origins are available and {MIN_ORIGINS} are needed for a test, "
            "so no model is called useful."
        )
    elif useful:
        row = rivals.index(best)
        lead = leads[picks[int(np.argmax(tested[row]))]]
        reasons.append(
            f"{labels[best]} beats persistence and climatology on held-out data, most clearly at "
            f"a lead of {lead * dt:.4g}{suffix} (paired block bootstrap over {count} origins, "
            f"corrected over models and leads, 5 % level)."
        )
    else:
        reasons.append(
            "No model beats both persistence and climatology on held-out data (paired block "
            f"bootstrap over {count} origins, corrected over models and leads, 5 % level)."
        )
    reasons.append(
        f"Forecasts were judged up to {horizon * dt:.4g}{suffix} ahead; a forecast counts as valid "
        "while its error is below 0.4 standard deviations."
    )
    return {
        "best": labels[best],
        "useful": bool(useful),
        "useful_models": useful,
        "reasons": tuple(reasons),
        "statistic": np.nan_to_num(statistic, posinf=1e9, neginf=-1e9),
        "critical": critical,
    }
