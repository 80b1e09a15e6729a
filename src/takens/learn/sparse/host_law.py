"""Equations as a map from one sample to the next, in NumPy: what a backtest drives."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from takens.learn.host import AbstractHostMap
from takens.learn.sparse.driven import kicks_of
from takens.learn.sparse.fields import (
    AbstractAdvance,
    AbstractSupportedField,
    FlowAdvance,
    MapAdvance,
    SparseField,
)
from takens.learn.terms import Terms
from takens.learn.terms.units import derivative_units

if TYPE_CHECKING:
    from takens.learn.terms import AbstractTermSystem

SHIFT = 17  # rows of residuals between one that is read and one that moves the orbit


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostLaw(AbstractHostMap):
    r"""Equations in NumPy, advanced by one sample at a time.

    The state is a point :math:`x` of an orbit of the law, and what is observed is :math:`x + e`
    with errors of measurement. A forecast starts from the last `memory` samples by an extended
    Kalman filter without noise in the dynamics: that is least squares of one orbit on these
    samples, linearised along the way. Residuals are errors of measurement: one of them spreads the
    start, scaled to the error of the filter, and the others are added to what is seen. Nothing of
    them enters the orbit.

    Where there is noise in the dynamics, it moves the orbit: in the filter by its covariance over a
    step, and in an ensemble by residuals of its size.

    Of a law of higher order the state goes on with the derivatives of the columns, in their scales
    a sample. They were not measured: the filter begins with what is known of them from all data.

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
        Of the columns.
    time_unit : str
    field : callable
        The rule that terms and a support make.
    hidden : array, shape (2, state - dim)
        Mean and variance of the derivatives, in the units of the columns and of time.
    dynamical : array, shape (dim,), optional
        Variance of noise in the dynamics per unit of time (per iterate of a map).
    shares : array, shape (2, dim)
        Of a residual, what is read and what moves the orbit.
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
    field: Callable[[Terms, np.ndarray], AbstractSupportedField] = SparseField
    hidden: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((2, 0)))
    dynamical: np.ndarray | None = None
    shares: np.ndarray = dataclasses.field(default_factory=lambda: np.array([[1.0], [0.0]]))

    @property
    def width(self) -> int:
        """Number of columns; of a law of first order that of the state."""
        return self.coefficients.shape[1]

    @functools.cached_property
    def units_of_state(self) -> np.ndarray:
        """What one coordinate of the state is: the scale of a column over samples, (state,)."""
        order = len(self.terms.states) // self.width
        return np.concatenate([self.frame.scale / self.dt**k for k in range(order)])

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Coordinates of states (..., state)."""
        m = self.width
        return np.concatenate(
            [self.frame.encode(x[..., :m]), x[..., m:] / self.units_of_state[m:]], axis=-1
        )

    def decode(self, z: np.ndarray) -> np.ndarray:
        """States at coordinates; of a run that has escaped they are infinite."""
        m = self.width
        with np.errstate(over="ignore", invalid="ignore"):
            return np.concatenate(
                [self.frame.decode(z[..., :m]), z[..., m:] * self.units_of_state[m:]], axis=-1
            )

    @property
    def step(self) -> float:
        """What the variance of noise in the dynamics is multiplied with for one sample."""
        return 1.0 if isinstance(self.rule, MapAdvance) else self.dt

    @property
    def window(self) -> int:
        """Number of samples that a start is filtered from."""
        return self.memory

    @functools.cached_property
    def _field(self) -> AbstractSupportedField:
        return self.field(self.terms, self.coefficients != 0)

    @functools.cached_property
    def _numbers(self) -> np.ndarray:
        return np.asarray(self.coefficients.T[self._field.support.T])

    def equations(self) -> AbstractTermSystem:
        """The law alone, as a flow or a map of its own: what is printed, asked and written out."""
        from takens.learn.terms import TermFlow, TermMap

        if isinstance(self.rule, MapAdvance):
            return TermMap(self.coefficients, self.terms, units=self.units)
        names = self.terms.states
        return TermFlow(
            self.coefficients,
            self.terms,
            velocities=tuple(zip(names, names[self.width :], strict=False)),
            units=derivative_units(self.units, self.time_unit, len(names) // self.width),
            time_unit=self.time_unit,
        )

    def system(self) -> Any:
        """The law observed at the samples; inputs are held over a step.

        A `SampledLaw`; of a law of higher order, whose state no window of samples is, the evolution
        operator of the flow over one sample, in the units of the columns.
        """
        if self.hidden.size:
            return self.equations().as_map(self.dt)
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
        """The rates of change of states (point, state), with inputs and times."""
        return self._field.values(x, u, t, self._numbers)

    def contributions(self, x: np.ndarray, u: np.ndarray, t: np.ndarray) -> np.ndarray:
        """What each term adds to each right-hand side, (point, term, dim)."""
        values = self.terms(x, u, t)
        return np.asarray(values[:, :, None] * self.coefficients)

    def states(self, n: np.ndarray, x: np.ndarray, u: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """States (point, state) one sample later, in the units of the columns, at sample numbers n.

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
        return self.encode(self.filtered(self.frame.decode(past), inputs, n)[0])

    def filtered(
        self, past: np.ndarray, inputs: np.ndarray, n: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """States after `past` (orbit, sample, dim), newest first, and their covariance."""
        m = self.width
        mean, variance = self.hidden
        error = np.diag(self.noise)
        hidden = np.broadcast_to(mean, (len(past), len(mean)))
        x = np.concatenate([past[:, -1], hidden], axis=1)
        spread = np.tile(np.diag(np.r_[self.noise, variance]), (len(x), 1, 1))
        lost = np.diag(np.r_[1e6 * self.noise, variance])
        eye = np.eye(x.shape[1])
        with np.errstate(all="ignore"):
            for back in range(past.shape[1] - 2, -1, -1):
                u = (inputs[:, back + 1], inputs[:, back])
                x, slope = self.moved(n - back - 1, x, u)
                spread = slope @ spread @ np.swapaxes(slope, 1, 2)
                if self.dynamical is not None:
                    kicks = kicks_of(slope, np.full(len(x), self.step), self.rule)
                    spread = spread + np.tensordot(self.dynamical, kicks, axes=1)
                good = np.isfinite(x).all(axis=1) & np.isfinite(spread).all(axis=(1, 2))
                again = np.concatenate([past[:, back], hidden], axis=1)
                x = np.where(good[:, None], x, again)
                spread = np.where(good[:, None, None], spread, lost)
                gain = np.linalg.solve(spread[:, :m, :m] + error, spread[:, :m])
                gain = np.swapaxes(gain, 1, 2)
                x = x + np.einsum("oij,oj->oi", gain, past[:, back] - x[:, :m])
                rest = eye - gain @ eye[:m]  # Joseph's form, which stays positive
                spread = rest @ spread @ np.swapaxes(rest, 1, 2)
                spread += gain @ error @ np.swapaxes(gain, 1, 2)
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
            rows = np.minimum(np.arange(x0.shape[1] // self.width), len(draws) - 1)
            start = residuals[draws[rows]]  # of each derivative another draw
            start = np.swapaxes(start, 0, 1).reshape(x0.shape)
            x = self.decode(x0 + self.spread * start)
            path = np.empty((len(draws), len(x0), self.width))
            for step in range(len(draws)):
                ahead = inputs[min(step + 1, len(draws) - 1)]
                x = self.states(n0 + step, x, (inputs[step], ahead))
                x = self._kicked(x, residuals, draws[step], step)
                path[step] = self.frame.encode(x[:, : self.width])
        return self.encode(x), path + self.shares[0] * residuals[np.roll(draws, -1, axis=0)]

    def _kicked(
        self, x: np.ndarray, residuals: np.ndarray, draws: np.ndarray, step: int
    ) -> np.ndarray:
        """States moved by noise in the dynamics: by other residuals than those that are read."""
        if self.dynamical is None:
            return x
        rows = np.where(draws > 0, 1 + (draws + SHIFT * (step + 1)) % (len(residuals) - 1), 0)
        return np.asarray(x + self.frame.scale * self.shares[1] * residuals[rows])

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
        path = np.empty((len(x), len(draws), self.width))
        growth = np.empty(path.shape[:2])
        scale = self.units_of_state
        with np.errstate(all="ignore"):
            for step in range(len(draws)):
                y, slope = self.moved(np.full(len(x), n + step), self.decode(x), (drive, drive))
                new = np.einsum("oij,oj->oi", slope, v * scale) / scale
                size = np.linalg.norm(new, axis=1)
                x = self.encode(self._kicked(y, residuals, draws[step], step))
                v = np.where((size > 0)[:, None], new / size[:, None], v)
                path[:, step], growth[:, step] = x[:, : self.width], np.log(size)
        return x, v, path + self.shares[0] * residuals[draws].swapaxes(0, 1), growth
