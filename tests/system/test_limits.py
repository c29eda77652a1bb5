"""Wanted memory limits: applied, put back, refused where they would do harm."""

import time
import types

import pytest

import memory
import wait
from bench import Bystander
from sizes import GIB, MIB


@pytest.fixture(scope="module")
def limits(shared_bench):
    bench = shared_bench
    bench.settings["leak.threshold"] = "8G"  # what is held here is no leak
    wanted = {"supervisor.memory": "1g", "supervisor.memory.swap": "0"}
    c = {
        "none": bench.ollama("none"),
        "wanted": bench.ollama("wanted", labels=wanted, restart="on-failure"),
        "unbounded": bench.ollama("unbounded", labels={"supervisor.memory": "1g"}),
        "swaps": bench.ollama("swaps", labels={"supervisor.memory": "1g"}, host={"Memory": 512 * MIB, "MemorySwap": -1}),
        "larger": bench.ollama("larger", labels={"supervisor.memory": "3g"}, memory_limit=GIB),
        "tight": bench.ollama("tight", labels={"supervisor.memory": "512m"}),
        "watched": bench.ollama("watched", mode="observe", labels=wanted),
        "right": bench.ollama("right", labels=wanted, memory_limit=GIB),
    }
    bystander = Bystander(bench)
    c["tight"].leak(600 * MIB)
    started = {name: one.started_at() for name, one in c.items()}
    daemon = bench.daemon(*c.values())
    return types.SimpleNamespace(bench=bench, bystander=bystander, containers=c, daemon=daemon, started=started)


def limited(one, size, seconds=10):
    wait.until(lambda: one.inspect()["HostConfig"]["Memory"] == size, seconds,
               lambda: f"{one.name} is limited to {size}; it is to {one.inspect()['HostConfig']['Memory']}")
    assert memory.limit(one.id) == size


@pytest.mark.parametrize("name, size", [("wanted", GIB), ("larger", 3 * GIB)])
def test_wanted_limit_is_applied(limits, name, size):
    one = limits.containers[name]
    drift = limits.daemon.wait("verdict raised", 10, container=name, verdict="limit-drift")
    assert drift["remedy"] == "limit" and int(drift["wanted"]) == size
    record = limits.daemon.wait("limit applied", 10, container=name)
    assert int(record["limit"]) == size
    limited(one, size)
    config = one.inspect()["HostConfig"]
    assert config["MemorySwap"] == (size if one.engine.api.call("GET", "/info")["SwapLimit"] else -1), "no swap beside it"
    assert one.started_at() == limits.started[name]


@pytest.mark.parametrize("name", ["swaps", "unbounded"])
def test_swap_of_which_nothing_is_said_stays(limits, name):
    limits.daemon.wait("limit applied", 10, container=name)
    config = limits.containers[name].inspect()["HostConfig"]
    assert (config["Memory"], config["MemorySwap"]) == (GIB, -1)


def test_restart_policy_is_kept(limits):
    limits.daemon.wait("limit applied", 10, container="wanted")
    assert limits.containers["wanted"].inspect()["HostConfig"]["RestartPolicy"]["Name"] == "on-failure"


def test_changed_limit_comes_back(limits):
    one = limits.containers["wanted"]
    limited(one, GIB)
    limits.bench.engine.api.call("POST", f"/containers/{one.id}/update", {"Memory": 2 * GIB, "MemorySwap": 2 * GIB})
    changed = time.monotonic()
    record = limits.daemon.wait("limit applied", 10, after=changed, container="wanted")
    assert int(record["limit"]) == GIB
    limited(one, GIB)


def test_limit_that_went_with_the_container_comes_back(limits):
    limits.containers["right"].remove()
    again = limits.bench.ollama("right", labels={"supervisor.memory": "1g"})
    limits.daemon.wait("limit applied", 10, container="right")
    limited(again, GIB)


def test_right_limit_is_left_alone(limits):
    assert not [e for e in limits.bench.engine.events.of(limits.containers["larger"].id, "update")][1:]


def test_limit_below_the_floor_is_refused_with_the_reason(limits):
    record = limits.daemon.wait("limit refused", 10, container="tight")
    assert record["why"]
    time.sleep(2)
    assert len(limits.daemon.find("limit refused", container="tight")) == 1, "said more than once"
    assert limits.containers["tight"].inspect()["HostConfig"]["Memory"] == 0


def test_none_wanted_is_told_only(limits):
    record = limits.daemon.wait("verdict raised", 10, container="none", verdict="no-limit")
    assert record["remedy"] == "none"
    assert limits.containers["none"].inspect()["HostConfig"]["Memory"] == 0
    assert not limits.daemon.find("acting", container="none")


def test_observed_container_is_told_only(limits):
    limits.daemon.wait("would act", 10, container="watched", step="limit")
    assert limits.containers["watched"].inspect()["HostConfig"]["Memory"] == 0


def test_bystander_is_untouched(limits):
    limits.bystander.is_untouched()
    assert memory.limit(limits.bystander.one.id) == 256 * MIB


def test_limit_from_the_command_line(limits):
    limits.daemon.end()
    done = limits.bench.supervisor("enforce", "none", memory__limit="2G")
    assert done.code == 0, done
    limited(limits.containers["none"], 2 * GIB)
    again = limits.bench.supervisor("enforce", "none", memory__limit="2G")
    assert again.code == 0, again
    refused = limits.bench.supervisor("enforce", "tight")
    assert refused.code == 1 and "512" in refused.err + refused.out, refused
