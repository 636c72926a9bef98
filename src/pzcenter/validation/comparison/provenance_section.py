"""How a comparison was made, for the end of every page: inputs with checksums, versions, settings, the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pzcenter.validation.metric_suite_info import SUITE_VERSION

from .page_parts import Cell, Section, TextTable

if TYPE_CHECKING:
    from datetime import datetime

    from .results import Comparison

__all__ = ["made_words", "provenance_section"]

_SHOWN = ("numpy", "scipy", "pyarrow", "numba", "h5py", "matplotlib", "qp-prob")


def made_words(made: Comparison, time: datetime) -> str:
    """When and with what."""
    return f"made {time:%Y-%m-%d %H:%M} UTC with PZ Center {made.record.get('pzcenter', '')}"


def provenance_section(made: Comparison) -> Section:
    """The section.

    Parameters
    ----------
    made : Comparison

    Returns
    -------
    Section
    """
    from .writing import rebuild_command, settings_yaml

    rows = [
        [Cell(str(source["path"]), what), Cell(f"{source['n_bytes']:,}", "bytes", "n"), Cell(str(source["sha256"]))]
        for what, source in _inputs(made)
    ]
    packages = made.record.get("packages", {})
    versions = {
        "PZ Center": made.record.get("pzcenter", ""),
        "definitions of the metrics": SUITE_VERSION,
        "Python": made.record.get("python", ""),
        **{name: packages[name] for name in _SHOWN if name in packages},
    }
    return Section(
        "provenance",
        "How this was made",
        sentences=[f"Seed of the resampling: {made.settings.seed}; resamples: {made.settings.n_bootstrap}."],
        tables=[
            TextTable("inputs", ("input", "size", "SHA-256"), rows),
            TextTable(
                "versions",
                ("program", "version"),
                [[Cell(name), Cell(str(text))] for name, text in versions.items()],
                is_pairs=True,
            ),
        ],
        codes=[
            ("To make it again", f"{rebuild_command(made.directory)}    # in the directory of comparison.yaml"),
            ("comparison.yaml", settings_yaml(made.settings, made.directory)),
        ],
    )


def _inputs(made: Comparison) -> list[tuple[str, dict[str, object]]]:
    """Files with their checksums, each once."""
    training = () if made.training is None else made.training.sources
    found = [("truth set", dict(source)) for source in made.truth.sources]
    found += [("training set", dict(source)) for source in training]
    known = {source["path"] for _, source in found}
    found += [("submission", dict(each)) for each in made.record.get("inputs", ()) if each["path"] not in known]
    return found
