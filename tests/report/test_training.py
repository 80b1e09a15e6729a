"""``takens training``: logs of other tools, the page, the files, and the command."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib import resources

import h5netcdf
import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from takens.algorithms import TrainingRun, diagnose
from takens.algorithms.diagnosis.logs import read_log
from takens.cli.app import app
from takens.core import InvalidInput, WrongKind
from takens.report import training
from tests.report.conftest import HOSTILE
from tests.report.test_page import Page, leaves

N = np.arange(300)
FALLING = np.exp(-0.02 * N)


def rows_of(header, rows):
    return "\n".join([header, *(",".join(str(c) for c in row) for row in rows)]) + "\n"


@pytest.fixture
def write(tmp_path):
    def written(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def flip(growth=1.0, n=400):
    """Projections of a run that alternates while it moves on, with its loss."""
    rng = np.random.default_rng(0)
    way, sharp = rng.normal(size=(2, 16))
    steps = np.arange(n)
    drift = 1 - np.exp(-0.003 * steps)
    swing = 0.05 * (1 + 0.3 * np.sin(0.05 * steps)) * (-growth) ** steps
    shadows = np.outer(drift, way) + np.outer(swing, sharp)
    return TrainingRun(steps=steps, loss=np.exp(-0.004 * steps), projections=shadows,
                       gradient_norm=np.exp(-0.001 * steps), settings={"learning_rate": 0.1})  # fmt: skip


def test_names_of_other_tools(write):
    trainer = [
        {"train/loss": 2.0 * f, "grad_norm": 1.0, "learning_rate": 1e-3, "global_step": 10 * int(i)}
        if i % 10
        else {"eval_loss": 1.0 + 0.01 * i, "global_step": 10 * int(i)}
        for i, f in zip(N.tolist(), FALLING.tolist(), strict=True)
    ]
    log = read_log(write("trainer.jsonl", "\n".join(json.dumps(row) for row in trainer)))
    assert len(log.run) == 270
    assert log.run.settings["learning_rate"] == 1e-3
    assert log.validation.shape == (2, 30)
    text = rows_of("epoch;accuracy;loss;lr", []) + "\n".join(
        f"{i};0.5;{f};0.01" for i, f in enumerate(FALLING)
    )
    assert read_log(write("keras.csv", text)).run.steps[-1] == 299
    board = rows_of("Wall time,Step,Value", [(1e9 + i, i, f) for i, f in enumerate(FALLING)])
    assert diagnose(write("board.csv", board)).verdict == "converging"


def test_gaps_text_restarts_and_repeats(write):
    def found(name, rows, header="step,loss"):
        log = read_log(write(name, rows_of(header, rows)))
        return log.run, [f.code for f in log.findings]

    gaps = [(i, "" if 20 < i < 30 or i == 299 else f) for i, f in enumerate(FALLING)]
    run, codes = found("gaps.csv", gaps)
    assert (len(run), codes) == (290, [])
    run, codes = found(
        "text.csv", [(i, "n.d.?" if i % 9 == 0 else f) for i, f in enumerate(FALLING)]
    )
    assert codes == ["text-for-numbers"]
    assert len(run) == 266
    again = [(i, FALLING[i]) for i in [*range(100), *range(60, 160)]]
    run, codes = found("resumed.csv", again)
    assert (len(run), codes) == (160, ["rows-made-again"])
    run, codes = found("two.csv", [(i, FALLING[i]) for i in [*range(100), *range(80)]])
    assert (len(run), codes) == (80, ["several-runs"])
    run, codes = found("epochs.csv", [(i // 50, f) for i, f in enumerate(FALLING)], "epoch,loss")
    assert (len(run), codes) == (300, ["steps-repeat"])
    run, codes = found("lost.csv", [(i, f if i < 200 else "nan") for i, f in enumerate(FALLING)])
    assert np.isnan(run.loss[-1])
    run, codes = found(
        "decay.csv", [(i, f, 0.1 * 0.98**i) for i, f in enumerate(FALLING)], "step,loss,lr"
    )
    assert codes == ["schedule"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "no rows"),
        ("a.csv", "step,accuracy\n1,2\n", "none of them is a loss"),
        ("a.csv", "step,loss\n1,x\n2,y\n", "must be a number"),
        ("a.csv", "step,loss\n1,\n2,\n", "is empty"),
        ("a.jsonl", '{"loss": 1}\n{"loss"\n', "Line 2"),
        ("a.jsonl", "[1]\n", "no object"),
        ("a.txt", "", "expected one of"),
    ],
)
def test_files_that_are_no_log(write, name, text, message):
    with pytest.raises(InvalidInput, match=message):
        training(write(name, text))


def test_validation_that_rises_is_a_caution(write):
    rows = [(i, f, 1 - 0.01 * i if i < 50 else 0.5 + 0.002 * i) for i, f in enumerate(FALLING)]
    report = training(write("over.csv", rows_of("step,loss,val_loss", rows)))
    assert "validation-rises" in [f.code for f in report.cautions]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    report = training(flip().save(folder / "run.npz"))
    report.save(folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def content(place):
    return json.loads((place / "results.json").read_text(encoding="utf-8"))


def schema():
    path = resources.files("takens.report") / "training.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_results_follow_the_schema(content, write):
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(content, schema())
    assert content["verdict"]["kind"] == "edge-of-stability"
    assert [m["name"] for m in content["multipliers"]] == [
        "alternating"
    ]  # nothing slow was excited
    flipped = content["multipliers"][0]
    assert flipped["real"] == pytest.approx(-1.0, abs=0.05)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"surprise": 1}, schema())
    for loss in (FALLING, np.r_[FALLING[:50], np.full(50, np.nan)], np.ones(3)):
        other = training(TrainingRun(steps=np.arange(len(loss)), loss=loss)).to_dict()
        jsonschema.validate(other, schema())


def test_the_page_shows_known_numbers_and_its_figures(place, content):
    page = Page((place / "report.html").read_text(encoding="utf-8"))
    known = {float(v) for v in leaves(content) if isinstance(v, (int, float))}
    for name, attributes in page.elements:
        if name == "data":
            assert float(attributes["value"]) in known
    ids = {a.get("id") for _, a in page.elements}
    assert {"plot-loss", "plot-gradient", "plot-amplitude", "plot-swing", "plot-circle"} <= ids
    text = " ".join(page.text)
    assert "At the edge of stability" in text
    assert "about the largest that the run bears" in text


def test_a_hostile_name_is_escaped(write):
    rows = [(i, f, "<b>") for i, f in enumerate(FALLING)]
    report = training(
        write("a<img src=x>.csv", rows_of(f"step,loss,{HOSTILE.replace(',', '')}", rows))
    )
    page = Page(report.to_html())
    assert not [name for name, _ in page.elements if name in {"img", "b"}]


def test_arrays(place):
    with h5netcdf.File(place / "results.nc") as file:
        assert file.attrs["format"] == "takens-training"
        assert file["run/projections"].shape == (400, 16)
        assert file["alternation/amplitude"].shape == (32,)
    training(flip()).save(place)  # an earlier report is replaced
    (place / "results.nc").write_text("mine")
    with pytest.raises(InvalidInput, match="not an earlier report"):
        training(flip()).save(place)
    training(flip()).save(place.parent / "again")


def test_only_a_browser_can_say_that_it_is_drawn(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser")
    training(flip()).save(tmp_path)
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000",
         "--dump-dom", (tmp_path / "report.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert 'data-figures="5"' in done.stdout


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    flip().save(tmp_path / "run.npz")
    result = CliRunner().invoke(app, ["training", "run.npz", "--full-batch", "--tol", "0.01"])
    assert result.exit_code == 0, result.output
    assert "edge-of-stability" in result.stdout
    assert "→ The learning rate of 0.1 is about the largest" in result.stdout
    found = json.loads((tmp_path / "takens-training-run" / "results.json").read_text())
    assert found["command"] == "takens training --tol 0.01 --full-batch run.npz"
    assert CliRunner().invoke(app, ["training", "none.csv"]).exit_code == 2
    assert CliRunner().invoke(app, ["training", "run.npz", "--tol", "3"]).exit_code == 2


def test_wrong_questions():
    with pytest.raises(WrongKind, match="a file or a TrainingRun"):
        training(3)
    with pytest.raises(InvalidInput, match="tol"):
        training(flip(), tol=0)
    assert training(flip(), full_batch=False).verdict.kind != "edge-of-stability"
