"""Singular embedding: the directions in which sliding windows of a record vary most."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import (
    AbstractResult,
    Finding,
    InvalidInput,
    Recording,
    Status,
    Trajectory,
    require,
)
from takens.series.columns import Columns, columns_of
from takens.series.embedding import embedding
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_MAX_WINDOW = 400
_N_DRAWS = 19  # the largest of them is exceeded by noise once in twenty


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SingularEmbedding(AbstractResult):
    """Coordinates of largest variance of a sliding window, and how many stand above the noise.

    Parameters
    ----------
    window : int
        Length of the window in samples.
    values : array, shape (window * n_columns,)
        Eigenvalues of the window's covariance, largest first, in variances of the columns.
    directions : array, shape (window * n_columns, window * n_columns)
        One direction in each row: all columns of the newest sample first, then the older ones.
    noise_floor : float
        Variance of a direction of noise alone, in variances of the columns.
    rank : int
        Directions whose variance is above what noise at that floor would reach.
    states : Recording or None
        The leading `rank` coordinates, dimensionless.
    names : tuple of str
        The columns that were embedded.
    """

    window: int
    values: np.ndarray
    directions: np.ndarray
    noise_floor: float
    rank: int
    states: Recording | None
    names: tuple[str, ...]

    def summary(self) -> str:
        """Rank, share of variance and floor."""
        if self.status is not Status.OK:
            return f"singular embedding: none ({self.status.value})"
        share = self.values[: self.rank].sum() / self.values.sum()
        return (
            f"singular embedding: {self.rank} of {len(self.values)} directions stand above the noise "
            f"floor of {self.noise_floor:.3g} and carry {share:.1%} of the variance"
        )

    def plot(self, ax: Any = None) -> Any:
        """The eigenvalues and the floor."""
        from takens import plot

        ax = plot.axes(ax)
        ax.plot(np.arange(1, len(self.values) + 1), self.values, "o-", ms=3)
        ax.axhline(max(self.noise_floor, 1e-300), ls="--", color="0.4", label="noise floor")
        ax.axvline(self.rank + 0.5, ls=":", color="0.4")
        ax.set_yscale("log")
        ax.legend()
        plot.labels(
            ax, xlabel="direction", ylabel="variance (of the columns')", title=", ".join(self.names)
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Eigenvalues and directions."""
        import xarray as xr

        return xr.Dataset(
            {
                "value": ("direction", self.values),
                "directions": (("direction", "sample"), self.directions),
            },
            attrs={"noise_floor": self.noise_floor, "rank": self.rank, "window": self.window},
        )


def _windows(values: np.ndarray, clock: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the newest samples of whole windows, and the windows, (n, window * n_columns)."""
    rows = np.arange(window - 1, len(clock))
    rows = rows[clock[rows - window + 1] == clock[rows] - window + 1]
    points = np.concatenate([values[rows - lag] for lag in range(window)], axis=1)
    whole = np.isfinite(points).all(axis=1)
    return rows[whole], points[whole]


def _spectrum_of_noise(noise: np.ndarray, table: Columns, window: int) -> np.ndarray:
    """Eigenvalues, largest first, of windows of `noise` where the data have values."""
    noise[~np.isfinite(table.values)] = np.nan
    _, points = _windows(noise, table.clock, window)
    points -= points.mean(axis=0)
    return np.linalg.eigvalsh(points.T @ points / len(points))[::-1]


@checked
def singular_embedding(
    data: Any, *, window: int | None = None, seed: int = 0, throw: bool = True
) -> SingularEmbedding:
    r"""Principal directions of sliding windows (singular spectrum, Broomhead and King).

    The covariance :math:`C_{ij} = \langle x(t - i)\, x(t - j) \rangle` of windows of `window`
    samples is diagonalised; its eigenvectors are the coordinates that carry most variance. White
    measurement noise adds its variance to every eigenvalue, so the small ones form a floor.
    A direction counts if its eigenvalue exceeds the largest that white noise at that floor, with
    the same gaps, shows in 19 draws.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Several columns, each standardised, share one window. Windows with a missing value are left
        out.
    window : int, optional
        In samples, 2 to 400; by default twice the span of the delay embedding.
    seed : int
        For the draws of noise.
    throw : bool
        Raise where there is no answer; else `states` is None and `status` says why.

    Returns
    -------
    SingularEmbedding

    Raises
    ------
    InvalidInput
        If `window` is out of range.
    NumericalFailure
        If fewer than four times `window` windows are whole, and `throw`.

    Notes
    -----
    The rank counts *linear* directions above the floor: it is no estimate of a dimension and
    grows with the window. Cost: twenty times O(N w^2) operations, O(N w) memory.

    References
    ----------
    Broomhead and King (1986), Physica D 20, 217; comparison with noise: Allen and Smith (1996),
    J. Climate 9, 3373.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(2000)
    >>> noisy = np.sin(0.2 * t) + 0.1 * np.random.default_rng(0).normal(size=2000)
    >>> singular_embedding(noisy, window=30).rank
    2
    """
    if window is None:
        chosen = embedding(data)
        window = int(np.clip(2 * chosen.delay * max(chosen.dimension - 1, 1), 4, _MAX_WINDOW))
    if not 2 <= window <= _MAX_WINDOW:
        raise InvalidInput(f"window = {window}; expected 2 to {_MAX_WINDOW} samples.")
    table = columns_of(data)
    width = window * len(table.names)
    rows, points = _windows(table.values, table.clock, window)
    if len(rows) < 4 * width:
        require(Status.TOO_SHORT, throw=throw)
        return SingularEmbedding(
            window=window,
            values=np.full(width, np.nan),
            directions=np.full((width, width), np.nan),
            noise_floor=np.nan,
            rank=0,
            states=None,
            names=table.names,
            status=Status.TOO_SHORT,
            cautions=table.findings,
        )
    points -= points.mean(axis=0)
    values, directions = np.linalg.eigh(points.T @ points / len(points))
    values, directions = np.maximum(values[::-1], 0.0), directions[:, ::-1].T
    rng = np.random.default_rng(seed)
    drawn = [
        _spectrum_of_noise(rng.normal(size=table.values.shape), table, window)
        for _ in range(_N_DRAWS)
    ]
    floor = float(
        np.median(values[width // 2 :]) / np.mean([np.median(d[width // 2 :]) for d in drawn])
    )
    edge = floor * max(float(d[0]) for d in drawn)
    # Rounding of the arithmetic is a floor of its own, where the data have no noise.
    rank = int(np.sum(values > max(edge, 1e-12 * values[0])))
    cautions = list(table.findings)
    if rank > width // 2:
        cautions.append(
            Finding(
                "no-noise-floor",
                f"{rank} of {width} directions stand out: the small ones form no flat floor.",
                "Coloured noise, or a window too short for one. Read the eigenvalues themselves.",
            )
        )
    coordinates = points @ directions[:rank].T
    breaks = np.flatnonzero(np.diff(table.clock[rows]) != 1) + 1
    records = tuple(
        Trajectory(
            times=table.times[part],
            states=states,
            names=tuple(f"direction {i + 1}" for i in range(rank)),
            time_unit=table.time_unit,
        )
        for part, states in zip(np.split(rows, breaks), np.split(coordinates, breaks), strict=True)
    )
    return SingularEmbedding(
        window=window,
        values=values,
        directions=directions,
        noise_floor=floor,
        rank=rank,
        states=Recording(records=records) if rank else None,
        names=table.names,
        cautions=tuple(cautions),
        provenance={"window": window, "n_windows": len(points), "seed": seed},
    )
