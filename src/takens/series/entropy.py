"""Permutation entropy, plain and weighted."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.linearised import entropy_of_counts
from takens.series.observable import observable
from takens.series.sample_entropy import first_component, templates_of
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10
_TIES_NOTED = 0.05

Ties = Literal["order", "shared"]


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
    weighted : Estimate
        The same entropy with each pattern weighted by the variance of its values, which counts
        patterns of small fluctuations, often noise, for less.
    tied : float
        Share of the patterns in which two values are equal.
    n_patterns : int
        Number of patterns in the record.
    """

    entropy: Estimate
    patterns: np.ndarray
    frequencies: np.ndarray
    missing: float
    order: int
    delay: int
    weighted: Estimate = dataclasses.field(default_factory=lambda: Estimate(value=np.nan))
    tied: float = 0.0
    n_patterns: int = 0

    def summary(self) -> str:
        """The entropy and the share of missing patterns."""
        text = f"permutation entropy (order {self.order}, delay {self.delay}): {self.entropy}"
        if not np.isfinite(self.missing):
            return text
        return f"{text}; {self.missing:.0%} of patterns never occur"

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
            attrs={
                "entropy": self.entropy.value,
                "weighted": self.weighted.value,
                "missing": self.missing,
                "tied": self.tied,
            },
        )


def _entropy(counts: np.ndarray) -> float:
    """Shannon entropy over its maximum, with the Miller-Madow correction."""
    total = counts.sum()
    share = counts[counts > 0] / total
    raw = -np.sum(share * np.log(share)) + (len(share) - 1) / (2 * total)
    return float(min(raw / math.log(len(counts)), 1.0))


@dataclasses.dataclass(frozen=True, eq=False)
class Ordinal:
    """Ordinal patterns of a record: which, when, how wide.

    Parameters
    ----------
    codes : array of int, shape (n,)
        Row of `patterns`.
    share : array, shape (n,)
        1, or where ties are shared the part of a window that this entry stands for.
    weights : array, shape (n,)
        Variance of the values of the window times `share`.
    clock : array of int, shape (n,)
        Time of the first value; stretches never meet.
    patterns : array of int, shape (order!, order)
        Positions of the values from the smallest to the largest.
    tied : float
        Share of windows with equal values.
    """

    codes: np.ndarray
    share: np.ndarray
    weights: np.ndarray
    clock: np.ndarray
    patterns: np.ndarray
    tied: float


def _spread_ties(windows: np.ndarray, patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For tied windows: row of the window and number of each pattern that its values allow."""
    least = windows[:, patterns]  # values in the order that each pattern claims is rising
    window, pattern = np.nonzero((np.diff(least, axis=2) >= 0).all(axis=2))
    return window, pattern


def ordinal_patterns(
    columns: tuple[np.ndarray, ...], order: int, delay: int, ties: Ties = "order"
) -> Ordinal:
    """Ordinal pattern of every window without a missing value."""
    patterns = np.array(list(itertools.permutations(range(order))))
    weights = order ** np.arange(order)
    known = patterns @ weights
    patterns = patterns[np.argsort(known)]
    windows, clock = templates_of(columns, order, delay)
    ranks = np.argsort(windows, axis=1, kind="stable")
    codes = np.searchsorted(np.sort(known), ranks @ weights)
    level = np.take_along_axis(windows, ranks, axis=1)
    equal = (np.diff(level, axis=1) == 0).any(axis=1)
    share, variance = np.ones(len(codes)), windows.var(axis=1) if len(codes) else np.empty(0)
    if ties == "shared" and equal.any():
        row, which = np.flatnonzero(equal), [[], []]  # type: ignore[var-annotated]
        for part in np.array_split(row, max(1, len(row) * len(patterns) // 2_000_000)):
            window, pattern = _spread_ties(windows[part], patterns)
            which[0].append(part[window])
            which[1].append(pattern)
        owner = np.concatenate([np.flatnonzero(~equal), *which[0]])
        codes = np.concatenate([codes[~equal], *which[1]])
        share = 1 / np.bincount(owner, minlength=len(equal))[owner]
        by_time = np.argsort(owner, kind="stable")
        codes, share, owner = codes[by_time], share[by_time], owner[by_time]
        variance, clock = variance[owner], clock[owner]
    return Ordinal(
        codes=codes,
        share=share,
        weights=variance * share,
        clock=clock,
        patterns=patterns,
        tied=float(equal.mean()) if len(equal) else float("nan"),
    )


def check_pattern(order: int, delay: int) -> None:
    """Refuse lengths and delays for which there are no ordinal patterns."""
    if not 2 <= order <= 7:
        raise InvalidInput(f"order = {order}; expected 2 to 7. Longer patterns are never all seen.")
    if delay < 1:
        raise InvalidInput(f"delay = {delay}; expected a positive number of samples.")


def tie_findings(tied: float, ties: Ties) -> tuple[Finding, ...]:
    """A caution where many patterns hold equal values."""
    if not tied > _TIES_NOTED:
        return ()
    how = "ranked in the order in which they occur" if ties == "order" else "shared evenly"
    return (
        Finding(
            "tied-patterns",
            f"{tied:.0%} of the ordinal patterns hold equal values, which were {how}.",
            'Rounded data look more orderly than they are with `ties="order"`, and noisier with '
            '`ties="shared"`; the truth lies between.',
        ),
    )


@checked
def permutation_entropy(
    data: Any,
    *,
    order: int = 4,
    delay: int = 1,
    ties: Ties = "order",
    level: float = 0.9,
    throw: bool = True,
) -> PermutationEntropy:
    r"""Permutation entropy :math:`-\sum_\pi p(\pi) \ln p(\pi) / \ln(\text{order}!)`.

    Beside it stands the weighted form, in which a pattern counts with the variance of its values.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        For several columns the first principal component is used.
    order : int
        Length of the ordinal patterns, 2 to 7.
    delay : int
        Samples between the values of a pattern.
    ties : {"order", "shared"}
        Equal values are ranked in the order in which they occur, or the window is shared evenly
        among all patterns that it allows, the mean over random orders of the equal values.
    level : float
        Nominal coverage of the interval, which comes from ten blocks of the record (the weighted
        form's from the influence of each pattern, over 20 blocks).
    throw : bool
        Raise where the record is too short; else the value is NaN.

    Returns
    -------
    PermutationEntropy

    Raises
    ------
    InvalidInput
        If `order` is not between 2 and 7, `delay` is not positive or `ties` is unknown.
    NumericalFailure
        If there are fewer than five patterns for each possible one, and `throw`.

    Notes
    -----
    Windows with a missing value are left out. A low value says that the order of values is
    constrained, by determinism *or* by slow sampling; it depends on `delay`. Cost: O(N order log
    order).

    References
    ----------
    Bandt and Pompe (2002), Phys. Rev. Lett. 88, 174102; weighted: Fadlallah, Chen, Keil and
    Principe (2013), Phys. Rev. E 87, 022911.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=5000)
    >>> bool(permutation_entropy(noise).entropy.value > 0.99)
    True
    """
    check_pattern(order, delay)
    if ties not in ("order", "shared"):
        raise InvalidInput(f"ties = {ties!r}; expected 'order' or 'shared'.")
    view = observable(data)
    columns, _ = first_component(view)
    found = ordinal_patterns(columns, order, delay, ties)
    n_possible, total = len(found.patterns), round(found.share.sum())
    status = Status.OK if total >= 5 * n_possible else Status.TOO_SHORT
    require(status, throw=throw)
    estimate = weighted = Estimate(value=np.nan, level=level)
    frequencies, missing = np.full(n_possible, np.nan), float("nan")
    if status is Status.OK:
        counts = np.bincount(found.codes, weights=found.share, minlength=n_possible)
        frequencies, missing = counts / counts.sum(), float(np.mean(counts == 0))
        estimate = _block_estimate(found, counts, level)
        weighted, _ = entropy_of_counts(
            found.codes, found.clock, n_possible, level=level, weights=found.weights
        )
    return PermutationEntropy(
        entropy=estimate,
        patterns=found.patterns,
        frequencies=frequencies,
        missing=missing,
        order=order,
        delay=delay,
        weighted=weighted,
        tied=found.tied,
        n_patterns=total,
        status=status,
        cautions=(*view.findings, *tie_findings(found.tied, ties)),
        provenance={"order": order, "delay": delay, "ties": ties},
    )


def _block_estimate(found: Ordinal, counts: np.ndarray, level: float) -> Estimate:
    """The entropy of all patterns, its interval from ten blocks of the record."""
    from scipy.special import stdtrit

    centre = _entropy(counts)
    each = np.array(
        [
            _entropy(np.bincount(found.codes[b], weights=found.share[b], minlength=len(counts)))
            for b in np.array_split(np.arange(len(found.codes)), _N_BLOCKS)
        ]
    )
    error = float(each.std(ddof=1) / np.sqrt(_N_BLOCKS))
    half = float(stdtrit(_N_BLOCKS - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=centre,
        interval=(max(centre - half, 0.0), min(centre + half, 1.0)),
        standard_error=error,
        level=level,
        method=f"{_N_BLOCKS} blocks",
    )
