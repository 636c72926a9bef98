"""A finished catalogue, its package, and what a third party does with it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pzcenter.catalogs import convert, make_skinny, open_catalog
from pzcenter.catalogs.content_hash import content_hash
from pzcenter.cli.app import app
from pzcenter.estimators import get_estimator
from pzcenter.pipelines import run_estimate
from pzcenter.pipelines.delivery.fast_tier import FastTier
from pzcenter.pipelines.delivery.notebooks import notebook_code
from pzcenter.pipelines.delivery.package import build_package
from pzcenter.pipelines.delivery.send import send
from pzcenter.pipelines.delivery.tiers import receive
from pzcenter.pipelines.delivery.verify import verify_package
from pzcenter.testing import synthetic_sky

N_OBJ = 1500


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Object table of the release as HATS, and the PZ tables made from it."""
    root = tmp_path_factory.mktemp("release")
    made = synthetic_sky(N_OBJ, seed=11)
    random = np.random.default_rng(2)
    columns = {
        "objectId": made.photometry.object_id,
        "ra": random.uniform(10, 13, N_OBJ),
        "dec": random.uniform(-2, 1, N_OBJ),
        "flags": np.zeros(N_OBJ, dtype=np.uint32),
        "ebv": np.zeros(N_OBJ, dtype=np.float32),
    }
    for index, band in enumerate(made.photometry.bands):
        columns[f"flux_{band}"] = made.photometry.flux[:, index].astype(np.float32)
        columns[f"flux_err_{band}"] = made.photometry.flux_err[:, index].astype(np.float32)
    pq.write_table(pa.table(columns), root / "object.parquet")
    make_skinny(root / "object.parquet", root / "skinny", rows_per_partition=500)
    get_estimator("neighbours").train(made.photometry, made.z_spec).save(root / "model")
    run_estimate(root / "skinny", root / "pz", root / "model")
    convert(root / "object.parquet", root / "object", "hats")
    return root


@pytest.fixture(scope="module")
def package(release):
    build_package(release / "pz", release / "package", state="released", by="A. Name")
    return release / "package"


def run_code(code, directory):
    """Run code in a directory of its own process, as a reader would."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=directory, check=True, capture_output=True, text=True
    ).stdout


class TestThirdParty:
    """LSDB is the reader; nothing of PZ Center is imported."""

    @pytest.fixture(autouse=True)
    def _lsdb(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("lsdb", reason="lsdb is not installed (extra 'lsdb')")

    def test_code_of_the_readme(self, package):
        readme = (package / "README.md").read_text()
        code = "\n".join(re.findall(r"```python\n(.*?)```", readme, re.DOTALL))
        printed = run_code(code, package).splitlines()
        assert int(printed[-1]) == N_OBJ
        assert "pzcenter" not in code

    def test_shell_of_the_readme(self, package):
        readme = (package / "README.md").read_text()
        for block in re.findall(r"```bash\n(.*?)```", readme, re.DOTALL):
            subprocess.run(["bash", "-ec", block], cwd=package, check=True)

    @pytest.mark.parametrize("name", ["check_fixed", "check_random"])
    def test_notebooks(self, package, name):
        text = (package / "notebooks" / f"{name}.ipynb").read_text()
        content = json.loads(text)
        assert content["nbformat"] == 4
        assert "pzcenter" not in notebook_code(text)
        assert run_code(notebook_code(text), package / "notebooks")

    def test_fixed_notebook_finds_another_catalogue_out(self, package, tmp_path):
        copy = shutil.copytree(package, tmp_path / "package")
        code = notebook_code((copy / "notebooks" / "check_fixed.ipynb").read_text()).replace(f"{N_OBJ}", "1", 1)
        with pytest.raises(subprocess.CalledProcessError):
            run_code(code, copy / "notebooks")


class TestCommands:
    def run(self, *words, status=0):
        result = CliRunner().invoke(app, ["deliver", *map(str, words)])
        assert result.exit_code == status, result.output
        return result

    def test_build_verify_state_send(self, release, tmp_path):
        about = tmp_path / "about.yaml"
        about.write_text("title: Redshifts\nauthors: [A, B]\ncontacts: [a@example.org, b@example.org]\n")
        out = tmp_path / "package"
        words = self.run("build", "--catalog", release / "pz", out, "--about", about, "--cost-per-tb", 100).output
        assert "u8sqrt, as stored" in words
        assert f"{N_OBJ:,} objects" in words
        assert "as it should be" in self.run("verify", out, "--objects", release / "object.parquet").output
        assert json.loads(self.run("verify", out, "--json").output)["ok"]
        self.run("send", out, tmp_path / "outbox", status=1)
        self.run("state", out, "released", "--by", "A")
        assert "released" in self.run("state", out).output
        assert json.loads(self.run("send", out, tmp_path / "outbox", "--json").output)["complete"]
        self.run("verify", tmp_path / "outbox" / "package")

    def test_everything_wrong_is_said_and_the_status_is_1(self, package, tmp_path):
        copy = shutil.copytree(package, tmp_path / "package")
        (copy / "README.md").write_text("changed")
        (copy / "LICENCE.txt").unlink()
        result = self.run("verify", copy, status=1)
        assert "README.md" in result.stderr
        assert "LICENCE.txt" in result.stderr

    def test_misuse(self, release, tmp_path):
        self.run("build", tmp_path / "x", status=2)
        self.run("build", "--catalog", release / "pz", tmp_path / "x", "--state", "public", status=2)
        self.run("receive", release / "object", status=2)
        self.run("state", tmp_path, status=1)

    def test_embargo(self, release, tmp_path):
        words = ["build", "--catalog", release / "pz", tmp_path / "p", "--embargo", "2999-01-01"]
        self.run(*words, status=1)
        self.run(*words, "--embargoed-copy", "--state", "delegates", "--by", "A. Name")
        self.run("send", tmp_path / "p", tmp_path / "outbox", status=1)
        self.run("send", tmp_path / "p", tmp_path / "outbox", "--embargoed-copy")

    def test_data_flow(self, release, tmp_path):
        tiers = tmp_path / "tiers.yaml"
        tiers.write_text(f"landing: {tmp_path}/landing\ntier1: {tmp_path}/tier1\n")
        self.run("receive", release / "object", "--tiers", tiers)
        self.run("promote", tmp_path / "landing" / "object", "--tiers", tiers)
        self.run("scrub", tmp_path / "tier1")
        assert open_catalog(tmp_path / "tier1" / "object").n_rows == N_OBJ


BUILD = "import sys; from pzcenter.pipelines.delivery.package import build_package; build_package(*sys.argv[1:])"


def test_builder_that_is_killed_leaves_nothing_and_continues(release, tmp_path):
    """``kill -9`` at several moments; the package appears whole, once, with the right content."""
    out = tmp_path / "package"
    command = [sys.executable, "-c", BUILD, str(release / "pz"), str(out)]
    workplace = tmp_path / ".package.building"
    for pause in (0.0, 0.02, 0.05):
        builder = subprocess.Popen(command, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        until = time.monotonic() + 60
        while not (workplace / "journal.jsonl").exists() and builder.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(pause)
        builder.send_signal(signal.SIGKILL)
        builder.wait()
        if out.exists():
            assert verify_package(out).ok
            shutil.rmtree(out)
    subprocess.run(command, check=True)
    assert verify_package(out).ok
    assert content_hash(out / "catalog") == content_hash_of_run(release / "pz")
    assert not workplace.exists()


def content_hash_of_run(run):
    """Content hash of the two tables of a run, without the rest of its directory."""
    from pzcenter.catalogs.content_hash import hash_of_parts

    return hash_of_parts({name: content_hash(run / name) for name in ("pz", "pz_pdf")})


class TestObjectStore:
    def upload(self, directory, uri):
        from pzcenter.pipelines.delivery.places import place_of

        source, target = place_of(directory), place_of(uri)
        for file in source.files():
            target.write(file.path, source.blocks(file.path))

    def test_receive(self, release, s3_uri, tmp_path):
        self.upload(release / "object", f"{s3_uri}/object")
        report = receive(f"{s3_uri}/object", tmp_path / "landing")
        assert report.complete
        assert open_catalog(tmp_path / "landing" / "object").n_rows == N_OBJ
        assert receive(f"{s3_uri}/object", tmp_path / "landing").n_new == 0

    def test_build_from_and_send_to(self, release, package, s3_uri, tmp_path):
        for name in ("pz", "pz_pdf"):
            self.upload(release / "pz" / name, f"{s3_uri}/run/{name}")
        for name in ("pz_model", "pz_flag", "pz_quality"):
            from pzcenter.pipelines.delivery.places import place_of

            place_of(f"{s3_uri}/run").write(f"{name}.parquet", place_of(release / "pz").blocks(f"{name}.parquet"))
        report = build_package(f"{s3_uri}/run", tmp_path / "package", state="released", by="A. Name")
        assert report.content_hash == content_hash(package / "catalog")
        assert report.n_linked == 0
        assert send(tmp_path / "package", f"{s3_uri}/outbox").complete
        assert send(tmp_path / "package", f"{s3_uri}/outbox").n_new == 0
        receive(f"{s3_uri}/outbox/package", tmp_path / "there")
        assert verify_package(tmp_path / "there" / "package").ok

    def test_fast_tier(self, release, s3_uri, tmp_path):
        self.upload(release / "object", f"{s3_uri}/object")
        file = next((release / "object").rglob("Npix*.parquet"))
        uri = f"{s3_uri}/object/{file.relative_to(release / 'object')}"
        tier = FastTier(tmp_path / "fast", "10 MB")
        first, second = tier.remote_copy(uri), tier.remote_copy(uri)
        assert first == second
        assert first.read_bytes() == file.read_bytes()
        assert tier.statistics().hits == 1
        assert tier.remote_copy(f"{s3_uri}/none/x.parquet") is None
        tier.release()
