"""The leading Hessian eigenvalue of a 50,000-parameter network, timed beside torch, PyHessian, curvlinops.

A tanh network 64-256-128-10 on 5,000 samples with the mean squared error, in single precision on one
thread, after 200 steps of training; then the same along a run of 50 more, every fifth step. Medians of the
CPU seconds of three calls after a first, which compiles and constructs; relative errors against ARPACK at
1e-6, along the run 1e-5.

    python benchmarks/curvature_speed.py --peers PYTHON

with PYTHON an interpreter of an environment that has torch 2.13.0, PyHessian and curvlinops-for-pytorch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import time  # noqa: E402
from itertools import pairwise  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)
SIZES, SAMPLES, RATE, N_RUN, EVERY = (64, 256, 128, 10), 5_000, 0.5, 10, 5
GEN = torch.Generator().manual_seed(0)
X = torch.randn(SAMPLES, SIZES[0], generator=GEN)
Y = torch.tanh(X @ torch.randn(SIZES[0], SIZES[-1], generator=GEN) / 4)
MSE = torch.nn.MSELoss()


def network():
    torch.manual_seed(0)
    layers = []
    for a, b in pairwise(SIZES):
        layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def train(model, tool, n_steps):
    for _ in range(n_steps):
        tool.zero_grad()
        MSE(model(X), Y).backward()
        tool.step()


def timed(function, n=3):
    """The answer, and the median of CPU seconds of some calls."""
    seconds = []
    for _ in range(n):
        start = time.process_time()
        value = function()
        seconds.append(time.process_time() - start)
    return value, float(np.median(seconds))


def double_backward(model):
    """A plain product with the Hessian on a graph that is kept, and how often it was asked."""
    parameters = list(model.parameters())
    slopes = torch.autograd.grad(MSE(model(X), Y), parameters, create_graph=True)
    flat = torch.cat([g.reshape(-1) for g in slopes])
    asked = [0]

    def product(vector):
        asked[0] += 1
        v = torch.from_numpy(np.asarray(vector, np.float32).ravel())
        parts = torch.autograd.grad(flat, parameters, v, retain_graph=True)
        return torch.cat([p.reshape(-1) for p in parts]).numpy()

    return product, flat.numel(), asked


def by_eigsh(model, tol):
    from scipy.sparse.linalg import LinearOperator, eigsh

    product, n, asked = double_backward(model)
    start = np.random.default_rng(0).normal(size=n).astype(np.float32)
    found = eigsh(LinearOperator((n, n), product, dtype=np.float32), k=1, which="LA", tol=tol, v0=start,
                  return_eigenvectors=False)  # fmt: skip
    return float(found[0]), asked[0]


def by_pyhessian(model, tol, most):
    from pyhessian import hessian

    values, _ = hessian(model, MSE, data=(X, Y), cuda=False).eigenvalues(
        maxIter=most, tol=tol, top_n=1
    )
    return float(values[0]), None


def by_curvlinops(model, tol):
    from curvlinops import HessianLinearOperator
    from scipy.sparse.linalg import eigsh

    parameters = list(model.parameters())  # a dictionary in later releases
    operator = HessianLinearOperator(model, MSE, parameters, [(X, Y)], check_deterministic=False)
    found = eigsh(operator.to_scipy(), k=1, which="LA", tol=tol, return_eigenvectors=False)
    return float(found[0]), None


def of_jax(model):
    """The same loss in JAX, with the weights of a torch model."""
    import jax.numpy as jnp

    from takens.algorithms import Loss

    x, y = jnp.asarray(X.numpy()), jnp.asarray(Y.numpy())
    names = [n for n, _ in model.named_parameters()]

    def loss(w, data):
        h, y = data
        for k in range(0, len(names), 2):
            h = h @ w[names[k]].T + w[names[k + 1]]
            h = jnp.tanh(h) if k + 2 < len(names) else h
        return jnp.mean((h - y) ** 2)

    weights = {n: p.detach().numpy() for n, p in model.named_parameters()}
    made = Loss.of(loss, weights, (x, y))
    return made, made.shape.flat(weights)


PEERS = {
    "PyHessian, tol 1e-3 (its default)": lambda m: by_pyhessian(m, 1e-3, 100),
    "PyHessian, tol 1e-4": lambda m: by_pyhessian(m, 1e-4, 200),
    "curvlinops + eigsh, tol 1e-2": lambda m: by_curvlinops(m, 1e-2),
}


def ours(model, tool, run):
    """Cold answers by both libraries, and a run that is followed by both."""
    from takens import algorithms

    loss, weights = of_jax(model)
    plain = algorithms.GradientDescent(loss, RATE)
    for name in ("Takens on JAX", "Takens on torch"):
        if name == "Takens on JAX":
            system, state = plain, weights
        else:
            system, state = algorithms.from_torch(model, MSE, tool, (X, Y))
        algorithms.sharpness(system, state)
        found, seconds = timed(lambda s=system, x=state: algorithms.sharpness(s, x, seed=1))
        yield f"{name}, cold", found.value.value, found.n_products, seconds
        total, values, products = 0.0, [], 0
        previous = found
        for w in run:
            state = loss.shape.flat(w)
            previous, seconds = timed(
                lambda s=system, x=state, p=previous: algorithms.sharpness(s, x, previous=p)
            )
            total, products = total + seconds, products + previous.n_products
            values.append(previous.value.value)
        yield f"{name}, followed", values, products / len(run), total / len(run)


def peer_rows(names):
    model = network()
    train(model, torch.optim.SGD(model.parameters(), lr=RATE), 200)
    for name in names:
        try:
            PEERS[name](model)
            (value, _), seconds = timed(lambda n=name: PEERS[n](model))
        except Exception as error:  # a peer that does not run is reported as that
            print(json.dumps([name, f"{type(error).__name__}: {error}"[:90], None]), flush=True)
            continue
        print(json.dumps([name, value, seconds]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="interpreter that has the peers")
    parser.add_argument("--rows", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rows:
        return peer_rows(list(PEERS))
    model = network()
    tool = torch.optim.SGD(model.parameters(), lr=RATE)
    train(model, tool, 200)
    truth, _ = by_eigsh(model, 1e-6)
    rows = []
    (value, products), seconds = timed(lambda: by_eigsh(model, 1e-2))
    rows.append(("torch + eigsh, tol 1e-2", abs(value / truth - 1), products, seconds))
    copy = network()
    copy.load_state_dict(model.state_dict())
    other = torch.optim.SGD(copy.parameters(), lr=RATE)
    run, truths = [], []
    for _ in range(N_RUN):
        train(copy, other, EVERY)
        run.append({n: p.detach().numpy().copy() for n, p in copy.named_parameters()})
        truths.append(by_eigsh(copy, 1e-5)[0])
    for name, value, products, seconds in ours(model, tool, run):
        known = truths if isinstance(value, list) else truth
        error = float(np.max(np.abs(np.array(value) / known - 1)))
        rows.append((name, error, products, seconds))
    if given.peers:
        command = [given.peers, __file__, "--rows"]
        for line in subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.splitlines():
            if line.startswith("["):
                name, value, seconds = json.loads(line)
                error = value if seconds is None else abs(value / truth - 1)
                rows.append((name, error, "", seconds or float("nan")))
    print(f"leading eigenvalue {truth:.6g}; along the run {truths[0]:.4g} to {truths[-1]:.4g}")
    print("| method | largest relative error | products | CPU s |")
    print("| --- | --- | --- | --- |")
    for name, error, products, seconds in rows:
        shown = error if isinstance(error, str) else f"{error:.1e}"
        print(f"| {name} | {shown} | {products} | {seconds:.3f} |")


if __name__ == "__main__":
    sys.exit(main())
