"""Small samples of public redshift catalogues that come with the package, to try things on."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.errors import OutputExistsError
from pzcenter.training.combine import CombineConfig
from pzcenter.training.init_files import write_settings
from pzcenter.training.redshift_source import RedshiftSource

if TYPE_CHECKING:
    import os

__all__ = ["SAMPLES", "copy_samples"]

SAMPLES: dict[str, str] = {
    "2dfgrs": "2DFGRS", "2dflens": "2DFLENS", "2mrs": "2MRS", "3d-hst": "3D-HST", "6dfgs": "6DFGS",
    "astrodeep": "ASTRODEEP", "astrodeep-jwst": "ASTRODEEP-JWST", "candels": "CANDELS", "desi": "DESI",
    "jades": "JADES",
    "mosdef": "MOSDEF", "ned": "NED", "ozdes": "OZDES", "primus": "PRIMUS", "vandels": "VANDELS", "vimos": "VIMOS",
    "vuds": "VUDS", "vvds": "VVDS",
}  # fmt: skip
"""Survey by file."""


def copy_samples(directory: str | os.PathLike[str]) -> Path:
    """Copy the samples, with the settings that combine them.

    Parameters
    ----------
    directory : path
        New or empty.

    Returns
    -------
    Path
        ``combine.yaml`` in it.

    Raises
    ------
    OutputExistsError
        The directory has something in it.
    """
    target = Path(directory)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputExistsError(f"{target} has something in it; name a new directory")
    target.mkdir(parents=True, exist_ok=True)
    with as_file(files("pzcenter.data") / "redshift_samples") as folder:
        for name in (*(f"{name}.parquet" for name in SAMPLES), "ORIGIN.md"):
            shutil.copyfile(folder / name, target / name)
    sources = tuple(
        RedshiftSource(name=name, path=str(target / f"{name}.parquet"), survey=survey)
        for name, survey in SAMPLES.items()
    )
    write_settings(target / "combine.yaml", CombineConfig(sources=sources), "What is combined, and how.")
    return target / "combine.yaml"
