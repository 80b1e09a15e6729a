"""Taylor-series integration: a flow lowered to heyoka, exact to the last digits of float64."""

from __future__ import annotations

import collections
import copy
import dataclasses
import math
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np

from takens.core import InvalidInput, MissingDependency, Status, Trajectory, WrongKind, require
from takens.core.system import AbstractDiffusion, AbstractFlow
from takens.systems.algebra import Algebra, Entries, objects
from takens.systems.expressions import expressions, parameter_arrays, rule

BLOCK = 65_536  # grid points per call, so that a long run can be interrupted
COMPACT = 300  # expressions beyond which the compiler gets loops instead of a straight program
MAX_KEPT = 16  # compiled fields that are remembered

_ADVICE = (
    "A Taylor series needs a smooth rule: replace `where`, `abs`, `max` and `sign` by smooth "
    "functions, or take `RungeKutta` or `Adaptive` as the integrator."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Taylor:
    r"""Taylor series of adaptive order and step: the most exact integrator, for smooth flows.

    The rule is read as expressions and its normalised time derivatives
    :math:`x^{[k]} = x^{(k)} / k!` follow from recursions (automatic differentiation of the time
    series), up to an order of about :math:`1 - \tfrac12 \ln \varepsilon`, 20 for the default
    tolerance. The step is the one for which the last two terms fall to :math:`\varepsilon`.
    Neural networks with smooth activations are smooth rules too.

    It works on the host and not inside ``jit``, ``vmap`` or ``grad``: `tangent` gives the
    derivative instead.

    Parameters
    ----------
    tol : float
        Relative error of a step, :math:`\varepsilon`.
    max_steps : int
        Steps allowed per call; past it the state is NaN.

    Raises
    ------
    InvalidInput
        If `tol` is not in (0, 1), or `max_steps` is not positive.

    Notes
    -----
    Cost: compiling takes 0.1 s for three equations and 0.4 s with their tangent, once for each
    structure: other parameter values, starts and times use the same program. After that 1000 time
    units of Lorenz's equations cost 9 ms of CPU (32 steps a unit) for the end and 21 ms with output
    every 0.01; `Adaptive` costs 74 and 201 ms at a relative tolerance of 1e-9, and 280 and 710 ms
    at 1e-12. The tangent in 1000 steps of `stretching` costs 58 ms.

    A small error of every step does not make a long chaotic orbit right: an error grows as
    :math:`\varepsilon e^{\lambda t}`, so that Lorenz's equations forget the start after about 40
    time units. The method is explicit: on a stiff field it crawls.

    References
    ----------
    Jorba and Zou, Experimental Mathematics 14, 99 (2005), section 3, for order and step;
    Biscani and Izzo, MNRAS 504, 2614 (2021), for heyoka.

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> Taylor().trajectory(Lorenz63(), [1.0, 1.0, 1.0], [0.0, 1.0, 2.0])[-1].round(4)
    array([-8.1735, -9.562 , 24.6207])
    """

    references: ClassVar[tuple[str, ...]] = ("jorba2005software", "biscani2021revisiting")

    tol: float = 1e-16
    max_steps: int = 10_000_000

    def __post_init__(self) -> None:
        if not 0 < self.tol < 1:
            raise InvalidInput(f"tol = {self.tol}; expected a number between 0 and 1.")
        if not self.max_steps > 0:
            raise InvalidInput(f"max_steps = {self.max_steps}; expected at least 1.")

    def trajectory(self, system: Any, x0: Any, times: Any, inputs: Any = None) -> np.ndarray:
        """The states at given times.

        Parameters
        ----------
        system : AbstractFlow
        x0 : array, shape (dim,)
            The state at ``times[0]``.
        times : array, shape (time,)
            Increasing, or decreasing to go back, in time units.
        inputs : array, shape (time, input), optional
            Row i is held from ``times[i]`` to ``times[i + 1]``.

        Returns
        -------
        array, shape (time, dim)
            NaN from the time on at which the solution ceases to exist.

        Raises
        ------
        WrongKind
            If `system` is no flow, or its rule is not smooth.
        InvalidInput
            If a shape is wrong, times are not monotonic, or a value is not finite.
        MissingDependency
            If heyoka is not installed.
        """
        x, grid, held = _checked(system, x0, times, inputs)
        return self._march(self._integrator(system, held, vary=False), system, x, grid, held)

    def tangent(
        self, system: Any, x0: Any, times: Any, inputs: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        r"""The states, and the derivative of each by the first, from the variational equations.

        .. math:: \dot M = \partial_x f(t, x)\, M, \qquad M(t_0) = 1

        Parameters
        ----------
        system : AbstractFlow
        x0 : array, shape (dim,)
        times : array, shape (time,)
        inputs : array, shape (time, input), optional
            As in `trajectory`.

        Returns
        -------
        states : array, shape (time, dim)
        tangents : array, shape (time, dim, dim)
            Column j is the response to a change of component j of `x0`.

        Raises
        ------
        WrongKind, InvalidInput, MissingDependency
            As in `trajectory`.
        """
        x, grid, held = _checked(system, x0, times, inputs)
        whole = np.concatenate([x, np.eye(len(x)).reshape(-1)])
        found = self._march(self._integrator(system, held, vary=True), system, whole, grid, held)
        n = len(x)
        return found[:, :n], found[:, n:].reshape(-1, n, n)

    def stretching(
        self, system: Any, x0: Any, dt: float, n_steps: int, n_transient: int = 0
    ) -> np.ndarray:
        r"""Growth of an orthonormal frame in every step: the samples of the Lyapunov exponents.

        :math:`M_k Q_{k-1} = Q_k R_k` with :math:`M_k` the tangent map over `dt`; the exponents are
        the means of :math:`\ln R_{k,ii} / dt`, and block means give their errors.

        Parameters
        ----------
        system : AbstractFlow
        x0 : array, shape (dim,)
        dt : float
            Between orthonormalisations, in time units.
        n_steps, n_transient : int
            Steps returned, and steps before them in which the frame turns into place.

        Returns
        -------
        array, shape (n_steps, dim)
            :math:`\ln R_{ii}`, largest exponent first; NaN from a blow-up on.

        Raises
        ------
        WrongKind, InvalidInput, MissingDependency
            As in `trajectory`.
        """
        x, _, _ = _checked(system, x0, [0.0, dt], None)
        n, frame = len(x), np.eye(len(x))
        run = self._integrator(system, None, vary=True)
        _set_parameters(run, _parameters(system))
        run.time, run.state[:n] = 0.0, x
        growth = np.full((n_transient + n_steps, n), np.nan)
        left = self.max_steps
        for k in range(len(growth)):
            run.state[n:] = frame.reshape(-1)
            outcome = run.propagate_until((k + 1) * dt, max_steps=max(left, 1))
            left -= outcome[3]
            if not _finished(outcome[0]) or left <= 0:
                break
            frame, upper = np.linalg.qr(run.state[n:].reshape(n, n))
            with np.errstate(divide="ignore"):
                growth[k] = np.log(np.abs(np.diag(upper)))
        return growth[n_transient:]

    def crossings(
        self,
        system: Any,
        x0: Any,
        times: Any,
        function: Callable[[Any], Any],
        *,
        direction: int = 0,
        throw: bool = True,
    ) -> Trajectory:
        """The times and states at which a function of the state passes through zero.

        Roots of the Taylor polynomial of the function itself are isolated in every step, so that
        none is missed and each is as exact as the orbit.

        Parameters
        ----------
        system : AbstractFlow
        x0 : array, shape (dim,)
            The state at ``times[0]``.
        times : array, shape (2,)
            Start and end, in time units.
        function : callable
            From a state of shape (dim,) to a number, written in JAX and smooth.
        direction : int
            1 for rising through zero, -1 for falling, 0 for both.
        throw : bool
            Whether a blow-up is an error.

        Returns
        -------
        Trajectory
            One row a crossing. After a blow-up, which ends the search, the last row is NaN.

        Raises
        ------
        NumericalFailure
            If the state becomes non-finite before the end.
        WrongKind, InvalidInput, MissingDependency
            As in `trajectory`.
        """
        hy = _heyoka()
        x, grid, _ = _checked(system, x0, times, None)
        if len(grid) != 2 or direction not in (-1, 0, 1):
            raise InvalidInput(
                f"{len(grid)} times and direction = {direction}; expected a start and an end, and "
                "a direction of 1 (rising), -1 (falling) or 0 (both)."
            )
        equations, variables = _equations(system, 0)
        event = expressions(function, variables, algebra=_algebra())
        if event.shape != () or not isinstance(event.item(), hy.expression):
            raise InvalidInput(
                f"The function gives {event.tolist()!s:.60}; expected one number that depends on "
                "the state."
            )
        found: list[tuple[float, np.ndarray]] = []

        def note(run: Any, time: float, sign: int) -> None:
            run.update_d_output(time)
            found.append((time, np.array(run.d_output)))

        sense = (hy.event_direction.any, hy.event_direction.positive, hy.event_direction.negative)
        events = [hy.nt_event(event.item(), note, direction=sense[direction])]
        run = self._built(equations, x, nt_events=events)
        _set_parameters(run, _parameters(system))
        run.time = grid[0]
        outcome = run.propagate_until(grid[1], max_steps=self.max_steps)[0]
        if not _finished(outcome):
            require(Status.DIVERGED, throw=throw)
            last = found[-1][0] if found else grid[0]
            ahead = math.copysign(math.inf, grid[1] - grid[0])
            found.append((max(run.time, math.nextafter(last, ahead)), np.full(len(x), np.nan)))
        rows = sorted(found, key=lambda pair: pair[0])
        return Trajectory(
            times=np.array([time for time, _ in rows]),
            states=np.array([state for _, state in rows]).reshape(-1, len(x)),
            names=system.names,
        )

    def _march(
        self, run: Any, system: Any, x: np.ndarray, grid: np.ndarray, held: np.ndarray | None
    ) -> np.ndarray:
        """Over the grid in blocks, or from row to row where an input is held between them."""
        found = np.full((len(grid), len(x)), np.nan)
        found[0] = x
        run.time, run.state[:] = grid[0], x
        step = BLOCK if held is None else 1
        left, fixed = self.max_steps, _parameters(system)
        for start in range(0, len(grid) - 1, step):
            block = grid[start : start + step + 1]
            _set_parameters(run, fixed if held is None else np.concatenate([fixed, held[start]]))
            outcome, _, _, n_steps, _, rows = run.propagate_grid(block, max_steps=max(left, 1))
            found[start + 1 : start + len(rows)] = rows[1:]
            left -= n_steps
            if not _finished(outcome) or left <= 0:
                break
        return found

    def _integrator(self, system: Any, held: np.ndarray | None, *, vary: bool) -> Any:
        """A fresh copy of the compiled integrator of everything that has this structure."""
        hy = _heyoka()
        n_inputs = 0 if held is None else held.shape[1]
        key = _structure(system, n_inputs, self.tol, vary)
        with _LOCK:
            kept = _COMPILED.get(key) if key is not None else None
            if kept is None:
                equations, _ = _equations(system, n_inputs)
                if vary:
                    equations = hy.var_ode_sys(equations, hy.var_args.vars, order=1)
                n = system.dim
                start = np.eye(n).reshape(-1) if vary else np.zeros(0)
                kept = self._built(equations, np.concatenate([np.ones(n), start]))
                if key is not None:
                    _COMPILED[key] = kept
                    while len(_COMPILED) > MAX_KEPT:
                        _COMPILED.popitem(last=False)
            return copy.deepcopy(kept)

    def _built(self, equations: Any, x: np.ndarray, **events: Any) -> Any:
        hy = _heyoka()
        parts = equations if isinstance(equations, list) else equations.sys
        size = sum(len(right) for _, right in parts)
        return hy.taylor_adaptive(
            equations, list(x), tol=self.tol, compact_mode=size > COMPACT, **events
        )


_COMPILED: collections.OrderedDict[Any, Any] = collections.OrderedDict()
_LOCK = threading.Lock()


def _heyoka() -> Any:
    try:
        import heyoka
    except ImportError as error:
        raise MissingDependency(
            "Taylor series need heyoka, which is not installed. "
            "Install it with `pip install 'takens[taylor]'`."
        ) from error
    return heyoka


def _algebra() -> Algebra:
    hy = _heyoka()

    def lift(entry: Any) -> Any:
        return entry if isinstance(entry, hy.expression) else hy.expression(float(entry))

    operations: dict[str, Callable[..., Any]] = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "neg": lambda a: -a,
        "pow": lambda a, b: lift(a) ** (b if isinstance(b, hy.expression) else float(b)),
        "atan2": lambda a, b: hy.atan2(lift(a), lift(b)),
        "sum": lambda terms: hy.sum([lift(term) for term in terms]),
        "logistic": hy.sigmoid,
    }
    for name in ("exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
                 "asinh", "acosh", "atanh", "sqrt", "erf"):  # fmt: skip
        operations[name] = getattr(hy, name)
    return Algebra("a Taylor series", operations, _ADVICE)


def _equations(system: AbstractFlow, n_inputs: int) -> tuple[list[tuple[Any, Any]], Entries]:
    """Pairs of a variable and its rate, parameters and then inputs as runtime parameters."""
    hy = _heyoka()
    variables = objects((system.dim,), [hy.make_vars(f"x{i}") for i in range(system.dim)])
    symbols, count = {}, 0
    for name, value in parameter_arrays(system).items():
        symbols[name] = objects(value.shape, [hy.par[count + i] for i in range(value.size)])
        count += value.size
    u = objects((n_inputs,), [hy.par[count + i] for i in range(n_inputs)]) if n_inputs else None
    rates = rule(
        system, "vector_field", hy.time, variables, u, algebra=_algebra(), parameters=symbols
    )
    return [
        (variable, rate if isinstance(rate, hy.expression) else hy.expression(float(rate)))
        for variable, rate in zip(variables, rates, strict=True)
    ], variables


def _parameters(system: Any) -> np.ndarray:
    values = [value.reshape(-1) for value in parameter_arrays(system).values()]
    return np.concatenate([np.zeros(0), *values])


def _set_parameters(run: Any, values: np.ndarray) -> None:
    run.pars[:] = values[: len(run.pars)]  # the last ones may be unused, and then have no place


def _structure(system: Any, *settings: Any) -> Any:
    """What two systems share that differ only in numbers; None where that cannot be compared."""
    numbers, rest = eqx.partition(system, eqx.is_inexact_array)
    leaves, tree = jax.tree.flatten(rest)
    own = tuple(
        (leaf.shape, str(leaf.dtype), np.asarray(leaf).tobytes()) if eqx.is_array(leaf) else leaf
        for leaf in leaves
    )
    shapes = tuple(leaf.shape for leaf in jax.tree.leaves(numbers))
    key = (jax.tree.structure(numbers), shapes, tree, own, settings)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _finished(outcome: Any) -> bool:
    return bool(outcome == _heyoka().taylor_outcome.time_limit)


def _checked(
    system: Any, x0: Any, times: Any, inputs: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    if not isinstance(system, AbstractFlow):
        what = "a diffusion" if isinstance(system, AbstractDiffusion) else "no flow"
        raise WrongKind(
            f"{type(system).__name__} is {what}; a Taylor series in time needs a flow. "
            "Iterate a map, simulate a diffusion, and pass the flow of a time map."
        )
    x, grid = np.array(x0, dtype=float), np.array(times, dtype=float)
    if x.shape != (system.dim,) or not np.isfinite(x).all():
        raise InvalidInput(
            f"x0 = {x0!s:.80} of shape {x.shape}; expected {system.dim} finite numbers: "
            f"{', '.join(system.names[:6])}."
        )
    steps = np.diff(grid)
    if grid.ndim != 1 or len(grid) == 0 or not np.isfinite(grid).all():
        raise InvalidInput(f"times has shape {grid.shape}; expected (time,), finite, at least one.")
    if not ((steps > 0).all() or (steps < 0).all()):
        raise InvalidInput("times are neither increasing nor decreasing. Sort them.")
    if inputs is None:
        return x, grid, None
    held = np.array(inputs, dtype=float)
    if held.ndim != 2 or len(held) != len(grid) or not np.isfinite(held).all():
        raise InvalidInput(
            f"inputs has shape {held.shape}; expected ({len(grid)}, input), finite. "
            "Give one row a time."
        )
    return x, grid, held
