"""``takens discover``: its options, what it prints and writes, its exit codes."""

import json

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from typer.testing import CliRunner

from takens.cli.app import app
from takens.learn.terms import load
from tests.cli.test_command import flat

runner = CliRunner()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def write(path, header, table):
    np.savetxt(path, table, delimiter=",", header=header, comments="", fmt="%.8g")


def swing(n=300):
    """A pendulum with friction under a known torque, measured with noise."""
    times = 0.1 * np.arange(n)

    def rate(t, x):
        return [x[1], -2 * np.sin(x[0]) - 0.2 * x[1] + np.cos(0.9 * t)]

    orbit = solve_ivp(rate, (0, times[-1]), [1.5, 0.0], t_eval=times, rtol=1e-9, atol=1e-9).y.T
    orbit += 0.01 * np.random.default_rng(0).normal(size=orbit.shape)
    return np.column_stack([times, orbit, np.cos(0.9 * times)])


def test_a_driven_pendulum_with_a_library_of_its_own(here) -> None:
    write(here / "swing.csv", "t,angle,rate,torque", swing())
    result = runner.invoke(
        app,
        ["discover", "swing.csv", "--time", "t", "--inputs", "torque", "--time-unit", "s",
         "--kind", "flow", "--degree", "1", "--library", "sin(angle), cos(angle)", "--horizon", "3",
         "--output", "out"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    shown = flat(result.stdout)
    assert "sin(angle)" in shown
    assert "The law survives" in shown
    law = load(here / "out" / "law.json")
    assert set(law.terms.names) == {"rate", "torque", "sin(angle)"}
    found = json.loads((here / "out" / "results.json").read_text())
    assert found["backtest"]["steps"] is None or max(found["backtest"]["steps"]) == 30
    assert found["verdict"]["kind"] == "survives"
    assert found["long_run"] is None  # a driven law has no run of its own
    again = found["command"].split()
    for option in ("--inputs", "--kind", "--degree", "--library", "--horizon", "--time-unit"):
        assert option in again


def test_a_map_is_told_from_the_samples(here) -> None:
    x = np.empty(400)
    x[0] = 0.3
    for n in range(399):
        x[n + 1] = 3.9 * x[n] * (1 - x[n])
    write(here / "map.csv", "x", x)
    result = runner.invoke(app, ["discover", "map.csv"])
    assert result.exit_code == 0, result.output
    assert "Equations of a map are looked for. The samples jump" in flat(result.stdout)
    assert load(here / "takens-law-map" / "law.json").equations(3) == ("x[+1] = 3.9*x - 3.9*x^2",)


def test_that_there_is_no_law_is_no_error(here) -> None:
    write(here / "noise.csv", "a,b", np.random.default_rng(0).normal(size=(200, 2)))
    result = runner.invoke(app, ["discover", "noise.csv", "--degree", "1", "--kind", "map"])
    assert result.exit_code == 0, result.output
    assert "No sparse law is supported by these data" in flat(result.stdout)
    assert not (here / "takens-law-noise" / "law.json").exists()
    assert (here / "takens-law-noise" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere.csv"], 2, "nowhere.csv"),
        (["few.csv"], 2, "Cannot do that"),
        (["noise.csv", "--columns", "c"], 2, "'c'"),
        (["noise.csv", "--library", "sin(z)"], 2, "'z' is no column"),
        (["noise.csv", "--library", "sin("], 2, "Cannot do that"),
        (["noise.csv", "--kind", "spiral"], 2, "spiral"),
        (["noise.csv", "--degree", "-1"], 2, "--degree"),
        (["noise.csv", "--horizon", "-1"], 2, "horizon"),
        (["noise.csv", "--max-samples", "5"], 2, "--max-samples"),
        (["noise.csv", "--output", "noise.csv"], 2, "is a file"),
    ],
)
def test_wrong_questions_end_with_their_code(here, arguments, code, says) -> None:
    write(here / "noise.csv", "a,b", np.random.default_rng(0).normal(size=(200, 2)))
    write(here / "few.csv", "a", np.arange(4.0))
    result = runner.invoke(app, ["discover", *arguments])
    assert result.exit_code == code, result.output
    assert says in flat(result.stderr + result.stdout)
    assert "Traceback" not in result.output


def test_a_record_of_positions_gets_a_law_of_second_order(here) -> None:
    times = 0.1 * np.arange(400)
    well = solve_ivp(
        lambda t, x: [x[1], x[0] - x[0] ** 3 - 0.02 * x[1]], (0, times[-1]), [1.5, 1.0],
        t_eval=times, rtol=1e-9, atol=1e-9,
    ).y[0]  # fmt: skip
    well += 0.02 * np.random.default_rng(0).normal(size=len(times))
    write(here / "well.csv", "t,q", np.column_stack([times, well]))
    result = runner.invoke(app, ["discover", "well.csv", "--time", "t", "--kind", "second-order",
                                 "--degree", "3", "--output", "out"])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "d^2q/dt^2" in flat(result.stdout)
    found = json.loads((here / "out" / "results.json").read_text())
    assert found["verdict"]["kind"] == "survives"
    assert found["order"] == 2
    assert found["choice"]["kind"] == "second-order"
    assert "--kind second-order" in found["command"]
    law = load(here / "out" / "law.json")
    assert law.velocities == (("q", "dq"),)
    source = (here / "out" / "law.py").read_text()
    assert "dq" in source
