"""When a model was used last: our own load is no use, and a new daemon knows what the one before saw."""

import json
import signal
import time

import wait
from bench import PACE


def last_used(bench):
    """By model: seconds ago, at least and at most, and how that is known."""
    said = bench.supervisor("status", "--json")
    assert said.code == 0, said
    (one,) = json.loads(said.out)["containers"]
    return {u["model"].removesuffix(":latest"): u for u in one["last_used"]}


def test_our_load_is_no_use_and_a_use_outlives_the_daemon(bench):
    one = bench.ollama(models="used=40M:8M,ours=40M:8M", env={"OLLAMA_KEEP_ALIVE": "1h"})
    daemon = bench.daemon(one)
    one.generate("used", tokens=40)
    used = time.monotonic()
    loaded = bench.supervisor("load", "ours")
    assert loaded.code == 0, loaded
    known = wait.until(lambda: last_used(bench).get("used"), 20 * PACE, "its use is known")
    assert set(one.loaded()) == {"used", "ours"}
    time.sleep(8 * PACE)
    assert set(last_used(bench)) == {"used"}, last_used(bench)
    daemon.end(signal.SIGTERM)
    time.sleep(2)
    bench.daemon(one)
    again = wait.until(lambda: last_used(bench).get("used"), 20 * PACE, "the new daemon knows of its use")
    ago = time.monotonic() - used
    assert again["by"] == known["by"] and ago - 4 * PACE < again["ago_s"] <= again["ago_most_s"] < ago + 4 * PACE, (known, again, ago)
    assert "ours" not in last_used(bench)
    one.generate("ours", tokens=40)
    wait.until(lambda: last_used(bench).get("ours"), 20 * PACE, "its use is known, too")


def test_load_on_a_ghost_loads(bench):
    one = bench.ollama(models="lost=40M:8M")
    one.load("lost")
    one.ghost("lost")
    assert one.loaded() == ["lost"] and not one.runners()
    done = bench.supervisor("load", "lost")
    assert done.code == 0 and "loaded in" in done.out and len(one.runners()) == 1, done
