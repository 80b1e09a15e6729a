"""A sparse law as a forecaster: from noisy samples to a state on its orbit, and on from there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import (
    AbstractEstimator,
    Fit,
    InvalidInput,
    Recording,
    Status,
    Trajectory,
    WrongKind,
)
from takens.data import Segments
from takens.learn.delay import AbstractDelayEstimator, residual_sample
from takens.learn.frame import fit_frame
from takens.learn.holdout import CAP, correlation_length, judged_steps
from takens.learn.host import MAX_RESIDUALS, AbstractHostMap
from takens.learn.sparse.fields import (
    AbstractAdvance,
    AbstractSupportedField,
    FlowAdvance,
    MapAdvance,
    SparseField,
)
from takens.learn.sparse.finder import AbstractFinder
from takens.learn.sparse.host_law import HostLaw
from takens.learn.sparse.sindy import SINDy
from takens.learn.terms import Terms

if TYPE_CHECKING:
    from takens.learn.sparse.sampled import SampledLaw  # noqa: F401 - named in a string below

MEMORIES = (1, 4, 16, 48)  # samples from which a start may be filtered
MOST_DOUBLINGS = 6  # of the steps between two samples
ROUNDING = 1e-3  # error of integration over one sample, in noise, that no forecast can show
N_ORIGINS = 48  # forecasts inside the training data by which the memory is chosen


def as_records(segments: Segments) -> Recording:
    """The stretches as records, for estimators that take a recording."""
    records = tuple(
        Trajectory(
            times=start + segments.dt * np.arange(len(values)),
            states=values,
            inputs=inputs,
            names=segments.names,
            units=segments.units,
            input_names=segments.input_names,
            time_unit=segments.time_unit,
        )
        for start, values, inputs in zip(
            segments.starts, segments.values, segments.inputs, strict=True
        )
    )
    return Recording(records=records)


def _until(records: Recording, segments: Segments) -> Recording:
    """The rows of `records` up to the last time in `segments`, in its columns."""
    ends = [a + segments.dt * len(v) for a, v in zip(segments.starts, segments.values, strict=True)]
    columns = [records.names.index(name) for name in segments.names]
    kept = []
    for record in records:
        rows = record.times < max(ends) - segments.dt / 2
        if rows.any():
            kept.append(
                dataclasses.replace(
                    record,
                    times=record.times[rows],
                    states=record.states[rows][:, columns],
                    inputs=None if record.inputs is None else record.inputs[rows],
                    names=segments.names,
                    units=segments.units,
                )
            )
    return Recording(records=tuple(kept))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LawForecast(AbstractDelayEstimator["SampledLaw"]):
    """Equations found by another estimator, as a model that a backtest can judge.

    Parameters
    ----------
    finder : AbstractEstimator
        Whose model is a `TermFlow` or a `TermMap` over the columns: `SINDy`, `SparseMap`; also
        `HigherOrderSINDy`, over the columns and their derivatives.
    memory : int, optional
        Samples that a start is filtered from; of 1, 4, 16 and 48 the one with the best forecasts
        of many steps inside the training data when not given.
    records : Recording, optional
        The data as they were measured, before they were brought to an even step: then the finder
        sees these, uneven times and missing values included, up to the end of what `learn` is given.

    Raises
    ------
    InvalidInput
        If `memory` is below one, or the finder refuses the data.
    WrongKind
        If the finder makes another kind of model.

    Notes
    -----
    Where the finder reports that no law is supported, the model is of NaN, and forecasts nothing.
    Inputs over a forecast are linear between samples. Cost: that of the finder, and one
    Runge-Kutta step of all orbits at once per sample.

    Examples
    --------
    >>> x = [0.3]
    >>> for _ in range(400):
    ...     x.append(3.8 * x[-1] * (1 - x[-1]))
    >>> from takens.learn import SparseMap
    >>> fit = LawForecast(finder=SparseMap()).fit(np.array(x))
    >>> fit.model.law.pruned().equations(3)
    ('x[+1] = 3.8*x - 3.8*x^2',)
    """

    finder: AbstractEstimator[Any] = SINDy()  # noqa: RUF009 - frozen settings
    memory: int | None = None
    records: Recording | None = None
    references = ("jazwinski1970stochastic",)

    def __post_init__(self) -> None:
        if self.memory is not None and self.memory < 1:
            raise InvalidInput(
                f"memory = {self.memory}; expected at least 1. Give a number of samples."
            )

    @property
    def label(self) -> str:
        """Short name."""
        return "sparse law"

    def tuned(self, segments: Segments, *, seed: int = 0) -> LawForecast:
        """Itself: terms and memory are chosen anew from every past."""
        return self

    def learn(self, segments: Segments, *, seed: int = 0) -> Fit[AbstractHostMap]:
        """Find the law, and how its orbits are best laid through the last samples."""
        data = as_records(segments) if self.records is None else _until(self.records, segments)
        found = _found(self.finder, data, seed)
        frame, _ = fit_frame(segments, len(segments.names))
        model = HostLaw(
            frame=frame,
            observed=segments.names,
            n_inputs=len(segments.input_names),
            terms=found.terms,
            coefficients=found.coefficients,
            rule=found.rule,
            dt=segments.dt,
            noise=np.maximum(found.noise**2, (1e-9 * frame.scale) ** 2),
            field=found.field,
            hidden=found.hidden,
            dynamical=found.dynamical,
            memory=self.memory or 1,
            units=segments.units,
            time_unit=segments.time_unit,
        )
        if found.status is Status.OK:
            model, residuals = _fitted_start(_refined(model, segments), segments, self.memory)
        else:
            residuals = np.zeros((1, len(segments.names)))
        rule = model.rule
        settings = {
            "memory": model.memory,
            "substeps": rule.substeps if isinstance(rule, FlowAdvance) else 1,
            "terms": [name for name, row in zip(model.terms.names, model.coefficients, strict=True)
                      if row.any()] if found.status is Status.OK else [],
        }  # fmt: skip
        return Fit(
            model=model,
            diagnostics={
                "residuals": residual_sample(residuals, seed),
                "law": found.law,
                **settings,
            },
            status=found.status,
            cautions=found.cautions,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Rule:
    """What any finder says, in NumPy."""

    terms: Terms
    coefficients: np.ndarray
    rule: AbstractAdvance
    noise: np.ndarray
    law: Any
    status: Status
    cautions: tuple[Any, ...]
    field: Callable[[Terms, np.ndarray], AbstractSupportedField] = SparseField
    hidden: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((2, 0)))
    dynamical: np.ndarray | None = None


def _found(finder: Any, data: Recording, seed: int) -> _Rule:
    """The law of `finder`, without JAX where it can do without."""
    more: dict[str, Any] = {}
    if isinstance(finder, AbstractFinder):
        given = finder.identified(data)
        law, terms, cautions = given.law, given.terms, given.cautions
        coefficients, kind, status = law.coefficients, law.kind, law.status
        below = np.zeros((1, len(terms.states) - len(law.names)))
        if given.found is not None:
            below = given.found.shot.states[:, len(law.names) :]
        if given.search is not None:
            more = {"field": given.search.field,
                    "hidden": np.stack([below.mean(axis=0), below.var(axis=0)])}  # fmt: skip
        if law.noise is not None:
            more["dynamical"] = np.array([e.value**2 for e in law.noise.dynamical])
    else:
        from takens.learn.terms import TermFlow, TermMap

        fit = finder.fit(data, seed=seed)
        model, law = fit.model, fit.diagnostics.get("law")
        plain = isinstance(model, TermFlow) and not model.velocities
        if not (plain or (isinstance(model, TermMap) and not model.terms.delays)):
            raise WrongKind(
                f"{type(finder).__name__} makes a {type(model).__name__}; expected equations of "
                "terms over the columns themselves, such as those of `SINDy`."
            )
        terms, coefficients = model.terms, np.asarray(model.coefficients)
        kind, status, cautions = "flow" if plain else "map", fit.status, fit.cautions
    if status is Status.OK:
        used = (coefficients != 0).any(axis=1)
        used[0] |= not used.any()
        terms, coefficients = terms.select(used), coefficients[used]
    noise = np.asarray(getattr(law, "measurement_noise", np.zeros(coefficients.shape[1])))
    return _Rule(
        terms=terms,
        coefficients=coefficients,
        rule=MapAdvance() if kind == "map" else FlowAdvance(),
        noise=np.nan_to_num(noise),
        law=law,
        status=status,
        cautions=cautions,
        **more,
    )


def _windows(segments: Segments, width: int, ahead: int, most: int) -> list[tuple[int, int]]:
    """Evenly taken places with `width` samples up to them and `ahead` after them."""
    places = [
        (index, row)
        for index, values in enumerate(segments.values)
        for row in range(width - 1, len(values) - ahead)
    ]
    if not places:
        return []
    return [places[i] for i in np.unique(np.linspace(0, len(places) - 1, most).astype(int))]


def _gathered(
    segments: Segments, places: list[tuple[int, int]], offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values and inputs at `offsets` from each place, and the places' sample numbers."""
    values = np.stack([segments.values[i][row + offsets] for i, row in places])
    inputs = np.zeros((*values.shape[:2], len(segments.input_names)))
    for at, (i, row) in enumerate(places):
        drivers = segments.inputs[i]
        if drivers is not None:
            inputs[at] = drivers[row + offsets]
    first = np.array([round(start / segments.dt) for start in segments.starts])
    return values, inputs, np.array([first[i] + row for i, row in places], dtype=float)


def _refined(model: HostLaw, segments: Segments) -> HostLaw:
    """With as many substeps as no forecast can tell from more, on states of the data."""
    if isinstance(model.rule, MapAdvance):
        return model
    longest = max(len(values) for values in segments.values)
    width = min(MEMORIES[2], longest // 2) if model.hidden.size else 1
    places = _windows(segments, width, 1, 400)
    values, inputs, n = _gathered(segments, places, np.arange(1 - width, 2))
    u = (inputs[:, -2], inputs[:, -1])
    bound = ROUNDING * np.sqrt(model.noise) + 1e-9 * model.frame.scale
    with np.errstate(all="ignore"):
        start, _ = model.filtered(values[:, -2::-1], inputs[:, -2::-1], n)
        now = model.states(n, start, u)[:, : model.width]
        for _ in range(MOST_DOUBLINGS):
            finer = model.finer(2)
            then = finer.states(n, start, u)[:, : model.width]
            if (np.abs(then - now) <= bound).all():
                break
            model, now = finer, then
    return model


def _fitted_start(
    model: HostLaw, segments: Segments, memory: int | None
) -> tuple[HostLaw, np.ndarray]:
    """With the memory of the best forecasts; errors of forecasts of one step, in coordinates."""
    longest = max(len(values) for values in segments.values)
    if memory is None:
        steps = min(judged_steps(correlation_length(segments, model.frame)), max(longest // 4, 1))
        sizes = [m for m in MEMORIES if m == 1 or m + steps <= longest // 2]
        places = _windows(segments, max(sizes), steps, N_ORIGINS)
        errors = [_many_steps(dataclasses.replace(model, memory=m), segments, places, steps)
                  for m in sizes] if places else [0.0]  # fmt: skip
        memory = sizes[int(np.argmin(errors))]
    model = dataclasses.replace(model, memory=min(memory, max(longest - 1, 1)))
    places = _windows(segments, model.memory, 1, MAX_RESIDUALS)
    if not places:
        return model, np.zeros((1, len(segments.names)))
    values, inputs, n = _gathered(segments, places, np.arange(-model.memory + 1, 2))
    state, spread = model.filtered(values[:, -2::-1], inputs[:, -2::-1], n)
    new = model.states(n, state, (inputs[:, -2], inputs[:, -1]))[:, : model.width]
    with np.errstate(all="ignore"):
        residuals = (values[:, -1] - new) / model.frame.scale
    residuals = residuals[np.isfinite(residuals).all(axis=1)]
    if not len(residuals):
        return model, np.zeros((1, len(segments.names)))
    size = np.sqrt((residuals**2).mean(axis=0))
    if model.dynamical is not None:
        parts = np.sqrt([model.noise, model.step * model.dynamical]) / model.frame.scale
        model = dataclasses.replace(model, shares=parts / np.where(size > 0, size, 1.0))
    size = np.tile(size, state.shape[1] // model.width)
    own = np.sqrt(np.einsum("oii->oi", spread).mean(axis=0)) / model.units_of_state
    share = np.minimum(np.nan_to_num(own / np.where(size > 0, size, 1.0)), 1.0)
    return dataclasses.replace(model, spread=share), residuals


def _many_steps(
    model: HostLaw, segments: Segments, places: list[tuple[int, int]], steps: int
) -> float:
    """Mean capped squared error, in variances, of forecasts of `steps` samples."""
    values, inputs, n = _gathered(segments, places, np.arange(-model.memory + 1, steps + 1))
    back = slice(model.memory - 1, None, -1)
    x0 = model.start(model.frame.encode(values[:, back]), inputs[:, back], n)
    nothing = np.zeros((1, model.width))
    drive = np.swapaxes(inputs[:, model.memory - 1 :], 0, 1)
    _, path = model.orbits(x0, n, drive, nothing, np.zeros((steps, len(x0)), dtype=int))
    truth = np.swapaxes(model.frame.encode(values[:, model.memory :]), 0, 1)
    error = np.nan_to_num((path - truth) ** 2, nan=np.inf).mean(axis=2)
    return float(np.minimum(error, CAP).mean())
