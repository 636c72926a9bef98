"""The catalogue of a release in an object store is the one in a directory, byte by byte."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from lsst.resources import ResourcePath

from pzcenter.catalogs import verify_manifest
from pzcenter.catalogs.content_hash import content_hash
from pzcenter.errors import ChecksumError, StorageError
from pzcenter.pipelines.tasks.catalog_store import CatalogStore


def _step6():
    """The small release of the unit tests of step 6; tests are not a package."""
    path = Path(__file__).parents[2] / "unit" / "pipelines" / "tasks" / "test_release_catalog.py"
    spec = importlib.util.spec_from_file_location("step6_release", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def download(uri, directory):
    for file in ResourcePath.findFileResources([uri]):
        path = directory / file.relative_to(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.read())


def test_same_hash_in_a_directory_and_in_s3(tmp_path, s3_uri):
    step6 = _step6()
    tables = {tract: step6.make_tract(tract) for tract in (100, 101)}
    butler = step6.make_repository(tmp_path / "repo", tables)
    here = step6.consolidate(butler, tmp_path / "release", "step6/001")
    there = step6.consolidate(butler, f"{s3_uri}/release/{{algo}}", "step6/002")
    assert there["path"] == f"{s3_uri}/release/template/"
    assert there["content_hash"] == here["content_hash"]
    download(ResourcePath(there["path"], forceDirectory=True), tmp_path / "copy")
    for name in ("pz", "pz_pdf", "pz_margin"):
        verify_manifest(tmp_path / "copy" / name)
    assert content_hash(tmp_path / "copy") == here["content_hash"]
    files = {path.relative_to(tmp_path / "release").as_posix() for path in (tmp_path / "release").rglob("*.*")}
    assert files == {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*.*")}

    # A lost file is found there as here.
    lost = min(CatalogStore(there["path"]).data_files("pz"))
    ResourcePath(there["path"], forceDirectory=True).join(f"pz/{lost}").remove()
    with pytest.raises(ChecksumError, match="1 files of pz are missing"):
        step6.consolidate(butler, there["path"], "step6/003", tasks=(step6.FinishCatalogTask,), inputs=["step6/002"])


def test_a_store_that_refuses_has_a_name(s3_uri):
    store = CatalogStore(f"{s3_uri}-that-is-not-there/release")
    with pytest.raises(StorageError, match="the store refused"):
        store.footer("pz", "dataset/Norder=0/Dir=0/Npix=0.parquet")
