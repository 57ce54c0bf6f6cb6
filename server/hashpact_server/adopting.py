"""Adopting: a replica takes over the entries of its upstream, checks each, and compares what they add up to.

The one writer carries this out like any other act, so a replica has one way of writing, and a crash means the same as
on the hub. Nothing that does not fit is taken in; that it did not fit is told, and nothing is taken in any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hashpact_server.core import Core
from hashpact_server.ledger.codec import LayoutError
from hashpact_server.ledger.embedded import LedgerReader
from hashpact_server.ledger.entry import Entry, check_private, parse
from hashpact_server.scene import Scene
from hashpact_server.state.row_store import StoredRows
from hashpact_server.state.scope import ContradictionError, UnknownEntryError
from hashpact_server.writer import Act, Encode, Writer


class DivergedError(Exception):
    """The upstream's entries do not fit what stands here. No retry helps: one of the two is damaged or another list."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the upstream says that its list adds up to.

    Attributes:
        size: number of entries.
        root: root of the tree, 32 bytes.
        state_digest: 32 bytes; empty when it was not told.
        private_parts: number of private parts behind it; None when it was not told.
    """

    size: int
    root: bytes
    state_digest: bytes = b""
    private_parts: int | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """An entry as it came: both parts verbatim; the private one None where it was redacted."""

    public: bytes
    private: bytes | None = field(repr=False)

    def entry(self) -> Entry:
        """The entry; raises DivergedError when its parts do not belong together."""
        try:
            entry = parse(self.public, self.private)
        except LayoutError as error:
            raise DivergedError(f"an entry cannot be read: {error}") from error
        if not check_private(entry):
            raise DivergedError(f"entry {entry.sequence}: the private part is not the one that it commits to")
        return entry


def adopt(writer: Writer, core: Core, parts: Sequence[Parts], expected: Expected | None = None) -> None:
    """Take entries over, in one commit, and compare with what they should add up to.

    Args:
        writer: the list's writer.
        core: the list.
        parts: the entries that come next.
        expected: what the upstream adds up to, where the entries end.

    Raises:
        DivergedError: they do not fit; none of them was taken over, unless it is the state that differs.
        Refusal: the writer cannot write now.
    """
    entries = [each.entry() for each in parts]

    def decide(scene: Scene) -> Encode:
        try:
            for entry in entries:
                scene.adopt(entry)
        except (LayoutError, ContradictionError, UnknownEntryError, LookupError) as error:
            raise DivergedError(f"after entry {scene.head.sequence}: {error}") from error
        if expected is not None and expected.size == scene.head.sequence + 1 and expected.root != scene.root():
            raise DivergedError(f"up to entry {scene.head.sequence}, the upstream's ledger is another one")
        return lambda _: b""

    if entries:
        writer.submit(Act(decide, bytes(16)))
    if expected is not None:
        compare(core, expected)


def compare(core: Core, expected: Expected) -> None:
    """Compare what stands here with what the upstream says of the same place.

    Roots are compared always. State digests only where both were made from the same private parts: whoever reads an
    entry that was redacted elsewhere lacks its private part before the redaction is here; who read it earlier does not.

    Raises:
        DivergedError: it differs, or the ledger here is shorter.
    """
    with core.store.read() as tx:
        ledger, rows = LedgerReader(tx), StoredRows(tx)
        sequence = expected.size - 1
        try:
            root = ledger.root_at(expected.size)
        except LookupError as error:
            raise DivergedError(f"there is no entry {sequence} here, which the upstream takes for granted") from error
        if root != expected.root:
            raise DivergedError(f"up to entry {sequence}, the upstream's ledger is another one")
        here = rows.head()[0] == sequence
        if not here or not expected.state_digest or rows.state_digest() == expected.state_digest:
            return
        private_parts = ledger.private_parts()
        if expected.private_parts not in (None, private_parts):
            return
        # As many, and yet not the same ones, if both copies are ahead of redactions, each of another one.
        if private_parts < ledger.private_parts_due():
            return
        raise DivergedError(f"at entry {sequence}, the upstream's state is another one: run fsck on both")
