"""Clients of the daemon's socket that do not read, send garbage or leave: others are answered, and it ends in time."""

import contextlib
import socket
import threading
import time

import pytest

import wait
from bench import Bench

# The answer fits into no socket's buffers: who does not read is waited for. Of a container's labels ours are kept, 4 KiB.
FILLER, LABELS, COUNT = "x" * 500, 6, 150
LARGE = len(FILLER) * LABELS * COUNT
STILL = 2.0  # seconds without reading until it is closed; it is looked at every half second
AT_ONCE, SOON = 1.0, 5.0


@pytest.fixture
def place(engine, built):
    """A daemon whose answer is large, and its socket."""
    bench = Bench(engine)
    labels = {bench.label: "true"} | {f"supervisor.filler{k}": FILLER for k in range(LABELS)}
    ids = [engine.api.call("POST", "/containers/create", {"Image": engine.image(), "Labels": labels},
                           query={"name": f"talked-about-{i}"})["Id"] for i in range(COUNT)]  # made, not started: told as well
    try:
        daemon = bench.daemon()
        daemon.wait("first look", 20, containers=str(COUNT))
        yield bench, daemon, str(bench.state / "supervisor.sock")
    finally:
        bench.close()
        for one in ids:
            engine.api.remove(one)


def client(path):
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)  # without a limit: with one, a full queue would be an error
    one.settimeout(10)
    return one


def answers(bench):
    """`status` works, and soon by the daemon's own word; one that finds the place full looks for itself."""
    def by_the_daemon():
        done = bench.supervisor("status", "--json")
        assert done.code == 0 and done.out.count(FILLER) == COUNT * LABELS, done
        return '"engine":' in done.out  # only the daemon says which engine it follows
    wait.until(by_the_daemon, SOON, "status by the daemon's word")


def ends_at_once(daemon):
    code, took = daemon.end()
    assert code == 0 and took < AT_ONCE, f"{took:.2f} s\n{daemon.text()}"
    assert daemon.foreign == [], "".join(daemon.foreign)  # what a sanitizer would say


def test_many_that_never_read(place):
    bench, daemon, path = place
    with contextlib.ExitStack() as ends:
        for _ in range(100):
            ends.enter_context(contextlib.closing(client(path)))
        for _ in range(3):
            answers(bench)
        ends_at_once(daemon)


def test_who_does_not_read_is_closed(place):
    _, daemon, path = place
    with contextlib.closing(client(path)) as one:
        time.sleep(STILL + 1.5)  # by then it is closed
        got = 0
        while piece := one.recv(1 << 20):
            got += len(piece)
        assert 0 < got < LARGE
    ends_at_once(daemon)


def test_garbage_half_closed_and_gone(place):
    bench, daemon, path = place
    with contextlib.closing(client(path)) as half, contextlib.closing(client(path)) as garbage:
        half.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            garbage.sendall(b"\0GET / HTTP/1.1\r\n\r\n" * 1000)
        text = b""
        while piece := half.recv(1 << 20):  # at once: one that has not read for a while gives way where the place is full
            text += piece
        assert text.endswith(b"}\n")
        for _ in range(50):
            client(path).close()
        answers(bench)
    ends_at_once(daemon)


def test_some_that_read_slowly_while_it_ends(place):
    _, daemon, path = place
    leaving = threading.Event()

    def slowly():
        with contextlib.suppress(OSError), contextlib.closing(client(path)) as one:
            while not leaving.wait(0.01) and one.recv(512):
                pass
    threads = [threading.Thread(target=slowly, daemon=True) for _ in range(10)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    ends_at_once(daemon)
    leaving.set()
    for thread in threads:
        thread.join(5)
