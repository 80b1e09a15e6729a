r"""From each sample to the next where the rate depends on the state one delay ago.

What happened one delay ago is read off the states at the samples, by interpolation that is linear in
them. So a defect depends on the sample before, and on those around one delay ago; all else is as in
`takens.learn.sparse.shooting`. The covariance of the defects has a band as wide as the delay.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.sparse import coo_array, csr_array

from takens.learn.sparse.fields import (
    AbstractField,
    AbstractSupportedField,
    AbstractWideAdvance,
    GivenField,
    SparseField,
)
from takens.learn.sparse.nodes import Nodes
from takens.learn.sparse.shooting import Linear, Noise
from takens.learn.terms import Terms

POINTS = 6  # samples between which the past is a polynomial


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Past:
    """How states one delay before some times follow from those at the samples.

    Parameters
    ----------
    values, slopes : tuple of sparse array, shape (link, node)
        For each offset within a link, what gives the value there, and its rate of change.
    """

    values: tuple[csr_array, ...]
    slopes: tuple[csr_array, ...]

    @classmethod
    def of(
        cls, nodes: Nodes, links: np.ndarray, delay: float, offsets: np.ndarray, points: int
    ) -> Past:
        """For the links given by their first samples, at shares of their length.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the delay reaches before a record, or is not positive.
        """
        if not delay > 0:
            raise np.linalg.LinAlgError("The delay is not positive.")
        found = [
            interpolated(nodes, links, nodes.times[links] + c * nodes.steps[links] - delay, points)
            for c in offsets
        ]
        return cls(values=tuple(f[0] for f in found), slopes=tuple(f[1] for f in found))


def interpolated(
    nodes: Nodes, links: np.ndarray, wanted: np.ndarray, points: int
) -> tuple[csr_array, csr_array]:
    """Lagrange's polynomials through the nearest samples of the same stretch."""
    ends = np.array([(part.start, part.stop) for part in nodes.stretches])
    part = ends[np.searchsorted(ends[:, 1], links, side="right")]
    if (wanted < nodes.times[part[:, 0]] - 1e-9 * nodes.steps[links]).any():
        raise np.linalg.LinAlgError("The delay reaches before the record.")
    # Records may overlap in time, so that each link is looked up in its own stretch.
    place = np.empty(len(links), dtype=int)
    for start, stop in np.unique(part, axis=0):
        mine = part[:, 0] == start
        place[mine] = start + np.searchsorted(nodes.times[start:stop], wanted[mine], side="right")
    first = np.clip(place - points // 2, part[:, 0], np.maximum(part[:, 1] - points, part[:, 0]))
    columns = first[:, None] + np.arange(points)
    unit = nodes.steps[links][:, None]
    at = (nodes.times[columns] - wanted[:, None]) / unit
    values, slopes = np.ones(columns.shape), np.zeros(columns.shape)
    for k in range(points):
        for j in range(points):
            if j == k:
                continue
            gap = at[:, k] - at[:, j]
            slopes[:, k] = (slopes[:, k] * -at[:, j] + values[:, k]) / gap
            values[:, k] *= -at[:, j] / gap
    rows = np.repeat(np.arange(len(links)), points)
    shape = (len(links), len(nodes))
    return tuple(
        csr_array((entries.reshape(-1), (rows, columns.reshape(-1))), shape=shape)
        for entries in (values, slopes / unit)
    )


@dataclasses.dataclass(frozen=True, eq=False)
class DelayField(AbstractSupportedField):
    """A sum of terms in every equation, over states now and one delay ago; and the delay.

    Parameters
    ----------
    terms : Terms
        Over the states, and their values one delay ago.
    support : array of bool, shape (term + 1, dim)
        The last row is the delay: one number, which stands with the first equation.
    delay : float, optional
        Given where the last row is empty.
    """

    terms: Terms
    support: np.ndarray
    delay: float | None = None

    @functools.cached_property
    def sums(self) -> SparseField:
        """The terms alone.

        Raises
        ------
        numpy.linalg.LinAlgError
            If none stands.
        """
        if not self.support[:-1].any():
            raise np.linalg.LinAlgError("No term is left.")
        return SparseField(self.terms, self.support[:-1])

    @property
    def place(self) -> int | None:
        """Of the delay among the parameters, where it is one of them."""
        return int(self.support[:, 0].sum()) - 1 if self.support[-1, 0] else None

    def split(self, w: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients, and the delay."""
        if self.place is None:
            assert self.delay is not None
            return w, self.delay
        return np.delete(w, self.place), float(w[self.place])

    def given(self, delay: float) -> DelayField:
        """The same terms at a delay."""
        support = self.support.copy()
        support[-1] = False
        return DelayField(self.terms, support, delay)

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of states beside their past, (point, 2 dim)."""
        return self.sums.rates(x, u, t, self.split(w)[0])

    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """By the coefficients alone; what the delay does is done by the past."""
        return self.sums.response(carry, x, u, t, self.split(w)[0])


@dataclasses.dataclass(frozen=True, eq=False)
class GivenDelayField(AbstractField):
    """A rule with a delay whose numbers are all given, so that none are left.

    Parameters
    ----------
    field : DelayField
    given : array
        Its parameters, the delay among them.
    """

    field: DelayField
    given: np.ndarray

    @property
    def n_parameters(self) -> int:
        """None."""
        return 0

    @property
    def place(self) -> None:
        """The delay is given."""
        return None

    @functools.cached_property
    def sums(self) -> AbstractField:
        """The terms alone."""
        return GivenField(self.field.sums, self.field.split(self.given)[0])

    def split(self, w: np.ndarray) -> tuple[np.ndarray, float]:
        """No coefficients, and the delay."""
        return w, self.field.split(self.given)[1]

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of states beside their past, (point, 2 dim)."""
        return self.sums.rates(x, u, t, w)

    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """Nothing to respond to."""
        return self.sums.response(carry, x, u, t, w)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DelayAdvance(AbstractWideAdvance):
    """Classical Runge-Kutta steps between samples, the past interpolated.

    Parameters
    ----------
    nodes : Nodes
    links : array of int
        First samples of the links that have a past.
    substeps : int
    points : int
        Samples between which the past is a polynomial.
    """

    nodes: Nodes
    links: np.ndarray
    substeps: int = 1
    points: int = POINTS

    def finer(self) -> DelayAdvance:
        """Twice as many substeps, and a past that is smoother by two orders."""
        points = min(self.points + 2, POINTS + 2)
        return dataclasses.replace(self, substeps=2 * self.substeps, points=points)

    @functools.cached_property
    def offsets(self) -> np.ndarray:
        """Shares of a link at which rates are asked for."""
        return np.arange(2 * self.substeps + 1) / (2 * self.substeps)

    def __call__(
        self,
        field: AbstractField,
        w: np.ndarray,
        x: np.ndarray,
        u: tuple[np.ndarray, np.ndarray],
        t: np.ndarray,
        h: np.ndarray,
        *,
        derivatives: bool = True,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The state after each link, its derivative by the state before, and by the parameters.

        `x` holds the states at all samples but the last, taken to be no past.
        """
        moved, by_state, response, _ = self.moved(field, w, np.concatenate([x, x[-1:]]))
        return moved, by_state[0], response

    def states(
        self,
        field: AbstractField,
        w: np.ndarray,
        x: np.ndarray,
        u: tuple[np.ndarray, np.ndarray],
        t: np.ndarray,
        h: np.ndarray,
    ) -> np.ndarray:
        """The state after each link."""
        return self(field, w, x, u, t, h)[0]

    def moved(
        self, field: AbstractField, w: np.ndarray, states: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, Past]:
        """States after the links, (link, dim), their derivatives, and the past.

        Returns
        -------
        moved : array, shape (link, dim)
        by_state : list of array, shape (link, dim, dim)
            By the state before, and by the past at every offset.
        by_parameter : array, shape (link, dim, p)
        past : Past
        """
        assert isinstance(field, (DelayField, GivenDelayField))
        nodes, links = self.nodes, self.links
        numbers, delay = field.split(w)
        past = Past.of(nodes, links, delay, self.offsets, self.points)
        dim, offsets = states.shape[1], len(self.offsets)
        gone = [weights @ states for weights in past.values]
        h = nodes.steps[links] / self.substeps
        first, change = nodes.inputs[links], nodes.inputs[links + 1] - nodes.inputs[links]
        width = dim * (1 + offsets) + len(numbers)
        x = states[links]
        along = np.zeros((len(links), dim, width))
        along[:, :, :dim] = np.eye(dim)
        eye = np.broadcast_to(np.eye(dim), (len(links), dim, dim))

        def rate(x: np.ndarray, along: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
            both = np.concatenate([x, gone[k]], axis=1)
            u = first + change * self.offsets[k]
            t = nodes.times[links] + self.offsets[k] * nodes.steps[links]
            f, slope = field.sums.rates(both, u, t, numbers)
            grown = slope[:, :, :dim] @ along
            grown[:, :, dim * (1 + k) : dim * (2 + k)] += slope[:, :, dim:]
            grown[:, :, dim * (1 + offsets) :] += field.sums.response(eye, both, u, t, numbers)
            return f, grown

        one, two = h[:, None], h[:, None, None]
        for step in range(self.substeps):
            k = 2 * step
            f1, a1 = rate(x, along, k)
            f2, a2 = rate(x + one / 2 * f1, along + two / 2 * a1, k + 1)
            f3, a3 = rate(x + one / 2 * f2, along + two / 2 * a2, k + 1)
            f4, a4 = rate(x + one * f3, along + two * a3, k + 2)
            x = x + one / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
            along = along + two / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        by_state = [along[:, :, dim * k : dim * (k + 1)] for k in range(1 + offsets)]
        by_parameter = along[:, :, dim * (1 + offsets) :]
        if field.place is not None:
            earlier = -sum(
                np.einsum("nij,nj->ni", a, rates @ states)
                for a, rates in zip(by_state[1:], past.slopes, strict=True)
            )
            by_parameter = np.insert(by_parameter, field.place, earlier, axis=2)
        return x, by_state, by_parameter, past

    def linearised(
        self, field: AbstractField, w: np.ndarray, states: np.ndarray, nodes: Nodes, noise: Noise
    ) -> Linear:
        """The problem around one set of states and parameters.

        Raises
        ------
        numpy.linalg.LinAlgError
            If a step leaves the numbers, or the delay the record.

        Notes
        -----
        Cost: ``N dim^3 L^2`` operations for a delay of L samples; memory ``N dim^2 L``.
        """
        moved, by_state, response, past = self.moved(field, w, states)
        if not np.isfinite(moved).all():
            raise np.linalg.LinAlgError("The rule overflows between two samples.")
        jump = self._jump(by_state, past, states.shape)
        error = (nodes.values - states).reshape(-1)
        variance = noise.of_samples(nodes).reshape(-1)
        count, dim = len(self.links), states.shape[1]
        defect = (states[self.links + 1] - moved).reshape(-1) + jump @ error
        own = (jump * variance) @ jump.T
        dynamical = (noise.dynamical * nodes.steps[self.links, None]).reshape(-1)
        factor = cholesky_banded(_band(own, dynamical), lower=True, check_finite=False)
        columns = np.concatenate([defect[:, None], -response.reshape(count * dim, -1)], axis=1)
        weighted = cho_solve_banded((factor, True), columns, check_finite=False)
        shift = -variance[:, None] * (jump.T @ weighted)
        shift[:, 0] += error
        return Linear(
            tangent=by_state[0],
            weighted=weighted,
            gram=columns.T @ weighted,
            log_determinant=2 * float(np.log(factor[0]).sum()),
            free=len(nodes) - count,
            shift=shift.reshape(*states.shape, -1),
        )

    def _jump(self, by_state: list[np.ndarray], past: Past, shape: tuple[int, int]) -> csr_array:
        """Derivative of the defects by all states, (link * dim, node * dim)."""
        links, dim = self.links, shape[1]
        count = len(links)
        rows, columns, entries = [], [], []

        def put(link: np.ndarray, node: np.ndarray, block: np.ndarray) -> None:
            rows.append(np.broadcast_to(dim * link[:, None, None] + np.arange(dim)[:, None],
                                        block.shape).reshape(-1))  # fmt: skip
            columns.append(np.broadcast_to(dim * node[:, None, None] + np.arange(dim),
                                           block.shape).reshape(-1))  # fmt: skip
            entries.append(block.reshape(-1))

        every = np.arange(count)
        put(every, links + 1, np.broadcast_to(np.eye(dim), (count, dim, dim)))
        put(every, links, -by_state[0])
        for block, weights in zip(by_state[1:], past.values, strict=True):
            sparse = weights.tocoo()
            link, node = sparse.coords
            put(link, node, -block[link] * sparse.data[:, None, None])
        places = (np.concatenate(rows), np.concatenate(columns))
        return coo_array(
            (np.concatenate(entries), places), shape=(count * dim, shape[0] * dim)
        ).tocsr()


def _band(matrix: csr_array, diagonal: np.ndarray) -> np.ndarray:
    """Lower band of a symmetric matrix, with something added to its diagonal."""
    sparse = matrix.tocoo()
    i, j = sparse.coords
    lower = i >= j
    i, j, values = i[lower], j[lower], sparse.data[lower]
    band = np.zeros((int((i - j).max(initial=0)) + 1, matrix.shape[0]))
    band[i - j, j] = values
    band[0] += diagonal
    return band
