"""The Validation Cooperative: a challenge is shown, taken part in, scored; its truth stays."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sqlalchemy import select

from pzcenter.server.services.jobs.control import end
from pzcenter.server.services.jobs.runner import run_process
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.processes import Process, ProcessState
from pzcenter.validation.challenges import create_challenge

N = 300
NAME = "first_light"


@pytest.fixture
def challenge(services, tmp_path):
    """A challenge below the data of the server."""
    rng = np.random.default_rng(3)
    for name in ("training", "test"):
        z = rng.uniform(0.1, 1.9, N)
        first = N if name == "test" else 0
        columns = {"objectId": np.arange(first, first + N), "z_spec": z}
        for band in "gri":
            columns |= {f"flux_{band}": rng.uniform(100, 900, N) * (1 + z), f"flux_err_{band}": np.full(N, 9.0)}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    settings = {
        "name": NAME, "title": "First light",
        "scenarios": [{"name": "one", "training": "training.parquet", "test": "test.parquet"}],
        "scoring": {"controls": ["trainz"], "n_bootstrap": 5, "n_rank": 10},
    }  # fmt: skip
    (tmp_path / "challenge.yaml").write_text(yaml.safe_dump(settings))
    data = services.settings.data_dir
    return create_challenge(tmp_path / "challenge.yaml", data / "challenges" / NAME, truth=data / "truth" / NAME)


def results(client, challenge, tmp_path, *, ids=None):
    """A product with point estimates and widths for the blind test set."""
    test = pq.read_table(challenge.test_path("one"))
    names = test.column(0) if ids is None else ids
    z = np.linspace(0.2, 1.8, len(names))
    grid = np.linspace(0, 3, 61)
    pdf = np.exp(-0.5 * ((grid - z[:, None]) / 0.1) ** 2)
    pdf /= np.trapezoid(pdf, grid, axis=1)[:, None]
    columns = {"object_id": names, "pdf": pa.array(list(pdf), pa.list_(pa.float64()))}
    table = pa.table(columns, metadata={}).replace_schema_metadata({"z_grid": str(grid.tolist())})
    pq.write_table(table, tmp_path / "results.parquet")
    made = client.post("/api/v2/products", json={"display_name": "Results", "product_type": "validation_results"})
    number = made.json()["id"]
    with (tmp_path / "results.parquet").open("rb") as file:
        sent = client.post("/api/product-files/", data={"product": number, "role": 0}, files={"file": file})
    assert sent.status_code == 201, sent.text
    return number


def test_from_the_challenge_to_the_leaderboard(server, challenge, tmp_path):
    curator, owner, outsider = server.client("coordinator"), server.client("owner"), server.client("outsider")
    assert owner.post("/api/v2/challenges", json={"name": NAME}).status_code == 403
    assert curator.post("/api/v2/challenges", json={"name": "../x"}).status_code in {400, 422}
    assert curator.post("/api/v2/challenges", json={"name": "nothing"}).status_code == 404
    assert curator.post("/api/v2/challenges", json={"name": NAME, "release": "dp1"}).status_code == 201
    assert curator.post("/api/v2/challenges", json={"name": NAME}).status_code == 409
    where = f"/api/v2/challenges/{NAME}"
    assert owner.get(where).status_code == 404, "a draft"
    assert curator.put(f"{where}/state", json={"state": "open"}).json()["state"] == "open"
    assert outsider.get(where).status_code == 404, "no rights"
    assert outsider.get("/api/v2/challenges").json() == []
    detail = owner.get(where).json()
    assert detail["scenarios"] == ["one"]
    assert not any("truth" in path for path in detail["files"])
    test = owner.get(f"{where}/files/one/test.parquet")
    assert test.content == challenge.test_path("one").read_bytes()
    for path in ("../../truth/first_light/key.json", "%2e%2e/challenge.yaml", "one/none.parquet", "/etc/passwd"):
        assert owner.get(f"{where}/files/{path}").status_code in {404, 422}

    number = results(owner, challenge, tmp_path)
    body = {"method": "Mine", "products": {"one": number}}
    assert server.client("colleague").post(f"{where}/submissions", json=body).status_code in {403, 404}
    answer = owner.post(f"{where}/submissions", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "received"
    assert owner.post(f"{where}/submissions", json=body).json()["uid"] == answer.json()["uid"], "the same again"
    assert owner.get(f"{where}/leaderboard").json() == []
    with server.services.database.reading() as session:
        (process,) = session.scalars(select(Process))
    run_process(server.services, process.id)
    with server.services.database.reading() as session:
        ended = session.get_one(Process, process.id)
        assert (ended.state, ended.failure) == (ProcessState.SUCCESSFUL, None)
        assert ended.progress == {"stage": "rank", "done": 2, "all": 3}, "a control and a submission"
    (mine,) = owner.get(f"{where}/submissions").json()
    assert mine["state"] == "scored"
    assert server.client("colleague").get(f"{where}/submissions").json() == []
    board = owner.get(f"{where}/leaderboard").json()
    assert {line["kind"] for line in board} == {"participant", "control"}
    shown = owner.get(f"/cooperative/{NAME}", headers={"Accept": "text/html"}).text
    assert "First light" in shown
    assert "trainz" in shown
    assert "Hand in" in shown
    assert f"/cooperative/{NAME}" in owner.get("/cooperative").text
    assert owner.get(f"/cooperative/{NAME}/files/one/test.parquet").content == test.content
    assert outsider.get(f"/cooperative/{NAME}").status_code == 404
    assert owner.get("/api/processes/").json()["count"] == 0, "no product comes of it"
    assert [each["name"] for each in owner.get("/api/pipelines/").json()["results"]] == [
        "combine_redshift_dedup",
        "training_set_maker",
    ] or len(owner.get("/api/pipelines/").json()["results"]) == 2
    assert (
        owner.post("/api/processes/", json={"pipeline": 3, "used_config": "{}", "display_name": "x"}).status_code >= 400
    )


def test_bad_results_are_recorded(server, challenge, tmp_path):
    curator, owner = server.client("coordinator"), server.client("owner")
    curator.post("/api/v2/challenges", json={"name": NAME})
    where = f"/api/v2/challenges/{NAME}"
    number = results(owner, challenge, tmp_path, ids=pa.array(["nobody"] * 3))
    body = {"method": "Mine", "products": {"one": number}}
    assert owner.post(f"{where}/submissions", json=body).status_code == 404, "a draft"
    curator.put(f"{where}/state", json={"state": "open"})
    answer = owner.post(f"{where}/submissions", json=body)
    assert 400 <= answer.status_code < 500
    (refused,) = owner.get(f"{where}/submissions").json()
    assert refused["state"] == "refused"
    assert refused["refusal"]
    curator.put(f"{where}/state", json={"state": "closed"})
    assert owner.post(f"{where}/submissions", json=body).status_code == 409


def test_a_job_for_scores_that_fails_is_told(server, challenge, tmp_path):
    curator, owner = server.client("coordinator"), server.client("owner")
    curator.post("/api/v2/challenges", json={"name": NAME})
    where = f"/api/v2/challenges/{NAME}"
    curator.put(f"{where}/state", json={"state": "open"})
    body = {"method": "Mine", "products": {"one": results(owner, challenge, tmp_path)}}
    assert owner.post(f"{where}/submissions", json=body).status_code == 201
    with server.services.database.writing() as session:
        end(session, session.scalars(select(Process)).one(), ProcessState.FAILED, "no disk")
    (mine,) = owner.get(f"{where}/submissions").json()
    assert mine["state"] == "received"
    assert "no disk" in mine["refusal"]


def test_a_leaderboard_with_what_could_not_be_measured(server, challenge):
    curator = server.client("coordinator")
    curator.post("/api/v2/challenges", json={"name": NAME})
    challenge.board.mkdir()
    columns = {"scenario": ["one"], "metric": ["cde_loss"], "value": [float("nan")], "rank": [None]}
    pq.write_table(pa.table(columns), challenge.board / "leaderboard.parquet")
    told = curator.get(f"/api/v2/challenges/{NAME}/leaderboard")
    assert (told.status_code, told.json()[0]["value"]) == (200, None)


def test_every_file_has_its_checksum(server, challenge):
    curator = server.client("coordinator")
    curator.post("/api/v2/challenges", json={"name": NAME})
    told = curator.get(f"/api/v2/challenges/{NAME}").json()
    assert set(told["files"]) == set(told["checksums"]) >= {"manifest.json", "one/training.parquet"}
    for path, sha256 in told["checksums"].items():
        content = curator.get(f"/api/v2/challenges/{NAME}/files/{path}").content
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (sha256, told["files"][path])


def test_a_directory_of_the_server_that_is_given_from_here(tmp_path, monkeypatch):
    """Jobs run in directories of their own, from where it would be another one."""
    monkeypatch.chdir(tmp_path)
    assert ServerSettings(data_dir="my-server").data_dir == tmp_path / "my-server"
