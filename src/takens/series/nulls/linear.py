"""The linear Gaussian null with open ends: conditional surrogates from an autoregression."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from takens.core import InvalidInput
from takens.series.nulls.autoregression import AbstractAutoregression, autoregression
from takens.series.nulls.base import AbstractNull, as_rows, like, with_values
from takens.series.nulls.fourier import normal_scores, phase_randomised

Lens = Literal["tested", "always", "never"]

_PILOTS = 99  # linear Gaussian records whose values are held against the normal distribution
_SIGNIFICANT = 5  # at most so many pilots, the record among them, are as far from it
_CORRECTIONS = 5  # of the coefficients, until the surrogate's own are the record's
_COMPILED = 300_000


def _scores(row: np.ndarray) -> np.ndarray:
    """Normal scores in which equal values share one."""
    scores = normal_scores(row)
    _, where = np.unique(row, return_inverse=True)
    return np.asarray((np.bincount(where, scores) / np.bincount(where))[where])


def _normality(rows: np.ndarray) -> np.ndarray:
    """Correlation of sorted values with normal quantiles (Shapiro and Francia 1972), each row."""
    from scipy.special import ndtri

    n = rows.shape[-1]
    quantiles = ndtri((np.arange(n) + 0.5) / n)
    ranked = np.sort(rows, axis=-1)
    size = np.sqrt(np.sum(quantiles**2) * n) * np.maximum(ranked.std(axis=-1), 1e-300)
    return np.asarray(ranked @ quantiles / size)


def needs_lens(row: np.ndarray, order: int | None, rng: np.random.Generator) -> bool:
    """Whether the values of `row` are further from normal than a linear Gaussian record's would be.

    A short record of a slow process has few independent values, and is far from normal by chance:
    the reference is therefore an autoregression, not independent values.
    """
    model = autoregression(row[None], order)
    theta = np.repeat(model.fit(row[None, None]), _PILOTS, axis=0)
    pilots = model.run(theta, rng.normal(size=(_PILOTS, 1, len(row))), rng)[:, 0]
    as_far = np.sum(_normality(pilots) <= _normality(row[None])[0])
    return bool(1 + as_far <= _SIGNIFICANT)


def _standardised(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=-1, keepdims=True), 1e-300))


def _seen_through(
    made: np.ndarray, ranked: np.ndarray, lensed: np.ndarray, large: bool
) -> np.ndarray:
    """Latent Gaussian records, shape (n, dim, time), in units of the measured ones."""
    seen = _standardised(made)
    if lensed.any():
        seen[:, lensed] = with_values(made[:, lensed], ranked[lensed], large=large)
    return seen


def conditioned(
    model: AbstractAutoregression,
    drive: np.ndarray,
    start: np.ndarray,
    wanted: np.ndarray,
    lens: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> np.ndarray:
    """Records driven by `drive` whose *own fitted* coefficients are those `wanted`.

    The coefficients they run with are corrected by the difference, a few times. Without a lens two
    or three rounds reach rounding error; through one the fit moves less than the coefficients do,
    and a small difference may remain.

    Parameters
    ----------
    model : AbstractAutoregression
    drive : array, shape (n, dim, time)
    start, wanted : array, shape (n_coefficients,)
    lens : tuple of array
        Sorted values, shape (dim, time), and for each column whether it takes them.
    seed : int
    """
    ranked, lensed = lens
    theta = np.repeat(start[None], len(drive), axis=0)
    large = drive.size > _COMPILED
    seen = _seen_through(
        model.run(theta, drive, np.random.default_rng(seed)), ranked, lensed, large
    )
    for _ in range(_CORRECTIONS):
        theta = theta + wanted - model.fit(seen)
        made = model.run(theta, drive, np.random.default_rng(seed))
        seen = _seen_through(made, ranked, lensed, large)
    return seen


@dataclasses.dataclass(frozen=True)
class Linear(AbstractNull):
    """Autoregressive surrogates conditioned on the record's own coefficients; ends stay open.

    The autoregression fitted to the record (Burg's method; least squares for several columns)
    takes its correlation away, the phases of what remains are randomised, and the correlation is
    put back with coefficients such that *the surrogate's own fit equals the record's*. The fitted
    coefficients are very nearly sufficient for a linear Gaussian process, so that a statistic given
    them hardly depends on the process: that is what a p-value needs. `IAAFT` conditions on the
    periodogram instead, which joins the end of the record to its start.

    Columns whose values are no further from normal than a linear Gaussian record's keep mean and
    variance; the others take the record's exact values in the order of the latent Gaussian
    record, whose coefficients are then chosen so that the fit to these *values* is the record's.

    Parameters
    ----------
    lens : {"tested", "always", "never"}
        Whether values go through a monotonic function: where a test of normality at 5 % asks for
        it, for every column, or for none (the strictly linear Gaussian null).
    order : int, optional
        Of the autoregression; by default Akaike's criterion, at most ``10 log10(time)``.

    Notes
    -----
    Cost: O(n time order), some six fits and runs for every surrogate.

    References
    ----------
    Lindqvist and Taraldsen (2005), Biometrika 92, 451, for sampling given a sufficient statistic by
    solving for the parameters; Kugiumtzis (2002), Phys. Rev. E 66, 025201, for transformed
    autoregressions as surrogates; Theiler and Prichard (1996), Physica D 94, 221, on which
    statistics need conditioning.
    """

    hypothesis: ClassVar[str] = (
        "a stationary linear Gaussian process, seen through a monotonic measurement where the "
        "values ask for one"
    )
    references: ClassVar[tuple[str, ...]] = (
        "lindqvist2005monte",
        "kugiumtzis2002statically",
        "theiler1996constrained",
    )
    lens: Lens = "tested"
    order: int | None = None

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """Whiten, randomise the phases, colour so that the fit agrees."""
        if self.lens not in ("tested", "always", "never"):
            raise InvalidInput(f"lens = {self.lens!r}; expected 'tested', 'always' or 'never'.")
        rows = as_rows(x)
        if self.order is not None and not 1 <= self.order <= rows.shape[1] // 4:
            raise InvalidInput(
                f"order = {self.order}; it is counted in whole numbers from 1 to a quarter of the "
                f"{rows.shape[1]} samples."
            )
        scaled = _standardised(rows)
        lensed = np.array([
            self.lens == "always" or (self.lens == "tested" and needs_lens(row, self.order, rng))
            for row in scaled
        ])  # fmt: skip
        latent = _standardised(np.stack([
            _scores(row) if through else row for row, through in zip(scaled, lensed, strict=True)
        ]))  # fmt: skip
        model = autoregression(latent, self.order)
        start = model.fit(latent[None])[0]
        left = model.innovations(start, latent)
        drive = phase_randomised(left.T, n, rng).swapaxes(1, 2)
        made = conditioned(
            model,
            drive,
            start,
            model.fit(scaled[None])[0],
            (np.sort(scaled), lensed),
            int(rng.integers(2**32)),
        )
        middle, size = rows.mean(axis=1)[:, None], rows.std(axis=1)[:, None]
        made = made * size + middle
        if lensed.any():  # the very values, without rounding
            made[:, lensed] = with_values(made[:, lensed], np.sort(rows)[lensed])
        return like(made, x)
