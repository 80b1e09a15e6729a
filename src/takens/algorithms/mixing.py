"""Fixed points sooner: safeguarded Anderson acceleration, and extrapolation of sequences."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.algorithms.extrapolation import AbstractAcceleration, Anderson
from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require

if TYPE_CHECKING:
    import xarray as xr

RIDGES = (1e-6, 1e-14, 1e-1)  # relative, of the least squares: at first, least and most
GROWTH = 2.0  # times the least residual yet, beyond which a step is not kept
RECENT = 11  # points from whose differences the rate of the plain iteration is read
ROUNDING = 16.0  # spacings of numbers at the size of x, below which a residual means nothing


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Acceleration(AbstractResult):
    """A fixed point, and what it cost to reach.

    Parameters
    ----------
    x : array
        The point of least residual, in the shape of the start; NaN where none was found.
    residual : float
        Largest entry of the map's step there, in units of the state.
    residuals : array, shape (evaluation,)
        Euclidean norms of the steps, one for each evaluation of the map.
    rate_before : Estimate
        By which the plain iteration shrinks its steps, from the map's behaviour along the run.
    rate_after : Estimate
        By which this run shrank them for each evaluation.
    n_evaluations, n_rejected : int
        Of the map; and steps that were not kept.
    method : str
    """

    x: np.ndarray
    residual: float
    residuals: np.ndarray
    rate_before: Estimate
    rate_after: Estimate
    n_evaluations: int
    n_rejected: int
    method: str

    @property
    def plain_evaluations(self) -> float:
        """Evaluations that the plain iteration would take for the same shrinking, by its rate."""
        rate = self.rate_before.value
        if not 0 < rate < 1 or self.residuals[-1] <= 0:
            return np.inf if rate >= 1 else np.nan
        return float(np.log(self.residuals.min() / self.residuals[0]) / np.log(rate))

    def summary(self) -> str:
        """Where it came to, and the rates."""
        if self.status is not Status.OK:
            return f"{self.method}: {self.status.value} ({self.n_evaluations} evaluations)"
        return (
            f"{self.method}: step of {self.residual:.2g} after {self.n_evaluations} evaluations, "
            f"{self.n_rejected} of them not kept; rate {self.rate_after} for each, plain "
            f"{self.rate_before}: about {self.plain_evaluations:.0f} evaluations"
        )

    def plot(self, ax: Any = None) -> Any:
        """The steps against evaluations."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, np.arange(1, len(self.residuals) + 1), np.maximum(self.residuals, 1e-300))
        ax.set_yscale("log")
        return plot.labels(ax, "evaluations of the map", "size of the step", self.method)

    def to_xarray(self) -> xr.Dataset:
        """The point and the steps."""
        import xarray as xr

        return xr.Dataset(
            {"x": ("entry", self.x.ravel()), "residual": ("evaluation", self.residuals)},
            attrs={
                "method": self.method,
                "rate_before": self.rate_before.value,
                "rate_after": self.rate_after.value,
            },
        )


def accelerate(
    fixed_point_map: Callable[[np.ndarray], Any],
    x0: Any,
    *,
    method: AbstractAcceleration | None = None,
    tol: float = 1e-10,
    max_evaluations: int = 10_000,
    throw: bool = True,
) -> Acceleration:
    r"""A fixed point of a map that converges slowly, in fewer evaluations.

    Points are mixed by `method`; a mixed point is kept only if its step is no larger than twice the
    least yet, else the run goes on with the image of the best point, as the plain iteration would,
    and a memory that begins anew. The ridge of the least squares is chosen on the way: ten times
    larger after a step that was not kept, and smaller again after steps that were.

    Parameters
    ----------
    fixed_point_map : callable
        From an array to the next of the same shape; NumPy or JAX, or any update that can be written so:
        EM, Sinkhorn, value iteration, a step of gradient descent.
    x0 : array
        Start.
    method : AbstractAcceleration, optional
        `Anderson` with ten differences when not given.
    tol : float
        Largest entry of a step at which the run ends, relative to that of the state or one, whichever
        is greater; no less than rounding allows.
    max_evaluations : int
    throw : bool
        Whether to raise where no fixed point was reached.

    Returns
    -------
    Acceleration

    Raises
    ------
    InvalidInput
        If the start is not finite, a setting is malformed, or the map changes the shape.
    NumericalFailure
        If no fixed point was reached, and `throw`.

    Notes
    -----
    Where the plain iteration converges, so does this: between steps that are kept the least residual
    falls or the plain iteration goes on, each step not kept costing one evaluation. Neither
    establishes that the fixed point is stable, unique, or the one wanted: mixing also finds fixed
    points from which the plain iteration departs. The rate before is that of the slowest mode seen
    along the run and may miss one that the start did not excite.

    Cost: one evaluation a step and ``dim * memory**2`` operations; memory for ``2 memory`` states.

    References
    ----------
    Walker and Ni (2011), on the mixing. Zhang, O'Donoghue and Boyd, SIAM J. Optim. 30, 3170 (2020),
    on safeguards.

    Examples
    --------
    >>> found = accelerate(np.cos, [1.0])
    >>> round(float(found.x[0]), 9), found.n_evaluations < 12
    (0.739085133, True)
    """
    method = Anderson() if method is None else method
    start = _start(x0, method, tol, max_evaluations)
    run = _Run(fixed_point_map, start.shape, method, tol, max_evaluations)
    run.go(start.ravel())
    status = run.status
    require(status, throw=throw)
    best = run.best if status is Status.OK else np.full(start.size, np.nan)
    return Acceleration(
        x=best.reshape(start.shape),
        residual=run.least if status is Status.OK else np.nan,
        residuals=np.array(run.sizes),
        rate_before=run.rate_before(),
        rate_after=run.rate_after(),
        n_evaluations=len(run.sizes),
        n_rejected=run.n_rejected,
        method=type(method).__name__,
        status=status,
        cautions=run.cautions(),
    )


def _start(x0: Any, method: Any, tol: float, max_evaluations: int) -> np.ndarray:
    try:
        start = np.array(x0, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInput(
            "x0 is no array of real numbers. Give one, or lay the state flat."
        ) from None
    if not start.size or not np.isfinite(start).all():
        raise InvalidInput("x0 is empty or not finite. Give a start where the map can be taken.")
    if not isinstance(method, AbstractAcceleration):
        raise InvalidInput(
            f"method = {method!r}; expected Anderson, ReducedRank or MinimalPolynomial."
        )
    if not tol > 0 or max_evaluations < 2:
        raise InvalidInput(
            f"tol = {tol}, max_evaluations = {max_evaluations}; expected a positive number and at "
            "least 2."
        )
    return start


class _Run:
    """One run: what was evaluated, what is remembered, and the best yet."""

    def __init__(
        self,
        function: Callable[[np.ndarray], Any],
        shape: tuple[int, ...],
        method: AbstractAcceleration,
        tol: float,
        most: int,
    ) -> None:
        self.function, self.shape, self.method = function, shape, method
        self.tol, self.most = tol, most
        self.sizes: list[float] = []
        self.points: list[np.ndarray] = []
        self.images: list[np.ndarray] = []
        self.recent: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=RECENT)
        self.best = self.best_image = np.empty(0)
        self.least = self.least_size = np.inf
        self.n_rejected = 0
        self.status = Status.NOT_CONVERGED

    def image(self, x: np.ndarray) -> np.ndarray:
        """The map at a point; counts."""
        made = np.asarray(self.function(x.reshape(self.shape)), dtype=float)
        if made.shape != self.shape:
            raise InvalidInput(f"The map gives shape {made.shape} for {self.shape}.")
        self.sizes.append(float(np.linalg.norm(made.ravel() - x)))
        return made.ravel()

    def go(self, x: np.ndarray) -> None:
        """Until a fixed point, a blow-up of the plain iteration, or the last evaluation."""
        ridge, plain = RIDGES[0], True
        while len(self.sizes) < self.most:
            g = self.image(x)
            size = self.sizes[-1]
            if not np.isfinite(size):
                if plain:  # the plain iteration itself has left the numbers
                    self.status = Status.DIVERGED
                    return
                x, ridge = self.back(ridge)
                plain = True
                continue
            if not plain and size > GROWTH * self.least_size:
                x, ridge = self.back(ridge)
                plain = True
                continue
            self.remember(x, g, size)
            if self.done(x, g):
                return
            if plain or size < self.least_size * (1 + 1e-12):
                ridge = max(ridge * 0.5, RIDGES[1])
            x, plain = self.next(g, ridge)

    def remember(self, x: np.ndarray, g: np.ndarray, size: float) -> None:
        self.recent.append((x, g))
        self.points.append(x)
        self.images.append(g)
        if len(self.points) > self.method.window:
            del self.points[0], self.images[0]
        if size < self.least_size:
            self.best, self.best_image, self.least_size = x, g, size
            self.least = float(np.abs(g - x).max())

    def done(self, x: np.ndarray, g: np.ndarray) -> bool:
        scale = max(float(np.abs(x).max()), 1.0)
        floor = ROUNDING * np.finfo(float).eps
        if float(np.abs(g - x).max()) <= max(self.tol, floor) * scale:
            self.status = Status.OK
            return True
        return False

    def next(self, g: np.ndarray, ridge: float) -> tuple[np.ndarray, bool]:
        """The mixed point, or the image where there is not enough to mix yet."""
        full = len(self.points) == self.method.window
        if len(self.points) < 2 or (self.method.cycles and not full):
            return g, True
        points, images = np.array(self.points), np.array(self.images)
        mixed = self.method.mixed(points, images, ridge)
        if self.method.cycles:
            self.points, self.images = [], []
        if not np.isfinite(mixed).all():
            return g, True
        return mixed, False

    def back(self, ridge: float) -> tuple[np.ndarray, float]:
        """From a point that is not kept, to where the plain iteration leads from the best."""
        self.n_rejected += 1
        self.points, self.images = [], []
        return self.best_image, min(10 * ridge, RIDGES[2])

    def rate_before(self) -> Estimate:
        """Modulus of the map's slowest multiplier, as its differences along the end of the run show it."""
        if len(self.recent) < 3:
            return Estimate(value=np.nan, method="too few differences")
        points, images = (np.array(part) for part in zip(*self.recent, strict=True))
        steps, moved = np.diff(points, axis=0), np.diff(images, axis=0)
        found = [_slowest(steps[-k:], moved[-k:]) for k in range(2, len(steps) + 1)]
        values, residuals = np.array(found[len(found) // 2 :]).T
        middle = float(np.median(values))
        reach = max(float(np.ptp(values)), float(np.median(residuals)))
        return Estimate(
            value=middle, interval=(max(middle - reach, 0.0), middle + reach), level=0.9,
            method="residual of the multiplier, and its range over numbers of differences",
        )  # fmt: skip

    def rate_after(self) -> Estimate:
        """Shrinking of the step for each evaluation, over blocks of the run."""
        logs = np.log(np.maximum(np.minimum.accumulate(self.sizes), 1e-300))
        if len(logs) < 3:
            return Estimate(value=np.nan, method="too few evaluations")
        rate = float(np.exp((logs[-1] - logs[0]) / (len(logs) - 1)))
        cuts = np.linspace(0, len(logs) - 1, min(5, len(logs) - 1) + 1).astype(int)
        blocks = np.exp(np.diff(logs[cuts]) / np.diff(cuts))
        return Estimate(
            value=rate, interval=(float(blocks.min()), float(blocks.max())), level=0.9,
            method="range over fifths of the run",
        )  # fmt: skip

    def cautions(self) -> tuple[Finding, ...]:
        if self.n_rejected <= 0.2 * len(self.sizes):
            return ()
        return (
            Finding(
                code="steps-not-kept",
                text=f"{self.n_rejected} of {len(self.sizes)} evaluations were of steps not kept.",
                action="The map is far from linear, or noisy; a smaller memory may serve better.",
            ),
        )


def _slowest(steps: np.ndarray, moved: np.ndarray) -> tuple[float, float]:
    """Largest multiplier of the linear map that takes `steps` to `moved`, on their span; its residual."""
    left, values, right = np.linalg.svd(steps.T, full_matrices=False)
    keep = values > 1e-6 * values[0]
    image = moved.T @ right[keep].T / values[keep]  # of the orthonormal basis `left`
    multipliers, vectors = np.linalg.eig(left[:, keep].T @ image)
    k = int(np.abs(multipliers).argmax())
    beside = image @ vectors[:, k] - multipliers[k] * (left[:, keep] @ vectors[:, k])
    return float(np.abs(multipliers[k])), float(np.linalg.norm(beside))
