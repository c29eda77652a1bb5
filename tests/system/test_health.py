"""`supervisor health`: what a HEALTHCHECK is told, in every state of a daemon and of its directory."""

import json
import shutil
import signal
import subprocess
import time

import pytest

import program
import wait

BOUND = 15  # seconds: three beats of 5 s, the interval being shorter


def health(bench, *arguments, **settings):
    return bench.supervisor("health", *arguments, **settings)


def healthy(bench, daemon):
    """Waits for its first look to be told, and gives the outcome."""
    def told():
        outcome = health(bench)
        return outcome if outcome.code == 0 else None
    outcome = wait.until(told, 10, lambda: f"{health(bench)}\n{daemon.text()}")
    assert f"(pid {daemon.process.pid})" in outcome.out and outcome.err == "", outcome
    assert len(outcome.out.splitlines()) == 1, outcome
    return outcome


def unhealthy(outcome, *words):
    assert outcome.code == 1 and outcome.out == "", outcome
    assert len(outcome.err.splitlines()) == 1 and outcome.err.startswith("supervisor: "), outcome
    for word in words:
        assert word in outcome.err, outcome
    return outcome


def test_nobody_has_run_here(bench, tmp_path):
    unhealthy(health(bench), "no supervisor runs", str(bench.state))
    bench.state.mkdir()
    unhealthy(health(bench), "no supervisor has run", str(bench.state))
    (tmp_path / "file").write_text("")
    unhealthy(program.run("--state", tmp_path / "file", "health"), str(tmp_path / "file"))


def test_a_daemon_that_looks_is_healthy_and_it_is_cheap(bench):
    daemon = bench.daemon()
    healthy(bench, daemon)
    told = json.loads(health(bench, "--json").out)
    assert told["healthy"] is True and told["pid"] == daemon.process.pid and told["bound_s"] == BOUND
    assert 0 <= told["looked_ago_s"] < 7 and "why" not in told
    took = sorted(health(bench).took for _ in range(9))
    assert took[0] < 0.02 or program.sanitized(), f"the fastest of nine took {took[0]:.3f} s"
    time.sleep(8)  # longer than a beat: it is written anew
    assert json.loads(health(bench, "--json").out)["looked_ago_s"] < 7


def test_neither_engine_nor_path_is_needed(bench):
    daemon = bench.daemon()
    healthy(bench, daemon)
    outcome = program.run("--state", bench.state, "--host", "unix:///nonexistent.sock", "health",
                          env={"PATH": "/nonexistent"})
    assert outcome.code == 0, outcome


def test_killed_it_is_not_healthy_and_the_next_one_is(bench):
    daemon = bench.daemon()
    healthy(bench, daemon)
    daemon.end(signal.SIGKILL)
    unhealthy(health(bench), "no supervisor runs", f"(pid {daemon.process.pid}) died")
    told = health(bench, "--json")
    assert told.code == 1 and json.loads(told.out)["healthy"] is False and "died" in json.loads(told.out)["why"]
    again = bench.daemon()
    healthy(bench, again)
    again.end()
    unhealthy(health(bench), "no supervisor runs", f"(pid {again.process.pid}) was ended")


def test_one_that_hangs_is_found_out(bench):
    daemon = bench.daemon()
    healthy(bench, daemon)
    daemon.send(signal.SIGSTOP)
    try:
        start = time.monotonic()

        def stale():
            outcome = health(bench)
            return outcome if outcome.code == 1 else None
        outcome = wait.until(stale, BOUND + 3, lambda: health(bench), every=0.5)
        unhealthy(outcome, f"(pid {daemon.process.pid}) hangs", "it looks every")
        assert time.monotonic() - start > BOUND - 8, "it was called dead before its time"
    finally:
        daemon.send(signal.SIGCONT)
    healthy(bench, daemon)


def test_an_engine_that_never_answered_is_said(bench):
    daemon = program.Daemon([*bench.options(), "--host", f"unix://{bench.directory}/none.sock"])
    bench.daemons.append(daemon)
    daemon.wait("started", 10)
    unhealthy(health(bench), f"(pid {daemon.process.pid})", "has not looked yet", "engine")


@pytest.fixture
def small_disk(bench):
    """The state directory on a file system of its own."""
    bench.directory.joinpath("disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", bench.directory / "disk"], check=True)
    bench.state = bench.directory / "disk/state"
    yield bench.directory / "disk"
    for daemon in bench.daemons:
        if daemon.alive():
            daemon.end(signal.SIGKILL)
    subprocess.run(["umount", "-l", bench.directory / "disk"], check=True)


def fill(disk):
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass


def test_a_full_disk_does_not_make_it_ill(bench, small_disk):
    daemon = bench.daemon()
    healthy(bench, daemon)
    time.sleep(1)  # the database takes its room
    fill(small_disk)
    assert shutil.disk_usage(small_disk).free < 4096
    time.sleep(BOUND + 2)
    healthy(bench, daemon)
    assert not daemon.find("heartbeat not written"), daemon.text()
    daemon.end(signal.SIGKILL)
    unhealthy(health(bench), "died")


def test_a_directory_that_can_only_be_read(bench, small_disk):
    daemon = bench.daemon()
    healthy(bench, daemon)
    daemon.end()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    unhealthy(health(bench), "was ended")


def test_without_its_file_the_daemon_answers_for_itself(bench):
    daemon = bench.daemon()
    healthy(bench, daemon)
    (bench.state / "heartbeat").unlink()
    outcome = health(bench)
    assert outcome.code == 0 and outcome.out.startswith("healthy: the supervisor looked"), outcome
    daemon.end()
    unhealthy(health(bench), "no supervisor has run")
