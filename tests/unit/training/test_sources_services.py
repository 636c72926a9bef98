"""VizieR, SDSS and TAP with recorded answers; requests, cache and citations."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import votable
from astropy.table import MaskedColumn, Table

from pzcenter.errors import (
    ConfigError,
    EmptyTableError,
    FileFormatError,
    MissingDependencyError,
    NotFoundError,
    TransientError,
    UsageError,
)
from pzcenter.training.sources import (
    Answer,
    SourceRequest,
    arrow_of,
    connector_names,
    default_cache_dir,
    fetch,
    get_connector,
    read_kept,
    sdss,
    tap,
    vizier,
)
from pzcenter.training.sources import registry as registry_module

DATA = Path(__file__).parent / "data"


def recorded(name):
    return votable.parse_single_table(DATA / name).to_table(use_names_over_ids=True)


class VizierDouble:
    """Answers as astroquery does: tables by name, in order."""

    def __init__(self, tables):
        self.tables, self.asked = tables, []

    def get_catalogs(self, identifier):
        self.asked.append(identifier)
        if isinstance(self.tables, Exception):
            raise self.tables
        found = {name: table for name, table in self.tables.items() if name.startswith(identifier)}
        return _Tables(found)


class _Tables(dict):
    def __getitem__(self, key):
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)


@pytest.fixture
def vizier_of(monkeypatch):
    def use(tables):
        double = VizierDouble(tables)
        monkeypatch.setattr(vizier, "_client", lambda _: double)
        return double

    return use


def test_vizier_gives_all_columns_in_degrees(vizier_of, tmp_path):
    double = vizier_of({"J/ApJS/199/26/table3": recorded("vizier_2mrs.vot")})
    found = fetch({"connector": "vizier", "catalog": "J/ApJS/199/26/table3"}, tmp_path)
    table = found.table()
    assert double.asked == ["J/ApJS/199/26/table3"] and found.n_rows == 4
    assert table.column("_RAJ2000").to_pylist()[0] == pytest.approx(90.342812)
    assert table.column("cz").to_pylist() == [14945, 15688, 24684, None]
    assert table.schema.field("cz").metadata[b"unit"] == b"km / s"
    assert fetch({"connector": "vizier", "catalog": "J/ApJS/199/26/table3"}, tmp_path, offline=True).from_cache


def test_vizier_joins_the_tables_of_a_catalogue(vizier_of, tmp_path):
    part = recorded("vizier_2mrs.vot")
    vizier_of({"J/A+A/1/2/east": part, "J/A+A/1/2/west": part[:1]})
    table = fetch({"connector": "vizier", "catalog": "J/A+A/1/2", "tables": ["east", "west"]}, tmp_path).table()
    assert table.column(vizier.TABLE_COLUMN).to_pylist() == ["east"] * 4 + ["west"]


def test_vizier_asks_which_table(vizier_of, tmp_path):
    part = recorded("vizier_2mrs.vot")
    vizier_of({"J/A+A/1/2/east": part, "J/A+A/1/2/west": part})
    with pytest.raises(ConfigError, match=r"2 tables.*east.*west"):
        fetch({"connector": "vizier", "catalog": "J/A+A/1/2"}, tmp_path)
    with pytest.raises(NotFoundError, match="nothing under J/A"):
        fetch({"connector": "vizier", "catalog": "J/A+A/9/9"}, tmp_path)


@pytest.mark.parametrize("catalog", ["", "x", "J/ApJS/1 2", "-source=*&a", "../etc"])
def test_vizier_refuses_other_numbers(catalog, tmp_path):
    with pytest.raises(ConfigError):
        fetch({"connector": "vizier", "catalog": catalog}, tmp_path)


def test_an_unreachable_vizier_is_transient(vizier_of, tmp_path):
    vizier_of(ConnectionError("no route"))
    with pytest.raises(TransientError, match=r"vizier.cds.unistra.fr could not be reached.*no route.*file"):
        fetch({"connector": "vizier", "catalog": "J/ApJS/199/26"}, tmp_path)


def test_vizier_asks_real_astroquery_for_everything(monkeypatch, tmp_path):
    core = pytest.importorskip("astroquery.vizier.core")
    sent = {}

    def answer(self, method, url, data=None, timeout=None, **_):
        sent.update(data=data, timeout=timeout)
        return SimpleNamespace(content=(DATA / "vizier_2mrs.vot").read_bytes(), text="", url=url)

    monkeypatch.setattr(core.VizierClass, "_request", answer)
    table = fetch({"connector": "vizier", "catalog": "J/ApJS/199/26/table3"}, tmp_path).table()
    assert table.num_rows == 4 and "_RAJ2000" in table.column_names
    assert sent["timeout"] == 600
    assert {"-out.max=unlimited", "-out.all", "-out.add=_RAJ2000,_DEJ2000"} <= set(sent["data"].split("\n"))


SDSS = {
    "connector": "sdss",
    "data_release": 17,
    "table": "SpecObjAll",
    "columns": ["specObjID", "ra", "dec", "z", "zErr", "zWarning", "class", "sciencePrimary"],
    "where": "sciencePrimary = 1 OR z > 1",
}


class SdssDouble:
    """Holds rows; gives at most ``cap`` of them for a query, whatever is asked."""

    def __init__(self, ids, cap):
        self.ids, self.cap, self.queries = sorted(ids), cap, []

    def __call__(self, query):
        self.queries.append(query)
        after = int(query.split("specObjID > ")[1].split()[0]) if "specObjID > " in query else -1
        ids = [number for number in self.ids if number > after][: self.cap]
        return Table({"specObjID": np.array(ids, dtype=np.uint64), "z": np.zeros(len(ids))}) if ids else None


def test_sdss_pages_past_a_silent_cap(monkeypatch, tmp_path):
    ids = [2**63 + 5, *range(7)]
    double = SdssDouble(ids, cap=3)
    monkeypatch.setattr(sdss, "_service", lambda *_: double)
    table = fetch(SDSS, tmp_path).table()
    assert sorted(table.column("specObjID").to_pylist()) == sorted(ids)
    assert double.queries[1].endswith("WHERE (sciencePrimary = 1 OR z > 1) AND specObjID > 2 ORDER BY specObjID")


def test_sdss_that_repeats_itself_is_an_error(monkeypatch, tmp_path):
    page = Table({"specObjID": np.array([3], dtype=np.uint64)})
    monkeypatch.setattr(sdss, "_service", lambda *_: lambda query: page)
    with pytest.raises(UsageError, match="same page twice"):
        fetch(SDSS, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"table": "SpecObj; DROP"},
        {"columns": ["specObjID", "ra--"]},
        {"columns": ["ra"]},
        {"where": "1=1; DROP TABLE x"},
        {"where": "1=1 -- x"},
        {"page_rows": 0},
        {"order": "z"},
    ],
)
def test_sdss_refuses_what_is_not_a_query(change, monkeypatch, tmp_path):
    monkeypatch.setattr(sdss, "_service", lambda *_: None)
    with pytest.raises(ConfigError):
        fetch({**SDSS, **change}, tmp_path)


def test_sdss_with_real_astroquery(monkeypatch, tmp_path):
    core = pytest.importorskip("astroquery.sdss.core")
    pages = ["sdss_page_1.csv", "sdss_empty.csv"]

    def answer(self, method, url, **_):
        return SimpleNamespace(text=(DATA / pages.pop(0)).read_text(), url=url)

    monkeypatch.setattr(core.SDSSClass, "_request", answer)
    table = fetch(SDSS, tmp_path).table()
    assert table.num_rows == 3 and table.column("specObjID")[2].as_py() == 14126940609093851136
    assert table.column("class").to_pylist() == ["GALAXY"] * 3


TAP = {"connector": "tap", "url": "https://tap.example.org/tap", "query": "SELECT targetid FROM desi_dr1.zpix"}


class TapResult:
    def __init__(self, name, status):
        self.table, self.status = recorded(name), (status, "")

    def __len__(self):
        return len(self.table)

    def to_table(self):
        return self.table


@pytest.fixture
def tap_gives(monkeypatch):
    monkeypatch.setattr(tap, "check_url", lambda url, **_: url)

    def use(name, status="OK"):
        monkeypatch.setattr(tap, "_run", lambda *_, **__: TapResult(name, status))

    return use


def test_tap_gives_a_table(tap_gives, tmp_path):
    tap_gives("tap_desi.vot")
    table = fetch(TAP, tmp_path).table()
    assert table.column("ZCAT_PRIMARY").to_pylist() == [True, False]
    assert table.column("TARGETID")[0].as_py() == 39627972180710666


def test_a_cut_answer_of_tap_is_an_error(tap_gives, tmp_path):
    tap_gives("tap_overflow.vot", "OVERFLOW")
    with pytest.raises(UsageError, match=r"tap.example.org cut the answer after 2 rows \(maxrec 5000000\)"):
        fetch(TAP, tmp_path)


def test_tap_refuses_private_addresses_and_unknown_modes(tmp_path):
    with pytest.raises(ConfigError, match="private"):
        fetch({**TAP, "url": "http://127.0.0.1/tap"}, tmp_path)
    with pytest.raises(ConfigError, match="mode"):
        fetch({**TAP, "url": "http://127.0.0.1/tap", "mode": "fast"}, tmp_path, allow_private=True)


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("tap_desi.vot", None, ""),
        ("tap_overflow.vot", UsageError, "cut the answer after 2 rows"),
        ("tap_error.vot", UsageError, "column zz does not exist"),
    ],
)
def test_tap_with_real_pyvo(name, error, text, monkeypatch, tmp_path):
    pytest.importorskip("pyvo")
    import requests
    from urllib3 import HTTPResponse

    def send(self, request, **_):
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url, request
        response.headers["Content-Type"] = "application/x-votable+xml"
        response.raw = HTTPResponse(body=BytesIO((DATA / name).read_bytes()), status=200, preload_content=False)
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    monkeypatch.setattr(tap, "check_url", lambda url, **_: url)
    request = {**TAP, "mode": "sync"}
    if error is None:
        assert fetch(request, tmp_path).n_rows == 2
        return
    with pytest.raises(error, match=text):
        fetch(request, tmp_path)


@pytest.mark.parametrize(
    ("request_", "package"),
    [
        ({"connector": "vizier", "catalog": "J/A/1"}, "astroquery"),
        (SDSS, "astroquery"),
        ({**TAP, "mode": "sync"}, "pyvo"),
    ],
)
def test_a_missing_package_is_named(request_, package, monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(tap, "check_url", lambda url, **_: url)
    with pytest.raises(
        MissingDependencyError, match=rf"{package}; install it with: pip install 'pzcenter\[training\]'"
    ):
        fetch(request_, tmp_path)


def test_a_file_of_the_user_stays_where_it_is(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("ra,dec,z\n1,2,0.3\n")
    found = fetch({"connector": "file", "path": str(path)}, tmp_path / "cache", offline=True)
    assert found.path == path and found.n_rows in {None, 1}
    path.write_text("ra,dec,z\n1,2,0.4\n")
    again = fetch({"connector": "file", "path": str(path)}, tmp_path / "cache")
    assert again.changed and again.table().column("z").to_pylist() == [0.4]
    with pytest.raises(NotFoundError, match=r"absent\.csv"):
        fetch({"connector": "file", "path": str(tmp_path / "absent.csv")}, tmp_path / "cache")


def test_a_votable_file_is_read_and_a_pickle_is_not(tmp_path):
    assert read_kept(DATA / "vizier_2mrs.vot").num_rows == 4
    (tmp_path / "a.dat").write_bytes(b"\x80\x04\x95\x00")
    with pytest.raises(FileFormatError, match="pickle"):
        read_kept(tmp_path / "a.dat")
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04aaaa")
    with pytest.raises(FileFormatError, match="archive"):
        read_kept(tmp_path / "b.zip")
    (tmp_path / "c.xml").write_text("<?xml version='1.0'?><VOTABLE><RESOURCE>")
    with pytest.raises(FileFormatError, match="VOTable"):
        read_kept(tmp_path / "c.xml")


def test_astropy_tables_become_arrow():
    table = Table(
        {
            "big": np.array([1.5, 2.5], dtype=">f4"),
            "name": np.array([b"a", b"b"]),
            "odd": MaskedColumn(["x", "y"], mask=[True, False], dtype=object),
            "two": np.zeros((2, 3)),
        }
    )
    arrow, notes = arrow_of(table)
    assert arrow.schema.types == [pa.float32(), pa.string(), pa.string()]
    assert arrow.column("odd").to_pylist() == [None, "y"] and arrow.column("name").to_pylist() == ["a", "b"]
    assert notes == ("left out 1 columns with several values per row: ['two']",)


def test_requests_are_written_down_without_secrets():
    first = SourceRequest("url", {"url": "https://a/b", "derive": {"z": "cz / 3e5"}})
    assert (
        first.key
        == SourceRequest("url", {"url": "https://a/b"}).key
        != SourceRequest("url", {"url": "https://a/c"}).key
    )
    for options in ({"token": "x"}, {"x": {1, 2}}, {"x": float("nan")}):
        with pytest.raises(ConfigError):
            SourceRequest("url", options)
    with pytest.raises(ConfigError, match="connector"):
        fetch({"url": "x"})
    with pytest.raises(ConfigError, match=r"unknown options \['adress'\]"):
        fetch({"connector": "url", "adress": "x", "url": "https://a/b"})


def test_connectors_are_found_by_name(monkeypatch):
    assert set(connector_names()) >= {"desi", "file", "pzserver", "sdss", "tap", "url", "vizier"}
    assert all(
        get_connector(name).name == name for name in ("desi", "file", "pzserver", "sdss", "tap", "url", "vizier")
    )
    with pytest.raises(NotFoundError, match="vizier"):
        get_connector("gopher")


class Plugin:
    name = "mine"

    def fetch(self, request, visit):
        return Answer("https://mine.example.org", table=pa.table({"z": [1.0, 2.0]}))


def test_a_plug_in_is_found_by_its_entry_point(monkeypatch, tmp_path):
    points = [
        SimpleNamespace(name="mine", value="m:Plugin", load=lambda: Plugin),
        SimpleNamespace(name="broken", value="m:Broken", load=lambda: int),
    ]
    monkeypatch.setattr(registry_module, "entry_points", lambda group: points if group == "pzcenter.connectors" else [])
    assert fetch({"connector": "mine"}, tmp_path).n_rows == 2
    with pytest.raises(ConfigError, match="broken"):
        get_connector("broken")


def test_the_cache_directory_can_be_set(monkeypatch, tmp_path):
    monkeypatch.setenv("PZ_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path / "sources"
    monkeypatch.delenv("PZ_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "pzcenter" / "sources"


def test_an_empty_answer_is_an_error(vizier_of, tmp_path):
    vizier_of({"J/A+A/1/2": recorded("vizier_2mrs.vot")[:0]})
    with pytest.raises(EmptyTableError, match="no rows for J"):
        fetch({"connector": "vizier", "catalog": "J/A+A/1/2"}, tmp_path)
