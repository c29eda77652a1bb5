"""A leak of 2 GiB under the built-in settings: nothing is shortened. (It began with the first test.)"""

import pytest

import full_length
from sizes import GIB, MIB


@pytest.mark.slow
def test_leak_with_the_built_in_hold(at_full_length):
    run = at_full_length
    run.thread.join(full_length.GRACE + 60)
    assert run.leaked, "the leak did not happen"
    allowed = full_length.HOLD + 2 * full_length.INTERVAL + full_length.POLL
    record = run.daemon.wait("verdict raised", allowed + 5, container="full-length", verdict="idle-leak")
    assert record.at - run.leaked <= allowed, f"{record.at - run.leaked:.1f} s\n{run.daemon.text()}"
    assert record.at - run.one.leaking_since >= full_length.HOLD
    assert float(record["hold_s"]) == full_length.HOLD and int(record["held"]) >= 2 * GIB
    run.daemon.wait("healed", 30, container="full-length")
    assert run.one.held() < 100 * MIB
    assert run.one.started_at() != run.started and run.one.stop_signals() == 1
