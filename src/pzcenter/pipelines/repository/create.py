"""Make a repository: registry, store, dataset types."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsst.daf.butler import Butler, Config, DatasetType
from lsst.daf.butler.registry.interfaces import SchemaAlreadyDefinedError
from lsst.resources import ResourcePath
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pzcenter.errors import ConfigError, OutputExistsError
from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES
from pzcenter.pipelines.repository.open import named_failures, open_repository

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

__all__ = ["create_repository", "register_dataset_types"]

DATABASES = ("postgresql", "sqlite")


def create_repository(
    root: str | os.PathLike[str],
    *,
    db: str | None = None,
    store: str | os.PathLike[str] | None = None,
    namespace: str | None = None,
    algorithms: Iterable[str] = ("template",),
) -> None:
    """Make a repository with our dataset types; when it cannot be made, nothing is left behind.

    Parameters
    ----------
    root : path or URI
        New or empty directory for the configuration, and for the data where ``store`` is not given.
    db : str, optional
        URL of the registry, such as ``postgresql://pz@host/name``; SQLite below ``root`` by default. A password
        does not belong into it: see the file of passwords of the Butler (``LSST_DB_AUTH``).
    store : path or URI, optional
        Where the files go: a directory or ``s3://bucket/prefix``; below ``root`` by default.
    namespace : str, optional
        Schema of the database, so that several repositories may share one.
    algorithms : iterable of str
        Methods whose dataset types are registered at once; others are registered when they are first used.

    Raises
    ------
    OutputExistsError
        There is a repository already, in the directory or in the database, or the directory is not empty.
    ConfigError
        The URL of the database is not one, or it or the store's holds a password.
    RegistryError
        The database does not answer.
    StorageError
        The directory may not be written to.
    """
    config = Config(str(files("pzcenter.pipelines.repository") / "seed.yaml"))
    if db is not None:
        _check_database(db)
        config["registry", "db"] = db
        if namespace is not None:
            config["registry", "namespace"] = namespace
    elif namespace is not None:
        raise ConfigError(f"the namespace {namespace!r} is for a database server; give its URL too (--db)")
    if store is not None:
        config["datastore", "root"] = _store_uri(str(store))
    existed = _require_empty(root)
    try:
        with named_failures(root):
            # Its default puts the files and the registry below the root, whatever the configuration says.
            Butler.makeRepo(str(root), config=config, forceConfigRoot=False)
            with open_repository(root, writeable=True) as butler:
                for algo in ("", *algorithms):
                    register_dataset_types(butler, algo)
    except FileExistsError as error:
        raise OutputExistsError(f"{root} is a repository already; name a new directory") from error
    except SchemaAlreadyDefinedError as error:
        _remove(root, existed=existed)
        raise OutputExistsError(
            f"the database {db} holds a repository already; name another database, or another schema (--namespace)"
        ) from error
    except BaseException:
        _remove(root, existed=existed)
        raise


def register_dataset_types(butler: Any, algo: str) -> None:
    """Register our dataset types of one method; with an empty name those that no method is part of.

    Registering again changes nothing.
    """
    for spec in DATASET_TYPES:
        if ("{algo}" in spec.name) == bool(algo):
            butler.registry.registerDatasetType(
                DatasetType(spec.named(algo), spec.dimensions, spec.storage_class, universe=butler.dimensions)
            )


def _check_database(db: str) -> None:
    try:
        url = make_url(db)
    except (ArgumentError, ValueError) as error:
        raise ConfigError("the URL of the database is not of the form postgresql://USER@HOST/NAME") from error
    if url.password is not None or "password" in url.query:
        shown = f"{url.drivername}://{url.username}:...@{url.host}/{url.database}"
        raise ConfigError(
            f"the database URL {shown!r} holds a password, which would be kept in the configuration for all to read; "
            "put it into the file that LSST_DB_AUTH names, or into PGPASSWORD"
        )
    if url.get_backend_name() not in DATABASES:
        raise ConfigError(f"databases of the kind {url.drivername!r} are not accepted; {', '.join(DATABASES)} are")


def _store_uri(store: str) -> str:
    """Absolute URI of a store; one that holds a key is refused."""
    scheme, _, rest = store.partition("://")
    if rest and ":" in rest.partition("@")[0] and "@" in rest:
        raise ConfigError(
            f"the URI of the store holds a key, which would be kept in the configuration for all to read: "
            f"{scheme}://...@{rest.partition('@')[2]}; put it into the environment or the file of AWS credentials"
        )
    return ResourcePath(store, forceAbsolute=True, forceDirectory=True).geturl()


def _require_empty(root: str | os.PathLike[str]) -> bool:
    """Whether the directory is there; it must be empty."""
    uri = ResourcePath(str(root), forceDirectory=True)
    if uri.join("butler.yaml").exists():
        raise OutputExistsError(f"{root} is a repository already; name a new directory")
    if not uri.isLocal:
        return True
    path = Path(uri.ospath)
    if path.is_file():
        raise OutputExistsError(f"{root} is a file; name a new directory")
    if path.is_dir() and any(path.iterdir()):
        raise OutputExistsError(f"{root} holds something else already; name a new or empty directory")
    return path.is_dir()


def _remove(root: str | os.PathLike[str], *, existed: bool) -> None:
    """Take away what was made before it failed."""
    uri = ResourcePath(str(root), forceDirectory=True)
    if not uri.isLocal:
        config = uri.join("butler.yaml")
        if config.exists():
            config.remove()
        return
    path = Path(uri.ospath)
    if existed:
        for name in ("butler.yaml", "gen3.sqlite3"):
            (path / name).unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)
