"""What is called useful, what is not, and that no forecast sees the future."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from takens.core import Estimate, InvalidInput, Recording, Status, Trajectory, WrongKind
from takens.data import regular_segments
from takens.learn import NVAR, Analog, Climatology, LinearAutoregression, Persistence
from takens.learn.delay import AbstractDelayEstimator
from takens.validate import backtest, default_estimators, long_run
from takens.validate.folds import folds, origins
from tests.learn.orbits import autoregression, henon, logistic

LINEAR = (Persistence(), Climatology(), LinearAutoregression())


@pytest.fixture(scope="module")
def slow():
    return backtest(autoregression(0.9, 6_000), LINEAR, horizon=40, n_origins=60, n_ensembles=20)


@pytest.fixture(scope="module")
def chaos():
    lyapunov = Estimate(value=0.419, interval=(0.40, 0.44), method="known")
    return backtest(henon(1_500), horizon=60, lyapunov=lyapunov, period=4.0)


def test_autoregression_is_useful(slow):
    assert slow.useful_models == ("linear autoregression",)
    assert slow.best == "linear autoregression"
    assert "beats persistence and climatology" in slow.reasons[0]


def test_reference_errors_are_the_closed_forms(slow):
    rho = 0.9 ** slow.steps.astype(float)
    pairs = {"climatology": np.ones_like(rho), "persistence": 2 * (1 - rho)}
    pairs["linear autoregression"] = 1 - rho**2
    for name, mse in pairs.items():
        low, high = slow.rmse_interval[:, slow.of(name)]
        slack = 0.06
        inside = (low - slack <= np.sqrt(mse)) & (np.sqrt(mse) <= high + slack)
        assert inside.mean() > 0.9, name


def test_ensembles_cover_what_they_should(slow):
    shares = slow.coverage[[slow.of("linear autoregression"), slow.of("climatology")]]
    np.testing.assert_allclose(shares.mean(axis=1), 0.9, atol=0.06)
    for row in slow.pit:
        np.testing.assert_allclose(row.sum(), 1.0)


def test_the_right_law_has_the_best_score(slow):
    mean = slow.crps.mean(axis=1)
    assert np.argmin(mean) == slow.of("linear autoregression")
    first = slow.crps[slow.of("climatology"), -1]
    np.testing.assert_allclose(first, 1 / np.sqrt(np.pi), atol=0.12)  # of a Gaussian law


def test_chaos_is_forecast_for_a_while(chaos):
    assert chaos.best == "NVAR"
    row = chaos.of("NVAR")
    assert chaos.valid_time[row].value > 25
    assert chaos.valid_time_lyapunov[row].value == pytest.approx(
        0.419 * chaos.valid_time[row].value
    )
    assert chaos.valid_time_periods[row].value == pytest.approx(chaos.valid_time[row].value / 4)
    assert chaos.blow_up_rate[row].interval[1] < 0.2
    assert chaos.skill_climatology[row, 0] > 0.999


def test_the_example_is_held_out_and_good(chaos):
    example = chaos.example
    assert example.model == "NVAR"
    assert example.times[0] > example.history_times[-1]
    assert example.quantiles.shape == (5, len(example.times), 1)
    np.testing.assert_allclose(example.mean[:8], example.truth[:8], atol=0.01)
    assert (np.diff(example.quantiles, axis=0) >= 0).all()


def test_noise_is_forecast_by_nobody():
    called = [
        backtest(np.random.default_rng(seed).normal(size=800), n_origins=20, n_ensembles=2).useful
        for seed in range(5)
    ]
    assert sum(called) <= 1


def test_random_walk_is_forecast_by_nobody():
    walk = np.cumsum(np.random.default_rng(1).normal(size=1_500))
    assert not backtest(walk, LINEAR, horizon=30).useful


@dataclasses.dataclass(frozen=True, kw_only=True)
class Witness(AbstractDelayEstimator):
    """Remembers the latest time that it was shown, and forecasts as persistence does."""

    seen: list = dataclasses.field(default_factory=list)

    @property
    def label(self):
        return "witness"

    def tuned(self, segments, *, seed=0):
        self._look(segments)
        return self

    def _look(self, segments):
        ends = [
            s + segments.dt * (len(v) - 1)
            for s, v in zip(segments.starts, segments.values, strict=True)
        ]
        self.seen.append(max(ends))

    def learn(self, segments, *, seed=0):
        self._look(segments)
        return Persistence().learn(segments, seed=seed)


def test_training_sees_only_the_past():
    witness, x = Witness(), autoregression(0.5, 1_000)
    backtest(x, [witness], n_folds=4, n_origins=10, n_ensembles=2)
    segments = regular_segments(x)
    starts = [fold.start for fold in folds(segments, 4)]
    assert witness.seen[:2] == [starts[0] - 1, starts[0] - 1]  # settings from the first past
    assert sorted(set(witness.seen)) == [start - 1 for start in starts]


def test_a_planted_future_changes_no_forecast_before_it():
    x = autoregression(0.9, 1_000)
    spoiled = x.copy()
    spoiled[875:] = 1e3  # the last block of four
    segments, other = regular_segments(x), regular_segments(spoiled)
    for fold, twin in zip(folds(segments, 4), folds(other, 4), strict=True):
        for a, b in zip(fold.train.values, twin.train.values, strict=True):
            np.testing.assert_array_equal(a, b)


def test_origins_lie_in_their_block_and_windows_exist():
    segments = regular_segments(autoregression(0.5, 400))
    for fold in folds(segments, 3):
        places = origins(segments, fold, window=7, horizon=10, count=15)
        assert len(places) > 5
        times = places[:, 1].astype(float)
        assert (times >= fold.start - 1).all()
        assert (times < fold.end).all()


def test_gaps_and_several_records():
    x = autoregression(0.9, 2_400)
    x[300:310] = np.nan
    x[1_700] = np.nan
    records = tuple(
        Trajectory(times=np.arange(len(part), dtype=float), states=part[:, None])
        for part in (x[:900], x[900:1_300], x[1_300:])
    )
    found = backtest(Recording(records=records), LINEAR, horizon=20, n_ensembles=4)
    assert found.status is Status.OK
    assert np.isfinite(found.rmse).all()
    assert found.skill_persistence[found.of("linear autoregression"), -1] > 0.2


def test_many_columns_and_few_rows():
    rng = np.random.default_rng(0)
    wide = np.cumsum(rng.normal(size=(80, 3)), axis=0) @ rng.normal(size=(3, 40))
    found = backtest(wide, n_ensembles=2, n_members=8)
    assert np.isfinite(found.rmse).all()
    assert "reduced-columns" in {c.code for c in found.cautions}


def test_inputs_are_said_to_be_known():
    rng = np.random.default_rng(5)
    u, x = rng.normal(size=(900, 1)), np.zeros((900, 1))
    for i in range(899):
        x[i + 1] = 0.5 * x[i] + u[i]
    data = Trajectory(times=np.arange(900.0), states=x, inputs=u)
    found = backtest(data, LINEAR, horizon=10, n_ensembles=2)
    assert "inputs-known" in {c.code for c in found.cautions}
    assert found.skill_climatology[found.of("linear autoregression"), 0] > 0.99


def test_the_same_seed_gives_the_same_numbers(slow):
    data = autoregression(0.9, 600)
    one, two = (backtest(data, LINEAR, n_ensembles=2, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.crps, two.crps)
    assert one.valid_time == two.valid_time


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_folds": 0}, "n_folds = 0"),
        ({"n_members": 1}, "n_members = 1"),
        ({"level": 1.0}, "level = 1.0"),
        ({"horizon": -2}, "horizon = -2"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        backtest(np.arange(100.0), LINEAR, **options)


def test_wrong_kinds_are_refused():
    with pytest.raises(WrongKind, match="str was given"):
        backtest(np.arange(100.0), ["ARIMA"])
    with pytest.raises(WrongKind, match="Fit of a map"):
        long_run("model", np.arange(100.0))
    with pytest.raises(InvalidInput, match="n_steps = 10"):
        long_run(Persistence().fit(np.arange(50.0)), np.arange(50.0), n_steps=10)


def test_default_estimators_hold_the_references():
    labels = [e.label for e in default_estimators(season=12.0)]
    assert labels[:3] == ["persistence", "climatology", "seasonal climatology"]


def test_exponent_of_a_learned_logistic_map_is_ln_2():
    x = logistic(2_000)
    run = long_run(NVAR(n_lags=1, spacing=1, degree=2, noise=1e-5).fit(x), x, level=0.99)
    low, high = run.exponent.interval
    assert low <= np.log(2) <= high
    assert high - low < 0.02
    assert run.distribution_distance[0] < 0.1


def test_exponent_of_analogs_is_near():
    x = logistic(2_000)
    run = long_run(Analog(n_lags=1, spacing=1, n_neighbours=5).fit(x), x)
    assert abs(run.exponent.value - np.log(2)) < 0.03


def test_a_linear_model_rests_without_noise_and_matches_with_it():
    x = autoregression(0.9, 8_000)
    run = long_run(LinearAutoregression(order=1).fit(x), x)
    np.testing.assert_allclose(run.exponent.value, np.log(0.9), atol=0.02)
    assert "model-run-at-rest" in {c.code for c in run.cautions}
    assert run.distribution_distance[1] < 0.4
    assert run.spectrum_distance[1] < 0.2
    assert np.isnan(run.spectrum_distance[0])


def test_a_lost_run_is_nan_and_not_the_last_number():
    x = np.exp(0.05 * np.arange(200))
    fit = LinearAutoregression(order=1).fit(x)
    run = long_run(fit, x, throw=False)
    assert run.status is Status.DIVERGED
    assert not run.bounded
    assert np.isnan(run.exponent.value)
    assert np.isnan(run.distribution_distance[0])
    with pytest.raises(Exception, match="non-finite"):
        long_run(fit, x)
