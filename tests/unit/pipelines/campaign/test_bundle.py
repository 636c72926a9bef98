"""Runs carried from one repository to another: union, conflicts, damage, hostile bundles, new names."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from lsst.daf.butler import CollectionType, DatasetType
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

from pzcenter.errors import (
    ChecksumError,
    ConfigError,
    EmptyTableError,
    FileFormatError,
    MergeConflictError,
    NotFoundError,
    OutputExistsError,
)
from pzcenter.pipelines.campaign.bundle import ImportedRun, export_run, import_run, imported_runs
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.open import open_repository

RUN, OTHER_RUN, CHAIN = "dp1/trial/step3/001", "dp1/trial/step3/002", "dp1/trial"
METADATA = "estimatePz_metadata"


def polygon(ra):
    corners = [(ra, -1.0), (ra + 1.0, -1.0), (ra + 1.0, 0.0), (ra, 0.0)]
    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*corner)) for corner in corners])


def make(root, tracts, *, run=RUN, seed=0, shift=0.0):
    """Put a table and a task's diary for each tract into a repository, which is made where there is none."""
    if not root.exists():
        create_repository(root)
    with open_repository(root, writeable=True) as butler:
        records = [{"skymap": "sky", "id": tract, "region": polygon(10.0 * tract + shift)} for tract in tracts]
        butler.registry.insertDimensionData(
            "skymap", {"name": "sky", "hash": b"1", "tract_max": 9, "patch_nx_max": 1, "patch_ny_max": 1},
            skip_existing=True,
        )  # fmt: skip
        butler.registry.insertDimensionData("tract", *records, skip_existing=True)
        butler.registry.registerDatasetType(
            DatasetType(METADATA, ("skymap", "tract"), "StructuredDataDict", universe=butler.dimensions)
        )
        butler.collections.register(run, CollectionType.RUN)
        for tract in tracts:
            where = {"skymap": "sky", "tract": tract, "run": run}
            butler.put(pa.table({"objectId": [tract * 100 + seed, tract * 100 + 7]}), "pz_skinny", **where)
            butler.put({"seconds": float(hash(str(root)) % 1000)}, METADATA, **where)
    return root


def content(root, run=RUN):
    """SHA-256 of each table by tract."""
    with open_repository(root) as butler:
        refs = butler.query_datasets("pz_skinny", collections=run, find_first=False, explain=False)
        return {ref.dataId["tract"]: hashlib.sha256(butler.getURI(ref).read()).hexdigest() for ref in refs}


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """The repository elsewhere."""
    root = make(tmp_path_factory.mktemp("there") / "repo", [1, 2])
    make(root, [3], run=OTHER_RUN)
    with open_repository(root, writeable=True) as butler:
        butler.collections.register(CHAIN, CollectionType.CHAINED)
        butler.collections.redefine_chain(CHAIN, [OTHER_RUN, RUN])
    return root


@pytest.fixture(scope="module")
def whole_bundle(there, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "bundle"
    export_run(there, RUN, path)
    return path


@pytest.fixture
def bundle(whole_bundle, tmp_path):
    """A copy to do harm to."""
    return Path(shutil.copytree(whole_bundle, tmp_path / "bundle"))


@pytest.fixture
def here(tmp_path):
    root = tmp_path / "here"
    create_repository(root)
    return root


def rewrite_list(bundle):
    """Make the list of files fit what is there, as an adversary would."""
    document = json.loads((bundle / "bundle.json").read_text())
    document["files"] = {
        path.relative_to(bundle).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "n_bytes": path.stat().st_size,
        }
        for path in bundle.rglob("*")
        if path.is_file() and path.name != "bundle.json"
    }
    (bundle / "bundle.json").write_text(json.dumps(document))


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
def test_a_run_arrives_with_the_same_checksums_and_again_changes_nothing(there, here, tmp_path, name):
    made = export_run(there, RUN, tmp_path / name)
    assert (made.runs, made.n_datasets) == ((RUN,), 4)
    first = import_run(here, tmp_path / name)
    assert (first.runs, first.n_new, first.n_known, first.n_kept) == ({RUN: RUN}, 4, 0, 0)
    assert first.n_by_type == {"pz_skinny": 2, METADATA: 2}
    assert first.digest == made.digest
    assert content(here) == content(there)
    again = import_run(here, tmp_path / name)
    assert (again.n_new, again.n_known, again.n_kept) == (0, 2, 2)
    with open_repository(here) as butler:
        ref = butler.find_dataset("pz_skinny", skymap="sky", tract=2, collections=RUN)
        assert butler.get(ref)["objectId"].to_pylist() == [200, 207]
        (record,) = butler.query_dimension_records("tract", skymap="sky", tract=2)
        assert record.region == polygon(20.0)


def test_the_same_run_gives_the_same_tar(there, tmp_path):
    digests = {export_run(there, RUN, tmp_path / f"{number}.tar").digest for number in range(2)}
    assert len(digests) == 1
    assert (tmp_path / "0.tar").read_bytes() == (tmp_path / "1.tar").read_bytes()


def test_two_sites_are_united_and_what_both_made_is_taken_once(there, whole_bundle, tmp_path):
    here = make(tmp_path / "here", [2, 4])
    before = content(here)
    merged = import_run(here, whole_bundle)
    # Tract 2 was made at both: the same table, other seconds in the diary.
    assert (merged.n_new, merged.n_known, merged.n_kept) == (2, 1, 1)
    assert content(here) == {**content(there), **before}


def test_conflicts_are_named_and_nothing_is_imported(whole_bundle, tmp_path):
    here = make(tmp_path / "here", [2], seed=5)
    with pytest.raises(MergeConflictError, match=r"pz_skinny \{'skymap': 'sky', 'tract': 2\} in run .*001: SHA-256"):
        import_run(here, whole_bundle)
    assert set(content(here)) == {2}
    with open_repository(here) as butler:
        assert [record.id for record in butler.query_dimension_records("tract")] == [2]


def test_a_tract_in_another_place_and_another_type_are_conflicts(whole_bundle, tmp_path):
    moved = make(tmp_path / "moved", [2], shift=0.5)
    with pytest.raises(MergeConflictError, match=r"tract \{'skymap': 'sky', 'tract': 2\}: another region"):
        import_run(moved, whole_bundle)
    retyped = tmp_path / "retyped"
    create_repository(retyped)
    with open_repository(retyped, writeable=True) as butler:
        butler.registry.registerDatasetType(
            DatasetType(METADATA, ("skymap",), "StructuredDataDict", universe=butler.dimensions)
        )
    with pytest.raises(MergeConflictError, match=f"dataset type {METADATA}"):
        import_run(retyped, whole_bundle)


def test_a_file_that_is_lost_here_is_a_conflict(whole_bundle, tmp_path):
    here = make(tmp_path / "here", [2])
    with open_repository(here) as butler:
        butler.getURI("pz_skinny", skymap="sky", tract=2, collections=RUN).remove()
    with pytest.raises(MergeConflictError, match="its file is missing"):
        import_run(here, whole_bundle)


def test_a_new_name_keeps_both_and_is_remembered(there, whole_bundle, tmp_path):
    here = make(tmp_path / "here", [2], seed=5)
    names = {RUN: "dp1/lyon/step3/001"}
    first = import_run(here, whole_bundle, names=names)
    assert first.runs == names
    assert content(here, "dp1/lyon/step3/001") == content(there)
    assert import_run(here, whole_bundle, names=names).n_new == 0
    # The same bundle under a third name: other ids, no clash.
    assert import_run(here, whole_bundle, names={RUN: "dp1/third"}).n_new == 4
    digest = first.digest
    assert imported_runs(here) == [
        ImportedRun("dp1/lyon/step3/001", RUN, digest),
        ImportedRun("dp1/third", RUN, digest),
    ]
    with pytest.raises(ConfigError, match="no collection"):
        import_run(here, whole_bundle, names={"dp1/other": "x"})


def test_a_campaign_travels_with_its_chain(there, here, tmp_path):
    made = export_run(there, CHAIN, tmp_path / "campaign.tar")
    assert set(made.runs) == {RUN, OTHER_RUN}
    names = {RUN: "a/1", OTHER_RUN: "a/2", CHAIN: "a"}
    import_run(here, tmp_path / "campaign.tar", names=names)
    with open_repository(here, writeable=True) as butler:
        assert list(butler.collections.get_info("a").children) == ["a/2", "a/1"]
        butler.collections.redefine_chain("a", ["a/1"])
    import_run(here, tmp_path / "campaign.tar", names=names)
    assert set(content(here, "a/2")) == {3}
    with open_repository(here) as butler:
        assert list(butler.collections.get_info("a").children) == ["a/2", "a/1"]


def test_the_butlers_own_command_imports_a_bundle(there, here, whole_bundle):
    with open_repository(here, writeable=True) as butler:
        butler.import_(directory=str(whole_bundle), filename="export.yaml", transfer="copy")
    assert content(here) == content(there)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes, not"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!"), "another SHA-256"),
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.with_name("more").write_text("x"), "not in its list"),
    ],
)
def test_a_damaged_bundle_is_refused_whole(bundle, here, harm, words):
    harm(min(bundle.rglob("*.parquet")))
    with pytest.raises(ChecksumError, match=f"nothing of it was imported: .*{words}"):
        import_run(here, bundle)
    with open_repository(here) as butler:
        assert not list(butler.registry.queryCollections())


def point_at(bundle, path):
    export = yaml.safe_load((bundle / "export.yaml").read_text())
    record = next(item for item in export["data"] if item["type"] == "dataset")["records"][0]
    record["path"] = path
    (bundle / "export.yaml").write_text(yaml.dump(export))
    rewrite_list(bundle)


def test_hostile_bundles_are_refused(whole_bundle, here, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s")

    def harmed(name):
        return Path(shutil.copytree(whole_bundle, tmp_path / name))

    for number, place in enumerate([str(secret), "../secret", "a/../../secret", "", "unlisted"]):
        bundle = harmed(f"path{number}")
        point_at(bundle, place)
        with pytest.raises(FileFormatError, match="is no bundle"):
            import_run(here, bundle)

    bundle = harmed("link")
    victim = min(bundle.rglob("*.parquet"))
    victim.unlink()
    victim.symlink_to(secret)
    rewrite_list(bundle)
    with pytest.raises(FileFormatError, match="is a link"):
        import_run(here, bundle)

    bundle = harmed("class")
    text = (bundle / "export.yaml").read_text()
    (bundle / "export.yaml").write_text(text.replace("pzcenter.pipelines.repository.formatters", "evil.module"))
    rewrite_list(bundle)
    with pytest.raises(FileFormatError, match=r"the class evil\.module"):
        import_run(here, bundle)

    bundle = harmed("yaml")
    (bundle / "export.yaml").write_text("data: !!python/object/apply:os.system ['true']\n")
    rewrite_list(bundle)
    with pytest.raises(FileFormatError, match="cannot be read"):
        import_run(here, bundle)

    bundle = harmed("runs")
    text = (bundle / "bundle.json").read_text()
    (bundle / "bundle.json").write_text(text.replace(f'"{RUN}"', '"dp1/else"'))
    with pytest.raises(FileFormatError, match="not in its list"):
        import_run(here, bundle)
    (bundle / "bundle.json").write_text("{}")
    with pytest.raises(FileFormatError, match="that this version reads"):
        import_run(here, bundle)
    (bundle / "bundle.json").unlink()
    with pytest.raises(FileFormatError, match=r"no bundle\.json"):
        import_run(here, bundle)


@pytest.mark.parametrize("kind", ["up", "absolute", "link", "device", "text"])
def test_hostile_tars_are_refused(here, tmp_path, kind):
    path = tmp_path / "hostile.tar"
    if kind == "text":
        path.write_text("words " * 500)
    else:
        with tarfile.open(path, "w") as archive:
            member = tarfile.TarInfo({"up": "../out", "absolute": "/out"}.get(kind, "inside"))
            if kind == "link":
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            if kind == "device":
                member.type = tarfile.CHRTYPE
            archive.addfile(member, io.BytesIO(b""))
    with pytest.raises(FileFormatError, match="no bundle"):
        import_run(here, path)
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_says_so(there, here, tmp_path):
    with pytest.raises(NotFoundError, match="no collection 'x'"):
        export_run(there, "x", tmp_path / "b")
    with pytest.raises(NotFoundError, match="no bundle"):
        import_run(here, tmp_path / "b")
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputExistsError, match="already there"):
        export_run(there, RUN, tmp_path / "b")
    with open_repository(here, writeable=True) as butler:
        butler.collections.register("empty/run", CollectionType.RUN)
        butler.collections.register("empty", CollectionType.CHAINED)
    with pytest.raises(EmptyTableError, match="no files"):
        export_run(here, "empty/run", tmp_path / "c")
    with pytest.raises(EmptyTableError, match="no runs below"):
        export_run(here, "empty", tmp_path / "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "here"]
