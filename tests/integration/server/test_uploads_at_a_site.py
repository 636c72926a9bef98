"""Uploads at a site: PostgreSQL for the rows, S3 for the contents, two that write at once."""

import hashlib
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.server.services.context import open_services
from pzcenter.server.services.preview import table_page
from pzcenter.server.services.principal import principal_of
from pzcenter.server.services.products import NewProduct, create_product, delete_product
from pzcenter.server.services.sweep import sweep
from pzcenter.server.services.upload_finish import finish_upload, give_to_product
from pzcenter.server.services.upload_writing import UploadWriter, settled
from pzcenter.server.services.uploads import NewUpload, create_upload
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Role, User, UserState
from pzcenter.server.storage.make_tables import make_tables
from pzcenter.server.storage.products import FileRole, Product

from .conftest import servers


@pytest.fixture
def site(postgres_url, tmp_path, monkeypatch):
    """Services on PostgreSQL and S3, and somebody who uploads."""
    with servers.s3_server() as objects:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "access-for-tests")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-for-tests")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        settings = ServerSettings(
            data_dir=tmp_path / "server", database_url=postgres_url, store_url=objects.new_bucket(),
            s3_endpoint=objects.endpoint,
        )  # fmt: skip
        services = open_services(settings)
        make_tables(services.database)
        with services.database.writing() as session:
            session.add(User(username="owner", role=Role.USER, state=UserState.ACTIVE))
        with services.database.reading() as session:
            owner = principal_of(session, session.query(User).one())
        yield services, owner
        services.close()


def catalogue():
    """A HATS catalogue in a ZIP archive."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": [1, 2], "ra": [10.0, 11.0], "dec": [1.0, 2.0]}), sink)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("cat/hats.properties", "hats_nrows=2\n")
        archive.writestr("cat/partition_info.csv", "Norder,Npix\n0,1\n")
        archive.writestr("cat/dataset/Norder=0/Dir=0/Npix=1.parquet", sink.getvalue().to_pybytes())
    return buffer.getvalue()


def send(services, owner, uid, content, piece=1000):
    offset = settled(services, owner, uid).offset
    while offset < len(content):
        writer = UploadWriter(services, owner, uid, offset=offset)
        writer.begin()
        writer.write(content[offset : offset + piece])
        offset = writer.end().offset
    return finish_upload(services, owner, settled(services, owner, uid))


def test_a_catalogue_from_its_bytes_to_its_end(site):
    services, owner = site
    content = catalogue()
    with services.database.writing() as session:
        number = create_product(services, session, owner, NewProduct("Objects", "object_catalog")).id
    new = NewUpload(
        "cat.zip", len(content), sha256=hashlib.sha256(content).hexdigest(), product_id=number, role=FileRole.MAIN
    )
    send(services, owner, create_upload(services, owner, new).uid, content)
    with services.database.reading() as session:
        product = session.get_one(Product, number)
        assert (product.failure, product.main_file.is_directory, product.n_rows) == (None, True, 2)
        assert {column.alias for column in product.columns} == {"ID", "RA", "Dec"}
    assert table_page(services, owner, number).rows == [[1, 10.0, 1.0], [2, 11.0, 2.0]]
    with services.database.writing() as session:
        delete_product(session, owner, number)
    assert sweep(services).n_contents == 0
    assert sweep(services, keep_hours=-1).n_contents == 4
    assert list(services.store.names()) == []


def test_one_upload_becomes_one_file(site):
    services, owner = site
    content = os.urandom(3000)
    uid = send(services, owner, create_upload(services, owner, NewUpload("a", 3000)).uid, content).uid
    with services.database.writing() as session:
        number = create_product(services, session, owner, NewProduct("Other", "other")).id
    with ThreadPoolExecutor(4) as pool:
        files = set(pool.map(lambda _: give_to_product(services, owner, uid, product_id=number), range(4)))
    assert len(files) == 1
    with services.database.reading() as session:
        assert len(session.get_one(Product, number).files) == 1
