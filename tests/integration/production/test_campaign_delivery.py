"""From objects through a campaign to a package that is verified, traced and opened with its margin."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import warnings

import pyarrow as pa
import pytest
import yaml

pytest.importorskip("lsst.pipe.base")

from typer.testing import CliRunner

from pzcenter.catalogs import convert
from pzcenter.cli.app import app
from pzcenter.errors import ChecksumError, NotFoundError, SequencePointError
from pzcenter.pipelines.campaign.produce import approve, run_campaign, start_campaign
from pzcenter.pipelines.delivery import fast_tier
from pzcenter.pipelines.delivery.campaign_package import build_from_campaign
from pzcenter.pipelines.delivery.notebooks import notebook_code
from pzcenter.pipelines.delivery.release_state import set_state
from pzcenter.pipelines.delivery.verify import verify_package
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.ingest import ingest_objects
from pzcenter.pipelines.repository.models import add_models
from pzcenter.pipelines.repository.open import open_repository
from pzcenter.simulation import SimulationConfig, simulate

RELEASE, N_OBJ = "sim1", 900
SMALL_TEMPLATES = {"template_set": "cwwsb4", "n_between": 0, "igm": "none", "calibration": "none"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("campaign")


@pytest.fixture(scope="module")
def objects(root):
    return simulate(root / "sky", n_obj=N_OBJ, seed=3, config=SimulationConfig(rows_per_tract=300)).object_path


@pytest.fixture(scope="module")
def waiting(root, objects):
    """A campaign whose last step waits for its sign-off."""
    create_repository(root / "repo")
    ingest_objects(root / "repo", objects, release=RELEASE)
    add_models(root / "repo", "template", release=RELEASE, config=SMALL_TEMPLATES)
    config = {
        "name": "first",
        "repository": str(root / "repo"),
        "release": RELEASE,
        "sign_off": ["step7"],
        "overrides": {"summariseRelease": {"max_rows": 200}},
        "executor": {"workers": 1},
    }
    (root / "campaign.yaml").write_text(yaml.safe_dump(config))
    start_campaign(root / "campaign.yaml", root / "first")
    with pytest.raises(SequencePointError):
        build_from_campaign(root / "first", root / "too-early")
    assert run_campaign(root / "first").state == "to be signed"
    with pytest.raises(SequencePointError, match="signed"):
        build_from_campaign(root / "first", root / "unsigned", state="released")
    build_from_campaign(root / "first", root / "draft")
    return root / "first"


@pytest.fixture(scope="module")
def package(waiting, root):
    approve(waiting, "step7", by="A. Name", note="maps are flat")
    made = CliRunner().invoke(
        app, ["deliver", "build", str(waiting), str(root / "package"), "--state", "released", "--by", "A. Name"]
    )
    assert made.exit_code == 0, made.output
    return root / "package"


def test_draft_was_built_before_the_sign_off(package, root):
    assert verify_package(root / "draft").ok
    set_state(root / "draft", "internal", by="A. Name")
    with pytest.raises(SequencePointError, match=r"before step7 .* was signed"):
        set_state(root / "draft", "released", by="A. Name")


def test_verified_with_the_objects_both_ways(package, objects):
    report = verify_package(package, objects=objects)
    assert report.faults == ()
    assert report.n_rows == N_OBJ


def test_has_report_maps_and_sign_offs(package):
    names = {path.name for path in (package / "qa").iterdir()}
    assert names >= {"report.html", "summary.json", "pz_nz.parquet", "pz_maps.parquet"}
    record = json.loads((package / "provenance" / "provenance.json").read_text())
    assert record["configuration"]["campaign"]["sign_offs"][0]["by"] == "A. Name"
    description = json.loads((package / "package.json").read_text())
    assert (description["name"], description["release"], description["method"]) == ("sim1-template", "sim1", "template")


def test_nothing_tells_where_it_was_made(package, root):
    for path in package.rglob("*"):
        if path.is_file():
            assert str(root).encode() not in path.read_bytes(), path


def test_traced_without_the_repository(package):
    made = CliRunner().invoke(app, ["provenance", "--package", str(package), "--first", "--json"])
    assert made.exit_code == 0, made.output


def test_opens_in_lsdb_with_margin_and_joins_with_object(package, objects, root):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("lsdb", reason="lsdb is not installed (extra 'lsdb')")
    convert(objects, root / "object", "hats")
    code = "\n".join(re.findall(r"```python\n(.*?)```", (package / "README.md").read_text(), re.DOTALL))
    code += "\nassert pz.margin is not None\n"
    for name in ("check_fixed", "check_random"):
        text = (package / "notebooks" / f"{name}.ipynb").read_text()
        code += "\n" + notebook_code(text).replace("../catalog", "catalog")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=package, check=True, capture_output=True, text=True
    )
    assert str(N_OBJ) in done.stdout.split()


def test_a_catalogue_that_is_not_the_recorded_one(package, waiting, root):
    catalog = waiting / "catalog" / "template"
    kept = shutil.copytree(catalog, root / "kept")
    shutil.rmtree(catalog / "pz_margin")
    with pytest.raises(ChecksumError, match="not the catalogue"):
        build_from_campaign(waiting, root / "other")
    shutil.rmtree(catalog)
    kept.rename(catalog)


def test_a_method_that_was_not_used(package, waiting, root):
    with pytest.raises(NotFoundError, match="no finished catalogue of the method 'trainz'"):
        build_from_campaign(waiting, root / "other", method="trainz")


def test_not_a_campaign(tmp_path):
    with pytest.raises(NotFoundError, match="not a campaign"):
        build_from_campaign(tmp_path, tmp_path / "package")


@pytest.mark.parametrize("on_s3", [False, True])
def test_butler_reads_through_the_fast_tier(on_s3, s3_uri, tmp_path, monkeypatch):
    """The second read of a dataset comes from the fast disk, and a broken fast disk stops nobody."""
    monkeypatch.setattr(fast_tier, "_tiers", {})
    create_repository(tmp_path / "repo", **({"store": f"{s3_uri}/store"} if on_s3 else {}))
    table = pa.table({"objectId": pa.array([1, 2, 3], pa.int64())})
    with open_repository(tmp_path / "repo", writeable=True, run="sim1/training") as butler:
        ref = butler.put(table, "pz_training_set", run="sim1/training")
        monkeypatch.setenv("PZ_FAST_TIER", str(tmp_path / "fast"))
        monkeypatch.setenv("PZ_FAST_TIER_QUOTA", "1 MB")
        for _ in range(2):
            assert butler.get(ref)["objectId"].to_pylist() == [1, 2, 3]
        done = fast_tier.configured_tier().statistics()
        assert (done.misses, done.hits, done.failures) == (1, 1, 0)
        (tmp_path / "broken").write_text("not a directory")
        monkeypatch.setenv("PZ_FAST_TIER", str(tmp_path / "broken"))
        assert butler.get(ref)["objectId"].to_pylist() == [1, 2, 3]
        assert fast_tier.configured_tier().statistics().failures == 1
    fast_tier.configured_tier().release()
