"""How often one may ask: buckets, addresses, and who is limited by what."""

import pytest
from fastapi.testclient import TestClient

from pzcenter.errors import AuthenticationError, RateLimitError
from pzcenter.server import create_app
from pzcenter.server.http.address import client_behind
from pzcenter.server.services.accounts import sign_in
from pzcenter.server.services.buckets import Buckets, Remembered
from pzcenter.server.services.limits import limit_anonymous, limit_requests, limit_sign_in, network_of
from pzcenter.server.services.passwords import hash_password
from pzcenter.server.services.principal import NOBODY
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import User

PASSWORD = "a password of words"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(services):
    made = Clock()
    services.buckets._clock = made
    return made


@pytest.fixture
def with_password(services):
    with services.database.writing() as session:
        session.query(User).filter_by(username="owner").one().password_hash = hash_password(PASSWORD)


def test_a_bucket_fills_at_its_rate():
    clock = Clock()
    buckets = Buckets(clock)
    assert [buckets.take("a", per_minute=3) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", per_minute=3) == pytest.approx(20.0)
    assert buckets.take("b", per_minute=3) == 0
    clock.now += 19
    assert buckets.take("a", per_minute=3) == pytest.approx(1.0)
    clock.now += 1.001
    assert buckets.take("a", per_minute=3) == 0
    clock.now += 1e6
    assert [buckets.take("a", per_minute=3) > 0 for _ in range(4)] == [False, False, False, True]
    buckets.fill("a")
    assert buckets.take("a", per_minute=3) == 0
    assert [buckets.take("c", per_minute=0.5) for _ in range(2)] == [0, pytest.approx(120.0)]


def test_memory_is_bounded():
    buckets, seen = Buckets(Clock(), most=10), Remembered(most=3)
    for number in range(100):
        buckets.take(number, per_minute=1)
        seen.add(number)
    assert len(buckets) == 10 and buckets.take(99, per_minute=1) > 0
    assert seen.has(97) and not seen.has(96)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"), ("testclient", "testclient"),
    ],
)  # fmt: skip
def test_what_counts_as_one_address(address, network):
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("near", "forwarded", "trusted", "client"),
    [
        ("198.51.100.1", "10.0.0.1", (), "198.51.100.1"),
        ("198.51.100.1", "10.0.0.1", ("10.9.9.9",), "198.51.100.1"),
        ("10.9.9.9", "evil, 192.0.2.1", ("10.9.9.9",), "192.0.2.1"),
        ("10.9.9.9", "192.0.2.1, 10.9.9.8", ("10.9.9.0/24",), "192.0.2.1"),
        ("10.9.9.9", "", ("10.9.9.9",), "10.9.9.9"),
        ("10.9.9.9", " , ", ("10.9.9.9",), "10.9.9.9"),
        ("10.9.9.9", "x" * 500, ("10.9.9.9",), "x" * 64),
        ("unknown", "192.0.2.1", ("10.9.9.9",), "unknown"),
    ],
)
def test_the_client_behind_proxies(near, forwarded, trusted, client):
    assert client_behind(near, forwarded, trusted) == client


def test_requests_are_counted_per_user(services, principal, clock):
    for _ in range(services.settings.requests_per_minute):
        limit_requests(services, principal("owner"), "192.0.2.1")
    with pytest.raises(RateLimitError) as refused:
        limit_requests(services, principal("owner"), "198.51.100.2")
    assert refused.value.retry_after_s == 1
    limit_requests(services, principal("colleague"), "192.0.2.1")
    limit_requests(services, NOBODY, "192.0.2.1")


@pytest.fixture
def small(tmp_path):
    """A server that accepts five requests a minute."""
    app = create_app(
        ServerSettings(
            data_dir=tmp_path / "small", base_url="http://testserver", allowed_hosts=["testserver"],
            requests_per_minute=5,
        )
    )  # fmt: skip
    app.state.services.buckets._clock = Clock()
    yield app
    app.state.services.close()


@pytest.mark.parametrize("path", ["/api/v2/products", "/api/products/", "/sign-in"])
def test_every_interface_answers_429(small, path):
    client = TestClient(small, raise_server_exceptions=False)
    answers = [client.get(path) for _ in range(6)]
    assert [each.status_code == 429 for each in answers] == [False] * 5 + [True]
    assert answers[5].headers["retry-after"] == "12"
    if path == "/api/v2/products":
        assert answers[5].json()["code"] == "rate_limit"


def test_guessing_tokens_is_limited_by_address(small):
    client = TestClient(small, raise_server_exceptions=False)
    for number in range(5):
        assert client.get("/api/v2/me", headers={"Authorization": f"Token {number:040}"}).status_code == 401
    assert client.get("/api/v2/me", headers={"Authorization": "Token 99"}).status_code == 429


def test_guessing_one_name_is_slow(services, clock, with_password):
    rate = services.settings.sign_ins_per_minute
    for _ in range(rate):
        with pytest.raises(AuthenticationError):
            sign_in(services, NOBODY, "owner", "wrong", address="192.0.2.66")
    with pytest.raises(RateLimitError) as refused:
        sign_in(services, NOBODY, " OWNER ", PASSWORD, address="192.0.2.66")
    assert refused.value.retry_after_s == 6
    # The person comes in from elsewhere all the same, and others come in from there.
    assert sign_in(services, NOBODY, "owner", PASSWORD, address="198.51.100.1").username == "owner"
    limit_sign_in(services, "colleague", "192.0.2.66")


def test_guessing_many_names_from_one_address_is_slow(services, clock):
    rate = services.settings.sign_ins_per_minute
    for number in range(5 * rate):
        limit_sign_in(services, f"name{number}", "2001:db8::1")
    with pytest.raises(RateLimitError):
        limit_sign_in(services, "another", "2001:db8::2")
    limit_sign_in(services, "another", "2001:db8:0:1::2")


def test_guessing_one_name_from_many_addresses_locks_nobody_out(services, clock, with_password):
    sign_in(services, NOBODY, "owner", PASSWORD, address="198.51.100.1")
    rate = services.settings.sign_ins_per_minute
    for number in range(10 * rate - 1):
        limit_sign_in(services, "owner", f"10.0.{number // 250}.{number % 250}")
    with pytest.raises(RateLimitError):
        limit_sign_in(services, "owner", "10.1.0.0")
    assert sign_in(services, NOBODY, "owner", PASSWORD, address="198.51.100.1").username == "owner"


def test_a_success_forgives_attempts(services, clock, with_password):
    for _ in range(3 * services.settings.sign_ins_per_minute):
        sign_in(services, NOBODY, "owner", PASSWORD, address="192.0.2.1")


def test_what_people_without_an_account_do_is_limited(services, clock):
    for _ in range(3):
        limit_anonymous(services, "registrations", "192.0.2.1", per_minute=3)
    with pytest.raises(RateLimitError, match="too many registrations"):
        limit_anonymous(services, "registrations", "192.0.2.1", per_minute=3)
