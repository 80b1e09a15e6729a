"""Surrogate tests: what a statistic would be if a stated null hypothesis were true."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, NumericalFailure, Status, require
from takens.series.nulls import AbstractNull, null_named
from takens.series.nulls.stretch import MIN_SAMPLES, prepared
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

Alternative = Literal["less", "greater", "two-sided"]
Correction = Literal["holm", "benjamini-hochberg", "none"]


def monte_carlo_p(observed: float, drawn: np.ndarray, alternative: Alternative) -> float:
    """Exact rank p-value ``(1 + #{as extreme}) / (1 + n)``; NaN if the statistic has none."""
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(observed) or not drawn.size:
        return float("nan")
    low = (1 + np.sum(drawn <= observed)) / (1 + drawn.size)
    high = (1 + np.sum(drawn >= observed)) / (1 + drawn.size)
    if alternative == "less":
        return float(low)
    return float(high) if alternative == "greater" else float(min(1.0, 2 * min(low, high)))


def adjusted_p(p_values: Sequence[float], correction: Correction) -> np.ndarray:
    """p-values corrected for their number; NaN stays and does not count.

    ``"holm"`` bounds the chance of one false rejection or more, under any dependence (Holm 1979);
    ``"benjamini-hochberg"`` bounds the expected share of false ones among the rejections, for
    independent or positively dependent tests (Benjamini and Hochberg 1995).

    Parameters
    ----------
    p_values : sequence of float
    correction : {"holm", "benjamini-hochberg", "none"}

    Raises
    ------
    InvalidInput
        If there is no such correction.
    """
    if correction not in ("holm", "benjamini-hochberg", "none"):
        raise InvalidInput(
            f"correction = {correction!r}; expected 'holm', 'benjamini-hochberg' or 'none'."
        )
    p = np.asarray(p_values, dtype=float)
    found, seen = np.full(p.shape, np.nan), np.flatnonzero(np.isfinite(p))
    order, m = seen[np.argsort(p[seen], kind="stable")], len(seen)
    if correction == "none":
        return p
    if correction == "holm":
        scaled = np.maximum.accumulate(p[order] * np.arange(m, 0, -1))
    else:
        scaled = np.minimum.accumulate((p[order] * m / np.arange(1, m + 1))[::-1])[::-1]
    found[order] = np.minimum(scaled, 1.0)
    return found


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SurrogateTest(AbstractResult):
    """A statistic of the data beside its values on surrogates.

    Parameters
    ----------
    statistic, null, null_text, alternative : str
        Which statistic, which null hypothesis in a word and in words, and the side of the test.
    observed : float
        Of the data, in the unit of the statistic.
    surrogates : array, shape (n_surrogates,)
        Of the surrogates, in the same unit.
    p_value : float
        Exact Monte Carlo p-value; cannot be smaller than ``1 / (n_surrogates + 1)``.
    ratio : float
        Observed value over the surrogates' median.
    n_samples : int
        Length of the stretch that was tested.
    adjusted_p : float
        The p-value corrected for the number of statistics tested together.
    correction : str
        How: ``"holm"``, ``"benjamini-hochberg"`` or ``"none"``.
    """

    statistic: str
    null: str
    null_text: str
    alternative: str
    observed: float
    surrogates: np.ndarray
    p_value: float
    ratio: float
    n_samples: int = 0
    adjusted_p: float = float("nan")
    correction: str = "none"

    def summary(self) -> str:
        """One line: statistic, value, the null's range, p-value."""
        if not np.isfinite(self.p_value):
            return f"{self.statistic}: no answer ({self.status.value or 'statistic undefined'})"
        low, high = np.nanquantile(self.surrogates, [0.05, 0.95])
        more = "" if self.correction == "none" else f", {self.correction}: {self.adjusted_p:.3g}"
        return (
            f"{self.statistic}: {self.observed:.4g}, null {self.null} 5-95 %: {low:.4g} to "
            f"{high:.4g}, p = {self.p_value:.3g}{more} ({len(self.surrogates)} surrogates)"
        )

    def plot(self, ax: Any = None) -> Any:
        """Histogram of the null with the data's value."""
        from takens import plot

        ax = plot.axes(ax)
        plot.histogram_with_marker(ax, self.surrogates, self.observed)
        plot.labels(ax, xlabel=self.statistic, ylabel="surrogates", title=f"p = {self.p_value:.3g}")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The surrogates' values, with the observed value and p-value as attributes."""
        import xarray as xr

        numbers = {"observed": self.observed, "p_value": self.p_value, "ratio": self.ratio}
        numbers["adjusted_p"] = self.adjusted_p
        return xr.Dataset(
            {"value": ("surrogate", self.surrogates)},
            attrs={"statistic": self.statistic, "null": self.null, **numbers},
        )


@checked
def surrogate_test(
    data: Any,
    statistic: Callable[[np.ndarray], float],
    *,
    null: str | AbstractNull = "linear",
    alternative: Alternative = "two-sided",
    n_surrogates: int = 39,
    max_samples: int = 4096,
    name: str = "",
    seed: int = 0,
    throw: bool = True,
) -> SurrogateTest:
    """Test `statistic` against a null hypothesis by surrogate data.

    The longest gap-free stretch (record, for the nulls that allow gaps) is trimmed so that its ends
    match, surrogates are drawn, and the rank of the observed value among them gives an exact
    p-value.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
    statistic : callable
        Maps an array of shape (time,) or, for several components, (time, dim) to a float. With
        ``"gapped"`` the array holds NaN at the missing places; with ``"uneven"`` it holds the
        measured values alone, always at the same times.
    null : str or AbstractNull
        A name, or an object with settings, from `takens.series.nulls`: ``"linear"`` (stationary
        linear Gaussian, seen through a monotonic function if the values ask for one; holds its size
        on short records), ``"iaaft"`` and the older ``"aaft"`` (the same, by the periodogram),
        ``"phase"`` (without the function), ``"shuffle"`` (independent noise), ``"gapped"`` and
        ``"uneven"`` (as ``"iaaft"``, with missing samples or uneven times), ``"pseudo-periodic"``
        (a noisy cycle), ``"twin"`` (another orbit of the same system), ``"truncated-fourier"``
        (fluctuations about a slow course) and ``"wavelet"`` (moving mean and variance).
    alternative : {"two-sided", "less", "greater"}
    n_surrogates : int
        At least 19; 39 allow a one-sided p of 0.025.
    max_samples : int
        Longer stretches are cut to this many samples.
    name : str
        What to call the statistic; by default the name of the callable.
    seed : int
        For drawing the surrogates.
    throw : bool
        Whether to raise where there is no answer.

    Returns
    -------
    SurrogateTest

    Raises
    ------
    InvalidInput
        If fewer than 19 surrogates or an unknown null are asked for.
    NumericalFailure
        If the stretch is shorter than 50 samples or the statistic is undefined, and `throw`.

    Notes
    -----
    A rejection says that the null is wrong, *not* which alternative is right: a nonstationary
    linear process is rejected as well. Cost: that of the null; for ``"linear"`` six fits of an
    autoregression a surrogate, O(N order).

    References
    ----------
    Theiler et al. (1992), Physica D 58, 77; Schreiber and Schmitz (2000), Physica D 142, 346.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=300)
    >>> test = surrogate_test(noise, lambda x: float(np.mean(x[1:] * x[:-1])), null="shuffle")
    >>> bool(test.p_value > 0.05)
    True
    """
    chosen = {name or getattr(statistic, "__name__", "statistic"): (statistic, alternative)}
    (result,) = surrogate_tests(
        data,
        chosen,
        null=null,
        n_surrogates=n_surrogates,
        max_samples=max_samples,
        correction="none",
        seed=seed,
    )
    require(result.status, throw=throw)
    return result


@checked
def surrogate_tests(
    data: Any,
    statistics: Mapping[str, tuple[Callable[[np.ndarray], float], Alternative]],
    *,
    null: str | AbstractNull = "linear",
    n_surrogates: int = 39,
    max_samples: int = 4096,
    correction: Correction = "holm",
    seed: int = 0,
) -> tuple[SurrogateTest, ...]:
    """Several statistics on the same surrogates, as `surrogate_test` does for one.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
    statistics : mapping of name to (callable, alternative)
    null, n_surrogates, max_samples, seed
        As in `surrogate_test`.
    correction : {"holm", "benjamini-hochberg", "none"}
        For the number of statistics; see `SurrogateTest.adjusted_p`.

    Returns
    -------
    tuple of SurrogateTest
        One for each statistic; NaN with a status where there is no answer. `p_value` is of the
        statistic alone, `adjusted_p` is corrected for the number of statistics.

    Raises
    ------
    InvalidInput
        If fewer than 19 surrogates or an unknown null are asked for.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=300)
    >>> pairs = {"mean product": (lambda x: float(np.mean(x[1:] * x[:-1])), "greater")}
    >>> len(surrogate_tests(noise, pairs, null="shuffle"))
    1
    """
    if n_surrogates < 19:
        raise InvalidInput(f"n_surrogates = {n_surrogates}; at least 19 are needed for p = 0.05.")
    label, law = null_named(null)
    adjusted_p((), correction)
    record = prepared(data, law, label, max_samples)
    x, cautions, status = record.x, list(record.cautions), Status.TOO_SHORT
    made: Any = ()
    if np.isfinite(x).sum() >= MIN_SAMPLES * (x.shape[1] if x.ndim > 1 else 1):
        try:
            rng = np.random.default_rng(seed)
            made, status = law.draw(x, n_surrogates, rng, record.times), Status.OK
        except NumericalFailure as failure:
            cautions.append(Finding("no-surrogates", str(failure), "Nothing was tested."))
            status = Status.NOT_APPLICABLE
    results = [
        _ranked(
            (x, made, status),
            (name, statistic, alternative),
            null=label,
            null_text=law.hypothesis,
            cautions=tuple(cautions),
            provenance={
                "seed": seed,
                "n_surrogates": n_surrogates,
                "label": record.label,
                **dataclasses.asdict(law),
            },
        )
        for name, (statistic, alternative) in statistics.items()
    ]
    corrected = adjusted_p([r.p_value for r in results], correction)
    return tuple(
        dataclasses.replace(r, adjusted_p=float(p), correction=correction)
        for r, p in zip(results, corrected, strict=True)
    )


def _ranked(
    drawn_from: tuple[np.ndarray, Any, Status],
    asked: tuple[str, Callable[[np.ndarray], float], Alternative],
    **about: Any,
) -> SurrogateTest:
    """One statistic of a record and of its surrogates."""
    x, made, status = drawn_from
    name, statistic, alternative = asked
    observed, drawn = float("nan"), np.full(about["provenance"]["n_surrogates"], np.nan)
    if len(made):
        observed = float(statistic(x))
        drawn = np.array([float(statistic(s)) for s in made])
        answered = np.isfinite(observed) and np.isfinite(drawn).any()
        status = Status.OK if answered else Status.NOT_APPLICABLE
    middle = float(np.nanmedian(drawn)) if np.isfinite(drawn).any() else 0.0
    return SurrogateTest(
        statistic=name,
        alternative=alternative,
        observed=observed,
        surrogates=drawn,
        p_value=monte_carlo_p(observed, drawn, alternative),
        ratio=observed / middle if middle else float("nan"),
        n_samples=len(x),
        status=status,
        **about,
    )
