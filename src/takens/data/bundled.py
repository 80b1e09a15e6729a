"""Real data that ship with the package, each with its credit."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput, Recording
from takens.data.options import Options, checked_dt
from takens.data.reading import existing, finished, read
from takens.data.table import Column, Table, shown

FILES = Path(__file__).parent / "files"
_NOAA = "NOAA Climate Prediction Center; as in PyWavelets 1.9.0 (MIT)"
_OPEN = "Public domain (US Government work)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BundledData:
    """One data set that ships with the package.

    Parameters
    ----------
    name : str
        What `load` takes.
    title, credit, licence : str
        What it is, whom to name, and under which terms.
    n_rows : int
        Number of samples.
    expected : str
        What an honest analysis is expected to say.
    file, sha256 : str
        File inside the package and its checksum.
    """

    name: str
    title: str
    credit: str
    licence: str
    n_rows: int
    expected: str
    file: str
    sha256: str


_CATALOGUE = (
    BundledData(
        name="sunspots",
        title=(
            "Monthly mean sunspot number, January 1749 to June 2009 (old Zürich/International "
            "series)"
        ),
        credit="WDC-SILSO, Royal Observatory of Belgium, and NOAA NGDC; as in statsmodels 0.15.0",
        licence="Public domain",
        n_rows=3126,
        expected="A cycle of about 11.0 years with varying amplitude; not established as chaotic",
        file="sunspots_monthly.dat",
        sha256="cc303d26340b6d599bc2878899f8c50c12323dc04b52a26ad047965ea2b9d2a3",
    ),
    BundledData(
        name="sunspots-yearly",
        title="Yearly sunspot number, 1700 to 2008",
        credit="WDC-SILSO, Royal Observatory of Belgium, and NOAA NGDC; as in statsmodels 0.15.0",
        licence="Public domain",
        n_rows=309,
        expected="The same cycle of about 11 years; too short for more",
        file="sunspots_yearly.csv",
        sha256="f67889b1d9002cd5227f0e0ef54e35b419cdd85a31279adef6f73fb41e5c0a9b",
    ),
    BundledData(
        name="laser",
        title=(
            "Santa Fe competition data A: intensity of a far-infrared ammonia laser, 8-bit counts"
        ),
        credit=(
            "U. Hübner, N. B. Abraham and C. O. Weiss, Phys. Rev. A 40, 6354 (1989); as in "
            "reservoirpy 0.4.2 (MIT)"
        ),
        licence="Passed on freely since the 1991 competition; package MIT",
        n_rows=10093,
        expected="Nonlinear and low-dimensional; correlation dimension near 2; chaotic",
        file="santafe_laser.npy",
        sha256="8c07281200935596f8e28bc94e1bb25e9964ab7d7f63c5e27ac87b810ac3b33a",
    ),
    BundledData(
        name="nino34",
        title="Niño 3.4 sea-surface temperature anomaly, monthly, January 1950 to August 2016",
        credit=_NOAA,
        licence=_OPEN,
        n_rows=800,
        expected="Broad band between 2 and 7 years; no chaos to be claimed",
        file="sst_nino3.npz",
        sha256="d1ef70af12824d8c08cef96c5e1684a22d819d89adcd9ab3cf92d12a5d9d8367",
    ),
    BundledData(
        name="nino",
        title=(
            "Anomalies in the regions Niño 1+2, 3, 4 and 3.4, monthly, January 1950 to August 2016"
        ),
        credit=_NOAA,
        licence=_OPEN,
        n_rows=800,
        expected="Four strongly related columns; no chaos to be claimed",
        file="sst_nino3.npz",
        sha256="d1ef70af12824d8c08cef96c5e1684a22d819d89adcd9ab3cf92d12a5d9d8367",
    ),
    BundledData(
        name="heartbeat",
        title="4,684 intervals between normal heart beats over one hour; time counts beats",
        credit="pyHRV 0.5.0 sample data, P. Gomes, P. Margaritoff and H. Silva (2019)",
        licence="BSD-3-Clause (package)",
        n_rows=4684,
        expected="Variable, with slow drifts; no chaos to be claimed",
        file="nni_1h.npy",
        sha256="819b269d6c7bad8a74e1e48e15d9ce73d650eb10e5a7008104d1a6e0d2608f34",
    ),
    BundledData(
        name="fmri",
        title="Resting-state fMRI of 28 named brain regions, one volume in 1.89 s",
        credit="nitime 0.12.1 sample data, the Nipy developers",
        licence="BSD-3-Clause (package)",
        n_rows=250,
        expected="Short and noisy: undetermined, or linear and stochastic",
        file="fmri_timeseries.csv",
        sha256="b272a7a8e1981d1b4542e739e5244be41c1bfee8a8d3cd224b87605ec72c2ffd",
    ),
    BundledData(
        name="measles",
        title=(
            "Weekly measles notifications in 20 places of England and Wales, January 1944 to "
            "March 1965"
        ),
        credit="Registrar General's weekly returns; as in pypomp 1.1.0",
        licence="MIT (package)",
        n_rows=1108,
        expected="Epidemics every two years with a yearly component",
        file="measles_uk20_weekly.csv.gz",
        sha256="ae264af1c3f05ba61004a031e413c72f7f7829bb310c867f02942b2cc757c67b",
    ),
    BundledData(
        name="measles-london",
        title="Weekly measles notifications in London, January 1944 to March 1965",
        credit="Registrar General's weekly returns; as in pypomp 1.1.0",
        licence="MIT (package)",
        n_rows=1108,
        expected="Epidemics every two years with a yearly component",
        file="measles_uk20_weekly.csv.gz",
        sha256="ae264af1c3f05ba61004a031e413c72f7f7829bb310c867f02942b2cc757c67b",
    ),
    BundledData(
        name="turbine",
        title=(
            "Wind turbine R80711 at La Haute Borne, 10-minute means, first quarter of 2014: "
            "wind speed, power, pitch, direction, temperature"
        ),
        credit="ENGIE, La Haute Borne open data; as in OpenOA 3.2",
        licence="Licence Ouverte / Open Licence 2.0 (Etalab)",
        n_rows=12966,
        expected="Driven by the weather: stochastic or nonstationary",
        file="lahauteborne_R80711_2014Q1.csv.gz",
        sha256="b09da7f1c4f888d615c6741dedfef133f688b147f8f7783cc92f2227d658fbc1",
    ),
    BundledData(
        name="wti",
        title="WTI crude oil price, daily, January 1986 to January 2019, holidays missing",
        credit="US Energy Information Administration through FRED (DCOILWTICO); as in arch 8.0.0",
        licence=_OPEN,
        n_rows=8611,
        expected="Nonstationary: close to a random walk",
        file="wti.csv.gz",
        sha256="b83498894138a65cdc14a67fc1716aa90b3cfda274f976bd3692cc3f1500084d",
    ),
    BundledData(
        name="wti-returns",
        title="Log returns of the WTI crude oil price between trading days, 1986 to 2019",
        credit="US Energy Information Administration through FRED (DCOILWTICO); as in arch 8.0.0",
        licence=_OPEN,
        n_rows=8320,
        expected="Stochastic with changing volatility; no chaos to be claimed",
        file="wti.csv.gz",
        sha256="b83498894138a65cdc14a67fc1716aa90b3cfda274f976bd3692cc3f1500084d",
    ),
    BundledData(
        name="sst",
        title=(
            "OSTIA sea-surface temperature 5 S to 4.4 N, monthly, April 2006 to September 2010, "
            "averaged over 2.5 degrees of longitude"
        ),
        credit="Met Office OSTIA, Crown copyright; as in iris-sample-data 2.5.2",
        licence="UK Open Government Licence 3.0",
        n_rows=54,
        expected="Dominated by the seasons; 54 months are too few for more",
        file="ostia_monthly_2p5deg.nc",
        sha256="84330c978de6c6768af15204edb88035de7e944ac63d499652d90bea381c8432",
    ),
)


def catalogue() -> tuple[BundledData, ...]:
    """The data sets that ship with the package.

    Returns
    -------
    tuple of BundledData
        In the order in which they are recommended for a first look.

    Examples
    --------
    >>> [entry.name for entry in catalogue()][:3]
    ['sunspots', 'sunspots-yearly', 'laser']
    """
    return _CATALOGUE


def load(name: str, **options: Any) -> Recording:
    """A data set that ships with the package.

    Parameters
    ----------
    name : str
        One of the names in `catalogue`.
    **options
        `columns`, `inputs`, `time_unit` and the other options of `takens.read`.

    Returns
    -------
    Recording
        Read as a file of your own would be, with its findings.

    Raises
    ------
    InvalidInput
        If there is no such data set, or its file was changed.

    Examples
    --------
    >>> sunspots = load("sunspots-yearly")
    >>> sunspots.n_samples, sunspots.time_unit
    (309, 'y')
    """
    entry = next((e for e in _CATALOGUE if e.name == name), None)
    if entry is None:
        raise InvalidInput(f"There is no bundled data set {shown(name)}. {_choices(name)}")
    path = FILES / entry.file
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != entry.sha256:
        raise InvalidInput(f"The bundled file {entry.file} was changed. Install the package again.")
    recording = _LOADERS[name](path, options)
    note = Finding("credit", f"{entry.title}.", f"{entry.credit}. {entry.licence}.", "note")
    return dataclasses.replace(
        recording, source=name, digest=entry.sha256, findings=(note, *recording.findings)
    )


def open_any(
    name_or_path: str | Path, *, max_columns: int | None = None, **options: Any
) -> Recording:
    """A file when there is one of that name, otherwise a bundled data set.

    Parameters
    ----------
    name_or_path : str or Path
        A file that exists wins over a data set's name; a folder, such as a report, does not.
    max_columns : int, optional
        As for `takens.read`; a bundled data set is never too wide.
    **options
        As for `takens.read`.

    Returns
    -------
    Recording
        See `takens.read`.

    Raises
    ------
    InvalidInput
        If there is neither.

    Examples
    --------
    >>> open_any("laser").n_samples
    10093
    """
    names = {e.name for e in _CATALOGUE}
    if str(name_or_path) in names and not Path(name_or_path).is_file():
        return load(str(name_or_path), **options)
    try:
        existing(name_or_path)
    except InvalidInput as error:
        raise InvalidInput(f"{error} {_choices(str(name_or_path))}") from None
    return read(name_or_path, max_columns=max_columns, **options)


def _choices(name: str) -> str:
    names = [e.name for e in _CATALOGUE]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return f"{hint}The bundled data sets are: {', '.join(names)}."


def _settings(given: dict[str, Any], **own: Any) -> dict[str, Any]:
    return own | {k: v for k, v in given.items() if v is not None}


def _sunspots(path: Path, given: dict[str, Any]) -> Recording:
    from takens.data.formats import table_of

    table = table_of(path, Options())
    columns = [
        c
        if c.name.casefold() in ("date", "year")
        else dataclasses.replace(c, name="sunspots", raw="")
        for c in table.columns
    ]
    return _from_table(columns, given, findings=table.findings, time=table.time)


def _from_table(
    columns: list[Column],
    given: dict[str, Any],
    *,
    findings: tuple[Finding, ...] = (),
    time: str = "",
    **own: Any,
) -> Recording:
    settings = _settings(given, **own)
    for key in ("columns", "inputs"):
        if isinstance(settings.get(key), str):
            settings[key] = (settings[key],)
        elif settings.get(key) is not None:
            settings[key] = tuple(settings[key])
    settings["dt"] = checked_dt(settings.get("dt"))
    return finished(
        Table(columns=tuple(columns), findings=findings, time=time),
        Options(**settings),
        source="",
        digest="",
    )


def _nino_columns(path: Path) -> dict[str, Column]:
    with np.load(path, allow_pickle=False) as archive:
        data = archive["data"]
    months = ((data[:, 0].astype(int) - 1970) * 12 + data[:, 1].astype(int) - 1).astype("M8[M]")
    made = {"date": Column(name="date", values=months.astype("M8[us]"))}
    for index, name in enumerate(("nino12", "nino3", "nino4", "nino34")):
        made[name] = Column(name=name, values=data[:, 3 + 2 * index].copy(), unit="K")
    return made


def _nino(path: Path, given: dict[str, Any]) -> Recording:
    return _from_table(list(_nino_columns(path).values()), given)


def _nino34(path: Path, given: dict[str, Any]) -> Recording:
    columns = _nino_columns(path)
    return _from_table([columns["date"], columns["nino34"]], given)


def _array(name: str, unit: str, time_unit: str) -> Any:
    def build(path: Path, given: dict[str, Any]) -> Recording:
        values = np.load(path, allow_pickle=False).ravel().astype(float)
        return _from_table(
            [Column(name=name, values=values, unit=unit)], given, time_unit=time_unit
        )

    return build


def _fmri(path: Path, given: dict[str, Any]) -> Recording:
    settings = _settings(given, dt=1.89, time_unit="s")
    asked = [settings.get("columns") or (), settings.get("inputs") or ()]
    if any(asked):
        return read(path, **settings)
    with path.open() as stream:
        header = [h.strip().strip('"') for h in stream.readline().split(",")]
    regions = [h for h in header if h not in ("WM", "Vent", "Brain")]
    recording = read(path, **settings, columns=regions)
    note = Finding(
        "nuisance-columns",
        "WM, Vent and Brain are averages over white matter, ventricles and the whole brain.",
        "Left out of the 28 regions; name them in inputs to use them as drivers.",
        "note",
    )
    return dataclasses.replace(recording, findings=(note, *recording.findings))


def _plain(**own: Any) -> Any:
    def build(path: Path, given: dict[str, Any]) -> Recording:
        return read(path, **_settings(given, **own))

    return build


def _wti_returns(path: Path, given: dict[str, Any]) -> Recording:
    price = read(path)
    record = price[0]
    values = record.states[:, 0]
    traded = np.isfinite(values) & (np.nan_to_num(values) > 0)
    days = int(np.sum(~traded))
    returns = np.diff(np.log(values[traded]))
    recording = _from_table(
        [Column(name="log_return", values=returns)], given, time_unit="trading day"
    )
    note = Finding(
        "log-returns",
        "Log returns between successive trading days.",
        f"{days} holidays without a price were skipped, so time counts trading days.",
        "note",
    )
    return dataclasses.replace(recording, findings=(note, *recording.findings))


_LOADERS = {
    "sunspots": _sunspots,
    "sunspots-yearly": _sunspots,
    "laser": _array("intensity", "counts", "1"),
    "nino34": _nino34,
    "nino": _nino,
    "heartbeat": _array("nn_interval", "ms", "beat"),
    "fmri": _fmri,
    "measles": _plain(time_unit="y"),
    "measles-london": _plain(time_unit="y", columns="London"),
    "turbine": _plain(),
    "wti": _plain(),
    "wti-returns": _wti_returns,
    "sst": _plain(),
}
