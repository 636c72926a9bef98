"""What a mock answers to each request."""

from __future__ import annotations

import base64
import io
import re
import secrets
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pzcenter.client.mock import shapes
from pzcenter.client.mock.reply import Reply, Request
from pzcenter.client.mock.state import PRODUCT_TYPES, MockProduct, new_uid, now, product_of, sees
from pzcenter.client.mock.tus import create_upload, told_offset, write_upload
from pzcenter.errors import ColumnError, ConflictError, NotFoundError, PermissionDeniedError, UsageError

if TYPE_CHECKING:
    from pzcenter.client.mock.reply import Handler
    from pzcenter.client.mock.state import MockFile

__all__ = ["ROUTES"]

KEY, NUMBER = r"([0-9a-z]+)", r"(\d+)"
ORDERS = {"id", "display_name", "product_type", "created_at", "updated_at", "size"}
UCDS = {
    "ID": "meta.id;meta.main", "RA": "pos.eq.ra;meta.main", "Dec": "pos.eq.dec;meta.main", "z": "src.redshift",
    "z_err": "stat.error;src.redshift", "z_flag": "stat.rank", "survey": "meta.curation",
}  # fmt: skip


def me(request: Request) -> Reply:
    """Who asks."""
    user = request.user
    scopes = request.state.user_of(request.http.headers["authorization"].partition(" ")[2])[1]
    return Reply(
        body={
            "username": user.username, "name": user.username, "email": None, "role": user.role,
            "groups": sorted(user.groups), "releases": sorted(user.releases), "scopes": sorted(scopes),
        }
    )  # fmt: skip


def list_types(_request: Request) -> Reply:
    """Kinds of products."""
    return Reply(body=shapes.types())


def list_releases(request: Request) -> Reply:
    """Releases that the asker has rights to."""
    names = sorted(request.user.releases & request.state.releases)
    return Reply(
        body=[{"name": name, "display_name": name.upper(), "description": "", "state": "open"} for name in names]
    )


def list_tokens(request: Request) -> Reply:
    """Tokens of the asker."""
    return Reply(body=[shapes.token_shape(each) for each in request.user.tokens.values() if not each["revoked"]])


def make_token(request: Request) -> Reply:
    """A new token."""
    told = request.body(("name", "scopes", "days"), needed=("name",))
    secret = secrets.token_hex(20)
    token = {
        "id": new_uid(), "name": told["name"], "hint": secret[:4], "scopes": sorted(told.get("scopes") or ["read"]),
        "created_at": now().isoformat(), "expires_at": (now() + timedelta(days=told.get("days") or 365)).isoformat(),
        "last_used_at": None, "expired": False, "revoked": False,
    }  # fmt: skip
    request.user.tokens[secret] = token
    return Reply(201, shapes.token_shape(token) | {"secret": secret})


def revoke_token(request: Request) -> Reply:
    """Have a token refused."""
    for token in request.user.tokens.values():
        if token["id"] == request.key:
            token["revoked"] = True
            return Reply(204)
    raise NotFoundError(f"no token {request.key}")


def list_products(request: Request) -> Reply:
    """Products that the asker sees, page by page."""
    query = request.http.url.params
    sort = query.get("sort", "-created_at")
    if sort.removeprefix("-") not in ORDERS:
        raise UsageError(f"sort: {sort!r} is not accepted")
    if unknown := set(query.get_list("product_type")) - set(PRODUCT_TYPES):
        raise UsageError(f"no product type {', '.join(unknown)}; there are {', '.join(PRODUCT_TYPES)}")
    rows = [shapes.summary(each) for each in request.state.products.values() if sees(request.user, each)]
    rows = [row for row in rows if _fits(row, query, request)]
    rows.sort(key=lambda row: (row[sort.removeprefix("-")], row["id"]), reverse=sort.startswith("-"))
    begin, limit = int(query.get("cursor") or 0), int(query.get("limit", 50))
    more = begin + limit < len(rows)
    return Reply(
        body={"items": rows[begin : begin + limit], "next_cursor": str(begin + limit) if more else None, "total": None}
    )


def _fits(row: dict[str, Any], query: Any, request: Request) -> bool:
    values = {
        "product_type": row["product_type"],
        "release": row["release"],
        "owner": row["owner"]["username"],
        "state": row["state"],
    }
    if any(query.get_list(name) and value not in query.get_list(name) for name, value in values.items()):
        return False
    if not set(query.get_list("tag")) <= set(row["tags"]):
        return False
    flags = {"official": row["official"], "latest": row["is_latest"]}
    if any(name in query and (query[name] == "true") != value for name, value in flags.items()):
        return False
    words = request.state.products[row["id"]].words
    text = " ".join(
        [row["display_name"], row["owner"]["username"], *row["tags"], words["description"], str(row["pz_code"])]
    )
    return all(word in text.lower() for word in query.get("q", "").lower().split())


def create_product(request: Request) -> Reply:
    """Begin a product."""
    told = request.body(shapes.WORDS, needed=("display_name", "product_type"))
    words = shapes.WORDS | told
    _check_words(words)
    kind = words["product_type"]
    if kind not in PRODUCT_TYPES:
        raise NotFoundError(f"no product type {kind!r}; there are {', '.join(PRODUCT_TYPES)}")
    if words["release"] is not None and kind == "redshift_catalog":
        raise UsageError(
            f"Release must be null on {PRODUCT_TYPES[kind][1]}s products. Spectroscopic redshifts belong to no data "
            "release: leave it out."
        )
    if words["release"] is not None and words["release"] not in request.user.releases:
        raise NotFoundError(f"no release {words['release']!r} that you have rights to")
    if words["official"] and not request.user.curates:
        raise PermissionDeniedError("official products are made by coordinators")
    return _told(request, _add(request, words), 201)


def _add(request: Request, words: dict[str, Any]) -> MockProduct:
    words = words | {"tags": sorted({tag.strip().lower() for tag in words["tags"]})}
    product = MockProduct(next(request.state.numbers), request.user.username, words)
    request.state.products[product.id] = product
    return product


def _check_words(words: dict[str, Any]) -> None:
    name = words.get("display_name", "x")
    if not name.strip() or len(name) > 255:
        raise UsageError("display_name: a product needs a name of 1 to 255 letters")


def _told(request: Request, product: MockProduct, status: int = 200) -> Reply:
    return Reply(status, shapes.detail(product, request.user), headers={"ETag": f'"r{product.revision}"'})


def read_product(request: Request) -> Reply:
    """A product."""
    return _told(request, product_of(request.state, request.user, request.key))


def edit_product(request: Request) -> Reply:
    """Change words."""
    told = request.body(set(shapes.WORDS) - {"product_type", "release", "official", "visibility"})
    if not told:
        raise UsageError("nothing to change")
    _check_words(told)
    product = product_of(request.state, request.user, request.key)
    request.check_match(product, needed=True)
    product_of(request.state, request.user, request.key, "edit")
    product.words |= told
    product.touch()
    return _told(request, product)


def delete_product(request: Request) -> Reply:
    """Delete a product."""
    product = product_of(request.state, request.user, request.key, "delete")
    request.check_match(product)
    product.state, product.files = "deleted", []
    return Reply(204)


def publish(request: Request) -> Reply:
    """Finish a product."""
    product = product_of(request.state, request.user, request.key, "fill")
    if product.main_file is None:
        raise ConflictError("the product has no main file yet")
    if absent := shapes.missing(product):
        raise ConflictError(f"no column is {', '.join(absent)} yet; say which columns are, then publish")
    for other in request.state.products.values():
        if other.series == product.series:
            other.is_latest = other is product
    product.state, product.published_at = "published", now()
    product.touch()
    return _told(request, product)


def new_version(request: Request) -> Reply:
    """Begin the next version."""
    old = product_of(request.state, request.user, request.key, "edit")
    if old.state != "published":
        raise ConflictError(f"product {old.id} is {old.state}; new versions follow published ones")
    series = [each for each in request.state.products.values() if each.series == old.series]
    if any(each.state == "registering" for each in series):
        raise ConflictError("a new version of this product is under way already")
    product = _add(request, old.words | {"official": False})
    product.series, product.version, product.is_latest = old.series, max(each.version for each in series) + 1, False
    product.inputs = [(old.id, "version")]
    return _told(request, product, 201)


def list_versions(request: Request) -> Reply:
    """All versions that the asker sees."""
    product = product_of(request.state, request.user, request.key)
    found = [
        each for each in request.state.products.values() if each.series == product.series and sees(request.user, each)
    ]
    return Reply(body=[shapes.summary(each) for each in sorted(found, key=lambda each: -each.version)])


def set_official(request: Request) -> Reply:
    """Call a product official, or no longer."""
    told = request.body(("official",), needed=("official",))
    if not request.user.curates:
        raise PermissionDeniedError("this is for coordinators and admins")
    product = product_of(request.state, request.user, request.key, "curate")
    product.words["official"] = told["official"]
    product.touch()
    return _told(request, product)


def list_files(request: Request) -> Reply:
    """Files of a product."""
    return Reply(body=[shapes.file_shape(each) for each in product_of(request.state, request.user, request.key).files])


def _file(request: Request) -> tuple[MockProduct, MockFile]:
    for product in request.state.products.values():
        for file in product.files:
            if file.id == int(request.key) and sees(request.user, product):
                return product, file
    raise NotFoundError(f"no file {request.key}")


def remove_file(request: Request) -> Reply:
    """Take a file off."""
    product, file = _file(request)
    product_of(request.state, request.user, str(product.id), "edit")
    if file.role == "main" and product.state not in {"registering", "failed"}:
        raise PermissionDeniedError("the main file of a published product stays; make a new version")
    product.files.remove(file)
    if file.role == "main":
        product.state, product.failure, product.columns, product.n_rows = "registering", None, [], None
    product.touch()
    return Reply(204)


def file_content(request: Request) -> Reply:
    """Bytes of a file."""
    file = _file(request)[1]
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    return _bytes(request, file.content, f'"{file.sha256}"', {"Repr-Digest": f"sha-256=:{digest}:"})


def archive(request: Request) -> Reply:
    """All files of a product."""
    product = product_of(request.state, request.user, request.key)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for file in product.files:
            made.writestr(zipfile.ZipInfo(file.name), file.content)
    return _bytes(request, packed.getvalue(), f'"archive-{product.uid}-{product.revision}"', {})


def _bytes(request: Request, content: bytes, etag: str, headers: dict[str, str]) -> Reply:
    headers = headers | {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    found = re.fullmatch(r"bytes=(\d+)-", request.http.headers.get("range", ""))
    if found is None or request.http.headers.get("if-range", etag) != etag:
        return Reply(200, content=content, headers=headers)
    begin = int(found[1])
    if begin >= len(content):
        return Reply(416, content=b"", headers=headers | {"Content-Range": f"bytes */{len(content)}"})
    told = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
    return Reply(206, content=content[begin:], headers=headers | told)


def list_columns(request: Request) -> Reply:
    """Columns of a product."""
    return Reply(body=product_of(request.state, request.user, request.key).columns)


def edit_columns(request: Request) -> Reply:
    """Say what columns mean."""
    changes = request.body(("columns",), needed=("columns",))["columns"]
    product = product_of(request.state, request.user, request.key, "fill")
    there = {column["name"]: dict(column) for column in product.columns}
    if absent := sorted({each["name"] for each in changes} - set(there)):
        raise ColumnError(f"no column {', '.join(absent)}; there are {', '.join(there) or 'none'}")
    for change in changes:
        column = there[change["name"]]
        column |= {word: value or None for word, value in change.items() if word != "name" and value is not None}
        if change.get("alias") is not None and change.get("ucd") is None:
            column["ucd"] = UCDS.get(change["alias"], column["ucd"])
    aliases = [column["alias"] for column in there.values() if column["alias"] in UCDS]
    if doubled := sorted({alias for alias in aliases if aliases.count(alias) > 1}):
        raise ColumnError(f"{', '.join(doubled)} is given to more than one column; each stands for one")
    product.columns = list(there.values())
    product.touch()
    return list_columns(request)


def read_sharing(request: Request) -> Reply:
    """Who sees a product."""
    return Reply(body=shapes.sharing(product_of(request.state, request.user, request.key, "share")))


def share(request: Request) -> Reply:
    """Say who sees a product."""
    told = request.body(("visibility", "groups", "users", "embargo_until"))
    product = product_of(request.state, request.user, request.key, "share")
    if not told:
        raise UsageError("nothing to change")
    if told.get("visibility", "release") not in {"release", "shared", "private"}:
        raise UsageError("visibility: Input should be 'release', 'shared' or 'private'")
    known = {"groups": request.state.groups, "users": set(request.state.users)}
    for kind, names in known.items():
        if absent := sorted(set(told.get(kind, ())) - names):
            raise NotFoundError(f"not found: {', '.join(absent)}")
    product.words["visibility"] = told.get("visibility", product.words["visibility"])
    product.groups = set(told.get("groups", product.groups))
    product.users = set(told.get("users", product.users))
    if "embargo_until" in told:
        until = told["embargo_until"]
        product.embargo_until = None if until is None else date.fromisoformat(until)
    product.touch()
    return Reply(body=shapes.sharing(product))


def set_tags(request: Request) -> Reply:
    """Words to find a product by."""
    told = request.body(("tags",), needed=("tags",))
    product = product_of(request.state, request.user, request.key, "edit")
    product.words["tags"] = sorted({tag.strip().lower() for tag in told["tags"]})
    product.touch()
    return Reply(body=product.words["tags"])


def list_comments(request: Request) -> Reply:
    """What people said."""
    found = product_of(request.state, request.user, request.key).comments
    return Reply(body={"items": found, "next_cursor": None, "total": None})


def add_comment(request: Request) -> Reply:
    """Say something."""
    told = request.body(("text",), needed=("text",))
    product = product_of(request.state, request.user, request.key)
    if not told["text"].strip():
        raise UsageError("a comment has 1 to 10,000 letters; this one has 0")
    author = {"username": request.user.username, "name": request.user.username}
    comment = {
        "id": next(request.state.numbers),
        "author": author,
        "text": told["text"].strip(),
        "created_at": now().isoformat(),
    }
    product.comments.append(comment)
    return Reply(201, comment)


def delete_comment(request: Request) -> Reply:
    """Take a comment back."""
    product = product_of(request.state, request.user, request.key)
    comment = next((each for each in product.comments if each["id"] == int(request.parts[1])), None)
    if comment is None:
        raise NotFoundError(f"no comment {request.parts[1]} about product {product.id}")
    if comment["author"]["username"] != request.user.username and not request.user.curates:
        raise PermissionDeniedError("this comment is somebody else's")
    product.comments.remove(comment)
    return Reply(204)


def provenance(request: Request) -> Reply:
    """What a product was made from: one step up and down."""
    root = product_of(request.state, request.user, request.key)
    products = request.state.products
    up = [(number, role) for number, role in root.inputs if number in products]
    down = [(each.id, role) for each in products.values() for number, role in each.inputs if number == root.id]
    distances = {root.id: 0} | {number: -1 for number, _ in up} | {number: 1 for number, _ in down}
    keys = {
        number: products[number].uid if sees(request.user, products[number]) else f"hidden-{number}"
        for number in distances
    }
    nodes = [_node(request, keys[number], products[number], distance) for number, distance in sorted(distances.items())]
    edges = [{"product": root.uid, "source": keys[number], "role": role} for number, role in up]
    edges += [{"product": keys[number], "source": root.uid, "role": role} for number, role in down]
    return Reply(body={"root": root.uid, "nodes": nodes, "edges": edges, "activities": [], "cut": False})


def _node(request: Request, key: str, product: MockProduct, distance: int) -> dict[str, Any]:
    seen = key == product.uid
    published = replace(product, state="published")
    gone = product.state == "deleted" and product.published_at is not None and sees(request.user, published)
    without_name = "deleted" if gone else "not visible"
    return {
        "key": key, "visible": seen, "label": product.words["display_name"] if seen else without_name,
        "distance": distance, "id": product.id if seen else None,
        "product_type": product.words["product_type"] if seen else None, "version": product.version if seen else None,
    }  # fmt: skip


def citation(request: Request) -> Reply:
    """How to cite a product."""
    product = product_of(request.state, request.user, request.key)
    text = f"@misc{{pzserver:{product.uid},\n  title = {{{{{product.words['display_name']}}}}},\n}}\n"
    return Reply(content=text.encode(), headers={"Content-Type": "application/x-bibtex; charset=utf-8"})


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "me"): me,
    ("GET", "product-types"): list_types,
    ("GET", "releases"): list_releases,
    ("GET", "tokens"): list_tokens,
    ("POST", "tokens"): make_token,
    ("DELETE", f"tokens/{KEY}"): revoke_token,
    ("GET", "products"): list_products,
    ("POST", "products"): create_product,
    ("GET", f"products/{KEY}"): read_product,
    ("PATCH", f"products/{KEY}"): edit_product,
    ("DELETE", f"products/{KEY}"): delete_product,
    ("POST", f"products/{KEY}/publish"): publish,
    ("GET", f"products/{KEY}/versions"): list_versions,
    ("POST", f"products/{KEY}/versions"): new_version,
    ("PUT", f"products/{KEY}/official"): set_official,
    ("GET", f"products/{KEY}/files"): list_files,
    ("GET", f"products/{KEY}/archive"): archive,
    ("DELETE", f"files/{NUMBER}"): remove_file,
    ("GET", f"files/{NUMBER}/content"): file_content,
    ("GET", f"products/{KEY}/columns"): list_columns,
    ("PATCH", f"products/{KEY}/columns"): edit_columns,
    ("GET", f"products/{KEY}/sharing"): read_sharing,
    ("PATCH", f"products/{KEY}/sharing"): share,
    ("PUT", f"products/{KEY}/tags"): set_tags,
    ("GET", f"products/{KEY}/comments"): list_comments,
    ("POST", f"products/{KEY}/comments"): add_comment,
    ("DELETE", f"products/{KEY}/comments/{NUMBER}"): delete_comment,
    ("GET", f"products/{KEY}/provenance"): provenance,
    ("GET", f"products/{KEY}/citation"): citation,
    ("POST", "uploads"): create_upload,
    ("HEAD", f"uploads/{KEY}"): told_offset,
    ("PATCH", f"uploads/{KEY}"): write_upload,
}
"""By method and pattern of the path below the address of the interface."""
