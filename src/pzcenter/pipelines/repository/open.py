"""Open a repository, and say clearly why it cannot be opened."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ConfigError, FileFormatError, NotFoundError, RegistryError, StorageError
from pzcenter.pipelines.campaign.zip_reading import mend_zip_reading

mend_zip_reading()

import yaml  # noqa: E402 - after the mending
from lsst.daf.butler import Butler, MissingCollectionError  # noqa: E402
from lsst.resources import ResourcePath  # noqa: E402
from lsst.utils.db_auth import DbAuthError  # noqa: E402
from sqlalchemy.exc import DBAPIError, OperationalError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["named_failures", "open_repository"]

WAITS_S = (0.5, 2.0, 5.0)
"""Between the attempts to reach a registry that does not answer."""

PERMANENT = ("password", "authentication", "readonly database", "no such table")
"""Words of a database that will say the same when it is asked again."""


def open_repository(
    root: str | os.PathLike[str],
    *,
    writeable: bool = False,
    collections: str | Sequence[str] | None = None,
    run: str | None = None,
    waits_s: Sequence[float] = WAITS_S,
) -> Any:
    """Open a repository.

    Parameters
    ----------
    root : path or URI
        Of the repository, or of its ``butler.yaml``.
    writeable : bool
    collections : str or sequence of str, optional
        Searched by default.
    run : str, optional
        Written to by default.
    waits_s : sequence of float
        Seconds between the attempts to reach a registry that does not answer.

    Returns
    -------
    lsst.daf.butler.Butler

    Raises
    ------
    NotFoundError
        There is no repository.
    FileFormatError
        Its configuration cannot be read.
    RegistryError
        Its registry does not answer, or does not let us in.
    StorageError
        It may not be written to.
    """
    _check_root(root, writeable=writeable)
    for wait in (*waits_s, None):
        try:
            with named_failures(root):
                return Butler.from_config(str(root), writeable=writeable, collections=collections, run=run)
        except FileNotFoundError as error:
            raise NotFoundError(
                f"{root} is not a repository: it has no butler.yaml; 'pz repo create' makes one"
            ) from error
        except yaml.YAMLError as error:
            words = " ".join(str(error).split())
            raise FileFormatError(f"the configuration of {root} cannot be read: {words}") from error
        except RegistryError as error:
            if wait is None or not isinstance(error.__cause__, OperationalError) or _is_permanent(error):
                raise
            time.sleep(wait)
    raise AssertionError("unreachable")


@contextmanager
def named_failures(root: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what a database or its directory refuses into our errors, which name the repository.

    Parameters
    ----------
    root : path or URI
        Of the repository.

    Raises
    ------
    ConfigError, RegistryError, StorageError
    """
    try:
        yield
    except PermissionError as error:
        raise StorageError(f"{root} may not be written to: {error}") from error
    except MissingCollectionError as error:
        raise NotFoundError(
            f"{root}: {str(error).strip()}; 'pz repo collections {root}' lists what there is"
        ) from error
    except NotADirectoryError as error:
        raise StorageError(f"{root} cannot be made or reached: {error}") from error
    except DbAuthError as error:
        raise ConfigError(f"the password of the registry of {root} is not to be had: {error}") from error
    except DBAPIError as error:
        reason = (str(error.orig).strip().splitlines() or [str(error)])[0]
        if "readonly database" in reason:
            raise StorageError(f"{root} may not be written to: {reason}") from error
        if "password" in reason or "authentication" in reason:
            reason += "; passwords are read from the file that LSST_DB_AUTH names, or from PGPASSWORD"
        raise RegistryError(f"the registry of {root} does not answer: {reason}") from error
    except RuntimeError as error:
        if "btree_gist" not in str(error):
            raise
        raise RegistryError(
            f"the database of {root} lacks an extension; its administrator has to say once: CREATE EXTENSION btree_gist"
        ) from error


def _check_root(root: str | os.PathLike[str], *, writeable: bool) -> None:
    uri = ResourcePath(str(root))
    if not uri.isLocal:
        return
    path = Path(uri.ospath)
    if path.is_file() and path.suffix not in {".yaml", ".yml"}:
        raise NotFoundError(f"{root} is a file and not a repository; name its directory, or its butler.yaml")
    effective = os.access in os.supports_effective_ids
    if writeable and path.is_dir() and not os.access(path, os.W_OK, effective_ids=effective):
        raise StorageError(f"{root} may not be written to by this user; reading it is possible")


def _is_permanent(error: RegistryError) -> bool:
    return any(word in str(error) for word in PERMANENT)
