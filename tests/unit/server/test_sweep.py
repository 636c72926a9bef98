"""Clearing up removes what nothing needs, and nothing else."""

import os
import time
from datetime import timedelta

import pytest

from pzcenter.server.services import sweep as sweeping
from pzcenter.server.services.directories import add_directory
from pzcenter.server.services.product_files import add_file, keep_blob
from pzcenter.server.services.products import NewProduct, create_product, delete_product
from pzcenter.server.services.sweep import sweep
from pzcenter.server.services.upload_finish import finish_upload
from pzcenter.server.services.upload_writing import UploadWriter
from pzcenter.server.services.uploads import NewUpload, create_upload
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import Blob
from pzcenter.server.storage.uploads import Upload


def age(services, *sha256):
    """Make contents look two days old."""
    then = time.time() - 2 * 86400
    for each in sha256:
        os.utime(services.store.local_path(each), (then, then))


@pytest.fixture
def contents(services, principal):
    """Contents of every standing, all of them old: name to SHA-256."""
    put = {name: services.store.put([name.encode()]) for name in ("file", "part", "forgotten", "without a row", "kept")}
    with services.database.writing() as session:
        product = create_product(services, session, principal("owner"), NewProduct("A", "other"))
        add_file(services, session, principal("owner"), product.id, put["file"], name="a")
        add_directory(services, session, principal("owner"), product.id, {"x/y": put["part"]}, name="d")
        gone = create_product(services, session, principal("owner"), NewProduct("B", "other"))
        add_file(services, session, principal("owner"), gone.id, put["forgotten"], name="b")
        add_file(services, session, principal("owner"), gone.id, put["kept"], name="b")
        add_file(services, session, principal("owner"), product.id, put["kept"], name="c")
    with services.database.writing() as session:
        delete_product(session, principal("owner"), gone.id)
    names = {name: content.sha256 for name, content in put.items()}
    age(services, *names.values())
    return names


def there(services, names):
    return {name for name, sha256 in names.items() if services.store.size(sha256) is not None}


def test_what_nothing_needs_goes(services, contents):
    report = sweep(services)
    assert there(services, contents) == {"file", "part", "kept"}
    assert (report.n_contents, report.n_bytes) == (2, len("forgotten") + len("without a row"))
    with services.database.reading() as session:
        assert {blob.sha256 for blob in session.query(Blob)} == {contents[name] for name in ("file", "part", "kept")}
    assert sweep(services).n_contents == 0


def test_young_contents_stay(services, contents):
    services.store.put([b"forgotten"])
    new = services.store.put([b"just put"]).sha256
    sweep(services)
    assert there(services, contents | {"new": new}) == {"file", "part", "kept", "forgotten", "new"}


def test_content_that_is_taken_up_meanwhile(services, contents, principal, monkeypatch):
    """Between the look and the removal somebody gives the content to a product."""
    real = sweeping._forgotten

    def looked(services, names):
        found = real(services, names)
        with services.database.writing() as session:
            product = create_product(services, session, principal("owner"), NewProduct("C", "other"))
            content = services.store.put([b"forgotten"])
            age(services, content.sha256)
            add_file(services, session, principal("owner"), product.id, content, name="c")
        return found

    monkeypatch.setattr(sweeping, "_forgotten", looked)
    sweep(services)
    assert "forgotten" in there(services, contents)
    with services.database.reading() as session:
        assert session.get(Blob, contents["forgotten"]) is not None


def test_content_that_is_put_meanwhile(services, contents, monkeypatch):
    """Between the look and the removal somebody puts the content again, and has not told the database yet."""
    real = services.store.remove_old

    def removed(sha256, before):
        services.store.put([b"forgotten"])
        return real(sha256, before)

    monkeypatch.setattr(services.store, "remove_old", removed)
    sweep(services)
    assert "forgotten" in there(services, contents)
    with services.database.writing() as session:
        keep_blob(session, services.store.put([b"forgotten"]))


def uploaded(services, principal):
    owner = principal("owner")
    status = create_upload(services, owner, NewUpload("a", 5))
    writer = UploadWriter(services, owner, status.uid, offset=0)
    writer.begin()
    writer.write(b"hello")
    return finish_upload(services, owner, writer.end())


def test_received_uploads_stay_until_they_expire(services, principal):
    status = uploaded(services, principal)
    age(services, status.sha256)
    assert sweep(services).n_contents == 0
    with services.database.writing() as session:
        session.query(Upload).one().expires_at = now() - timedelta(seconds=1)
    report = sweep(services)
    assert (report.n_uploads, report.n_contents) == (1, 1)


def test_remains(services, principal):
    data = services.settings.data_dir
    status = create_upload(services, principal("owner"), NewUpload("a", 5))
    old = [
        data / "views/abc", data / "unpacking/abc", data / "incoming/abc", services.store.incoming / "abc",
        data / "uploads/22222222abcd.part", data / f"uploads/{status.uid}.part",
    ]  # fmt: skip
    for path in old[:2]:
        path.mkdir(parents=True)
        (path / "file").write_bytes(b"x")
    for path in old[2:5]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (data / "views/young").mkdir()
    for path in old:
        os.utime(path, (0, 0))
    assert sweep(services).n_remains == 5
    assert [path.exists() for path in old] == [False] * 5 + [True]
    assert (data / "views/young").exists()
