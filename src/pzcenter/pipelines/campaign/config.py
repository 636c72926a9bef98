"""What a campaign is to make: one YAML file, checked when it is read and kept with the campaign."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.pipelines.campaign.bps_submission import BpsSettings

__all__ = [
    "CONFIG_NAME",
    "CampaignConfig",
    "ExecutorConfig",
    "FastTierConfig",
    "read_config",
    "with_absolute_paths",
    "write_config",
]

CONFIG_NAME = "campaign.yaml"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
HOW = frozenset({"repository", "executor", "fast_tier", "tracts_per_submission", "fail_fast", "stall_minutes"})
"""Settings of how and where the work is done: they may change while a campaign runs. The others say what is made."""


class ExecutorConfig(BaseModel):
    """Who executes the graphs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[Literal["local", "bps"], Field(title="processes of this machine, or a batch system by BPS")] = (
        "local"
    )
    workers: Annotated[int | None, Field(gt=0, title="processes on this machine; one per processor by default")] = None
    bps: Annotated[BpsSettings, Field(title="settings of BPS, for kind bps")] = BpsSettings()

    @property
    def n_workers(self) -> int:
        """Processes on this machine."""
        return self.workers or os.cpu_count() or 1


class FastTierConfig(BaseModel):
    """A fast disk from which the work reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Annotated[Path, Field(title="directory on the fast disk")]
    quota_gb: Annotated[float, Field(gt=0, title="most space that it may take", description="GB")]


class CampaignConfig(BaseModel):
    """All settings of a campaign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=NAME_PATTERN, title="of the campaign; part of the names of collections")]
    repository: Annotated[str, Field(title="path or URI of the repository")]
    release: Annotated[str, Field(pattern=NAME_PATTERN, title="release whose objects are used")]
    skymap: Annotated[str, Field(title="tiling of the release")] = "lsst_cells_v1"
    where: Annotated[str, Field(title="expression that the data ids fulfil, such as tract IN (1..9)")] = ""
    methods: Annotated[
        tuple[str, ...], Field(min_length=1, title="methods; the first is made by step 3, others by step 4")
    ] = ("template",)
    train: Annotated[bool, Field(title="train the models on the training set of the release first")] = False
    sign_off: Annotated[tuple[str, ...], Field(title="steps after which somebody has to sign")] = ("step2", "step7")
    overrides: Annotated[
        dict[str, dict[str, Any]], Field(title="settings of tasks: by label and field, such as skinny: {mapping: dc2}")
    ] = {}
    destination: Annotated[
        str | None, Field(title="where the catalogues go: a directory or URI; catalog/ of the campaign by default")
    ] = None
    executor: Annotated[ExecutorConfig, Field(title="who executes")] = ExecutorConfig()
    fast_tier: Annotated[FastTierConfig | None, Field(title="fast disk that the work reads from")] = None
    tracts_per_submission: Annotated[int, Field(gt=0, title="most tracts of one graph")] = 2000
    fail_fast: Annotated[bool, Field(title="stop a step at its first failure")] = False
    stall_minutes: Annotated[float, Field(gt=0, title="silence after which the status warns", description="min")] = 15.0

    @property
    def chain(self) -> str:
        """Collection of all that the campaign made."""
        return f"{self.release}/{self.name}"

    @property
    def inputs(self) -> str:
        """Collection of what it begins from."""
        return f"{self.release}/defaults"

    @property
    def expression(self) -> str:
        """Expression of the Butler that chooses the partitions."""
        return f"skymap = '{self.skymap}'" + (f" AND ({self.where})" if self.where else "")


def with_absolute_paths(config: CampaignConfig) -> CampaignConfig:
    """The same settings, whatever directory later commands are called from."""
    changes: dict[str, Any] = {}
    for name in ("repository", "destination"):
        value = getattr(config, name)
        if value is not None and "://" not in value and (name == "destination" or Path(value).exists()):
            changes[name] = str(Path(value).resolve())
    if config.fast_tier is not None:
        changes["fast_tier"] = config.fast_tier.model_copy(update={"root": config.fast_tier.root.resolve()})
    return config.model_copy(update=changes)


def read_config(path: str | os.PathLike[str]) -> CampaignConfig:
    """Read the file of a campaign.

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        A setting is unknown or not accepted; all of them are named.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist; 'pz produce init {path} --repo REPO --release NAME' writes one")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return CampaignConfig.model_validate(content)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ConfigError(f"{path}: {faults}") from error


def write_config(path: str | os.PathLike[str], config: CampaignConfig) -> None:
    """Write the file of a campaign, every setting with what it means."""
    from pzcenter.catalogs.storage import write_text_atomically

    lines = ["# A campaign: what is to be made, and how. 'pz produce start' keeps a copy."]
    for name, value in config.model_dump(mode="json").items():
        info = CampaignConfig.model_fields[name]
        lines.append(f"# {info.title}" + (f", {info.description}" if info.description else ""))
        lines.append(yaml.safe_dump({name: value}, sort_keys=False).strip())
    write_text_atomically(Path(path), "\n".join(lines) + "\n")
