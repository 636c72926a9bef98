"""Where things lie in a delivery package."""

from __future__ import annotations

__all__ = [
    "CATALOG",
    "CHECKSUMS",
    "CITATION",
    "DESCRIPTION",
    "LICENCE",
    "NOTEBOOKS",
    "PROVENANCE",
    "QA",
    "QA_SUMMARY",
    "README",
    "REQUIRED_FILES",
    "SCHEMA",
    "STATES",
    "TABLES",
    "UNLISTED",
]

README, LICENCE, CITATION = "README.md", "LICENCE.txt", "CITATION.cff"
DESCRIPTION = "package.json"
"""What the package is: release, method, tables, counts, storage."""
CHECKSUMS = "manifest-sha256.txt"
"""One line for each file, as ``sha256sum -c`` reads them (and BagIt has them)."""
STATES = "states.jsonl"
"""The states that the package went through; the only file that changes after the package was built."""
UNLISTED = frozenset({CHECKSUMS, STATES})

CATALOG, SCHEMA, PROVENANCE, QA, NOTEBOOKS = "catalog", "schema", "provenance", "qa", "notebooks"
QA_SUMMARY = f"{QA}/summary.json"
TABLES = ("pz_model", "pz_flag", "pz_quality")
"""Companions of the catalogue, one Parquet file each."""

REQUIRED_FILES = (
    README,
    LICENCE,
    CITATION,
    DESCRIPTION,
    CHECKSUMS,
    STATES,
    "manifest.json",
    QA_SUMMARY,
    f"{PROVENANCE}/provenance.json",
    f"{NOTEBOOKS}/check_fixed.ipynb",
    f"{NOTEBOOKS}/check_random.ipynb",
    *(f"{CATALOG}/{name}.parquet" for name in TABLES),
)
