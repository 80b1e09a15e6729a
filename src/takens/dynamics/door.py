"""What every analysis checks before it computes, and the interval that all of them share."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import equinox as eqx
import numpy as np

from takens.core import Estimate, Fit, InvalidInput, TakensError, WrongKind
from takens.core.system import AbstractDiffusion, AbstractMap, AbstractSystem, TimeMap

N_NEWTON = 40  # steps of the fit of a spectral density
MOST_AT_ONCE = 5e7  # states, cells or points in memory
RIDGE = 1e-3  # keeps the fit of a spectral line finite


def a_system(system: Any) -> AbstractSystem:
    """`system`, refused with the remedy when it is something else.

    Raises
    ------
    WrongKind
        If it is no system; a `Fit` is told to pass its model.
    """
    if isinstance(system, Fit):
        raise WrongKind("A Fit was given; expected a system. Pass `fit.model`.")
    if not isinstance(system, AbstractSystem):
        raise WrongKind(
            f"{type(system).__name__} was given; expected a system: a map, a flow or a diffusion. "
            "Learn one from data with `takens.learn`, or take one from `takens.systems`."
        )
    return system


def evolution(system: Any, dt: float = 1.0) -> AbstractMap:
    """The evolution operator of a deterministic system over `dt`.

    Raises
    ------
    WrongKind
        If `system` is no system, or a diffusion.
    InvalidInput
        If a map is asked for another step than 1, or a flow for a step that is zero or not finite.
    """
    a_number(dt=dt)
    return a_system(system).as_map(dt)


def a_diffusion(system: Any) -> AbstractDiffusion:
    """`system`, refused when it is not stochastic.

    Raises
    ------
    WrongKind
        If `system` is deterministic or no system.
    """
    if not isinstance(a_system(system), AbstractDiffusion):
        raise WrongKind(
            f"{type(system).__name__} is deterministic; this question needs a diffusion. "
            "Write one with a drift and a diffusion."
        )
    return system


def numbers(value: Any, what: str) -> np.ndarray:
    """`value` as a float array, a copy; what a mask hides is NaN.

    Raises
    ------
    InvalidInput
        If it is no array of real numbers.
    """
    try:
        array: Any = np.ma.array(value, dtype=float, copy=True)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"{what} is {_short(value)}; expected real numbers. Give an array or nested lists of "
            "equal length."
        ) from None
    return np.asarray(array.filled(np.nan))


def an_input(system: Any, u: Any) -> np.ndarray | None:
    """A constant input of shape (input,) that the system listens to, or none.

    Raises
    ------
    InvalidInput
        If it has another shape, is not finite, or is ignored by the rule of the system.
    """
    if u is None:
        return None
    array = numbers(u, "u")
    if array.ndim != 1:
        raise InvalidInput(
            f"u has shape {array.shape}; expected (input,), a constant. Give one value for each "
            "input, as a list."
        )
    heard(a_system(system), _finite(array, "u"))
    return array


def heard(system: AbstractSystem, u: np.ndarray) -> None:
    """Nothing, if the rule of the system depends on its input.

    Raises
    ------
    InvalidInput
        If it does not, since an input that is accepted and ignored would mislead, or if the rule
        takes no input of that shape.
    """
    import jax
    import jax.numpy as jnp

    def rule(u: Any) -> Any:
        x, zero = jnp.zeros(system.dim), jnp.zeros(())
        if isinstance(system, AbstractMap):
            return system.step(zero, x, u)
        if isinstance(system, AbstractDiffusion):
            return system.drift(zero, x, u), system.diffusion(zero, x, u)
        return system.vector_field(zero, x, u)  # type: ignore[attr-defined]

    try:
        traced = jax.make_jaxpr(rule)(jnp.asarray(u)).jaxpr
    except (TypeError, ValueError, IndexError) as error:
        if isinstance(error, TakensError):
            raise
        raise InvalidInput(
            f"u has shape {np.shape(u)}, which does not fit the rule of {type(system).__name__} "
            f"({_short(str(error))}). Give one value for each input that it takes."
        ) from None
    used = [v for equation in traced.eqns for v in equation.invars] + list(traced.outvars)
    if not any(v is traced.invars[0] for v in used):
        raise InvalidInput(
            f"An input was given, and {type(system).__name__} takes none. Leave it out, or use a "
            "system whose rule depends on u."
        )


def an_event(event: Any, dim: int) -> None:
    """Whether an event function of time and a state of this many components is one number.

    Raises
    ------
    InvalidInput
        If it has another shape.
    """
    import jax
    import jax.numpy as jnp

    shape = jax.eval_shape(event, jnp.zeros(()), jnp.zeros(dim)).shape
    if shape != ():
        raise InvalidInput(f"event(t, x) has shape {shape}; expected one number, shape ().")


def a_number(**given: Any) -> None:
    """Real numbers, infinite ones included; no text, no array, no NaN.

    Raises
    ------
    InvalidInput
        If one is something else.
    """
    for name, value in given.items():
        single = np.ndim(value) == 0 and isinstance(np.asarray(value).item(), (int, float))
        if not single or np.isnan(value):
            raise InvalidInput(f"{name} = {_short(value)}; expected a number. Give a single one.")


def state(system: AbstractSystem, x0: Any, what: str = "x0") -> np.ndarray:
    """`x0` as an array of shape (dim,), a copy.

    Raises
    ------
    InvalidInput
        If the shape is another, or a value is not finite.
    """
    x = numbers(x0, what)
    if x.shape != (system.dim,):
        raise InvalidInput(
            f"{what} has shape {x.shape}; {type(system).__name__} has states of shape "
            f"({system.dim},): {_few(system.names)}. Give one value for each."
        )
    return _finite(x, what)


def states(system: AbstractSystem, x0: Any, what: str = "x0") -> np.ndarray:
    """`x0` as an array of shape (sample, dim), a copy.

    Raises
    ------
    InvalidInput
        If the shape is another, there is no sample, or a value is not finite.
    """
    x = numbers(x0, what)
    if x.ndim != 2 or x.shape[1] != system.dim or len(x) == 0:
        raise InvalidInput(
            f"{what} has shape {x.shape}; expected (sample, {system.dim}), one state of "
            f"{type(system).__name__} a row. Give at least one row."
        )
    return _finite(x, what)


def sweep_values(system: AbstractSystem, parameter: str, values: Any) -> np.ndarray:
    """`values` as a finite array of shape (value,) or (value, ...) for an array field.

    A derived system, such as a Poincaré map, has the parameters of the system inside it too.

    Raises
    ------
    InvalidInput
        If the system has no such parameter, or the values do not fit it.
    """
    if not isinstance(parameter, str):
        raise InvalidInput(
            f"parameter = {parameter!r}; expected the name of a field. Give a string."
        )
    path = _path(system, parameter)
    holder = functools.reduce(getattr, path or (), system)
    holder.with_parameters(**{parameter: getattr(holder, parameter, None)})  # refuses other names
    array = numbers(values, "values")
    field = np.shape(getattr(holder, parameter))
    if array.ndim == 0 or array.shape[1:] != field or len(array) == 0:
        raise InvalidInput(
            f"values has shape {array.shape}; expected (value, *{field}): one {parameter} a row."
        )
    return _finite(array, "values")


def sweep_starts(system: AbstractSystem, x0: Any, count: int) -> np.ndarray:
    """Starts of a sweep, shape (count, dim): one state for all values, or one for each.

    Raises
    ------
    InvalidInput
        If `x0` is neither.
    """
    start = numbers(x0, "x0")
    if start.ndim == 1:
        return np.tile(state(system, start), (count, 1))
    start = states(system, start)
    if len(start) != count:
        raise InvalidInput(
            f"{len(start)} starts were given for {count} values. Give one for each, or a "
            f"single state of shape ({system.dim},) for all."
        )
    return start


def vary(evolution: AbstractMap, parameter: str, value: Any) -> AbstractMap:
    """The evolution operator of the system with another, possibly traced, parameter value."""
    path = _path(evolution, parameter)
    if not path:
        return evolution.with_parameters(**{parameter: value})

    def holder(tree: Any) -> Any:
        return functools.reduce(getattr, path, tree)

    changed = holder(evolution).with_parameters(**{parameter: value})
    return eqx.tree_at(holder, evolution, changed)


def _path(system: AbstractSystem, parameter: str) -> tuple[str, ...] | None:
    """The fields that lead to the system which has this parameter: the outermost one."""
    if not isinstance(system, TimeMap) and eqx.is_array(getattr(system, parameter, None)):
        return ()  # the step of a `TimeMap` is a setting of the question
    for field in dataclasses.fields(system):
        inner = getattr(system, field.name)
        path = _path(inner, parameter) if isinstance(inner, AbstractSystem) else None
        if path is not None:
            return (field.name, *path)
    return None


def counts(**given: int) -> None:
    """Whole numbers, each at least its rule: names starting with ``n_`` from 1, others from 0.

    Raises
    ------
    InvalidInput
        If one is not a whole number or is too small.
    """
    for name, value in given.items():
        least = 0 if name in ("n_transient", "seed") else 1
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or value < least:
            raise InvalidInput(f"{name} = {value!r}; expected a whole number from {least} on.")
        if name == "seed" and value >= 2**63:
            raise InvalidInput(f"seed = {value}; expected one of 63 bits. Give a smaller number.")


def affordable(number: int, what: str) -> None:
    """Nothing, if so many numbers fit in memory; `what` they are and the remedy, two sentences.

    Raises
    ------
    InvalidInput
        If there are more than 50 million.
    """
    if number > MOST_AT_ONCE:
        raise InvalidInput(
            f"{float(number):.3g} {what} At most {MOST_AT_ONCE:.0e} are held at once."
        )


def fraction(**given: float) -> None:
    """Numbers strictly between zero and one.

    Raises
    ------
    InvalidInput
        If one is not.
    """
    for name, value in given.items():
        a_number(**{name: value})
        if not 0 < value < 1:
            raise InvalidInput(f"{name} = {value!r}; expected a number between 0 and 1.")


def mean_error(blocks: np.ndarray) -> tuple[np.ndarray, float]:
    r"""Standard error of the mean of consecutive blocks, shape (block, ...), and its freedom.

    The variance of a mean is the spectral density at frequency zero, :math:`S(0)`, over the number
    of blocks. A quadratic :math:`\ln S(f)` is fitted to the 30 lowest frequencies of the
    periodogram, whose ordinates are exponential with mean :math:`S(f)`, and read off at zero. So
    what the ends of a block contribute, which cancels along the orbit and vanishes towards
    frequency zero, widens the interval little, and memory of many blocks widens it as it should.
    The freedom is that of the :math:`\chi^2` whose logarithm varies as the fitted one does. Below
    120 blocks a line over 20 frequencies is fitted, below 80 a constant over 10; below 40 the plain
    spread is taken. NaN from a single block, and where a block is not finite.

    References
    ----------
    Heidelberger and Welch, Communications of the ACM 24, 233 (1981), with least squares replaced by
    the likelihood.
    """
    count = len(blocks)
    known = np.isfinite(blocks).all(axis=0) & (count > 1)
    fine = np.where(known, blocks, 0.0)
    if count < 40:
        error = np.sqrt(fine.var(axis=0, ddof=min(1, count - 1)) / count)
        return np.where(known, error, np.nan), float(max(count - 1, 1))
    degree = min(2, count // 40 - 1)
    n_lowest = 10 * (degree + 1)
    periodogram = np.abs(np.fft.rfft(fine, axis=0)[1 : n_lowest + 1]) ** 2 / count
    density, spread = _at_zero(periodogram.reshape(n_lowest, -1), degree)
    error = np.sqrt(density.reshape(fine.shape[1:]) / count)
    return np.where(known, error, np.nan), _freedom(spread)


def _at_zero(periodogram: np.ndarray, degree: int) -> tuple[np.ndarray, float]:
    """Of each column, the mean at frequency zero, and the variance of its logarithm."""
    n_lowest = len(periodogram)
    powers = (np.arange(1.0, n_lowest + 1)[:, None] / n_lowest) ** np.arange(degree + 1)
    basis, triangle = np.linalg.qr(powers)
    weights = np.linalg.solve(triangle.T, np.eye(degree + 1)[0])  # of the intercept
    scale = periodogram.mean(axis=0)
    y = periodogram / np.where(scale > 0, scale, 1.0)
    fit = np.zeros((y.shape[1], degree + 1))
    for _ in range(N_NEWTON):  # of a convex function; bounded, since its curvature can be small
        ratio = y.T * np.exp(-fit @ basis.T)
        curvature = np.einsum("cj,ji,jk->cik", ratio, basis, basis) + RIDGE * np.eye(degree + 1)
        step = np.linalg.solve(curvature, ((ratio - 1) @ basis)[..., None])[..., 0]
        fit += np.clip(step, -1.0, 1.0)
    return scale * np.exp(fit @ weights), float(weights @ weights)


@functools.cache
def _freedom(spread: float) -> float:
    """Degrees of freedom of the chi-squared variable whose logarithm has this variance."""
    from scipy.optimize import brentq
    from scipy.special import polygamma

    return float(brentq(lambda freedom: polygamma(1, freedom / 2) - spread, 0.1, 1e4))


def half_width(error: Any, freedom: float, level: float) -> Any:
    """Half the length of a t interval with standard error `error` and degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2)) * error


def block_estimate(
    blocks: np.ndarray, *, level: float = 0.9, unit: str = "", what: str = "the orbit"
) -> Estimate:
    """Mean of the means of consecutive blocks, shape (block,), with its t interval."""
    error, freedom = mean_error(blocks)
    value = float(np.mean(blocks))
    reach = half_width(float(error), freedom, level)
    return Estimate(
        value=value,
        interval=(value - reach, value + reach),
        standard_error=float(error),
        level=level,
        unit=unit,
        method=f"t interval over {len(blocks)} blocks of {what}",
    )


def describe(system: AbstractSystem) -> dict[str, Any]:
    """What a result's provenance says of a system: its class and the values of its small fields."""
    parameters = {}
    for field in dataclasses.fields(system):
        value = getattr(system, field.name)
        if eqx.is_array(value) and value.size <= 16:
            parameters[field.name] = np.asarray(value).tolist()
    return {"system": type(system).__name__, "parameters": parameters}


def _finite(x: np.ndarray, what: str) -> np.ndarray:
    if not np.isfinite(x).all():
        raise InvalidInput(f"{what} holds NaN or infinity. Give finite numbers.")
    return x


def abscissa(values: np.ndarray) -> np.ndarray:
    """The values of a sweep themselves, or their numbers when each is an array."""
    return values if values.ndim == 1 else np.arange(len(values), dtype=float)


def axis_name(parameter: str, *taken: str) -> str:
    """Name of the axis of a sweep, apart from the names that a data set already uses."""
    return f"{parameter}_value" if parameter in taken else parameter


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _few(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:6])
    return f"{shown}, ..." if len(names) > 6 else shown
