"""Forms that ask for jobs: a training set, or redshift catalogues combined into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy import select

from pzcenter.errors import ConflictError, NotFoundError, QuotaError, UsageError
from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.http.status import status_of
from pzcenter.server.pages.fields import Flag, ShortText, words_of
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.access import visible
from pzcenter.server.services.jobs.control import submit
from pzcenter.server.services.jobs.queue import enqueue
from pzcenter.server.services.releases import list_releases
from pzcenter.server.storage.products import Product, ProductState, ProductType
from pzcenter.server.storage.releases import ReleaseState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from pzcenter.errors import PZCenterError
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
MOST_CHOICES = 300
FOR_PEOPLE = (UsageError, ConflictError, NotFoundError, QuotaError)
FORMATS = (("", "as usual"), ("parquet", "Parquet"), ("csv", "CSV"), ("fits", "FITS"), ("hdf5", "HDF5"),
           ("votable", "VOTable"))  # fmt: skip
MODES = (
    ("concatenate_and_mark_duplicates", "keep all, mark duplicates"),
    ("concatenate_and_remove_duplicates", "keep the best of each object"), ("concatenate", "keep all as they are"),
)  # fmt: skip
TIES = (("remove_all", "leave all of them out"), ("keep_all", "keep all of them"), ("draw_one", "draw one"))
SPLITS = (
    ("random", "at random"),
    ("stratified", "with the same redshifts in both"),
    ("blocks", "by regions of the sky"),
)
FLAGS = (("", "any"), ("1", "1 and better"), ("2", "2 and better (70 %)"), ("3", "3 and better (90 %)"),
         ("4", "4 only (99 %)"))  # fmt: skip
Inputs = Annotated[list[int] | None, Form(max_length=50)]


@router.get("/make")
def make(request: Request, _principal: SignedIn) -> Response:
    """What can be made here."""
    return page(request, "make.html")


@router.get("/make/training-set")
def training_form(
    request: Request,
    services: CurrentServices,
    principal: SignedIn,
    chosen: Annotated[list[int] | None, Query(alias="input", max_length=50)] = None,
) -> Response:
    """Ask for a training set."""
    said = {"name": "", "release": "", "radius_arcsec": "1.0", "min_z_flag": "3", "dereddening": "sfd",
            "split_method": "random", "train_fraction": "0.7", "seed": "0", "z_min": "", "z_max": "",
            "output_format": "", "private": ""}  # fmt: skip
    return _form(request, services, principal, "training", said, chosen or [])


@router.post("/make/training-set")
def training(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    *,
    name: ShortText = "",
    release: ShortText = "",
    inputs: Inputs = None,
    radius_arcsec: ShortText = "",
    min_z_flag: ShortText = "",
    z_min: ShortText = "",
    z_max: ShortText = "",
    dereddening: Flag = "",
    split_method: ShortText = "",
    train_fraction: ShortText = "",
    seed: ShortText = "",
    output_format: ShortText = "",
    private: Flag = "",
) -> Response:
    """Begin to make a training set."""
    said = {"name": name, "release": release, "radius_arcsec": radius_arcsec, "min_z_flag": min_z_flag, "z_min": z_min,
            "z_max": z_max, "dereddening": dereddening, "split_method": split_method, "train_fraction": train_fraction,
            "seed": seed, "output_format": output_format, "private": private}  # fmt: skip
    try:
        selection = {"no_ties": True, "no_repeats": True, "min_z_flag": _whole("quality", min_z_flag),
                     "z_min": _real("lowest redshift", z_min), "z_max": _real("highest redshift", z_max)}  # fmt: skip
        param: dict[str, Any] = {
            "crossmatch": {"radius_arcsec": _real("radius", radius_arcsec) or 1.0},
            "dereddening": dereddening or "none", "split_method": split_method or "random",
            "train_fraction": _real("fraction", train_fraction) or 0.7, "random_seed": _whole("seed", seed) or 0,
            "selection": selection,
        }  # fmt: skip
        config = {"param": param, "output_format": output_format or None}
        return _submit(services, principal, "training_set_maker", name, config, inputs or [], release or None, private)
    except FOR_PEOPLE as error:
        return _form(request, services, principal, "training", said, inputs or [], error)


@router.get("/make/combined-redshifts")
def combine_form(
    request: Request,
    services: CurrentServices,
    principal: SignedIn,
    chosen: Annotated[list[int] | None, Query(alias="input", max_length=50)] = None,
) -> Response:
    """Ask for redshift catalogues to be combined."""
    said = {"name": "", "combine_type": MODES[0][0], "radius_arcsec": "0.5", "delta_z": "0.001", "ties": "remove_all",
            "min_flag": "", "survey_priority": "", "seed": "0", "output_format": "", "private": ""}  # fmt: skip
    return _form(request, services, principal, "combine", said, chosen or [])


@router.post("/make/combined-redshifts")
def combine(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    *,
    name: ShortText = "",
    inputs: Inputs = None,
    combine_type: ShortText = "",
    radius_arcsec: ShortText = "",
    delta_z: ShortText = "",
    ties: ShortText = "",
    min_flag: ShortText = "",
    survey_priority: ShortText = "",
    seed: ShortText = "",
    output_format: ShortText = "",
    private: Flag = "",
) -> Response:
    """Begin to combine redshift catalogues."""
    said = {"name": name, "combine_type": combine_type, "radius_arcsec": radius_arcsec, "delta_z": delta_z,
            "ties": ties, "min_flag": min_flag, "survey_priority": survey_priority, "seed": seed,
            "output_format": output_format, "private": private}  # fmt: skip
    try:
        separation, least_delta = _real("radius", radius_arcsec), _real("redshift difference", delta_z)
        param: dict[str, Any] = {
            "combine_type": combine_type or MODES[0][0], "radius_arcsec": 0.5 if separation is None else separation,
            "delta_z_threshold": 0.001 if least_delta is None else least_delta,
            "tie_treatment_option": ties or "remove_all", "survey_priority": list(words_of(survey_priority)),
            "seed": _whole("seed", seed) or 0, "z_flag_homogenized_value_to_cut": _whole("quality", min_flag),
        }  # fmt: skip
        config = {"param": param, "output_format": output_format or None}
        return _submit(services, principal, "combine_redshift_dedup", name, config, inputs or [], None, private)
    except FOR_PEOPLE as error:
        return _form(request, services, principal, "combine", said, inputs or [], error)


def _submit(  # noqa: PLR0917 - what a job is
    services: Services,
    principal: Principal,
    pipeline: str,
    name: str,
    config: dict[str, Any],
    inputs: Sequence[int],
    release: str | None,
    private: str,
) -> Response:
    if any(not 0 < number < 2**31 for number in inputs):
        raise NotFoundError("one of the inputs is no product")
    with services.database.writing() as session:
        words = name.replace("\0", "").strip()
        process = submit(services, session, principal, pipeline, words, config, inputs, release, private=bool(private))
        number, target = process.id, process.uid
    enqueue(services, number)
    return go_on(f"/jobs/{target}")


def _form(  # noqa: PLR0917 - what the page shows
    request: Request,
    services: Services,
    principal: Principal,
    kind: str,
    said: dict[str, str],
    inputs: Sequence[int],
    error: PZCenterError | None = None,
) -> Response:
    with services.database.reading() as session:
        releases = [each for each in list_releases(session, principal) if each.state is ReleaseState.OPEN]
        made_here = services.settings.object_catalogs
        return page(
            request, f"make_{kind}.html", status=200 if error is None else status_of(error), said=said,
            inputs=set(inputs), redshifts=_choices(session, principal, "redshift_catalog"),
            catalogs=_choices(session, principal, "object_catalog"),
            releases=[("", "that of the objects")] + [
                (each.name, f"{each.display_name or each.name}{'' if each.name in made_here else ' (no objects here)'}")
                for each in releases
            ],
            formats=FORMATS, modes=MODES, ties=TIES, splits=SPLITS, flags=FLAGS,
            error=None if error is None else str(error),
        )  # fmt: skip


def _choices(session: Session, principal: Principal, kind: str) -> Sequence[Product]:
    wanted = select(Product).join(ProductType, Product.product_type_id == ProductType.id)
    wanted = wanted.where(visible(principal), ProductType.name == kind, Product.state == ProductState.PUBLISHED)
    wanted = wanted.where(Product.is_latest.is_(True), Product.n_rows.is_not(None))
    return session.scalars(wanted.order_by(Product.id.desc()).limit(MOST_CHOICES)).all()


def _real(what: str, text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{what}: {text!r} is no number") from error


def _whole(what: str, text: str) -> int | None:
    if not text.strip():
        return None
    if not (text.strip().isdecimal() and text.isascii()) or len(text) > 15:
        raise UsageError(f"{what}: {text!r} is no whole number")
    return int(text)
