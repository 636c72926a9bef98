"""Who may call which route: one line for each, held against the running server by ``test_matrix.py``.

You have added a route, and the test says that it is not here. Add one line:

* which method and path, as the router writes them, with the prefix of the application;
* who may: one of the words below. For routes of one product take the word for what the route does to it
  (``SEE``, ``COMMENT``, ``EDIT``, ``FILL``, ``CURATE``): the table ``OF_PRODUCTS`` says for each state of a product
  who may do that. Otherwise ``PUBLIC``, ``SIGNED_IN``, ``CURATORS``, ``ADMINS``, or the names of those who may;
* ``json=``, ``form=``, ``query=``: a request that is good enough to get past the checks of its form. Where somebody
  is refused, the refusal must come before anything is told, so a 422 does not count as one;
* ``at=``: what stands in the path, where it is not told by the name alone (see ``World.things`` in the test).

Somebody who may gets any answer but 401, 403, 404 and 5xx. Somebody who may not gets 401 or 403 without a
token, and 403 or 404 with one; pages lead to the sign-in instead. Name the error (``also=(404,)``) where somebody who
may gets another one of these for a reason of its own, such as a thing that the test does not have.
"""

from dataclasses import dataclass, field

EVERYBODY = ("anonymous", "outsider", "colleague", "owner", "coordinator", "admin")
"""Nobody, a user without rights, one with rights, the owner of the product, a coordinator, an admin."""

PUBLIC = frozenset(EVERYBODY)
SIGNED_IN = PUBLIC - {"anonymous"}
CURATORS = frozenset({"coordinator", "admin"})
ADMINS = frozenset({"admin"})
OWNER = frozenset({"owner"})
OWNER_AND_ADMIN = frozenset({"owner", "admin"})
NOBODY = frozenset()
"""Also: who has only a token, where a signed link, a code or a form's secret is needed."""
RELEASE = frozenset({"colleague", "owner", "coordinator", "admin"})
OWNER_AND_CURATORS = frozenset({"owner", "coordinator", "admin"})

SEE, COMMENT, EDIT, FILL, CURATE = "see", "comment", "edit", "fill", "curate"
EMPTY = "empty"
"""Take the main file off: as FILL, and where that file was not accepted."""

UNFINISHED = {
    SEE: OWNER_AND_ADMIN,
    COMMENT: OWNER_AND_ADMIN,
    EDIT: OWNER_AND_ADMIN,
    FILL: NOBODY,
    CURATE: NOBODY,
    EMPTY: NOBODY,
}
OF_PRODUCTS = {
    "registering": UNFINISHED | {FILL: OWNER_AND_ADMIN, EMPTY: OWNER_AND_ADMIN},
    "processing": UNFINISHED,
    "failed": UNFINISHED | {EMPTY: OWNER_AND_ADMIN},
    "published": {SEE: RELEASE, COMMENT: RELEASE, EDIT: OWNER_AND_ADMIN, FILL: NOBODY, CURATE: CURATORS, EMPTY: NOBODY},
    "official": {SEE: RELEASE, COMMENT: RELEASE, EDIT: CURATORS, FILL: NOBODY, CURATE: CURATORS, EMPTY: NOBODY},
    "embargoed": {
        SEE: OWNER_AND_CURATORS, COMMENT: OWNER_AND_CURATORS, EDIT: OWNER_AND_ADMIN, FILL: NOBODY, CURATE: CURATORS,
        EMPTY: NOBODY,
    },
    "shared": {
        SEE: OWNER_AND_CURATORS, COMMENT: OWNER_AND_CURATORS, EDIT: OWNER_AND_ADMIN, FILL: NOBODY, CURATE: CURATORS,
        EMPTY: NOBODY,
    },
    "private": UNFINISHED | {CURATE: ADMINS},
    "deleted": dict.fromkeys((SEE, COMMENT, EDIT, FILL, CURATE, EMPTY), NOBODY),
}  # fmt: skip
"""For each state of a product of the release dp1 that belongs to ``owner``: who may do what with it."""


@dataclass(frozen=True)
class Route:
    """One line of the table."""

    method: str
    path: str
    who: object
    json: object = None
    form: dict | None = None
    query: dict = field(default_factory=dict)
    headers: dict = field(default_factory=dict)
    at: dict = field(default_factory=dict)
    also: tuple = ()


V2 = "/api/v2"
ANY = {"If-Match": "*"}
FILE = {"number": "file_id"}
COLUMN = {"number": "column_id"}
PROCESS = {"number": "process_id"}
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
UPLOAD = {"uid": "upload_uid"}
PROCESS_UID = {"uid": "process_uid"}
JOB = {"job_uid": "process_uid"}
GROUP = {"name": "group"}
RELEASE_NAME = {"name": "release"}
TICKET = {"ticket_uid": "ticket_uid", "uid": "ticket_uid"}

MANIFEST = {
    "format": "x", "made_at": "x", "files": [], "elsewhere": [], "n_bytes": 0, "signature": "x",
    "good_until": "2999-01-01T00:00:00Z",
}  # fmt: skip

ROUTES = (
    # The second interface: products.
    Route("GET", f"{V2}/products", SIGNED_IN),
    Route("POST", f"{V2}/products", SIGNED_IN, json={"display_name": "x", "product_type": "other"}),
    Route("GET", f"{V2}/products/{{product_id}}", SEE),
    Route("PATCH", f"{V2}/products/{{product_id}}", EDIT, json={"description": "x"}, headers=ANY),
    Route("DELETE", f"{V2}/products/{{product_id}}", EDIT, headers=ANY),
    Route("POST", f"{V2}/products/{{product_id}}/publish", FILL, headers=ANY),
    Route("POST", f"{V2}/products/{{product_id}}/versions", EDIT),
    Route("GET", f"{V2}/products/{{product_id}}/versions", SEE),
    Route("PUT", f"{V2}/products/{{product_id}}/official", CURATE, json={"official": True}, headers=ANY),
    Route("GET", f"{V2}/product-types", SIGNED_IN),
    Route("GET", f"{V2}/products/{{product_id}}/files", SEE),
    Route("GET", f"{V2}/files/{{file_id}}", SEE),
    Route("GET", f"{V2}/files/{{file_id}}/content", SEE),
    Route("HEAD", f"{V2}/files/{{file_id}}/content", SEE),
    Route("GET", f"{V2}/files/{{file_id}}/parts", SEE, also=(404,)),
    Route("GET", f"{V2}/files/{{file_id}}/parts/{{part_id}}/content", SEE, also=(404,)),
    Route("HEAD", f"{V2}/files/{{file_id}}/parts/{{part_id}}/content", SEE, also=(404,)),
    Route("DELETE", f"{V2}/files/{{file_id}}", EMPTY, headers=ANY),
    Route("GET", f"{V2}/products/{{product_id}}/archive", SEE),
    Route("HEAD", f"{V2}/products/{{product_id}}/archive", SEE),
    Route("GET", f"{V2}/products/{{product_id}}/main-file", SEE),
    Route("HEAD", f"{V2}/products/{{product_id}}/main-file", SEE),
    Route("GET", f"{V2}/files/{{file_id}}/archive", SEE),
    Route("HEAD", f"{V2}/files/{{file_id}}/archive", SEE),
    Route("GET", f"{V2}/products/{{product_id}}/columns", SEE),
    Route(
        "PATCH",
        f"{V2}/products/{{product_id}}/columns",
        FILL,
        headers=ANY,
        json={"columns": [{"name": "z", "unit": ""}]},
    ),
    Route("GET", f"{V2}/products/{{product_id}}/table", SEE),
    Route("GET", f"{V2}/products/{{product_id}}/sharing", EDIT),
    Route("PATCH", f"{V2}/products/{{product_id}}/sharing", EDIT, json={"users": []}, headers=ANY),
    Route("GET", f"{V2}/products/{{product_id}}/tags", SEE),
    Route("PUT", f"{V2}/products/{{product_id}}/tags", EDIT, json={"tags": ["a"]}, headers=ANY),
    Route("GET", f"{V2}/products/{{product_id}}/comments", SEE),
    Route("POST", f"{V2}/products/{{product_id}}/comments", COMMENT, json={"text": "x"}),
    Route("DELETE", f"{V2}/products/{{product_id}}/comments/{{comment_id}}", COMMENT, also=(403, 404)),
    Route("GET", f"{V2}/products/{{product_id}}/provenance", SEE),
    Route("GET", f"{V2}/products/{{product_id}}/provenance/prov", SEE),
    Route("GET", f"{V2}/products/{{product_id}}/citation", SEE),
    # The second interface: what was found in a main file, and data elsewhere.
    Route("GET", f"{V2}/products/{{product_id}}/report", SEE, also=(404,)),
    Route("POST", f"{V2}/products/{{product_id}}/report", FILL, json={}, headers=ANY, also=(404,)),
    Route(
        "POST",
        f"{V2}/products/{{product_id}}/references",
        EDIT,
        json={"address": "/nowhere", "role": "auxiliary"},
        also=(403, 404),
    ),
    Route("POST", f"{V2}/files/{{file_id}}/check", EDIT),
    # The second interface: jobs.
    Route("GET", f"{V2}/pipelines", SIGNED_IN),
    Route("GET", f"{V2}/jobs", SIGNED_IN),
    Route("POST", f"{V2}/jobs", SIGNED_IN, json={"pipeline": "none", "display_name": "x", "inputs": [1]}, also=(404,)),
    Route("GET", f"{V2}/jobs/{{job_uid}}", OWNER_AND_ADMIN, at=JOB),
    Route("GET", f"{V2}/jobs/{{job_uid}}/log", OWNER_AND_ADMIN, at=JOB),
    Route("POST", f"{V2}/jobs/{{job_uid}}/stop", OWNER_AND_ADMIN, at=JOB),
    Route("POST", f"{V2}/jobs/{{job_uid}}/rerun", OWNER_AND_ADMIN, at=JOB, also=(404,)),
    # The second interface: lists of files of many products.
    Route("POST", f"{V2}/manifests", SIGNED_IN, json={"products": [2**31 - 1]}, also=(404,)),
    Route("POST", f"{V2}/manifests/check", SIGNED_IN, json=MANIFEST, also=(403,)),
    # The second interface: uploads, which are their owner's alone.
    Route("OPTIONS", f"{V2}/uploads", PUBLIC),
    Route("OPTIONS", f"{V2}/uploads/{{uid}}", PUBLIC, at=UPLOAD),
    Route("GET", f"{V2}/uploads", SIGNED_IN),
    Route("POST", f"{V2}/uploads", SIGNED_IN, headers=TUS | {"Upload-Length": "5"}),
    Route("HEAD", f"{V2}/uploads/{{uid}}", OWNER, headers=TUS, at=UPLOAD),
    Route("GET", f"{V2}/uploads/{{uid}}", OWNER, at=UPLOAD),
    Route("PATCH", f"{V2}/uploads/{{uid}}", OWNER, headers=BYTES, at=UPLOAD),
    Route("POST", f"{V2}/uploads/{{uid}}", OWNER, headers=TUS | {"X-HTTP-Method-Override": "DELETE"}, at=UPLOAD),
    Route("POST", f"{V2}/uploads/{{uid}}/finish", OWNER, json={"product_id": "1", "role": "main"}, at=UPLOAD),
    Route("DELETE", f"{V2}/uploads/{{uid}}", OWNER, headers=TUS, at=UPLOAD),
    # The second interface: people.
    # The Validation Cooperative; its challenge is not there (test_cooperative.py has one).
    Route("GET", f"{V2}/challenges", SIGNED_IN),
    Route("POST", f"{V2}/challenges", CURATORS, json={"name": "guess"}, also=(404,)),
    Route("GET", f"{V2}/challenges/{{name}}", SIGNED_IN, at={"name": "code"}, also=(404,)),
    Route("PUT", f"{V2}/challenges/{{name}}/state", CURATORS, json={"state": "open"}, at={"name": "code"}, also=(404,)),
    Route(
        "GET",
        f"{V2}/challenges/{{name}}/files/{{path:path}}",
        SIGNED_IN,
        at={"name": "code", "path": "code"},
        also=(404,),
    ),
    Route("GET", f"{V2}/challenges/{{name}}/submissions", SIGNED_IN, at={"name": "code"}, also=(404,)),
    Route(
        "POST",
        f"{V2}/challenges/{{name}}/submissions",
        SIGNED_IN,
        json={"method": "x", "products": {"one": 1}},
        at={"name": "code"},
        also=(404,),
    ),
    Route("GET", f"{V2}/challenges/{{name}}/leaderboard", SIGNED_IN, at={"name": "code"}, also=(404,)),
    # The help desk; the request for help is the owner's.
    Route("GET", f"{V2}/tickets", SIGNED_IN),
    Route("POST", f"{V2}/tickets", SIGNED_IN, json={"subject": "x", "text": "x"}),
    Route("GET", f"{V2}/tickets/{{ticket_uid}}", OWNER_AND_CURATORS, at=TICKET),
    Route("POST", f"{V2}/tickets/{{ticket_uid}}/messages", OWNER_AND_CURATORS, json={"text": "x"}, at=TICKET),
    Route("PUT", f"{V2}/tickets/{{ticket_uid}}/state", OWNER_AND_CURATORS, json={"state": "closed"}, at=TICKET),
    Route("GET", f"{V2}/status", SIGNED_IN),
    # Off by default (test_public_extract.py switches it on).
    Route("GET", f"{V2}/public/extract", PUBLIC, also=(404,)),
    Route("GET", f"{V2}/me", SIGNED_IN),
    Route("PATCH", f"{V2}/me", SIGNED_IN, json={"first_name": "X"}),
    Route("PUT", f"{V2}/me/password", SIGNED_IN, json={"new": "short"}),
    Route("POST", f"{V2}/me/sign-out-everywhere", SIGNED_IN, json={}),
    Route("GET", f"{V2}/me/identities", SIGNED_IN),
    Route("DELETE", f"{V2}/me/identities/{{identity_id}}", OWNER),
    Route("GET", f"{V2}/tokens", SIGNED_IN),
    Route("POST", f"{V2}/tokens", SIGNED_IN, json={"name": "x"}),
    Route("DELETE", f"{V2}/tokens/{{token_id}}", OWNER_AND_ADMIN),
    Route("GET", f"{V2}/users", SIGNED_IN),
    Route("GET", f"{V2}/users/{{username}}", SIGNED_IN),
    Route("PATCH", f"{V2}/users/{{username}}", ADMINS, json={"role": "user"}),
    Route("POST", f"{V2}/users/{{username}}/password", ADMINS),
    Route("POST", f"{V2}/users/{{username}}/approve", CURATORS, json={}),
    Route("POST", f"{V2}/users/{{username}}/refuse", CURATORS, json={}),
    Route("GET", f"{V2}/groups", SIGNED_IN),
    Route("POST", f"{V2}/groups", SIGNED_IN, json={"name": "team"}),
    Route("GET", f"{V2}/groups/{{name}}", OWNER_AND_CURATORS, at={"name": "group"}),
    Route("PATCH", f"{V2}/groups/{{name}}", OWNER_AND_CURATORS, json={"description": "x"}, at={"name": "group"}),
    Route("DELETE", f"{V2}/groups/{{name}}", OWNER_AND_CURATORS, at={"name": "group"}),
    Route(
        "PUT",
        f"{V2}/groups/{{name}}/members/{{username}}",
        OWNER_AND_CURATORS,
        json={},
        at={"name": "group"},
    ),
    Route("DELETE", f"{V2}/groups/{{name}}/members/{{username}}", OWNER_AND_CURATORS, at={"name": "group"}),
    Route("GET", f"{V2}/releases", SIGNED_IN),
    Route("POST", f"{V2}/releases", ADMINS, json={"name": "dp1"}),
    Route("GET", f"{V2}/releases/{{name}}", RELEASE, at={"name": "release"}),
    Route("PATCH", f"{V2}/releases/{{name}}", ADMINS, json={"description": "x"}, at={"name": "release"}),
    Route("GET", f"{V2}/releases/{{name}}/rights", CURATORS, at={"name": "release"}),
    Route("PUT", f"{V2}/releases/{{name}}/rights/users/{{username}}", CURATORS, at={"name": "release"}),
    Route("DELETE", f"{V2}/releases/{{name}}/rights/users/{{username}}", CURATORS, at={"name": "release"}),
    Route("PUT", f"{V2}/releases/{{name}}/rights/groups/{{group}}", CURATORS, at={"name": "release"}),
    Route("DELETE", f"{V2}/releases/{{name}}/rights/groups/{{group}}", CURATORS, at={"name": "release"}),
    Route("GET", f"{V2}/invitations", CURATORS),
    Route("POST", f"{V2}/invitations", CURATORS, json={}),
    Route("DELETE", f"{V2}/invitations/{{invitation_id}}", CURATORS),
    Route("GET", f"{V2}/audit", CURATORS),
    Route("GET", f"{V2}/openapi.json", PUBLIC),
    # The first interface.
    Route("GET", "/api/", SIGNED_IN),
    Route("GET", "/api/users/", SIGNED_IN),
    Route("OPTIONS", "/api/users/", SIGNED_IN),
    Route("GET", "/api/users/{number:int}/", SIGNED_IN, at={"number": "user_id"}),
    Route("GET", "/api/releases/", SIGNED_IN),
    Route("OPTIONS", "/api/releases/", SIGNED_IN),
    Route("GET", "/api/releases/{number:int}/", RELEASE, at={"number": "release_id"}),
    Route("GET", "/api/product-types/", SIGNED_IN),
    Route("OPTIONS", "/api/product-types/", SIGNED_IN),
    Route("GET", "/api/product-types/{number:int}/", SIGNED_IN, at={"number": "one"}),
    Route("GET", "/api/products/", SIGNED_IN),
    Route("OPTIONS", "/api/products/", SIGNED_IN),
    Route("GET", "/api/products-specz/", SIGNED_IN),
    Route("OPTIONS", "/api/products-specz/", SIGNED_IN),
    Route("POST", "/api/products/", SIGNED_IN, json={"display_name": "x", "product_type": 7}),
    Route("GET", "/api/products/pending_publication/", SIGNED_IN),
    Route("GET", "/api/products/{number:int}/", SEE),
    Route("PUT", "/api/products/{number:int}/", EDIT, json={"description": "x"}),
    Route("PATCH", "/api/products/{number:int}/", EDIT, json={"description": "x"}),
    Route("DELETE", "/api/products/{number:int}/", EDIT),
    Route("GET", "/api/products/{number:int}/registry/", FILL),
    Route("POST", "/api/products/{number:int}/registry/", FILL),
    Route("GET", "/api/products/{number:int}/main_file_info/", SEE),
    Route("GET", "/api/products/{number:int}/read_data/", SEE),
    Route("GET", "/api/products/{number:int}/process_config/", SEE),
    Route("GET", "/api/product-contents/", SIGNED_IN),
    Route("OPTIONS", "/api/product-contents/", SIGNED_IN),
    Route("GET", "/api/product-contents/{number:int}/", SEE, at=COLUMN),
    Route("PUT", "/api/product-contents/{number:int}/", FILL, json={"alias": "z"}, at=COLUMN),
    Route("PATCH", "/api/product-contents/{number:int}/", FILL, json={"alias": "z"}, at=COLUMN),
    Route("GET", "/api/product-files/", SIGNED_IN),
    Route("OPTIONS", "/api/product-files/", SIGNED_IN),
    Route("POST", "/api/product-files/", SIGNED_IN, form={"x": "1"}),
    Route("GET", "/api/product-files/{number:int}/", SEE, at=FILE),
    Route("GET", "/api/product-files/{number:int}/download/", SEE, at=FILE),
    Route("HEAD", "/api/product-files/{number:int}/download/", SEE, at=FILE),
    Route("DELETE", "/api/product-files/{number:int}/", EMPTY, at=FILE),
    Route("GET", "/api/products/{number:int}/download/status/", SEE),
    Route("GET", "/api/products/{number:int}/download/prepare/", SEE),
    Route("POST", "/api/products/{number:int}/download/prepare/", SEE),
    Route("GET", "/api/products/{number:int}/download/main-file/status/", SEE),
    Route("GET", "/api/products/{number:int}/download/main-file/prepare/", SEE),
    Route("POST", "/api/products/{number:int}/download/main-file/prepare/", SEE),
    Route("GET", "/api/products/{number:int}/download/file/", NOBODY, at={"number": "one"}),
    Route("HEAD", "/api/products/{number:int}/download/file/", NOBODY, at={"number": "one"}),
    Route("GET", "/api/products/{number:int}/download/main-file/file/", NOBODY, at={"number": "one"}),
    Route("HEAD", "/api/products/{number:int}/download/main-file/file/", NOBODY, at={"number": "one"}),
    Route("GET", "/api/products/{number:int}/download_main_file/", SEE),
    Route("GET", "/api/products/{number:int}/download/", SEE),
    Route("GET", "/api/pipelines/", SIGNED_IN),
    Route("OPTIONS", "/api/pipelines/", SIGNED_IN),
    Route("GET", "/api/pipelines/{number:int}/", SIGNED_IN, at={"number": "pipeline_id"}),
    Route("GET", "/api/processes/", SIGNED_IN),
    Route("OPTIONS", "/api/processes/", SIGNED_IN),
    Route("POST", "/api/processes/", SIGNED_IN, json={}),
    Route("GET", "/api/processes/{number:int}/", OWNER_AND_ADMIN, at=PROCESS),
    Route("GET", "/api/processes/{number:int}/stop/", OWNER_AND_ADMIN, at=PROCESS),
    Route("POST", "/api/processes/{number:int}/stop/", OWNER_AND_ADMIN, at=PROCESS),
    Route("GET", "/api/processes/{number:int}/logs/", OWNER_AND_ADMIN, at=PROCESS),
    # What watches over the service.
    Route("GET", "/-/health", PUBLIC),
    Route("GET", "/-/ready", PUBLIC),
    Route("GET", "/-/metrics", ADMINS),
    # Pages.
    Route("GET", "/", PUBLIC),
    Route("GET", "/help", PUBLIC),
    Route("POST", "/theme", PUBLIC, form={"theme": "dark"}),
    Route("GET", "/sign-in", PUBLIC),
    Route("POST", "/sign-in", NOBODY, form={}),
    Route("GET", "/sign-out", PUBLIC),
    Route("POST", "/sign-out", SIGNED_IN, form={}),
    Route("GET", "/sign-in/{provider}", NOBODY),
    Route("POST", "/sign-in/{provider}", NOBODY, form={}),
    Route("GET", "/sign-in/{provider}/callback", NOBODY),
    Route("GET", "/invitation/{code}", NOBODY),
    Route("POST", "/invitation/{code}", NOBODY, form={}),
    Route("GET", "/register", NOBODY),
    Route("POST", "/register", NOBODY, form={}),
    Route("GET", "/products", SIGNED_IN),
    Route("GET", "/products/{uid}", SEE),
    Route("POST", "/products/{uid}/comments", COMMENT, form={"text": "x"}),
    Route(
        "POST",
        "/products/{uid}/comments/{number}/delete",
        COMMENT,
        form={},
        at={"number": "comment_id"},
        also=(403, 404),
    ),
    Route("POST", "/products/{uid}/official", CURATE, form={"official": "1"}),
    Route("GET", "/products/{uid}/table", SEE),
    Route("GET", "/products/{uid}/plot", SEE, query={"x": "z"}),
    Route("GET", "/products/{uid}/rows.csv", SEE),
    Route("GET", "/products/{uid}/download", SEE),
    Route("HEAD", "/products/{uid}/download", SEE),
    Route("GET", "/products/{uid}/files/{number}", SEE, at=FILE),
    Route("HEAD", "/products/{uid}/files/{number}", SEE, at=FILE),
    Route("GET", "/products/{uid}/files/{number}/view", SEE, at=FILE),
    Route("GET", "/products/{uid}/edit", EDIT),
    Route("POST", "/products/{uid}/edit", EDIT, form={"display_name": "x"}),
    Route("GET", "/products/{uid}/share", EDIT),
    Route("POST", "/products/{uid}/share", EDIT, form={"visibility": "private"}),
    Route("GET", "/products/{uid}/new-version", EDIT),
    Route("POST", "/products/{uid}/new-version", EDIT, form={}),
    Route("GET", "/products/{uid}/delete", EDIT),
    Route("POST", "/products/{uid}/delete", EDIT, form={"name": "x"}),
    Route("GET", "/upload", SIGNED_IN),
    Route("POST", "/upload", SIGNED_IN, form={"display_name": "x", "product_type": "other"}),
    Route("GET", "/upload/{uid}/files", EDIT),
    Route("POST", "/upload/{uid}/files", EDIT, form={}),
    Route("POST", "/upload/{uid}/files/{number}/remove", EMPTY, form={}, at=FILE),
    Route("GET", "/upload/{uid}/columns", EDIT),
    Route("POST", "/upload/{uid}/columns", FILL, form={}),
    Route("GET", "/upload/{uid}/publish", EDIT),
    Route("POST", "/upload/{uid}/publish", FILL, form={}),
    Route("GET", "/cooperative", SIGNED_IN),
    Route("GET", "/cooperative/{name}", SIGNED_IN, at={"name": "code"}, also=(404,)),
    Route("GET", "/cooperative/{name}/files/{path:path}", SIGNED_IN, at={"name": "code", "path": "code"}, also=(404,)),
    Route(
        "POST",
        "/cooperative/{name}/submissions",
        SIGNED_IN,
        form={"product": "1", "scenario": "x", "method": "x"},
        at={"name": "code"},
        also=(404,),
    ),
    Route("POST", "/cooperative/{name}/state", CURATORS, form={"state": "open"}, at={"name": "code"}, also=(404,)),
    Route("GET", "/jobs", SIGNED_IN),
    Route("GET", "/jobs/{uid}", OWNER_AND_ADMIN, at=PROCESS_UID),
    Route("POST", "/jobs/{uid}/stop", OWNER_AND_ADMIN, form={}, at=PROCESS_UID),
    Route("POST", "/jobs/{uid}/rerun", OWNER_AND_ADMIN, form={}, at=PROCESS_UID, also=(404,)),
    Route("GET", "/make", SIGNED_IN),
    Route("GET", "/make/training-set", SIGNED_IN),
    Route("POST", "/make/training-set", SIGNED_IN, form={}),
    Route("GET", "/make/combined-redshifts", SIGNED_IN),
    Route("POST", "/make/combined-redshifts", SIGNED_IN, form={}),
    Route("GET", "/account", SIGNED_IN),
    Route("POST", "/account", SIGNED_IN, form={"first_name": "X"}),
    Route("POST", "/account/password", SIGNED_IN, form={}),
    Route("POST", "/account/identities/{number}/unlink", OWNER, form={}, at={"number": "identity_id"}),
    Route("GET", "/account/tokens", SIGNED_IN),
    Route("GET", "/tokens", PUBLIC),
    Route("POST", "/account/tokens", SIGNED_IN, form={"name": "x", "scopes": "read"}),
    Route("POST", "/account/tokens/{uid}/revoke", OWNER_AND_ADMIN, form={}, at={"uid": "token_id"}),
    Route("GET", "/groups", SIGNED_IN),
    Route("POST", "/groups", SIGNED_IN, form={"name": "pages"}),
    Route("GET", "/groups/{name}", OWNER_AND_CURATORS, at=GROUP),
    Route("POST", "/groups/{name}", OWNER_AND_CURATORS, form={}, at=GROUP),
    Route("POST", "/groups/{name}/members", OWNER_AND_CURATORS, form={"username": "bystander"}, at=GROUP),
    Route(
        "POST",
        "/groups/{name}/members/remove",
        OWNER_AND_CURATORS,
        form={"username": "bystander"},
        at=GROUP,
        also=(404,),
    ),
    Route("POST", "/groups/{name}/delete", OWNER_AND_CURATORS, form={"typed": "matrix"}, at=GROUP, also=(404,)),
    Route("GET", "/help/questions", PUBLIC),
    Route("GET", "/help/status", SIGNED_IN),
    Route("GET", "/extract", PUBLIC, also=(404,)),
    Route("GET", "/help/requests", SIGNED_IN),
    Route("POST", "/help/requests", SIGNED_IN, form={"subject": "x", "text": "x"}),
    Route("GET", "/help/requests/{uid}", OWNER_AND_CURATORS, at=TICKET),
    Route("POST", "/help/requests/{uid}/messages", OWNER_AND_CURATORS, form={"text": "x"}, at=TICKET),
    Route("POST", "/help/requests/{uid}/state", OWNER_AND_CURATORS, form={"state": "closed"}, at=TICKET),
    Route("GET", "/admin", CURATORS),
    Route("GET", "/admin/audit", CURATORS),
    Route("GET", "/admin/users", CURATORS),
    Route("GET", "/admin/users/{username}", CURATORS),
    Route("POST", "/admin/users/{username}", ADMINS, form={"role": "user", "state": "active"}),
    Route("POST", "/admin/users/{username}/approve", CURATORS, form={}),
    Route("POST", "/admin/users/{username}/refuse", CURATORS, form={}),
    Route("POST", "/admin/users/{username}/password", ADMINS, form={}),
    Route("GET", "/admin/invitations", CURATORS),
    Route("POST", "/admin/invitations", CURATORS, form={}),
    Route("POST", "/admin/invitations/{number}/withdraw", CURATORS, form={}, at={"number": "invitation_id"}),
    Route("GET", "/admin/releases", CURATORS),
    Route("POST", "/admin/releases", ADMINS, form={"name": "dp9"}),
    Route("GET", "/admin/releases/{name}", CURATORS, at=RELEASE_NAME),
    Route("POST", "/admin/releases/{name}", ADMINS, form={}, at=RELEASE_NAME),
    Route("POST", "/admin/releases/{name}/rights", CURATORS, form={"who": "bystander"}, at=RELEASE_NAME),
)

MOUNTS = ("/static",)
"""Folders of files that everybody may have."""
