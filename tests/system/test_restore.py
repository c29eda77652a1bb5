"""After a heal what is wanted at hand is loaded again; what a model was seen to take is known to a load."""

import json
import time

from bench import QUICK, Bench, outlive_grace
from sizes import MIB


def test_wanted_models_are_loaded_after_a_restart(engine, built):
    settings = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M",
                        'tier "fast".models': "quick, gone", "memory.reserve": "0"}
    bench = Bench(engine, settings)
    try:
        pin = {"supervisor.pin": "kept"}
        ill, watched = (bench.ollama(name, models="quick=40M,kept=40M,other=40M", labels=pin, memory_limit=700 * MIB)
                        for name in ("ill", "well"))
        outlive_grace()
        before = ill.started_at(), watched.started_at()
        daemon = bench.daemon(ill, watched)
        watched.load("other")
        ill.load("kept")
        time.sleep(1.5)  # it is seen to hold what it does
        ill.unload("kept")
        ill.leak(160 * MIB)
        daemon.wait("healed", 30, container="ill", step="restart")
        for model in ("quick", "kept"):
            daemon.wait("model loaded", 20, container="ill", model=f"{model}:latest", verdict="restore")
        assert sorted(ill.loaded()) == ["kept", "quick"]
        assert daemon.find("remedy dropped", container="ill", model="gone"), daemon.text()
        time.sleep(2)
        assert watched.loaded() == ["other"] and watched.started_at() == before[1]
        assert ill.started_at() != before[0] and ill.stop_signals() == 1
        expiry = {m["name"]: int(m["expires_at"][:4]) for m in ill.get("/api/ps")["models"]}
        assert expiry["kept:latest"] > 2100 > expiry["quick:latest"], expiry
        daemon.end()  # writes down what it has learned
        ill.unload("kept")
        dry = bench.supervisor("load", "kept", "--container", "ill", "--dry-run", "--json")
        need = json.loads(dry.out)["need"]
        assert need["source"] == "what was measured before" and 40 * MIB <= need["bytes"] < 60 * MIB, dry
    finally:
        bench.close()


def test_what_is_loaded_again_shows_a_token(engine, built):
    """With models.probe; where nothing was loaded again nothing is asked for a token."""
    settings = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M",
                        "memory.reserve": "0", "models.probe": "on"}
    bench = Bench(engine, settings)
    try:
        env = {"SIMOLLAMA_LOAD_MS": 300}
        ill = bench.ollama("ill", models="kept=40M", labels={"supervisor.pin": "kept"}, memory_limit=700 * MIB, env=env)
        bare = bench.ollama("bare", models="kept=40M", memory_limit=700 * MIB, env=env)
        outlive_grace()
        daemon = bench.daemon(ill, bare)
        for one in (ill, bare):
            one.leak(160 * MIB)
        for one in (ill, bare):
            daemon.wait("healed", 30, container=one.name, step="restart")
        told = daemon.wait("model loaded", 20, container="ill", verdict="restore")
        for one in (ill, bare):
            one.wait_until_it_answers()  # at its new address
        assert told["why"].startswith("a token after "), told
        assert ill.state()["requests"]["POST /api/generate"] == 2  # the load and the token
        expires = ill.get("/api/ps")["models"][0]["expires_at"]
        assert int(expires[:4]) > 2100, "its keep_alive stays"
        time.sleep(2)
        assert bare.loaded() == [] and bare.state()["requests"]["POST /api/generate"] == 0, bare.state()
        daemon.end()
        ill.unload("kept")
        said = bench.supervisor("load", "kept", "--container", "ill", "--json")
        assert json.loads(said.out)["probe_s"] > 0 and said.code == 0, said
    finally:
        bench.close()


def test_what_was_learned_decides_what_is_loaded_again(engine, built):
    """By its metadata the pinned model would fit beside the other; it was seen to take thrice as much."""
    settings = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M",
                        'tier "fast".models': "quick", "memory.reserve": "0"}
    bench = Bench(engine, settings)
    try:
        ill = bench.ollama("ill", models="quick=150M,greedy=600M:20M", labels={"supervisor.pin": "greedy"}, memory_limit=700 * MIB)
        outlive_grace()
        first = bench.daemon(ill)
        ill.load("greedy")
        time.sleep(1.5)
        ill.unload("greedy")
        first.end()  # writes down what it has learned
        daemon = bench.daemon(ill)
        ill.leak(160 * MIB)
        daemon.wait("healed", 30, container="ill", step="restart")
        daemon.wait("model loaded", 20, container="ill", model="quick:latest", verdict="restore")
        dropped = daemon.wait("remedy dropped", 20, container="ill", verdict="restore")
        assert dropped["model"].startswith("greedy") and "measured before" in dropped["why"], dropped
        assert ill.loaded() == ["quick"]
    finally:
        bench.close()
