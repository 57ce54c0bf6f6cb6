"""The client's calls about judgement; :class:`hashpact.Client` has them by inheritance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from hashpact._media import ContributionSource, listed_signals
from hashpact._operations import opinions
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact.opinions import Challenge, Dispute, GivenOpinion, ItemJudgement, JudgementCounts


class OpinionCalls:
    """Calls of reviewers about what others listed, and of holders about challenges."""

    _transport: Transport
    _session: Session

    def give_opinion(
        self,
        item: int,
        code: str,
        *,
        basis: str = "person_looked",
        observer_role: str = "",
        observed_time: datetime | None = None,
        labels: Iterable[str] = (),
        note: str = "",
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> GivenOpinion:
        """Say what this member thinks of an item, in the place of what it said before.

        Args:
            item: its id.
            code: ``agree``, ``disagree_label``, ``not_terrorist``, ``benign_collision``, ``documentation_journalism``,
                ``seen_here_too`` or ``overturned_on_appeal``. All but ``agree`` and ``seen_here_too`` stop the advice
                ``act`` on the item, for everybody.
            basis: with ``agree``, how the member knows: see :meth:`contribute`. Only ``person_looked`` counts.
            observer_role: with ``agree``, function of the person who looked; never a name.
            observed_time: with ``agree``, when the person looked; with a time zone.
            labels: with ``disagree_label``, the labels that the item should have.
            note: for the other members; never names of people.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            NotFoundError: no such item.
            ConflictError: the item is withdrawn or expired.
        """
        return self._transport.run(
            opinions.give(
                self._session,
                item,
                code,
                basis=basis,
                observer_role=observer_role,
                observed_time=observed_time,
                labels=labels,
                note=note,
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    def revoke_opinion(self, item: int, *, request_id: str | None = None, validate_only: bool = False) -> str:
        """Take this member's opinion on an item back; where the item stands then.

        Args:
            item: its id.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            NotFoundError: no such item, or this member never gave an opinion on it.
        """
        return self._transport.run(
            opinions.revoke(self._session, item, request_id=request_id, validate_only=validate_only)
        )

    def list_opinions(self, item: int, *, at_least_as_fresh: str = "") -> ItemJudgement:
        """The opinions on an item, and what holds for it.

        Args:
            item: its id.
            at_least_as_fresh: an ``as_of`` token that the answer has to reflect.

        Raises:
            NotFoundError: no such item.
        """
        return self._transport.run(opinions.list_opinions(self._session, item, at_least_as_fresh=at_least_as_fresh))

    def open_dispute(
        self, item: int, grounds: str, statement: str, *, request_id: str | None = None, validate_only: bool = False
    ) -> Dispute:
        """Open a dispute about an item: a match on it asks for review only, until the dispute ends.

        Args:
            item: its id.
            grounds: ``not_terrorist``, ``documentation_journalism``, ``benign_collision``, ``wrong_labels``, ``legal``
                or ``bad_faith``.
            statement: what is wrong with the item; never names of people.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            NotFoundError: no such item.
            ConflictError: the item is closed, or has an open dispute.
            LimitExceededError: this member opened as many today as the policy allows.
        """
        return self._transport.run(
            opinions.open_dispute(
                self._session, item, grounds, statement, request_id=request_id, validate_only=validate_only
            )
        )

    def vote_on_dispute(
        self,
        dispute: int,
        verdict: str,
        *,
        labels: Iterable[str] = (),
        statement: str = "",
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> Dispute:
        """Vote on a dispute, in the place of this member's earlier vote.

        Args:
            dispute: its id.
            verdict: ``keep``, ``remove`` or ``relabel``.
            labels: with ``relabel``, the labels that the item should have.
            statement: why.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            NotFoundError: no such dispute.
            ConflictError: it is closed.
            NotAllowedError: this member's group is involved, or it is on trial.
        """
        return self._transport.run(
            opinions.vote(
                self._session,
                dispute,
                verdict,
                labels=labels,
                statement=statement,
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    def list_disputes(
        self, *, with_closed: bool = False, item: int = 0, page_size: int = 0, at_least_as_fresh: str = ""
    ) -> Iterator[Dispute]:
        """Disputes, the oldest first; pages are asked for as they are needed.

        Args:
            with_closed: closed ones too.
            item: only those about this item; 0: all.
            page_size: disputes per call; 0 for the server's default.
            at_least_as_fresh: an ``as_of`` token that the answer has to reflect.
        """
        page_token = ""
        while True:
            found, page_token = self._transport.run(
                opinions.list_disputes_page(
                    self._session,
                    page_token,
                    with_closed=with_closed,
                    item=item,
                    page_size=page_size,
                    at_least_as_fresh=at_least_as_fresh,
                )
            )
            yield from found
            if not page_token:
                return

    def lodge_challenge(
        self,
        item: int = 0,
        *,
        grounds: str,
        statement: str,
        reference: str = "",
        source: ContributionSource = (),
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> list[Challenge]:
        """Lodge a challenge for a person outside the forum; one for each item that it is about.

        Args:
            item: the item that the person's decision notice names; 0 where ``source`` is given.
            grounds: ``not_terrorist``, ``documentation_journalism``, ``benign_collision``, ``legal`` or ``decision``.
            statement: what the person says.
            reference: the decision notice or file that it refers to.
            source: what the person has instead of a notice: a picture or its signals. They are looked up and forgotten.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            NotFoundError: no such item.
            ConflictError: the item is closed.
            LimitExceededError: this member lodged as many today as the policy allows.
        """
        return self._transport.run(
            opinions.lodge(
                self._session,
                item,
                listed_signals(source),
                grounds=grounds,
                statement=statement,
                reference=reference,
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    def answer_challenge(
        self,
        challenge: int,
        answer: str,
        statement: str,
        *,
        labels: Iterable[str] = (),
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> Challenge:
        """Answer a challenge as a holder of its item; what the answer says is carried out.

        Args:
            challenge: its id.
            answer: ``withdrawn`` takes this member's contribution back, ``kept``, or ``relabelled``.
            statement: the reasons.
            labels: with ``relabelled``, this member's labels from now on.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            NotFoundError: no such challenge.
            ConflictError: it is closed.
            NotAllowedError: this member does not hold the item.
        """
        return self._transport.run(
            opinions.answer(
                self._session,
                challenge,
                answer,
                statement,
                labels=labels,
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    def list_challenges(
        self,
        *,
        with_closed: bool = False,
        item: int = 0,
        mine: bool = False,
        page_size: int = 0,
        at_least_as_fresh: str = "",
    ) -> Iterator[Challenge]:
        """Challenges, the oldest first; pages are asked for as they are needed.

        Args:
            with_closed: closed ones too.
            item: only those about this item; 0: all.
            mine: only those about items that this member holds.
            page_size: challenges per call; 0 for the server's default.
            at_least_as_fresh: an ``as_of`` token that the answer has to reflect.
        """
        page_token = ""
        while True:
            found, page_token = self._transport.run(
                opinions.list_challenges_page(
                    self._session,
                    page_token,
                    with_closed=with_closed,
                    item=item,
                    mine=mine,
                    page_size=page_size,
                    at_least_as_fresh=at_least_as_fresh,
                )
            )
            yield from found
            if not page_token:
                return

    def count_judgements(self, *, at_least_as_fresh: str = "") -> JudgementCounts:
        """Disputes and challenges by outcome: the figures that a forum publishes.

        Args:
            at_least_as_fresh: an ``as_of`` token that the answer has to reflect.
        """
        return self._transport.run(opinions.counts(self._session, at_least_as_fresh=at_least_as_fresh))
