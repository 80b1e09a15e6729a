"""CPU seconds of the questions to data, one thread, beside peers on the same samples.

    python benchmarks/series_speed.py [--only NAME ...] [--peers PYTHON]

A row is a function that returns seconds; a peer runs in the interpreter given by `--peers`, on the
same file of samples. Warm: the second of two runs, after the compiled loops are on disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import recurrence_speed  # noqa: E402

Row = Callable[[], dict[str, float]]
PEERS: list[str] = []


def lorenz(n: int) -> np.ndarray:
    from signals import make

    return make("lorenz", n, 0, dt=0.02)


def warm(task: Callable[[], object]) -> float:
    """CPU seconds of the second run."""
    task()
    began = time.process_time()
    task()
    return time.process_time() - began


def peer(code: str, x: np.ndarray) -> float:
    """CPU seconds that `code` prints as its last word, given the samples `x`; NaN if it fails."""
    if not PEERS:
        return float("nan")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, x)
        script = (
            f"import time, warnings\nwarnings.simplefilter('ignore')\nimport numpy as np\n"
            f"x = np.load({str(path)!r})\n{code}\n"
        )
        done = subprocess.run([PEERS[0], "-c", script], capture_output=True, text=True, check=False)
    words = done.stdout.split()
    return float(words[-1]) if done.returncode == 0 and words else float("nan")


def _timed(statement: str, setting: str = "") -> str:
    return f"{setting}\nt = time.process_time()\n{statement}\nprint(time.process_time() - t)"


PEER_RISE = {
    "nolds lyap_r": _timed("nolds.lyap_r(x, emb_dim=3, lag=8, min_tsep=24)", "import nolds"),
    "tsdynamics": _timed(
        "lyapunov_from_data(x, dimension=3, delay=8, theiler=24)",
        "from tsdynamics.analysis.lyapunov.from_data import lyapunov_from_data\n"
        "lyapunov_from_data(x[:500], dimension=3, delay=8, theiler=24)",
    ),
}


def _exponents(n: int, peers: dict[str, str]) -> dict[str, float]:
    """Both exponents; the embedding, a question of its own, is not timed."""
    from takens import series

    x = lorenz(n)
    chosen = series.embedding(x)
    return {
        "divergence_exponent": warm(
            lambda: series.divergence_exponent(x, settings=chosen, throw=False)
        ),
        "largest_lyapunov": warm(lambda: series.largest_lyapunov(x, settings=chosen, throw=False)),
        **{name: peer(code, x) for name, code in peers.items()},
    }


def exponents_10k() -> dict[str, float]:
    """10,000 samples."""
    return _exponents(10_000, PEER_RISE)


def exponents_100k() -> dict[str, float]:
    """100,000 samples; nolds needs a matrix of all distances and has no chance."""
    return _exponents(100_000, {"tsdynamics": PEER_RISE["tsdynamics"]})


def noisy_dimension() -> dict[str, float]:
    """10,000 samples with 5 % noise, which is found and divided out."""
    from takens import series

    x = lorenz(10_000)
    x = x + 0.05 * x.std() * np.random.default_rng(0).normal(size=len(x))
    chosen = series.embedding(x)
    return {"takens": warm(lambda: series.correlation_dimension(x, settings=chosen, throw=False))}


def correlation_dimension() -> dict[str, float]:
    """Full curves of all pairs in five dimensions, 10,000 samples; settings are not timed."""
    from takens import series

    x = lorenz(10_000)
    chosen = series.embedding(x)
    return {
        "takens": warm(lambda: series.correlation_dimension(x, settings=chosen, throw=False)),
        "nolds, one dimension": peer(_timed("nolds.corr_dim(x, 5)", "import nolds"), x),
    }


def correlation_dimension_100k() -> dict[str, float]:
    """100,000 samples: thinned to 30,000 states, 60 million pairs."""
    from takens import series

    x = lorenz(100_000)
    chosen = series.embedding(x)
    return {"takens": warm(lambda: series.correlation_dimension(x, settings=chosen, throw=False))}


def local_dimension() -> dict[str, float]:
    """1,000 states of 10,000."""
    from takens import series

    x = lorenz(10_000)
    return {
        "takens": warm(
            lambda: series.local_dimension(x, embedding_dim=4, delay=8, theiler=24, throw=False)
        )
    }


def generalised_dimensions() -> dict[str, float]:
    """Orders 0, 1 and 2 in one dimension, 10,000 samples."""
    from takens import series

    x = lorenz(10_000)
    return {
        "takens": warm(
            lambda: series.generalised_dimensions(x, embedding_dim=4, delay=8, throw=False)
        )
    }


def higuchi_dimension() -> dict[str, float]:
    """10,000 samples of a random walk."""
    from takens import series

    x = np.cumsum(np.random.default_rng(0).normal(size=10_000))
    return {
        "takens": warm(lambda: series.higuchi_dimension(x)),
        "neurokit2": peer(_timed("nk.fractal_higuchi(x, k_max=64)", "import neurokit2 as nk"), x),
    }


def iaaft() -> dict[str, float]:
    """100 surrogates of 10,000 samples."""
    from takens.series.nulls import IAAFT

    x, rng = lorenz(10_000), np.random.default_rng(0)
    return {"takens": warm(lambda: IAAFT().draw(x, 100, rng))}


def determinism() -> dict[str, float]:
    """The questions of determinism, 10,000 samples, embedding included."""
    from takens import series

    x = lorenz(10_000)
    asked = {
        "prediction_error": series.prediction_error,
        "local_global_prediction": series.local_global_prediction,
        "time_reversal": series.time_reversal,
        "zero_one_test_of_data": series.zero_one_test_of_data,
        "noise_level": series.noise_level,
        "noise_reduction": series.noise_reduction,
    }
    return {
        name: warm(lambda question=question: question(x, throw=False))
        for name, question in asked.items()
    }


ROWS: dict[str, Row] = {
    "exponents_10k": exponents_10k,
    "exponents_100k": exponents_100k,
    "iaaft": iaaft,
    "noisy_dimension": noisy_dimension,
    "determinism": determinism,
    "correlation_dimension": correlation_dimension,
    "correlation_dimension_100k": correlation_dimension_100k,
    "local_dimension": local_dimension,
    "generalised_dimensions": generalised_dimensions,
    "higuchi_dimension": higuchi_dimension,
}


def _beside(row: Callable[[str], dict[str, float]]) -> Row:
    return lambda: row(PEERS[0] if PEERS else "")


# Entropies and recurrence have a file of their own.
ROWS |= {name: _beside(row) for name, row in recurrence_speed.ROWS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=list(ROWS))
    parser.add_argument("--peers", default="", help="interpreter that has the peers")
    asked = parser.parse_args()
    PEERS[:] = [asked.peers] if asked.peers else []
    for name in asked.only:
        for who, seconds in ROWS[name]().items():
            print(f"| {name} | {who} | {seconds:.3f} |", flush=True)


if __name__ == "__main__":
    main()
