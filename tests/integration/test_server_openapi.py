"""The second interface against its own description: whatever is sent, no answer is a fault of the server."""

from __future__ import annotations

import contextlib
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")
pytest.importorskip("schemathesis", reason="needs the extra 'test'")

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pzcenter.server import create_app
from pzcenter.server.services.principal import ALL_SCOPES, principal_of
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product, publish_product
from pzcenter.server.services.tokens import make_token
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Group, Role, User, UserState
from pzcenter.server.storage.products import FileRole, ProductColumn
from pzcenter.server.storage.releases import Release

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
SECONDS = 30.0
"""Of the processor, in all, about; what is random is made anew for every operation."""
EXAMPLES = 60
"""Of one operation, at most."""
LEAVE = {("delete", "/me"), ("post", "/me/sign-out-everywhere"), ("put", "/me/password")}
"""They would sign the test out."""
TOLD = {501, 503, 507}
"""Said on purpose: not installed, try again, no space."""
OURS = {"authorization", "user-agent"}
"""Headers of the client of this test."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server with a product, and a token for everything."""
    where = tmp_path_factory.mktemp("server")
    app = create_app(
        ServerSettings(
            data_dir=where, base_url="http://testserver", allowed_hosts=["testserver", "localhost"],
            requests_per_minute=10**9, sign_ins_per_minute=10**9,
        )
    )  # fmt: skip
    services = app.state.services
    content = services.store.put([b"ra,dec,z\n1,2,0.5\n3,4,0.6\n"])
    with services.database.writing() as session:
        admin = User(username="admin", role=Role.ADMIN, state=UserState.ACTIVE)
        other = User(username="other", role=Role.USER, state=UserState.ACTIVE)
        session.add_all([admin, other, Release(name="dp1"), Group(name="team")])
        session.flush()
        who = principal_of(session, admin, scopes=ALL_SCOPES)
        for publish in (True, False):
            product = create_product(services, session, who, NewProduct("Redshifts", "redshift_catalog"))
            add_file(services, session, who, product.id, content, name="z.csv", role=FileRole.MAIN)
            product.columns = [ProductColumn(name=name, order=0, alias=name) for name in ("RA", "Dec", "z")]
            session.flush()
            if publish:
                publish_product(session, who, product.id)
        secret = make_token(session, who, "test", scopes=ALL_SCOPES)[1]
    yield app, secret
    services.close()


def operations(app):
    described = schemathesis.openapi.from_dict(app_description(app))
    for result in described.get_all_operations():
        operation = result.ok()
        if (operation.method.lower(), operation.path) not in LEAVE:
            yield operation


def app_description(app):
    from fastapi.testclient import TestClient

    described = TestClient(app).get("/api/v2/openapi.json").json()
    # Addresses of things that are there are more telling than random ones.
    for path in described["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"].endswith("_id"):
                    whole = parameter["schema"]
                    parameter["schema"] = {
                        "anyOf": [{"enum": ["1", "2"] if whole.get("type") == "string" else [1, 2]}, whole]
                    }
    return described


def test_no_answer_is_a_fault_of_the_server(world):
    from fastapi.testclient import TestClient

    app, secret = world
    found = list(operations(app))
    assert len(found) > 40
    client = TestClient(app, base_url="http://testserver", raise_server_exceptions=False)
    client.headers["Authorization"] = f"Token {secret}"
    faults, n = [], 0
    # What deletes comes last, so that the others find something.
    for operation in sorted(found, key=lambda each: each.method.lower() == "delete"):
        told, times = try_operation(client, operation, seconds=SECONDS / len(found))
        faults += told
        n += times
    assert not faults, "\n".join(faults[:20])
    assert n > 5 * len(found)


class TimeIsOverError(BaseException):
    """The next operation; no exception, which Hypothesis would look into."""


def try_operation(client, operation, *, seconds):
    """Send what fits the description of an operation, and what does not; faults of the server, number of requests."""
    ends, faults, answers = time.process_time() + seconds, [], []

    def try_it(case):
        if time.process_time() > ends:
            raise TimeIsOverError
        answer = send(client, case)
        answers.append(answer.status_code)
        if answer.status_code >= 500 and answer.status_code not in TOLD:
            faults.append(f"{case.method} {answer.request.url}: {answer.status_code} {case.body!r:.300}")
        if answer.status_code >= 400 and case.method != "HEAD":
            assert answer.headers["content-type"] == "application/problem+json", answer.request.url

    strategy = st.one_of(
        operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE),
    )
    quick = settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with contextlib.suppress(TimeIsOverError):
        quick(given(strategy)(try_it))()
    return faults, len(answers)


def send(client, case):
    """Send a case by the test client, with its token."""
    words = case.as_transport_kwargs(base_url="http://testserver/api/v2")
    names = ("method", "url", "params", "json", "data", "files")
    kept = {name: words[name] for name in names if words.get(name) is not None}
    if isinstance(kept.get("data"), bytes | str):
        kept["content"] = kept.pop("data")
    headers = {name: value for name, value in dict(words["headers"]).items() if name.lower() not in OURS}
    return client.request(headers=headers, **kept)
