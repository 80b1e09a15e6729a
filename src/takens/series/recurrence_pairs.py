"""Cross and joint recurrence of two records: same states, or recurrences at the same times."""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput, Status, require
from takens.series.recurrence import (
    DEFAULT_RATE,
    Norm,
    States,
    check_rule,
    gap_findings,
    groups_of,
    radius_at,
    states_of,
)
from takens.series.recurrence_lines import count_lines
from takens.series.recurrence_quantification import (
    RecurrenceQuantification,
    answer,
    check_lines,
    check_size,
)
from takens.series.settings import checked


def _two(
    data: Any, other: Any, dimension: int | None, delay: int | None, theiler: int | None
) -> tuple[States, States]:
    """States of both records in one state space; settings that are not given come from `data`."""
    one = states_of(data, dimension, delay, theiler)
    two = states_of(other, one.dimension, one.delay, one.theiler)
    if one.view.n_components != two.view.n_components:
        raise InvalidInput(
            f"The records reduce to {one.view.n_components} and {two.view.n_components} "
            "components. Give one column of each, or columns of the same kind."
        )
    check_size(one, two)
    return one, two


def _status(one: States, two: States) -> tuple[Status, tuple[Finding, ...]]:
    cautions = {f.code: f for s in (one, two) for f in (*s.view.findings, *gap_findings(s))}
    if one.view.constant or two.view.constant:
        constant = Finding("constant", "One of the records does not vary.", "", "serious")
        return Status.NOT_APPLICABLE, (*cautions.values(), constant)
    short = min(one.known.sum(), two.known.sum()) < 100
    return Status.TOO_SHORT if short else Status.OK, tuple(cautions.values())


@checked
def cross_recurrence(
    data: Any,
    other: Any,
    *,
    rate: float | None = None,
    radius: float | None = None,
    norm: Norm = "euclidean",
    dimension: int | None = None,
    delay: int | None = None,
    shortest: int = 2,
    shortest_vertical: int = 2,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> RecurrenceQuantification:
    r"""Quantify :math:`[\,\lVert x_i - y_j \rVert \le \varepsilon\,]`, the visits of `other` to `data`.

    Parameters
    ----------
    data, other : anything `takens.data.as_recording` accepts
        Two records, of the same length or not, in the same space of states: each is standardised,
        so unit and offset do not matter, and embedded alike.
    rate, radius, norm, dimension, delay, shortest, shortest_vertical, level, seed
        As in `recurrence_quantification`; settings of the embedding by default those of `data`.
    throw : bool
        Raise where there is no answer; else every value is NaN.

    Returns
    -------
    RecurrenceQuantification
        With ``kind`` "cross". Columns of the matrix are times of `data`, lines run through times of
        `other`; there is no corridor.

    Raises
    ------
    InvalidInput
        If the records have different numbers of components, or a setting is out of range.
    NumericalFailure
        If one is constant or shorter than 100 states, and `throw`.

    Notes
    -----
    Long diagonal lines say that one record repeats stretches of the other, not that one drives
    the other. Two records of the same quantity at different levels should be compared without
    standardisation, which is not offered here. Cost: 2 N^2 distances, memory O(N).

    References
    ----------
    Zbilut, Giuliani and Webber (1998), Phys. Lett. A 246, 122; Marwan and Kurths (2002), Phys. Lett.
    A 302, 299.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).uniform(size=(2, 500))
    >>> found = cross_recurrence(x, y, rate=0.1, dimension=1)
    >>> bool(abs(found.determinism.value - 0.19) < 0.02)
    True
    """
    check_rule(rate, radius, norm)
    check_lines(shortest, shortest_vertical)
    one, two = _two(data, other, dimension, delay, None if dimension is None else 0)
    status, cautions = _status(one, two)
    require(status, throw=throw)
    counts, found = None, radius if radius is not None else float("nan")
    if status is Status.OK:
        if radius is None:
            found = radius_at(one.points, two.points, rate or DEFAULT_RATE, norm, -1, seed)
        x, y = (np.ascontiguousarray(s.points / max(found, 1e-300)) for s in (one, two))
        counts = count_lines(x, y, groups_of(len(x), norm), (one.known, two.known), -1)
    return answer(
        counts,
        one,
        kind="cross",
        radius=(found,),
        norm=norm,
        shortest=shortest,
        shortest_vertical=shortest_vertical,
        level=level,
        status=status,
        cautions=cautions,
        provenance={"rate": rate, "radius": radius, "seed": seed},
        scattered=one.view.missing > 0 or two.view.missing > 0,
    )


@checked
def joint_recurrence(
    data: Any,
    other: Any,
    *,
    rate: float | None = None,
    radius: float | None = None,
    norm: Norm = "euclidean",
    dimension: int | None = None,
    delay: int | None = None,
    theiler: int | None = None,
    shortest: int = 2,
    shortest_vertical: int = 2,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> RecurrenceQuantification:
    r"""Quantify the times at which both records recur at once.

    The matrix is :math:`[\,\lVert x_i - x_j \rVert \le \varepsilon_x\,]
    [\,\lVert y_i - y_j \rVert \le \varepsilon_y\,]`.

    Parameters
    ----------
    data, other : anything `takens.data.as_recording` accepts
        Two records of the same times; the quantities and their units may differ.
    rate : float, optional
        Share of pairs that are to recur in *each* record; 5 % when neither it nor `radius` is given.
    radius, norm, dimension, delay, theiler, shortest, shortest_vertical, level, seed
        As in `recurrence_quantification`; settings of the embedding by default those of `data`.
    throw : bool
        Raise where there is no answer; else every value is NaN.

    Returns
    -------
    RecurrenceQuantification
        With ``kind`` "joint" and one radius for each record.

    Raises
    ------
    InvalidInput
        If the records differ in length, or a setting is out of range.
    NumericalFailure
        If one is constant or shorter than 100 states, and `throw`.

    Notes
    -----
    Independent records have a joint rate near ``rate^2``, records of one system near `rate`;
    between them it measures synchronisation, but a common cycle raises it as well. Cost: 3 N^2
    distances, memory O(N).

    References
    ----------
    Romano, Thiel, Kurths and von Bloh (2004), Phys. Lett. A 330, 214.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).uniform(size=(2, 500))
    >>> found = joint_recurrence(x, y, rate=0.2, dimension=1, theiler=0)
    >>> bool(abs(found.recurrence_rate.value - 0.04) < 0.005)
    True
    """
    check_rule(rate, radius, norm, theiler)
    check_lines(shortest, shortest_vertical)
    one = states_of(data, dimension, delay, theiler)
    two = states_of(other, one.dimension, one.delay, one.theiler)
    check_size(one, two)
    if one.n != two.n:
        raise InvalidInput(
            f"The records have {one.n} and {two.n} states; joint recurrence compares the same times "
            "in both. Give records of one length, sampled together."
        )
    status, cautions = _status(one, two)
    require(status, throw=throw)
    counts, radii = None, (float("nan"),) * 2
    if status is Status.OK:
        radii = tuple(
            radius
            if radius is not None
            else radius_at(s.points, s.points, rate or DEFAULT_RATE, norm, s.theiler, seed)
            for s in (one, two)
        )  # type: ignore[assignment]
        points = [s.points / max(r, 1e-300) for s, r in zip((one, two), radii, strict=True)]
        cut = len(points[0])
        groups = np.concatenate([groups_of(cut, norm)[:-1], cut + groups_of(len(points[1]), norm)])
        known = one.known & two.known
        both = np.ascontiguousarray(np.concatenate(points))
        both[:, ~known] = np.nan
        counts = count_lines(both, both, groups, (known, known), one.theiler)
    return answer(
        counts,
        one,
        kind="joint",
        radius=radii,
        norm=norm,
        shortest=shortest,
        shortest_vertical=shortest_vertical,
        level=level,
        status=status,
        cautions=cautions,
        provenance={"rate": rate, "radius": radius, "seed": seed},
        scattered=one.view.missing > 0 or two.view.missing > 0,
    )
