"""Prometheus, as Debian has it, reads the daemon and raises the alerts that come with it."""

import json
import re
import shutil
import socket
import subprocess
import urllib.request

import pytest

import wait
from api import Api
from bench import in_time, outlive_grace
from engine import ROOT
from sizes import MIB

TEMPLATES = ROOT / "templates/prometheus"
LEAKS = {"supervisor.leak.threshold": "64M", "supervisor.leak.threshold_percent": "0", "supervisor.leak.baseline": "32M"}

pytestmark = pytest.mark.skipif(not shutil.which("promtool"), reason="this machine lacks prometheus")


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_shipped_is_good():
    promtool("check", "config", TEMPLATES / "prometheus.yml")
    promtool("test", "rules", TEMPLATES / "tests.yml")


def test_rules_ask_for_what_there_is(bench):
    """Each metric that a rule or the scrape configuration names is one of /metrics, with these labels."""
    one = bench.ollama("here", memory_limit=300 * MIB)
    api = Api(bench.daemon(one, http__listen="127.0.0.1:0"))
    wait.until(lambda: 'supervisor_ollama_up{container="here"}' in api.metrics(), 10, "the container")
    names = {name.split("{")[0] for name in api.metrics()}
    for file in ("alerts.yml", "recording.yml"):
        for name in re.findall(r"\bsupervisor_[a-z_]+", (TEMPLATES / file).read_text()):
            assert name in names, (file, name)


class Prometheus:
    """With the shipped rules; scrapes and judges once a second."""

    def __init__(self, directory, target):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        text = (TEMPLATES / "prometheus.yml").read_text().replace("127.0.0.1:9000", target).replace(": 15s", ": 1s")
        for name in ("alerts.yml", "recording.yml"):
            shutil.copy(TEMPLATES / name, directory)
        (directory / "prometheus.yml").write_text(text)
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def firing(self):
        return {a["labels"]["alertname"]: a for a in (self.ask("alerts") or {"alerts": []})["alerts"] if a["state"] == "firing"}

    def value(self, query):
        found = (self.ask(f"query?query={query}") or {"result": []})["result"]
        return float(found[0]["value"][1]) if found else None


def test_leak_fires_and_resolves(bench, tmp_path):
    one = bench.ollama("leaky", mode="observe", labels=LEAKS, memory_limit=400 * MIB)
    daemon = bench.daemon(one, http__listen="127.0.0.1:0")
    prometheus = Prometheus(tmp_path, f"127.0.0.1:{Api(daemon).port}")
    try:
        wait.until(lambda: prometheus.value("supervisor_healthy") == 1, 20, "the first scrape")
        outlive_grace()
        one.leak(160 * MIB)
        daemon.wait("verdict raised", in_time() + 20, container="leaky", verdict="idle-leak")
        alert = wait.until(lambda: prometheus.firing().get("OllamaLeak"), 10, "the alert")
        assert alert["labels"]["container"] == "leaky" and alert["labels"]["verdict"] == "idle-leak"
        assert 0.3 < wait.until(lambda: prometheus.value("supervisor:container_held:ratio"), 10, "what is recorded") < 0.7
        fixed = bench.supervisor("fix-ollama", "leaky")
        assert fixed.code == 0, f"{fixed}\n{daemon.text()}"
        wait.until(lambda: "OllamaLeak" not in prometheus.firing(), 15, "the alert is resolved")
    finally:
        prometheus.process.kill()
        prometheus.process.wait()
