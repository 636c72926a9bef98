"""The Validation Cooperative: its tutorial as printed, four real submissions, and the pages in a real browser."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pzcenter.catalogs import verify_manifest
from pzcenter.cli.app import app

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "compare-photo-z-methods.md"
REFERENCE = ROOT / "docs" / "reference" / "comparison-report.md"
DC2 = ROOT / "tests" / "data" / "dc2"
RAIL_OUTPUT = ROOT.parent / "shared" / "data" / "rail_outputs" / "flexzboost.hdf5"
N_TEST = 1500
CHROMIUM = shutil.which("chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def pz(*words):
    return CliRunner().invoke(app, list(map(str, words)))


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """Every block of the tutorial, one after the other; what each command gave."""
    folder = tmp_path_factory.mktemp("tutorial")
    results, names = [], {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for language, block in re.findall(r"```(\w+)\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL):
            if language == "python":
                exec(compile(block, TUTORIAL.name, "exec"), names)
            elif language == "yaml":
                (folder / "comparison.yaml").write_text(block, encoding="utf-8")
            else:
                results += [(line, pz(*shlex.split(line)[1:])) for line in block.splitlines()]
    return folder, results


@pytest.mark.slow
def test_tutorial_works_as_printed(tutorial):
    folder, results = tutorial
    *fine, last = results
    for line, result in fine:
        assert result.exit_code == 0, f"{line}\n{result.output}"
    verify_manifest(folder / "comparison")
    scored = next(result for line, result in fine if line.endswith("--no-pdf"))
    printed = re.search(r"says? in words.*?```\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL).group(1)
    for sentence in printed.splitlines()[1:]:
        assert sentence in scored.stdout
    assert "template is best" in scored.stdout
    assert last[1].exit_code == 1


@pytest.mark.slow
def test_tutorial_ends_with_one_failure_and_nothing_done_twice(tutorial):
    folder, results = tutorial
    output = results[-1][1].output
    assert "not-normalised" in output
    assert "does not integrate to 1 within 5%" in output
    assert "5 of 6 methods were scored by an earlier run" in output
    content = json.loads((folder / "comparison" / "metrics.json").read_text(encoding="utf-8"))
    assert [method["name"] for method in content["methods"] if method["kind"] == "submission"] == [
        "template", "neighbours", "trainz", "guess",
    ]  # fmt: skip
    assert content["methods"][0]["author"] == "A. Author"


def test_reference_example_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    z = rng.uniform(0.1, 2, 100)
    for name, column, values in (("truth", "z_spec", z), ("one", "z_phot", z + 0.02), ("two", "z_phot", z - 0.1)):
        rows = "\n".join(f"{n},{value:.6f}" for n, value in enumerate(values))
        (tmp_path / f"{name}.csv").write_text(f"object_id,{column}\n{rows}\n", encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(compile(block, REFERENCE.name, "exec"), names)
    assert names["html"].startswith("<!DOCTYPE html>") or "<!DOCTYPE html>" in names["html"][:300]


def test_reference_names_every_setting():
    from pzcenter.validation.comparison import ComparisonSettings, SubmissionSettings
    from pzcenter.validation.comparison.settings import LINE_NAMES

    text = REFERENCE.read_text(encoding="utf-8")
    for name in (*ComparisonSettings.model_fields, *SubmissionSettings.model_fields, *LINE_NAMES):
        assert re.search(rf"`[^`]*\b{name}\b[^`]*`", text), name


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """Template fit, nearest neighbours, trainz and a file of RAIL on the DC2 sample, with the controls."""
    if not RAIL_OUTPUT.is_file():
        pytest.skip("the outputs of RAIL are not here")
    folder = tmp_path_factory.mktemp("four")
    _part_of_dc2(folder / "objects.hdf5", RAIL_OUTPUT)
    training = DC2 / "test_dc2_training_9816.hdf5"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert pz("estimate", "objects.hdf5", "template", "--set", "filters=dc2").exit_code == 0
        for method in ("neighbours", "trainz"):
            assert pz("train", method, training, f"{method}-model").exit_code == 0
            done = pz("estimate", "objects.hdf5", method, "--model", f"{method}-model")
            assert done.exit_code == 0, done.output
        result = pz(
            "validate", "run", "objects.hdf5", "template", "neighbours", "trainz", RAIL_OUTPUT,
            "--training", training, "--out", "comparison", "--no-pdf", "--json",
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder / "comparison", json.loads(result.stdout)


def _part_of_dc2(path, rail_output):
    """Some of the objects that RAIL estimated, and some that it did not."""
    with h5py.File(rail_output) as file:
        estimated = file["ancil/object_id"][:]
    with h5py.File(DC2 / "test_dc2_validation_9816.hdf5") as file, h5py.File(path, "w") as part:
        ids = file["photometry/id"][:]
        rng = np.random.default_rng(5)
        there, not_there = (rng.permutation(np.flatnonzero(np.isin(ids, estimated) == has)) for has in (True, False))
        rows = np.sort(np.concatenate([there[: N_TEST - 300], not_there[:300]]))
        for name in file["photometry"]:
            part[f"photometry/{name}"] = file["photometry"][name][:][rows]


@pytest.mark.slow
def test_four_real_submissions_in_one_command(four):
    directory, content = four
    methods = {method["name"]: method for method in content["methods"]}
    assert list(methods) == ["template", "neighbours", "trainz", "flexzboost", "trainz-control", "neighbours-control"]
    assert content["failures"] == []
    assert methods["template"]["coverage"] == 1.0
    assert methods["flexzboost"]["coverage"] == 0.8
    assert content["n_common"] == N_TEST - 300
    sigma = {name: method["metrics"]["sigma_nmad"]["value"] for name, method in methods.items()}
    assert sigma["template"] < 0.03
    assert sigma["neighbours"] < 0.025
    assert sigma["flexzboost"] < 0.025
    assert sigma["trainz"] > 0.15
    verify_manifest(directory)


@pytest.mark.slow
def test_controls_are_the_methods_of_the_same_name(four):
    directory, content = four
    methods = {method["name"]: method for method in content["methods"]}
    for name in ("trainz", "neighbours"):
        own, control = (methods[each]["metrics"]["cde_loss"]["value"] for each in (name, f"{name}-control"))
        assert own == pytest.approx(control, abs=0.02)  # a run is packed in eight bits
    ranks = pq.read_table(directory / "ranks.parquet").to_pylist()
    ksd = {row["method"]: row for row in ranks if row["metric"] == "sigma_nmad"}
    assert ksd["trainz"]["rank"] >= 5
    assert "trainz-control" in ksd["trainz"]["same_as"]


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_in_a_browser(browser, tutorial, width, scheme):
    folder = tutorial[0] / "comparison"
    for path in (folder / "comparison.html", folder / "methods" / "template" / "report.html"):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        requests, complaints = [], []
        page.on("request", lambda request, seen=requests: seen.append(request.url))
        page.on("console", lambda message, seen=complaints: seen.append(message.text))
        page.on("pageerror", lambda error, seen=complaints: seen.append(str(error)))
        page.goto(path.as_uri())
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
        assert complaints == []
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        hidden = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert page.evaluate(hidden) == 0
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 28)"
        assert dark == (scheme == "dark")
        page.close()


@pytest.mark.slow
def test_links_lead_from_page_to_page(browser, tutorial):
    page = browser.new_page()
    page.goto((tutorial[0] / "comparison" / "comparison.html").as_uri())
    page.locator("nav a", has_text="guess").click()
    assert page.locator("h1").inner_text() == "guess"
    page.locator("nav a", has_text="all methods").click()
    assert page.locator("h1").inner_text() == "First comparison"
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
