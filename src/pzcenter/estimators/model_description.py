"""All that is known of a saved model, from its manifest and its card: the same words for models of every method."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pzcenter.errors import PZCenterError
from pzcenter.estimators.model_card import CardMetric, ModelCard, read_card
from pzcenter.estimators.registry import get_estimator
from pzcenter.estimators.storage import MANIFEST_FILE, Manifest, parse_manifest, read_files

__all__ = ["NOT_RECORDED", "ModelDescription", "describe_model"]

NOT_RECORDED = "not recorded"
"""What is shown where a model does not say something."""

_CURVE = re.compile(r"([a-z][a-z \-]*[a-z]) (-?\d+\.\d+)")
"""Numbers with their names in what a method told while it was trained."""
_MAX_CURVE = 2000


@dataclass(frozen=True, eq=False)
class ModelDescription:
    """A model as a person reads of it.

    Parameters
    ----------
    name : str
        Of its directory.
    manifest : Manifest
        Verified.
    card : ModelCard or None
        None for models without one.
    n_bytes : int
        Of all files.
    is_installed : bool
        Whether the method can be used here.
    problem : str
        Why it cannot.
    own_citation : str or None
        What the method asks to be cited.
    """

    name: str
    manifest: Manifest
    card: ModelCard | None
    n_bytes: int
    is_installed: bool
    problem: str = ""
    own_citation: str | None = None

    @property
    def metrics(self) -> tuple[CardMetric, ...]:
        """Metrics on objects that were held out: those of the card, or else those of the method without errors."""
        if self.card is not None and self.card.metrics:
            return self.card.metrics
        return self.own_metrics

    @property
    def own_metrics(self) -> tuple[CardMetric, ...]:
        """Metrics that the method itself measured while it was trained."""
        facts = self.manifest.facts
        found = facts.get("held_out")
        numbers = dict(found) if isinstance(found, dict) else {}
        numbers |= {name: value for name, value in facts.items() if name.endswith("cde_loss")}
        return tuple(
            CardMetric(metric=str(name), of="measured by the method", value=float(value))
            for name, value in numbers.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        )

    @property
    def metrics_on(self) -> str:
        """Objects on which the metrics were measured."""
        if self.card is not None and self.card.metrics:
            return self.card.metrics_on or NOT_RECORDED
        return "objects that the method held out by itself; errors not recorded" if self.own_metrics else NOT_RECORDED

    @property
    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """Course of the training: pairs of fraction done and value, by name.

        From ``curves`` of the manifest's facts, where a method writes them (lists of numbers by name), or else from
        what the method told while it was trained.
        """
        written = self.manifest.facts.get("curves")
        if isinstance(written, dict):
            return _written_curves(written)
        found: dict[str, list[tuple[float, float]]] = {}
        for message in () if self.card is None else self.card.messages:
            for name, value in _CURVE.findall(message.text):
                found.setdefault(name.strip(), []).append((message.done, float(value)))
        return {name: points for name, points in found.items() if len(points) > 1}

    @property
    def filters(self) -> dict[str, str]:
        """Filter of each band, where it is known."""
        found = {}
        if self.card is not None and self.card.domain is not None:
            found = {band.band: band.filter for band in self.card.domain.bands if band.filter is not None}
        config = self.manifest.config.get("filters")
        if isinstance(config, str):
            config = {band: f"{config}_{band}" for band in self.manifest.bands}
        return found | (
            {band: str(name) for band, name in config.items() if band in self.manifest.bands}
            if isinstance(config, dict)
            else {}
        )

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, None where not recorded."""
        manifest, card = self.manifest, self.card
        training = manifest.training
        return {
            "name": self.name,
            "method": manifest.estimator,
            "digest": manifest.digest,
            "format_version": manifest.format_version,
            "has_card": card is not None,
            "method_installed": self.is_installed,
            "n_bytes": self.n_bytes,
            "bands": list(manifest.bands),
            "filters": self.filters,
            "z_grid": manifest.z_grid.model_dump(),
            "settings": manifest.config,
            "training": {
                "n_obj": None if training is None else training.n_obj,
                "z_min": None if training is None else training.z_min,
                "z_max": None if training is None else training.z_max,
                "sha256_of_rows_used": None if training is None else training.sha256,
                "is_trained": training is not None,
                "n_with_redshift": None if card is None else card.n_with_redshift,
                "n_held_out": None if card is None else card.n_held_out,
                "sources": [] if card is None else [source.model_dump() for source in card.sources],
                "mapping": None if card is None else card.mapping,
                "trained_at": None if card is None else card.trained_at,
                "wall_s": None if card is None else card.wall_s,
                "command": None if card is None or not card.command else list(card.command),
            },
            "domain": None if card is None or card.domain is None else card.domain.model_dump(),
            "metrics": [metric.model_dump() for metric in self.metrics],
            "metrics_on": self.metrics_on,
            "curves": {name: [list(point) for point in points] for name, points in self.curves.items()},
            "facts": manifest.facts,
            "licence": None if card is None else card.licence,
            "citation": (None if card is None else card.citation) or self.own_citation,
            "notes": [] if card is None else list(card.notes),
            "versions": {
                "python": None if card is None else card.python,
                "system": None if card is None else card.system,
                **manifest.packages,
                **({} if card is None else card.packages),
            },
            "files": {name: record.model_dump() for name, record in manifest.files.items()},
        }


def describe_model(directory: Path | str) -> ModelDescription:
    """Read all that a saved model says of itself; every checksum is verified.

    The method need not be installed: nothing of the model is run.

    Parameters
    ----------
    directory : Path or str
        Of the model.

    Returns
    -------
    ModelDescription

    Raises
    ------
    NotFoundError
        There is no model.
    ModelError
        It is not a model, or manifest or card are of a newer version.
    ChecksumError
        A file is truncated or was changed.
    """
    files = read_files(directory)
    manifest = parse_manifest(files[MANIFEST_FILE], where=str(directory))
    problem, citation = "", None
    try:
        citation = getattr(get_estimator(manifest.estimator), "citation", None)
    except PZCenterError as error:
        problem = str(error)
    return ModelDescription(
        name=Path(directory).resolve().name,
        manifest=manifest,
        card=read_card(directory),
        n_bytes=sum(len(content) for content in files.values()),
        is_installed=not problem,
        problem=problem,
        own_citation=citation if isinstance(citation, str) else None,
    )


def _written_curves(written: dict[Any, Any]) -> dict[str, list[tuple[float, float]]]:
    found = {}
    for name, values in written.items():
        if not isinstance(values, list) or not 2 <= len(values) <= _MAX_CURVE:
            continue
        numbers = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
        if len(numbers) == len(values):
            found[str(name)] = [((place + 1) / len(numbers), value) for place, value in enumerate(numbers)]
    return found
