"""Pipelines and processes in the first interface."""

import json

import pytest

from pzcenter.server.services.products import share_product
from pzcenter.server.storage.processes import Process
from pzcenter.server.storage.products import Visibility

PROCESS_KEYS = {
    "id", "release", "release_name", "pipeline_name", "pipeline_version", "owned_by", "is_owner", "provenance_inputs",
    "used_config", "display_name", "created_at", "started_at", "ended_at", "orchestration_process_id", "status", "path",
    "comment", "pipeline", "upload", "inputs",
}  # fmt: skip


@pytest.fixture
def inputs(principal, made):
    return [made(principal("owner"), name="One"), made(principal("owner"), name="Two")]


@pytest.fixture
def combine(server):
    return server.client("owner").get("/api/pipelines/?name=combine_redshift_dedup").json()["results"][0]


def asked(pipeline, inputs, **more):
    config = {"param": pipeline["system_config"]["param"]}
    return {
        "display_name": "Joined", "used_config": json.dumps(config), "pipeline": pipeline["id"], "inputs": inputs,
    } | more  # fmt: skip


def test_pipelines(server, combine):
    assert set(combine) == {
        "id", "name", "display_name", "version", "description", "created_at", "system_config", "output_product_type",
        "product_types_accepted",
    }  # fmt: skip
    assert (combine["product_types_accepted"], combine["output_product_type"]) == ([1], 1)
    client = server.client("outsider")
    assert client.get(f"/api/pipelines/{combine['id']}/").json() == combine
    maker = client.get("/api/pipelines/?name=training_set_maker").json()["results"][0]
    assert maker["system_config"]["param"]["crossmatch"] == {"radius_arcsec": 1.0, "n_neighbors": 1}
    assert (maker["product_types_accepted"], maker["output_product_type"]) == ([1], 2)


def test_from_submission_to_stop(services, server, principal, inputs, combine):
    client = server.client("owner")
    answer = client.post("/api/processes/", json=asked(combine, inputs))
    assert answer.status_code == 201, answer.text
    process = answer.json()
    assert set(process) >= PROCESS_KEYS
    assert process["status"] in {"Pending", "Queued"}
    assert (process["inputs"], process["is_owner"], process["owned_by"]) == (inputs, True, "owner")
    assert [each["id"] for each in process["provenance_inputs"]] == inputs
    product = client.get(f"/api/products/{process['upload']}/").json()
    assert (product["product_status"], product["process_id"]) == ("Processing", process["id"])
    assert product["origin"] == combine["display_name"]
    assert client.get(f"/api/processes/{process['id']}/").json() == process
    assert server.client("colleague").get(f"/api/processes/{process['id']}/").status_code == 404
    assert client.get(f"/api/products/{process['upload']}/process_config/").json()["config"]
    words = (
        f"pipeline={combine['id']}", f"pipeline__or={combine['id']},99", f"upload={process['upload']}",
        f"status={process['status']}", "user=1", "search=join", "ordering=-id", "",
    )  # fmt: skip
    for word in words:
        assert client.get(f"/api/processes/?{word}").json()["count"] == 1, word
    for word in ("pipeline=99", "status=Failed", "release=1", "user=2", "release_name=dp1", "release_name__or=a,b"):
        assert client.get(f"/api/processes/?{word}").json()["count"] == 0, word
    for word in ("status=Bored", "pipeline=x", "user=1,2"):
        assert client.get(f"/api/processes/?{word}").status_code == 400, word
    logs = client.get(f"/api/processes/{process['id']}/logs/").json()
    assert set(logs) == {"pipeline", "slurm"}
    assert set(logs["slurm"]) == {"filename", "content"}
    stopped = client.get(f"/api/processes/{process['id']}/stop/")
    assert stopped.json()["status"] in {"Stopped", "Stopping"}
    assert client.post(f"/api/processes/{process['id']}/stop/").status_code == 200


def test_inputs_that_one_may_not_see_are_counted(services, server, principal, inputs, combine):
    client, owner = server.client("owner"), principal("owner")
    number = client.post("/api/processes/", json=asked(combine, inputs)).json()["id"]
    with services.database.writing() as session:
        from pzcenter.server.storage.products import ProductState

        process = session.get(Process, number)
        process.output.state = ProductState.PUBLISHED
        share_product(session, owner, inputs[0], visibility=Visibility.PRIVATE)
    process = server.client("colleague").get(f"/api/processes/{number}/").json()
    assert (process["inputs"], process["hidden_inputs"]) == (inputs[1:], 1)
    assert [each["id"] for each in process["provenance_inputs"]] == inputs[1:]
    assert server.client("colleague").get(f"/api/processes/{number}/stop/").status_code == 403


def test_what_is_refused(server, principal, made, inputs, combine):
    client = server.client("owner")
    private = made(principal("colleague"), visibility=Visibility.PRIVATE)
    training = made(principal("owner"), "training_set")
    for more, field in (
        ({"pipeline": 99}, "pipeline"), ({"pipeline": "x"}, "pipeline"), ({"pipeline": ""}, "pipeline"),
        ({"display_name": ""}, "display_name"), ({"display_name": ["x"]}, "display_name"),
        ({"inputs": [private]}, "inputs"), ({"inputs": [999]}, "inputs"), ({"inputs": "x"}, "inputs"),
        ({"inputs": {}}, "inputs"), ({"inputs": [1] * 2000}, "inputs"), ({"inputs": [training]}, "used_config"),
        ({"release": 2}, "release"), ({"release": 99}, "release"), ({"release": []}, "release"),
        ({"used_config": "{"}, "used_config"), ({"used_config": "[]"}, "used_config"),
        ({"used_config": {"param": []}}, "used_config"),
        ({"used_config": {"executor": {"name": "slurm"}}}, "used_config"),
        ({"used_config": {"param": {"flags_translation_file": "/etc/passwd"}}}, "used_config"),
        ({"used_config": {"param": {"radius_arcsec": 1e9}}}, "used_config"),
        ({"used_config": {"param": {"output_dir": "/"}}}, "used_config"),
        ({"color": 1}, "color"),
    ):  # fmt: skip
        answer = client.post("/api/processes/", json=asked(combine, inputs) | more)
        assert answer.status_code == 400, (more, answer.text)
        assert field in answer.json(), (more, answer.text)
    assert server.client("owner", scopes=["read"]).post("/api/processes/", json={}).status_code == 403
    assert client.get("/api/processes/").json()["count"] == 0


def test_rules_for_flags_are_data(server, inputs, combine):
    client = server.client("owner")
    fields = {"display_name": "Joined", "pipeline": combine["id"], "inputs": inputs}
    param = combine["system_config"]["param"] | {"flags_translation_file": "flags.yaml"}
    fields["used_config"] = json.dumps({"param": param})
    for text in (
        b"a: &x [1]\nb: *x", b"!!python/object/apply:os.system [ls]", b"a: [", b"- 1", b"", b"\xff\xfe\x00",
        b"[" * 60_000, b"{a: " * 15_000, b"x" * 70_000, b"name: X\nquality: [{when: 'pd.io.common.os', value: 1}]",
        b"name: X\nsources: [{url: a}]",
    ):  # fmt: skip
        answer = client.post("/api/processes/", data=fields, files={"flags_translation_file": text})
        assert answer.status_code in {400, 413}, text[:40]
    answer = client.post("/api/processes/", data=fields, files={"other": b"a: 1"})
    assert answer.status_code == 400
    assert client.get("/api/processes/").json()["count"] == 0
    good = b"name: Mine\nquality:\n- {when: z_flag >= 3, value: 4}\n"
    answer = client.post("/api/processes/", data=fields, files={"flags_translation_file": good})
    assert answer.status_code == 201, answer.text
    assert answer.json()["used_config"]["rules"]["name"] == "Mine"
