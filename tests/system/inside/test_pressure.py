"""The host's pressure with its real thresholds: here the machine itself may be filled. Runs in the emulated machine
(tests/system/guest.py)."""

import contextlib
import subprocess
import time

import wait
from bench import QUICK, Bench
from sizes import MIB

SOON = 60  # seconds, emulated and short of memory
# As they are built in: the bench of all other tests puts them out of reach.
REAL = {"pressure.action_warn": "80%", "pressure.action_optimize": "90%", "pressure.action_unload": "95%",
        "pressure.action_kill_switch": "98%"}
STEP = 64 * MIB


def memory_of_host():
    with open("/proc/meminfo", encoding="ascii") as file:
        values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}
    return values["MemTotal"], values["MemAvailable"]


def in_use():
    total, available = memory_of_host()
    return 100 * (total - available) / total


def kills():
    """Processes that the kernel killed for want of memory, in this machine."""
    with open("/proc/vmstat", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("oom_kill "))


def fill(one, percent, least=4 * MIB):
    """The container leaks until so much of the machine's memory is in use."""
    end = time.monotonic() + 3 * SOON
    while in_use() < percent:
        assert time.monotonic() < end, f"{in_use():.1f} % in use after {3 * SOON} s"
        total, available = memory_of_host()
        missing = available - int(total * (100 - percent) / 100)
        one.sim("leak", {"bytes": max(least, min(STEP, missing))}, timeout=SOON)


@contextlib.contextmanager
def no_swap():
    """With it the machine would only become slow."""
    device = open("/proc/swaps", encoding="ascii").readlines()[1].split()[0]
    subprocess.run(["swapoff", device], check=True)
    try:
        yield
    finally:
        subprocess.run(["swapon", device], check=True)


def steps(daemon):
    return [(r["container"], r["step"]) for r in daemon.find("acting")]


def test_machine_that_fills_up_loses_a_container_and_nothing_else(engine, built):
    bench = Bench(engine, QUICK | REAL | {"remedy.stop_grace": "20s", "leak.hold": "10m"})
    try:
        with no_swap():
            leaky = bench.ollama("leaky", restart="always")
            models = bench.ollama("models", models="idle=400M:0,kept=300M:0", labels={"supervisor.pin": "kept"})
            plain = bench.ollama("plain")
            assert in_use() < 60, f"the machine is full before the test: {in_use():.1f} %"
            models.load("idle")
            models.load("kept")
            before, killed = {one: (one.started_at(), one.pid()) for one in (models, plain)}, kills()
            daemon = bench.daemon(leaky, models, plain)
            time.sleep(8)  # whether a model is idle is known after five seconds

            fill(leaky, 82)
            told = daemon.wait("verdict raised", SOON, verdict="host-pressure")
            assert told["severity"] == "warning" and 80 <= float(told["in_use"]) < 90 and int(told["models"]) == 1
            time.sleep(5)
            assert steps(daemon) == [], "something was done below 90 %"

            fill(leaky, 91)
            healed = daemon.wait("healed", SOON, container="models", step="unload")
            assert healed["model"].startswith("idle") and int(healed["before"]) - int(healed["after"]) > 300 * MIB
            assert models.loaded() == ["kept"] and steps(daemon) == [("models", "unload")]
            assert in_use() < 90, "what came back did not show"

            fill(leaky, 95.5)
            daemon.wait("verdict raised", SOON, verdict="host-pressure", severity="critical")
            wait.until(lambda: models.loaded() == [], SOON, lambda: f"the pinned one goes, too\n{daemon.text()}")
            assert steps(daemon) == [("models", "unload")] * 2, daemon.text()

            fill(leaky, 98.2)
            stopped = daemon.wait("CRITICAL ALERT", SOON, container="leaky", step="stop")
            assert "docker start leaky" in stopped["why"]
            assert steps(daemon) == [("models", "unload")] * 2 + [("leaky", "stop")]
            wait.until(lambda: in_use() < 60, SOON, lambda: f"the memory comes back: {in_use():.1f} %")
            state = leaky.inspect()["State"]
            assert state["Status"] == "exited" and not state["OOMKilled"] and leaky.stop_signals() == 1, state
            assert kills() == killed, "the kernel killed somebody"
            daemon.wait("verdict cleared", SOON, verdict="host-pressure")
            assert {one: (one.started_at(), one.pid()) for one in before} == before
            assert "docker start leaky" in " ".join(bench.supervisor("status", timeout=120).out.split())
            time.sleep(5)
            assert leaky.inspect()["State"]["Status"] == "exited", "somebody started it again"
    finally:
        bench.close()
