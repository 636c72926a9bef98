"""What a product was made from, and what was made from it, as far as the asker may know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from pzcenter.server.services.access import product_for, saw, visible
from pzcenter.server.storage.processes import Process, ProcessInput
from pzcenter.server.storage.products import Product, ProductLink, ProductState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["Activity", "ProvenanceEdge", "ProvenanceGraph", "ProvenanceNode", "prov_json", "provenance_graph"]

MAX_NODES = 300
"""Of one answer; the nearest ones are told."""
MAX_STEPS = 20
"""Up and down from the product that was asked for."""
NOT_VISIBLE = "not visible"
DELETED = "deleted"


@dataclass(frozen=True)
class ProvenanceNode:
    """A product in the graph.

    Attributes
    ----------
    key : str
        Its public name; of those not visible a number within this answer, which says nothing of the product.
    product : Product or None
        None: the asker may not see it, or it was deleted.
    distance : int
        Steps from the product that was asked for: negative ones lead to what it was made from.
    deleted : bool
        It was deleted, and the asker would see it otherwise.
    """

    key: str
    product: Product | None
    distance: int
    deleted: bool = False

    @property
    def label(self) -> str:
        """How it is shown."""
        if self.product is None:
            return DELETED if self.deleted else NOT_VISIBLE
        return self.product.display_name


@dataclass(frozen=True)
class ProvenanceEdge:
    """An arrow from a product to one that it was made from.

    Attributes
    ----------
    product, source : str
        Keys of nodes.
    role : str
        ``input``, ``version``, ...
    """

    product: str
    source: str
    role: str


@dataclass(frozen=True)
class Activity:
    """A job that made a product which the asker may see.

    Attributes
    ----------
    key : str
    output : str
        Key of a node.
    inputs : tuple of str
        Keys of nodes.
    pipeline, version : str
    started_at, ended_at : datetime or None
    """

    key: str
    output: str
    inputs: tuple[str, ...]
    pipeline: str
    version: str
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class ProvenanceGraph:
    """Nodes and arrows around one product.

    Attributes
    ----------
    root : str
        Key of the product that was asked for.
    nodes : list of ProvenanceNode
    edges : list of ProvenanceEdge
    activities : list of Activity
    cut : bool
        There is more than one answer tells.
    """

    root: str
    nodes: list[ProvenanceNode] = field(default_factory=list)
    edges: list[ProvenanceEdge] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    cut: bool = False


def provenance_graph(session: Session, principal: Principal, product_id: int | str) -> ProvenanceGraph:
    """What a product was made from and what was made from it, several steps up and down.

    Products that the asker may not see are there without a name, and nothing behind them is told.

    Parameters
    ----------
    session : Session
    principal : Principal
    product_id : int or str

    Returns
    -------
    ProvenanceGraph

    Raises
    ------
    AuthenticationError, NotFoundError
    """
    root = product_for(session, principal, product_id)
    seen: dict[int, Product] = {root.id: root}
    distance = {root.id: 0}
    arrows: dict[tuple[int, int], str] = {}
    cut = False
    for step in (-1, 1):
        front = {root.id}
        for away in range(1, MAX_STEPS + 1):
            found = _arrows(session, front, up=step < 0)
            ends = {source if step < 0 else product for product, source in found}
            new = sorted(ends - set(distance))
            if len(distance) + len(new) > MAX_NODES:
                cut, new = True, new[: MAX_NODES - len(distance)]
            distance |= dict.fromkeys(new, step * away)
            arrows |= {pair: role for pair, role in found.items() if set(pair) <= set(distance)}
            may_see = _visible(session, principal, new)
            seen |= may_see
            front = set(may_see)
            if not front or len(distance) >= MAX_NODES:
                break
        else:
            cut = cut or bool(_arrows(session, front, up=step < 0))
    hidden = [number for number in sorted(distance, key=lambda each: (abs(distance[each]), each)) if number not in seen]
    keys = {number: product.uid for number, product in seen.items()}
    keys |= {number: f"hidden-{index}" for index, number in enumerate(hidden, 1)}
    gone = _deleted(session, principal, hidden)
    nodes = [ProvenanceNode(keys[each], seen.get(each), distance[each], each in gone) for each in sorted(distance)]
    nodes.sort(key=lambda node: (node.distance, node.key))
    edges = sorted(
        (ProvenanceEdge(keys[product], keys[source], role) for (product, source), role in arrows.items()),
        key=lambda edge: (edge.product, edge.source),
    )
    return ProvenanceGraph(root.uid, nodes, edges, _activities(session, keys, seen), cut)


def _arrows(session: Session, products: Iterable[int], *, up: bool) -> dict[tuple[int, int], str]:
    """(product, source) and role of all arrows that begin (up) or end (down) at products; bounded."""
    wanted = list(products)
    if not wanted:
        return {}
    end = ProductLink.product_id if up else ProductLink.input_id
    links = select(ProductLink.product_id, ProductLink.input_id, ProductLink.role).where(end.in_(wanted))
    job_end = Process.output_id if up else ProcessInput.product_id
    jobs = select(Process.output_id, ProcessInput.product_id).join(ProcessInput, ProcessInput.process_id == Process.id)
    jobs = jobs.where(Process.output_id.is_not(None), job_end.in_(wanted))
    # One more than is told, so that a cut is noticed.
    found: dict[tuple[int, int], str] = {}
    for product, source in session.execute(jobs.order_by(Process.id).limit(MAX_NODES + 1)).tuples():
        if product is not None:
            found[product, source] = "input"
    for product, source, role in session.execute(links.order_by(ProductLink.product_id).limit(MAX_NODES + 1)).tuples():
        found[product, source] = role
    return found


def _visible(session: Session, principal: Principal, products: list[int]) -> dict[int, Product]:
    if not products:
        return {}
    wanted = select(Product).where(Product.id.in_(products), visible(principal))
    return {product.id: product for product in session.scalars(wanted)}


def _deleted(session: Session, principal: Principal, products: list[int]) -> set[int]:
    """Those of products that were deleted, and that the asker had the right to see."""
    if not products:
        return set()
    wanted = select(Product).where(Product.id.in_(products), Product.state == ProductState.DELETED)
    return {product.id for product in session.scalars(wanted) if saw(principal, product)}


def _activities(session: Session, keys: dict[int, str], seen: dict[int, Product]) -> list[Activity]:
    wanted = select(Process).where(Process.output_id.in_(list(seen))).order_by(Process.id).limit(MAX_NODES)
    return [
        Activity(
            key=f"job-{process.uid}", output=keys[process.output_id],
            inputs=tuple(keys[each.product_id] for each in process.inputs if each.product_id in keys),
            pipeline=process.pipeline.name, version=process.pipeline_version,
            started_at=process.started_at, ended_at=process.ended_at,
        )
        for process in session.scalars(wanted)
        if process.output_id is not None
    ]  # fmt: skip


def prov_json(services: Services, graph: ProvenanceGraph) -> dict[str, Any]:
    """A graph as W3C PROV-JSON.

    Parameters
    ----------
    services : Services
    graph : ProvenanceGraph

    Returns
    -------
    dict
        Products are entities, jobs activities, owners agents.

    References
    ----------
    The PROV-JSON Serialization, W3C Member Submission 24 April 2013.
    """
    base = services.settings.base_url
    shown = [(node, node.product) for node in graph.nodes]
    return {
        "prefix": {"pz": f"{base}/products/", "job": f"{base}/processes/", "person": f"{base}/users/"},
        "entity": {f"pz:{node.key}": _entity(node.label, product) for node, product in shown},
        "activity": {f"job:{each.key}": _activity(each) for each in graph.activities},
        "agent": {
            f"person:{product.owner.username}": {"prov:type": "prov:Person", "prov:label": product.owner.name}
            for _, product in shown
            if product is not None
        },
        "wasAttributedTo": {
            f"_:a{n}": {"prov:entity": f"pz:{node.key}", "prov:agent": f"person:{product.owner.username}"}
            for n, (node, product) in enumerate(shown)
            if product is not None
        },
        "wasGeneratedBy": {
            f"_:g{n}": {"prov:entity": f"pz:{each.output}", "prov:activity": f"job:{each.key}"}
            for n, each in enumerate(graph.activities)
        },
        "used": {
            f"_:u{n}": {"prov:activity": f"job:{key}", "prov:entity": f"pz:{source}"}
            for n, (key, source) in enumerate((each.key, source) for each in graph.activities for source in each.inputs)
        },
        "wasDerivedFrom": {f"_:d{n}": _derivation(edge) for n, edge in enumerate(graph.edges)},
    }


def _entity(label: str, product: Product | None) -> dict[str, Any]:
    if product is None:
        return {"prov:label": label}
    main = product.main_file
    told = {
        "prov:label": label, "prov:type": f"pz:{product.product_type.name}", "pz:version": product.version,
        "pz:release": None if product.release is None else product.release.name,
        "pz:sha256": None if main is None else main.sha256, "pz:command": product.command,
        "prov:generatedAtTime": None if product.published_at is None else product.published_at.isoformat(),
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def _activity(activity: Activity) -> dict[str, Any]:
    told = {
        "prov:label": f"{activity.pipeline} {activity.version}".strip(),
        "prov:startTime": None if activity.started_at is None else activity.started_at.isoformat(),
        "prov:endTime": None if activity.ended_at is None else activity.ended_at.isoformat(),
    }
    return {name: value for name, value in told.items() if value is not None}


def _derivation(edge: ProvenanceEdge) -> dict[str, str]:
    kind = {"version": "prov:Revision"}.get(edge.role)
    ends = {"prov:generatedEntity": f"pz:{edge.product}", "prov:usedEntity": f"pz:{edge.source}"}
    return ends if kind is None else ends | {"prov:type": kind}
