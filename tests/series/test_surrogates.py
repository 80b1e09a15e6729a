"""Each null keeps what it promises, tests have exact p-values, and corrections follow their papers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status, Trajectory
from takens.series import surrogate_data, surrogate_test, surrogate_tests
from takens.series.kernels.ranking import impose
from takens.series.nulls import IAAFT, NULL_TEXT, NULLS, AbstractNull, Gapped, null_named
from takens.series.nulls.base import with_values
from takens.series.nulls.cycles import twins
from takens.series.nulls.fourier import iaaft, normal_scores
from takens.series.nulls.gaps import completed, filled_in, pairwise_autocovariance
from takens.series.nulls.nonstationary import wavelet_coefficients
from takens.series.prediction import time_asymmetry
from takens.series.surrogates import adjusted_p
from tests.series.signals import ar1, henon

ONE_COLUMN = {"wavelet", "gapped", "uneven"}


def noisy_cycle(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    phase = np.cumsum(0.2 + 0.02 * rng.normal(size=n))
    return np.sin(phase) + 0.4 * np.cos(2 * phase) + 0.05 * rng.normal(size=n)


def lag_one(x: np.ndarray) -> float:
    both = np.isfinite(x[1:]) & np.isfinite(x[:-1])
    return float(np.corrcoef(x[1:][both], x[:-1][both])[0, 1])


@pytest.mark.parametrize("name", NULLS)
def test_every_null_draws_in_the_layout_of_the_record(name: str) -> None:
    law, x = NULLS[name](), noisy_cycle(400)
    assert NULL_TEXT[name] == law.hypothesis
    made = law.draw(x, 3, np.random.default_rng(0))
    assert made.shape == (3, 400)
    assert np.isfinite(made).all()
    assert not np.array_equal(made[0], made[1])
    np.testing.assert_array_equal(made, law.draw(x, 3, np.random.default_rng(0)))
    if name in ONE_COLUMN:
        assert not law.multivariate
        return
    pair = np.stack([x, np.roll(x, 5)], axis=1)
    assert law.draw(pair, 2, np.random.default_rng(0)).shape == (2, 400, 2)


@pytest.mark.parametrize("name", ["iaaft", "aaft", "shuffle", "wavelet", "gapped", "uneven"])
def test_values_are_those_of_the_record(name: str) -> None:
    x = np.exp(ar1(300, 0.7, 0))
    for made in NULLS[name]().draw(x, 2, np.random.default_rng(1)):
        np.testing.assert_allclose(np.sort(made), np.sort(x), rtol=1e-12)


def test_orbit_nulls_visit_states_of_the_record_alone() -> None:
    x = noisy_cycle(500)
    for name in ("pseudo-periodic", "twin"):
        made = NULLS[name]().draw(x, 4, np.random.default_rng(0))
        assert np.isin(made, x).all()
        steps = {tuple(pair) for pair in np.stack([x[:-1], x[1:]], axis=1)}
        kept = np.mean([tuple(p) in steps for p in np.stack([made[0, :-1], made[0, 1:]], axis=1)])
        assert 0.3 < kept < 0.999  # it follows the record between hops, and it hops


def test_twins_share_their_row_of_the_recurrence_matrix() -> None:
    points = np.repeat(np.random.default_rng(0).normal(size=(60, 2)), 2, axis=0)
    group, members, first = twins(points, 0.1)
    np.testing.assert_array_equal(group[::2], group[1::2])  # a state and its exact copy
    for g in range(group.max() + 1):
        np.testing.assert_array_equal(np.sort(members[first[g] : first[g + 1]]),
                                      np.flatnonzero(group == g))  # fmt: skip


def test_states_without_twins_are_no_surrogate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("takens.series.nulls.cycles._MIN_PAIRED", 0.9)
    ramp = np.arange(300.0)
    with pytest.raises(
        NumericalFailure, match=r"states have a twin; below .* copies of the record"
    ):
        surrogate_data(ramp, null="twin")
    (found,) = surrogate_tests(ramp, {"mean": (np.mean, "less")}, null="twin")
    assert found.status is Status.NOT_APPLICABLE
    assert np.isnan(found.p_value)
    assert np.isnan(found.adjusted_p)
    assert "no-surrogates" in {c.code for c in found.cautions}


def test_truncated_fourier_keeps_the_slow_course() -> None:
    t = np.arange(2000)
    x = np.sin(2 * np.pi * 2 * t / 2000) * 3 + 0.002 * t + ar1(2000, 0.5, 0)
    made = NULLS["truncated-fourier"]().draw(x, 5, np.random.default_rng(0))
    smooth = lambda z: np.convolve(z, np.ones(200) / 200, "valid")
    for one in made:
        assert np.corrcoef(smooth(one), smooth(x))[0, 1] > 0.99
        assert abs(np.corrcoef(np.diff(one), np.diff(x))[0, 1]) < 0.15


def test_wavelet_surrogates_keep_the_course_of_the_variance() -> None:
    rng = np.random.default_rng(0)
    burst = np.where(np.arange(1024) // 256 % 2 == 0, 0.2, 2.0) * rng.normal(size=1024)
    by_quarter = lambda z: z.reshape(4, 256).std(axis=1)
    contrast = lambda z: by_quarter(z)[1::2].min() / by_quarter(z)[::2].max()
    kept = NULLS["wavelet"]().draw(burst, 1, rng)[0]
    lost = NULLS["iaaft"]().draw(burst, 1, rng)[0]
    assert contrast(burst) > 8
    assert contrast(kept) > 2
    assert contrast(lost) < 1


def test_wavelet_transform_is_inverted_by_its_adjoint_and_splits_the_variance() -> None:
    x = ar1(500, 0.8, 3)
    coefficients, transfer = wavelet_coefficients(x, 4)
    np.testing.assert_allclose(np.sum(np.abs(transfer) ** 2, axis=0), 1, atol=1e-12)
    assert np.sum(coefficients**2) == pytest.approx(np.sum(x**2))
    back = np.fft.irfft(np.sum(np.fft.rfft(coefficients) * transfer.conj(), axis=0), 500)
    np.testing.assert_allclose(back, x, atol=1e-10)


def test_the_compiled_ranking_sorts_as_numpy_does() -> None:
    rng = np.random.default_rng(0)
    wide = np.stack(
        [rng.normal(size=999), rng.standard_cauchy(999) ** 5, np.round(rng.normal(size=999))]
    )
    targets = np.sort(rng.normal(size=(3, 999)))
    out = np.empty(wide.shape)
    impose(wide, targets, out)
    np.testing.assert_array_equal(out[:2], with_values(wide, targets)[:2])
    for step in np.unique(wide[2]):  # ties may be in any order
        there = wide[2] == step
        assert out[2, there].max() <= out[2, wide[2] > step].min(initial=np.inf)
    collapsed = np.full((1, 999), 1e-30)
    collapsed[0, 1:] *= rng.uniform(size=998)
    collapsed[0, 0] = 1e30  # scaling makes all others equal: they are sorted by comparison
    impose(collapsed, targets[:1], out[:1])
    np.testing.assert_array_equal(out[0], with_values(collapsed, targets[:1])[0])


def test_large_jobs_give_the_numbers_of_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.stack([ar1(500, 0.8, 0), ar1(500, 0.3, 1)], axis=1)
    plain = iaaft(x, 3, np.random.default_rng(0))
    monkeypatch.setattr("takens.series.nulls.fourier._COMPILED", 0)
    np.testing.assert_array_equal(iaaft(x, 3, np.random.default_rng(0)), plain)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_gaps_stay_where_they_are_and_the_correlation_survives(share: float) -> None:
    whole = np.exp(0.5 * ar1(1500, 0.8, 0))
    x = np.where(np.random.default_rng(1).random(1500) < share, np.nan, whole)
    made = Gapped().draw(x, 20, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(made), np.broadcast_to(np.isnan(x), made.shape))
    for one in made:
        np.testing.assert_allclose(np.sort(one[np.isfinite(one)]), np.sort(x[np.isfinite(x)]))
    assert np.mean([lag_one(one) for one in made]) == pytest.approx(lag_one(x), abs=0.03)


def test_one_long_gap_and_uneven_times() -> None:
    x = ar1(1200, 0.9, 0)
    kept = np.r_[0:500, 700:1200]
    made = NULLS["uneven"]().draw(x[kept], 6, np.random.default_rng(0), kept.astype(float))
    assert made.shape == (6, 1000)
    assert np.mean([lag_one(m) for m in made]) == pytest.approx(lag_one(x[kept]), abs=0.02)
    rng = np.random.default_rng(2)
    times = np.sort(rng.choice(12000, 1200, replace=False)) / 10.0
    slow = np.interp(times, np.arange(1200), np.convolve(ar1(1200, 0.9, 1), np.ones(3) / 3, "same"))
    made = NULLS["uneven"]().draw(slow, 6, rng, times)
    close = np.diff(times) < 0.5
    roughness = lambda z: np.mean(np.diff(z)[close] ** 2) / z.var()
    assert 0.4 < np.mean([roughness(m) for m in made]) / roughness(slow) < 2.5
    assert roughness(rng.permutation(slow)) > 20 * roughness(slow)


def test_completing_an_autoregression_agrees_with_its_conditional_law() -> None:
    """Between two neighbours an AR(1) has mean phi (a + b) / (1 + phi^2), variance 1/(1 + phi^2)."""
    phi, n, size = 0.8, 101, 256
    power = 1 / np.abs(1 - phi * np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)) ** 2
    y = np.full(n, np.nan)
    y[::2] = np.random.default_rng(0).normal(size=51)
    made = completed(y, power, size, 4000, np.random.default_rng(1))
    inner = np.arange(11, 90, 2)
    expected = phi * (y[inner - 1] + y[inner + 1]) / (1 + phi**2)
    np.testing.assert_allclose(made[:, inner].mean(axis=0), expected, atol=5 * 0.79 / 4000**0.5)
    np.testing.assert_allclose(made[:, inner].var(axis=0), 1 / (1 + phi**2), rtol=0.12)
    np.testing.assert_array_equal(made[:, ::2], np.broadcast_to(y[::2], (4000, 51)))


def test_pairwise_autocovariance_divides_by_the_variance_of_the_pairs_there_are() -> None:
    y = np.where(np.random.default_rng(0).random(80) < 0.3, np.nan, ar1(80, 0.5, 0))
    found = pairwise_autocovariance(y[None], 5)
    expected = []
    for k in range(6):
        a, b = y[: 80 - k], y[k:]
        both = np.isfinite(a) & np.isfinite(b)
        own = np.mean(a[both] ** 2 + b[both] ** 2) / 2
        expected.append(np.nanmean(y**2) * np.mean(a[both] * b[both]) / own)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_filling_keeps_the_record_and_its_distribution() -> None:
    x = np.where(np.random.default_rng(0).random(600) < 0.2, np.nan, np.exp(ar1(600, 0.7, 0)))
    made = filled_in(x, 5, np.random.default_rng(0))
    seen = np.isfinite(x)
    np.testing.assert_array_equal(made[:, seen], np.broadcast_to(x[seen], (5, seen.sum())))
    assert np.isfinite(made).all()
    assert made[:, ~seen].min() >= np.nanmin(x)
    assert np.median(made[:, ~seen]) == pytest.approx(np.nanmedian(x), rel=0.3)


def test_normal_scores_are_ranks() -> None:
    x = np.array([5.0, np.nan, 1.0, 9.0])
    np.testing.assert_allclose(normal_scores(x), [0, np.nan, -0.967422, 0.967422], atol=1e-6)


@pytest.mark.parametrize(("correction", "expected"), [
    ("holm", [0.03, 0.06, 0.06, 0.02, np.nan]),
    ("benjamini-hochberg", [0.02, 0.04, 0.04, 0.02, np.nan]),
    ("none", [0.01, 0.04, 0.03, 0.005, np.nan]),
])  # fmt: skip
def test_corrections_by_hand(correction: str, expected: list[float]) -> None:
    found = adjusted_p([0.01, 0.04, 0.03, 0.005, np.nan], correction)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected)


def test_statistics_tested_together_carry_a_corrected_p() -> None:
    x = henon(300)
    product = lambda z: float(np.mean(z[1:] * z[:-1]))
    asked = {"a": (product, "greater"), "b": (lambda z: time_asymmetry(z, (1,)), "greater")}
    holm = surrogate_tests(x, asked, n_surrogates=39)
    single = surrogate_test(x, asked["b"][0], alternative="greater", name="b")
    assert single.p_value == holm[1].p_value == single.adjusted_p == 1 / 40
    assert holm[1].adjusted_p == 2 / 40
    assert "holm: 0.05" in holm[1].summary()
    with pytest.raises(InvalidInput, match="expected 'holm', 'benjamini-hochberg' or 'none'"):
        surrogate_tests(x, asked, correction="bonferroni")  # type: ignore[arg-type]


def test_missing_samples_reach_a_statistic_that_can_use_them() -> None:
    x = henon(600)
    x[np.random.default_rng(0).random(600) < 0.2] = np.nan

    def asymmetry(z: np.ndarray) -> float:
        step = z[1:] - z[:-1]
        step = step[np.isfinite(step)]
        return float(abs(np.mean(step**3)) / np.mean(step**2) ** 1.5)

    found = surrogate_test(x, asymmetry, null="gapped", alternative="greater")
    assert found.p_value == 1 / 40
    assert found.n_samples > 500  # no stretch without gaps has more than a few dozen


def test_uneven_times_are_taken_as_they_are() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.exponential(size=300))
    record = Trajectory(times=times, states=rng.normal(size=(300, 1)))
    made = surrogate_data(record, null="uneven", n_surrogates=3)
    np.testing.assert_allclose(np.diff(made.times), np.diff(times) / np.median(np.diff(times)))
    assert np.isnan(made.surrogates).sum() == 0
    with pytest.raises(InvalidInput, match="takes one column; 2 were given"):
        surrogate_data(rng.normal(size=(100, 2)), null="uneven")


def test_nulls_are_named_or_given_with_settings() -> None:
    assert null_named(IAAFT(max_steps=5)) == ("iaaft", IAAFT(max_steps=5))
    with pytest.raises(InvalidInput, match="null = 'white'; expected one of linear, iaaft"):
        surrogate_test(henon(100), np.mean, null="white")

    @dataclasses.dataclass(frozen=True)
    class Reversed(AbstractNull):
        hypothesis = "a reversible process"

        def draw(self, x, n, rng, times=None):
            return np.stack([x[::-1]] * n)

    found = surrogate_test(henon(100), lambda z: float(z[0]), null=Reversed())
    assert (found.null, found.null_text) == ("Reversed", "a reversible process")


def test_one_column_is_asked_for_where_a_null_takes_one() -> None:
    pair = np.random.default_rng(0).normal(size=(200, 2))
    with pytest.raises(InvalidInput, match="'wavelet' takes one column; 2 components"):
        surrogate_test(pair, lambda z: float(z.mean()), null="wavelet")


def test_a_short_record_has_no_test() -> None:
    with pytest.raises(NumericalFailure, match="too short"):
        surrogate_test(henon(30), np.mean)
    assert surrogate_test(henon(30), np.mean, throw=False).status is Status.TOO_SHORT
