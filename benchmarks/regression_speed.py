"""CPU seconds of sparse regression on 100,000 samples of the Lorenz equations, beside pysindy.

    python benchmarks/regression_speed.py [--peers PYTHON] [--samples 100000]

Monomials up to degree three, one BLAS thread, median of five runs after one; an ensemble is run
twice. The peer runs in the interpreter given by `--peers`, on the same samples.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import series_speed  # noqa: E402
from scipy.integrate import solve_ivp  # noqa: E402

from takens.core import Trajectory  # noqa: E402
from takens.data import as_recording  # noqa: E402
from takens.learn import SparseRegression  # noqa: E402
from takens.learn.regression import (  # noqa: E402
    SR3,
    STLSQ,
    BestSubset,
    Differences,
    Elimination,
    Ensemble,
    IntegralForm,
    StrongForm,
    WeakForm,
)
from takens.learn.terms import Polynomials  # noqa: E402


def lorenz(n: int) -> np.ndarray:
    """An orbit at a step of 0.01."""
    rate = lambda t, x: [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]  # noqa: E731
    times = 0.01 * np.arange(n)
    return solve_ivp(rate, (0, times[-1]), [1, 3, 20], t_eval=times, rtol=1e-8, atol=1e-8).y.T


def median(task: Callable[[], object], runs: int = 5) -> float:
    """CPU seconds."""
    task()
    found = []
    for _ in range(runs):
        began = time.process_time()
        task()
        found.append(time.process_time() - began)
    return float(np.median(found))


def peer(optimizer: str, x: np.ndarray, runs: int) -> float:
    code = (
        "import pysindy as ps\n"
        f"def run():\n    m = ps.SINDy(optimizer={optimizer}, "
        "feature_library=ps.PolynomialLibrary(3))\n    m.fit(x, t=0.01)\n"
        f"run()\nfound = []\nfor _ in range({runs}):\n    t = time.process_time()\n    run()\n"
        "    found.append(time.process_time() - t)\nprint(np.median(found))"
    )
    return series_speed.peer(code, x)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default="", help="interpreter that has pysindy")
    parser.add_argument("--samples", type=int, default=100_000)
    given = parser.parse_args()
    series_speed.PEERS[:] = [given.peers] if given.peers else []
    x = lorenz(given.samples)
    bare = Trajectory(times=0.01 * np.arange(len(x)), states=x, names=("x", "y", "z"))
    data = as_recording(bare)

    def ours(runs: int = 5, **settings: object) -> float:
        one = SparseRegression(**{"library": Polynomials(3), "form": StrongForm(Differences()),
                                  "selector": STLSQ(0.1), **settings})  # fmt: skip
        return median(lambda: one.fit(data), runs)

    rows = {
        "STLSQ": (ours(), peer("ps.STLSQ(threshold=0.1)", x, 5)),
        "STLSQ, ensemble of 100": (
            ours(2, ensemble=Ensemble(n_models=100)),
            peer("ps.EnsembleOptimizer(ps.STLSQ(threshold=0.1), bagging=True, n_models=100)", x, 1),
        ),
        "SR3": (ours(selector=SR3(0.1)), peer("ps.SR3()", x, 2)),
        "best subset": (ours(selector=BestSubset()), float("nan")),
        "elimination": (ours(selector=Elimination()), float("nan")),
        "elimination, ensemble of 100": (
            ours(2, selector=Elimination(), ensemble=Ensemble(n_models=100)),
            float("nan"),
        ),
        "elimination, smoothing spline": (
            ours(1, selector=Elimination(), form=StrongForm()),
            float("nan"),
        ),
        "elimination, weak form": (ours(1, selector=Elimination(), form=WeakForm()), float("nan")),
        "elimination, integral form": (
            ours(1, selector=Elimination(), form=IntegralForm()),
            float("nan"),
        ),
        "the audit of the data at the door": (median(lambda: as_recording(bare)), float("nan")),
    }
    print("| what | takens, CPU s | pysindy, CPU s |\n| --- | --- | --- |")
    for what, (own, other) in rows.items():
        print(f"| {what} | {own:.3f} | {'' if np.isnan(other) else f'{other:.3f}'} |")


if __name__ == "__main__":
    main()
