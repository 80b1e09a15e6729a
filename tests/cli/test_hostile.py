"""The whole command over every hostile file: a refusal or a report, never a traceback."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from takens.cli.app import app
from tests.data.hostile import _binaries, _texts, hostile_files

LARGE = "two million rows"  # read by the tests of the reader; its analysis is timed elsewhere


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return {c.name: c for c in hostile_files(tmp_path_factory.mktemp("hostile"))}


@pytest.mark.parametrize("name", [n for n in (*_texts(), *_binaries()) if n != LARGE])
def test_command_refuses_or_reports(cases, name, tmp_path):
    case, output = cases[name], tmp_path / "report"
    options = [
        part
        for key, value in case.options.items()
        for part in (f"--{key.replace('_', '-')}", _as_text(value))
    ]
    arguments = ["analyse", *options, "--quick", "--output", str(output), "--", str(case.path)]
    done = CliRunner().invoke(app, arguments)
    assert "Traceback" not in done.output
    assert "defect" not in done.output
    if done.exit_code == 2:
        assert not output.exists()
        assert done.output.strip()
        return
    assert done.exit_code == 0, done.output
    assert case.outcome == "finding"
    content = json.loads((output / "results.json").read_text(encoding="utf-8"))
    assert case.says in {finding["code"] for finding in content["cautions"]}


def _as_text(value):
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
