"""The help desk: somebody asks, a coordinator answers, nobody else learns of it."""

import pytest

from pzcenter.server.services import help_desk, limits
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.base import now
from pzcenter.server.storage.cooperative import Challenge, ChallengeState

ASK = {"subject": "  A column\n is missing ", "text": "Where is **z_err**?"}


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(limits, "HELP_PER_MINUTE", 10_000)


def test_from_the_question_to_the_end(server, made, principal):
    owner, curator = server.client("owner"), server.client("coordinator")
    number = made(principal("owner"))
    asked = owner.post("/api/v2/tickets", json=ASK | {"product": number})
    assert asked.status_code == 201, asked.text
    told = asked.json()
    assert (told["subject"], told["state"], told["author"]) == ("A column is missing", "open", "owner")
    assert told["product_id"] == number
    where = f"/api/v2/tickets/{told['uid']}"
    for stranger in ("colleague", "teammate", "outsider"):
        other = server.client(stranger)
        assert other.get(where).status_code == 404
        assert other.post(f"{where}/messages", json={"text": "me too"}).status_code == 404
        assert other.put(f"{where}/state", json={"state": "closed"}).status_code == 404
        assert other.get("/api/v2/tickets").json()["items"] == []
    assert [each["uid"] for each in curator.get("/api/v2/tickets?state=open").json()["items"]] == [told["uid"]]
    answer = curator.post(f"{where}/messages", json={"text": "It is there now."})
    assert (answer.status_code, answer.json()["author"]) == (201, "coordinator")
    assert owner.get(where).json()["state"] == "answered"
    assert [each["text"] for each in owner.get(where).json()["messages"]] == ["Where is **z_err**?", "It is there now."]
    assert owner.put(f"{where}/state", json={"state": "closed"}).json()["state"] == "closed"
    owner.post(f"{where}/messages", json={"text": "Gone again."})
    assert owner.get(where).json()["state"] == "open", "its author's words open it again"
    with server.services.database.reading() as session:
        actions = [each.action for each in session.query(AuditEvent).filter_by(subject_type="ticket")]
    assert actions == ["ticket.open", "ticket.message", "ticket.state", "ticket.message"]


def test_the_same_on_pages(browser, harmless, made, principal, quick):
    owner, curator, other = browser("owner"), browser("coordinator"), browser("colleague")
    made(principal("owner"), name="Spectra")
    page = owner.get("/help/requests?product=1").text
    assert 'value="1"' in page
    form = {"subject": "Trouble", "text": "<script>alert(1)</script> *help*", "product": "1", "csrf": owner.csrf}
    led = owner.post("/help/requests", data=form)
    assert led.status_code == 303, led.text
    where = led.headers["location"]
    shown = owner.get(where).text
    harmless(shown)
    assert "Spectra" in shown and "<em>help</em>" in shown
    assert other.get(where).status_code == 404
    assert "Trouble" not in other.get("/help/requests").text
    assert "Trouble" in curator.get("/help/requests?state=open").text
    assert curator.post(f"{where}/messages", data={"text": "Here.", "csrf": curator.csrf}).status_code == 303
    assert "Here." in owner.get(where).text
    assert curator.post(f"{where}/messages", data={"text": " ", "csrf": curator.csrf}).status_code == 400
    assert owner.post(f"{where}/messages", data={"text": "No secret"}).status_code == 403
    assert owner.post(f"{where}/state", data={"state": "closed", "csrf": owner.csrf}).status_code == 303
    assert "Open again" in owner.get(where).text
    bad = owner.post("/help/requests", data=form | {"product": "99999", "subject": "Kept"})
    assert bad.status_code == 404 and "Kept" in bad.text, "what was typed stays"
    harmless(bad.text)


def test_products_and_challenges_stay_hidden(server, made, principal, quick):
    """Neither who asks nor who answers learns of a product that they may not see."""
    owner, curator = server.client("owner"), server.client("coordinator")
    secret = made(principal("owner"), name="Secret", visibility="private")
    assert server.client("outsider").post("/api/v2/tickets", json=ASK | {"product": secret}).status_code == 404
    uid = owner.post("/api/v2/tickets", json=ASK | {"product": secret}).json()["uid"]
    assert curator.get(f"/api/v2/tickets/{uid}").json()["product_id"] is None
    shown = curator.get(f"/help/requests/{uid}").text
    assert "Secret" not in shown and "may not see" in shown
    with server.services.database.writing() as session:
        draft = Challenge(name="draft", title="Draft", created_by_id=6, created_at=now())
        shown = Challenge(name="shown", title="Shown", created_by_id=6, state=ChallengeState.OPEN)
        session.add_all([draft, shown])
    assert owner.post("/api/v2/tickets", json=ASK | {"challenge": "draft"}).status_code == 404
    assert owner.post("/api/v2/tickets", json=ASK | {"challenge": "shown"}).json()["challenge"] == "shown"


@pytest.mark.parametrize(
    "body",
    [
        {}, {"subject": "x"}, {"text": "x"}, {"subject": " ", "text": "x"}, {"subject": "x", "text": " \n"},
        {"subject": "x" * 201, "text": "x"}, {"subject": "x", "text": "x" * 10_001}, {"subject": "x\0", "text": "x"},
        ASK | {"product": -1}, ASK | {"product": 2**40}, ASK | {"challenge": "../x"}, ASK | {"state": "closed"}, [],
    ],
)  # fmt: skip
def test_bad_requests(server, body, quick):
    answer = server.client("owner").post("/api/v2/tickets", json=body)
    assert answer.status_code in {400, 422}, answer.text
    assert server.client("owner").get("/api/v2/tickets").json()["items"] == []


def test_limits(server, monkeypatch, quick):
    owner = server.client("owner")
    monkeypatch.setattr(help_desk, "MAX_OPEN", 2)
    monkeypatch.setattr(help_desk, "MAX_MESSAGES", 2)
    uids = [owner.post("/api/v2/tickets", json=ASK).json()["uid"] for _ in range(2)]
    assert owner.post("/api/v2/tickets", json=ASK).json()["code"] == "quota"
    owner.put(f"/api/v2/tickets/{uids[0]}/state", json={"state": "closed"})
    assert owner.post("/api/v2/tickets", json=ASK).status_code == 201
    where = f"/api/v2/tickets/{uids[1]}/messages"
    assert [owner.post(where, json={"text": "x"}).status_code for _ in range(2)] == [201, 413]
    monkeypatch.setattr(limits, "HELP_PER_MINUTE", 1)
    reader = server.client("colleague", scopes=["read"])
    assert reader.post("/api/v2/tickets", json=ASK).status_code == 403, "a token to look with"
    colleague = server.client("colleague")
    assert colleague.post("/api/v2/tickets", json=ASK).status_code == 201
    late = colleague.post("/api/v2/tickets", json=ASK)
    assert (late.status_code, late.json()["code"]) == (429, "rate_limit")
    assert int(late.headers["Retry-After"]) > 0


def test_lists_come_in_pages(server, quick):
    owner = server.client("owner")
    uids = [owner.post("/api/v2/tickets", json=ASK).json()["uid"] for _ in range(3)]
    first = owner.get("/api/v2/tickets?limit=2").json()
    rest = owner.get("/api/v2/tickets", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [each["uid"] for each in first["items"] + rest["items"]] == uids[::-1]
    assert rest["next_cursor"] is None


def test_questions_are_for_everybody(server, harmless):
    shown = server.client().get("/help/questions")
    assert shown.status_code == 200
    assert "A download broke off." in shown.text
    assert "/help/requests" not in shown.text, "nobody asks without an account"
    harmless(shown.text)
