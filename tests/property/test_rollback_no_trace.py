"""After a rollback the list is as if the member had never acted since: found, judged, vouched for by others alone.

Two lists live through the same random acts, save that in one of them the member is idle from a moment on. In the other
it is rolled back to that moment. Acts whose outcome depends on what the member did (an opinion on an item that only it
listed, the end of an item that only it kept) have no counterpart in the quiet list, and are left out of both.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import steward_service_pb2 as pb
from hashpact_server import replay
from hashpact_server.clockwork import Clockwork
from hashpact_server.config import Limits
from hashpact_server.rules import disputes, motions, opinions
from hashpact_server.rules.amending import amend
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.due import DUE_RULES, DUTIES
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.scene import Scene
from hashpact_server.state.judgement import act_stopped, condition
from hashpact_server.state.judgement import opinions as opinions_on
from hashpact_server.state.judgement_rows import OpinionCode
from hashpact_server.state.rollbacks import rollbacks
from hashpact_server.state.rows import Basis, Role
from hashpact_server.state.view import View
from hashpact_server.state.vouches import vouched_signals

from tests.data import effort
from tests.forum import Forum, forum_in, offer, one, signal, value

ROGUE: Final = "a"
HONEST: Final = ("b", "c", "d")
TYPES: Final = ("sha256", "md5", "pdq")
MEDIA: Final = range(4)
STEPS: Final = 60
BASES: Final = (Basis.PERSON_LOOKED, Basis.PERSON_LOOKED, Basis.AUTOMATIC, Basis.IMPORT, Basis.FOUND_THROUGH_LIST)


class World:
    """One list, its media known by their number."""

    def __init__(self, forum: Forum) -> None:
        self.forum = forum
        everything = tuple(role for role in Role if role is not Role.STEWARD)
        for name in HONEST[1:]:
            forum.admit(name, everything)
        forum.admit("second", [Role.STEWARD])

    def who(self, name: str) -> bytes:
        return self.forum.member(name).pseudonym

    def ask(self, question: Callable[[View], Any]) -> Any:
        with self.forum.engine.state.read() as view:
            return question(view)

    def item(self, media: int) -> int | None:
        found: int | None = self.ask(lambda view: view.item_by_digest(1, value("sha256", media)))
        return found

    def known(self, media: int) -> int:
        item = self.item(media)
        assert item is not None
        return item

    def speakers(self, media: int) -> set[str]:
        """Members with a standing contribution."""
        item = self.item(media)
        if item is None:
            return set()
        rows = self.ask(lambda view: view.contributions(item))
        return {name for name in (ROGUE, *HONEST) if any(row.pseudonym == self.who(name) for row in rows)}

    def disputed(self, media: int) -> bool:
        item = self.known(media)
        now = self.ask(lambda view: condition(view, item))
        return bool(now and now.dispute)

    def objected(self, media: int, name: str) -> bool:
        """Whether the member gave an opinion on the item."""
        item = self.known(media)
        return any(row.pseudonym == self.who(name) for row in self.ask(lambda view: opinions_on(view, item)))

    def do(self, rule: Callable[[Scene, bytes, int], object], media: int, name: str) -> None:
        item = self.known(media)
        self.forum.decide(lambda scene: rule(scene, self.who(name), item))

    def seen(self) -> dict[str, Any]:
        """All that a look-up can tell of each signal."""
        return {f"{kind} {media}": self._seen(kind, media) for media in MEDIA for kind in TYPES}

    def _seen(self, kind: str, media: int) -> Any:
        code, wanted = SIGNAL_TYPES[kind].code, value(kind, media)
        near = [] if SIGNAL_TYPES[kind].exact else self.forum.decide(lambda scene: scene.near(code, wanted, 0))
        item = (
            near[0][0] if near else self.ask(lambda view: view.item_by_digest(code, wanted)) if kind != "pdq" else None
        )
        return None if item is None else self.ask(lambda view: self._told(view, item, code, wanted))

    def _told(self, view: View, item: int, code: int, wanted: bytes) -> dict[str, Any]:
        names = {self.who(name): name for name in (ROGUE, *HONEST)}
        rows, row = view.contributions(item), view.item(item)
        assert row is not None
        mine = next(each for each in vouched_signals(view, item, rows) if each.signal[:2] == (code, wanted))
        return {
            "status": row.status,
            "labels": view.labels_of(item, rows),
            "said": sorted((names[each.pseudonym], each.basis, each.labels) for each in rows),
            "voices": sorted(names[each] for each in mine.voices),
            "backers": sorted(names[each] for each in mine.backers),
            "opinions": sorted(
                (names[each.pseudonym], each.code, each.basis) for each in opinions_on(view, item) if each.standing
            ),
            "stopped": act_stopped(view, item),
        }

    def roll_back(self, since_ms: int) -> None:
        act = pb.StewardAct(roll_back=pb.StewardAct.RollBack(member=ROGUE))
        act.roll_back.since_time.FromMilliseconds(since_ms)
        number = self.forum.decide(lambda scene: motions.propose(scene, self.who("steward"), act, "")).motion
        self.forum.decide(lambda scene: motions.second(scene, self.who("second"), number))
        clockwork = Clockwork(self.forum.engine, DUE_RULES, [make() for make in DUTIES])
        while not self.ask(lambda view: list(rollbacks(view.rows))[-1].finished):
            clockwork.turn()


class Story:
    """The acts: in both worlds, or by the rogue in one of them alone."""

    def __init__(self, seed: int, loud: World, quiet: World) -> None:
        self.rng = random.Random(seed)
        self.loud, self.quiet = loud, quiet
        self.began = False

    def step(self) -> None:
        name = self.rng.choice((ROGUE, ROGUE, *HONEST))
        media = self.rng.choice(MEDIA)
        act = self.rng.choice((self.contribute, self.contribute, self.amend, self.withdraw, self.opine, self.dispute))
        worlds = [self.loud] if self.began and name == ROGUE else [self.loud, self.quiet]
        act(worlds, name, media)

    def contribute(self, worlds: list[World], name: str, media: int) -> None:
        # An honest member has its file of the media, so that it states the same signals each time.
        dice = self.rng if name == ROGUE else random.Random(f"{name} {media}")
        more = [kind for kind in TYPES[1:] if dice.random() < 0.5]
        labels = self.rng.choice((["x"], ["x", "journalism"], ["y"]))
        wish = offer(
            *(signal(kind, media) for kind in ("sha256", *more)),
            labels=labels,
            attestation=Attestation(self.rng.choice(BASES)),
        )
        for world in worlds:
            one(world.forum, world.forum.member(name), wish)

    def amend(self, worlds: list[World], name: str, media: int) -> None:
        label = self.rng.choice("xyz")
        if all(name in world.speakers(media) for world in worlds):
            for world in worlds:
                world.do(lambda scene, who, item: amend(scene, who, item, (label,), (), None), media, name)

    def withdraw(self, worlds: list[World], name: str, media: int) -> None:
        # An item that only one of the worlds goes on with afterwards cannot be compared.
        left = [world.speakers(media) - {name} for world in worlds]
        if not all(name in world.speakers(media) for world in worlds) or not all(each - {ROGUE} for each in left):
            return
        if len(worlds) == 1 and name in self.quiet.speakers(media):
            return  # signals that nobody stands behind without its word leave the list, and do not come back
        for world in worlds:
            world.do(lambda scene, who, item: withdraw(scene, who, item, 1, steward=False), media, name)

    def opine(self, worlds: list[World], name: str, media: int) -> None:
        code = self.rng.choice(list(OpinionCode))
        said = Attestation(self.rng.choice(BASES)) if code is OpinionCode.AGREE else None
        labels = ("y",) if code is OpinionCode.DISAGREE_LABEL else ()
        wish = opinions.check_opinion(code, said, labels, "", Limits())
        revokes = self.rng.random() < 0.3
        if any(world.item(media) is None for world in worlds):
            return
        if revokes and not all(world.objected(media, name) for world in worlds):
            return
        for world in worlds:
            if revokes:
                world.do(opinions.revoke, media, name)
            else:
                world.do(lambda scene, who, item: opinions.give(scene, who, item, wish), media, name)

    def dispute(self, worlds: list[World], name: str, media: int) -> None:
        """The rogue's alone: while one is open, nobody can open another, so others' would not be in both."""
        if len(worlds) == 1 and self.loud.item(media) is not None and not self.loud.disputed(media):
            self.loud.do(lambda scene, who, item: disputes.open_dispute(scene, who, item, 1, "wrong"), media, name)


@pytest.mark.parametrize("seed", range(effort(8)))
def test_no_trace_is_left(seed: int, tmp_path: Path) -> None:
    with forum_in(tmp_path / "loud") as one_list, forum_in(tmp_path / "quiet") as other_list:
        loud, quiet = World(one_list), World(other_list)
        story = Story(seed, loud, quiet)
        for _ in range(STEPS // 3):
            story.step()
        assert loud.seen() == quiet.seen()
        since = one_list.engine.published.head.time_ms + 1
        while time.time_ns() // 1_000_000 < since:
            time.sleep(0.001)
        story.began = True
        for _ in range(STEPS):
            story.step()
        loud.roll_back(since)
        assert loud.seen() == quiet.seen()
        one_list.close()
        report = replay.check(one_list.folder)
        assert report.ok, report.problems
        one_list.reopen()
