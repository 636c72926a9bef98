"""Reports on tables: guesses, ranges, sky, duplicates, and a warning for each usual mistake."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import ColumnError, EmptyTableError, FileFormatError, NotFoundError
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product
from pzcenter.server.services.registry import register_main_file
from pzcenter.server.services.report import guess_columns, make_report
from pzcenter.server.services.report import making as making_reports
from pzcenter.server.services.report import sky as skies
from pzcenter.server.services.report.making import _spread
from pzcenter.server.services.tables.opening import open_path
from pzcenter.server.services.upload_report import accept_guesses, fresh_report, report_of
from pzcenter.server.storage.products import FileRole, Product, ProductState

N = 2000
RNG = np.random.default_rng(11)
GOOD = {
    "objectId": np.arange(N) + 10**17,
    "ra": RNG.uniform(53.0, 55.0, N),
    "dec": RNG.uniform(-29.0, -27.0, N),
    "z": RNG.gamma(2.0, 0.4, N),
    "z_err": np.full(N, 0.001) * RNG.uniform(1, 2, N),
    "z_flag": RNG.integers(1, 5, N),
    "survey": np.array(["VVDS", "DEEP2"] * (N // 2)),
    "mag_i": RNG.normal(23.0, 1.0, N),
    "magerr_i": RNG.uniform(0.01, 0.1, N),
}


@pytest.fixture
def report(tmp_path):
    def made(table, **words):
        path = tmp_path / "t.parquet"
        pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), path, row_group_size=500)
        told = make_report(open_path(path), **words)
        json.dumps(told, allow_nan=False)
        return told

    return made


def codes(told):
    return {each["code"] for each in told["warnings"]}


def test_good_table(report):
    told = report(GOOD)
    assert codes(told) == set()
    guessed = {each["meaning"]: each["column"] for each in told["guesses"]}
    assert guessed == {
        "ID": "objectId", "RA": "ra", "Dec": "dec", "z": "z", "z_err": "z_err", "z_flag": "z_flag",
        "survey": "survey", "mag": "mag_i", "mag_err": "magerr_i",
    }  # fmt: skip
    assert all(each["confidence"] >= 0.7 and each["reason"] for each in told["guesses"])
    assert (told["n_rows"], told["rows_read"], told["complete"], told["sampled"]) == (N, N, True, None)
    z = next(column for column in told["columns"] if column["name"] == "z")
    assert z["min"] == pytest.approx(GOOD["z"].min(), rel=1e-6)
    assert z["median"] == pytest.approx(np.median(GOOD["z"]), rel=1e-6)
    assert sum(z["histogram"]["counts"]) == N
    assert z["guess"]["alias"] == "z"
    assert [each["title"] for each in told["histograms"]] == ["Redshift", "Magnitude i"]
    assert sum(told["sky"]["counts"]) == N
    assert told["sky"]["area_deg2"] == pytest.approx(3.5, abs=1.2)
    assert told["duplicates"]["ids"]["n_repeated"] == 0
    survey = next(column for column in told["columns"] if column["name"] == "survey")
    assert survey["values"] == [["DEEP2", N // 2], ["VVDS", N // 2]]


def changed(**columns):
    return GOOD | columns


def texts_of(values):
    return [f"{int(v // 15):02d}:{int(v % 15 * 4):02d}:{v % 0.25 * 240:05.2f}" for v in values]


MISTAKES = {
    "swapped": changed(ra=GOOD["dec"], dec=GOOD["ra"] + 60),
    "radians": changed(ra=RNG.uniform(0, 6.2, N), dec=RNG.uniform(-1.5, 1.5, N)),
    "sexagesimal": changed(ra=texts_of(GOOD["ra"]), dec=[f"-{d:02d}:10:11.1" for d in [27, 28] * (N // 2)]),
    "outside": changed(ra=GOOD["ra"] + 400),
    "hours": changed(ra=RNG.uniform(0, 24, N)),
    "velocity": changed(z=GOOD["z"] * 3e5),
    "negative_z": changed(z=np.where(np.arange(N) == 3, -0.5, GOOD["z"])),
    "large_z": changed(z=np.where(np.arange(N) == 3, 99.9, GOOD["z"])),
    "missing_z": changed(z=np.where(np.arange(N) == 3, np.nan, GOOD["z"])),
    "negative_error": changed(z_err=-GOOD["z_err"]),
    "sentinels": changed(mag_i=np.where(np.arange(N) % 10 == 3, -99.0, GOOD["mag_i"])),
    "not_magnitudes": changed(mag_i=10 ** (0.4 * (31.4 - GOOD["mag_i"]))),
    "no_unit": changed(flux_r=10 ** (0.4 * (31.4 - GOOD["mag_i"]))),
    "empty_column": changed(nothing=np.full(N, np.nan)),
    "constant_column": changed(version=np.full(N, 3)),
    "infinite": changed(mag_i=np.where(np.arange(N) == 3, np.inf, GOOD["mag_i"])),
    "text_numbers": changed(weight=[f"{v:.3f}" for v in GOOD["mag_i"]]),
    "repeated_ids": changed(objectId=GOOD["objectId"] // 2),
    "close_positions": changed(ra=np.where(np.arange(N) == 3, GOOD["ra"][4] + 1e-5, GOOD["ra"]),
                               dec=np.where(np.arange(N) == 3, GOOD["dec"][4], GOOD["dec"])),
}  # fmt: skip


@pytest.mark.parametrize("code", MISTAKES)
def test_mistakes(report, code):
    told = report(MISTAKES[code])
    assert code in codes(told)
    # A mistake is not told under many names.
    assert len(codes(told)) <= 2


def test_unit_that_cannot_be(report):
    flux = pa.field("flux_r", pa.float64(), metadata={"unit": "Jy"})
    table = pa.table([pa.array(10 ** (0.4 * (31.4 - GOOD["mag_i"])))], schema=pa.schema([flux]))
    assert "wrong_unit" in codes(report(table))


def test_units_of_positions_that_are_no_degrees(report):
    fields = [pa.field(name, pa.float64(), metadata={"unit": "rad"}) for name in ("ra", "dec")]
    values = [pa.array(GOOD["ra"]), pa.array(GOOD["dec"])]
    told = report(pa.table(values, schema=pa.schema(fields)))
    assert "radians" in codes(told)
    assert max(each["confidence"] for each in told["guesses"] if each["meaning"] in {"RA", "Dec"}) < 0.5


def test_doubts_lower_the_confidence(report):
    guesses = {each["meaning"]: each for each in report(MISTAKES["velocity"])["guesses"]}
    assert guesses["z"]["confidence"] < 0.5
    assert "but" in guesses["z"]["reason"]


def test_sexagesimal_positions_are_mapped(report):
    told = report(MISTAKES["sexagesimal"])
    assert told["sky"]["n_positions"] == N


def test_words_of_the_file_come_first():
    field = pa.field("weird", pa.float64(), metadata={"ucd": "src.redshift"})
    guesses = guess_columns(pa.schema([("z", pa.float64()), field]))
    assert [(guess.meaning, guess.column) for guess in guesses] == [("z", "weird")]


@pytest.mark.parametrize(
    ("names", "meaning", "column"),
    [
        (("RAJ2000", "DEJ2000"), "RA", "RAJ2000"),
        (("RA_ICRS", "DE_ICRS"), "Dec", "DE_ICRS"),
        (("zspec", "z_phot"), "z", "zspec"),
        (("TARGETID",), "ID", "TARGETID"),
        (("e_z", "z"), "z_err", "e_z"),
    ],
)
def test_other_names(names, meaning, column):
    schema = pa.schema([(name, pa.int64() if name == "TARGETID" else pa.float64()) for name in names])
    assert {guess.meaning: guess.column for guess in guess_columns(schema)}[meaning] == column


@pytest.mark.parametrize(
    ("name", "meaning", "band"),
    [
        ("mag_u_lsst", "mag", "u"), ("mag_err_g_lsst", "mag_err", "g"), ("r_cModelFlux", "flux", "r"),
        ("r_cModelFluxErr", "flux_err", "r"), ("imag", "mag", "i"), ("e_zmag", "mag_err", "z"), ("y_mag", "mag", "y"),
        ("FLUX_G", "flux", "G"), ("gerr", "mag_err", "g"),
    ],
)  # fmt: skip
def test_names_of_brightness(name, meaning, band):
    (guess,) = guess_columns(pa.schema([(name, pa.float64())]))
    assert (guess.meaning, guess.band) == (meaning, band)
    assert "phot." in guess.ucd


@pytest.mark.parametrize("name", ["name", "x", "type", "drag", "magnitude_system", "reflux"])
def test_names_of_nothing(name):
    assert guess_columns(pa.schema([(name, pa.bool_())])) == []


def test_time_is_limited(report, monkeypatch):
    monkeypatch.setattr(making_reports, "batch_rows", lambda *_: 500)
    told = report(GOOD, seconds=0.0)
    assert (told["complete"], told["n_rows"], told["rows_read"]) == (False, N, N // 4)
    assert "parts all over it" in told["sampled"]


def test_order_that_is_spread():
    assert _spread(8) == [0, 4, 2, 6, 1, 5, 3, 7]
    assert [_spread(0), _spread(1), sorted(_spread(5))] == [[], [0], [0, 1, 2, 3, 4]]


def test_rows_are_sampled_evenly(report, monkeypatch):
    from pzcenter.server.services.report import statistics

    monkeypatch.setattr(statistics, "SAMPLE_VALUES", 0)
    told = report(GOOD)
    z = next(column for column in told["columns"] if column["name"] == "z")
    assert z["histogram"]["n_sampled"] == statistics.MIN_SAMPLE
    assert z["median"] == pytest.approx(np.median(GOOD["z"]), rel=0.15)


def test_many_positions_keep_their_neighbours(monkeypatch):
    monkeypatch.setattr(skies, "MAX_POSITIONS", 500)
    tally = skies.SkyTally()
    ra, dec = RNG.uniform(0, 360, N), RNG.uniform(-60, 60, N)
    for _ in range(2):
        tally.add(ra, dec)
    pairs = tally.close_pairs()
    assert not pairs["complete"]
    assert 0 < pairs["n_same"] == pairs["n_looked_at"] <= 500


def test_nested_columns(report):
    told = report(GOOD | {"pz": pa.array([[0.1, 0.9]] * N, pa.list_(pa.float64(), 2))})
    assert told["columns"][-1]["name"] == "pz"


@pytest.fixture
def product_with(services, principal, tmp_path):
    def made(table, kind="redshift_catalog"):
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table(table), path)
        content = services.store.put_file(path)
        with services.database.writing() as session:
            product = create_product(services, session, principal("owner"), NewProduct("A table", kind))
            add_file(services, session, principal("owner"), product.id, content, name="t.parquet", role=FileRole.MAIN)
            number = product.id
        register_main_file(services, principal("owner"), number)
        return number

    return made


def test_report_over_the_interface(server, product_with):
    number = product_with(GOOD)
    client = server.client("owner")
    told = client.get(f"/api/v2/products/{number}/report")
    assert told.status_code == 200
    assert told.json()["n_rows"] == N
    columns = client.post(f"/api/v2/products/{number}/report", json={}).json()
    assert {column["name"]: column["alias"] for column in columns}["ra"] == "RA"
    assert {column["name"]: column["ucd"] for column in columns}["mag_i"] is None
    columns = client.post(f"/api/v2/products/{number}/report", json={"columns": ["mag_i"]}).json()
    assert {column["name"]: column["ucd"] for column in columns}["mag_i"] == "phot.mag;em.opt.I"
    assert client.post(f"/api/v2/products/{number}/report", json={"columns": ["no"]}).status_code == 422
    assert client.post(f"/api/v2/products/{number}/report", json={"confidence": 2}).status_code == 422
    other = server.client("colleague")
    assert other.get(f"/api/v2/products/{number}/report").status_code == 404
    assert other.get(f"/api/v2/products/{number}/report?fresh=true").status_code == 404
    assert other.post(f"/api/v2/products/{number}/report", json={}).status_code == 404
    assert server.client().get(f"/api/v2/products/{number}/report").status_code == 401


def test_words_said_before_stay(services, principal, product_with):
    from pzcenter.server.services.columns import ColumnChange, edit_columns

    number = product_with(GOOD)
    with services.database.writing() as session:
        edit_columns(session, principal("owner"), number, [ColumnChange("z_err", alias="z")])
        columns = accept_guesses(session, principal("owner"), number)
        aliases = {column.name: column.alias for column in columns}
        assert (aliases["z"], aliases["z_err"], aliases["ra"]) == (None, "z", "RA")
    with pytest.raises(ColumnError), services.database.writing() as session:
        accept_guesses(session, principal("owner"), number, columns=["nothing"])


def test_report_of_other_types(services, principal, product_with):
    number = product_with(GOOD, "photoz_estimates")
    with pytest.raises(NotFoundError, match="no report"), services.database.reading() as session:
        report_of(session, principal("owner"), number)
    assert fresh_report(services, principal("owner"), number)["n_rows"] == N


def test_file_that_says_wrong_numbers(tmp_path):
    path = tmp_path / "cat"
    (path / "dataset/Norder=0/Dir=0").mkdir(parents=True)
    pq.write_table(pa.table(GOOD), path / "dataset/Norder=0/Dir=0/Npix=1.parquet")
    (path / "hats.properties").write_text("hats_nrows=7\n")
    (path / "partition_info.csv").write_text("Norder,Npix\n0,1\n")
    with pytest.raises(Exception, match="says that it has 7 rows, and has 2000"):
        make_report(open_path(path))


def test_published_ones_stay(services, principal, product_with, server):
    number = product_with(GOOD)
    with services.database.writing() as session:
        session.get_one(Product, number).state = ProductState.PUBLISHED
    assert server.client("owner").post(f"/api/v2/products/{number}/report", json={}).status_code == 403


def test_seconds_are_few():
    assert making_reports.REPORT_SECONDS <= 10


def test_no_table(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(FileFormatError):
        open_path(path)


def test_a_refused_file_has_no_report_and_the_answer_says_why(server, services, principal):
    with services.database.writing() as session:
        owner = principal("owner")
        number = create_product(services, session, owner, NewProduct("No rows", "training_set")).id
        add_file(services, session, owner, number, services.store.put([b"a,z\n"]), name="a.csv", role=FileRole.MAIN)
    with pytest.raises(EmptyTableError):
        register_main_file(services, owner, number)
    answer = server.client("owner").get(f"/api/v2/products/{number}/report")
    assert answer.status_code == 404 and "main file was refused: a.csv has 2 columns" in answer.json()["detail"]
