"""The environment that goes with a submission: what jobs need, and nothing secret.

BPS writes every variable of its process into the submit directory, and a batch system keeps a copy of its own. Only
named variables are handed on. Keys of an object store travel as a file that only its owner can read, and that is
removed when the run ends.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CREDENTIALS_NAME", "ENVIRONMENT_NAMES", "clean_environment", "remove_traces"]

_LOG = logging.getLogger(__name__)

ENVIRONMENT_NAMES = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
        "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        "S3_ENDPOINT_URL", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_DEFAULT_REGION",
        "AWS_REGION", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED",
        "LSST_DB_AUTH", "PGPASSFILE", "SLURM_CONF", "CONDOR_CONFIG", "PANDA_CONFIG_ROOT",
    }
)  # fmt: skip
"""Variables that are handed on where they are set: places and names, never keys."""

ENVIRONMENT_PREFIXES = ("PZ_", "PZCENTER_", "DAF_BUTLER_", "LSST_", "OMP_", "OPENBLAS_", "MKL_", "NUMBA_")
CREDENTIALS_NAME = "object-store-credentials"

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|APIKEY|_KEY($|_)", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_TRACES = ("*.env.info.yaml", "*.pickle", "*.pkl", "*.key_secret", CREDENTIALS_NAME)


def clean_environment(
    directory: Path, *, further: Sequence[str] = (), environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Make the environment of a submission.

    Parameters
    ----------
    directory : Path
        Submit directory, private to its owner; the file of keys is written there, where there are keys.
    further : sequence of str
        Names of variables to hand on besides the usual ones.
    environment : mapping, optional
        Where to take them from.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ConfigError
        A further name looks like a secret.
    """
    for name in further:
        if _SECRET_NAME.search(name):
            raise ConfigError(
                f"the variable {name!r} looks like a secret and is not handed on to a batch system: put the secret "
                "into a file that only you can read, and hand on the file's name"
            )
    kept = {}
    for name, value in environment.items():
        by_prefix = name.startswith(ENVIRONMENT_PREFIXES) and not _SECRET_NAME.search(name)
        if name not in ENVIRONMENT_NAMES and name not in further and not by_prefix:
            continue
        if _SECRET_VALUE.search(value):
            _LOG.warning("variable not handed on: name=%s holds a password", name)
            continue
        kept[name] = value
    # The helpers of Parsl are scripts beside this Python, and are looked for by name.
    here = str(Path(sys.executable).parent)
    kept["PATH"] = os.pathsep.join([here, *filter(None, [kept.get("PATH")])])
    kept["PYTHONUNBUFFERED"] = "1"
    keys = _object_store_keys(environment)
    if keys and "AWS_PROFILE" not in kept:
        path = directory / CREDENTIALS_NAME
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write("[default]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items()))
        kept["AWS_SHARED_CREDENTIALS_FILE"] = str(path)
    return kept


def remove_traces(directory: Path) -> list[str]:
    """Remove what a run leaves that nobody reads: dumps of the environment, pickles, the file of keys.

    Returns
    -------
    list of str
        Names relative to the directory.
    """
    removed = []
    for pattern in _TRACES:
        for path in directory.rglob(pattern):
            path.unlink(missing_ok=True)
            removed.append(str(path.relative_to(directory)))
    return sorted(removed)


def _object_store_keys(environment: Mapping[str, str]) -> dict[str, str]:
    names = {
        "aws_access_key_id": "AWS_ACCESS_KEY_ID",
        "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "aws_session_token": "AWS_SESSION_TOKEN",
    }
    found = {key: environment[name] for key, name in names.items() if environment.get(name)}
    return found if {"aws_access_key_id", "aws_secret_access_key"} <= set(found) else {}
