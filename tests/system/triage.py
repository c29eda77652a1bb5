"""A ward of containers, each with an illness of its own, that fall ill side by side under one daemon.

An illness has what its container is made with, what is done to it before the daemon starts, and what makes it ill then.
Illnesses come in threads; `ward.ill[name].result()` is what came of it, or what went wrong."""

import contextlib
import functools
import time
import types
from concurrent.futures import ThreadPoolExecutor

import wait
from bench import BUSY, PACE, POLL, QUICK, Bench, outlive_grace
from sizes import GIB, MIB

STUCK, TOLD, RESTART, GROWTH = PACE * 3.0, PACE * 3.0, PACE * 8.0, PACE * 6.0
SETTINGS = QUICK | {"leak.stuck_hold": f"{STUCK:g}s", "leak.unreachable_hold": f"{TOLD:g}s",
                    "leak.unreachable_restart": f"{RESTART:g}s", "leak.growth_hold": f"{GROWTH:g}s", "leak.growth": "8m"}
SOON = 10.0 if PACE == 1 else 45.0
CHECK_NS = (1 if PACE == 1 else 8) * 10**9  # emulated, the engine takes seconds to find out that it cannot
NO_SHELL = {"Test": ["CMD", "curl", "-f", "http://localhost:11434"], "Interval": CHECK_NS, "Timeout": CHECK_NS, "Retries": 1}


def load(one):
    one.load("big")


def unhealthy(one):
    wait.until(lambda: one.inspect()["State"]["Health"]["Status"] == "unhealthy", 60, f"{one.name} is unhealthy")


def stick(ward, one):
    """An unload that never ends, beside another model; gives the other one's runner."""
    kept = one.runners()
    one.load("other")
    one.set(stuck_unload=1)
    one.post("/api/generate", {"model": "other", "keep_alive": 0})
    return kept


def hang(ward, one):
    began = time.monotonic()
    one.set(hang=1)
    return began


def too_big(ward, one):
    status, _ = one.request("POST", "/api/generate", {"model": "big"})
    assert status == 500


def distinct_prompts(ward, one, seconds=2 * GROWTH + 4, leaves="3m"):
    """One after the other, for as long as it takes until growth is seen."""
    one.set(cache_per_prompt=leaves)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        prompt = f"now is {time.monotonic()}"
        one.post("/api/generate", {"model": "big", "prompt": prompt, "stream": False, "options": {"num_predict": 1}})
        time.sleep(0.25 * PACE)


def busy_and_oversize(ward, one):
    with one.streaming("big"):
        raised(ward, one.name, "oversize-model", SOON + 2 * POLL)
        time.sleep(BUSY)
        assert one.loaded() == ["big"] and not ward.daemon.find("acting", container=one.name)


ILLNESSES = {  # name: (what it is made with, before the daemon, while it looks)
    "healthy": ({"models": "big=100M:8M"}, load, None),
    "stuck": ({"models": "big=100M:8M,other=50M:8M"}, load, stick),
    "hung": ({}, None, hang),
    "killed": ({"models": "big=600M:8M", "memory_limit": 200 * MIB}, None, too_big),
    "cache": ({"models": "big=100M:8M", "memory_limit": 2 * GIB}, load, distinct_prompts),
    "growing": ({"version": "0.24", "models": "big=100M:8M"}, load, functools.partial(distinct_prompts, leaves="512k")),
    "oversize": ({"models": "big=200M", "labels": {"supervisor.max_parameters": "1M", "supervisor.small_model": "1m"}},
                 None, busy_and_oversize),
    "over-budget": ({"models": "big=100M:8M", "labels": {"supervisor.memory.max_model_memory": "50m"}}, load, None),
    "healthcheck": ({"healthcheck": NO_SHELL}, unhealthy, None),
}


@contextlib.contextmanager
def ward(engine, illnesses, settings=None):
    """`bench`, `containers`, `started`, `pids` and `life` of the healthy one (before the daemon looked), `daemon`, `ill`, and
    `ends`, for what must last as long as the ward does."""
    with contextlib.ExitStack() as ends:
        bench = Bench(engine, SETTINGS | (settings or {}))
        ends.callback(bench.close)
        for version in ("0.33", "0.24"):
            engine.image(version)
        pool = ends.enter_context(ThreadPoolExecutor(2 * len(illnesses)))

        def admit(name):
            options, before, _ = illnesses[name]
            one = bench.ollama(name, **options)
            if before:
                before(one)
            return one
        few = ends.enter_context(ThreadPoolExecutor(3))
        containers = dict(zip(illnesses, few.map(admit, illnesses)))
        it = types.SimpleNamespace(bench=bench, containers=containers, ends=ends)
        it.started = {name: one.started_at() for name, one in containers.items()}
        it.pids = {name: one.pid() for name, one in containers.items()}
        it.life = containers["healthy"].life()
        it.daemon = bench.daemon(*containers.values())
        outlive_grace()
        it.ill = {name: pool.submit(functools.partial(ill, it, containers[name]))
                  for name, (_, _, ill) in illnesses.items() if ill}
        yield it


def raised(ward, name, verdict, within, **fields):
    return ward.daemon.wait("verdict raised", within, container=name, verdict=verdict, **fields)


def alive(ward, name):
    """Its server has been the same all the time."""
    one = ward.containers[name]
    assert one.started_at() == ward.started[name] and one.pid() == ward.pids[name] and one.stop_signals() == 0
    return one


def untouched(ward, name):
    """Nothing was done to it."""
    assert not ward.daemon.find("acting", container=name), ward.daemon.text()
    return alive(ward, name)
