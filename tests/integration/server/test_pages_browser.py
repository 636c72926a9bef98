"""The pages in a real browser against a true server: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import shutil
import socket
import threading
import time

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

from pzcenter.server import create_app
from pzcenter.server.services.passwords import hash_password
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Role, User, UserState
from pzcenter.server.storage.releases import Release

CHROMIUM = shutil.which("chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PASSWORD = "a long pass phrase 7"
WIDTHS = (390, 1280)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server of its own, on a free port of this machine."""
    import uvicorn

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ServerSettings(
        data_dir=tmp_path_factory.mktemp("server"), base_url=f"http://127.0.0.1:{port}", site_name="PZ Server",
        site_contact="help@example.org", job_workers=0, registration="approval", requests_per_minute=100_000,
    )  # fmt: skip
    app = create_app(settings)
    with app.state.services.database.writing() as session:
        session.add(Release(name="dp1", display_name="DP1", is_public=True))
        for name, role in (("ada", Role.USER), ("carl", Role.COORDINATOR), ("root", Role.ADMIN)):
            words = {"display_name": name.capitalize(), "password_hash": hash_password(PASSWORD)}
            session.add(User(username=name, role=role, state=UserState.ACTIVE, **words))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    yield settings.base_url
    server.should_exit = True
    thread.join(20)
    app.state.services.close()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Where pictures of the pages are kept; pytest keeps the folders of its last runs, or the one of --basetemp."""
    return tmp_path_factory.mktemp("pictures")


class Watched:
    """A page whose requests and complaints are noted."""

    def __init__(self, context, address):
        self.context, self.address = context, address
        self.page = context.new_page()
        self.complaints, self.elsewhere, self.refused = [], [], []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._look)
        self.page.on("response", lambda answer: self.refused.append((answer.status, answer.url))
                     if answer.status >= 400 else None)  # fmt: skip

    def _note(self, message):
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _look(self, request):
        if not request.url.startswith((self.address, "data:", "about:")):
            self.elsewhere.append(request.url)

    def go(self, path):
        self.page.goto(self.address + path)
        return self.page

    def sign_in(self, name):
        page = self.go("/sign-in")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(self.address + "/")
        return self

    def check(self):
        assert self.elsewhere == []
        assert self.complaints == []
        assert self.refused == []


@pytest.fixture
def watched(browser, address):
    opened = []

    def open_one(width=1280, scheme="light", **more):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
        context.set_default_timeout(15_000)
        opened.append(context)
        return Watched(context, address)

    yield open_one
    for context in opened:
        context.close()


def table(folder, n=300):
    rng = np.random.default_rng(1)
    lines = ["id,ra,dec,z_spec,mag_i"]
    for i in range(n):
        ra, dec = rng.uniform(52, 54), rng.uniform(-29, -27)
        lines.append(f"{1000 + i},{ra:.6f},{dec:.6f},{rng.gamma(2, 0.4):.4f},{rng.normal(23, 1):.3f}")
    path = folder / "spectra.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def product(browser, address, pictures, tmp_path_factory):
    """The path of a product that came through the wizard, with all that people do on the way."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    watched = Watched(context, address).sign_in("ada")
    page = watched.go("/upload")
    page.get_by_label("Name *").fill("Spectra of the deep field")
    page.get_by_label("Reference Redshift Catalog").check()
    page.get_by_label("Description").fill(
        "## What it is\n\nRedshifts of *300* galaxies.\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )
    page.get_by_label("Tags").fill("deep, spectra")
    page.get_by_role("button", name="Go on to the files").click()
    page.get_by_label("File", exact=True).set_input_files(table(tmp_path_factory.mktemp("table")))
    page.get_by_role("button", name="Upload", exact=True).click()
    page.wait_for_url("**/columns")
    for column, meaning in (("id", "ID"), ("ra", "RA"), ("dec", "Dec"), ("z_spec", "z")):
        assert page.get_by_label(f"Meaning of {column}", exact=True).input_value() == meaning
    assert page.locator(".plots svg").count() >= 2
    look(page, pictures / "columns-1280-light.png", 1280)
    page.get_by_label("Unit of ra", exact=True).fill("deg")
    page.get_by_role("button", name="Accept and go on").click()
    page.get_by_role("button", name="Publish").click()
    page.wait_for_url("**/products/*")
    path = page.url.removeprefix(address)
    watched.check()
    context.close()
    return path


def test_wizard_ends_in_a_product_that_is_found(watched, product):
    one = watched().sign_in("carl")
    page = one.go("/products")
    page.get_by_label("Search", exact=True).fill("deep field")
    page.wait_for_url("**/products?q=deep*field&order=-created_at")
    page.get_by_role("link", name="Spectra of the deep field").click()
    page.wait_for_url("**" + product)
    assert page.locator(".prose em").inner_text() == "300"
    assert page.get_by_text("Not validated.").is_visible()
    assert page.locator("#plots figure:has-text('Sky') path.dot").count() > 0
    assert page.locator("#plots figure:has-text('Redshift') rect.bar").count() > 10
    page.locator("#table").scroll_into_view_if_needed()
    page.wait_for_selector("#rows table")
    assert page.locator("#rows tbody tr").count() == 25
    page.locator("#rows").get_by_role("link", name="z_spec").click()
    page.wait_for_selector('#rows th[aria-sort="ascending"]')
    first = float(page.locator("#rows tbody tr").first.locator("td").nth(4).inner_text())
    assert first < 0.2
    page.locator("#rows").get_by_role("link", name="Next").click()
    page.wait_for_selector("#rows caption:has-text('Rows 26')")
    one.check()


def test_help_is_asked_for_by_keyboard(watched):
    """A request without a mouse, and without a word to anybody else."""
    one = watched().sign_in("root")
    page = one.go("/help/requests")
    page.get_by_label("Subject").fill("A column is missing")
    page.get_by_label("What is it about?").fill("Where is **z_err**?")
    page.get_by_label("Challenge").press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('A column is missing')")
    page.get_by_label("Add to it").fill("It is there.")
    page.get_by_role("button", name="Send").click()
    page.wait_for_selector("text=It is there.")
    page.get_by_role("button", name="Close").click()
    page.wait_for_selector("text=Open again")
    one.check()


def test_comment_and_official(watched, product):
    one = watched().sign_in("carl")
    page = one.go(product)
    page.get_by_label("Your comment").fill("Good **work** <script>alert(1)</script>")
    page.get_by_role("button", name="Comment").click()
    page.wait_for_url("**#comment-*")
    assert page.locator(".comment strong").nth(1).inner_text() == "work"
    page.get_by_role("button", name="Make official").click()
    page.wait_for_selector(".badge.good")
    page.get_by_role("button", name="No longer official").click()
    page.wait_for_selector("text=Not validated.")
    one.check()


def test_token_and_sign_out(watched, product):
    one = watched().sign_in("ada")
    page = one.go("/account/tokens")
    page.get_by_label("What it is for *").fill("laptop")
    page.get_by_role("button", name="Make it").click()
    secret = page.locator("#new-token").inner_text()
    assert len(secret) > 20
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Revoke laptop").click()
    page.wait_for_selector("text=You have none.")
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url(one.address + "/")
    one.go(product)
    assert "/sign-in?next=" in page.url
    one.check()


PAGES = {
    "front": "/", "products": "/products", "product": None, "table": "{product}/table?where=z_spec<1",
    "plot": "{product}/plot?x=z_spec&y=mag_i", "edit": "{product}/edit",
    "share": "{product}/share", "delete": "{product}/delete", "upload": "/upload", "account": "/account",
    "tokens": "/account/tokens", "jobs": "/jobs", "make": "/make", "make-training": "/make/training-set",
    "make-combine": "/make/combined-redshifts", "help": "/help", "questions": "/help/questions",
    "help-desk": "/help/requests", "status": "/help/status", "cooperative": "/cooperative", "groups": "/groups",
    "admin": "/admin", "admin-users": "/admin/users", "admin-user": "/admin/users/ada",
    "admin-invitations": "/admin/invitations",
    "admin-releases": "/admin/releases", "admin-release": "/admin/releases/dp1", "admin-audit": "/admin/audit",
}  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit(watched, product, pictures, width, scheme):
    nobody = watched(width, scheme)
    for name, path in (("welcome", "/"), ("sign-in", "/sign-in"), ("register", "/register")):
        look(nobody.go(path), pictures / f"{name}-{width}-{scheme}.png", width)
    nobody.check()
    one = watched(width, scheme).sign_in("root")
    for name, path in PAGES.items():
        page = one.go(product if path is None else path.format(product=product))
        page.wait_for_load_state("networkidle")
        look(page, pictures / f"{name}-{width}-{scheme}.png", width)
    one.check()
    page = one.go("/products/222222222222")
    look(page, pictures / f"not-found-{width}-{scheme}.png", width)
    assert page.get_by_text("Request").is_visible()


def look(page, picture, width):
    page.screenshot(path=picture, full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, picture.name
    faults = page.evaluate(CONTRAST)
    assert faults == [], (picture.name, faults)
    nameless = page.evaluate(NAMELESS)
    assert nameless == [], (picture.name, nameless)
    assert page.locator("h1").count() == 1


NAMELESS = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, progress")]
  .filter(each => !(each.labels && each.labels.length) && !each.getAttribute("aria-label")
          && !each.textContent.trim() && !each.querySelector("img[alt], title"))
  .map(each => each.outerHTML.slice(0, 120))"""
CONTRAST = """() => {
  const numbers = text => (text.match(/[0-9.]+/g) || []).map(Number);
  const light = ([r, g, b]) => { const f = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const behind = each => { for (; each; each = each.parentElement) {
    const colour = numbers(getComputedStyle(each).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour; }
    return [255, 255, 255]; };
  const faults = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const each = walker.currentNode.parentElement, style = getComputedStyle(each);
    if (!walker.currentNode.textContent.trim() || !each.getClientRects().length) continue;
    if (each.closest("svg, [disabled], .skip")) continue;
    const a = light(numbers(style.color)), b = light(behind(each));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.add(each.tagName + "." + each.className + " " + ratio.toFixed(2));
  }
  return [...faults];
}"""


def test_search_by_keyboard_alone(watched, product):
    one = watched().sign_in("ada")
    page = one.go("/products")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the contents"
    page.keyboard.press("Enter")
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "f-q":
            break
    assert page.evaluate("document.activeElement.id") == "f-q"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.type("spectra")
    page.wait_for_url("**/products?q=spectra*")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Spectra of the deep field":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**" + product)
    one.check()


def test_theme_is_chosen_and_kept(watched):
    one = watched(scheme="light")
    page = one.go("/")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark").click()
    page.wait_for_selector(':root[data-theme="dark"]')
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    page.goto(one.address + "/help")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == after
    one.check()


def test_everything_works_without_scripts(watched, product, tmp_path):
    one = watched(java_script_enabled=False).sign_in("ada")
    page = one.go("/products")
    page.get_by_label("Search", exact=True).fill("deep")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Spectra of the deep field").click()
    page.get_by_role("link", name="Look at the table").click()
    assert page.locator("#rows tbody tr").count() == 25
    page = one.go("/upload")
    page.get_by_label("Name *").fill("Plain form")
    page.get_by_label("Other").check()
    page.get_by_role("button", name="Go on to the files").click()
    page.get_by_label("File", exact=True).set_input_files(table(tmp_path, 5))
    page.get_by_role("button", name="Upload", exact=True).click()
    page = one.go(page.url.removeprefix(one.address).replace("/columns", "/publish").replace("/files", "/publish"))
    page.get_by_role("button", name="Publish").click()
    assert page.locator("h1").inner_text().startswith("Plain form")
    page.get_by_role("link", name="Delete").click()
    page.get_by_label("Type its name to delete it").fill("Plain form")
    page.get_by_role("button", name="Delete for good").click()
    assert "/products" in page.url
    one.check()


def test_large_file_goes_on_where_it_broke_off(watched, tmp_path):
    """The connection breaks twice; the bytes that are there are not sent again."""
    one = watched().sign_in("ada")
    page = one.go("/upload")
    page.get_by_label("Name *").fill("Large")
    page.get_by_label("Other").check()
    page.get_by_role("button", name="Go on to the files").click()
    sent = []

    def flaky(route):
        if route.request.method == "PATCH":
            sent.append(route.request.headers["upload-offset"])
            if len(sent) in {2, 3}:
                route.abort()
                return
        route.continue_()

    page.route("**/api/v2/uploads/*", flaky)
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(20 * 2**20))
    page.get_by_label("File", exact=True).set_input_files(path)
    page.get_by_role("button", name="Upload", exact=True).click()
    page.wait_for_url("**/columns", timeout=40_000)
    assert sent == ["0", "8388608", "8388608", "8388608", "16777216"]
    assert one.elsewhere == []
    page.goto(page.url.replace("/columns", "/files"))
    assert page.get_by_text("21 MB").first.is_visible()
