"""Newton's map of z**3 - 1 in the form that tsdynamics wants."""

from __future__ import annotations

from typing import ClassVar

import tsdynamics as ts


class Newton(ts.DiscreteMap):
    """z - (z**3 - 1) / (3 z**2), in real and imaginary parts."""

    params: ClassVar = {"scale": 3.0}
    dim = 2
    default_ic = (0.5, 0.5)
    variables = ("x", "y")

    @staticmethod
    def _step(X, scale):
        x, y = X[0], X[1]
        square = (x**2 + y**2) ** 2
        return (
            (2 * x + (x**2 - y**2) / square) / scale,
            (2 * y - 2 * x * y / square) / scale,
        )

    @staticmethod
    def _jacobian(X, scale):
        x, y = X[0], X[1]
        cube = (x**2 + y**2) ** 3
        a = (2 - 2 * (x**3 - 3 * x * y**2) / cube) / scale
        b = 2 * (y**3 - 3 * x**2 * y) / cube / scale
        return ((a, -b), (b, a))
