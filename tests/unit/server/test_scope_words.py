"""Coordinators with a token for ordinary work are told what the token lacks, and where a better one is made."""

from pzcenter.server.services.principal import Scope

ORDINARY = (Scope.READ, Scope.WRITE)


def test_a_token_for_ordinary_work_says_what_it_lacks(server, principal, made):
    number = made(principal("owner"), visibility="shared")
    client = server.client("coordinator", scopes=ORDINARY)
    refused = client.post("/api/v2/invitations", json={})
    assert refused.status_code == 403
    assert "this token is for read, write; admin is needed" in refused.json()["detail"]
    assert "'act as coordinator or admin' on the page Tokens" in refused.json()["detail"]
    assert server.client("coordinator").get(f"/api/v2/products/{number}").status_code == 200
    words = [client.get(f"/api/v2/products/{each}").json()["detail"] for each in (number, 999)]
    assert words == [
        f"no product {each}; your pages may show more than this token, which is not for admin" for each in (number, 999)
    ]


def test_others_are_told_no_more(server, principal, made):
    number = made(principal("owner"), visibility="shared")
    for client in (server.client("outsider"), server.client("coordinator")):
        assert client.get("/api/v2/products/999").json()["detail"] == "no product 999"
    assert server.client("outsider").get(f"/api/v2/products/{number}").json()["detail"] == f"no product {number}"


def test_the_page_calls_scopes_as_the_errors_do(browser):
    page = browser("coordinator").get("/account/tokens").text
    for words in ("look and download", "upload and change", "act as coordinator or admin"):
        assert words in page
    assert "act as coordinator" not in browser("owner").get("/account/tokens").text
