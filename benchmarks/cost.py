"""What does the command cost? CPU, wall time and peak memory of `takens`, as subprocesses.

    python benchmarks/cost.py             # prints the table and writes docs/cost.md

"Cold" is the first run of a user: every cache folder is empty, though the code was byte-compiled
when it was installed, as pip does. "Warm" is the run after it.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import signals

DOCS = Path(__file__).resolve().parent.parent / "docs"


@dataclasses.dataclass(frozen=True)
class Cost:
    """Resources of one process and the processes it waited for."""

    cpu: float
    wall: float
    memory: float  # MB, resident at its peak
    code: int


def measure(command: list[str], environment: dict[str, str], folder: Path) -> Cost:
    """Run `command` in `folder` and account for it by `wait4`."""
    start = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "stderr").open("wb"),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1e-6 if sys.platform == "darwin" else 1.024e-3  # bytes there, KiB elsewhere
    return Cost(
        usage.ru_utime + usage.ru_stime,
        time.monotonic() - start,
        usage.ru_maxrss * unit,
        process.returncode,
    )


def fresh_environment(folder: Path) -> dict[str, str]:
    """The environment of a user who has never run the command."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "JAX_"))}
    environment |= {
        "HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    (folder / "home").mkdir(parents=True, exist_ok=True)
    return environment


def write_csv(path: Path, name: str, n: int) -> None:
    """One column of `n` numbers with a header, six digits each."""
    values = signals.make(name, n, seed=0, noise=0.02)
    np.savetxt(path, values, fmt="%.6g", header="x", comments="")


def command_of() -> list[str]:
    beside = Path(sys.executable).parent / "takens"
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "takens.cli"]


def run(args: argparse.Namespace) -> list[tuple[str, str, Cost]]:
    """(what, limit, cost) for each case."""
    takens = command_of()
    rows: list[tuple[str, str, Cost]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def analyse(
            what: str, limit: str, signal: str, n: int, environment: dict[str, str]
        ) -> None:
            path = folder / f"{signal}_{n}.csv"
            if not path.exists():
                write_csv(path, signal, n)
            output = folder / "output"
            shutil.rmtree(output, ignore_errors=True)
            command = [*takens, "analyse", str(path), "--output", str(output)]
            cost = measure(command, environment, folder)
            if cost.code:
                print((folder / "stderr").read_text(), file=sys.stderr)
            rows.append((what, limit, cost))
            print(what, cost, flush=True)

        environment = fresh_environment(folder)
        runs = [measure([*takens, "--help"], environment, folder) for _ in range(7)]
        typical = sorted(runs, key=lambda c: c.cpu)[len(runs) // 2]
        spread = statistics.pstdev(c.cpu for c in runs)
        print("takens --help", typical, f"spread {spread:.3f} s", flush=True)
        rows.append(("`takens --help` (median of 7)", "0.2 s CPU", typical))
        for signal in args.signals:
            fresh = fresh_environment(folder / signal)
            for state, limit in (("cold", "10 s CPU, 500 MB"), ("warm", "5 s CPU, 500 MB")):
                analyse(f"10,000 rows, {signal}, {state}", limit, signal, 10_000, fresh)
        for signal in args.large:
            analyse(f"1,000,000 rows, {signal}", "120 s wall", signal, 1_000_000, environment)
    return rows


def met(limit: str, cost: Cost) -> bool:
    """Whether every part of `limit`, such as "5 s CPU, 500 MB", holds."""
    checks = {"s CPU": cost.cpu, "s wall": cost.wall, "MB": cost.memory}
    parts = (part.split(" ", 1) for part in limit.split(", "))
    return cost.code == 0 and all(checks[unit] <= float(number) for number, unit in parts)


def page(rows: list[tuple[str, str, Cost]]) -> str:
    """docs/cost.md."""
    import takens

    lines = [
        "# What a run costs",
        "",
        f"Measured with version {takens.__version__} on a machine of {os.cpu_count()} cores "
        f"({platform.machine()}, {platform.system()}), Python {platform.python_version()}, one "
        "thread, by `python benchmarks/cost.py`. CPU is user and system time of the process and its "
        "children; memory is the largest resident set. Cold means empty cache folders, as on the "
        "first run after an installation; the operating system's file cache is not emptied. Compiled "
        "loops are kept beside the installed package, so that the first row of an analysis makes them.",
        "",
        "| what | CPU s | wall s | memory MB | limit | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for what, limit, cost in rows:
        numbers = f"{cost.cpu:.2f} | {cost.wall:.2f} | {cost.memory:.0f}"
        lines.append(f"| {what} | {numbers} | {limit} | {'yes' if met(limit, cost) else 'NO'} |")
    lines += [
        "",
        "The signals carry 2 % noise and are those of {doc}`calibration`. Other work on the machine "
        "lengthens wall time, and CPU time by some per cent.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    split = lambda text: [t for t in text.split(",") if t]  # noqa: E731
    parser.add_argument("--signals", type=split, default=["lorenz", "ar1_0.95", "sine"])
    parser.add_argument("--large", type=split, default=["henon", "random_walk", "sine"])
    parser.add_argument("--no-page", action="store_true", help="only print")
    args = parser.parse_args()
    text = page(run(args))
    print(text)
    if not args.no_page:
        (DOCS / "cost.md").write_text(text)


if __name__ == "__main__":
    main()
