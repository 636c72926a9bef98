"""Fetch the redshifts of a survey once, and read them from the cache ever after."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from pzcenter.catalogs.storage import atomic_path, file_sha256
from pzcenter.errors import ChecksumError, NotFoundError, PZCenterError, SourceUnavailableError, TransientError
from pzcenter.training.sources.addresses import host_of
from pzcenter.training.sources.cache import SourceCache, Version
from pzcenter.training.sources.fetched import FetchedSource
from pzcenter.training.sources.limits import Limits
from pzcenter.training.sources.protocol import Answer, Visit
from pzcenter.training.sources.registry import get_connector
from pzcenter.training.sources.request import SourceRequest, as_request
from pzcenter.training.sources.tables import count_rows
from pzcenter.training.sources.transport import WHAT_TO_DO

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    from pzcenter.training.surveys import Survey

__all__ = ["fetch", "sources_of"]

log = logging.getLogger(__name__)


def fetch(
    source: str | Survey | SourceRequest | Mapping[str, Any],
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    refresh: bool = False,
    offline: bool = False,
    token: str = "",
    limits: Limits | None = None,
    allow_private: bool = False,
) -> FetchedSource:
    """Fetch a survey or a single source.

    Parameters
    ----------
    source : str, Survey, SourceRequest or mapping
        A survey or its name, whose sources are tried in their order; or one source, as it stands in a survey file.
    cache_dir : path, optional
        ``$PZ_CACHE/sources``, or the user's cache directory.
    refresh : bool
        Ask the service although the answer is kept. A changed answer becomes a new version beside the old one.
    offline : bool
        Never go out; what is not kept is an error.
    token : str
        For services that ask for one.
    limits : Limits, optional
    allow_private : bool
        Accept addresses of this machine and of private networks.

    Returns
    -------
    FetchedSource

    Raises
    ------
    NotFoundError
        No such survey; it has no source; the source has nothing there; or it is not kept and ``offline`` is set.
    TransientError
        No source could be reached. The message names the hosts and says what to do.
    ChecksumError
        A kept or fetched file is not what it should be.
    """
    cache = SourceCache(cache_dir)
    visit = {"limits": limits or Limits(), "token": token, "allow_private": allow_private}
    name, requests = sources_of(source)
    if not refresh or offline:
        for request in requests:
            if request.connector != "file" and (kept := _from_cache(cache, request, name)) is not None:
                return kept
    if offline:
        local = [request for request in requests if request.connector == "file"]
        if not local:
            raise NotFoundError(_not_kept(name, requests, cache))
        requests = local
    failed: list[str] = []
    for request in requests:
        try:
            return _ask(cache, request, name, visit)
        except TransientError as error:
            log.warning("source not reached", extra={"connector": request.connector, "reason": str(error)})
            failed.append(f"{request.connector}: {error}")
    raise SourceUnavailableError(_all_failed(name, failed, _kept_before(cache, requests)))


def sources_of(source: str | Survey | SourceRequest | Mapping[str, Any]) -> tuple[str, list[SourceRequest]]:
    """The requests that stand for a survey.

    Parameters
    ----------
    source : str, Survey, SourceRequest or mapping
        As in :func:`fetch`.

    Returns
    -------
    str
        Canonical name of the survey; empty for a single source.
    list of SourceRequest
        In the order in which they are tried.

    Raises
    ------
    NotFoundError
        No such survey, or it has no source that is known.
    """
    from pzcenter.training.surveys import Survey, survey_named

    if not isinstance(source, str | Survey):
        return "", [as_request(source)]
    survey = survey_named(source) if isinstance(source, str) else source
    entries = [entry if not hasattr(entry, "model_dump") else entry.model_dump() for entry in survey.sources or ()]
    if not entries:
        where = f" from {survey.site}" if survey.site else ""
        raise NotFoundError(
            f"{survey.name} has no source that can be fetched by itself; download its catalogue by hand{where} "
            "and give it as {connector: file, path: ...}"
        )
    return str(survey.name), [as_request(entry) for entry in entries]


def _from_cache(cache: SourceCache, request: SourceRequest, name: str) -> FetchedSource | None:
    versions = cache.versions(request)
    if not versions:
        return None
    newest = versions[-1]
    return FetchedSource(name, request, cache.path_of(newest), newest, from_cache=True, notes=tuple(newest.notes))


def _ask(cache: SourceCache, request: SourceRequest, name: str, visit: dict[str, Any]) -> FetchedSource:
    connector = get_connector(request.connector)
    versions = cache.versions(request)
    usable = versions[-1:] if versions and _is_whole(cache, versions[-1]) else []
    with cache.working_directory(request) as directory:
        previous = asdict(usable[0]) if usable else {}
        answer = connector.fetch(request, Visit(directory, previous=previous, **visit))
        if answer.unchanged and usable:
            newest = replace(usable[0], retrieved=_now())
            cache.record(request, [*versions[:-1], newest])
            return FetchedSource(
                name, request, cache.path_of(newest), newest, from_cache=False, notes=tuple(newest.notes)
            )
        path, version = _keep(cache, request, answer, directory)
    same = bool(versions) and versions[-1].sha256 == version.sha256
    changed = bool(versions) and not same
    cache.record(request, [*(versions[:-1] if same else versions), version])
    notes = (
        *version.notes,
        *((f"changed since {versions[-1].retrieved}; the older version is kept",) if changed else ()),
    )
    log.info("fetched", extra={"connector": request.connector, "host": host_of(version.url), "n_rows": version.n_rows})
    return FetchedSource(name, request, path, version, from_cache=False, changed=changed, notes=notes)


def _is_whole(cache: SourceCache, version: Version) -> bool:
    try:
        cache.path_of(version)
    except (NotFoundError, ChecksumError):
        return False
    return True


def _keep(cache: SourceCache, request: SourceRequest, answer: Answer, directory: Path) -> tuple[Path, Version]:
    """Put what came back in its place."""
    path = answer.path
    if path is None:
        assert answer.table is not None
        path = directory / "table.parquet"
        with atomic_path(path) as unfinished:
            pq.write_table(answer.table, unfinished, compression="zstd")
    sha256, n_bytes = file_sha256(path), path.stat().st_size
    n_rows = answer.table.num_rows if answer.table is not None else _rows_of(request, path)
    if not answer.in_place:
        path = cache.keep(path, sha256)
    file = str(path) if answer.in_place else path.name
    version = Version(sha256, file, _now(), answer.url, n_bytes, n_rows, answer.etag, list(answer.notes))
    return path, version


def _rows_of(request: SourceRequest, path: Path) -> int | None:
    """Rows, if the file can be opened as it is; reading it later says why it cannot."""
    with suppress(PZCenterError):
        return count_rows(path, request.options.get("format"), group=request.options.get("group"))
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _not_kept(name: str, requests: list[SourceRequest], cache: SourceCache) -> str:
    what = name or requests[0].connector
    return f"{what} is not kept in {cache.directory}, and the network is not used (offline); fetch it once online"


def _kept_before(cache: SourceCache, requests: list[SourceRequest]) -> str:
    times = [versions[-1].retrieved for request in requests if (versions := cache.versions(request))]
    return f" A version of {max(times)} is kept: leave refresh out to use it." if times else ""


def _all_failed(name: str, failed: list[str], kept: str) -> str:
    if len(failed) == 1:
        return f"{name}: {failed[0]}.{kept}" if name else f"{failed[0]}.{kept}"
    listed = "; ".join(failed)
    return f"none of the {len(failed)} sources of {name} could be reached: {listed}. What to do: {WHAT_TO_DO}.{kept}"
