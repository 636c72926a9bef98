"""Lineage as W3C PROV-JSON, with the terms of the IVOA provenance data model.

Datasets, models, configurations and the row itself are entities; quanta and sign-offs are activities; programs and
people are agents.

References
----------
Huynh et al. 2013, W3C Member Submission "The PROV-JSON Serialization".
Servillat et al. 2020, IVOA Recommendation "IVOA Provenance Data Model", version 1.0.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pzcenter.pipelines.lineage.steps import base_step, step_of_label, steps_before

if TYPE_CHECKING:
    from pzcenter.pipelines.lineage.records import Campaign, DatasetFacts, Lineage, ModelFacts, QuantumFacts

__all__ = ["PREFIXES", "RELATIONS", "ProvDocument", "lineage_document", "undeclared"]

PREFIXES = {
    "pz": "urn:pzcenter:",
    "voprov": "http://www.ivoa.net/documents/ProvenanceDM/voprov/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
"""Short names; ``prov`` is known to every reader."""

RELATIONS: dict[str, dict[str, str]] = {
    "used": {"prov:activity": "activity", "prov:entity": "entity"},
    "wasGeneratedBy": {"prov:entity": "entity", "prov:activity": "activity"},
    "wasAssociatedWith": {"prov:activity": "activity", "prov:agent": "agent"},
    "wasAttributedTo": {"prov:entity": "entity", "prov:agent": "agent"},
    "wasDerivedFrom": {"prov:generatedEntity": "entity", "prov:usedEntity": "entity"},
    "wasInformedBy": {"prov:informed": "activity", "prov:informant": "activity"},
    "hadMember": {"prov:collection": "entity", "prov:entity": "entity"},
}
"""For each relation, what its ends are."""

SOFTWARE = "pzcenter"


class ProvDocument:
    """A PROV document under construction; the same facts give the same text."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[str, dict[str, Any]]] = {"entity": {}, "activity": {}, "agent": {}}
        self._relations: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)

    def add(self, kind: str, name: str, **attributes: Any) -> str:
        """Declare an entity, activity or agent.

        Parameters
        ----------
        kind : str
            ``"entity"``, ``"activity"`` or ``"agent"``.
        name : str
            Without prefix; blanks and the like are replaced.
        **attributes
            A double underscore stands for the colon; None is left out.

        Returns
        -------
        str
            Its identifier.
        """
        identifier = "pz:" + re.sub(r"[^\w./=-]", "_", name)
        known = {key.replace("__", ":"): _value(value) for key, value in attributes.items() if value is not None}
        self._nodes[kind].setdefault(identifier, {}).update(known)
        return identifier

    def relate(self, relation: str, first: str, second: str, role: str | None = None) -> None:
        """Connect two declared nodes, in the order that :data:`RELATIONS` gives; twice is once."""
        ends = dict(zip(RELATIONS[relation], (first, second), strict=True))
        if role is not None:
            ends["prov:role"] = role
        number = len(self._relations[relation]) + 1
        if ends not in self._relations[relation].values():
            self._relations[relation][f"_:{relation}{number}"] = ends

    def as_dict(self) -> dict[str, Any]:
        """PROV-JSON; empty parts are left out."""
        content = {"prefix": dict(PREFIXES), **self._nodes, **dict(sorted(self._relations.items()))}
        return {name: part for name, part in content.items() if part}


def lineage_document(lineage: Lineage) -> dict[str, Any]:
    """Lineage of one row as a PROV document.

    Parameters
    ----------
    lineage : Lineage

    Returns
    -------
    dict
        PROV-JSON.
    """
    document = ProvDocument()
    row = document.add(
        "entity",
        f"object/{lineage.object_id}",
        prov__type="voprov:DatasetEntity",
        voprov__name=f"row {lineage.object_id} of {lineage.table}",
        **{f"pz__{name}": value for name, value in lineage.row.items() if isinstance(value, int | float | str)},
    )
    entities = {facts.id: _dataset(document, facts) for facts in lineage.datasets}
    if lineage.datasets:
        document.relate("wasDerivedFrom", row, entities[lineage.datasets[0].id])
    activities = {facts.id: _quantum(document, facts, entities) for facts in lineage.quanta}
    if lineage.model is not None:
        document.relate("wasDerivedFrom", row, _model(document, lineage.model, entities))
    if lineage.campaign is not None:
        _sign_offs(document, lineage.campaign, [(facts.label, activities[facts.id]) for facts in lineage.quanta])
    return document.as_dict()


def _dataset(document: ProvDocument, facts: DatasetFacts) -> str:
    return document.add(
        "entity",
        f"dataset/{facts.id}",
        prov__type="voprov:DatasetEntity",
        voprov__name=facts.dataset_type,
        prov__location=facts.uri,
        pz__sha256=facts.sha256 or facts.recorded_sha256,
        pz__bytes=facts.n_bytes,
        pz__run=facts.run,
        **{f"pz__{name}": value for name, value in facts.data_id.items()},
    )


def _quantum(document: ProvDocument, facts: QuantumFacts, entities: dict[str, str]) -> str:
    """Activity with what it used, what it made, and the program that did it."""
    activity = document.add(
        "activity",
        f"quantum/{facts.id}",
        prov__type="voprov:Activity",
        voprov__name=facts.label,
        prov__startTime=facts.started,
        prov__endTime=facts.finished,
        pz__run=facts.run,
        pz__other_inputs=facts.n_other_inputs or None,
        pz__evidence=facts.evidence,
        **{f"pz__{name}": value for name, value in facts.data_id.items()},
    )
    inputs = [entities[number] for number in facts.inputs if number in entities]
    outputs = [entities[number] for number in facts.outputs if number in entities]
    for entity in inputs:
        document.relate("used", activity, entity, role="input")
    for entity in outputs:
        document.relate("wasGeneratedBy", entity, activity)
        for source in inputs:
            document.relate("wasDerivedFrom", entity, source)
    if facts.config_sha256 is not None:
        config = add_config(document, facts.label, facts.config_sha256)
        document.relate("used", activity, config, role="configuration")
    document.relate("wasAssociatedWith", activity, add_software(document, facts.versions), role="operator")
    return activity


def add_config(document: ProvDocument, label: str, sha256: str) -> str:
    """Entity of a task's configuration."""
    return document.add(
        "entity", f"config/{label}/{sha256}", prov__type="voprov:ConfigFile", voprov__name=label, pz__sha256=sha256
    )


def add_software(document: ProvDocument, versions: dict[str, str]) -> str:
    """Agent of the program, with the versions of its packages."""
    number = versions.get(SOFTWARE, "unknown")
    return document.add(
        "agent",
        f"software/{SOFTWARE}/{number}",
        prov__type="prov:SoftwareAgent",
        voprov__name=f"{SOFTWARE} {number}",
        **{f"pz__{name}": value for name, value in sorted(versions.items())},
    )


def _model(document: ProvDocument, facts: ModelFacts, entities: dict[str, str]) -> str:
    model = document.add(
        "entity",
        f"model/{facts.digest}",
        prov__type="voprov:DatasetEntity",
        voprov__name=f"{facts.algorithm} {facts.bands}",
        pz__sha256=facts.digest,
        pz__version=facts.version,
        pz__code_version=facts.code_version,
        pz__bands=facts.bands,
        pz__model_id=facts.model_id,
        pz__config=facts.config or None,
    )
    if facts.dataset in entities:
        document.relate("wasDerivedFrom", model, entities[str(facts.dataset)])
    if facts.training_sha256 is not None:
        training = document.add(
            "entity",
            f"training/{facts.training_sha256}",
            prov__type="voprov:DatasetEntity",
            voprov__name="training sample",
            pz__sha256=facts.training_sha256,
            pz__rows=facts.n_train,
        )
        document.relate("wasDerivedFrom", model, training)
    return model


def _sign_offs(document: ProvDocument, campaign: Campaign, quanta: list[tuple[str, str]]) -> None:
    """Approvals as activities of people, which those quanta heeded that came after them."""
    for sign_off in campaign.sign_offs:
        approval = add_sign_off(document, campaign, sign_off)
        for label, activity in quanta:
            if base_step(sign_off.step) in steps_before(step_of_label(label)):
                document.relate("wasInformedBy", activity, approval)


def add_sign_off(document: ProvDocument, campaign: Campaign, sign_off: Any) -> str:
    """Activity of a sign-off, and the person who gave it."""
    approval = document.add(
        "activity",
        f"approval/{campaign.release}/{campaign.name}/{sign_off.step}",
        prov__type="voprov:Activity",
        voprov__name=f"approval of {sign_off.step}",
        prov__startTime=sign_off.when,
        prov__endTime=sign_off.when,
        voprov__comment=sign_off.note or None,
    )
    person = document.add("agent", f"person/{sign_off.by}", prov__type="prov:Person", voprov__name=sign_off.by)
    document.relate("wasAssociatedWith", approval, person, role="approver")
    return approval


def undeclared(document: dict[str, Any]) -> list[str]:
    """Ends of relations that nothing in the document declares, or that are of the wrong kind.

    Parameters
    ----------
    document : dict
        PROV-JSON.

    Returns
    -------
    list of str
        ``relation: end identifier``; empty for a sound document.
    """
    faults = []
    for relation, ends in RELATIONS.items():
        for entry in document.get(relation, {}).values():
            faults += [
                f"{relation}: {end} {entry.get(end)}"
                for end, kind in ends.items()
                if entry.get(end) not in document.get(kind, {})
            ]
    return faults


def _value(value: Any) -> Any:
    """Numbers as they are, texts as texts, all else as JSON."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value, sort_keys=True, default=str)
