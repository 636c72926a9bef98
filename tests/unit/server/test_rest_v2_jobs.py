"""Jobs by the second interface: what can be made, asking for it, looking at it, stopping it, asking again."""

import re

import pytest

from pzcenter.server.services.jobs.runner import run_process
from pzcenter.server.storage.processes import Process
from pzcenter.server.storage.products import ProductState, Visibility

COMBINE = "combine_redshift_dedup"


ROWS = "".join(f"g{i},{10 + 0.01 * i:.4f},{-5 + 0.01 * i:.4f},{0.1 + 0.01 * i:.3f}\n" for i in range(40))
CSV = f"name,ra,dec,z\n{ROWS}".encode()


@pytest.fixture
def inputs(principal, made):
    return [made(principal("owner"), text=CSV) for _ in range(2)]


def ask(client, inputs, **more):
    return client.post("/api/v2/jobs", json={"pipeline": COMBINE, "display_name": "All", "inputs": inputs} | more)


def test_pipelines_say_what_may_be_said(server):
    told = {each["name"]: each for each in server.client("owner").get("/api/v2/pipelines").json()}
    assert set(told) == {COMBINE, "training_set_maker"}
    assert "param" in told[COMBINE]["settings"]["properties"]


def test_a_job_from_asking_to_its_product(server, services, inputs):
    client = server.client("owner")
    answer = ask(client, inputs, settings={"param": {"combine_type": "concatenate"}})
    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert (job["state"], job["inputs"], job["hidden_inputs"], job["owner"]) == ("pending", inputs, 0, "owner")
    address = answer.headers["location"]
    with services.database.reading() as session:
        number = session.query(Process).one().id
    run_process(services, number)
    job = client.get(address).json()
    assert (job["state"], job["failure"], job["stalled"]) == ("successful", None, False)
    assert client.get(f"/api/v2/products/{job['product_id']}").json()["state"] == "published"
    told = client.get(f"{address}/log").text
    assert re.search(r"^\d\d:\d\d:\d\d \w", told)
    assert f"product{inputs[0]} n_rows: 40" in told and "n_kept: 80" in told
    seen = server.client("colleague").get(address).json()
    assert (seen["product_id"], seen["state"]) == (job["product_id"], "successful")
    assert server.client("colleague").get(f"{address}/log").status_code == 403
    assert client.post(f"{address}/stop").json()["state"] == "successful"
    again = client.post(f"{address}/rerun")
    assert (again.status_code, again.json()["settings"]) == (201, job["settings"])
    assert again.json()["product_id"] != job["product_id"]


def test_lists_are_parted_and_filtered(server, inputs):
    client = server.client("owner")
    made = [ask(client, inputs, display_name=name).json()["uid"] for name in ("1", "2", "3")]
    assert client.post(f"/api/v2/jobs/{made[0]}/stop").json()["state"] == "stopped"
    first = client.get("/api/v2/jobs?limit=2").json()
    rest = client.get(f"/api/v2/jobs?limit=2&cursor={first['next_cursor']}").json()
    assert [each["uid"] for each in (*first["items"], *rest["items"])] == made[::-1]
    assert rest["next_cursor"] is None
    assert [each["uid"] for each in client.get("/api/v2/jobs?state=stopped&mine=true").json()["items"]] == made[:1]
    assert server.client("colleague").get("/api/v2/jobs").json()["items"] == []
    assert client.get("/api/v2/jobs?state=king").status_code == 422


def test_products_that_the_asker_does_not_see_are_counted_only(server, services, principal, inputs, made):
    hidden = made(principal("owner"), text=CSV, visibility=Visibility.PRIVATE)
    address = ask(server.client("owner"), [inputs[0], hidden]).headers["location"]
    assert server.client("colleague").get(address).status_code == 404
    with services.database.writing() as session:
        output = session.query(Process).one().output
        # Nobody sees it by itself; its owner may show it.
        assert output.visibility is Visibility.PRIVATE
        output.state, output.visibility = ProductState.PUBLISHED, Visibility.RELEASE
    seen = server.client("colleague").get(address).json()
    assert (seen["inputs"], seen["hidden_inputs"]) == (inputs[:1], 1)


def test_bad_requests(server, inputs):
    client = server.client("owner")
    assert ask(client, [99]).status_code == 404
    assert ask(client, inputs, pipeline="nothing").status_code in {404, 422}
    assert ask(client, inputs, release="nowhere").status_code == 400
    assert ask(client, []).status_code == 422
    assert ask(client, inputs, settings={"param": {"combine_type": "stir"}}).status_code == 400
    assert ask(client, inputs, queue="fast").status_code == 422
    misplaced = ask(client, inputs, settings={"radius_arcsec": 1}).json()["detail"]
    assert 'radius_arcsec stands below param: {"param": {"radius_arcsec": ...}}' in misplaced
    assert client.get("/api/v2/jobs/zzzzzzzzzzzz").status_code == 404
    assert client.get("/api/v2/jobs/1").status_code == 422
