"""From data to a judged law, in one call."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from takens.core import InvalidInput
from takens.report.law.discovery import Discovery
from takens.report.pipeline import opened, provenance_of

if TYPE_CHECKING:
    from takens.report.law.choice import Method

MAX_SAMPLES = 5_000


def discover(
    data: Any,
    *,
    method: Method | None = None,
    degree: int | None = None,
    terms: Sequence[str] = (),
    horizon: float | None = None,
    max_samples: int = MAX_SAMPLES,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
    time: str | None = None,
    columns: Any = None,
    inputs: Any = None,
    group: str | None = None,
    dt: float | None = None,
    time_unit: str | None = None,
) -> Discovery:
    """Find equations in measurements, and judge them on data held out.

    Parameters
    ----------
    data : str, Path or anything `takens.data.as_recording` accepts
        A file, the name of a bundled data set, an array of shape (time,) or (time, dim), a table.
        Every column that is not an input is a state.
    method : SINDy, SparseMap or HigherOrderSINDy, optional
        A flow, a map, or a law of second order in the columns. When not given, a flow is told from a
        map by the sampling, and where no flow stands, a law of second order is looked for.
    degree : int, optional
        Of the polynomials; one, two and three compete, as far as there are few enough candidates,
        if not given.
    terms : sequence of str
        Further candidates, as ``"sin(x)"`` or ``"x*y/(1 + x)"``; ``"fourier"`` adds sine and cosine
        of each column.
    horizon : float, optional
        Longest lead on which the law is judged, in time units.
    max_samples : int
        Of longer data, evenly spread stretches of so many samples in all are searched.
    seed : int
        Of every random number.
    progress : callable, optional
        Called with the fraction done and what is being done.
    time, columns, inputs, group, dt, time_unit
        How to read the data, as for `takens.read`.

    Returns
    -------
    Discovery
        That no law is supported is an answer, not an error.

    Raises
    ------
    InvalidInput
        If the data cannot be read, hold no usable stretch or nothing that varies, or give too many
        candidates.

    Notes
    -----
    The states are taken to be measured, all of them: a law in the columns that are there. Where a
    variable of the mechanism is hidden, most often none is supported; velocities alone may be hidden,
    and are found with a law of second order. Cost: about ten seconds for a
    thousand rows of three columns.

    Examples
    --------
    >>> import numpy as np
    >>> x = [0.3]
    >>> for _ in range(500):
    ...     x.append(3.8 * x[-1] * (1 - x[-1]))
    >>> found = discover(np.array(x))
    >>> found.judgement.outcome, found.system().equations(3)
    ('survives', ('x[+1] = 3.8*x - 3.8*x^2',))
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InvalidInput(f"seed = {seed!r}; expected a whole number from 0 on.")
    if isinstance(terms, str):
        raise InvalidInput("terms is a string; expected a sequence of them, such as ('sin(x)',).")
    start = clock.perf_counter()
    tell = progress or (lambda fraction, what: None)
    tell(0.0, "reading")
    reading = {
        name: value
        for name, value in (
            ("time", time), ("columns", columns), ("inputs", inputs), ("group", group), ("dt", dt),
            ("time_unit", time_unit),
        )
        if value is not None
    }  # fmt: skip
    recording, given = opened(data, reading)
    from takens.data import regular_segments
    from takens.report.law.choice import chosen
    from takens.validate import judge_law

    segments = regular_segments(recording)
    choice = chosen(
        recording, segments.names, method=method, degree=degree, terms=terms,
        max_samples=max_samples,
    )  # fmt: skip
    judgement = judge_law(
        recording,
        choice.finder,
        horizon=horizon,
        seed=seed,
        throw=False,
        progress=lambda part: tell(0.1 + 0.85 * part, "equations, and what they foretell"),
    )
    tell(1.0, "done")
    return Discovery(
        recording=recording,
        judgement=judgement,
        choice=choice,
        findings=segments.findings,
        given=given,
        settings={
            "seed": seed, "method": None if method is None else method.__name__, "degree": degree,
            "terms": tuple(terms), "horizon": horizon, "max_samples": max_samples,
            "reading": reading,
        },
        provenance=provenance_of(recording, clock.perf_counter() - start),
    )  # fmt: skip
