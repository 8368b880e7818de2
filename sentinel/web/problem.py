"""What went wrong, said as RFC 9457 problem details; never with what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import Response
from pydantic import BaseModel

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final = {
    "bad-request": "The request cannot be read",
    "bad-parameter": "A parameter has a value it cannot have",
    "empty": "There is no record in the body",
    "not-found": "There is nothing here",
    "method-not-allowed": "This cannot be done here",
    "not-acceptable": "No such form is written here",
    "timeout": "The body took too long to arrive",
    "too-large": "The body is larger than is taken",
    "unsupported-media-type": "This media type or content coding is not taken here",
    "key-reused": "This Idempotency-Key came with another request",
    "in-progress": "The first request with this Idempotency-Key is still under way",
    "rejected": "No record could be taken",
    "unauthorised": "A key is needed",
    "forbidden": "Another site asked for this",
    "misdirected": "This service does not go by that name",
    "internal": "Something failed on our side",
    "unavailable": "Try again later",
}


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is ours, out of a bounded set; `detail` is a sentence for people."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str = ""


class ProblemError(Exception):
    """Ends a request with problem details. `extra`: members besides the standard ones."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.extra = dict(headers or {}), dict(extra or {})


def problem_response(problem: ProblemError) -> Response:
    """Return the problem as `application/problem+json`."""
    body = Problem(title=TITLES.get(problem.code, problem.code), status=problem.status, code=problem.code, detail=problem.detail)
    content = msgspec.json.encode(body.model_dump() | problem.extra)
    return Response(content, status_code=problem.status, media_type=MEDIA_TYPE, headers=problem.headers)


def unavailable(why: str, retry_after_seconds: int) -> ProblemError:
    """Return the 503 that says when to come back."""
    return ProblemError(503, "unavailable", why, headers={"Retry-After": str(retry_after_seconds)})
