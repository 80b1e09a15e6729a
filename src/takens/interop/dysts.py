"""The catalogue of chaotic systems `dysts`: right-hand sides only, made traceable."""

import dataclasses
import functools
import inspect
import types
import warnings
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core import InvalidInput, MissingDependency, WrongKind
from takens.core.integrators import AbstractIntegrator, Adaptive
from takens.core.system import AbstractFlow, AbstractMap, parameter
from takens.systems import AbstractKnown


class _Buffer:
    """An array that can be assigned to piece by piece, for rules written that way."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __setitem__(self, place: Any, piece: Any) -> None:
        self.value = self.value.at[place].set(piece)

    def __iter__(self) -> Any:
        return iter(self.value)


class _Numpy:
    """Answers to NumPy's name inside a rebound rule, with JAX's functions."""

    def __getattr__(self, name: str) -> Any:
        return getattr(jnp, name)

    @staticmethod
    def zeros_like(x: Any) -> _Buffer:
        return _Buffer(jnp.zeros_like(x))


_REBOUND = {"np": _Numpy(), "max": jnp.maximum, "min": jnp.minimum}


def _traceable(function: Any) -> Any:
    """The same code, with other functions under the names that it looks up."""
    while not isinstance(function, types.FunctionType):  # decorators of dysts and of numba
        function = function.__func__ if isinstance(function, staticmethod) else function.py_func
    names = {**function.__globals__, **_REBOUND}
    return types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )


class _Instance:
    """Stands for the `self` of a dysts system, with traced parameters."""

    def __init__(self, source: type, values: dict[str, Any]) -> None:
        for name in dir(source):
            raw = inspect.getattr_static(source, name)
            if isinstance(raw, staticmethod):
                setattr(self, name, _traceable(raw))
            elif isinstance(raw, types.FunctionType) and not name.startswith("__"):
                setattr(self, name, types.MethodType(_traceable(raw), self))
        for name, value in values.items():
            setattr(self, name, value)
        self.param_list = [values[name] for name in sorted(values)]


class AbstractDysts(AbstractKnown):
    """What systems made from dysts share; `from_dysts` makes a class for each."""

    source: eqx.AbstractClassVar[type]  # the class in dysts
    period: ClassVar[float | None] = None  # its dominant period as stored by dysts, in time units
    references: ClassVar[tuple[str, ...]] = ()
    citation: ClassVar[str] = ""  # as stored by dysts

    def __reduce__(self) -> Any:
        """Pickled by name, since the class is made when it is asked for."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return _restored, (type(self).__name__, values)


class AbstractDystsFlow(AbstractFlow, AbstractDysts):
    """A flow of dysts, with its parameters as array fields."""

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The code of dysts, on JAX arrays."""
        instance: Any = _Instance(self.source, _values(self))
        return jnp.stack([jnp.asarray(rate, dtype=float) for rate in instance.rhs(x, t)])


class AbstractDystsMap(AbstractMap, AbstractDysts):
    """A map of dysts, with its parameters as array fields."""

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The code of dysts, on JAX arrays."""
        instance: Any = _Instance(self.source, _values(self))
        image = instance._rhs(*x, *instance.param_list)
        parts = image if isinstance(image, tuple | list) else (image,)
        return jnp.stack([jnp.asarray(part, dtype=float) for part in parts])


def _values(system: Any) -> dict[str, Any]:
    return {f.name: getattr(system, f.name) for f in dataclasses.fields(system)
            if f.name != "integrator"}  # fmt: skip


def _restored(name: str, values: dict[str, Any]) -> Any:
    return _made(name)(**values)


def from_dysts(name: str, *, integrator: AbstractIntegrator | None = None) -> Any:
    """A system of the catalogue `dysts`, with its parameters as array fields.

    The right-hand side is the code of dysts itself, run on JAX arrays: it compiles, differentiates,
    and takes a sweep through `with_parameters`.

    Parameters
    ----------
    name : str
        Of a class in ``dysts.flows`` or ``dysts.maps``; `dysts_names` lists them.
    integrator : AbstractIntegrator, optional
        Of a flow; `Adaptive` if not given, since the time scales of the catalogue differ widely.

    Returns
    -------
    AbstractDystsFlow or AbstractDystsMap
        With `x0`, `dt` (the step dysts suggests), `period` (None for a map) and `citation`.

    Raises
    ------
    MissingDependency
        If dysts is not installed.
    InvalidInput
        If there is no such system.
    WrongKind
        If it is a delay equation, or its code cannot be traced; the message says why.

    Notes
    -----
    Only the right-hand side is taken. The exponents, dimensions and entropies that dysts stores are
    no reference: of 95 flows recomputed by variational equations, one in five had a leading
    exponent that was off by more than a factor of two, and some break exact identities. Nor is
    every system chaotic at the stored parameters. Compute what you need with `takens.dynamics`.

    References
    ----------
    Gilpin, NeurIPS Datasets and Benchmarks (2021), arXiv:2110.05266.

    Examples
    --------
    >>> system = from_dysts("Lorenz")
    >>> system.names
    ('x', 'y', 'z')
    >>> print(system.with_parameters(rho=24.0).rho)
    24.0
    """
    made = _made(name)
    if integrator is None or issubclass(made, AbstractMap):
        return made()
    return made(integrator=integrator)


def dysts_names() -> tuple[str, ...]:
    """Names of the flows and maps in the installed dysts, without its delay equations.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> "Lorenz" in dysts_names()
    True
    """
    flows, maps, base = _library()
    found = []
    for module, kind in ((flows, base.DynSys), (maps, base.DynMap)):
        for name, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ == module.__name__ and issubclass(cls, kind):
                found.append(name)
    return tuple(sorted(found))


@functools.lru_cache(maxsize=1)
def _library() -> tuple[Any, Any, Any]:
    try:
        with warnings.catch_warnings():
            # dysts warns when numba is absent, for which we have no use.
            warnings.filterwarnings("ignore", message="Numba not installed")  # JAX compiles
            from dysts import base, flows, maps
    except ImportError as error:
        raise MissingDependency(
            f"from_dysts needs the library dysts, which did not import: {error}. "
            "Install it with: pip install dysts"
        ) from error
    return flows, maps, base


@functools.lru_cache(maxsize=256)  # one class for a name, so that its programs are compiled once
def _made(name: str) -> Any:
    flows, maps, base = _library()
    source = getattr(flows, name, None) or getattr(maps, name, None)
    if not (inspect.isclass(source) and issubclass(source, base.BaseDyn)):
        raise InvalidInput(
            f"dysts has no system {name!r}. takens.interop.dysts_names() lists those it has."
        )
    if issubclass(source, base.DynSysDelay):
        raise WrongKind(
            f"{name} of dysts is a delay equation: its rule asks for the past, which a flow on "
            "points has not. Take takens.systems.MackeyGlass, or write an AbstractDelayFlow."
        )
    given: Any = source()
    x0 = tuple(np.asarray(given.ic, dtype=float).ravel().tolist())
    body = {
        "__module__": source.__module__,
        "__doc__": f"{name}, made from dysts by `takens.interop.from_dysts`.",
        "__annotations__": dict.fromkeys(given.params, Array),
        **{key: parameter(value) for key, value in given.params.items()},
        "source": source,
        "names": _state_names(source, len(x0)),
        "x0": x0,
        "citation": getattr(given, "citation", None) or "",
    }
    kind: type = AbstractDystsMap
    if issubclass(source, base.DynSys):
        kind = AbstractDystsFlow
        body["__annotations__"]["integrator"] = AbstractIntegrator
        body |= {"integrator": Adaptive(), "dt": float(given.dt), "period": float(given.period)}
    made: Any = types.new_class(name, (kind,), {}, lambda space: space.update(body))
    _check_traced(made(), name)
    return made


def _state_names(source: Any, dim: int) -> tuple[str, ...]:
    """As dysts calls the arguments of the rule, where it has one argument for each."""
    rule = inspect.getattr_static(source, "_rhs")
    known = list(inspect.signature(_traceable(rule)).parameters)[:dim]
    own = rule is not inspect.getattr_static(source.__mro__[-2], "_rhs") and len(known) == dim
    return tuple(known) if own else tuple(f"x[{i}]" for i in range(dim))


def _check_traced(system: Any, name: str) -> None:
    rule = system.step if isinstance(system, AbstractMap) else system.vector_field
    try:
        jax.eval_shape(rule, 0.0, jnp.asarray(system.x0))
    except Exception as error:  # whatever foreign code may raise
        reason = str(error).split("\n")[0]
        raise WrongKind(
            f"The rule of {name} in dysts cannot be traced ({type(error).__name__}: {reason}). "
            "Write it as a system of your own, with jax.numpy."
        ) from error
