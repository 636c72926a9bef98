"""Every dataset type of a production, written once: tasks, repositories, checks and docs read this list.

Names follow Rubin's own photo-z package where it has one (``object``, ``photoz_model_{algo}``,
``photoz_ensemble_{algo}``). ``{algo}`` is the name of a method, such as ``template``. No import of the middleware here:
the command line and the docs read this file without waiting for it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DATASET_TYPES", "PARTITION", "RELEASE", "DatasetTypeSpec", "dataset_type"]

PARTITION = ("skymap", "tract")
"""Dimensions of what exists once for each partition. A tract is a cell of whatever tiling the skymap names: Rubin's
tracts, or HEALPix pixels numbered by NUNIQ (``4 * 4**order + pixel``)."""

RELEASE = ("skymap",)
"""Dimensions of what exists once for a release."""

TABLE, MODEL, DOCUMENT, TEXT = "ArrowTable", "PZModelSet", "StructuredDataDict", "PZText"


@dataclass(frozen=True)
class DatasetTypeSpec:
    """One dataset type.

    Parameters
    ----------
    name : str
        May contain ``{algo}``.
    dimensions : tuple of str
    storage_class : str
    label : str
        Task that writes it; ``"ingest"`` for what comes from outside.
    description : str
    """

    name: str
    dimensions: tuple[str, ...]
    storage_class: str
    label: str
    description: str

    def named(self, algo: str) -> str:
        """Name for one method."""
        return self.name.format(algo=algo)


_SPECS = (
    ("object", PARTITION, TABLE, "ingest", "Object table of a tract, as delivered."),
    ("object_record", PARTITION, DOCUMENT, "ingest", "Origin of an object table: file, SHA-256, size, rows."),
    ("pz_truth", PARTITION, TABLE, "ingest", "Known redshifts of objects of a tract: objectId, z_spec."),
    ("pz_training_set", (), TABLE, "ingest", "Skinny table with z_spec to train on."),
    ("photoz_model_{algo}", (), MODEL, "trainPz", "Trained models of one method, one for each set of bands."),
    ("pz_ingest_qa", PARTITION, TABLE, "ingestQa", "Counts, ranges and depths of a tract, one row per band."),
    ("pz_sky_counts", PARTITION, TABLE, "ingestQa", "Objects and flux errors of a tract by HEALPix pixel."),
    ("pz_skinny", PARTITION, TABLE, "skinny", "Skinny table of a tract."),
    ("pz_skinny_report", PARTITION, DOCUMENT, "skinny", "Rows in, out and flagged."),
    ("pz_tract_plan", RELEASE, TABLE, "summariseRelease", "One row per tract: objects, depths, bands to be used."),
    ("pz_depth_map", RELEASE, TABLE, "summariseRelease", "Depth of each band and object count by HEALPix pixel."),
    ("pz_pixels", RELEASE, TABLE, "summariseRelease", "HEALPix pixels of the catalogue to be delivered."),
    ("pz_estimate_{algo}", PARTITION, TABLE, "estimatePz", "Core PZ table of the skinny rows of a tract."),
    ("pz_pdf_{algo}", PARTITION, TABLE, "estimatePz", "Packed p(z), same rows."),
    ("pz_quality_{algo}", PARTITION, TABLE, "estimatePz", "One row: counts, rates, model, versions."),
    ("photoz_ensemble_{algo}", PARTITION, "QPEnsemble", "estimatePz", "The same p(z) as a qp ensemble, on request."),
    ("pz_model_{algo}", RELEASE, TABLE, "modelIndex", "Number of every model and version that made estimates."),
    ("pz_{algo}", PARTITION, TABLE, "joinPz", "Core PZ table of a tract, exactly one row per object."),
    ("pz_join_{algo}", PARTITION, TABLE, "joinPz", "One row: counts of the join with the object table."),
    ("pz_files_{algo}", PARTITION, TABLE, "consolidatePz", "Files of the catalogue that hold the rows of a tract."),
    ("pz_catalog_{algo}", RELEASE, DOCUMENT, "finishCatalog", "Manifest of the finished HATS catalogue."),
    ("pz_qa_{algo}", PARTITION, TABLE, "qaPz", "Sums of a tract: n(z), map counts, metrics."),
    ("pz_nz_{algo}", RELEASE, TABLE, "qaMaps", "n(z) of the release."),
    ("pz_maps_{algo}", RELEASE, TABLE, "qaMaps", "Density and quality by HEALPix pixel."),
    ("pz_metrics_{algo}", RELEASE, TABLE, "qaMaps", "Metrics by tract and of the release."),
    ("pz_qa_report_{algo}", RELEASE, TEXT, "qaMaps", "Report of the release, one HTML page."),
)

DATASET_TYPES = tuple(DatasetTypeSpec(*spec) for spec in _SPECS)


def dataset_type(name: str) -> DatasetTypeSpec:
    """Dataset type by its name as written here, ``{algo}`` included.

    Raises
    ------
    KeyError
        There is none.
    """
    return {spec.name: spec for spec in DATASET_TYPES}[name]
