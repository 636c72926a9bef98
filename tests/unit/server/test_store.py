"""Every store of contents does the same: a folder, and a bucket of an object store."""

import contextlib
import hashlib
import os
import random
import time
import warnings
import zlib

import pytest

from pzcenter.errors import ConfigError, NotFoundError, StorageError
from pzcenter.server.services.context import open_store
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage import s3_store
from pzcenter.server.storage.s3_store import S3Store
from pzcenter.server.storage.store import FolderStore

CONTENT = random.Random(1).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def endpoint():
    """A loopback server that speaks S3."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pytest.importorskip("moto.server")
    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    yield f"http://127.0.0.1:{started._server.server_port}"
    started.stop()


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "access-for-tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-for-tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
        return
    request.getfixturevalue("keys")
    client = s3_store.make_client(request.getfixturevalue("endpoint"))
    bucket = f"b{zlib.crc32(str(tmp_path).encode())}"
    client.create_bucket(Bucket=bucket)
    made = S3Store(f"s3://{bucket}/some/where", folder=tmp_path / "incoming", client=client)
    yield made
    for name in list(made.names()):
        made.remove(name)
    client.delete_bucket(Bucket=bucket)
    client.close()


def pieces(content, size=100_000):
    return (content[start : start + size] for start in range(0, len(content), size))


def whole(store, sha256, **words):
    return b"".join(store.read(sha256, **words))


def test_contents_come_back(store):
    kept = store.put(pieces(CONTENT))
    assert (kept.sha256, kept.size, kept.crc32) == (SHA256, len(CONTENT), zlib.crc32(CONTENT))
    assert whole(store, SHA256) == CONTENT
    assert store.size(SHA256) == len(CONTENT)
    assert list(store.names()) == [SHA256]


@pytest.mark.parametrize("ends", [(0, 10), (5, 5), (10, 5), (1_048_570, 1_048_590), (2_999_990, None), (0, 9_999_999)])
def test_parts(store, ends):
    store.put([CONTENT])
    assert whole(store, SHA256, start=ends[0], stop=ends[1]) == CONTENT[ends[0] : ends[1]]


def test_files_are_taken(store, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert store.put_file(path).sha256 == SHA256
    assert not path.exists()
    assert whole(store, SHA256) == CONTENT
    local = store.local_path(SHA256)
    assert local is None or local.read_bytes() == CONTENT


def test_equal_contents_are_kept_once(store, tmp_path):
    store.put([CONTENT])
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    store.put_file(path)
    store.put([CONTENT])
    assert not path.exists()
    assert list(store.names()) == [SHA256]


def test_empty_content(store):
    kept = store.put([])
    assert (kept.size, whole(store, kept.sha256)) == (0, b"")


def test_what_is_not_there(store):
    assert store.size(SHA256) is None
    assert store.touched_at(SHA256) is None
    store.remove(SHA256)
    assert store.remove_old(SHA256, time.time())
    with pytest.raises(NotFoundError):
        store.read(SHA256)


@pytest.mark.parametrize("name", ["", "abc", "../../etc/passwd", SHA256.upper(), SHA256[:-1] + "g"])
def test_odd_names(store, name):
    with pytest.raises(NotFoundError):
        store.read(name)
    with pytest.raises(NotFoundError):
        store.size(name)


def test_removal(store):
    store.put([CONTENT])
    store.remove(SHA256)
    assert list(store.names()) == []


def test_names_are_sorted(store):
    names = sorted(store.put([bytes([n])]).sha256 for n in range(5))
    assert list(store.names()) == names


def test_only_old_ones_are_removed(store):
    began = time.time() - 5
    store.put([CONTENT])
    assert store.touched_at(SHA256) >= began
    assert not store.remove_old(SHA256, began)
    assert whole(store, SHA256) == CONTENT
    assert store.remove_old(SHA256, time.time() + 60)
    assert store.size(SHA256) is None


def test_putting_again_makes_it_young(store, monkeypatch):
    store.put([CONTENT])
    if isinstance(store, FolderStore):
        os.utime(store.local_path(SHA256), (0, 0))
        before = time.time() - 60
    else:
        monkeypatch.setattr(s3_store, "FRESH_SECONDS", 0.0)
        time.sleep(1.1)
        before = store.touched_at(SHA256) + 0.5
    store.put([CONTENT])
    assert not store.remove_old(SHA256, before)


def test_sources_that_break_off(store):
    def broken():
        yield CONTENT[:1000]
        raise StorageError("the line is cut")

    with pytest.raises(StorageError):
        store.put(broken())
    assert list(store.names()) == []


def test_large_contents_go_in_parts(keys, endpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(s3_store, "PART_BYTES", 5 << 20)
    client = s3_store.make_client(endpoint)
    client.create_bucket(Bucket="parts")
    store = S3Store("s3://parts", folder=tmp_path, client=client)
    content = random.Random(2).randbytes(12 << 20)
    kept = store.put([content])
    assert client.head_object(Bucket="parts", Key=store._key(kept.sha256))["ETag"].endswith('-3"')
    assert whole(store, kept.sha256) == content
    client.close()


def test_bucket_that_is_not_there(keys, endpoint, tmp_path):
    store = S3Store("s3://nothing-here", folder=tmp_path, endpoint=endpoint)
    with pytest.raises(StorageError):
        store.put([CONTENT])
    assert not list(tmp_path.iterdir())


def test_service_that_does_not_answer(keys, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = S3Store("s3://bucket", folder=tmp_path, endpoint="http://127.0.0.1:9")
    with pytest.raises(StorageError) as caught:
        store.size(SHA256)
    assert "127.0.0.1" not in str(caught.value)


def test_settings_name_the_store(keys, tmp_path, endpoint):
    made = open_store(ServerSettings(data_dir=tmp_path, store_url="s3://bucket/prefix", s3_endpoint=endpoint))
    assert isinstance(made, S3Store)
    with contextlib.closing(made._client):
        assert made.bucket == "bucket"
    assert isinstance(open_store(ServerSettings(data_dir=tmp_path)), FolderStore)
    for url in ("gs://bucket", "s3://"):
        with pytest.raises(ConfigError):
            open_store(ServerSettings(data_dir=tmp_path, store_url=url))
