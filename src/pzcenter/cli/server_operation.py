"""``pz server backup|restore|verify|sweep|work``: what the operator of a server does, on the machine of the server."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import JsonOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pzcenter.server.services.context import Services

__all__ = [
    "BACKUP_EXAMPLES",
    "RESTORE_EXAMPLES",
    "SWEEP_EXAMPLES",
    "VERIFY_EXAMPLES",
    "WORK_EXAMPLES",
    "backup",
    "restore",
    "sweep",
    "verify",
    "work",
]

BACKUP_EXAMPLES = (("pz server backup my-server copies/my-server", "everything; again later, what is new is added"),)
RESTORE_EXAMPLES = (
    ("pz server restore copies/my-server new-server", "a server made again from its backup"),
    ("PZ_SERVER_DATABASE_URL=postgresql://pz@db/pz pz server restore copies/my-server site", "now on PostgreSQL"),
)
VERIFY_EXAMPLES = (
    ("pz server verify my-server", "read every byte, compare every checksum"),
    ("pz server verify my-server --copy copies/my-server", "mend what is damaged from a backup"),
    ("pz server verify my-server --days 30", "only what was not looked at for 30 days"),
)
SWEEP_EXAMPLES = (("pz server sweep site", "clear up now; a server that runs jobs does it every hour by itself"),)
WORK_EXAMPLES = (("pz server work site", "run jobs only; the service itself runs elsewhere, with job_workers: 0"),)

ServerDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of the server.")]


def backup(
    directory: ServerDirectory,
    target: Annotated[Path, typer.Argument(metavar="BACKUP", help="New directory, or an earlier backup.")],
    *,
    as_json: JsonOutput = False,
) -> None:
    """Copy everything that a server keeps: tables, files, settings, keys. The server may go on working.

    The backup holds secrets: its directory is readable by its owner alone.
    """
    from dataclasses import asdict

    from pzcenter.cli.screen import print_json, stderr
    from pzcenter.server.services.operation import back_up

    with _services(directory) as services:
        report = back_up(services, target, progress=_teller("copied"))
    if as_json:
        print_json(asdict(report))
    else:
        stderr().print(
            f"{sum(report.n_rows.values()):,} rows, {report.n_contents:,} contents, {report.n_new:,} of them new "
            f"({report.n_bytes:,} bytes)"
        )
    if report.damaged:
        stderr().print(f"{len(report.damaged)} contents are damaged and were not copied: {', '.join(report.damaged)}")
        raise typer.Exit(1)


def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="What 'pz server backup' made.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New directory of the server.")],
    *,
    as_json: JsonOutput = False,
) -> None:
    """Make a server again from its backup; the database may be of another kind."""
    from pzcenter.cli.screen import print_json, stderr
    from pzcenter.server.privacy import private_files
    from pzcenter.server.services.operation.restore import restore as fill
    from pzcenter.server.services.operation.restore import restore_files

    with private_files():
        restore_files(source, directory)
        with _services(directory) as services:
            rows = fill(services, source, progress=_teller("restored"))
    if as_json:
        print_json(rows)
    else:
        stderr().print(f"{sum(rows.values()):,} rows; check the contents with: pz server verify {directory}")


def verify(
    directory: ServerDirectory,
    *,
    copy: Annotated[
        Path | None, typer.Option("--copy", metavar="BACKUP", help="Mend what is damaged from this backup.")
    ] = None,
    days: Annotated[
        float | None,
        typer.Option("--days", metavar="N", help="Only contents that were not checked for so many days.", min=0),
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Read every content in the store, compare its checksum, name what is damaged and the products that have it."""
    from dataclasses import asdict
    from datetime import timedelta

    from pzcenter.cli.screen import print_json, stderr
    from pzcenter.server.services.operation import verify_store
    from pzcenter.server.storage.store import FolderStore

    with _services(directory) as services:
        report = verify_store(
            services, copy=None if copy is None else FolderStore(copy / "contents"),
            older_than=None if days is None else timedelta(days=days), progress=_teller("read"),
        )  # fmt: skip
    if as_json:
        print_json(asdict(report))
    else:
        stderr().print(f"{report.n_checked:,} contents, {report.n_bytes:,} bytes; {len(report.damaged)} damaged")
        for sha256, products in report.damaged.items():
            state = "mended" if sha256 in report.repaired else "DAMAGED"
            stderr().print(f"{state}: {sha256} of products {', '.join(map(str, products)) or 'none'}")
    if not report.whole:
        raise typer.Exit(1)


def sweep(directory: ServerDirectory, *, as_json: JsonOutput = False) -> None:
    """Clear up: uploads whose time is over, contents without a product, ended sessions; mark jobs that stand still.

    The server may go on working. Nothing younger than a day is removed.
    """
    from pzcenter.cli.screen import print_json, stderr
    from pzcenter.server.services.housekeeping import keep_house

    with _services(directory) as services:
        removed = keep_house(services)
    if as_json:
        print_json(removed)
    else:
        stderr().print(
            f"removed: {removed['n_uploads']:,} uploads, {removed['n_contents']:,} contents "
            f"({removed['n_bytes']:,} bytes), {removed['n_remains']:,} remains, {removed['n_sessions']:,} sessions; "
            f"{removed['n_stalled']:,} jobs stand still"
        )


def work(directory: ServerDirectory) -> None:
    """Run the jobs of a server, in a process or on a machine of their own, until Ctrl-C or SIGTERM.

    Jobs under way are left to the next worker.
    """
    from pzcenter.server.privacy import private_files, warn_of_exposure
    from pzcenter.server.services.jobs.worker import Worker
    from pzcenter.server.services.operation.logs import log_to
    from pzcenter.server.settings import read_settings
    from pzcenter.server.surroundings import check_writable, warn_of_missing_catalogs

    settings = read_settings(directory)
    check_writable(settings)
    log_to(settings.log_level)
    warn_of_exposure(settings.data_dir)
    warn_of_missing_catalogs(settings)
    with private_files():
        Worker(settings.model_copy(update={"job_workers": max(1, settings.job_workers)})).run()


@contextmanager
def _services(directory: Path) -> Iterator[Services]:
    from sqlalchemy.exc import OperationalError

    from pzcenter.errors import RegistryError
    from pzcenter.server.privacy import private_files
    from pzcenter.server.services.context import open_services
    from pzcenter.server.settings import read_settings
    from pzcenter.server.surroundings import check_writable

    with private_files():
        settings = read_settings(directory)
        check_writable(settings)
        services = open_services(settings)
        try:
            yield services
        except OperationalError as error:
            raise RegistryError(f"the database does not answer: {error.orig}") from error
        finally:
            services.close()


def _teller(word: str) -> Callable[[int, int], None]:
    """Tell every tenth."""
    from pzcenter.cli.screen import stderr

    console, said = stderr(), set()

    def tell(done: int, n_all: int) -> None:
        tenth = 10 * done // n_all if n_all else 10
        if n_all > 100 and tenth not in said:
            said.add(tenth)
            console.print(f"{word} {done:,} of {n_all:,}")

    return tell
