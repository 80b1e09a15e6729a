"""What the data say of each parameter, and in which directions they say nothing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, Status

if TYPE_CHECKING:
    import xarray as xr

NOTHING = (
    1e-10  # eigenvalue, of information scaled to a unit diagonal, that rounding cannot tell from 0
)
INFLATED = 10.0  # variance, over that with all else known, at which a parameter hangs on others
SHOWN = 0.1  # loading from which a parameter is named in a direction
IMITATED = (
    0.99  # that share, from which a value is the prior's of the unknown part and not the data's
)
ABSORBED = 0.9  # share of its information that may be the unknown part's before a caution


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Identifiability(AbstractResult):
    r"""Directions of the Fisher information of the free parameters.

    With the information :math:`I` scaled to a unit diagonal, an eigenvalue far below one belongs to a
    combination that the data hardly see although they see each parameter alone: a sloppy direction.

    Parameters
    ----------
    parameters : tuple of str
    values : array, shape (parameter,)
        Where the information was taken.
    standard_errors : array, shape (parameter,)
        With all else unknown, in the units of the parameter; infinite where nothing is known.
    alone_errors : array, shape (parameter,)
        If all other numbers were known.
    eigenvalues : array, shape (parameter,)
        Of the scaled information, in descending order.
    directions : array, shape (parameter, parameter)
        Row k belongs to eigenvalue k: relative changes of the parameters (absolute where a value is
        zero), of unit length.
    identified : array of bool, shape (parameter,)
    absorbed : array, shape (parameter,)
        Share of the information on each parameter (other parameters known) that the unknown part
        could take over: the squared cosine of the angle between the parameter's sensitivity and the
        functions of the unknown part, in the metric of the noise. NaN where nothing is unknown.
    """

    parameters: tuple[str, ...]
    values: np.ndarray
    standard_errors: np.ndarray
    alone_errors: np.ndarray
    eigenvalues: np.ndarray
    directions: np.ndarray
    identified: np.ndarray
    absorbed: np.ndarray

    def direction(self, k: int) -> str:
        """Row k as a product of powers, such as ``a^0.71 * b^-0.71``."""
        row = self.directions[k]
        return " * ".join(
            f"{name}^{loading:.2g}"
            for name, loading in zip(self.parameters, row, strict=True)
            if abs(loading) >= SHOWN
        )

    def summary(self) -> str:
        """Each parameter with its error, then the directions from worst to best."""
        if not self.parameters:
            return "No parameter is free."
        lines = []
        for k, name in enumerate(self.parameters):
            note = "" if self.identified[k] else "; not identifiable from these data"
            if self.absorbed[k] > ABSORBED:
                note += f"; {self.absorbed[k]:.0%} of its information may be the unknown part's"
            lines.append(
                f"{name}: standard error {self.standard_errors[k]:.3g}, "
                f"{self.alone_errors[k]:.3g} if all else were known{note}."
            )
        for k in range(len(self.parameters) - 1, -1, -1):
            lines.append(f"Information {self.eigenvalues[k]:.2g} along {self.direction(k)}.")
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """Eigenvalues of the scaled information."""
        from takens.plot import axes, labels

        ax = axes(ax)
        ax.semilogy(np.arange(1, len(self.eigenvalues) + 1),
                    np.maximum(self.eigenvalues, NOTHING), "o")  # fmt: skip
        return labels(ax, xlabel="direction", ylabel="scaled information")

    def to_xarray(self) -> xr.Dataset:
        """Errors by parameter, information by direction."""
        import xarray as xr

        return xr.Dataset(
            {
                "value": ("parameter", self.values),
                "standard_error": ("parameter", self.standard_errors),
                "alone_error": ("parameter", self.alone_errors),
                "identified": ("parameter", self.identified),
                "absorbed": ("parameter", self.absorbed),
                "eigenvalue": ("direction", self.eigenvalues),
                "loading": (("direction", "parameter"), self.directions),
            },
            coords={"parameter": list(self.parameters)},
        )


def identifiability_of(
    parameters: tuple[str, ...],
    values: np.ndarray,
    marginal: np.ndarray,
    alone: np.ndarray,
    absorbed: np.ndarray,
    *,
    prior: bool = False,
) -> Identifiability:
    """The result from the information on the parameters, the unknown part free and known.

    Parameters
    ----------
    parameters : tuple of str
    values : array, shape (parameter,)
    marginal, alone : array, shape (parameter, parameter)
        Fisher information with the numbers of the unknown part unknown, and known.
    absorbed : array, shape (parameter,)
    prior : bool
        Whether the unknown part is held by a prior only, which then decides what it imitates.
    """
    count = len(parameters)
    own = np.diag(alone)
    seen = own > 0
    size = np.sqrt(np.where(seen, own, 1.0))
    eigenvalues, vectors = np.linalg.eigh(marginal / np.outer(size, size))
    nothing = eigenvalues <= NOTHING
    variance = (vectors**2 / np.where(nothing, np.inf, eigenvalues)).sum(axis=1) / size**2
    lost = (vectors[:, nothing] ** 2).sum(axis=1) > 1e-6
    errors = np.where(lost | ~seen, np.inf, np.sqrt(variance))
    alone_errors = np.where(seen, 1 / size, np.inf)
    with np.errstate(invalid="ignore"):
        inflation = np.where(seen, errors / alone_errors, np.inf) ** 2
    identified = seen & ~lost & ~((errors > np.abs(values)) & (inflation > INFLATED))
    if prior:
        identified &= ~(absorbed > IMITATED)
    relative = (vectors.T / size) / np.where(values == 0, 1.0, np.abs(values))
    length = np.sqrt((relative**2).sum(axis=1, keepdims=True))
    relative = relative / np.where(length > 0, length, 1.0)
    order = np.argsort(-eigenvalues)
    result = Identifiability(
        parameters=parameters,
        values=values,
        standard_errors=errors,
        alone_errors=alone_errors,
        eigenvalues=np.maximum(eigenvalues[order], 0.0),
        directions=relative[order],
        identified=identified,
        absorbed=absorbed if count else np.empty(0),
    )
    findings = _objections(result)
    status = Status.OK if identified.all() else Status.NOT_IDENTIFIABLE
    return dataclasses.replace(result, status=status, cautions=findings)


def _objections(result: Identifiability) -> tuple[Finding, ...]:
    findings = []
    lost = ~result.identified & ~(result.absorbed > IMITATED)
    if lost.any():
        names = [n for n, out in zip(result.parameters, lost, strict=True) if out]
        worst = result.direction(len(result.parameters) - 1)
        findings.append(
            Finding(
                code="not-identifiable",
                text=f"The data do not tell {', '.join(names)}: a change along {worst} leaves the "
                "orbits the same to within the noise.",
                action="Fix one of them, or measure under other conditions.",
                level="serious",
            )
        )
    for k, name in enumerate(result.parameters):
        if result.absorbed[k] > ABSORBED and not lost[k]:
            findings.append(
                Finding(
                    code="confounded",
                    text=f"{result.absorbed[k]:.0%} of the information on {name!r} can as well be "
                    "taken over by the unknown part.",
                    action=f"Read {name!r} together with the unknown part only, or fix it.",
                    level="caution" if result.identified[k] else "serious",
                )
            )
    return tuple(findings)
