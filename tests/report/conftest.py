"""One report on hostile names, made once for all tests of the page and its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import takens
from takens.core import Recording, Trajectory

HOSTILE = "<script>alert(1)</script>[bold]=cmd()|'/C calc'!A0\"&amp;\u202e"


@pytest.fixture(scope="session")
def logistic() -> np.ndarray:
    x = np.empty(1200)
    x[0] = 0.3
    for n in range(1199):
        x[n + 1] = 3.97 * x[n] * (1 - x[n])
    return x


@pytest.fixture(scope="session")
def report(logistic: np.ndarray) -> takens.Report:
    times = np.arange(1200.0)
    times[700:] += 30  # one gap
    record = Trajectory(
        times=times, states=logistic[:, None], names=[HOSTILE], units=["</script><b>"],
        time_unit="<img src=x>", label="</td>",
    )  # fmt: skip
    return takens.analyse(Recording(records=(record,), source=HOSTILE), quick=True)


@pytest.fixture(scope="session")
def saved(report: takens.Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / "out"
    report.save(place)
    return place


@pytest.fixture(scope="session")
def html(saved: Path) -> str:
    return (saved / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def results(saved: Path) -> dict:
    return json.loads((saved / "results.json").read_text(encoding="utf-8"))
