"""Can these data answer? Length, sampling, noise and the dimension that they could resolve."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding
from takens.series.dimension import eckmann_ruelle_ceiling
from takens.series.embedding import Embedding, embedding, vectors_of
from takens.series.observable import observable
from takens.series.settings import checked
from takens.series.spectrum import Spectrum, spectrum
from takens.series.tangent import LocalModel, tangent_maps

if TYPE_CHECKING:
    import xarray as xr

MIN_PERIODS = 30
MIN_SAMPLES = 500


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sufficiency(AbstractResult):
    """What a record of this length, sampling and noise can answer.

    Parameters
    ----------
    n_samples : int
    length_in_periods : float
        Record length over the turning period: that of half the power of the rate of change, below
        the fast frequency. A slow switching between two sides of an attractor does not count.
    samples_per_period : float
        Turning period over the sampling step.
    samples_per_fast_period : float
        The same for the fastest motion that carries 5 % of the power; below 4 it is undersampled.
    noise_level : float
        Upper bound on observational noise as a share of the standard deviation, from the misfit
        of local maps; NaN when the record is too short to fit any.
    largest_dimension : float
        Eckmann-Ruelle ceiling on a resolvable correlation dimension.
    enough_for_chaos : bool
        At least 30 turning periods (500 samples for maps).
    needs : tuple of str
        What more data would have to be like, in plain words.
    """

    n_samples: int
    length_in_periods: float
    samples_per_period: float
    samples_per_fast_period: float
    noise_level: float
    largest_dimension: float
    enough_for_chaos: bool
    needs: tuple[str, ...]

    def summary(self) -> str:
        """The numbers in one line and what is missing."""
        noise = f"at most {self.noise_level:.1%}" if np.isfinite(self.noise_level) else "unknown"
        line = (
            f"{self.n_samples} samples, {self.length_in_periods:.3g} turns of "
            f"{self.samples_per_period:.3g} samples; noise {noise}; "
            f"dimensions up to {self.largest_dimension:.1f} could be resolved"
        )
        return ". ".join((line, *self.needs))

    def plot(self, ax: Any = None) -> Any:
        """Length and sampling beside what is needed."""
        from takens import plot

        ax = plot.axes(ax)
        names = ["turns / 30", "samples a fast period / 4", "samples / 500"]
        values = [
            self.length_in_periods / MIN_PERIODS,
            self.samples_per_fast_period / 4,
            self.n_samples / MIN_SAMPLES,
        ]
        ax.barh(names, values)
        ax.axvline(1, ls="--")
        plot.labels(ax, xlabel="share of what is needed")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The numbers as scalars."""
        import xarray as xr

        names = (
            "n_samples",
            "length_in_periods",
            "samples_per_period",
            "samples_per_fast_period",
            "noise_level",
            "largest_dimension",
        )
        return xr.Dataset({name: float(getattr(self, name)) for name in names})


def _turning_period(rhythm: Spectrum) -> float:
    """Period below which half the power of the derivative lies, up to the fast frequency."""
    inside = rhythm.frequency <= 1 / rhythm.fast_period
    frequency = rhythm.frequency[inside]
    mass = np.cumsum(frequency**2 * rhythm.power[inside])
    if not mass.size or mass[-1] <= 0:
        return rhythm.characteristic_period
    return float(1 / frequency[int(np.searchsorted(mass, 0.5 * mass[-1]))])


@checked
def data_sufficiency(
    data: Any, *, settings: Embedding | None = None, rhythm: Spectrum | None = None
) -> Sufficiency:
    """Length in periods, sampling, noise bound, resolvable dimension, and what is missing.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
    settings : Embedding, optional
        Made from `data` when not given.
    rhythm : Spectrum, optional
        Made from `data` when not given.

    Returns
    -------
    Sufficiency

    Raises
    ------
    InvalidInput
        If no evenly sampled stretch is long enough.

    Notes
    -----
    The thresholds are conventions, not theorems. Cost: that of the two inputs and one set of local
    fits.

    References
    ----------
    Eckmann and Ruelle (1992), Physica D 56, 185.

    Examples
    --------
    >>> import numpy as np
    >>> data_sufficiency(np.sin(np.arange(300.0))).enough_for_chaos
    False
    """
    view = observable(data)
    chosen = embedding(view) if settings is None else settings
    spectral = spectrum(view) if rhythm is None else rhythm
    length = view.n_samples * view.dt
    period = view.dt if chosen.map_like else _turning_period(spectral)
    fast = spectral.fast_period / view.dt
    noise = float("nan")
    vectors = vectors_of(view, int(chosen.settings[0, 0]), int(chosen.settings[0, 1]))
    if len(vectors.clock) > 150:
        model = LocalModel(n_neighbours=max(30, 3 * vectors.points.shape[1]), quadratic=False)
        (maps,) = tangent_maps(vectors, [model], theiler=chosen.theiler, max_references=800)
        noise = maps.noise
    periods = length / period if np.isfinite(period) else 0.0
    needs, cautions = [], list(view.findings)
    if not chosen.map_like and periods < MIN_PERIODS:
        needs.append(
            f"The record holds {periods:.3g} turns; a statement about chaos needs at least "
            f"{MIN_PERIODS}: a record {max(MIN_PERIODS / max(periods, 0.1), 1.1):.1f} times as long"
        )
    if view.n_samples < MIN_SAMPLES:
        needs.append(f"{view.n_samples} samples; statements about chaos need {MIN_SAMPLES} or more")
    enough = not needs
    if not chosen.map_like and fast < 4:
        needs.append(
            f"The fastest motion has {fast:.2g} samples a period; sample at least "
            f"{4 / fast:.1f} times as often"
        )
    if noise > 0.1:
        cautions.append(
            Finding(
                "noise",
                f"Up to {noise:.0%} of the standard deviation cannot be foretold locally.",
                "Noise, or more dimensions than the record resolves.",
                "note",
            )
        )
    return Sufficiency(
        n_samples=view.n_samples,
        length_in_periods=float(periods),
        samples_per_period=float(period / view.dt),
        samples_per_fast_period=float(fast),
        noise_level=noise,
        largest_dimension=eckmann_ruelle_ceiling(view.n_samples),
        enough_for_chaos=enough,
        needs=tuple(needs),
        cautions=tuple(cautions),
    )
