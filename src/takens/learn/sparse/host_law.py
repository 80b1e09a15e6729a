"""Equations as a map from one sample to the next, in NumPy: what a backtest drives."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from takens.learn.host import AbstractHostMap
from takens.learn.sparse.fields import AbstractAdvance, FlowAdvance, MapAdvance, SparseField
from takens.learn.terms import Terms

if TYPE_CHECKING:
    from takens.learn.sparse.sampled import SampledLaw
    from takens.learn.terms import AbstractTermSystem


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostLaw(AbstractHostMap):
    r"""Equations in NumPy, advanced by one sample at a time.

    The state is a point :math:`x` of an orbit of the law, and what is observed is :math:`x + e`
    with errors of measurement. A forecast starts from the last `memory` samples by an extended
    Kalman filter without noise in the dynamics: that is least squares of one orbit on these
    samples, linearised along the way. Residuals are errors of measurement: one of them spreads the
    start, scaled to the error of the filter, and the others are added to what is seen. Nothing of
    them enters the orbit.

    Parameters
    ----------
    terms : Terms
        Those in use.
    coefficients : array, shape (term, dim)
        In the units of the data.
    rule : FlowAdvance or MapAdvance
        From one sample to the next. An input is linear between samples.
    dt : float
        Sampling step in `time_unit`.
    memory : int
    noise : array, shape (dim,)
        Variance of the errors of measurement, in squared units of the columns.
    spread : array, shape (dim,)
        Standard error of the filtered state over the spread of residuals.
    units : tuple of str
    time_unit : str
    """

    one_shape: ClassVar[bool] = False

    terms: Terms
    coefficients: np.ndarray
    rule: AbstractAdvance
    dt: float
    noise: np.ndarray
    memory: int = 1
    spread: np.ndarray | float = 0.0
    units: tuple[str, ...] = ()
    time_unit: str = "1"

    @property
    def window(self) -> int:
        """Number of samples that a start is filtered from."""
        return self.memory

    @functools.cached_property
    def _field(self) -> SparseField:
        return SparseField(self.terms, self.coefficients != 0)

    @functools.cached_property
    def _numbers(self) -> np.ndarray:
        return np.asarray(self.coefficients.T[self._field.support.T])

    def equations(self) -> AbstractTermSystem:
        """The law alone, as a flow or a map of its own: what is printed, asked and written out."""
        from takens.learn.terms import TermFlow, TermMap

        if isinstance(self.rule, MapAdvance):
            return TermMap(self.coefficients, self.terms, units=self.units)
        return TermFlow(self.coefficients, self.terms, units=self.units, time_unit=self.time_unit)

    def system(self) -> SampledLaw:
        """The law observed at the samples; inputs are held over a step."""
        from takens.learn.sparse.sampled import SampledLaw

        substeps = self.rule.substeps if isinstance(self.rule, FlowAdvance) else 1
        return SampledLaw(
            frame=self.frame.system(),
            law=self.equations(),
            dt=self.dt,
            n_substeps=substeps,
            observed=self.observed,
            n_inputs=self.n_inputs,
        )

    def finer(self, factor: int) -> HostLaw:
        """The same with steps of integration shorter by `factor`; a map is its own."""
        if not isinstance(self.rule, FlowAdvance):
            return self
        return dataclasses.replace(self, rule=FlowAdvance(substeps=factor * self.rule.substeps))

    def rates(self, x: np.ndarray, u: np.ndarray, t: np.ndarray) -> np.ndarray:
        """The right-hand sides at points (point, dim), inputs and times."""
        return self._field.values(x, u, t, self._numbers)

    def contributions(self, x: np.ndarray, u: np.ndarray, t: np.ndarray) -> np.ndarray:
        """What each term adds to each right-hand side, (point, term, dim)."""
        values = self.terms(x, u, t)
        return np.asarray(values[:, :, None] * self.coefficients)

    def states(self, n: np.ndarray, x: np.ndarray, u: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """States (point, dim) one sample later, in the units of the columns, at sample numbers n.

        `u` holds the inputs at the beginning and at the end of the step.
        """
        h = np.full(len(x), self.dt)
        return self.rule.states(self._field, self._numbers, x, u, n * self.dt, h)

    def moved(
        self, n: np.ndarray, x: np.ndarray, u: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `states`, with their derivative by `x`."""
        h = np.full(len(x), self.dt)
        new, slope, _ = self.rule(
            self._field, self._numbers, x, u, n * self.dt, h, derivatives=False
        )
        return new, slope

    def start(self, past: np.ndarray, inputs: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Filtered states after `past`; the last sample itself where the filter fails."""
        return self.frame.encode(self.filtered(self.frame.decode(past), inputs, n)[0])

    def filtered(
        self, past: np.ndarray, inputs: np.ndarray, n: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """States after `past` (orbit, sample, dim), newest first, and their covariance."""
        dim = past.shape[2]
        error = np.diag(self.noise)
        x = past[:, -1]
        spread = np.tile(error, (len(x), 1, 1))
        with np.errstate(all="ignore"):
            for back in range(past.shape[1] - 2, -1, -1):
                u = (inputs[:, back + 1], inputs[:, back])
                x, slope = self.moved(n - back - 1, x, u)
                spread = slope @ spread @ np.swapaxes(slope, 1, 2)
                good = np.isfinite(x).all(axis=1) & np.isfinite(spread).all(axis=(1, 2))
                x = np.where(good[:, None], x, past[:, back])
                spread = np.where(good[:, None, None], spread, 1e6 * error)
                gain = np.linalg.solve(spread + error, spread)  # transposed: both are symmetric
                x = x + np.einsum("oji,oj->oi", gain, past[:, back] - x)
                spread = (np.eye(dim) - np.swapaxes(gain, 1, 2)) @ spread
                spread = (spread + np.swapaxes(spread, 1, 2)) / 2
        return x, spread

    def orbits(
        self,
        x0: np.ndarray,
        n0: np.ndarray,
        inputs: np.ndarray,
        residuals: np.ndarray,
        draws: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Last states and what is seen along the way; see `takens.learn.simulate`.

        Inputs are linear from each step to the next, and held in the last one.
        """
        with np.errstate(all="ignore"):  # an orbit that escapes becomes infinite, and is counted
            x = self.frame.decode(x0 + self.spread * residuals[draws[0]])
            path = np.empty((len(draws), *x0.shape))
            for step in range(len(draws)):
                ahead = inputs[min(step + 1, len(draws) - 1)]
                x = self.states(n0 + step, x, (inputs[step], ahead))
                path[step] = self.frame.encode(x)
        return path[-1], path + residuals[np.roll(draws, -1, axis=0)]

    def tangent_orbits(
        self,
        x: np.ndarray,
        v: np.ndarray,
        n: float,
        u: np.ndarray,
        residuals: np.ndarray,
        draws: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Orbits that each carry one tangent vector; see `AbstractHostMap`."""
        drive = np.broadcast_to(u, (len(x), len(u)))
        path = np.empty((len(x), len(draws), x.shape[1]))
        growth = np.empty(path.shape[:2])
        scale = self.frame.scale
        with np.errstate(all="ignore"):
            for step in range(len(draws)):
                y, slope = self.moved(
                    np.full(len(x), n + step), self.frame.decode(x), (drive, drive)
                )
                new = np.einsum("oij,oj->oi", slope, v * scale) / scale
                size = np.linalg.norm(new, axis=1)
                x = self.frame.encode(y)
                v = np.where((size > 0)[:, None], new / size[:, None], v)
                path[:, step], growth[:, step] = x, np.log(size)
        return x, v, path + residuals[draws].swapaxes(0, 1), growth
