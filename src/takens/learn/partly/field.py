"""Known rates plus a weighted sum of candidates: what the shooting sees of a half-known system."""

from __future__ import annotations

import abc
import dataclasses
import functools
from typing import Any

import numpy as np

from takens.learn.partly.parts import AbstractPart
from takens.learn.sparse.fields import AbstractField


class AbstractBasis(abc.ABC):
    """Functions of the columns of which rates can be sums, as `Terms` are."""

    @abc.abstractmethod
    def __call__(self, x: Any, u: Any = None, t: Any = None) -> np.ndarray:
        """Values, (point, function)."""

    @abc.abstractmethod
    def jacobian(self, x: Any, u: Any = None, t: Any = None) -> np.ndarray:
        """Derivatives by the columns of `x`, (point, function, column)."""


@dataclasses.dataclass(frozen=True, eq=False)
class PartlyKnownField(AbstractField):
    r"""Rates :math:`g(x, u, t; p) + \sum_k w_k \, C_k^\top \theta(x, u, t)`.

    Every candidate is a vector of rates: with :math:`\theta` the functions of the basis, candidate
    k adds :math:`\sum_m C_{kmi} \theta_m` to equation i. Where :math:`C_k` has one entry, it is a term
    in one equation; a structure such as a Hamiltonian joins several.

    Parameters
    ----------
    part : AbstractPart
        The known rates; their free parameters come first among the numbers.
    basis : Terms or AbstractBasis, optional
    tables : array, shape (candidate, function, dim), optional
        :math:`C`.
    precision : array, shape (parameter,), optional
        Inverse prior variances around zero; none where not given.
    """

    part: AbstractPart
    basis: Any = None
    tables: np.ndarray | None = None
    precision: np.ndarray | None = None

    @property
    def n_known(self) -> int:
        """Number of free parameters of the known part."""
        return len(self.part.parameters)

    @functools.cached_property
    def _used(self) -> tuple[Any, np.ndarray]:
        """The functions that some candidate needs, and the tables over these."""
        assert self.tables is not None
        used = self.tables.any(axis=(0, 2))
        if used.all() or not used.any():
            return self.basis, self.tables
        if isinstance(self.basis, AbstractBasis):
            return self.basis, self.tables
        return self.basis.select(used), self.tables[:, used]

    @property
    def n_candidates(self) -> int:
        """Number of candidates."""
        return 0 if self.tables is None else len(self.tables)

    @property
    def n_parameters(self) -> int:
        """Free parameters, then one number for each candidate."""
        return self.n_known + self.n_candidates

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Both parts, and their derivatives by the state."""
        values, slopes = self.part.rates(x, u, t, w[: self.n_known])
        if not self.n_candidates:
            return values, slopes
        basis, tables = self._used
        table = np.tensordot(w[self.n_known :], tables, axes=1)
        more = np.swapaxes(basis.jacobian(x, u, t), 1, 2) @ table
        return values + basis(x, u, t) @ table, slopes + np.swapaxes(more, 1, 2)

    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """`carry` times the sensitivities of the known part, and times the candidates."""
        parts = []
        if self.n_known:
            parts.append(self.part.sensitivities(x, u, t, w[: self.n_known]))
        if self.n_candidates:
            basis, tables = self._used
            count, functions, dim = tables.shape
            flat = np.moveaxis(tables, 1, 0).reshape(functions, count * dim)
            found = (basis(x, u, t) @ flat).reshape(len(x), count, dim)
            parts.append(np.swapaxes(found, 1, 2))
        if not parts:
            return np.zeros((*x.shape, 0))
        return carry @ np.concatenate(parts, axis=2)

    def chosen(self, which: np.ndarray) -> PartlyKnownField:
        """The same with some of the candidates."""
        assert self.tables is not None
        kept = np.r_[np.ones(self.n_known, dtype=bool), np.asarray(which, dtype=bool)]
        return PartlyKnownField(
            self.part,
            self.basis,
            self.tables[np.asarray(which, dtype=bool)],
            None if self.precision is None else self.precision[kept],
        )


@dataclasses.dataclass(frozen=True, eq=False)
class HeldField(AbstractField):
    """A field one of whose numbers is held.

    Parameters
    ----------
    field : PartlyKnownField
    place : int
    value : float
    """

    field: PartlyKnownField
    place: int
    value: float

    @property
    def precision(self) -> np.ndarray | None:  # type: ignore[override]
        """Of the others."""
        whole = self.field.precision
        return None if whole is None else np.delete(whole, self.place)

    @property
    def n_parameters(self) -> int:
        """One less."""
        return self.field.n_parameters - 1

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Those of the field."""
        return self.field.rates(x, u, t, np.insert(w, self.place, self.value))

    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """Without the number that is held."""
        whole = self.field.response(carry, x, u, t, np.insert(w, self.place, self.value))
        return np.delete(whole, self.place, axis=2)
