"""Archives as main files: one table or one HATS catalogue comes out, and nothing dangerous does."""

import gzip
import io
import pickle
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import FileFormatError, QuotaError
from pzcenter.server.services import unpacking
from pzcenter.server.services.preview import table_page
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product
from pzcenter.server.services.registry import register_main_file
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import FileRole, Product, ProductState

CSV = b"ra,dec,z\n10.5,-1.0,0.5\n11.5,2.0,0.7\n"


def zipped(members, **words):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content, **words)
    return buffer.getvalue()


def tarred(members, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zstd(content):
    return pa.compress(content, codec="zstd", asbytes=True)


def parquet(n_rows, first=0):
    sink = pa.BufferOutputStream()
    table = pa.table({"id": range(first, first + n_rows), "ra": [10.0] * n_rows, "dec": [1.0] * n_rows})
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def hats(top=""):
    return {
        f"{top}hats.properties": b"hats_nrows=5\n",
        f"{top}partition_info.csv": b"Norder,Npix\n0,1\n0,2\n",
        f"{top}dataset/Norder=0/Dir=0/Npix=1.parquet": parquet(2),
        f"{top}dataset/Norder=0/Dir=0/Npix=2.parquet": parquet(3, 2),
    }


def collection():
    return {
        "mine/collection.properties": b"hats_primary_table_url=main\n",
        **hats("mine/main/"),
        **hats("mine/margin/"),
    }


@pytest.fixture
def product_with(services, principal, tmp_path):
    def made(name, content, kind="object_catalog"):
        path = tmp_path / "upload"
        path.write_bytes(content)
        kept = services.store.put_file(path)
        with services.database.writing() as session:
            product = create_product(services, session, principal("owner"), NewProduct("A table", kind))
            add_file(services, session, principal("owner"), product.id, kept, name=name, role=FileRole.MAIN)
            return product.id

    return made


TABLES = {
    "t.zip": zipped({"t.csv": CSV}),
    "with more.zip": zipped({"a/t.csv": CSV, "a/README.md": b"about", "__MACOSX/t.csv": b"x", "a/.DS_Store": b"x"}),
    "with names.zip": zipped({"a/t.csv": CSV, "a/README": b"about", "a/Licence": b"x", "a/readme.txt": b"y"}),
    "t.tar": tarred({"t.csv": CSV}, "w"),
    "t.tar.gz": tarred({"t.csv": CSV}),
    "t.tar.xz": tarred({"t.csv": CSV}, "w:xz"),
    "t.tar.zst": zstd(tarred({"t.csv": CSV}, "w")),
    "t.csv.zst": zstd(CSV),
    "model beside.zip": zipped({"t.csv": CSV, "model.pkl": pickle.dumps({})}),
}


@pytest.mark.parametrize("name", TABLES)
def test_one_table(services, principal, product_with, name):
    number = product_with(name, TABLES[name])
    register_main_file(services, principal("owner"), number)
    with services.database.reading() as session:
        product = session.get_one(Product, number)
        file = product.main_file
        assert (file.name, file.extension, file.is_directory, file.media_type) == ("t.csv", ".csv", False, "text/csv")
        assert (product.n_rows, product.size, file.size) == (2, len(CSV), len(CSV))
        assert b"".join(services.store.read(file.sha256)) == CSV
        if name == "model beside.zip":
            assert "pickle" in product.report["left_out"]["model.pkl"]
    assert not list((services.settings.data_dir / "unpacking").iterdir())


@pytest.mark.parametrize(
    "case",
    [("cat.zip", hats(), "cat"), ("cat.tar.gz", hats("mine/"), "mine"), ("cat.zip", collection(), "mine")],
)
def test_hats(services, principal, product_with, case):
    name, members, known = case
    number = product_with(name, zipped(members) if name.endswith("zip") else tarred(members))
    register_main_file(services, principal("owner"), number)
    with services.database.reading() as session:
        product = session.get_one(Product, number)
        file = product.main_file
        assert (file.name, file.is_directory, file.sha256, file.n_rows) == (known, True, None, 5)
        assert len(file.parts) == len(members)
        assert product.size == sum(len(content) for content in members.values())
    page = table_page(services, principal("owner"), number, offset=1, limit=3)
    assert [row[0] for row in page.rows] == [1, 2, 3]


def link(kind, target):
    info = tarfile.TarInfo("t.csv")
    info.type, info.linkname = kind, target
    return info


def encrypted():
    content = bytearray(zipped({"t.csv": CSV}))
    # The bit "encrypted" of both headers.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def linked_zip():
    info = zipfile.ZipInfo("t.csv")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


BAD = {
    "up.zip": (zipped({"../t.csv": CSV}), "leads out"),
    "absolute.tar": (tarred({"/etc/t.csv": CSV}, "w"), "leads out"),
    "windows.zip": (zipped({"..\\t.csv": CSV}), "leads out"),
    "link.tar": (tarred({"l": link(tarfile.SYMTYPE, "/etc/passwd")}, "w"), "link"),
    "hard.tar": (tarred({"l": link(tarfile.LNKTYPE, "/etc/passwd")}, "w"), "link"),
    "device.tar": (tarred({"l": link(tarfile.CHRTYPE, "")}, "w"), "device"),
    "link.zip": (linked_zip(), "link"),
    "bomb.zip": (zipped({"t.csv": bytes(200 << 20)}), "times its own size"),
    "bomb.tar.gz": (tarred({"t.csv": bytes(200 << 20)}), "times its own size"),
    "bomb.csv.zst": (zstd(bytes(200 << 20)), "times its own size"),
    "secret.zip": (encrypted(), "encrypted"),
    "cut.zip": (zipped({"t.csv": CSV})[:60], "damaged"),
    "cut.tar.zst": (zstd(tarred({"t.csv": CSV}, "w"))[:60], "cut.tar.zst"),
    "two.zip": (zipped({"a.csv": CSV, "b.csv": CSV}), "exactly one table"),
    "none.zip": (zipped({}), ""),
    "pickles.zip": (zipped({"a.pkl": pickle.dumps(1)}), "exactly one table"),
    "double.zip": (zipped({"inner.zip": zipped({"t.csv": CSV})}), "archive"),
    "two catalogues.zip": (zipped({**hats("a/"), **hats("b/")}), "several"),
    "way out.zip": (zipped({"collection.properties": b"hats_primary_table_url=../../other\n"}), "outside"),
    "odd ending.zip": (
        zipped(hats() | {"hats.properties": b"hats_nrows=5\nhats_npix_suffix=/../../../secret.parquet\n"}),
        "no ending",
    ),
    "cut catalogue.zip": (zipped({"hats.properties": b"hats_nrows=5\n"}), "not complete"),
}


def test_what_is_not_unpacked(services, principal, product_with, tmp_path):
    before = {path for path in tmp_path.rglob("*") if "server" not in path.parts}
    for name, (content, word) in BAD.items():
        number = product_with(name, content)
        with pytest.raises(FileFormatError) as caught:
            register_main_file(services, principal("owner"), number)
        assert word in str(caught.value), name
        assert str(services.settings.data_dir) not in str(caught.value), name
        with services.database.reading() as session:
            assert session.get_one(Product, number).state is ProductState.FAILED, name
        folder = services.settings.data_dir / "unpacking"
        assert not folder.exists() or not list(folder.iterdir()), name
        assert before == {path for path in tmp_path.rglob("*") if "server" not in path.parts}, name


def test_too_many_members(services, principal, product_with, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_PARTS", 3)
    number = product_with("many.zip", zipped(hats()))
    with pytest.raises(FileFormatError, match="more than 3 members"):
        register_main_file(services, principal("owner"), number)


def test_more_than_one_may_keep(services, principal, product_with):
    number = product_with("t.csv.gz.zst", zstd(gzip.compress(b"a,b\n" + b"1,2\n" * 100)))
    with services.database.writing() as session:
        session.query(User).filter_by(username="owner").one().quota_bytes = 10
    with pytest.raises(QuotaError):
        register_main_file(services, principal("owner"), number)
    with services.database.reading() as session:
        assert session.get_one(Product, number).state is ProductState.REGISTERING


def test_archives_of_other_types_stay(services, principal, product_with):
    number = product_with("results.zip", zipped({"../x": b""}), "other")
    register_main_file(services, principal("owner"), number)
    with services.database.reading() as session:
        assert session.get_one(Product, number).main_file.name == "results.zip"
