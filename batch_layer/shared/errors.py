"""Every error Condvest raises on purpose.

::

    CondvestError
    ├── TransientError                      the same call may succeed later
    │   ├── DatabaseUnavailable             no server answers, or the connection broke
    │   ├── VendorUnavailable               a vendor failed to answer, for now
    │   ├── ArchiveUnavailable              the archive's service does not answer
    │   ├── PublishedUnavailable            the service of the published files does not answer
    │   ├── ChangesWaiting                  loaded changes are not resampled yet
    │   ├── RebuildRuns                     a rebuild from the archive runs in the database
    │   ├── OutOfTime                       a function ran out of time
    │   └── Superseded                      another collector of the session under way has begun
    └── PermanentError                      the same call will fail again until somebody acts
        ├── SettingsError                   a setting has an invalid value
        ├── UsageError                      arguments make no sense, alone or together
        │   └── UnknownName                 nothing has the name that a question filters by
        ├── InputError                      a file or payload is not in the expected format
        ├── VendorRefused                   a vendor refuses: the key, the plan, its own rules
        │   ├── SymbolGone                  the vendor has nothing of a symbol any more
    │   └── NotReadyYet                 the vendor serves this session later
        ├── ArchiveError                    the archive cannot store or return a payload
        ├── PublishedError                  published files cannot be written or read
        │   └── PublishedFormat             another version of Condvest wrote them
        ├── ClockWrong                      this machine's clock and the vendor's data disagree
        ├── CalendarChanged                 the calendar library contradicts stored sessions
        ├── CalendarDisputed                two calendar libraries contradict each other
        ├── NotASession                     a date is not a session of the exchange
        ├── UnknownSymbol                   no instrument has carried the symbol
        ├── UnorderedSessions               sessions do not ascend where they must
        └── DatabaseError                   the database refused
            ├── DatabaseRefusedValue        it cannot store a value
            ├── DatabaseReadOnly            it accepts no writes
            ├── DatabaseTimeout             it stopped a statement that took too long
            ├── DatabaseFull                its disk is full
            ├── SchemaTooNew                a later version migrated the database
            ├── SchemaTooOld                the database needs a migration
            └── MigrationEdited             the text of an applied migration has changed

A message says what was expected, what came, and what to do; it names the symbol, the session or the bound.
"""

from __future__ import annotations

from collections.abc import Sequence


class CondvestError(Exception):
    """Base of all errors raised on purpose."""


BatchLayerError = CondvestError
"""The name of `CondvestError` up to version 0.1; it goes away with version 0.2."""


class Terminated(KeyboardInterrupt):
    """SIGTERM ended the command, as Ctrl-C does: open transactions roll back."""


class TransientError(CondvestError):
    """The same call may succeed later."""


class PermanentError(CondvestError):
    """The same call will fail again until somebody acts."""


class DatabaseUnavailable(TransientError):
    """No server answers, or the connection broke."""


class VendorUnavailable(TransientError):
    """A vendor did not answer, or its answer says that the failure passes."""


class RateLimited(VendorUnavailable):
    """A vendor answered 429: too many calls.

    Attributes:
        retry_after: the seconds that it asks to be waited, None if it does not say.
    """

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ArchiveUnavailable(TransientError):
    """The service that holds the archive does not answer."""


class PublishedUnavailable(TransientError):
    """The service that holds the published files does not answer."""


class ChangesWaiting(TransientError):
    """Loaded changes are not resampled yet, so the bars cannot be published."""


class RebuildRuns(TransientError):
    """A rebuild from the archive runs in the database; nothing else is loaded or published meanwhile."""


class OutOfTime(TransientError):
    """A function ran out of time; its finished work stays, and the next call goes on."""


class Superseded(TransientError):
    """Another collector of the session under way has begun, so this one must not write any more."""


class SettingsError(PermanentError):
    """A setting has an invalid value."""


class UsageError(PermanentError):
    """The arguments of a command or function make no sense, alone or together."""


class InputError(PermanentError):
    """A file or payload is not in the expected format."""


class VendorRefused(PermanentError):
    """A vendor refuses to serve this because of the key, the plan, or its own rules."""


class SymbolGone(VendorRefused):
    """A vendor does not know a symbol, or has no bar of it any more: misspelt, renamed or delisted."""


class NotReadyYet(VendorRefused):
    """A vendor serves this session's data only from a later hour; a later run asks again."""


class ArchiveError(PermanentError):
    """The archive cannot store or return a payload."""


class PublishedError(PermanentError):
    """Published files cannot be written or read."""


class PublishedFormat(PublishedError):
    """Another version of Condvest wrote the published files, in another format."""


class PublishedGone(PublishedError):
    """A version that was published is no longer kept, or never was there."""


class ClockWrong(PermanentError):
    """This machine's clock and the instants of a vendor's data disagree."""


class CalendarChanged(PermanentError):
    """The calendar library contradicts the stored sessions."""


class CalendarDisputed(PermanentError):
    """Two calendar libraries disagree about whether a date is a session."""


class UnknownName(UsageError):
    """Nothing has the name that a question filters by: what was misspelt must not pass for what is empty.

    Attributes:
        parameter: that holds the name.
        near: names that may have been meant.
        value: the name that nothing has.
    """

    def __init__(
        self, message: str, parameter: str, near: Sequence[str] = (), value: str | None = None
    ) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.near = tuple(near)
        self.value = value


class NotASession(PermanentError):
    """A date is not a session of the exchange."""


class UnknownSymbol(PermanentError):
    """No instrument has carried the symbol.

    Attributes:
        symbols: those that are unknown, where the question was about several that have bars; else empty.
        near: symbols that may have been meant.
    """

    def __init__(self, message: str, symbols: Sequence[str] = (), near: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.symbols = tuple(symbols)
        self.near = tuple(near)


class UnorderedSessions(PermanentError):
    """Sessions do not ascend where they must."""


class DatabaseError(PermanentError):
    """The database refused."""


class DatabaseRefusedValue(DatabaseError):
    """The database cannot store a value: a text with a NUL, or a number out of range."""


class DatabaseReadOnly(DatabaseError):
    """The database accepts no writes."""


class DatabaseTimeout(DatabaseError):
    """The database stopped a statement that took longer than is allowed, or waited too long for a lock."""


class DatabaseFull(DatabaseError):
    """The disk of the database is full."""


class DatabaseDamaged(DatabaseError):
    """A page that the database has stored is not as it was written."""


class SchemaTooNew(DatabaseError):
    """A later version of Condvest migrated the database."""


class SchemaTooOld(DatabaseError):
    """The database needs a migration."""


class MigrationEdited(DatabaseError):
    """The text of an applied migration has changed since."""
