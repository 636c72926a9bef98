"""``pz doctor``: whether this installation works, and what is missing."""

from __future__ import annotations

import typer

from pzcenter.cli.options import JsonOutput

__all__ = ["EXAMPLES", "doctor"]

EXAMPLES = (
    ("pz doctor", "everything, in a few seconds"),
    ("pz doctor --json", "for a report of a fault"),
)
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(*, as_json: JsonOutput = False) -> None:
    """Examine this installation: packages, extras, the compiled engines, disk, memory, terminal.

    Ends with status 1 where something fails. Warnings are about extras that are not needed, or little space.
    """
    from dataclasses import asdict

    from rich.markup import escape

    from pzcenter.cli.checks import examine
    from pzcenter.cli.failures import FAILED
    from pzcenter.cli.screen import plain_table, print_json, stdout

    checks = examine()
    failed = [check for check in checks if check.result == "fail"]
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        table = plain_table(result="left", what="left", found="left", to_do="left")
        for check in checks:
            result = f"[{_STYLES[check.result]}]{check.result}[/]"
            table.add_row(result, escape(check.name), escape(check.found), escape(check.advice))
        stdout().print(table)
        words = "[green]all is well[/]" if not failed else f"[bold red]{len(failed)} checks failed[/]"
        stdout().print(f"\n{words}")
    if failed:
        raise typer.Exit(FAILED)
