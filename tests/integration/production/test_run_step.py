"""``pz run``: one step by hand, as ``pipetask`` does it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app
from pzcenter.errors import ConfigError, NotFoundError, OutputExistsError
from pzcenter.pipelines.campaign.graph import Overrides, load_pipeline
from pzcenter.pipelines.campaign.produce import run_campaign
from pzcenter.pipelines.campaign.single_step import run_step
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.ingest import ingest_objects
from pzcenter.pipelines.repository.models import add_models
from pzcenter.pipelines.repository.open import open_repository

TRACTS = [9000, 9001, 9002, 9003, 9004, 9005]


def pz(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def runs_of(repo, chain):
    with open_repository(repo) as butler:
        return list(butler.collections.get_info(chain).children)


def tracts_of(repo, name, collection):
    with open_repository(repo) as butler:
        refs = butler.query_datasets(name, collections=collection, explain=False)
        return sorted(int(ref.dataId["tract"]) for ref in refs)


def test_one_command_for_one_task(repo):
    made = pz("run", "skinny", "-b", repo, "-i", "sim1/defaults", "-o", "u/me", "--id", "tract=9001^9003..9005:2")
    assert made.exit_code == 0, made.output
    assert tracts_of(repo, "pz_skinny", "u/me") == [9001, 9003, 9005]


def test_no_id_means_all_data_and_listing_runs_nothing(repo):
    before = sorted(path for path in repo.rglob("*") if path.suffix != ".sqlite3")
    made = pz("run", "skinny", "-b", repo, "-i", "sim1/defaults", "--show", "data")
    assert made.exit_code == 0, made.output
    assert [int(line.rpartition("tract=")[2]) for line in made.stdout.splitlines()] == TRACTS
    shown = pz("run", "step1", "-b", repo, "-i", "sim1/defaults", "--id", "tract=9001", "--show", "graph").stdout
    assert "skinny skymap=lsst_cells_v1, tract=9001" in shown
    assert "  out pz_skinny@" in shown
    assert sorted(path for path in repo.rglob("*") if path.suffix != ".sqlite3") == before
    with open_repository(repo) as butler:
        assert not butler.collections.query("show*")


def test_shown_configuration_can_be_read_again(tmp_path):
    label = "estimatePz"
    shown = pz("run", label, "--show", "config", "-c", f"{label}:estimator.name=template").stdout
    assert "config.estimator.name='template'" in shown
    (tmp_path / "again.py").write_text(shown)
    loaded = load_pipeline(subset=label, overrides=Overrides(files=((label, str(tmp_path / "again.py")),)))
    assert loaded.to_graph().tasks[label].config.estimator.name == "template"
    again = pz("run", label, "--show", "config", "-C", f"{label}:{tmp_path / 'again.py'}").stdout
    assert again == shown


def test_tasks_are_shown_with_their_classes():
    shown = pz("run", "step1", "--show", "tasks").stdout.split()
    assert "skinny:" in shown
    assert shown[shown.index("skinny:") + 1].endswith("SkinnyTask")
    assert pz("run", "step1", "--show", "colours").exit_code == 2


def test_later_settings_are_stronger(tmp_path):
    label, field = "summariseRelease", "max_rows"
    (tmp_path / "few.py").write_text("config.max_rows = 10\n")
    files = ((label, str(tmp_path / "few.py")),)

    def value(overrides):
        return load_pipeline(subset=label, overrides=overrides).to_graph().tasks[label].config.max_rows

    assert value(Overrides()) == 1_000_000
    assert value(Overrides(files=files)) == 10
    assert value(Overrides(files=files, values=((label, field, "20"),))) == 20
    assert value(Overrides(values=((label, field, "20"), (label, field, "30")))) == 30
    for words in ("many", "-1"):
        with pytest.raises(ConfigError, match=r"max_rows|summariseRelease"):
            load_pipeline(subset=label, overrides=Overrides(values=((label, field, words),)))
    with pytest.raises(NotFoundError, match="nosuch"):
        load_pipeline(subset="nosuch")


def test_another_configuration_in_one_run_is_refused(repo):
    common = {
        "subset": "skinny", "inputs": ["sim1/defaults"], "output": "u/run", "where": "skymap='lsst_cells_v1'",
    }  # fmt: skip
    one = {**common, "where": "skymap='lsst_cells_v1' AND tract=9001"}
    run_step(repo, **one)
    assert run_step(repo, **one, extend_run=True) is None  # nothing left
    changed = Overrides(values=(("skinny", "mapping", "dc2_cmodel"),))
    with pytest.raises(OutputExistsError, match="another configuration"):
        run_step(repo, **common, extend_run=True, overrides=changed)
    assert len(runs_of(repo, "u/run")) == 1
    report = run_step(repo, **common, extend_run=True)
    assert len(report.outcomes) == 5
    assert len(runs_of(repo, "u/run")) == 1
    assert tracts_of(repo, "pz_skinny", "u/run") == TRACTS


def test_go_on_or_stop_at_the_first_failure(repo, monkeypatch, tmp_path):
    words = ["run", "skinny", "-b", repo, "-i", "sim1/defaults", "-c", "skinny:mapping=no-such-mapping"]
    everything = pz(*words, "-o", "u/all", "--json")
    assert everything.exit_code == 1
    assert json.loads(everything.stdout)["n_failed"] == 6
    first = pz(*words, "-o", "u/first", "--fail-fast")
    assert first.exit_code == 1
    assert "no-such-mapping" in first.output + str(first.exception)
    assert first.output.count("failed skinny") == 1
    assert pz("run", "skinny", "-o", "u/x").exit_code == 2
    assert pz("run", "skinny", "-b", repo, "-i", "sim1/defaults", "-o", "u/x", "-c", "skinny").exit_code == 2


def test_debug_module_and_log_levels(repo, tmp_path, monkeypatch):
    (tmp_path / "debug.py").write_text("import pathlib\npathlib.Path(__file__).with_name('seen').touch()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    words = ["run", "skinny", "-b", repo, "-i", "sim1/defaults", "-o", "u/debug", "--id", "tract=9001"]
    made = pz(*words, "--debug-module", "--loglevel", "lsst.daf.butler=WARNING")
    assert made.exit_code == 0, made.output
    assert (tmp_path / "seen").exists()
    assert pz(*words, "--loglevel", "loud").exit_code == 2


def test_several_processes_write_the_same_bytes(repo):
    digests = {}
    for n in (1, 2):
        made = pz("run", "skinny", "-b", repo, "-i", "sim1/defaults", "-o", f"u/{n}", "-j", n)
        assert made.exit_code == 0, made.output
        with open_repository(repo) as butler:
            refs = butler.query_datasets("pz_skinny", collections=f"u/{n}", explain=False)
            digests[n] = {int(ref.dataId["tract"]): butler.getURI(ref).read() for ref in refs}
    assert digests[1] == digests[2]


def test_a_missing_model_stops_the_graph(release, six_tracts, tmp_path):
    create_repository(tmp_path / "repo")
    ingest_objects(tmp_path / "repo", six_tracts, release=release.RELEASE)
    directory = release.begin(tmp_path / "repo", tmp_path / "modelless")
    with pytest.raises(NotFoundError, match="photoz_model_template"):
        run_campaign(directory)
    assert release.states_of(directory)["step2"] == "done"
    add_models(tmp_path / "repo", "template", release=release.RELEASE, config=release.SMALL_TEMPLATES)
    assert run_campaign(directory, until="step3").state == "done"
