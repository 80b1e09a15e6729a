"""Surrogate records themselves, to look at or to put to a question of one's own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, InvalidInput, NumericalFailure, Status, require
from takens.series.nulls import AbstractNull, null_named
from takens.series.nulls.stretch import prepared
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SurrogateData(AbstractResult):
    """A record and surrogates of it, under a null hypothesis in words.

    Parameters
    ----------
    null, null_text : str
        The null hypothesis in a word and in words.
    times : array, shape (time,)
        In sampling steps.
    record : array, shape (time, dim)
        The stretch from which the surrogates were drawn, in standard deviations.
    surrogates : array, shape (n_surrogates, time, dim)
        In the same unit; NaN where the record is missing, for nulls that allow it.
    spectrum_error : float
        Root of the mean squared difference between the amplitude spectra of surrogates and record,
        over the root mean square of the record's; NaN where samples are missing.
    """

    null: str
    null_text: str
    times: np.ndarray
    record: np.ndarray
    surrogates: np.ndarray
    spectrum_error: float

    def summary(self) -> str:
        """One line: how many, of what, under which null."""
        return (
            f"{len(self.surrogates)} surrogates of {len(self.record)} samples under the null of "
            f"{self.null_text}; spectra differ by {self.spectrum_error:.2g}"
        )

    def plot(self, ax: Any = None) -> Any:
        """The record above one surrogate."""
        from takens import plot

        ax = plot.axes(ax)
        gap = 1.2 * float(np.nanmax(self.record[:, 0]) - np.nanmin(self.record[:, 0]) or 1)
        plot.line(ax, self.times, self.record[:, 0], label="record")
        if len(self.surrogates):
            plot.line(ax, self.times, self.surrogates[0, :, 0] - gap, label="surrogate")
        plot.labels(
            ax, xlabel="time (sampling steps)", ylabel="standard deviations", title=self.null
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Record and surrogates against time."""
        import xarray as xr

        return xr.Dataset(
            {
                "record": (("time", "component"), self.record),
                "surrogates": (("surrogate", "time", "component"), self.surrogates),
            },
            {"time": self.times},
            attrs={"null": self.null, "spectrum_error": self.spectrum_error},
        )


def _spectrum_error(record: np.ndarray, made: np.ndarray) -> float:
    from scipy import fft

    if not np.isfinite(record).all() or not len(made):
        return float("nan")
    wanted = np.abs(fft.rfft(record - record.mean(axis=0), axis=0))
    found = np.abs(fft.rfft(made - made.mean(axis=1, keepdims=True), axis=1))
    power = float(np.mean(wanted**2))
    return float(np.sqrt(np.mean((found - wanted) ** 2) / power)) if power > 0 else 0.0


@checked
def surrogate_data(
    data: Any,
    *,
    null: str | AbstractNull = "linear",
    n_surrogates: int = 39,
    max_samples: int = 100_000,
    seed: int = 0,
    throw: bool = True,
) -> SurrogateData:
    """Surrogates of a record: what it could have been if a null hypothesis were true.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        The longest stretch is used; several columns are reduced to principal components.
    null : str or AbstractNull
        See `surrogate_test`.
    n_surrogates : int
        At least 1.
    max_samples : int
        Longer stretches are cut to this many samples.
    seed : int
        For drawing the surrogates.
    throw : bool
        Whether to raise where there is no answer.

    Returns
    -------
    SurrogateData

    Raises
    ------
    InvalidInput
        If the null is unknown, takes one column and there are several, or none is asked for.
    NumericalFailure
        If the data admit no surrogates under the null, and `throw`.

    Notes
    -----
    A surrogate is *not* a forecast nor a bootstrap sample: it keeps what its null names, exactly,
    and nothing else. Cost: that of the null, O(n_surrogates N log N) times the iterations for most.

    References
    ----------
    Schreiber and Schmitz (2000), Physica D 142, 346.

    Examples
    --------
    >>> import numpy as np
    >>> made = surrogate_data(np.random.default_rng(0).normal(size=300), null="phase")
    >>> made.surrogates.shape[0], round(made.spectrum_error, 6)
    (39, 0.0)
    """
    if n_surrogates < 1:
        raise InvalidInput(f"n_surrogates = {n_surrogates}; at least 1 is needed.")
    name, law = null_named(null)
    stretch = prepared(data, law, name, max_samples)
    made, status = np.empty((0, *stretch.x.shape)), Status.OK
    try:
        made = law.draw(stretch.x, n_surrogates, np.random.default_rng(seed), stretch.times)
    except NumericalFailure:
        if throw:
            raise
        status = Status.NOT_APPLICABLE
    require(status, throw=throw)
    record = stretch.x.reshape(len(stretch.x), -1)
    made = made.reshape(len(made), *record.shape)
    return SurrogateData(
        null=name,
        null_text=law.hypothesis,
        times=stretch.times,
        record=record,
        surrogates=made,
        spectrum_error=_spectrum_error(record, made),
        status=status,
        cautions=stretch.cautions,
        provenance={"seed": seed, "label": stretch.label, **dataclasses.asdict(law)},
    )
