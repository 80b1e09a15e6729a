"""A law observed at even samples, as a map on its own past: the system of a `HostLaw`."""

from typing import Any

import equinox as eqx
from jaxtyping import Array

from takens.core.integrators import CLASSICAL, RungeKutta
from takens.core.system import AbstractFlow, parameter, static
from takens.learn.maps import AbstractDelayMap, Frame


class SampledLaw(AbstractDelayMap):
    """Equations, advanced by one sample in the standardised coordinates of the data.

    Parameters
    ----------
    frame : Frame
        Of the columns, one by one.
    law : AbstractFlow or AbstractMap
        In the units of the columns.
    dt : float
        Sampling step in the time unit of the law; without meaning for a map.
    n_substeps : int
        Classical Runge-Kutta steps between two samples, for a flow.
    observed : tuple of str
        Names of the columns.
    n_inputs : int
        Inputs are held over a step.
    """

    frame: Frame
    law: Any
    dt: Array = parameter()
    n_substeps: int = eqx.field(static=True, default=1)
    observed: tuple[str, ...] = static(())
    n_inputs: int = eqx.field(static=True, default=0)
    lags: tuple[int, ...] = static((0,))

    def advance(self, n: Any, x: Any, u: Any = None) -> Any:
        """One sample of the law."""
        y = self.frame.decode(x)
        if isinstance(self.law, AbstractFlow):
            method = RungeKutta(max_step=1.0, tableau=CLASSICAL)
            new = method.advance(self.law, n * self.dt, self.dt, y, u, self.n_substeps)
        else:
            new = self.law.step(n, y, u)
        return self.frame.encode(new)
