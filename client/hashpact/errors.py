"""Everything that Hashpact raises, in one tree.

::

    HashpactError                      .reason  .message
    |-- UnreadableMediaError           this file is not a picture we can read; others may be fine
    |-- InvalidSignalError             a hash of the wrong length, or not hex
    |-- MissingExtraError              an optional part is not installed; says which to install
    |-- ConfigError                    an option, environment variable or configuration file is wrong
    |   `-- PluginError                an installed package that adds a signal type is broken, or clashes; says which
    |-- StorageError                   what has to be remembered on this machine's disk cannot be
    |   `-- QueueFullError             no room for it: the queue's own limit, or the disk's end
    `-- ServiceError                   the service answered with an error, or could not be reached
        |-- InvalidRequestError        the request breaks a rule; .violations says which field
        |-- NotAllowedError            no token, a wrong token, a suspended member, or a missing role
        |-- NotFoundError              no such item or member
        |-- ConflictError              it would break what stands: request_id reused, name taken, unknown history
        |-- LimitExceededError         over a limit; .limit_name and .limit say which; .retry_after_s when waiting helps
        `-- UnavailableError           not reachable, not ready, or out of time; safe to try again

A foreign exception (grpc, OSError of a decoder) that leaks through the public functions is a bug.
Messages never contain hash values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self


class HashpactError(Exception):
    """The root: catch this to catch everything of ours.

    Attributes:
        reason: a stable upper-case word, the one of ``ErrorReason`` where the service answered.
        message: one sentence that says what to do.
    """

    reason = "HASHPACT_ERROR"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if reason is not None:
            self.reason = reason


class UnreadableMediaError(HashpactError):
    """The bytes cannot be turned into signals: broken, unknown, too large, or not a picture."""

    reason = "UNREADABLE_MEDIA"


class InvalidSignalError(HashpactError):
    """A hash value that cannot be one: wrong length, not hex, quality outside 0-100."""

    reason = "INVALID_SIGNAL"


class MissingExtraError(HashpactError):
    """An optional part of the distribution is needed and not installed."""

    reason = "MISSING_EXTRA"


class ConfigError(HashpactError):
    """An option, environment variable or configuration file is missing or wrong."""

    reason = "CONFIG"


class PluginError(ConfigError):
    """An installed package that adds a signal type cannot be used: it is broken, or clashes with another."""

    reason = "PLUGIN"


class StorageError(HashpactError):
    """What has to be remembered on this machine cannot be: a disk that fails, a folder in use or of somebody else."""

    reason = "STORAGE"


class QueueFullError(StorageError):
    """There is no room left; nothing was kept of what was given.

    Attributes:
        limit_name: the limit that was reached, with its unit ("" when the disk is full).
        limit: its value (0 when the disk is full).
    """

    reason = "QUEUE_FULL"

    def __init__(self, message: str, *, reason: str | None = None, limit_name: str = "", limit: int = 0) -> None:
        super().__init__(message, reason=reason)
        self.limit_name = limit_name
        self.limit = limit


class ServiceError(HashpactError):
    """The service answered with an error, or could not be reached."""

    reason = "SERVICE"


class InvalidRequestError(ServiceError):
    """The request breaks a rule of the interface.

    Attributes:
        violations: (field path, what is wrong with it) pairs.
    """

    reason = "INVALID_REQUEST"

    def __init__(self, message: str, *, reason: str | None = None, violations: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message, reason=reason)
        self.violations = tuple(violations)

    @classmethod
    def about(cls, field: str, message: str) -> Self:
        """The error about one field, as the service would have said it."""
        return cls(message, reason="FIELD_INVALID", violations=[(field, message)])


class NotAllowedError(ServiceError):
    """No token, an unknown or expired one, a suspended member, or a role that is missing."""

    reason = "NOT_ALLOWED"


class NotFoundError(ServiceError):
    """No such item or member."""

    reason = "NOT_FOUND"


class ConflictError(ServiceError):
    """The request contradicts what stands: a reused request_id, a taken name, a token of another history."""

    reason = "CONFLICT"


class LimitExceededError(ServiceError):
    """Over a limit.

    Attributes:
        limit_name: the limit's name, with its unit, as Capabilities tells it ("" when unknown).
        limit: its value (0 when unknown).
        retry_after_s: seconds after which another try may succeed; None when waiting does not help.
    """

    reason = "LIMIT_EXCEEDED"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        limit_name: str = "",
        limit: int = 0,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, reason=reason)
        self.limit_name = limit_name
        self.limit = limit
        self.retry_after_s = retry_after_s


class UnavailableError(ServiceError):
    """Not reachable, not ready, or out of time. Reads may be tried again; writes with the same request_id."""

    reason = "UNAVAILABLE"
