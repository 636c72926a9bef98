"""The report in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import shutil

import pytest

from pzcenter.validation import RunFacts, make_report

CHROMIUM = shutil.which("chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def report(sample, table, tmp_path_factory):
    facts = RunFacts(title="<b>Report</b> & more", model={"method": "made up"}, command="pz estimate " + "x" * 300)
    return make_report(tmp_path_factory.mktemp("report") / "report.html", sample, table, facts=facts)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


def opened(browser, report, **settings):
    """Page of the report, with what it asked for and what it complained of."""
    page = browser.new_page(**settings)
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report.as_uri())
    return page, requests, complaints


def test_shows_everything_and_asks_for_nothing(browser, report):
    page, requests, complaints = opened(browser, report, viewport={"width": 1200, "height": 900})
    assert page.locator("h1").inner_text() == "<b>Report</b> & more"
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    images = page.locator("img")
    assert images.count() >= 4
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
    page.close()


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_sticks_out(browser, report, width):
    page, *_ = opened(browser, report, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_is_dark_where_the_reader_wants_it(browser, report):
    colours = []
    for scheme in ("light", "dark"):
        page, *_ = opened(browser, report, color_scheme=scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert colours[0] != colours[1]
