"""What writes have in common: the request's id, the deadline, the hint, the way to the writer."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from hashpact.v1 import error_reason_pb2

from hashpact_server.engine import Engine
from hashpact_server.matcher import Neighbours, Wanted
from hashpact_server.recent import apart
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules.trials import check_writes
from hashpact_server.scene import Scene
from hashpact_server.services.caller import Caller
from hashpact_server.writer import Act

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_HINT_VALUES_MAX: Final = 256
_HINT_HITS_MAX: Final = 250_000
"""Hits that are held for a rule, about 40 MB of them; where there are more, the writer searches for the rest itself."""

R = TypeVar("R", bound=Message)


def write(
    engine: Engine,
    caller: Caller,
    request: Message,
    answer: type[R],
    decide: Callable[[Scene], Callable[[str], R]],
    *,
    urgent: bool = False,
) -> R:
    """Have a rule carried out by the writer; returns when its answer is durable.

    Args:
        engine: the list.
        caller: who asks.
        request: what it asked; its ``request_id`` and ``validate_only``, where it has them, are honoured.
        answer: the message type of the answer.
        decide: records on the scene and returns how to make the answer, given the ``as_of`` token.
        urgent: whether it goes before others.

    Raises:
        Refusal: a malformed ``request_id``, TRIAL_QUOTA, what the rule refuses, and what ``Writer.submit`` does.
    """
    request_id: str = getattr(request, "request_id", "")
    if request_id and not _REQUEST_ID.fullmatch(request_id):
        raise invalid_field("request_id", "8 to 64 characters of A-Z a-z 0-9 - _, or none at all")

    def decide_and_encode(scene: Scene) -> Callable[[str], bytes]:
        check_writes(scene, caller.pseudonym)
        make = decide(scene)
        return lambda as_of: make(as_of).SerializeToString()

    act = Act(
        decide_and_encode,
        caller.pseudonym,
        request_id=request_id,
        fingerprint=fingerprint(request) if request_id else bytes(32),
        validate_only=getattr(request, "validate_only", False),
        deadline=caller.deadline,
        urgent=urgent,
    )
    return answer.FromString(engine.writer.submit(act))


def fingerprint(request: Message) -> bytes:
    """SHA-256 over the request's type and all of it but its ``request_id``: tells a retry from another request."""
    stripped: Any = type(request)()
    stripped.CopyFrom(request)
    stripped.ClearField("request_id")
    name = request.DESCRIPTOR.full_name.encode()
    return hashlib.sha256(name + b"\x00" + stripped.SerializeToString(deterministic=True)).digest()


def neighbours(engine: Engine, caller: Caller, wanted: Sequence[Wanted]) -> Neighbours:
    """Search, in the caller's thread, for what the rule will ask in the writer's.

    Raises:
        Refusal: DEADLINE_EXCEEDED; nothing was written.
    """
    found: Neighbours | None = None
    hits = 0
    for start in range(0, len(wanted), _HINT_VALUES_MAX):
        if time.monotonic() > caller.deadline:
            raise Refusal(
                error_reason_pb2.ERROR_REASON_DEADLINE_EXCEEDED,
                "the deadline passed before the write began; nothing was written, send fewer signals at once",
            )
        part = engine.matcher.neighbours(wanted[start : start + _HINT_VALUES_MAX])
        if found is None:
            found = part  # its sequence is the oldest of all parts, which is what the whole can vouch for
        else:
            found.found.update(part.found)
        hits += sum(map(len, part.found.values()))
        if hits > _HINT_HITS_MAX:
            break
    # What was left out will be searched for in its turn, with everything that was listed until then.
    return replace(found, apart=apart(wanted)) if found else engine.matcher.neighbours(())
