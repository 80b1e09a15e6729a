"""Every format gives back the numbers, names, units and times that were written."""

import gzip
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from takens.core import InvalidInput
from takens.data import as_recording, catalogue, load, open_any, read

N = 50
TIME = np.arange(N) * 0.5
X = np.round(np.sin(0.3 * np.arange(N)), 6)
Y = np.round(np.cos(0.3 * np.arange(N)), 6)


def _text(sep=",", header="time [s],x [K],y", comma=False):
    number = (lambda v: repr(float(v)).replace(".", ",")) if comma else (lambda v: repr(float(v)))
    rows = [sep.join(map(number, row)) for row in zip(TIME, X, Y, strict=True)]
    return "\n".join([header.replace(",", sep), *rows]) + "\n"


def _check(recording, names=("x", "y")):
    record = recording[0]
    assert record.names == names
    np.testing.assert_array_equal(record.times, TIME)
    np.testing.assert_array_equal(record.states, np.column_stack([X, Y]))


def _codes(recording):
    return [f.code for f in recording.findings]


@pytest.mark.parametrize("sep", [",", ";", "\t", "|", "  "])
def test_separators(tmp_path, sep):
    path = tmp_path / "a.txt"
    header = "time,x,y" if sep == "  " else "time [s],x [K],y"
    path.write_text(_text(sep, header))
    recording = read(path)
    _check(recording)
    if sep != "  ":
        assert recording.time_unit == "s"
        assert recording.units == ("K", "")


@pytest.mark.parametrize("sep", [";", "\t"])
def test_decimal_comma(tmp_path, sep):
    path = tmp_path / "a.csv"
    path.write_text(_text(sep, comma=True))
    recording = read(path)
    _check(recording)
    assert "decimal-comma" in _codes(recording)


def test_quoted_cells_comments_units_row_and_preamble(tmp_path):
    rows = "\n".join(f'"{t}","{x}","{y}"' for t, x, y in zip(TIME, X, Y, strict=True))
    path = tmp_path / "a.csv"
    path.write_text(f'# made by hand\nStation 7\n"time","x","y"\ns,K,-\n{rows}\n% the end\n')
    recording = read(path)
    _check(recording)
    assert recording.units[0] == "K"
    assert {"comment-lines", "preamble"} <= set(_codes(recording))


def test_names_in_the_comment_above(tmp_path):
    path = tmp_path / "a.txt"
    np.savetxt(path, np.column_stack([TIME, X, Y]), header="time x y")
    _check(read(path))


def test_names_in_the_comment_above_with_commas(tmp_path):
    path = tmp_path / "a.txt"
    np.savetxt(path, np.column_stack([TIME, X, Y]), header="time,x,y", delimiter=",")
    _check(read(path))


def test_a_remark_above_one_column_is_not_its_name(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("# level (dB): 76.4\n1\n5\n2\n")
    assert read(path).names == ("x",)


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip"])
def test_compressed(tmp_path, ending):
    import bz2
    import lzma

    path = tmp_path / f"a.csv.{ending}"
    raw = _text().encode()
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", raw)
    else:
        pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[ending]
        path.write_bytes(pack(raw))
    _check(read(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(_text(header="time,größe,y").encode(encoding))
    _check(read(path), ("größe", "y"))


def test_numpy(tmp_path):
    np.save(tmp_path / "a.npy", np.column_stack([X, Y]))
    recording = read(tmp_path / "a.npy", dt=0.5, time_unit="s")
    _check(recording, ("x0", "x1"))
    np.savez(tmp_path / "a.npz", time=TIME, x=X, y=Y, fs=2.0)
    recording = read(tmp_path / "a.npz")
    _check(recording)
    assert "rate-found" in _codes(recording)
    table = np.rec.fromarrays([TIME, X, Y], names="time,x,y")
    np.save(tmp_path / "b.npy", np.asarray(table))
    _check(read(tmp_path / "b.npy"))


def test_parquet_and_excel(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"time": TIME, "x": X, "y": Y, "label": "a"})
    frame.to_parquet(tmp_path / "a.parquet")
    _check(read(tmp_path / "a.parquet"))
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    recording = read(tmp_path / "a.xlsx")
    _check(recording)
    assert "text-columns" in _codes(recording)
    dated = frame.set_index(pd.date_range("2020-01-01", periods=N, freq="D"))[["x", "y"]]
    dated.to_parquet(tmp_path / "b.parquet")
    recording = read(tmp_path / "b.parquet")
    assert recording.time_unit == "d"
    np.testing.assert_array_equal(recording[0].times, np.arange(N))


def test_matlab(tmp_path):
    import h5py
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"time": TIME, "x": X, "y": Y[:, None], "note": "text"})
    _check(read(tmp_path / "a.mat"))
    with h5py.File(tmp_path / "b.mat", "w", userblock_size=512) as file:
        for name, values in (("time", TIME), ("x", X), ("y", Y)):
            file[name] = values[None, :]
    with (tmp_path / "b.mat").open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(512))
    _check(read(tmp_path / "b.mat"))


@pytest.mark.parametrize("engine", ["scipy", "h5netcdf", "zarr"])
def test_gridded(tmp_path, engine):
    import xarray as xr

    land = np.broadcast_to(X[:, None, None], (N, 2, 3)).copy()
    land[:, 0, 1] = np.nan
    data = xr.Dataset(
        {"sst": (("time", "lat", "lon"), land, {"units": "K"}), "mean": ("time", Y)},
        {"time": TIME, "lat": [-1.0, 1.0], "lon": [0, 10, 20]},
    )
    path = tmp_path / ("a.zarr" if engine == "zarr" else "a.nc")
    if engine == "zarr":
        pytest.importorskip("zarr")
        data.to_zarr(path, consolidated=False)
    else:
        data.to_netcdf(path, engine=engine)
    recording = read(path, columns=["sst"])
    assert len(recording.names) == 5
    assert recording.names[0] == "lat=-1 lon=0"
    assert "empty-cells" in _codes(recording)
    np.testing.assert_array_equal(recording[0].states[:, 0], X)
    only = read(path, columns=["mean"])
    assert only.names == ("mean",)
    np.testing.assert_array_equal(only[0].times, TIME)


def test_month_tables(tmp_path):
    rows = [[1950 + y, *(np.round(np.arange(12) + 12 * y + 0.5, 1))] for y in range(5)]
    months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
    path = tmp_path / "a.csv"
    path.write_text(
        "\n".join([",".join(["YEAR", *months]), *(",".join(map(str, r)) for r in rows)])
    )
    record = read(path)[0]
    np.testing.assert_allclose(record.times, 1950 + np.arange(60) / 12, rtol=1e-14)
    np.testing.assert_array_equal(record.states[:, 0], np.arange(60) + 0.5)
    lines = ["A TITLE", "=====", "Year " + " ".join(m.title() for m in months), "----"]
    lines += [" ".join(map(str, r)) for r in rows[:-1]]
    lines += [" ".join(map(str, rows[-1][:4])), "----", "Note: not over"]
    path.write_text("\n".join(lines))
    record = read(path)[0]
    assert len(record) == 51
    assert record.time_unit == "y"


@pytest.mark.parametrize(
    ("first", "step", "unit", "dt"),
    [
        ("2020-01-01T00:00", "10 m", "h", 1 / 6),
        ("2020-01-01T00:00:00", "1 s", "s", 1),
        ("2020-01-03", "7 D", "d", 7),
        ("2020-01-01", "6 h", "d", 0.25),
    ],
)
def test_iso_dates_choose_a_sensible_unit(tmp_path, first, step, unit, dt):
    count, letter = step.split()
    dates = np.datetime64(first, "s") + np.arange(30) * np.timedelta64(int(count), letter)
    path = tmp_path / "a.csv"
    path.write_text("when,x\n" + "".join(f"{d},{i % 7}\n" for i, d in enumerate(dates)))
    record = read(path)[0]
    assert record.time_unit == unit
    np.testing.assert_allclose(record.times, np.arange(30) * dt, rtol=1e-12)


def test_zones_are_honoured(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "time,x\n2021-03-28T01:00:00+01:00,1\n2021-03-28T03:00:00+02:00,2\n2021-03-28T04:00:00+02:00,3\n"
    )
    np.testing.assert_array_equal(read(path, time_unit="h")[0].times, [0, 1, 2])


@pytest.mark.parametrize(
    "dates",
    [
        ["1/31/2020", "2/29/2020", "3/31/2020", "4/30/2020"],
        ["31.01.2020", "29.02.2020", "31.03.2020", "30.04.2020"],
        ["Jan 2020", "Feb 2020", "Mar 2020", "Apr 2020"],
        ["2020-01", "2020-02", "2020-03", "2020-04"],
        ["20200115", "20200215", "20200315", "20200415"],
        ["1/1/2020", "2/1/2020", "3/1/2020", "4/1/2020"],
    ],
)
def test_monthly_dates_step_by_a_twelfth(tmp_path, dates):
    path = tmp_path / "a.csv"
    path.write_text("date,x\n" + "".join(f"{d},{i}\n" for i, d in enumerate(dates)))
    if dates[0] == "1/1/2020":  # 1 to 4 January as well as 1 January to 1 April
        with pytest.raises(InvalidInput, match="cannot be told apart"):
            read(path)
        return
    record = read(path)[0]
    assert record.time_unit == "y"
    np.testing.assert_allclose(record.times, 2020 + np.arange(4) / 12, rtol=1e-14)


def test_business_days_are_counted_without_weekends(tmp_path):
    days = np.busday_offset("2020-01-06", np.arange(40))
    path = tmp_path / "a.csv"
    path.write_text("date,x\n" + "".join(f"{d},{i % 7}\n" for i, d in enumerate(days)))
    np.testing.assert_array_equal(read(path)[0].times, np.arange(40))
    assert read(path)[0].time_unit == "business day"
    assert read(path, time_unit="d")[0].times[5] == 7


def test_year_and_month_columns_and_a_date_beside_a_time(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "year,month,x\n" + "".join(f"{2000 + i // 12},{i % 12 + 1},{i}\n" for i in range(24))
    )
    recording = read(path)
    assert recording.names == ("x",)
    np.testing.assert_allclose(recording[0].times, 2000 + np.arange(24) / 12)
    path.write_text("Date,Time,x\n" + "".join(f"2020-01-01,{i:02d}:30,{i}\n" for i in range(20)))
    recording = read(path)
    assert (recording.names, recording.time_unit) == (("x",), "h")
    np.testing.assert_allclose(recording[0].times, np.arange(20))


def test_groups_inputs_and_columns(tmp_path):
    path = tmp_path / "a.csv"
    rows = [
        f"{g},{t},{t % 5},{t % 3},{t}"
        for g in ("one", "two")
        for t in range(20 if g == "one" else 30)
    ]
    path.write_text("site,time,x,y,u\n" + "\n".join(rows) + "\n")
    recording = read(path, group="site", inputs="u", columns=["x", "y"])
    assert [(r.label, len(r)) for r in recording] == [("one", 20), ("two", 30)]
    assert recording[0].input_names == ("u",)
    np.testing.assert_array_equal(recording[1].inputs[:, 0], np.arange(30))
    assert "several-records" in _codes(recording)
    assert recording.settings["group"] == "site"


def test_time_units_are_converted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time (ms),x\n" + "".join(f"{i * 20},{i % 7}\n" for i in range(20)))
    np.testing.assert_allclose(read(path, time_unit="s")[0].times, np.arange(20) * 0.02)
    assert read(path)[0].time_unit == "ms"
    assert "dt-agrees" in _codes(read(path, dt=20))
    rows = read(path, time="row", dt=3.0)
    np.testing.assert_array_equal(rows[0].times, np.arange(20) * 3.0)


def test_merging_says_what_it_did(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{i},{i}" for i in range(100)]
    path.write_text("time,x\n" + "\n".join([*rows, "3,3", "4,8", "4,"]) + "\n")
    recording = read(path)
    said = next(f for f in recording.findings if f.code == "duplicate-times")
    assert "3 row(s)" in said.text
    assert "1 time(s) with different" in said.text
    assert recording[0].states[4, 0] == 6.0  # the mean of 4 and 8; the empty cell does not count


@pytest.mark.parametrize("entry", catalogue(), ids=lambda e: e.name)
def test_bundled_data(entry):
    recording = load(entry.name)
    # Six turbine rows repeat a time and are averaged.
    assert recording.n_samples == entry.n_rows - 6 * (entry.name == "turbine")
    assert recording.source == entry.name
    assert recording.digest == entry.sha256
    assert recording.findings[0].code == "credit"


def test_bundled_facts():
    assert load("fmri")[0].dim == 28
    assert load("fmri", inputs=["WM", "Vent"], columns=["LCau"])[0].inputs.shape == (250, 2)
    assert load("measles-london", time_unit="d")[0].times[1] == 7
    assert load("nino34")[0].times[0] == 1950
    assert open_any("wti").time_unit == "business day"
    assert np.isnan(load("wti")[0].states).sum() == 290
    assert abs(load("wti-returns")[0].states).max() < 1
    with pytest.raises(InvalidInput, match="Did you mean laser"):
        load("lasr")


def test_a_file_wins_over_a_bundled_name(tmp_path, monkeypatch):
    (tmp_path / "laser").write_text("x\n1\n2\n3\n")
    monkeypatch.chdir(tmp_path)
    assert open_any("laser").n_samples == 3


def test_importing_the_room_is_cheap():
    code = "import sys, takens.data; print([m for m in ('pandas','xarray','scipy','h5py','jax','matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pandas_and_xarray_objects():
    pd = pytest.importorskip("pandas")
    import xarray as xr

    series = pd.Series(
        X, index=pd.date_range("2020-01-01", periods=N, freq="h", tz="UTC"), name="v"
    )
    recording = as_recording(series)
    assert (recording.names, recording.time_unit) == (("v",), "h")
    np.testing.assert_array_equal(recording[0].times, np.arange(N))
    frame = pd.DataFrame({"x": X, "y": Y}, index=pd.Index(TIME, name="time"))
    _check(as_recording(frame))
    monthly = pd.Series(X, index=pd.period_range("2000-01", periods=N, freq="M"))
    assert as_recording(monthly).time_unit == "y"
    array = xr.DataArray(X, dims="time", coords={"time": TIME}, name="x")
    np.testing.assert_array_equal(as_recording(array)[0].times, TIME)
    with pytest.raises(InvalidInput, match="time="):
        as_recording(xr.DataArray(X, dims="q", name="x"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("no-such-file.csv", "bundled data sets are"),
        ([[1, 2], [3]], "Rows need one length"),
        (np.ones(5, complex), "complex"),
        (np.ones((2, 3, 4)), r"\(2, 3, 4\)"),
        (np.array([1, "a"], dtype=object), "holds a str"),
        (["a", "b"], "type"),
        ([], "empty"),
        (None, "NoneType"),
        ({"x": [1]}, "dict"),
        (3.0, "float"),
    ],
)
def test_wrong_data_is_refused_with_the_rule(data, says):
    with pytest.raises(InvalidInput, match=says):
        as_recording(data)


def test_lists_with_none_and_masked_arrays():
    assert np.isnan(as_recording([1.0, None, 2.0])[0].states[1, 0])
    masked = np.ma.masked_array([1, 2, 3], [False, True, False])
    assert np.isnan(as_recording(masked)[0].states[1, 0])
    assert "infinite-values" in _codes(as_recording([1.0, np.inf, 2.0]))
