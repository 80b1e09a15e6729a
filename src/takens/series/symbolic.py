"""Dispersion and slope entropy: Shannon entropy of words written in amplitudes or in slopes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.linearised import entropy_of_counts
from takens.series.observable import Observable, observable
from takens.series.sample_entropy import first_component, templates_of
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_MOST_WORDS = 100_000


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WordEntropy(AbstractResult):
    """Entropy of words of symbols, over the largest possible.

    Parameters
    ----------
    entropy : Estimate
        Dimensionless, 0 to 1.
    kind : {"dispersion", "slope"}
        What the symbols stand for.
    words : array of int, shape (n_possible, length)
        Symbols of each word, from 0.
    frequencies : array, shape (n_possible,)
        Of the words.
    missing : float
        Share of the words that never occur.
    symbols, length, delay : int
        Number of symbols, symbols in a word, and samples between them.
    n_words : int
        Words in the record.
    label : str
        What was analysed.
    """

    entropy: Estimate
    kind: str
    words: np.ndarray
    frequencies: np.ndarray
    missing: float
    symbols: int
    length: int
    delay: int
    n_words: int
    label: str

    def summary(self) -> str:
        """The entropy, its settings and the share of missing words."""
        return (
            f"{self.kind} entropy ({self.symbols} symbols, words of {self.length}, delay "
            f"{self.delay}): {self.entropy}; {self.missing:.0%} of words never occur"
        )

    def plot(self, ax: Any = None) -> Any:
        """Frequencies of the words."""
        from takens import plot

        ax = plot.axes(ax)
        ax.bar(np.arange(len(self.frequencies)), self.frequencies, width=1.0)
        plot.labels(ax, xlabel="word", ylabel="frequency", title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Words and their frequencies."""
        import xarray as xr

        return xr.Dataset(
            {
                "frequency": ("word", self.frequencies),
                "symbols": (("word", "position"), self.words),
            },
            attrs={"entropy": self.entropy.value, "missing": self.missing, "kind": self.kind},
        )


def _answer(
    view: Observable,
    kind: str,
    symbols: np.ndarray,
    clock: np.ndarray,
    n_symbols: int,
    delay: int,
    level: float,
    throw: bool,
) -> WordEntropy:
    """Count words, given the symbols of each, shape (n, length)."""
    length = symbols.shape[1]
    n_possible = n_symbols**length
    status = Status.OK if len(symbols) >= 5 * n_possible else Status.TOO_SHORT
    require(status, throw=throw)
    weights = n_symbols ** np.arange(length)[::-1]
    words = np.arange(n_possible)[:, None] // weights % n_symbols
    estimate, share = Estimate(value=np.nan, level=level), np.full(n_possible, np.nan)
    if status is Status.OK:
        estimate, share = entropy_of_counts(symbols @ weights, clock, n_possible, level=level)
    cautions = list(view.findings)
    if view.missing > 0:
        cautions.append(
            Finding(
                "words-with-gaps",
                f"{view.missing:.1%} of the samples are missing; words that hold one were left out, "
                f"{len(symbols)} remain.",
                "If samples are missing because of their value, the entropy is that of the rest.",
                "note",
            )
        )
    return WordEntropy(
        entropy=estimate,
        kind=kind,
        words=words,
        frequencies=share,
        missing=float(np.mean(share == 0)) if status is Status.OK else float("nan"),
        symbols=n_symbols,
        length=length,
        delay=delay,
        n_words=len(symbols),
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={"kind": kind, "delay": delay, "n_samples": view.n_samples},
    )


def _check(n_symbols: int, length: int, shortest: int, delay: int) -> None:
    if length < shortest or delay < 1:
        raise InvalidInput(
            f"length = {length}, delay = {delay}; expected at least {shortest} values and a positive "
            "delay in samples."
        )
    if n_symbols**length > _MOST_WORDS:
        raise InvalidInput(
            f"{n_symbols} symbols in words of {length} make {n_symbols**length} words; no record "
            f"fills more than {_MOST_WORDS}. Lower one of them."
        )


@checked
def dispersion_entropy(
    data: Any,
    *,
    classes: int = 5,
    length: int = 3,
    delay: int = 1,
    level: float = 0.9,
    throw: bool = True,
) -> WordEntropy:
    r"""Dispersion entropy: entropy of words whose symbols are classes of amplitude.

    The normal distribution function of the record's mean and deviation maps each value into (0, 1),
    which is cut into `classes` equal parts; :math:`-\sum_w p(w) \ln p(w) / (m \ln c)`.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used.
    classes, length, delay : int
        Classes of amplitude c, symbols in a word m, and samples between them.
    level : float
        Nominal coverage of the interval, from the influence of each word, over 20 blocks.
    throw : bool
        Raise where the record is too short; else the value is NaN.

    Returns
    -------
    WordEntropy
        With ``kind`` "dispersion".

    Raises
    ------
    InvalidInput
        If a setting is out of range or defines more than 100,000 words.
    NumericalFailure
        If there are fewer than five words for each possible one, and `throw`.

    Notes
    -----
    Words with a missing value are left out. Independent Gaussian noise has 1; other distributions
    less, whatever their order in time: the entropy mixes distribution and dynamics. Cost: O(N m).

    References
    ----------
    Rostaghi and Azami (2016), IEEE Signal Process. Lett. 23, 610.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=4000)
    >>> bool(dispersion_entropy(noise).entropy.value > 0.99)
    True
    """
    from scipy.special import ndtr

    if classes < 2:
        raise InvalidInput(f"classes = {classes}; expected 2 or more.")
    _check(classes, length, 1, delay)
    view = observable(data)
    columns, spread = first_component(view)
    windows, clock = templates_of(columns, length, delay)
    mean = float(np.nanmean(np.concatenate(columns)))
    share = ndtr((windows - mean) / max(spread, 1e-300))
    symbols = np.clip((share * classes).astype(np.int64), 0, classes - 1)
    return _answer(view, "dispersion", symbols, clock, classes, delay, level, throw)


@checked
def slope_entropy(
    data: Any,
    *,
    length: int = 4,
    delay: int = 1,
    steep: float = 1.0,
    flat: float = 1e-3,
    level: float = 0.9,
    throw: bool = True,
) -> WordEntropy:
    r"""Slope entropy: entropy of words whose symbols are classes of successive differences.

    A difference is steep or gentle, up or down, or flat: five symbols, :math:`m - 1` of them in a
    word of `length` m; :math:`-\sum_w p(w) \ln p(w) / ((m - 1) \ln 5)`.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used.
    length, delay : int
        Values from which a word is made, and samples between them.
    steep, flat : float
        Differences above `steep`, and within `flat`, in standard deviations of the record.
    level : float
        Nominal coverage of the interval, from the influence of each word, over 20 blocks.
    throw : bool
        Raise where the record is too short; else the value is NaN.

    Returns
    -------
    WordEntropy
        With ``kind`` "slope"; symbols 0 to 4 from steeply down to steeply up.

    Raises
    ------
    InvalidInput
        If a setting is out of range or defines more than 100,000 words.
    NumericalFailure
        If there are fewer than five words for each possible one, and `throw`.

    Notes
    -----
    Frequencies here are relative to all words, and the entropy to its largest possible value; the
    original divides counts by the number of different words, which is no distribution. Equal values
    are flat, so ties do no harm. Words with a missing value are left out. Densely sampled records
    are never steep: choose `delay` or `steep` by the sampling. Cost: O(N m).

    References
    ----------
    Cuesta-Frau (2019), Entropy 21, 1167.

    Examples
    --------
    >>> import numpy as np
    >>> saw = np.tile([0.0, 1.0, 2.0, 3.0], 2000)
    >>> noise = np.random.default_rng(0).normal(size=8000)
    >>> slope_entropy(noise).entropy.value > 2 * slope_entropy(saw).entropy.value
    True
    """
    if not 0 <= flat < steep:
        raise InvalidInput(f"flat = {flat}, steep = {steep}; expected 0 <= flat < steep.")
    _check(5, length - 1, 1, delay)
    view = observable(data)
    columns, spread = first_component(view)
    windows, clock = templates_of(columns, length, delay)
    slopes = np.diff(windows, axis=1) / max(spread, 1e-300)
    size = (np.abs(slopes) > flat).astype(np.int64) + (np.abs(slopes) > steep)
    symbols = 2 + np.sign(slopes).astype(np.int64) * size
    return _answer(view, "slope", symbols, clock, 5, delay, level, throw)
