"""How often is the verdict right? `kind_of_motion` over signals, lengths, sampling and noise.

    python benchmarks/calibrate_verdict.py                      # run; stop and resume at will
    python benchmarks/calibrate_verdict.py --summarise          # tables and figure into docs/

One JSON line is appended per run, keyed by the package version and a hash of the code that decides;
a line that exists is not run again. Seeds below 3,000 are for development; the published numbers
use seeds from 3,000 on, which nothing was tuned on. Runs are ordered by seed, so that an
interrupted calibration is thinner but balanced.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import hashlib
import json
import multiprocessing
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy, here and in every worker

import signals

FINAL_SEED = 3000
LENGTHS = (500, 2000, 5000)


@dataclasses.dataclass(frozen=True)
class Task:
    """One run."""

    signal: str
    n: int
    dt: float
    noise: float
    seed: int


_TASK = tuple(field.name for field in dataclasses.fields(Task))


def core_cells() -> Iterator[tuple[str, int, float, float, int]]:
    """(signal, length, step, noise, number of seeds) of the set with a pass mark."""
    for signal in signals.SIGNALS.values():
        if not signal.core:
            continue
        if signal.family == "chaotic":
            for dt in signal.steps:
                yield signal.name, 5000, dt, 0.0, 60 // len(signal.steps)
        elif signal.family == "regular":
            for noise in signals.CORE_NOISE.get(signal.name, (0.0,)):
                for n in LENGTHS:
                    yield signal.name, n, signal.dt, noise, 20
        else:
            for n in LENGTHS:
                yield signal.name, n, signal.dt, 0.0, 100


def beyond_cells() -> Iterator[tuple[str, int, float, float, int]]:
    """Other lengths, noise levels and signals, with fewer seeds."""
    for signal in signals.SIGNALS.values():
        if signal.family == "chaotic":
            for n in (500, 1000, 2000, 5000):
                yield signal.name, n, signal.dt, 0.0, 10
            for noise in (0.01, 0.02, 0.05, 0.1, 0.2):
                yield signal.name, 5000, signal.dt, noise, 10
        elif signal.family == "regular":
            for noise in (0.0, 0.05, 0.2, 0.5):
                yield signal.name, 2000, signal.dt, noise, 10
        elif not signal.core:
            for n in LENGTHS:
                yield signal.name, n, signal.dt, 0.0, 20


def tasks(chosen: str, args: argparse.Namespace) -> list[Task]:
    """The runs asked for, by seed first."""
    cells: list[tuple[str, int, float, float, int]] = []
    if chosen in ("core", "all"):
        cells.extend(core_cells())
    if chosen in ("beyond", "all"):
        cells.extend(beyond_cells())
    first, last = args.seeds
    wanted: dict[Task, None] = {}
    for name, n, dt, noise, count in cells:
        if args.signals and name not in args.signals:
            continue
        if args.lengths and n not in args.lengths:
            continue
        if args.noise and noise not in args.noise:
            continue
        top = min(last, first + count) if last else first + count
        for seed in range(first, top):
            wanted[Task(name, n, dt, noise, seed)] = None
    # Of each seed the short records first, so that an interruption leaves all classes covered.
    return sorted(wanted, key=lambda t: (t.seed, t.n))


def code_key() -> str:
    """Version of the package and a hash of the files that decide, and of the signals.

    These are the file of the verdict and the files of its room that it imports, by however many
    steps. Comments, layout and docstrings do not count: they cannot change a verdict.
    """
    import takens

    digest = hashlib.sha256(str(signals.VERSION).encode())
    root = Path(takens.__file__).parent.parent
    waiting, deciding = ["takens.series.motion"], dict[str, str]()
    while waiting:
        name = waiting.pop()
        path = root / (name.replace(".", "/") + ".py")
        if name in deciding or not path.is_file():
            continue
        source = path.read_text(encoding="utf-8")
        deciding[name] = _bare(source)
        waiting.extend(re.findall(r"(?:from|import) (takens\.series\.[\w.]+)", source))
    for name in sorted(deciding):
        digest.update(deciding[name].encode())
    return f"{takens.__version__}+{digest.hexdigest()[:12]}"


def _bare(source: str) -> str:
    """`source` without comments and strings that stand alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            rest = [
                item
                for item in node.body
                if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
            ]
            node.body = rest or [ast.Pass()]
    return ast.unparse(tree)


def run(task: Task) -> dict[str, Any]:
    """The verdict on one signal, as a JSON line."""
    import warnings

    import numpy as np

    from takens import Trajectory
    from takens.core import plain
    from takens.series import kind_of_motion

    signal = signals.SIGNALS[task.signal]
    values = signals.make(task.signal, task.n, task.seed, task.noise, task.dt)
    data = Trajectory(
        times=np.arange(task.n) * task.dt,
        states=values[:, None],
        names=("x",),
        time_unit=signal.time_unit,
    )
    line: dict[str, Any] = dataclasses.asdict(task)
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cautions are counted from the result
            motion = kind_of_motion(data, seed=task.seed)
    except Exception as error:  # a crash is a result of the calibration, not its end
        return line | {"kind": "error", "error": f"{type(error).__name__}: {error}"}
    line["cpu"] = round(time.process_time() - start, 3)
    line["kind"] = motion.kind
    if motion.exponent is not None:
        estimate = motion.exponent.exponent
        line["exponent"] = [estimate.value, *estimate.interval]
    if motion.dimension is not None:
        estimate = motion.dimension.dimension
        line["dimension"] = [estimate.value, *estimate.interval]
    line["evidence"] = {e.name: float(f"{e.value:.5g}") for e in motion.evidence}
    line["reasons"] = motion.reasons
    content: dict[str, Any] = plain(line)
    return content


def load(paths: list[Path], key: str | None = None) -> list[dict[str, Any]]:
    """Lines of the results files, of one code key when given; a task counts once."""
    runs: dict[tuple[Any, ...], dict[str, Any]] = {}
    for path in paths:
        if not path.exists():
            continue
        for text in path.read_text().splitlines():
            line = json.loads(text)
            if key is None or line["key"] == key:
                runs[(line["key"], *(line[name] for name in _TASK))] = line
    return list(runs.values())


def calibrate(args: argparse.Namespace) -> None:
    key = code_key()
    done = {Task(**{k: line[k] for k in _TASK}) for line in load(args.results, key)}
    results: Path = args.results[0]
    todo = [task for task in tasks(args.set, args) if task not in done]
    print(f"{key}: {len(done)} runs on file, {len(todo)} to do, into {results}", flush=True)
    results.parent.mkdir(parents=True, exist_ok=True)
    start, finished = time.monotonic(), 0
    context = multiprocessing.get_context("spawn")
    with (
        results.open("a") as file,
        ProcessPoolExecutor(args.workers, mp_context=context) as pool,
    ):
        # Handed out in small batches: an interruption loses little, and the order by seed holds.
        for position in range(0, len(todo), 16 * args.workers):
            batch = todo[position : position + 16 * args.workers]
            for future in as_completed([pool.submit(run, task) for task in batch]):
                file.write(json.dumps({"key": key, **future.result()}) + "\n")
                file.flush()
                finished += 1
            spent = (time.monotonic() - start) / 60
            print(f"{finished}/{len(todo)} runs, {spent:.1f} min", flush=True)
            if args.minutes and spent > args.minutes:
                print("Time is up; the same command resumes.")
                return
            if code_key() != key:
                print("The code changed while running; stopped. The same command starts anew.")
                return


def _range(text: str) -> tuple[int, int | None]:
    first, _, last = text.partition(":")
    return int(first), int(last) if last else None


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=("core", "beyond", "all"), default="all")
    parser.add_argument("--signals", type=lambda text: text.split(","), default=[])
    parser.add_argument("--lengths", type=_floats, default=[])
    parser.add_argument("--noise", type=_floats, default=[])
    parser.add_argument("--seeds", type=_range, default=(FINAL_SEED, None), help="first[:stop]")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="stop after about this long")
    parser.add_argument(
        "--results",
        type=Path,
        nargs="+",
        default=[signals.cache_folder() / "verdict.jsonl"],
        help="files of runs: all are read, the first is added to",
    )
    parser.add_argument("--summarise", action="store_true", help="print tables; write docs/")
    parser.add_argument("--misses", action="store_true", help="print each wrong verdict")
    parser.add_argument("--key", help="code key to summarise (default: the code as it is)")
    args = parser.parse_args()
    if args.summarise or args.misses:
        import calibration_tables

        lines = load(args.results, args.key or code_key())
        first, last = args.seeds
        chosen = [r for r in lines if r["seed"] >= first and (last is None or r["seed"] < last)]
        if args.misses:
            print(calibration_tables.misses(chosen))
        else:
            calibration_tables.publish(chosen, args.key or code_key())
    else:
        calibrate(args)


if __name__ == "__main__":
    main()
