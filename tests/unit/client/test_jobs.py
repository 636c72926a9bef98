"""Jobs by the client: against a true server and against its mock."""

import asyncio

import pytest

from pzcenter.client.answers import Job
from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, PZCenterError, TransientError

COMBINE = "combine_redshift_dedup"
ROWS = "".join(f"{10 + 0.01 * i:.4f},{-5 + 0.01 * i:.4f},{0.1 + 0.01 * i:.3f}\n" for i in range(40))


@pytest.fixture
def spectra(world, tmp_path):
    """Numbers of two published redshift catalogues."""
    (tmp_path / "a.csv").write_text(f"ra,dec,z\n{ROWS}")
    ada = world.client("ada")
    columns = {"ra": "RA", "dec": "Dec", "z": "z"}
    made = [
        ada.upload(tmp_path / "a.csv", name, "redshift_catalog", columns=columns, publish=True) for name in ("A", "B")
    ]
    return [each.id for each in made]


def test_asking_looking_stopping(world, spectra):
    ada = world.client("ada")
    assert COMBINE in {each.name for each in ada.pipelines()}
    job = ada.start_job(COMBINE, "All", spectra, settings={"param": {"combine_type": "concatenate"}})
    assert (job.state, job.inputs, job.owner, job.ended) == ("pending", spectra, "ada", False)
    assert ada.product(job.product_id).state == "processing"
    assert [each.uid for each in ada.jobs(mine=True)] == [job.uid]
    assert ada.jobs(state=["failed"]) == []
    assert ada.job_log(job) == ""
    with pytest.raises(ConflictError):
        ada.rerun_job(job)
    assert ada.stop_job(job.uid).state == "stopped"
    assert ada.job(job).ended
    again = ada.rerun_job(job)
    assert again.uid != job.uid and again.settings == job.settings
    assert [each.uid for each in ada.jobs(limit=1)] == [again.uid]


def test_refusals(world, spectra):
    ada, ben = world.client("ada"), world.client("ben")
    job = ada.start_job(COMBINE, "All", spectra)
    for call in (ben.job, ben.job_log, ben.stop_job):
        with pytest.raises((NotFoundError, PermissionDeniedError)):
            call(job)
    assert ben.jobs() == []
    with pytest.raises(NotFoundError):
        ada.job("zzzzzzzzzzzz")
    with pytest.raises(NotFoundError):
        ada.start_job(COMBINE, "All", [9999])
    for pipeline, inputs in ((COMBINE, []), ("nothing", spectra)):
        with pytest.raises(PZCenterError):
            ada.start_job(pipeline, "All", inputs)


def test_waiting(mock, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    (tmp_path / "a.csv").write_text(f"ra,dec,z\n{ROWS}")
    with mock.client("ada") as ada:
        product = ada.upload(tmp_path / "a.csv", "A", "redshift_catalog", columns={"z": "z"}, publish=True)
        job, seen = ada.start_job(COMBINE, "All", [product]), []
        ended = ada.wait_for_job(job, progress=lambda told: seen.append(told.state))
        assert (ended.state, seen) == ("successful", ["pending", "running", "successful"])
        assert ada.product(ended.product_id).state == "published"
        assert "running" in ada.job_log(job)
        monkeypatch.setattr("pzcenter.client.job_steps.job", lambda *_: _given(Job("u", state="running")))
        with pytest.raises(TransientError, match="had not ended after 5 s; it is running"):
            ada.wait_for_job(job, seconds=5)


def _given(value):
    return value
    yield


def test_async_does_the_same(mock, tmp_path):
    (tmp_path / "a.csv").write_text(f"ra,dec,z\n{ROWS}")

    async def go():
        async with mock.async_client("ada") as ada:
            product = await ada.upload(tmp_path / "a.csv", "A", "redshift_catalog", columns={"z": "z"}, publish=True)
            job = await ada.start_job(COMBINE, "All", [product])
            assert [each.uid for each in await ada.jobs()] == [job.uid]
            assert (await ada.stop_job(job)).state == "stopped"
            assert (await ada.rerun_job(job)).state == "pending"
            assert await ada.pipelines()

    asyncio.run(go())
