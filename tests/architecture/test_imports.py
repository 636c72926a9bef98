"""Rooms stand on floors, have their names on the map, and say what they offer."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "pzcenter"
MAP = ROOT / "docs" / "develop" / "architecture.md"
NAMES_THAT_SAY_NOTHING = {"utils", "util", "common", "helpers", "helper", "misc", "core"}

MODULES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    # Steps of a migration are files that Alembic runs, not modules to import.
    if not {"data", "__pycache__", "migrations"} & set(path.relative_to(PACKAGE).parts)
)


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_public(path: Path) -> bool:
    return not any(
        part.startswith("_") and part != "__init__" for part in path.relative_to(PACKAGE).with_suffix("").parts
    )


def declared_names(path: Path) -> list[str] | None:
    """``__all__`` as written."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return ast.literal_eval(node.value)
    return None


def test_imports_keep_to_the_floors():
    linter = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Contracts: \d+ kept, 0 broken", done.stdout)


def test_every_room_is_on_the_map_and_every_name_on_the_map_is_a_room():
    rooms = {path.stem for path in PACKAGE.iterdir() if (path / "__init__.py").is_file() or path.name == "errors.py"}
    rooms |= {path.name for path in PACKAGE.iterdir() if path.is_dir() and not path.name.startswith("_")}
    table = MAP.read_text(encoding="utf-8").partition("## Rooms")[2].partition("## ")[0]
    named = re.findall(r"^\| \S \| `(\w+)` \|", table, flags=re.MULTILINE)
    assert sorted(named) == sorted(rooms)


def test_first_files_to_read_exist():
    table = MAP.read_text(encoding="utf-8").partition("## Rooms")[2].partition("## ")[0]
    for room, files in re.findall(r"^\| \S \| `(\w+)` \|.*\| ([^|]*) \|$", table, flags=re.MULTILINE):
        for name in re.findall(r"`([\w./]+)`", files):
            found = list(PACKAGE.glob(name)) if room == "errors" else list((PACKAGE / room).glob(f"**/{name}"))
            assert found, f"{room}: {name}"


def test_no_module_has_a_name_that_says_nothing():
    assert not [
        path for path in MODULES if path.stem in NAMES_THAT_SAY_NOTHING or path.parent.name in NAMES_THAT_SAY_NOTHING
    ]


@pytest.mark.parametrize("path", [path for path in MODULES if is_public(path)], ids=dotted)
def test_public_modules_declare_names_that_exist(path):
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)), f"{dotted(path)} does not say what it is"
    if path.name == "__init__.py" and len(ast.parse(source).body) == 1:
        return  # a folder that only says what it is
    names = declared_names(path)
    assert names is not None, f"{dotted(path)} has no __all__"
    assert len(set(names)) == len(names)
    module = import_module(dotted(path))
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing, f"{dotted(path)} declares {missing}"
