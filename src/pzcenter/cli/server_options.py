"""What the commands of ``pz server`` share: options, the client, bars."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pzcenter.client import Product, PZClient
    from pzcenter.client.downloads import Progress

__all__ = ["ProductKey", "ServerName", "bars", "client_of", "pairs_of", "seen_by"]

ServerName = Annotated[
    str | None,
    typer.Option("--server", "-s", metavar="NAME", help="Server by its name at 'pz server login'; the default one."),
]
ProductKey = Annotated[str, typer.Argument(metavar="PRODUCT", help="Number of a product, or its public name.")]


@contextmanager
def client_of(name: str | None) -> Iterator[PZClient]:
    """Client of a server that this user has signed in to.

    Raises
    ------
    MissingDependencyError
        The extra ``client`` is not installed.
    AuthenticationError
        Nobody has signed in.
    """
    from pzcenter.errors import MissingDependencyError

    try:
        from pzcenter.client import PZClient
    except ImportError as error:
        raise MissingDependencyError(f"{error}; install it with: pip install 'pzcenter[client]'") from error
    # Who signed in over http has said so then.
    with PZClient.signed_in(name, insecure=True) as client:
        yield client


@contextmanager
def bars() -> Iterator[Callable[[str], Progress]]:
    """A bar for each file whose bytes are sent or fetched; on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _name: lambda _done, _size: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from pzcenter.cli.screen import stderr

    columns = (
        TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=stderr()) as progress:

        def bar(name: str) -> Callable[[int, int | None], None]:
            task = progress.add_task(name, total=None)
            return lambda done, size: progress.update(task, completed=done, total=size)

        yield bar


def pairs_of(texts: list[str] | None, option: str) -> dict[str, str]:
    """Options of the form ``NAME=VALUE``.

    Raises
    ------
    ConfigError
        One has no ``=``.
    """
    from pzcenter.errors import ConfigError

    found: dict[str, str] = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ConfigError(f"{option} {text!r}: expected COLUMN=NAME")
        found[name] = value
    return found


def seen_by(product: Product) -> str:
    """Who sees a published product; without a release nobody needs rights."""
    if product.visibility == "release":
        return "everybody with an account" if product.release is None else f"everybody with rights to {product.release}"
    return {"shared": "the groups and people that it is shared with", "private": "its owner alone"}[product.visibility]
