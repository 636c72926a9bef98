"""Send a package out: to the outbox of the data transfer node, a directory or an object store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.catalogs.manifest import Journal
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ChecksumError
from pzcenter.pipelines.delivery import layout
from pzcenter.pipelines.delivery.movements import (
    MoveReport,
    Quarantined,
    Tally,
    bring_files,
    expected_checksums,
    record_movement,
)
from pzcenter.pipelines.delivery.places import place_of
from pzcenter.pipelines.delivery.release_state import check_states, require_may_leave

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from pzcenter.pipelines.delivery.places import FoundFile, Place

__all__ = ["send"]

LAST = (layout.STATES, layout.CHECKSUMS)
"""Sent after all others: where the list of checksums is, the package is complete."""


def send(
    package: str | os.PathLike[str],
    outbox: str | os.PathLike[str],
    *,
    embargoed_copy: bool = False,
    today: date | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MoveReport:
    """Copy a package to the outbox, and read back every byte there.

    The same call continues one that was stopped.

    Parameters
    ----------
    package : path
        Of state delegates or later; nothing but a package leaves.
    outbox : path or str
        Directory or ``s3://`` URI; the package becomes a directory in it.
    embargoed_copy : bool
        Send before the date of the embargo, to a site that keeps the package closed.
    today : date, optional
        UTC; now by default.
    progress : callable, optional
        Called with the bytes that are done and all bytes.

    Returns
    -------
    MoveReport

    Raises
    ------
    EmbargoError
        It may not leave, or not yet.
    NotFoundError
        It is not a package.
    ChecksumError
        The package itself is not as its list of checksums says.
    StorageError
        The outbox refused.
    """
    begun = time.monotonic()
    root = Path(package).absolute()
    require_may_leave(root, embargoed_copy=embargoed_copy, today=today)
    faults = check_states(root)
    if faults:
        raise ChecksumError(f"{root}: {'; '.join(faults)}")
    source, target = place_of(root), place_of(f"{str(outbox).rstrip('/')}/{root.name}")
    expected = expected_checksums(source, (root / layout.CHECKSUMS).read_text(encoding="utf-8"))
    expected[layout.CHECKSUMS] = file_sha256(root / layout.CHECKSUMS)
    expected[layout.STATES] = file_sha256(root / layout.STATES)
    found = {file.path: file for file in source.files()}
    move = _copy if target.local is not None else _upload
    done = move(source, [file for path, file in found.items() if path not in LAST], target, expected, progress)
    done.quarantined += [
        Quarantined(path, "is missing in the package") for path in sorted(set(expected) - set(found))
    ]  # fmt: skip
    if not done.quarantined:
        last = move(source, [found[path] for path in LAST], target, expected, None)
        done.quarantined += last.quarantined
        done.n_new, done.n_known = done.n_new + last.n_new, done.n_known + last.n_known
        done.bytes_moved += last.bytes_moved
    if embargoed_copy and target.local is not None:
        target.local.chmod(0o700)
    sha256 = "" if done.quarantined else expected[layout.CHECKSUMS]
    report = MoveReport(
        what="send",
        name=root.name,
        source=str(root),
        destination=target.uri,
        n_files=len(found),
        n_new=done.n_new,
        n_known=done.n_known,
        bytes_moved=done.bytes_moved,
        seconds=time.monotonic() - begun,
        quarantined=tuple(done.quarantined),
        sha256=sha256,
    )
    # An object store cannot be appended to: the line is then beside the package.
    record_movement(root.parent if target.local is None else target.local.parent, report)
    return report


def _copy(
    source: Place,
    files: Sequence[FoundFile],
    target: Place,
    expected: Mapping[str, str],
    progress: Callable[[int, int], None] | None,
) -> Tally:
    """Copy to a directory."""
    root = target.local or Path()
    return bring_files(
        source,
        files,
        root,
        expected={file.path: expected.get(file.path, "") for file in files},
        quarantine=root.parent / ".quarantine" / root.name,
        journal=Journal(root.parent / ".sent" / f"{root.name}.jsonl"),
        progress=progress,
    )


def _upload(
    source: Place,
    files: Sequence[FoundFile],
    target: Place,
    expected: Mapping[str, str],
    progress: Callable[[int, int], None] | None,
) -> Tally:
    """Write to an object store; a file that is there with the right checksum is not sent again."""
    tally, done, total = Tally(), 0, sum(file.n_bytes for file in files)
    for file in files:
        sha256 = expected.get(file.path, "")
        if target.has(file.path) and target.sha256(file.path) == sha256:
            tally.n_known += 1
        else:
            target.write(file.path, source.blocks(file.path))
            tally.n_new += 1
            tally.bytes_moved += file.n_bytes
            if (found := target.sha256(file.path)) != sha256:
                words = f"SHA-256 {found[:12]}... at the outbox, and {sha256[:12] or 'none'} in {layout.CHECKSUMS}"
                tally.quarantined.append(Quarantined(file.path, words))
        done += file.n_bytes
        if progress is not None:
            progress(done, total)
    return tally
