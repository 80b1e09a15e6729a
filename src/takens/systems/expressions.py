"""Rules of a system as expressions: the program that JAX traces, read again in another algebra.

JAX turns a rule into a list of primitive operations (a jaxpr). Walking that list with symbols in
place of numbers gives the equations themselves, for any algebra that knows the elementary
operations: a computer algebra system prints them, a Taylor integrator differentiates them. What is
a number stays a number, so that constants fold and zeros vanish.
"""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from takens.core.errors import InvalidInput
from takens.core.system import AbstractSystem
from takens.systems.algebra import Algebra, Entries, objects
from takens.systems.jaxpr import is_symbolic, plain, walk


def expressions(function: Callable[..., Any], *arguments: Any, algebra: Algebra) -> Any:
    """The value of a traceable function at arguments that hold expressions.

    Parameters
    ----------
    function : callable
        Anything that ``jax.jit`` accepts, written in JAX.
    *arguments : array or tree of arrays
        An array of objects holds expressions of the algebra, numbers allowed among them; any other
        array holds numbers.
    algebra : Algebra
        The elementary operations, and the name under which it is spoken of.

    Returns
    -------
    array of objects, or tree of them
        In the shape of what `function` returns. Entries are expressions or Python numbers.

    Raises
    ------
    WrongKind
        If the function uses an operation that the algebra lacks, a loop whose length depends on
        the state, or an index that does.

    Notes
    -----
    Cost: one visit per entry of every intermediate array, and the size of what is written out:
    a loop of n iterations is n copies of its body.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from takens.systems.algebra import TEXT
    >>> x = objects((2,), ["a", "b"])
    >>> expressions(lambda x: x[0] * jnp.sin(x[1]) + 0.0 * x[0], x, algebra=TEXT).item()
    'mul(a, sin(b))'
    """
    values, tree = jax.tree.flatten(arguments)
    values = [value if is_symbolic(value) else np.asarray(value) for value in values]
    shapes = [
        jax.ShapeDtypeStruct(v.shape, np.dtype(float) if is_symbolic(v) else v.dtype)
        for v in values
    ]

    def flat(*leaves: Any) -> Any:
        return function(*jax.tree.unflatten(tree, leaves))

    traced, shape = jax.make_jaxpr(flat, return_shape=True)(*shapes)
    found = walk(traced.jaxpr, traced.consts, values, algebra)
    return jax.tree.unflatten(
        jax.tree.structure(shape),
        [objects(v.shape, [plain(e) for e in v.reshape(-1)]) for v in found],
    )


def parameter_arrays(system: AbstractSystem) -> dict[str, np.ndarray]:
    """Every numeric parameter of a system by its path, such as ``"sigma"`` or ``"net.bias"``.

    Parameters
    ----------
    system : AbstractSystem

    Returns
    -------
    dict of str to array
        In the order of the fields; arrays of integers and booleans are part of the program.

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> {name: float(value) for name, value in parameter_arrays(Lorenz63()).items()}
    {'sigma': 10.0, 'rho': 28.0, 'beta': 2.67}
    """
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(system, eqx.is_inexact_array))
    return {_path_name(path): np.asarray(leaf) for path, leaf in leaves}


def rule(
    system: AbstractSystem,
    method: str | Callable[..., Any],
    t: Any,
    x: Entries,
    u: Any = None,
    *,
    algebra: Algebra,
    parameters: Mapping[str, Entries] | None = None,
) -> Entries:
    """One rule of a system (``"vector_field"``, ``"step"``, ``"drift"``) as expressions.

    Parameters
    ----------
    system : AbstractSystem
    method : str or callable
        Name of a method, called with ``(t, x, u)``, or a function of ``(system, t, x, u)``.
    t : expression or number
        Time, or the count of iterates.
    x : array of objects, shape (dim,)
    u : array, optional
        The input.
    algebra : Algebra
    parameters : mapping of str to array of objects, optional
        Expressions for some of `parameter_arrays`; the others are folded as numbers.

    Returns
    -------
    array of objects
        As `expressions`.

    Raises
    ------
    InvalidInput
        If a parameter is not one of the system's.
    WrongKind
        As `expressions`.

    Examples
    --------
    >>> from takens.systems.algebra import TEXT
    >>> from takens.systems import Lorenz63
    >>> x = objects((3,), "xyz")
    >>> rule(Lorenz63(), "vector_field", 0.0, x, algebra=TEXT)[0]
    'mul(10.0, sub(y, x))'
    """
    given = dict(parameters or {})
    known = parameter_arrays(system)
    for name in given:
        if name not in known:
            raise InvalidInput(
                f"{type(system).__name__} has no parameter {name!r}. It has: {list(known)}."
            )
    numbers, rest = eqx.partition(system, eqx.is_inexact_array)
    paths, tree = jax.tree_util.tree_flatten_with_path(numbers)
    leaves = [given.get(_path_name(path), np.asarray(leaf)) for path, leaf in paths]

    def call(leaves: list[Any], t: Any, x: Any, u: Any) -> Any:
        whole = eqx.combine(jax.tree.unflatten(tree, leaves), rest)
        if isinstance(method, str):
            return getattr(whole, method)(t, x, u)
        return method(whole, t, x, u)

    found: Entries = expressions(call, leaves, _entry(t), x, u, algebra=algebra)
    return found


def _path_name(path: Any) -> str:
    return str(jax.tree_util.keystr(path)).lstrip(".")


def _entry(value: Any) -> Any:
    number = isinstance(value, (int, float, np.generic, np.ndarray))
    return np.asarray(value, dtype=float) if number else objects((), [value])
