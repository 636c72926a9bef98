"""Backups that make a server again, a store whose every byte is checked, health that tells."""

import json
import logging
from datetime import timedelta
from io import StringIO

import pytest
from sqlalchemy import select

from pzcenter.errors import ChecksumError, NotFoundError, OutputExistsError
from pzcenter.server.services.context import open_services
from pzcenter.server.services.housekeeping import keep_house
from pzcenter.server.services.operation import back_up, health_of, restore, verify_store
from pzcenter.server.services.operation.dump import tables_in_order
from pzcenter.server.services.operation.logs import log_to
from pzcenter.server.services.operation.restore import restore_files
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product, publish_product, share_product
from pzcenter.server.services.tokens import open_session
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Pipeline, Process, ProcessState
from pzcenter.server.storage.products import Blob, FileRole, Product
from pzcenter.server.storage.store import FolderStore


@pytest.fixture
def filled(services, principal):
    who = principal("owner")
    with services.database.writing() as session:
        for place in range(3):
            new = NewProduct(f"Product {place} ünïcode", "other", release="dp1", tags=("a", "b"))
            product = create_product(services, session, who, new)
            content = services.store.put([f"content {place}".encode()])
            add_file(services, session, who, product.id, content, name="x.bin", role=FileRole.MAIN)
            publish_product(session, who, product.id)
        share_product(session, who, product.id, groups=["team"], embargo_until=now().date() + timedelta(days=3))
    (services.settings.data_dir / "server.yaml").write_text("site_name: Ours\n")
    return services


def rows_of(services):
    with services.database.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in tables_in_order()
        }


def test_a_server_is_made_again(filled, tmp_path):
    report = back_up(filled, tmp_path / "backup")
    assert (report.n_contents, report.n_new, report.damaged) == (3, 3, ())
    assert report.n_rows["product"] == 3
    assert back_up(filled, tmp_path / "backup").n_new == 0
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0

    new = tmp_path / "new"
    restore_files(tmp_path / "backup", new)
    assert (new / "server.yaml").read_text() == "site_name: Ours\n"
    again = open_services(ServerSettings(data_dir=new))
    try:
        restore(again, tmp_path / "backup")
        assert rows_of(again) == rows_of(filled)
        assert list(again.store.names()) == list(filled.store.names())
        with again.database.writing() as session:
            session.add(Pipeline(name="x", display_name="x", version="1", output_type_id=1))
        with pytest.raises(OutputExistsError, match="has tables already"):
            restore(again, tmp_path / "backup")
    finally:
        again.close()


def test_what_is_no_backup(filled, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("...")
    with pytest.raises(OutputExistsError):
        back_up(filled, tmp_path / "thesis")
    back_up(filled, tmp_path / "backup")
    again = open_services(ServerSettings(data_dir=tmp_path / "again"))
    try:
        with pytest.raises(NotFoundError, match=r"backup\.json is missing"):
            restore(again, tmp_path / "thesis")
        (tmp_path / "backup" / "tables" / "product.jsonl.gz").write_bytes(b"other")
        with pytest.raises(ChecksumError, match="product"):
            restore(again, tmp_path / "backup")
        assert rows_of_nothing(again)
    finally:
        again.close()


def rows_of_nothing(services):
    from sqlalchemy import inspect

    return inspect(services.database.engine).get_table_names() == []


def flip_a_bit(services, sha256):
    path = services.store.local_path(sha256)
    path.chmod(0o640)
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_is_found_named_and_repaired(filled, tmp_path):
    back_up(filled, tmp_path / "backup")
    with filled.database.reading() as session:
        product = session.scalar(select(Product).where(Product.display_name.startswith("Product 1")))
        sha256 = product.main_file.sha256
    assert verify_store(filled).whole
    flip_a_bit(filled, sha256)
    report = verify_store(filled)
    assert not report.whole
    assert report.damaged == {sha256: [product.id]}
    assert report.n_checked == 3
    with filled.database.reading() as session:
        assert session.get_one(Blob, sha256).damaged
    assert back_up(filled, tmp_path / "second").damaged == (sha256,)
    mended = verify_store(filled, copy=FolderStore(tmp_path / "backup" / "contents"))
    assert mended.whole
    assert mended.repaired == [sha256]
    assert b"".join(filled.store.read(sha256)) == b"content 1"
    filled.store.remove(sha256)
    assert verify_store(filled, copy=FolderStore(tmp_path / "backup" / "contents")).repaired == [sha256]
    assert verify_store(filled, older_than=timedelta(days=1)).n_checked == 0
    with filled.database.reading() as session:
        actions = list(session.scalars(select(AuditEvent.action).where(AuditEvent.subject_id == sha256)))
    assert actions == ["content.damaged", "content.repaired", "content.repaired"]


def test_health(services, principal):
    assert health_of(services).findings == dict.fromkeys(("database", "tables", "store", "disk", "jobs"), "")
    with services.database.writing() as session:
        pipeline = Pipeline(name="x", display_name="x", version="1", output_type_id=1)
        session.add(pipeline)
        session.flush()
        session.add(
            Process(
                pipeline=pipeline, owner_id=principal("owner").user_id, display_name="x", state=ProcessState.RUNNING,
                heartbeat_at=now() - timedelta(minutes=20),
            )
        )  # fmt: skip
    health = health_of(services)
    assert not health.ready
    assert "15 minutes" in health.findings["jobs"]


def test_the_house_is_kept(filled):
    with filled.database.writing() as session:
        owner = session.scalar(select(User).where(User.username == "owner"))
        over, _ = open_session(session, owner, hours=1)
        open_session(session, owner, hours=1)
        over.expires_at = now() - timedelta(days=2)
    removed = keep_house(filled)
    assert removed["n_sessions"] == 1
    assert removed["n_contents"] == 0
    assert len(list(filled.store.names())) == 3


def test_lines_of_the_log(monkeypatch):
    stream = StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    log_to("info", stream)
    logging.getLogger("x").info("product.publish", extra={"user": "owner"})
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("x").exception("failed")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["user"], first["level"]) == ("product.publish", "owner", "info")
    assert "ValueError: no" in second["exception"]
