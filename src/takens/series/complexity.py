"""The plane of permutation entropy and statistical complexity."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, Status, require
from takens.series.entropy import Ties, check_pattern, ordinal_patterns, tie_findings
from takens.series.observable import observable
from takens.series.sample_entropy import first_component
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10


def _shannon(p: np.ndarray) -> np.ndarray:
    """Shannon entropy along the last axis, in nats."""
    return np.asarray(-np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0), axis=-1))


def jensen_complexity(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalised entropy H and Jensen-Shannon complexity C of distributions, along the last axis.

    ``C = Q0 H (S((p + u) / 2) - S(p) / 2 - ln n / 2)`` with u uniform and Q0 such that the
    divergence of a certain outcome is 1.
    """
    n = p.shape[-1]
    certain = np.zeros(n)
    certain[0] = 1

    def divergence(q: np.ndarray) -> np.ndarray:
        return np.asarray(_shannon((q + 1 / n) / 2) - _shannon(q) / 2 - math.log(n) / 2)

    h = _shannon(p) / math.log(n)
    return h, h * divergence(p) / divergence(certain)


def complexity_limits(n: int, n_points: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest complexity at each entropy, for distributions over `n` outcomes.

    Returns
    -------
    least, most : array, shape (n_points, 2) and (n_curve, 2)
        Entropy and complexity along each curve, by rising entropy.

    References
    ----------
    Martin, Plastino and Rosso (2006), Physica A 369, 439: least where one outcome differs from
    n - 1 equal ones; most where some are impossible, one has any share and the rest are equal.
    """
    top = np.linspace(1 / n, 1, n_points)[::-1]
    least = np.column_stack([top, *[(1 - top) / (n - 1)] * (n - 1)])
    pieces = []
    # Of n = 5,040 every hundredth curve is enough: neighbours touch.
    for impossible in range(n - 1, 0, -1)[:: max(1, (n - 1) // 50)]:
        held = n - impossible
        one = np.linspace(0, 1 / held, max(2, n_points // 10))[::-1]
        most = np.zeros((len(one), n))
        most[:, 0] = one
        most[:, 1:held] = ((1 - one) / max(held - 1, 1))[:, None]
        pieces.append(most if held > 1 else most[:1])
    high = np.concatenate(pieces) if pieces else least
    curves = [np.column_stack(jensen_complexity(p)) for p in (least, high)]
    return tuple(c[np.argsort(c[:, 0], kind="stable")] for c in curves)  # type: ignore[return-value]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StatisticalComplexity(AbstractResult):
    """A record in the plane of permutation entropy and statistical complexity.

    Parameters
    ----------
    entropy, complexity : Estimate
        H and C of the ordinal patterns, dimensionless, without bias correction.
    frequencies : array, shape (order!,)
        Of the patterns.
    least, most : array, shape (n_points, 2) and (n_curve, 2)
        Limits of the plane: entropy, and the smallest and largest complexity there.
    order, delay : int
        Length of the patterns, and samples between their members.
    n_patterns : int
        Patterns in the record.
    label : str
        What was analysed.
    """

    entropy: Estimate
    complexity: Estimate
    frequencies: np.ndarray
    least: np.ndarray
    most: np.ndarray
    order: int
    delay: int
    n_patterns: int
    label: str

    def summary(self) -> str:
        """Both coordinates."""
        return (
            f"statistical complexity (order {self.order}, delay {self.delay}): {self.complexity} at "
            f"entropy {self.entropy}"
        )

    def plot(self, ax: Any = None) -> Any:
        """The plane with its limits and the record in it."""
        from takens import plot

        ax = plot.axes(ax)
        for curve in (self.least, self.most):
            plot.line(ax, curve[:, 0], curve[:, 1], color=plot.COLOURS[6])
        h, c = self.entropy, self.complexity
        if h.is_finite:
            reach = [
                np.abs(np.array(e.interval)[:, None] - e.value) if np.isfinite(e.interval).all()
                else None for e in (h, c)
            ]  # fmt: skip
            ax.errorbar(
                h.value, c.value, xerr=reach[0], yerr=reach[1], fmt="o",
                color=plot.COLOURS[1], label=self.label or None,
            )  # fmt: skip
        plot.labels(ax, xlabel="permutation entropy", ylabel="statistical complexity")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Frequencies and the limits of the plane."""
        import xarray as xr

        return xr.Dataset(
            {
                "frequency": ("pattern", self.frequencies),
                "least": (("low", "coordinate"), self.least),
                "most": (("high", "coordinate"), self.most),
            },
            {"coordinate": ["entropy", "complexity"]},
            attrs={"entropy": self.entropy.value, "complexity": self.complexity.value},
        )


@checked
def statistical_complexity(
    data: Any,
    *,
    order: int = 4,
    delay: int = 1,
    ties: Ties = "order",
    level: float = 0.9,
    throw: bool = True,
) -> StatisticalComplexity:
    r"""Jensen-Shannon complexity :math:`C = Q(p, u) H(p)` of the ordinal patterns, beside H.

    Q is the Jensen-Shannon divergence of the patterns' distribution p from the uniform one, over its
    largest value.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used.
    order, delay, ties
        As in `permutation_entropy`.
    level : float
        Nominal coverage of the intervals, from leaving out one of ten blocks after the other.
    throw : bool
        Raise where the record is too short; else the values are NaN.

    Returns
    -------
    StatisticalComplexity

    Raises
    ------
    InvalidInput
        If `order`, `delay` or `ties` is not allowed.
    NumericalFailure
        If there are fewer than five patterns for each possible one, and `throw`.

    Notes
    -----
    Order and disorder both have complexity 0; chaotic maps lie near the upper limit, coloured noise
    in the middle, but the regions overlap and move with `delay`: a place in the plane is a
    description, not a test. Windows with a missing value are left out. Cost: O(N).

    References
    ----------
    Rosso, Larrondo, Martin, Plastino and Fuentes (2007), Phys. Rev. Lett. 99, 154102.

    Examples
    --------
    >>> import numpy as np
    >>> noise = statistical_complexity(np.random.default_rng(0).normal(size=5000))
    >>> bool(noise.complexity.value < 0.01)
    True
    """
    from scipy.special import stdtrit

    check_pattern(order, delay)
    if ties not in ("order", "shared"):
        raise InvalidInput(f"ties = {ties!r}; expected 'order' or 'shared'.")
    view = observable(data)
    found = ordinal_patterns(first_component(view)[0], order, delay, ties)
    n, total = len(found.patterns), round(found.share.sum())
    status = Status.OK if total >= 5 * n else Status.TOO_SHORT
    require(status, throw=throw)
    share = np.full(n, np.nan)
    h = c = Estimate(value=np.nan, level=level)
    if status is Status.OK:
        block = np.arange(len(found.codes)) * _N_BLOCKS // len(found.codes)
        table = np.zeros((_N_BLOCKS, n))
        np.add.at(table, (block, found.codes), found.share)
        whole = table.sum(axis=0)
        share = whole / whole.sum()
        rest = whole - table
        left = np.array(jensen_complexity(rest / rest.sum(axis=1, keepdims=True)))
        error = np.sqrt((_N_BLOCKS - 1) * left.var(axis=1))
        half = float(stdtrit(_N_BLOCKS - 1, 0.5 + level / 2)) * error
        h, c = (
            Estimate(
                value=float(v),
                interval=(max(float(v - d), 0.0), min(float(v + d), 1.0)),
                standard_error=float(e),
                level=level,
                method=f"jackknife over {_N_BLOCKS} blocks",
            )
            for v, d, e in zip(jensen_complexity(share), half, error, strict=True)
        )
    least, most = complexity_limits(n)
    return StatisticalComplexity(
        entropy=h,
        complexity=c,
        frequencies=share,
        least=least,
        most=most,
        order=order,
        delay=delay,
        n_patterns=total,
        label=view.label,
        status=status,
        cautions=(*view.findings, *tie_findings(found.tied, ties)),
        provenance={"order": order, "delay": delay, "ties": ties},
    )
