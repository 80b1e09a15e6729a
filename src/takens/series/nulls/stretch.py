"""The part of the data that a null is asked about."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput
from takens.data import as_recording
from takens.series.nulls.base import AbstractNull
from takens.series.nulls.fourier import matched_ends
from takens.series.observable import Observable, observable, refuse_constant

MIN_SAMPLES = 50


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What a null is asked about: the record to draw from, its times, and what was left out.

    Parameters
    ----------
    x : array, shape (time,) or (time, dim)
        Standardised.
    times : array, shape (time,)
        In sampling steps.
    label : str
    cautions : tuple of Finding
    """

    x: np.ndarray
    times: np.ndarray
    label: str
    cautions: tuple[Finding, ...]


def _measured(data: Any) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], str]:
    """Standardised values and times, in median steps, of every record as it was measured."""
    recording = as_recording(data)
    if len(recording.names) > 1:
        raise InvalidInput(
            f"The null for uneven times takes one column; {len(recording.names)} were given. "
            "Give one of them."
        )
    step = float(np.median(np.concatenate([np.diff(r.times) for r in recording])))
    seen = [np.isfinite(r.states[:, 0]) for r in recording]
    values = [r.states[ok, 0] for r, ok in zip(recording, seen, strict=True)]
    pooled = np.concatenate(values)
    scale = float(pooled.std()) or 1.0
    times = tuple(r.times[ok] / step for r, ok in zip(recording, seen, strict=True))
    return tuple((v - pooled.mean())[:, None] / scale for v in values), times, recording.names[0]


def prepared(data: Any, null: AbstractNull, name: str, max_samples: int) -> Prepared:
    """The longest record or stretch that `null` can be asked about, cut to `max_samples`.

    Where the null treats the record as periodic, the cut is where the ends match best.

    Raises
    ------
    InvalidInput
        If the null takes one column and there are several, or nothing varies.
    """
    cautions: list[Finding] = []
    if null.sampling == "uneven" and not isinstance(data, Observable):
        parts, clocks, label = _measured(data)
    else:
        view = observable(data)
        refuse_constant(view)
        parts, label = (view.series if null.sampling == "even" else view.gapped), view.label
        clocks = tuple(np.arange(float(len(part))) for part in parts)
        cautions += view.findings
        if null.sampling == "uneven":
            seen = [np.isfinite(part).all(axis=1) for part in parts]
            parts = tuple(p[ok] for p, ok in zip(parts, seen, strict=True))
            clocks = tuple(c[ok] for c, ok in zip(clocks, seen, strict=True))
    if parts[0].shape[1] > 1 and not null.multivariate:
        raise InvalidInput(
            f"null = {name!r} takes one column; {parts[0].shape[1]} components were given. "
            "Give one column, or use 'iaaft'."
        )
    longest = int(np.argmax([np.isfinite(p).all(axis=1).sum() for p in parts]))
    whole, clock = parts[longest], clocks[longest]
    x = whole[: max_samples + max_samples // 10]
    if len(x) < len(whole):
        cautions.append(
            Finding(
                "surrogates-on-a-part",
                f"Surrogate tests used the first {len(x)} of {len(whole)} samples of the stretch.",
                "Raise `max_samples` to use more.",
                "note",
            )
        )
    start, stop = 0, len(x)
    if null.periodic and len(x) >= MIN_SAMPLES:
        first = x[:, 0]
        seen_at = np.flatnonzero(np.isfinite(first))
        if len(seen_at) < len(first):
            first = np.interp(np.arange(len(first)), seen_at, first[seen_at])
        start, stop = matched_ends(first)
    x = x[start:stop] if x.shape[1] > 1 else x[start:stop, 0]
    return Prepared(x=x, times=clock[start:stop], label=label, cautions=tuple(cautions))
