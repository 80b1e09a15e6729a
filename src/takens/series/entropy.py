"""Permutation entropy."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, Status, require
from takens.series.observable import observable

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PermutationEntropy(AbstractResult):
    """Permutation entropy, normalised to 1 for independent noise.

    Parameters
    ----------
    entropy : Estimate
        Dimensionless, between 0 and 1.
    patterns : array of int, shape (order!, order)
        Ordinal patterns: ranks of successive values.
    frequencies : array, shape (order!,)
    missing : float
        Share of patterns that never occur.
    order, delay : int
        Length of a pattern, and samples between its members.
    """

    entropy: Estimate
    patterns: np.ndarray
    frequencies: np.ndarray
    missing: float
    order: int
    delay: int

    def summary(self) -> str:
        """The entropy and the share of missing patterns."""
        return (
            f"permutation entropy (order {self.order}, delay {self.delay}): {self.entropy}; "
            f"{self.missing:.0%} of patterns never occur"
        )

    def plot(self, ax: Any = None) -> Any:
        """Frequencies of the patterns."""
        from takens import plot

        ax = plot.axes(ax)
        ax.bar(np.arange(len(self.frequencies)), self.frequencies)
        plot.labels(ax, xlabel="ordinal pattern", ylabel="frequency")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Frequencies of the patterns."""
        import xarray as xr

        return xr.Dataset(
            {
                "frequency": ("pattern", self.frequencies),
                "ranks": (("pattern", "position"), self.patterns),
            },
            attrs={"entropy": self.entropy.value, "missing": self.missing},
        )


def _entropy(counts: np.ndarray) -> float:
    """Shannon entropy over its maximum, with the Miller-Madow correction."""
    total = counts.sum()
    share = counts[counts > 0] / total
    raw = -np.sum(share * np.log(share)) + (len(share) - 1) / (2 * total)
    return float(min(raw / math.log(len(counts)), 1.0))


def permutation_entropy(
    data: Any, *, order: int = 4, delay: int = 1, level: float = 0.9, throw: bool = True
) -> PermutationEntropy:
    r"""Permutation entropy :math:`-\sum_\pi p(\pi) \ln p(\pi) / \ln(\text{order}!)`.

    Equal values are ranked in the order in which they occur.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        For several columns the first principal component is used.
    order : int
        Length of the ordinal patterns, 2 to 7.
    delay : int
        Samples between the values of a pattern.
    level : float
        Nominal coverage of the interval, which comes from ten blocks of the record.
    throw : bool
        Raise where the record is too short; else the value is NaN.

    Returns
    -------
    PermutationEntropy

    Raises
    ------
    InvalidInput
        If `order` is not between 2 and 7 or `delay` is not positive.
    NumericalFailure
        If there are fewer than five patterns for each possible one, and `throw`.

    Notes
    -----
    A low value says that the order of values is constrained, by determinism *or* by slow sampling;
    it depends on `delay`. Cost: O(N order log order).

    References
    ----------
    Bandt and Pompe (2002), Phys. Rev. Lett. 88, 174102.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=5000)
    >>> bool(permutation_entropy(noise).entropy.value > 0.99)
    True
    """
    from scipy.special import stdtrit

    if not 2 <= order <= 7:
        raise InvalidInput(f"order = {order}; expected 2 to 7. Longer patterns are never all seen.")
    if delay < 1:
        raise InvalidInput(f"delay = {delay}; expected a positive number of samples.")
    view = observable(data)
    weights = order ** np.arange(order)
    codes = []
    for values in view.series:
        x, n = values[:, 0], len(values) - (order - 1) * delay
        if n > 0:
            windows = np.stack([x[i * delay : i * delay + n] for i in range(order)], axis=1)
            ranks = np.argsort(windows, axis=1, kind="stable")
            codes.append(ranks @ weights)
    patterns = np.array(list(itertools.permutations(range(order))))
    known = np.sort(patterns @ weights)
    total = int(sum(map(len, codes)))
    status = Status.OK if total >= 5 * len(known) else Status.TOO_SHORT
    require(status, throw=throw)
    estimate = Estimate(value=np.nan, level=level)
    frequencies, missing = np.full(len(known), np.nan), float("nan")
    if status is Status.OK:
        index = np.searchsorted(known, np.concatenate(codes))
        counts = np.bincount(index, minlength=len(known))
        frequencies, missing = counts / counts.sum(), float(np.mean(counts == 0))
        centre = _entropy(counts)
        each = np.array(
            [
                _entropy(np.bincount(b, minlength=len(known)))
                for b in np.array_split(index, _N_BLOCKS)
            ]
        )
        error = float(each.std(ddof=1) / np.sqrt(_N_BLOCKS))
        half = float(stdtrit(_N_BLOCKS - 1, 0.5 + level / 2)) * error
        estimate = Estimate(
            value=centre,
            interval=(max(centre - half, 0.0), min(centre + half, 1.0)),
            standard_error=error,
            level=level,
            method=f"{_N_BLOCKS} blocks",
        )
    sorted_patterns = patterns[np.argsort(patterns @ weights)]
    return PermutationEntropy(
        entropy=estimate,
        patterns=sorted_patterns,
        frequencies=frequencies,
        missing=missing,
        order=order,
        delay=delay,
        status=status,
        cautions=view.findings,
        provenance={"order": order, "delay": delay},
    )
