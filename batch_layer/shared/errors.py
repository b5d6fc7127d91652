"""Every error Condvest raises on purpose.

::

    CondvestError
    ├── TransientError                  the same call may succeed later
    │   ├── DatabaseUnavailable         no server answers, or the connection was lost
    │   ├── VendorUnavailable           a vendor answered with a passing failure, or not at all
    │   ├── ArchiveUnavailable          the archive's service does not answer now
    │   ├── PublishedUnavailable        the service that holds a published data set does not answer now
    │   ├── ChangesWaiting              something was loaded that is not resampled yet
    │   └── OutOfTime                   a function's time ended before its work
    └── PermanentError                  the same call will fail again until somebody acts
        ├── SettingsError               a setting has a value it cannot have
        ├── UsageError                  a command or function was asked for what it cannot mean
        ├── InputError                  a file or payload cannot be read as what it should be
        ├── VendorRefused               a vendor will not serve this: key, plan, or its own rules
        │   └── NotReadyYet             a vendor does not serve this session's data before a later hour
        ├── ArchiveError                the archive cannot keep or give back a payload
        ├── PublishedError              a published data set cannot be written or read
        │   └── PublishedFormat         it was written by another version of Condvest
        ├── CalendarChanged             the calendar library no longer agrees with stored sessions
        ├── NotASession                 a date is no session of the exchange
        ├── UnknownSymbol               a symbol that no instrument has carried
        ├── UnorderedSessions           sessions do not ascend where they must
        └── DatabaseError               the database refused
            ├── DatabaseReadOnly        it takes no writes
            ├── DatabaseFull            no room on its disk
            ├── SchemaTooNew            the database was migrated by a later version
            ├── SchemaTooOld            the database waits for a migration
            └── MigrationEdited         an applied migration's text is no longer what was applied

A message names the symbol, the session or the bound concerned, and says what to do.
"""

from __future__ import annotations


class CondvestError(Exception):
    """Base of all errors raised on purpose."""


BatchLayerError = CondvestError
"""The name of `CondvestError` up to version 0.1; it goes away with version 0.2."""


class TransientError(CondvestError):
    """The same call may succeed later."""


class PermanentError(CondvestError):
    """The same call will fail again until somebody acts."""


class DatabaseUnavailable(TransientError):
    """No server answers, or the connection was lost."""


class VendorUnavailable(TransientError):
    """A vendor answered with a passing failure, or not at all."""


class ArchiveUnavailable(TransientError):
    """The archive's service does not answer now."""


class PublishedUnavailable(TransientError):
    """The service that holds a published data set does not answer now."""


class ChangesWaiting(TransientError):
    """Something was loaded that is not resampled yet, so the bars cannot be published."""


class OutOfTime(TransientError):
    """A function's time ended before its work; what was done stays, and the next call goes on."""


class SettingsError(PermanentError):
    """A setting has a value it cannot have."""


class UsageError(PermanentError):
    """A command or function was asked for what it cannot mean."""


class InputError(PermanentError):
    """A file or payload cannot be read as what it should be."""


class VendorRefused(PermanentError):
    """A vendor will not serve this: key, plan, or its own rules."""


class NotReadyYet(VendorRefused):
    """A vendor does not serve this session's data before a later hour; it will be asked for again."""


class ArchiveError(PermanentError):
    """The archive cannot keep or give back a payload."""


class PublishedError(PermanentError):
    """A published data set cannot be written or read."""


class PublishedFormat(PublishedError):
    """A published data set was written by another version of Condvest, in another format."""


class CalendarChanged(PermanentError):
    """The calendar library no longer agrees with the sessions stored."""


class NotASession(PermanentError):
    """A date is no session of the exchange."""


class UnknownSymbol(PermanentError):
    """A symbol that no instrument has carried."""


class UnorderedSessions(PermanentError):
    """Sessions do not ascend where they must."""


class DatabaseError(PermanentError):
    """The database refused."""


class DatabaseReadOnly(DatabaseError):
    """The database takes no writes."""


class DatabaseFull(DatabaseError):
    """The database has no room on its disk."""


class SchemaTooNew(DatabaseError):
    """The database was migrated by a later version of Condvest."""


class SchemaTooOld(DatabaseError):
    """The database waits for a migration."""


class MigrationEdited(DatabaseError):
    """The text of an applied migration is no longer what was applied."""
