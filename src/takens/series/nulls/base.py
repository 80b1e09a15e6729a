"""What a null hypothesis has to offer: words, what it can be asked of, and a way to draw from it."""

from __future__ import annotations

import abc
import dataclasses
from typing import ClassVar, Literal

import numpy as np

Sampling = Literal["even", "gapped", "uneven"]


@dataclasses.dataclass(frozen=True)
class AbstractNull(abc.ABC):
    """A null hypothesis from which surrogates of a record are drawn; its fields are its settings.

    Every null says in words what is true if it holds (`hypothesis`); whether it handles several
    columns (`multivariate`); whether the record's ends should meet, because a Fourier transform
    joins them (`periodic`); and what it draws from (`sampling`): gap-free stretches (``"even"``),
    the regular grid with NaN where samples are missing (``"gapped"``) or the measured times
    themselves (``"uneven"``).
    """

    hypothesis: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()
    multivariate: ClassVar[bool] = True
    periodic: ClassVar[bool] = False
    sampling: ClassVar[Sampling] = "even"

    @abc.abstractmethod
    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """`n` surrogates of `x`, shape ``(n, *x.shape)``.

        Parameters
        ----------
        x : array, shape (time,) or (time, dim)
            The record, evenly sampled unless the null is for uneven times.
        n : int
            How many.
        rng : numpy.random.Generator
        times : array, shape (time,), optional
            Of the samples, in sampling steps; only nulls for uneven times look at it.
        """


def as_rows(x: np.ndarray) -> np.ndarray:
    """The columns of `x` as contiguous rows, shape (dim, time)."""
    return np.ascontiguousarray(x[None] if x.ndim == 1 else x.T)


def like(made: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Surrogates of shape (n, dim, time) in the layout of `x`: ``(n, *x.shape)``."""
    return made.transpose(0, 2, 1).reshape(len(made), *x.shape)


def with_values(made: np.ndarray, ranked: np.ndarray, *, large: bool = False) -> np.ndarray:
    """The sorted values `ranked` in the order of `made`, along the last axis.

    `large` jobs, of which this is one step, are worth starting the compiled loop for.
    """
    if large:
        from takens.series.kernels.ranking import impose

        rows = np.ascontiguousarray(made).reshape(-1, made.shape[-1])
        new = np.empty(rows.shape)
        impose(rows, ranked.reshape(-1, ranked.shape[-1]), new)
        return new.reshape(made.shape)
    new = np.empty(made.shape)
    order = np.argsort(made, axis=-1)
    np.put_along_axis(new, order, np.broadcast_to(ranked, made.shape), axis=-1)
    return new
