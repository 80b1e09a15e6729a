"""Candidate terms over named columns: values, derivatives, names, the same in NumPy and in JAX."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput
from takens.learn.terms.debias import debiased
from takens.learn.terms.parse import parse
from takens.learn.terms.plan import (
    Monomial,
    Plan,
    UserFunction,
    factors_of,
    monomial_columns,
    monomial_text,
    ordered,
    slopes,
)
from takens.learn.terms.tree import Node, users_of, uses_time
from takens.learn.terms.units import unit_table

BLOCK = 8192  # samples at a time: their monomials stay in the processor's cache
FORMAT = "takens.terms/1"


def delayed_name(name: str, lag: int) -> str:
    """The name of a column `lag` samples ago."""
    return f"{name}[-{lag}]"


@dataclasses.dataclass(frozen=True)
class Terms:
    """Candidate terms over the columns of some data. Made by ``library.over(states, inputs)``.

    Parameters
    ----------
    states, inputs : tuple of str
        Names of the columns of `x` and of `u`.
    monomials : tuple
        The terms, as products of whole powers of expressions.
    functions : tuple of UserFunction
        That the terms call.
    delays : tuple of (str, int)
        Earlier values that follow the states among the columns of `x`, and their lags in samples.

    Raises
    ------
    InvalidInput
        If a name is empty, no string, or stands twice.

    Notes
    -----
    Immutable, compared by value and hashable, so that it can be a static field of a system. The
    user's functions are compared by identity.

    Cost: one multiplication a sample for every term of a polynomial library, and the memory of the
    answer; 20 terms on 100,000 samples take a few milliseconds.

    Examples
    --------
    >>> from takens.learn.terms import Polynomials
    >>> terms = Polynomials(2).over(("x", "y"))
    >>> terms(np.array([2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0, 4.0, 6.0, 9.0]
    """

    states: tuple[str, ...]
    inputs: tuple[str, ...]
    monomials: tuple[Monomial, ...]
    functions: tuple[UserFunction, ...] = ()
    delays: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        everything = self.columns + self.inputs
        for name in everything:
            if not isinstance(name, str) or not name:
                raise InvalidInput(f"{name!r} was given as the name of a column; expected a word.")
            if everything.count(name) > 1:
                raise InvalidInput(f"two columns are called {name!r}. Rename one.")
        for name in frozenset().union(*[monomial_columns(m) for m in self.monomials]):
            if name not in everything:
                raise InvalidInput(f"{name!r} is no column. Columns are {list(everything)}.")
        found = dict.fromkeys(ordered(m, everything) for m in self.monomials)
        used = frozenset().union(*[users_of(atom) for m in found for atom, _ in m])
        kept = tuple(f for f in self.functions if f.name in used)
        object.__setattr__(self, "monomials", tuple(found))
        object.__setattr__(self, "functions", kept)

    def __len__(self) -> int:
        return len(self.monomials)

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.states, self.inputs, self.monomials, self.functions, self.delays))

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: programs are made again, and hashes differ between processes."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `x`: the states, then earlier values of them."""
        return self.states + tuple(delayed_name(*delay) for delay in self.delays)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """One for each term, such as ``"x^2*y"``; `takens.learn.terms.Expressions` reads them."""
        return tuple(monomial_text(m) for m in self.monomials)

    @functools.cached_property
    def uses_time(self) -> bool:
        """Whether a term depends on time itself."""
        return any(uses_time(atom) for m in self.monomials for atom, _ in m)

    @functools.cached_property
    def uses_inputs(self) -> bool:
        """Whether a term depends on an input."""
        return any(monomial_columns(m) & set(self.inputs) for m in self.monomials)

    @functools.cached_property
    def _plan(self) -> Plan:
        return Plan(self.monomials)

    @functools.cached_property
    def _users(self) -> dict[str, UserFunction]:
        return {f.name: f for f in self.functions}

    @functools.cached_property
    def _slopes(self) -> tuple[Plan, list[tuple[int, int, float, int]]]:
        """Monomials that derivatives are made of, and (term, column, number, monomial)."""
        everything = self.columns + self.inputs
        places: dict[Monomial, int] = {}
        parts = [
            (k, j, scale, places.setdefault(ordered(inner, everything), len(places)))
            for k, monomial in enumerate(self.monomials)
            for j, name in enumerate(self.columns)
            for scale, inner in slopes(monomial, name)
        ]
        return Plan(tuple(places)), parts

    def __call__(self, x: Any, u: Any = None, t: Any = None, xp: Any = np) -> Any:
        """Values of the terms.

        Parameters
        ----------
        x : array, shape (..., n_columns)
        u : array, shape (..., n_inputs), optional
            Needed where a term has an input.
        t : float or array, shape (...), optional
            Needed where a term has time.
        xp : module
            ``numpy``, or ``jax.numpy`` to be traced.

        Returns
        -------
        array, shape (..., n_terms)
            NaN where a column of the term is. In NumPy, term by term contiguous in memory.
        """
        if xp is np:
            stacked = self.stacked(x, u, t)
            return np.moveaxis(stacked, 0, -1)
        x = xp.asarray(x)
        x = x if xp.issubdtype(x.dtype, xp.floating) else x.astype(float)
        self._checked(x, u, t)
        found = self._plan.traced(self._given(x, u, t), self._users, xp)
        spread = [xp.broadcast_to(xp.asarray(v, x.dtype), x.shape[:-1]) for v in found]
        return xp.stack(spread, axis=-1)

    def stacked(
        self, x: Any, u: Any = None, t: Any = None, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Values of the terms with the term as first axis, shape (n_terms, ...), contiguous.

        `out`, if given, is filled and returned; it saves the time to get memory for it.
        """
        x, u, t = self._arrays(x, u, t)
        shape = (len(self), *x.shape[:-1])
        if out is None:
            out = np.empty(shape)
        elif out.shape != shape or not out.flags.c_contiguous or out.dtype != float:
            raise InvalidInput(
                f"out has shape {out.shape}; expected a contiguous array of floats of {shape}."
            )
        self._blocks(self._plan, x, u, t, out.reshape(len(self), -1))
        return out

    def jacobian(self, x: Any, u: Any = None, t: Any = None) -> np.ndarray:
        """Exact derivatives of the terms by the columns of `x`.

        Returns
        -------
        array, shape (..., n_terms, n_columns)
        """
        x, u, t = self._arrays(x, u, t)
        plan, parts = self._slopes
        n = int(np.prod(x.shape[:-1]))
        values = np.empty((plan.n_wanted, n))
        self._blocks(plan, x, u, t, values)
        found = np.zeros((len(self), len(self.columns), n))
        for term, place, scale, slot in parts:
            found[term, place] += scale * values[slot] if scale != 1 else values[slot]
        return np.moveaxis(found.reshape(*found.shape[:2], *x.shape[:-1]), (0, 1), (-2, -1))

    def debiased(self, x: Any, variance: Any, u: Any = None, t: Any = None) -> np.ndarray:
        r"""Values whose mean under measurement noise is the value without noise.

        For :math:`x = x^* + e` with :math:`e \sim N(0, \mathrm{diag}(v))` the mean of
        :math:`\theta(x)` is not :math:`\theta(x^*)`. What is returned has that mean: exactly for
        polynomials (:math:`x^p` becomes the Hermite polynomial of variance :math:`v`) and for
        sines, cosines and exponentials of sums of columns; to second order,
        :math:`\theta - \tfrac12 \sum_j v_j \theta_{jj}`, for all else.

        Parameters
        ----------
        x : array, shape (..., n_columns)
        variance : array, shape (n_columns,) or that of `x`
            Of the noise, in squared units of the columns; independent between columns.
        u, t : as for values; taken as exact

        Returns
        -------
        array, shape (..., n_terms)

        Notes
        -----
        Both exact rules follow from :math:`E\, e^{s e} = e^{s^2 v / 2}`: so
        :math:`e^{s x - s^2 v / 2}` has the mean :math:`e^{s x^*}`, and it is the generating
        function of those Hermite polynomials.
        """
        x, u, t = self._arrays(x, u, t)
        variance = np.asarray(variance, dtype=float)
        if not (variance >= 0).all():
            raise InvalidInput("variance holds a negative value or NaN; expected zero or more.")
        try:
            variance = np.broadcast_to(variance, x.shape)
        except ValueError as error:
            raise InvalidInput(
                f"variance has shape {variance.shape}; expected ({x.shape[-1]},) or {x.shape}."
            ) from error
        spread = {name: variance[..., j] for j, name in enumerate(self.columns)}
        lead = x.shape[:-1]
        with np.errstate(all="ignore"):
            return debiased(self.monomials, self._given(x, u, t), spread, self._users, lead)

    def delayed(self, states: Any) -> np.ndarray:
        """The columns of `x` from an even record of the states without breaks.

        Parameters
        ----------
        states : array, shape (time, n_states)

        Returns
        -------
        array, shape (time - longest lag, n_columns)
            Row 0 is at the first time whose earlier values are all known.
        """
        states = np.asarray(states, dtype=float)
        longest = max((lag for _, lag in self.delays), default=0)
        if states.ndim != 2 or states.shape[1] != len(self.states) or len(states) <= longest:
            raise InvalidInput(
                f"states has shape {states.shape}; expected (time, {len(self.states)}) with more "
                f"than {longest} times."
            )
        end = len(states)
        earlier = [
            states[longest - lag : end - lag, self.states.index(name)] for name, lag in self.delays
        ]
        return np.column_stack([states[longest:], *earlier])

    def part(self, columns: Sequence[str]) -> Terms:
        """The terms that need none but the given columns (and time), over these alone."""
        for name in columns:
            if name not in self.columns + self.inputs:
                raise InvalidInput(
                    f"{name!r} is no column. Columns are {list(self.columns + self.inputs)}."
                )
        chosen = tuple(dict.fromkeys(columns))
        kept = tuple(m for m in self.monomials if monomial_columns(m) <= set(chosen))
        if not kept:
            raise InvalidInput(f"no term is made of {list(chosen)} alone.")
        states = tuple(name for name in chosen if name in self.states)
        inputs = tuple(name for name in chosen if name in self.inputs)
        delays = tuple(d for d in self.delays if delayed_name(*d) in chosen)
        return Terms(states, inputs, kept, self.functions, delays)

    def select(self, which: Any) -> Terms:
        """Some of the terms, over the same columns.

        Parameters
        ----------
        which : sequence of str, int or bool
            Their names, their places, or one truth value for each term.
        """
        chosen = list(which)
        if chosen and all(isinstance(entry, str) for entry in chosen):
            for name in chosen:
                if name not in self.names:
                    raise InvalidInput(f"{name!r} is no term. Terms are {list(self.names)}.")
            chosen = [self.names.index(name) for name in chosen]
        places = np.asarray(chosen)
        if places.dtype == bool and len(places) == len(self):
            places = np.flatnonzero(places)
        whole = places.dtype.kind in "iu" and len(set(places.tolist())) == len(places)
        if not len(places) or not whole or places.min() < 0 or places.max() >= len(self):
            raise InvalidInput(
                f"{which!r} does not choose among {len(self)} terms. Give names, different places "
                "from 0, or one truth value for each, at least one true."
            )
        return dataclasses.replace(self, monomials=tuple(self.monomials[i] for i in places))

    def units(
        self,
        state_units: Sequence[str],
        time_unit: str = "1",
        input_units: Sequence[str] | None = None,
    ) -> tuple[tuple[tuple[str, ...], ...], tuple[Finding, ...]]:
        """Units of the coefficients of ``d(state)/dt``, and what does not fit.

        Parameters
        ----------
        state_units : sequence of str
            One for each state, ``""`` for a pure number.
        time_unit : str
            ``"1"`` for steps: then a coefficient has the unit of the state over that of the term.
        input_units : sequence of str, optional
            One for each input; pure numbers when not given.

        Returns
        -------
        units : tuple of tuple of str
            ``units[term][state]``.
        findings : tuple of Finding
            A caution for each function of a quantity that has a unit, and for each sum of unlike
            ones.

        Examples
        --------
        >>> from takens.learn.terms import Polynomials
        >>> Polynomials(2).over(("v",)).units(["mV"], "s")[0]
        (('mV/s',), ('1/s',), ('1/(mV*s)',))
        """
        return unit_table(self, state_units, time_unit, input_units)

    def to_json(self) -> str:
        """The terms as text, from which `from_json` makes equal ones.

        Raises
        ------
        InvalidInput
            If they call a function of the user's: code is not written to files.
        """
        if self.functions:
            raise InvalidInput(
                f"the terms call {', '.join(f.name for f in self.functions)}, which is code of "
                "yours and is not written to a file. Write it as a string in Expressions(...)."
            )
        content = {
            "format": FORMAT,
            "states": self.states,
            "inputs": self.inputs,
            "delays": self.delays,
            "terms": self.names,
        }
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_json(cls, content: str) -> Terms:
        """The terms that `to_json` wrote. Nothing in the text is run.

        Raises
        ------
        InvalidInput
            If the text is something else.
        """
        try:
            read = json.loads(content)
            if read["format"] != FORMAT:
                raise InvalidInput(f"the text has the format {read['format']!r}; expected {FORMAT}")
            delays = tuple((str(name), int(lag)) for name, lag in read["delays"])
            found = [factors_of(parse(name)) for name in read["terms"]]
            names = (tuple(read["states"]), tuple(read["inputs"]))
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput("the text holds no terms. Give what Terms.to_json wrote.") from error
        if any(scale != 1 for scale, _ in found):
            raise InvalidInput("a term in the text has a factor of its own.")
        return cls(*names, tuple(m for _, m in found), (), delays)

    def _arrays(self, x: Any, u: Any, t: Any) -> tuple[np.ndarray, Any, Any]:
        x = np.asarray(x, dtype=float)
        self._checked(x, u, t)
        lead = x.shape[:-1]
        if u is not None and self.uses_inputs:
            u = np.broadcast_to(np.asarray(u, dtype=float), (*lead, len(self.inputs)))
        if t is not None and self.uses_time:
            t = np.broadcast_to(np.asarray(t, dtype=float), lead)
        return x, u, t

    def _checked(self, x: Any, u: Any, t: Any) -> None:
        if x.ndim < 1 or x.shape[-1] != len(self.columns):
            raise InvalidInput(
                f"x has shape {x.shape}; expected (..., {len(self.columns)}) for the columns "
                f"{list(self.columns)}."
            )
        if self.uses_inputs and u is None:
            raise InvalidInput(f"the terms need the inputs {list(self.inputs)}. Give `u`.")
        if self.uses_inputs and np.shape(u)[-1:] != (len(self.inputs),):
            raise InvalidInput(
                f"u has shape {np.shape(u)}; expected (..., {len(self.inputs)}) for "
                f"{list(self.inputs)}."
            )
        if self.uses_time and t is None:
            raise InvalidInput("the terms depend on time. Give `t`.")

    def _given(self, x: Any, u: Any, t: Any) -> Callable[[Node], Any]:
        def given(node: Node) -> Any:
            if node[0] == "time":
                return t
            if node[1] in self.columns:
                return x[..., self.columns.index(node[1])]
            return u[..., self.inputs.index(node[1])]

        return given

    def _blocks(self, plan: Plan, x: np.ndarray, u: Any, t: Any, out: np.ndarray) -> None:
        """Run a plan over the samples, a block at a time, into ``out[monomial, sample]``."""
        x = x.reshape(-1, x.shape[-1])
        u = None if u is None or not self.uses_inputs else u.reshape(-1, u.shape[-1])
        t = None if t is None or not self.uses_time else t.reshape(-1)
        with np.errstate(all="ignore"):  # what has no value is NaN or infinite, and is seen later
            for lo in range(0, len(x), BLOCK):
                some = slice(lo, lo + BLOCK)
                wide = np.ascontiguousarray(x[some].T).T
                given = self._given(
                    wide, None if u is None else u[some], None if t is None else t[some]
                )
                plan.into(out[:, some], given, self._users)
