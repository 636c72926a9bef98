"""A release of a thousand simulated objects in a few tracts, and campaigns that produce it in a minute."""

from __future__ import annotations

import json
from collections import Counter

import yaml

from pzcenter.pipelines.campaign.produce import run_campaign, start_campaign
from pzcenter.pipelines.campaign.status import campaign_status
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.ingest import ingest_objects
from pzcenter.pipelines.repository.models import add_models
from pzcenter.pipelines.repository.open import open_repository
from pzcenter.simulation import simulate
from pzcenter.simulation.config import SimulationConfig

__all__ = [
    "RELEASE",
    "begin",
    "catalog_of",
    "events",
    "make_objects",
    "make_repository",
    "make_six_tracts",
    "n_quanta",
    "produce",
    "states_of",
]

RELEASE = "sim1"
SMALL_TEMPLATES = {"template_set": "cwwsb4", "n_between": 0, "igm": "none", "calibration": "none"}


def make_objects(directory):
    """Object tables of four tracts."""
    simulate(directory, n_obj=1200, config=SimulationConfig(rows_per_tract=400))
    return directory / "object"


def make_six_tracts(directory):
    """Object tables of six tracts, 9000 to 9005, of 300 objects."""
    simulate(directory, n_obj=1800, config=SimulationConfig(rows_per_tract=300))
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


def begin(root, directory, **settings):
    """Start a campaign of one worker without sign-offs."""
    config = directory.with_name(f"{directory.name}.yaml")
    words = {
        "name": directory.name, "repository": str(root), "release": RELEASE, "sign_off": [],
        "executor": {"kind": "local", "workers": 1}, **settings,
    }  # fmt: skip
    config.write_text(yaml.safe_dump(words))
    start_campaign(config, directory)
    return directory


def events(directory, kind):
    """Events of a journal."""
    lines = (directory / "state.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def n_quanta(directory, step, n_round):
    """Quanta of a round, by task."""
    found = Counter()
    for event in events(directory, "graph"):
        if (event["step"], event["round"]) == (step, n_round):
            found.update(event["n_quanta"])
    return dict(found)


def states_of(directory):
    """State of each step."""
    return {step.name: step.state for step in campaign_status(directory).steps}
