"""Tables in and out at scale: readers, the skinny table, writers, manifests, provenance records."""

from pzcenter.catalogs.convert import ConversionReport, convert, target_names
from pzcenter.catalogs.hats_layout import data_path
from pzcenter.catalogs.info import CatalogInfo, catalog_info
from pzcenter.catalogs.manifest import FileRecord, Journal, Manifest, verify_manifest
from pzcenter.catalogs.photometry import photometry_of
from pzcenter.catalogs.provenance import provenance_record, read_provenance, write_provenance
from pzcenter.catalogs.readers import Catalog, Partition, format_names, open_catalog, reader_for, register_reader
from pzcenter.catalogs.skinny import SkinnyReport, is_skinny, make_skinny
from pzcenter.catalogs.writers import finish_dataset, merge_to_parquet, write_partition

__all__ = [
    "Catalog",
    "CatalogInfo",
    "ConversionReport",
    "FileRecord",
    "Journal",
    "Manifest",
    "Partition",
    "SkinnyReport",
    "catalog_info",
    "convert",
    "data_path",
    "finish_dataset",
    "format_names",
    "is_skinny",
    "make_skinny",
    "merge_to_parquet",
    "open_catalog",
    "photometry_of",
    "provenance_record",
    "read_provenance",
    "reader_for",
    "register_reader",
    "target_names",
    "verify_manifest",
    "write_partition",
    "write_provenance",
]
