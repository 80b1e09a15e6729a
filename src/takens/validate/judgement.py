"""The judgement of a law: outcome, reasons, and everything that they rest on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, plain
from takens.validate.longrun import LongRun
from takens.validate.result import Backtest

if TYPE_CHECKING:
    import xarray as xr

OUTCOMES = {
    "survives": "The law survives: its orbits forecast held-out data and stay within reach of them.",
    "refused": "The law does not survive judgement on held-out data.",
    "untested": "A law was found, but too few forecasts can be judged to test it.",
    "none": "No sparse law is supported by these data.",
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BlowUp:
    """A free run of a law that left ten data ranges.

    Parameters
    ----------
    start : float
        Time of the data at which it began, in `time_unit`.
    time : float
        How long after its start it left.
    time_unit : str
    names : tuple of str
        Of the columns, and of the derivatives that are part of the state.
    state : array, shape (state,)
        Where it was then, in the units of the columns.
    equation, term : str
        The fastest of the equations there, and the term that drives it most.
    confirmed : bool
        Whether the same happens with steps of a quarter of the length; if not, it may be an
        artefact of the integration.
    """

    start: float
    time: float
    time_unit: str
    names: tuple[str, ...]
    state: np.ndarray
    equation: str
    term: str
    confirmed: bool

    def __str__(self) -> str:
        unit = "" if self.time_unit == "1" else f" {self.time_unit}"
        where = ", ".join(f"{n} = {v:.3g}" for n, v in zip(self.names, self.state, strict=True))
        doubt = (
            ""
            if self.confirmed
            else " With finer steps it does not: the equations are stiff there."
        )
        return (
            f"Left alone from {self.start:.6g}{unit} on, the law blows up after {self.time:.4g}{unit}, "
            f"at {where}, driven by the term {self.term} in the equation of {self.equation}.{doubt}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LawJudgement(AbstractResult):
    """Whether a law survives, and why.

    Parameters
    ----------
    law : Law
        The equations with their error bars, from all of the data.
    model : HostLaw
        The same equations as they are simulated: ``model.equations()`` is a system, which prints
        itself, is asked by `takens.dynamics` and is written to files.
    outcome : {"survives", "refused", "untested", "none"}
    reasons : tuple of str
        In plain sentences.
    backtest : Backtest or None
        The law beside simple models on held-out data.
    gain_over_linear : Estimate
        Mean skill beyond that of linear autoregression; see `takens.validate.law.gain_over`.
    fold_terms : tuple of tuple of str
        Terms that the past alone supports, fold by fold.
    long_run : LongRun or None
        The law left alone, beside the data.
    blow_up : BlowUp or None
        The first free run that was lost.
    """

    law: Any
    model: Any
    outcome: str
    reasons: tuple[str, ...]
    backtest: Backtest | None = None
    gain_over_linear: Estimate = Estimate(value=np.nan, method="not judged")  # noqa: RUF009
    fold_terms: tuple[tuple[str, ...], ...] = ()
    long_run: LongRun | None = None
    blow_up: BlowUp | None = None

    @property
    def survives(self) -> bool:
        """Whether the outcome is ``"survives"``."""
        return self.outcome == "survives"

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        return OUTCOMES[self.outcome]

    def summary(self) -> str:
        """Outcome, reasons, equations and the table of models."""
        lines = [self.sentence, *(f"  - {reason}" for reason in self.reasons)]
        if self.outcome != "none":
            lines += self.law.summary().splitlines()
        if self.backtest is not None:
            lines.append("")
            lines += [" | ".join(row) for row in self.table()]
        return "\n".join(lines)

    def table(self, n_leads: int = 3) -> tuple[tuple[str, ...], ...]:
        """The models in rows: skill over climatology at some leads, valid time, lost runs.

        Parameters
        ----------
        n_leads : int
            How many leads, from the first to the horizon.

        Returns
        -------
        tuple of tuple of str
            The first row holds the headings.
        """
        found = self.backtest
        if found is None:
            return ()
        picks = np.unique(np.linspace(0, len(found.leads) - 1, n_leads).astype(int))
        unit = "" if found.time_unit == "1" else f" {found.time_unit}"
        heads = ("model", *(f"skill at {found.leads[k]:.4g}{unit}" for k in picks), "valid time",
                 "free runs lost")  # fmt: skip
        rows = [
            (
                name,
                *(_skill(found, row, k) for k in picks),
                str(found.valid_time[row]),
                str(found.blow_up_rate[row]),
            )
            for row, name in enumerate(found.models)
        ]
        return (heads, *rows)

    def plot(self, ax: Any = None) -> Any:
        """Skill by lead of the law and the simple models; the coefficients where none was judged."""
        return self.law.plot(ax) if self.backtest is None else self.backtest.plot(ax)

    def to_xarray(self) -> xr.Dataset:
        """Coefficients by term and equation, and skill over climatology by model and lead."""
        found = self.law.to_xarray()
        if self.backtest is not None:
            scores = self.backtest.to_xarray()
            for name in ("skill_climatology", "skill_climatology_interval", "rmse"):
                found[name] = scores[name]
        return found.assign_attrs(
            outcome=self.outcome,
            gain_over_linear=self.gain_over_linear.value,
            gain_over_linear_interval=list(self.gain_over_linear.interval),
        )

    def to_dict(self) -> dict[str, Any]:
        """Every field in JSON types; of the model, its terms and numbers."""
        content = {
            field.name: plain(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name != "model"
        }
        content["model"] = {
            "terms": list(self.model.terms.names),
            "coefficients": plain(self.model.coefficients),
        }
        return content


def _skill(found: Backtest, row: int, lead: int) -> str:
    value = found.skill_climatology[row, lead]
    low, high = found.skill_climatology_interval[:, row, lead]
    return f"{value:.2f} ({low:.2f} to {high:.2f})"
