"""GitHub's and GitLab's endpoints for comments, on a real socket; both keep the comments of one request."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN: Final = "ghs_Vq8Zt2LmXw4Rn7Yb"
JOB_TOKEN: Final = "glcbt-64_Kd93hQzz7Tf"
BOT: Final = "github-actions[bot]"
_LENGTH_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class Fault:
    """What the next request of a method gets instead; `is_late` does what was asked all the same."""

    method: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    is_late: bool = False


@dataclass
class Forge:
    """What a test sees: the comments, who wrote them, and every request with the names of its headers."""

    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    may_write: bool = True
    may_delete: bool = True
    knows_user: bool = True
    url: str = ""
    in_between: list[str] = field(default_factory=list)
    """Words that another run of ours writes while ours creates its comment."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, body: str, author: str = BOT) -> int:
        """A comment that is there."""
        with self._lock:
            number = max(self.comments, default=0) + 1
            self.comments[number] = {"id": number, "body": body, "author": author}
            return number

    def reset(self) -> None:
        """As on the first day, at the same address."""
        self.__init__(url=self.url)  # type: ignore[misc]

    @property
    def bodies(self) -> list[str]:
        """The words of all comments, the oldest first."""
        return [self.comments[number]["body"] for number in sorted(self.comments)]


@contextlib.contextmanager
def serving() -> Iterator[Forge]:
    """Serve both APIs on a free port of this machine until the block ends."""
    forge = Forge()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        forge.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(_app(forge), log_level="critical", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield forge
        finally:
            server.should_exit = True
            thread.join()


def _app(forge: Forge) -> Starlette:
    github, gitlab = "/repos/maple/shop/issues", "/projects/{project:path}/merge_requests/7/notes"
    api = _Api(forge)
    return Starlette(
        routes=[
            Route("/user", api.user),
            Route("/job", api.job),
            Route(f"{github}/7/comments", api.collection, methods=["GET", "POST"]),
            Route(f"{github}/comments/{{id:int}}", api.one, methods=["PATCH", "DELETE"]),
            Route(gitlab, api.collection, methods=["GET", "POST"]),
            Route(gitlab + "/{id:int}", api.one, methods=["PUT", "DELETE"]),
        ]
    )


class _Api:
    """The endpoints. They run in threads, as those of a forge do."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge

    def user(self, request: Request) -> Response:
        """Whose token it is; that of a GitHub workflow may not know."""
        if (refusal := self._refusal(request)) or not self._forge.knows_user:
            return refusal or _says(403, "Resource not accessible by integration")
        return JSONResponse({"login": BOT, "id": BOT})

    def job(self, request: Request) -> Response:
        """Whose job token it is."""
        return self._refusal(request) or JSONResponse({"user": {"id": BOT}})

    async def collection(self, request: Request) -> Response:
        """One page of the comments, or a new one."""
        if refusal := self._refusal(request):
            return refusal
        if request.method == "GET":
            size, page = int(request.query_params["per_page"]), int(request.query_params["page"])
            numbers = sorted(self._forge.comments)[(page - 1) * size : page * size]
            return JSONResponse([_shown(self._forge.comments[number]) for number in numbers])
        fault = self._fault("POST")
        if fault and not fault.is_late:
            return _says(fault.status, "no", fault.headers)
        body = json.loads(await request.body())["body"]
        if refusal := self._unwritable(body):
            return refusal
        number = self._forge.write(body)
        while self._forge.in_between:
            self._forge.write(self._forge.in_between.pop())
        return _says(fault.status, "late", fault.headers) if fault else JSONResponse({"id": number}, 201)

    async def one(self, request: Request) -> Response:
        """Change or delete one comment."""
        number = request.path_params["id"]
        if refusal := self._refusal(request):
            return refusal
        if fault := self._fault(request.method):
            return _says(fault.status, "no", fault.headers)
        if number not in self._forge.comments:
            return _says(404, "Not Found")
        if request.method == "DELETE":
            if not self._forge.may_delete:
                return _says(403, "Must have admin rights")
            del self._forge.comments[number]
            return Response(status_code=204)
        body = json.loads(await request.body())["body"]
        if refusal := self._unwritable(body):
            return refusal
        self._forge.comments[number]["body"] = body
        return JSONResponse(_shown(self._forge.comments[number]))

    def _fault(self, method: str) -> Fault | None:
        for fault in self._forge.faults:
            if fault.method == method:
                self._forge.faults.remove(fault)
                return fault
        return None

    def _refusal(self, request: Request) -> Response | None:
        self._forge.requests.append(f"{request.method} {request.url.path}")
        tokens = {"authorization": f"Bearer {TOKEN}", "private-token": TOKEN, "job-token": JOB_TOKEN}
        if not any(request.headers.get(name) == value for name, value in tokens.items()):
            return _says(401, "Bad credentials")
        fault = self._fault("GET") if request.method == "GET" else None
        return _says(fault.status, "no", fault.headers) if fault else None

    def _unwritable(self, body: str) -> Response | None:
        if not self._forge.may_write:
            return _says(403, "Resource not accessible by integration")
        return _says(422, "Body is too long (maximum is 65536 characters)") if len(body) > _LENGTH_MAX else None


def _shown(comment: dict[str, Any]) -> dict[str, Any]:
    """As both APIs show it: GitHub has a `user`, GitLab an `author`."""
    kind = "Bot" if comment["author"].endswith("[bot]") else "User"
    author = comment["author"]
    return {**comment, "user": {"login": author, "type": kind}, "author": {"id": author}, "system": False}


def _says(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"message": message}, status, headers)
