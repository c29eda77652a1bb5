"""What was done about a model counts, whoever did it: for the next supervisor, and for a container that is made anew."""

import os
import signal
import time

import wait
from bench import BUSY, PACE, outlive_grace

STUCK, REST = PACE * 3.0, PACE * 4.0
WITHIN = BUSY + STUCK + (20.0 if PACE == 1 else 90.0)


def made(bench):
    return bench.ollama("hanging", models="big=100M:8M", labels={"supervisor.leak.hung_hold": f"{STUCK:g}s"})


def hang(one, daemon, remedy):
    """Its runner is stopped in the middle of an answer whose client waits; what is told of it, and done."""
    one.generate("big")
    time.sleep(REST)  # seen: work after it is a new request's
    with one.streaming("big") as lines:
        wait.until(lambda: len(lines) > 3 * 50, 20 * PACE, "some seconds of an answer")
        (runner,), began = one.runners(), time.monotonic()
        os.kill(runner, signal.SIGSTOP)
        told = daemon.wait("verdict raised", WITHIN, began, container="hanging", verdict="hung-runner")
        assert (told["remedy"], int(told["pid"])) == (remedy, runner), daemon.text()
        if remedy == "kill-runner":
            daemon.wait("healed", 15 * PACE, began, container="hanging", step="kill")
        else:
            time.sleep(2 * BUSY)
        assert (runner in one.runners()) == (remedy == "none")
    return told


def test_three_in_an_hour_outlive_the_daemon_and_the_container(bench):
    one = made(bench)
    outlive_grace()
    daemon = bench.daemon(one)
    hang(one, daemon, "kill-runner")
    hang(one, daemon, "kill-runner")
    daemon.end(signal.SIGKILL)
    daemon = bench.daemon(one)
    hang(one, daemon, "kill-runner")
    one.remove()
    bench.containers.remove(one)
    one, began = made(bench), time.monotonic()
    daemon.wait("supervising", 10, container="hanging")
    outlive_grace()
    assert "as many as may have gone so in an hour" in hang(one, daemon, "none")["why"]
    assert not daemon.find("acting", began, container="hanging")
