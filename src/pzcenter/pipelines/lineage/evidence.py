"""What a repository itself remembers of its runs: configurations, versions, times, checksums."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lsst.daf.butler import MissingDatasetTypeError

if TYPE_CHECKING:
    from pathlib import Path

    from lsst.daf.butler import Butler, DatasetRef

__all__ = ["Evidence", "open_for_reading"]

HASH_BLOCK_BYTES = 1 << 22


def open_for_reading(root: str | Path) -> Butler:
    """Open a repository, which nothing here writes to.

    Parameters
    ----------
    root : path

    Returns
    -------
    Butler

    Raises
    ------
    NotFoundError, RegistryError
        There is no repository, or its registry does not answer.
    """
    from pzcenter.pipelines.repository.open import open_repository

    butler: Butler = open_repository(root)
    return butler


class Evidence:
    """Reads the datasets that the middleware writes beside those of the tasks.

    Parameters
    ----------
    butler : Butler
    """

    def __init__(self, butler: Butler) -> None:
        self.butler = butler
        self._versions: dict[str, dict[str, str]] = {}
        self._configs: dict[tuple[str, str], str | None] = {}

    def find(self, dataset_type: str, run: str, data_id: Any = None) -> DatasetRef | None:
        """Look for a dataset in one run; None where it is not there, or where the repository does not know the type."""
        try:
            return self.butler.find_dataset(dataset_type, data_id, collections=run)
        except MissingDatasetTypeError:
            return None

    def ran(self, label: str, ref: DatasetRef) -> bool:
        """Whether a quantum of this task made datasets of this data id in the run of the dataset."""
        return self.find(f"{label}_metadata", ref.run, ref.dataId) is not None

    def measured(self, label: str, ref: DatasetRef) -> dict[str, Any]:
        """Times, cost and counts of the quantum that made a dataset, as its metadata have them.

        Parameters
        ----------
        label : str
            Of the task.
        ref : DatasetRef
            An output of the quantum.

        Returns
        -------
        dict
            ``started``, ``finished``, ``cpu_s``, ``peak_bytes``, ``counts``; empty where there are no metadata.
        """
        found = self.find(f"{label}_metadata", ref.run, ref.dataId)
        if found is None:
            return {}
        metadata = self.butler.get(found).to_dict()
        quantum = metadata.get("quantum", {})
        begin, end = _last(quantum.get("startCpuTime")), _last(quantum.get("endCpuTime"))
        own = metadata.get(label, {})
        return {
            "started": _utc(_last(quantum.get("startUtc"))),
            "finished": _utc(_last(quantum.get("endUtc"))),
            "cpu_s": None if begin is None or end is None else float(end) - float(begin),
            "peak_bytes": _last(quantum.get("endMaxResidentSetSize")),
            "counts": {key: value for key, value in own.items() if isinstance(value, bool | int | float | str)},
        }

    def versions(self, run: str) -> dict[str, str]:
        """Versions of the packages of a run; empty where they were not written."""
        if run not in self._versions:
            ref = self.find("packages", run)
            packages = {} if ref is None else self.butler.get(ref)
            self._versions[run] = {str(name): str(number) for name, number in packages.items()}
        return self._versions[run]

    def config_sha256(self, label: str, run: str) -> str | None:
        """SHA-256 of a task's configuration as it was stored; None where it was not."""
        key = label, run
        if key not in self._configs:
            ref = self.find(f"{label}_config", run)
            self._configs[key] = None if ref is None else self.sha256(ref)
        return self._configs[key]

    def sha256(self, ref: DatasetRef) -> str:
        """SHA-256 of the file of a dataset, which is read for it."""
        digest = hashlib.sha256()
        with self.butler.getURI(ref).open("rb") as file:
            while block := file.read(HASH_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def recorded_sha256(self, ref: DatasetRef) -> str | None:
        """SHA-256 that was noted when a file came in from outside; None where no record was made."""
        record = self.find(f"{ref.datasetType.name}_record", ref.run, ref.dataId)
        return None if record is None else self.butler.get(record).get("sha256")


def _last(value: Any) -> Any:
    """Metadata keep one value, or a list of all that were set."""
    return value[-1] if isinstance(value, list) and value else value


def _utc(text: str | None) -> str | None:
    """Time of the middleware, which leaves the zone out."""
    if text is None:
        return None
    return text if datetime.fromisoformat(text).tzinfo is not None else f"{text}+00:00"
