"""How often is noise given a dimension or a positive exponent?

    python benchmarks/series_nulls.py --out runs.jsonl                # resumable
    python benchmarks/series_nulls.py --out runs.jsonl --summarise    # the table, in Markdown

Each line of the file is one run: quantity, noise, length, seed, status, value, interval. A dimension is
given where it is finite; an exponent where it is finite and its whole 90 % interval is positive.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from generators import MAKERS
from series_coverage import QUANTITIES, read

from takens import Trajectory
from takens.core import plain

Array = np.ndarray


def _cube(n: int, dt: float, rng: np.random.Generator) -> Array:
    return MAKERS["ar1_0.95"](n, dt, rng) ** 3


NULLS: dict[str, Callable[[int, float, np.random.Generator], Array]] = {
    "white": MAKERS["white"],
    "AR(1), 0.95": MAKERS["ar1_0.95"],
    "random walk": MAKERS["random_walk"],
    "IAAFT of Lorenz": MAKERS["iaaft_lorenz"],
    "GARCH": MAKERS["garch"],
    "1/f": MAKERS["pink"],
    "exp of AR(1), 0.8": MAKERS["exp_ar"],
    "cube of AR(1), 0.95": _cube,
    "seasonal AR": MAKERS["seasonal_ar"],
}


def run(quantity: str, name: str, n: int, seed: int) -> dict[str, Any]:
    """One line of the table."""
    dt = 0.05 if "Lorenz" in name else 1.0
    x = NULLS[name](n, dt, np.random.default_rng([seed, n, list(NULLS).index(name)]))
    data = Trajectory(times=np.arange(n) * dt, states=x[:, None])
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cautions: the value and status are what is counted
        estimate, status = QUANTITIES[quantity](data)
    return {
        "quantity": quantity,
        "null": name,
        "n": n,
        "seed": seed,
        "status": status,
        "value": plain(estimate.value),
        "interval": plain(estimate.interval),
        "cpu": round(time.process_time() - began, 3),
    }


def _fooled(line: dict[str, Any]) -> bool:
    if line["value"] is None:
        return False
    return bool(line["quantity"] == "dimension" or line["interval"][0] > 0)


def summary(lines: list[dict[str, Any]]) -> str:
    """For each quantity, noises by length: runs that were fooled out of all."""
    text: list[str] = []
    for quantity in dict.fromkeys(r["quantity"] for r in lines):
        own = [r for r in lines if r["quantity"] == quantity]
        lengths = sorted({r["n"] for r in own})
        text += [f"**{quantity}**", "", "| noise | " + " | ".join(f"N = {n:,}" for n in lengths)]
        text[-1] += " |"
        text.append("| --- " * (len(lengths) + 1) + "|")
        for name in [*NULLS, "**all**"]:
            cells = []
            for n in lengths:
                part = [r for r in own if r["n"] == n and name in (r["null"], "**all**")]
                cells.append(f"{sum(map(_fooled, part))} of {len(part)}")
            text.append(f"| {name} | " + " | ".join(cells) + " |")
        text.append("")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("series_nulls.jsonl"))
    parser.add_argument("--quantities", nargs="+", default=["dimension", "largest", "divergence"])
    parser.add_argument("--lengths", nargs="+", type=int, default=[1000, 2500, 5000])
    parser.add_argument("--seeds", type=int, default=100, help="runs of each cell")
    parser.add_argument("--first-seed", type=int, default=7000)
    parser.add_argument("--summarise", action="store_true", help="only print the table")
    asked = parser.parse_args()
    lines = read(asked.out)
    if not asked.summarise:
        done = {(r["quantity"], r["null"], r["n"], r["seed"]) for r in lines}
        tasks = [
            (quantity, name, n, seed)
            for quantity in asked.quantities
            for seed in range(asked.first_seed, asked.first_seed + asked.seeds)
            for n in asked.lengths
            for name in NULLS
        ]
        with asked.out.open("a", encoding="utf-8") as file:
            for task in tasks:
                if task not in done:
                    lines.append(run(*task))
                    file.write(json.dumps(lines[-1]) + "\n")
                    file.flush()
    print(summary(lines))


if __name__ == "__main__":
    main()
