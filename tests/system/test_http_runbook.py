"""The paths of older programs: those of the operational runbook, of the router's memory API and of the hardware optimizer."""

import json
import os
import shutil
import signal
import subprocess

import pytest

import wait
from api import Api, follows_its_description
from bench import QUICK, Bench, in_time, outlive_grace
from sizes import MIB

RUNBOOK = "/llm/production"
LOW = {"supervisor.leak.threshold": "64M", "supervisor.leak.threshold_percent": "0", "supervisor.leak.baseline": "32M"}


@pytest.fixture(scope="module")
def bench(engine, built):
    one = Bench(engine, QUICK | {"supervisor.preset": "runbook"}, label="test.runbook")
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def one(bench):
    return bench.ollama("one", models="llama3.2=16M,qwen3:8b=24M,gpt-oss:20b=32M,other=16M", memory_limit=600 * MIB,
                        env={"OLLAMA_KEEP_ALIVE": "1h"}, labels=LOW)


@pytest.fixture(scope="module")
def daemon(bench, one):
    return bench.daemon(one, http__listen="127.0.0.1:0", http__legacy_listen="127.0.0.1:0")


@pytest.fixture(scope="module")
def api(daemon):
    return Api(daemon)


@pytest.fixture(scope="module")
def ask(api):
    description = api.get("/openapi.json")

    def ask(method, path, status=200, body=None, described=None):
        answer = api.ask(method, path, body, timeout=90)
        assert answer.status == status, (method, path, answer)
        follows_its_description(description, method, described or path.split("?")[0], answer)
        return answer.json()
    return ask


@pytest.fixture(autouse=True)
def nothing_loaded(one, daemon):
    yield
    for model in one.loaded():
        one.unload(model)


def test_runbook_loads_and_unloads(ask, one, daemon):
    loaded = ask("POST", f"{RUNBOOK}/memory/load/qwen3:8b", body={"taskComplexity": "medium", "priority": "high"},
                 described=RUNBOOK + "/memory/load/{modelName}")
    assert loaded["success"] and one.loaded() == ["qwen3:8b"], loaded
    stats = wait.until(lambda: (s := ask("GET", f"{RUNBOOK}/memory/stats"))["loadedModels"] == 1 and s, 5, "the look")
    assert stats["memoryPressure"] in ("low", "medium", "high", "critical") and stats["container"] == "one"
    assert [t["loaded"] for t in stats["threeTierModels"]] == [False, True, False]
    assert abs(stats["usedMemoryBytes"] - one.held()) < 8 * MIB and stats["limitGB"] == 0.629
    model, = ask("GET", f"{RUNBOOK}/memory/models")["models"]
    assert model["name"] == "qwen3:8b" and model["tier"] == "fast" and model["protected"]
    gone = ask("DELETE", f"{RUNBOOK}/memory/unload/qwen3:8b", described=RUNBOOK + "/memory/unload/{modelName}")
    assert gone["success"] and gone["memoryFreedBytes"] > 20 * MIB and one.loaded() == []
    daemon.wait("operation ended", 5, what="unload")
    daemon.wait("Model loaded successfully", 5, model="qwen3:8b")


def test_runbook_preloads_and_starts_afresh(ask, one, daemon):
    preloaded = ask("POST", f"{RUNBOOK}/memory/preload-three-tier")
    assert preloaded["success"] and sorted(one.loaded()) == ["gpt-oss:20b", "llama3.2", "qwen3:8b"], preloaded
    life, pids = one.started_at(), {m["name"]: m["expires_at"] for m in one.get("/api/ps")["models"]}
    restarted = ask("POST", f"{RUNBOOK}/operations/emergency-restart")
    assert restarted["success"] and sorted(one.loaded()) == ["gpt-oss:20b", "llama3.2", "qwen3:8b"], restarted
    assert one.started_at() == life and [r["text"][:8] for r in restarted["results"]].count("unloaded") == 3
    assert {m["name"]: m["expires_at"] for m in one.get("/api/ps")["models"]} != pids
    assert ask("POST", f"{RUNBOOK}/memory/optimize")["success"]
    daemon.wait("Emergency restart ended", 5)
    daemon.wait("Memory optimization freed memory", 5)


def test_runbook_health(ask, one):
    health = ask("GET", f"{RUNBOOK}/monitoring/health")
    assert health["status"] == "healthy" and health["ollamaConnected"] and health["containers"][0]["responseTimeMs"] >= 0
    assert ask("POST", f"{RUNBOOK}/monitoring/health-check")["status"] == "healthy"
    one.load("other")
    wanted = [{"name": "other:latest", "container": "one", "healthy": True, "why": None}]
    wait.until(lambda: ask("GET", f"{RUNBOOK}/monitoring/models")["models"] == wanted, 10, "the look")
    assert ask("GET", f"{RUNBOOK}/operations/status")["status"] == "operational"
    diagnostics = ask("GET", f"{RUNBOOK}/operations/diagnostics")
    assert diagnostics["overallHealth"] == "healthy" and diagnostics["issues"] == [] and diagnostics["memoryStats"]["loadedModels"] == 1


def test_leak_is_an_alert_until_it_is_healed(ask, one, daemon, bench):
    outlive_grace()
    leaked = one.leak(160 * MIB)
    record = daemon.wait("verdict raised", in_time() + 20, after=leaked, verdict="idle-leak")
    alerts = ask("GET", f"{RUNBOOK}/monitoring/alerts")
    if not daemon.find("healed", after=record.at):  # it is healed within a second
        assert [a["type"] for a in alerts["alerts"]] in ([], ["leak"])
    daemon.wait("healed", 30, after=leaked)
    wait.until(lambda: ask("GET", f"{RUNBOOK}/monitoring/alerts")["count"] == 0, 10, "it is resolved")
    past = wait.until(lambda: (p := ask("GET", f"{RUNBOOK}/monitoring/alerts/history"))[1:] and p, 5, "the history")
    assert [(p["type"], p["state"]) for p in past if p["verdict"] == "idle-leak"] == [("leak", "raised"), ("leak", "resolved")]
    assert len(ask("GET", f"{RUNBOOK}/monitoring/alerts/history?limit=1")) == 1
    wait.until(lambda: len(one.loaded()) == 3, 30, "what is wanted at hand is loaded again after the heal")
    events = bench.supervisor("events", "--json").out
    assert ask("DELETE", f"{RUNBOOK}/monitoring/alerts/history") == {"success": True}
    assert ask("GET", f"{RUNBOOK}/monitoring/alerts/history") == []
    assert bench.supervisor("events", "--json").out.startswith(events), "events stay"


@pytest.mark.skipif(not shutil.which("jq"), reason="this machine lacks jq")
@pytest.mark.parametrize("line", [
    "curl -s http://localhost:9000/llm/production/operations/status | jq .",
    "curl -s http://localhost:9000/llm/production/memory/stats | jq .memoryPressure",
    "curl -s http://localhost:9000/llm/production/memory/models | jq '.models[] | select(.useCount < 5)'",
    "curl -X POST http://localhost:9000/llm/production/memory/optimize",
    'curl -X POST http://localhost:9000/llm/production/memory/load/qwen3:8b -H "Content-Type: application/json" '
    """-d '{"taskComplexity": "medium", "priority": "high"}'""",
    "curl -X DELETE http://localhost:9000/llm/production/memory/unload/deepseek-r1:70b",
    'curl -s "http://localhost:9000/llm/production/monitoring/alerts/history?limit=50" | jq .',
    "curl -s http://localhost:9000/llm/production/operations/diagnostics | jq '{overallHealth, issues, recommendations, memoryStats: "
    ".memoryStats | {memoryPressure, loadedModels, threeTierModels}}'",
    'curl -s "http://localhost:9000/llm/production/monitoring/alerts/history?limit=1000" | jq '
    "'group_by(.type) | map({type: .[0].type, count: length}) | sort_by(.count) | reverse'",
    "curl -X DELETE http://localhost:9000/llm/production/monitoring/alerts/history"])
def test_command_lines_work_as_written(api, one, line):
    """Those of the runbook, but for the port."""
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line.replace("localhost:9000", f"localhost:{api.port}").replace("curl ", "curl -f ", 1)],
                          capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done
    if "select" not in line:
        json.loads(done.stdout)


def test_memory_api_of_the_router(ask, one, daemon):
    loaded = ask("POST", "/api/memory/models/other/load", described="/api/memory/models/{model_id}/load")
    assert loaded["success"] and one.loaded() == ["other"] and loaded["memory_after_gb"] >= loaded["memory_before_gb"], loaded
    status = wait.until(lambda: (s := ask("GET", "/api/memory/status"))["ollama"]["loaded_models"] and s, 5, "the look")
    assert status["router"]["active_member"] == "other:latest" and 0 < status["system"]["pressure_percent"] < 100
    assert status["system"]["total_gb"] > status["system"]["available_gb"] > 0
    model, = status["ollama"]["loaded_models"]
    assert model["name"] == "other:latest" and model["size_bytes"] > 10 * MIB and "T" in model["expires_at"]
    flushed = ask("POST", "/api/memory/flush")
    assert flushed["success"] and flushed["models_unloaded"] == ["other:latest"] and one.loaded() == []
    assert flushed["memory_released_gb"] == round(flushed["memory_released_bytes"] // 1_000_000 / 1000, 3) > 0.01
    assert ask("GET", "/api/memory/status")["router"]["last_unload"] is not None
    one.load("other")
    wait.until(lambda: ask("GET", "/api/memory/status")["ollama"]["loaded_models"], 5, "the look")
    gone = ask("DELETE", "/api/memory/models/other", described="/api/memory/models/{model_id}")
    assert gone["models_unloaded"] == ["other:latest"] and one.loaded() == []
    missing = ask("POST", "/api/memory/models/none-of-that-name/load", 502, described="/api/memory/models/{model_id}/load")
    assert not missing["success"] and missing["error"]


def test_hardware_optimizer(ask, one, api, daemon):
    ports = [r["port"] for r in daemon.find("http listening") if "port" in r]
    assert len(set(ports)) == 2, "legacy_listen is another address"
    resources = ask("GET", "/resources")
    mine, = [c for c in resources["containers"] if c["name"] == "one"]
    assert mine["limit_gb"] == 0.629 and 0 < mine["memory_percent"] < 100 and resources["memory_total_gb"] > 1
    one.load("other")
    wait.until(lambda: ask("GET", "/resources")["loaded_models"], 5, "the look")
    assert api.ask("HEAD", "/emergency-scale-down").status == 405 and one.loaded() == ["other"]
    assert api.ask("GET", "/emergency-scale-down", Referer="http://evil.example/").status == 403
    for fields in ({"Host": f"0.0.0.0:{api.port}"}, {"User_Agent": "Mozilla/5.0 (X11)"}):
        assert api.ask("GET", "/emergency-scale-down", **fields).status in (403, 421) and one.loaded() == ["other"], fields
    assert ask("GET", "/optimize")["success"] and one.loaded() == ["other"], "there is no pressure"
    scaled = ask("GET", "/emergency-scale-down")
    assert scaled["models_unloaded"] == ["other:latest"] and one.loaded() == []
    assert ask("GET", "/health")["status"] == "healthy"


def test_older_paths_begin_too(ask, api):
    begun = api.ask("POST", "/api/memory/flush", Prefer="respond-async")
    assert begun.status == 202
    follows_its_description(api.get("/openapi.json"), "POST", "/api/memory/flush", begun)
    wait.until(lambda: ask("GET", f"/api/v1/operations/{begun.json()['id']}", described="/api/v1/operations/{id}")["state"] == "done", 20, "its end")


def test_ollama_that_does_not_answer_is_not_done(ask, one):
    one.load("other")
    os.kill(one.pid(), signal.SIGSTOP)
    try:
        for path in ("/optimize", "/api/memory/flush"):
            assert "does not answer" in ask("POST", path, 502)["error"]
    finally:
        os.kill(one.pid(), signal.SIGCONT)


def test_deletion_stays_whoever_reads_at_the_same_time(api, ask, one, daemon, bench):
    path = f"{RUNBOOK}/monitoring/alerts/history"
    leaked = one.leak(160 * MIB)
    daemon.wait("healed", in_time() + 60, after=leaked)
    wait.until(lambda: ask("GET", path), 10, "the history")
    for _ in range(20):
        first, second = api.connection(), api.connection()
        first.connect()
        second.connect()
        first.request("DELETE", path)
        second.request("GET", path)
        assert first.getresponse().status == second.getresponse().status == 200
        assert [a["id"] for a in ask("GET", path) if a["id"] <= int((bench.state / "alerts-after").read_text())] == []
