"""Records of many columns in few coordinates, and laws learned in these."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from takens.core import (
    AbstractEstimator,
    AbstractResult,
    Finding,
    Fit,
    InvalidInput,
    Recording,
    Trajectory,
)
from takens.data import as_recording
from takens.learn.factors import FEWEST_COLUMNS, MOST_ROUNDS, Factors, grown

if TYPE_CHECKING:
    import xarray as xr

Model = TypeVar("Model")
CHUNK = 10_000  # rows that are held as systems of equations at once
LEAST_INFORMATION = 0.25  # share of a coordinate's precision that the columns present must keep


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Modes(AbstractResult):
    r"""An orthogonal basis for the columns of a record, :math:`y = m + s\,(B z) + \text{noise}`.

    Parameters
    ----------
    names, units : tuple of str
        Of the columns.
    mean, scale : array, shape (column,)
        In the units of the columns; `scale` is proportional to the noise of each where that is known.
    basis : array, shape (column, mode)
        Orthonormal; the largest entry of each mode is positive.
    singular_values : array, shape (min(row, column),)
        Of the scaled data, all of them.
    noise : array, shape (column,)
        Standard deviation of what the modes leave of each column, in its unit; NaN where there are
        too few columns to tell.
    n_samples : int
        Rows that took part.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    basis: np.ndarray
    singular_values: np.ndarray
    noise: np.ndarray
    n_samples: int

    @property
    def n_modes(self) -> int:
        """Number of coordinates."""
        return int(self.basis.shape[1])

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the coordinates, ``mode1`` and so on."""
        return tuple(f"mode{k + 1}" for k in range(self.n_modes))

    @property
    def share(self) -> float:
        """Share of the scaled variance that the modes hold, noise included."""
        squares = self.singular_values**2
        return float(squares[: self.n_modes].sum() / squares.sum())

    @property
    def loading_error(self) -> np.ndarray:
        """Standard deviation of an entry of each mode that noise makes, to first order, (mode,)."""
        return np.asarray(self._level / self.singular_values[: self.n_modes])

    @property
    def _level(self) -> float:
        """Noise of a scaled value, all columns together."""
        return float(np.sqrt(np.mean((self.noise / self.scale) ** 2)))

    def encode(self, data: Any) -> Recording:
        """Records in these coordinates.

        A row that lacks columns is placed by least squares on those that it has; where they leave
        less than a quarter of the precision of some coordinate, the row is missing.

        Raises
        ------
        InvalidInput
            If the columns are not those that the modes were made of.
        """
        recording = as_recording(data)
        if recording.names != self.names:
            raise InvalidInput(
                f"The data have the columns {list(recording.names)}; the modes were made of "
                f"{list(self.names)}."
            )
        records = tuple(
            dataclasses.replace(
                record,
                states=_placed((record.states - self.mean) / self.scale, self.basis),
                names=self.coordinates,
                units=(),
            )
            for record in recording
        )
        return dataclasses.replace(recording, records=records)

    def decode(self, orbit: Trajectory) -> Trajectory:
        """An orbit in these coordinates as the columns would show it, free of noise."""
        if orbit.dim != self.n_modes:
            raise InvalidInput(
                f"The orbit has {orbit.dim} coordinates; expected the {self.n_modes} of these modes."
            )
        states = self.mean + self.scale * (orbit.states @ self.basis.T)
        return dataclasses.replace(orbit, states=states, names=self.names, units=self.units)

    def summary(self) -> str:
        """How many modes hold how much."""
        return (
            f"{self.n_modes} modes of {len(self.names)} columns hold {self.share:.2%} of the scaled "
            f"variance of {self.n_samples} rows"
        )

    def plot(self, ax: Any = None) -> Any:
        """Singular values; the ones kept stand out."""
        from takens import plot

        ax = plot.axes(ax)
        position = np.arange(1, len(self.singular_values) + 1)
        sizes = self.singular_values / np.sqrt(self.n_samples)
        ax.plot(position, sizes, "o", ms=3, color="0.6", label="left out")
        ax.plot(position[: self.n_modes], sizes[: self.n_modes], "o", ms=5, label="kept")
        if self._level > 0:
            ax.axhline(self._level, ls="--", color="0.4", label="noise of one value")
        ax.set_yscale("log")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
        return plot.labels(ax, "mode", "standard deviation (scaled)", "")

    def to_xarray(self) -> xr.Dataset:
        """Basis, mean and scale by column, singular values."""
        import xarray as xr

        return xr.Dataset(
            {
                "basis": (("column", "mode"), self.basis),
                "loading_error": ("mode", self.loading_error),
                "mean": ("column", self.mean),
                "scale": ("column", self.scale),
                "noise": ("column", self.noise),
                "singular_value": ("rank", self.singular_values),
            },
            {"column": list(self.names), "mode": list(self.coordinates)},
            attrs={"share": self.share, "n_samples": self.n_samples},
        )


def modes(data: Any, *, n_modes: int | None = None, max_modes: int = 6) -> Modes:
    r"""Leading directions of the columns of a record: few coordinates for many sensors.

    The centred columns, each over its noise :math:`\psi_j`, are decomposed,
    :math:`Z = U \Sigma V^\top`. The noise of a column is what :math:`k` modes leave of it, so modes
    and noise are found from each other until both settle (principal factors); so are values that are
    missing, which are filled from the modes. Then one mode more is taken as long as its singular
    value is above :math:`\lambda(\beta)\sqrt{n}`, with n the longer side and :math:`\beta` the ratio
    of the sides: the optimal hard threshold for white noise, near which a mode's variance equals that
    of the noise in it.

    Parameters
    ----------
    data : Recording, Trajectory, array, table or path
        All records together.
    n_modes : int, optional
        How many to keep; decided as above when not given.
    max_modes : int
        Where it is decided, no more than this: laws of many coordinates need much data.

    Returns
    -------
    Modes
        With a caution where more modes stand above the noise than are kept.

    Raises
    ------
    InvalidInput
        If a column is constant or empty, or settings do not fit the data.

    Notes
    -----
    Noise must be independent between columns and in time; it may differ from column to column. The
    signal must have fewer modes than half the columns, and a mode must show in many of them: what
    two columns share and no other is taken for noise. With fewer than 8 columns, or modes for more
    than half of them, columns are divided by their standard deviation instead. It is a linear basis:
    a record on a curved surface needs more modes than it has degrees of freedom. Modes of little
    variance may still drive the motion; that they are left out does not establish that they do not
    matter.

    Cost: :math:`O(N D \min(N, D))` operations for each of some ten rounds, and up to 200 where
    values are missing; memory of about four times the data.

    References
    ----------
    Gavish and Donoho, IEEE Transactions on Information Theory 60, 5040 (2014), eq. 11. Harman,
    Modern Factor Analysis (1976), chapter 8, on principal factors.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> t = 0.1 * np.arange(400)[:, None]
    >>> two = np.hstack([np.cos(t), np.sin(t)]) @ rng.normal(size=(2, 30))
    >>> modes(two + 0.1 * rng.normal(size=two.shape)).n_modes
    2
    """
    recording = as_recording(data)
    rows = np.concatenate([record.states for record in recording])
    rows = rows[np.isfinite(rows).any(axis=1)]
    _refuse(rows, recording.names, n_modes, max_modes)
    spread, mean = np.nanstd(rows, axis=0), np.nanmean(rows, axis=0)
    found = grown((rows - mean) / spread, n_modes, max_modes)
    scale = spread * found.scale
    return Modes(
        names=recording.names,
        units=recording.units,
        mean=mean + spread * found.shift,
        scale=scale,
        basis=found.basis,
        singular_values=found.singular_values,
        noise=spread * found.noise,
        n_samples=len(rows),
        cautions=_cautions(found, None if n_modes is not None else max_modes),
    )


def _cautions(found: Factors, max_modes: int | None) -> tuple[Finding, ...]:
    cautions = []
    if max_modes is not None and found.significant > max_modes:
        squares = found.singular_values**2
        left = squares[max_modes : found.significant].sum() / squares.sum()
        cautions.append(
            Finding(
                code="modes-left-out",
                text=f"{found.significant} modes stand above the noise and {max_modes} are kept; the "
                f"others hold {left:.2%} of the scaled variance.",
                action="Raise max_modes if they matter to the motion.",
            )
        )
    if not found.settled:
        cautions.append(
            Finding(
                code="modes-unsettled",
                text=f"Modes, noise and missing values still moved after {MOST_ROUNDS} rounds.",
                action="Ask for fewer modes, or leave out the columns that miss most.",
            )
        )
    return tuple(cautions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reduced(AbstractEstimator[Model]):
    """A law learned in the leading modes of many columns.

    Parameters
    ----------
    estimator : AbstractEstimator
        Of the law in the coordinates of the modes, such as `takens.learn.SINDy`.
    n_modes, max_modes
        See `takens.learn.modes`.

    Notes
    -----
    The model of the fit has the modes as its state, ``diagnostics["modes"]`` leads from columns to
    modes and back (`Modes.encode`, `Modes.decode`), and all else in `diagnostics` is that of the
    inner fit. What a linear change of coordinates leaves alone (exponents, stability, dimension) can
    be read off the model; which terms its equations have cannot, as they depend on the coordinates.
    Noise that is independent in the columns is white in the modes, and of one size.

    Cost: that of `modes` and of the estimator.

    Examples
    --------
    >>> from takens.learn import SINDy
    >>> rng = np.random.default_rng(0)
    >>> t = 0.05 * np.arange(400)[:, None]
    >>> swing = np.exp(-0.05 * t) * np.hstack([np.cos(t), np.sin(t)])
    >>> data = swing @ rng.normal(size=(2, 20)) + 0.02 * rng.normal(size=(400, 20))
    >>> fit = Reduced(estimator=SINDy()).fit(data)
    >>> fit.model.dim, fit.diagnostics["modes"].n_modes, len(fit.diagnostics["law"].equations)
    (2, 2, 2)
    """

    estimator: AbstractEstimator[Model]
    n_modes: int | None = None
    max_modes: int = 6
    references = ("gavish2014optimal", "harman1976modern")

    def fit(self, data: Any, *, seed: int = 0) -> Fit[Model]:
        """Find the modes, then the law of their coordinates."""
        recording = as_recording(data)
        found = modes(recording, n_modes=self.n_modes, max_modes=self.max_modes)
        fit = self.estimator.fit(found.encode(recording), seed=seed)
        return dataclasses.replace(
            fit,
            diagnostics={**fit.diagnostics, "modes": found},
            cautions=found.cautions + fit.cautions,
        )


def _refuse(rows: np.ndarray, names: tuple[str, ...], n_modes: int | None, most: int) -> None:
    if most < 1:
        raise InvalidInput(f"max_modes = {most}; expected at least 1.")
    if len(rows) < 3:
        raise InvalidInput(f"{len(rows)} rows hold a value; at least 3 are needed.")
    limit = min(rows.shape)
    if n_modes is not None and not 1 <= n_modes <= limit:
        raise InvalidInput(f"n_modes = {n_modes}; expected 1 to {limit} for data of {rows.shape}.")
    if n_modes is None and rows.shape[1] < FEWEST_COLUMNS:
        raise InvalidInput(
            f"{rows.shape[1]} columns are too few to tell modes from noise. Give n_modes, or learn "
            "from the columns themselves."
        )
    seen = np.isfinite(rows)
    for j, name in enumerate(names):
        column = rows[seen[:, j], j]
        if len(column) < 3 or column.std() <= 1e-12 * np.abs(column).max():
            raise InvalidInput(f"Column {name!r} is constant or empty. Leave it out.")


def _placed(scaled: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Coordinates of rows by least squares on the columns that each has."""
    seen = np.isfinite(scaled)
    placed = np.where(seen, scaled, 0.0) @ basis
    partial = np.flatnonzero(~seen.all(axis=1))
    for start in range(0, len(partial), CHUNK):
        rows = partial[start : start + CHUNK]
        mask = seen[rows].astype(float)
        gram = np.einsum("nd,dk,dl->nkl", mask, basis, basis, optimize=True)
        values, vectors = np.linalg.eigh(gram)
        kept = values[:, 0] >= LEAST_INFORMATION
        safe = np.maximum(values, LEAST_INFORMATION)
        turned = np.einsum("nkl,nk->nl", vectors, placed[rows]) / safe
        solved = np.einsum("nkl,nl->nk", vectors, turned)
        placed[rows] = np.where(kept[:, None], solved, np.nan)
    return np.asarray(placed)
