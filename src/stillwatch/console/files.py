"""Files that pages load: one style sheet, htmx, a few lines of script; all of them packaged, none of others' addresses.

In: nothing. Out: routes, and each file's address with a digest in it, so that browsers may keep it for ever.
"""

import hashlib
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
PARTS = {"console.css": ("report.css", "console.css"), "htmx.js": ("htmx.min.js",), "console.js": ("console.js",),
         "icon.svg": ("icon.svg",)}  # fmt: skip
"""Name -> the packaged files that it is made of."""


@cache
def content(name: str) -> bytes:
    """Return one file."""
    folder = files("stillwatch.console").joinpath("static")
    return b"\n".join(folder.joinpath(part).read_bytes().strip() for part in PARTS[name])


@cache
def address(name: str) -> str:
    """Return where a page finds a file."""
    return f"/static/{hashlib.sha256(content(name)).hexdigest()[:12]}/{name}"


def static_routes() -> list[Route]:
    """Return the routes of the files."""

    async def serve(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in PARTS:
            return Response(status_code=404)
        lasting = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(content(name), media_type=KINDS[name.rpartition(".")[2]], headers=lasting)

    return [Route("/static/{digest}/{name}", serve, methods=["GET"])]
