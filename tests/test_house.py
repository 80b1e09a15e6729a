"""The rules of the house that a machine can hold: structure, size, names, docstrings, start-up."""

from __future__ import annotations

import abc
import ast
import dataclasses
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import takens

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "takens"
FILES = sorted(SOURCE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS_WITH_DOORS = (
    "takens",
    "takens.data",
    "takens.systems",
    "takens.series",
    "takens.learn",
    "takens.dynamics",
    "takens.algorithms",
    "takens.validate",
    "takens.interop",
)

# Doors whose first argument is neither a system nor data, each with its reason.
OTHER_FIRST_ARGUMENT = {
    "takens.read": "reads a path",
    "takens.data.read": "reads a path",
    "takens.data.load": "names a data set",
    "takens.data.open_any": "takes a path or the name of a data set",
    "takens.data.audit": "works behind the door, on a recording being read",
    "takens.dynamics.kaplan_yorke_dimension": "a formula on exponents",
    "takens.learn.simulate": "takes a learned model with its own window of the past",
    "takens.algorithms.accelerate": "takes a map in NumPy, which need not be a system",
    "takens.algorithms.as_map": "takes an update rule, which becomes a system",
    "takens.algorithms.diagnose": "takes a system, a recorded run or the path of one",
    "takens.algorithms.read_run": "reads a path",
    "takens.algorithms.rnn_system": "takes a cell, which becomes a system",
    "takens.algorithms.same_dynamics": "takes two runs",
    "takens.algorithms.from_optax": "takes a loss and an optimiser, which become a system",
    "takens.algorithms.from_torch": "takes a model, a loss and an optimiser, which become a system",
    "takens.validate.default_estimators": "lists settings, no data yet",
    "takens.validate.long_run": "takes what learning returned, with its residuals",
    "takens.interop.from_dysts": "names a system of another library",
    "takens.series.eckmann_ruelle_ceiling": "arithmetic on a number of points",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def modules():
    names = [m.name for m in pkgutil.walk_packages(takens.__path__, "takens.")]
    return [importlib.import_module(n) for n in names if not n.endswith("__main__")]


def own_classes():
    found = {
        cls
        for module in modules()
        for cls in vars(module).values()
        if inspect.isclass(cls) and cls.__module__ == module.__name__
    }
    return sorted(found, key=lambda cls: f"{cls.__module__}.{cls.__qualname__}")


def public_functions():
    """Each function that a room exports, under the room's name."""
    found = {}
    for room in ROOMS_WITH_DOORS:
        module = importlib.import_module(room)
        names = takens._NAMES if module is takens else dir(module)
        for name in names:
            thing = None if name.startswith("_") else getattr(module, name, None)
            if inspect.isfunction(thing) and thing.__module__.startswith("takens."):
                found[f"{room}.{name}"] = thing
    return found


FUNCTIONS = public_functions()


def public_classes():
    found = {}
    for room in (*ROOMS_WITH_DOORS, "takens.core", "takens.report"):
        module = importlib.import_module(room)
        names = takens._NAMES if module is takens else dir(module)
        for name in names:
            thing = None if name.startswith("_") else getattr(module, name, None)
            if inspect.isclass(thing) and thing.__module__.startswith("takens."):
                found.setdefault(thing, f"{room}.{name}")
    return {name: cls for cls, name in found.items()}


CLASSES = public_classes()


def test_every_class_is_abstract_or_final():
    # Errors are open to subclassing: `except TakensError` is what the hierarchy is for.
    for cls in own_classes():
        for base in cls.__mro__[1:]:
            if base.__module__.startswith("takens") and not issubclass(base, Exception):
                assert base.__name__.startswith(("Abstract", "_Abstract")), (
                    f"{cls.__qualname__} subclasses {base.__qualname__}, which is final by its name"
                )


def test_a_class_named_abstract_has_something_abstract():
    for cls in own_classes():
        if cls.__name__.startswith("Abstract") and issubclass(cls, abc.ABC):
            assert inspect.isabstract(cls), f"{cls.__qualname__} leaves nothing to implement"


def test_results_and_estimators_are_frozen():
    from takens.core import AbstractEstimator, AbstractResult

    for cls in own_classes():
        if issubclass(cls, (AbstractResult, AbstractEstimator)) and not inspect.isabstract(cls):
            assert dataclasses.is_dataclass(cls), cls
            assert cls.__dataclass_params__.frozen, f"{cls.__qualname__} can be mutated"


@pytest.mark.parametrize("name", takens.__all__)
def test_every_name_of_the_top_level_leads_somewhere(name):
    assert getattr(takens, name) is not None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_argument_is_system_or_data(name):
    first = next(iter(inspect.signature(FUNCTIONS[name]).parameters), None)
    if first is None:
        return
    if name in OTHER_FIRST_ARGUMENT:
        assert first not in ("system", "data"), f"{name} needs no exception any more"
    else:
        assert first in ("system", "data"), f"{name}({first}, ...): call it `system` or `data`"


def documented(text: str) -> set[str]:
    """Names that have an entry in the section `Parameters` of a docstring."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+$|\Z)", text, re.M | re.S)
    entries = re.findall(r"^(\S.*)$", section.group(1), re.M) if section else []
    return set(re.findall(r"\w+", " ".join(entry.split(" :")[0] for entry in entries)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_docstring_is_complete(name):
    text = inspect.getdoc(FUNCTIONS[name]) or ""
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    needed = ["Returns", "Examples"] + (["Parameters"] if parameters else [])
    missing = [s for s in needed if not re.search(rf"^{s}\n-+$", text, re.M)]
    assert not missing, f"{name}: docstring lacks {missing}"
    described = documented(text)
    undocumented = [p for p in parameters if p not in described]
    assert not undocumented, f"{name}: parameters without a description: {undocumented}"


@pytest.mark.parametrize("name", CLASSES)
def test_class_docstring_describes_its_fields(name):
    cls = CLASSES[name]
    text = inspect.getdoc(cls) or ""
    assert text, f"{name} has no docstring"
    if inspect.isabstract(cls) or issubclass(cls, Exception) or not dataclasses.is_dataclass(cls):
        return
    own = [f.name for f in dataclasses.fields(cls) if f.name in cls.__annotations__]
    described = documented(text)
    undocumented = [f for f in own if f not in described and not f.startswith("_")]
    assert not undocumented, f"{name}: fields without a description: {undocumented}"


def imported_after(code: str) -> set[str]:
    probe = f"{code}\nimport sys; print('\\n'.join(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {
    *("scipy", "pandas", "xarray", "jax", "equinox", "diffrax", "matplotlib", "plotly", "h5py"),
    *("pyarrow", "zarr", "numba", "sklearn", "torch", "statsmodels"),
}


def test_import_costs_what_numpy_costs():
    assert not imported_after("import takens") & (HEAVY | {"rich", "typer"})


def test_help_imports_nothing_heavy():
    code = (
        "import contextlib, io, sys\nsys.argv = ['takens', '--help']\n"
        "from takens.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try:\n        main()\n    except SystemExit:\n        pass"
    )
    assert not imported_after(code) & HEAVY


@pytest.mark.parametrize("room", ["core", "data", "series"])
def test_host_side_rooms_need_numpy_only(room):
    assert not imported_after(f"import takens.{room}") & HEAVY


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_file_and_function_sizes(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 450, f"{relative(path)}: split it along a real seam"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body
            documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
            first = body[1] if documented and len(body) > 1 else body[0]
            length = node.end_lineno - first.lineno + 1
            assert length <= 80, f"{relative(path)}: {node.name} has {length} lines of code"


def test_core_stays_small():
    lines = sum(p.read_text(encoding="utf-8").count("\n") for p in (SOURCE / "core").rglob("*.py"))
    assert lines < 1000


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_the_library_does_not_print(path):
    if path.is_relative_to(SOURCE / "cli"):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        is_print = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
        assert not is_print, f"{relative(path)}:{node.lineno} prints; only the command may"


def imported_rooms(path: Path):
    """Rooms of the package that a file imports, anywhere in it, type checking included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
            if node.module == "takens":
                names = [f"takens.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "takens" and len(parts) > 1 and parts[1] not in takens._NAMES:
                yield parts[1]


def test_rooms_import_only_rooms_above_them():
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    lines = [{room.strip() for room in line.split("|")} for line in reversed(contract)]
    rank = {room: i for i, line in enumerate(lines) for room in line}
    on_disk = {
        p.stem for p in SOURCE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    on_disk.remove("__init__")
    on_disk |= {p.stem for p in SOURCE.glob("*.py")} - {"__init__"}  # a room of one file
    assert on_disk == set(rank), "every room stands in the contract, and the contract has no other"
    for path in FILES:
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if room not in rank:
            continue
        for other in imported_rooms(path):
            allowed = other == room or rank[other] < rank[room]
            assert allowed, (
                f"{relative(path)} imports takens.{other}: it is not above takens.{room}"
            )


def test_no_room_is_empty():
    for package in [p.parent for p in SOURCE.rglob("__init__.py")]:
        code = [
            node
            for path in package.glob("*.py")
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if not isinstance(node, ast.Expr)
        ]
        assert code, f"{relative(package)} holds docstrings only"


def test_one_version():
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert importlib.metadata.version("takens") == takens.__version__
    assert f"## {takens.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"version: {takens.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_formulas_in_docstrings_are_raw():
    # In a plain string the first letter of \\rho or \\top makes a control character of it.
    broken = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node, clean=False) or ""
                if set(text) & set("\a\b\f\r\t\v"):
                    broken.append(f"{path.name}: {getattr(node, 'name', 'module')}")
    assert not broken


def test_package_is_small_and_typed():
    installed = Path(takens.__file__).parent
    files = [p for p in installed.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert (installed / "py.typed").exists()
    assert sum(p.stat().st_size for p in files) < 5e6
    bundled = [p for p in files if p.is_relative_to(installed / "data") and p.suffix != ".py"]
    assert bundled, "no data set was packed"
    assert sum(p.stat().st_size for p in bundled) < 1e6


SKIPPED_FOLDERS = {".git", ".venv", "_build", "jupyter_execute", "__pycache__", "dist", "build"}
TEXT = {".py", ".md", ".toml", ".cff", ".bib", ".html", ".css", ".js", ".json", ".txt", ""}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|home|root|opt|Users|mnt)/[\w.]|[A-Z]:\\\\Users")
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")


def repository_texts():
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any((p.startswith(".") and p != ".ci") or p.endswith("_cache") for p in parts[:-1])
        if hidden or SKIPPED_FOLDERS & set(parts):
            continue
        if path.is_file() and path.suffix in TEXT and path.stat().st_size < 1e6:
            yield path, path.read_text(encoding="utf-8", errors="replace")


def test_no_path_of_one_machine_and_no_unfinished_work():
    for path, text in repository_texts():
        if path == Path(__file__).resolve():
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > 2000:  # minified third-party script
                continue
            assert not MACHINE_PATH.search(line), f"{relative(path)}:{number}: {line.strip()}"
            assert not UNFINISHED.search(line), f"{relative(path)}:{number}: {line.strip()}"


def test_every_citation_is_in_the_bibliography():
    bib = (ROOT / "docs" / "references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,\s]+),", bib, re.M)
    known = set(keys)
    assert len(keys) == len(known), "an entry of docs/references.bib stands twice"
    cited = {}
    for path in [*FILES, *sorted((ROOT / "docs").glob("*.md"))]:
        for keys in re.findall(r"(?::|\{)cite(?::\w+)?[:}]`([^`]+)`", path.read_text("utf-8")):
            cited.update({key.strip(): relative(path) for key in keys.split(",")})
    for cls in own_classes():
        for key in getattr(cls, "references", ()) or ():
            if isinstance(key, str):
                cited[key] = cls.__qualname__
    missing = {key: where for key, where in cited.items() if key not in known}
    assert not missing, f"add to docs/references.bib: {missing}"
