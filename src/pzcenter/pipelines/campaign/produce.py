"""What can be done with a campaign: begin it, go on with it, sign a step off, stop it.

Killed at any moment it continues: what quanta left on disk is collected first, then the rest is done in a new run.
"""

from __future__ import annotations

import json
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pzcenter
from pzcenter.errors import ConfigError, NotFoundError, OutputExistsError, RegistryError, SequencePointError
from pzcenter.pipelines.campaign.config import CONFIG_NAME, HOW, read_config, with_absolute_paths, write_config
from pzcenter.pipelines.campaign.driver import CampaignEnd, Driver
from pzcenter.pipelines.campaign.graph import Overrides, load_pipeline
from pzcenter.pipelines.campaign.state import STOP_NAME, driver_lock, journal_of, now, read_state
from pzcenter.pipelines.campaign.steps import step_named, steps_of
from pzcenter.pipelines.repository.create import register_dataset_types
from pzcenter.pipelines.repository.open import open_repository

from lsst.daf.butler import CollectionType  # isort: skip - after the mending of zip files
from sqlalchemy.exc import DBAPIError  # isort: skip

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from pzcenter.pipelines.campaign.config import CampaignConfig
    from pzcenter.pipelines.campaign.state import CampaignState

__all__ = ["CampaignEnd", "approve", "run_campaign", "start_campaign", "stop_campaign"]


def start_campaign(config_path: str | os.PathLike[str], directory: str | os.PathLike[str]) -> CampaignState:
    """Begin a campaign: its directory, its collection.

    Parameters
    ----------
    config_path : path
    directory : path
        New or empty.

    Returns
    -------
    CampaignState

    Raises
    ------
    OutputExistsError
        The directory has something else in it, or the repository has a campaign of this name.
    ConfigError
        A step to be signed does not exist, or a task does not accept a setting.
    NotFoundError
        No repository, or settings for a task that is not there.
    """
    directory, config = Path(directory), with_absolute_paths(read_config(config_path))
    known = {step.name.split("-")[0] for step in steps_of(config)}
    if unknown := sorted(set(config.sign_off) - known):
        raise ConfigError(f"sign_off names the steps {unknown}, which are not there; steps are {sorted(known)}")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise OutputExistsError(f"{directory} is there already; 'pz produce run {directory}' continues a campaign")
    _check_overrides(
        config,
        Overrides(
            values=tuple((label, *entry) for label, fields in config.overrides.items() for entry in fields.items())
        ),
    )
    with open_repository(config.repository) as butler:
        if config.chain in butler.collections.query("*"):
            raise _taken(config)
    identity = uuid.uuid4().hex
    existed = directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    write_config(directory / CONFIG_NAME, config)
    journal_of(directory).append(
        {
            "event": "start", "time": now(), "id": identity, "pzcenter": pzcenter.__version__,
            "config": config.model_dump(mode="json"),
        }
    )  # fmt: skip
    try:
        _claim(config, identity)
    except (OutputExistsError, NotFoundError):
        shutil.rmtree(directory)
        if existed:
            directory.mkdir()
        raise
    return read_state(directory)


def run_campaign(
    directory: str | os.PathLike[str],
    *,
    until: str | None = None,
    workers: int | None = None,
    patch: Overrides | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> CampaignEnd:
    """Go on with a campaign until it is done, must be signed, failed, or is told to stop.

    Failed quanta are tried again, each time in a new run; what is done stays.

    Parameters
    ----------
    directory : path
    until : str, optional
        Last step to do.
    workers : int, optional
        Processes on this machine, in place of the campaign's.
    patch : Overrides, optional
        Changed settings for what is done from now on; recorded with the graphs.
    progress : callable, optional
        Called with each event of the journal as it happens.

    Returns
    -------
    CampaignEnd

    Raises
    ------
    NotFoundError
        No campaign, no such step.
    OutputExistsError
        Another process drives it, its file of settings was changed in what it makes, or its collection in the
        repository is another campaign's.
    StorageError, RegistryError
        The disk is full or the registry does not answer: nothing is lost, the same call continues.
    """
    state = read_state(directory)
    _require_same_settings(state)
    if until is not None:
        step_named(state.config, until)
    config = state.config
    if patch is not None:
        _check_overrides(config, patch)
    if workers is not None:
        config = config.model_copy(update={"executor": config.executor.model_copy(update={"workers": workers})})
    with driver_lock(directory), _registry_errors(config.repository):
        _claim(config, state.identity)
        driver = Driver(Path(directory), config, patch or Overrides(), progress or (lambda _event: None))
        with driver.stoppable():
            return driver.run(until)


def approve(
    directory: str | os.PathLike[str], step: str, *, by: str, note: str = "", accept_failures: bool = False
) -> None:
    """Sign a step off.

    Parameters
    ----------
    directory : path
    step : str
    by : str
        Who signs.
    note : str
    accept_failures : bool
        Go on without what failed; how much that is will be recorded.

    Raises
    ------
    SequencePointError
        The step is not finished, or has failures that are not accepted.
    ConfigError
        Nobody signs.
    """
    state = read_state(directory)
    step_named(state.config, step)
    reached = state.step(step)
    if not by.strip():
        raise ConfigError("a sign-off needs the name of who signs (--by)")
    if not reached.finished:
        done = f"{reached.n_done} of {reached.n_planned or '?'} done"
        raise SequencePointError(f"{step} is not finished ({done}): nothing to sign yet")
    if reached.failures and not accept_failures:
        raise SequencePointError(
            f"{step} has {len(reached.failures)} failures: try them again ('pz produce run'), "
            "or accept them (--accept-failures)"
        )
    journal_of(directory).append(
        {
            "event": "approved", "time": now(), "step": step, "by": by.strip(), "note": note,
            "accepted": len(reached.failures),
        }
    )  # fmt: skip


def stop_campaign(directory: str | os.PathLike[str]) -> bool:
    """Ask the process that drives a campaign to stop after the quanta in flight; whether there is one."""
    if read_state(directory).driver is None:
        return False
    (Path(directory) / STOP_NAME).touch()
    return True


def _require_same_settings(state: CampaignState) -> None:
    """Settings of what is made may not change under way."""
    begun = journal_of(state.directory).entries()[0]["config"]
    current = json.loads(state.config.model_dump_json())
    changed = [name for name in current if name not in HOW and current[name] != begun.get(name)]
    if changed:
        name = changed[0]
        raise OutputExistsError(
            f"{state.directory / CONFIG_NAME} was changed since the campaign began: {name} was {begun.get(name)!r} "
            f"and is {current[name]!r}; take it back, or start another campaign. Only "
            f"{', '.join(sorted(HOW))} may change"
        )


def _check_overrides(config: CampaignConfig, changes: Overrides) -> None:
    """Refuse settings of tasks that are not there, before anything is done with the others."""
    if not (changes.values or changes.files):
        return
    labels = {entry[0] for entry in (*changes.values, *changes.files)}
    known = {label for step in steps_of(config) for stage in step.stages for label in stage.labels}
    if unknown := sorted(labels - known):
        raise NotFoundError(f"settings are given for {', '.join(unknown)}; tasks are {', '.join(sorted(known))}")
    for algo in config.methods:
        load_pipeline(
            subset=",".join(sorted(labels)),
            overrides=Overrides(parameters={"algo": algo}, files=changes.files, values=changes.values),
        )


def _claim(config: CampaignConfig, identity: str) -> None:
    """Make the collection of a campaign, where it is not there; it says whose it is."""
    words = f"PZ campaign {identity}"
    with open_repository(config.repository, writeable=True) as butler:
        if config.inputs not in butler.collections.query("*"):
            raise NotFoundError(
                f"the repository {config.repository} has no release {config.release!r}: 'pz repo ingest' makes it, "
                "'pz repo list' shows what there is"
            )
        if butler.collections.register(config.chain, CollectionType.CHAINED, doc=words):
            for algo in config.methods:
                register_dataset_types(butler, algo)
        elif butler.collections.get_info(config.chain).doc != words:
            raise _taken(config)


def _taken(config: CampaignConfig) -> OutputExistsError:
    return OutputExistsError(
        f"the repository {config.repository} has a campaign {config.name!r} of release {config.release!r} already; "
        "give this one another name"
    )


@contextmanager
def _registry_errors(repository: str) -> Iterator[None]:
    """Name what a database says in the midst of work."""
    try:
        yield
    except DBAPIError as error:
        reason = (str(error.orig).strip().splitlines() or [str(error)])[0]
        raise RegistryError(f"the registry of {repository} went away: {reason}") from error
