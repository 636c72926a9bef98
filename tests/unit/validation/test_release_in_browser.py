"""The report of a release in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from pzcenter.science.sky import healpix29
from pzcenter.validation.release_report import release_report
from pzcenter.validation.release_sums import ReleaseSums

CHROMIUM = shutil.which("chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A release of 60 tracts, more than the page lists."""
    random = np.random.default_rng(0)
    sums = ReleaseSums.empty(np.linspace(0.0, 3.0, 301))
    n_obj = 12_000
    ra, dec = random.uniform(0, 8, n_obj), random.uniform(-30, -24, n_obj)
    z_best = random.uniform(0, 2, n_obj)
    sums.maps.count(healpix29(ra, dec), z_best, random.uniform(0.05, 0.3, n_obj), random.integers(0, 2**15, n_obj))
    sums.nz += random.uniform(size=sums.nz.shape)
    sums.n_nz += n_obj
    sums.best_counts[:200] += 60
    sums.error_counts[1900:2100] += 60
    sums.pit_counts += 240
    sums.totals[:] = n_obj, n_obj, n_obj / 2, n_obj, n_obj / 10, 0.1 * n_obj
    counts = {"n_obj": 200, "n_estimate": 200, "n_flagged": 100, "n_truth": 200, "bias": 0.001, "sigma_nmad": 0.03}
    counts |= {"outlier_fraction": 0.1, "crps": 0.1, "median_z_best": 1.0, "median_z_std": 0.15}
    sums.tracts = [{"tract": 4000 + index, **counts} for index in range(59)]
    sums.tracts.append({"tract": 4431, **counts, "median_z_std": 0.35})
    path = tmp_path_factory.mktemp("report") / "release.html"
    path.write_text(release_report(sums, method="template", title="Release & more"), encoding="utf-8")
    return path


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
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report.as_uri())
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    assert page.locator("h1").inner_text() == "Release & more"
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
    assert page.locator("img").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#tracts tbody tr").count() == 40
    assert page.locator("#tracts tbody tr").first.inner_text().startswith("4431\t")
    assert "The first 40 of 60 tracts" in page.content()
    page.close()
