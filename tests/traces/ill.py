"""Recorded traces with something wrong: memory that stays, loads and unloads that stick.

The docstring of each is kept in its file."""

import os
import signal
import socket
import time

from ollama import PORT
from sizes import GIB, MIB
from ward import SMALL, now, recorded

GRACE, HOLD, HUNG, MORE = 32, 60, 20, 12  # MORE: two samples, a poll, and time to see it stand
HEALTHY = {"Test": ["CMD", "/bin/ollama", "list"], "Interval": 2 * 10**9, "Timeout": 10**9, "Retries": 3}
QUICK_GROWTH = SMALL | {"supervisor.leak.growth_hold": "120s", "supervisor.leak.growth": "16m"}


def leaks(t, mib):
    t.rest(GRACE)
    t.leak(mib)
    with t.true("idle-leak"):
        t.rest(HOLD + MORE)


@recorded(360, 110, memory_limit=512 * MIB)
def idle_leak_300m_of_512m(t):
    """An idle server holds 300 MiB."""
    leaks(t, 300)


@recorded(210, 110, memory_limit=1 * GIB)
def idle_leak_150m_of_1g(t):
    """A small leak: a seventh of the limit."""
    leaks(t, 150)


@recorded(660, 110, memory_limit=640 * MIB)
def idle_leak_600m_of_640m(t):
    """Hardly anything is left below the limit."""
    leaks(t, 600)


@recorded(360, 110, version="0.24", memory_limit=512 * MIB)
def idle_leak_300m_old_version(t):
    """The same with a server of 0.24."""
    leaks(t, 300)


@recorded(1700, 115, labels={}, memory_limit=4 * GIB)
def idle_leak_1600m_of_4g_as_it_comes(t):
    """With no setting changed: 1.6 GiB where 1 GiB is worth a restart."""
    leaks(t, 1600)


@recorded(330, 150, memory_limit=1 * GIB)
def idle_leak_slow(t):
    """4 MiB every other second: wrong from the threshold on, and it goes on growing."""
    t.rest(GRACE)
    for _ in range(32):
        t.leak(4)
        t.rest(0.5)
    t.leak(6)  # what the baseline has been learned to be is less
    with t.true("idle-leak"):
        for _ in range(36):
            t.leak(4)
            t.rest(2)


@recorded(700, 150, models="big=300M", memory_limit=1 * GIB)
def idle_leak_by_requests(t):
    """Each answer leaks 20 MiB in the server; the model is unloaded, what was leaked stays."""
    t.rest(GRACE)
    t.box.set(leak_per_request="20m")
    for i in range(12):
        t.ask(f"prompt {i}")
        t.rest(0.5)
    t.unload()
    with t.true("idle-leak"):
        t.rest(HOLD + MORE)


@recorded(360, 720, memory_limit=512 * MIB)
def idle_leak_with_an_idle_client(t):
    """Somebody is connected and does nothing: it must hold for ten minutes."""
    t.rest(GRACE)
    with socket.create_connection((t.box.address, PORT), 5):
        t.did("a client connects and stays")
        t.leak(300)
        with t.true("idle-leak", hold=600):
            t.rest(600 + MORE)


@recorded(360, 110, memory_limit=1 * GIB)
def idle_leak_while_polled(t):
    """Somebody asks for the list of models every other second, as a dashboard does."""
    t.rest(GRACE)
    t.leak(300)
    with t.true("idle-leak"):
        for _ in range((HOLD + MORE) // 2):
            t.box.get("/api/ps")
            t.rest(2)


@recorded(360, 110, memory_limit=1 * GIB, healthcheck=HEALTHY)
def idle_leak_with_a_health_check(t):
    """The engine runs `ollama list` in it every other second."""
    leaks(t, 300)


@recorded(360, 190, memory_limit=512 * MIB)
def idle_leak_ended_by_a_restart(t):
    """It is restarted by hand after the verdict; the next life is well."""
    t.rest(GRACE)
    t.leak(300)
    with t.true("idle-leak"):
        t.rest(HOLD + MORE)
    t.did("restart")
    t.box.engine.api.call("POST", f"/containers/{t.box.id}/restart")
    t.box.wait_until_it_answers()
    t.rest(75)


@recorded(500, 230, memory_limit=1 * GIB)
def idle_leak_twice(t):
    """Ill, restarted, ill again: two lives, two verdicts."""
    for _ in range(2):
        t.rest(GRACE)
        t.leak(400)
        with t.true("idle-leak"):
            t.rest(HOLD + MORE)
        t.did("restart")
        t.box.engine.api.call("POST", f"/containers/{t.box.id}/restart")
        t.box.wait_until_it_answers()


def orphans(t, mib):
    t.rest(5)
    t.orphan(mib)
    with t.true("orphan-runner"):
        t.rest(HOLD + MORE)


@recorded(360, 80, memory_limit=512 * MIB)
def orphan_300m(t):
    """A runner that the server has forgotten."""
    orphans(t, 300)


@recorded(140, 80, version="0.24", memory_limit=2 * GIB)
def orphan_100m_old_version(t):
    """A small one of 0.24, in a large container."""
    orphans(t, 100)


@recorded(460, 90, models="big=100M", memory_limit=1 * GIB)
def orphan_beside_a_loaded_model(t):
    """Another model is loaded and answers now and then."""
    t.load()
    t.orphan(300)
    with t.true("orphan-runner"):
        for _ in range(9):
            t.rest(8)
            t.ask("the same prompt")


@recorded(360, 85, models="big=100M,other=150M", memory_limit=1 * GIB)
def stuck_stopping(t):
    """An unload is begun and never ends; another model stays as it is."""
    t.load()
    t.load("other")
    t.box.set(stuck_unload=1)
    t.did("unload other, which sticks")
    t.box.post("/api/generate", {"model": "other", "keep_alive": 0})
    with t.true("stuck-stopping"):
        t.rest(HOLD + MORE)


@recorded(360, 95, version="0.24", models="big=250M", memory_limit=512 * MIB)
def stuck_stopping_after_keep_alive(t):
    """The model's time runs out by itself, and it stays."""
    t.box.set(stuck_unload=1)
    t.load(keep_alive="8s")
    t.rest(8.5)
    with t.true("stuck-stopping"):
        t.rest(HOLD + MORE)


def hangs(t, seconds):
    """The runner stops in the middle of an answer; its client waits."""
    with t.box.streaming("big"):
        t.rest(seconds)
        (runner,) = t.box.runners()
        os.kill(runner, signal.SIGSTOP)
        t.did("SIGSTOP of the runner")
        with t.true("hung-runner", hold=HUNG):
            t.rest(HUNG + MORE)
        os.kill(runner, signal.SIGCONT)
        t.rest(5)


@recorded(120, 70, models="big=100M", labels=SMALL | {"supervisor.leak.hung_hold": f"{HUNG}s"}, memory_limit=512 * MIB)
def hung_runner(t):
    """A later request hangs."""
    t.load()
    t.rest(6)
    hangs(t, 4)


@recorded(120, 70, version="0.24", models="big=100M", labels=SMALL | {"supervisor.leak.hung_hold": f"{HUNG}s"}, memory_limit=512 * MIB)
def hung_runner_first_request(t):
    """The one that loads the model hangs."""
    hangs(t, 6)


def stalls(t, seconds):
    """A load stops half-way; its client waits."""
    t.rest(5)
    t.box.set(stall_load=1)
    connection = socket.create_connection((t.box.address, PORT), 5)
    body = b'{"model": "big"}'
    t.did("load big, which stalls")
    connection.sendall(b"POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    before, since = -1, now()
    while t.box.held() != before:  # until it stands still
        before, since = t.box.held(), now()
        time.sleep(1)
    with connection, t.true("stalled-load", since):
        t.rest(seconds)


@recorded(250, 90, models="big=400M", memory_limit=1 * GIB)
def stalled_load(t):
    """A load stops half-way; its client waits."""
    stalls(t, HOLD + MORE)


@recorded(120, 160, version="0.24", models="big=150M", memory_limit=1 * GIB)
def stalled_load_old_version_small(t):
    """A small model's, for longer."""
    stalls(t, 140)


def grows(t, seconds, levers, hold, pause=1.0):
    """From the load on."""
    t.load()
    t.box.set(**levers)
    with t.true("growth-leak", hold=hold):
        t.prompts(seconds, pause)


@recorded(420, 190, version="0.24", models="big=80M", memory_limit=1 * GIB, labels=QUICK_GROWTH)
def growth_leak_fast(t):
    """A runner of a version without a prompt cache: 2 MiB a prompt; two minutes are enough here."""
    grows(t, 160, {"cache_per_prompt": "2m"}, 120)


@recorded(380, 720, version="0.24", models="big=80M", memory_limit=1 * GIB)
def growth_leak_as_it_comes(t):
    """The same more slowly, with the ten minutes that are the default."""
    grows(t, 660, {"cache_per_prompt": "512k"}, 600, 1.5)


@recorded(420, 190, models="big=80M", memory_limit=1 * GIB, labels=QUICK_GROWTH)
def growth_leak_of_the_server(t):
    """The server grows by 1.5 MiB an answer while the same model is loaded."""
    grows(t, 160, {"leak_per_request": "1536k", "cache_per_prompt": "0"}, 120)


@recorded(520, 250, models="big=80M", memory_limit=1 * GIB, labels=QUICK_GROWTH, env={"LLAMA_ARG_CACHE_RAM": "16"})
def growth_leak_past_the_bound(t):
    """A runner of 0.33 grows past the bound of its prompt cache, 16 MiB."""
    t.box.set(cache_per_prompt="2m", cache_bound="2g")
    t.load()
    t.prompts(10)
    with t.true("growth-leak", hold=120):
        t.prompts(200)
