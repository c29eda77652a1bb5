"""Triage: what is not an idle leak has a name too, and where there is a remedy, the smallest. All under one daemon."""

import os
import signal
import socket
import time

import pytest

import triage
import wait
from bench import BUSY, PACE
from ollama import PORT
from sizes import GIB, MIB
from triage import GROWTH, RESTART, SOON, STUCK, TOLD, alive, raised, untouched


def hang_in_use(ward, one):
    ward.ends.enter_context(socket.create_connection((one.address, PORT), 5))
    return triage.hang(ward, one)


def stop_its_runner(ward, one):
    """In the middle of an answer, whose client waits."""
    lines = ward.ends.enter_context(one.streaming("big"))
    wait.until(lambda: len(lines) > 3 * 50, 20, "some seconds of an answer")
    (runner,) = one.runners()
    os.kill(runner, signal.SIGSTOP)
    return runner


@pytest.fixture(scope="module")
def ward(engine, built):
    with triage.ward(engine, triage.ILLNESSES | {
            "hung-in-use": ({}, None, hang_in_use),
            "stopped": ({"models": "big=100M:8M", "labels": {"supervisor.leak.hung_hold": f"{STUCK:g}s"}}, triage.load, stop_its_runner),
            "small": ({"models": "big=200M", "labels": {"supervisor.max_parameters": "1M"}}, triage.load, None)}) as one:
        yield one


def test_stuck_model_loses_its_runner_and_no_other_does(ward):
    kept = ward.ill["stuck"].result()
    record = raised(ward, "stuck", "stuck-stopping", BUSY + STUCK + SOON)
    assert record["remedy"] == "kill-runner" and "other" in record["why"]
    healed = ward.daemon.wait("healed", 15 * PACE, container="stuck", step="kill")
    assert int(healed["before"]) - int(healed["after"]) >= 25 * MIB
    assert alive(ward, "stuck").runners() == kept


def test_hung_server_is_told_then_restarted(ward):
    began = ward.ill["hung"].result()
    told = raised(ward, "hung", "unreachable", 10 + TOLD + SOON)
    assert told["remedy"] == "none"
    healed = ward.daemon.wait("healed", RESTART + 30 * PACE, container="hung", step="restart")
    assert healed.at - began >= RESTART and "answers again" in str(healed)
    one = ward.containers["hung"]
    assert one.started_at() != ward.started["hung"]
    assert one.stop_signals() == 1
    ward.daemon.wait("verdict cleared", 5 * PACE, container="hung", verdict="unreachable")


def test_hung_server_with_a_client_is_only_told(ward):
    began = ward.ill["hung-in-use"].result()
    raised(ward, "hung-in-use", "unreachable", 10 + TOLD + SOON)
    time.sleep(max(0.0, began + 10 + TOLD + RESTART + 4 - time.monotonic()))
    untouched(ward, "hung-in-use").set(hang=0)
    ward.daemon.wait("verdict cleared", 15, container="hung-in-use", verdict="unreachable")


def test_runner_that_hangs_in_a_request_is_killed(ward):
    runner = ward.ill["stopped"].result()
    record = raised(ward, "stopped", "hung-runner", STUCK + SOON)
    assert record["remedy"] == "kill-runner" and int(record["pid"]) == runner and "client waits" in record["why"]
    healed = ward.daemon.wait("healed", 15 * PACE, container="stopped", step="kill")
    assert int(healed["before"]) - int(healed["after"]) >= 50 * MIB
    one = alive(ward, "stopped")
    assert runner not in one.runners()
    one.generate("big")
    assert not ward.daemon.find("verdict raised", container="hung-in-use", verdict="hung-runner")


def test_kill_by_the_kernel_names_the_runner_and_the_limit(ward):
    ward.ill["killed"].result()
    record = raised(ward, "killed", "oom-kill", SOON)
    assert int(record["kills"]) >= 1 and "its own limit" in record["why"]
    assert int(record["limit"]) == 200 * MIB
    untouched(ward, "killed")


def test_filling_prompt_cache_is_told_with_the_bound_that_fits(ward):
    ward.ill["cache"].result()
    record = raised(ward, "cache", "prompt-cache", 5 * PACE)
    assert record["severity"] == "warning" and int(record["bound"]) == 8 * GIB
    assert 1 * GIB < int(record["fits"]) < 2 * GIB
    assert f"LLAMA_ARG_CACHE_RAM={int(record['fits']) // MIB}" in record["why"]
    assert not ward.daemon.find("verdict raised", container="cache", verdict="growth-leak")
    untouched(ward, "cache")
    ward.daemon.wait("verdict cleared", 3 * GROWTH, container="cache", verdict="prompt-cache")


def test_growth_of_a_version_without_that_cache_is_a_leak(ward):
    ward.ill["growing"].result()
    record = raised(ward, "growing", "growth-leak", 5 * PACE)
    assert record["remedy"] == "none" and int(record["per_hour"]) > 100 * MIB and float(record["left"]) > 0
    assert not ward.daemon.find("verdict raised", container="growing", verdict="prompt-cache")
    untouched(ward, "growing")


def test_oversize_model_is_unloaded_when_it_is_idle(ward):
    ward.ill["oversize"].result()
    raised(ward, "oversize", "oversize-model", 1)
    healed = ward.daemon.wait("healed", BUSY + 25 * PACE, container="oversize", step="unload")
    assert int(healed["before"]) - int(healed["after"]) >= 150 * MIB
    assert alive(ward, "oversize").loaded() == []


def test_small_one_is_only_told(ward):
    raised(ward, "small", "oversize-model", SOON)
    time.sleep(BUSY + 4)
    assert untouched(ward, "small").loaded() == ["big"]
    assert "oversize-model" in ward.bench.supervisor("status").out


def test_budget_and_health_check_are_told(ward):
    record = raised(ward, "over-budget", "over-budget", 10 + SOON)
    assert int(record["models_held"]) >= 100 * MIB and int(record["budget"]) == 50 * MIB
    record = raised(ward, "healthcheck", "broken-healthcheck", SOON)
    assert "executable file not found" in record["why"]
    untouched(ward, "over-budget")
    untouched(ward, "healthcheck")


def test_others_were_left_alone(ward):
    one = untouched(ward, "healthy")
    assert one.loaded() == ["big"] and one.life() == ward.life
    told = {r["verdict"] for r in ward.daemon.find("verdict raised", container="healthy")}
    assert told <= {"no-limit", "swap-in-use"}  # the latter is about the host, where that has swap


def test_status_names_them(ward):
    out = ward.bench.supervisor("status", timeout=120).out
    for word in ("oom-kill", "broken-healthcheck", "over-budget"):
        assert word in out, out
