"""Step 7, per release: n(z), maps, metrics and the report, from the sums of the tracts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output, PrerequisiteInput

from pzcenter.catalogs.tract_plan import tracts_without_counts
from pzcenter.errors import EmptyTableError
from pzcenter.pipelines.repository.dataset_types import PARTITION, RELEASE
from pzcenter.validation.release_report import release_report
from pzcenter.validation.release_sums import ReleaseSums
from pzcenter.validation.release_tables import maps_table, metrics_table, nz_table

from .work_record import recorded_work

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

__all__ = ["QaMapsConfig", "QaMapsConnections", "QaMapsTask"]


class QaMapsConnections(PipelineTaskConnections, dimensions=RELEASE, defaultTemplates={"algo": "template"}):
    """Sums of all tracts in; tables and report out."""

    qa = Input(
        doc="Sums of each tract.",
        name="pz_qa_{algo}",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        multiple=True,
        deferLoad=True,
    )
    plan = PrerequisiteInput(
        doc="Tracts of the release, and those that were left out.",
        name="pz_tract_plan",
        storageClass="ArrowTable",
        dimensions=RELEASE,
        minimum=0,
    )
    nz = Output(doc="n(z) of the release.", name="pz_nz_{algo}", storageClass="ArrowTable", dimensions=RELEASE)
    maps = Output(
        doc="Density and quality by pixel.", name="pz_maps_{algo}", storageClass="ArrowTable", dimensions=RELEASE
    )
    metrics = Output(
        doc="Metrics of the release and by tract.",
        name="pz_metrics_{algo}",
        storageClass="ArrowTable",
        dimensions=RELEASE,
    )
    report = Output(doc="Report, HTML.", name="pz_qa_report_{algo}", storageClass="PZText", dimensions=RELEASE)


class QaMapsConfig(PipelineTaskConfig, pipelineConnections=QaMapsConnections):
    """Nothing to set."""


class QaMapsTask(PipelineTask):
    """Add up the tracts, one after the other, and say what a release is like."""

    ConfigClass = QaMapsConfig
    _DefaultName = "qaMaps"
    config: QaMapsConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read tract by tract, add, write."""
        with recorded_work(self.metadata):
            handles = sorted(butlerQC.get(inputRefs.qa), key=lambda handle: int(handle.dataId["tract"]))
            title = f"Photometric redshifts: {butlerQC.quantum.dataId['skymap']}"
            run = getattr(outputRefs.report, "run", "")
            plan = butlerQC.get(inputRefs.plan) if getattr(inputRefs, "plan", None) is not None else None
            outputs = self.run(
                (handle.get() for handle in handles), title=f"{title}, {run}", made_at=datetime.now(UTC), plan=plan
            )
            butlerQC.put(outputs, outputRefs)

    def run(
        self,
        qa: Iterable[pa.Table],
        *,
        title: str = "",
        made_at: datetime | None = None,
        plan: pa.Table | None = None,
    ) -> Struct:
        """Add up, in memory of the pixels of the map.

        Parameters
        ----------
        qa : iterable of pa.Table
            Sums of the tracts, read once.
        title : str
            Of the report.
        made_at : datetime, optional
            Time that the report gives.
        plan : pa.Table, optional
            Tracts that the release should have; those that it lacks are named in the report.

        Returns
        -------
        Struct
            ``nz``, ``maps``, ``metrics``: pa.Table; ``report``: str.

        Raises
        ------
        EmptyTableError
            There are no tracts.
        """
        sums: ReleaseSums | None = None
        for table in qa:
            of_tract = ReleaseSums.from_table(table)
            if sums is None:
                sums = of_tract
            else:
                sums.add(of_tract)
        if sums is None:
            raise EmptyTableError("there are no sums of tracts; at least 1 is needed")
        method = self.config.connections.algo
        self.metadata["n_obj"] = sums.total("n_obj")
        self.metadata["n_tract"] = len(sums.tracts)
        self.metadata["n_map_pixel"] = int(sums.maps.pixel.size)
        absent = _absent(plan, [int(each["tract"]) for each in sums.tracts])
        self.metadata["n_missing_tract"] = len(absent)
        return Struct(
            nz=nz_table(sums, method),
            maps=maps_table(sums),
            metrics=metrics_table(sums, method),
            report=release_report(
                sums, method=method, title=title or "Photometric redshifts", made_at=made_at, missing_tracts=absent
            ),
        )


def _absent(plan: pa.Table | None, there: list[int]) -> list[int]:
    """Tracts of the release that have no sums."""
    if plan is None:
        return []
    return sorted({*plan.column("tract").to_pylist(), *tracts_without_counts(plan)} - set(there))
