"""The one clock that decides: the database's."""

from datetime import UTC, datetime

from django.db import connection

#: Stands for never, where a moment is compared.
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def database_now() -> datetime:
    """The database's time, aware, in UTC, to the microsecond.

    Leases, due times and holds are written by one process and compared by another, perhaps on another machine, so
    they must all come from one clock. SQLite lives inside this process: its clock is this process's clock.
    """
    if connection.vendor == "sqlite":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now.astimezone(UTC)
