"""A release of a thousand simulated objects in a few tracts, and campaigns that produce it in a minute."""

from __future__ import annotations

import yaml

from pzcenter.pipelines.campaign.produce import run_campaign, start_campaign
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.ingest import ingest_objects
from pzcenter.pipelines.repository.models import add_models
from pzcenter.pipelines.repository.open import open_repository
from pzcenter.simulation import simulate
from pzcenter.simulation.config import SimulationConfig

__all__ = ["RELEASE", "catalog_of", "make_objects", "make_repository", "produce"]

RELEASE = "sim1"
SMALL_TEMPLATES = {"template_set": "cwwsb4", "n_between": 0, "igm": "none", "calibration": "none"}


def make_objects(directory):
    """Object tables of four tracts."""
    simulate(directory, n_obj=1200, config=SimulationConfig(rows_per_tract=400))
    return directory / "object"


def make_repository(root, objects, **back_end):
    """A repository that knows the objects and a small template model."""
    create_repository(root, **back_end)
    ingest_objects(root, objects, release=RELEASE)
    add_models(root, "template", release=RELEASE, config=SMALL_TEMPLATES)
    return root


def produce(root, directory, *, until=None, **settings):
    """Run a campaign without sign-offs; its name is that of its directory."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    config = directory.with_name(f"{directory.name}.yaml")
    words = {"name": directory.name, "repository": str(root), "release": RELEASE, "sign_off": [], **settings}
    config.write_text(yaml.safe_dump(words))
    start_campaign(config, directory)
    return run_campaign(directory, until=until)


def catalog_of(root, chain):
    """The finished catalogue, as it was recorded."""
    with open_repository(root) as butler:
        (ref,) = butler.query_datasets("pz_catalog_template", collections=chain, find_first=True)
        return butler.get(ref)
