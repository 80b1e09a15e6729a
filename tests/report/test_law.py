"""A found law on its page and in its files: escaped, complete, the same numbers everywhere."""

import importlib.util
import json
import shutil
import subprocess
from importlib import resources

import jsonschema
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import takens
from takens.core import InvalidInput, Recording, Trajectory
from takens.learn.terms import load
from tests.report.conftest import HOSTILE
from tests.report.test_page import Page, leaves

POINTS = np.random.default_rng(3).normal(size=(20, 2))


def schema() -> dict:
    path = resources.files("takens.report") / "law.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


def prey_and_predator(n=300, noise=0.02):
    times = 0.1 * np.arange(n)
    orbit = solve_ivp(
        lambda t, x: [x[0] - 0.5 * x[0] * x[1], -0.8 * x[1] + 0.3 * x[0] * x[1]], (0, times[-1]),
        [3.0, 1.0], t_eval=times, rtol=1e-9, atol=1e-9,
    ).y.T  # fmt: skip
    return times, orbit + noise * np.random.default_rng(0).normal(size=orbit.shape)


@pytest.fixture(scope="module")
def discovery():
    times, states = prey_and_predator()
    record = Trajectory(
        times=times, states=states, names=("hare & <b>", "lynx\\input{x}"), units=("", "</td>"),
        time_unit="a",
    )  # fmt: skip
    return takens.discover(Recording(records=(record,), source=HOSTILE), degree=2)


@pytest.fixture(scope="module")
def place(discovery, tmp_path_factory):
    folder = tmp_path_factory.mktemp("law")
    discovery.save(folder)
    return folder


@pytest.fixture(scope="module")
def content(place) -> dict:
    return json.loads((place / "results.json").read_text(encoding="utf-8"))


def rates(discovery):
    model = discovery.judgement.model
    return model.rates(POINTS, np.empty((20, 0)), np.zeros(20))


def test_results_follow_the_schema(content) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(content, schema())
    assert content["verdict"]["kind"] == "survives"
    assert len(content["coefficients"]) == 4
    assert all(low < c["value"] < high for c in content["coefficients"]
               for low, high in [c["interval"]])  # fmt: skip
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"surprise": 1}, schema())


def test_units_of_coefficients(content) -> None:
    first = content["coefficients"][0]
    assert (first["equation"], first["term"], first["unit"]) == (
        "hare & <b>",
        "`hare & <b>`",
        "1/a",
    )


def test_the_page_is_escaped_and_shows_known_numbers(place, content) -> None:
    page = Page((place / "report.html").read_text(encoding="utf-8"))
    known = {float(v) for v in leaves(content) if isinstance(v, (int, float))}
    for name, attributes in page.elements:
        if name == "data":
            assert float(attributes["value"]) in known
        assert name not in {"b", "img"}
        assert not (name == "script" and "src" in attributes)
    text = " ".join(page.text)
    for equation in content["equations"]:
        assert equation in text
    assert "A law that survives" in text


def test_the_saved_law_is_the_same_to_the_last_bit(place, discovery) -> None:
    system, simulated = load(place / "law.json"), discovery.system()
    for x, own in zip(POINTS, rates(discovery), strict=True):
        np.testing.assert_array_equal(system.vector_field(0.0, x), simulated.vector_field(0.0, x))
        np.testing.assert_allclose(system.vector_field(0.0, x), own, rtol=1e-13)  # other order
    assert system.equations(17) == discovery.system().equations(17)


def test_the_python_file_needs_nothing_and_gives_the_same_rates(place, discovery) -> None:
    spec = importlib.util.spec_from_file_location("law", place / "law.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ours = [module.vector_field(0.0, list(x)) for x in POINTS]
    np.testing.assert_allclose(ours, rates(discovery), rtol=1e-13, atol=1e-13)


def test_the_sympy_file(place, discovery) -> None:
    spec = importlib.util.spec_from_file_location("law_sympy", place / "law_sympy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    import sympy

    call = sympy.lambdify([list(module.states)], list(module.right), "math")
    np.testing.assert_allclose(
        [call(list(x)) for x in POINTS], rates(discovery), rtol=1e-13, atol=1e-13
    )
    numbers = {float(f) for e in module.right for f in e.atoms(sympy.Float)}
    assert numbers == set(discovery.system().coefficients.ravel().tolist()) - {0.0}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_c_file(place, discovery, tmp_path) -> None:
    import ctypes

    library = tmp_path / "law.so"
    command = ["gcc", "-std=c99", "-Wall", "-Werror", "-O0", "-ffp-contract=off", "-shared", "-fPIC",
               "-x", "c", str(place / "law.c"), "-o", str(library), "-lm"]  # fmt: skip
    subprocess.run(command, check=True)
    field = ctypes.CDLL(str(library)).vector_field
    array = ctypes.c_double * 2
    ours = []
    for x in POINTS:
        result = array()
        field(ctypes.c_double(0.0), array(*x), None, result)
        ours.append(list(result))
    np.testing.assert_allclose(ours, rates(discovery), rtol=1e-13, atol=1e-13)


def test_the_latex_file_cannot_run_anything(place) -> None:
    text = (place / "law.tex").read_text(encoding="utf-8")
    assert "\\input" not in text
    assert text.count("&=") == 2


def test_where_there_is_no_law_there_are_no_files_of_one(place, tmp_path) -> None:
    walk = np.random.default_rng(0).normal(size=(200, 2)).cumsum(axis=0)
    found = takens.discover(walk, degree=1)
    assert found.judgement.outcome == "none"
    shutil.copytree(place, tmp_path / "again")
    written = found.save(tmp_path / "again")
    assert sorted(p.name for p in written) == ["report.html", "results.json"]
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == ["report.html", "results.json"]
    content = json.loads((tmp_path / "again" / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema())
    assert content["equations"] == []
    assert "No sparse law" in found.summary()


def test_a_file_that_is_not_ours_is_kept(discovery, tmp_path) -> None:
    (tmp_path / "law.py").write_text("print('mine')\n")
    with pytest.raises(InvalidInput, match="not an earlier report"):
        discovery.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["law.py"]


def test_the_same_seed_gives_the_same_numbers() -> None:
    times = 0.2 * np.arange(120)
    states = np.stack([np.cos(times), -np.sin(times)], axis=1)
    states += 0.02 * np.random.default_rng(0).normal(size=states.shape)
    record = Trajectory(times=times, states=states, names=("x", "y"))
    first, second = (takens.discover(record, degree=1, seed=1).to_dict() for _ in range(2))
    for content in (first, second):
        content["provenance"] = None
    assert first == second


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(InvalidInput, match="sequence"):
        takens.discover(np.ones(50), terms="sin(x)")
    with pytest.raises(InvalidInput, match="candidate coefficients"):
        takens.discover(np.random.default_rng(0).normal(size=(100, 30)))
    with pytest.raises(InvalidInput, match="constant"):
        takens.discover(np.ones(50))
    with pytest.raises(InvalidInput, match="seed"):
        takens.discover(np.ones(50), seed=-1)
    with pytest.raises(InvalidInput, match="no column"):
        takens.discover(np.random.default_rng(0).normal(size=100), terms=("sin(nope)",))


def test_analyse_shows_a_law_that_survives() -> None:
    x, orbit = np.array([0.1, 0.1]), np.empty((700, 2))
    for n in range(700):
        orbit[n] = x
        x = np.array([1 - 1.4 * x[0] ** 2 + x[1], 0.3 * x[0]])
    report = takens.analyse(orbit + 0.005 * np.random.default_rng(0).normal(size=orbit.shape))
    assert report.law.survives
    content = report.to_dict()
    jsonschema.validate(content, json.loads(
        (resources.files("takens.report") / "results.schema.json").read_text(encoding="utf-8")
    ))  # fmt: skip
    assert {(c["equation"], c["term"]) for c in content["law"]["coefficients"]} == {
        ("x0", "1"), ("x0", "x1"), ("x0", "x0^2"), ("x1", "x0"),
    }  # fmt: skip
    page = Page(report.to_html())
    assert content["law"]["equations"][0] in " ".join(page.text)
    assert ("law", "; ".join(content["law"]["equations"])) in report.key_numbers()


def test_analyse_says_in_one_line_why_there_is_no_law() -> None:
    report = takens.analyse(np.random.default_rng(0).normal(size=300), quick=True)
    assert report.law is None
    assert report.to_dict()["law"] == {
        "outcome": "none", "reasons": [report.why_no_law], "equations": [], "coefficients": [],
    }  # fmt: skip
    assert "no rule of motion" in report.why_no_law
