"""Traces made of recorded pieces (pieces.py): what is long, what this machine cannot do (sleep, swap, full sizes), and what is
too rare to wait for. One function each; the truth is that of the pieces, moved with them."""

import form
from pieces import (again, beside, cut, every, interval, jump, late, piece, seconds_of, sized, stretched, swapped, then, thinned,
                    without)

CASES = {}
HOUR = 3600


def synthetic(settings=None):
    """Names a trace; its function gives a piece."""
    def take(function):
        def make(name):
            worlds, remarks = function()
            about = " ".join(function.__doc__.split())
            return form.ordered(form.header(name, "synthetic", about, settings), worlds, remarks)
        CASES[function.__name__.replace("_", "-")] = make
        return function
    return take


def recorded(name):
    return piece("recorded", name)


def for_hours(p, hours, begin=8):
    """Again and again, without its first seconds, in which it started."""
    whole = cut(p, begin)
    return again(whole, round(hours * HOUR / seconds_of(whole)))


def stays(name, seconds):
    """The end of that trace goes on for so much longer; what was true stays true."""
    p = recorded(name)
    whole = seconds_of(p)
    return then(cut(p, 0, whole - 21), again(cut(p, whole - 20), round(seconds / 21), anew=False))


# ---- nothing is wrong

@synthetic()
def busy_for_two_hours():
    """One long answer after the other."""
    return for_hours(recorded("busy"), 2)


@synthetic()
def loads_for_two_hours():
    """A model comes and goes."""
    return for_hours(recorded("load-and-unload-again-and-again"), 2)


@synthetic({"supervisor.interval": "5s"})
def two_models_for_six_hours():
    """Two models in use; looked at every five seconds."""
    return every(for_hours(recorded("two-models"), 6), 5)


@synthetic({"supervisor.interval": "5s"})
def idle_for_six_hours():
    """Nothing at all; looked at every five seconds."""
    return every(again(cut(recorded("idle"), 40), 6 * HOUR // 65, anew=False), 5)


@synthetic()
def same_prompts_for_an_hour():
    """The same model, the same requests."""
    return again(cut(recorded("same-prompts"), 8), 18, anew=False)


@synthetic()
def suspended_while_idle():
    """The machine sleeps for eight hours."""
    return jump(recorded("idle"), 50, 8 * HOUR)


@synthetic()
def suspended_while_a_model_is_loaded():
    """The model's time is over when the machine wakes; Ollama's own timer has slept, too."""
    return jump(cut(recorded("idle-client"), 5), 30, HOUR)


@synthetic()
def suspended_while_busy():
    """In the middle of an answer."""
    return jump(recorded("busy"), 70, 2 * HOUR)


@synthetic()
def suspended_during_a_slow_load():
    """Half of the model is there."""
    return jump(recorded("slow-load"), 50, HOUR)


@synthetic()
def suspended_again_and_again():
    """Five naps of a minute, with a model."""
    p = recorded("two-models")
    for at in (10, 80, 150, 220, 290):
        p = jump(p, at, 60)
    return p


@synthetic()
def clock_set_forward():
    """Somebody sets the clock to the next day, while a model is loaded."""
    return jump(recorded("idle-client"), 40, 0, 24 * HOUR)


@synthetic()
def clock_set_back():
    """By an hour, while a model comes and goes."""
    return jump(recorded("load-and-unload"), 25, 0, -HOUR)


@synthetic()
def clock_in_small_steps():
    """Time is kept by small jumps of a second and a half, forward and back."""
    p = recorded("two-models")
    for i, at in enumerate(range(10, 80, 10)):
        p = jump(p, at, 0, 1.5 if i % 2 else -1.5)
    return p


@synthetic()
def samples_lost_while_loading():
    """A third of the samples is lost."""
    return thinned(recorded("load-and-unload-again-and-again"), 1, 0.33)


@synthetic()
def samples_lost_while_prompting():
    """A fifth of them, while the same prompts are asked."""
    return thinned(recorded("same-prompts"), 2, 0.2)


@synthetic()
def late_samples_while_busy():
    """Each sample comes up to 0.9 s late."""
    return late(recorded("busy"), 3, 0.9)


@synthetic()
def processes_unreadable_at_times():
    """A third of the looks knows no processes."""
    return without(recorded("context-changes"), 4, 0.33, "processes")


@synthetic()
def answers_lost_at_times():
    """Every other look has nothing of Ollama."""
    return without(recorded("keep-alive-runs-out"), 5, 0.5, "ollama")


@synthetic()
def cgroup_unreadable_at_times():
    """A third of the looks could not read the cgroup."""
    return without(recorded("load-and-unload"), 6, 0.33, "received", "connections")


@synthetic()
def large_model_loads_and_goes():
    """A model of 19 GiB in a container of 32 GiB."""
    return sized(recorded("load-and-unload"), 64)


@synthetic()
def large_model_loads_slowly():
    """25 GiB in eighty seconds, in a container of 64 GiB."""
    return sized(recorded("slow-load"), 64)


@synthetic()
def short_leaks_all_day():
    """A leak that never lasts as long as its hold, twelve times: each time somebody restarts the server."""
    return leaks_and_restarts(12)


def leaks_and_restarts(times):
    """The recorded life and the next one, as often; each time in another container of the same name."""
    p = recorded("leak-ended-before-its-hold")
    worlds, remarks = again(p, times)
    each, span = len(p[0]), seconds_of(p) + interval(p)
    for i, world in enumerate(worlds):
        for c in world["containers"]:
            c["id"] = f"{i // each:02x}" + c["id"][2:]
            if "uptime_s" in c:
                c["uptime_s"] -= i // each * span
            for process in c.get("processes", []):
                if process["kind"] != "runner":
                    process["started_us"] += int(i // each * span * 1e6)
    return worlds, remarks


# ---- something is wrong

@synthetic()
def leak_of_2400m_of_4g():
    """As it comes: 1 GiB is worth a restart."""
    return sized(recorded("idle-leak-300m-of-512m"), 8)


@synthetic()
def leak_of_25g_of_27g():
    """What the folklore began with: 25 GB held, and no model."""
    return sized(recorded("idle-leak-600m-of-640m"), 43)


@synthetic()
def leak_of_5g_of_32g():
    """A sixth of a large limit."""
    return sized(recorded("idle-leak-150m-of-1g"), 32)


@synthetic()
def slow_leak_of_4g():
    """64 MiB every other second."""
    return sized(recorded("idle-leak-slow"), 16)


@synthetic()
def orphan_of_10g():
    """A large runner that is forgotten."""
    return sized(recorded("orphan-300m"), 32)


@synthetic()
def stuck_model_of_9g():
    """A large model that does not go."""
    return sized(recorded("stuck-stopping"), 64)


@synthetic()
def growth_of_4g_in_minutes():
    """A runner that takes 32 MiB a prompt."""
    return sized(recorded("growth-leak-fast"), 16)


@synthetic({"supervisor.interval": "10s", "supervisor.poll": "10s"})
def growth_of_two_hours():
    """A tenth as fast as it was recorded, 120 MiB an hour. It may be told when it has grown by 64 MiB, and must be when it rose
    by as much between the medians of its first and its last third: when it has grown by 96."""
    worlds, remarks = stretched(recorded("growth-leak-as-it-comes"), 10)
    grows = next(r["truth"] for r in remarks if "truth" in r)
    held = [(w["monotonic"], q["rss_anon"]) for w in worlds if w["monotonic"] > grows["from"]
            for c in w["containers"] for q in c["processes"] if q["kind"] == "runner"]
    may, must = (next(at for at, size in held if size - held[0][1] >= mib << 20) for mib in (64, 96))
    grows |= {"from": may, "hold": round(must - may, 3)}
    return worlds, remarks


@synthetic()
def stalled_load_of_6g():
    """A large model's load stands still."""
    return sized(recorded("stalled-load"), 32)


@synthetic()
def held_elsewhere_6g():
    """A tmpfs of 6 GiB."""
    return sized(recorded("held-elsewhere-in-a-tmpfs"), 32)


@synthetic()
def leak_half_swapped_out():
    """Half of what leaked is on the swap: it is held as well."""
    return swapped(recorded("idle-leak-300m-of-512m"), 0.5, 30)


@synthetic()
def leak_swapped_out_bit_by_bit():
    """Nine tenths of it go to the swap while it holds."""
    return swapped(recorded("idle-leak-600m-of-640m"), 0.9, 40, 40)


@synthetic()
def leak_swapped_out_on_cgroup_v2():
    """Nine tenths, by the other kernel's counters."""
    return swapped(sized(recorded("idle-leak-150m-of-1g"), 16), 0.9, 30, version=2)


@synthetic()
def orphan_swapped_out():
    """All but a tenth of a forgotten runner is on the swap; no model is loaded that would answer slowly."""
    return swapped(recorded("orphan-300m"), 0.9, 3)


@synthetic()
def growth_swapped_out():
    """A runner that grows into the swap: a third of it is always there. That is told, too."""
    worlds, remarks = swapped(recorded("growth-leak-fast"), 0.33, 0)
    grows = next(r["truth"] for r in remarks if "truth" in r)
    return worlds, [*remarks, form.truth("swap-in-use", grows["from"], grows["to"])]


@synthetic()
def leak_after_two_idle_hours():
    """Long well, then ill."""
    return idle_first("idle-leak-150m-of-1g", 2 * HOUR)


def idle_first(name, seconds):
    """The idle beginning of that same trace, again and again; then all of it."""
    p = recorded(name)
    quiet = cut(p, 10, 30)
    return then(again(quiet, round(seconds / 21), anew=False), cut(p, 10))


@synthetic()
def leak_that_stays_for_an_hour():
    """Nobody does anything about it: one verdict, and it stands."""
    return stays("idle-leak-300m-of-512m", HOUR)


@synthetic()
def leak_and_the_machine_sleeps():
    """It sleeps in the middle of the hold, which begins anew."""
    return jump(stays("idle-leak-300m-of-512m", 120), 70, HOUR)


@synthetic()
def leak_and_the_clock_is_set():
    """By a day, in the middle of the hold."""
    return jump(stays("idle-leak-300m-of-512m", 120), 60, 0, 24 * HOUR)


@synthetic()
def leak_and_samples_are_lost():
    """A tenth of the samples is lost, never three in a row."""
    return thinned(recorded("idle-leak-300m-of-512m"), 7, 0.1)


@synthetic()
def leak_and_late_samples():
    """Each comes up to 0.9 s late."""
    return late(recorded("idle-leak-150m-of-1g"), 8, 0.9)


@synthetic()
def stuck_model_and_the_machine_slept_before():
    """It slept while the model was loaded; then an unload sticks."""
    return jump(recorded("stuck-stopping"), 1.5, HOUR)


@synthetic()
def leak_looked_at_every_five_seconds():
    """The same hold, fewer looks."""
    return every(recorded("idle-leak-ended-by-a-restart"), 5)


@synthetic()
def twenty_containers_three_ill():
    """Side by side under one supervisor: three of them are ill, seventeen are not."""
    ill = ("idle-leak-300m-of-512m", "orphan-300m", "stuck-stopping")
    well = ("idle", "load-and-unload", "busy", "same-prompts", "two-models", "idle-client", "page-cache", "context-changes",
            "keep-alive-runs-out", "client-that-leaves", "slow-answers", "slow-load", "load-and-unload-again-and-again",
            "leak-below-the-threshold", "page-cache-of-weights", "small-foreign-process", "hangs-for-a-while")
    return beside(*(recorded(name) for name in (*ill, *well)))


@synthetic()
def two_leaks_side_by_side():
    """Of different sizes and versions, in one world."""
    return beside(recorded("idle-leak-300m-old-version"), recorded("idle-leak-150m-of-1g"))


def silent_for_long(remedy, change=lambda c: None):
    """The server hangs until it may be restarted; each container since then is changed."""
    worlds, remarks = cut(recorded("unreachable-until-it-may-be-restarted"), 0)
    hangs = next(r["truth"] for r in remarks if "truth" in r)
    hangs["remedy"] = remedy
    for world in worlds:
        if world["monotonic"] >= hangs["from"]:
            for c in world["containers"]:
                change(c)
    return worlds, remarks


def in_state(state):
    def change(c):
        for q in c["processes"]:
            q["state"] = state
    return change


@synthetic()
def unreachable_and_nothing_happens_in_it():
    """It is restarted."""
    return silent_for_long("restart")


@synthetic()
def unreachable_because_it_waits_for_a_disk():
    """Its server is in state D, as behind a network's file system that is away, or in a frozen cgroup of version 1."""
    return silent_for_long("none", in_state("D"))


@synthetic()
def unreachable_because_a_debugger_holds_it():
    """Its server is in state t."""
    return silent_for_long("none", in_state("t"))


@synthetic()
def unreachable_because_a_debugger_holds_another():
    """A process beside its server is in state t: what it does for the server is not known."""
    def change(c):
        c["processes"].append(c["processes"][0] | {"pid": 99999, "ns_pid": 99, "kind": "other", "comm": "sh", "state": "t"})
    return silent_for_long("none", change)


@synthetic()
def unreachable_because_its_cgroup_is_frozen():
    """By somebody who is not the engine; cgroup v2."""
    return silent_for_long("none", lambda c: c["cgroup"].update(version=2, swapcached=0, frozen=1))


def hot(p, begin, end, celsius):
    """A GPU in every world; hotter between the two."""
    worlds, remarks = cut(p, 0)
    zero = worlds[0]["monotonic"]
    for world in worlds:
        inside = begin <= world["monotonic"] - zero <= end
        world["gpus"] = [{"index": 0, "name": "NVIDIA T400", "vendor": "nvidia", "vram_total": 2 << 30, "vram_used": 1 << 30,
                          "utilization": 0.5, "celsius": celsius if inside else 55, "watts": 30.0}]
    return worlds, remarks, zero


@synthetic()
def hot_gpu():
    """83 degrees for 50 seconds."""
    worlds, remarks, zero = hot(recorded("busy"), 60, 110, 83)
    return worlds, [*remarks, form.truth("thermal", zero + 60, zero + 110)]


@synthetic()
def warm_gpu():
    """69 degrees, and 80 for twenty seconds: not for long enough."""
    worlds, remarks, _ = hot(recorded("busy"), 60, 80, 80)
    return worlds, remarks
