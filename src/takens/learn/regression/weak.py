"""The weak form: equations multiplied by test functions, no slope taken of the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from takens.core import Finding, InvalidInput
from takens.learn.regression.equations import WhitenedEquations
from takens.learn.regression.forms import AbstractForm, AbstractRows
from takens.learn.regression.projection import Projection, projected
from takens.learn.regression.quadrature import interval_weights, sample_weights
from takens.learn.regression.samples import cut, measured_noise, pieces_of
from takens.learn.sparse.nodes import Nodes
from takens.learn.terms import Terms

POWER = 8  # of the bump (1 - s^2)^p
OUT = 2.0  # deviations of the bump's spectrum at which the signal sinks into its noise
PER_WIDTH = 6.0  # test functions for each half-width
FEWEST = 16  # samples in a half-width: sums over fewer are no integrals to six digits
SHORT = 8  # the same on short records, at three digits
COARSEST = 4.0  # a step longer than a half-width over this ends a stretch
TESTS = 250  # test functions of a piece
FEW = 30  # test functions below which the intervals are a guess
INTEGRATED = 200  # samples of a piece in the integral form
LONGEST_STEP = 3.5  # median steps over which the integral form still integrates


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ProjectedRows(AbstractRows):
    """Samples under test functions.

    Parameters
    ----------
    half_width : float
        Of the test functions, in units of time; zero for the integral from sample to sample.
    """

    half_width: float

    def projections(self) -> Iterator[Projection]:
        """Test functions, piece by piece."""
        times = self.nodes.times
        if not self.half_width:
            for rows in pieces_of(self.nodes, INTEGRATED):
                yield intervals(times[rows], rows)
            return
        step = float(np.median(np.diff(times)[self.nodes.linked]))
        most = int((TESTS / PER_WIDTH + 2) * self.half_width / step)
        for rows in pieces_of(self.nodes, most):
            if times[rows.stop - 1] - times[rows.start] >= 2 * self.half_width:
                yield bumps(times[rows], rows, self.half_width)

    def equations(self, terms: Terms, table: np.ndarray | None, n_blocks: int) -> WhitenedEquations:
        """Whitened at the law given."""
        total = sum(p.shape[0] for p in self.projections())
        block = max(total // n_blocks, 1)
        return projected(self.nodes, terms, self.variance, table, self.projections(), block)


def intervals(times: np.ndarray, rows: slice) -> Projection:
    """From each sample to the next."""
    first, weights, rougher = interval_weights(times)
    count, width = weights.shape
    here = np.arange(count) - first  # where the sample itself stands among those around it
    outer = np.zeros_like(weights)
    outer[np.arange(count), here], outer[np.arange(count), here + 1] = -1.0, 1.0
    return Projection(
        rows=rows,
        first=first,
        ends=first + width,
        parts=np.array([count]),
        inner=weights,
        outer=outer,
        rough_inner=rougher,
        rough_outer=outer,
    )


def bumps(times: np.ndarray, rows: slice, half_width: float) -> Projection:
    r"""Integrals against :math:`(1 - s^2)^8`, and against minus its derivative on the left."""
    room = times[-1] - times[0] - 2 * half_width
    count = int(room / half_width * PER_WIDTH) + 1
    centres = times[0] + half_width + (np.arange(count) + 0.5) * room / count
    first = np.searchsorted(times, centres - half_width)
    ends = np.searchsorted(times, centres + half_width, side="right")
    places = first[:, None] + np.arange(int((ends - first).max()))
    inside = places < ends[:, None]
    places = np.where(inside, places, 0)
    s = (times[places] - centres[:, None]) / half_width
    fine, rough = (np.where(inside, weights[places], 0.0) for weights in sample_weights(times))
    base = np.maximum(1 - s**2, 0.0)
    lower = base ** (POWER - 1)
    bump, slope = lower * base, 2 * POWER / half_width * s * lower
    return Projection(
        rows=rows,
        first=first,
        ends=ends,
        parts=np.array([count]),
        inner=bump * fine,
        outer=slope * fine,
        rough_inner=bump * rough,
        rough_outer=slope * rough,
    )


@dataclasses.dataclass(frozen=True)
class WeakForm(AbstractForm):
    r"""Projections on test functions, :math:`-\int \dot\varphi x = \int \varphi\, \theta(x) w`.

    Nothing is differentiated or smoothed. The rows are whitened by the covariance that noise of
    measurement gives to their residuals under the law, terms are freed of the bias of noise, and so
    are their products.

    Parameters
    ----------
    half_width : float, optional
        Of the test functions, in units of time. If not given, the frequency at which the columns
        sink into their noise lies two deviations out in the spectrum of a test function.

    Notes
    -----
    Stretches shorter than two half-widths hold no test function and are left out; take
    `IntegralForm` for short records. Cost: a test function shares samples with a dozen others on
    each side, and covariances are banded: some ``K^2`` operations a sample and equation for K
    candidate terms, each time the weights are made anew.

    References
    ----------
    Messenger and Bortz, Multiscale Modeling and Simulation 19, 1474 (2021); Bortz, Messenger and
    Dukic, Bulletin of Mathematical Biology 85, 110 (2023).
    """

    half_width: float | None = None
    kind = "flow"
    n_rounds = 8
    references = ("messenger2021weakode", "bortz2023direct", "fuller1987measurement")

    def __post_init__(self) -> None:
        width = self.half_width
        if width is not None and not (np.isfinite(width) and width > 0):
            raise InvalidInput(f"half_width = {width}; expected more than zero, or leave it out.")

    def on(self, nodes: Nodes) -> ProjectedRows:
        """Choose the width, leave out what is too short for it."""
        return weak_rows(nodes, measured_noise(nodes), self.half_width)


def weak_rows(nodes: Nodes, variance: np.ndarray, half_width: float | None) -> ProjectedRows:
    """Samples under test functions of a width given or chosen; what is too short is left out."""
    width = automatic_width(nodes, variance) if half_width is None else half_width
    spans = np.array([nodes.times[s.stop - 1] - nodes.times[s.start] for s in nodes.stretches])
    if half_width is None:
        width = max(min(width, 0.2 * float(spans.max())), SHORT * _step(nodes))
    nodes = cut(nodes, max(width / COARSEST, LONGEST_STEP * _step(nodes)))
    spans = np.array([nodes.times[s.stop - 1] - nodes.times[s.start] for s in nodes.stretches])
    room = np.maximum(spans - 2 * width, 0.0)
    if not room.any():
        raise InvalidInput(
            f"No stretch is longer than two half-widths of {width:.3g}. Take `IntegralForm()`, "
            "give a shorter half_width, or a longer record."
        )
    cautions: tuple[Finding, ...] = ()
    if (room == 0).any():
        lost = 1 - float(spans[room > 0].sum() / spans.sum())
        cautions = (
            Finding(
                code="stretches-too-short",
                text=f"{int((room == 0).sum())} stretches, {lost:.1%} of the time, are shorter "
                "than a test function and were left out.",
                action="`IntegralForm` uses them.",
                level="caution" if lost > 0.2 else "note",
            ),
        )
    if room.sum() / width * PER_WIDTH < FEW:
        cautions += (
            Finding(
                code="few-test-functions",
                text=f"The record holds {room.sum() / width:.1f} half-widths of independent "
                "motion.",
                action="Intervals are rough. `IntegralForm` suits short records.",
            ),
        )
    return ProjectedRows(nodes=nodes, variance=variance, half_width=width, cautions=cautions)


@dataclasses.dataclass(frozen=True)
class IntegralForm(AbstractForm):
    r"""Integrals from sample to sample, :math:`x_{n+1} - x_n = \int_{t_n}^{t_{n+1}} \theta(x)\,dt\, w`.

    The integral is that of the polynomial through the nearest six samples (fewer where they are very
    uneven); noise is treated as in
    `WeakForm`, so that the sums over many samples count, not the single noisy difference. No sample
    is lost at the ends, which suits short records.

    Notes
    -----
    The terms between samples must be smooth over six of them. At high noise the weak form is
    better: the noise of each sample enters here without being averaged, to first order only.

    References
    ----------
    Schaeffer and McCalla, Physical Review E 96, 023302 (2017).
    """

    kind = "flow"
    n_rounds = 8
    references = ("schaeffer2017integral", "bortz2023direct", "fuller1987measurement")

    def on(self, nodes: Nodes) -> ProjectedRows:
        """Leave out long steps."""
        return integral_rows(nodes, measured_noise(nodes))


def integral_rows(nodes: Nodes, variance: np.ndarray) -> ProjectedRows:
    """Integrals from sample to sample, over no long step."""
    nodes = cut(nodes, LONGEST_STEP * _step(nodes))
    return ProjectedRows(nodes=nodes, variance=variance, half_width=0.0)


def _step(nodes: Nodes) -> float:
    return float(np.median(np.diff(nodes.times)[nodes.linked]))


def automatic_width(nodes: Nodes, variance: np.ndarray) -> float:
    r"""Half-width at which the motion passes the test function and the noise does not.

    The bump :math:`(1 - s^2)^p` of half-width T has a spectrum of deviation
    :math:`\sqrt{2 p} / T`. With :math:`\omega_c` the highest frequency, over the columns, at which
    the spectrum of the data is twice that of the noise, :math:`T = 2 \sqrt{2 p} / \omega_c`.
    """
    rows = max(nodes.stretches, key=lambda s: s.stop - s.start)
    times = nodes.times[rows]
    step = _step(nodes)
    n = min(len(times), 4096)
    grid = times[0] + step * np.arange(n)
    grid = grid[grid <= times[-1]]
    n = len(grid)
    window = np.hanning(n)
    corner = 0.0
    frequencies = 2 * np.pi * np.fft.rfftfreq(n, step)
    for j in range(nodes.dim):
        y = np.interp(grid, times, nodes.values[rows, j])
        y = y - np.polynomial.polynomial.Polynomial.fit(grid, y, 1)(grid)
        power = np.abs(np.fft.rfft(window * y)) ** 2 / (window**2).sum()
        smooth = np.convolve(power, np.ones(5) / 5, mode="same")
        above = np.flatnonzero(smooth > 2 * variance[j])
        if len(above):  # the first band of frequencies that is above the noise without a gap
            gaps = np.flatnonzero(np.diff(above) > 5)
            last = above[gaps[0]] if len(gaps) else above[-1]
            corner = max(corner, float(frequencies[last]))
    shortest = FEWEST * step
    if corner == 0.0:
        return max(shortest, 0.05 * float(times[-1] - times[0]))
    return max(OUT * np.sqrt(2 * POWER) / corner, shortest)
