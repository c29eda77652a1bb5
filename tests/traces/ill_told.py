"""Recorded traces with something wrong, second part: what is mostly told.

The docstring of each is kept in its file."""

import socket
import time

from ollama import PORT
from sizes import GIB, MIB
from ward import SMALL, now, recorded

HOLD, MORE = 60, 12  # MORE: two samples, a poll, and time to see it stand
CHECK = {"Test": ["CMD", "curl", "-f", "http://localhost:11434"], "Interval": 10**9, "Timeout": 10**9, "Retries": 1}


def hangs(t, seconds=HOLD + MORE + 5):
    t.rest(10)
    t.box.set(hang=1)
    with t.true("unreachable"):
        t.did("the server hangs")
        t.rest(seconds)


@recorded(20, 90)
def unreachable_hangs(t):
    """The server accepts and never answers."""
    with t.true("no-limit", t.began):
        hangs(t)


@recorded(20, 90, memory_limit=512 * MIB)
def unreachable_port_closed(t):
    """Nobody listens any more."""
    t.rest(10)
    t.box.set(refuse=1)
    with t.true("unreachable"):
        t.rest(HOLD + MORE)


@recorded(130, 130, models="big=100M", memory_limit=512 * MIB)
def unreachable_with_a_model_and_a_client(t):
    """It hangs while a model is loaded and somebody waits; then it answers again."""
    t.load()
    with socket.create_connection((t.box.address, PORT), 5):
        hangs(t)
    t.box.set(hang=0)
    t.did("it answers again")
    t.rest(25)


@recorded(20, 390, version="0.24", memory_limit=512 * MIB)
def unreachable_until_it_may_be_restarted(t):
    """For more than five minutes, and nothing happens in it."""
    hangs(t, 340)


@recorded(330, 60, models="big=300M", memory_limit=1 * GIB)
def ghost_model(t):
    """Its runner was killed; it stays listed until the next request."""
    t.load()
    t.rest(10)
    t.did("kill -9 of its runner")
    t.box.ghost("big")
    with t.true("ghost-model"):
        t.rest(22)
    t.did("the next request")
    t.ask("x")
    t.rest(15)


@recorded(190, 60, version="0.24", models="big=100M,other=50M", memory_limit=1 * GIB)
def ghost_model_beside_a_live_one(t):
    """Of two models one is a ghost."""
    t.load()
    t.load("other")
    t.rest(5)
    t.did("kill -9 of big's runner")
    t.box.ghost("big")
    with t.true("ghost-model"):
        t.rest(30)


def too_big(t):
    t.rest(8)
    before = t.box.engine.api.inspect(t.box.id)["State"]["StartedAt"]
    t.did("load big, which does not fit")
    begin = now()
    status, _ = t.box.request("POST", "/api/generate", {"model": "big"})
    assert status == 500 and t.box.started_at() == before
    with t.true("oom-kill", begin, hold=max(0.0, now() - begin)):  # the kill came before the answer
        t.rest(20)


@recorded(210, 40, models="big=600M", memory_limit=200 * MIB)
def oom_kill_600m_in_200m(t):
    """A model of three times the limit; the kernel kills its runner."""
    too_big(t)


@recorded(600, 40, version="0.24", models="big=700M", memory_limit=600 * MIB)
def oom_kill_700m_in_600m_old_version(t):
    """A model that is a little too big."""
    too_big(t)


@recorded(320, 85, memory_limit=1 * GIB)
def held_elsewhere_by_a_foreign_process(t):
    """`docker exec` work holds 300 MiB."""
    t.rest(5)
    t.did("a foreign process holds 300 MiB")
    t.box.foreign(300 * MIB, 200)
    with t.true("held-elsewhere"):
        t.rest(HOLD + MORE)


@recorded(220, 85, memory_limit=512 * MIB, tmpfs={"/ram": "size=300m"})
def held_elsewhere_in_a_tmpfs(t):
    """A file of 200 MiB in a tmpfs."""
    t.rest(5)
    t.did("a file of 200 MiB is written to a tmpfs")
    t.box.fill("/ram/file", 200 * MIB)
    with t.true("held-elsewhere"):
        t.rest(HOLD + MORE)


@recorded(260, 55, models="big=100M,other=150M", memory_limit=1 * GIB,
          labels=SMALL | {"supervisor.memory.max_model_memory": "200m"})
def over_budget(t):
    """Two models where one may be."""
    t.load()
    t.rest(15)
    t.load("other")
    with t.true("over-budget"):
        t.rest(20)
    t.unload()
    t.rest(10)


@recorded(260, 60, models="big=100M,other=150M", memory_limit=1 * GIB, labels=SMALL | {"supervisor.single": "on"})
def too_many_models(t):
    """models.single, and two are loaded."""
    t.load()
    t.rest(10)
    t.load("other")
    with t.true("too-many-models"):
        t.rest(25)
    t.unload()
    t.rest(10)


@recorded(330, 45, models="big=300M", memory_limit=1 * GIB,
          labels=SMALL | {"supervisor.max_parameters": "1M", "supervisor.small_model": "1m"})
def oversize_model(t):
    """More parameters than are allowed."""
    t.rest(5)
    t.load()
    with t.true("oversize-model"):
        t.rest(20)
    t.unload()
    t.rest(10)


@recorded(230, 120, models="big=200M", memory_limit=512 * MIB, labels=SMALL | {"supervisor.idle_unload": "30s"})
def idle_model(t):
    """Nobody uses a loaded model for longer than is wanted, twice."""
    t.rest(5)
    t.load(keep_alive="24h")
    with t.true("idle-model"):
        t.rest(45)
    t.ask("hello", tokens=20)
    with t.true("idle-model"):
        t.rest(45)
    t.unload()
    t.rest(10)


@recorded(110, 80, models="big=80M", version="0.24", memory_limit=512 * MIB,
          labels=SMALL | {"supervisor.idle_unload": "15s", "supervisor.leak.connected_hold": "40s"})
def idle_model_of_a_client_that_asks_nothing(t):
    """A client stays connected, and asks for nothing: it has its own patience."""
    t.load(keep_alive="24h")
    begin = now()
    with socket.create_connection((t.box.address, PORT), 5), t.true("idle-model", begin, hold=40):
        t.rest(60)
    t.unload()
    t.rest(10)


@recorded(20, 20, memory_limit=512 * MIB, labels=SMALL | {"supervisor.memory": "1g"})
def limit_drift_from_the_start(t):
    """Another limit is wanted than it was made with."""
    with t.true("limit-drift"):
        t.rest(15)


@recorded(20, 35, memory_limit=512 * MIB, labels=SMALL | {"supervisor.memory": "512m"})
def limit_drift_by_hand(t):
    """Somebody takes the wanted limit away."""
    t.rest(12)
    t.did("docker update --memory 768m")
    t.box.engine.api.call("POST", f"/containers/{t.box.id}/update", {"Memory": 768 * MIB, "MemorySwap": 768 * MIB})
    with t.true("limit-drift"):
        t.rest(15)


@recorded(20, 20, memory_limit=512 * MIB, labels=SMALL | {"supervisor.memory.high": "400m"})
def high_drift_on_cgroup_v1(t):
    """A memory.high is wanted; this kernel's cgroups may have none."""
    with t.true("high-drift"):
        t.rest(15)


@recorded(20, 85, memory_limit=512 * MIB, healthcheck=CHECK)
def broken_healthcheck(t):
    """The check's program is not in the image. The engine tells when it has given up on it."""
    while t.box.inspect()["State"]["Health"]["Status"] != "unhealthy":
        time.sleep(0.2)
    with t.true("broken-healthcheck"):
        t.rest(75)
