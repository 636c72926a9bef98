"""The page of all commands, made from the commands themselves.

``python -m pzcenter.cli.reference docs/reference/commands.md`` writes it; a test keeps it equal.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main

from pzcenter.cli.app import app
from pzcenter.cli.failures import FAILED, INTERRUPTED, MISUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["commands_page"]

HEAD = f"""# Commands

Made from the commands by `python -m pzcenter.cli.reference docs/reference/commands.md`.

Data go to stdout; messages and progress go to stderr: bars on a terminal, lines elsewhere. Colours are left out where
no terminal is, or where `NO_COLOR` is set. An error is one line, `error[code]: message`, with a code of
[Errors](errors.md). Exit status: 0 done, {FAILED} failed, {MISUSE} misuse of the command line or a setting that is not
accepted, {INTERRUPTED} interrupted.
"""
MARKUP = re.compile(r"\[/?(?:bold|dim)\]")
HIDDEN = {"help"}


def commands_page() -> str:
    """All commands as one Markdown page.

    Returns
    -------
    str
    """
    root = typer.main.get_command(app)
    sections = [HEAD, *_sections("pz", root)]
    return "\n".join(sections).rstrip() + "\n"


def _sections(path: str, command: Any) -> Iterator[str]:
    yield _section(path, command)
    for name, child in getattr(command, "commands", {}).items():
        yield from _sections(f"{path} {name}", child)


def _section(path: str, command: Any) -> str:
    parts = [f"## {path}", "", MARKUP.sub("**", command.help or "").replace("****", "").strip(), ""]
    children = getattr(command, "commands", {})
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and param.name not in HIDDEN]
    words = [path, *(["COMMAND"] if children else []), *(_metavar(param) for param in arguments)]
    parts += ["```text", " ".join([*words, "[OPTIONS]"] if options else words), "```", ""]
    if children:
        parts += ["| command | |", "|---|---|"]
        parts += [
            f"| [`{path} {name}`](#{f'{path} {name}'.replace(' ', '-')}) | {_first_paragraph(child.help)} |"
            for name, child in children.items()
        ]
        parts += [""]
    if arguments or options:
        parts += ["| | |", "|---|---|"]
        parts += [f"| `{_metavar(param)}` | {_words(param)} |" for param in arguments]
        parts += [f"| `{_option(param)}` | {_words(param)} |" for param in options]
        parts += [""]
    if command.epilog:
        lines = MARKUP.sub("", command.epilog).split("\n\n")[1:]
        parts += ["```bash", *"\n".join(lines).split("\n"), "```", ""]
    return "\n".join(parts)


def _first_paragraph(text: str | None) -> str:
    return MARKUP.sub("", (text or "").split("\n\n")[0])


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper()).strip("[]")


def _option(param: Any) -> str:
    names = ", ".join([*param.opts, *param.secondary_opts])
    return names if param.is_flag else f"{names} {_metavar(param)}"


def _words(param: Any) -> str:
    words = [MARKUP.sub("", param.help or "")]
    if not words[0].endswith((".", ")")):
        words[0] += "."
    if param.required:
        words.append("Required.")
    elif param.default is not None and not isinstance(param.default, bool) and not callable(param.default):
        words.append(f"Default: `{param.default}`.")
    if param.envvar:
        words.append(f"Also `{param.envvar}`.")
    return " ".join(words).replace("|", r"\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(commands_page(), encoding="utf-8")
