"""What is the same behind every Python door: ask the sidecar, do what it advises, leave a case for a person.

Standard library only. Copy it, and put your own storage and database where it uses folders below ``UPLOADS``::

    media/REF        users see it
    held/REF         only reviewers see it
    cases/REF*.json  waits for a person's decision; nothing here deletes an upload
    unchecked/REF    the sidecar could not take it: check_again() sends it again
"""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SIDECAR = os.environ.get("HASHPACT_SIDECAR", "http://127.0.0.1:7480")
SIDECAR_SECRET = os.environ.get("HASHPACT_SIDECAR_SECRET", "")
TIMEOUT_S = float(os.environ.get("HASHPACT_TIMEOUT_S", "3"))  # a second more than the sidecar's deadline_s
WEBHOOK_SECRET = os.environ.get("HASHPACT_WEBHOOK_SECRET", "")
FOLDER = Path(os.environ.get("UPLOADS", "uploads"))

KEEP_COPIES = True  # False where the upload itself is kept elsewhere: then only what a person has to see stays here

NEVER_CHECKED = {413, 422}  # too large, or no picture: asking again changes nothing
_straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the sidecar is on this machine
_asking = concurrent.futures.ThreadPoolExecutor(32)
_log = logging.getLogger("hashpact")

for name in ("media", "held", "cases", "unchecked"):
    (FOLDER / name).mkdir(mode=0o700, parents=True, exist_ok=True)


def receive(data: bytes) -> tuple[str, dict[str, Any]]:
    """Take an upload in: (its reference, what the sidecar said). It is published unless the advice is ``act``."""
    reference = secrets.token_hex(16)  # random: it tells nothing about the user
    write(FOLDER / "held" / reference, data)
    answer = ask(reference, data)
    follow(reference, answer)
    if answer["advice"] != "act":
        _move(reference, "held", "media")
        if any(
            case["answer"].get("advice") == "act" for case in cases(reference)
        ):  # an event came in this very moment, and found nothing to move
            _move(reference, "media", "held")
    return reference, answer


def ask(reference: str, data: bytes) -> dict[str, Any]:
    """The sidecar's answer. Never raises and never takes longer than ``TIMEOUT_S``: then it is ``unchecked``."""
    asked = _asking.submit(_post, reference, data)
    try:
        return asked.result(TIMEOUT_S)
    except urllib.error.HTTPError as error:
        _log.warning("the sidecar refused %s: %s", reference, error.code)  # 401, 403: look at your settings
        return {"verdict": "unreadable" if error.code in NEVER_CHECKED else "unchecked", "advice": "none"}
    except Exception as error:  # noqa: BLE001  # whatever it is, an upload does not fail of it
        asked.cancel()
        _log.warning("no answer about %s: %s", reference, type(error).__name__)
        return {"verdict": "unchecked", "advice": "none"}


def follow(reference: str, answer: Mapping[str, Any], why: str = "check", key: str = "") -> None:
    """Do what an answer advises; the same one twice changes nothing. It only ever holds: publishing is for others."""
    if answer.get("verdict") == "unchecked" and not answer.get("recheck"):  # with recheck, the sidecar sees to it
        (FOLDER / "unchecked" / reference).touch(mode=0o600)
    if answer.get("advice") not in ("none", "observe") or why == "upload.undo":
        case = {"reference": reference, "why": why, "opened": time.time(), "answer": dict(answer)}
        write(FOLDER / "cases" / f"{reference}{key}.json", (json.dumps(case) + "\n").encode())
    if answer.get("advice") == "act" and why != "upload.undo":
        _move(reference, "media", "held")
    if not KEEP_COPIES and answer.get("verdict") != "unchecked" and not cases(reference):
        (FOLDER / "media" / reference).unlink(missing_ok=True)


def event(headers: Mapping[str, str], body: bytes) -> None:
    """Take an event of the webhook. Raises ValueError unless the sidecar sent it (answer 401)."""
    verify({name.lower(): value for name, value in headers.items()}, body, WEBHOOK_SECRET)
    told = json.loads(body)
    reference = str(told.get("reference"))
    if not re.fullmatch("[0-9a-f]{32}", reference):
        return  # not one of ours
    # An event can come twice, with one id: so its case has one name.
    identity = next(value for name, value in headers.items() if name.lower() == "webhook-id")
    follow(reference, told, told["type"], "-" + hashlib.sha256(identity.encode()).hexdigest()[:16])


def check_again() -> int:
    """Send what the sidecar could not take once more: call it every minute. Returns how many still wait."""
    for mark in sorted((FOLDER / "unchecked").iterdir()):
        found = [path for name in ("media", "held") if (path := FOLDER / name / mark.name).exists()]
        answer = ask(mark.name, found[0].read_bytes()) if found else {"verdict": "deleted", "advice": "none"}
        if answer["verdict"] != "unchecked" or answer.get("recheck"):
            follow(mark.name, answer, "check_again")
            mark.unlink()
    return len(list((FOLDER / "unchecked").iterdir()))


def verify(headers: Mapping[str, str], body: bytes, secret: str, tolerance_s: int = 300) -> None:
    """Raises ValueError unless the sidecar sent these bytes, and lately. Names in ``headers`` are lower-case."""
    name, when, signatures = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not secret or abs(time.time() - int(when)) > tolerance_s:
        raise ValueError("no secret is set, or the event is too old, or from the future")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, f"{name}.{when}.".encode() + body, hashlib.sha256).digest())
    given = [one.removeprefix("v1,").encode() for one in signatures.split(" ") if one.startswith("v1,")]
    if not any(hmac.compare_digest(expected, one) for one in given):
        raise ValueError("the signature is wrong")


def _post(reference: str, data: bytes) -> dict[str, Any]:
    request = urllib.request.Request(f"{SIDECAR}/v1/check?reference={reference}", data)
    request.add_header("Content-Type", "application/octet-stream")
    if SIDECAR_SECRET:
        request.add_header("Authorization", f"Bearer {SIDECAR_SECRET}")
    with _straight.open(request, timeout=TIMEOUT_S) as response:
        answer: dict[str, Any] = json.load(response)
    return {"verdict": answer["verdict"], "advice": answer["advice"], **answer}


def write(path: Path, data: bytes) -> None:
    """Write a file, all of it or nothing; what is there already stays."""
    if not path.exists():
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        part.touch(mode=0o600)
        part.write_bytes(data)
        part.rename(path)


def cases(reference: str) -> list[dict[str, Any]]:
    """What a person has to decide about an upload."""
    return [json.loads(path.read_bytes()) for path in (FOLDER / "cases").glob(f"{reference}*.json")]


def _move(reference: str, source: str, target: str) -> None:
    if (FOLDER / source / reference).exists():
        (FOLDER / source / reference).rename(FOLDER / target / reference)
