"""The README says what is true: its example runs, its commands are the ones that are tested."""

from __future__ import annotations

import re
import shlex

from tests import readme

TEXT = readme.README.read_text(encoding="utf-8")


def test_example_runs_as_written(tmp_path, monkeypatch):
    example = readme.part("example")
    assert len(example.strip().splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
    assert list(tmp_path.rglob("report.html")), "the example promises a report"


def test_every_further_example_runs_as_written(capsys):
    further = readme.blocks("python")[1:]
    assert further
    for block in further:
        exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})
    assert "Lyapunov exponents 0.9" in capsys.readouterr().out


def test_commands_stand_on_their_own():
    for name in ("main-job", "test-command"):
        command = readme.part(name)
        assert "\n" not in command
        words = shlex.split(command)
        assert words[1:4] == ["-m", "venv", ".venv"], "each starts with its own environment"
        assert "install" in words
    assert "takens analyse sunspots" in readme.part("main-job")
    assert "-m pytest" in readme.part("test-command")


def test_checks_run_the_command_of_the_readme():
    script = (readme.README.parent / ".ci" / "run").read_text(encoding="utf-8")
    assert "tests/readme.py test-command" in script


def test_relative_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", TEXT):
        if "://" not in target:
            assert (readme.README.parent / target).exists(), target
