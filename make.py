#!/usr/bin/env python3
"""Set up and run PZ Center from a clone: needs Python 3.11 or newer and nothing else.

    python3 make.py demo        install, then make the demo: from a simulated sky to a validated PZ table
    python3 make.py test        install, then run all checks and tests (what continuous integration runs)
    python3 make.py check       style, types and import floors only
    python3 make.py bench NAME  run benchmarks/NAME.py; further words are passed on
    python3 make.py lock        resolve the locked requirements anew
    python3 make.py clean       remove the environments

Environments are made beside this file (.venv, .venv-test, .venv-reference) from requirements/*.txt: exact versions,
checked by hash. Further words after the command are passed on, as in `python3 make.py test tests/unit -k packing`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCKED = {".venv": "run", ".venv-test": "test", ".venv-reference": "reference"}
OLDEST, NEWEST = (3, 11), (3, 13)
EXTRAS = ("test", "lsdb", "qp", "dust", "production", "postgres", "training", "ml", "server")


def main(arguments: list[str]) -> int:
    """Run one command and give its exit status."""
    commands = {"demo": demo, "test": test, "check": check, "bench": bench, "lock": lock, "clean": clean}
    if not arguments or arguments[0] not in commands:
        print(__doc__)
        return 0 if arguments[:1] in ([], ["-h"], ["--help"], ["help"]) else 2
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        print(
            f"This is Python {sys.version.split()[0]}; the locked requirements are for "
            f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}. "
            "Run this file with one of those, such as: python3.12 make.py demo"
        )
        return 2
    try:
        return commands[arguments[0]](arguments[1:])
    except subprocess.CalledProcessError as error:
        print(f"failed with status {error.returncode}: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demo(words: list[str]) -> int:
    """The whole main line on a simulated sky."""
    python = environment(".venv")
    return run([python.parent / "pz", "demo", *words])


def test(words: list[str]) -> int:
    """All checks and tests."""
    python = environment(".venv-test")
    reference = environment(".venv-reference")
    status = checks(python)
    workers = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "worksteal"]
    where = os.environ | {"PZCENTER_REFERENCE_PYTHON": str(reference)}
    return run([python, "-m", "pytest", *workers, *words], env=where) or status


def check(_words: list[str]) -> int:
    """Style, types and import floors."""
    return checks(environment(".venv-test"))


def checks(python: Path) -> int:
    """The checks that read the code without running it; all of them run, the first failure counts."""
    tools = (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
    )
    return max(run([python.parent / tool, *words]) for tool, *words in tools)


def bench(words: list[str]) -> int:
    """One benchmark beside its peer."""
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
    if not words or words[0] not in names:
        print(f"benchmarks: {', '.join(names)}")
        return 2
    python = environment(".venv-test")
    where = os.environ | {"PZCENTER_REFERENCE_PYTHON": str(environment(".venv-reference"))}
    return run([python, ROOT / "benchmarks" / f"{words[0]}.py", *words[1:]], env=where)


def lock(_words: list[str]) -> int:
    """Resolve the requirements anew; needs uv."""
    uv = shutil.which("uv")
    if uv is None:
        print("install uv first: python3 -m pip install uv")
        return 2
    options = ["--universal", "--python-version", "3.11", "--generate-hashes"]
    options += ["--no-emit-index-url", "--no-header", "--no-annotate", "--upgrade"]
    project = ["pyproject.toml", "requirements/build.in"]
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    server = [*project, "--extra", "server", "--extra", "postgres"]
    sources = {"run": project, "server": server, "test": project + extras, "reference": ["requirements/reference.in"]}
    for name, words in sources.items():
        output = ROOT / "requirements" / f"{name}.txt"
        subprocess.run([uv, "pip", "compile", "-q", *words, *options, "-o", output], check=True, cwd=ROOT)
    return 0


def clean(_words: list[str]) -> int:
    """Remove the environments."""
    for name in LOCKED:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    return 0


def environment(name: str) -> Path:
    """Python of an environment, made or renewed when its locked requirements changed."""
    folder, locked = ROOT / name, ROOT / "requirements" / f"{LOCKED[name]}.txt"
    python, stamp = folder / "bin" / "python", folder / "requirements.sha256"
    wanted = hashlib.sha256(locked.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"setting up {name} (once, some minutes) ...", flush=True)
    create(folder)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", locked], check=True, cwd=ROOT)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", ROOT], check=True, cwd=ROOT)
    stamp.write_text(wanted)
    return python


def create(folder: Path) -> None:
    """Empty environment with pip, also where Debian leaves ensurepip out of Python."""
    shutil.rmtree(folder, ignore_errors=True)
    if importlib.util.find_spec("ensurepip") is not None:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    elif importlib.util.find_spec("virtualenv") is not None:
        subprocess.run([sys.executable, "-m", "virtualenv", "-q", folder], check=True)
    else:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(f"Python's venv module is incomplete here. On Debian or Ubuntu: sudo apt install python{version}-venv")
        raise SystemExit(2)


def run(words: list[str | Path], env: dict[str, str] | None = None) -> int:
    """Run a command in the root of the clone and give its status."""
    return subprocess.run([str(word) for word in words], check=False, cwd=ROOT, env=env).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
