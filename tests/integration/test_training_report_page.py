"""The report of a training set in a real browser: Debian's chromium, driven by Playwright, without JavaScript."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.training.coverage import coverage
from pzcenter.training.report import make_training_report
from pzcenter.training.split import split

CHROMIUM = shutil.which("chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")


def objects(n, seed):
    rng = np.random.default_rng(seed)
    level = rng.normal(3.2, 0.5, n)
    columns = {"ra": rng.uniform(10, 11, n), "dec": rng.uniform(-1, 1, n), "objectId": np.arange(n)}
    columns |= {f"flux_{band}": 10 ** (level + rng.normal(0, 0.2, n)) for band in "gri"}
    columns |= {f"flux_err_{band}": rng.uniform(20, 40, n) for band in "gri"}
    return pa.table(columns)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    rng, n = np.random.default_rng(0), 400
    table = objects(n, 1)
    texts = {"survey": rng.choice(["VVDS", "<b>X</b>" + "y" * 80], n), "z_type": rng.choice(["s", "g"], n)}
    more = {"z_spec": rng.gamma(2, 0.3, n), "separation_arcsec": rng.rayleigh(0.1, n)}
    more |= {"z_flag": rng.choice([3, 4], n).astype(np.int8), "measurement_id": [f"a:{i}" for i in range(n)]}
    for name, values in (texts | more).items():
        table = table.append_column(name, pa.array(values))
    training, samples = split(table, seed=0, group="objectId")
    target = objects(3000, 2)
    return make_training_report(
        tmp_path_factory.mktemp("report") / "report.html", redshifts=table, training=training, target=target,
        split=samples, coverage=coverage(training, target), title="<b>Set</b> & more", command="pz " + "x" * 400,
        checksums={"/a/path/" + "y" * 200: "ab" * 32}, versions={"numpy": "2"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [390, 1200])
def test_shows_everything_and_asks_for_nothing(browser, report, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report.as_uri())
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    assert page.locator("h1").inner_text() == "<b>Set</b> & more"
    assert page.locator("img").count() >= 12
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_needs_no_scripts(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    page.locator("nav a", has_text="Citations").click()
    assert page.locator("#citations pre").inner_text().startswith("@article{")
    hidden = page.locator("#redshifts details pre")
    assert not hidden.is_visible()
    page.locator("#redshifts summary").click()
    assert hidden.inner_text().startswith(("5/", "6/", "7/", "4/"))
    context.close()


def test_is_dark_where_the_reader_wants_it(browser, report):
    colours = []
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(report.as_uri())
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert colours[0] != colours[1]


def test_fits_on_paper(browser, report):
    page = browser.new_page()
    page.goto(report.as_uri())
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
