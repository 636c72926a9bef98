"""What everybody imports first stays light: heavy packages are loaded by the function that needs them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("astropy", "cdshealpix", "dask", "h5py", "hats", "jinja2", "lsdb", "matplotlib", "numba", "pandas", "photerr",
         "pyarrow", "pydantic", "qp", "scipy", "speclite")  # fmt: skip

RUN_COMMAND = """
import contextlib, io
from pzcenter.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({words!r})
"""


def loaded_after(code: str) -> set[str]:
    """Which of the heavy packages a fresh process has after running the code."""
    tell = f"\nimport json, sys\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code + tell], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "module", ["pzcenter", "pzcenter.errors", "pzcenter.schema", "pzcenter.science", "pzcenter.cli"]
)
def test_importing_loads_nothing_heavy(module):
    assert loaded_after(f"import {module}") == set()


@pytest.mark.parametrize("words", [["--help"], ["--version"]], ids=" ".join)
def test_command_alone_loads_nothing_heavy(words):
    assert loaded_after(RUN_COMMAND.format(words=words)) == set()


@pytest.mark.parametrize("words", [["estimate", "-h"], ["catalog", "convert", "-h"], ["doctor", "-h"]], ids=" ".join)
def test_help_on_a_command_loads_pydantic_at_most(words):
    # Typer reads arguments with pydantic in some versions.
    assert loaded_after(RUN_COMMAND.format(words=words)) <= {"pydantic"}


def test_protocol_of_estimators_loads_pydantic_alone():
    assert loaded_after("import pzcenter.estimators") <= {"pydantic"}


def test_containers_load_nothing_heavy():
    code = """
import numpy as np
from pzcenter.schema import PZ
PZ(pdf=np.ones((1, 2), np.float32), z_grid=np.array([0.0, 1.0]), flags=np.zeros(1, np.uint32))
"""
    assert loaded_after(code) == set()
