"""Likelihood of a diffusion on a line that is seen through a sensor with noise of its own."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.learn.stochastic.likelihood import LogDensity, Peak, Support, extended
from takens.learn.stochastic.pairs import LONGEST, Paths
from takens.learn.stochastic.powers import Scaled


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Samples of all records in a row, and whether each follows the one before.

    Parameters
    ----------
    z : array, shape (sample,)
        In units of the scale of the powers.
    dt : array, shape (sample,)
        Since the sample before; negative where a record, or a stretch after a gap, begins.
    scaled : Scaled
    step : float
        Longest step of the moment equations.
    """

    z: np.ndarray
    dt: np.ndarray
    scaled: Scaled
    step: float

    @classmethod
    def of(cls, paths: Paths, scaled: Scaled, relaxation: float) -> Seen:
        """The samples of one column."""
        steps = []
        for times in paths.times:
            step = np.diff(times)
            steps += [[-1.0], np.where(step > LONGEST * paths.dt, -1.0, step)]
        return cls(z=paths.values[:, 0] / scaled.scale, dt=np.concatenate(steps), scaled=scaled,
                   step=0.25 * relaxation)  # fmt: skip

    def density(self, support: Support, *, noise: bool = True, sensor: bool = True) -> LogDensity:
        """Log density of each sample given those before; the variance of the sensor comes last.

        `noise` and `sensor` say which of the two kinds of noise there is; the coefficients of one
        that is missing are not among those of the function returned.
        """
        scaled, drift_powers = self.scaled, [self.scaled.drift_powers[c] for c in support.drift]
        noise_powers = [scaled.noise_powers[c] for c in support.noise] if noise else []
        count = len(drift_powers), len(noise_powers)
        sites = np.linspace(self.z.min(), self.z.max(), 101)[:, None] ** np.array(
            noise_powers, float
        )

        def of(theta: np.ndarray) -> np.ndarray | None:
            from takens.learn.stochastic.kernels import filtered

            drift, square = np.zeros(10), np.zeros(10)
            drift[drift_powers] = theta[: count[0]] / scaled.scale
            square[noise_powers] = theta[count[0] : sum(count)] / scaled.scale**2
            variance = float(theta[-1]) / scaled.scale**2 if sensor else 0.0
            if variance < 0 or (noise and (sites @ theta[count[0] : sum(count)] <= 0).any()):
                return None
            out = filtered(self.z, self.dt, drift, square, variance, self.step)
            return None if not np.isfinite(out).all() else out - np.log(scaled.scale)

        return of


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Filtered:
    """The choice of terms by the likelihood of the filter; the sensor is in every law.

    Parameters
    ----------
    seen : Seen
    """

    seen: Seen

    def density(self, support: Support) -> LogDensity:
        """With both kinds of noise."""
        return self.seen.density(support)

    def criterion(self, peak: Peak, support: Support) -> float:
        """That of the law with a sensor."""
        return extended(peak.value, support, len(self.seen.z)) + float(np.log(len(self.seen.z)))
