"""The files in ``deploy/``: what they name is there, and what they run is a command with these options."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pzcenter.cli.app import app

DEPLOY = Path(__file__).parents[3] / "deploy"
ROOT = DEPLOY.parent


def instructions():
    text = re.sub(r"\\\n\s*", " ", (DEPLOY / "Containerfile").read_text())
    return [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]


def check_command(words):
    """Every option of a command is one that it has."""
    assert words[0].rpartition("/")[2] == "pz"
    verbs = [word for word in words[1:3] if re.fullmatch("[a-z]+", word)]
    told = CliRunner().invoke(app, [*verbs, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert told.exit_code == 0, words
    for option in (word for word in words if word.startswith("--")):
        assert option in told.output, option


def test_container_copies_what_is_there_and_runs_as_nobody_special():
    found = instructions()
    for name, words in found:
        if name == "COPY":
            for source in words.split()[:-1]:
                assert (ROOT / source).exists(), source
    users = [words for name, words in found if name == "USER"]
    assert users == ["10001"]
    assert f"--uid {users[0]}" in (DEPLOY / "Containerfile").read_text()
    command = yaml.safe_load(next(words for name, words in found if name == "CMD"))
    check_command(command)


def test_every_package_of_the_container_has_its_hash():
    packages = re.findall(r"^[\w.-]+==.* (.)$", (ROOT / "requirements" / "server.txt").read_text(), re.MULTILINE)
    assert len(packages) > 50
    assert set(packages) == {"\\"}


def test_compose_file():
    site = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = site["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        assert set(service["secrets"]) <= set(site["secrets"])
        assert {each.partition(":")[0] for each in service["volumes"]} <= set(site["volumes"])
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    check_command(services["worker"]["command"])
    assert services["server"]["ports"] == ["127.0.0.1:8000:8000"], "other machines come through the proxy"


def test_unit():
    text = (DEPLOY / "pz-server.service").read_text()
    check_command(re.search("ExecStart=(.*)", text)[1].split())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_accepts_the_unit(tmp_path):
    text = (DEPLOY / "pz-server.service").read_text()
    unit = tmp_path / "pz-server.service"
    unit.write_text(re.sub("ExecStart=.*", "ExecStart=/bin/true", text))
    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in checked.stderr.splitlines() if unit.name in line] == []
