"""How many chaotic flows of dysts are called chaotic, every miss by name.

    python benchmarks/dysts_records.py
    python benchmarks/verdict_dysts.py --noise 0 0.05 --out results.jsonl

The record is the first coordinate that dysts does not list as unbounded, such as an angle that
turns for ever. A flow counts as chaotic when its exponent, recomputed over 300 periods, is at least 0.02 a period
and positive by three standard errors. The verdict sees 5,000 samples, with Gaussian noise of the
given share of its standard deviation.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from dysts_records import folder


def bounded(name: str) -> int:
    """The first coordinate that does not grow for ever, or the first if all do."""
    import dysts.flows

    growing = set(getattr(dysts.flows, name)().unbounded_indices or ())
    others = [i for i in range(3) if i not in growing]
    return others[0] if others else 0


def judged(path: Path, noise: float) -> dict[str, Any]:
    """The verdict on one record, as a line of the results."""
    from takens.core import Trajectory
    from takens.series import kind_of_motion

    with np.load(path) as made:
        x, dt, period = (
            made["states"][:, bounded(path.stem)],
            float(made["dt"]),
            float(made["period"]),
        )
        truth, error = float(made["exponent"]), float(made["standard_error"])
    x = x + noise * x.std() * np.random.default_rng(0).normal(size=len(x))
    started = time.process_time()
    found = kind_of_motion(Trajectory(times=dt * np.arange(len(x)), states=x[:, None]))
    exponent = found.exponent
    return {
        "name": path.stem,
        "noise": noise,
        "kind": found.kind,
        "exponent": None if exponent is None else exponent.exponent.value,
        "truth": truth,
        "truth_error": error,
        "period": period,
        "samples_per_period": period / dt,
        "seconds": time.process_time() - started,
        "reasons": found.reasons,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", type=float, nargs="*", default=[0.0, 0.05])
    parser.add_argument("--names", nargs="*", help="only these systems")
    parser.add_argument("--out", type=Path, default=Path("dysts-verdicts.jsonl"))
    args = parser.parse_args()
    done = {}
    if args.out.exists():
        for text in args.out.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            done[line["name"], line["noise"]] = line
    for path in sorted(folder().glob("*.npz")):
        for noise in args.noise:
            if (path.stem, noise) in done or (args.names and path.stem not in args.names):
                continue
            line = judged(path, noise)
            done[path.stem, noise] = line
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    for noise in args.noise:
        lines = [line for line in done.values() if line["noise"] == noise]
        chaotic = [
            line
            for line in lines
            if line["truth"] > max(3 * line["truth_error"], 0.02 / line["period"])
        ]
        missed = [line for line in chaotic if line["kind"] != "chaotic"]
        print(f"noise {noise:.0%}: {len(chaotic) - len(missed)} of {len(chaotic)} called chaotic")
        for line in missed:
            print(f"  {line['name']:28s} {line['kind']:20s} {line['reasons'][-1]}")
        errors = [
            abs(line["exponent"] / line["truth"] - 1)
            for line in chaotic
            if line["kind"] == "chaotic" and line["exponent"] is not None
        ]
        if errors:
            print(f"  median error of the exponent where called chaotic: {np.median(errors):.1%}")


if __name__ == "__main__":
    main()
