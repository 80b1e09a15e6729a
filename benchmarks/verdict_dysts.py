"""How many chaotic flows of dysts are called chaotic, every miss by name.

    python benchmarks/dysts_records.py
    python benchmarks/verdict_dysts.py --page docs/dysts-verdicts.md

The record is the first coordinate that dysts does not list as unbounded, such as an angle that
turns for ever. A flow counts as chaotic when its exponent, recomputed by `dysts_records.py`, is at
least 0.02 a period and positive by three standard errors. The verdict sees 5,000 samples, with Gaussian noise of the
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
from signals import cache_folder

_BEGIN, _END = "<!-- begin verdicts -->", "<!-- end verdicts -->"


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
    parser.add_argument("--page", type=Path, help="write the summary into this page")
    parser.add_argument("--out", type=Path, default=cache_folder() / "dysts-verdicts.jsonl")
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
    for (name, _), line in done.items():  # the truth may have been recomputed since
        with np.load(folder() / f"{name}.npz") as made:
            line["truth"], line["truth_error"] = (
                float(made["exponent"]),
                float(made["standard_error"]),
            )
    text = "\n".join(summary(list(done.values()), noise) for noise in args.noise)
    print(text)
    if args.page:
        before, _, rest = args.page.read_text(encoding="utf-8").partition(_BEGIN)
        after = rest.partition(_END)[2]
        args.page.write_text(before + _BEGIN + "\n" + text + _END + after, encoding="utf-8")


def summary(lines: list[dict[str, Any]], noise: float) -> str:
    """Share called chaotic at one noise level, and a table of the misses."""
    lines = [line for line in lines if line["noise"] == noise]
    least = [max(3 * line["truth_error"], 0.02 / line["period"]) for line in lines]
    chaotic = [line for line, limit in zip(lines, least, strict=True) if line["truth"] > limit]
    others = [line for line in lines if line not in chaotic]
    missed = [line for line in chaotic if line["kind"] != "chaotic"]
    share = 1 - len(missed) / max(len(chaotic), 1)
    errors = [
        abs(line["exponent"] / line["truth"] - 1) for line in chaotic if line["kind"] == "chaotic"
    ]
    rows = "".join(
        f"| {line['name']} | {line['truth'] * line['period']:.2f} | {line['kind']} | "
        f"{line['reasons'][-1]} |\n"
        for line in sorted(missed, key=lambda line: line["name"])
    )
    wrong = [line["name"] for line in others if line["kind"] == "chaotic"]
    order = sorted(line["name"] for line in lines)
    halves = []
    for start in (0, 1):
        half = [line for line in chaotic if line["name"] in order[start::2]]
        halves.append(f"{sum(line['kind'] == 'chaotic' for line in half)} of {len(half)}")
    return (
        f"**Noise {noise:.0%}:** {len(chaotic) - len(missed)} of {len(chaotic)} chaotic flows were "
        f"called chaotic ({share:.0%}): {halves[0]} of the half with which the rule was made, "
        f"{halves[1]} of the half held out. The median error of their exponent was "
        f"{np.median(errors):.0%}. Of {len(others)} flows that were not shown to be "
        f"chaotic, {len(wrong)} were called chaotic"
        f"{': ' + ', '.join(sorted(wrong)) if wrong else ''}.\n\n"
        "| missed | exponent a period | verdict | last reason |\n| --- | --- | --- | --- |\n"
        f"{rows}\n"
    )


if __name__ == "__main__":
    main()
