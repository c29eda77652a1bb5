"""The daemon's own socket: callers that do not read take nothing from it but two seconds of a place."""

import contextlib
import socket
import time

from bench import outlive_grace


def rude(bench, n):
    """Connections that ask for the state and never read it."""
    callers = []
    for _ in range(n):
        one = socket.socket(socket.AF_UNIX)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with contextlib.suppress(OSError):
            one.setblocking(False)
            one.connect(str(bench.state / "supervisor.sock"))
        callers.append(one)
    return callers


def test_callers_that_never_read(bench):
    ones = [bench.ollama(f"one-{n}", labels={f"filler{i}": "x" * 4000 for i in range(60)}) for n in range(3)]
    daemon = bench.daemon(*ones)
    outlive_grace()
    callers = rude(bench, 100)
    time.sleep(3)
    status = bench.supervisor("status")
    assert status.code == 0 and "one-0" in status.out, status
    more = rude(bench, 14)  # under way when it is told to end
    time.sleep(0.5)
    code, took = daemon.end()
    assert code == 0 and took < 1.5, f"{code} after {took:.1f} s\n{daemon.text()}"
    assert not daemon.foreign, daemon.foreign
    for one in callers + more:
        one.close()
