"""Exporters: one file per format, each streams a catalogue into it."""

from pzcenter.catalogs.exporters.fits import export_fits
from pzcenter.catalogs.exporters.hats import export_hats
from pzcenter.catalogs.exporters.hdf5 import export_hdf5, export_rail
from pzcenter.catalogs.exporters.qp import export_qp, import_qp, is_qp_file
from pzcenter.catalogs.exporters.text import export_csv
from pzcenter.catalogs.exporters.votable import export_votable

__all__ = [
    "export_csv",
    "export_fits",
    "export_hats",
    "export_hdf5",
    "export_qp",
    "export_rail",
    "export_votable",
    "import_qp",
    "is_qp_file",
]
