"""Units of coefficients: enough algebra to say ``1/(mV*s)``, and what does not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from takens.core import Finding, InvalidInput
from takens.learn.terms.tree import TIME, Node, children, column, text

if TYPE_CHECKING:
    from takens.learn.terms.terms import Terms

Unit = dict[str, float]
_TOKEN = re.compile(r"\s*(?:([*·/()])|([^\W\d_]+|[%°µΩ'\"$€£]+[^\W\d_]*)(?:\^|\*\*)?(-?\d+)?|(1))")


def read_unit(written: str) -> Unit:
    """A unit as powers of its parts; what cannot be read is one part of its own.

    Examples
    --------
    >>> read_unit("m s-2") == read_unit("m/s^2") == {"m": 1, "s": -2}
    True
    """
    found: Unit = {}
    place, sign, stack = 0, 1, [1]
    stripped = written.strip()
    while place < len(stripped):
        match = _TOKEN.match(stripped, place)
        if not match:
            return {stripped: 1}
        place = match.end()
        mark, name, exponent, _ = match.groups()
        if mark == "/":
            sign = -1
        elif mark == "(":
            stack.append(stack[-1] * sign)
            sign = 1
        elif mark == ")":
            if len(stack) == 1:
                return {stripped: 1}
            stack.pop()
        elif name:
            found[name] = found.get(name, 0) + sign * stack[-1] * int(exponent or 1)
            sign = 1
        elif not mark:
            sign = 1
    return {name: p for name, p in found.items() if p}


def unit_text(unit: Mapping[str, float]) -> str:
    """Powers of parts as text, ``""`` for a pure number."""

    def side(sign: int) -> list[str]:
        return [
            name if p * sign == 1 else f"{name}^{p * sign:g}"
            for name, p in unit.items()
            if p * sign > 0
        ]

    above, below = side(1), side(-1)
    shown = "*".join(above)
    if below:
        shown = f"{shown or '1'}/{below[0] if len(below) == 1 else '(' + '*'.join(below) + ')'}"
    return shown


def combined(*powers: tuple[Mapping[str, float], float]) -> Unit:
    """A product of powers of units."""
    found: Unit = {}
    for unit, exponent in powers:
        for name, p in unit.items():
            found[name] = found.get(name, 0) + p * exponent
    return {name: p for name, p in found.items() if p}


def derivative_units(units: Sequence[str], time_unit: str, order: int) -> tuple[str, ...]:
    """Of columns, then of their first derivatives by time, and so on below `order`.

    Examples
    --------
    >>> derivative_units(("m", ""), "s", 2)
    ('m', '', 'm/s', '1/s')
    """
    time = read_unit(time_unit)
    return tuple(
        unit_text(combined((read_unit(unit), 1), (time, -k))) if k else unit
        for k in range(order)
        for unit in units
    )


def unit_table(
    terms: Terms,
    state_units: Sequence[str],
    time_unit: str,
    input_units: Sequence[str] | None,
) -> tuple[tuple[tuple[str, ...], ...], tuple[Finding, ...]]:
    """See `takens.learn.terms.Terms.units`."""
    inputs = ("",) * len(terms.inputs) if input_units is None else tuple(input_units)
    for what, given, names in (("state", tuple(state_units), terms.states),
                               ("input", inputs, terms.inputs)):  # fmt: skip
        if len(given) != len(names):
            raise InvalidInput(f"{len(given)} {what} units were given for {len(names)} {what}s.")
    states = [read_unit(unit) for unit in state_units]
    known = {column(name): unit for name, unit in zip(terms.states, states, strict=True)}
    known |= {
        column(name): states[terms.states.index(delay[0])]
        for name, delay in zip(terms.columns[len(states) :], terms.delays, strict=True)
    }
    known |= {
        column(name): read_unit(unit) for name, unit in zip(terms.inputs, inputs, strict=True)
    }
    known[TIME] = read_unit(time_unit)
    reader = _Reader(known)
    own = [
        combined(*[(reader.unit(atom, name), p) for atom, p in monomial])
        for name, monomial in zip(terms.names, terms.monomials, strict=True)
    ]
    table = tuple(
        tuple(unit_text(combined((state, 1), (unit, -1), (known[TIME], -1))) for state in states)
        for unit in own
    )
    return table, tuple(reader.findings.values())


class _Reader:
    """Units of expressions, and a finding for each that has none."""

    def __init__(self, known: Mapping[Node, Unit]) -> None:
        self.known = known
        self.findings: dict[str, Finding] = {}

    def unit(self, node: Node, term: str) -> Unit:
        """The unit of an expression within a term."""
        kind = node[0]
        if kind in ("number", "pi"):
            return {}
        if kind in ("column", "time"):
            return self.known[node]
        if kind == "^" and node[2][0] == "number":
            return combined((self.unit(node[1], term), node[2][1]))
        below = [self.unit(child, term) for child in children(node)]
        if kind == "*":
            return combined(*[(unit, 1) for unit in below])
        if kind == "+":
            with_unit = [u for u, c in zip(below, children(node), strict=True) if c[0] != "number"]
            if any(unit != with_unit[0] for unit in with_unit):
                self._unlike(node, term)
            return with_unit[0]
        if kind == "call" and node[1] in ("sqrt", "abs"):
            return combined((below[0], 0.5 if node[1] == "sqrt" else 1))
        if kind == "call" and node[1] == "sign":
            return {}
        for child, unit in zip(children(node), below, strict=True):
            if unit and not _carries_unit(child):
                self._transcendental(node, child, unit, term)
        return {}

    def _transcendental(self, node: Node, child: Node, unit: Unit, term: str) -> None:
        what = f"{node[1]}" if node[0] != "^" else "a power"
        self.findings.setdefault(
            text(node),
            Finding(
                code="function-of-a-unit",
                text=f"The term {term} takes {what} of {text(child)}, which is in "
                f"{unit_text(unit)}.",
                action="Its meaning changes with the unit. Divide by a scale of the same unit.",
            ),
        )

    def _unlike(self, node: Node, term: str) -> None:
        self.findings.setdefault(
            text(node),
            Finding(
                code="sum-of-unlike-units",
                text=f"The term {term} adds quantities of different units: {text(node)}.",
                action="Its meaning changes with the units. Multiply each by a scale.",
            ),
        )


def _carries_unit(node: Node) -> bool:
    """A number times time: the number is an angular frequency and has the unit that is missing."""
    return node[0] == "*" and TIME in node[1:] and node[1][0] in ("number", "pi") and all(
        part == TIME or part[0] in ("number", "pi") for part in node[1:])  # fmt: skip
