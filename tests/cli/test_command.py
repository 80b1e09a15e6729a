"""The command: what it imports, prints, writes and returns."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import takens
from takens.cli.app import _split, _stem, app

HEAVY = (
    "numpy", "scipy", "jax", "matplotlib", "pandas", "xarray", "plotly", "h5py", "equinox",
    "takens.data", "takens.series", "takens.report", "takens.core",
)  # fmt: skip
runner = CliRunner()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def wave_file(place, name="wave.csv", column="height"):
    values = np.sin(np.arange(400) * 0.25)
    path = place / name
    path.write_text(f"t,{column}\n" + "\n".join(f"{i},{v:.6f}" for i, v in enumerate(values)))
    return path


def flat(text: str) -> str:
    """Output without frames and line breaks."""
    return " ".join(text.replace("│", " ").split())


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['takens', '--help']\nfrom takens.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print('LOADED', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "analyse" in done.stdout
    assert "LOADED []" in done.stdout


def test_version() -> None:
    result = runner.invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.strip() == f"takens {takens.__version__}"


@pytest.mark.parametrize("verb", ["analyse", "analyze"])
def test_a_file_becomes_a_report(here, verb) -> None:
    wave_file(here)
    result = runner.invoke(app, [verb, "wave.csv", "--time", "t", "--quick"])
    assert result.exit_code == 0, result.output
    assert "periodic" in result.stdout
    place = here / "takens-report-wave"
    content = json.loads((place / "results.json").read_text(encoding="utf-8"))
    assert content["command"] == "takens analyse --time t --seed 0 --quick wave.csv"
    assert (place / "report.html").exists()


def test_hostile_names_are_shown_as_text(here) -> None:
    wave_file(here, column="[bold red]x[/] \x1b[31m")
    result = runner.invoke(app, ["analyse", "wave.csv", "--time", "t", "--quick", "--output", "o"])
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["analyse", "absent.csv"], "absent.csv"),
        (["analyse", "wave.csv", "--time", "nothing"], "nothing"),
        (["analyse", "wave.csv", "--seed", "-1"], "seed"),
        (["analyse", "."], "."),
    ],
)
def test_a_wrong_question_is_one_block_and_exit_2(here, arguments, says) -> None:
    wave_file(here)
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert "Cannot do that" in result.stderr
    assert says in flat(result.stderr)
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_missing_argument_and_unknown_option_are_usage_errors(here) -> None:
    assert runner.invoke(app, ["analyse"]).exit_code == 2
    assert runner.invoke(app, ["analyse", "x", "--colums", "a"]).exit_code == 2


def test_a_foreign_directory_is_refused_before_the_work(here, monkeypatch) -> None:
    import takens.report

    monkeypatch.setattr(takens.report, "analyse", lambda *_, **__: pytest.fail("it worked first"))
    (here / "o").mkdir()
    (here / "o" / "report.html").write_text("mine")
    result = runner.invoke(app, ["analyse", "wave.csv", "--output", "o"])
    assert result.exit_code == 2
    assert "not an earlier report" in flat(result.stderr)


def broken(*_, **__):
    raise ZeroDivisionError("a [bold]defect[/]")


def test_a_defect_says_so_and_exits_1(here, monkeypatch) -> None:
    import takens.report

    monkeypatch.setattr(takens.report, "analyse", broken)
    result = runner.invoke(app, ["analyse", "wave.csv"])
    assert result.exit_code == 1
    assert "defect in takens" in result.stderr
    assert "a [bold]defect[/]" in flat(result.stderr)
    assert "--debug" in result.stderr
    shown = runner.invoke(app, ["analyse", "wave.csv", "--debug"])
    assert isinstance(shown.exception, ZeroDivisionError)


def test_interrupt_is_clean_and_exits_130(here, monkeypatch) -> None:
    import takens.report

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(takens.report, "analyse", interrupted)
    result = runner.invoke(app, ["analyse", "wave.csv"])
    assert result.exit_code == 130
    assert "Traceback" not in result.output
    assert not (here / "takens-report-wave").exists()


def test_data_lists_every_set_with_its_credit(here, monkeypatch) -> None:
    from takens.data import catalogue

    monkeypatch.setenv("COLUMNS", "200")
    result = runner.invoke(app, ["data"])
    assert result.exit_code == 0
    for entry in catalogue():
        assert entry.name in result.stdout


def test_lists_of_columns() -> None:
    assert _split("a, b") == ["a", "b"]
    assert _split('"x,y",z') == ["x,y", "z"]
    assert _split(None) is None


@pytest.mark.parametrize(
    ("source", "stem"),
    [("a/b.csv.gz", "b"), ("sunspots", "sunspots"), ("../..", "data"), ("a b;c.csv", "a-b-c"),
     (".hidden", "data"), ("日本.csv", "日本")],
)  # fmt: skip
def test_the_default_directory_is_a_safe_name(source, stem) -> None:
    assert _stem(source) == stem
