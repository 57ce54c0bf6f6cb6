"""No repr shows what must not be in a log: hash values, token hashes, private parts."""

from __future__ import annotations

from hashpact_server.ledger.entry import Draft, Kind, seal
from hashpact_server.ledger.payloads import ContributionPayload, ListedSignal, TokenPayload
from hashpact_server.matcher import Neighbours
from hashpact_server.rules.claims import check
from hashpact_server.rules.identity import Sighting
from hashpact_server.rules.signals import sort_out
from hashpact_server.state.rows import TokenRow
from hashpact_server.state.scope import Changes

from tests.forum import Forum, offer, signal

SECRET = b"0123456789abcdef0123456789ABCDEF"


def test_no_repr_shows_a_value(forum: Forum) -> None:
    listed = ListedSignal(1, SECRET)
    draft = Draft(Kind.ITEM_CREATED, payload=SECRET)
    (fit,), _ = sort_out([signal("sha256", SECRET)])
    for made in (
        listed,
        ContributionPayload(1, 0, "", (), (listed,)),
        TokenPayload(SECRET, 0),
        TokenRow(1, bytes(16), SECRET, 0),
        draft,
        seal(draft, sequence=1, time_ms=1, salt=bytes(32)),
        fit,
        Sighting(fit),
        check(offer(signal("sha256", SECRET)), forum.limits),
        Neighbours(1, {(16, SECRET, 31): []}),
        Changes(added=[(16, 1, 1, SECRET)]),
    ):
        assert "abcdef" not in repr(made)
        assert SECRET.hex() not in repr(made)
