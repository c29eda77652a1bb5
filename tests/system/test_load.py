"""Loading: is there room, what goes for it, and what is told; the commands load, preload, optimize and
emergency-restart."""

import concurrent.futures
import contextlib
import fcntl
import json
import signal
import time

import intents
import program
import wait
from sizes import MIB

# The stand-in's models of 100 MiB: 100 of weights, 128 of KV cache, 28.5 of buffers, 2.5 the runner's own, and 20 %.
WANTED = 259 * MIB + 259 * MIB // 5
FREE_HOST = {"memory__reserve": "0"}


def load(bench, *arguments, **settings):
    """`supervisor load … --json`: the outcome and its row."""
    done = bench.supervisor("load", *arguments, "--json", **(FREE_HOST | settings))
    print(done)
    return done, json.loads(done.out) if done.out else {}


def test_fits(bench):
    one = bench.ollama("one", models="first=100M")
    dry = bench.supervisor("load", "first", "--dry-run")
    assert dry.code == 0 and "would be loaded" in dry.out, dry
    assert one.loaded() == []
    done, row = load(bench, "first")
    assert done.code == 0 and row["result"] == "loaded" and one.loaded() == ["first"], done
    assert row["after"] - row["before"] >= 100 * MIB and row["runner"] >= 100 * MIB
    assert row["need"]["wanted"] == WANTED and row["context_length"] == 4096
    again = bench.supervisor("load", "FIRST:latest")
    assert again.code == 0 and "loaded already" in again.out, again
    said = bench.supervisor("load", "tiny", "--keep-alive", "forever")
    assert said.code == 0 and "loaded in" in said.out and sorted(one.loaded()) == ["first", "tiny"], said
    forever = next(m for m in one.get("/api/ps")["models"] if m["name"].startswith("tiny"))
    assert int(forever["expires_at"][:4]) > 2100, forever
    missing = bench.supervisor("load", "nothing")
    assert missing.code == 1 and "nothing is not installed there: ollama pull nothing" in missing.err, missing
    for bad in ("0", "x", "-5"):
        refused = bench.supervisor("load", "first", f"--keep-alive={bad}")
        assert refused.code == 2 and "--keep-alive" in refused.err, refused


def test_does_not_fit(bench):
    one = bench.ollama("tight", models="first=100M,second=100M", memory_limit=300 * MIB)
    done, row = load(bench, "first")
    assert done.code == 1 and row["result"] == "refused" and 0 < row["missing"] < 40 * MIB, done
    assert "the container's limit leaves" in row["text"] and "short" in row["text"]
    done, row = load(bench, "first", models__small_model="1m", memory__reserve="4t")
    assert done.code == 1 and "the host leaves 0 B" in row["text"] and "4.0 TiB reserved" in row["text"], done
    assert one.loaded() == []
    wide = bench.ollama("wide", models="first=100M")
    done, row = load(bench, "first", "--container", "wide", memory__max_model_memory="256m", models__small_model="1m")
    assert done.code == 1 and "memory.max_model_memory leaves 256.0 MiB" in row["text"], done
    done, row = load(bench, "first", "--container", "wide", memory__max_model_memory="256m")
    assert done.code == 0, f"a small model only has to fit the limit: {done}"
    done, row = load(bench, "second", "--container", "tight", models__max_parameters="1M")
    assert done.code == 1 and "models.max_parameters is 1M" in row["text"], done
    done, row = load(bench, "second", "--container", "tight", "--force")
    assert done.code == 0 and "--force" not in row["text"] and one.loaded() == ["second"], done
    assert wide.loaded() == ["first"] and one.starts() == wide.starts() == 1


def at_once(bench, cases):
    """Runs {name: (model, settings, further arguments)} at the same time; gives {name: (outcome, row)}."""
    options = bench.options({"memory.reserve": "0"})

    def one(name):
        model, settings, more = cases[name]
        sets = [a for k, v in settings.items() for a in ("--set", f"{k}={v}")]
        done = program.run(*options, *sets, "load", model, "--container", name, "--json", *more)
        return done, json.loads(done.out) if done.out else {}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = dict(zip(cases, pool.map(one, cases), strict=True))
    for done, _ in found.values():
        print(done)
    return found


def test_others_go_first_in_their_order(bench):
    bench.settings['tier "fast".models'] = "safe"
    loaded = {"longest": "old", "tier": "safe", "stays": "safe", "forced": "safe", "single": "safe", "one-busy": "old",
              "all-busy": "old", "enough": "old"}  # and then: new
    c = {}
    for name, first in loaded.items():
        labels = {"supervisor.pin": "new"} if name in ("stays", "forced") else {}
        labels |= {"supervisor.single": "on"} if name == "single" else {}
        c[name] = bench.ollama(name, models=f"{first}=100M,new=100M,wanted=100M", labels=labels,
                               memory_limit=(1000 if name in ("single", "enough") else 500) * MIB)
        c[name].load(first)
        c[name].load("new")
    before = {name: one.started_at() for name, one in c.items()}
    with contextlib.ExitStack() as streams:
        for name, model in (("one-busy", "old"), ("all-busy", "old"), ("all-busy", "new")):
            lines = streams.enter_context(c[name].streaming(model))
            wait.until(lambda lines=lines: lines, 10, f"{name} streams {model}")
        found = at_once(bench, {n: ("wanted", {}, ["--force"] if n == "forced" else []) for n in c})
        still = {name: sorted(one.loaded()) for name, one in c.items()}
    assert still == {"longest": ["new", "wanted"],   # the one used longest ago went
                     "tier": ["safe", "wanted"],     # its tier is protected
                     "stays": ["new", "safe"],       # protected and pinned
                     "forced": ["new", "wanted"],    # --force lifts the protection, not the pin
                     "single": ["wanted"],
                     "one-busy": ["old", "wanted"],  # busy: never
                     "all-busy": ["new", "old"],
                     "enough": ["new", "old", "wanted"]}
    for name, (done, row) in found.items():
        assert done.code == (1 if name in ("stays", "all-busy") else 0), done
        assert row.get("unloaded") == {"stays": 0, "all-busy": 0, "enough": 0, "single": 2}.get(name, 1), done
        assert c[name].started_at() == before[name]
    text = found["stays"][1]["text"]
    assert "new:latest stays: it is pinned" in text and "safe:latest stays: tier fast is protected" in text
    assert "old:latest stays: it is busy" in found["all-busy"][1]["text"]
    assert found["all-busy"][1]["missing"] > 0 and not found["enough"][1]["unload"]


def test_ctrl_c_aborts_a_slow_load(bench):
    one = bench.ollama("slow", models="first=100M")
    one.set(load_ms=30_000)
    running = program.Daemon(bench.options({"memory.reserve": "0"}), command=("load", "first"))
    wait.until(one.runners, 10, lambda: f"a load is under way\n{running.text()}")
    time.sleep(1.2)  # it is watched for a while
    assert running.alive() and one.loaded() == []
    code, _ = running.end(signal.SIGINT)
    assert code == 130 and "aborts the load of first" in running.text(), running.text()
    wait.until(lambda: not one.runners(), 10, "Ollama has aborted it")
    one.set(load_ms=2500)
    done, row = load(bench, "first")
    assert done.code == 0 and row["load_s"] >= 2.5 and one.loaded() == ["first"], done


def test_load_that_fails_is_told(bench):
    one = bench.ollama("killed", models="first=300M", memory_limit=200 * MIB)
    done, row = load(bench, "first", "--force")
    assert done.code == 1 and row["result"] == "failed" and "killed" in row["text"], done
    assert "the limit is 200.0 MiB" in row["text"], done
    assert one.loaded() == [] and one.running()


def test_lock_of_another_supervisor_is_waited_for(bench):
    one = bench.ollama("locked", models="first=100M")
    locks = bench.state / "locks"
    locks.mkdir(parents=True)
    with open(locks / f"{one.id}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        running = program.Daemon(bench.options({"memory.reserve": "0"}), command=("load", "first"))
        wait.never(one.runners, 2, "loaded under another's lock")
        assert running.alive()
    wait.until(lambda: one.loaded() == ["first"], 10, lambda: f"loaded\n{running.text()}")
    wait.until(lambda: not running.alive(), 10, "it has ended")


def test_preload(bench):
    one = bench.ollama("one", models="a=40M,b=40M,c=40M,large=700M", memory_limit=600 * MIB, labels={"supervisor.pin": "c"})
    empty = bench.supervisor("preload")
    assert empty.code == 0 and "loaded" in empty.out, empty  # the pinned one
    one.unload("c")
    bench.settings |= {'tier "other".models': "large", 'tier "fast".models': "b, a", 'tier "ultra-fast".models': "a",
                       'tier "medium".models': "gone"}
    done = bench.supervisor("preload", "--json", **FREE_HOST)
    rows = [(r["model"].removesuffix(":latest"), r["tier"], r["result"]) for r in json.loads(done.out)]
    assert rows == [("a", "ultra-fast", "loaded"), ("b", "fast", "loaded"), ("gone", "medium", "failed"),
                    ("large", "other", "refused"), ("c", "pinned", "loaded")], done
    assert done.code == 1 and sorted(one.loaded()) == ["a", "b", "c"]
    expiry = {m["name"]: int(m["expires_at"][:4]) for m in one.get("/api/ps")["models"]}
    assert expiry["c:latest"] > 2100 > expiry["a:latest"], expiry
    said = bench.supervisor("preload", **FREE_HOST)
    print(said)
    assert said.code == 1 and said.out.count("was there") == 3 and "does not fit" in said.out, said


def test_optimize(bench):
    one = bench.ollama("full", models="first=100M,second=100M,kept=40M", memory_limit=400 * MIB,
                       labels={"supervisor.pin": "kept"})
    other = bench.ollama("free", models="first=100M,tiered=100M")
    for container, models in ((one, ("first", "kept", "second")), (other, ("first", "tiered"))):
        for model in models:
            container.load(model)
    bench.settings['tier "fast".models'] = "tiered"
    large = {"models__small_model": "1m"}
    options = bench.options({"models.small_model": "1m"})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        would = pool.submit(program.run, *options, "optimize", "free", "--now", "--dry-run")
        done = program.run(*options, "optimize", "full", "--json")
        dry = would.result()
    print(done)
    assert dry.code == 0 and "first:latest: would be unloaded" in dry.out and "would free 10" in dry.out, dry
    assert other.loaded() == ["tiered", "first"], dry
    told = json.loads(done.out)
    assert done.code == 0 and told["freed"] >= 90 * MIB, done
    assert told["containers"] == [{"container": "full", "before": "medium", "after": "low"}]
    assert sorted(one.loaded()) == ["kept", "second"]
    low = bench.supervisor("optimize", "--container", "free", **large)
    assert low.code == 0 and "nothing to do (--now" in low.out and "freed 0 B" in low.out, low
    now = bench.supervisor("optimize", "--now", **large)
    assert now.code == 0 and one.loaded() == ["kept"] and other.loaded() == ["tiered"], now
    assert "kept:latest: stays: it is pinned" in now.out and "tiered:latest: stays: tier fast" in now.out, now
    assert one.starts() == other.starts() == 1


def test_emergency_restart(bench):
    one = bench.ollama("ill", models="a=60M,b=60M,other=60M", labels={"supervisor.pin": "b"})
    for model in ("a", "other"):
        one.load(model)
    one.leak(100 * MIB)
    bench.settings |= {'tier "fast".models': "a", "memory.reserve": "0", "remedy.budget_per_hour": "1"}
    before = one.started_at()
    refused = bench.supervisor("emergency-restart", "ill")
    assert refused.code == 2 and "--yes" in refused.err and one.started_at() == before, refused
    dry = bench.supervisor("emergency-restart", "--dry-run")
    assert dry.code == 0 and "would unload 2 models" in dry.out and len(one.loaded()) == 2, dry
    done = bench.supervisor("emergency-restart", "--yes")
    print(done)
    assert done.code == 0 and sorted(one.loaded()) == ["a", "b"] and one.held() < 160 * MIB, done
    assert one.started_at() != before and one.stop_signals() == 1
    again = bench.supervisor("emergency-restart", "ill", "--yes", "--json")  # the budget of 1 is spent: a person's word
    told = json.loads(again.out)
    assert again.code == 0 and one.stop_signals() == 2, again
    assert [s["step"] for s in told["steps"]] == ["unload", "unload", "restart", "state"], again
    assert [m["result"] for m in told["models"]] == ["loaded", "loaded"]
    rows = [(r["verdict"], r["state"]) for r in intents.rows(bench.state, "restart")]
    assert rows == [("emergency", intents.DONE)] * 2, rows
