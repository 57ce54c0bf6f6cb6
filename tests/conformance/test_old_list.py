"""A list that was written before there was a pact: it opens, is sound, is copied, and goes on with all that is new.

``old_list.zip`` is a data directory as the server left it then: a steward, members of which one was admitted online and
suspended and one was redacted, items that are provisional, corroborated, inherited, withdrawn, redacted, a token, a
second epoch, and indexes. It is never made anew: lists like it are out there.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact_server import fsck, replay
from hashpact_server.adopting import compare
from hashpact_server.config import Config, Limits
from hashpact_server.core import INDEX_FOLDER
from hashpact_server.engine import Engine
from hashpact_server.state.members import Tier, record_of
from hashpact_server.state.rows import Status

from tests.following import begun, expected_of, follow, next_of, rows_of
from tests.forum import Forum, value
from tests.listing import assert_sound
from tests.pact import eventful

ITEMS = {
    8: Status.CORROBORATED,
    9: Status.CORROBORATED,
    10: Status.WITHDRAWN,
    11: Status.WITHDRAWN,
    12: Status.PROVISIONAL,
    13: Status.PROVISIONAL,
    16: Status.INHERITED,
}


class OldForum(Forum):
    """The members of the old list, on it."""

    def __init__(self, folder: Path) -> None:
        self.limits, self.config, self.folder = Limits(), Config(), folder
        self.engine = Engine.open(folder, self.config)
        self.steward, self.a, self.b = (self.member(name) for name in ("steward", "a", "b"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(Path(__file__).parent / "old_list.zip") as file:
        file.extractall(tmp_path / "hub")
    return tmp_path / "hub"


@pytest.fixture
def forum(folder: Path) -> Iterator[OldForum]:
    made = OldForum(folder)
    yield made
    made.close()


def test_it_is_sound_as_it_lies_there(folder: Path) -> None:
    assert fsck.check(folder).problems == []
    assert replay.check(folder).problems == []


def test_it_says_what_it_said(forum: OldForum) -> None:
    with forum.engine.state.read() as view:
        assert {row.item: row.status for row in view.items(limit=100)} == ITEMS
        assert view.item_by_digest(1, value("sha256", "old-0")) == 8
        assert view.item_by_digest(1, value("sha256", "old-2")) is None
        online = view.member_by_name("online")
        assert online is not None
        assert online.suspended
        assert record_of(view, online.pseudonym).tier is Tier.FULL, "nobody was on trial then"
        assert view.member_by_name("gone") is None
        assert len(list(view.tokens())) == 2
    assert [item for _, item, _ in forum.engine.matcher.near(16, value("pdq", "old-0"), 0)] == [8]
    assert_sound(forum.engine)
    assert (forum.folder / INDEX_FOLDER / "current").read_text().split()[0] == "1", "its indexes are used"


def test_it_goes_on_with_everything_of_the_pact(forum: OldForum, tmp_path: Path) -> None:
    replica = begun(tmp_path / "replica", forum.engine)
    try:
        assert rows_of(replica.state) == rows_of(forum.engine.state)
        eventful(forum)
        assert_sound(forum.engine)
        follow(replica, forum.engine, next_of(forum.engine))
        compare(replica.state, expected_of(forum.engine.state, next_of(forum.engine)))
        assert rows_of(replica.state) == rows_of(forum.engine.state)
        assert_sound(replica)
    finally:
        replica.close()
