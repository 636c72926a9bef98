"""Step 2, per release: what there is, and with which bands each tract is to be estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lsst.pex.config as pex_config
import pyarrow as pa
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output

from pzcenter.catalogs.columns import int_column
from pzcenter.catalogs.release_ids import require_ids_once
from pzcenter.catalogs.tiling import MAX_TILE_ORDER
from pzcenter.catalogs.tract_plan import MIN_PRESENT, depth_map, note_tracts_without_counts, release_pixels, tract_plan
from pzcenter.pipelines.repository.dataset_types import PARTITION, RELEASE
from pzcenter.pipelines.repository.tiling import HEALPIX_SKYMAP, order_and_pixel

from .estimator_subtask import bands_of_text
from .work_record import recorded_work

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SummariseReleaseConfig", "SummariseReleaseConnections", "SummariseReleaseTask"]

N_NAMED = 10


class SummariseReleaseConnections(PipelineTaskConnections, dimensions=RELEASE):
    """Counts of all tracts in; the plan of the release out.

    The objects alone decide which tracts there are, so that those without counts are seen.
    """

    qa = Input(
        doc="Counts of each tract.",
        name="pz_ingest_qa",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        multiple=True,
        deferGraphConstraint=True,
    )
    counts = Input(
        doc="Objects and flux errors by HEALPix pixel.",
        name="pz_sky_counts",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        multiple=True,
        deferGraphConstraint=True,
        deferLoad=True,
    )
    objects = Input(
        doc="Object ids, read where the id ranges of tracts overlap.",
        name="object",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        multiple=True,
        deferLoad=True,
    )
    plan = Output(doc="One row per tract.", name="pz_tract_plan", storageClass="ArrowTable", dimensions=RELEASE)
    depths = Output(
        doc="Objects and depths by HEALPix pixel.", name="pz_depth_map", storageClass="ArrowTable", dimensions=RELEASE
    )
    pixels = Output(
        doc="HEALPix pixels of the catalogue.", name="pz_pixels", storageClass="ArrowTable", dimensions=RELEASE
    )


class SummariseReleaseConfig(PipelineTaskConfig, pipelineConnections=SummariseReleaseConnections):
    """What decides the bands of a tract and the pixels of the catalogue."""

    band_sets = pex_config.ListField[str](  # type: ignore[no-untyped-call]
        doc="Sets of bands for which there are models, such as ugrizy, or g,r,J,Ks; the largest that a tract has in "
        "full is chosen.",
        default=["ugrizy", "griz"],
        itemCheck=lambda text: bool(bands_of_text(text)),
        minLength=1,
    )
    min_present = pex_config.RangeField(  # type: ignore[no-untyped-call]
        dtype=float,
        doc="Share of the objects of a tract that a band must measure to count as there.",
        default=MIN_PRESENT,
        min=0.0,
        max=1.0,
        inclusiveMax=True,
    )
    max_rows = pex_config.RangeField(  # type: ignore[no-untyped-call]
        dtype=int, doc="Most rows of a pixel of the catalogue.", default=1_000_000, min=1
    )


class SummariseReleaseTask(PipelineTask):
    """Gather the counts of all tracts and decide what depends on the whole."""

    ConfigClass = SummariseReleaseConfig
    _DefaultName = "summariseRelease"
    config: SummariseReleaseConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read, gather, write."""
        skymap = str(butlerQC.quantum.dataId["skymap"])
        with recorded_work(self.metadata):
            inputs = butlerQC.get(inputRefs)
            tracts = [int(ref.dataId["tract"]) for ref in inputRefs.qa]
            qa = dict(zip(tracts, inputs["qa"], strict=True))
            handles = {int(handle.dataId["tract"]): handle for handle in inputs["objects"]}

            if absent := sorted(set(handles) - set(qa)):
                # They failed in step 1, and stay out of the release until they are mended.
                self.log.warning("%d tracts have objects but no counts: %s", len(absent), absent[:N_NAMED])
            self.metadata["n_tract_without_counts"] = len(absent)

            def read_ids(tract: int) -> NDArray[np.int64]:
                name = qa[tract].column("id_column")[0].as_py()
                return int_column(handles[tract].get(parameters={"columns": [name]}).column(name), name)

            counts = [handle.get() for handle in sorted(inputs["counts"], key=lambda each: int(each.dataId["tract"]))]
            made = self.run(qa, counts, read_ids, skymap=skymap)
            made.plan = note_tracts_without_counts(made.plan, absent)
            butlerQC.put(made, outputRefs)

    def run(
        self,
        qa: dict[int, pa.Table],
        counts: list[pa.Table],
        read_ids: Callable[[int], NDArray[np.int64]],
        *,
        skymap: str,
    ) -> Struct:
        """Gather, in memory.

        Parameters
        ----------
        qa : dict of int to pa.Table
            By tract.
        counts : list of pa.Table
            Of each tract.
        read_ids : callable
            Gives the ids of a tract.
        skymap : str

        Returns
        -------
        Struct
            ``plan``, ``depths`` and ``pixels``, all pa.Table.

        Raises
        ------
        DuplicateIdError
            An object is in two tracts.
        """
        band_sets = tuple(bands_of_text(text) for text in self.config.band_sets)
        plan = tract_plan(qa, skymap, band_sets=band_sets, min_present=self.config.min_present)
        self.metadata["n_tract_compared"] = require_ids_once(plan, read_ids)
        bands = [name.removeprefix("depth_") for name in plan.column_names if name.startswith("depth_")]
        depths = depth_map(counts, bands)
        if skymap == HEALPIX_SKYMAP:
            pixels = _tracts_as_pixels(plan)
        else:
            pixels = release_pixels(depths, order=MAX_TILE_ORDER, max_rows=self.config.max_rows)
        self.metadata["n_tract"], self.metadata["n_pixel"] = plan.num_rows, pixels.num_rows
        self.metadata["n_obj"] = sum(plan.column("n_obj").to_pylist())
        return Struct(plan=plan, depths=depths, pixels=pixels)


def _tracts_as_pixels(plan: pa.Table) -> pa.Table:
    """Where the tiling is one of HEALPix pixels, the catalogue keeps it."""
    rows = [
        (*order_and_pixel(tract), n_obj)
        for tract, n_obj in zip(plan.column("tract").to_pylist(), plan.column("n_obj").to_pylist(), strict=True)
    ]
    rows.sort(key=lambda row: row[1] << 2 * (29 - row[0]))
    kinds = [("order", pa.int32()), ("pixel", pa.int64()), ("n_rows", pa.int64())]
    return pa.table({name: pa.array([row[at] for row in rows], type=kind) for at, (name, kind) in enumerate(kinds)})
