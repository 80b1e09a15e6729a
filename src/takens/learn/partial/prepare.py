"""From records to weak forms: the noise in a cell, missing cells, widths of the test functions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import scipy.sparse

from takens.core import InvalidInput
from takens.learn.partial.bumps import Axis
from takens.learn.partial.grid import LARGEST, SMALLEST, FieldData
from takens.learn.partial.weak import Weak, contracted

LEAST_SPREAD = 1e-4  # of its size: what a component must vary by
SAME = 1e-10  # squared distance of two components of length one that are the same
POWER = 8  # of the bump: smooth enough for derivatives of order 4 and the quadrature of them
BEYOND = 2.0  # standard deviations of the bump's spectrum at which the corner of the data lies
LEAST_SHARE = 1e-5  # of the mean square slope that may lie beyond the corner
SPACE_TESTS = 900  # test functions in space, at most
MOST_TESTS = 8000  # test functions of one record, at most
LEAST_TESTS = 20
FILTERS = (4, 3, 2, 1)  # orders of the differences that leave the noise
FEWEST = 200  # differences whose variance is an estimate


def narrowest(order: int) -> int:
    """Half-width in points below which sums of a derivative are no longer integrals.

    From there on the rule's error is below 0.003 for waves of 60 points, and falls as the eighth
    power of the half-width or faster.
    """
    return 4 + 2 * max(order, 1)


def spread_of(name: str, cells: np.ndarray) -> float:
    """Standard deviation of a component, of which products must have digits left.

    Raises
    ------
    InvalidInput
        If it is constant, nearly so for its size, or too large or small.
    """
    size = float(np.nanmax(np.abs(cells)))
    if not size < LARGEST:
        raise InvalidInput(
            f"values of {name!r} reach {size:.3g}, too large for products. Take larger units."
        )
    spread = float(np.nanstd(cells))
    if spread <= 1e-12 * size:
        raise InvalidInput(
            f"component {name!r} is constant; a constant field has no dynamics. Drop it."
        )
    if spread < SMALLEST:
        raise InvalidInput(
            f"values of {name!r} vary by {spread:.3g}, too little for products. Take smaller units."
        )
    if spread < LEAST_SPREAD * size:
        raise InvalidInput(
            f"component {name!r} varies by {spread:.3g} about {size:.3g}, which leaves no digits to "
            "products. Give its difference from a constant; the law is then one of that difference."
        )
    return spread


def check_different(records: tuple[FieldData, ...]) -> None:
    """Refuse components that are one and the same up to offset and unit."""
    names = records[0].components
    cells = np.concatenate([r.values.reshape(-1, len(names)) for r in records])
    for i, j in combinations(range(len(names)), 2):
        pair = cells[:, [i, j]][np.isfinite(cells[:, [i, j]]).all(axis=1)]
        with np.errstate(over="ignore", invalid="ignore"):  # sizes are refused on their own
            pair = pair - pair.mean(axis=0)
            a, b = (pair / np.sqrt((pair**2).sum(axis=0))).T
            same = ((a - np.sign(a @ b) * b) ** 2).sum() < SAME
        if same:
            raise InvalidInput(
                f"components {names[i]!r} and {names[j]!r} are the same up to offset and unit, so "
                "that no data tell them apart. Drop one."
            )


def noise_variance(values: np.ndarray) -> float:
    """Variance of noise that is independent from cell to cell, of one component.

    Differences along time and all axes at once remove what is smooth along any of them. Of
    several orders the one that leaves least is taken, since signal can only add.
    """
    best = math.inf
    for order in FILTERS:
        found, norm = values, 1.0
        if min(values.shape) <= order:
            continue
        for axis in range(values.ndim):
            found = np.diff(found, order, axis=axis)
            norm *= math.comb(2 * order, order)
        finite = found[np.isfinite(found)]
        if finite.size >= FEWEST:
            best = min(best, float(np.mean(finite**2)) / norm)
    if not math.isfinite(best):
        raise InvalidInput(
            f"fewer than {FEWEST} neighbourhoods of the field are complete, too few to tell noise "
            "from field. Give a denser or larger field."
        )
    return best


def _basis(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the neighbours that fill a cell, and quadratic polynomials in them."""
    reach = [2 if len(shape) <= 2 and n >= 5 else 1 for n in shape]
    offsets = np.array([o for o in product(*[range(-r, r + 1) for r in reach]) if any(o)])
    scaled = offsets / np.array(reach)
    pairs = [(i, j) for i in range(len(shape)) for j in range(i + 1)]
    columns = [np.ones(len(offsets)), *scaled.T, *[scaled[:, i] * scaled[:, j] for i, j in pairs]]
    return offsets, np.stack(columns, axis=1)


def filled(
    values: np.ndarray, periodic: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray, scipy.sparse.csr_array | None]:
    """Missing cells of one component from a quadratic fitted to their neighbours.

    A cell is filled where its error is no larger than that of a measurement; others are lost.

    Returns
    -------
    values : array
        Zero where lost.
    gain : array
        Variance of the noise in units of that of a measured cell; NaN where lost.
    filling : sparse array, shape (cell, cell), or None
    """
    measured = np.isfinite(values)
    flat = np.where(measured, values, 0.0).ravel()
    gain = np.where(measured, 1.0, np.nan).ravel()
    missing = np.argwhere(~measured)
    if not len(missing):
        return values, gain.reshape(values.shape), None
    offsets, basis = _basis(values.shape)
    rows, columns, weights = [], [], []
    for part in np.array_split(missing, -(-len(missing) // 4096)):
        place = part[:, None, :] + offsets
        inside = np.ones(place.shape[:2], dtype=bool)
        for axis, (size, closed) in enumerate(zip(values.shape, periodic, strict=True)):
            if not closed:
                inside &= (place[..., axis] >= 0) & (place[..., axis] < size)
            place[..., axis] %= size
        index = np.ravel_multi_index(tuple(np.moveaxis(place, -1, 0)), values.shape)
        known = inside & measured.ravel()[index]
        enough = known.sum(axis=1) > basis.shape[1]
        known, index, here = known[enough], index[enough], part[enough]
        normal = np.einsum("cw,wi,wj->cij", known, basis, basis)
        normal += 1e-9 * np.eye(basis.shape[1])  # singular: a huge variance, so the cell is lost
        row = np.linalg.solve(normal, np.eye(basis.shape[1])[None, :, :1])[..., 0]
        weight = np.where(known, row @ basis.T, 0.0)
        variance = (weight**2).sum(axis=1)
        fine = (variance <= 1) & (np.abs(weight.sum(axis=1) - 1) < 1e-6)
        target = np.ravel_multi_index(tuple(here[fine].T), values.shape)
        flat[target] = (weight[fine] * flat[index[fine]]).sum(axis=1)
        gain[target] = variance[fine]
        used = known[fine]
        rows.append(np.repeat(target, used.sum(axis=1)))
        columns.append(index[fine][used])
        weights.append(weight[fine][used])
    own = np.flatnonzero(measured.ravel())
    size = values.size
    entries = np.concatenate([np.ones(len(own)), *weights])
    places = (np.concatenate([own, *rows]), np.concatenate([own, *columns]))
    filling = scipy.sparse.csr_array((entries, places), shape=(size, size))
    return flat.reshape(values.shape), gain.reshape(values.shape), filling


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """One record, filled, and the noise it carries.

    Parameters
    ----------
    values, gain : array, shape (time, axes..., component)
        As `filled` gives them; behind the components the inputs, which are never filled.
    measured : array of bool, same shape
    filling : tuple of sparse array or None
        One per component.
    """

    values: np.ndarray
    gain: np.ndarray
    measured: np.ndarray
    filling: tuple[scipy.sparse.csr_array | None, ...]

    @classmethod
    def of(cls, record: FieldData, periodic: tuple[bool, ...]) -> Prepared:
        """Fill what can be filled."""
        parts = [
            filled(record.values[..., c], (False, *periodic)) for c in range(len(record.components))
        ]
        known = np.isfinite(record.inputs)
        for c in range(len(record.input_names)):
            there = known[..., c]
            value = np.where(there, record.inputs[..., c], 0.0)
            parts.append((value, np.where(there, 1.0, np.nan), None))
        return cls(
            np.stack([p[0] for p in parts], axis=-1),
            np.stack([p[1] for p in parts], axis=-1),
            np.concatenate([np.isfinite(record.values), known], axis=-1),
            tuple(p[2] for p in parts),
        )

    @property
    def lost(self) -> np.ndarray:
        """Cells that no value could be given to."""
        return np.asarray(np.isnan(self.gain).any(axis=-1))

    def weak(self, axes: tuple[Axis, ...], sigma: np.ndarray) -> Weak:
        """The weak form on the given test functions, dropping those that touch a lost cell."""
        lost = self.lost
        touch = [(a.matrix(0) > 0).astype(float) for a in axes]
        hit = contracted(np.tensordot(touch[0], lost.astype(float), 1), touch[1:])
        density = []
        for filling in self.filling:
            if filling is None:
                density.append(1.0)
            else:
                density.append(float((filling.sum(axis=0) ** 2).sum() / max((~lost).sum(), 1)))
        gain = np.where(lost[..., None], 0.0, self.gain)
        return Weak(
            values=np.where(lost[..., None], 0.0, self.values),
            variance=gain * sigma**2,
            clean=self.measured & ~lost[..., None],
            filling=self.filling,
            density=np.array(density),
            axes=axes,
            kept=hit < 0.5,
        )


def corner(prepared: Prepared, axis: int, periodic: bool, sigma: np.ndarray) -> float:
    """Highest angular frequency, per point, at which the field along an axis exceeds its noise."""
    highest = 0.0
    n = prepared.values.shape[axis]
    whole = ~prepared.lost.any(axis=axis)
    for c, s in enumerate(sigma):
        lines = np.moveaxis(prepared.values[..., c], axis, -1)
        lines = lines[whole] if whole.any() else lines.reshape(-1, n)
        lines = lines[:: max(1, lines.size // 2**21)]
        taper = np.ones(n) if periodic else np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2
        lines = lines - (lines @ taper / taper.sum())[:, None]
        power = (np.abs(np.fft.rfft(lines * taper)) ** 2).mean(axis=0)[1:]
        floor = s**2 * (taper**2).sum()
        signal = np.maximum(power - floor, 0.0)
        above = np.flatnonzero(signal > floor)
        slope = signal * np.arange(1, len(signal) + 1) ** 2
        beyond = slope[::-1].cumsum()[::-1]
        strong = np.flatnonzero(beyond > LEAST_SHARE * beyond[0])
        last = min(above.max(initial=0), strong.max(initial=0)) + 1
        highest = max(highest, 2 * np.pi * last / n)
    return highest


def half_widths(
    prepared: tuple[Prepared, ...], periodic: tuple[bool, ...], sigma: np.ndarray, order: int
) -> tuple[int, ...]:
    """In points, time first: the corner of the data lies 2 deviations out in the bump's spectrum.

    A bump has about the spectrum of a Gaussian of deviation ``half_width / sqrt(2 power + 3)``
    (Messenger and Bortz, J. Comput. Phys. 443, 110525 (2021), section 4).
    """
    found = []
    for axis, closed in enumerate((False, *periodic)):
        size = min(p.values.shape[axis] for p in prepared)
        least = narrowest(order if axis else 1)
        if size < 2 * least + 1:
            raise InvalidInput(
                f"axis {axis} (0 is time) has {size} points; a test function needs {2 * least + 1} "
                "for derivatives of this order. Give a longer record or a finer grid, or a lower order."
            )
        top = max(corner(p, axis, closed, sigma) for p in prepared)
        width = math.ceil(BEYOND * math.sqrt(2 * POWER + 3) / top)
        most = (size - 1) // 2 if closed else max(size // 10, least)  # the rims are lost
        found.append(min(max(width, least), most))
    return tuple(found)


def lattice(
    record: FieldData, widths: tuple[int, ...], periodic: tuple[bool, ...]
) -> tuple[Axis, ...]:
    """Test functions a quarter of their half-width apart, or farther where there would be too many."""

    def laid(share: float) -> tuple[Axis, ...]:
        sizes = record.values.shape
        return tuple(
            Axis(sizes[i], record.steps[i], m, POWER, max(1, int(share * m)), closed)
            for i, (m, closed) in enumerate(zip(widths, (False, *periodic), strict=True))
        )

    for share in _shares():
        axes = laid(share)
        space = math.prod(len(a.centres) for a in axes[1:])
        if space <= SPACE_TESTS and space * len(axes[0].centres) <= MOST_TESTS:
            break
    return axes


def _shares() -> Iterator[float]:
    share = 0.25
    while share < 2:
        yield share
        share *= 1.1
