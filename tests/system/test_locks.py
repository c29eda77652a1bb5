"""Nobody without rights can hold a lock that healing waits for, and a lock that is taken away is noticed."""

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import memory
from bench import QUICK, Bench, in_time, outlive_grace
from sizes import MIB

SETTINGS = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M"}
LEAK, SHARED = 120 * MIB, pathlib.Path("/run/supervisor/locks")

HOLDER = """
import fcntl, os, sys, time
held = []
for path in sys.argv[1:]:
    for flags in (os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT):
        try:
            fd = os.open(path, flags, 0o666)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append(path)
            break
        except OSError:
            pass
print(*held, flush=True)
time.sleep(600)
"""


@pytest.fixture
def bench(engine, built):
    one = Bench(engine, SETTINGS)
    try:
        yield one
    finally:
        one.close()


@contextlib.contextmanager
def held_by_nobody(*paths):
    """A process of uid 65534 without capabilities holds what it can of these; gives what that is."""
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all",
               "--inh-caps=-all", sys.executable, "-c", HOLDER, *map(str, paths)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield [pathlib.Path(path) for path in child.stdout.readline().split()]
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()


def test_who_holds_the_cgroup_without_rights_keeps_nobody_away(bench):
    one = bench.ollama("held")
    daemon = bench.daemon(one)
    outlive_grace()
    cgroup, started = memory.directory(one.id), one.started_at()
    with held_by_nobody(cgroup, SHARED, SHARED / f"{one.id}.lock", bench.state, bench.state / f"locks/{one.id}.lock") as held:
        assert cgroup in held, "the attack itself is no longer possible: another test is needed"
        assert not [path for path in held if path.suffix == ".lock"], held
        leaked = one.leak(LEAK)
        daemon.wait("healed", in_time() + 15, container=one.name, after=leaked)
    assert one.stop_signals() == 1 and one.started_at() != started, daemon.text()
    assert not daemon.find("locks not shared"), daemon.text()
    assert not (SHARED / f"{one.id}.lock").exists(), "it went with its lock"


def test_who_may_hold_it_keeps_others_away(bench):
    """Root's own processes, such as a supervisor with another state directory."""
    one = bench.ollama("anothers")
    daemon = bench.daemon(one)
    outlive_grace()
    with open(SHARED / f"{one.id}.lock", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        leaked = one.leak(LEAK)
        daemon.wait("locked by another supervisor", in_time() + 10, container=one.name)
        time.sleep(2)
        assert one.stop_signals() == 0, daemon.text()
    daemon.wait("healed", in_time() + 20, container=one.name, after=leaked)
    assert one.stop_signals() == 1


def test_a_place_that_others_can_write_is_not_believed(bench):
    """Seen by this daemon alone: in a mount namespace of its own, /run/supervisor is everybody's."""
    one = bench.ollama("unbelieved")
    open_to_all = "mount -t tmpfs -o mode=1777 none /run/supervisor && exec \"$@\""
    daemon = bench.daemon(one, wrapper=("unshare", "--mount", "sh", "-c", open_to_all, "sh"))
    line = daemon.wait("locks not shared", 10)
    assert "can be written by others" in line["why"], line
    outlive_grace()
    leaked = one.leak(LEAK)
    daemon.wait("healed", in_time() + 15, container=one.name, after=leaked)
    assert len(daemon.find("locks not shared")) == 1, daemon.text()
    assert one.stop_signals() == 1
