"""The steps of a campaign, in order, and the stages of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pzcenter.errors import NotFoundError

if TYPE_CHECKING:
    from pzcenter.pipelines.campaign.config import CampaignConfig

__all__ = ["Stage", "Step", "step_named", "steps_of"]


@dataclass(frozen=True)
class Stage:
    """Tasks that one graph may hold together when a release is cut into several submissions.

    Parameters
    ----------
    labels : tuple of str
        Of tasks.
    per_tract : bool
        Whether the graph may be cut by tracts.
    """

    labels: tuple[str, ...]
    per_tract: bool


@dataclass(frozen=True)
class Step:
    """One step.

    Parameters
    ----------
    name : str
        Such as ``step3``, or ``step5-neighbours`` for a further method.
    subset : str
        Of the pipeline.
    algo : str
        Method.
    words : str
        What it does.
    stages : tuple of Stage
    """

    name: str
    subset: str
    algo: str
    words: str
    stages: tuple[Stage, ...]

    @property
    def gathers(self) -> frozenset[str]:
        """Tasks that see the whole release."""
        return frozenset(label for stage in self.stages if not stage.per_tract for label in stage.labels)


_WORDS = {
    "inform": "train the models",
    "step1": "look at what was delivered, make the skinny tables",
    "step2": "gather the counts, decide the bands of each tract",
    "step3": "estimate",
    "step4": "estimate with a further method",
    "step5": "join with the objects",
    "step6": "write the catalogue",
    "step7": "n(z), maps and metrics",
}
_STAGES = {
    "inform": (Stage(("trainPz",), False),),
    "step1": (Stage(("ingestQa", "skinny"), True),),
    "step2": (Stage(("summariseRelease",), False),),
    "step3": (Stage(("estimatePz",), True),),
    "step4": (Stage(("estimatePz",), True),),
    "step5": (Stage(("modelIndex",), False), Stage(("joinPz",), True)),
    "step6": (Stage(("consolidatePz",), True), Stage(("finishCatalog",), False)),
    "step7": (Stage(("qaPz",), True), Stage(("qaMaps",), False)),
}


def steps_of(config: CampaignConfig) -> tuple[Step, ...]:
    """Steps of a campaign, in the order in which they are made."""
    main, *others = config.methods
    plan = [(name, main, name) for name in ("step1", "step2")]
    plan += [
        ("inform", algo, "inform" if algo == main else f"inform-{algo}") for algo in config.methods if config.train
    ]
    plan += [(name, main, name) for name in ("step3", "step5", "step6", "step7")]
    plan += [(name, algo, f"{name}-{algo}") for algo in others for name in ("step4", "step5", "step6", "step7")]
    return tuple(Step(name, subset, algo, _WORDS[subset], _STAGES[subset]) for subset, algo, name in plan)


def step_named(config: CampaignConfig, name: str) -> Step:
    """Step by its name.

    Raises
    ------
    NotFoundError
        The campaign has no such step.
    """
    for step in steps_of(config):
        if step.name == name:
            return step
    names = ", ".join(step.name for step in steps_of(config))
    raise NotFoundError(f"the campaign {config.name!r} has no step {name!r}; it has {names}")
