"""CPU seconds of entropies and recurrence, one thread, beside peers on the same samples.

    python benchmarks/recurrence_speed.py [--only NAME ...] [--peers PYTHON]

A peer runs in the interpreter given by `--peers` (antropy 0.2.3 and tsdynamics 6.1.1), on the same
file of samples. Warm: the second of two runs, after the compiled loops are on disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402

STATES = {"dimension": 3, "delay": 8, "theiler": 24}
PEER_SAMPLE = "import antropy\nrun = lambda: antropy.sample_entropy(x)"
PEER_LINES = (
    "from tsdynamics.analysis.recurrence import rqa\n"
    "y = np.column_stack([x[16:], x[8:-8], x[:-16]])\n"
    "run = lambda: rqa(y, recurrence_rate=0.05, theiler=24)"
)


def lorenz(n: int) -> np.ndarray:
    from signals import make

    return make("lorenz", n, 0, dt=0.02)


def once(task) -> float:
    began = time.process_time()
    task()
    return time.process_time() - began


def warm(task) -> float:
    task()
    return once(task)


def peer(python: str, code: str, x: np.ndarray) -> float:
    """CPU seconds of the second call of `run`, defined by `code`; NaN if it fails."""
    if not python:
        return float("nan")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, x)
        script = (
            "import time, warnings\nwarnings.simplefilter('ignore')\nimport numpy as np\n"
            f"x = np.load({str(path)!r})\n{code}\nrun()\n"
            "t = time.process_time()\nrun()\nprint(time.process_time() - t)\n"
        )
        done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    words = done.stdout.split()
    return float(words[-1]) if done.returncode == 0 and words else float("nan")


def sample_entropy_10k(python: str) -> dict[str, float]:
    from takens import series

    x = lorenz(10_000)
    return {
        "takens": warm(lambda: series.sample_entropy(x)),
        "antropy": peer(python, PEER_SAMPLE, x),
    }


def sample_entropy_100k(python: str) -> dict[str, float]:
    from takens import series

    x = lorenz(100_000)
    return {
        "takens": warm(lambda: series.sample_entropy(x)),
        "antropy": peer(python, PEER_SAMPLE, x),
    }


def quantification_5k(python: str) -> dict[str, float]:
    from takens import series

    x = lorenz(5_000)
    return {
        "takens": warm(lambda: series.recurrence_quantification(x, **STATES)),
        "tsdynamics": peer(python, PEER_LINES, x),
    }


def quantification_100k(python: str) -> dict[str, float]:
    """One run; what it adds to the largest memory of the process is listed beside the time."""
    import resource

    from takens import series

    x = lorenz(100_000)
    series.recurrence_quantification(x[:1_000], **STATES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = once(lambda: series.recurrence_quantification(x, **STATES))
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"takens": seconds, "takens, MB beyond those in use": added / 1024}


ROWS = {
    row.__name__: row
    for row in (sample_entropy_10k, sample_entropy_100k, quantification_5k, quantification_100k)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=list(ROWS))
    parser.add_argument("--peers", default="", help="interpreter that has the peers")
    asked = parser.parse_args()
    for name in asked.only:
        for who, number in ROWS[name](asked.peers).items():
            print(f"| {name} | {who} | {number:.3f} |", flush=True)


if __name__ == "__main__":
    main()
