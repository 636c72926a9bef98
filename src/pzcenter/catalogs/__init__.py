"""Tables in and out at scale: readers, the skinny table, writers, manifests, provenance records."""

from pzcenter.catalogs.hats_layout import data_path
from pzcenter.catalogs.manifest import FileRecord, Journal, Manifest, verify_manifest
from pzcenter.catalogs.photometry import photometry_of
from pzcenter.catalogs.readers import Catalog, Partition, format_names, open_catalog, reader_for
from pzcenter.catalogs.writers import finish_dataset, merge_to_parquet, write_partition

__all__ = [
    "Catalog",
    "FileRecord",
    "Journal",
    "Manifest",
    "Partition",
    "data_path",
    "finish_dataset",
    "format_names",
    "merge_to_parquet",
    "open_catalog",
    "photometry_of",
    "reader_for",
    "verify_manifest",
    "write_partition",
]
