"""What goes into a BPS submission: site files, clusters, a clean environment, Slurm's submit scripts."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
import yaml
from parsl.app.errors import BashExitFailure
from parsl.providers import SlurmProvider

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.pipelines.campaign import rubin_command
from pzcenter.pipelines.campaign.bps_environment import CREDENTIALS_NAME, clean_environment, remove_traces
from pzcenter.pipelines.campaign.bps_job import job_words
from pzcenter.pipelines.campaign.bps_job import main as job_main
from pzcenter.pipelines.campaign.bps_sites import NEVER, retry_cost
from pzcenter.pipelines.campaign.bps_submission import (
    BpsSettings,
    clusters_of,
    site_document,
    submission_document,
)

TRACT, RELEASE = ("skymap", "tract"), ("skymap",)


def document(tmp_path, **settings):
    return submission_document(
        BpsSettings(**settings), repository="/repo", graph_path=tmp_path / "g.qg", run="r/c/step3/001",
        directory=tmp_path / "submit", clusters=clusters_of({"estimatePz": TRACT}, [], tracts_per_job=3), name="dp1",
    )  # fmt: skip


@pytest.mark.parametrize("site", ["local", "slurm", "htcondor", "panda"])
def test_shipped_site_files_name_a_service_and_a_site(site):
    found = site_document(site)
    assert found["wmsServiceClass"].startswith("lsst.ctrl.bps.")
    assert found["computeSite"] in found["site"]


def test_a_site_may_be_a_file_and_else_says_what_there_is(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("wmsServiceClass: a.B\ncomputeSite: here\n")
    assert site_document(str(own))["computeSite"] == "here"
    with pytest.raises(NotFoundError, match=r"htcondor, local, panda, slurm"):
        site_document("nowhere")
    own.write_text("just words")
    with pytest.raises(ConfigError, match="mapping"):
        site_document(str(own))
    own.write_text("a: [")
    with pytest.raises(ConfigError, match="not YAML"):
        site_document(str(own))


def test_a_submission_runs_this_python_on_the_graph_as_it_is(tmp_path):
    found = document(tmp_path, workers=5)
    assert found["qgraphFile"] == str(tmp_path / "g.qg")
    assert found["payload"]["outputRun"] == "r/c/step3/001"
    assert found["finalJob"]["whenRun"] == "NEVER"
    assert found["site"]["local"]["cores"] == 5
    commands = [found["runQuantumCommand"], found["pipetask"]["pipetaskInit"]["runQuantumCommand"]]
    assert all(command.startswith(f"{sys.executable} -m pzcenter.") for command in commands)
    assert found["cluster"]["tracts0"]["partitionMaxSize"] == 3
    assert yaml.safe_load(yaml.safe_dump(found)) == found


def test_the_campaign_wins_over_the_site_file(tmp_path):
    found = document(tmp_path, site="slurm", settings={"site": {"slurm": {"partition": "long"}}, "requestMemory": 1})
    assert found["site"]["slurm"]["partition"] == "long"
    assert found["site"]["slurm"]["walltime"] == "04:00:00"
    assert found["requestMemory"] == 1


def test_a_container_brings_its_own_python(tmp_path):
    found = document(tmp_path, settings={"containerPython": "/opt/bin/python"})
    assert found["runQuantumCommand"].startswith(sys.executable)
    own = tmp_path / "own.yaml"
    own.write_text("wmsServiceClass: a.B\ncomputeSite: here\ncontainerPython: /opt/bin/python\n")
    assert document(tmp_path, site=str(own))["runQuantumCommand"].startswith("/opt/bin/python -m ")


def test_tasks_of_a_partition_share_a_job_until_a_task_gathers():
    tasks = {"ingestQa": TRACT, "skinny": TRACT, "summary": RELEASE, "estimate": TRACT, "join": TRACT}
    edges = [("ingestQa", "summary"), ("skinny", "estimate"), ("summary", "estimate"), ("estimate", "join")]
    found = clusters_of(tasks, edges, tracts_per_job=8)
    assert [cluster["pipetasks"].split(",") for cluster in found.values()] == [
        ["ingestQa", "skinny"],
        ["estimate", "join"],
    ]
    assert clusters_of({"summary": RELEASE}, [], tracts_per_job=8) == {}


def test_the_environment_is_handed_on_by_name_and_without_secrets(tmp_path):
    environment = {
        "PATH": "/bin", "HOME": "/h", "PZ_FAST_TIER": "/fast", "OMP_NUM_THREADS": "1", "SITE_MODULES": "x",
        "MY_TOKEN": "t", "PGPASSWORD": "p", "PZ_ADMIN_TOKEN": "t", "SOMETHING": "s", "SITE_API_KEY": "k",
        "LSST_RESOURCES_S3_PROFILE_a": "https://key:hidden@s3.example.org",
        "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hidden", "S3_ENDPOINT_URL": "https://s3.example.org",
    }  # fmt: skip
    found = clean_environment(tmp_path, further=["SITE_MODULES"], environment=environment)
    assert set(found) == {
        "PATH", "HOME", "PZ_FAST_TIER", "OMP_NUM_THREADS", "SITE_MODULES", "S3_ENDPOINT_URL",
        "AWS_SHARED_CREDENTIALS_FILE", "PYTHONUNBUFFERED",
    }  # fmt: skip
    assert found["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/bin"]
    assert "hidden" not in str(found)
    keys = tmp_path / CREDENTIALS_NAME
    assert found["AWS_SHARED_CREDENTIALS_FILE"] == str(keys)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert "aws_secret_access_key = hidden" in keys.read_text()
    with pytest.raises(ConfigError, match="SITE_API_KEY"):
        clean_environment(tmp_path, further=["SITE_API_KEY"], environment=environment)


def test_a_profile_is_named_and_its_keys_are_left_where_they_are(tmp_path):
    environment = {"AWS_PROFILE": "site", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hidden"}
    assert clean_environment(tmp_path, environment=environment)["AWS_PROFILE"] == "site"
    assert not (tmp_path / CREDENTIALS_NAME).exists()


def test_traces_are_removed_and_logs_stay(tmp_path):
    (tmp_path / "bps").mkdir()
    for name in ("bps/r.env.info.yaml", "bps/parsl_workflow.pickle", "bps/tasks.pkl", "client.key_secret", "bps.log"):
        (tmp_path / name).write_text("x")
    (tmp_path / CREDENTIALS_NAME).write_text("x")
    assert len(remove_traces(tmp_path)) == 5
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["bps.log"]


def test_only_a_job_that_was_ended_from_outside_is_tried_again():
    assert retry_cost(BashExitFailure("job", 1), None) == NEVER
    assert retry_cost(BashExitFailure("job", 137), None) == 1
    assert retry_cost(BashExitFailure("job", -9), None) == 1
    assert retry_cost(RuntimeError("worker lost"), None) == 1


def test_a_job_is_run_qbb_with_a_report(tmp_path, capsys):
    words = job_words("/repo", "g.qg", tmp_path, "a,b")
    assert words[:5] == ["pipetask", "--long-log", "--log-level", "INFO", "run-qbb"]
    assert words[5:9] == ["/repo", "g.qg", "--qgraph-node-id", "a,b"]
    assert Path(words[-1]).parent == tmp_path
    assert words[-1] != job_words("/repo", "g.qg", tmp_path, "a,b")[-1]
    assert job_main(["/repo"]) == 2
    assert rubin_command.main(["rm", "-r"]) == 2
    assert "usage" in capsys.readouterr().err


def site_of(found):
    from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER, BpsConfig
    from lsst.ctrl.bps.parsl import SiteConfig

    config = BpsConfig(found, search_order=BPS_SEARCH_ORDER, defaults=BPS_DEFAULTS)
    config[".bps_defined.operator"] = "pz"
    return SiteConfig.from_config(config)


def slurm_script(monkeypatch, tmp_path, **settings):
    """The script that Parsl would hand to sbatch."""
    commands = []

    def pretend(_provider, command, *_args, **_kwargs):
        commands.append(command)
        return (0, "Submitted batch job 42\n", "") if command.startswith("sbatch") else (1, "", "disabled")

    monkeypatch.setattr(SlurmProvider, "execute_wait", pretend)
    found = document(tmp_path, site="slurm", settings={"site": {"slurm": settings}})
    (executor,) = site_of(found).get_executors()
    executor.provider.script_dir = str(tmp_path)
    assert executor.provider.submit("process_worker_pool.py ...", tasks_per_node=1) == "42"
    return executor, Path(commands[-1].split()[1]).read_text()


def test_the_slurm_script_asks_for_what_the_site_file_says(monkeypatch, tmp_path):
    executor, script = slurm_script(
        monkeypatch, tmp_path, partition="long", account="pz-account", qos="normal", constraint="rome",
        walltime="12:30:00", nodes=3, cores_per_node=64, mem_per_node=250, workers_per_node=60, max_blocks=7,
        exclusive=False, worker_init="module load python/3.12\nsource /opt/pz/bin/activate",
    )  # fmt: skip
    lines = script.splitlines()
    for line in (
        "#SBATCH --partition=long", "#SBATCH --account=pz-account", "#SBATCH --qos=normal",
        "#SBATCH --constraint=rome", "#SBATCH --nodes=3", "#SBATCH --time=750", "#SBATCH --ntasks-per-node=1",
        "#SBATCH --cpus-per-task=64", "#SBATCH --mem=250g", "#SBATCH --job-name=pzcenter.dp1",
        "module load python/3.12", "source /opt/pz/bin/activate",
    ):  # fmt: skip
        assert line in lines, line
    assert "#SBATCH --exclusive" not in lines
    assert lines.index("source /opt/pz/bin/activate") < next(n for n, line in enumerate(lines) if "srun" in line)
    assert executor.max_workers_per_node == 60
    assert executor.provider.max_blocks == 7
    assert executor.encrypted


def test_the_shipped_slurm_file_works_as_it_is(monkeypatch, tmp_path):
    executor, script = slurm_script(monkeypatch, tmp_path)
    assert "#SBATCH --exclusive" in script
    assert "#SBATCH --account" not in script
    assert "srun" not in script  # one node is served without
    assert executor.max_workers_per_node == 32


def test_memory_may_limit_the_workers_of_a_node(monkeypatch, tmp_path):
    executor, _ = slurm_script(monkeypatch, tmp_path, mem_per_worker=3, interface="lo")
    assert executor.mem_per_worker == 3.0
    assert executor.address == "127.0.0.1"
    with pytest.raises(ConfigError, match=r"'ib7' has no IPv4 address; interfaces here: .*lo"):
        slurm_script(monkeypatch, tmp_path, interface="ib7")


def test_local_jobs_listen_to_loopback_alone_and_are_encrypted(tmp_path):
    site = site_of(document(tmp_path, workers=3))
    (executor,) = site.get_executors()
    assert (executor.address, executor.loopback_address) == ("127.0.0.1", "127.0.0.1")
    assert executor.encrypted
    assert executor.max_workers_per_node == 3
    assert site.get_parsl_config().retry_handler is retry_cost
    assert site.get_parsl_config().run_dir == str(tmp_path / "submit" / "parsl")
