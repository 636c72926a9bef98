"""The command as a whole: help with examples everywhere, exit status, errors in one line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

import pzcenter
from pzcenter.cli import failures, reference
from pzcenter.cli.app import app, main
from pzcenter.errors import ConfigError, GridError, InternalError, PZCenterError, StorageError

ROOT = Path(__file__).parents[3]
ESCAPE = "\x1b["


def every_command(command=None, path=()):
    command = command or typer.main.get_command(app)
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from every_command(child, (*path, name))


COMMANDS = list(every_command())


def pz(*words):
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("path", [path for path, _ in COMMANDS], ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_help_has_an_example(path, flag):
    result = pz(*path, flag)
    assert result.exit_code == 0
    assert re.search(r"Examples?:", result.stdout)
    assert f"pz {' '.join(path)}".strip() in result.stdout.split("Example")[-1]
    assert "[bold]" not in result.stdout


def test_examples_are_accepted():
    """Every option of every example exists, and no argument is missing."""
    root = typer.main.get_command(app)
    for _, command in COMMANDS:
        for line in re.findall(r"\[bold\](pz .*?)\[/bold\]", command.epilog or ""):
            words = shlex.split(line.removesuffix(" > mine.yaml"))[1:]
            context = root.make_context("pz", words, resilient_parsing=False)
            target, rest = root, words
            while rest and hasattr(target, "commands") and rest[0] in target.commands:
                target, rest = target.commands[rest[0]], rest[1:]
            if "-h" not in rest:
                target.make_context(target.name, rest, parent=context)


def test_no_words_show_the_help():
    result = pz()
    assert "pz demo" in result.stdout + result.stderr
    assert result.exit_code in {0, 2}


def test_version():
    assert pz("--version").stdout == f"pz {pzcenter.__version__}\n"


@pytest.mark.parametrize(
    "words",
    [["estimate"], ["estimate", "a"], ["nonsense"], ["demo", "--nonsense"], ["demo", "-n", "many"],
     ["estimate", "a", "b", "--cut", "x > 1", "--no-cuts"]],
    ids=" ".join,
)  # fmt: skip
def test_misuse_is_status_2_and_speaks_on_stderr(words):
    result = pz(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: pz" in result.stderr


def failing_app(error):
    """The command with one verb that raises."""
    failing = typer.Typer(cls=failures.PzGroup, pretty_exceptions_enable=False)

    @failing.callback()
    def _settings():
        pass

    @failing.command()
    def fail():
        raise error

    return CliRunner().invoke(failing, ["fail"])


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (GridError("the grid covers 0 to 1 [at most]"), 1, "error[grid]: the grid covers 0 to 1 [at most]"),
        (ConfigError("years: 99 is not accepted"), 2, "error[config]: years: 99 is not accepted"),
        (StorageError(28, "cannot write x: no space left"), 1, "error[storage]: cannot write x: no space left"),
        (InternalError("rows were lost"), 1, "error[internal]: rows were lost"),
        (ValueError("[bold]oops"), 1, "error[unexpected]: ValueError: [bold]oops"),
        (MemoryError(), 1, "error[memory]: "),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_failure_is_one_line_without_traceback(error, status, line, monkeypatch):
    monkeypatch.delenv("PZ_DEBUG", raising=False)
    result = failing_app(error)
    assert result.exit_code == status
    assert result.stderr.splitlines()[0].startswith(line)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_unexpected_error_says_what_to_report(monkeypatch):
    monkeypatch.delenv("PZ_DEBUG", raising=False)
    text = failing_app(RuntimeError("x")).stderr
    assert "report" in text or "tell" in text
    assert "--debug" in text
    assert "pz doctor" in text


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("PZ_DEBUG", "1")
    assert "Traceback" in failing_app(GridError("x")).stderr


def test_transient_error_says_that_the_same_command_continues():
    assert "same command continues" in failing_app(StorageError("no space")).stderr


def test_interrupt_is_status_130():
    result = failing_app(KeyboardInterrupt())
    assert result.exit_code == 130
    assert "interrupted; the same command continues" in result.stderr


def test_every_error_class_has_a_line():
    assert failing_app(PZCenterError("root")).stderr == "error[pzcenter]: root\n"


def test_debug_may_stand_anywhere(monkeypatch, capsys):
    monkeypatch.setenv("PZ_DEBUG", "")
    with pytest.raises(SystemExit) as stop:
        main(["mappings", "nonsense", "--debug"])
    assert stop.value.code == 1
    text = capsys.readouterr().err
    assert "error[not_found]" in text
    assert "Traceback" in text


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["pipe", "NO_COLOR"])
def test_no_colour_in_a_pipe(environment):
    command = [sys.executable, "-c", "from pzcenter.cli import main; main()", "mappings", "nonsense"]
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert made.returncode == 1
    assert ESCAPE not in made.stdout + made.stderr


def test_page_of_commands_is_what_the_commands_say():
    page = ROOT / "docs" / "reference" / "commands.md"
    assert page.read_text(encoding="utf-8") == reference.commands_page(), (
        "make it anew: python -m pzcenter.cli.reference docs/reference/commands.md"
    )


def test_page_of_commands_has_every_command_and_option():
    page = reference.commands_page()
    for path, command in COMMANDS:
        assert f"## {' '.join(['pz', *path])}\n" in page
        for param in command.params:
            if param.param_type_name == "option" and param.name != "help":
                assert param.opts[0] in page
    assert "[bold]" not in page
    assert "Default: `1`" in page


def test_help_is_fast():
    """Less than half a second of processor time, in the best of three: neighbours may be noisy."""
    code = "import sys, time; from pzcenter.cli import main; sys.stdout = sys.stderr\n"
    code += "try: main(['--help'])\nexcept SystemExit: sys.__stdout__.write(str(time.process_time()))"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < 0.5
