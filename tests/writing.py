"""Acts for the one writer, as tests submit them."""

from __future__ import annotations

from dataclasses import replace

from hashpact_server.engine import Engine
from hashpact_server.writer import Act

from tests.listing import contribution, picture, recording, steward_of

CALLER = bytes(range(16))


def act(engine: Engine, number: int, **settings: object) -> Act:
    """An act that lists the picture with this number."""
    made = Act(recording(contribution(steward_of(engine), None, picture(number))), CALLER)
    return replace(made, **settings)  # type: ignore[arg-type]  # the caller names fields of Act
