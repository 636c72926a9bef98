"""Open a repository, and say clearly why it cannot be opened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pzcenter.errors import NotFoundError, RegistryError, StorageError
from pzcenter.pipelines.campaign.zip_reading import mend_zip_reading

mend_zip_reading()

from lsst.daf.butler import Butler  # noqa: E402 - after the mending
from sqlalchemy.exc import DBAPIError, OperationalError  # noqa: E402

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = ["open_repository"]

WAITS_S = (0.5, 2.0, 5.0)
"""Between the attempts to reach a registry that does not answer."""


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
    RegistryError
        Its registry does not answer.
    StorageError
        It may not be written to.
    """
    for wait in (*waits_s, None):
        try:
            return Butler.from_config(str(root), writeable=writeable, collections=collections, run=run)
        except FileNotFoundError as error:
            raise NotFoundError(
                f"{root} is not a repository: it has no butler.yaml; 'pz repo create' makes one"
            ) from error
        except PermissionError as error:
            raise StorageError(f"{root} may not be written to: {error}") from error
        except (OperationalError, DBAPIError) as error:
            if wait is None:
                reason = str(error.orig).strip().splitlines()
                raise RegistryError(
                    f"the registry of {root} does not answer: {reason[0] if reason else error}"
                ) from error
            time.sleep(wait)
    raise AssertionError("unreachable")
