"""Steps of fetching many products by a signed list; shared by both clients."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pzcenter.client.downloads import below, download_steps
from pzcenter.client.procedures import key_of
from pzcenter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pzcenter.client.downloads import Progress
    from pzcenter.client.exchange import Steps
    from pzcenter.client.procedures import Procedures, Which

__all__ = ["MANIFEST_NAME", "manifest", "mirror"]

MANIFEST_NAME = "manifest.json"


def manifest(do: Procedures, products: Iterable[Which]) -> Steps[dict[str, Any]]:
    """The signed list of the files of products."""
    keys = [key_of(each) for each in products]
    body = {"products": [int(key) if key.isdecimal() and len(key) < 11 else key for key in keys]}
    told: dict[str, Any] = yield from do.ask("POST", "manifests", body)
    return told


def mirror(
    do: Procedures,
    products: Iterable[Which] | None,
    directory: Path,
    *,
    overwrite: bool,
    progress: Callable[[str], Progress] | None,
) -> Steps[Path]:
    """Fetch all files on a list, which stays beside them; without products, go on with the list that is there."""
    path = directory / MANIFEST_NAME
    if products is None:
        if not path.is_file():
            raise UsageError(f"no {MANIFEST_NAME} in {directory}; say which products to fetch")
        told = json.loads(path.read_text(encoding="utf-8"))
        yield from do.ask("POST", "manifests/check", told)
    else:
        told = yield from manifest(do, products)
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told, indent=1), encoding="utf-8")
    for each in told["files"]:
        yield from download_steps(
            each["content_url"], below(directory, each["path"]), retries=do.retries, sha256=each["sha256"],
            overwrite=overwrite, progress=None if progress is None else progress(each["path"]),
        )  # fmt: skip
    return directory
