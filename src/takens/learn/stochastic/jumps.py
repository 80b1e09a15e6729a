"""Whether paths jump: bipower variation against the sum of squares, and each increment on its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status
from takens.learn.stochastic.diffusion_law import DiffusionLaw
from takens.learn.stochastic.likelihood import Support
from takens.learn.stochastic.pairs import FEWEST, LONGEST, Paths, paths_of
from takens.learn.stochastic.powers import Scaled, noise_choices, started

if TYPE_CHECKING:
    import xarray as xr

THETA = np.pi**2 / 4 + np.pi - 5  # of the ratio statistic
FREEDOM = 2 / (THETA + 2)  # degrees of freedom of a bipower variance, per increment
MU_QUAD = 0.8308609  # E|N|^(4/3)
ERROR_RATE = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class JumpTest(AbstractResult):
    """Whether a path is continuous.

    Parameters
    ----------
    p_value : float
        Of the hypothesis that there is no jump: the smaller of the two below, doubled.
    p_ratio : float
        By bipower variation: sensitive to many small jumps.
    p_largest : float
        By the largest increment over its local scale: sensitive to a few large ones.
    jump_share : float
        Share of the quadratic variation that jumps contribute.
    times, sizes : array, shape (jump,)
        When a jump is detected at 1 % over the whole record, and its size in state units.
    statistics : array, shape (increment,)
        Increments over their local scale.
    limit : float
        Of these statistics, exceeded anywhere with 1 %.
    """

    p_value: float
    p_ratio: float
    p_largest: float
    jump_share: float
    times: np.ndarray
    sizes: np.ndarray
    statistics: np.ndarray
    limit: float

    def summary(self) -> str:
        """The p-values and what was found."""
        return (
            f"No jumps: p = {self.p_value:.2g} (ratio {self.p_ratio:.2g}, largest increment "
            f"{self.p_largest:.2g}). {len(self.times)} jump(s) detected; jumps hold "
            f"{self.jump_share:.1%} of the quadratic variation."
        )

    def plot(self, ax: Any = None) -> Any:
        """Sizes of the increments over their local scale."""
        from takens import plot

        ax = plot.axes(ax)
        plot.points(ax, np.arange(len(self.statistics)), np.abs(self.statistics))
        ax.axhline(self.limit, color=plot.COLOURS[1], lw=1)
        return plot.labels(ax, "increment", "size over local scale")

    def to_xarray(self) -> xr.Dataset:
        """The statistics, with the answer as attributes."""
        import xarray as xr

        return xr.Dataset(
            {"statistic": ("increment", self.statistics), "size": ("time", self.sizes)},
            {"time": self.times},
            attrs={"p_value": self.p_value, "jump_share": self.jump_share},
        )


def jump_test(data: Any, *, window: int | None = None) -> JumpTest:
    r"""Test whether the paths of one variable are continuous.

    With increments :math:`r_i` over steps :math:`\tau_i`, the bipower variation
    :math:`\tfrac{\pi}{2} \sum |r_i| |r_{i-1}|` is blind to rare jumps and the sum of squares is not;
    the ratio of both is normal with a known variance. Each increment is also held against the
    bipower variation of the `window` increments before it; the largest follows Gumbel's law.

    Parameters
    ----------
    data : Recording, Trajectory, array, table or path
        One column.
    window : int, optional
        Increments that give the local scale; when not given the root of their number, at least 100
        or a quarter of them.

    Returns
    -------
    JumpTest
        With status `NOT_APPLICABLE` where increments are anticorrelated: noise of the sensor, which
        the test takes for a small step's scale.

    Raises
    ------
    InvalidInput
        If there is more than one column, fewer than 100 transitions, a constant column, or a window
        below 10.

    Notes
    -----
    Both tests are for small steps: a drift that moves the state by as much as the noise does in one
    step inflates them. At steps coarser than a tenth of the correlation time a rejection is not
    proof of jumps. A law with jumps is not fitted here: of a record that has them, drift and noise
    of a `DiffusionLaw` are those of a continuous stand-in.

    References
    ----------
    Barndorff-Nielsen and Shephard, J. Financ. Econom. 4, 1 (2006), eq. 16; Huang and Tauchen, J.
    Financ. Econom. 3, 456 (2005); Lee and Mykland, Rev. Financ. Stud. 21, 2535 (2008), eq. 7 to 13.

    Examples
    --------
    >>> steps = 0.1 * np.random.default_rng(0).normal(size=2000)
    >>> steps[1000] += 1.0
    >>> jump_test(np.cumsum(steps)).times
    array([1000.])
    """
    from scipy.stats import t

    paths = paths_of(data, (1,))
    moves, when, sizes = [], [], []
    scale = _scale(paths)
    for times, states in zip(paths.times, paths.states, strict=True):
        step = np.diff(times)
        kept = step <= LONGEST * paths.dt
        moves.append((np.diff(states[:, 0]) / np.sqrt(step * scale(states[:-1, 0])))[kept])
        sizes.append(np.diff(states[:, 0])[kept])
        when.append(times[1:][kept])
    count = sum(len(m) for m in moves)
    width = max(10, int(np.sqrt(count)), min(100, count // 4)) if window is None else window
    if not isinstance(width, int) or width < 10 or count < max(FEWEST, 2 * width):
        raise InvalidInput(
            f"window = {window!r} for {count} increments; expected at least 10 and at most half of them."
        )
    together = np.concatenate(moves)
    drift = float(np.median(together))
    p_ratio, share = _ratio([m - drift for m in moves])
    local = [_local(m - drift, width) for m in moves]
    statistics = np.concatenate(local)
    seen = np.isfinite(statistics)
    n = int(seen.sum())
    largest = float(np.abs(statistics[seen]).max())
    freedom = FREEDOM * width
    p_largest = float(-np.expm1(n * np.log1p(-2 * t.sf(largest, freedom))))
    jump = seen & (np.abs(np.where(seen, statistics, 0.0)) > _limit(n, freedom))
    centred = together - drift
    lagged = float(np.mean(centred[1:] * centred[:-1]) / np.mean(centred**2))
    blurred = lagged < -max(0.1, 3 / np.sqrt(count))
    p_value = min(1.0, 2 * min(p_ratio, p_largest))
    return JumpTest(
        p_value=p_value, p_ratio=p_ratio, p_largest=p_largest, jump_share=share,
        times=np.concatenate(when)[jump], sizes=np.concatenate(sizes)[jump],
        statistics=statistics[seen], limit=_limit(n, freedom),
        status=Status.NOT_APPLICABLE if blurred else Status.OK,
        cautions=(*paths.findings, *_cautions(p_value, blurred, lagged)),
        provenance={"window": width, "n_increments": count},
    )  # fmt: skip


def _ratio(moves: list[np.ndarray]) -> tuple[float, float]:
    """p-value of the ratio statistic with its maximum adjustment, and the share of jumps."""
    from scipy.stats import norm

    n = sum(len(m) for m in moves)
    sizes = [np.abs(m) for m in moves]
    square = sum(float((s**2).sum()) for s in sizes)
    bipower = np.pi / 2 * sum(float((s[1:] * s[:-1]).sum()) for s in sizes)
    cubed = [s ** (4 / 3) for s in sizes]
    tripower = n * MU_QUAD**-3 * sum(float((c[2:] * c[1:-1] * c[:-2]).sum()) for c in cubed)
    spread = np.sqrt(THETA / n * max(1.0, tripower / bipower**2))
    return float(norm.sf((1 - bipower / square) / spread)), float(max(0.0, 1 - bipower / square))


def _local(moves: np.ndarray, width: int) -> np.ndarray:
    """Each increment over the bipower scale of those before it; NaN where there are too few."""
    out = np.full(len(moves), np.nan)
    if len(moves) <= width:
        return out
    product = np.abs(moves[1:] * moves[:-1])
    total = np.concatenate([[0.0], np.cumsum(product)])
    # The products of the increments i - width to i - 1.
    inner = total[width - 1 : len(moves) - 1] - total[: len(moves) - width]
    scale = np.sqrt(np.maximum(inner / (width - 1), 1e-300) * np.pi / 2)
    out[width:] = moves[width:] / scale
    return out


def _limit(n: int, freedom: float) -> float:
    """Size that the largest of n increments exceeds with 1 %."""
    from scipy.stats import t

    return float(t.isf(-np.expm1(np.log1p(-ERROR_RATE) / n) / 2, freedom))


def _scale(paths: Paths) -> Callable[[np.ndarray], np.ndarray]:
    """A squared noise that depends on the state, by least squares: takes most of its change away."""
    settings = DiffusionLaw()
    pairs, scaled = paths.transitions(), Scaled.of(settings, paths.values[:, 0])
    support = Support(
        drift=(0, 1), noise=max(noise_choices(settings, scaled, paths.values[:, 0]), key=len)
    )
    noise = started(pairs, scaled, support)[1]
    return lambda x: scaled.noise(x)[:, list(support.noise)] @ noise


def _cautions(p_value: float, blurred: bool, lagged: float) -> list[Finding]:
    if blurred:
        return [Finding(
            code="sensor-noise",
            text=f"Successive increments have a correlation of {lagged:.2f}.",
            action="That is the mark of noise in the sensor; ask `noise_decision`. No conclusion on "
            "jumps is drawn.",
        )]  # fmt: skip
    if p_value < ERROR_RATE:
        return [Finding(
            code="jumps", text=f"The path is not continuous (p = {p_value:.2g}).",
            action="A diffusion does not describe it; drift and noise of one are a stand-in.",
            level="serious",
        )]  # fmt: skip
    return []
