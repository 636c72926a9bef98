"""Lineage by the directory of a campaign, which knows its repository, its graphs and its sign-offs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.pipelines.campaign.config import CONFIG_NAME
from pzcenter.pipelines.campaign.state import journal_of, read_state
from pzcenter.pipelines.lineage.chain import trace_object
from pzcenter.pipelines.lineage.evidence import open_for_reading
from pzcenter.pipelines.lineage.find import first_object
from pzcenter.pipelines.lineage.records import Campaign, Lineage, SignOff
from pzcenter.pipelines.lineage.release import ReleaseProvenance, release_provenance

if TYPE_CHECKING:
    from pzcenter.pipelines.campaign.config import CampaignConfig

__all__ = ["campaign_facts", "campaign_provenance", "trace_in_campaign"]


def campaign_facts(directory: str | Path) -> Campaign:
    """What the journal of a campaign says of it.

    Parameters
    ----------
    directory : path

    Returns
    -------
    Campaign
        With every sign-off there ever was, the oldest first.

    Raises
    ------
    NotFoundError
        The directory is no campaign.
    """
    config = read_state(directory).config
    signed = [event for event in journal_of(directory).entries() if event.get("event") == "approved"]
    return Campaign(
        name=config.name,
        release=config.release,
        config_sha256=hashlib.sha256((Path(directory) / CONFIG_NAME).read_bytes()).hexdigest(),
        sign_offs=tuple(SignOff(each["step"], each["by"], each["time"], each.get("note") or "") for each in signed),
    )


def trace_in_campaign(
    directory: str | Path,
    object_id: int | None,
    *,
    method: str | None = None,
    table: str | None = None,
    skymap: str | None = None,
    checksums: bool = True,
) -> Lineage:
    """Tell where the row of an object of a campaign comes from.

    Parameters
    ----------
    directory : path
        Of the campaign.
    object_id : int or None
        None for any object.
    method : str, optional
        The main method of the campaign by default.
    table, skymap, checksums
        As for :func:`~pzcenter.pipelines.lineage.chain.trace_object`.

    Returns
    -------
    Lineage

    Raises
    ------
    NotFoundError, DataIdError
        As there; or the directory is no campaign.
    """
    facts = campaign_facts(directory)
    config = read_state(directory).config
    chosen = method or config.methods[0]
    butler = open_for_reading(config.repository)
    try:
        number = object_id
        if number is None:
            number = first_object(butler, table or f"pz_{chosen}", collections=_collections(config))
        return trace_object(
            butler,
            number,
            collections=_collections(config),
            method=chosen,
            table=table,
            skymap=skymap or config.skymap,
            graphs=[Path(directory)],
            checksums=checksums,
            campaign=facts,
        )
    finally:
        butler.close()


def campaign_provenance(directory: str | Path, *, method: str | None = None) -> ReleaseProvenance:
    """Provenance of all that a campaign made with one method, as it travels with a delivery.

    Parameters
    ----------
    directory : path
        Of the campaign.
    method : str, optional
        The main method by default.

    Returns
    -------
    ReleaseProvenance

    Raises
    ------
    NotFoundError
        The directory is no campaign, or it has made no PZ table yet.
    """
    config = read_state(directory).config
    butler = open_for_reading(config.repository)
    try:
        return release_provenance(
            butler,
            collections=_collections(config),
            method=method or config.methods[0],
            campaign=campaign_facts(directory),
        )
    finally:
        butler.close()


def _collections(config: CampaignConfig) -> list[str]:
    """What the campaign made, before what it began from."""
    return [config.chain, config.inputs]
