"""What the daemon does beside leaks: the clean-up at its start, the levels of pressure, and what only cgroup v2 can do
(tests/system/inside/test_controls.py), which is told on version 1."""

import json
import time

import pytest

import intents
import memory
import wait
from bench import BUSY, outlive_grace
from sizes import GIB, MIB

STARTUP = {"supervisor.startup_unload": "on"}


def test_models_of_before_are_unloaded_once_at_the_start(bench):
    models = "first=64M,second=64M"
    c = {"two": bench.ollama("two", models=models, labels=STARTUP),
         "used": bench.ollama("used", models=models, labels=STARTUP),
         "watched": bench.ollama("watched", mode="observe", models=models, labels=STARTUP),
         "unasked": bench.ollama("unasked", models=models)}
    for one in c.values():
        one.load("first")
    c["two"].load("second")
    c["used"].set(tokens_per_s=50)
    started = {name: one.started_at() for name, one in c.items()}
    with c["used"].streaming("first") as lines:
        wait.until(lambda: lines, 10, "it streams")
        daemon = bench.daemon(*c.values())
        wait.until(lambda: c["two"].loaded() == [], BUSY + 15, lambda: f"both models are gone\n{daemon.text('two')}")
        kept = daemon.wait("remedy dropped", BUSY + 15, container="used", step="unload")
        assert kept["verdict"] == "startup" and kept["model"] == "first:latest" and "in use" in kept["why"]
    for model in ("first:latest", "second:latest"):
        record = daemon.wait("healed", 10, container="two", step="unload", model=model)
        assert record["verdict"] == "startup"
    assert [row["verdict"] for row in intents.rows(bench.state, "unload")] == ["startup", "startup"]

    late = bench.ollama("late", models=models, labels=STARTUP)
    daemon.wait("supervising", 10, container="late")
    late.load("first")
    c["two"].load("first")
    time.sleep(BUSY + 3)
    for name, one in [*c.items(), ("late", late)]:
        assert one.loaded() == ["first"], f"{name}: {one.loaded()}\n{daemon.text(name)}"
    assert {name: one.started_at() for name, one in c.items()} == started


def test_levels_of_host_models_and_containers(bench):
    one = bench.ollama("ollama", models="small=300M:300M", memory_limit=GIB)
    own = bench.ollama("own", models="small=200M:200M", labels={"supervisor.memory.max_model_memory": "100m"})
    one.load("small")
    outlive_grace()
    bare = bench.supervisor("status", "--json")
    world = json.loads(bare.out)
    assert world["models"]["budget"] is None and world["models"]["level"] == "unknown", bare
    assert world["host"]["level"] in ("low", "medium", "high", "critical")
    level = {c["name"]: c["level"] for c in world["containers"]}
    assert level == {"ollama": "low", "own": "low"}, bare

    held = sum(p["rss_anon"] for p in world["containers"][0]["processes"] if p["kind"] == "runner")
    assert 100 * MIB < held < 600 * MIB and world["models"]["held"] == pytest.approx(held, rel=0.05)
    for share, name in ((0.5, "low"), (0.7, "medium"), (0.9, "high"), (0.99, "critical")):
        seen = bench.supervisor("status", "--json", memory__max_model_memory=int(held / share))
        assert json.loads(seen.out)["models"]["level"] == name, f"{share} of the budget\n{seen}"
    assert json.loads(seen.out)["level"] == "critical", seen

    own.load("small")
    text = bench.supervisor("status", memory__max_model_memory="1G")
    said = " ".join(text.out.split())
    assert text.code == 0 and "levels host " in said and "of 1.0 GiB)" in said and "own critical" in said, text
    seed = bench.supervisor("status", env={"MAX_MODEL_MEMORY_GB": "24"})
    assert "of 24.0 GiB)" in " ".join(seed.out.split()), seed
    assert max(map(len, text.out.splitlines())) <= 80, text
    bad = bench.supervisor("status", env={"MAX_MODEL_MEMORY_GB": "24GB"})
    assert bad.code == 2 and "MAX_MODEL_MEMORY_GB" in bad.err and "24GB" in bad.err, bad


@pytest.mark.skipif(memory.V2, reason="this machine lacks cgroup v1")
def test_version_1_has_neither_high_nor_reclaim(bench):
    one = bench.ollama("ollama", labels={"supervisor.memory.high": "900m"})
    one.fill("/weights", 400 * MIB)
    outlive_grace()
    daemon = bench.daemon(one, pressure__action_warn="1", pressure__action_optimize="1.1")
    high = daemon.wait("verdict raised", 10, container="ollama", verdict="high-drift")
    cache = daemon.wait("verdict raised", 10, container="ollama", verdict="page-cache")
    for record in (high, cache):
        assert record["remedy"] == "none" and "cgroup v2" in record["why"]
    assert int(cache["inactive_file"]) >= 256 * MIB
    time.sleep(4)
    assert len(daemon.find("verdict raised", container="ollama", verdict="high-drift")) == 1, "told more than once"
    assert not daemon.find("acting", container="ollama")
