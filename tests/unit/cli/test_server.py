"""``pz serve`` and ``pz server``, with the mock in place of a server."""

import json
from functools import partial
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

pytest.importorskip("httpx2", reason="needs the extra 'client'")

import pzcenter.client
from pzcenter.cli.app import app
from pzcenter.client import KnownServers, PZClient
from pzcenter.client.mock import MockServer

CSV = "id,ra,dec,redshift\n1,10,-5,0.4\n2,11,-6,0.5\n"


@pytest.fixture
def mock(tmp_path, monkeypatch):
    for name in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("URL", "TOKEN"):
        monkeypatch.delenv(f"PZ_SERVER_{name}", raising=False)
    made = MockServer()
    made.user("ben")
    monkeypatch.setattr(pzcenter.client, "PZClient", type("Client", (PZClient,), {}))
    init = PZClient.__init__
    monkeypatch.setattr(pzcenter.client.PZClient, "__init__", partial_init(init, made))
    return made


def partial_init(init, mock):
    def made(self, url, token=None, **words):
        init(self, url, token, **(words | {"transport": mock.transport()}))

    return made


@pytest.fixture
def pz(mock):
    def run(*words, status=0, text=None):
        result = CliRunner().invoke(app, list(words), input=text)
        assert result.exit_code == status, result.output
        return result

    run("server", "login", "http://mock", text=mock.token("ada") + "\n")
    return run


def read(result):
    return json.loads(result.stdout)


def test_sign_in_and_out(pz, mock):
    assert read(pz("server", "whoami", "--json"))["username"] == "ada"
    assert "ada (user)" in pz("server", "whoami").stdout
    assert read(pz("server", "known", "--json")) == {"default": "http://mock"}
    assert "http://mock" in pz("server", "known").stdout
    secret = KnownServers().get().token
    assert secret not in pz("server", "known").output
    pz("server", "login", "http://mock", "--name", "wrong", text="nonsense\n", status=1)
    pz("server", "login", "http://mock", text="\n", status=2)
    assert list(KnownServers().all()) == ["default"]
    pz("server", "whoami", "-s", "nowhere", status=1)
    pz("server", "logout")
    assert "pz server login" in pz("server", "whoami", status=1).stderr


def test_a_product_by_commands(pz, mock, tmp_path):
    table, notes = tmp_path / "z.csv", tmp_path / "notes.md"
    table.write_text(CSV)
    notes.write_text("Notes.")
    upload = ("server", "upload", str(table), "--type", "redshift_catalog", "--name", "VVDS", "--aux", str(notes))
    told = read(pz(*upload, "--tag", "Deep", "--json"))
    assert told["state"] == "registering" and told["missing"] == [] and told["columns"]["redshift"] == "z"
    number = str(told["id"])
    assert "redshift" in pz("server", "columns", number).stdout
    pz("server", "columns", number, "redshift", status=2)
    assert read(pz("server", "columns", number, "redshift=z", "id=ID", "--json"))[0]["ucd"] == "meta.id;meta.main"
    assert "published" in pz("server", "publish", number).stdout
    shown = pz("server", "product", number).stdout
    assert "VVDS" in shown and "notes.md" in shown and "deep" in shown
    assert read(pz("server", "product", number, "--json"))["files"][0]["name"] == "z.csv"
    assert "VVDS" in pz("server", "products", "vvds", "--type", "redshift_catalog", "--latest").stdout
    assert read(pz("server", "products", "--official", "--json")) == []
    pz("server", "edit", number, "--description", "Better.", "--tag", "wide")
    assert read(pz("server", "product", number, "--json"))["description"] == "Better."
    shared = read(pz("server", "share", number, "--visibility", "shared", "--group", "team", "--user", "ben", "--json"))
    assert (shared["groups"], shared["users"]) == (["team"], ["ben"])
    assert "embargo until 2999-01-01" in pz("server", "share", number, "--embargo", "2999-01-01").stdout
    assert "group team, ben" in pz("server", "share", number, "--embargo", "none").stdout
    assert "Fine." in pz("server", "comment", number, "Fine.").stdout
    assert "ada: Fine." in pz("server", "comment", number).stdout
    path = pz("server", "download", number, str(tmp_path / "out")).stdout.strip()
    assert Path(path).read_text() == CSV
    assert pz("server", "download", number, str(tmp_path / "out"), "--all").stdout.strip().endswith(".zip")
    assert pz("server", "cite", number).stdout.startswith("@misc{")
    second = pz("server", "new-version", number).stdout.strip()
    assert "+1" in pz("server", "provenance", number).stdout
    assert len(read(pz("server", "provenance", number, "--json"))["nodes"]) == 2
    pz("server", "upload", str(table), "--to", second, "--publish")
    pz("server", "upload", str(notes), "--to", second)
    assert [each["role"] for each in read(pz("server", "product", second, "--json"))["files"]] == ["main", "auxiliary"]
    pz("server", "official", second, status=1)
    pz("server", "delete", second, text="n\n", status=1)
    pz("server", "delete", second, "--yes")
    assert "not_found" in pz("server", "product", second, status=1).stderr


def test_an_upload_goes_on_with_the_product_that_it_began(pz, mock, tmp_path):
    table = tmp_path / "z.csv"
    table.write_text(CSV)
    upload = ("server", "upload", str(table), "--type", "training_set", "--name", "Mine")
    mock.fail(99, status=400, method="PATCH")
    pz(*upload, status=1)
    mock._failures.clear()
    told = read(pz(*upload, "--json"))
    assert len(mock.state.products) == 1 and told["size"] == len(CSV)
    assert read(pz(*upload, "--json"))["id"] != told["id"]


def test_misuse_of_an_upload(pz, tmp_path):
    pz("server", "upload", "z.csv", status=2)
    pz("server", "upload", "z.csv", "--type", "other", "--to", "3", status=2)
    assert "no file" in pz("server", "upload", str(tmp_path / "z.csv"), "--type", "other", status=1).stderr
    assert "directory" in pz("server", "upload", str(tmp_path), "--type", "other", status=1).stderr
    pz("server", "upload", "a", "--type", "other", "--description-file", str(tmp_path / "x"), status=1)


def test_missing_columns_are_told(pz, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("a,b\n1,2\n")
    told = pz("server", "upload", str(table), "--type", "training_set")
    assert "pz server columns 1 COLUMN=NAME" in told.stderr and "next:" not in told.stderr
    assert (
        "next: pz server publish"
        in pz("server", "columns", "1", "b=z").stdout + pz("server", "upload", str(table), "--type", "other").stderr
    )


def test_a_refused_main_file_is_told_and_replaced(pz, mock, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("a,b\n")
    upload = ("server", "upload", str(table), "--type", "training_set", "--column", "b=z")
    for words in (upload, upload, ("server", "upload", str(table), "--to", "1")):
        told = pz(*words, status=1).stderr
        assert "a.csv has no rows" in told and "pz server upload FILE --to 1" in told and "COLUMN=NAME" not in told
    assert "a.csv has no rows" in pz("server", "product", "1").stdout
    assert read(pz("server", "product", "1", "--json"))["failure"] == "a.csv has no rows"
    table.write_text("a,b\n1,2\n")
    told = read(pz("server", "upload", str(table), "--to", "1", "--column", "b=z", "--publish", "--json"))
    assert (told["state"], told["failure"], told["n_rows"]) == ("published", None, 1) and len(mock.state.products) == 1
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    pz("server", "upload", str(empty), "--type", "training_set", "--name", "x", status=1)
    assert "empty.csv has no rows" in pz("server", "columns", str(max(mock.state.products)), status=1).stderr


def test_a_file_beside_published_data_is_said_to_be_so(pz, tmp_path):
    table, more = tmp_path / "a.csv", tmp_path / "corrected.csv"
    for path in (table, more):
        path.write_text("z\n2\n")
    assert "auxiliary" not in pz("server", "upload", str(table), "--type", "training_set", "--publish").stderr
    told = pz("server", "upload", str(more), "--to", "1").stdout
    assert "rows" not in told
    assert "corrected.csv was added as an auxiliary file" in told and "still a.csv" in told
    assert "pz server new-version 1" in told


def test_columns_that_are_not_there_are_told_with_the_product(pz, mock, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("a,b\n1,2\n")
    upload = ("server", "upload", str(table), "--type", "training_set")
    told = pz(*upload, "--column", "nosuch=z", status=1).stderr
    assert "product 1 has the file" in told and "no column nosuch; it has a, b" in told
    assert read(pz(*upload, "--column", "b=z", "--json"))["id"] == 1 and len(mock.state.products) == 1


def test_an_upload_that_is_refused_at_once_leaves_no_draft(pz, mock, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("a,b\n1,2\n")
    upload = ("server", "upload", str(table), "--type", "training_set")
    mock.fail(1, status=413, method="POST", path="uploads")
    assert "quota" in pz(*upload, status=1).stderr
    assert read(pz("server", "products", "--json")) == []
    assert read(pz(*upload, "--json"))["state"] == "registering" and len(mock.state.products) == 2


def test_warnings_of_long_files_say_what_was_read(capsys):
    from pzcenter.cli.server_products import _tell
    from pzcenter.client.answers import Person, Product

    report = {"warnings": [{"message": "7 rows repeat an id"}], "complete": False, "rows_read": 2_000_000}
    product = Product(1, "u", "Long", "other", Person("ada"), n_rows=9_000_000, report=report, state="published")
    _tell(product, [], as_json=False)
    assert "2,000,000 rows of 9,000,000" in capsys.readouterr().err


def test_an_edit_says_what_it_did(pz, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("z\n2\n")
    pz("server", "upload", str(table), "--type", "training_set")
    told = pz("server", "edit", "1", "--name", "Better", "--tag", "a", "--tag", "b").stdout
    assert "product 1" in told and "display name: Better" in told and "tags: a, b" in told


def test_tokens_by_commands(pz):
    made = pz("server", "make-token", "notebook", "--scope", "read", "--days", "3")
    assert len(made.stdout.strip()) == 40
    tokens = read(pz("server", "tokens", "--json"))
    assert "notebook" in pz("server", "tokens").stdout and made.stdout.strip() not in str(tokens)
    number = next(each["id"] for each in tokens if each["name"] == "notebook")
    pz("server", "revoke-token", number)
    assert len(read(pz("server", "tokens", "--json"))) == len(tokens) - 1


def test_a_server_is_made_once_and_its_settings_can_be_read(tmp_path):
    pytest.importorskip("fastapi", reason="needs the extra 'server'")
    from pzcenter.server.settings import ServerSettings, read_settings

    invoke = partial(CliRunner().invoke, app)
    made = invoke(["serve", "--init", str(tmp_path / "site"), "--base-url", "https://pz.example.org/", "--json"])
    told = json.loads(made.stdout)
    assert told["url"] == "https://pz.example.org" and len(told["token"]) == 40
    settings = read_settings(tmp_path / "site")
    assert settings.allowed_hosts[0] == "pz.example.org" and settings.secure_cookies
    text = (tmp_path / "site" / "server.yaml").read_text()
    assert (tmp_path / "site" / "server.yaml").stat().st_mode & 0o777 == 0o600
    # Every setting is there, and with its # taken away it is what holds anyway.
    lines = [
        line.removeprefix("# ")
        for line in text.splitlines()
        if line.removeprefix("# ").split(":")[0] in ServerSettings.model_fields
    ]
    assert set(yaml.safe_load("\n".join(lines))) == set(ServerSettings.model_fields) - {"data_dir"}
    assert invoke(["serve", "--init", str(tmp_path / "site")]).exit_code == 1
    assert invoke(["serve", "--init", str(tmp_path / "x"), "--base-url", "ftp://x"]).exit_code == 2
    assert invoke(["serve", str(tmp_path / "nothing")]).exit_code == 1
    assert invoke(["serve", str(tmp_path / "site"), "--site-name", "x"]).exit_code == 2


def test_a_server_does_not_let_others_in_by_http(tmp_path):
    pytest.importorskip("fastapi", reason="needs the extra 'server'")
    from pzcenter.errors import ConfigError
    from pzcenter.server.serving import check_exposure, serving_settings
    from pzcenter.server.settings import SETTINGS_NAME

    (tmp_path / SETTINGS_NAME).touch()
    settings, host, port = serving_settings(tmp_path, host=None, port=9000)
    assert (settings.base_url, host, port) == ("http://127.0.0.1:9000", "127.0.0.1", 9000)
    check_exposure(settings, host, insecure=False)
    for address in ("0.0.0.0", "::", "192.168.1.1"):
        with pytest.raises(ConfigError, match="--insecure"):
            check_exposure(settings, address, insecure=False)
        check_exposure(settings, address, insecure=True)
    (tmp_path / SETTINGS_NAME).write_text("base_url: https://pz.example.org\n")
    settings, host, port = serving_settings(tmp_path, host="0.0.0.0", port=None)
    check_exposure(settings, host, insecure=False)
    assert (settings.base_url, port) == ("https://pz.example.org", 8000)


def test_a_challenge_by_commands(pz, mock, tmp_path):
    mock.challenge("first", {"README.md": b"Rules.", "one/test.parquet": b"test"}, title="First light")
    mock.user("coord", role="coordinator")
    pz("server", "login", "http://mock", "--name", "coord", text=mock.token("coord") + "\n")
    pz("server", "add-challenge", "first", status=1)
    pz("server", "add-challenge", "first", "--open", "-s", "coord")
    assert "First light" in pz("server", "challenges").stdout
    assert read(pz("server", "challenges", "--json"))[0]["state"] == "open"
    assert "scenario one" in pz("server", "challenge", "first").stdout
    assert read(pz("server", "challenge", "first", "--json"))["scenarios"] == ["one"]
    root = Path(pz("server", "download-challenge", "first", str(tmp_path)).stdout.strip())
    assert (root / "one" / "test.parquet").read_bytes() == b"test"
    assert "nothing is scored" in pz("server", "leaderboard", "first").stderr
    results = tmp_path / "one.csv"
    results.write_text("object_id,z_best\n1,0.5\n")
    submit = ("server", "submit", "first", f"one={results}", "--method", "mine")
    pz(*submit, "--technical", "train_s=slow", status=2)
    assert "mine (one) is received" in pz(*submit, "--technical", "train_s=2").stdout
    assert "is scored" in pz(*submit, "--wait", "5").stdout
    assert read(pz(*submit, "--json"))["method"] == "mine"
    assert "mine" in pz("server", "submissions", "first").stdout
    assert read(pz("server", "submissions", "first", "--json"))[0]["author"] == "ada"
    assert "one: points" in pz("server", "leaderboard", "first").stdout
    assert "there are one" in pz("server", "leaderboard", "first", "--scenario", "two").stderr
    assert read(pz("server", "leaderboard", "first", "--json"))[0]["rank"] == 1
    pz("server", "submit", "first", "two=1", "--method", "mine", status=1)
    pz("server", "set-challenge", "first", "closed", "-s", "coord")
    assert "closed" in pz(*submit, status=1).stderr


def test_a_mirror_by_commands(pz, mock, tmp_path):
    table = tmp_path / "z.csv"
    table.write_text(CSV)
    told = read(pz("server", "upload", str(table), "--type", "other", "--name", "Mine", "--json"))
    root = tmp_path / "copies"
    pz("server", "mirror", "--to", str(root), status=1)
    assert pz("server", "mirror", str(told["id"]), told["uid"], "--to", str(root)).stdout.strip() == str(root)
    (copy,) = root.rglob("z.csv")
    copy.unlink()
    pz("server", "mirror", "--to", str(root))
    assert copy.read_text() == CSV


def test_people_by_commands(pz, mock):
    mock.user("root", role="admin")
    mock.user("may").state = mock.user("eve").state = "pending"
    pz("server", "login", "http://mock", "--name", "root", text=mock.token("root") + "\n")
    root = ("-s", "root")
    assert "may" in pz("server", "users", "--state", "pending", *root).stdout
    assert "may may come in" in pz("server", "approve", "may", "--release", "dp2", *root).stderr
    pz("server", "refuse", "eve", "--reason", "no data rights", *root)
    told = read(pz("server", "users", "--json", *root))
    assert {each["username"]: each["account"]["state"] for each in told}["eve"] == "disabled"
    assert "may" in pz("server", "rights", "dp2", *root).stdout
    changed = pz("server", "rights", "dp2", "--take", "may", "--give-group", "team", "--give", "ben", "--json", *root)
    assert [(each["kind"], each["name"]) for each in read(changed)] == [("user", "ben"), ("group", "team")]
    assert read(pz("server", "rights", "dp2", "--take-group", "team", "--take", "ben", "--json", *root)) == []
    edit = ("server", "edit-user", "ben", *root)
    assert (
        read(pz(*edit, "--quota", "500 GB", "--role", "coordinator", "--json"))["account"]["quota_bytes"] == 5 * 10**11
    )
    assert "500 GB" in pz("server", "users", "ben", *root).stdout
    assert "quota_bytes None" in pz(*edit, "--quota", "none").stderr
    assert "10 GiB" in pz(*edit, "--quota", "much", status=2).stderr
    pz(*edit, status=2)
    assert "coordinator" not in pz("server", "users", "ben").stdout, "others see names alone"
    pz("server", "approve", "may", status=1)
