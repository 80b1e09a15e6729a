"""The verdict: which kind of motion, by a fixed order of tests against stated null hypotheses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status
from takens.series.decision import Evidence, decide
from takens.series.dimension import CorrelationDimension, correlation_dimension
from takens.series.embedding import Embedding, embedding
from takens.series.entropy import PermutationEntropy, permutation_entropy
from takens.series.exponent import LargestLyapunov, largest_lyapunov
from takens.series.foresight import foresight
from takens.series.lines import Lines, fit_lines
from takens.series.local_linear import smallest_local_error
from takens.series.observable import Observable, delay_vectors, observable, time_name
from takens.series.prediction import time_asymmetry
from takens.series.settings import checked
from takens.series.spectrum import Spectrum, spectrum
from takens.series.stationarity import Stationarity, stationarity
from takens.series.sufficiency import Sufficiency, data_sufficiency
from takens.series.surrogates import SurrogateTest, surrogate_tests

if TYPE_CHECKING:
    import xarray as xr

Kind = Literal[
    "equilibrium",
    "periodic",
    "quasiperiodic",
    "chaotic",
    "stochastic-linear",
    "stochastic-nonlinear",
    "nonstationary",
    "undetermined",
]

_MIN_SAMPLES = 64
_MOST_BRIDGED = 0.15  # share of interpolated samples above which they stay missing in the tests
_REGULAR = ("periodic", "quasiperiodic")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Motion(AbstractResult):
    """Kind of motion, the reasons, and every result on which they rest.

    Parameters
    ----------
    kind : str
        One of `equilibrium`, `periodic`, `quasiperiodic`, `chaotic`, `stochastic-linear`,
        `stochastic-nonlinear`, `nonstationary`, `undetermined`.
    reasons : tuple of str
        In plain words, in the order in which the tests were made.
    would_change : tuple of str
        What more or other data could change the verdict.
    evidence : tuple of Evidence
        Each number beside its threshold.
    sufficiency, stationarity, spectrum, embedding, surrogates, exponent, dimension, entropy
        The results behind the verdict; None where the record was too short or constant.
    lines : Lines or None
        Sinusoids fitted to two thirds of the record and judged on the last third.
    line_periods : tuple of Estimate
        Periods of those sinusoids, in time units, for periodic and quasiperiodic motion.
    label : str
        What was analysed.
    """

    kind: Kind
    reasons: tuple[str, ...]
    would_change: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    sufficiency: Sufficiency | None = None
    stationarity: Stationarity | None = None
    spectrum: Spectrum | None = None
    embedding: Embedding | None = None
    surrogates: tuple[SurrogateTest, ...] = ()
    exponent: LargestLyapunov | None = None
    dimension: CorrelationDimension | None = None
    entropy: PermutationEntropy | None = None
    lines: Lines | None = None
    line_periods: tuple[Estimate, ...] = ()
    label: str = ""

    def summary(self) -> str:
        """The kind and the reasons."""
        return f"{self.kind}: " + " ".join(self.reasons)

    def plot(self, ax: Any = None) -> Any:
        """Evidence as values over their thresholds."""
        from takens import plot

        ax = plot.axes(ax)
        shown = [e for e in self.evidence if np.isfinite(e.value) and e.threshold]
        ax.barh([e.name for e in shown], [e.value / e.threshold for e in shown])
        ax.axvline(1, ls="--")
        plot.labels(ax, xlabel="value / threshold", title=self.kind)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The evidence as a table."""
        import xarray as xr

        return xr.Dataset(
            {
                "value": ("evidence", [e.value for e in self.evidence]),
                "threshold": ("evidence", [e.threshold for e in self.evidence]),
            },
            {"evidence": [e.name for e in self.evidence]},
            attrs={"kind": self.kind},
        )


def _thinned(view: Observable, chosen: Embedding) -> tuple[Observable, Embedding]:
    """Every k-th sample of an oversampled record, so that a delay is about twelve samples.

    Samples much closer than a delay carry no more information on the geometry, and would make the
    Theiler window, and with it every neighbour search, needlessly large.
    """
    stride = chosen.delay // 12
    if stride < 2 or view.n_samples // stride < 10 * _MIN_SAMPLES:
        return view, chosen
    note = Finding(
        "oversampled",
        f"The delay is {chosen.delay} samples: the record is sampled finer than its motion needs.",
        f"Every {stride}th sample was used for the state-space analyses.",
        "note",
    )
    kept = dataclasses.replace(
        view,
        series=tuple(s[::stride] for s in view.series),
        gapped=tuple(s[::stride] for s in view.gapped),
        dt=view.dt * stride,
        findings=(*view.findings, note),
    )
    return kept, embedding(kept)


def _statistics(
    chosen: Embedding,
) -> tuple[Callable[[np.ndarray], float], Callable[[np.ndarray], float]]:
    """Prediction error and time asymmetry at the scale of the embedding."""
    delay = chosen.delay
    dimension = int(np.clip(chosen.dimension, 2, 4))
    theiler = 1 if chosen.map_like else 3 * delay

    def prediction_error(x: np.ndarray) -> float:
        """Local prediction error one delay ahead, normalised."""
        columns = x[:, None] if x.ndim == 1 else x
        blocks = max(1, round(dimension / columns.shape[1])) if columns.shape[1] > 1 else dimension
        try:
            vectors = delay_vectors((columns,), blocks, delay)
        except InvalidInput:
            return float("nan")
        return smallest_local_error(vectors, lead=delay, theiler=theiler)

    def asymmetry(x: np.ndarray) -> float:
        """Skewness of increments over lags up to two delays."""
        first = x if x.ndim == 1 else x[:, 0]
        lags = tuple(sorted({1, max(1, delay // 2), delay, 2 * delay}))
        return time_asymmetry(first, lags)

    return prediction_error, asymmetry


def _settled(view: Observable) -> bool:
    """Whether the record has come to rest: its last quarter varies 100 times less."""
    x = view.longest
    if len(x) < 40:
        return False
    first, last = x[: len(x) // 4], x[-(len(x) // 4) :]
    return bool(last.std() < 0.01 * max(float(first.std()), 1e-300))


def _at_rest(view: Observable, reason: str) -> Motion:
    return Motion(
        kind="equilibrium",
        reasons=(reason,),
        label=view.label,
        cautions=view.findings,
        would_change=("A record with a stronger disturbance would show how it returns to rest.",),
    )


def _too_short(view: Observable) -> Motion:
    return Motion(
        kind="undetermined",
        label=view.label,
        cautions=view.findings,
        status=Status.TOO_SHORT,
        reasons=(
            f"The longest gap-free stretch has {len(view.longest)} samples; the tests "
            f"need {_MIN_SAMPLES} at the least.",
        ),
        would_change=("A longer record.",),
    )


def _line_periods(lines: Lines, view: Observable) -> tuple[Estimate, ...]:
    return tuple(
        Estimate(
            value=view.dt / f,
            interval=(view.dt / (f + 1.645 * e), view.dt / max(f - 1.645 * e, 1e-12)),
            level=0.9,
            unit=time_name(view.time_unit),
            method="least squares on two thirds of the record",
        )
        for f, e in zip(lines.frequencies, lines.frequency_errors, strict=True)
    )


@checked
def kind_of_motion(
    data: Any,
    *,
    seed: int = 0,
    quick: bool = False,
    level: float = 0.9,
    n_surrogates: int = 39,
    progress: Callable[[float, str], None] | None = None,
) -> Motion:
    """Kind of motion behind a record, with the null hypotheses it was tested against.

    The order of the tests is fixed: rest; spectral lines that foretell held-out data (periodic,
    quasiperiodic); determinism against IAAFT surrogates by nonlinear prediction error; a positive
    largest Lyapunov exponent *and* parting neighbours *and* forecasts that fail many turns ahead
    *and* a sufficient record (chaotic); unit root, drift and change of variance (nonstationary);
    rejection of the linear null by prediction error or time asymmetry, Holm-corrected
    (stochastic-nonlinear) or not (stochastic-linear).

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Several columns are reduced to their leading principal components.
    seed : int
        For surrogates and tangent vectors.
    quick : bool
        Fewer reference points in the exponent, no correlation dimension.
    level : float
        Nominal coverage of every interval.
    n_surrogates : int
        At least 39, so that one test of the two can reject at 5 % after correction.
    progress : callable, optional
        Called with the fraction done and what is being done.

    Returns
    -------
    Motion

    Raises
    ------
    InvalidInput
        If no evenly sampled stretch is long enough, or fewer than 39 surrogates are asked for.

    Notes
    -----
    The verdict is about the record, at its length, sampling and noise; `undetermined` is a proper
    answer. Error rates measured on simulated signals are in the documentation. Cost: a few seconds
    at 10,000 samples; bounded above that by subsampling, which the cautions state.

    References
    ----------
    Theiler et al. (1992), Physica D 58, 77; Schreiber and Schmitz (2000), Physica D 142, 346.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.empty(1000)
    >>> x[0] = 0.3
    >>> for n in range(999):
    ...     x[n + 1] = 3.9 * x[n] * (1 - x[n])
    >>> kind_of_motion(x, quick=True).kind
    'chaotic'
    """
    if n_surrogates < 39:
        raise InvalidInput(
            f"n_surrogates = {n_surrogates}; with two tests at 5 % at least 39 are needed."
        )
    tell = progress or (lambda fraction, what: None)
    view = observable(data)
    if view.constant:
        return _at_rest(view, "The record is constant.")
    if _settled(view):
        return _at_rest(
            view, "The record settles: its last quarter varies less than 1 % as much as its first."
        )
    if len(view.longest) < _MIN_SAMPLES:
        return _too_short(view)
    tell(0.0, "spectrum and stationarity")
    rhythm, steady = spectrum(view, level=level), stationarity(view, throw=False)
    tell(0.1, "state space")
    view, chosen = _thinned(view, embedding(view))
    enough = data_sufficiency(view, settings=chosen, rhythm=rhythm)
    tell(0.2, "spectral lines")
    lines = fit_lines(view.longest)
    tell(0.3, "surrogates")
    error, asymmetry = _statistics(chosen)
    # Interpolated samples that are far from the truth, or many, look like noise to a predictor.
    open_gaps = view.n_components == 1 and (view.spoilt or view.bridged > _MOST_BRIDGED)
    tests = surrogate_tests(
        view,
        {
            "prediction error": (error, "less"),
            "time asymmetry": (asymmetry, "greater"),
        },
        null="gapped" if open_gaps else "iaaft",
        n_surrogates=n_surrogates,
        seed=seed,
    )
    tell(0.6, "Lyapunov exponent")
    exponent = largest_lyapunov(
        view, settings=chosen, level=level, quick=quick, seed=seed, throw=False
    )
    tell(0.7, "forecasts far ahead")
    ahead = foresight(view, chosen, enough.samples_per_period)
    tell(0.8, "correlation dimension and entropy")
    dimension = None
    if not quick:
        dimension = correlation_dimension(view, settings=chosen, level=level, throw=False)
    entropy = permutation_entropy(view, delay=max(1, chosen.delay // 2), level=level, throw=False)
    decision = decide(
        enough=enough,
        steady=steady,
        rhythm=rhythm,
        lines=lines,
        tests=tests,
        exponent=exponent,
        ahead=ahead,
        n_samples=len(view.longest),
    )
    tell(1.0, "verdict")
    found: list[Finding] = []
    for result in (enough, chosen, steady, exponent, *tests):
        found.extend(f for f in result.cautions if f not in found)
    return Motion(
        kind=decision.kind,
        reasons=decision.reasons,
        would_change=decision.would_change,
        evidence=decision.evidence,
        sufficiency=enough,
        stationarity=steady,
        spectrum=rhythm,
        embedding=chosen,
        surrogates=tests,
        exponent=exponent,
        dimension=dimension,
        entropy=entropy,
        lines=lines,
        line_periods=_line_periods(lines, view) if decision.kind in _REGULAR else (),
        label=view.label,
        cautions=tuple(found),
        provenance={"seed": seed, "quick": quick, "n_surrogates": n_surrogates, "level": level},
    )
