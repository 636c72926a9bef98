"""Bad input gives one clear error and the right status, or a flag on the object, and leaves nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.storage import HashingFile
from pzcenter.cli.app import app
from pzcenter.schema import PZFlag

PZ = [sys.executable, "-c", "from pzcenter.cli import main; main()"]
SMALL_TRAINING = ["--set", "template_set=cwwsb4", "--set", "n_between=0", "--set", "calibrate_templates=false"]


def pz(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(code, *words, exit_code=1, says=()):
    """The command fails with this code in one line, without a traceback."""
    result = pz(*words)
    assert result.exit_code == exit_code, result.output
    lines = result.stderr.splitlines()
    assert len([line for line in lines if line.startswith(f"error[{code}]: ")]) == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    for words_there in says:
        assert words_there in result.stderr, result.stderr
    return result


def refused_estimate(code, source, tmp_path, *words, model=None, says=()):
    out = tmp_path / "out"
    model_words = () if model is None else ("--model", model)
    refused(code, "estimate", source, out, *model_words, "-j", 1, *words, says=says)
    assert not out.exists()


TELLS_WHERE_AND_WHEN = {"provenance.json", "skinny_report.json"}


def files(root):
    """Content of every file of the tables of a run."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for table in ("skinny", "pz", "pz_pdf", "model")
        for path in sorted((root / table).rglob("*"))
        if path.is_file() and path.name not in TELLS_WHERE_AND_WHEN
    }


# ---- tables -------------------------------------------------------------------------------------------------------


def test_missing_columns(columns, model, tmp_path, write_table):
    kept = {name: values for name, values in columns[0].items() if "Flux" not in name or name.startswith("i_")}
    source = write_table(tmp_path / "few.parquet", kept)
    refused_estimate("column", source, tmp_path, model=model, says=["no mapping fits", "describe-your-columns"])


def test_missing_column_of_a_named_mapping(columns, model, tmp_path, write_table):
    kept = {name: values for name, values in columns[0].items() if name != "objectId"}
    source = write_table(tmp_path / "few.parquet", kept)
    refused_estimate("column", source, tmp_path, "-m", "rubin_gaap", model=model, says=["objectId"])


def test_fluxes_that_are_magnitudes(columns, model, tmp_path, write_table):
    changed = dict(columns[0])
    for name, values in columns[0].items():
        if name.endswith("Flux"):
            changed[name] = (31.4 - 2.5 * np.log10(np.maximum(values, 1.0))).astype(np.float32)
        elif name.endswith("FluxErr"):
            changed[name] = np.full(len(values), 0.05, dtype=np.float32)
    source = write_table(tmp_path / "mags.parquet", changed)
    refused_estimate("unit", source, tmp_path, model=model, says=["magnitudes"])


def test_duplicate_ids(columns, model, tmp_path, write_table):
    changed = dict(columns[0])
    changed["objectId"] = np.where(changed["objectId"] == 14, 7, changed["objectId"])
    source = write_table(tmp_path / "twice.parquet", changed)
    refused_estimate("duplicate_id", source, tmp_path, model=model, says=["7"])


def test_empty_file(model, tmp_path):
    source = tmp_path / "empty.parquet"
    source.touch()
    refused_estimate("file_format", source, tmp_path, model=model, says=["empty"])


def test_table_without_rows(columns, model, tmp_path, write_table):
    source = write_table(tmp_path / "none.parquet", {name: values[:0] for name, values in columns[0].items()})
    refused_estimate("empty_table", source, tmp_path, model=model, says=["no rows"])


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_truncated_parquet(catalogue, model, tmp_path, share):
    content = catalogue.read_bytes()
    source = tmp_path / "cut.parquet"
    source.write_bytes(content[: int(share * len(content))])
    refused_estimate("file_format", source, tmp_path, model=model, says=["cut.parquet"])


def test_no_such_file(model, tmp_path):
    refused_estimate("not_found", tmp_path / "none.fits", tmp_path, model=model, says=["none.fits"])


@pytest.mark.parametrize("dress", ["bom", "semicolon", "both"])
def test_csv_of_a_spreadsheet_is_read(columns, model, tmp_path, dress, write_table):
    source = write_table(tmp_path / "sheet.csv", columns[0])
    text = source.read_text()
    if dress != "bom":
        text = text.replace(",", ";")
    source.write_text(text, encoding="utf-8" if dress == "semicolon" else "utf-8-sig")
    result = pz("estimate", source, tmp_path / "out", "--model", model, "-j", 1, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["counts"]["rows read"] == 600


def test_csv_with_decimal_commas(columns, model, tmp_path, write_table):
    source = write_table(tmp_path / "sheet.csv", columns[0])
    source.write_text(source.read_text().replace(",", ";").replace(".", ","))
    refused_estimate("file_format", source, tmp_path, model=model, says=["decimal"])


def test_bad_objects_are_flagged_and_no_error(columns, model, tmp_path, write_table):
    changed = {name: values.copy() for name, values in columns[0].items()}
    bands = "ugrizy"
    for band in bands:
        changed[f"{band}_gaap1p0Flux"][0] = np.nan
        changed[f"{band}_gaap1p0FluxErr"][0] = np.nan
    changed["i_gaap1p0FluxErr"][1] = np.inf
    changed["i_gaap1p0FluxErr"][2] = 0.0
    changed["i_gaap1p0FluxErr"][3] = -1.0
    changed["i_gaap1p0Flux"][4] = np.inf
    source = write_table(tmp_path / "bad.parquet", changed)
    result = pz("estimate", source, tmp_path / "out", "--model", model, "-j", 1, "--json")
    assert result.exit_code == 0, result.output
    table = open_catalog(tmp_path / "out" / "pz").read().sort_by("objectId")
    assert table.num_rows == 600
    flags = table.column("flags").to_numpy()
    assert flags[0] & PZFlag.no_estimate
    assert np.isnan(table.column("z_best").to_numpy()[0])
    assert all(flags[row] & PZFlag.bad_error for row in (1, 2, 3))
    for row in (1, 2, 3, 4):
        assert np.isfinite(table.column("z_best").to_numpy()[row])
        assert table.column("n_bands").to_numpy()[row] == 5
    assert not flags[10] & (PZFlag.no_estimate | PZFlag.bad_error)


# ---- models and settings ------------------------------------------------------------------------------------------


def test_model_of_other_bands(columns, model, tmp_path, write_table):
    kept = {name: values for name, values in columns[0].items() if not name.startswith(("u_", "y_"))}
    source = write_table(tmp_path / "griz.parquet", kept)
    refused_estimate("band", source, tmp_path, model=model, says=["'u', 'y'", "'g', 'r', 'i', 'z'"])


def test_method_of_other_bands(columns, tmp_path, write_table):
    kept = {name: values for name, values in columns[0].items() if not name.startswith(("u_", "y_"))}
    source = write_table(tmp_path / "griz.parquet", kept)
    # Filters that are asked for are bands that must be there; without them the model takes the bands of the table.
    refused_estimate("band", source, tmp_path, "--n-z", "11", "--set", "filters=lsst", says=["'u', 'y'"])


def test_grid_that_does_not_cover_the_training_set(catalogue, redshifts, tmp_path):
    words = ("train", "template", catalogue, tmp_path / "model", "--redshifts", redshifts, "--z-max", "1")
    refused("grid", *words, *SMALL_TRAINING, says=["0 to 1", "Widen the grid"])
    assert not (tmp_path / "model").exists()


def test_training_without_redshifts(catalogue, tmp_path):
    words = ("train", "template", catalogue, tmp_path / "model")
    refused("empty_table", *words, *SMALL_TRAINING, says=["redshift"])
    assert not (tmp_path / "model").exists()


def test_damaged_model(catalogue, model, tmp_path):
    damaged = tmp_path / "model"
    damaged.mkdir()
    for file in model.iterdir():
        content = bytearray(file.read_bytes())
        if file.suffix == ".safetensors":
            content[-1] ^= 1
        (damaged / file.name).write_bytes(content)
    refused_estimate("checksum", catalogue, tmp_path, model=damaged)


def test_settings_for_a_trained_model(catalogue, model, tmp_path):
    words = ("estimate", catalogue, tmp_path / "out", "--model", model, "--set", "n_between=2")
    refused("config", *words, exit_code=2, says=["trained model"])


def test_unknown_method(catalogue, tmp_path):
    refused_estimate("not_found", catalogue, tmp_path, model="templat", says=["templat", "template"])


def test_what_is_there_stays_when_overwriting_fails(catalogue, model, tmp_path):
    out = tmp_path / "out"
    assert pz("estimate", catalogue, out, "--model", model, "-j", 1).exit_code == 0
    before = files(out)
    for words in (("none.parquet", "--model", model), (catalogue, "--model", "nonsense"), (catalogue, "-m", "sdss")):
        assert pz("estimate", words[0], out, *words[1:], "--overwrite").exit_code == 1
        assert files(out) == before


def test_directory_with_other_things_is_left_alone(catalogue, model, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    words = ("estimate", catalogue, out, "--model", model, "--overwrite")
    refused("output_exists", *words, says=["thesis.tex"])
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]


# ---- no space -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["skinny", "pz_pdf"])
def test_no_space_left(catalogue, model, tmp_path, monkeypatch, table):
    out = tmp_path / "out"
    write = HashingFile.write

    def full(self, data):
        if f"/{table}/" in self._file.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    words = ("estimate", catalogue, out, "--model", model, "-j", 1)
    monkeypatch.setattr(HashingFile, "write", full)
    refused("storage", *words, says=["no space left"])
    assert not list(out.rglob("*.tmp"))
    assert not list(out.rglob("[0-9]*-*.parquet"))
    for each in out.rglob("*.parquet"):
        pq.read_table(each)
    monkeypatch.undo()
    assert pz(*words).exit_code == 0


def test_file_size_limit_of_the_system(catalogue, model, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    words = ["estimate", catalogue, tmp_path / "out", "--model", model, "-j", "2"]
    command = [*PZ, *map(str, words)]
    made = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False, timeout=120)
    assert made.returncode == 1, made.stderr
    assert "error[storage]" in made.stderr
    assert "Traceback" not in made.stderr
    assert not (tmp_path / "out").exists()


# ---- interrupts ---------------------------------------------------------------------------------------------------

ROWS, ROWS_PER_PARTITION, LINES_BEFORE = 1000, 20, 6


@pytest.fixture(scope="module")
def many(tmp_path_factory, write_table, make_columns):
    """A catalogue that makes so many partitions that a run can be stopped on its way."""
    changed, _ = make_columns(ROWS)
    return write_table(tmp_path_factory.mktemp("many") / "objects.parquet", changed)


@pytest.fixture(scope="module")
def uninterrupted(many, model, tmp_path_factory):
    root = tmp_path_factory.mktemp("uninterrupted") / "out"
    assert pz(*estimate_words(many, root, model), "-j", 1).exit_code == 0
    return files(root)


def estimate_words(source, out, model):
    return ("estimate", source, out, "--model", model, "--rows-per-partition", ROWS_PER_PARTITION)


def heed_ctrl_c():
    """Also where these tests run in the background of a shell, which has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stopped(command, out, how):
    """Start the command in a group of its own and send a signal when some partitions are done."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - nothing runs in threads here
    )  # fmt: skip
    journal = out / "journal.jsonl"
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") > LINES_BEFORE:
            break
        time.sleep(0.005)
    if how == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, how)
    _, stderr = process.communicate(timeout=60)
    return process, stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_stopped_run_continues_to_the_same_bytes(many, model, uninterrupted, tmp_path, how):
    out = tmp_path / "out"
    words = [str(word) for word in estimate_words(many, out, model)]
    process, stderr = stopped([*PZ, *words, "-j", "2"], out, how)
    assert not (out / "pz" / "manifest.json").exists()
    if how == signal.SIGINT:
        assert process.returncode == 130, stderr
        assert "interrupted; the same command continues" in stderr
        assert "Traceback" not in stderr
    wait_until_alone(process.pid)
    for file in (out / "pz").rglob("Npix=*.parquet"):
        pq.read_table(file)
    again = pz(*words, "-j", 1, "--json")
    assert again.exit_code == 0, again.output
    made = json.loads(again.stdout)
    assert made["n_resumed"] >= LINES_BEFORE - 1
    assert files(out) == uninterrupted
    assert not list(out.rglob(".tmp"))


def wait_until_alone(group):
    """No worker outlives its parent."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a worker lives on")
