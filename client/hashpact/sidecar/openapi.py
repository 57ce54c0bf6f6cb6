"""The OpenAPI document: what can be asked, with what, and what comes back. The page at ``/`` shows the same."""

from __future__ import annotations

from typing import Any, Final

from hashpact.cli.words import BASES
from hashpact.results import ADVICE_ORDER
from hashpact.sidecar.actions import ACTIONS

CHECK_FIELDS: Final = {
    "reference": "Your name for this upload, opaque to the sidecar: at most 256 bytes. Told again by webhooks.",
    "at_least_as_fresh": "A token (`as_of`) of an earlier answer that this one must reflect.",
}
CONTRIBUTE_FIELDS: Final = {
    "label": "What it is; again for more labels. In JSON also `labels`, a list.",
    "labels": "The same, for JSON.",
    "basis": f"How you know: {', '.join(BASES)}. Without it: person-looked.",
    "observer_role": "Function of the person who looked; never a name.",
    "attach_to": "Id of an item that this is a variant of.",
    "request_id": "Sent again with the same id, it is contributed once.",
    "dry_run": "`true`: say what would happen, write nothing.",
}

_TEXT: Final = {"type": "string"}
_AGREED: Final = {
    "signal_type": {**_TEXT, "description": "The signal type that agreed: sha256, md5, pdq, local_sift, ..."},
    "distance": {"type": "integer", "description": "In bits; an upper bound where distance_is_bound is true."},
    "distance_is_bound": {"type": "boolean"},
    "sequence": {"type": "integer", "description": "Number of the ledger entry that listed what agreed."},
    "vouching_groups": {"type": "integer", "description": "Corporate groups that vouch for what agreed."},
}
_AGREEMENT: Final = {
    **_AGREED,
    "confirmation": {"type": "object", "description": "For local_sift: how much of the listed picture is there."},
    "overlap": {"type": "object", "description": "For frames of a video: how much of the two is the same."},
}


def document(version: str, upload_bytes_max: int, *, secret: bool) -> dict[str, Any]:
    """The document.

    Args:
        version: of the distribution.
        upload_bytes_max: of one upload.
        secret: whether callers must send one.
    """
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Hashpact sidecar",
            "version": version,
            "description": "Is this upload on the forum's list of known terrorist media? It is hashed here, compared "
            "with a copy of the list here, and goes nowhere else.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/check": {"post": _upload("check", "Check an upload", CHECK_FIELDS, "CheckAnswer", upload_bytes_max)},
            "/v1/contribute": {
                "post": _upload(
                    "contribute", "Put an upload on the list", CONTRIBUTE_FIELDS, "ContributeAnswer", upload_bytes_max
                )
            },
            "/v1/forget": {"post": _forget()},
            "/v1/actions": {"post": _actions()},
            "/v1/retro": {"get": _poll("retro", "Earlier uploads that match what was listed since")},
            "/v1/corrections": {"get": _poll("corrections", "Actions whose ground has changed: undo these")},
            "/healthz": {"get": _get("healthz", "Is the process alive?", "application/json")},
            "/readyz": {
                "get": _get("readyz", "Does the replica serve, with a list that is recent?", "application/json")
            },
            "/metrics": {"get": _get("metrics", "Figures for Prometheus", "text/plain")},
            "/openapi.json": {"get": _get("openapi", "This document", "application/json")},
        },
        "components": {"schemas": _schemas()},
    }
    if secret:
        made["components"]["securitySchemes"] = {"secret": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"secret": []}]
    return made


def _upload(name: str, summary: str, fields: dict[str, str], answer: str, bytes_max: int) -> dict[str, Any]:
    properties = {field: {**_TEXT, "description": about} for field, about in fields.items()}
    return {
        "operationId": name,
        "summary": summary,
        "description": "The body is the file's bytes, a form with one file, or JSON that names a file below an allowed "
        f"folder. At most {bytes_max:,} bytes. Fields stand in the query, the form, or the JSON.",
        "parameters": [
            {"name": field, "in": "query", "schema": _TEXT, "description": about} for field, about in fields.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {**_TEXT, "format": "binary"}},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {**_TEXT, "format": "binary"}, **properties},
                        "required": ["file"],
                    }
                },
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {"path": {**_TEXT, "description": "Absolute path."}, **properties},
                        "required": ["path"],
                    }
                },
            },
        },
        "responses": {"200": _answer("The answer", answer), "default": _answer("Why not", "Error")},
    }


def _forget() -> dict[str, Any]:
    return {
        "operationId": "forget",
        "summary": "Delete what waits for a later check, or to be told, under a reference",
        "parameters": [
            {"name": "reference", "in": "query", "required": True, "schema": _TEXT, "description": "Yours."}
        ],
        "responses": {
            "200": _json("How many there were", {"forgotten": {"type": "integer"}}),
            "default": _answer("Why not", "Error"),
        },
    }


def _actions() -> dict[str, Any]:
    return {
        "operationId": "actions",
        "summary": "Say what you did about an upload, to hear when its ground changes",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Action"}}},
        },
        "responses": {
            "200": _json("What was not written down: items that are not on the list", {"problems": {"type": "array"}}),
            "default": _answer("Why not", "Error"),
        },
    }


def _poll(name: str, summary: str) -> dict[str, Any]:
    about = "as_of of what you took care of: it is not told again. Without it, everything that waits."
    return {
        "operationId": name,
        "summary": summary,
        "description": "The same as by webhook, for those who ask; use one of both.",
        "parameters": [{"name": "after", "in": "query", "schema": _TEXT, "description": about}],
        "responses": {
            "200": _json("What waits", {"events": {"type": "array", "items": {"type": "object"}}, "as_of": _TEXT}),
            "default": _answer("Why not", "Error"),
        },
    }


def _json(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"type": "object", "properties": properties}}},
    }


def _get(name: str, summary: str, kind: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "Yes", "content": {kind: {"schema": {}}}},
            "default": _answer("No", "Error"),
        },
    }


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _schemas() -> dict[str, Any]:
    advice = {"type": "string", "enum": list(ADVICE_ORDER)}
    return {
        "CheckAnswer": {
            "type": "object",
            "required": ["verdict", "advice", "matches"],
            "properties": {
                "verdict": {
                    "type": "string",
                    "enum": ["none", "near", "match", "unchecked"],
                    "description": "unchecked: there was no answer in time; says nothing about the upload.",
                },
                "advice": {**advice, "description": "What to do, as far as the modes let it go."},
                "hub_advice": {**advice, "description": "What the list advises, before modes and trial."},
                "in_trial": {"type": "boolean", "description": "Whether more than observe may be advised for it."},
                "matches": {"type": "array", "items": {"$ref": "#/components/schemas/Match"}},
                "truncated": {"type": "boolean", "description": "More items matched than are named."},
                "notes": {"type": "array", "items": _TEXT},
                "reference": {**_TEXT, "description": "As you sent it."},
                "stale": {
                    "type": "boolean",
                    "description": "true: the list is older than lag_s_max, or of unknown age. Else absent.",
                },
                "remembered": {"type": "boolean", "description": "With remember_hours and a reference: whether it is."},
                "recheck": {
                    "type": ["string", "null"],
                    "description": "With unchecked: id of the later check; null: none, there was no room.",
                },
                "reason": {**_TEXT, "description": "With unchecked: why."},
            },
        },
        "Match": {
            "type": "object",
            "properties": {
                "item": {"type": "integer"},
                **_AGREED,
                "level": {
                    "enum": ["near", "strong"],
                    "description": "How sure it is: one witness, or two (or a digest).",
                },
                "reason": {**_TEXT, "description": "Why, in a sentence for people."},
                "status": _TEXT,
                "labels": {"type": "array", "items": _TEXT},
                "members": {"type": "array", "items": _TEXT, "description": "Who speaks for the item."},
                "incidents": {"type": "array", "items": _TEXT},
                "weakly_vouched": {
                    "type": "boolean",
                    "description": "Too few groups vouch for what agreed: status and labels were not said of that.",
                },
                "advice": advice,
                "hub_advice": advice,
                "agreements": {"type": "array", "items": {"type": "object", "properties": _AGREEMENT}},
            },
        },
        "ContributeAnswer": {
            "type": "object",
            "properties": {
                "item": {"type": "integer", "description": "0: nothing was written."},
                "outcome": {
                    "type": "string",
                    "enum": ["created", "corroborated", "attached", "unchanged", "ambiguous", "refused"],
                },
                "status": _TEXT,
                "near_duplicates": {"type": "array", "items": {"type": "object"}},
                "candidates": {"type": "array", "items": {"type": "integer"}},
                "problems": {"type": "array", "items": {"type": "object"}},
                "reason": _TEXT,
                "message": _TEXT,
                "as_of": {**_TEXT, "description": "Token of the write: see at_least_as_fresh."},
            },
        },
        "Action": {
            "type": "object",
            "required": ["reference", "action", "matches"],
            "properties": {
                "reference": {**_TEXT, "description": "Your name for the upload."},
                "action": {"type": "string", "enum": list(ACTIONS)},
                "matches": {
                    "type": "array",
                    "description": "Of the answer, because of which you acted.",
                    "items": {"$ref": "#/components/schemas/Match"},
                },
            },
        },
        "Error": {
            "type": "object",
            "properties": {
                "error": {"type": "object", "properties": {"reason": _TEXT, "message": _TEXT}},
            },
        },
    }
