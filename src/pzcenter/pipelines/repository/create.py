"""Make a repository: registry, store, dataset types."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsst.daf.butler import Butler, Config, DatasetType

from pzcenter.errors import ConfigError, OutputExistsError
from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES
from pzcenter.pipelines.repository.open import open_repository

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

__all__ = ["create_repository", "register_dataset_types"]

PASSWORD = re.compile(r"^(\w+(?:\+\w+)?://[^:/@]+):[^@]*@")


def create_repository(
    root: str | os.PathLike[str],
    *,
    db: str | None = None,
    store: str | None = None,
    namespace: str | None = None,
    algorithms: Iterable[str] = ("template",),
) -> None:
    """Make a repository with our dataset types.

    Parameters
    ----------
    root : path or URI
        New or empty directory for the configuration, and for the data where ``store`` is not given.
    db : str, optional
        URL of the registry, such as ``postgresql://pz@host/name``; SQLite below ``root`` by default. A password
        does not belong into it: see the file of passwords of the Butler (``LSST_DB_AUTH``).
    store : str, optional
        Where the files go: a directory or ``s3://bucket/prefix``; below ``root`` by default.
    namespace : str, optional
        Schema of the database, so that several repositories may share one.
    algorithms : iterable of str
        Methods whose dataset types are registered at once; others are registered when they are first used.

    Raises
    ------
    OutputExistsError
        There is a repository already.
    ConfigError
        The URL of the database holds a password.
    """
    config = Config(str(files("pzcenter.pipelines.repository") / "seed.yaml"))
    if db is not None:
        if PASSWORD.match(db):
            shown = PASSWORD.sub(r"\1:...@", db)
            raise ConfigError(
                f"the database URL {shown!r} holds a password, which would be kept in the "
                "configuration for all to read; put it into the file that LSST_DB_AUTH names"
            )
        config["registry", "db"] = db
        if namespace is not None:
            config["registry", "namespace"] = namespace
    if store is not None:
        config["datastore", "root"] = store
    try:
        Butler.makeRepo(str(root), config=config)
    except FileExistsError as error:
        raise OutputExistsError(
            f"{root} is already a repository or holds something else; name a new directory"
        ) from error
    with open_repository(root, writeable=True) as butler:
        for algo in ("", *algorithms):
            register_dataset_types(butler, algo)


def register_dataset_types(butler: Any, algo: str) -> None:
    """Register our dataset types of one method; with an empty name those that no method is part of.

    Registering again changes nothing.
    """
    for spec in DATASET_TYPES:
        if ("{algo}" in spec.name) == bool(algo):
            butler.registry.registerDatasetType(
                DatasetType(spec.named(algo), spec.dimensions, spec.storage_class, universe=butler.dimensions)
            )


def is_local(root: str | os.PathLike[str]) -> bool:
    """Whether a repository lies in a directory of this machine."""
    return "://" not in str(root) and Path(root).exists()
