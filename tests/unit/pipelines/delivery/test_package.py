from __future__ import annotations

import json
import shutil
import subprocess
from datetime import date

import pyarrow.parquet as pq
import pytest
import yaml

from pzcenter.catalogs import Manifest, open_catalog, verify_manifest
from pzcenter.catalogs.content_hash import content_hash
from pzcenter.errors import (
    ChecksumError,
    ConfigError,
    EmbargoError,
    FileFormatError,
    NotFoundError,
    OutputExistsError,
    PartitionError,
    StorageError,
)
from pzcenter.pipelines.delivery import staging
from pzcenter.pipelines.delivery.about import read_about
from pzcenter.pipelines.delivery.layout import REQUIRED_FILES
from pzcenter.pipelines.delivery.package import build_package
from pzcenter.pipelines.delivery.release_state import check_states, current_state, read_states, set_state
from pzcenter.schema.felis import read_table

EMBARGO, BEFORE, AFTER = date(2027, 6, 30), date(2027, 1, 1), date(2027, 6, 30)


@pytest.fixture(scope="module")
def package(catalog, tmp_path_factory):
    root = tmp_path_factory.mktemp("package") / "sim1"
    qa = root.parent / "report.html"
    qa.write_text("<html></html>")
    report = build_package(
        catalog, root, about=read_about(None, release="sim1"), qa=[qa], campaign={"name": "first"}, cost_per_tb_year=100
    )
    return root, report


def test_has_all_that_it_must_have(package):
    root, report = package
    assert all((root / name).is_file() for name in REQUIRED_FILES)
    assert (root / "qa" / "report.html").is_file()
    assert report.n_obj == open_catalog(root / "catalog").n_rows == 3000
    assert sorted(path.stem for path in (root / "schema").iterdir()) == [
        "pz", "pz_flag", "pz_model", "pz_pdf", "pz_provenance", "pz_quality",
    ]  # fmt: skip
    for path in (root / "schema").iterdir():
        read_table(path.read_text(), source=path.name)


def test_same_content_as_the_catalogue(package, catalog):
    root, report = package
    assert report.content_hash == content_hash(catalog) == content_hash(root / "catalog")


def test_checksums_are_those_that_sha256sum_reads(package):
    root, report = package
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "manifest-sha256.txt"], cwd=root, check=True)
    assert len((root / "manifest-sha256.txt").read_text().splitlines()) == report.n_files - 1
    verify_manifest(root)


def test_files_are_linked_on_one_file_system(package, catalog):
    root, report = package
    path = Manifest.read(catalog / "pz").files[0].path
    assert (catalog / "pz" / path).samefile(root / "catalog" / "pz" / path)
    assert report.n_linked > 0
    assert report.n_copied == 0


def test_copies_have_the_same_bytes(catalog, tmp_path):
    report = build_package(catalog, tmp_path / "copy", links=False)
    assert report.n_linked == 0
    assert report.content_hash == content_hash(catalog)


def test_what_is_said_of_it(package):
    root, report = package
    description = json.loads((root / "package.json").read_text())
    assert description["catalogs"]["pz"]["n_rows"] == description["n_obj"] == 3000
    assert description["pdf"]["encoding"] == "u8sqrt"
    summary = json.loads((root / "qa" / "summary.json").read_text())
    assert summary["n_obj"] == sum(summary["models"].values()) == 3000
    assert sum(summary["z_best"]["counts"]) == summary["n_estimate"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "the PZ Center developers"}]
    assert "CC-BY-4.0" in (root / "LICENCE.txt").read_text()
    record = json.loads((root / "provenance" / "provenance.json").read_text())
    assert record["configuration"]["campaign"]["name"] == "first"
    assert str(root.parent) not in json.dumps(record)
    assert pq.read_table(root / "provenance" / "pz_provenance.parquet")["run_id"][0].as_py() == "first"
    assert report.storage.cost == pytest.approx(report.storage.n_bytes * 100 / 1e12)
    assert {product.name for product in report.storage.products} >= {"pz", "pz_pdf", "pz_margin", "qa"}
    assert sum(product.n_bytes for product in report.storage.products) <= report.n_bytes
    stored = next(each for each in report.storage.encodings if each.is_stored)
    assert 0 < stored.bytes_per_object < 400


def test_run_of_pz_estimate_can_be_delivered(run, tmp_path):
    report = build_package(run, tmp_path / "package")
    assert report.n_obj == 3000
    assert not (tmp_path / "package" / "catalog" / "skinny").exists()


class TestRefusals:
    def test_already_there(self, package, catalog):
        with pytest.raises(OutputExistsError, match="already there"):
            build_package(catalog, package[0])

    def test_overwrite(self, catalog, tmp_path):
        build_package(catalog, tmp_path / "p")
        (tmp_path / "p" / "extra").write_text("x")
        build_package(catalog, tmp_path / "p", overwrite=True)
        assert not (tmp_path / "p" / "extra").exists()
        assert [path.name for path in tmp_path.iterdir()] == ["p"]

    def test_not_finished(self, catalog, tmp_path):
        shutil.copytree(catalog, tmp_path / "c")
        (tmp_path / "c" / "pz_pdf" / "manifest.json").unlink()
        (tmp_path / "c" / "pz_flag.parquet").unlink()
        with pytest.raises(NotFoundError, match=r"pz_pdf, pz_flag\.parquet"):
            build_package(tmp_path / "c", tmp_path / "p")

    def test_no_such_catalogue(self, tmp_path):
        with pytest.raises(NotFoundError):
            build_package(tmp_path / "none", tmp_path / "p")

    def test_flipped_bit(self, catalog, tmp_path):
        shutil.copytree(catalog, tmp_path / "c")
        path = next((tmp_path / "c" / "pz").rglob("*.parquet"))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(ChecksumError, match=path.name):
            build_package(tmp_path / "c", tmp_path / "p")
        assert not (tmp_path / "p").exists()

    def test_number_of_objects(self, catalog, tmp_path):
        with pytest.raises(PartitionError, match="3000 rows and the release 3001 objects"):
            build_package(catalog, tmp_path / "p", n_obj=3001)

    def test_not_hats(self, catalog, tmp_path):
        manifest = Manifest.read(catalog / "pz")
        shutil.copytree(catalog, tmp_path / "c")
        data = next(record for record in manifest.files if record.n_rows)
        renamed = Manifest("pz", (type(data)("plain.parquet", data.sha256, data.n_bytes, data.n_rows),))
        renamed.write(tmp_path / "c" / "pz")
        with pytest.raises(FileFormatError, match="not a HATS"):
            build_package(tmp_path / "c", tmp_path / "p")

    def test_missing_report(self, catalog, tmp_path):
        with pytest.raises(NotFoundError, match="no file"):
            build_package(catalog, tmp_path / "p", qa=[tmp_path / "none.html"])

    def test_state_that_does_not_exist(self, catalog, tmp_path):
        with pytest.raises(ConfigError, match="draft, internal, delegates, released, retired"):
            build_package(catalog, tmp_path / "p", state="public")

    def test_about(self, tmp_path):
        (tmp_path / "about.yaml").write_text("titel: x")
        with pytest.raises(ConfigError, match="titel"):
            read_about(tmp_path / "about.yaml")
        with pytest.raises(ConfigError, match="name"):
            read_about(None, name="a b/c")


class TestInterruption:
    """A build that ends early leaves nothing at the destination, and the next one does not begin again."""

    def test_killed(self, catalog, tmp_path, monkeypatch):
        real, calls = staging.file_sha256, []

        def die(path):
            calls.append(path)
            if len(calls) == 5:
                raise KeyboardInterrupt
            return real(path)

        monkeypatch.setattr(staging, "file_sha256", die)
        with pytest.raises(KeyboardInterrupt):
            build_package(catalog, tmp_path / "p")
        assert not (tmp_path / "p").exists()
        report = build_package(catalog, tmp_path / "p")
        assert report.n_kept == 4
        verify_manifest(tmp_path / "p")
        assert [path.name for path in tmp_path.iterdir()] == ["p"]

    def test_damaged_meanwhile(self, catalog, tmp_path, monkeypatch):
        real, calls = staging.file_sha256, []

        def die(path):
            calls.append(path)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return real(path)

        monkeypatch.setattr(staging, "file_sha256", die)
        with pytest.raises(KeyboardInterrupt):
            build_package(catalog, tmp_path / "p")
        monkeypatch.undo()
        for path in (tmp_path / ".p.building").rglob("*.parquet"):
            path.unlink()
            path.write_bytes(b"damaged")
        assert build_package(catalog, tmp_path / "p").content_hash == content_hash(catalog)

    def test_other_catalogue_begins_anew(self, catalog, run, tmp_path, monkeypatch):
        monkeypatch.setattr(staging, "file_sha256", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build_package(run, tmp_path / "p")
        monkeypatch.undo()
        assert build_package(catalog, tmp_path / "p").n_kept == 0

    def test_full_disk(self, catalog, tmp_path, monkeypatch):
        import errno

        from pzcenter.catalogs import storage

        def full(*_):
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(storage.HashingFile, "write", full)
        with pytest.raises(StorageError, match="no space left"):
            build_package(catalog, tmp_path / "p", links=False)
        assert not (tmp_path / "p").exists()

    def test_two_at_once(self, catalog, tmp_path):
        with staging.open_staging(tmp_path / "p", links=True, overwrite=False) as first:
            first.root.mkdir()
            with pytest.raises(OutputExistsError, match="another process"):
                build_package(catalog, tmp_path / "p")


class TestEmbargo:
    def test_before_the_date(self, catalog, tmp_path):
        with pytest.raises(EmbargoError, match="--embargoed-copy"):
            build_package(catalog, tmp_path / "p", embargo_until=EMBARGO, today=BEFORE)

    def test_on_the_date(self, catalog, tmp_path):
        build_package(catalog, tmp_path / "p", embargo_until=EMBARGO, today=AFTER, state="released", by="A. Name")
        assert current_state(tmp_path / "p").state == "released"

    def test_copy(self, catalog, tmp_path):
        root = tmp_path / "p"
        build_package(
            catalog, root, embargo_until=EMBARGO, embargoed_copy=True, today=BEFORE, state="delegates", by="A. Name"
        )
        assert root.stat().st_mode & 0o777 == 0o700
        assert "keep it closed until 2027-06-30" in (root / "README.md").read_text()
        assert current_state(root).embargoed_copy
        with pytest.raises(EmbargoError, match="may not be released before"):
            set_state(root, "released", by="me", today=BEFORE)
        set_state(root, "released", by="me", today=AFTER)

    def test_copy_is_never_released(self, catalog, tmp_path):
        with pytest.raises(EmbargoError, match="may not be released"):
            build_package(
                catalog,
                tmp_path / "p",
                embargo_until=EMBARGO,
                embargoed_copy=True,
                today=BEFORE,
                state="released",
                by="A. Name",
            )


class TestStates:
    @pytest.fixture
    def root(self, catalog, tmp_path):
        build_package(catalog, tmp_path / "p", by="A", note="first")
        return tmp_path / "p"

    def test_forward_and_recorded(self, root):
        for state in ("internal", "delegates", "released", "retired"):
            set_state(root, state, by="B", note=f"to {state}")
        assert [each.state for each in read_states(root)] == ["draft", "internal", "delegates", "released", "retired"]
        assert read_states(root)[0].note == "first"
        assert check_states(root) == []
        with pytest.raises(ConfigError, match="cannot become draft"):
            set_state(root, "draft", by="B")

    def test_somebody_must_be_named(self, root):
        with pytest.raises(ConfigError, match="--by"):
            set_state(root, "internal", by=" ")

    def test_changed_line_shows(self, root):
        set_state(root, "internal", by="B")
        path = root / "states.jsonl"
        path.write_text(path.read_text().replace('"A"', '"C"'))
        assert "changed or taken out" in check_states(root)[0]

    def test_not_a_package(self, tmp_path):
        with pytest.raises(NotFoundError, match="not a delivery package"):
            read_states(tmp_path)

    def test_damaged(self, root):
        (root / "states.jsonl").write_text('{"state": "best", "at": ""}\n')
        with pytest.raises(FileFormatError, match="damaged"):
            read_states(root)
