"""Jobs as pages: asked for, looked at, stopped, run again."""

import re

import pytest

from pzcenter.server.storage.processes import Process, ProcessState

EVIL = '"><script>alert(1)</script>'


def send(client, address, **fields):
    return client.post(address, data={"csrf": client.csrf, **fields})


@pytest.fixture
def asked(browser, made, principal):
    """A job of the owner's: its address."""
    inputs = [made(principal("owner"), name=f"Cat {n} {EVIL}") for n in "ab"]
    answer = send(browser("owner"), "/make/combined-redshifts", name=f"Both {EVIL}", inputs=inputs)
    assert answer.status_code == 303
    return answer.headers["location"]


def test_forms_offer_what_one_sees(browser, made, principal, harmless):
    made(principal("owner"), name="Deep spectra")
    for address in ("/make", "/make/training-set", "/make/combined-redshifts"):
        answer = browser("colleague").get(address)
        assert answer.status_code == 200
        harmless(answer.text)
    assert "Deep spectra" in browser("colleague").get("/make/combined-redshifts?input=1").text


def test_job_is_asked_for_and_stopped(browser, asked, services, harmless):
    client = browser("owner")
    text = client.get(asked).text
    harmless(text)
    assert 'hx-trigger="every 2s"' in text
    assert "Pending" in text or "Queued" in text
    for name in ("colleague", "outsider"):
        assert browser(name).get(asked).status_code == 404
    assert send(browser("colleague"), f"{asked}/stop").status_code == 404
    assert client.post(f"{asked}/stop", data={}).status_code == 403
    assert send(client, f"{asked}/rerun").status_code == 409
    assert send(client, f"{asked}/stop").status_code == 303
    text = client.get(asked).text
    assert "Stopped" in text
    assert "every 2s" not in text
    again = send(client, f"{asked}/rerun")
    assert again.status_code == 303
    assert again.headers["location"] != asked
    with services.database.reading() as session:
        assert session.query(Process).count() == 2


def test_progress_and_log_are_shown(browser, asked, services, harmless):
    with services.database.writing() as session:
        process = session.query(Process).one()
        process.state, process.log = ProcessState.RUNNING, EVIL
        process.progress = {"stage": EVIL, "done": 3, "all": 10}
    text = browser("owner").get(asked).text
    harmless(text)
    assert 'max="10" value="3"' in text
    assert "&lt;script&gt;" in text
    with services.database.writing() as session:
        process = session.query(Process).one()
        process.progress = {"done": "x", "all": None}
    assert browser("owner").get(asked).status_code == 200


def test_list_of_jobs(browser, asked, harmless):
    text = browser("owner").get("/jobs").text
    harmless(text)
    assert asked in text
    assert asked not in browser("colleague").get("/jobs?everybody=1").text
    assert asked in browser("admin").get("/jobs?everybody=1").text
    assert browser("owner").get("/jobs?page=0").status_code == 422


@pytest.mark.parametrize(
    "fields",
    [{"name": "a"}, {"name": "", "inputs": ["1"]}, {"name": "a", "inputs": ["999"]}, {"name": "a", "inputs": ["-1"]},
     {"name": "a", "inputs": ["1"], "radius_arcsec": "wide"}, {"name": "a", "inputs": ["1"], "radius_arcsec": "-3"},
     {"name": "a", "inputs": ["1"], "combine_type": "stir"}, {"name": "a", "inputs": ["1"], "seed": "1.5"},
     {"name": "a", "inputs": ["1"], "output_format": "pickle"}, {"name": "a", "inputs": ["1"], "delta_z": "nan"}],
)  # fmt: skip
def test_wishes_that_are_not_accepted(browser, made, principal, fields):
    made(principal("owner"))
    answer = send(browser("owner"), "/make/combined-redshifts", **fields)
    assert answer.status_code in {400, 404, 422}
    assert 'role="alert"' in answer.text


def test_training_set_needs_objects(browser, made, principal):
    number = made(principal("owner"))
    answer = send(browser("owner"), "/make/training-set", name="a", inputs=[number], release="dp1")
    assert answer.status_code == 400
    assert "object catalogue" in re.sub(r"\s+", " ", answer.text)
    both = [number, made(principal("owner"), "object_catalog", name="Objects")]
    fields = {"z_min": "0.1", "z_max": "1.5", "min_z_flag": "3", "split_method": "random", "train_fraction": "0.6"}
    assert send(browser("owner"), "/make/training-set", name="a", inputs=both, **fields).status_code == 303
    for bad in ({"z_min": "low"}, {"train_fraction": "2"}, {"split_method": "by hand"}, {"min_z_flag": "9"}):
        assert send(browser("owner"), "/make/training-set", name="a", inputs=both, **bad).status_code == 400
