"""Signing in with identity providers: the code flow against a provider that runs, good and bad."""

import importlib.util
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from pzcenter.server import create_app
from pzcenter.server.services.principal import principal_of
from pzcenter.server.settings import OidcProvider, ServerSettings
from pzcenter.server.storage.accounts import (
    Group,
    Identity,
    Invitation,
    Membership,
    Role,
    User,
    UserState,
    WebSession,
)
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import Product, ProductState
from pzcenter.server.storage.releases import Release, ReleaseRight
from pzcenter.server.storage.sign_ins import SignInAttempt

spec = importlib.util.spec_from_file_location("identity_provider", Path(__file__).parent / "identity_provider.py")
identity_provider = importlib.util.module_from_spec(spec)
spec.loader.exec_module(identity_provider)

BASE = "http://testserver"
WEB = httpx2.Client(trust_env=False)
"""Stands for the browser while it is at a provider."""


@pytest.fixture(scope="module")
def providers():
    """Two providers: one with RSA and a client secret, one with elliptic curves and none."""
    rubin = identity_provider.Provider()
    cilogon = identity_provider.Provider(kind="EC", client_secret=None, client_id="pz-public")
    with identity_provider.running(rubin), identity_provider.running(cilogon), WEB:
        yield {"rubin": rubin, "cilogon": cilogon}


@pytest.fixture
def rubin(providers):
    provider = providers["rubin"]
    provider.fault = ""
    provider.person = {"sub": "1001", "preferred_username": "ada", "name": "Ada L.", "email": "ada@example.org"}
    return provider


@pytest.fixture
def cilogon(providers):
    provider = providers["cilogon"]
    provider.fault = ""
    provider.person = {"sub": "http://cilogon.org/serverA/users/7", "name": "A. L.", "email": "ada@example.org"}
    return provider


class Site:
    """A server with identity providers, and browsers that come to it."""

    def __init__(self, tmp_path, providers, **settings):
        secret = tmp_path / "secret"
        secret.write_text("a secret\n")
        self.settings = ServerSettings(
            data_dir=tmp_path / "server", base_url=BASE, allowed_hosts=["testserver"],
            oidc=[
                OidcProvider(
                    name=name, title=name.title(), issuer=each.issuer, client_id=each.client_id,
                    client_secret_file=secret if each.client_secret else None, admits=name == "rubin",
                    groups_claim="groups",
                )
                for name, each in providers.items()
            ], **settings,
        )  # fmt: skip
        self.app = create_app(self.settings)
        self.services = self.app.state.services
        with self.services.database.writing() as session:
            session.add_all(Release(name=name) for name in ("dp1", "dp2"))

    def browser(self):
        return TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)

    def come(self, browser, name, **parameters):
        """Sign in with a provider, all the way; the last answer of the server."""
        gone = browser.get(f"/sign-in/{name}", params=parameters)
        assert gone.status_code == 303, gone.text
        return self.back(browser, gone.headers["location"])

    def back(self, browser, address):
        there = WEB.get(address)
        assert there.headers["location"].startswith(BASE)
        return browser.get(there.headers["location"])

    def user(self, session, name):
        return session.scalars(select(User).where(User.username == name)).one()

    def link(self, browser, name):
        csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/sign-out").text)[1]
        asked = browser.post(f"/sign-in/{name}", data={"csrf": csrf, "next": "/me"})
        assert asked.status_code == 200, asked.text
        address = re.search(r'href="(http://127[^"]+)"', asked.text)[1].replace("&amp;", "&")
        return self.back(browser, address)


@pytest.fixture
def site(tmp_path, rubin, cilogon):
    opened = Site(tmp_path, {"rubin": rubin, "cilogon": cilogon})
    yield opened
    opened.services.close()


def me(browser):
    return browser.get("/api/v2/me").json()


def test_the_code_flow(site, rubin):
    rubin.person["data_rights"] = ["dp1", "dp9"]
    browser = site.browser()
    back = site.come(browser, "rubin", next="/products?q=a")
    assert back.status_code == 303 and back.headers["location"] == "/products?q=a"
    asked = rubin.asked[-1]
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) > 30 and len(asked["nonce"]) > 30 and "openid" in asked["scope"].split()
    assert me(browser)["username"] == "ada" and me(browser)["releases"] == ["dp1"]
    with site.services.database.reading() as session:
        identity = session.scalars(select(Identity)).one()
        assert identity.subject == "1001" and identity.claims["releases"] == ["dp1", "dp9"]
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 0


def test_a_provider_without_a_client_secret_and_with_elliptic_curves(tmp_path, rubin, cilogon):
    site = Site(tmp_path, {"rubin": rubin, "cilogon": cilogon}, registration="approval")
    answer = site.come(site.browser(), "cilogon")
    assert answer.status_code == 403 and "waits for approval" in answer.text
    site.services.close()


def test_rights_are_given_and_taken_back(site, rubin):
    rubin.person["data_rights"] = "dp1 dp2"
    site.come(site.browser(), "rubin")
    with site.services.database.writing() as session:
        user = site.user(session, "ada")
        dp1, dp2 = (session.scalars(select(Release).where(Release.name == name)).one() for name in ("dp1", "dp2"))
        assert principal_of(session, user).release_ids == {dp1.id, dp2.id}
        session.add(ReleaseRight(release_id=dp2.id, user_id=user.id))
    rubin.person.pop("data_rights")
    site.come(site.browser(), "rubin")
    with site.services.database.reading() as session:
        # What an admin gave stays; what the provider gave is gone.
        assert principal_of(session, site.user(session, "ada")).release_ids == {dp2.id}
        events = session.scalars(select(AuditEvent.detail).where(AuditEvent.action == "identity.rights")).all()
        assert [(len(each["given"]), len(each["taken"])) for each in events] == [(2, 0), (0, 2)]


def test_who_has_the_claim_sees_that_release_only(site, rubin):
    rubin.person["data_rights"] = ["dp1"]
    browser = site.browser()
    site.come(browser, "rubin")
    with site.services.database.writing() as session:
        other = User(username="owner", state=UserState.ACTIVE)
        releases = session.scalars(select(Release).order_by(Release.name)).all()
        session.add_all(
            Product(product_type_id=2, owner=other, release=each, display_name=each.name, state=ProductState.PUBLISHED)
            for each in releases
        )
    names = lambda: [each["display_name"] for each in browser.get("/api/v2/products").json()["items"]]  # noqa: E731
    assert names() == ["dp1"]
    rubin.person["data_rights"] = []
    site.come(browser, "rubin")
    assert names() == []
    assert browser.get("/api/v2/products/1").status_code == 404


@pytest.mark.parametrize("claim", [None, 7, {"dp1": True}, [["dp1"]], "", "\0", ["DP1", "dp1 "], ["x" * 300]])
def test_claims_of_unknown_kinds_give_nothing(site, rubin, claim):
    rubin.person["data_rights"] = claim
    answer = site.come(site.browser(), "rubin")
    assert answer.status_code == 403 and "no account here" in answer.text


@pytest.mark.parametrize(("fault", "words"), identity_provider.FAULTS.items())
def test_a_provider_that_misbehaves(site, rubin, fault, words):
    rubin.person["data_rights"] = ["dp1"]
    rubin.fault = fault
    browser = site.browser()
    answer = site.come(browser, "rubin")
    assert answer.status_code == (503 if fault == "userinfo fails" else 401), answer.text
    assert words in re.search(r'role="alert">([^<]*)', answer.text)[1]
    assert "pz_session" not in browser.cookies
    with site.services.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0
        assert session.scalar(select(func.count()).select_from(WebSession)) == 0
        assert session.scalars(select(AuditEvent.action)).all() == ["user.sign_in_failed"]


def test_a_provider_that_refuses(site, rubin):
    rubin.person = {}
    answer = site.come(site.browser(), "rubin")
    assert answer.status_code == 401 and "access_denied" in answer.text


def test_a_new_key_is_looked_for(site, rubin):
    rubin.person["data_rights"] = ["dp1"]
    site.come(site.browser(), "rubin")
    rubin.turn_key()
    assert site.come(site.browser(), "rubin").status_code == 401  # not more often than once a minute
    site.services.providers._clock = lambda: 1e12
    assert site.come(site.browser(), "rubin").status_code == 303


def test_state_belongs_to_one_browser_and_is_used_once(site, rubin):
    rubin.person["data_rights"] = ["dp1"]
    victim, attacker = site.browser(), site.browser()
    gone = attacker.get("/sign-in/rubin").headers["location"]
    back = WEB.get(gone).headers["location"]
    # An attacker's answer of the provider in a victim's browser: the victim would be signed in as the attacker.
    assert victim.get(back).status_code == 401
    victim.get("/sign-in/rubin")
    assert victim.get(back).status_code == 401
    assert attacker.get(back.replace("state=", "state=x")).status_code == 401
    assert attacker.get(back).status_code == 401  # the wrong state has used it up
    gone = attacker.get("/sign-in/rubin").headers["location"]
    back = WEB.get(gone).headers["location"]
    kept = dict(attacker.cookies)
    assert attacker.get(back).status_code == 303
    again = TestClient(site.app, cookies=kept, follow_redirects=False)
    assert again.get(back).status_code == 401


def test_an_old_attempt_is_refused(site, rubin):
    browser = site.browser()
    back = WEB.get(browser.get("/sign-in/rubin").headers["location"]).headers["location"]
    with site.services.database.writing() as session:
        session.scalars(select(SignInAttempt)).one().expires_at = now()
    assert browser.get(back).status_code == 401


def test_an_answer_of_another_provider_is_refused(site, rubin, cilogon):
    browser = site.browser()
    back = WEB.get(browser.get("/sign-in/rubin").headers["location"]).headers["location"]
    assert browser.get(back.replace("/rubin/", "/cilogon/")).status_code == 401


def test_two_providers_map_to_one_account(site, rubin, cilogon):
    rubin.person["data_rights"], cilogon.person["data_rights"] = ["dp1"], ["dp1", "dp2"]
    browser = site.browser()
    site.come(browser, "rubin")
    linked = site.link(browser, "cilogon")
    assert linked.status_code == 303 and linked.headers["location"] == "/me"
    other = site.browser()
    assert site.come(other, "cilogon").status_code == 303
    assert me(other)["username"] == me(browser)["username"] == "ada" and me(other)["releases"] == ["dp1", "dp2"]
    # Each provider takes back what it gave, and no more.
    cilogon.person["data_rights"] = []
    site.come(other, "cilogon")
    assert me(other)["releases"] == ["dp1"]
    identities = other.get("/api/v2/me/identities").json()
    assert [each["provider"] for each in identities] == ["Rubin", "Cilogon"]


def test_an_identity_is_not_taken_from_its_account(site, rubin, cilogon):
    rubin.person["data_rights"] = ["dp1"]
    mine = site.browser()
    site.come(mine, "rubin")
    rubin.person = {"sub": "2002", "preferred_username": "eve", "data_rights": ["dp1"]}
    other = site.browser()
    site.come(other, "rubin")
    site.link(mine, "cilogon")
    answer = site.link(other, "cilogon")
    assert answer.status_code == 409 and "another account" in answer.text


def test_the_same_e_mail_address_links_nothing(tmp_path, rubin, cilogon):
    site = Site(tmp_path, {"rubin": rubin, "cilogon": cilogon}, registration="approval")
    rubin.person["data_rights"] = ["dp1"]
    site.come(site.browser(), "rubin")
    cilogon.person |= {"email_verified": True, "preferred_username": "ada", "data_rights": ["dp1"]}
    assert "waits for approval" in site.come(site.browser(), "cilogon").text
    with site.services.database.reading() as session:
        users = {user.username: user.state for user in session.scalars(select(User))}
        assert users == {"ada": UserState.ACTIVE, "ada-2": UserState.PENDING}
    site.services.close()


def test_linking_needs_the_session_that_began_it(site, rubin, cilogon):
    rubin.person["data_rights"] = ["dp1"]
    browser = site.browser()
    site.come(browser, "rubin")
    assert browser.post("/sign-in/cilogon").status_code == 403
    assert browser.post("/sign-in/cilogon", data={"csrf": "guess"}).status_code == 403
    assert site.browser().post("/sign-in/cilogon", data={"csrf": ""}).status_code == 401
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/sign-out").text)[1]
    page = browser.post("/sign-in/cilogon", data={"csrf": csrf}).text
    back = WEB.get(re.search(r'href="(http://127[^"]+)"', page)[1].replace("&amp;", "&")).headers["location"]
    browser.cookies.delete("pz_session")
    assert browser.get(back).status_code == 401
    with site.services.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Identity)) == 1


def test_unlinking_takes_rights_back(site, rubin, cilogon):
    rubin.person["data_rights"], cilogon.person["data_rights"] = ["dp1"], ["dp2"]
    cilogon.person["groups"] = ["team"]
    browser = site.browser()
    site.come(browser, "rubin")
    site.link(browser, "cilogon")
    assert me(browser)["groups"] == ["cilogon:team"]
    numbers = [each["id"] for each in browser.get("/api/v2/me/identities").json()]
    csrf = {"X-CSRF-Token": re.search(r'name="csrf" value="([^"]+)"', browser.get("/sign-out").text)[1]}
    assert browser.delete(f"/api/v2/me/identities/{numbers[1]}").status_code == 403
    assert browser.delete(f"/api/v2/me/identities/{numbers[1]}", headers=csrf).status_code == 204
    assert me(browser)["releases"] == ["dp1"] and me(browser)["groups"] == []
    assert browser.delete(f"/api/v2/me/identities/{numbers[0]}", headers=csrf).status_code == 409


def test_groups_follow_the_claim(site, rubin):
    rubin.person |= {"data_rights": ["dp1"], "groups": ["/lsst/pz", "g_users", "bad\nname", "team"]}
    with site.services.database.writing() as session:
        session.add(Group(name="team"))
    browser = site.browser()
    site.come(browser, "rubin")
    assert me(browser)["groups"] == ["rubin:g_users", "rubin:lsst:pz", "rubin:team"]
    with site.services.database.reading() as session:
        assert session.scalars(select(Group).where(Group.name == "team")).one().memberships == []
        assert "identity.groups_left_out" in session.scalars(select(AuditEvent.action)).all()
    answer = browser.get("/api/v2/groups/rubin:lsst:pz")
    assert answer.status_code == 200 and answer.json()["source"] == "provider"
    rubin.person["groups"] = ["g_users"]
    site.come(browser, "rubin")
    assert me(browser)["groups"] == ["rubin:g_users"]
    with site.services.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Membership)) == 1


def test_an_invitation_opens_the_door(site, rubin):
    from pzcenter.server.services.invitations import invite

    with site.services.database.writing() as session:
        boss = User(username="boss", role=Role.ADMIN, state=UserState.ACTIVE)
        session.add(boss)
        session.flush()
        _, code = invite(session, principal_of(session, boss), releases=["dp2"])
    browser = site.browser()
    assert site.come(browser, "rubin", invitation=code).status_code == 303
    assert me(browser)["releases"] == ["dp2"]
    assert site.browser().get("/sign-in/rubin", params={"invitation": code}).status_code == 404
    with site.services.database.reading() as session:
        assert session.scalars(select(Invitation)).one().used_by_id == site.user(session, "ada").id


def test_somebody_disabled_stays_out(site, rubin):
    rubin.person["data_rights"] = ["dp1"]
    browser = site.browser()
    site.come(browser, "rubin")
    with site.services.database.writing() as session:
        site.user(session, "ada").state = UserState.DISABLED
    assert browser.get("/api/v2/me").status_code == 401
    assert site.come(site.browser(), "rubin").status_code == 401


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil", "/\t/evil", "javascript:1", ""])
def test_no_open_redirect(site, rubin, path):
    rubin.person["data_rights"] = ["dp1"]
    assert site.come(site.browser(), "rubin", next=path).headers["location"] == "/"


def test_provider_that_is_not_there(tmp_path, rubin):
    dead = identity_provider.Provider(issuer="http://127.0.0.1:9")
    site = Site(tmp_path, {"rubin": dead})
    answer = site.browser().get("/sign-in/rubin")
    assert answer.status_code == 503 and "does not answer" in answer.text
    assert site.browser().get("/sign-in/nobody").status_code == 404
    site.services.close()


@pytest.mark.parametrize(
    "change", [{"issuer": "https://evil.example"}, {"token_endpoint": "ftp://x"}, {"jwks_uri": None}, []]
)
def test_what_a_provider_says_of_itself_is_checked(site, rubin, change):
    good = WEB.get(f"{rubin.issuer}/.well-known/openid-configuration").json()
    site.services.providers._fetch = lambda _address: good | change if change else {}
    assert site.browser().get("/sign-in/rubin").status_code == 503


def test_secrets_of_the_client_are_shown_to_nobody(site, rubin):
    gone = site.browser().get("/sign-in/rubin").headers["location"]
    assert "secret" not in gone and "client_secret" not in parse_qs(urlsplit(gone).query)
    assert "a secret" not in site.browser().get("/sign-in").text
