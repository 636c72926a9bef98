"""The client that people have, unmodified, against a true server: every public method, every format.

The client lives in an environment of its own (``PZCENTER_REFERENCE_PYTHON``), since it brings lsdb and dask.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

import uvicorn

from pzcenter.server import create_app
from pzcenter.server.services.jobs.worker import Worker
from pzcenter.server.services.principal import Scope, principal_of
from pzcenter.server.services.tokens import make_token
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import User, UserState
from pzcenter.server.storage.releases import Release, ReleaseRight

DRIVER = Path(__file__).with_name("drive_pzserver.py")
COLUMNS = ["name", "my_ra", "my_dec", "redshift", "quality"]
N = 60


def objects(path):
    """Objects of a release at the places of the redshifts that the driver makes."""
    rng = np.random.default_rng(5)
    ra, dec = rng.uniform(10, 10.4, N).round(7), rng.uniform(-5.4, -5, N).round(7)
    columns = {"objectId": np.arange(N), "ra": ra, "dec": dec, "ebv": np.full(N, 0.02)}
    for band in "ugrizy":
        columns |= {f"{band}_cModelFlux": rng.uniform(500, 9000, N), f"{band}_cModelFluxErr": np.full(N, 30.0)}
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="module")
def client_python():
    python = os.environ.get("PZCENTER_REFERENCE_PYTHON", sys.executable)
    probe = [python, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('pzserver') is None)"]
    if subprocess.run(probe, check=False).returncode:
        pytest.skip("needs the client pzserver, here or in the interpreter that PZCENTER_REFERENCE_PYTHON names")
    return python


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server on a free port with two people, and a worker that runs its jobs; the address and two tokens."""
    root = tmp_path_factory.mktemp("server")
    settings = ServerSettings(
        data_dir=root / "data", requests_per_minute=100_000, object_catalogs={"dp1": objects(root / "objects.parquet")}
    )
    app = create_app(settings)
    tokens = []
    with app.state.services.database.writing() as session:
        release = Release(name="dp1", display_name="DP1", description="First")
        session.add(release)
        for name in ("owner", "other"):
            user = User(username=name, last_name=name.capitalize(), state=UserState.ACTIVE)
            session.add(user)
            session.flush()
            if name == "owner":
                session.add(ReleaseRight(release_id=release.id, user_id=user.id))
            asker = principal_of(session, user)
            tokens.append(make_token(session, asker, "test", scopes=(Scope.READ, Scope.WRITE))[1])
    worker = Worker(settings)
    worker.start()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not (server.started and server.servers):
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/api/", *tokens
    server.should_exit = True
    thread.join()
    worker.stop()


@pytest.fixture(scope="module")
def told(client_python, address, tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    run = [client_python, str(DRIVER), *address, str(folder / "files")]
    done = subprocess.run(run, check=False, capture_output=True, text=True, cwd=folder, timeout=600)
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_no_step_failed(told):
    failed = {name: said["failed"] for name, said in told.items() if isinstance(said, dict) and "failed" in said}
    assert not failed, "\n".join(f"{name}: {text}" for name, text in failed.items())
    assert told["version"].startswith("0.3.")


def test_lists(told):
    kind, words = told["bad_token"]
    assert kind == "RequestException"
    assert words.startswith("Status code 401:")
    assert told["product_types"] == [
        "redshift_catalog", "training_set", "training_results", "validation_results", "photoz_estimates",
        "object_catalog", "other",
    ]  # fmt: skip
    assert told["users"] == ["other", "owner"]
    assert told["releases"] == ["dp1"]
    found = told["products_list"]
    catalogues = ["Csv", "Fits", "Hats", "Hdf5", "Parquet"]
    assert found["all"] == sorted([*catalogues, "Train", "Model", "Estimates"])
    assert found["type"] == catalogues
    assert found["release"] == ["Estimates", "Model", "Train"]
    assert found["both"] == ["Train"]
    assert found["or"] == ["Estimates", "Train"]
    assert found["code"] == ["Estimates"]
    assert found["owner"] == found["all"]
    assert found["none"] == []
    assert found["invalid"][0] == "ValueError"
    assert "product_type__or" in found["invalid"][1]


def test_uploads(told):
    csv = told["upload_csv"]
    assert csv["columns"] == COLUMNS
    assert csv["system_columns"] == ["dec", "id", "ra", "survey", "z", "z_err", "z_flag"]
    assert csv["missing"] == ["RequiredColumnsException", "Required columns NOT filled: ['z']"]
    assert csv["checked"]["success"] is True
    assert csv["files"] == 3
    for name in ("fits", "parquet", "training_set"):
        assert told[f"upload_{name}"] == COLUMNS
    assert sorted(told["upload_hdf5"]) == sorted(COLUMNS[1:])
    assert set(told["upload_hats"]) >= set(COLUMNS)
    assert told["upload_pickle"] == []
    wrong_type, wrong_release, no_file, with_release = told["upload_refused"]
    assert wrong_type == ["ValueError", "Product type not found: Training Set"]
    assert wrong_release == ["ValueError", "Release not found: dp9"]
    assert no_file[0] == "FileNotFoundError"
    assert "Release must be null" in with_release[1]


def test_metadata(told):
    found = told["metadata"]
    assert found["same"] is True
    assert found["short"] is False
    assert (found["unknown"][0], found["hidden"][0]) == ("ValueError", "ValueError")
    main_file = found["product"]["main_file"]
    assert (main_file["name"], main_file["n_rows"], main_file["delimiter"]) == ("r.csv", N, ",")
    assert main_file["has_header"] is True
    assert {each["column_name"]: each["alias"] for each in main_file["columns_association"]} == {
        "my_ra": "RA", "my_dec": "Dec", "redshift": "z", "quality": "z_flag", "name": "my word",
    }  # fmt: skip
    assert {"n_rows", "size", "columns_association", "product_name", "main_file"} <= set(found["frame"])


def test_what_comes_back_is_what_was_sent(told):
    got = told["get_product"]
    for name in ("Csv", "Fits", "Parquet", "Hats", "Train", "Estimates", "by name"):
        assert got[name] == COLUMNS, name
    assert got["Hdf5"] == COLUMNS[1:]
    assert got["Model"][0] == "ValueError"
    assert told["transform"] == ["SpeczCatalog", "TrainingSet", "DataFrame"]


def test_downloads(told):
    got = told["download_product"]
    assert got["Csv"] == [None, ["again.parquet", "notes.md", "product_metadata.yaml", "r.csv"]]
    assert got["Model"] == [None, ["model.pkl", "product_metadata.yaml"]]
    bad, names = got["Hats"]
    assert bad is None
    assert any(name.endswith(".parquet") and "Norder=" in name for name in names)
    assert told["resumed_download"] == [206, True, True]


def test_product_objects(told):
    found = told["product_object"]
    assert found["id"] is True
    assert (found["main_file"], found["info"]) == ("r.csv", "r.csv")
    assert (found["before"], found["attached"], found["removed"]) == ([2, 0], [3, 1], 0)
    assert found["description"] == "Better *words*"
    assert (found["main"][0], found["unknown"][0]) == ("ValueError", "ValueError")
    assert all(each is not None for each in told["of_others"])
    kept, emptied, left = told["delete"]
    assert (kept[0], emptied[0]) == ("ValueError", "RequestException")
    assert left == ["Made", "Train"]


def test_processes(told):
    combined = told["combine"]
    assert (combined["catalogs"], combined["before"]) == (2, "The process has not been started")
    assert combined["wrong"][0] == "ValueError"
    assert combined["status"] == combined["stop"] == "Successful"
    assert combined["again"] == {}
    assert (combined["output"], combined["n_rows"], combined["read"]) == ("Joined", 2 * N, 2 * N)
    assert told["combine_with_rules"]["stopped"] in {"Stopped", "Stopping"}
    made = told["training_set"]
    assert (made["status"], made["n_rows"], made["out"]) == ("Successful", N, "training_set")
    assert made["types"] == ["redshift_catalog"]
