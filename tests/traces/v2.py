"""Recorded traces of cgroup v2, with swap and pressure figures: in the emulated machine (tests/lab/guest).

Some are those of ill.py and well.py, made there; the others need what version 1 here has not: a kernel that swaps out. These
are made before the rest, and one at a time where a model is loaded, because the host's swap is everybody's."""

import ill_told
import memory
import well
from sizes import GIB, MIB
from ward import CASES, SMALL, now, recorded

MEMORY_MIB = 2400
GRACE, HOLD, MORE = 32, 60, 12  # as in ill.py
WITH_MODEL, WITHOUT, OTHERS = {}, {}, {}
ALSO = ("idle-leak-300m-of-512m", "idle-leak-by-requests", "orphan-300m", "stuck-stopping", "growth-leak-fast", "ghost-model",
        "oom-kill-600m-in-200m", "held-elsewhere-in-a-tmpfs", "load-and-unload", "page-cache", "slow-load", "recreated", "busy",
        "prompt-cache-fills", "keep-alive-runs-out")


def phases():
    """What is made one after the other: [{name: case}]. To be called when ill.py has named its own, too."""
    return [WITH_MODEL, WITHOUT, OTHERS | {name: CASES[name] for name in ALSO}]


def alone(lasts, **more):
    """One that swaps while a model is loaded."""
    return recorded(MEMORY_MIB, lasts, cases=WITH_MODEL, **more)


def swapped(t):
    """Bytes that are on the swap alone."""
    path = memory.directory(t.box.id)
    return int((path / "memory.swap.current").read_text()) - memory.stat(path).get("swapcached", 0)


def swap_out(t, mib):
    """The kernel is asked for it, and has done it."""
    t.did(f"memory.reclaim: {mib} MiB are swapped out")
    ends = now() + 60
    while swapped(t) < mib * MIB:
        assert now() < ends, f"{swapped(t) // MIB} MiB were swapped out"
        try:
            (memory.directory(t.box.id) / "memory.reclaim").write_text(f"{32 * MIB}")
        except OSError:  # it could not reach as much
            t.rest(0.2)


@recorded(500, 125, cases=WITHOUT, memory_limit=256 * MIB, swap=512 * MIB)
def idle_leak_swapped_out_by_its_limit(t):
    """An idle server holds 400 MiB where 256 are allowed: the rest is on the swap."""
    t.rest(GRACE)
    t.leak(400)
    with t.true("idle-leak"):
        assert swapped(t) >= 100 * MIB
        t.rest(HOLD + MORE)


@recorded(350, 125, cases=WITHOUT, memory_limit=512 * MIB, swap=512 * MIB)
def idle_leak_swapped_out_while_it_holds(t):
    """300 MiB are leaked, and half a minute later swapped out: RSS falls, what is held stays."""
    t.rest(GRACE)
    t.leak(300)
    with t.true("idle-leak"):
        t.rest(25)
        swap_out(t, 240)
        t.rest(HOLD + MORE - 25)


@recorded(350, 110, cases=WITHOUT, memory_limit=512 * MIB, swap=512 * MIB)
def orphan_that_was_swapped_out(t):
    """A runner that the server has forgotten, most of it on the swap. It stands still only when that is done."""
    t.rest(5)
    t.orphan(300)
    swap_out(t, 200)
    with t.true("orphan-runner"):
        t.rest(HOLD + MORE)


@alone(210, version="0.24", models="big=80M:16M", memory_limit=128 * MIB, swap=512 * MIB,
       labels=SMALL | {"supervisor.leak.growth_hold": "120s", "supervisor.leak.growth": "16m"})
def growth_leak_into_the_swap(t):
    """A runner grows by 2 MiB a prompt in a limit of 128 MiB: from then on RSS stands still, and the swap grows."""
    t.load()
    t.box.set(cache_per_prompt="2m")
    t.did("distinct prompts for 160 s")
    with t.true("growth-leak", hold=120):
        for i in range(160):
            t.ask(f"prompt {i}")
            t.rest(1)
            if swapped(t) >= MIB:
                break
        with t.true("swap-in-use"):
            t.prompts(160 - i)


@alone(110, models="big=300M:16M", memory_limit=200 * MIB, swap=400 * MIB)
def model_swapped_out_by_its_limit(t):
    """A model of 300 MiB in a limit of 200: it is swapped out while it is loaded."""
    t.rest(5)
    t.load()
    assert swapped(t) >= 64 * MIB
    with t.true("swap-in-use"):
        t.rest(HOLD + MORE)
    t.unload()
    t.rest(20)


@alone(130, models="big=300M:16M", memory_limit=512 * MIB, swap=512 * MIB)
def model_swapped_out_and_used_again(t):
    """An idle model is swapped out; requests read some of it back, and it is in memory and on the swap."""
    t.load()
    t.rest(5)
    swap_out(t, 200)
    with t.true("swap-in-use"):
        for _ in range(10):
            t.rest(8)
            t.ask("the same prompt")
    t.unload()
    t.rest(20)


@recorded(20, 20, cases=OTHERS, memory_limit=512 * MIB, labels=SMALL | {"supervisor.memory.high": "400m"})
def high_drift(t):
    """A memory.high is wanted, and none is there."""
    ill_told.high_drift_on_cgroup_v1(t)


@recorded(420, 60, cases=OTHERS, settings=CASES["page-cache-while-the-host-is-short"]["settings"], memory_limit=1 * GIB)
def page_cache_while_the_host_is_short(t):
    """Page cache that the host would like to have, and can. The host is short from 5 % on here."""
    well.page_cache_while_the_host_is_short(t)
