"""A release does not depend on who executes it, where its repository lies, or at how many sites it is made."""

from __future__ import annotations

import hashlib

import pytest

from pzcenter.pipelines.campaign.bundle import export_run, import_run
from pzcenter.pipelines.campaign.collect import collect
from pzcenter.pipelines.campaign.graph import build_graph, load_pipeline
from pzcenter.pipelines.campaign.local_pool import LocalExecutor
from pzcenter.pipelines.repository.open import open_repository

# What tells of the run itself: seconds, hosts, names of runs.
RUN_BOUND = {"pz_quality_template", "pz_catalog_template", "pz_qa_report_template"}


def content(root, chain):
    """SHA-256 of every product of a campaign, diaries aside."""
    found = {}
    with open_repository(root) as butler:
        names = [each.name for each in butler.registry.queryDatasetTypes("pz_*")]
        for name in sorted(set(names) - RUN_BOUND):
            for ref in butler.query_datasets(name, collections=chain, find_first=True, explain=False, limit=None):
                if ref.run.startswith(f"{chain}/"):
                    found[name, str(ref.dataId)] = hashlib.sha256(butler.getURI(ref).read()).hexdigest()
    return found


@pytest.mark.slow
def test_a_laptop_and_a_site_make_the_same_release(release, objects, tmp_path, *, postgres, postgres_url, s3_uri):
    """SQLite, files and the local pool against PostgreSQL, S3 and Parsl through BPS."""
    laptop = release.make_repository(tmp_path / "laptop", objects)
    end = release.produce(laptop, tmp_path / "first", executor={"kind": "local", "workers": 2})
    assert end.state == "done", end
    site = release.make_repository(tmp_path / "site", objects, db=postgres_url, store=f"{s3_uri}/store")
    executor = {"kind": "bps", "bps": {"workers": 2, "tracts_per_job": 2}}
    end = release.produce(site, tmp_path / "second", executor=executor, destination=f"{s3_uri}/catalog")
    assert end.state == "done", end

    ours, theirs = (
        release.catalog_of(root, f"{release.RELEASE}/{name}") for root, name in ((laptop, "first"), (site, "second"))
    )
    assert ours["n_rows"] == 1200
    assert ours["content_hash"] == theirs["content_hash"]
    assert theirs["path"].startswith("s3://")
    first, second = content(laptop, f"{release.RELEASE}/first"), content(site, f"{release.RELEASE}/second")
    assert {name for name, _ in first} >= {"pz_skinny", "pz_estimate_template", "pz_pdf_template", "pz_template"}
    assert first == second
    for path in tmp_path.rglob("*"):
        if path.is_file():
            found = path.read_bytes()
            assert b"secret-for-tests" not in found, path
            assert postgres.password.encode() not in found, path


@pytest.mark.slow
def test_two_sites_make_one_release(release, objects, tmp_path):
    """Each site makes some tracts, one of them both; here they are merged, and the next step sees all of them."""
    tracts = sorted(int(path.stem.split("_")[1]) for path in objects.glob("tract_*.parquet"))
    there = release.make_repository(tmp_path / "there", objects)
    here = release.make_repository(tmp_path / "here", objects)
    whole = release.make_repository(tmp_path / "whole", objects)
    alone = {"executor": {"kind": "local", "workers": 1}, "until": "step1"}
    release.produce(there, tmp_path / "a" / "trial", where=f"tract <= {tracts[1]}", **alone)
    release.produce(here, tmp_path / "b" / "trial", where=f"tract >= {tracts[1]}", **alone)
    release.produce(whole, tmp_path / "c" / "trial", **alone)
    chain = f"{release.RELEASE}/trial"

    made = export_run(there, chain, tmp_path / "trial.tar")
    merged = import_run(here, tmp_path / "trial.tar")
    assert merged.digest == made.digest
    assert merged.n_by_type["pz_skinny"] == 1
    assert merged.n_known >= 2  # products of the tract that both made
    expected = content(whole, chain)
    assert content(here, chain) == expected
    assert import_run(here, tmp_path / "trial.tar").n_new == 0

    run = f"{chain}/step2/merged"
    graph = build_graph(
        here, tmp_path / "step2.qg", pipeline=load_pipeline(subset="step2"),
        inputs=[chain, f"{release.RELEASE}/defaults"], output_run=run,
    )  # fmt: skip
    assert [each.state for each in LocalExecutor(here).execute(graph.path, run)] == ["done"]
    collect(here, graph.path)
    with open_repository(here) as butler:
        (plan,) = [butler.get(ref) for ref in butler.query_datasets("pz_tract_plan", collections=run)]
    assert plan["tract"].to_pylist() == tracts
