"""A leak of 2 GiB under the built-in settings: nothing is shortened."""

import time

import pytest

from bench import Bench
from sizes import GIB, MIB

GRACE, HOLD, INTERVAL, POLL = 30.0, 60.0, 1.0, 2.0  # the defaults


@pytest.mark.slow
def test_leak_with_the_built_in_hold(engine, built):
    bench = Bench(engine, settings={})
    try:
        one = bench.ollama("full-length")
        daemon = bench.daemon(one)
        started = one.started_at()
        time.sleep(GRACE + 2)
        leaked = one.leak(2 * GIB)
        allowed = HOLD + 2 * INTERVAL + POLL
        record = daemon.wait("verdict raised", allowed + 5, container="full-length", verdict="idle-leak")
        assert record.at - leaked <= allowed, f"{record.at - leaked:.1f} s\n{daemon.text()}"
        assert record.at - one.leaking_since >= HOLD
        assert float(record["hold_s"]) == HOLD and int(record["held"]) >= 2 * GIB
        daemon.wait("healed", 30, container="full-length")
        assert one.held() < 100 * MIB
        assert one.started_at() != started and one.stop_signals() == 1
    finally:
        bench.close()
