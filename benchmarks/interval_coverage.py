"""Do the intervals of the other questions hold truths that are exact?

    python benchmarks/interval_coverage.py --out runs.jsonl                # resumable
    python benchmarks/interval_coverage.py --out runs.jsonl --summarise    # the table, in Markdown

Recurrence quantification, networks of recurrences, the correlation entropy, dimensions by boxes and by
returns, and Higuchi's. Truths are closed forms, or follow from recomputed exponents by Young's formula
D1 = l1 (1/l1 - 1/l2) of maps of the plane (1982) and by that of Kaplan and Yorke for Lorenz's flow.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from dimension_systems import DIMENSIONS, states
from generators import MAKERS
from series_coverage import read

from takens import series
from takens.core import plain
from takens.systems.truths import TRUTHS

Array = np.ndarray
GOLDEN = (5**0.5 - 1) / 2
RADIUS = 0.2  # of recurrences, in standard deviations; those of a uniform density are 1 / sqrt(12)


def flat(n: int, seed: int) -> Array:
    return np.random.default_rng(seed).uniform(size=n)


def square(n: int, seed: int) -> Array:
    return np.random.default_rng(seed).uniform(size=(n, 2))


def doubling(n: int, seed: int) -> Array:
    """x -> 2 x mod 1 as a shift of random digits."""
    bits = np.random.default_rng(seed).integers(0, 2, n + 53).astype(float)
    return sum(bits[place : place + n] * 2.0 ** -(place + 1) for place in range(53))


def sierpinski(n: int, seed: int) -> Array:
    """Random iteration of three contractions by a half: equal weights, all dimensions ln 3 / ln 2."""
    rng = np.random.default_rng(seed)
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]])[rng.integers(0, 3, n + 60)]
    return sum(corner[60 - place : n + 60 - place] * 0.5 ** (place + 1) for place in range(60))


def known(name: str) -> Callable[[int, int], Array]:
    return lambda n, seed: states(DIMENSIONS[name], n, seed)[:, 0]


def fractional(hurst: float) -> Callable[[int, int], Array]:
    """Fractional Brownian motion from its exact increments (Davies and Harte 1987)."""

    def make(n: int, seed: int) -> Array:
        k, two = np.arange(n + 1.0), 2 * hurst
        cov = 0.5 * (np.abs(k + 1) ** two - 2 * k**two + np.abs(k - 1) ** two)
        size = np.maximum(np.fft.fft(np.concatenate([cov, cov[-2:0:-1]])).real, 0)
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=len(size)) + 1j * rng.normal(size=len(size))
        return np.cumsum(np.fft.fft(np.sqrt(size / len(size)) * noise).real[:n])

    return make


def uniform_lines(scale: float) -> dict[str, float]:
    """Measures of independent uniform samples: lines are runs of trials of chance p, or p(x).

    Intervals hold at the radius found, which `scale`, the record's own deviation, sets.
    """
    e = RADIUS * scale
    p = 2 * e - e * e
    x = (np.arange(200_000) + 0.5) / 200_000
    own = np.minimum(x + e, 1) - np.maximum(x - e, 0)  # chance to recur to x
    mean = lambda values: float(np.mean(values))  # noqa: E731
    return {
        "recurrence_rate": p,
        "determinism": 1 - (1 - p) ** 2,
        "mean_line": 2 + p / (1 - p),
        "line_entropy": -(math.log(1 - p) + p / (1 - p) * math.log(p)),
        "laminarity": 1 - mean(own * (1 - own) ** 2) / p,
        "trapping_time": mean(own**2 * (2 - own)) / mean(own**2 * (1 - own)),
        "recurrence_time": 1 / p,
        "return_time": 1 / mean(own * (1 - own)),
    }


def line_transitivity() -> float:
    """Of uniform points on a line, linked within the radius: closed over connected triples."""
    e, m = RADIUS / math.sqrt(12), 4000  # a per cent more or less of the radius changes nothing
    x = (np.arange(m) + 0.5) / m
    low, high = np.maximum(x - e, 0), np.minimum(x + e, 1)
    both = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    near = np.abs(x[:, None] - x) < e
    return float(np.mean(np.where(near, both, 0.0)) / np.mean((high - low) ** 2))


def plane(name: str) -> float:
    first, second = TRUTHS[name].exponents[:2]
    return 1 - first / second


Truth = float | Callable[[Array], float]
Case = tuple[str, str, Callable[[int, int], Array], Truth, Callable[[Array], Any]]


def _line(measure: str) -> Callable[[Array], float]:
    return lambda x: uniform_lines(float(x.std()))[measure]


def _recurrence(measure: str) -> Callable[[Array], Any]:
    return lambda x: getattr(
        series.recurrence_quantification(
            x, radius=RADIUS, dimension=1, delay=1, theiler=1, throw=False
        ),
        measure,
    )


def _network(x: Array) -> Any:
    return series.recurrence_network(
        x, radius=RADIUS, dimension=1, delay=1, theiler=0, throw=False
    ).dimension


def _entropy(x: Array) -> Any:
    return series.correlation_dimension(x, throw=False).entropy


def _boxes(order: float, **settings: Any) -> Callable[[Array], Any]:
    return lambda x: (
        series.generalised_dimensions(x, orders=(order,), throw=False, **settings).dimension
    )


def _local(**settings: Any) -> Callable[[Array], Any]:
    return lambda x: series.local_dimension(x, throw=False, **settings).dimension


def cases() -> Iterator[Case]:
    """(quantity, system, maker, truth, question)."""
    for measure in uniform_lines(12**-0.5):
        exact = _line(measure)
        yield f"recurrence: {measure}", "independent, uniform", flat, exact, _recurrence(measure)
    doubled: dict[str, Truth] = {"recurrence_rate": _line("recurrence_rate"), "determinism": 0.75}
    for measure, known_share in doubled.items():
        yield f"recurrence: {measure}", "doubling map", doubling, known_share, _recurrence(measure)
    line = math.log(line_transitivity()) / math.log(0.75)
    yield "network: dimension", "independent, line", flat, line, _network
    yield "network: dimension", "independent, square", square, 2 * line, _network
    yield "network: dimension", "skew tent", known("skew_tent"), line, _network
    chance = GOLDEN**2 + (1 - GOLDEN) ** 2
    for name, make, truth in (
        ("skew tent", known("skew_tent"), -math.log(chance)),
        (
            "logistic",
            lambda n, s: MAKERS["logistic"](n, 1.0, np.random.default_rng(s)),
            math.log(2),
        ),
        ("doubling map", doubling, math.log(2)),
        ("Arnold's cat", known("cat"), math.log((3 + 5**0.5) / 2)),
    ):
        yield "correlation entropy K2", name, make, truth, _entropy
    information = (
        ("Hénon", known("henon"), plane("HenonMap"), {}),
        ("Lozi", known("lozi"), plane("LoziMap"), {}),
        ("Ikeda", known("ikeda"), plane("IkedaMap"), {}),
        ("Lorenz", known("lorenz"), 2 + 0.90502 / 14.5717, {}),
        ("Sierpinski, both columns", sierpinski, math.log(3) / math.log(2), {"embedding_dim": 1}),
        ("skew tent", known("skew_tent"), 1.0, {"embedding_dim": 1}),
    )
    for name, make, truth, settings in information:
        yield "information dimension D1", name, make, truth, _boxes(1, **settings)
        yield "mean local dimension", name, make, truth, _local(**settings)
    for name, make, truth, settings in information[4:]:
        yield "box dimension D0", name, make, truth, _boxes(0, **settings)
    yield "box dimension D0", "Hénon", known("henon"), 1.276, _boxes(0)
    for hurst in (0.3, 0.5, 0.7):
        yield (
            "Higuchi's dimension",
            f"fractional motion, H = {hurst}",
            fractional(hurst),
            2 - hurst,
            lambda x: series.higuchi_dimension(x, throw=False).dimension,
        )


def run(case: Case, n: int, seed: int) -> dict[str, Any]:
    """One line of the table."""
    quantity, name, make, truth, question = case
    x = make(n, seed)
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cautions: the value is what is counted
        estimate = question(x)
    return {
        "quantity": quantity,
        "system": name,
        "n": n,
        "seed": seed,
        "value": plain(estimate.value),
        "interval": plain(estimate.interval),
        "truth": truth(x) if callable(truth) else truth,
        "cpu": round(time.process_time() - began, 3),
    }


def _cell(lines: list[dict[str, Any]]) -> str:
    answered = [r for r in lines if r["value"] is not None]
    stated = [r for r in answered if r["interval"][0] is not None]
    if not stated:
        return f"refused {len(lines)}"
    held = sum(r["interval"][0] <= r["truth"] <= r["interval"][1] for r in stated)
    bias = [r["value"] / r["truth"] - 1 for r in stated]
    text = f"{held / len(stated):.0%}, {np.median(np.abs(bias)):.1%} ({np.median(bias):+.1%})"
    refused = len(lines) - len(stated)
    return text + (f", refused {refused}" if refused else "")


def summary(lines: list[dict[str, Any]]) -> str:
    """Quantities and systems by length."""
    lengths = sorted({r["n"] for r in lines})
    text = ["| quantity | of | truth | " + " | ".join(f"N = {n:,}" for n in lengths) + " |"]
    text.append("| --- " * (3 + len(lengths)) + "|")
    for quantity, name in dict.fromkeys((r["quantity"], r["system"]) for r in lines):
        own = [r for r in lines if (r["quantity"], r["system"]) == (quantity, name)]
        cells = [_cell([r for r in own if r["n"] == n]) for n in lengths]
        text.append(
            f"| {quantity} | {name} | {np.median([r['truth'] for r in own]):.4g} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("interval_coverage.jsonl"))
    parser.add_argument("--only", nargs="+", default=None, help="beginnings of quantities")
    parser.add_argument("--lengths", nargs="+", type=int, default=[2000, 8000])
    parser.add_argument("--seeds", type=int, default=20, help="runs of each cell")
    parser.add_argument("--first-seed", type=int, default=7000)
    parser.add_argument("--summarise", action="store_true", help="only print the table")
    asked = parser.parse_args()
    lines = read(asked.out)
    if not asked.summarise:
        done = {(r["quantity"], r["system"], r["n"], r["seed"]) for r in lines}
        chosen = [
            case
            for case in cases()
            if asked.only is None or any(case[0].startswith(word) for word in asked.only)
        ]
        with asked.out.open("a", encoding="utf-8") as file:
            for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
                for n in asked.lengths:
                    for case in chosen:
                        if (case[0], case[1], n, seed) in done:
                            continue
                        lines.append(run(case, n, seed))
                        file.write(json.dumps(lines[-1]) + "\n")
                        file.flush()
    print(summary(lines))


if __name__ == "__main__":
    main()
