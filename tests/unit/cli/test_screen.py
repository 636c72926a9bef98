"""What goes to the screen."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path

import pytest

from pzcenter.cli.progress import StepProgress
from pzcenter.cli.screen import bytes_text, json_text, print_paths, seconds_text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_seconds(seconds, text):
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1234, "1.2 kB"), (64e6, "64 MB"), (2.5e15, "2500 TB")]
)
def test_bytes(n_bytes, text):
    assert bytes_text(n_bytes) == text


def test_json_is_strict():
    content = {"nan": math.nan, "inf": -math.inf, "path": Path("a/b"), "rows": (1, 2.5, None, True), 3: "µ"}
    assert json.loads(json_text(content)) == {
        "nan": None, "inf": None, "path": "a/b", "rows": [1, 2.5, None, True], "3": "µ",
    }  # fmt: skip


def test_long_paths_are_not_broken(capsys):
    path = Path("/", *["directory"] * 60)
    print_paths({"PZ table": path})
    assert capsys.readouterr().out == f"PZ table  {path}\n"


def test_progress_without_a_terminal_is_a_line_for_each_step(capsys):
    with StepProgress() as progress:
        progress("skinny", 0.0, "reading")
        progress("skinny", 0.5, "300 rows read")
        progress("estimate", 0.0, "0 of 600 objects")
        progress("estimate", 1.0, "600 of 600 objects")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Make the skinny table", "Estimate p(z)"]
    assert "objects/s" in lines[1]
    assert "objects/s" not in lines[0]


def test_progress_of_a_long_step_speaks_now_and_then(capsys, monkeypatch):
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr("pzcenter.cli.progress.time.monotonic", lambda: next(clock))
    with StepProgress() as progress:
        for done in range(0, 601, 100):
            progress("estimate", done / 600, f"{done} of 600 objects")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 2
    assert all("Estimate p(z)" in line for line in lines)
    assert any("left" in line for line in lines)


def test_progress_that_fails_does_not_say_done(capsys):
    def fail():
        with StepProgress() as progress:
            progress("estimate", 0.0, "0 of 600 objects")
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert "done" not in capsys.readouterr().err


def test_progress_on_a_terminal_draws_bars(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with StepProgress() as progress:
        progress.for_step("train")(0.5, "calibrating the prior")
    assert "Train the model" in screen.getvalue()
    assert "100 %" in screen.getvalue()
