"""The forms of sparse regression on noisy Lorenz records, beside `SINDy`, the default of the package.

    python benchmarks/regression_forms.py [--seeds 20] [--first 0] [--quick] [--only NAME ...]

1,000 samples at a step of 0.01, monomials up to degree two, noise relative to the standard deviation
of each column. For each form and noise: the share of records with exactly the true terms; of all
records the median largest relative error of the seven true coefficients (one that was left out has
an error of one); how often a 95 % interval holds the truth where the terms are right; CPU seconds.
"""

from __future__ import annotations

import argparse
import os
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
from lorenz_laws import TRUTH, places, record  # noqa: E402

from takens.core import AbstractEstimator  # noqa: E402
from takens.learn import SINDy, SparseRegression  # noqa: E402
from takens.learn.regression import (  # noqa: E402
    STLSQ,
    BestSubset,
    IntegralForm,
    StrongForm,
)

METHODS: dict[str, AbstractEstimator] = {
    "`SINDy()`": SINDy(),
    "weak": SparseRegression(),
    "weak, best subset": SparseRegression(selector=BestSubset()),
    "weak, STLSQ 0.2": SparseRegression(selector=STLSQ(0.2)),
    "integral": SparseRegression(form=IntegralForm()),
    "strong": SparseRegression(form=StrongForm()),
    "strong, STLSQ 0.2": SparseRegression(form=StrongForm(), selector=STLSQ(0.2)),
}


def row(method: AbstractEstimator, share: float, seeds: range) -> tuple[float, ...]:
    """Structure, error, coverage, seconds."""
    exact, errors, held, seconds = [], [], [], []
    for seed in seeds:
        data = record(seed, share)
        began = time.process_time()
        law = method.fit(data).diagnostics["law"]
        seconds.append(time.process_time() - began)
        exact.append(places(law) == set(TRUTH))
        worst = 0.0
        for (term, equation), value in TRUTH.items():
            found = law.coefficient(term, equation)
            worst = (
                max(worst, abs(found.value - value) / abs(value))
                if law.status.name == "OK"
                else 1.0
            )
            if exact[-1]:
                held.append(found.interval[0] <= value <= found.interval[1])
        errors.append(worst)
    cover = float(np.mean(held)) if held else float("nan")
    return float(np.mean(exact)), float(np.median(errors)), cover, float(np.median(seconds))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two seeds")
    parser.add_argument("--only", nargs="*", default=list(METHODS), choices=list(METHODS))
    given = parser.parse_args()
    seeds = range(given.first, given.first + (2 if given.quick else given.seeds))
    for name in given.only:
        METHODS[name].fit(record(0, 0.05))  # what is imported once
    print("| method | noise | exactly the true terms | error | coverage | CPU s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in given.only:
        method = METHODS[name]
        for share in (0.01, 0.05, 0.1, 0.2):
            exact, error, cover, seconds = row(method, share, seeds)
            print(f"| {name} | {share:.0%} | {exact:.2f} | {error:.2g} | {cover:.2f} | {seconds:.2f} |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
