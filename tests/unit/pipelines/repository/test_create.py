"""Making a repository, and what stands against it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from lsst.daf.butler import Butler

from pzcenter.errors import ConfigError, OutputExistsError, RegistryError
from pzcenter.pipelines.repository.create import create_repository, register_dataset_types
from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES
from pzcenter.pipelines.repository.open import open_repository

NO_SERVER = "postgresql://pz@127.0.0.1:1/pz"


def test_every_dataset_type_is_registered_as_it_is_defined(empty):
    with open_repository(empty) as butler:
        for spec in DATASET_TYPES:
            kind = butler.get_dataset_type(spec.named("template"))
            assert set(kind.dimensions.required) == set(spec.dimensions)
            assert kind.storageClass_name == spec.storage_class


def test_further_methods_are_registered_later_and_again(empty):
    with open_repository(empty, writeable=True) as butler:
        for _ in range(2):
            register_dataset_types(butler, "neighbours")
        assert butler.get_dataset_type("pz_pdf_neighbours").storageClass_name == "ArrowTable"


def test_every_stored_file_has_a_checksum(empty):
    assert Butler.from_config(empty)._config["datastore", "checksum"] is True


@pytest.mark.parametrize("kind", [str, lambda path: path.as_uri()], ids=["path", "uri"])
def test_files_go_to_the_store_that_was_named(tmp_path, kind):
    create_repository(tmp_path / "repo", store=kind(tmp_path / "store"))
    with open_repository(tmp_path / "repo", writeable=True, run="r") as butler:
        ref = butler.put(pa.table({"objectId": [1]}), "pz_training_set")
        assert butler.getURI(ref).ospath.startswith(str(tmp_path / "store"))
    assert not list((tmp_path / "repo").rglob("*.parquet"))


def test_a_relative_store_stays_where_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    create_repository("repo", store="store")
    monkeypatch.chdir("/")
    with open_repository(tmp_path / "repo", writeable=True, run="r") as butler:
        ref = butler.put(pa.table({"objectId": [1]}), "pz_training_set")
        assert butler.getURI(ref).ospath.startswith(str(tmp_path / "store"))


def test_a_registry_may_lie_elsewhere(tmp_path):
    create_repository(tmp_path / "repo", db=f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    assert (tmp_path / "registry.sqlite3").is_file()
    assert not (tmp_path / "repo" / "gen3.sqlite3").exists()
    open_repository(tmp_path / "repo")


@pytest.mark.parametrize(
    "db",
    [
        "postgresql://pz:hidden@db.example/pz",
        "postgresql+psycopg2://pz:hidden@db.example/pz",
        "postgresql://pz@db.example/pz?password=hidden",
        "postgresql://pz:hid@den@db.example/pz",
    ],
)
def test_a_password_in_the_url_is_refused_and_shown_nowhere(tmp_path, db):
    with pytest.raises(ConfigError, match="LSST_DB_AUTH") as caught:
        create_repository(tmp_path / "repo", db=db)
    assert "hid" not in str(caught.value)
    assert not (tmp_path / "repo").exists()


def test_a_key_in_the_store_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds a key") as caught:
        create_repository(tmp_path / "repo", store="s3://me:hidden@bucket/pz")
    assert "hidden" not in str(caught.value)
    assert not (tmp_path / "repo").exists()


@pytest.mark.parametrize(("db", "words"), [("mysql://pz@db/pz", "'mysql'"), ("nonsense", "postgresql://USER@HOST")])
def test_other_databases_are_refused(tmp_path, db, words):
    with pytest.raises(ConfigError, match=words):
        create_repository(tmp_path / "repo", db=db)


def test_a_namespace_needs_a_database(tmp_path):
    with pytest.raises(ConfigError, match="--db"):
        create_repository(tmp_path / "repo", namespace="pz")


@pytest.mark.parametrize("existed", [True, False])
def test_nothing_is_left_when_the_database_does_not_answer(tmp_path, existed):
    root = tmp_path / "repo"
    if existed:
        root.mkdir()
    with pytest.raises(RegistryError, match="Connection refused"):
        create_repository(root, db=NO_SERVER)
    assert root.exists() == existed
    assert not existed or not list(root.iterdir())


def test_an_existing_repository_is_left_alone(empty):
    before = (empty / "butler.yaml").read_bytes()
    with pytest.raises(OutputExistsError, match="is a repository already"):
        create_repository(empty)
    assert (empty / "butler.yaml").read_bytes() == before
    open_repository(empty)


def test_a_directory_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(OutputExistsError, match="empty directory"):
        create_repository(tmp_path)
    with pytest.raises(OutputExistsError, match="is a file"):
        create_repository(tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_registry_of_another_repository_is_left_alone(tmp_path):
    db = f"sqlite:///{tmp_path / 'registry.sqlite3'}"
    create_repository(tmp_path / "first", db=db)
    with pytest.raises(OutputExistsError, match="holds a repository already"):
        create_repository(tmp_path / "second", db=db)
    assert not (tmp_path / "second").exists()
    open_repository(tmp_path / "first")
