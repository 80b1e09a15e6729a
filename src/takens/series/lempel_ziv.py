"""Lempel-Ziv complexity."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.observable import observable
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10
_MOST_BRIDGED = 0.05
_FEW_BRIDGED = 0.002  # the same where interpolation spoils them


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LempelZiv(AbstractResult):
    """Lempel-Ziv complexity, normalised in two ways.

    Parameters
    ----------
    complexity : Estimate
        Phrases over those of the same symbols shuffled: 1 for independent symbols.
    classical : float
        ``c log_k(n) / n``, which tends to the entropy rate in units of ``ln k`` slowly and from above.
    phrases, n : int
        Number of phrases c and of symbols n.
    symbols : int
        Size of the alphabet k.
    shuffled : array, shape (n_shuffles,)
        Phrases of the shuffled sequences.
    label : str
        What was analysed.
    """

    complexity: Estimate
    classical: float
    phrases: int
    n: int
    symbols: int
    shuffled: np.ndarray
    label: str

    def summary(self) -> str:
        """Both normalisations."""
        return (
            f"Lempel-Ziv complexity ({self.symbols} symbols): {self.complexity} of shuffled; "
            f"{self.phrases} phrases in {self.n} symbols, c log(n) / n = {self.classical:.4g}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Phrases of the record beside those of shuffled ones."""
        from takens import plot

        ax = plot.axes(ax)
        plot.histogram_with_marker(
            ax, self.shuffled, float(self.phrases), label="shuffled", marker_label="record"
        )
        plot.labels(ax, xlabel="phrases", ylabel="number", title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Phrases of the shuffled sequences."""
        import xarray as xr

        return xr.Dataset(
            {"phrases": ("shuffle", self.shuffled)},
            attrs={
                "complexity": self.complexity.value,
                "classical": self.classical,
                "observed": self.phrases,
            },
        )


@checked
def lempel_ziv_complexity(
    data: Any,
    *,
    symbols: int = 2,
    n_shuffles: int = 20,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> LempelZiv:
    """Lempel-Ziv complexity (1976) of the record cut into equally frequent classes.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used; of several stretches the longest.
    symbols : int
        Classes of amplitude, cut at quantiles; 2 cuts at the median.
    n_shuffles : int
        Shuffled sequences that say what independence would give at this length.
    level : float
        Nominal coverage of the interval, from the complexities of ten blocks of the record.
    seed : int
        For the shuffles.
    throw : bool
        Raise where there is no answer; else the value is NaN.

    Returns
    -------
    LempelZiv

    Raises
    ------
    InvalidInput
        If there are fewer than 2 or more than 64 symbols, or fewer than 5 shuffles.
    NumericalFailure
        If the longest stretch has fewer than 200 samples, or more than 5 % of the samples are
        missing, or nothing varies; and `throw`.

    Notes
    -----
    Phrases need contiguous symbols, so scattered missing samples cannot be used: up to 5 % of them,
    in runs of one or two, are bridged (0.2 % where interpolation misses by more than half a
    standard deviation, as in a map: each may end a phrase), more is refused. A low value says that the sequence repeats
    itself, by determinism or by slow sampling alike. Blocks are shorter than the record, so that the
    interval is of the spread, not of the remaining bias of the shuffles. Cost: O(N), by a suffix
    automaton.

    References
    ----------
    Lempel and Ziv (1976), IEEE Trans. Inf. Theory 22, 75; Kaspar and Schuster (1987), Phys. Rev. A
    36, 842.

    Examples
    --------
    >>> import numpy as np
    >>> bits = np.random.default_rng(0).integers(0, 2, 4000)
    >>> bool(abs(lempel_ziv_complexity(bits).complexity.value - 1) < 0.03)
    True
    """
    if not 2 <= symbols <= 64:
        raise InvalidInput(f"symbols = {symbols}; expected 2 to 64.")
    if n_shuffles < 5:
        raise InvalidInput(f"n_shuffles = {n_shuffles}; at least 5 are needed for a mean.")
    view = observable(data)
    x, cautions = view.longest, list(view.findings)
    status = Status.OK if len(x) >= 200 else Status.TOO_SHORT
    if view.constant:
        status = Status.NOT_APPLICABLE
    if view.missing > (_FEW_BRIDGED if view.spoilt else _MOST_BRIDGED):
        status = Status.NOT_APPLICABLE
        cautions.append(
            Finding(
                "phrases-need-all-samples",
                f"{view.missing:.1%} of the samples are missing; phrases need contiguous symbols.",
                "Use permutation or sample entropy, which use what is there.",
                "serious",
            )
        )
    require(status, throw=throw)
    estimate, counted = Estimate(value=np.nan, level=level), 0
    shuffled, classical = np.full(n_shuffles, np.nan), float("nan")
    if status is Status.OK:
        codes = _classes(x, symbols)
        estimate, counted, shuffled = _against_shuffles(codes, symbols, n_shuffles, level, seed)
        classical = counted * math.log(len(x)) / math.log(symbols) / len(x)
    return LempelZiv(
        complexity=estimate,
        classical=classical,
        phrases=counted,
        n=len(x),
        symbols=symbols,
        shuffled=shuffled,
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={"symbols": symbols, "n_shuffles": n_shuffles, "seed": seed},
    )


def _classes(x: np.ndarray, symbols: int) -> np.ndarray:
    """Class of each value, cut at quantiles; equal values share a class, and two values make two."""
    edges = np.quantile(x, np.arange(1, symbols) / symbols, method="lower")
    below = x[x < x.max()]
    if below.size:
        edges = np.minimum(edges, below.max())
    return np.ascontiguousarray(np.searchsorted(np.unique(edges), x, side="left"), dtype=np.int64)


def _against_shuffles(
    codes: np.ndarray, symbols: int, n_shuffles: int, level: float, seed: int
) -> tuple[Estimate, int, np.ndarray]:
    from scipy.special import stdtrit

    from takens.series.kernels.automaton import exhaustive_phrases

    rng = np.random.default_rng(seed)

    def relative(part: np.ndarray, n: int) -> tuple[int, np.ndarray]:
        drawn = [int(exhaustive_phrases(rng.permutation(part), symbols)) for _ in range(n)]
        return int(exhaustive_phrases(part, symbols)), np.array(drawn, dtype=float)

    counted, shuffled = relative(codes, n_shuffles)
    value, each = counted / shuffled.mean(), []
    for block in np.array_split(codes, _N_BLOCKS):
        own, drawn = relative(np.ascontiguousarray(block), 5)
        each.append(own / drawn.mean())
    error = float(np.hypot(np.std(each, ddof=1), shuffled.std(ddof=1) / shuffled.mean()))
    error /= math.sqrt(_N_BLOCKS)
    half = float(stdtrit(_N_BLOCKS - 1, 0.5 + level / 2)) * error
    return (
        Estimate(
            value=float(value),
            interval=(float(max(value - half, 0.0)), float(value + half)),
            standard_error=error,
            level=level,
            method=f"{_N_BLOCKS} blocks",
        ),
        counted,
        shuffled,
    )
