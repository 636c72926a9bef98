"""``pz deliver receive|promote|scrub|send``: between the places of the data flow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import FLAG, JsonOutput

if TYPE_CHECKING:
    from pzcenter.pipelines.delivery.movements import MoveReport
    from pzcenter.pipelines.delivery.tiers import TierConfig

__all__ = [
    "PROMOTE_EXAMPLES",
    "RECEIVE_EXAMPLES",
    "SCRUB_EXAMPLES",
    "SEND_EXAMPLES",
    "promote",
    "receive",
    "scrub",
    "send",
]

RECEIVE_EXAMPLES = (
    ("pz deliver receive dtn/dr1 landing", "into the landing zone, checked against the lists that came along"),
    ("pz deliver receive s3://survey/dr1 --tiers tiers.yaml", "from an object store, to the place of the file"),
)
PROMOTE_EXAMPLES = (("pz deliver promote landing/dr1 tier1", "into the archive, read-only and registered"),)
SCRUB_EXAMPLES = (
    ("pz deliver scrub tier1", "read all of it"),
    ("pz deliver scrub tier1 --max 500GB --copy /mirror/tier1", "what was read the longest ago, mended from a copy"),
)
SEND_EXAMPLES = (
    ("pz deliver send package outbox", "to the outbox, read back there"),
    ("pz deliver send package s3://dtn/outbox --embargoed-copy", "before its date, to a site that keeps it closed"),
)

Tiers = Annotated[
    Path | None, typer.Option("--tiers", metavar="FILE", help="YAML with the places: landing, tier1, outbox.")
]


def receive(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Directory or s3:// URI.")],
    landing: Annotated[Path | None, typer.Argument(metavar="LANDING", help="Landing zone.")] = None,
    *,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Of the data set; that of the source by default.")
    ] = None,
    checksums: Annotated[
        Path | None,
        typer.Option("--checksums", metavar="FILE", help="List as of sha256sum, in place of those in the source."),
    ] = None,
    tiers: Tiers = None,
    as_json: JsonOutput = False,
) -> None:
    """Bring a data set into the landing zone, each file checked; what arrives damaged goes into quarantine.

    When it is interrupted, the same command continues. The status is 1 while anything is missing.
    """
    from pzcenter.pipelines.delivery.tiers import receive as bring

    place = landing if landing is not None else _tiers(tiers, "LANDING").landing
    _show(bring(source, place, name=name, checksums=checksums), as_json=as_json)


def promote(
    landed: Annotated[Path, typer.Argument(metavar="LANDED", help="Data set in the landing zone.")],
    tier1: Annotated[Path | None, typer.Argument(metavar="TIER1", help="Archive.")] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", metavar=FLAG, help="Leave it in the landing zone too.")] = False,
    tiers: Tiers = None,
    as_json: JsonOutput = False,
) -> None:
    """Move a data set into the archive, Tier 1: every byte checked, read-only, registered, and never changed again."""
    from pzcenter.pipelines.delivery.tiers import promote as move

    place = tier1 if tier1 is not None else _tiers(tiers, "TIER1").tier1
    _show(move(landed, place, keep_landing=keep), as_json=as_json)


def scrub(
    tier1: Annotated[Path, typer.Argument(metavar="TIER1", help="Archive.")],
    *,
    copy: Annotated[
        str | None,
        typer.Option("--copy", metavar="PLACE", help="Second copy, directory or s3:// URI, to mend from."),
    ] = None,
    max_bytes: Annotated[
        str | None, typer.Option("--max", metavar="SIZE", help="Read at most so much now, such as 500GB.")
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Read the archive again and compare every byte with its checksum, what was read the longest ago first.

    The status is 1 where something is damaged and could not be mended.
    """
    from pzcenter.cli.failures import FAILED
    from pzcenter.cli.screen import bytes_text, print_json, seconds_text, stderr, stdout
    from pzcenter.pipelines.delivery.scrub import scrub as read_again
    from pzcenter.pipelines.delivery.sizes import bytes_of_text

    found = read_again(tier1, copy=copy, max_bytes=None if max_bytes is None else bytes_of_text(max_bytes))
    if as_json:
        print_json(found.as_dict())
    else:
        since = f"all since {found.oldest}" if found.oldest else "some never"
        stdout().print(
            f"{found.n_files:,} of {found.n_files_all:,} files, {bytes_text(found.n_bytes)} read in "
            f"{seconds_text(found.seconds)}; {since}",
            soft_wrap=True,
        )
    for words, paths in (("mended from the copy", found.repaired), ("damaged", found.damaged)):
        for path in paths:
            stderr().print(f"{path}: {words}", markup=False, highlight=False, soft_wrap=True)
    if not found.ok:
        raise typer.Exit(FAILED)


def send(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="Directory of the package.")],
    outbox: Annotated[str | None, typer.Argument(metavar="OUTBOX", help="Directory or s3:// URI.")] = None,
    *,
    embargoed_copy: Annotated[
        bool,
        typer.Option("--embargoed-copy", metavar=FLAG, help="Before the date, to a site that keeps it closed."),
    ] = False,
    tiers: Tiers = None,
    as_json: JsonOutput = False,
) -> None:
    """Send a package to the outbox and read back every byte there. Drafts and internal packages do not leave.

    When it is interrupted, the same command continues.
    """
    from pzcenter.cli.failures import MISUSE
    from pzcenter.cli.screen import stderr
    from pzcenter.pipelines.delivery.send import send as move

    place = outbox if outbox is not None else _tiers(tiers, "OUTBOX").outbox
    if place is None:
        stderr().print(f"{tiers} names no outbox", markup=False)
        raise typer.Exit(MISUSE)
    _show(move(package, place, embargoed_copy=embargoed_copy), as_json=as_json)


def _tiers(path: Path | None, argument: str) -> TierConfig:
    from pzcenter.pipelines.delivery.tiers import read_tiers

    if path is None:
        raise typer.BadParameter(f"give {argument}, or --tiers FILE")
    return read_tiers(path)


def _show(report: MoveReport, *, as_json: bool) -> None:
    """Print what a movement did; status 1 where it is not complete."""
    from pzcenter.cli.failures import FAILED
    from pzcenter.cli.screen import bytes_text, print_json, seconds_text, stderr, stdout

    if as_json:
        print_json(report.as_dict())
    else:
        moved = f"{bytes_text(report.bytes_moved)} in {seconds_text(report.seconds)}, {report.mb_per_s:.0f} MB/s"
        known = f", {report.n_known:,} there before" if report.n_known else ""
        stdout().print(
            f"{report.n_new:,} files, {moved}{known}; {'complete' if report.complete else 'not complete'}, "
            f"in  {report.destination}",
            soft_wrap=True,
        )
    for each in report.quarantined:
        stderr().print(f"{each.path}: {each.words}", markup=False, highlight=False, soft_wrap=True)
    if not report.complete:
        raise typer.Exit(FAILED)
