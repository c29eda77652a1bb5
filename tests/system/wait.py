"""Waiting: always bounded, always saying what was waited for."""

import os
import threading
import time

INSIDE_GUEST = os.environ.get("SUPERVISOR_INSIDE_GUEST") == "1"
EVERY = 0.5 if INSIDE_GUEST else 0.05  # looking is dear where all is emulated

given_up = threading.Event()  # set when the tests are interrupted, for those who wait in threads


class TimedOut(AssertionError):
    """What was waited for did not come in time."""


def until(seen, timeout, what, every=EVERY):
    """Calls seen() until it gives something true and returns that; TimedOut after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = seen()
        if value:
            return value
        if time.monotonic() >= end or given_up.is_set():
            raise TimedOut(f"waited {timeout:g} s in vain: {what() if callable(what) else what}")
        time.sleep(every)


def never(seen, seconds, what, every=0.1):
    """Watches for `seconds` that seen() stays false."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = seen()
        assert not value, f"{what}: {value}"
        time.sleep(every)
