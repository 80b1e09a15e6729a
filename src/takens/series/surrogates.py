"""Surrogate data: what a statistic would be if a stated null hypothesis were true."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, require
from takens.series.observable import observable

if TYPE_CHECKING:
    import xarray as xr

Null = Literal["iaaft", "phase", "shuffle"]
Alternative = Literal["less", "greater", "two-sided"]

_MIN_SAMPLES = 50
_VALUES_AT_ONCE = 40_000  # numbers of surrogates made side by side; they stay in the cache

NULL_TEXT = {
    "iaaft": "a stationary linear Gaussian process seen through a monotonic measurement",
    "phase": "a stationary linear Gaussian process",
    "shuffle": "independent, identically distributed noise",
}


def matched_ends(x: np.ndarray, *, max_trim: float = 0.1) -> tuple[int, int]:
    """Start and stop of the stretch whose ends fit best in value and slope.

    The Fourier transform treats the record as periodic; a jump from the end to the start would
    leak over all frequencies and make every surrogate rougher than the data.
    """
    n = len(x)
    trim = max(1, int(max_trim * n / 2))
    heads, tails = np.arange(trim), n - 1 - np.arange(trim)
    spread = max(float(x.std()), 1e-300)
    jump = (x[heads][:, None] - x[tails][None, :]) / spread
    slope = np.gradient(x)
    kink = (slope[heads][:, None] - slope[tails][None, :]) / max(float(slope.std()), 1e-300)
    i, j = np.unravel_index(int(np.argmin(jump**2 + kink**2)), jump.shape)
    start, stop = int(heads[i]), int(tails[j])  # the tail repeats the head, so it is left out
    return start, start + _fast_length(stop - start)


def _fast_length(n: int) -> int:
    """Largest length up to `n` without prime factors above 5, on which transforms are fast."""
    best, two = 1, 1
    while two <= n:
        three = two
        while three <= n:
            five = three
            while five <= n:
                best = max(best, five)
                five *= 5
            three *= 3
        two *= 2
    return best


def iaaft(
    x: np.ndarray,
    n_surrogates: int,
    rng: np.random.Generator,
    *,
    max_steps: int = 100,
    tolerance: float = 1e-2,
) -> np.ndarray:
    """Iterative amplitude-adjusted Fourier surrogates: the data's spectrum and exact values.

    Alternates between imposing the Fourier amplitudes of `x` and its sorted values until one
    more step lowers the squared error of the spectrum by less than the share `tolerance`, or
    `max_steps`. With several columns the *same* phases are added to every column, so that
    cross-spectra are kept as well.

    Parameters
    ----------
    x : array, shape (time,) or (time, dim)
    n_surrogates : int
    rng : numpy.random.Generator

    Returns
    -------
    array, shape (n_surrogates, *x.shape)
        Ends on the step that imposes the values, so the distribution is exact and the spectrum
        nearly so.

    Notes
    -----
    Cost: O(n_surrogates * steps * N log N), memory of a few surrogates beyond the result.

    References
    ----------
    Schreiber and Schmitz (1996), Phys. Rev. Lett. 77, 635; multivariate form: Schreiber and Schmitz
    (2000), Physica D 142, 346, section 4.3.
    """
    from scipy import fft

    rows = np.ascontiguousarray(x[None] if x.ndim == 1 else x.T)
    dim, n = rows.shape
    spectrum = fft.rfft(rows)
    amplitude = np.abs(spectrum)
    direction = spectrum / np.maximum(amplitude, 1e-300)
    ranked = np.sort(rows)
    made = np.stack([rows[:, rng.permutation(n)] for _ in range(n_surrogates)])
    at_once = max(1, _VALUES_AT_ONCE // (n * dim))
    for start in range(0, n_surrogates, at_once):
        pending = np.arange(start, min(start + at_once, n_surrogates))
        last = np.full(len(pending), np.inf)
        for _ in range(max_steps):
            shape = fft.rfft(made[pending])
            size = np.abs(shape)
            gap = np.sum((size - amplitude) ** 2, axis=(1, 2))
            turn = shape / np.maximum(size, 1e-300)
            if dim > 1:  # one rotation per frequency keeps the phase differences between columns
                turn = np.sum(turn * direction.conj(), axis=1, keepdims=True)
                turn = direction * turn / np.maximum(np.abs(turn), 1e-300)
            order = np.argsort(fft.irfft(amplitude * turn, n))
            new = np.empty(order.shape)
            np.put_along_axis(new, order, np.broadcast_to(ranked, order.shape), axis=2)
            made[pending] = new
            going = gap <= (1 - tolerance) * last
            pending, last = pending[going], gap[going]
            if not pending.size:
                break
    return made.transpose(0, 2, 1).reshape(n_surrogates, *x.shape)


def phase_randomised(x: np.ndarray, n_surrogates: int, rng: np.random.Generator) -> np.ndarray:
    """Fourier surrogates with independent uniform phases: the exact spectrum, Gaussian values."""
    from scipy import fft

    spectrum = fft.rfft(x, axis=0)
    shape = (n_surrogates, len(spectrum)) + (1,) * (x.ndim - 1)
    turn = np.exp(2j * np.pi * rng.uniform(size=shape))
    turn[:, 0] = 1
    if len(x) % 2 == 0:
        turn[:, -1] = np.where(rng.uniform(size=turn[:, -1].shape) < 0.5, 1, -1)
    return np.asarray(fft.irfft(spectrum * turn, len(x), axis=1))


def make_surrogates(x: np.ndarray, null: Null, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` surrogates of `x` under `null`, shape (n, *x.shape)."""
    if null == "iaaft":
        return iaaft(x, n, rng)
    if null == "phase":
        return phase_randomised(x, n, rng)
    if null == "shuffle":
        return np.stack([x[rng.permutation(len(x))] for _ in range(n)])
    raise InvalidInput(f"null = {null!r}; expected one of {', '.join(NULL_TEXT)}.")


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

    def summary(self) -> str:
        """One line: statistic, value, the null's range, p-value."""
        if not np.isfinite(self.p_value):
            return f"{self.statistic}: no answer ({self.status.value or 'statistic undefined'})"
        low, high = np.quantile(self.surrogates, [0.05, 0.95])
        return (
            f"{self.statistic}: {self.observed:.4g}, null {self.null} 5-95 %: {low:.4g} to "
            f"{high:.4g}, p = {self.p_value:.3g} ({len(self.surrogates)} surrogates)"
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
        return xr.Dataset(
            {"value": ("surrogate", self.surrogates)},
            attrs={"statistic": self.statistic, "null": self.null, **numbers},
        )


def surrogate_test(
    data: Any,
    statistic: Callable[[np.ndarray], float],
    *,
    null: Null = "iaaft",
    alternative: Alternative = "two-sided",
    n_surrogates: int = 39,
    max_samples: int = 4096,
    name: str = "",
    seed: int = 0,
    throw: bool = True,
) -> SurrogateTest:
    """Test `statistic` against a null hypothesis by surrogate data.

    The longest gap-free stretch is trimmed so that its ends match (`matched_ends`), surrogates are
    drawn, and the rank of the observed value among them gives an exact p-value.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
    statistic : callable
        Maps an array of shape (time,) or, for several components, (time, dim) to a float.
    null : {"iaaft", "phase", "shuffle"}
        Stationary linear Gaussian seen through a monotonic function; the same without the
        function; independent noise.
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
    linear process is rejected as well. Cost: `n_surrogates` IAAFT runs of O(100 N log N) at most.

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
        data, chosen, null=null, n_surrogates=n_surrogates, max_samples=max_samples, seed=seed
    )
    require(result.status, throw=throw)
    return result


def surrogate_tests(
    data: Any,
    statistics: Mapping[str, tuple[Callable[[np.ndarray], float], Alternative]],
    *,
    null: Null = "iaaft",
    n_surrogates: int = 39,
    max_samples: int = 4096,
    seed: int = 0,
) -> tuple[SurrogateTest, ...]:
    """Several statistics on the same surrogates, as `surrogate_test` does for one.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
    statistics : mapping of name to (callable, alternative)
    null, n_surrogates, max_samples, seed
        As in `surrogate_test`.

    Returns
    -------
    tuple of SurrogateTest
        One for each statistic; NaN with a status where there is no answer. The p-values are not
        corrected for the number of statistics.

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
    if null not in NULL_TEXT:
        raise InvalidInput(f"null = {null!r}; expected one of {', '.join(NULL_TEXT)}.")
    view = observable(data)
    whole = max(view.series, key=len)
    x = whole[: max_samples + max_samples // 10]
    cautions: list[Finding] = []
    if len(x) < len(whole):
        cautions.append(
            Finding(
                "surrogates-on-a-part",
                f"Surrogate tests used the first {len(x)} of {len(whole)} samples of the stretch.",
                "Raise `max_samples` to use more.",
                "note",
            )
        )
    made: Any = ()
    if len(x) >= _MIN_SAMPLES:
        start, stop = matched_ends(x[:, 0])
        x = x[start:stop] if x.shape[1] > 1 else x[start:stop, 0]
        made = make_surrogates(x, null, n_surrogates, np.random.default_rng(seed))
    results = []
    for label, (statistic, alternative) in statistics.items():
        observed, drawn = float("nan"), np.full(n_surrogates, np.nan)
        status = Status.TOO_SHORT
        if len(made):
            observed = float(statistic(x))
            drawn = np.array([float(statistic(s)) for s in made])
            answered = np.isfinite(observed) and np.isfinite(drawn).any()
            status = Status.OK if answered else Status.NOT_APPLICABLE
        middle = float(np.nanmedian(drawn)) if np.isfinite(drawn).any() else 0.0
        results.append(
            SurrogateTest(
                statistic=label,
                null=null,
                null_text=NULL_TEXT[null],
                alternative=alternative,
                observed=observed,
                surrogates=drawn,
                p_value=monte_carlo_p(observed, drawn, alternative),
                ratio=observed / middle if middle else float("nan"),
                n_samples=len(x),
                status=status,
                cautions=tuple(cautions),
                provenance={"seed": seed, "n_surrogates": n_surrogates, "label": view.label},
            )
        )
    return tuple(results)
