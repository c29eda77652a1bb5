"""The database goes bad while the daemon runs: told, seen by `supervisor health`, mended in place; what was to be done is
done, once. And a database or a disk that hangs stalls no look."""

import contextlib
import fcntl
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import faults
import intents
import program
import wait
from bench import QUICK, in_time, outlive_grace
from making import small_disk
from sizes import MIB

SETTINGS = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M"}
LEAK = 120 * MIB
SEEN = 5 + 3  # seconds until it is found where nobody uses it: the guard looks every 5


@contextlib.contextmanager
def standing_still(bench):
    """What is done to several files is one step to the daemons: one that looks in between finds two faults, and puts new
    files where the second step comes."""
    for daemon in bench.daemons:
        daemon.send(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{daemon.process.pid}/task")
        wait.until(lambda: all(task.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks.iterdir()), 10,
                   "all its threads stand still")
    try:
        yield
    finally:
        for daemon in bench.daemons:
            daemon.send(signal.SIGCONT)


def corrupt(bench):
    with standing_still(bench):
        faults.corrupt(bench.state)


def removed(bench):
    with standing_still(bench):
        faults.move_away(bench.state)


def directory_removed(bench):
    bench.state.rename(bench.directory / "away")


def replaced(bench):
    """By a fresh one, as a restored backup is."""
    other = bench.directory / "other"
    assert program.run("--state", other, "release", "nobody").code == 0
    (other / "supervisor.db").rename(bench.state / "supervisor.db")


def log_removed(bench):
    (bench.state / "supervisor.db-wal").unlink()


FAULTS = [corrupt, removed, directory_removed, replaced, log_removed]


def health(bench):
    return program.run("--state", bench.state, "health")


def red_then_green(bench, daemon):
    """Both are seen, and each is told once."""
    def red():
        outcome = health(bench)
        return outcome if outcome.code == 1 else None
    outcome = wait.until(red, SEEN, lambda: daemon.text(), every=0.1)
    assert len(outcome.err.splitlines()) == 1, outcome
    wait.until(lambda: health(bench).code == 0, 20, lambda: f"{health(bench)}\n{daemon.text()}", every=0.2)
    assert len(daemon.find("nothing can be remembered")) == len(daemon.find("remembered again")) == 1, daemon.text()
    return outcome


def healed_once(one, daemon, leaked, started):
    daemon.wait("healed", in_time() + 25, container=one.name, after=leaked)
    time.sleep(in_time())
    assert one.stop_signals() == 1 and one.starts() == 2 and one.started_at() != started, daemon.text()
    assert daemon.alive()


@pytest.mark.parametrize("fault", FAULTS)
def test_mended_and_the_next_leak_is_healed_once(bench, fault):
    one = bench.ollama("mended")
    daemon = bench.daemon(one)
    outlive_grace()
    wait.until(lambda: health(bench).code == 0, 10, lambda: health(bench))
    time.sleep(1)  # the database takes its room
    fault(bench)
    outcome = red_then_green(bench, daemon)
    if fault is not directory_removed:  # there its file is away as well
        assert "does nothing that must be remembered" in outcome.err, outcome
    alerts = [line["why"] for line in daemon.find("CRITICAL ALERT")]
    assert len(alerts) == (0 if fault is log_removed else 1), daemon.text()
    assert all(("set aside" if fault is corrupt else "removed or replaced") in why for why in alerts), alerts
    started = one.started_at()
    healed_once(one, daemon, one.leak(LEAK), started)
    assert [row["state"] for row in intents.rows(bench.state, "restart")] == [intents.DONE]


@pytest.mark.parametrize("fault", [corrupt, removed])
def test_a_remedy_under_way_ends(bench, fault):
    """Its intent is known in the database that is begun anew, and ended there."""
    one = bench.ollama("under-way", env={"SIMOLLAMA_STOP_DELAY_MS": 3000})
    daemon = bench.daemon(one)
    outlive_grace()
    started = one.started_at()
    leaked = one.leak(LEAK)
    daemon.wait("acting", in_time() + 10, container=one.name)
    fault(bench)
    healed_once(one, daemon, leaked, started)
    wait.until(lambda: health(bench).code == 0, 20, lambda: health(bench))
    assert [row["state"] for row in intents.rows(bench.state)] == [intents.DONE], daemon.text()
    second = bench.daemon(one, state=bench.directory / "another")
    second.end()
    assert one.starts() == 2


def test_read_only_and_writable_again(bench):
    one = bench.ollama("read-only")
    daemon = bench.daemon(one)
    outlive_grace()
    wait.until(lambda: health(bench).code == 0, 10, lambda: health(bench))
    mount = ["mount", "--bind", bench.state, bench.state]
    subprocess.run(mount, check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", bench.state], check=True)
        wait.until(lambda: health(bench).code == 1, SEEN, lambda: daemon.text())
        assert "Read-only" in health(bench).err
        one.leak(LEAK)
        daemon.wait("verdict raised", in_time() + 10, container=one.name, verdict="idle-leak")
        time.sleep(1)
        assert one.stop_signals() == 0, daemon.text()
    finally:
        subprocess.run(["umount", bench.state], check=True)
    wait.until(lambda: health(bench).code == 0, 20, lambda: health(bench))
    daemon.wait("healed", in_time() + 25, container=one.name)
    assert one.stop_signals() == 1 and one.starts() == 2, daemon.text()
    assert len(daemon.find("nothing can be remembered")) == 1, daemon.text()


@contextlib.contextmanager
def nobody_can_read(state):
    """Another process holds all of SQLite's locks on readers and writers (https://www.sqlite.org/walformat.html, "WAL locks")."""
    with open(f"{state}/supervisor.db-shm", "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 8, 120)
        yield


def asked(state):
    """Seconds until the daemon's loop has answered on its socket, which it does with a look."""
    begun = time.monotonic()
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        one.connect(f"{state}/supervisor.sock")
        while one.recv(65536):
            pass
    return time.monotonic() - begun


def test_looks_go_on_while_another_process_holds_the_database(bench):
    """Containers are found meanwhile: what is remembered of them waits to be read, and no look waits for that."""
    first = bench.ollama("first")
    daemon = bench.daemon(first)
    outlive_grace()
    took = []
    with nobody_can_read(bench.state):
        bench.ollama("met")
        daemon.wait("supervising", 10, container="met")
        end = time.monotonic() + 4
        while time.monotonic() < end:
            took.append(asked(bench.state))
            time.sleep(0.1)
    assert max(took) < 1.5, f"a look waited {max(took):.1f} s: {took}"  # each read waits 2 s until it gives up
    leaked = first.leak(LEAK)
    daemon.wait("healed", in_time() + 20, container=first.name, after=leaked)
    assert first.stop_signals() == 1 and not daemon.find("CRITICAL ALERT"), daemon.text()


@contextlib.contextmanager
def frozen(mount):
    """Whoever writes to that file system, or makes or removes a file there, waits."""
    subprocess.run(["fsfreeze", "--freeze", mount], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", mount], check=True)


def test_looks_go_on_while_the_disk_hangs(bench):
    """The database, the locks and the heartbeat lie on it; a remedy that is due then waits for it, and nothing else does."""
    with small_disk(bench.directory) as mount:
        bench.state = mount / "state"
        one = bench.ollama("waits")
        daemon = bench.daemon(one)
        outlive_grace()
        took = []
        with frozen(mount):
            leaked = one.leak(LEAK)
            end = time.monotonic() + in_time() + 8  # a beat and a guard's look fall into it
            while time.monotonic() < end:
                took.append(asked(bench.state))
                time.sleep(0.1)
            assert one.stop_signals() == 0, daemon.text()
        assert max(took) < 1.5, f"a look waited {max(took):.1f} s: {took}"
        assert daemon.find("verdict raised", container="waits", after=leaked), daemon.text()
        daemon.wait("healed", in_time() + 25, container="waits", after=leaked)
        assert one.stop_signals() == 1 and one.starts() == 2, daemon.text()
        daemon.end()
