"""A hook before storage: the file is the body of a POST to /validate; 200 lets it in, 403 does not.

That is what pict-rs (Lemmy) asks of its ``external_validation``; whatever can POST a file before it keeps it can do the
same. Run it: ``python before_storage.py 8076``, then tell pict-rs, with a timeout above HASHPACT_TIMEOUT_S::

    PICTRS__MEDIA__EXTERNAL_VALIDATION=http://127.0.0.1:8076/validate
    PICTRS__MEDIA__EXTERNAL_VALIDATION_TIMEOUT=5

This program keeps a copy of what a person has to see, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

import door
import hook

hook.KEEP_COPIES = False


def validate(_: Mapping[str, str], body: bytes) -> int:
    """Whether a file may be stored."""
    reference, answer = hook.receive(body)
    if answer["advice"] in ("none", "observe") and answer["verdict"] != "unchecked":
        (hook.FOLDER / "media" / reference).unlink()
    return 403 if answer["advice"] == "act" else 200


if __name__ == "__main__":
    door.serve({"/validate": validate, "/hashpact-events": door.events})
