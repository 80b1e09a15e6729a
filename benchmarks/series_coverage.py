"""Do the intervals of the estimators on observations hold the truth, and how far off are they?

    python benchmarks/series_coverage.py --out runs.jsonl                # resumable
    python benchmarks/series_coverage.py --out runs.jsonl --summarise    # the table, in Markdown

Each line of the file is one run: quantity, system, length, noise, seed, value, interval, truth.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from dimension_systems import DIMENSIONS, dimension_record
from exponent_systems import SYSTEMS, record

from takens import Trajectory
from takens.core import Estimate, plain

Answer = tuple[Estimate, str]


def _largest(data: Trajectory) -> Answer:
    from takens.series import largest_lyapunov

    found = largest_lyapunov(data, throw=False)
    return found.exponent, found.status.name


def _divergence(data: Trajectory) -> Answer:
    from takens.series import divergence_exponent

    found = divergence_exponent(data, throw=False)
    return found.exponent, found.status.name


def _dimension(data: Trajectory) -> Answer:
    from takens.series import correlation_dimension

    found = correlation_dimension(data, throw=False)
    return found.dimension, found.status.name


def _likelihood(data: Trajectory) -> Answer:
    from takens.series import correlation_dimension

    found = correlation_dimension(data, throw=False)
    return found.likelihood, found.status.name


OF_DIMENSION = ("dimension", "likelihood")  # these have systems and truths of their own
QUANTITIES: dict[str, Callable[[Trajectory], Answer]] = {
    "dimension": _dimension,
    "likelihood": _likelihood,
    "largest": _largest,
    "divergence": _divergence,
}


def names_of(quantity: str) -> list[str]:
    """Systems on which a quantity is measured."""
    if quantity not in OF_DIMENSION:
        return list(SYSTEMS)
    return [name for name, known in DIMENSIONS.items() if np.isfinite(known.dimension)]


def truth_of(quantity: str, name: str) -> float:
    """What the interval should hold."""
    return DIMENSIONS[name].dimension if quantity in OF_DIMENSION else SYSTEMS[name].exponent


def run(quantity: str, name: str, n: int, noise: float, seed: int) -> dict[str, Any]:
    """One line of the table."""
    if quantity in OF_DIMENSION:
        x, dt = dimension_record(name, n, seed, noise), DIMENSIONS[name].step
    else:
        x, dt = record(name, n, seed, noise), SYSTEMS[name].dt
    data = Trajectory(times=np.arange(n) * dt, states=x[:, None])
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cautions: the value and status are what is counted
        estimate, status = QUANTITIES[quantity](data)
    return {
        "quantity": quantity,
        "system": name,
        "n": n,
        "noise": noise,
        "seed": seed,
        "status": status,
        "value": plain(estimate.value),
        "interval": plain(estimate.interval),
        "truth": truth_of(quantity, name),
        "cpu": round(time.process_time() - began, 3),
    }


def _key(line: dict[str, Any]) -> tuple[Any, ...]:
    return (line["quantity"], line["system"], line["n"], line["noise"], line["seed"])


def read(path: Path) -> list[dict[str, Any]]:
    """The runs so far."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _cell(lines: list[dict[str, Any]]) -> str:
    """Coverage, median error and refusals of some runs."""
    answered = [r for r in lines if r["value"] is not None]
    if not answered:
        return f"refused {len(lines)}"
    held = sum(r["interval"][0] <= r["truth"] <= r["interval"][1] for r in answered)
    errors = [abs(r["value"] / r["truth"] - 1) for r in answered]
    bias = float(np.median([r["value"] / r["truth"] - 1 for r in answered]))
    refused = len(lines) - len(answered)
    text = f"{held / len(answered):.0%}, {np.median(errors):.1%} ({bias:+.1%})"
    return text + (f", refused {refused}" if refused else "")


def summary(lines: list[dict[str, Any]]) -> str:
    """A table for each quantity: systems by length and noise."""
    text: list[str] = []
    for quantity in dict.fromkeys(r["quantity"] for r in lines):
        own = [r for r in lines if r["quantity"] == quantity]
        cells = sorted({(r["noise"], r["n"]) for r in own})
        text += [f"**{quantity}**", ""]
        heads = [f"N = {n:,}" + (f", {noise:.0%} noise" if noise else "") for noise, n in cells]
        text += ["| system | " + " | ".join(heads) + " |", "| --- " * (len(cells) + 1) + "|"]
        for name in [s for s in names_of(quantity) if any(r["system"] == s for r in own)]:
            row = [
                [r for r in own if (r["system"], r["noise"], r["n"]) == (name, noise, n)]
                for noise, n in cells
            ]
            text.append(f"| {name} | " + " | ".join(_cell(r) if r else "" for r in row) + " |")
        every = [[r for r in own if (r["noise"], r["n"]) == cell] for cell in cells]
        text += ["| **all** | " + " | ".join(_cell(r) for r in every) + " |", ""]
        text += [
            "| CPU seconds, median | "
            + " | ".join(f"{np.median([r['cpu'] for r in e]):.2f}" for e in every)
            + " |",
            "",
        ]
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("series_coverage.jsonl"))
    parser.add_argument("--quantities", nargs="+", default=list(QUANTITIES))
    parser.add_argument("--systems", nargs="+", default=None)
    parser.add_argument("--lengths", nargs="+", type=int, default=[2000, 5000, 20000])
    parser.add_argument("--noises", nargs="+", type=float, default=[0.0])
    parser.add_argument("--seeds", type=int, default=20, help="runs of each cell")
    parser.add_argument("--first-seed", type=int, default=3000, help="seeds below were tuned on")
    parser.add_argument("--summarise", action="store_true", help="only print the table")
    asked = parser.parse_args()
    lines = read(asked.out)
    if not asked.summarise:
        done = {_key(line) for line in lines}
        with asked.out.open("a", encoding="utf-8") as file:
            for task in tasks(asked):
                if task in done:
                    continue
                lines.append(run(*task))
                file.write(json.dumps(lines[-1]) + "\n")
                file.flush()
    print(summary(lines))


def tasks(asked: argparse.Namespace) -> Iterable[tuple[str, str, int, float, int]]:
    """Seeds outermost, so that an unfinished table is even."""
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        for quantity in asked.quantities:
            for n in asked.lengths:
                for noise in asked.noises:
                    for name in asked.systems or names_of(quantity):
                        yield quantity, name, n, noise, seed


if __name__ == "__main__":
    main()
