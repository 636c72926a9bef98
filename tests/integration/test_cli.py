"""Each command once, on a small catalogue: what it prints, where, and what it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app
from pzcenter.pipelines.demo import run_demo

SET_SMALL = ["--set", "template_set=cwwsb4", "--set", "n_between=0", "--set", "igm=none"]


def pz(*words):
    """Run a command in this process; stdout and stderr apart."""
    return CliRunner().invoke(app, [str(word) for word in words])


def done(*words):
    result = pz(*words)
    assert result.exit_code == 0, result.output
    return result


def done_json(*words):
    """What a command gives with --json."""
    return json.loads(done(*words, "--json").stdout)


@pytest.fixture(scope="module")
def run(catalogue, redshifts, model, tmp_path_factory):
    root = tmp_path_factory.mktemp("run") / "out"
    made = done_json("estimate", catalogue, root, "--model", model, "--truth", redshifts, "-j", 1)
    return root, made


def test_estimate_tells_counts_quality_and_products(run):
    root, made = run
    assert made["counts"]["rows read"] == made["counts"]["objects with p(z)"] == 600
    assert 0 < made["metrics"]["sigma_nmad"]["value"] < 1
    assert made["requirements"]
    for path in made["paths"].values():
        assert Path(path).exists()
    assert (root / "report" / "report.html").stat().st_size > 100_000


def test_estimate_prints_tables_and_paths(catalogue, redshifts, model, tmp_path):
    result = done("estimate", catalogue, tmp_path / "out", "--model", model, "--truth", redshifts, "-j", 1)
    for words in ("objects with p(z)", "Scatter", "LSST goal", str(tmp_path / "out" / "pz_pdf")):
        assert words in result.stdout
    assert "Estimate p(z): done" in result.stderr
    assert "done in" not in result.stdout


def test_objects_of_the_training_are_kept_out_of_the_test(catalogue, redshifts, model, tmp_path):
    half = tmp_path / "half.csv"
    lines = redshifts.read_text().splitlines()
    half.write_text("\n".join(lines[:301]) + "\n")
    words = ("--model", model, "--truth", redshifts, "--trained-on", half, "-j", 1)
    made = done_json("estimate", catalogue, tmp_path / "out", *words)
    assert made["metrics"]["bias"]["n_obj"] == 300


def test_finished_run_is_not_run_again(run, catalogue, model):
    result = pz("estimate", catalogue, run[0], "--model", model)
    assert result.exit_code == 1
    assert "error[output_exists]" in result.stderr
    assert "finished" in result.stderr


def test_dry_run_writes_nothing(catalogue, model, tmp_path):
    words = ("estimate", catalogue, tmp_path / "out", "--model", model, "--dry-run")
    made = done_json(*words)
    assert (made["n_rows"], made["mapping"], made["z_grid"]) == (600, "rubin_gaap", [0.0, 3.0, 61])
    assert made["wall_s"] > 0
    assert made["n_bytes"] > 600 * 61 * 0.1
    assert "nothing was written" in done(*words).stdout
    assert list(tmp_path.iterdir()) == []


def test_train_then_estimate(catalogue, redshifts, tmp_path):
    model = tmp_path / "model"
    words = ("train", "neighbours", catalogue, model, "--redshifts", redshifts, "--z-max", 2.5, "--n-z", 51)
    made = done_json(*words)
    assert (made["method"], made["n_train"], made["n_z"]) == ("neighbours", 600, 51)
    assert done_json("estimate", catalogue, tmp_path / "out", "--model", model, "-j", 1)["metrics"] is None


def test_settings_file_and_settings_of_the_line(catalogue, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("template_set: cwwsb4\nn_between: 3\nigm: none\n")
    words = ("--config", file, "--set", "n_between=0", "--n-z", 31, "-j", 1)
    done("estimate", catalogue, tmp_path / "out", *words)
    stored = (tmp_path / "out" / "model" / "model.yaml").read_text()
    assert "n_between: 0" in stored
    assert "template_set: cwwsb4" in stored


def test_plot_without_and_with_redshifts(run, redshifts, tmp_path):
    root, _ = run
    assert list(done_json("plot", root, "-o", tmp_path)) == ["overview"]
    made = done_json("plot", root, "-o", tmp_path, "--truth", redshifts)
    assert {"overview", "z_phot_z_spec", "pit_qq", "nz", "examples"} <= set(made)


def test_plot_objects(run, redshifts, tmp_path):
    root, _ = run
    made = done_json("plot", root, "-o", tmp_path, "--object-id", 7, "--object-id", 14, "--truth", redshifts)
    assert list(made) == ["pz_7", "pz_14"]
    assert (tmp_path / "pz_7.png").read_bytes().startswith(b"\x89PNG")
    result = pz("plot", root, "-o", tmp_path / "none", "--object-id", 7, "--object-id", 8)
    assert result.exit_code == 1
    assert "no objects [8]" in result.stderr
    assert not (tmp_path / "none").exists()


def test_catalog_info(catalogue):
    made = done_json("catalog", "info", catalogue)
    assert (made["n_rows"], made["mapping"], len(made["columns"])) == (600, "rubin_gaap", 17)
    result = done("catalog", "info", catalogue)
    assert "rubin_gaap" in result.stdout
    assert "i_gaap1p0Flux" in result.stdout


def test_catalog_skinny_counts_every_row(catalogue, tmp_path):
    made = done_json("catalog", "skinny", catalogue, tmp_path / "skinny", "--cut", "i_gaap1p0Flux > 1000")
    assert made["n_in"] == 600 == made["n_out"] + sum(made["n_cut"].values())
    assert made["n_cut"]["i_gaap1p0Flux > 1000"] > 0
    # Once more: it is there already, and is told again.
    assert done_json("catalog", "skinny", catalogue, tmp_path / "skinny", "--cut", "i_gaap1p0Flux > 1000") == made


def test_estimate_of_a_skinny_table(catalogue, model, tmp_path):
    done("catalog", "skinny", catalogue, tmp_path / "skinny")
    made = done_json("estimate", tmp_path / "skinny", tmp_path / "out", "--model", model, "-j", 1)
    assert made["counts"] == {"objects with p(z)": 600}


def test_catalog_convert_and_verify(run, tmp_path):
    root, _ = run
    for name, to in (("pz.fits", None), ("pz.csv", None), ("pdf.hdf5", "qp")):
        made = done_json("catalog", "convert", root, tmp_path / name, *(["--to", to] if to else []))
        assert made["n_rows"] == 600
    assert [entry["table"] for entry in done_json("catalog", "verify", root)] == ["skinny", "pz", "pz_pdf"]


def test_verify_finds_a_changed_file(catalogue, tmp_path):
    root = tmp_path / "skinny"
    done("catalog", "skinny", catalogue, root)
    file = next(root.rglob("Npix=*.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    result = pz("catalog", "verify", root)
    assert result.exit_code == 1
    assert "error[checksum]" in result.stderr
    assert file.name in result.stderr


def test_simulate(tmp_path):
    made = done_json("simulate", tmp_path / "sky", "-n", 300, "--set", "star_fraction=0", "-j", 1)
    assert made["counts"]["objects"] == 300
    assert made["counts"]["of these stars"] == 0
    assert done_json("catalog", "info", made["paths"]["objects"])["mapping"] == "rubin_gaap"


def test_doctor_finds_a_working_installation():
    checks = {check["name"]: check for check in done_json("doctor")}
    assert checks["engine numba"]["result"] == "ok"
    assert checks["engine numpy"]["result"] == "ok"
    assert checks["needed packages"]["result"] == "ok"
    assert {"processors", "memory", "disk", "terminal"} <= set(checks)
    assert "all is well" in done("doctor").stdout


def test_doctor_fails_where_an_engine_is_wrong(monkeypatch):
    from pzcenter.science.engines import numba_engine

    true_fit = numba_engine.NumbaEngine.fit

    def wrong(self, *arguments):
        fit = true_fit(self, *arguments)
        fit.pdf[:] *= 1.01
        return fit

    monkeypatch.setattr(numba_engine.NumbaEngine, "fit", wrong)
    result = pz("doctor")
    assert result.exit_code == 1
    assert "1 checks failed" in result.stdout


def test_methods_and_mappings_are_listed():
    assert {row["name"] for row in done_json("methods")} >= {"template", "trainz", "neighbours"}
    assert "n_between" in done("methods", "template").stdout
    assert "rubin_gaap" in {row["name"] for row in done_json("mappings")}


def test_printed_mapping_can_be_used(catalogue, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(done("mappings", "rubin_gaap").stdout)
    made = done_json("catalog", "skinny", catalogue, tmp_path / "skinny", "--mapping", mine)
    assert made["n_out"] == 600


def test_demo_makes_everything_and_tells_that_it_is_there(tmp_path):
    root = tmp_path / "demo"
    config = {"template_set": "cwwsb4", "n_between": 0, "igm": "none", "calibrate_templates": False}
    steps = []
    report = run_demo(root, n_obj=1000, workers=1, config=config, progress=lambda step, *_: steps.append(step))
    assert list(dict.fromkeys(steps)) == ["simulate", "skinny", "train", "estimate", "validate"]
    counts = report.counts
    n_cut = sum(n for name, n in counts.items() if name.startswith("removed"))
    assert counts["objects with p(z)"] + n_cut == counts["objects simulated"] == 1000
    n_used = counts["galaxies for the test, i < 25.3"] + counts["redshifts for calibration"]
    assert 0 < n_used <= 1000 - counts["of these stars"]
    for path in report.paths.values():
        assert path.exists()
    result = pz("demo", root)
    assert result.exit_code == 1
    assert "finished demo" in result.stderr
    assert "report.html" in result.stderr


def test_demo_needs_enough_objects(tmp_path):
    result = pz("demo", tmp_path / "demo", "-n", 10)
    assert result.exit_code == 2
    assert "at least 1000" in result.stderr
    assert not (tmp_path / "demo").exists()


def test_pipe_gets_plain_text_and_a_broken_pipe_is_quiet():
    command = f"{sys.executable} -c 'from pzcenter.cli import main; main()' mappings | head -1"
    made = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=60)
    assert made.stdout.split() == ["name", "bands", "what", "for"]
    assert made.stderr == ""
