"""The signals of the calibration are what they say: exponents, spectra, moments."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import calibrate_verdict  # noqa: E402
import calibration_tables  # noqa: E402
import exponents  # noqa: E402
import signals  # noqa: E402
from generators import autoregression  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAKENS_BENCHMARK_CACHE", str(tmp_path_factory.mktemp("signals")))
        yield


def _correlation(x, lag):
    x = x - x.mean()
    return float(x[lag:] @ x[:-lag] / (x @ x))


@pytest.mark.parametrize("name", signals.SIGNALS)
def test_a_seed_fixes_the_signal(name):
    signals_again = []
    for seed in (3, 3, 4):
        x = signals.make(name, 300, seed)
        assert x.shape == (300,)
        assert x.dtype == np.float64
        assert np.isfinite(x).all()
        assert x.std() > 0
        signals_again.append(x)
    assert np.array_equal(signals_again[0], signals_again[1])
    assert not np.allclose(signals_again[0], signals_again[2])


def test_cached_orbit_is_the_computed_one():
    first = signals.make("lorenz", 200, 5, dt=0.1)
    assert list(signals.cache_folder().rglob("lorenz_200_5_0.1.npy"))
    assert np.array_equal(first, signals.make("lorenz", 200, 5, dt=0.1))


def test_noise_has_the_size_asked_for_and_leaves_the_orbit_alone():
    clean = signals.make("henon", 4000, 1)
    added = signals.make("henon", 4000, 1, noise=0.2) - clean
    assert added.std() / clean.std() == pytest.approx(0.2, rel=0.05)
    assert abs(np.corrcoef(added, clean)[0, 1]) < 0.05


def test_logistic_follows_its_map_without_degenerating():
    x = signals.make("logistic", 20_000, 2)
    assert np.abs(x[1:] - 4 * x[:-1] * (1 - x[:-1])).max() < 1e-12
    assert np.unique(x).size > 19_990
    slopes = np.log(np.abs(4 - 8 * x))
    assert slopes.mean() == pytest.approx(np.log(2), abs=0.02)


def test_henon_follows_its_map():
    x = signals.make("henon", 500, 2)
    assert np.allclose(x[2:], 1 - 1.4 * x[1:-1] ** 2 + 0.3 * x[:-2], atol=1e-12)


@pytest.mark.parametrize("name", ["henon", "ikeda", "lorenz", "rossler", "lorenz96"])
def test_exponent_taken_as_truth(name):
    value, error = exponents.recompute(name, n_replicas=100, length=0.3)
    assert value == pytest.approx(signals.SIGNALS[name].exponent, abs=4 * error)
    assert error < 0.06 * value


@pytest.mark.parametrize(("name", "h_max"), [("lorenz", 0.004), ("rossler", 0.02)])
def test_flows_are_integrated_finely(name, h_max):
    import generators

    field = getattr(generators, f"{name}_field")
    coarse = generators._orbit3(field, (1.0, 1.0, 1.0), 0.1, h_max, 0, 50)
    fine = generators._orbit3(field, (1.0, 1.0, 1.0), 0.1, h_max / 4, 0, 50)
    assert np.abs(coarse - fine).max() < 1e-6 * np.abs(fine).max()


@pytest.mark.parametrize("name", ["sine", "two_torus", "van_der_pol"])
def test_regular_signals_have_ten_points_or_more_a_period(name):
    for seed in range(5):
        x = signals.make(name, 4000, seed)
        power = np.abs(np.fft.rfft((x - x.mean()) * np.hanning(x.size))) ** 2
        assert 1 / 61 / 2 < np.argmax(power) / x.size < 1 / 9


def test_sine_is_one_line_and_torus_two():
    for name, lines in (("sine", 1), ("two_torus", 2)):
        x = signals.make(name, 8000, 1)
        power = np.abs(np.fft.rfft(x * np.hanning(x.size))) ** 2
        high = power > 1e-3 * power.max()
        peaks = np.sum(np.diff(high.astype(int)) == 1)
        assert peaks == lines


@pytest.mark.parametrize(
    ("name", "expected"), [("white", 0.0), ("ar1_0.5", 0.5), ("ar1_0.95", 0.95)]
)
def test_autoregressions(name, expected):
    x = signals.make(name, 40_000, 1)
    assert _correlation(x, 1) == pytest.approx(expected, abs=0.02)
    assert x.var() == pytest.approx(1 / (1 - expected**2), rel=0.15)


def test_random_walk_is_a_sum_of_white_steps():
    steps = np.diff(signals.make("random_walk", 20_000, 1))
    assert steps.std() == pytest.approx(1, rel=0.03)
    assert abs(_correlation(steps, 1)) < 0.03


def test_autoregression_against_the_recursion():
    shocks = np.random.default_rng(0).normal(size=50)
    x = autoregression((0.6, -0.3), shocks, 50)
    assert np.allclose(x[2:], 0.6 * x[1:-1] - 0.3 * x[:-2] + shocks[2:])


def test_surrogate_of_lorenz_keeps_spectrum_and_loses_the_rule():
    surrogate = signals.make("iaaft_lorenz", 4000, 1)
    orbit = signals.make("lorenz", 4000, 1)
    for lag in (1, 5, 20):
        assert _correlation(surrogate, lag) == pytest.approx(_correlation(orbit, lag), abs=0.12)
    assert surrogate.std() == pytest.approx(orbit.std(), rel=0.1)
    # Two close delay vectors of Lorenz have close futures; those of the surrogate do not.
    assert _analog_error(surrogate) > 3 * _analog_error(orbit)


def _analog_error(x):
    from scipy.spatial import cKDTree

    vectors = np.column_stack([x[:-20], x[5:-15], x[10:-10]])
    ahead = x[20:]
    _, near = cKDTree(vectors[:2000]).query(vectors[2100:])
    return float(np.std(ahead[2100:] - ahead[near]) / x.std())


def test_garch_returns_are_white_with_clusters():
    x = signals.make("garch", 40_000, 1)
    assert abs(_correlation(x, 1)) < 0.03
    assert _correlation(x**2, 1) > 0.1
    assert np.mean((x / x.std()) ** 4) > 3.3


def test_pink_noise_has_slope_minus_one():
    slopes = []
    for seed in range(8):
        x = signals.make("pink", 8192, seed)
        power = np.abs(np.fft.rfft((x - x.mean()) * np.hanning(x.size))) ** 2
        frequency = np.fft.rfftfreq(x.size)
        band = (frequency > 0.002) & (frequency < 0.2)
        slopes.append(np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0])
    assert np.mean(slopes) == pytest.approx(-1, abs=0.1)


def test_double_well_visits_both_wells():
    x = signals.make("double_well", 5000, 1)
    assert 0.1 < np.mean(x > 0) < 0.9
    assert np.mean(np.abs(x) < 0.3) < 0.3


def _line(signal, kind, seed=1000, n=5000, noise=0.0, exponent=None):
    dt = signals.SIGNALS[signal].dt
    run = {"signal": signal, "n": n, "dt": dt, "noise": noise, "seed": seed, "kind": kind}
    return run | {"exponent": exponent, "cpu": 1.0, "evidence": {}, "reasons": []}


def test_pass_marks_count_what_they_say():
    lines = [_line("henon", "chaotic", exponent=[0.42, 0.40, 0.44])] * 8
    lines += [_line("henon", "undetermined", exponent=[None, None, None])] * 2
    lines += [_line("white", "chaotic")] + [_line("white", "stochastic-linear")] * 9
    text = calibration_tables.pass_marks(lines)
    assert "8/10 = 80.0%" in text  # both the kind and the coverage: no number does not cover
    assert "2 without a number" in text
    assert "1/10 = 10.0%" in text
    assert text.count("NO") == 3  # Hénon, white noise, and all kinds of noise together


def test_wilson_against_its_defining_equation():
    low, high = calibration_tables.wilson(8, 10)
    for p in (low, high):
        assert abs(0.8 - p) == pytest.approx(1.645 * np.sqrt(p * (1 - p) / 10))
    assert calibration_tables.wilson(0, 100)[0] == 0


def test_summary_fills_the_page_and_draws(tmp_path, monkeypatch):
    page = tmp_path / "calibration.md"
    page.write_text("Kept.\n<!-- begin marks -->\nold\n<!-- end marks -->\n")
    monkeypatch.setattr(calibration_tables, "DOCS", tmp_path)
    lines = [_line("lorenz", "chaotic", exponent=[0.9, 0.8, 1.0]), _line("sine", "periodic")]
    lines += [_line("lorenz", "chaotic", noise=0.1, exponent=[1.9, 1.8, 2.0])]
    calibration_tables.publish(lines, "key")
    assert page.read_text().startswith("Kept.")
    assert "old" not in page.read_text()
    assert (tmp_path / "_static" / "calibration.png").stat().st_size > 10_000


def test_runs_are_planned_by_seed_and_final_seeds_are_kept_apart():
    import argparse

    args = argparse.Namespace(seeds=(3000, None), signals=[], lengths=[], noise=[])
    core = calibrate_verdict.tasks("core", args)
    nulls = [t for t in core if t.signal == "garch" and t.n == 500]
    assert len(nulls) == 100
    assert min(t.seed for t in core) == calibrate_verdict.FINAL_SEED == 3000
    assert [t.seed for t in core] == sorted(t.seed for t in core)
    assert len({*core}) == len(core)


def test_one_run_gives_a_line():
    line = calibrate_verdict.run(calibrate_verdict.Task("white", 300, 1.0, 0.0, 1))
    assert line["kind"] in calibration_tables.KINDS
    assert line["cpu"] > 0
    assert line["evidence"]


def test_key_of_the_code_ignores_words_and_sees_numbers():
    bare = calibrate_verdict._bare
    assert bare('def f(x):\n    """One."""\n    return x < 1  # why') == bare(
        "def f(x):\n  return x < 1"
    )
    assert bare("LIMIT = 0.6") != bare("LIMIT = 0.5")
