"""Whether what orbits of a law leave of the data is noise: the last step of every search."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from takens.core import Finding, Status
from takens.learn.sparse.driven import Driven, hypotheses
from takens.learn.sparse.law import Law, quantile
from takens.learn.sparse.nodes import Nodes
from takens.learn.sparse.noise_parts import ERROR_RATE, NoiseParts, deviations
from takens.learn.sparse.selection import Found, Search, coarse, renewed, table_of

WHITE = 0.2  # correlation of residuals one sample apart that still counts as noise
EXACT = 1e-3  # residual, in standard deviations of a column, below which its colour is no objection
USEFUL = 0.2  # share of a column's variance that a law must hold
LAGS = 10  # at which forecast errors of a law with noise in its dynamics may not be correlated
LINEAR = 1e-3  # probability of the likelihood ratio to a linear law above which that is not refused
FAR = 2.0  # times the misfit that the residuals explain, above which the states are no orbit

FEW = 3.0  # samples for each candidate term of an equation, below which a law is a caution
ENTANGLED = 1e-3  # squared share of a coefficient's information that is not shared by the others
TIED = 1e-10  # one less the squared correlation of two columns that are the same up to units

_NO_ORBIT = Finding(
    code="no-orbit",
    text="No orbit of these candidate terms could be laid through the data.",
    action="Smaller libraries, or data without jumps, may allow it.",
    level="serious",
)


def judged(
    search: Search, found: Found | None, kind: str, level: float
) -> tuple[Law, tuple[Finding, ...]]:
    """The law that was found, refused where its residuals are not noise; and what speaks against it.

    Columns that are never measured, such as velocities, have no residual and no say.
    """
    nodes = search.nodes
    shape = search.allowed.shape
    names = tuple(name for name, there in zip(nodes.names, nodes.measured, strict=True) if there)
    blank = np.full(len(names), np.nan)
    common = {
        "kind": kind,
        "names": names,
        "terms": search.terms.names,
        "n_samples": len(nodes),
        "price": search.price,
        "level": level,
    }
    try:
        found = None if found is None else renewed(search, found)
    except np.linalg.LinAlgError:  # finer steps leave the numbers: there was no orbit
        found = None
    if found is None:
        findings = (_NO_ORBIT, *tied(nodes))
        law = Law(coefficients=np.full(shape, np.nan), standard_errors=np.full(shape, np.nan),
                  covariance=np.empty((0, 0)), measurement_noise=blank, explained=blank,
                  memory=blank, path=(), status=Status.NO_LAW, cautions=findings, **common)  # fmt: skip
        return law, findings
    errors = np.zeros(shape)
    covariance = found.shot.covariance * found.rise
    errors.T[found.support.T] = np.sqrt(np.diag(covariance))
    variance = found.noise.measurement[nodes.measured]
    span = nodes.span[nodes.measured]
    explained = 1 - variance / span**2
    memory = _memory(nodes, found)
    remains = Remains(names, np.sqrt(variance) / span, explained, memory)
    findings = _objections(remains, len(nodes), found.shot.converged)
    findings += _weak_ground(search, found, covariance, names)
    try:
        rough = coarse(search, found)
        lost = not found.shot.converged and not _orbits(nodes, found)
    except np.linalg.LinAlgError:  # with finer steps the law overflows
        rough, lost = False, True
    if lost:
        findings += (_NO_ORBIT,)
    if rough:
        findings += (
            Finding(
                code="coarse-integration",
                text="The orbits between two samples are so fast that the steps of the integration "
                "still change a coefficient by more than a fifth of its standard error.",
                action="Take the standard errors as a lower end, or sample faster.",
            ),
        )
    serious = any(f.level == "serious" for f in findings)
    table = np.full(shape, np.nan) if serious else table_of(found)
    if serious:
        errors, covariance = np.full(shape, np.nan), np.empty((0, 0))
    law = Law(coefficients=table, standard_errors=errors, covariance=covariance,
              measurement_noise=np.sqrt(variance), explained=explained, memory=memory,
              path=found.path, status=Status.NO_LAW if serious else Status.OK, cautions=findings,
              **common)  # fmt: skip
    return law, findings


def _weak_ground(
    search: Search, found: Found, covariance: np.ndarray, names: tuple[str, ...]
) -> tuple[Finding, ...]:
    """Cautions on few samples, on columns that are one, and on terms that only stand together."""
    findings = list(tied(search.nodes))
    count, most = len(search.nodes), int(search.allowed.sum(axis=0).max())
    if count < FEW * most:
        findings.append(
            Finding(
                code="few-samples",
                text=f"{count} samples chose among {most} candidate terms.",
                action="Other laws may do as well. Give more samples or a smaller library.",
            )
        )
    size = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    values, vectors = np.linalg.eigh(covariance / np.outer(size, size))
    floor = max(values[-1], 1.0) * 1e-15 if len(values) else 1.0
    apart = 1 / ((vectors**2) / np.maximum(values, floor)).sum(axis=1)
    equation, _ = np.nonzero(found.support.T)
    for i, name in enumerate(names):
        count = int(((equation == i) & (apart < ENTANGLED)).sum())
        if count:
            findings.append(
                Finding(
                    code="entangled-terms",
                    text=f"In the equation of {name!r} {count} coefficients nearly make up for each "
                    "other on these data.",
                    action="Their coefficients are uncertain together; see the covariance.",
                )
            )
    return tuple(findings)


def tied(nodes: Nodes) -> tuple[Finding, ...]:
    """A caution on measured columns that are one and the same up to offset and unit."""
    places = np.flatnonzero(nodes.measured)
    rows = nodes.seen[:, places].all(axis=1)
    x = nodes.values[np.ix_(rows, places)]
    if len(x) < 3:
        return ()
    x = x - x.mean(axis=0)
    x = x / np.maximum(np.sqrt((x**2).sum(axis=0)), 1e-300)
    pairs = [
        f"{nodes.names[places[i]]!r} and {nodes.names[places[j]]!r}"
        for i in range(len(places))
        for j in range(i)
        if ((x[:, i] - np.sign(x[:, i] @ x[:, j]) * x[:, j]) ** 2).sum() < TIED
    ]
    if not pairs:
        return ()
    return (
        Finding(
            code="columns-coincide",
            text=f"{'; '.join(pairs[:4])} are the same up to offset and unit.",
            action="No data can tell terms of one from terms of the other. Leave one out.",
        ),
    )


def _orbits(nodes: Nodes, found: Found) -> bool:
    """Whether the misfit is that of the residuals, with nothing left between the states."""
    freedom = max(int(nodes.seen.sum()) - found.shot.field.n_parameters, 1)
    return found.shot.misfit <= FAR * found.rise * freedom


def _memory(nodes: Nodes, found: Found) -> np.ndarray:
    """Correlation of residuals at linked samples, for each measured column."""
    error = np.where(nodes.seen, nodes.values - found.shot.states, np.nan)[:, nodes.measured]
    product = error[:-1] * error[1:]
    product[~nodes.linked] = np.nan
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nanmean(product, axis=0) / np.nanmean(error**2, axis=0))


class Remains(NamedTuple):
    """What orbits leave of each measured column: names, size over the span, shares, memory."""

    names: tuple[str, ...]
    size: np.ndarray
    explained: np.ndarray
    memory: np.ndarray


def _objections(remains: Remains, n_samples: int, converged: bool) -> tuple[Finding, ...]:
    findings = []
    bound = max(WHITE, 4 / np.sqrt(n_samples))
    small = remains.size < EXACT
    explained, memory = remains.explained, remains.memory
    for j, name in enumerate(remains.names):
        if explained[j] < USEFUL:
            findings.append(
                Finding(
                    code="nothing-held",
                    text=f"Orbits of the best law hold {max(explained[j], 0):.0%} of the variance "
                    f"of {name!r}.",
                    action="These candidate terms say nothing of this column.",
                    level="serious",
                )
            )
        elif memory[j] > bound:
            findings.append(
                Finding(
                    code="residuals-remember",
                    text=f"What the orbits leave of {name!r} is correlated in time "
                    f"({memory[j]:.2f} from one sample to the next), so that it is not noise of "
                    "measurement.",
                    action="Terms are missing, or there is noise in the dynamics."
                    if not small[j]
                    else f"It is {remains.size[j]:.1g} of its spread.",
                    level="note" if small[j] else "serious",
                )
            )
    if not converged:
        findings.append(
            Finding(
                code="not-converged",
                text="The last Gauss-Newton iteration did not come to rest.",
                action="Take the standard errors as a lower end.",
            )
        )
    return tuple(findings)


def judged_driven(
    search: Search, driven: Driven, p_linear: float, kind: str, level: float
) -> tuple[Law, tuple[Finding, ...]]:
    """A law with noise in its dynamics, refused where that is not all there is to say; and why.

    It stands if the errors of its forecasts of one sample are white, if the data need the noise, and
    if it says more than a linear autoregression: every record without any law follows one of those
    with noise in its dynamics.

    Parameters
    ----------
    search : Search
    driven : Driven
    p_linear : float
        Of the hypothesis of a linear law, see `takens.learn.sparse.driven.beyond_linear`.
    kind, level
        As for `judged`.
    """
    nodes, found = search.nodes, driven.found
    variance = found.noise.measurement
    explained = 1 - variance / nodes.span**2
    memory = _autocorrelation(nodes, found)
    reasons = _objections_to_driven(nodes, driven, p_linear, explained, memory)
    ps = (1.0, 1.0) if reasons else hypotheses(search, driven)
    if not (reasons or ps[1] < ERROR_RATE):
        reasons = ("The data do not need noise in the dynamics.",)
    shape = search.allowed.shape
    table, errors = np.full(shape, np.nan), np.full(shape, np.nan)
    covariance, noise = np.empty((0, 0)), None
    findings = tuple(
        Finding("no-driven-law", text, "A linear autoregression may say as much.", "serious")
        for text in reasons
    )
    if not reasons:
        table, errors, covariance = table_of(found), np.zeros(shape), found.shot.covariance
        errors.T[found.support.T] = np.sqrt(np.diag(covariance))
        spread = np.split(driven.likelihood.errors(found.noise), 2)
        reach = quantile(level)
        noise = NoiseParts(
            names=nodes.names,
            sensor=deviations(variance, spread[0], level, reach),
            dynamical=deviations(found.noise.dynamical, spread[1], level, reach),
            p_sensor=ps[0],
            p_dynamical=ps[1],
            p_linear=p_linear,
        )
        findings = (_MOVED, *_weak_ground(search, found, covariance, nodes.names))
    law = Law(
        kind=kind, names=nodes.names, terms=search.terms.names, coefficients=table,
        standard_errors=errors, covariance=covariance, n_samples=len(nodes), level=level,
        measurement_noise=np.sqrt(variance), explained=explained, memory=memory,
        price=search.price, path=found.path, noise=noise,
        status=Status.NO_LAW if reasons else Status.OK, cautions=findings,
    )  # fmt: skip
    return law, findings


_MOVED = Finding(
    code="noise-in-dynamics",
    text="No orbit of the law follows the data; orbits that white noise moves do.",
    action="Terms that are missing can look like such noise.",
)


def _objections_to_driven(
    nodes: Nodes, driven: Driven, p_linear: float, explained: np.ndarray, memory: np.ndarray
) -> tuple[str, ...]:
    """What speaks against a law with noise in its dynamics, before its noise is tested."""
    bound = 4 / np.sqrt(len(nodes))
    reasons = []
    if not (driven.settled and driven.found.shot.converged):
        reasons.append("Terms and variances of a law with noise in the dynamics did not settle.")
    reasons += [
        f"With noise in the dynamics, errors of forecasts of {name!r} are correlated ({m:.2f})."
        for name, m in zip(nodes.names, memory, strict=True)
        if not m <= bound
    ]
    reasons += [
        f"With noise in the dynamics, nearly all of {name!r} is noise of its sensor."
        for name, share in zip(nodes.names, explained, strict=True)
        if share < USEFUL
    ]
    if not p_linear < LINEAR:
        reasons.append("With noise in the dynamics, the data support no more than linear terms.")
    return tuple(reasons)


def _autocorrelation(nodes: Nodes, found: Found) -> np.ndarray:
    """Largest correlation of standardised forecast errors up to ten samples apart, (dim,)."""
    white = found.shot.linear.white
    assert white is not None
    error = white[:, 0].reshape(-1, nodes.dim)
    there = nodes.linked[:, None] & nodes.seen[1:]
    error = np.where(there, error, 0.0)
    size = (error**2).sum(axis=0) / there.sum(axis=0)
    found_ = []
    for lag in range(1, LAGS + 1):
        pairs = (there[:-lag] & there[lag:]).sum(axis=0)
        product = (error[:-lag] * error[lag:]).sum(axis=0) / np.maximum(pairs, 1)
        found_.append(np.abs(product) / size * np.sqrt(pairs / len(error)))
    return np.asarray(np.max(found_, axis=0))
