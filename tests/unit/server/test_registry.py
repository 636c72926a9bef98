"""Main files of every format are read at registration, and bad ones refused by name."""

import gzip
import pickle

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from pzcenter.errors import (
    ColumnError,
    EmptyTableError,
    FileFormatError,
    NotFoundError,
    PermissionDeniedError,
    UsageError,
)
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product
from pzcenter.server.services.registry import register_main_file
from pzcenter.server.services.tables.opening import open_path
from pzcenter.server.storage.products import FileRole, Product, ProductState


@pytest.fixture
def product_with(services, principal, tmp_path):
    """A new product of the owner with a main file; its number."""

    def made(name, content, kind="redshift_catalog"):
        path = tmp_path / f"upload-{name}"
        if callable(content):
            content(path)
        else:
            path.write_bytes(content)
        kept = services.store.put_file(path)
        with services.database.writing() as session:
            product = create_product(services, session, principal("owner"), NewProduct("A table", kind))
            add_file(services, session, principal("owner"), product.id, kept, name=name, role=FileRole.MAIN)
            return product.id

    return made


@pytest.fixture
def registered(services, principal, product_with):
    """What is known of a product after its registration."""

    def made(name, content, kind="redshift_catalog"):
        number = product_with(name, content, kind)
        register_main_file(services, principal("owner"), number)
        with services.database.reading() as session:
            product = session.get_one(Product, number)
            return (
                [(column.name, column.datatype, column.unit) for column in product.columns],
                product.n_rows,
                product.main_file.csv_dialect,
                product.report["preview"]["rows"],
            )

    return made


TABLE = pa.table({"ra": [10.5, 11.5], "dec": [-1.0, 2.0], "z": [0.5, None], "survey": ["a", "b"]})
PLAIN = [("ra", "double", None), ("dec", "double", None), ("z", "double", None), ("survey", "string", None)]


def to_fits(path):
    table = Table({"ra": [10.5, 11.5], "z": [0.5, 0.7]}, units={"ra": "deg"})
    table.write(path, format="fits")


def to_hdf5(path):
    with h5py.File(path, "w") as file:
        file["photometry/ra"] = np.array([10.5, 11.5])
        file["photometry/ra"].attrs["unit"] = "deg"


def to_votable(path):
    Table({"ra": [10.5, 11.5], "z": [0.5, 0.7]}, units={"ra": "deg"}).write(path, format="votable")


def test_parquet(registered):
    columns, n_rows, dialect, rows = registered("t.parquet", lambda path: pq.write_table(TABLE, path))
    assert (columns, n_rows, dialect) == (PLAIN, 2, None)
    assert rows[1] == {"ra": 11.5, "dec": 2.0, "z": None, "survey": "b"}


@pytest.mark.parametrize(
    ("name", "text", "dialect"),
    [
        ("t.csv", "ra,dec,z,survey\n10.5,-1.0,0.5,a\n11.5,2.0,,b\n", (",", True)),
        ("t.tsv", "ra\tdec\tz\tsurvey\n10.5\t-1.0\t0.5\ta\n11.5\t2.0\t\tb\n", ("\t", True)),
        ("t.csv", "# by hand\nra;dec;z;survey\n10.5;-1.0;0.5;a\n11.5;2.0;;b\n", (";", True)),
        ("t.csv", "ra|dec|z|survey\r\n10.5|-1.0|0.5|a\r\n11.5|2.0||b\r\n", ("|", True)),
        ("t.txt", "ra  dec   z survey\n10.5  -1.0 0.5 a\n 11.5 2.0   NaN  b\n", (" ", True)),
        ("t.dat", "# a list\n# ra dec z survey\n10.5 -1.0 0.5 a\n# more\n\n11.5 2.0 NaN b\n", (" ", True)),
        ("t.csv", "﻿ra,dec,z,survey\n10.5,-1.0,0.5,a\n11.5,2.0,,b\n", (",", True)),
    ],
)  # fmt: skip
def test_text(registered, name, text, dialect):
    columns, n_rows, found, rows = registered(name, text.encode())
    assert (columns, n_rows) == (PLAIN, 2)
    assert (found["delimiter"], found["has_header"]) == dialect
    assert rows[1] == {"ra": 11.5, "dec": 2.0, "z": None, "survey": "b"}


def test_text_without_names(registered):
    columns, n_rows, dialect, rows = registered("t.csv", b"10.5,-1.0,a\n11.5,2.0,b\n")
    assert [name for name, _, _ in columns] == ["col1", "col2", "col3"]
    assert (n_rows, dialect["has_header"], rows[0]["col3"]) == (2, False, "a")


def test_packed_text(registered):
    columns, n_rows, _, _ = registered("t.csv.gz", gzip.compress(b"ra,dec,z,survey\n10.5,-1.0,0.5,a\n11.5,2,,b\n"))
    assert (columns, n_rows) == (PLAIN, 2)


@pytest.mark.parametrize(("name", "write"), [("t.fits", to_fits), ("t.hdf5", to_hdf5), ("t.vot", to_votable)])
def test_units_of_the_file(registered, name, write):
    columns, n_rows, _, _ = registered(name, write)
    assert columns[0] == ("ra", "double", "deg")
    assert n_rows == 2


def test_words_said_before_stay(services, principal, product_with):
    from pzcenter.server.services.columns import ColumnChange, edit_columns

    number = product_with("t.parquet", lambda path: pq.write_table(TABLE, path))
    register_main_file(services, principal("owner"), number)
    with services.database.writing() as session:
        edit_columns(session, principal("owner"), number, [ColumnChange("z", alias="z")])
    register_main_file(services, principal("owner"), number)
    with services.database.reading() as session:
        columns = session.get_one(Product, number).columns
        assert [column.alias for column in columns] == [None, None, "z", None]


def external_link(path):
    with h5py.File(path, "w") as file:
        file["z"] = [0.1]
        file["other"] = h5py.ExternalLink("/etc/secret.hdf5", "/z")


def external_storage(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("z", (4,), dtype="u1", external=[("/etc/hostname", 0, 4)])


def virtual(path):
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/other.hdf5", "z", shape=(4,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("z", layout)


BAD = {
    "empty.csv": (b"", EmptyTableError, "empty"),
    "only names.csv": (b"ra,dec,z\n", EmptyTableError, "no rows"),
    "doubled.csv": (b"ra,ra,z\n1,2,3\n", ColumnError, "ra"),
    "uneven.csv": (b"ra,dec\n1,2\n1,2,3\n", FileFormatError, "columns"),
    "comma.csv": (b"ra;dec\n1,5;2,5\n", FileFormatError, "decimal comma"),
    "noise.csv": (bytes(range(256)) * 4, FileFormatError, "begins with"),
    "wide.txt": ("ra dec\n".encode("utf-16"), FileFormatError, "begins with"),
    "cut.parquet": (b"PAR1" + bytes(100), FileFormatError, "Parquet"),
    "cut.fits": (b"SIMPLE  =                    T" + bytes(50), FileFormatError, "cut.fits"),
    "cut.hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), FileFormatError, "HDF5"),
    "model.pkl": (pickle.dumps({"z": 1}), FileFormatError, "pickle"),
    "hidden.csv": (gzip.compress(pickle.dumps({"z": 1})), FileFormatError, "pickle"),
    "linked.hdf5": (external_link, FileFormatError, "another file"),
    "stored.hdf5": (external_storage, FileFormatError, "another file"),
    "virtual.hdf5": (virtual, FileFormatError, "another file"),
    "entity.vot": (b'<?xml version="1.0"?><!DOCTYPE VOTABLE [<!ENTITY a "b">]><VOTABLE/>', FileFormatError, "entities"),
    "elsewhere.vot": (
        (
            b'<?xml version="1.0"?><VOTABLE><RESOURCE><TABLE><FIELD name="z" datatype="double"/><DATA><FITS>'
            b'<STREAM href="file:///etc/hostname"/></FITS></DATA></TABLE></RESOURCE></VOTABLE>'
        ),
        FileFormatError,
        "elsewhere",
    ),
    "words.fits": (b"this,is,no,fits,file\n1,2,3,4,5\n", FileFormatError, "is a text, and its name says FITS"),
    "cut.vot": (b'<?xml version="1.0"?><VOTABLE><RESOURCE>', FileFormatError, "XML"),
}


def test_bad_main_files_fail_by_name(services, principal, product_with):
    for name, (content, kind, word) in BAD.items():
        number = product_with(name, content)
        with pytest.raises(UsageError, match=word) as caught:
            register_main_file(services, principal("owner"), number)
        assert type(caught.value) is kind, name
        assert str(services.settings.data_dir) not in str(caught.value), name
        with services.database.reading() as session:
            product = session.get_one(Product, number)
            assert product.state is ProductState.FAILED, name
            assert product.failure == str(caught.value), name


@pytest.mark.parametrize("kind", ["training_results", "validation_results", "other", "photoz_estimates"])
def test_other_types_are_never_opened(services, principal, product_with, kind, monkeypatch):
    number = product_with("model.pkl", pickle.dumps({"z": 1}), kind)
    monkeypatch.setattr(services.store, "local_path", lambda _: pytest.fail("the file was opened"))
    register_main_file(services, principal("owner"), number)
    with services.database.reading() as session:
        assert session.get_one(Product, number).state is ProductState.REGISTERING


def test_nobody_else_registers(services, principal, product_with):
    number = product_with("t.csv", b"ra,dec,z\n1,2,3\n")
    with pytest.raises(NotFoundError):
        register_main_file(services, principal("colleague"), number)
    with services.database.writing() as session:
        session.get_one(Product, number).state = ProductState.PUBLISHED
    with pytest.raises(PermissionDeniedError):
        register_main_file(services, principal("owner"), number)


def test_without_a_main_file(services, principal):
    with services.database.writing() as session:
        number = create_product(services, session, principal("owner"), NewProduct("Empty", "other")).id
    with pytest.raises(NotFoundError, match="no main file"):
        register_main_file(services, principal("owner"), number)


def test_several_tables_in_a_file_are_told_in_words_of_the_server(tmp_path):
    path = tmp_path / "two.hdf5"
    with h5py.File(path, "w") as file:
        for group in ("one", "two"):
            file[f"{group}/z"] = np.arange(3.0)
    with pytest.raises(FileFormatError, match="hand in a file with one table") as caught:
        open_path(path)
    assert "group=" not in str(caught.value) and "/one" in str(caught.value)
