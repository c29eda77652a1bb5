"""Triage: what is not an idle leak has a name too, and where there is a remedy, the smallest. All under one daemon."""

import contextlib
import socket
import time
import types

import pytest

import wait
from bench import BUSY, QUICK, Bench, outlive_grace
from ollama import PORT
from sizes import GIB, MIB

STUCK, TOLD, RESTART, GROWTH = 3.0, 3.0, 8.0, 6.0
SETTINGS = QUICK | {"leak.stuck_hold": f"{STUCK:g}s", "leak.unreachable_hold": f"{TOLD:g}s",
                    "leak.unreachable_restart": f"{RESTART:g}s", "leak.growth_hold": f"{GROWTH:g}s", "leak.growth": "8m"}
NO_SHELL = {"Test": ["CMD", "curl", "-f", "http://localhost:11434"], "Interval": 10**9, "Timeout": 10**9, "Retries": 1}


def prompts(one, seconds, pause=0.25):
    """Distinct prompts, one after the other."""
    ends = time.monotonic() + seconds
    for i in range(10_000):
        if time.monotonic() > ends:
            return
        one.post("/api/generate", {"model": "big", "prompt": f"prompt {i}", "stream": False, "options": {"num_predict": 1}})
        time.sleep(pause)


@pytest.fixture(scope="module")
def ward(engine, built):
    bench = Bench(engine, SETTINGS)
    with contextlib.ExitStack() as ends:
        ends.callback(bench.close)
        c = {
            "healthy": bench.ollama("healthy", models="big=100M"),
            "stuck": bench.ollama("stuck", models="big=100M,other=50M"),
            "hung": bench.ollama("hung"),
            "hung-in-use": bench.ollama("hung-in-use"),
            "killed": bench.ollama("killed", models="big=600M", memory_limit=200 * MIB),
            "cache": bench.ollama("cache", models="big=100M", memory_limit=2 * GIB),
            "growing": bench.ollama("growing", version="0.24", models="big=100M", memory_limit=2 * GIB),
            "oversize": bench.ollama("oversize", models="big=300M", labels={
                "supervisor.max_parameters": "1M", "supervisor.small_model": "1m"}),
            "small": bench.ollama("small", models="big=300M", labels={"supervisor.max_parameters": "1M"}),
            "over-budget": bench.ollama("over-budget", models="big=100M",
                                        labels={"supervisor.memory.max_model_memory": "50m"}),
            "healthcheck": bench.ollama("healthcheck", healthcheck=NO_SHELL),
        }
        for name in ("healthy", "stuck", "cache", "growing", "over-budget"):
            c[name].load("big")
        wait.until(lambda: c["healthcheck"].inspect()["State"]["Health"]["Status"] == "unhealthy", 30, "it is unhealthy")
        started = {name: one.started_at() for name, one in c.items()}
        daemon = bench.daemon(*c.values())
        outlive_grace()
        yield types.SimpleNamespace(bench=bench, containers=c, daemon=daemon, started=started)


def raised(ward, name, verdict, within, **fields):
    return ward.daemon.wait("verdict raised", within, container=name, verdict=verdict, **fields)


def untouched(ward, name):
    """Nothing was done to it."""
    one = ward.containers[name]
    assert one.started_at() == ward.started[name] and one.stop_signals() == 0
    assert not ward.daemon.find("acting", container=name), ward.daemon.text()
    return one


def test_stuck_model_loses_its_runner_and_no_other_does(ward):
    one = ward.containers["stuck"]
    kept = one.runners()
    one.load("other")
    one.set(stuck_unload=1)
    one.post("/api/generate", {"model": "other", "keep_alive": 0})
    record = raised(ward, "stuck", "stuck-stopping", BUSY + STUCK + 10)
    assert record["remedy"] == "kill-runner" and "other" in record["why"]
    healed = ward.daemon.wait("healed", 15, container="stuck", step="kill")
    assert int(healed["before"]) - int(healed["after"]) >= 25 * MIB
    assert one.runners() == kept and one.started_at() == ward.started["stuck"]


def test_hung_server_is_told_then_restarted(ward):
    one = ward.containers["hung"]
    one.set(hang=1)
    began = time.monotonic()
    told = raised(ward, "hung", "unreachable", 10 + TOLD + 10)
    assert told["remedy"] == "none"
    healed = ward.daemon.wait("healed", 40, container="hung", step="restart")
    assert time.monotonic() - began >= RESTART and "answers again" in str(healed)
    assert one.started_at() != ward.started["hung"]
    assert one.stop_signals() == 1
    ward.daemon.wait("verdict cleared", 5, container="hung", verdict="unreachable")


def test_hung_server_with_a_client_is_only_told(ward):
    with socket.create_connection((ward.containers["hung-in-use"].address, PORT), 5):
        ward.containers["hung-in-use"].set(hang=1)
        raised(ward, "hung-in-use", "unreachable", 10 + TOLD + 10)
        time.sleep(RESTART + 4)
        untouched(ward, "hung-in-use")
        ward.containers["hung-in-use"].set(hang=0)
    ward.daemon.wait("verdict cleared", 15, container="hung-in-use", verdict="unreachable")


def test_kill_by_the_kernel_names_the_runner_and_the_limit(ward):
    one = ward.containers["killed"]
    status, _ = one.request("POST", "/api/generate", {"model": "big"})
    assert status == 500
    record = raised(ward, "killed", "oom-kill", 10)
    assert int(record["kills"]) >= 1 and "its own limit" in record["why"]
    assert int(record["limit"]) == 200 * MIB
    untouched(ward, "killed")


def test_filling_prompt_cache_is_told_with_the_bound_that_fits(ward):
    one = ward.containers["cache"]
    one.set(cache_per_prompt="3m")
    prompts(one, 2 * GROWTH + 4)
    record = raised(ward, "cache", "prompt-cache", 5)
    assert record["severity"] == "warning" and int(record["bound"]) == 8 * GIB
    assert 1 * GIB < int(record["fits"]) < 2 * GIB
    assert f"LLAMA_ARG_CACHE_RAM={int(record['fits']) // MIB}" in record["why"]
    assert not ward.daemon.find("verdict raised", container="cache", verdict="growth-leak")
    untouched(ward, "cache")
    ward.daemon.wait("verdict cleared", 3 * GROWTH, container="cache", verdict="prompt-cache")


def test_growth_of_a_version_without_that_cache_is_a_leak(ward):
    one = ward.containers["growing"]
    one.set(cache_per_prompt="3m")
    prompts(one, 2 * GROWTH + 4)
    record = raised(ward, "growing", "growth-leak", 5)
    assert record["remedy"] == "none" and int(record["per_hour"]) > 100 * MIB and float(record["left"]) > 0
    assert not ward.daemon.find("verdict raised", container="growing", verdict="prompt-cache")
    untouched(ward, "growing")


def test_oversize_model_is_unloaded_when_it_is_idle(ward):
    one = ward.containers["oversize"]
    with one.streaming("big"):
        raised(ward, "oversize", "oversize-model", 20)
        time.sleep(BUSY)
        assert one.loaded() == ["big"] and not ward.daemon.find("acting", container="oversize")
    healed = ward.daemon.wait("healed", BUSY + 25, container="oversize", step="unload")
    assert int(healed["before"]) - int(healed["after"]) >= 150 * MIB
    assert one.loaded() == [] and one.started_at() == ward.started["oversize"]


def test_small_one_is_only_told(ward):
    ward.containers["small"].load("big")
    raised(ward, "small", "oversize-model", 10)
    time.sleep(BUSY + 4)
    assert untouched(ward, "small").loaded() == ["big"]


def test_budget_and_health_check_are_told(ward):
    record = raised(ward, "over-budget", "over-budget", 20)
    assert int(record["models_held"]) >= 100 * MIB and int(record["budget"]) == 50 * MIB
    record = raised(ward, "healthcheck", "broken-healthcheck", 10)
    assert "executable file not found" in record["why"]
    untouched(ward, "over-budget")
    untouched(ward, "healthcheck")


def test_others_were_left_alone(ward):
    one = untouched(ward, "healthy")
    assert one.loaded() == ["big"]
    assert {r["verdict"] for r in ward.daemon.find("verdict raised", container="healthy")} <= {"no-limit"}


def test_status_names_them(ward):
    out = ward.bench.supervisor("status").out
    for word in ("oom-kill", "broken-healthcheck", "over-budget", "oversize-model"):
        assert word in out, out
