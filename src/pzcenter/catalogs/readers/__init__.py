"""Readers: one class per format, the same stream of record batches from each."""

from pzcenter.catalogs.readers.catalog import BATCH_SIZE, Catalog, Partition
from pzcenter.catalogs.readers.registry import format_names, open_catalog, reader_for, register_reader

__all__ = ["BATCH_SIZE", "Catalog", "Partition", "format_names", "open_catalog", "reader_for", "register_reader"]
