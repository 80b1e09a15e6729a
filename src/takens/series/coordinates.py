"""Delay coordinates of a recording as trajectories of a reconstructed state space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from takens.core import InvalidInput, Recording, Trajectory
from takens.data import gridded_records
from takens.series.nonuniform import NonuniformEmbedding
from takens.series.settings import checked


@checked
def delay_coordinates(
    data: Any,
    delays: Sequence[int] | NonuniformEmbedding,
    *,
    columns: Sequence[str] | None = None,
) -> Recording:
    r"""States :math:`(x_{c_1}(t - \tau_1), \dots, x_{c_m}(t - \tau_m))` as trajectories.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Irregular times are interpolated to the median step between samples that are no more than
        a step and a half apart; states that would rest on missing values are left out.
    delays : sequence of int, or NonuniformEmbedding
        In samples, backwards in time, not negative.
    columns : sequence of str, optional
        Column of each coordinate; by default the first column throughout.

    Returns
    -------
    Recording
        One trajectory for each stretch of the record, in the data's units; times are those of the
        newest coordinate. Missing states are rows of NaN.

    Raises
    ------
    InvalidInput
        If a delay is negative, a column is unknown, coordinates repeat, or no state is whole.

    Notes
    -----
    Takens' theorem asks for more than twice the dimension of the attractor in coordinates, without
    noise; fewer often do. Cost and memory O(N m).

    References
    ----------
    Takens (1981), Lect. Notes Math. 898, 366; Sauer, Yorke and Casdagli (1991), J. Stat. Phys. 65,
    579.

    Examples
    --------
    >>> import numpy as np
    >>> states = delay_coordinates(np.arange(10.0), [0, 3])
    >>> states.names, states[0].states[0].tolist()
    (('x(t)', 'x(t-3)'), [3.0, 0.0])
    """
    cut = gridded_records(data)
    if isinstance(delays, NonuniformEmbedding):
        columns, delays = delays.columns, [int(d) for d in delays.delays]
    if isinstance(delays, (str, bytes)) or not np.iterable(delays):
        raise InvalidInput(f"delays = {delays!r}; expected a list of whole numbers of samples.")
    chosen = [cut.names[0]] * len(delays) if columns is None else list(columns)
    if not delays or len(chosen) != len(delays):
        raise InvalidInput(
            f"{len(delays)} delay(s) and {len(chosen)} column(s) were given; expected one column "
            "for each delay, and at least one."
        )
    if any(int(d) != d or d < 0 for d in delays):
        raise InvalidInput(
            f"delays = {list(delays)}; expected whole numbers of samples, 0 or more."
        )
    unknown = sorted(set(chosen) - set(cut.names))
    if unknown:
        raise InvalidInput(f"Unknown column(s) {unknown}; the data hold {list(cut.names)}.")
    pairs = list(zip(chosen, (int(d) for d in delays), strict=True))
    if len(set(pairs)) < len(pairs):
        raise InvalidInput(f"The coordinates {pairs} repeat. Give each column and delay once.")
    reach = max(lag for _, lag in pairs)
    places = [(cut.names.index(name), lag) for name, lag in pairs]
    records = []
    for values, start in zip(cut.values, cut.starts, strict=True):
        n = len(values) - reach
        if n < 1:
            continue
        states = np.stack([values[reach - lag : reach - lag + n, c] for c, lag in places], axis=1)
        states[~np.isfinite(states).all(axis=1)] = np.nan
        if np.isfinite(states).any():
            records.append(
                Trajectory(
                    times=start + cut.dt * (reach + np.arange(n)),
                    states=states,
                    names=tuple(f"{c}(t-{d})" if d else f"{c}(t)" for c, d in pairs),
                    units=tuple(cut.units[c] for c, _ in places),
                    time_unit=cut.time_unit,
                )
            )
    if not records:
        raise InvalidInput(
            f"No state is whole: the delays span {reach + 1} samples, and every stretch is shorter "
            "or misses one of them. Give smaller delays or a longer record."
        )
    return Recording(records=tuple(records), findings=cut.findings)
