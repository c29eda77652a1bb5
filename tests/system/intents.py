"""What the program has written down, read from its database by the tests themselves."""

import contextlib
import sqlite3


OPEN, DONE, FAILED, DROPPED = range(4)


def rows(state, step=None):
    """All intents, oldest first, as dictionaries."""
    with contextlib.closing(sqlite3.connect(f"file:{state}/supervisor.db?mode=ro", uri=True, timeout=5)) as db:
        db.row_factory = sqlite3.Row
        found = [dict(row) for row in db.execute("SELECT * FROM intents ORDER BY id")]
    return [row for row in found if step in (None, row["step"])]


@contextlib.contextmanager
def database_busy(state):
    """Somebody else holds the database as long as the context lasts, so that nothing can be committed."""
    with contextlib.closing(sqlite3.connect(f"{state}/supervisor.db", timeout=5, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            db.execute("ROLLBACK")
