"""S3 events: an object is fetched, checked and tagged right after it was stored.

``handle(event, s3)`` takes the event's JSON. On AWS, ``lambda_handler`` calls it (with boto3 and a queue in between, so
that an event whose handling fails comes again). MinIO, Ceph and others POST the same JSON: ``python s3_event.py 8077``
takes it at /s3-events. The tag ``hashpact`` says ``clear``, ``review``, ``held`` or ``unchecked``. A bucket policy that
denies GetObject where ``s3:ExistingObjectTag/hashpact`` is ``held``, but to reviewers, keeps held objects from users.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

import door
import hook

BYTES_MAX = 50_000_000
OBJECTS = hook.FOLDER / "objects"
OBJECTS.mkdir(mode=0o700, exist_ok=True)
TAGS = {"none": "clear", "observe": "clear", "review": "review", "act": "held"}


def handle(event: Mapping[str, Any], s3: Any) -> None:
    """Check every object that an event names. Raises when the store fails: let the event come again."""
    for record in event.get("Records", ()):
        if not record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
            continue  # tagging makes events too
        place = {
            "Bucket": record["s3"]["bucket"]["name"],
            "Key": urllib.parse.unquote_plus(record["s3"]["object"]["key"]),
        }
        reference = secrets.token_hex(16)  # random: a key may have the user's name in it
        hook.write(OBJECTS / f"{reference}.json", json.dumps(place).encode())  # for the webhook
        check(reference, place, s3)


def check(reference: str, place: Mapping[str, str], s3: Any) -> dict[str, Any]:
    """Check one object: a case first, then the tag."""
    data = s3.get_object(**place)["Body"].read(BYTES_MAX + 1)
    answer = hook.ask(reference, data) if len(data) <= BYTES_MAX else {"verdict": "unreadable", "advice": "none"}
    hook.follow(reference, answer)
    tag(place, answer, s3)
    if answer["verdict"] == "unchecked":  # an event may have come in this very moment
        for case in hook.cases(reference):
            tag(place, case["answer"], s3)
    return answer


def tag(place: Mapping[str, str], answer: Mapping[str, Any], s3: Any) -> None:
    """Say on the object what came out. This replaces its other tags."""
    word = "unchecked" if answer["verdict"] == "unchecked" else TAGS.get(answer["advice"], "review")
    s3.put_object_tagging(**place, Tagging={"TagSet": [{"Key": "hashpact", "Value": word}]})


def again(s3: Any) -> None:
    """Check what the sidecar could not take once more."""
    for mark in sorted((hook.FOLDER / "unchecked").iterdir()):
        try:
            answer = check(mark.name, json.loads((OBJECTS / f"{mark.name}.json").read_bytes()), s3)
        except Exception:  # the object is gone, or the store is: the others do not wait for it
            logging.exception("%s cannot be checked again", mark.name)
            continue
        if answer["verdict"] != "unchecked" or answer.get("recheck"):
            mark.unlink()


def events(headers: Mapping[str, str], body: bytes, s3: Any) -> int:
    """What the sidecar finds out later. It never takes a tag from ``held`` or ``review`` back: a person does."""
    status = door.events(headers, body)
    told = json.loads(body) if status == 204 else {}
    known = OBJECTS / f"{told.get('reference')}.json"
    if told.get("type") in ("check.completed", "upload.retro_match") and known.exists():
        tag(json.loads(known.read_bytes()), told, s3)
    return status


def lambda_handler(event: Mapping[str, Any], _: object) -> None:
    """What AWS Lambda calls."""
    import boto3  # noqa: PLC0415  # AWS has it; nobody else needs it

    handle(event, boto3.client("s3"))


class PlainStore:
    """boto3's two calls by plain HTTP, for a store that trusts this machine."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  # boto3's names
        """GetObject."""
        return {"Body": self._open("GET", Bucket, Key)}

    def put_object_tagging(self, *, Bucket: str, Key: str, Tagging: Mapping[str, Any]) -> None:  # noqa: N803
        """PutObjectTagging."""
        tags = "".join(
            f"<Tag><Key>{escape(one['Key'])}</Key><Value>{escape(one['Value'])}</Value></Tag>"
            for one in Tagging["TagSet"]
        )
        self._open("PUT", Bucket, f"{Key}?tagging", f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()).close()

    def _open(self, method: str, bucket: str, key: str, body: bytes | None = None) -> Any:
        name, _, query = key.partition("?") if method == "PUT" else (key, "", "")
        url = f"{self._endpoint}/{bucket}/{urllib.parse.quote(name)}" + (f"?{query}" if query else "")
        return urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=30)


if __name__ == "__main__":
    if "S3_ENDPOINT" in os.environ:
        store: Any = PlainStore(os.environ["S3_ENDPOINT"])
    else:
        import boto3

        store = boto3.client("s3")

    def s3_events(_: Mapping[str, str], body: bytes) -> int:
        """An event of the store's."""
        handle(json.loads(body), store)
        return 204

    door.serve(
        {"/s3-events": s3_events, "/hashpact-events": lambda headers, body: events(headers, body, store)},
        again=lambda: again(store),
    )
