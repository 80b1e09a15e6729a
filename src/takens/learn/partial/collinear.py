"""Terms that coincide on the data at hand: with known fields they often do."""

from __future__ import annotations

import numpy as np

from takens.core import Finding
from takens.learn.partial.grid import FieldData
from takens.learn.partial.terms import PDETerm
from takens.learn.partial.weak import Weak

COINCIDENT = 1e-3  # of a term of inputs alone outside the simpler ones: the error of the integrals
ENTANGLED = 1e-6  # the same of other terms
NOTHING = 1e-6  # of the largest term of the same derivative, for its size: below it a term is zero


def independent(
    weak: tuple[Weak, ...], terms: tuple[PDETerm, ...], record: FieldData
) -> tuple[tuple[PDETerm, ...], tuple[Finding, ...]]:
    """Terms that the simpler ones before them do not make up on these data, and a note of the others.

    A source that is one wave is its own second derivative; what depends on time alone has none.
    """
    features = tuple(PDETerm(t.powers, (0, *t.orders)) for t in terms)
    rows = np.concatenate([w.project(features)[w.kept] for w in weak])
    own = len(record.components)
    largest = np.concatenate([np.abs(w.values).reshape(-1, w.values.shape[-1]) for w in weak])
    size = np.array([np.prod(largest.max(axis=0) ** np.array(t.powers)) for t in terms])
    norms = np.linalg.norm(rows, axis=0)
    share = norms / np.maximum(size, 1e-300)
    basis = np.empty((len(rows), 0))
    kept: list[PDETerm] = []
    for k, term in enumerate(terms):
        same = [m for m, other in enumerate(terms) if other.orders == term.orders]
        if share[k] <= NOTHING * share[same].max():
            continue
        rest = rows[:, k] - basis @ (basis.T @ rows[:, k])
        rest = rest - basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length <= (ENTANGLED if any(term.powers[:own]) else COINCIDENT) * norms[k]:
            continue
        kept.append(term)
        basis = np.column_stack([basis, rest / length])
    lost = [t for t in terms if t not in kept]
    if not lost:
        return terms, ()
    labels = (*record.components, *record.input_names)
    names = [t.name(labels, record.axes) for t in lost]
    note = Finding(
        code="collinear-terms",
        text=f"On these data {', '.join(names[:8])}{' ...' if names[8:] else ''} "
        f"{'is' if len(names) == 1 else 'are'} zero or made up of simpler terms.",
        action="Such data cannot tell them apart; the simpler ones were offered alone.",
        level="note",
    )
    return tuple(kept), (note,)
