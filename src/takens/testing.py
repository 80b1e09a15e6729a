"""What every system, estimator and result promises; yours can be checked too."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
from typing import Any

import numpy as np

from takens.core import AbstractEstimator, AbstractResult, Estimate, Fit, Status


def _expect(true: Any, message: str) -> None:
    """An assertion that survives ``python -O``."""
    if not bool(true):
        raise AssertionError(message)


def check_system(
    system: Any, x0: Any, *, dt: float = 1.0, rtol: float = 1e-4, kinks: bool = False
) -> None:
    """Check what every system promises, at one state.

    Shapes and float64; purity; the same numbers under ``jit`` and ``vmap``; a tangent map that
    agrees with finite differences; frozen fields, no Python float among them; NaN in, NaN out.

    Parameters
    ----------
    system : AbstractSystem
        Deterministic: a map or a flow.
    x0 : array, shape (dim,)
        A state where it is smooth.
    dt : float
        Duration over which a flow is checked, in its time units.
    rtol : float
        Relative agreement demanded of the tangent map.
    kinks : bool
        Declares the map piecewise, so that its derivative is taken on the same piece only.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from takens.learn import DMD
    >>> model = DMD().fit(np.cos(np.arange(50.0))).model
    >>> check_system(model, np.array([0.3]))
    """
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    name = type(system).__name__
    for field in dataclasses.fields(system):
        value = getattr(system, field.name)
        fixed = field.metadata.get("static", False)
        _expect(
            fixed or not isinstance(value, (float, int, complex)),
            f"{name}.{field.name} is a Python number; declare it with `parameter()`.",
        )
    evolve, n = system.as_map(dt), jnp.zeros(())
    x = jnp.asarray(x0, dtype=float)
    y = evolve.step(n, x)
    _expect(x.shape == (len(system.names),), f"{name} has {len(system.names)} names for {x.shape}.")
    _expect(y.shape == x.shape, f"{name}.step maps shape {x.shape} to {y.shape}.")
    _expect(y.dtype == jnp.float64, f"{name}.step returns {y.dtype}; expected float64.")
    _expect(np.array_equal(y, evolve.step(n, x), equal_nan=True), f"{name}.step is not pure.")
    compiled = eqx.filter_jit(lambda m, s: m.step(n, s))(evolve, x)
    np.testing.assert_allclose(compiled, y, rtol=1e-10, atol=1e-12, err_msg=f"{name} under jit")
    many = jax.vmap(evolve.step, (None, 0))(n, x[None])[0]
    np.testing.assert_allclose(many, y, rtol=1e-10, atol=1e-12, err_msg=f"{name} under vmap")
    nudge = 1e-9 if kinks else 1e-6
    steps = nudge * jnp.eye(x.size)
    moved = jax.vmap(evolve.step, (None, 0))(n, jnp.concatenate([x + steps, x - steps]))
    numeric = ((moved[: x.size] - moved[x.size :]) / (2 * nudge)).T
    tangent = jax.jacfwd(evolve.step, argnums=1)(n, x)
    slack = 1e-5 if kinks else 1e-6
    np.testing.assert_allclose(tangent, numeric, rtol=rtol, atol=slack, err_msg=f"{name} tangent")
    poisoned = evolve.step(n, jnp.full(x.shape, jnp.nan))
    _expect(np.isnan(poisoned).any(), f"{name} turns a NaN state into numbers.")
    _frozen(system, "names", name)


def check_diffusion(system: Any, x0: Any) -> None:
    """Check what every diffusion promises, at one state.

    Shapes and float64 of drift and noise; the same numbers under ``jit``; a finite path that one
    key repeats and another changes; NaN in, NaN out; a refusal of questions for deterministic
    systems.

    Parameters
    ----------
    system : AbstractDiffusion
    x0 : array, shape (dim,)
        A state where the noise is not zero.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from takens.systems import OrnsteinUhlenbeck
    >>> check_diffusion(OrnsteinUhlenbeck(), np.array([0.3]))
    """
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from takens.core import WrongKind

    name, t, dim = type(system).__name__, jnp.zeros(()), system.dim
    x = jnp.asarray(x0, dtype=float)
    drift, noise = system.drift(t, x), system.diffusion(t, x)
    _expect(drift.shape == (dim,), f"{name}.drift has shape {drift.shape}; expected ({dim},).")
    _expect(noise.ndim == 2 and noise.shape[0] == dim, f"{name}.diffusion has {noise.shape}.")
    _expect(drift.dtype == noise.dtype == jnp.float64, f"{name} is not in float64.")
    compiled = eqx.filter_jit(lambda m, s: m.drift(t, s))(system, x)
    np.testing.assert_allclose(compiled, drift, rtol=1e-10, atol=1e-12, err_msg=f"{name} under jit")

    def path(state: Any, seed: int) -> Any:
        key = jax.random.key(seed)
        return system.integrator.advance(system, t, 0.01, state, None, key, 1)

    first = path(x, 0)
    _expect(np.isfinite(first).all(), f"{name}: a step from {x0} is not finite.")
    _expect(np.array_equal(first, path(x, 0)), f"{name}: one key gives two paths.")
    _expect(not np.array_equal(first, path(x, 1)), f"{name}: two keys give one path.")
    poisoned = path(jnp.full(x.shape, jnp.nan), 0)
    _expect(np.isnan(poisoned).any(), f"{name} turns a NaN state into numbers.")
    _frozen(system, "names", name)
    try:
        system.as_map()
    except WrongKind:
        return
    raise AssertionError(f"{name}.as_map must refuse: a diffusion has no map of states.")


def check_estimator(estimator: Any, data: Any) -> None:
    """Check what every estimator promises, on one data set.

    Frozen settings; a pure `fit` that returns a `Fit` with a system, repeats itself for one seed,
    and leaves the data as they were.

    Parameters
    ----------
    estimator : AbstractEstimator
    data : array, shape (time, dim), Trajectory or Recording
        Which it can learn from.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from takens.learn import DMD
    >>> check_estimator(DMD(), np.cos(np.arange(50.0)))
    """
    import jax

    from takens.core.system import AbstractSystem

    name = type(estimator).__name__
    _expect(isinstance(estimator, AbstractEstimator), f"{name} is no AbstractEstimator.")
    _expect(dataclasses.is_dataclass(estimator), f"{name} is not a frozen dataclass.")
    for field in dataclasses.fields(estimator):
        _frozen(estimator, field.name, name)
    before = dataclasses.asdict(estimator)
    copy = np.array(data) if isinstance(data, np.ndarray) else None
    first, second = estimator.fit(data, seed=3), estimator.fit(data, seed=3)
    _expect(isinstance(first, Fit), f"{name}.fit returns {type(first).__name__}; expected Fit.")
    _expect(isinstance(first.model, AbstractSystem), f"{name} learns no system.")
    _expect(isinstance(first.status, Status), f"{name}.fit has no Status.")
    _expect(before == dataclasses.asdict(estimator), f"{name}.fit changes its own settings.")
    if copy is not None:
        _expect(np.array_equal(copy, data, equal_nan=True), f"{name}.fit changes the data.")
    one, two = jax.tree.leaves(first.model), jax.tree.leaves(second.model)
    same = len(one) == len(two) and all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    _expect(same, f"{name}.fit gives another model for the same seed.")
    residuals = first.diagnostics.get("residuals")
    if residuals is not None:
        _expect(np.isfinite(residuals).all(), f"{name}.fit reports residuals that are not finite.")


def check_result(result: Any) -> None:
    """Check what every result promises.

    Frozen fields; no disguise as a float; a summary; labelled arrays; JSON without NaN; axes;
    intervals that hold their value.

    Parameters
    ----------
    result : AbstractResult

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from takens.learn import DMD
    >>> from takens.validate import long_run
    >>> wave = np.cos(np.arange(64.0))
    >>> check_result(long_run(DMD().fit(wave), wave, n_steps=256))
    """
    import xarray as xr

    name = type(result).__name__
    _expect(isinstance(result, AbstractResult), f"{name} is no AbstractResult.")
    _frozen(result, "status", name)
    try:
        float(result)
    except TypeError:
        pass
    else:
        raise AssertionError(f"{name} pretends to be a float.")
    _expect(result.summary().strip(), f"{name}.summary is empty.")
    _expect(isinstance(result.to_xarray(), xr.Dataset), f"{name}.to_xarray is no Dataset.")
    json.dumps(result.to_dict(), allow_nan=False)
    drawn = result.plot()
    _expect(hasattr(np.ravel(drawn)[0], "figure"), f"{name}.plot returns no axes.")
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        for estimate in value if isinstance(value, tuple) else (value,):
            if isinstance(estimate, Estimate):
                _holds(estimate, f"{name}.{field.name}")


def _holds(estimate: Estimate, where: str) -> None:
    low, high = estimate.interval
    if np.isfinite([low, high, estimate.value]).all():
        slack = 1e-9 * (1 + abs(estimate.value))
        inside = low - slack <= estimate.value <= high + slack
        _expect(inside, f"{where}: {estimate.value} lies outside [{low}, {high}].")
    if np.isfinite(estimate.interval).any():
        _expect(estimate.method, f"{where} has an interval and does not say how it was obtained.")


def _frozen(thing: Any, field: str, name: str) -> None:
    try:
        setattr(thing, field, getattr(thing, field))
    except AttributeError:  # dataclasses.FrozenInstanceError is one
        return
    raise AssertionError(f"{name}.{field} can be changed; make the class frozen.")


def discovered(base: type) -> list[type]:
    """Every concrete subclass of `base` in the package, found by importing all its modules.

    Examples
    --------
    >>> from takens.core import AbstractEstimator
    >>> "DMD" in [cls.__name__ for cls in discovered(AbstractEstimator)]
    True
    """
    package = importlib.import_module("takens")  # by name: this room imports only rooms above it
    for module in pkgutil.walk_packages(package.__path__, "takens."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: set[type] = set()
    queue: list[type] = [base]
    while queue:
        children: list[type] = type.__subclasses__(queue.pop())
        for child in children:
            queue.append(child)
            if child.__module__.startswith("takens.") and not child.__name__.startswith("Abstract"):
                found.add(child)
    return sorted(found, key=lambda cls: f"{cls.__module__}.{cls.__name__}")
