"""Jobs: asked for, run in a process of their own, published at once, stopped, taken up again."""

import json
import os
import signal
import threading
import time
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from pzcenter.errors import ConfigError, ConflictError, NotFoundError, PermissionDeniedError, QuotaError
from pzcenter.server.services.jobs import enqueue, process_for, process_log, request_stop, rerun, submit
from pzcenter.server.services.jobs import runner as runner_module
from pzcenter.server.services.jobs.queue import JobQueue
from pzcenter.server.services.jobs.requests import read_request
from pzcenter.server.services.jobs.runner import run_process
from pzcenter.server.services.jobs.states import STALE_SECONDS, claim, forgotten
from pzcenter.server.services.jobs.worker import Worker
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product, publish_product, share_product
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Pipeline, Process, ProcessState
from pzcenter.server.storage.products import FileRole, Product, ProductColumn, ProductState, Visibility

N = 60
RNG = np.random.default_rng(5)
RA, DEC, Z = RNG.uniform(10, 10.4, N), RNG.uniform(-5.4, -5, N), RNG.uniform(0.1, 1.5, N)
ALIASES = {"ra": "RA", "dec": "Dec", "z": "z", "zf": "z_flag"}


@pytest.fixture
def pipelines(services):
    with services.database.writing() as session:
        for name, accepted, output in (("combine_redshift_dedup", [1], 1), ("training_set_maker", [1], 2)):
            if session.scalar(select(Pipeline).where(Pipeline.name == name)) is None:
                session.add(
                    Pipeline(name=name, display_name=name, version="1", accepted_types=accepted, output_type_id=output)
                )


def redshifts(tmp_path, name, shift=0.0):
    path = tmp_path / name
    rows = [f"{RA[i]:.7f},{DEC[i]:.7f},{Z[i] + shift:.5f},{3 + i % 2}" for i in range(N)]
    path.write_text("\n".join(["ra,dec,z,zf", *rows]) + "\n")
    return path


def objects(tmp_path):
    columns = {"objectId": np.arange(N), "ra": RA, "dec": DEC, "ebv": np.full(N, 0.02)}
    for band in "ugrizy":
        columns |= {f"{band}_cModelFlux": RNG.uniform(500, 9000, N), f"{band}_cModelFluxErr": np.full(N, 30.0)}
    pq.write_table(pa.table(columns), tmp_path / "objects.parquet")
    return tmp_path / "objects.parquet"


def published(services, who, path, *, kind="redshift_catalog", aliases=ALIASES, **more):
    with services.database.writing() as session:
        product = create_product(services, session, who, NewProduct(path.stem, kind, **more))
        content = services.store.put([path.read_bytes()])
        add_file(services, session, who, product.id, content, name=path.name, role=FileRole.MAIN)
        product.columns = [
            ProductColumn(name=name, order=i, alias=alias) for i, (name, alias) in enumerate(aliases.items())
        ]
        return publish_product(session, who, product.id).id


@pytest.fixture
def catalogues(services, principal, pipelines, tmp_path):
    owner = principal("owner")
    return [published(services, owner, redshifts(tmp_path, f"{name}.csv", s)) for name, s in (("a", 0), ("b", 1e-4))]


def ask(services, who, inputs, name="combine_redshift_dedup", config=None, *, release=None):
    with services.database.writing() as session:
        return submit(services, session, who, name, "Made here", config or {}, inputs, release).id


def state_of(services, number):
    with services.database.reading() as session:
        process = session.get_one(Process, number)
        return process.state, process.failure, session.get_one(Product, process.output_id)


def test_catalogues_are_combined(services, principal, catalogues):
    config = {"param": {"combine_type": "concatenate_and_remove_duplicates", "insert_rubin_footprint_flag": True}}
    number = ask(services, principal("owner"), catalogues, config=config)
    assert state_of(services, number)[2].state is ProductState.PROCESSING
    run_process(services, number)
    state, failure, _ = state_of(services, number)
    assert (state, failure) == (ProcessState.SUCCESSFUL, None)
    with services.database.reading() as session:
        process = process_for(session, principal("colleague"), number)
        product = process.output
        assert product.state is ProductState.PUBLISHED
        assert product.n_rows == N
        assert {file.name for file in product.files} >= {"redshift.parquet", "report.html", "provenance.json"}
        assert {column.alias for column in product.columns} >= {"RA", "Dec", "z"}
        assert process.environment["pzcenter"]
        assert product.command.startswith("pz specz combine")
        table = pq.read_table(services.store.local_path(product.main_file.sha256))
        assert table.num_rows == N
        with pytest.raises(PermissionDeniedError):
            process_log(session, principal("colleague"), number)
    assert not list((services.settings.data_dir / "jobs").iterdir())


def reach(services, number):
    product = state_of(services, number)[2]
    return product.visibility, product.embargo_until


def test_what_is_made_is_seen_no_wider_than_its_inputs(services, principal, catalogues, tmp_path):
    owner, later = principal("owner"), now().date() + timedelta(days=9)
    hidden = published(services, owner, redshifts(tmp_path, "h.csv"), visibility=Visibility.PRIVATE)
    kept = published(services, owner, redshifts(tmp_path, "k.csv"))
    with services.database.writing() as session:
        share_product(session, owner, kept, embargo_until=later)
    open_one, other = catalogues
    assert reach(services, ask(services, owner, [open_one, other])) == (Visibility.RELEASE, None)
    assert reach(services, ask(services, owner, [open_one, hidden])) == (Visibility.PRIVATE, None)
    assert reach(services, ask(services, owner, [kept, hidden])) == (Visibility.PRIVATE, later)
    with services.database.writing() as session:
        alone = submit(services, session, owner, "combine_redshift_dedup", "x", {}, [open_one], private=True)
        assert alone.output.visibility is Visibility.PRIVATE
        share_product(session, owner, open_one, visibility=Visibility.SHARED, groups=["team"])
    teammate = ask(services, principal("teammate"), [open_one])
    assert reach(services, teammate) == (Visibility.PRIVATE, None)


def test_rights_to_a_release_go_on_to_what_is_made_of_it(services, principal, catalogues, tmp_path):
    owner = principal("owner")
    made = [
        published(
            services,
            owner,
            objects(tmp_path),
            kind="object_catalog",
            aliases={"ra": "RA", "dec": "Dec"},
            release=release,
        )
        for release in ("dp1", None)
    ]
    number = ask(services, owner, [catalogues[0], made[0]], "training_set_maker")
    with services.database.reading() as session:
        process = session.get_one(Process, number)
        assert process.output.release.name == "dp1"
        assert process.output.visibility is Visibility.RELEASE
    number = ask(services, owner, [catalogues[0], made[1]], "training_set_maker", release="dp1")
    assert reach(services, number) == (Visibility.RELEASE, None)
    coordinator = principal("coordinator")
    second = published(
        services,
        coordinator,
        objects(tmp_path),
        kind="object_catalog",
        aliases={"ra": "RA", "dec": "Dec"},
        release="dp2",
    )
    with pytest.raises(ConfigError, match="several releases"):
        ask(services, coordinator, [catalogues[0], made[0], second], "training_set_maker")
    number = ask(services, coordinator, [catalogues[0], made[0]], "training_set_maker", release="dp2")
    assert reach(services, number) == (Visibility.PRIVATE, None)


def test_an_input_that_became_private_keeps_the_product_private(services, principal, catalogues):
    owner = principal("owner")
    number = ask(services, owner, catalogues)
    with services.database.writing() as session:
        share_product(session, owner, catalogues[1], visibility=Visibility.PRIVATE)
    run_process(services, number)
    state, failure, product = state_of(services, number)
    assert (state, failure, product.state) == (ProcessState.SUCCESSFUL, None, ProductState.PUBLISHED)
    assert product.visibility is Visibility.PRIVATE


def test_a_training_set_is_made(services, principal, catalogues, tmp_path):
    owner = principal("owner")
    catalog = published(services, owner, objects(tmp_path), kind="object_catalog", aliases={"ra": "RA", "dec": "Dec"})
    config = {"param": {"crossmatch": {"radius_arcsec": 0.5}, "coverage": False}, "output_format": "fits"}
    number = ask(services, owner, [catalogues[0], catalog], "training_set_maker", config)
    run_process(services, number)
    state, failure, product = state_of(services, number)
    assert (state, failure) == (ProcessState.SUCCESSFUL, None)
    assert product.n_rows == N
    with services.database.reading() as session:
        assert session.get_one(Product, product.id).main_file.name == "training_set.fits"


def test_what_fails_says_why(services, principal, pipelines, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("ra,dec,z,zf\n")
    number = ask(services, principal("owner"), [published(services, principal("owner"), path)])
    run_process(services, number)
    state, failure, product = state_of(services, number)
    assert state is ProcessState.FAILED
    assert failure
    assert product.state is ProductState.FAILED
    assert product.failure == failure


def test_what_is_refused(services, principal, catalogues, tmp_path):
    owner = principal("owner")
    for inputs, name, config, error in (
        ([], "combine_redshift_dedup", {}, ConfigError),
        (catalogues, "rm -rf", {}, NotFoundError),
        (catalogues, "combine_redshift_dedup", {"executor": {"name": "slurm"}}, ConfigError),
        (catalogues, "combine_redshift_dedup", {"param": {"flags_translation_file": "/etc/passwd"}}, ConfigError),
        (catalogues, "combine_redshift_dedup", {"param": {"combine_type": "shuffle"}}, ConfigError),
        (catalogues, "combine_redshift_dedup", {"param": {"radius_arcsec": 1e9}}, ConfigError),
        ([catalogues[0], catalogues[0]], "combine_redshift_dedup", {}, ConfigError),
        ([999_999], "combine_redshift_dedup", {}, NotFoundError),
        (catalogues[:1], "training_set_maker", {}, ConfigError),
    ):
        with pytest.raises(error):
            ask(services, owner, inputs, name, config)
    with pytest.raises(ConfigError, match="no object catalogue of release 'dp1'"):
        ask(services, owner, catalogues[:1], "training_set_maker", release="dp1")
    with services.database.writing() as session:
        share_product(session, owner, catalogues[0], visibility=Visibility.PRIVATE)
    with pytest.raises(NotFoundError):
        ask(services, principal("colleague"), catalogues)
    for _ in range(20):
        ask(services, owner, catalogues)
    with pytest.raises(QuotaError):
        ask(services, owner, catalogues)


def test_rights_are_looked_at_again_when_it_runs(services, principal, catalogues):
    number = ask(services, principal("colleague"), catalogues)
    with services.database.writing() as session:
        share_product(session, principal("owner"), catalogues[1], visibility=Visibility.PRIVATE)
    run_process(services, number)
    state, failure, _ = state_of(services, number)
    assert state is ProcessState.FAILED
    assert f"no product {catalogues[1]}" in failure


def test_rules_of_users_are_never_evaluated(services, principal, catalogues, tmp_path):
    rules = {"name": "Mine", "quality": [{"when": "__import__('os').system('touch x')", "value": 4}]}
    number = ask(services, principal("owner"), catalogues, config={"rules": rules})
    run_process(services, number)
    state, failure, _ = state_of(services, number)
    assert state is ProcessState.FAILED
    assert failure


def test_stopping(services, principal, catalogues, monkeypatch):
    monkeypatch.setattr(runner_module, "BEAT_SECONDS", 0.1)
    early = ask(services, principal("owner"), catalogues)
    with pytest.raises(NotFoundError), services.database.writing() as session:
        request_stop(session, principal("colleague"), early)
    with services.database.writing() as session:
        assert request_stop(session, principal("owner"), early).state is ProcessState.STOPPED
    run_process(services, early)
    assert state_of(services, early)[0] is ProcessState.STOPPED

    late = ask(services, principal("owner"), catalogues)
    thread = threading.Thread(target=run_process, args=(services, late))
    thread.start()
    while state_of(services, late)[0] is not ProcessState.RUNNING:
        time.sleep(0.02)
    with services.database.writing() as session:
        request_stop(session, principal("owner"), late)
    thread.join(20)
    state, _, product = state_of(services, late)
    assert state is ProcessState.STOPPED
    assert product.state is ProductState.FAILED
    waiting = ask(services, principal("owner"), catalogues)
    with pytest.raises(ConflictError), services.database.writing() as session:
        rerun(services, session, principal("owner"), waiting)


def test_a_killed_child_and_a_lost_worker(services, principal, catalogues, monkeypatch):
    number = ask(services, principal("owner"), catalogues)
    start = runner_module._start

    def start_and_kill(workspace):
        child = start(workspace)
        os.kill(child.pid, signal.SIGKILL)
        return child

    with monkeypatch.context() as patch:
        patch.setattr(runner_module, "_start", start_and_kill)
        run_process(services, number)
    assert "status -9" in state_of(services, number)[1]

    lost = ask(services, principal("owner"), catalogues)
    assert claim(services, lost) == 1
    assert claim(services, lost) is None
    assert lost not in forgotten(services)
    for attempt in (2, 3, None):
        with services.database.writing() as session:
            session.get_one(Process, lost).heartbeat_at = now() - timedelta(seconds=2 * STALE_SECONDS)
        assert (lost in forgotten(services)) == (attempt is not None)
        assert claim(services, lost) == attempt
    state, failure, product = state_of(services, lost)
    assert (state, product.state) == (ProcessState.FAILED, ProductState.FAILED)
    assert "lost 3 times" in failure


def test_the_queue_and_its_worker(services, settings, principal, catalogues):
    worker = Worker(settings)
    queue = JobQueue(settings)
    number = ask(services, principal("owner"), catalogues)
    enqueue(services, number)
    enqueue(services, number)
    assert len(queue) == 2
    worker.start()
    try:
        deadline = time.monotonic() + 60
        while not state_of(services, number)[0].ended and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        worker.stop()
        queue.close()
    assert state_of(services, number)[0] is ProcessState.SUCCESSFUL
    with services.database.reading() as session:
        assert process_log(session, principal("owner"), number) is not None
        assert json.dumps(session.get_one(Process, number).progress)
        assert session.get_one(Process, number).attempts == 1


def test_defaults_of_the_existing_server_are_accepted():
    known = {
        "crossmatch": {"radius_arcsec": 1.0, "n_neighbors": 1}, "use_absolute_lsdb_path": False, "selected_cols": [],
        "flux_type": "auto", "convert_flux_to_mag": True, "dereddening": "sfd", "split_method": "random",
        "train_fraction": 0.7, "random_seed": None, "duplicate_criteria": "closest",
    }  # fmt: skip
    request = read_request("training_set_maker", {"param": known, "output_format": None})
    assert request.param.settings()["deredden"] is True
