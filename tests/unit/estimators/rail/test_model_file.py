"""Models in one file."""

from __future__ import annotations

import zipfile

import pytest

from pzcenter.errors import ChecksumError, ModelError, NotFoundError
from pzcenter.estimators import get_estimator
from pzcenter.estimators.rail.model_file import read_model_file, write_model_file
from pzcenter.testing.estimator_suite import assert_same
from pzcenter.testing.synthetic import synthetic_sky

SKY = synthetic_sky(50, seed=1)


@pytest.fixture(scope="module")
def model():
    return get_estimator("trainz").train(SKY.photometry, SKY.z_spec)


def test_there_and_back(model, tmp_path):
    write_model_file(model, tmp_path / "a.pzmodel")
    back = read_model_file(tmp_path / "a.pzmodel")
    assert_same(back.estimate(SKY.photometry), model.estimate(SKY.photometry))
    write_model_file(back, tmp_path / "b.pzmodel")
    assert (tmp_path / "a.pzmodel").read_bytes() == (tmp_path / "b.pzmodel").read_bytes()


def test_a_directory_is_a_model_too(model, tmp_path):
    model.save(tmp_path / "model")
    assert read_model_file(tmp_path / "model").name == "trainz"


def test_what_is_no_model_is_refused(model, tmp_path):
    with pytest.raises(NotFoundError):
        read_model_file(tmp_path / "absent")
    (tmp_path / "text").write_text("no zip")
    with pytest.raises(ModelError, match="is not a model"):
        read_model_file(tmp_path / "text")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("../../outside.yaml", "a: 1")
    with pytest.raises(ModelError, match="not the files of a model"):
        read_model_file(tmp_path / "other.zip")
    write_model_file(model, tmp_path / "cut.pzmodel")
    content = (tmp_path / "cut.pzmodel").read_bytes()
    (tmp_path / "cut.pzmodel").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError):
        read_model_file(tmp_path / "cut.pzmodel")


def test_a_changed_file_within_is_refused(model, tmp_path):
    write_model_file(model, tmp_path / "a.pzmodel")
    with zipfile.ZipFile(tmp_path / "a.pzmodel") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["arrays.safetensors"] = files["arrays.safetensors"][:-1] + b"\x01"
    with zipfile.ZipFile(tmp_path / "b.pzmodel", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(ChecksumError):
        read_model_file(tmp_path / "b.pzmodel")
