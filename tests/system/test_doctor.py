"""`supervisor doctor`: what is wrong around it, what that costs and what mends it; and that it changes nothing."""

import json
import os
import re
import signal
import subprocess

import pytest

import wait
from bench import outlive_grace
from sizes import MIB

WORST = {0: {"ok", "note"}, 1: {"ok", "note", "warning"}, 4: {"ok", "note", "warning", "critical"}}


def examined(bench, code=None):
    """What it finds, as {(check, container): finding}; its exit status is by the worst of them."""
    done = bench.supervisor("doctor", "--json")
    found = json.loads(done.out)
    severities = {one["severity"] for one in found}
    assert severities <= WORST[done.code] and (done.code == 0 or severities - WORST[{1: 0, 4: 1}[done.code]]), done
    assert all(("mend" in one or one["check"] == "stopped") and "cost" in one for one in found if one["severity"] != "ok"), found
    assert code is None or done.code == code, done
    return {(one["check"], one.get("container", "")): one for one in found}


def watched(bench, one):
    """A daemon that has looked: its sign of life is there."""
    daemon = bench.daemon(one)
    wait.until(lambda: bench.supervisor("health").code == 0, 20, "it has looked")
    return daemon


def severity(found, check, container=""):
    return found[check, container]["severity"] if (check, container) in found else None


def test_all_is_well(bench):
    one = bench.ollama("fine", memory_limit=512 * MIB, env={"LLAMA_ARG_CACHE_RAM": "64"}, restart="unless-stopped")
    daemon = watched(bench, one)
    before = (one.inspect(), sorted(os.listdir(bench.state)))
    found = examined(bench, code=0)
    for check in ("engine", "memory-controller", "daemon", "state"):
        assert severity(found, check) == "ok", found
    for check in ("mode", "ollama", "limit"):
        assert severity(found, check, "fine") == "ok", found
    assert ("prompt-cache", "fine") not in found and ("restart-policy", "fine") not in found
    assert before == (one.inspect(), sorted(os.listdir(bench.state))) and daemon.alive()
    text = bench.supervisor("doctor")
    assert text.code == 0 and text.out.splitlines()[-1].startswith("Nothing to mend: "), text


def test_each_container_with_its_own(bench):
    """One without a limit, one that only listens to itself, one that is watched alone, one with a label that says nothing."""
    free = bench.ollama("free")
    deaf = bench.ollama("deaf", memory_limit=512 * MIB)
    deaf.set(refuse=1)
    bench.ollama("watched", mode="observe", memory_limit=512 * MIB)
    bench.ollama("mistyped", memory_limit=512 * MIB, labels={"supervisor.leak.hold": "soon"})
    stopped = bench.ollama("stopped", memory_limit=512 * MIB)
    free.engine.api.call("POST", f"/containers/{stopped.id}/stop", query={"t": 1})
    found = examined(bench, code=4)
    assert severity(found, "limit", "free") == "warning", found
    assert re.fullmatch(r"docker update --memory \d+m --memory-swap \d+m free", found["limit", "free"]["mend"]), found
    assert severity(found, "ollama", "deaf") == "critical" and severity(found, "ollama", "free") == "ok"
    assert severity(found, "mode", "watched") == "note" and severity(found, "mode", "free") == "ok"
    assert severity(found, "labels", "mistyped") == "warning" and "soon" in found["labels", "mistyped"]["text"]
    assert severity(found, "stopped", "stopped") == "note" and ("limit", "stopped") not in found
    assert severity(found, "prompt-cache", "free") in ("note", "warning")
    assert severity(found, "daemon") == "warning"
    text = bench.supervisor("doctor")
    severities = [line.split()[0] for line in text.out.splitlines() if line[:1].strip() and not line[0].isdigit()]
    assert severities == sorted(severities, key=["critical", "warning", "note", "ok"].index), text
    assert "it costs: " in text.out and "to mend it: " in text.out and max(map(len, text.out.splitlines())) <= 80, text


def test_what_the_mend_says_mends(bench):
    one = bench.ollama("boundless", env={"LLAMA_ARG_CACHE_RAM": "64"}, restart="unless-stopped")
    watched(bench, one)
    found = examined(bench, code=1)
    command = found["limit", "boundless"]["mend"].split()
    subprocess.run([command[0], "--host", one.engine.url, *command[1:]], check=True, capture_output=True)
    assert severity(examined(bench, code=0), "limit", "boundless") == "ok"


@pytest.fixture
def another_image(engine):
    name = "open-webui:ollama"
    engine.api.call("POST", f"/images/{engine.image()}/tag", query={"repo": "open-webui", "tag": "ollama"})
    yield name
    engine.api.call("DELETE", f"/images/{name}")


def test_an_image_of_another_name(bench, another_image):
    stranger = bench.ollama("stranger", mode=None, image=another_image)
    found = examined(bench, code=1)
    assert severity(found, "not-followed", "stranger") == "note", found
    assert severity(found, "ollama") == "warning" and "create-standard" in found["ollama", ""]["mend"], found
    assert stranger.id not in bench.supervisor("status", "--json").out


def test_without_an_engine(bench, tmp_path):
    nowhere = ("--host", f"unix://{tmp_path}/none.sock")
    done = bench.supervisor("doctor", *nowhere)
    assert done.code == 3 and "systemctl start docker" in done.out and "daemon: " in done.out, done
    found = json.loads(bench.supervisor("doctor", "--json", *nowhere).out)
    assert [one["severity"] for one in found if one["check"] == "engine"] == ["critical"]


@pytest.mark.parametrize("mode, expected", [(0o777, "critical"), (0o755, "ok")])
def test_a_state_directory_that_others_may_write(bench, mode, expected):
    bench.ollama("any")
    bench.state.mkdir()
    bench.state.chmod(mode)
    assert severity(examined(bench), "state") == expected


def test_one_that_hangs_is_no_daemon(bench):
    one = bench.ollama("fine", memory_limit=512 * MIB, env={"LLAMA_ARG_CACHE_RAM": "64"}, restart="unless-stopped")
    daemon = watched(bench, one)
    assert severity(examined(bench), "daemon") == "ok"
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        wait.until(lambda: severity(examined(bench), "daemon") == "warning", 40, "it is told", every=1)
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)


def test_a_health_check_that_cannot_run(bench):
    one = bench.ollama("checked", memory_limit=512 * MIB, env={"LLAMA_ARG_CACHE_RAM": "64"},
                       healthcheck={"Test": ["CMD", "curl", "-f", "http://localhost:11434"], "Interval": 10**9, "Timeout": 10**9, "Retries": 1})
    wait.until(lambda: one.inspect()["State"]["Health"]["Status"] == "unhealthy", 30, "the engine calls it unhealthy")
    outlive_grace()
    assert severity(examined(bench), "health-check", "checked") == "warning"
