"""How a verb or a group of verbs is added to ``pz``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["SETTINGS", "add_verb", "examples_text", "verb_group"]

SETTINGS = {"help_option_names": ["-h", "--help"]}


def examples_text(examples: Sequence[tuple[str, str]]) -> str:
    """Commands with what they do, for the end of a help."""
    lines = [f"[dim]# {words}[/dim]\n[bold]{command}[/bold]" for command, words in examples]
    return "\n\n".join(["Examples:" if len(lines) > 1 else "Example:", *lines])


def verb_group(words: str, examples: Sequence[tuple[str, str]]) -> typer.Typer:
    """Make a noun, such as ``pz catalog``, whose verbs are added with :func:`add_verb`."""
    return typer.Typer(
        help=words,
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings=SETTINGS,
        epilog=examples_text(examples),
    )


def add_verb(
    group: typer.Typer,
    command: Callable[..., None],
    examples: Sequence[tuple[str, str]],
    *,
    panel: str | None = None,
    name: str | None = None,
) -> None:
    """Add a verb; its help is its docstring, each paragraph in one line.

    Parameters
    ----------
    group : typer.Typer
    command : callable
    examples : sequence of (str, str)
        Command lines and what they do.
    panel : str, optional
        Heading of the help under which the verb stands.
    name : str, optional
        Of the verb; the function's by default.
    """
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    words = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    group.command(
        name or command.__name__,
        help=words,
        epilog=examples_text(examples),
        rich_help_panel=panel,
        context_settings=SETTINGS,
    )(command)
