"""The list and the page of products, for people of every kind."""

import re

import pytest
from fastapi.testclient import TestClient

from pzcenter.server.pages import product_list
from pzcenter.server.services import product_search
from pzcenter.server.services.principal import principal_of
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import Product, Visibility

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{7*7}}"


def test_nobody_is_asked_to_sign_in(server):
    client = TestClient(server.app, follow_redirects=False)
    answer = client.get("/products?q=a")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/products%3Fq%3Da"
    assert "Sign in" in client.get("/").text


def test_list_says_what_fits(browser, made, principal, harmless, monkeypatch):
    for name in ("Deep field", "Wide field"):
        made(principal("owner"), name=name)
    client = browser("colleague")
    text = client.get("/products").text
    harmless(text)
    assert "Deep field" in text
    assert "of 2 products" in text
    text = client.get("/products?q=deep").text
    assert "Wide field" not in text
    assert "No product fits" in client.get("/products?q=none-such").text
    assert "Deep field" not in client.get("/products?mine=1").text
    assert "Deep field" in browser("owner").get("/products?mine=1").text
    monkeypatch.setattr(product_search, "MOST", 2)
    monkeypatch.setattr(product_list, "PAGE_SIZE", 1)
    assert "of at least 2 products" in client.get("/products?q=field").text


@pytest.mark.parametrize(
    "address",
    ["q=%00", "type=nothing", "order=drop", "page=0", "page=99999999999", "page=x", "q=" + "a" * 301, "state=deleted",
     "release=-", "release=none", "owner=%00", "tag=%25%5F"],
)  # fmt: skip
def test_list_of_odd_wishes(browser, address, harmless):
    answer = browser("owner").get(f"/products?{address}")
    assert answer.status_code in {200, 400, 422}
    harmless(answer.text)


def test_pages_keep_the_wish(browser, made, principal):
    for number in range(27):
        made(principal("owner"), name=f"P{number:02d}", text=None, publish=False)
    text = browser("owner").get("/products?mine=1&order=display_name").text
    following = re.search(r'rel="next" href="([^"]+)"', text)[1].replace("&amp;", "&")
    assert following == "/products?mine=1&order=display_name&page=2"
    assert "of 27" in browser("owner").get(following).text


def test_product_page(browser, made, principal, uid, harmless):
    number = made(principal("owner"), name="Good one", description="# Head\n\nSome *words*.", tags=("deep",))
    text = browser("colleague").get(f"/products/{uid(number)}").text
    harmless(text)
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


def test_text_of_people_does_no_harm(browser, made, principal, uid, harmless):
    number = made(principal("owner"), name=EVIL, description=EVIL + "\n\n[a](javascript:alert(1)) ![b](http://x.y/z.png)\n\n<b>c</b>",
                  tags=(EVIL[:60],), pz_code=None, citation=EVIL, licence=EVIL)  # fmt: skip
    client = browser("owner")
    with client.services.database.writing() as session:
        product = session.get(Product, number)
        product.doi = product.command = product.failure = EVIL
        product.columns[0].name = product.columns[0].description = product.columns[0].unit = EVIL
        product.files[0].name = EVIL
        product.report = {"warnings": [EVIL], "histograms": [{"column": EVIL, "edges": [0, 1], "counts": [1]}]}
        owner = session.query(User).filter_by(username="owner").one()
        owner.display_name = EVIL
    posted = client.post(f"/products/{uid(number)}/comments", data={"csrf": client.csrf, "text": EVIL})
    assert posted.status_code == 303
    for address in (f"/products/{uid(number)}", "/products", "/"):
        answer = client.get(address)
        assert answer.status_code == 200
        harmless(answer.text)
        assert "<script>alert" not in answer.text
        assert "x.y/z.png" not in answer.text or 'src="http' not in answer.text
    harmless(client.get("/products", params={"q": EVIL, "owner": EVIL, "tag": EVIL}).text)


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


def test_front_page_tells_what_is_mine(browser, made, principal, harmless):
    made(principal("owner"), name="A draft", publish=False)
    made(principal("owner"), name="Out there")
    text = browser("owner").get("/").text
    harmless(text)
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
