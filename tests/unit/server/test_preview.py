"""Pages of tables: any rows of any format, sorted and picked, within limits."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from pzcenter.errors import ColumnError, FileFormatError, NotFoundError, UsageError
from pzcenter.schema import Condition
from pzcenter.server.services import preview
from pzcenter.server.services.directories import add_directory
from pzcenter.server.services.preview import table_page
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product
from pzcenter.server.storage.products import FileRole

N_ROWS = 40_000
Z = np.random.default_rng(5).permutation(N_ROWS) / N_ROWS
TABLE = pa.table(
    {
        "id": pa.array(np.arange(N_ROWS)),
        "z": pa.array(np.where(np.arange(N_ROWS) % 100 == 0, np.nan, Z)),
        "survey": pa.array(["even", "odd"] * (N_ROWS // 2)),
        "flux": pa.array([[1.0, float("inf")]] * N_ROWS, pa.list_(pa.float64(), 2)),
    }
).replace_schema_metadata(None)
TABLE = TABLE.cast(TABLE.schema.set(1, TABLE.schema.field(1).with_metadata({"unit": "1"})))


def to_parquet(path):
    pq.write_table(TABLE, path, row_group_size=3000)


def to_csv(path):
    TABLE.drop_columns("flux").to_pandas().to_csv(path, index=False)


def to_fits(path):
    Table.from_pandas(TABLE.drop_columns("flux").to_pandas()).write(path, format="fits")


def to_hats(path):
    (path / "dataset").mkdir(parents=True)
    (path / "hats.properties").write_text(f"dataproduct_type=object\nhats_nrows={N_ROWS}\n")
    (path / "partition_info.csv").write_text("Norder,Npix\n1,3\n1,1\n0,2\n")
    for order, pixel, start, stop in ((1, 1, 0, 9000), (1, 3, 9000, 9001), (0, 2, 9001, N_ROWS)):
        place = path / f"dataset/Norder={order}/Dir=0"
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(TABLE.slice(start, stop - start), place / f"Npix={pixel}.parquet", row_group_size=5000)


@pytest.fixture
def table_of(services, principal, tmp_path):
    """Number of a product with a file or directory as its main file."""

    def made(write, name="table", kind="other"):
        path = tmp_path / name
        write(path)
        with services.database.writing() as session:
            product = create_product(services, session, principal("owner"), NewProduct("A table", kind))
            if path.is_dir():
                files = [each for each in sorted(path.rglob("*")) if each.is_file()]
                parts = {each.relative_to(path).as_posix(): services.store.put_file(each) for each in files}
                add_directory(services, session, principal("owner"), product.id, parts, name=name, role=FileRole.MAIN)
            else:
                content = services.store.put_file(path)
                add_file(services, session, principal("owner"), product.id, content, name=name, role=FileRole.MAIN)
            return product.id

    return made


@pytest.fixture
def page(services, principal, table_of):
    def made(write, **words):
        return table_page(services, principal("owner"), table_of(write), **words)

    return made


@pytest.mark.parametrize("write", [to_parquet, to_csv, to_fits, to_hats])
@pytest.mark.parametrize(("offset", "n_found"), [(0, 5), (8998, 5), (N_ROWS - 2, 2), (N_ROWS + 10, 0)])
def test_any_rows(page, write, offset, n_found):
    found = page(write, offset=offset, limit=5, columns=["z", "id"])
    assert [row[1] for row in found.rows] == list(range(offset, offset + n_found))
    assert [column.name for column in found.columns] == ["z", "id"]
    assert found.n_rows == N_ROWS


@pytest.mark.parametrize("write", [to_parquet, to_csv, to_hats])
@pytest.mark.parametrize("sort", ["z", "-z"])
def test_sorted_rows(page, write, sort):
    found = page(write, offset=3, limit=4, sort=sort, columns=["id"])
    known = np.where(np.arange(N_ROWS) % 100 == 0, np.inf, Z if sort == "z" else -Z)
    assert [row[0] for row in found.rows] == np.argsort(known, kind="stable")[3:7].tolist()


def test_missing_values_come_last(page, monkeypatch):
    monkeypatch.setattr(preview, "GATHERED", 500)
    found = page(to_parquet, offset=N_ROWS - 2, limit=2, sort="-z")
    assert [row[:2] for row in found.rows] == [[39800, None], [39900, None]]


def test_picked_rows(page):
    where = [Condition(column="z", op=">", value=0.5), Condition(column="survey", op="==", value="odd")]
    found = page(to_parquet, where=where, offset=10, limit=3)
    known = np.flatnonzero((Z > 0.5) & (np.arange(N_ROWS) % 100 != 0) & (np.arange(N_ROWS) % 2 == 1))
    assert [row[0] for row in found.rows] == known[10:13].tolist()
    assert found.n_rows == known.size


def test_units_and_values_for_json(page):
    found = page(to_parquet, limit=1)
    assert [column.unit for column in found.columns] == [None, "1", None, None]
    assert found.rows == [[0, None, "even", [1.0, None]]]
    assert found.n_columns == 4


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"offset": -1}, UsageError),
        ({"limit": 0}, UsageError),
        ({"limit": 1001}, UsageError),
        ({"sort": "z", "offset": 100_000}, UsageError),
        ({"sort": "nothing"}, ColumnError),
        ({"sort": "flux"}, ColumnError),
        ({"columns": ["nothing"]}, ColumnError),
        ({"columns": []}, UsageError),
        ({"where": [Condition(column="nothing", op=">", value=1)]}, ColumnError),
        ({"where": [Condition(column="z", op=">", value="text")]}, ColumnError),
        ({"where": [Condition(column="z", op=">", value=1)] * 11}, UsageError),
    ],
)
def test_what_is_not_accepted(page, words, kind):
    with pytest.raises(kind):
        page(to_parquet, **words)


def test_time_is_limited(page, monkeypatch):
    monkeypatch.setattr(preview, "SECONDS", 0.0)
    with pytest.raises(UsageError, match="longer than 0 s"):
        page(to_csv, sort="z")


def test_others_do_not_see_it(services, principal, table_of):
    number = table_of(to_parquet)
    with pytest.raises(NotFoundError):
        table_page(services, principal("colleague"), number)


def test_no_table(page, services):
    with pytest.raises(FileFormatError, match="table cannot be read as Parquet") as caught:
        page(lambda path: path.write_bytes(b"PAR1 and no more"))
    assert str(services.settings.data_dir) not in str(caught.value)
