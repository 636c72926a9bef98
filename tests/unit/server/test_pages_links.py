"""Every link of every page leads somewhere, for people of every kind."""

import re
from urllib.parse import urljoin

import pytest

NOT_FOLLOWED = re.compile(r"/(download|sign-out)|/files/\d+$|^/static/|^/cooperative")
MOST = 120


@pytest.mark.parametrize("who", [None, "colleague", "owner", "coordinator", "admin"])
def test_links_lead_somewhere(browser, made, principal, harmless, who):
    made(principal("owner"), name="First", tags=("deep",), description="[help](/help)")
    made(principal("owner"), name="A draft", publish=False)
    client = browser(who or "owner")
    if who is None:
        client.cookies.clear()
    waiting, seen = ["/"], set()
    while waiting and len(seen) < MOST:
        path = waiting.pop(0)
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code in {200, 303}, (who, path, answer.status_code)
        if "html" not in answer.headers.get("content-type", ""):
            continue
        harmless(answer.text)
        for found in re.findall(r'<a [^>]*?href="([^"]*)"', answer.text):
            target = urljoin(path, found.replace("&amp;", "&")).partition("#")[0]
            if target.startswith("/") and not NOT_FOLLOWED.search(target) and target not in seen | set(waiting):
                waiting.append(target)
    assert len(seen) >= (2 if who is None else 12)
