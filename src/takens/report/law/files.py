"""The law in files: for this package, for SymPy, for Python without anything, for C, for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import takens
from takens.core import MissingDependency
from takens.report.files import LAW_NAMES, check_directory, write_all, write_json

if TYPE_CHECKING:
    from takens.interop import SymbolicSystem
    from takens.report.law.discovery import Discovery

MADE = f"Made by takens {takens.__version__} from"


def save(found: Discovery, directory: Path) -> tuple[Path, ...]:
    """Write the page, the results, and the law where there is one."""
    from takens.report.law.page import page

    check_directory(directory, LAW_NAMES)
    content = found.to_dict()
    html = page(found, content)
    writers: dict[str, Any] = {
        "report.html": lambda path: path.write_text(html, encoding="utf-8"),
        "results.json": lambda path: write_json(path, content),
    }
    if found.found:
        writers |= _law_writers(found)
    return write_all(directory, writers, LAW_NAMES)


def _law_writers(found: Discovery) -> dict[str, Any]:
    from takens.learn.terms import save as save_system

    system = found.system()
    writers: dict[str, Any] = {
        "law.json": lambda path: save_system(system, path),
        "law.png": lambda path: _figure(found, path),
    }
    try:
        from takens.interop import symbolic

        equations = symbolic(system, parameters="numbers")
    except MissingDependency:
        return writers
    return writers | {
        name: lambda path, text=text: path.write_text(text, encoding="utf-8")
        for name, text in texts(equations, found.title).items()
    }


def texts(equations: SymbolicSystem, title: str) -> dict[str, str]:
    """The law as source in Python, SymPy, C and LaTeX, each with where it comes from.

    Parameters
    ----------
    equations : SymbolicSystem
        With its numbers folded in.
    title : str
        Of the data.
    """
    origin = f"{MADE} {_one_line(title)}"
    c_origin = origin.replace("*/", "* /").replace("\\", "/")
    return {
        "law.py": f"# {origin}\n{equations.python()}",
        "law_sympy.py": f"# {origin}\n{_sympy_source(equations)}",
        "law.c": f"/* {c_origin} */\n{equations.c()}",
        "law.tex": f"% {origin}\n{equations.latex(digits=6)}\n",
    }


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _sympy_source(equations: SymbolicSystem) -> str:
    """A module that makes the right-hand sides again in SymPy, every bit of every number kept."""
    import sympy

    right = [sympy.sympify(e) for e in equations.right]
    rows = zip(equations.states, right, strict=True)
    lines = [
        "from sympy import *",
        "",
        f"states = {sympy.srepr(sympy.Tuple(*equations.states))}",
        f"inputs = {sympy.srepr(sympy.Tuple(*equations.inputs))}",
        f"time = {sympy.srepr(equations.time)}",
        *(f"# {state}: {expression}" for state, expression in rows),
        "right = Matrix([",
        *(f"    {sympy.srepr(expression)}," for expression in right),
        "])",
    ]
    return "\n".join(lines) + "\n"


def _figure(found: Discovery, path: Path) -> None:
    """Coefficients with their intervals, and skill by lead, as one picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    judged = found.judgement
    panels = 1 if judged.backtest is None else 2
    height = max(3.2, 0.3 * int(judged.law.support.sum()) + 1)
    figure, axes = plt.subplots(
        1, panels, figsize=(6 * panels, height), layout="constrained", squeeze=False
    )
    judged.law.plot(axes[0, 0])
    if judged.backtest is not None:
        judged.backtest.plot(axes[0, 1])
        axes[0, 1].legend(fontsize="small")
    figure.savefig(path, dpi=120, metadata={"Software": f"{MADE} {_ascii(found.title)}"})
    plt.close(figure)


def _ascii(text: str) -> str:
    return _one_line(text).encode("ascii", errors="replace").decode()
