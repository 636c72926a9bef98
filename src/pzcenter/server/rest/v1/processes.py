"""What the server makes and has made, in the first interface."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy import select

from pzcenter.errors import ConfigError, NotFoundError, UsageError
from pzcenter.server.http.multipart import ReceivedForm, receive_form
from pzcenter.server.http.requests import CurrentServices, services_of
from pzcenter.server.rest.v1.asking import Number, Reader, Writer, checked_text, empty, number_of, words_of
from pzcenter.server.rest.v1.errors import FieldError, broken_rule
from pzcenter.server.rest.v1.lists import Listing, envelope, metadata, rows_of
from pzcenter.server.rest.v1.process_shape import process_json, processes_json
from pzcenter.server.services.jobs import enqueue, process_for, process_log, request_stop, submit, visible_jobs
from pzcenter.server.storage.processes import Pipeline, Process, ProcessState
from pzcenter.server.storage.releases import Release
from pzcenter.training.surveys import Survey

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

__all__ = ["router"]

router = APIRouter()

MAX_FLAGS_BYTES, MAX_DEPTH = 2**16, 20
OPENING = (
    yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken, yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken,
)  # fmt: skip
CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
MAX_INPUTS = 1000
FLAGS = "flags_translation_file"
FIELDS = {"pipeline", "used_config", "display_name", "release", "inputs", "comment"}
TOP = {"param", "output_format"}
"""What a user may say of a process; machines and paths are the server's business."""


def _state(value: str) -> ColumnElement[bool]:
    if value not in set(ProcessState):
        raise FieldError("status", f"Select one of {', '.join(ProcessState)}; got {value!r}.")
    return Process.state == ProcessState(value)


def _release_name(*, any_of: bool) -> Callable[[str], ColumnElement[bool]]:
    def made(value: str) -> ColumnElement[bool]:
        words = [word.strip() for word in value.split(",")[:100] if word.strip()] or [""]
        rows = [
            Release.name.icontains(word, autoescape=True) | Release.display_name.icontains(word, autoescape=True)
            for word in words
        ]
        found = rows[0]
        for row in rows[1:]:
            found = (found | row) if any_of else (found & row)
        return Process.release_id.in_(select(Release.id).where(found))

    return made


PROCESSES = Listing(
    "Process List",
    {
        "id": lambda value: Process.id == number_of("id", value),
        "pipeline": lambda value: Process.pipeline_id == number_of("pipeline", value),
        "pipeline__or": lambda value: Process.pipeline_id.in_(
            [number_of("pipeline__or", word) for word in value.split(",")[:100]]
        ),
        "status": _state,
        "release": lambda value: Process.release_id == number_of("release", value),
        "release_name": _release_name(any_of=False),
        "release_name__or": _release_name(any_of=True),
        "upload": lambda value: Process.output_id == number_of("upload", value),
        "user": lambda value: Process.owner_id == number_of("user", value),
    },
    (Process.display_name,),
    {"id": Process.id, "created_at": Process.created_at, "display_name": Process.display_name},
    default="-created_at",
)


async def _asked(request: Request, principal: Writer) -> dict[str, Any]:
    """What is asked for: JSON, a form, or a form with a file of rules for flags."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return await words_of(request, principal)
    folder = services_of(request).settings.data_dir / "incoming"
    form = await receive_form(request, folder, max_bytes=MAX_FLAGS_BYTES)
    try:
        return _of_form(form)
    finally:
        form.discard()


def _of_form(form: ReceivedForm) -> dict[str, Any]:
    words: dict[str, Any] = {name: checked_text(name, values[-1]) for name, values in form.fields.items()}
    if "inputs" in form.fields:
        words["inputs"] = form.fields["inputs"]
    for file in form.files:
        if file.name != FLAGS:
            raise FieldError(file.name, f"no such file; {FLAGS} is accepted")
        words[FLAGS] = file.path.read_bytes() if file.size else b""
    return words


Asked = Annotated[dict[str, Any], Depends(_asked)]


@router.get("/processes/")
def processes(request: Request, services: CurrentServices, principal: Reader) -> Response:
    """The asker's processes, and those whose product the asker sees."""
    with services.database.reading() as session:
        count, rows = rows_of(
            session, request, services, PROCESSES,
            select(Process).where(visible_jobs(principal), Process.output_id.is_not(None)),
        )  # fmt: skip
        return envelope(count, processes_json(session, principal, rows))


@router.options("/processes/")
def processes_metadata(_principal: Reader) -> Response:
    """What the list of processes can be asked."""
    return metadata(PROCESSES)


@router.post("/processes/")
def start(services: CurrentServices, principal: Writer, asked: Asked) -> Response:
    """Ask for a product to be made."""
    for name in ("pipeline", "display_name"):
        if not asked.get(name):
            raise FieldError(name, "This field is required.")
    unknown = sorted(set(asked) - FIELDS - {FLAGS})
    if unknown:
        raise FieldError(unknown[0], f"no such field; there are {', '.join(sorted(FIELDS))}, {FLAGS}")
    if not isinstance(asked["display_name"], str):
        raise FieldError("display_name", "Not a valid string.")
    config = _config(asked)
    with services.database.writing() as session:
        pipeline = session.get(Pipeline, number_of("pipeline", asked["pipeline"]))
        if pipeline is None:
            raise FieldError("pipeline", f'Invalid pk "{asked["pipeline"]}" - object does not exist.')
        release = _release(session, asked.get("release"))
        try:
            process = submit(
                services, session, principal, pipeline.name, asked["display_name"], config, _inputs(asked), release
            )
        except NotFoundError as error:
            # Releases and inputs that the asker may not see are as if they were not there.
            raise FieldError("release" if "release" in str(error) else "inputs", str(error)) from error
        except ConfigError as error:
            raise FieldError("used_config", str(error)) from error
        except UsageError as error:
            raise broken_rule(error) from None
        session.flush()
        told = process_json(session, principal, process)
    enqueue(services, told["id"])
    return JSONResponse(told, 201)


@router.get("/processes/{number:int}/")
def read(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """One process."""
    with services.database.reading() as session:
        return JSONResponse(process_json(session, principal, process_for(session, principal, number)))


@router.get("/processes/{number:int}/stop/")
@router.post("/processes/{number:int}/stop/")
def stop(number: Number, services: CurrentServices, principal: Writer) -> Response:
    """Have a process stopped."""
    with services.database.writing() as session:
        process = request_stop(session, principal, number)
        return JSONResponse(process_json(session, principal, process))


@router.get("/processes/{number:int}/logs/")
def logs(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """What a process said; there is no batch system whose words could follow."""
    with services.database.reading() as session:
        text = process_log(session, principal, number)
    said = {"filename": "process.log", "content": text}
    return JSONResponse({"pipeline": said, "slurm": {"filename": None, "content": ""}})


def _inputs(asked: dict[str, Any]) -> list[int]:
    inputs = asked.get("inputs", [])
    if isinstance(inputs, str):
        inputs = [word for word in inputs.split(",") if word]
    if not isinstance(inputs, list) or len(inputs) > MAX_INPUTS:
        raise FieldError("inputs", f"A list of at most {MAX_INPUTS} numbers of products is expected.")
    return [number_of("inputs", each) for each in inputs]


def _release(session: Session, value: Any) -> str | None:
    if empty(value):
        return None
    release = session.get(Release, number_of("release", value))
    if release is None:
        raise FieldError("release", f'Invalid pk "{value}" - object does not exist.')
    return release.name


def _config(asked: dict[str, Any]) -> dict[str, Any]:
    """Settings, without the path on the user's machine that the client leaves in them.

    Raises
    ------
    FieldError
        They are no settings, or speak of more than the user may say.
    """
    config = asked.get("used_config") or {}
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except (ValueError, RecursionError) as error:
            raise FieldError("used_config", f"JSON parse error - {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("param", {}), dict):
        raise FieldError("used_config", "A dictionary is expected, with the dictionary 'param' in it.")
    other = sorted(set(config) - TOP)
    if other:
        raise FieldError("used_config", f"{', '.join(other)} cannot be set; accepted are {', '.join(sorted(TOP))}.")
    param = dict(config.get("param", {}))
    path = param.pop(FLAGS, None)
    made: dict[str, Any] = {"param": param, "output_format": config.get("output_format")}
    if FLAGS in asked:
        made["rules"] = _rules(asked[FLAGS])
    elif path is not None:
        raise FieldError("used_config", f"{FLAGS} names a file; send the file itself, as a field of a form.")
    return made


def _check_tokens(text: bytes) -> None:
    """Refuse YAML that takes long to read, or more memory than its own length."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
        if depth > MAX_DEPTH:
            raise UsageError(f"more than {MAX_DEPTH} levels are not accepted")
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken):
            raise UsageError("anchors, aliases and tags are not accepted")


def _rules(text: Any) -> dict[str, Any]:
    """Rules for flags of a survey from a YAML file; nothing in it is run as code, and nothing is fetched for it."""
    if not isinstance(text, bytes):
        raise FieldError(FLAGS, "A file is expected.")
    try:
        _check_tokens(text)
        rules = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FieldError(FLAGS, f"The file cannot be read as YAML: {error}") from error
    if not isinstance(rules, dict):
        raise FieldError(FLAGS, "The file holds no rules.")
    try:
        survey = Survey.model_validate(rules)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:10])
        raise FieldError(FLAGS, f"The rules of a survey are not understood: {faults}") from error
    if survey.sources:
        raise FieldError(FLAGS, "'sources' is not accepted here: nothing is fetched for rules.")
    return survey.model_dump(mode="json", exclude_unset=True)
