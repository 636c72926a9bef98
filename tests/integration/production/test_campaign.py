"""Whole campaigns on a tiny sky: sequence points, failures and their mending, kills, and that no row is lost."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from pzcenter.errors import NotFoundError, OutputExistsError, SequencePointError
from pzcenter.pipelines.campaign.produce import approve, run_campaign, start_campaign
from pzcenter.pipelines.campaign.state import read_state
from pzcenter.pipelines.campaign.status import campaign_status
from pzcenter.pipelines.repository.known_redshifts import ingest_training_set
from pzcenter.pipelines.repository.open import open_repository

N_OBJ = 1800


def test_a_whole_campaign(release, undisturbed):
    root, directory = undisturbed
    made = release.catalog_of(root, "sim1/first")
    assert made["n_rows"] == N_OBJ
    assert made["missing_tracts"] == []
    assert set(release.states_of(directory).values()) == {"done"}
    assert release.n_quanta(directory, "step1", 1) == {"ingestQa": 6, "skinny": 6}
    assert release.n_quanta(directory, "step6", 1) == {"consolidatePz": 6, "finishCatalog": 1}
    assert len(release.events(directory, "quantum")) == 12 + 1 + 6 + 7 + 7 + 7
    status = campaign_status(directory)
    assert status.driver is None
    assert "pz deliver" in status.next_action
    assert [step.n_obj for step in status.steps][2:] == [N_OBJ] * 4
    # Again, nothing is done.
    n_events = len((directory / "state.jsonl").read_text().splitlines())
    assert run_campaign(directory).state == "done"
    assert len((directory / "state.jsonl").read_text().splitlines()) == n_events


def test_somebody_has_to_sign(release, repo, tmp_path):
    directory = release.begin(repo, tmp_path / "signed", sign_off=["step1", "step2"])
    with pytest.raises(SequencePointError, match="step1 is not finished"):
        approve(directory, "step1", by="A")
    with pytest.raises(NotFoundError, match="no step 'step9'"):
        approve(directory, "step9", by="A")
    end = run_campaign(directory)
    assert (end.state, end.step) == ("to be signed", "step1")
    assert release.states_of(directory) == {"step1": "to be signed"} | dict.fromkeys(
        ["step2", "step3", "step5", "step6", "step7"], "waiting"
    )
    assert run_campaign(directory).state == "to be signed"  # nobody signed
    assert len(release.events(directory, "graph")) == 1
    with pytest.raises(SequencePointError, match="step2 is not finished"):
        approve(directory, "step2", by="A")
    approve(directory, "step1", by="A. Name", note="all there")
    end = run_campaign(directory)
    assert (end.state, end.step) == ("to be signed", "step2")
    assert "A. Name" in campaign_status(directory).steps[0].signed
    assert "all there" in campaign_status(directory).steps[0].signed


def test_two_campaigns_of_one_name(release, repo, tmp_path):
    first = release.begin(repo, tmp_path / "twice")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(OutputExistsError, match="has a campaign 'twice'"):
        release.begin(repo, tmp_path / "elsewhere" / "twice")
    assert not (tmp_path / "elsewhere" / "twice").exists()
    with pytest.raises(OutputExistsError, match="is there already"):
        start_campaign(first.with_name("twice.yaml"), first)
    assert read_state(first).config.name == "twice"


def test_settings_may_not_change_under_way(release, repo, tmp_path):
    directory = release.begin(repo, tmp_path / "changed")
    path = directory / "campaign.yaml"
    words = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(words | {"where": "tract = 9001"}))
    with pytest.raises(OutputExistsError, match=r"where was '' and is 'tract = 9001'"):
        run_campaign(directory)
    path.write_text(yaml.safe_dump(words | {"stall_minutes": 1.0, "executor": {"kind": "local", "workers": 2}}))
    assert read_state(directory).config.stall_minutes == 1.0
    path.write_text(yaml.safe_dump(words | {"methods": []}))
    with pytest.raises(ValueError, match="methods"):
        run_campaign(directory)


@pytest.mark.slow
def test_a_further_method_is_made_beside_the_first(release, repo, six_tracts, tmp_path):
    truth = pa.concat_tables(pq.read_table(path) for path in sorted((six_tracts.parent / "truth").glob("*.parquet")))
    name = "z_spec" if "z_spec" in truth.column_names else "z_true"
    pq.write_table(truth.filter(pc.less(truth.column(name), 2.9)), tmp_path / "known.parquet")
    ingest_training_set(repo, tmp_path / "known.parquet", release=release.RELEASE)
    directory = release.begin(repo, tmp_path / "two", methods=["trainz", "template"], train=True)
    end = run_campaign(directory)
    assert end.state == "done", end
    assert list(release.states_of(directory)) == [
        "step1", "step2", "inform", "inform-template", "step3", "step5", "step6", "step7",
        "step4-template", "step5-template", "step6-template", "step7-template",
    ]  # fmt: skip
    with open_repository(repo, collections="sim1/two") as butler:
        made = {
            algo: butler.get(f"pz_catalog_{algo}", skymap="lsst_cells_v1")["n_rows"] for algo in ("trainz", "template")
        }
        tables = [butler.get(f"pz_{algo}", skymap="lsst_cells_v1", tract=9001) for algo in ("trainz", "template")]
    assert made == {"trainz": N_OBJ, "template": N_OBJ}
    assert tables[0].column("objectId") == tables[1].column("objectId")
    assert tables[0].column("z_mode") != tables[1].column("z_mode")
