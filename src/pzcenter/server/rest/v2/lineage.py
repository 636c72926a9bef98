"""Where a product comes from, and how to cite it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.fields import ProductKey
from pzcenter.server.services.citations import bibtex_of
from pzcenter.server.services.provenance_graph import ProvenanceGraph, prov_json, provenance_graph

__all__ = ["router"]

router = APIRouter(tags=["provenance"])


class NodeAnswer(BaseModel):
    """A product in the graph."""

    key: str
    visible: bool
    label: str = Field(description="Name of the product, or 'not visible', or 'deleted'.")
    distance: int = Field(description="Steps away; negative ones lead to what it was made from.")
    id: int | None
    product_type: str | None
    version: int | None


class EdgeAnswer(BaseModel):
    """An arrow from a product to one that it was made from."""

    product: str
    source: str
    role: str


class ActivityAnswer(BaseModel):
    """A job that made a product."""

    key: str
    output: str
    inputs: list[str]
    pipeline: str
    version: str
    started_at: datetime | None
    ended_at: datetime | None


class GraphAnswer(BaseModel):
    """Nodes and arrows around one product."""

    root: str
    nodes: list[NodeAnswer]
    edges: list[EdgeAnswer]
    activities: list[ActivityAnswer]
    cut: bool = Field(description="There is more than is told here.")

    @classmethod
    def of(cls, graph: ProvenanceGraph) -> GraphAnswer:
        """Of a graph."""
        nodes = [
            NodeAnswer(
                key=node.key, visible=node.product is not None, label=node.label, distance=node.distance,
                id=None if node.product is None else node.product.id,
                product_type=None if node.product is None else node.product.product_type.name,
                version=None if node.product is None else node.product.version,
            )
            for node in graph.nodes
        ]  # fmt: skip
        edges = [EdgeAnswer(product=each.product, source=each.source, role=each.role) for each in graph.edges]
        activities = [ActivityAnswer(**(vars(each) | {"inputs": list(each.inputs)})) for each in graph.activities]
        return cls(root=graph.root, nodes=nodes, edges=edges, activities=activities, cut=graph.cut)


@router.get("/products/{product_id}/provenance", operation_id="get_provenance")
def provenance(services: CurrentServices, principal: SignedIn, product_id: ProductKey) -> GraphAnswer:
    """What a product was made from and what was made from it; others' products are 'not visible'."""
    with services.database.reading() as session:
        return GraphAnswer.of(provenance_graph(session, principal, product_id))


@router.get("/products/{product_id}/provenance/prov", operation_id="get_prov", response_class=JSONResponse)
def prov(services: CurrentServices, principal: SignedIn, product_id: ProductKey) -> dict[str, Any]:
    """The same as W3C PROV-JSON."""
    with services.database.reading() as session:
        return prov_json(services, provenance_graph(session, principal, product_id))


@router.get("/products/{product_id}/citation", operation_id="get_citation", response_class=PlainTextResponse)
def citation(services: CurrentServices, principal: SignedIn, product_id: ProductKey) -> PlainTextResponse:
    """How to cite this version of a product: BibTeX."""
    with services.database.reading() as session:
        text = bibtex_of(services, session, principal, product_id)
    return PlainTextResponse(text, headers={"Content-Type": "application/x-bibtex; charset=utf-8"})
