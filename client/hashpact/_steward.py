"""The client's calls about members and their tokens; :class:`hashpact.Client` has them by inheritance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from hashpact._operations import members
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact.membership import IssuedToken, Member


class MemberCalls:
    """Calls of stewards, and of every member about its own tokens."""

    _transport: Transport
    _session: Session

    def create_member(
        self, name: str, roles: Iterable[str], *, group: str = "", request_id: str | None = None
    ) -> Member:
        """Admit a member; it has no token yet.

        Args:
            name: 1 to 64 characters of ``a-z 0-9 -``.
            roles: ``check``, ``replicate``, ``contribute``, ``approve``, ``review``, ``steward``, ``audit``.
            group: its corporate group; empty: one of its own.
            request_id: see :meth:`contribute`.

        Raises:
            ConflictError: the name is taken.
        """
        return self._transport.run(
            members.create_member(self._session, name, roles, group=group, request_id=request_id)
        )

    def list_members(self, *, page_size: int = 0) -> Iterator[Member]:
        """Members by name; pages are asked for as they are needed.

        Args:
            page_size: members per call; 0 for the server's default.
        """
        page_token = ""
        while True:
            found, page_token = self._transport.run(members.list_members_page(page_size, page_token))
            yield from found
            if not page_token:
                return

    def get_member(self, member: str = "") -> Member:
        """One member, with its record.

        Args:
            member: its name; empty: the caller itself. Only stewards and auditors read of others.

        Raises:
            NotFoundError: no such member.
        """
        return self._transport.run(members.get_member(member))

    def amend_member(
        self,
        member: str,
        *,
        agreement: str | None = None,
        contact_day: str | None = None,
        contact_night: str | None = None,
        next_review_time: datetime | None = None,
        four_eyes: bool = False,
        remove_roles: Iterable[str] = (),
        request_id: str | None = None,
    ) -> Member:
        """Change a member's record in what one steward may change; what is left out stays. The rest takes two stewards.

        Args:
            member: its name.
            agreement: version of the agreement that it signed.
            contact_day: how a person there is reached by day.
            contact_night: the same by night.
            next_review_time: when its record is to be looked at again, with a time zone.
            four_eyes: True: its contributions wait for a colleague from now on.
            remove_roles: rights that it has no longer.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such member.
            ConflictError: it left, or would be the last steward no more.
        """
        change = members.RecordChange(agreement, contact_day, contact_night, next_review_time, four_eyes, remove_roles)
        return self._transport.run(members.amend_member(self._session, member, change, request_id=request_id))

    def suspend_member(self, member: str, *, request_id: str | None = None) -> Member:
        """Refuse every call of a member from now on. What it contributed stays.

        Args:
            member: its name.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such member.
            ConflictError: it is the last active steward.
        """
        return self._transport.run(members.suspend_member(self._session, member, request_id=request_id))

    def resume_member(self, member: str, *, request_id: str | None = None) -> Member:
        """Let a suspended member take part again.

        Args:
            member: its name.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such member.
        """
        return self._transport.run(members.resume_member(self._session, member, request_id=request_id))

    def issue_token(
        self, member: str = "", *, expire_time: datetime | None = None, roles: Iterable[str] = ()
    ) -> IssuedToken:
        """Issue one more token. It is in the answer and nowhere else; the call is never repeated by itself.

        Args:
            member: its name; empty: the caller itself.
            expire_time: when it stops working, with a time zone; None: never, or when the token of this client does.
            roles: the rights that it carries; none: those of this client's token, or all of another member's.

        Raises:
            NotFoundError: no such member.
            NotAllowedError: it would carry more than this client's token.
            ConflictError: a full member makes its own tokens.
            LimitExceededError: the member has as many tokens as it may have.
        """
        return self._transport.run(members.issue_token(self._session, member, expire_time=expire_time, roles=roles))

    def revoke_token(self, token_id: int) -> None:
        """Make a token stop working at once.

        Args:
            token_id: its id, as :meth:`list_members` shows it.

        Raises:
            NotFoundError: no such token.
        """
        self._transport.run(members.revoke_token(self._session, token_id))
