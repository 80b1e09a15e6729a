"""Compiled loops over pairs of samples.

Nothing imports these modules before an estimator runs: Numba takes half a second to start. Every
kernel has its signature written out, so that it is compiled once and kept on disk; it holds no lock,
so that `side_by_side` runs it on all cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba

Kernel = Callable[..., Any]


def compiled(signature: Any) -> Callable[[Kernel], Kernel]:
    """Compile a loop for one signature, without the interpreter's lock, kept on disk."""
    decorator: Callable[[Kernel], Kernel] = numba.njit(
        signature, cache=True, nogil=True, error_model="numpy"
    )
    return decorator


def n_workers() -> int:
    """Threads to use: the cores this process may run on, or fewer if `OMP_NUM_THREADS` says so."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(asked))) if asked.isdigit() else cores


def side_by_side(task: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Results of ``task(*a)`` for each of `arguments`, in order, on `n_workers` threads."""
    jobs, workers = list(arguments), n_workers()
    if workers == 1 or len(jobs) < 2:
        return [task(*job) for job in jobs]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda job: task(*job), jobs))
