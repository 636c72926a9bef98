"""The coverage page against the tests: what it names as proof exists, and no row is left out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "coverage.md"
WANTED = [
    *(f"B{number:02d}" for number in range(1, 27)),
    *(f"D{number:02d}" for number in (*range(1, 25), *range(26, 35), *range(37, 48))),
    *(f"N{number:02d}" for number in range(8, 39)),
]
STATES = {"done", "partly", "not", "elsewhere"}
PROOF = re.compile(r"`(tests/[\w./-]+\.py)::(\w+(?:::\w+)?)`")


@cache
def rows() -> dict[str, list[str]]:
    """Cells of each row by its id."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| [BDN]\d\d \|", line)]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip(): row for row in cells}


@cache
def names_in(name: str) -> set[str]:
    """Names as pytest has them: of functions, and of methods after their class."""
    found = set()
    for node in ast.parse((ROOT / name).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


def test_every_row_is_there_once():
    assert list(rows()) == WANTED


def test_every_test_that_is_named_exists():
    named = PROOF.findall(PAGE.read_text(encoding="utf-8"))
    missing = [f"{file}::{test}" for file, test in named if not (ROOT / file).is_file() or test not in names_in(file)]
    assert named
    assert not missing


@pytest.mark.parametrize("number", WANTED)
def test_every_row_says_its_state_and_a_finished_one_its_proof(number):
    asks, here, proof, state = rows()[number][1:]
    assert asks
    assert here
    assert state.split()[0].rstrip(":;,") in STATES, state
    if state.startswith("done"):
        assert PROOF.search(proof), f"{number} is said to be done, and no test shows it"


def test_dataset_types_that_are_named_exist():
    """Counterparts of the forty types of the first data preview."""
    table = PAGE.read_text(encoding="utf-8").partition("## The 40 dataset types")[2]
    lines = [line for line in table.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(lines) == 40
    known = {spec.name for spec in DATASET_TYPES}
    named = {name for line in lines for name in re.findall(r"`((?:pz|photoz)_[\w{}]+|object)`", line.split("|")[3])}
    assert named <= known
    assert named
