"""Pages of finished products: made again, elsewhere, and when what they were made from is gone."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from pzcenter.catalogs import Manifest
from pzcenter.cli.app import app
from pzcenter.errors import ChecksumError, FileFormatError, NotFoundError, OutputExistsError, UsageError
from pzcenter.training.build import build_redshifts, build_training_set
from pzcenter.training.product import open_product
from pzcenter.training.product_page import make_product_page

N_ROWS = 300
SURVEY = {
    "name": "DEEPER", "title": "a survey", "columns": {"source_id": "id", "z_spec": "z", "z_flag": "q"},
    "quality": [{"when": "z_flag >= 3", "value": 4}, {"when": "z_flag < 3", "value": 2}],
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A product of redshifts and one of a training set, each made with its page."""
    root = tmp_path_factory.mktemp("pages")
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(10, 11, N_ROWS), rng.uniform(-1, 1, N_ROWS)
    columns = {"id": np.arange(N_ROWS), "ra": ra, "dec": dec, "z": rng.gamma(2, 0.3, N_ROWS) + 0.01}
    columns["q"] = rng.integers(2, 5, N_ROWS)
    pa_csv.write_csv(pa.table(columns), root / "deep.csv")
    flux = 10 ** rng.normal(3.2, 0.5, N_ROWS)
    objects = {"objectId": np.arange(N_ROWS), "ra": ra, "dec": dec, "ebv": np.zeros(N_ROWS)}
    for band, factor in {"g": 0.6, "r": 1.0}.items():
        objects[f"flux_{band}"] = flux * factor * rng.normal(1, 0.05, N_ROWS)
        objects[f"flux_err_{band}"] = np.full(N_ROWS, 30.0)
    pq.write_table(pa.table(objects), root / "objects.parquet")
    (root / "deeper.yaml").write_text(yaml.safe_dump(SURVEY))
    settings = {
        "sources": [{"name": "deep", "path": str(root / "deep.csv"), "survey": "DEEPER"}],
        "survey_files": [str(root / "deeper.yaml")],
    }
    (root / "combine.yaml").write_text(yaml.safe_dump(settings))
    build_redshifts(root / "combine.yaml", root / "redshifts")
    settings = {"redshifts": str(root / "redshifts"), "objects": str(root / "objects.parquet"), "coverage": None}
    (root / "training.yaml").write_text(yaml.safe_dump(settings))
    build_training_set(root / "training.yaml", root / "training")
    return root


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the product that may be changed, without its page."""
    shutil.copytree(made / "training", tmp_path / "training")
    return _without_page(tmp_path / "training")


def _without_page(directory):
    (directory / "report.html").unlink()
    manifest = Manifest.read(directory)
    Manifest(manifest.table, tuple(each for each in manifest.files if each.path != "report.html")).write(directory)
    return directory


@pytest.fixture
def quick(monkeypatch):
    """Pages without figures."""
    for name in ("redshift_images", "photometry_images", "split_images", "sky_images", "match_images"):
        monkeypatch.setattr(f"pzcenter.training.report_figures.{name}", lambda *_words, **_more: [])


@pytest.mark.parametrize("name", ["redshifts", "training"])
def test_the_page_is_the_one_that_was_made_with_the_product(made, tmp_path, name):
    page = make_product_page(made / name, tmp_path / "page.html")
    assert page.left_out == ()
    assert page.path.read_bytes() == (made / name / "report.html").read_bytes()
    open_product(made / name, verify=True)


def test_a_product_without_a_page_gets_one(made, folder, quick):
    assert not (folder / "report.html").exists()
    table = open_product(folder, verify=True).sha256
    page = make_product_page(folder)
    assert page.path == folder / "report.html"
    assert open_product(folder, verify=True).sha256 == table
    assert "report.html" in {each.path for each in Manifest.read(folder).files}
    before = (folder / "manifest.json").read_bytes()
    make_product_page(folder)
    assert (folder / "manifest.json").read_bytes() == before


def test_a_damaged_page_is_mended(folder, quick):
    make_product_page(folder)
    good = (folder / "report.html").read_bytes()
    (folder / "report.html").write_text("half a pa")
    with pytest.raises(ChecksumError, match=r"report\.html"):
        open_product(folder, verify=True)
    make_product_page(folder)
    assert (folder / "report.html").read_bytes() == good
    open_product(folder, verify=True)


def test_no_page_of_damaged_numbers(folder, quick):
    (folder / "report.json").write_text((folder / "report.json").read_text().replace("300", "301"))
    with pytest.raises(ChecksumError, match=r"report\.json changed or missing"):
        make_product_page(folder)
    assert not (folder / "report.html").exists()


def _moved(folder, made, **changes):
    """The product with other settings, such as inputs at other places."""
    config = yaml.safe_load((folder / "config.yaml").read_text()) | changes
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    manifest = Manifest.read(folder)
    kept = [each for each in manifest.files if each.path != "config.yaml"]
    Manifest(manifest.table, tuple(kept)).write(folder)
    return folder


def test_what_is_gone_is_left_out_and_named(folder, made, quick):
    page = make_product_page(_moved(folder, made, redshifts="no/redshifts", objects="no/objects.parquet"))
    assert page.left_out == (
        "The redshifts, no/redshifts, are not there any more: their figures are left out.",
        "The target, no/objects.parquet, is not there any more: its figures are left out.",
    )
    text = page.path.read_text()
    assert all(words in text for words in page.left_out)
    assert "There are 2 warnings below." in text


def test_what_has_changed_is_left_out_and_named(folder, made, quick, tmp_path):
    shutil.copytree(made / "redshifts", tmp_path / "redshifts")
    report = json.loads((folder / "report.json").read_text())
    pq.write_table(pq.read_table(made / "objects.parquet").slice(1), tmp_path / "objects.parquet")
    folder = _moved(folder, made, redshifts="redshifts", objects="objects.parquet")
    # Found beside the product; the redshifts are the same, the objects are not.
    page = make_product_page(folder, tmp_path / "a.html")
    assert page.left_out == ("The target, objects.parquet, has changed since: its figures are left out.",)
    other = open_product(tmp_path / "redshifts")
    assert report["redshift_table"] == {"redshift.parquet": other.sha256}
    path = tmp_path / "redshifts" / "manifest.json"
    path.write_text(path.read_text().replace(other.sha256, "0" * 64))
    page = make_product_page(folder, tmp_path / "b.html")
    assert page.left_out[0] == "The redshifts, redshifts, have changed since: their figures are left out."


def test_what_is_no_product(made, tmp_path):
    with pytest.raises(NotFoundError, match="does not exist; 'pz specz combine' and 'pz training make'"):
        make_product_page(tmp_path / "no")
    with pytest.raises(NotFoundError, match="is a file, and a product is a directory"):
        make_product_page(made / "training" / "training_set.parquet")
    with pytest.raises(NotFoundError, match="not complete, or was not made by PZ Center"):
        make_product_page(tmp_path)
    for name in ("pz", "skinny"):
        (record,) = (each for each in Manifest.read(made / "training").files if each.path.endswith(".parquet"))
        Manifest(name, (type(record)(f"{name}.parquet", "0" * 64, 1),)).write(tmp_path)
        with pytest.raises(FileFormatError, match=f"table '{name}', and no redshifts or training set"):
            make_product_page(tmp_path)


def test_where_it_may_be_written(folder, tmp_path, quick):
    (tmp_path / "thesis.html").write_text("do not touch")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        make_product_page(folder, tmp_path / "thesis.html")
    assert (tmp_path / "thesis.html").read_text() == "do not touch"
    with pytest.raises(UsageError, match="is a directory"):
        make_product_page(folder, tmp_path)
    make_product_page(folder, tmp_path / "new" / "page.html")
    assert not (folder / "report.html").exists()
    make_product_page(folder, tmp_path / "thesis.html", overwrite=True)
    assert (tmp_path / "thesis.html").read_text().startswith("<!DOCTYPE html>")


def test_inputs_of_the_provenance_are_all_files_that_were_read(made):
    inputs = json.loads((made / "redshifts" / "provenance.json").read_text())["inputs"]
    assert [each["path"].rpartition("/")[2] for each in inputs] == ["deep.csv", "deeper.yaml"]
    inputs = json.loads((made / "training" / "provenance.json").read_text())["inputs"]
    assert [each["path"].rpartition("/")[2] for each in inputs] == ["redshifts", "objects.parquet"]


def test_own_surveys_are_kept_and_cited(made):
    for name in ("redshifts", "training"):
        assert "@misc{survey:DEEPER," in (made / name / "citations.bib").read_text()
        assert "@misc{survey:DEEPER," in (made / name / "report.html").read_text()
    report = open_product(made / "training").report["redshifts"]
    assert report["own_surveys"][0]["quality"][0]["when"] == "z_flag >= 3"


def test_the_command(folder, made, tmp_path, quick):
    def pz(*words):
        return CliRunner().invoke(app, ["training", "report", *(str(word) for word in words)])

    done = pz(folder)
    assert done.exit_code == 0, done.output
    assert f"{folder}/report.html" in done.stdout
    _moved(folder, made, redshifts="no/redshifts")
    done = pz(folder, "--out", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    assert "warning: The redshifts, no/redshifts, are not there any more" in done.stderr
    assert (tmp_path / "page.html").is_file()
    assert pz(folder, "--out", tmp_path / "page.html").exit_code == 1
    assert pz(folder, "--out", tmp_path / "page.html", "--overwrite").exit_code == 0
    failed = pz(tmp_path / "no")
    assert failed.exit_code == 1
    assert "error[not_found]" in failed.stderr
