"""Walking a jaxpr: numbers are computed as numbers, what touches a symbol in an algebra."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takens.systems.algebra import NUMBERS, Algebra, Complex, Entries, objects, refuse

MAX_UNROLLED = 4096  # iterations of a scan that are written out

# Primitives that only move entries about: they are run once on the labels of the entries.
_MOVES = (
    *("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "slice", "gather"),
    *("dynamic_slice", "concatenate", "pad", "rev", "tile", "split", "stack", "unstack", "copy"),
    *("copy_p", "scatter", "dynamic_update_slice", "stop_gradient", "optimization_barrier"),
    *("reduce_precision", "sharding_constraint", "device_put"),
)
# Which operands of a move are data; the others are indices and must be numbers.
_DATA = {
    "gather": slice(0, 1),
    "dynamic_slice": slice(0, 1),
    "dynamic_update_slice": slice(0, 2),
    "scatter": slice(0, None, 2),
    "select_n": slice(1, None),
}
# Linear in every operand that carries symbols, as long as the others are numbers.
_LINEAR = {
    "fft": slice(0, 1),
    "scatter-add": slice(0, None, 2),
    "scatter_add": slice(0, None, 2),
    "cumsum": slice(0, 1),
    "conv_general_dilated": slice(0, 2),
    "triangular_solve": slice(1, 2),
    "reduce_window_sum": slice(0, 1),
}
_REDUCTIONS = {
    "reduce_sum": "add",
    "reduce_prod": "mul",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
}
_SCANS = {"cumprod": "mul", "cummax": "max", "cummin": "min"}


def is_symbolic(value: Any) -> bool:
    """Whether it is an array of expressions."""
    return isinstance(value, np.ndarray) and value.dtype == object


def plain(entry: Any) -> Any:
    """An entry with NumPy's scalars as Python's."""
    return entry.item() if isinstance(entry, np.generic) else entry


def walk(jaxpr: Any, consts: Any, arguments: list[Any], algebra: Algebra) -> list[Any]:
    """Evaluate a jaxpr: numbers as numbers, whatever touches a symbol in the algebra."""
    from jax.extend.core import Literal

    known: dict[Any, Any] = {}

    def read(variable: Any) -> Any:
        return np.asarray(variable.val) if isinstance(variable, Literal) else known[variable]

    known.update(zip(jaxpr.constvars, [np.asarray(c) for c in consts], strict=True))
    known.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        inputs = [read(v) for v in equation.invars]
        outputs = _evaluate(equation, inputs, algebra)
        for variable, value in zip(equation.outvars, outputs, strict=True):
            known[variable] = _settled(value, variable.aval)
    return [read(v) for v in jaxpr.outvars]


def _settled(value: Any, aval: Any) -> Any:
    """As an array of numbers where no symbol is left."""
    if not is_symbolic(value):
        return np.asarray(value)
    value = value.reshape(aval.shape)
    if all(isinstance(e, (int, float, complex, np.generic)) for e in value.reshape(-1)):
        return value.astype(aval.dtype)
    return value


def _evaluate(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    name = equation.primitive.name
    if not any(map(is_symbolic, inputs)) and (name in ("scan", "while") or not _nested(equation)):
        return _numeric(equation, inputs)
    if name in _RULES:
        return _RULES[name](equation, inputs, algebra)
    if _nested(equation):
        return _called(equation, inputs, algebra)
    return [_elementwise(name, inputs, algebra)]


_NAMED = {  # functions of JAX whose own formula would hide a simple operation
    "remainder": "mod",
    "logaddexp": "logaddexp",
    "hypot": "hypot",
}


def _nested(equation: Any) -> bool:
    return equation.primitive.name == "cond" or _inner(equation) is not None


def _inner(equation: Any) -> Any:
    """The body of a call (``jit``, ``checkpoint``, a custom derivative) and its constants."""
    from jax.extend.core import ClosedJaxpr, Jaxpr

    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        body = equation.params.get(key)
        if isinstance(body, ClosedJaxpr):
            return body.jaxpr, body.consts
        if isinstance(body, Jaxpr):
            return body, ()
    return None


def _called(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    body, consts = _inner(equation)
    special = _NAMED.get(str(body.debug_info.func_name))
    if special is not None and algebra.has(special):
        return [_elementwise(special, inputs, algebra)]
    return walk(body, consts, inputs, algebra)


def _bind(equation: Any, values: list[Any]) -> list[Any]:
    with jax.ensure_compile_time_eval():
        found = equation.primitive.bind(*[jnp.asarray(v) for v in values], **equation.params)
        found = found if equation.primitive.multiple_results else [found]
        return [np.asarray(v) for v in found]


def _numeric(equation: Any, inputs: list[Any]) -> list[Any]:
    fast = _NUMPY_MOVES.get(equation.primitive.name)
    if fast is not None:
        return [fast(equation.params, *inputs)]
    direct = NUMBERS.get(equation.primitive.name)
    if direct is not None and all(v.dtype.kind == "f" for v in inputs):
        with np.errstate(all="ignore"):
            return [np.asarray(direct(*inputs))]
    return _bind(equation, inputs)


# The commonest moves in NumPy: running the primitive would compile a program for every shape.
_NUMPY_MOVES: dict[str, Callable[..., np.ndarray]] = {
    "slice": lambda p, v: v[tuple(map(slice, p["start_indices"], p["limit_indices"],
                                      p["strides"] or (1,) * v.ndim))],
    "squeeze": lambda p, v: np.squeeze(v, axis=tuple(p["dimensions"])),
    "transpose": lambda p, v: np.transpose(v, p["permutation"]),
    "reshape": lambda p, v: np.reshape(v, p["new_sizes"]),
    "rev": lambda p, v: np.flip(v, axis=tuple(p["dimensions"])),
    "concatenate": lambda p, *v: np.concatenate(v, axis=p["dimension"]),
    "stack": lambda p, *v: np.stack(v, axis=p["axis"]),
    "copy": lambda p, v: v,
    "copy_p": lambda p, v: v,
    "stop_gradient": lambda p, v: v,
    "broadcast_in_dim": lambda p, v: np.broadcast_to(
        v.reshape([v.shape[p["broadcast_dimensions"].index(i)]
                   if i in p["broadcast_dimensions"] else 1 for i in range(len(p["shape"]))]),
        p["shape"],
    ),
}  # fmt: skip


def _moved(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    """Run a primitive that only moves entries on their labels, and put the entries back."""
    name = equation.primitive.name
    data = range(len(inputs))[_DATA.get(name, slice(None))]
    pool: list[Any] = []
    labels = list(inputs)
    for i, value in enumerate(inputs):
        if i in data:
            labels[i] = np.arange(len(pool), len(pool) + value.size).reshape(value.shape)
            pool.extend(value.reshape(-1))
        elif is_symbolic(value):
            raise refuse(algebra, name, "an index that depends on the state")
    fast = _NUMPY_MOVES.get(name)
    found = [fast(equation.params, *labels)] if fast else _bind(equation, labels)
    return [
        objects(v.shape, [pool[i] if 0 <= i < len(pool) else math.nan for i in v.reshape(-1)])
        for v in found
    ]


def _linear(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    """A linear primitive with numbers for its other operands: its dense matrix on the entries."""
    name = equation.primitive.name
    data = [i for i in range(len(inputs))[_LINEAR[name]] if is_symbolic(inputs[i])]
    if any(is_symbolic(v) for i, v in enumerate(inputs) if i not in data):
        raise refuse(algebra, name, "an index or a matrix that is not a number")
    if name == "conv_general_dilated" and len(data) == 2:
        raise refuse(algebra, name, "a convolution of two expressions")
    if name.startswith("scatter"):
        data = [0, 2]
    at_rest = [np.zeros(v.shape, equation.invars[i].aval.dtype) if i in data else v
               for i, v in enumerate(inputs)]  # fmt: skip
    sums: list[list[list[tuple[Any, Any]]]] = [
        [[] for _ in range(math.prod(v.aval.shape))] for v in equation.outvars
    ]
    for i in data:
        is_complex = np.issubdtype(at_rest[i].dtype, np.complexfloating)
        for j, entry in enumerate(inputs[i].reshape(-1)):
            # real-linear in the real and the imaginary part, as the half-spectrum transform is
            parts = [(1.0, Complex.of(entry).re)] if not is_complex else [
                (1.0, Complex.of(entry).re), (1.0j, Complex.of(entry).im)]  # fmt: skip
            for unit, part in parts:
                probe = np.array(at_rest[i])
                probe.reshape(-1)[j] = unit
                response = _bind(equation, [*at_rest[:i], probe, *at_rest[i + 1 :]])
                for total, column in zip(sums, response, strict=True):
                    for k, weight in enumerate(column.reshape(-1)):
                        if weight != 0:
                            total[k].append((weight.item(), part))
    return [
        objects(v.aval.shape, [_weighted(terms, algebra) for terms in total])
        for v, total in zip(equation.outvars, sums, strict=True)
    ]


def _solved(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    """A linear system by the factors that JAX would use; its matrix must be a number."""
    lengths, solve = equation.params["const_lengths"], equation.params["jaxprs"].solve
    start = lengths.matvec + lengths.vecmat
    own = inputs[start : start + lengths.solve]
    right = inputs[start + lengths.solve + lengths.transpose_solve :]
    return walk(solve.jaxpr, solve.consts, [*own, *right], algebra)


def _weighted(terms: list[tuple[Any, Any]], algebra: Algebra) -> Any:
    if not any(isinstance(weight, complex) for weight, _ in terms):
        return algebra.total([algebra.apply("mul", w, e) for w, e in terms])
    re = algebra.total([algebra.apply("mul", w.real, e) for w, e in terms])
    return Complex(re, algebra.total([algebra.apply("mul", w.imag, e) for w, e in terms]))


def _elementwise(name: str, inputs: list[Any], algebra: Algebra) -> Entries:
    wide = np.broadcast_arrays(*inputs)
    entries = zip(*[[plain(e) for e in v.reshape(-1)] for v in wide], strict=True)
    return objects(wide[0].shape, [algebra.apply(name, *e) for e in entries])


def _dot(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    (over_a, over_b), (batch_a, batch_b) = equation.params["dimension_numbers"]
    left, right = inputs
    free_a = [i for i in range(left.ndim) if i not in (*over_a, *batch_a)]
    free_b = [i for i in range(right.ndim) if i not in (*over_b, *batch_b)]
    n_batch = math.prod(left.shape[i] for i in batch_a)
    n_over = math.prod(left.shape[i] for i in over_a)
    a = left.transpose([*batch_a, *free_a, *over_a]).reshape(n_batch, -1, n_over)
    b = right.transpose([*batch_b, *free_b, *over_b]).reshape(n_batch, -1, n_over)
    entries = [
        algebra.total([algebra.apply("mul", plain(p), plain(q))
                       for p, q in zip(row, column, strict=True)])
        for k in range(n_batch) for row in a[k] for column in b[k]
    ]  # fmt: skip
    return [objects(equation.outvars[0].aval.shape, entries)]


def _reduced(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    value = inputs[0]
    axes = tuple(equation.params["axes"])
    kept = [i for i in range(value.ndim) if i not in axes]
    rows = value.transpose([*kept, *axes]).reshape(math.prod(value.shape[i] for i in kept), -1)
    name = _REDUCTIONS[equation.primitive.name]
    entries = [algebra.fold(name, [plain(e) for e in row]) for row in rows]
    return [objects(equation.outvars[0].aval.shape, entries)]


def _scanned(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    value = inputs[0]
    axis = equation.params["axis"]
    moved = np.moveaxis(value, axis, 0)
    found = moved.reshape(len(moved), -1).copy()
    order = range(len(found))[:: -1 if equation.params["reverse"] else 1]
    for before, after in itertools.pairwise(order):
        found[after] = _elementwise(
            _SCANS[equation.primitive.name], [found[before], found[after]], algebra
        )
    return [np.moveaxis(found.reshape(moved.shape), 0, axis)]


def _converted(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    old, new = equation.invars[0].aval.dtype.kind, np.dtype(equation.params["new_dtype"])
    if old == "b" and new.kind != "b":
        cases = [np.asarray(0.0), np.asarray(1.0)]
        return [_elementwise("select_n", [*inputs, *cases], algebra)]
    if old in "fc" and new.kind not in "fc":
        raise refuse(algebra, "convert_element_type", f"a rounding of the state to {new}")
    return inputs


def _chosen(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    if is_symbolic(inputs[0]):
        return [_elementwise("select_n", inputs, algebra)]
    return _moved(equation, inputs, algebra)


def _power(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    return [_elementwise("pow", [*inputs, np.asarray(equation.params["y"])], algebra)]


def _quotient(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    if equation.outvars[0].aval.dtype.kind in "iu":
        raise refuse(algebra, equation.primitive.name, "a division of whole numbers")
    return [_elementwise(equation.primitive.name, inputs, algebra)]


def _endless(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    raise refuse(algebra, "while", "a loop whose length depends on the state")


def _unrolled(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    params = equation.params
    length = params["length"]
    if length > MAX_UNROLLED:
        raise refuse(algebra, "scan", f"a loop of {length} iterations (at most {MAX_UNROLLED})")
    body = params["jaxpr"]
    n_consts, n_carry = params["num_consts"], params["num_carry"]
    consts, carry = inputs[:n_consts], inputs[n_consts : n_consts + n_carry]
    rows = inputs[n_consts + n_carry :]
    stacked: list[list[Any]] = [[] for _ in range(len(equation.outvars) - n_carry)]
    order = range(length)[:: -1 if params["reverse"] else 1]
    for i in order:
        found = walk(body.jaxpr, body.consts, [*consts, *carry, *[r[i] if r.ndim > 1 else
                      objects((), [r[i]]) if is_symbolic(r) else np.asarray(r[i]) for r in rows]],
                      algebra)  # fmt: skip
        carry = found[:n_carry]
        for column, value in zip(stacked, found[n_carry:], strict=True):
            column.append(value)
    outputs = [column[:: -1 if params["reverse"] else 1] for column in stacked]
    return [*carry, *[np.stack(column) for column in outputs]]


def _branches(equation: Any, inputs: list[Any], algebra: Algebra) -> list[Any]:
    index, *rest = inputs
    branches = equation.params["branches"]
    if not is_symbolic(index):
        chosen = branches[min(max(int(index), 0), len(branches) - 1)]
        return walk(chosen.jaxpr, chosen.consts, rest, algebra)
    if len(branches) != 2:
        raise refuse(algebra, "cond", "a switch that depends on the state")
    found = [walk(b.jaxpr, b.consts, rest, algebra) for b in branches]
    which = _elementwise("ne", [index, np.asarray(0.0)], algebra)
    return [
        _elementwise("select_n", [which, *cases], algebra) for cases in zip(*found, strict=True)
    ]


_RULES: dict[str, Callable[[Any, list[Any], Algebra], list[Any]]] = {
    **dict.fromkeys(_MOVES, _moved),
    **dict.fromkeys(_LINEAR, _linear),
    **dict.fromkeys(_REDUCTIONS, _reduced),
    **dict.fromkeys(_SCANS, _scanned),
    "select_n": _chosen,
    "dot_general": _dot,
    "convert_element_type": _converted,
    "integer_pow": _power,
    "div": _quotient,
    "rem": _quotient,
    "scan": _unrolled,
    "while": _endless,
    "cond": _branches,
    "custom_linear_solve": _solved,
}
