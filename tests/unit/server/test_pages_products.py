"""The list and the page of products, for people of every kind."""

import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from pzcenter.server.http.requests import COOKIE
from pzcenter.server.services.principal import principal_of
from pzcenter.server.services.tokens import open_session
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import Product, Visibility

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{7*7}}"


class Elements(HTMLParser):
    """Start tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def check_harmless(text):
    """No script but ours, nothing that runs, nothing from elsewhere, all forms with their secret."""
    in_post = False
    for tag, attributes in Elements(text).found:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert "style" not in attributes
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        if tag == "script":
            assert attributes["src"].startswith("/static/")
        if tag == "img":
            assert attributes["src"].startswith("/static/")
        if tag == "a":
            assert not attributes.get("href", "").lower().startswith(("javascript:", "data:"))
        if tag == "form" and attributes.get("method") == "post":
            in_post = attributes["action"] != "/theme"
        if tag == "input" and attributes.get("name") == "csrf":
            assert attributes["value"]
            in_post = False
        if tag == "button":
            assert not in_post, "a form without its secret"


@pytest.fixture
def browser(server):
    """A browser in which somebody is signed in; its ``csrf`` is the secret of the forms."""

    def open_for(name):
        client = TestClient(server.app, raise_server_exceptions=False, follow_redirects=False)
        with server.services.database.writing() as session:
            user = session.query(User).filter_by(username=name).one()
            row, secret = open_session(session, user, hours=1)
            client.csrf = row.csrf
        client.cookies.set(COOKIE, secret)
        return client

    return open_for


@pytest.fixture
def uid(services):
    def of(number):
        with services.database.reading() as session:
            return session.get(Product, number).uid

    return of


def test_nobody_is_asked_to_sign_in(server):
    client = TestClient(server.app, follow_redirects=False)
    answer = client.get("/products?q=a")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/products%3Fq%3Da"
    assert "Sign in" in client.get("/").text


def test_list_says_what_fits(browser, made, principal):
    for name in ("Deep field", "Wide field"):
        made(principal("owner"), name=name)
    client = browser("colleague")
    text = client.get("/products").text
    check_harmless(text)
    assert "Deep field" in text
    assert "of 2 products" in text
    text = client.get("/products?q=deep").text
    assert "Wide field" not in text
    assert "No product fits" in client.get("/products?q=none-such").text
    assert "Deep field" not in client.get("/products?mine=1").text
    assert "Deep field" in browser("owner").get("/products?mine=1").text


@pytest.mark.parametrize(
    "address",
    ["q=%00", "type=nothing", "order=drop", "page=0", "page=99999999999", "page=x", "q=" + "a" * 301, "state=deleted",
     "release=-", "release=none", "owner=%00", "tag=%25%5F"],
)  # fmt: skip
def test_list_of_odd_wishes(browser, address):
    answer = browser("owner").get(f"/products?{address}")
    assert answer.status_code in {200, 400, 422}
    check_harmless(answer.text)


def test_pages_keep_the_wish(browser, made, principal):
    for number in range(27):
        made(principal("owner"), name=f"P{number:02d}", text=None, publish=False)
    text = browser("owner").get("/products?mine=1&order=display_name").text
    following = re.search(r'rel="next" href="([^"]+)"', text)[1].replace("&amp;", "&")
    assert following == "/products?mine=1&order=display_name&page=2"
    assert "of 27" in browser("owner").get(following).text


def test_product_page(browser, made, principal, uid):
    number = made(principal("owner"), name="Good one", description="# Head\n\nSome *words*.", tags=("deep",))
    text = browser("colleague").get(f"/products/{uid(number)}").text
    check_harmless(text)
    for words in (
        "Good one",
        "<em>words</em>",
        "Not validated",
        "a.csv",
        "@misc{pzserver:",
        "PZClient(",
        "deep",
        "<h3>Head",
    ):
        assert words in text
    assert "Edit" not in re.findall(r">([^<]+)</a>", text)
    assert "Edit" in re.findall(r">([^<]+)</a>", browser("owner").get(f"/products/{uid(number)}").text)
    assert "Make official" in browser("coordinator").get(f"/products/{uid(number)}").text


@pytest.mark.parametrize("who", ["outsider", "outside_teammate"])
def test_product_that_one_may_not_see(browser, made, principal, uid, who):
    number = made(principal("owner"), visibility=Visibility.PRIVATE)
    answer = browser(who).get(f"/products/{uid(number)}")
    assert answer.status_code == 404
    assert "My Cat" not in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_text_of_people_does_no_harm(browser, made, principal, uid, services):
    number = made(principal("owner"), name=EVIL, description=EVIL + "\n\n[a](javascript:alert(1)) ![b](http://x.y/z.png)\n\n<b>c</b>",
                  tags=(EVIL[:60],), pz_code=None, citation=EVIL, licence=EVIL)  # fmt: skip
    with services.database.writing() as session:
        product = session.get(Product, number)
        product.doi = product.command = product.failure = EVIL
        product.columns[0].name = product.columns[0].description = product.columns[0].unit = EVIL
        product.files[0].name = EVIL
        product.report = {"warnings": [EVIL], "histograms": [{"column": EVIL, "edges": [0, 1], "counts": [1]}]}
        owner = session.query(User).filter_by(username="owner").one()
        owner.display_name = EVIL
    client = browser("owner")
    posted = client.post(f"/products/{uid(number)}/comments", data={"csrf": client.csrf, "text": EVIL})
    assert posted.status_code == 303
    for address in (f"/products/{uid(number)}", "/products", "/"):
        answer = client.get(address)
        assert answer.status_code == 200
        check_harmless(answer.text)
        assert "<script>alert" not in answer.text
        assert "x.y/z.png" not in answer.text or 'src="http' not in answer.text
    check_harmless(client.get("/products", params={"q": EVIL, "owner": EVIL, "tag": EVIL}).text)


def test_comments_need_the_secret(browser, made, principal, uid):
    number = made(principal("owner"))
    client = browser("colleague")
    for data in ({"text": "hello"}, {"text": "hello", "csrf": "wrong"}):
        assert client.post(f"/products/{uid(number)}/comments", data=data).status_code == 403
    assert (
        client.post(f"/products/{uid(number)}/comments", data={"text": "hello", "csrf": client.csrf}).status_code == 303
    )
    assert "hello" in client.get(f"/products/{uid(number)}").text
    empty = client.post(f"/products/{uid(number)}/comments", data={"text": " ", "csrf": client.csrf})
    assert empty.status_code == 400


def test_comments_are_taken_back_by_their_authors(browser, made, principal, uid):
    number = made(principal("owner"))
    author, other = browser("colleague"), browser("owner")
    where = author.post(f"/products/{uid(number)}/comments", data={"text": "hello", "csrf": author.csrf}).headers[
        "location"
    ]
    address = f"/products/{uid(number)}/comments/{where.rpartition('-')[2]}/delete"
    assert other.post(address, data={"csrf": other.csrf}).status_code == 403
    assert author.post(address, data={"csrf": author.csrf}).status_code == 303
    assert "hello" not in author.get(f"/products/{uid(number)}").text


def test_official_is_for_coordinators(browser, made, principal, uid):
    number = made(principal("owner"))
    owner, coordinator = browser("owner"), browser("coordinator")
    assert owner.post(f"/products/{uid(number)}/official", data={"csrf": owner.csrf, "yes": "1"}).status_code == 403
    answer = coordinator.post(f"/products/{uid(number)}/official", data={"csrf": coordinator.csrf, "yes": "1"})
    assert answer.status_code == 303
    text = owner.get(f"/products/{uid(number)}").text
    assert "Official" in text
    assert "Not validated" not in text


def test_front_page_tells_what_is_mine(browser, made, principal):
    made(principal("owner"), name="A draft", publish=False)
    made(principal("owner"), name="Out there")
    text = browser("owner").get("/").text
    check_harmless(text)
    assert "A draft" in text
    assert "Out there" in text
    assert "A draft" not in browser("colleague").get("/").text
    assert "A draft" not in browser("coordinator").get("/").text


def test_theme_is_kept(browser):
    client = browser("owner")
    assert 'data-theme="auto"' in client.get("/help").text
    answer = client.post("/theme", data={"theme": "dark", "next": "/help"})
    assert answer.headers["location"] == "/help"
    assert 'data-theme="dark"' in client.get("/help").text
    assert client.post("/theme", data={"theme": "x", "next": "//evil.org"}).headers["location"] == "/"
    assert 'data-theme="auto"' in client.get("/help").text


def test_errors_are_pages(browser):
    client = browser("owner")
    answer = client.get("/no-such-page")
    assert answer.status_code == 404
    assert answer.headers["x-request-id"] in answer.text
    assert client.get("/products/UPPERCASE!").status_code == 422
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/style.css").status_code == 200


def test_rights_come_from_the_principal(services, principal):
    with services.database.reading() as session:
        user = session.query(User).filter_by(username="owner").one()
        assert principal_of(session, user).signed_in
