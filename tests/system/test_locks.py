"""Nobody without rights can hold a lock that healing waits for, and a lock that is taken away is noticed."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import memory
import program
import wait
from bench import QUICK, in_time, outlive_grace
from making import Making, trial
from sizes import GIB, MIB

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


@contextlib.contextmanager
def held_by_root(name):
    """As by a supervisor with another state directory."""
    with open(SHARED / f"{name}.lock", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_who_may_hold_it_keeps_others_away(bench):
    """Root's own processes, such as a supervisor with another state directory."""
    one = bench.ollama("anothers")
    daemon = bench.daemon(one)
    outlive_grace()
    with held_by_root(one.id):
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


def test_a_place_that_cannot_be_written_is_told(bench):
    """Read-only for this daemon alone: it has the lock of its own state directory, and says that this is all."""
    one = bench.ollama("unshared")
    read_only = "mount --bind /run/supervisor /run/supervisor && mount -o remount,bind,ro /run/supervisor && exec \"$@\""
    daemon = bench.daemon(one, wrapper=("unshare", "--mount", "sh", "-c", read_only, "sh"))
    line = daemon.wait("locks not shared", 10)
    assert "ead-only" in line["why"], line


def command(bench, *arguments):
    return subprocess.Popen([str(program.PROGRAM), *map(str, bench.options()), *arguments], env=program.environment(),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def waited_for(child, lock, seconds, untouched):
    """It waits as long as the lock is held, and ends well afterwards."""
    with lock:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert child.poll() is None and untouched(), child.communicate()
            time.sleep(0.2)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0, out + err
    return out


@pytest.mark.parametrize("arguments, seconds", [  # so long that it has come to the lock
    (["load", "second"], 4), (["unload", "first"], 4), (["fix-ollama"], 9), (["emergency-restart", "--yes"], 4), (["optimize", "--now"], 14)])
def test_commands_wait_for_those_with_another_state(bench, arguments, seconds):
    one = bench.ollama("shared", models="first=40M,second=40M", env={"OLLAMA_KEEP_ALIVE": "1h"})
    if arguments[0] == "fix-ollama":
        outlive_grace()
        one.leak(LEAK)
    else:
        one.load("first")
    started, loaded = one.started_at(), one.loaded()
    with contextlib.ExitStack() as lock:
        lock.enter_context(held_by_root(one.id))
        child = command(bench, *arguments)
        waited_for(child, lock, seconds, lambda: one.started_at() == started and one.loaded() == loaded)
    if arguments[0] in ("fix-ollama", "emergency-restart"):
        wait.until(lambda: one.started_at() != started, 5, "it was restarted")
        assert one.stop_signals() == 1
    else:
        assert one.loaded() != loaded


@pytest.mark.slow
def test_enforce_that_is_locked_out_has_failed(bench):
    one = bench.ollama("kept-from", labels={"supervisor.memory": "1g"}, memory_limit=2 * GIB)
    with held_by_root(one.id):
        done = bench.supervisor("enforce", "--json", timeout=120)
    rows = json.loads(done.out)
    assert done.code == 1 and [(row["container"], row["verdict"], row["result"]) for row in rows] == [
        ("kept-from", "limit-drift", "failed")], done
    assert "another supervisor" in rows[0]["text"] and memory.limit(one.id) == 2 * GIB, done


def engine_number(address):
    """FNV-1a, as supervisor/keep/locks.c has it."""
    number = 2166136261
    for byte in address.encode():
        number = (number ^ byte) * 16777619 % 2**32
    return number


def test_two_do_not_make_the_same_container(engine, built):
    making = Making(engine, trial())
    try:
        with held_by_root(f"name-trial-{engine_number(engine.url):08x}"):
            done = making.create("trial")
            assert done.code == 1 and "is being made by another supervisor" in done.err, done
            assert not making.there()
        assert making.create("trial").code == 0
        with held_by_root(making.inspect("trial")["Id"]):
            done = making.create("trial", "--replace")
            assert done.code == 1 and "is being worked on by another supervisor" in done.err, done
        assert making.inspect("trial")["State"]["Running"] and list(making.there()) == ["trial"]
    finally:
        making.close()
