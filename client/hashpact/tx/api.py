"""The exchange as ``tx`` and HMA call it: fetching the list and what changed, and contributing.

::

    first fetch    all items, page by page             key = item id (and variant), value = HashpactRecord
    later fetches  what changed since the last one     None = taken off, so that the key is deleted
    broken off     goes on with the page it was at
"""

from __future__ import annotations

import logging
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from threatexchange.cli.exceptions import CommandError
from threatexchange.exchanges.auth import SignalExchangeWithAuth
from threatexchange.exchanges.fetch_state import FetchDelta, SignalOpinion, SignalOpinionCategory
from threatexchange.exchanges.signal_exchange_api import SignalExchangeAPI

from hashpact.client import Client
from hashpact.errors import ConflictError, HashpactError, InvalidRequestError, NotAllowedError
from hashpact.probes import Probe
from hashpact.signals import PDQ_QUALITY_MIN, Signal
from hashpact.tx.config import API_NAME, HashpactCheckpoint, HashpactCollabConfig, HashpactCredentials
from hashpact.tx.record import TX_NAMES, HashpactRecord, records_of

PAGE_ITEMS: t.Final = 1000
EVERY_STATUS: t.Final = ("provisional", "corroborated", "disputed", "withdrawn", "expired", "inherited")
_OUR_NAMES: t.Final = {theirs: ours for ours, theirs in TX_NAMES.items()}
_BEGIN_ANEW: t.Final = frozenset({"TOKEN_UNKNOWN_HISTORY", "PAGE_TOKEN_INVALID"})


class HashpactSignalExchangeAPI(
    SignalExchangeAPI,  # type: ignore[misc]  # an untyped package
    SignalExchangeWithAuth,  # type: ignore[misc]  # as above
):
    """A Hashpact list.

    Args:
        collab: which list, and how to contribute to it.
        credentials: the member's token.
    """

    def __init__(self, collab: HashpactCollabConfig, credentials: HashpactCredentials) -> None:
        self._collab = collab
        self._credentials = credentials
        with _told(collab), self._client():
            pass  # settings that are wrong are told before anything is asked for

    @classmethod
    def get_name(cls) -> str:
        """As ``tx config collab edit`` and HMA call it."""
        return API_NAME

    @staticmethod
    def get_config_cls() -> type[HashpactCollabConfig]:
        """Settings of a list."""
        return HashpactCollabConfig

    @staticmethod
    def get_checkpoint_cls() -> type[HashpactCheckpoint]:
        """How far a fetch is."""
        return HashpactCheckpoint

    @staticmethod
    def get_record_cls() -> type[HashpactRecord]:
        """What is kept of an item."""
        return HashpactRecord

    @staticmethod
    def get_credential_cls() -> type[HashpactCredentials]:
        """The token."""
        return HashpactCredentials

    @classmethod
    def for_collab(
        cls, collab: HashpactCollabConfig, credentials: HashpactCredentials | None = None
    ) -> HashpactSignalExchangeAPI:
        """An instance with a token: given, from HASHPACT_TOKEN, or from its file."""
        return cls(collab, credentials or HashpactCredentials.get(cls))

    def _client(self) -> Client:
        local = self._collab.target.startswith("unix:")
        return Client(
            self._collab.target, token=self._credentials.token, ca=None if local else self._collab.ca, plaintext=local
        )

    def fetch_iter(
        self,
        supported_signal_types: Sequence[object],  # noqa: ARG002  # all are kept: a type may be added later
        checkpoint: HashpactCheckpoint | None,
    ) -> Iterator[FetchDelta]:
        """What changed since the checkpoint, a page at a time, in order."""
        at = checkpoint or HashpactCheckpoint()
        with _told(self._collab, logged=True), self._client() as client:
            who = client.capabilities()
            if "replicate" not in who.caller_roles:
                raise NotAllowedError(f"{who.caller} may not hold the list: that is the role replicate")
            while True:
                # Of the first fetch, items that match nothing are of no interest: there is nothing to delete yet.
                page = client.items_page(
                    at.page_token,
                    changed_after=at.changed_after,
                    statuses=EVERY_STATUS if at.changed_after else (),
                    page_size=PAGE_ITEMS,
                )
                updates: dict[str, HashpactRecord | None] = {}
                for item in page.items:
                    updates |= records_of(item, who.caller, first_fetch=not at.changed_after)
                first = at.first_as_of or page.as_of
                before, more = at, page.next_page_token
                at = HashpactCheckpoint(at.changed_after, more, first) if more else HashpactCheckpoint(first)
                if updates or at != before:
                    yield FetchDelta(updates, at)
                if not more:
                    return

    @classmethod
    def naive_convert_to_signal_type(
        cls,
        signal_types: Sequence[t.Any],
        collab: HashpactCollabConfig,  # noqa: ARG003  # the interface's
        fetched: Mapping[str, HashpactRecord | None],
    ) -> dict[t.Any, dict[str, HashpactRecord]]:
        """From items to the hashes that ``tx`` matches with."""
        by_name = {one.get_name(): one for one in signal_types}
        found: dict[t.Any, dict[str, HashpactRecord]] = {}
        for record in fetched.values():
            for name, value in record.signals if record else ():
                if name in by_name and record is not None:
                    found.setdefault(by_name[name], {}).setdefault(value, record)
        return found

    def report_opinion(self, s_type: t.Any, signal: str, opinion: SignalOpinion) -> None:
        """Contribute a hash (positive), or take back one's own contribution to its item (negative).

        Raises:
            NotImplementedError: another opinion, or one on what others contributed.
            CommandError: the service said no.
        """
        name = s_type.get_name()
        kind = _OUR_NAMES.get(name, name)
        if opinion.category == SignalOpinionCategory.INVESTIGATION_SEED:
            raise NotImplementedError("Hashpact takes contributions, and withdrawals of one's own")
        with _told(self._collab), self._client() as client:
            if opinion.category == SignalOpinionCategory.POSITIVE_CLASS:
                self._contribute(client, Signal.from_hex(kind, signal, self._quality(kind)), opinion.tags)
            else:
                self._withdraw(client, Signal.from_hex(kind, signal))

    def _quality(self, kind: str) -> int | None:
        if kind != "pdq" or self._collab.pdq_quality is not None:
            return self._collab.pdq_quality if kind == "pdq" else None
        raise InvalidRequestError.about(
            "quality",
            "tx does not pass on the quality of a PDQ value, and the service needs it: state it once, with tx config "
            f"collab edit hashpact NAME --target ... --pdq-quality {PDQ_QUALITY_MIN}, if you only label values of "
            f"{PDQ_QUALITY_MIN} and more",
        )

    def _contribute(self, client: Client, signal: Signal, labels: t.Iterable[str]) -> None:
        if not labels:
            raise InvalidRequestError.about("labels", "say what it is: tx label --labels LABEL,...")
        outcome = client.contribute([signal], labels=sorted(labels), basis=self._collab.basis)
        if not outcome.taken:
            why = outcome.message or "it belongs to several items of the list"
            raise InvalidRequestError(f"not listed: {why}", reason=outcome.reason or outcome.outcome.upper())

    def _withdraw(self, client: Client, signal: Signal) -> None:
        """Only what was contributed by the caller itself: a steward's withdrawal would be one for everybody."""
        radii = {} if signal.signal_type in TX_NAMES else {signal.signal_type: 0}
        caller = client.capabilities().caller
        (found,) = client.lookup([Probe.of([signal])], radii=radii)
        for match in found.matches:
            if any(one.member == caller for one in client.get_item(match.item).contributions):
                client.withdraw(match.item)
                return
        raise NotImplementedError("others contributed it: say what is wrong with it, with hashpact opinion give")


@contextmanager
def _told(collab: HashpactCollabConfig, *, logged: bool = False) -> Iterator[None]:
    """Errors of ours as errors of theirs: a sentence instead of a traceback."""
    try:
        yield
    except HashpactError as error:
        told = f"{collab.name}: {error.message}"
        if isinstance(error, ConflictError | InvalidRequestError) and error.reason in _BEGIN_ANEW:
            told = (
                f"{collab.name}: the list has another history than the copy (it was restored or moved): begin anew "
                f"with tx fetch --clear --only-collab {collab.name!r}, then tx fetch"
            )
        if logged:  # tx fetch tells nobody why it failed, below this level
            logging.getLogger("hashpact.tx").critical("%s", told)
        raise CommandError.user(told) from error
