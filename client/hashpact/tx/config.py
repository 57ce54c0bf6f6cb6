"""What ``tx`` and HMA ask for and remember: the collaboration, the token, how far a fetch is."""

# Annotations have to stay types here: tx makes options of them, and reads them back from JSON.

import typing as t
from dataclasses import dataclass, field

from threatexchange.exchanges.auth import CredentialHelper
from threatexchange.exchanges.collab_config import CollaborationConfigWithDefaults
from threatexchange.exchanges.fetch_state import FetchCheckpointBase

API_NAME: t.Final = "hashpact"


@dataclass
class _Required:
    target: str = field(
        metadata={"help": "where the service or a replica is, or unix:/path", "metavar": "HOST:PORT"},
    )


@dataclass
class HashpactCollabConfig(CollaborationConfigWithDefaults, _Required):  # type: ignore[misc]  # an untyped package
    """One Hashpact list."""

    api: str = field(init=False, default=API_NAME)
    ca: t.Optional[str] = field(  # noqa: UP045  # tx cannot make an option of the new form
        default=None,
        metadata={"help": "certificate authority of the service (PEM); else the system's", "metavar": "FILE"},
    )
    basis: str = field(
        default="automatic",
        metadata={
            "help": "how you know what you label: person-looked, automatic, found-through-list or import",
            "metavar": "BASIS",
        },
    )
    pdq_quality: t.Optional[int] = field(  # noqa: UP045  # as above
        default=None,
        metadata={"help": "quality of the PDQ values that you label, which tx does not pass on", "metavar": "N"},
    )


@dataclass
class HashpactCredentials(CredentialHelper):  # type: ignore[misc]  # an untyped package
    """A member's token."""

    ENV_VARIABLE: t.ClassVar[str] = "HASHPACT_TOKEN"
    FILE_NAME: t.ClassVar[str] = "~/.config/hashpact/token"

    token: str = field(repr=False)

    @classmethod
    def _from_str(cls, s: str) -> "HashpactCredentials":
        return cls(s.strip())

    def _are_valid(self) -> bool:
        return bool(self.token)


@dataclass
class HashpactCheckpoint(FetchCheckpointBase):  # type: ignore[misc]  # an untyped package
    """How far a copy is.

    Attributes:
        changed_after: position that the copy reflects; "" until the whole list was fetched once.
        page_token: where a fetch that was broken off goes on.
        first_as_of: position of the first page of that fetch, from which the next one asks for changes.
    """

    changed_after: str = ""
    page_token: str = ""
    first_as_of: str = ""
