"""Recorded traces in which nothing is wrong.

What is true and only told (a prompt cache that fills, no limit) is written down."""

import socket
import subprocess

from ollama import PORT
from sizes import GIB, MIB
from ward import SMALL, now, recorded

PAST_HOLD = 75


@recorded(20, 110, memory_limit=512 * MIB)
def idle(t):
    """A server from its start on; nobody asks anything."""
    t.rest(105)


@recorded(220, 110, models="big=200M", memory_limit=512 * MIB, healthcheck={
    "Test": ["CMD", "/bin/ollama", "list"], "Interval": 2 * 10**9, "Timeout": 10**9, "Retries": 3})
def health_check_while_a_model_comes_and_goes(t):
    """The engine runs `ollama list` in it every other second."""
    t.rest(10)
    t.load()
    t.rest(20)
    t.unload()
    t.rest(PAST_HOLD)


@recorded(20, 50)
def idle_without_a_limit(t):
    """The same without a limit, which is told."""
    with t.true("no-limit"):
        t.rest(45)


@recorded(330, 110, models="big=300M", memory_limit=512 * MIB)
def load_and_unload(t):
    """A model comes and goes; page cache stays."""
    t.rest(15)
    t.load()
    t.rest(15)
    t.unload()
    t.rest(PAST_HOLD)


@recorded(230, 110, version="0.24", models="big=200M", memory_limit=512 * MIB)
def load_and_unload_again_and_again(t):
    """Eight times in a row, with an old version."""
    for _ in range(8):
        t.load()
        t.rest(5)
        t.unload()
        t.rest(7)


@recorded(1650, 120, models="big=1600M:200M", labels={}, memory_limit=4 * GIB)
def load_of_1600m_as_it_comes(t):
    """A full-sized model with no setting changed."""
    t.rest(5)
    t.load()
    t.rest(20)
    t.ask("hello", tokens=20)
    t.unload()
    t.rest(PAST_HOLD)


@recorded(430, 150, models="big=400M", memory_limit=1 * GIB)
def slow_load(t):
    """A load takes eighty seconds; nothing is listed meanwhile."""
    t.rest(10)
    t.box.set(load_ms=80000)
    t.load()
    t.rest(20)
    t.unload()
    t.rest(20)


@recorded(430, 150, models="big=400M", version="0.24", memory_limit=450 * MIB)
def slow_load_in_a_narrow_limit(t):
    """The same where the model nearly fills the limit, and there is no page cache left."""
    t.rest(10)
    t.box.set(load_ms=80000)
    t.load()
    t.rest(30)


@recorded(430, 90, models="big=300M", memory_limit=1 * GIB)
def context_changes(t):
    """A model is loaded anew for another context length, four times."""
    for context in (1024, 2048, 4096, 8192):
        t.load(options={"num_ctx": context})
        t.rest(12)
    t.unload()
    t.rest(20)


@recorded(420, 110, memory_limit=512 * MIB)
def page_cache(t):
    """A file of 400 MiB is written: page cache, in a container of 512 MiB."""
    t.rest(15)
    t.did("a file of 400 MiB is written")
    t.box.fill("/file", 400 * MIB)
    t.rest(PAST_HOLD)


@recorded(620, 110, models="big=100M:500M", memory_limit=768 * MIB)
def page_cache_of_weights(t):
    """The weights stay cached when the model has gone."""
    t.rest(10)
    t.load()
    t.rest(5)
    t.unload()
    t.rest(PAST_HOLD)


@recorded(420, 50, settings={"pressure.action_warn": "4", "pressure.action_optimize": "5"}, memory_limit=1 * GIB)
def page_cache_while_the_host_is_short(t):
    """Page cache that the host would like to have: told on cgroup v1. The host is short from 5 % on here."""
    with t.true("host-pressure"):
        t.rest(10)
        t.did("a file of 400 MiB is written")
        begin = now()
        t.box.fill("/file", 400 * MIB)
        with t.true("page-cache", begin, hold=max(2, now() - begin + 2)):
            t.rest(25)


@recorded(420, 250, models="big=80M", memory_limit=2 * GIB,
          labels=SMALL | {"supervisor.leak.growth_hold": "120s", "supervisor.leak.growth": "16m"})
def prompt_cache_fills(t):
    """Distinct prompts fill the prompt cache of 0.33: told, with the bound that would fit."""
    t.load()
    t.box.set(cache_per_prompt="2m")
    with t.true("prompt-cache", hold=120):
        t.prompts(160)
    t.did("no more prompts")
    t.unload()
    t.rest(15)


@recorded(200, 250, models="big=80M", memory_limit=1 * GIB, env={"LLAMA_ARG_CACHE_RAM": "24"},
          labels=SMALL | {"supervisor.leak.growth_hold": "120s", "supervisor.leak.growth": "16m"})
def prompt_cache_at_its_bound(t):
    """It is full after some seconds and stays so."""
    t.load()
    t.box.set(cache_per_prompt="4m")
    t.prompts(200)


@recorded(200, 260, models="big=80M", memory_limit=1 * GIB, version="0.24",
          labels=SMALL | {"supervisor.leak.growth_hold": "120s", "supervisor.leak.growth": "16m"})
def same_prompts(t):
    """Requests that need the same memory again and again."""
    t.load()
    for _ in range(80):
        t.ask("the same prompt", tokens=4)
        t.rest(2.5)


@recorded(110, 110, memory_limit=512 * MIB)
def leak_below_the_threshold(t):
    """70 MiB: not worth a restart."""
    t.rest(15)
    t.leak(70)
    t.rest(85)


@recorded(330, 90, memory_limit=512 * MIB)
def leak_ended_before_its_hold(t):
    """A leak of forty seconds; somebody restarts the server himself."""
    t.rest(10)
    t.leak(300)
    t.rest(40)
    t.did("restart")
    t.box.engine.api.call("POST", f"/containers/{t.box.id}/restart")
    t.box.wait_until_it_answers()
    t.rest(30)


@recorded(130, 200, models="big=100M", memory_limit=512 * MIB)
def busy(t):
    """One long answer after the other, for three minutes."""
    t.box.set(cpu_percent=10)
    t.load()
    for _ in range(4):
        with t.box.streaming("big"):
            t.rest(45)
        t.rest(3)


@recorded(130, 170, models="big=100M", version="0.24", memory_limit=512 * MIB)
def busy_longer_than_keep_alive(t):
    """One answer takes longer than the model's time: `expires_at` is over meanwhile."""
    t.box.set(cpu_percent=10)
    t.load(keep_alive="10s")
    with t.box.streaming("big"):
        t.rest(120)
    t.rest(30)


@recorded(330, 110, memory_limit=512 * MIB)
def pull_while_much_is_held(t):
    """Megabytes come in all the time: a pull. What is held meanwhile is nobody's to judge."""
    t.rest(15)
    with t.box.inbound():
        t.did("bytes come in")
        t.leak(200)
        t.rest(PAST_HOLD + 10)


@recorded(120, 90, models="big=100M", memory_limit=512 * MIB)
def client_that_leaves(t):
    """Clients leave in the middle of an answer."""
    t.load()
    for _ in range(5):
        with t.box.streaming("big"):
            t.rest(4)
        t.did("the client left")
        t.rest(9)


@recorded(330, 90, models="one=100M,two=200M", memory_limit=1 * GIB)
def two_models(t):
    """Two models side by side, used in turn."""
    t.load("one")
    t.load("two")
    for i in range(20):
        t.ask("hello", ("one", "two")[i % 2])
        t.rest(3)


@recorded(230, 90, models="big=200M", memory_limit=512 * MIB)
def keep_alive_runs_out(t):
    """A model that goes by itself, three times."""
    for _ in range(3):
        t.load(keep_alive="8s")
        t.rest(25)


@recorded(230, 140, models="big=100M,quick=40M", memory_limit=512 * MIB, env={"OLLAMA_KEEP_ALIVE": "24h"},
          labels=SMALL | {"supervisor.idle_unload": "15s", "supervisor.pin": "quick"})
def used_more_often_than_idle_unload(t):
    """Ollama would keep it for a day, fifteen idle seconds are wanted, and it is used every ten; another one is pinned."""
    t.load("quick")
    t.load()
    for i in range(12):
        t.rest(10)
        if i == 6:
            t.box.set(cpu_percent=0)  # from here on requests take no CPU time that can be seen
        t.ask("the same prompt", tokens=4)
    t.unload()
    t.unload("quick")
    t.rest(10)


@recorded(120, 70, models="big=100M", labels=SMALL | {"supervisor.leak.hung_hold": "20s"}, memory_limit=512 * MIB)
def debugged_runner(t):
    """A debugger holds the runner in the middle of an answer."""
    t.load()
    t.rest(6)
    with t.box.streaming("big"):
        t.rest(4)
        (runner,) = t.box.runners()
        t.did("gdb attaches")
        subprocess.run(["gdb", "-batch", "-nx", "-p", str(runner), "-ex", "shell sleep 35"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        t.did("gdb detached")
        t.rest(5)


@recorded(230, 70, models="one=100M,two=100M", labels=SMALL | {"supervisor.leak.hung_hold": "20s"}, memory_limit=512 * MIB)
def client_of_another_model(t):
    """One model rests after its work, the other one answers for long; and a pool stays open."""
    t.load("one")
    t.load("two")
    t.rest(6)
    t.ask("hello", "one", tokens=100)
    with t.box.streaming("two"), socket.create_connection((t.box.address, PORT), 5):
        t.rest(45)


@recorded(110, 110, models="big=100M", memory_limit=512 * MIB)
def idle_client(t):
    """A connection that is kept open; nothing is wrong."""
    t.load()
    with socket.create_connection((t.box.address, PORT), 5):
        t.rest(PAST_HOLD + 25)


@recorded(110, 80, memory_limit=512 * MIB)
def small_foreign_process(t):
    """`docker exec` work that holds 90 MiB for a while."""
    t.did("a foreign process holds 90 MiB")
    t.box.foreign(90 * MIB, 60)
    t.rest(75)


@recorded(20, 90, memory_limit=512 * MIB)
def slow_answers(t):
    """Each answer takes three seconds."""
    t.rest(10)
    t.box.set(slow_ms=3000)
    t.rest(PAST_HOLD)


@recorded(20, 100, memory_limit=512 * MIB)
def hangs_for_a_while(t):
    """It does not answer for forty seconds, and then it does."""
    t.rest(10)
    t.box.set(hang=1)
    t.rest(40)
    t.box.set(hang=0)
    t.rest(40)


@recorded(230, 120, models="big=200M", memory_limit=512 * MIB)
def recreated(t):
    """The container is removed and made anew under the same name, twice."""
    for i in range(3):
        t.load()
        t.rest(20)
        if i < 2:
            t.did("removed and made anew")
            t.box.remove()
            t.make()
            t.rest(8)


@recorded(130, 120, models="big=100M", memory_limit=512 * MIB)
def stopped_and_started(t):
    """Stopped for forty seconds."""
    t.load()
    t.rest(10)
    t.did("stopped")
    t.box.engine.api.call("POST", f"/containers/{t.box.id}/stop")
    t.rest(40)
    t.did("started")
    t.box.start()
    t.rest(40)


@recorded(130, 130, models="big=100M", memory_limit=512 * MIB)
def paused(t):
    """`docker pause` for eighty seconds: a person's word."""
    t.load()
    t.rest(10)
    t.did("paused")
    t.box.engine.api.call("POST", f"/containers/{t.box.id}/pause")
    t.rest(80)
    t.did("unpaused")
    t.box.engine.api.call("POST", f"/containers/{t.box.id}/unpause")
    t.rest(25)


@recorded(230, 110, alone=True, models="big=200M", memory_limit=512 * MIB)
def lost_samples(t):
    """The recorder is stopped for half a minute, while a model goes and another comes."""
    t.load()
    t.rest(15)
    t.did("nobody looks for 30 s")
    t.recorder.stop(15)
    t.unload()
    t.load()
    t.recorder.stop(15)
    t.rest(40)


@recorded(330, 150, alone=True, memory_limit=512 * MIB)
def leak_seen_in_pieces(t):
    """Nobody looks long enough: a leak, but after each half minute nobody looks for ten seconds. The hold begins anew."""
    t.rest(15)
    t.leak(300)
    for _ in range(3):
        t.rest(30)
        t.did("nobody looks for 10 s")
        t.recorder.stop(10)
    t.rest(5)
