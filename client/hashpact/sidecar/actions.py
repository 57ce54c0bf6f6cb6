"""``POST /v1/actions``: what was done about an upload, as its caller says it in JSON."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request

from hashpact.sidecar.refusals import RefusedError
from hashpact.sidecar.uploads import arriving, parsed
from hashpact.uploads import ActedItem, UploadAction

ACTIONS: Final = ("none", "observed", "reviewed", "restricted", "removed", "referred")
BODY_BYTES_MAX: Final = 1 << 16
_ID_MAX: Final = 1 << 64


async def read_action(request: Request, seconds: float) -> UploadAction:
    """The action in a request's body.

    Args:
        request: whose body is read.
        seconds: for it to arrive.

    Raises:
        RefusedError: too large, too slow, or of another shape.
    """
    body = b""
    async with arriving(seconds):
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_BYTES_MAX:
                raise RefusedError(413, "UPLOAD_TOO_LARGE", f"an action has at most {BODY_BYTES_MAX:,} bytes")
    given = parsed(body, "the body is no JSON")
    if not isinstance(given, dict) or not isinstance(matches := given.get("matches"), list) or not matches:
        raise _invalid("matches: those of the answer because of which you acted, at least one")
    reference, action = given.get("reference"), given.get("action")
    if not isinstance(reference, str) or not reference:
        raise _invalid("reference: your word for the upload")
    if action not in ACTIONS:
        raise _invalid(f"action: one of {', '.join(ACTIONS)}")
    return UploadAction(reference, action, [_item(match) for match in matches])


def _item(match: Any) -> ActedItem:
    if not isinstance(match, dict):
        raise _invalid("matches: objects, as in the answer")
    item, status, labels = match.get("item"), match.get("status", ""), match.get("labels", [])
    if not isinstance(item, int) or isinstance(item, bool) or not 0 < item < _ID_MAX:
        raise _invalid("matches: item is the number in the answer")
    if not isinstance(status, str) or not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
        raise _invalid("matches: status and labels as in the answer")
    return ActedItem(item, status, tuple(labels))


def _invalid(message: str) -> RefusedError:
    return RefusedError(400, "FIELD_INVALID", message)
