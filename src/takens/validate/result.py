"""The outcome of a backtest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate

if TYPE_CHECKING:
    import xarray as xr

    from takens.learn import AbstractDelayEstimator

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """One forecast on held-out data: the last ensemble origin, not a chosen one.

    Parameters
    ----------
    history_times : array, shape (past,)
    history : array, shape (past, dim)
        What came before the origin, in the units of the columns.
    times : array, shape (step,)
        In time units.
    truth, mean : array, shape (step, dim)
        In the units of the columns.
    quantiles : array, shape (5, step, dim)
        Ensemble quantiles at 5, 25, 50, 75 and 95 %.
    model : str
        Which model made it.
    """

    history_times: np.ndarray
    history: np.ndarray
    times: np.ndarray
    truth: np.ndarray
    mean: np.ndarray
    quantiles: np.ndarray
    model: str


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Backtest(AbstractResult):
    """How well models forecast what they have not seen.

    Errors are divided by the training standard deviation of each column, and squared errors are
    averaged over columns, so 1 is the error of climatology on a stationary record.

    Parameters
    ----------
    models : tuple of str
        Rows of every array below.
    estimators : tuple of AbstractDelayEstimator
        The same, with the settings that were chosen inside the first fold.
    leads, steps : array, shape (lead,)
        Lead times in `time_unit`, and the same in samples.
    time_unit, names : str, tuple of str
        Of the data.
    rmse, rmse_interval : array, shape (model, lead) and (2, model, lead)
        Root mean square error in standard deviations.
    skill_persistence, skill_persistence_interval : array, shape (model, lead), (2, model, lead)
        ``1 - MSE / MSE_persistence``; NaN where persistence makes no error.
    skill_climatology, skill_climatology_interval : array, shape (model, lead), (2, model, lead)
        ``1 - MSE / MSE_climatology``.
    crps, crps_interval : array, shape (model, lead) and (2, model, lead)
        Fair ensemble score in standard deviations.
    crps_skill, crps_skill_interval : array, shape (model, lead) and (2, model, lead)
        ``1 - CRPS / CRPS_climatology``.
    coverage : array, shape (model, lead)
        Share of truths inside the central 90 % of the ensemble (of the first column, where there
        are several).
    pit : array, shape (model, 10)
        Relative frequencies of the rank of the truth, 0.1 each when calibrated.
    valid_time : tuple of Estimate
        Median time until the normalised error first exceeds 0.4, in `time_unit`; no more than the
        longest lead.
    valid_time_periods, valid_time_lyapunov : tuple of Estimate
        The same in periods and in Lyapunov times; NaN where none was given.
    blow_up_rate : tuple of Estimate
        Share of noise-free runs that leave ten data ranges.
    free_run_steps : int
        Length of those runs in samples.
    best : str
        Largest mean positive skill over the better reference, among the useful models if any.
    useful : bool
        Whether at least one model beats persistence *and* climatology significantly.
    useful_models : tuple of str
        Which do.
    reasons : tuple of str
        Why, in plain sentences.
    statistic : array, shape (model, lead)
        Smaller of the studentised gains over the two references.
    critical : float
        What the largest of them exceeds by chance in 5 % of cases.
    n_origins, n_folds : int
        Forecast origins in all, and test blocks.
    level : float
        Coverage of the intervals.
    example : Example or None
        One forecast of the best model.
    settings : dict
        Chosen settings of each model, from its own training data.
    """

    models: tuple[str, ...]
    estimators: tuple[AbstractDelayEstimator[Any], ...]
    leads: np.ndarray
    steps: np.ndarray
    time_unit: str
    names: tuple[str, ...]
    rmse: np.ndarray
    rmse_interval: np.ndarray
    skill_persistence: np.ndarray
    skill_persistence_interval: np.ndarray
    skill_climatology: np.ndarray
    skill_climatology_interval: np.ndarray
    crps: np.ndarray
    crps_interval: np.ndarray
    crps_skill: np.ndarray
    crps_skill_interval: np.ndarray
    coverage: np.ndarray
    pit: np.ndarray
    valid_time: tuple[Estimate, ...]
    valid_time_periods: tuple[Estimate, ...]
    valid_time_lyapunov: tuple[Estimate, ...]
    blow_up_rate: tuple[Estimate, ...]
    free_run_steps: int
    best: str
    useful: bool
    useful_models: tuple[str, ...]
    reasons: tuple[str, ...]
    statistic: np.ndarray
    critical: float
    n_origins: int
    n_folds: int
    level: float
    example: Example | None
    settings: dict[str, dict[str, Any]]

    def of(self, model: str) -> int:
        """Row of a model in the arrays."""
        return self.models.index(model)

    def summary(self) -> str:
        """Verdict, and one line for each model."""
        lines = list(self.reasons)
        for row, model in enumerate(self.models):
            lines.append(
                f"{model}: valid for {self.valid_time[row]}, free runs lost "
                f"{self.blow_up_rate[row]}, CRPS skill at the first lead "
                f"{self.crps_skill[row, 0]:.3f}"
            )
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """Skill over climatology by lead time, one band for each model."""
        from takens import plot

        ax = plot.axes(ax)
        for row, model in enumerate(self.models):
            low, high = np.clip(self.skill_climatology_interval[:, row], -2, 1)
            middle = np.clip(self.skill_climatology[row], -2, 1)
            colour = plot.COLOURS[row % len(plot.COLOURS)]
            plot.line_with_band(ax, self.leads, middle, low, high, model, color=colour)
        ax.axhline(0.0, color="0.5", linewidth=0.8)
        return plot.labels(ax, plot.quantity("lead time", self.time_unit), "skill over climatology")

    def to_xarray(self) -> xr.Dataset:
        """Scores with dimensions ``model``, ``lead`` and ``end``."""
        import xarray as xr

        plain = ("rmse", "skill_persistence", "skill_climatology", "crps", "crps_skill")
        variables: dict[str, Any] = {
            name: (("model", "lead"), getattr(self, name)) for name in plain
        }
        for name in plain:
            variables[f"{name}_interval"] = (
                ("end", "model", "lead"),
                getattr(self, f"{name}_interval"),
            )
        variables["coverage"] = (("model", "lead"), self.coverage)
        variables["statistic"] = (("model", "lead"), self.statistic)
        variables["pit"] = (("model", "rank_bin"), self.pit)
        for name in ("valid_time", "blow_up_rate"):
            found = getattr(self, name)
            variables[name] = ("model", [e.value for e in found])
            variables[f"{name}_interval"] = (("model", "end"), [e.interval for e in found])
        coords = {
            "model": list(self.models),
            "lead": ("lead", self.leads, {"units": self.time_unit}),
            "end": ["low", "high"],
        }
        attributes = {
            "best": self.best,
            "useful": int(self.useful),
            "critical": self.critical,
            "level": self.level,
            "reasons": " ".join(self.reasons),
        }
        return xr.Dataset(variables, coords, attributes)
