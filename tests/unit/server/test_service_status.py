"""How the service is: for those who are signed in; jobs that stand still are found by a clock."""

from datetime import timedelta

import pytest

from pzcenter.server.services.housekeeping import keep_house
from pzcenter.server.services.jobs import stalls, states
from pzcenter.server.services.jobs.stalls import count_stalled, mark_stalled
from pzcenter.server.services.jobs.states import beat, claim
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Pipeline, Process


@pytest.fixture
def job(services):
    """Number of a job that waits."""
    with services.database.writing() as session:
        pipeline = session.query(Pipeline).first()
        process = Process(pipeline=pipeline, owner_id=1, display_name="x")
        session.add(process)
        session.flush()
        return process.id


@pytest.fixture
def clock(monkeypatch):
    """A clock that is put forward by hand: minutes since the test began."""

    class Clock:
        minutes = 0.0

        def now(self):
            return now() + timedelta(minutes=self.minutes)

    made = Clock()
    monkeypatch.setattr(states, "now", made.now)
    monkeypatch.setattr(stalls, "now", made.now)
    return made


def stalled(services):
    with services.database.reading() as session:
        return count_stalled(session)


def marked(services, number):
    with services.database.reading() as session:
        return session.get_one(Process, number).stalled_at


def test_a_job_without_progress_is_found_in_time(services, job, clock, caplog):
    attempt = claim(services, job)
    for minute, log in ((0, "begun"), (5, "read"), (14, "read"), (19.9, "read")):
        clock.minutes = minute
        assert beat(services, job, attempt, progress={"stage": "fit"}, log=log)
        assert mark_stalled(services) == []
        assert stalled(services) == 0
    # Its heart beats, and it says nothing new since minute 5.
    clock.minutes = 20.1
    beat(services, job, attempt, progress={"stage": "fit"}, log="read")
    assert stalled(services) == 1
    assert mark_stalled(services) == [job]
    assert mark_stalled(services) == [], "told once"
    assert marked(services, job) is not None
    assert "a job stands still" in caplog.text
    with services.database.reading() as session:
        event = session.query(AuditEvent).filter_by(action="process.stall").one()
        assert (event.subject_id, event.detail, event.user_id) == (str(job), {"stage": "fit"}, None)
    beat(services, job, attempt, progress={"stage": "fit", "done": 1}, log="read")
    assert stalled(services) == 0
    assert marked(services, job) is None
    clock.minutes = 36
    assert mark_stalled(services) == [job], "and again when it stands still again"


def test_it_is_shown_and_counted(server, browser, job, clock):
    services, admin = server.services, server.client("admin")
    metric = "pz_jobs_stalled 1.0"
    assert metric not in admin.get("/-/metrics").text
    assert server.client("owner").get("/api/v2/status").json()["jobs_waiting"] == 1
    claim(services, job)
    told = server.client("owner").get("/api/v2/status").json()
    assert (told["jobs_waiting"], told["jobs_running"], told["jobs_stalled"]) == (0, 1, 0)
    assert told["last_sweep"] is None
    clock.minutes = 16
    assert keep_house(services)["n_stalled"] == 1
    assert metric in admin.get("/-/metrics").text
    told = server.client("owner").get("/api/v2/status").json()
    assert told["jobs_stalled"] == 1
    assert told["last_sweep"] is not None
    assert "1 job has made no progress for 15 minutes" in browser("owner").get("/help/status").text


def test_checks_are_told_and_their_words_to_admins_alone(server, browser, harmless, monkeypatch):
    from pzcenter.server.services.operation import health

    monkeypatch.setattr(health, "LEAST_FREE_BYTES", 2**70)
    told = server.client("owner").get("/api/v2/status").json()
    assert not told["ready"]
    assert told["checks"] == {
        "database": "well", "tables": "well", "store": "well", "disk": "not well", "jobs": "well",
    }  # fmt: skip
    assert "bytes are free" in server.client("admin").get("/api/v2/status").json()["checks"]["disk"]
    shown = browser("owner").get("/help/status").text
    assert "not ready" in shown and "bytes are free" not in shown
    harmless(shown)
    assert server.client().get("/api/v2/status").status_code == 401
