from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
import yaml
from safetensors.numpy import save

from pzcenter.errors import ChecksumError, GridError, ModelError, NotFoundError, OutputExistsError, StorageError
from pzcenter.estimators import storage
from pzcenter.estimators.protocol import TrainingFacts
from pzcenter.estimators.storage import ARRAYS_FILE, MANIFEST_FILE, model_digest, read_manifest, read_model, write_model
from pzcenter.estimators.trainz import TrainZConfig

GRID = np.linspace(0, 3, 301)
FACTS = TrainingFacts(n_obj=10, z_min=0.1, z_max=2.0, sha256="0" * 64)


def write(directory, **changes):
    return write_model(
        directory,
        **{
            "estimator": "trainz",
            "config": TrainZConfig(),
            "bands": ("g", "r"),
            "z_grid": GRID,
            "arrays": {"density": np.ones(301, dtype=np.float32)},
            "training": FACTS,
            **changes,
        },
    )


def forge(directory, change):
    """Change the manifest as somebody would who knows how it is made: with the right digest."""
    path = directory / MANIFEST_FILE
    plain = yaml.safe_load(path.read_text())
    plain.pop("digest")
    change(plain)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    plain["digest"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(yaml.safe_dump(plain, sort_keys=False))


def replace_arrays(directory, content):
    (directory / ARRAYS_FILE).write_bytes(content)
    record = {"n_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    forge(directory, lambda plain: plain["files"].update({ARRAYS_FILE: record}))


@pytest.fixture
def model(tmp_path):
    write(tmp_path / "model")
    return tmp_path / "model"


def test_round_trip(model):
    stored = read_model(model, estimator="trainz")
    assert stored.manifest.bands == ("g", "r")
    assert stored.training == FACTS
    np.testing.assert_array_equal(stored.z_grid, GRID)
    np.testing.assert_array_equal(stored.array("density", (301,), np.float32), np.ones(301))


def test_manifest_says_what_made_it(model):
    manifest = read_manifest(model)
    assert manifest.packages["pzcenter"]
    assert manifest.packages["numpy"] == np.__version__
    assert manifest.config == {"method": "kde", "bandwidth": None}
    assert (manifest.z_grid.z_min, manifest.z_grid.z_max, manifest.z_grid.n_z) == (0.0, 3.0, 301)


def test_digest_is_the_identity(model, tmp_path):
    assert write(tmp_path / "same") == model_digest(model) == model_digest(tmp_path / "same")
    assert write(tmp_path / "other", bands=("g", "i")) != model_digest(model)


def test_further_files(tmp_path):
    write(tmp_path / "model", files={"notes.yaml": b"a: 1\n"})
    assert read_model(tmp_path / "model", estimator="trainz").files == {"notes.yaml": b"a: 1\n"}


def test_model_without_training(tmp_path):
    write(tmp_path / "model", training=None)
    assert read_model(tmp_path / "model", estimator="trainz").training is None


def test_empty_directory_is_used(tmp_path):
    (tmp_path / "model").mkdir()
    write(tmp_path / "model")
    assert (tmp_path / "model" / MANIFEST_FILE).is_file()


def test_parents_are_made(tmp_path):
    write(tmp_path / "a" / "b" / "model")
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["model"]


def test_link_to_a_model_is_followed(model, tmp_path):
    (tmp_path / "current").symlink_to(model)
    assert read_model(tmp_path / "current", estimator="trainz").manifest.estimator == "trainz"


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(OutputExistsError):
        write(tmp_path / "model")
    assert (tmp_path / "model").read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["model.pkl", "../evil.yaml", "sub/a.yaml", "Model.yaml", ".hidden.yaml", MANIFEST_FILE]
)
def test_file_names_that_cannot_be_written(tmp_path, name):
    with pytest.raises(ModelError):
        write(tmp_path / "model", files={name: b""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("facts", [{"a": object()}, {"a": float("nan")}])
def test_facts_that_are_not_plain(tmp_path, facts):
    with pytest.raises(ModelError):
        write(tmp_path / "model", facts=facts)
    assert list(tmp_path.iterdir()) == []


def test_parent_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((StorageError, OutputExistsError)):
        write(tmp_path / "file" / "model")


def test_model_of_another_method(model):
    with pytest.raises(ModelError, match="'trainz'"):
        read_model(model, estimator="neighbours")


@pytest.mark.parametrize("name", [ARRAYS_FILE, MANIFEST_FILE])
def test_missing_file(model, name):
    (model / name).unlink()
    with pytest.raises(NotFoundError, match=name):
        read_model(model, estimator="trainz")


def test_truncated_file(model):
    content = (model / ARRAYS_FILE).read_bytes()
    (model / ARRAYS_FILE).write_bytes(content[:-10])
    with pytest.raises(ChecksumError):
        read_model(model, estimator="trainz")


def test_file_that_grew(model):
    with (model / ARRAYS_FILE).open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(ModelError, match="bytes"):
        read_model(model, estimator="trainz")


def test_unknown_file(model):
    (model / "other.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="other"):
        read_model(model, estimator="trainz")


@pytest.mark.parametrize("name", ["../outside.yaml", "/etc/hostname", "a/b.yaml", "run.py", "..", "model.pkl"])
def test_forged_file_name(model, name):
    forge(model, lambda plain: plain["files"].update({name: {"n_bytes": 1, "sha256": "0" * 64}}))
    with pytest.raises(ModelError):
        read_model(model, estimator="trainz")


@pytest.mark.parametrize("n_bytes", [-1, 5 << 30, 1e30])
def test_forged_size(model, n_bytes):
    forge(model, lambda plain: plain["files"][ARRAYS_FILE].update({"n_bytes": n_bytes}))
    with pytest.raises(ModelError):
        read_model(model, estimator="trainz")


def test_sum_of_sizes(model):
    def change(plain):
        plain["files"].update({f"a{k}.yaml": {"n_bytes": 3 << 30, "sha256": "0" * 64} for k in range(3)})

    forge(model, change)
    with pytest.raises(ModelError, match="at most"):
        read_model(model, estimator="trainz")


@pytest.mark.parametrize("name", [ARRAYS_FILE, MANIFEST_FILE])
def test_links_in_a_model(model, tmp_path, name):
    (model / name).rename(tmp_path / "outside")
    (model / name).symlink_to(tmp_path / "outside")
    with pytest.raises(ModelError, match="link"):
        read_model(model, estimator="trainz")


def test_pipe_in_a_model_does_not_block(model):
    (model / ARRAYS_FILE).unlink()
    os.mkfifo(model / ARRAYS_FILE)
    with pytest.raises(ModelError, match="plain file"):
        read_model(model, estimator="trainz")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just text",
        "- 1\n- 2",
        "a: [1, 2",
        "!!python/object/apply:os.system ['true']",
        "format_version: 1\na: &a [1]\nb: *a",
        "format_version: 1\nformat: pzcenter-model",
        "\x00\x01",
        "[" * 5000,
    ],
)
def test_manifest_that_is_not_one(model, text):
    (model / MANIFEST_FILE).write_text(text)
    with pytest.raises(ModelError):
        read_manifest(model)


def test_manifest_beyond_reason(model, monkeypatch):
    monkeypatch.setattr(storage, "MAX_MANIFEST_BYTES", 100)
    with pytest.raises(ModelError, match="100"):
        read_manifest(model)


def test_newer_format(model):
    forge(model, lambda plain: plain.update({"format_version": 2}))
    with pytest.raises(ModelError, match="format 2"):
        read_manifest(model)


def test_unknown_manifest_key(model):
    forge(model, lambda plain: plain.update({"run": "rm"}))
    with pytest.raises(ModelError, match="run"):
        read_manifest(model)


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"\xff" * 64, save({"density": np.ones(3, np.float32)})])
def test_arrays_that_are_not_a_model(model, content):
    replace_arrays(model, content)
    with pytest.raises(ModelError):
        read_model(model, estimator="trainz")


def test_grid_of_another_model(model):
    replace_arrays(model, save({"z_grid": np.linspace(0, 2, 301)}))
    with pytest.raises(ModelError, match="grid"):
        read_model(model, estimator="trainz")


def test_grid_that_does_not_increase(model):
    replace_arrays(model, save({"z_grid": GRID[::-1].copy()}))
    with pytest.raises(GridError):
        read_model(model, estimator="trainz")


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [("absent", (301,), np.float32), ("density", (300,), np.float32), ("density", (301,), np.float64),
     ("density", (None, None), np.float32)],
)  # fmt: skip
def test_array_of_another_form(model, name, shape, dtype):
    stored = read_model(model, estimator="trainz")
    with pytest.raises(ModelError):
        stored.array(name, shape, dtype)


def test_arrays_cannot_be_changed(model):
    density = read_model(model, estimator="trainz").array("density", (None,), np.float32)
    with pytest.raises(ValueError, match="read-only"):
        density[0] = 2


def test_not_a_directory(tmp_path):
    with pytest.raises(NotFoundError):
        read_manifest(tmp_path / "absent")
