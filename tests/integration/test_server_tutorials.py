"""The tutorials of the server as they are printed, against a true server in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("fastapi", reason="needs the extra 'server'")

import httpx2

from pzcenter.cli.app import app

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
PRINTED = "http://127.0.0.1:8000"
QUICK_SCORES = "scoring: {controls: [trainz], n_bootstrap: 5, n_rank: 10}\n"
SMALLER = {"60000": "20000", "rows_per_tract=60000": "rows_per_tract=20000"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user with nothing signed in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in [name for name in os.environ if name.startswith("PZ_SERVER_")]:
        monkeypatch.delenv(name)
    return tmp_path


def blocks(name):
    """Language and text of each block of a tutorial."""
    return re.findall(r"```(bash|python|yaml)\n(.*?)```", (TUTORIALS / name).read_text(encoding="utf-8"), re.DOTALL)


def pz(line, *, url, text=None):
    words = [SMALLER.get(word, word).replace(PRINTED, url) for word in shlex.split(line)[1:]]
    result = CliRunner().invoke(app, words, input=text)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return result


def run_python(text, url):
    code = text.replace(PRINTED, url)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(directory):
    """A server in a process of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from pzcenter.cli import main; main()", "serve", directory, "--port", str(port)]
    with Path("server.log").open("w") as log:
        process = subprocess.Popen(command, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                assert process.poll() is None, Path("server.log").read_text()
                try:
                    httpx2.get(f"{url}/-/health")
                    break
                except httpx2.ConnectError:
                    time.sleep(0.1)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) in {0, -signal.SIGTERM}


def join(url, address):
    """What an invited person does in a browser: take a name and a password, make a token; the token."""
    place = re.sub(r"http://[^/]+", url, address)
    with httpx2.Client(follow_redirects=True, headers={"Origin": url}) as browser:
        form = {"username": "ada", "first_name": "Ada", "last_name": "L.", "password": "three words and a number 7"}
        joined = browser.post(place, data=form | {"csrf": hidden(browser.get(place))})
        assert joined.status_code == 200, joined.text
        page = browser.get(f"{url}/account/tokens")
        form = {"name": "notebook", "scopes": ["read", "write"], "days": "30", "csrf": hidden(page)}
        made = browser.post(f"{url}/account/tokens", data=form)
        found = re.search(r'id="new-token"[^>]*>([0-9a-f]{40})<', made.text)
        assert found, made.text
        return found[1]


def hidden(page):
    assert page.status_code == 200, page.text
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def test_run_a_server(home):
    steps = [
        line
        for kind, text in blocks("run-a-server.md")
        for line in ([(kind, each) for each in text.splitlines()] if kind == "bash" else [(kind, text)])
    ]
    token = pz("pz serve --init my-server", url=PRINTED).stdout.strip()
    done, ada = ["pz serve --init my-server", "pz serve my-server"], ""
    with running("my-server") as url:
        for kind, text in steps:
            if text in done or text.startswith("pip "):
                continue
            if kind == "python":
                told = run_python(text, url)
                assert "redshift" in told or (home / "redshifts.csv").is_file()
            elif kind == "bash":
                if text.startswith("pz server login"):
                    secret = ada if "--name ada" in text else token
                    pz(text, url=url, text=secret + "\n")
                    continue
                said = pz(text, url=url).stdout
                if text.startswith("pz server invite"):
                    ada = join(url, said.strip())
        assert (home / "downloads" / "redshifts.csv").read_text() == (home / "redshifts.csv").read_text()
        assert "ada (user)" in pz("pz server whoami -s ada", url=url).stdout


def test_settings_of_the_tutorial_are_accepted(home):
    from pzcenter.server.settings import read_settings

    (text,) = [text for kind, text in blocks("run-a-server.md") if kind == "yaml"]
    (home / "server.yaml").write_text(text)
    assert read_settings(home).secure_cookies


@pytest.mark.slow
def test_share_a_training_set(home):
    token = pz("pz serve --init my-server", url=PRINTED).stdout.strip()
    with running("my-server") as url:
        for kind, text in blocks("share-a-training-set.md"):
            if kind == "python":
                assert "galaxies up to redshift" in run_python(text, url)
                continue
            for line in text.splitlines():
                told = pz(line, url=url, text=token + "\n" if "login" in line else None)
                if line.startswith("pz server login"):
                    pz("pz server make-group pz-team", url=url)
        assert told.exit_code == 0


def test_join_the_validation_cooperative(home, capsys):
    token = pz("pz serve --init my-server", url=PRINTED).stdout.strip()
    ada, told = "", ""
    with running("my-server") as url:
        for kind, text in blocks("join-the-validation-cooperative.md"):
            if kind == "yaml":
                name = text.splitlines()[0].removeprefix("# ")
                quick = QUICK_SCORES if name == "challenge.yaml" else ""
                (home / name).write_text(text.replace("n_obj: 60000", "n_obj: 800") + quick)
            elif kind == "python":
                capsys.readouterr()
                exec(compile(text.replace(PRINTED, url), "tutorial", "exec"), {})
                told = capsys.readouterr().out
            else:
                for line in text.splitlines():
                    secret = (ada if "--name ada" in line else token) + "\n" if "login" in line else None
                    said = pz(line, url=url, text=secret).stdout
                    if line.startswith("pz server invite"):
                        ada = join(url, said.strip())
                    if line.startswith("pz server submit "):
                        assert "First try (representative, bright) is scored" in said
                    if "--metric biweight_sigma" in line:
                        assert "neighbours" in said and "control" in said
        assert told.splitlines()[0] == "median is scored"
        assert re.search(r"^1 neighbours \d+ of \d+$", told, re.MULTILINE)
        assert "closed" in pz("pz server challenges -s ada", url=url).stdout
        products = pz("pz server products", url=url).stdout
    assert "First try" in products, "admins see all"
    assert (home / "my-server" / "challenges" / "first_light" / "leaderboard" / "index.html").is_file()
