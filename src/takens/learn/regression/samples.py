"""Complete rows of all records, cut where nothing may be joined: what every form works on."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput, Recording
from takens.data import as_recording
from takens.learn.sparse.nodes import Nodes, check_column, median_step, noise_variance

LEAST = 8  # rows of a stretch
LONGEST = 20.0  # median steps after which a stretch ends, whatever the form
MEASURED_ON = 5_000  # rows from which the noise is measured
HOLLOW = 0.5  # share of rows with a missing value beyond which that is a caution


def samples_of(data: Any) -> tuple[Nodes, tuple[Finding, ...]]:
    """Rows of `data` in which every column and input is known.

    A linear regression needs all columns of a row at once: rows that lack one are left out, which
    makes the times uneven, and nothing is filled in. `takens.learn.SINDy` uses what is left of
    such rows.

    Raises
    ------
    InvalidInput
        If no stretch is long enough, a column is constant, or values cannot be multiplied.
    """
    recording = as_recording(data)
    longest = LONGEST * median_step(recording)
    pieces: list[tuple[np.ndarray, ...]] = []
    lost = 0
    for record in recording:
        whole = np.isfinite(record.states).all(axis=1)
        inputs = np.empty((len(record), 0)) if record.inputs is None else record.inputs
        whole &= np.isfinite(inputs).all(axis=1)
        lost += int(len(record) - whole.sum())
        rows = (record.times, record.states, inputs)
        if not whole.all():
            rows = tuple(array[whole] for array in rows)
        breaks = np.flatnonzero(np.diff(rows[0]) > longest) + 1
        edges = [0, *breaks.tolist(), len(rows[0])]
        for lo, hi in itertools.pairwise(edges):
            if hi - lo >= LEAST:
                pieces.append(tuple(array[lo:hi] for array in rows))
    if not pieces:
        raise InvalidInput(
            f"No stretch holds {LEAST} rows in which every column is known. Give a longer record, "
            "leave out columns with many missing values, or take `SINDy`, which uses each value "
            "where it stands."
        )
    return _joined(pieces, recording), _told(lost, recording.n_samples)


def _joined(pieces: list[tuple[np.ndarray, ...]], recording: Recording) -> Nodes:
    first = recording[0]
    lengths = np.array([len(p[0]) for p in pieces])
    times, values, inputs = (
        parts[0] if len(pieces) == 1 else np.concatenate(parts)
        for parts in zip(*pieces, strict=True)
    )
    linked = np.ones(len(times) - 1, dtype=bool)
    linked[np.cumsum(lengths)[:-1] - 1] = False
    for j, name in enumerate(first.names):
        check_column(name, values[:, j])
    return Nodes(
        times=times,
        values=values,
        seen=np.ones(values.shape, dtype=bool),
        inputs=inputs,
        linked=linked,
        names=first.names,
        units=first.units,
        input_names=first.input_names,
        time_unit=first.time_unit,
    )


def _told(lost: int, total: int) -> tuple[Finding, ...]:
    if not lost:
        return ()
    share = lost / total
    return (
        Finding(
            code="rows-incomplete",
            text=f"{share:.1%} of the rows lack a value and were left out.",
            action="`SINDy` uses the values that such rows do hold.",
            level="caution" if share > HOLLOW else "note",
        ),
    )


def cut(nodes: Nodes, longest: float) -> Nodes:
    """The same rows, with no link over more than `longest`, and without stretches too short."""
    linked = nodes.linked & (np.diff(nodes.times) <= longest)
    if np.array_equal(linked, nodes.linked):
        return nodes
    found = dataclasses.replace(nodes, linked=linked)
    kept = [s for s in found.stretches if s.stop - s.start >= LEAST]
    if not kept:
        raise InvalidInput(
            f"No stretch holds {LEAST} rows that are at most {longest:.3g} apart, as this form "
            "needs. Give a record without long gaps, or take `SINDy`."
        )
    return found.rows(np.concatenate([np.arange(s.start, s.stop) for s in kept]))


def measured_noise(nodes: Nodes) -> np.ndarray:
    """Variance of the noise in each column, (dim,), from at most 5,000 rows."""
    some = nodes
    if len(nodes) > MEASURED_ON:
        starts = np.linspace(0, len(nodes) - MEASURED_ON // 10, 10).astype(int)
        some = nodes.rows(
            np.unique(np.concatenate([np.arange(s, s + MEASURED_ON // 10) for s in starts]))
        )
    return noise_variance(some)


def pieces_of(nodes: Nodes, most: int) -> tuple[slice, ...]:
    """Stretches, those of more than `most` rows cut into parts of about equal length."""
    found = []
    for stretch in nodes.stretches:
        length = stretch.stop - stretch.start
        count = -(-length // most)
        edges = np.linspace(stretch.start, stretch.stop, count + 1).astype(int)
        found += [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
    return tuple(found)
