"""The documentation against the code: what exists is named, what is named exists, and nothing private is said."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
import typer
import typer.main

from pzcenter.catalogs import format_names, target_names
from pzcenter.cli.app import app
from pzcenter.errors import error_classes
from pzcenter.estimators import estimator_names
from pzcenter.estimators.shipped_calibration import calibration_names
from pzcenter.schema import PZFlag, mapping_names, table_names
from pzcenter.science import metrics
from pzcenter.science.engines import engine_names
from pzcenter.science.extinction import extinction_surveys
from pzcenter.science.filters import filter_names
from pzcenter.science.packing import encoding_names
from pzcenter.science.sed import template_set_names

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MADE_PAGES = DOCS / "reference" / "make_pages.py"
OUTSIDE_DOCS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in OUTSIDE_DOCS)])


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def all_docs() -> str:
    return "\n".join(text_of(path) for path in PAGES)


# ---- what exists is named -------------------------------------------------------------------------------------------

REGISTRIES = {
    "error code": tuple(error_classes()),
    "estimator": estimator_names(),
    "mapping": mapping_names(),
    "table": table_names(),
    "flag": [flag.name for flag in PZFlag],
    "encoding": encoding_names(),
    "template set": template_set_names(),
    "filter survey": sorted({name.rpartition("_")[0] for name in filter_names()}),
    "filter": filter_names(),
    "extinction survey": extinction_surveys(),
    "calibration": calibration_names(),
    "engine": engine_names(),
    "metric": [name for name in metrics.__all__ if name.islower() and not name.endswith("_each")],
    "format": format_names(),
    "target": target_names(),
    "benchmark": sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")),
}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_name_is_in_the_documentation(kind):
    missing = [name for name in REGISTRIES[kind] if f"`{name}`" not in all_docs()]
    assert not missing, f"no page says what these are ({kind}): {missing}"


@cache
def root_command():
    return typer.main.get_command(app)


def leaf_commands(command=None, words=()):
    """Words of every command that does something."""
    command = root_command() if command is None else command
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, sub in inner.items():
        yield from leaf_commands(sub, (*words, name))


LEAVES = dict(leaf_commands())


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_is_in_the_documentation(words):
    assert re.search(rf"\bpz {' '.join(words)}\b", all_docs())


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_and_option_explains_itself(words):
    command = LEAVES[words]
    assert len((command.help or "").strip()) > 20
    assert "pz " + " ".join(words) in (command.epilog or ""), "no example"
    for parameter in command.params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), f"{words}: {parameter.name}"


def test_every_dependency_has_its_reason():
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    wanted = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    names = [re.split(r"[<>=!~ \[]", line)[0] for line in wanted]
    reasons = text_of(DOCS / "decisions" / "0002-dependencies.md")
    rows = "\n".join(line.split("|")[1] for line in reasons.splitlines() if line.startswith("| `"))
    assert sorted(set(names)) == sorted(name for name in re.findall(r"`([\w-]+)`", rows) if name != "setuptools")


# ---- what is named exists -------------------------------------------------------------------------------------------


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def links_of(path: Path) -> list[str]:
    found = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", without_code(text_of(path)))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors_of(path: Path) -> set[str]:
    """Anchors of the headings, as they are made by code forges."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text_of(path), flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", head).lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    for link in links_of(path):
        target, _, anchor = link.partition("#")
        goal = (path.parent / target).resolve() if target else path
        assert goal.exists(), f"{name_of(path)}: {link}"
        if anchor and goal.suffix == ".md":
            assert anchor in anchors_of(goal), f"{name_of(path)}: {link}"


def test_every_page_can_be_reached_from_the_index():
    reached, queue = set(), [DOCS / "index.md"]
    while queue:
        page = queue.pop()
        if page in reached:
            continue
        reached.add(page)
        goals = [(page.parent / link.partition("#")[0]).resolve() for link in links_of(page)]
        queue.extend(goal for goal in goals if goal.suffix == ".md" and goal.is_file())
    lost = sorted(name_of(path) for path in DOCS.rglob("*.md") if path not in reached)
    assert not lost, f"docs/index.md leads to none of {lost}"


def test_every_page_begins_with_its_title():
    for path in PAGES:
        lines = [line for line in text_of(path).splitlines() if line and not line.startswith("<!--")]
        assert lines[0].startswith("# "), name_of(path)


def commands_in_blocks(path: Path) -> list[str]:
    """Lines of code blocks that call pz, with continued lines joined."""
    blocks = re.findall(r"```(?:console|bash|sh)?\n(.*?)```", text_of(path), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [re.sub(r"^\$ ", "", line) for line in lines if re.match(r"(\$ )?pz ", line)]


def commands_in_sentences(path: Path) -> list[str]:
    """Calls of pz in code style; the name of a command alone is one too."""
    text = re.sub(r"```.*?```", "", text_of(path), flags=re.DOTALL)
    return [line for line in re.findall(r"`(pz [^`\n]+)`", text) if "…" not in line]


def parse(line: str) -> None:
    """Parse as the command line would, and run nothing."""
    words = shlex.split(line.partition("    ")[0], comments=True)
    words = words[1 : words.index(">")] if ">" in words else words[1:]
    command = root_command()
    path: tuple[str, ...] = ()
    while getattr(command, "commands", None) is not None:
        words = [word for word in words if word not in {"-h", "--help", "--version", "--debug"}]
        if not words:
            return
        path = (*path, words[0])
        assert words[0] in command.commands, f"no command {' '.join(path)!r}"
        command, words = command.commands[words[0]], words[1:]
    command.make_context(" ".join(path), list(words)).close()


def parse_in_a_sentence(line: str) -> None:
    """As above, but arguments may be left out."""
    try:
        parse(line)
    except Exception as error:
        if type(error).__name__ != "MissingParameter":
            raise


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_commands_on_the_page_are_accepted(path):
    calls = [(parse, line) for line in commands_in_blocks(path)]
    calls += [(parse_in_a_sentence, line) for line in commands_in_sentences(path)]
    for call, line in calls:
        try:
            call(line)
        except Exception as error:  # noqa: BLE001 - Typer's errors have no public base class
            pytest.fail(f"{name_of(path)}: {line!r}: {getattr(error, 'message', None) or error}")


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_commands_of_the_help_are_accepted(words):
    for example in re.findall(r"\[bold\](pz .*?)\[/bold\]", LEAVES[words].epilog or ""):
        parse(example)


def test_the_parser_of_this_test_refuses_what_does_not_exist():
    for line in ("pz estimate a b --no-such-option", "pz no-such-command", "pz catalog no-such a", "pz estimate a"):
        with pytest.raises(Exception):  # noqa: B017 - Typer's errors have no public base class
            parse(line)


def test_readme_has_the_two_commands():
    assert "```\npython3 make.py demo\npython3 make.py test\n```" in text_of(ROOT / "README.md")
    assert "python3 make.py test" in text_of(ROOT / ".ci" / "run")


def test_paths_of_the_project_exist():
    """Files and folders that the pages name in code style."""
    pattern = r"`((?:src|docs|tests|benchmarks|requirements|changelog\.d)/[\w./-]*)`"
    for path in PAGES:
        for named in re.findall(pattern, text_of(path)):
            is_pattern = re.search(r"\b[A-Z]{3,}\b", named) and not named.endswith("ORIGIN.md")
            if not is_pattern and not (ROOT / named).exists():
                pytest.fail(f"{name_of(path)}: {named}")


# ---- pages that are made --------------------------------------------------------------------------------------------


def made_pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location(MADE_PAGES.stem, MADE_PAGES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("name", ["errors.md", "settings.md", "server-settings.md"])
def test_made_page_is_as_it_would_be_made(name):
    assert text_of(DOCS / "reference" / name) == made_pages()[name], "run: python docs/reference/make_pages.py"


# ---- what is not said -----------------------------------------------------------------------------------------------

MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|Users|root|tmp|work|mnt|scratch)(?:/\w|(?=[\s\"'`)]|$))")
ABOUT_PATHS = {
    "src/pzcenter/catalogs/provenance.py",  # takes home directories out of records,
    "tests/unit/catalogs/test_provenance.py",  # and tests of that
    "tests/unit/catalogs/test_skinny.py",
    "tests/architecture/test_docs.py",
}
REGISTRY_HOST = re.compile(r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|debian|ubuntu|anaconda)\.(?:org|com|net|io)\b")
WITHOUT_ADDRESSES = ("requirements/", ".ci/", "make.py", "pyproject.toml")
NOT_OF_THE_PROJECT = re.compile(r"\bissue #?\d|\bco-authored-by\b|\bas an ai\b|\bsub-?agents?\b", re.IGNORECASE)


@cache
def tracked_texts() -> dict[str, str]:
    """Every tracked text file by name; of the working tree, so that a fault is seen before it is committed."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone of the repository")
    texts = {}
    for name in filter(None, listed.stdout.split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in content:
            texts[name] = content.decode("utf-8", errors="replace")
    return texts


def lines_with(pattern: re.Pattern[str], names) -> list[str]:
    texts = tracked_texts()
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name in names
        for number, line in enumerate(texts[name].splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_path_of_a_machine():
    assert not lines_with(MACHINE_PATH, [name for name in tracked_texts() if name not in ABOUT_PATHS])


def test_no_package_index_is_named():
    assert not lines_with(REGISTRY_HOST, tracked_texts())


def test_no_address_where_things_are_installed():
    names = [name for name in tracked_texts() if name.startswith(WITHOUT_ADDRESSES)]
    assert any(name.startswith("requirements/") for name in names)
    assert not lines_with(re.compile(r"\w+://"), names)


def test_files_speak_of_the_project_alone():
    names = [name for name in tracked_texts() if name != "tests/architecture/test_docs.py"]
    assert not lines_with(NOT_OF_THE_PROJECT, names)


@pytest.mark.parametrize(
    ("pattern", "caught", "passed"),
    [
        (MACHINE_PATH, 'path = "/home/kepler/x"', "docs/work/plan"),
        (MACHINE_PATH, "see /tmp/out", "a/tmp/b"),
        (REGISTRY_HOST, "from files.{}.org/x".format("pythonhosted"), "Debian or Ubuntu"),
        (NOT_OF_THE_PROJECT, "see issue #12", "issues: say what you did"),
    ],
)
def test_what_the_patterns_catch(pattern, caught, passed):
    assert pattern.search(caught)
    assert not pattern.search(passed)
