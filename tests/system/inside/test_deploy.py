"""Containers that the program makes, under cgroup v2. Runs in the emulated machine (tests/system/guest.py)."""

import json

import memory
import wait
from bench import Bench
from ollama import Ollama
from sizes import GIB, MIB


def swap_limit(one):
    return (memory.directory(one.id) / "memory.swap.max").read_text().strip()


def test_create_standard_limits_memory_and_swap(engine, built):
    engine.tag("0.33", "ollama/ollama", "latest")
    bench = Bench(engine)
    try:
        made = bench.supervisor("create-standard", "--memory", "1g", "--reserve", "512m", "--port", "0", "--name", "made",
                                timeout=120)
        assert made.code == 0, made
        one = Ollama.found(engine, "made")
        bench.containers.append(one)
        assert memory.limit(one.id) == GIB and swap_limit(one) == "0"
        daemon = bench.daemon(one)
        assert daemon.find("supervising", container="made")[0]["mode"] == "enforce"
        # Somebody lets it swap: put back, together with the limit.
        engine.api.call("POST", f"/containers/{one.id}/update", {"Memory": GIB, "MemorySwap": 2 * GIB})
        assert swap_limit(one) == str(GIB)
        daemon.wait("limit applied", 30, container="made")
        wait.until(lambda: swap_limit(one) == "0", 20, "its swap is limited again")
        assert memory.limit(one.id) == GIB
    finally:
        bench.close()
        engine.api.call("DELETE", "/volumes/ollama", query={"force": "1"})


def test_memory_can_be_had(engine, built):
    bench = Bench(engine)
    try:
        done = bench.supervisor("test", "256m", "--reserve", "512m", "--json", timeout=180)
        assert done.code == 0, done
        row = json.loads(done.out)
        text = json.dumps(row)
        assert str(256 * MIB) in text, text
        assert not [c for c in engine.api.containers() if "supervisor.probe" in (c["Labels"] or {})]
    finally:
        bench.close()
