"""What a user sees when a command fails, and the exit status: 1 failed, 2 misuse, 130 interrupted."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from pzcenter.cli.screen import stderr
from pzcenter.errors import ConfigError, InternalError, PZCenterError, TransientError

__all__ = ["FAILED", "INTERRUPTED", "MISUSE", "PzGroup", "show_debug_log"]

FAILED, MISUSE, INTERRUPTED = 1, 2, 130
REPORT_TO = "the issue tracker of PZ Center"

ClickException: type[Exception] = typer.BadParameter.__mro__[2]
"""Misuse of the command line. Typer carries its own copy of click in some versions, and uses the package in others."""


class PzGroup(TyperGroup):
    """The verbs of ``pz``: whatever one of them raises becomes a line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, ClickException):
            raise
        except KeyboardInterrupt:
            stderr().print("\n[yellow]interrupted[/]; the same command continues")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read our output, such as head, has seen enough. What is still buffered must not complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None
        except PZCenterError as error:
            _show(error)
            raise typer.Exit(MISUSE if isinstance(error, ConfigError) else FAILED) from None
        except MemoryError:
            _line("memory", "the memory is used up; fewer workers or smaller partitions need less")
            raise typer.Exit(FAILED) from None
        except Exception as error:  # noqa: BLE001 - the last place where it can become a readable message
            _show_unexpected(error)
            raise typer.Exit(FAILED) from None


def show_debug_log() -> None:
    """Send the log of the package to stderr, and let tracebacks through."""
    os.environ["PZ_DEBUG"] = "1"
    logging.basicConfig(format="%(relativeCreated)8.0f ms %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("pzcenter").setLevel(logging.DEBUG)


def _show(error: PZCenterError) -> None:
    _line(error.code, _words(error))
    _traceback_if_asked(error)
    if isinstance(error, TransientError):
        stderr().print("nothing is wrong with the request: when the cause is gone, the same command continues")
    elif isinstance(error, InternalError) and not os.environ.get("PZ_DEBUG"):
        stderr().print("[dim]--debug shows where it happened[/]")


def _show_unexpected(error: Exception) -> None:
    _line("unexpected", f"{type(error).__name__}: {error}")
    _traceback_if_asked(error)
    if not os.environ.get("PZ_DEBUG"):
        stderr().print(
            f"This is a fault of PZ Center. Please tell {REPORT_TO}, with the command, the output of "
            "'pz doctor', and what the same command says with --debug."
        )


def _words(error: BaseException) -> str:
    """The message; that of an OSError without its number."""
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    return str(error)


def _line(code: str, message: str) -> None:
    console = stderr()
    console.print(f"[bold red]error\\[{code}][/]: ", end="")
    console.print(message, markup=False, highlight=False, soft_wrap=True)


def _traceback_if_asked(error: BaseException) -> None:
    if os.environ.get("PZ_DEBUG"):
        sys.stderr.write("".join(traceback.format_exception(error)))
