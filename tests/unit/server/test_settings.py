"""Settings: how they may be written, and what is refused, with the name of the setting."""

import pytest

from pzcenter.errors import ConfigError
from pzcenter.server.settings import SETTINGS_NAME, read_settings


@pytest.fixture
def read(tmp_path):
    def made(text=""):
        (tmp_path / SETTINGS_NAME).write_text(text)
        return read_settings(tmp_path)

    return made


@pytest.mark.parametrize("text", ["pz.example.org, 10.0.0.1", '["pz.example.org", "10.0.0.1"]'])
def test_lists_in_the_environment(read, monkeypatch, text):
    monkeypatch.setenv("PZ_SERVER_ALLOWED_HOSTS", text)
    assert read("allowed_hosts: [other]").allowed_hosts == ["pz.example.org", "10.0.0.1"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ALLOWED_HOSTS", "['a']", "names with commas between them, or JSON"),
        ("ALLOWED_HOSTS", "3", "from PZ_SERVER_ALLOWED_HOSTS"),
        ("OBJECT_CATALOGS", "dp1=/data", "PZ_SERVER_OBJECT_CATALOGS is 'dp1=/data'; accepted is JSON"),
        ("DATABASE_URL", "mysql://secret@x", "accepted are postgresql://"),
        ("THREADS", "many", "threads .from PZ_SERVER_THREADS in the environment"),
        ("QUOTA", "7", "PZ_SERVER_QUOTA in the environment is no setting of a server; PZ_SERVER_QUOTA_BYTES is one"),
        ("PORT", "8000", "PZ_SERVER_PORT in the environment is no setting"),
    ],
)
def test_what_the_environment_may_not_say(read, monkeypatch, name, value, words):
    monkeypatch.setenv(f"PZ_SERVER_{name}", value)
    with pytest.raises(ConfigError, match=words) as caught:
        read()
    assert "secret" not in str(caught.value)


def test_what_others_say_in_the_environment(read, monkeypatch):
    for name in ("URL", "TOKEN", "SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT_8000_TCP_ADDR", "OBJECT_CATALOGS__dp1"):
        monkeypatch.setenv(f"PZ_SERVER_{name}", "/x")
    monkeypatch.setenv("PZ_SERVER_PORT", "tcp://10.0.0.1:8000")
    assert {name.lower() for name in read().object_catalogs} == {"dp1"}


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("7", 7), ("10GB", 10**10), ("'500 MB'", 5 * 10**8), ("1.5 TB", 15 * 10**11), ("2 kB", 2000), ("3GiB", 3 * 2**30)],
)
def test_amounts(read, text, n_bytes):
    assert read(f"quota_bytes: {text}").quota_bytes == n_bytes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("quota_bytes: 10 gallons", "10 GiB"),
        ("quota_bytes: -5 GB", "is no amount"),
        ("database_url: mysql://x", "a database of kind 'mysql'"),
        ("trusted_proxies: ['*']", "neither an address nor a network"),
        ("trusted_proxies: [0.0.0.0/0]", "is everybody"),
        ("reference_roots: [/]", "holds all files of this machine"),
        ("reference_roots: [/tmp/..]", "holds all files of this machine"),
        ("reference_roots: [data]", "no absolute path"),
        ("reference_roots: ['ftp://x']", "s3://bucket/prefix"),
        ("quota: 7", "server.yaml: quota: "),
    ],
)
def test_what_is_refused(read, text, words):
    with pytest.raises(ConfigError, match=words):
        read(text)


def test_what_is_accepted(read):
    made = read(
        "database_url: postgresql+psycopg://pz@db/pz\ntrusted_proxies: [127.0.0.1, '10.1.0.0/16', '::1']\n"
        "reference_roots: [/data, s3://bucket]\n"
    )
    assert made.database == "postgresql+psycopg://pz@db/pz"
