"""Build a delivery package of what a campaign made: its catalogue, quality report, provenance and sign-offs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from lsst.daf.butler import DatasetNotFoundError, MissingDatasetTypeError

from pzcenter.catalogs.writers import parquet_options
from pzcenter.errors import NotFoundError, SequencePointError
from pzcenter.pipelines.campaign.state import read_state
from pzcenter.pipelines.delivery.about import PackageAbout
from pzcenter.pipelines.delivery.package import build_package
from pzcenter.pipelines.delivery.release_state import BEFORE_SIGN_OFF
from pzcenter.pipelines.lineage.campaigns import campaign_facts, campaign_provenance
from pzcenter.pipelines.repository.open import open_repository

if TYPE_CHECKING:
    import os

    from lsst.daf.butler import Butler

    from pzcenter.pipelines.campaign.state import CampaignState
    from pzcenter.pipelines.delivery.package import PackageReport

__all__ = ["build_from_campaign"]

QA_TABLES = ("pz_nz", "pz_maps", "pz_metrics")
QA_REPORT = "pz_qa_report"


def build_from_campaign(
    directory: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    method: str | None = None,
    about: PackageAbout | None = None,
    state: str = "draft",
    **options: Any,
) -> PackageReport:
    """Build the package of one method of a campaign.

    Parameters
    ----------
    directory : path
        Of the campaign.
    destination : path
        Of the package.
    method : str, optional
        The main one by default.
    about : PackageAbout, optional
        Name, release and method come from the campaign where they are empty.
    state : str
        First state of the package; only a campaign whose last step is signed can become more than internal.
    **options
        As for :func:`~pzcenter.pipelines.delivery.package.build_package`.

    Returns
    -------
    PackageReport

    Raises
    ------
    NotFoundError
        The directory is no campaign, or its catalogue is not finished.
    SequencePointError
        The campaign is not finished or not signed.
    ChecksumError
        The catalogue is not the one that the campaign recorded.
    """
    campaign = read_state(directory)
    config = campaign.config
    algo = method or config.methods[0]
    _require_finished(campaign, state)
    with TemporaryDirectory(prefix="pz-deliver-") as name:
        folder = Path(name)
        with open_repository(config.repository) as butler:
            description = _get(butler, f"pz_catalog_{algo}", config)
            if description is None:
                raise NotFoundError(f"{directory} has no finished catalogue of the method {algo!r}; step 6 makes it")
            qa = _write_qa(butler, algo, config, folder)
            n_obj = None if description["missing_tracts"] else _n_obj(butler, config)
        provenance = campaign_provenance(Path(directory), method=algo).write(folder)
        facts = {
            **asdict(campaign_facts(Path(directory))),
            "missing_tracts": description["missing_tracts"],
            "unsigned_step": "" if campaign.current is None else campaign.current.name,
        }
        return build_package(
            description["path"],
            destination,
            about=_about(about, config.release, algo),
            state=state,
            n_obj=n_obj,
            qa=qa,
            provenance=provenance,
            campaign=facts,
            content_hash=description["content_hash"],
            **options,
        )


def _require_finished(campaign: CampaignState, state: str) -> None:
    waiting = campaign.current
    if waiting is None:
        return
    if not waiting.finished or state not in BEFORE_SIGN_OFF:
        raise SequencePointError(
            f"{waiting.name} of the campaign {campaign.config.name!r} is {waiting.state}: a package is built when the "
            "campaign is finished and signed (draft and internal ones, when its last step waits for the sign-off)"
        )


def _get(butler: Butler, name: str, config: Any) -> Any:
    try:
        return butler.get(name, skymap=config.skymap, collections=config.chain)
    except (DatasetNotFoundError, MissingDatasetTypeError, LookupError):
        return None


def _n_obj(butler: Butler, config: Any) -> int | None:
    plan = _get(butler, "pz_tract_plan", config)
    return None if plan is None else sum(plan["n_obj"].to_pylist())


def _write_qa(butler: Butler, algo: str, config: Any, folder: Path) -> list[Path]:
    """Files of the quality report, as far as step 7 has made them."""
    written = []
    for name in QA_TABLES:
        table = _get(butler, f"{name}_{algo}", config)
        if table is not None:
            written.append(folder / f"{name}.parquet")
            pq.write_table(table, written[-1], **parquet_options(table.schema))
    report = _get(butler, f"{QA_REPORT}_{algo}", config)
    if report is not None:
        written.append(folder / "report.html")
        written[-1].write_text(report, encoding="utf-8")
    return written


def _about(about: PackageAbout | None, release: str, method: str) -> PackageAbout:
    given = about or PackageAbout()
    name = given.name if "name" in given.model_fields_set else f"{release}-{method}"
    return given.model_copy(
        update={"name": name, "release": given.release or release, "method": given.method or method}
    )  # fmt: skip
