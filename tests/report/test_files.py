"""The three files: schema, arrays, repeatability, and what is never overwritten."""

import json
from importlib import resources

import jsonschema
import numpy as np
import pytest

import takens
from takens.core import InvalidInput
from takens.report.files import check_directory


def schema() -> dict:
    path = resources.files("takens.report") / "results.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_schema_is_valid_and_strict() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"format": "takens-results"}, schema())


def test_results_follow_the_schema(results: dict) -> None:
    jsonschema.validate(results, schema())
    assert results["verdict"]["kind"] == "chaotic"
    assert results["backtest"]["models"]


def test_an_unknown_field_breaks_the_schema(results: dict) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(results | {"surprise": 1}, schema())


def test_too_short_a_record_is_a_stated_gap_not_a_crash(tmp_path) -> None:
    report = takens.analyse(np.sin(np.arange(20.0)))
    assert report.verdict.kind == "undetermined"
    report.save(tmp_path / "short")
    content = json.loads((tmp_path / "short" / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema())
    assert any("20" in text for text in content["verdict"]["reasons"])


def test_constant_data_rest(tmp_path) -> None:
    report = takens.analyse(np.ones(200))
    assert report.verdict.kind == "equilibrium"
    report.save(tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 1000


def test_arrays_open_as_a_tree(saved, report) -> None:
    import xarray as xr

    with xr.open_datatree(saved / "results.nc", engine="h5netcdf") as tree:
        assert tree.attrs["format"] == "takens-results"
        record = tree["observed/record_0"]
        np.testing.assert_array_equal(record["state"].values, report.recording[0].states)
        np.testing.assert_array_equal(record["time"].values, report.recording[0].times)
        spectrum = tree["analysis/spectrum"]
        np.testing.assert_array_equal(spectrum["power"].values, report.motion.spectrum.power)
        assert tree["forecast"]["truth"].size > 0
        assert "analysis/surrogates_prediction_error" in tree.groups or any(
            "prediction_error" in group for group in tree.groups
        )


def test_the_same_seed_gives_the_same_numbers(logistic) -> None:
    first, second = (takens.analyse(logistic, quick=True, seed=3).to_dict() for _ in range(2))
    for content in (first, second):
        content["provenance"] = None
    assert first == second


def test_an_earlier_report_is_replaced(saved, report) -> None:
    before = (saved / "results.json").read_bytes()
    report.save(saved)
    assert (saved / "results.json").read_bytes() == before
    assert sorted(path.name for path in saved.iterdir()) == [
        "report.html", "results.json", "results.nc",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["report.html", "results.json", "results.nc"])
def test_a_file_that_is_not_ours_is_kept(tmp_path, report, name) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(InvalidInput, match="not an earlier report"):
        report.save(tmp_path)
    assert (tmp_path / name).read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_other_files_in_the_directory_stay(tmp_path, report) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    report.save(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_link_is_never_written_through(tmp_path) -> None:
    (tmp_path / "report.html").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="not an earlier report"):
        check_directory(tmp_path)


def test_a_file_in_place_of_the_directory_is_refused(tmp_path, report) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(InvalidInput, match="needs a directory"):
        report.save(path)
