"""The papers behind the sections of a report."""

from __future__ import annotations

from collections.abc import Iterable

_PAPERS = {
    "takens": "F. Takens (1981). Detecting strange attractors in turbulence. Lecture Notes in "
    "Mathematics 898, 366–381.",
    "fraser": "A. M. Fraser and H. L. Swinney (1986). Independent coordinates for strange "
    "attractors from mutual information. Physical Review A 33, 1134–1140.",
    "cao": "L. Cao (1997). Practical method for determining the minimum embedding dimension of a "
    "scalar time series. Physica D 110, 43–50.",
    "kennel": "M. B. Kennel, R. Brown and H. D. I. Abarbanel (1992). Determining embedding "
    "dimension for phase-space reconstruction using a geometrical construction. Physical Review "
    "A 45, 3403–3411.",
    "theiler": "J. Theiler, S. Eubank, A. Longtin, B. Galdrikian and J. D. Farmer (1992). Testing "
    "for nonlinearity in time series: the method of surrogate data. Physica D 58, 77–94.",
    "schreiber": "T. Schreiber and A. Schmitz (1996). Improved surrogate data for nonlinearity "
    "tests. Physical Review Letters 77, 635–638.",
    "farmer": "J. D. Farmer and J. J. Sidorowich (1987). Predicting chaotic time series. Physical "
    "Review Letters 59, 845–848.",
    "eckmann-kamphorst": "J.-P. Eckmann, S. O. Kamphorst, D. Ruelle and S. Ciliberto (1986). "
    "Liapunov exponents from time series. Physical Review A 34, 4971–4979.",
    "rosenstein": "M. T. Rosenstein, J. J. Collins and C. J. De Luca (1993). A practical method "
    "for calculating largest Lyapunov exponents from small data sets. Physica D 65, 117–134.",
    "kantz": "H. Kantz (1994). A robust method to estimate the maximal Lyapunov exponent of a "
    "time series. Physics Letters A 185, 77–87.",
    "grassberger": "P. Grassberger and I. Procaccia (1983). Measuring the strangeness of strange "
    "attractors. Physica D 9, 189–208.",
    "eckmann-ruelle": "J.-P. Eckmann and D. Ruelle (1992). Fundamental limitations for estimating "
    "dimensions and Lyapunov exponents in dynamical systems. Physica D 56, 185–187.",
    "bandt": "C. Bandt and B. Pompe (2002). Permutation entropy: a natural complexity measure for "
    "time series. Physical Review Letters 88, 174102.",
    "thomson": "D. J. Thomson (1982). Spectrum estimation and harmonic analysis. Proceedings of "
    "the IEEE 70, 1055–1096.",
    "dickey": "D. A. Dickey and W. A. Fuller (1979). Distribution of the estimators for "
    "autoregressive time series with a unit root. Journal of the American Statistical "
    "Association 74, 427–431.",
    "kwiatkowski": "D. Kwiatkowski, P. C. B. Phillips, P. Schmidt and Y. Shin (1992). Testing the "
    "null hypothesis of stationarity against the alternative of a unit root. Journal of "
    "Econometrics 54, 159–178.",
    "gneiting": "T. Gneiting and A. E. Raftery (2007). Strictly proper scoring rules, prediction, "
    "and estimation. Journal of the American Statistical Association 102, 359–378.",
    "schmid": "P. J. Schmid (2010). Dynamic mode decomposition of numerical and experimental "
    "data. Journal of Fluid Mechanics 656, 5–28.",
    "lorenz": "E. N. Lorenz (1969). Atmospheric predictability as revealed by naturally occurring "
    "analogues. Journal of the Atmospheric Sciences 26, 636–646.",
    "gauthier": "D. J. Gauthier, E. Bollt, A. Griffith and W. A. S. Barbosa (2021). Next "
    "generation reservoir computing. Nature Communications 12, 5564.",
    "brunton": "S. L. Brunton, J. L. Proctor and J. N. Kutz (2016). Discovering governing equations "
    "from data by sparse identification of nonlinear dynamical systems. Proceedings of the "
    "National Academy of Sciences 113, 3932–3937.",
    "cohen": "J. M. Cohen, S. Kaur, Y. Li, J. Z. Kolter and A. Talwalkar (2021). Gradient descent on "
    "neural networks typically occurs at the edge of stability. International Conference on Learning "
    "Representations.",
    "li": "P. Li, T. J. Hastie and K. W. Church (2006). Very sparse random projections. Proceedings of "
    "the 12th ACM SIGKDD conference, 287–296.",
    "bock": "H. G. Bock (1983). Recent advances in parameter identification techniques for O.D.E. "
    "Numerical Treatment of Inverse Problems in Differential and Integral Equations, 95–121.",
    "chen": "J. Chen and Z. Chen (2008). Extended Bayesian information criteria for model selection "
    "with large model spaces. Biometrika 95, 759–771.",
}

_USED_BY = {
    "embedding": ("takens", "fraser", "cao", "kennel"),
    "surrogates": ("theiler", "schreiber", "farmer"),
    "exponent": ("eckmann-kamphorst", "rosenstein", "kantz"),
    "dimension": ("grassberger", "eckmann-ruelle"),
    "entropy": ("bandt",),
    "spectrum": ("thomson",),
    "stationarity": ("dickey", "kwiatkowski"),
    "training": ("cohen", "li", "schmid"),
    "law": ("brunton", "bock", "chen"),
    "backtest": ("gneiting", "schmid", "lorenz", "gauthier"),
}


def references_for(sections: Iterable[str]) -> list[str]:
    """The papers that the given sections rest on, in order of author and year.

    Examples
    --------
    >>> references_for(["entropy"])[0][:8]
    'C. Bandt'
    """
    keys = {key for section in sections for key in _USED_BY.get(section, ())}
    return sorted((_PAPERS[key] for key in keys), key=_name_and_year)


def _name_and_year(paper: str) -> tuple[str, str]:
    authors, rest = paper.split(" (", 1)
    return authors.split(",")[0].split(" and ")[0].split(". ")[-1], rest[:4]
