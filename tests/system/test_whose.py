"""Whose memory it is: where the server listens, whom the list is from, and which runners are below it."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import tarfile
import time

import pytest

import program
import wait
from bench import HOLD, in_time, outlive_grace
from engine import ROOT
from proxy import EngineProxy
from sizes import MIB

LOW = {"supervisor.leak.threshold": "128M", "supervisor.leak.threshold_percent": "0", "supervisor.leak.baseline": "64M"}
# As the daemon of the Compose files has it: root, and of all capabilities KILL alone.
KILL_ONLY = ("setpriv", "--bounding-set", "-all,+kill", "--inh-caps", "-all")


@pytest.fixture(scope="module")
def shell_image(engine):
    """The stand-in with a shell beside it, as Ollama's image has one."""
    data, sim = io.BytesIO(), ROOT / "build/simollama"
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.add("/bin/busybox", "bin/sh")
        for name in ("bin/ollama", "bin/sim", "usr/lib/ollama/llama-server"):
            tar.add(sim, name)
        for name in ("tmp", "root/.ollama"):
            made = tarfile.TarInfo(name)
            made.type, made.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(made)
    done = subprocess.run(["docker", "-H", engine.url, "import", "--change", "ENV PATH=/bin", "--change", "ENV OLLAMA_HOST=0.0.0.0:11434",
                           "-", "ollama/ollama:shell"], input=data.getvalue(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return "ollama/ollama:shell"


def script(text):
    return {"Entrypoint": ["/bin/sh", "-c", text]}


def untouched(bench, one, seconds=3 * HOLD, wrapper=()):
    """A daemon looks for much longer than its holds, and does nothing about the container."""
    daemon = bench.daemon(one, wrapper=wrapper)
    before = one.life()
    time.sleep(seconds)
    assert one.life() == before, daemon.text()
    assert not daemon.find("acting", container=one.name), daemon.text()
    return daemon


def seen(bench, one):
    """What `status` knows of its server."""
    for container in json.loads(bench.supervisor("status", "--json").out)["containers"]:
        if container["name"] == one.name:
            return container.get("ollama", {})
    return {}


def answers(one, port):
    try:
        return one.get("/api/version", port=port)
    except OSError:
        return False


def leaks_and_is_found(bench, one, wrapper=()):
    """The leak is behind an address or a port that nobody told: it is seen, and healed."""
    daemon = bench.daemon(one, wrapper=wrapper)
    outlive_grace()
    one.exec("/bin/ollama", "sim", "leak", str(300 * MIB))
    daemon.wait("verdict raised", in_time() + 8, container=one.name, verdict="idle-leak")
    daemon.wait("healed", 20, container=one.name)


def test_a_pull_of_a_newer_one_makes_no_orphan_of_what_is_loaded(bench):
    one = bench.ollama("pulled", env={"OLLAMA_KEEP_ALIVE": "1h"})
    one.load("tiny")
    one.sim("renew", {"model": "tiny"})
    outlive_grace()
    assert not untouched(bench, one).find("verdict raised", container="pulled", verdict="orphan-runner")


@pytest.mark.parametrize("wrapper", [(), KILL_ONLY], ids=["root", "kill-only"])
def test_the_other_servers_model_is_no_orphan(bench, shell_image, wrapper):
    """The embedding server is first, the chat server second on the image's own port, a shell the main process."""
    one = bench.ollama("two-servers", image=shell_image, env={"OLLAMA_KEEP_ALIVE": "1h"}, body=script(
        "OLLAMA_HOST=0.0.0.0:8081 SIMOLLAMA_CONTROL=0.0.0.0:8091 ollama serve & sleep 1; ollama serve & wait"))
    one.request("POST", "/api/generate", {"model": "tiny"}, port=8081)
    assert len(one.runners()) == 1
    outlive_grace()
    daemon = untouched(bench, one, wrapper=wrapper)
    assert not daemon.find("verdict raised", container=one.name, verdict="orphan-runner"), daemon.text()


def test_of_two_servers_the_orphan_below_the_asked_one_is_killed(bench, shell_image):
    one = bench.ollama("two-servers", image=shell_image, env={"OLLAMA_KEEP_ALIVE": "1h"}, body=script(
        "OLLAMA_HOST=0.0.0.0:8081 SIMOLLAMA_CONTROL=0.0.0.0:8091 ollama serve & sleep 1; ollama serve & wait"))
    one.request("POST", "/api/generate", {"model": "tiny"}, port=8081)
    other = one.runners()
    daemon = bench.daemon(one)
    outlive_grace()
    one.orphan(64 * MIB)
    daemon.wait("healed", in_time() + 20, container=one.name, verdict="orphan-runner")
    assert one.runners() == other, daemon.text()


@pytest.mark.parametrize("wrapper", [(), KILL_ONLY], ids=["root", "kill-only"])
def test_the_port_is_the_servers_own(bench, shell_image, wrapper):
    one = bench.ollama("scripted", image=shell_image, answers=False, labels=LOW,
                       body=script("export OLLAMA_HOST=0.0.0.0:8080 SIMOLLAMA_CONTROL=127.0.0.1:11435; exec ollama serve"))
    leaks_and_is_found(bench, one, wrapper)


def in_the_network_of_another(bench, shell_image):
    sidecar = bench.ollama("sidecar", mode=None, image=shell_image, answers=False, body=script("sleep 1000"), labels={bench.label: "false"})
    return bench.ollama("guest", image=shell_image, answers=False, labels=LOW, body=script("exec ollama serve"),
                        host={"NetworkMode": f"container:{sidecar.id}"})


def test_the_network_of_another_container(bench, shell_image):
    leaks_and_is_found(bench, in_the_network_of_another(bench, shell_image))


def test_in_anothers_network_two_ports_are_nobodys_that_can_be_told(bench, shell_image):
    """Ollama's port and the stand-in's levers: without SYS_PTRACE either may be the other container's."""
    one = in_the_network_of_another(bench, shell_image)
    daemon = untouched(bench, one, wrapper=KILL_ONLY)
    told = daemon.wait("ollama unreachable", 10, container=one.name)
    assert "it needs the capability SYS_PTRACE" in told["why"], told
    assert not daemon.find("verdict raised", container=one.name, verdict="unreachable"), daemon.text()


def test_two_servers_in_one_network_have_a_list_each(bench, shell_image):
    """Both are started as if they had port 11434; one has it."""
    first = bench.ollama("first", image=shell_image, env={"OLLAMA_KEEP_ALIVE": "1h"}, body=script("exec ollama serve"))
    second = bench.ollama("second", image=shell_image, answers=False, env={"OLLAMA_KEEP_ALIVE": "1h"},
                          host={"NetworkMode": f"container:{first.id}"},
                          body=script("export OLLAMA_HOST=0.0.0.0:8081 SIMOLLAMA_CONTROL=0.0.0.0:8091; exec ollama serve"))
    wait.until(lambda: answers(first, 8081), 10, "the second server")
    first.request("POST", "/api/generate", {"model": "tiny"}, port=8081)
    assert len(second.runners()) == 1 and not first.runners()
    outlive_grace()
    untouched(bench, second)
    assert [m["name"] for m in seen(bench, second)["models"]] == ["tiny:latest"] and seen(bench, first)["models"] == []


def test_loopback_alone_is_asked_from_inside_or_told(bench, shell_image):
    one = bench.ollama("loopback", image=shell_image, answers=False, labels=LOW,
                       body=script("export OLLAMA_HOST=127.0.0.1; exec ollama serve"))
    daemon = bench.daemon(one, wrapper=KILL_ONLY)
    told = daemon.wait("ollama unreachable", 10, container=one.name)
    assert "listens on 127.0.0.1 in its container: set OLLAMA_HOST=0.0.0.0" in told["why"], told
    time.sleep(HOLD)
    assert not daemon.find("verdict raised", container=one.name, verdict="unreachable"), daemon.text()
    daemon.end()
    leaks_and_is_found(bench, one)


def test_of_several_networks_the_one_that_answers(bench, engine):
    """The first by name cannot be reached from the host, as with macvlan."""
    network = engine.api.call("POST", "/networks/create", {
        "Name": "a-foreign", "IPAM": {"Config": [{"Subnet": "10.214.77.0/24"}]}})["Id"]
    try:
        subprocess.run(["ip", "address", "flush", "dev", f"br-{network[:12]}"], check=True)
        one = bench.ollama("both", labels=LOW)
        engine.api.call("POST", f"/networks/{network}/connect", {"Container": one.id})
        leaks_and_is_found(bench, one, KILL_ONLY)
    finally:
        for container in bench.containers:
            container.remove()
        bench.containers.clear()
        engine.api.call("DELETE", f"/networks/{network}")


def test_one_that_only_pulls_is_no_server(bench, shell_image):
    one = bench.ollama("puller", image=shell_image, answers=False, env={"OLLAMA_HOST": "http://10.0.0.1:11434"},
                       body=script("exec sleep 1000"))
    daemon = bench.daemon(one)
    time.sleep(in_time() + 12)
    assert not daemon.find("verdict raised", container="puller", verdict="unreachable"), daemon.text()
    assert not daemon.find("ollama unreachable", container="puller"), daemon.text()
    assert "no Ollama server runs in it" in " ".join(bench.supervisor("status").out.split())


def test_one_whose_image_got_a_newer_namesake_is_found(bench, engine):
    image = engine.tag("0.33", "ollama/ollama", "moved")
    one = bench.ollama("moved", mode=None, image=image)
    assert seen(bench, one)
    other = engine.image("0.24")
    engine.api.call("POST", f"/images/{other}/tag", query={"repo": "ollama/ollama", "tag": "moved"})
    assert seen(bench, one)["reachable"]
    daemon = bench.daemon(one)
    time.sleep(2)
    assert not daemon.find("container gone", container="moved"), daemon.text()


def test_one_of_an_image_without_a_name_is_asked_about_once(bench, engine):
    """Every container that starts is a new list, in which it has the id of its image alone."""
    image = engine.tag("0.33", "somebody/else", "moved")
    one = bench.ollama("nameless", mode=None, image=image, answers=False)
    engine.api.call("POST", f"/images/{engine.image('0.24')}/tag", query={"repo": "somebody/else", "tag": "moved"})
    between = EngineProxy(engine.socket, bench.directory)
    try:
        bench.daemons.append(daemon := program.Daemon(["-c", bench.configure(), "--host", between.url, "--state", bench.state]))
        daemon.wait("first look", 10)
        for n in range(3):
            daemon.wait("supervising", 10, container=bench.ollama(f"next-{n}").name)
        asked = [r for r in between.requests if r.path.endswith(f"/containers/{one.id}/json")]
        lists = [r for r in between.requests if "/containers/json" in r.path]
        assert len(lists) > 3 and len(asked) == 1, (lists, asked)
    finally:
        between.close()


def test_a_server_that_died_under_its_script_is_started_again(bench, shell_image):
    """Nobody listens any more: nobody is a client."""
    one = bench.ollama("outlived", image=shell_image, body=script("ollama serve & sleep 1; exec sleep 3600"))
    daemon = bench.daemon(one, leak__unreachable_hold="3s", leak__unreachable_restart="6s")
    outlive_grace(4)
    begun = one.started_at()
    for pid, argv in one.processes().items():
        if argv[-1] == "serve":
            os.kill(pid, signal.SIGKILL)
    daemon.wait("healed", 40, container="outlived", verdict="unreachable")
    assert one.started_at() != begun


@pytest.mark.parametrize("seen_before", [True, False], ids=["seen", "found"])
def test_a_runner_whose_server_died_under_its_script_is_killed(bench, shell_image, seen_before):
    one = bench.ollama("wrapped", image=shell_image, body=script("while :; do ollama serve; done"), env={"OLLAMA_KEEP_ALIVE": "1h"})
    one.load("tiny")
    daemon = bench.daemon(one) if seen_before else None
    left, script_pid = one.runners(), one.pid()
    outlive_grace()
    for pid, argv in one.processes().items():
        if argv[-1] == "serve":
            os.kill(pid, signal.SIGKILL)
    one.wait_until_it_answers()
    assert one.runners() == left, "the runner went with its server"
    daemon = daemon or bench.daemon(one)
    daemon.wait("healed", in_time() + 20, container="wrapped", verdict="orphan-runner", step="kill")
    assert one.runners() == [] and one.pid() == script_pid and one.stop_signals() == 0, daemon.text()


def test_a_runner_that_somebody_uses_is_left(bench, shell_image):
    """Past its server, by its own port."""
    one = bench.ollama("used", image=shell_image, body=script("exec ollama serve"))
    one.orphan(64 * MIB)
    (runner,) = one.runners()
    argv = one.processes()[runner]
    port = argv[argv.index("--port") + 1]
    outlive_grace()
    with subprocess.Popen(["nsenter", "-t", str(runner), "-n", "busybox", "nc", "127.0.0.1", port], stdin=subprocess.PIPE) as client:
        try:
            daemon = untouched(bench, one)
            assert not daemon.find("verdict raised", container="used", verdict="orphan-runner"), daemon.text()
            assert "somebody is connected to its own port" in bench.supervisor("explain", "used").out
        finally:
            client.kill()
    daemon.wait("healed", in_time() + 20, container="used", verdict="orphan-runner")
    assert one.runners() == []


@pytest.mark.parametrize("wrapper", [(), KILL_ONLY], ids=["root", "kill-only"])
def test_a_hung_server_is_restarted_though_somebody_waits_for_it(bench, wrapper):
    one = bench.ollama("hung", models="tiny=16M")
    daemon = bench.daemon(one, wrapper=wrapper, leak__unreachable_hold="3s", leak__unreachable_restart="6s", leak__connected_hold="12s")
    outlive_grace(4)
    begun = one.started_at()
    one.set(hang=1)
    with socket.create_connection((one.address, 11434), 10) as waits:
        waits.sendall(b"GET /api/tags HTTP/1.1\r\nHost: x\r\n\r\n")
        daemon.wait("healed", 60, container="hung", verdict="unreachable")
    assert one.started_at() != begun


@contextlib.contextmanager
def way_is_broken(bench, one, how):
    """Nobody on this host can reach the server any more, which is well."""
    if how == "detached":
        bench.engine.api.call("POST", "/networks/bridge/disconnect", {"Container": one.id})
        yield
        return
    rule = ("OUTPUT", "-d", one.address, "-p", "tcp", "--dport", "11434", "-j", *how.split())
    subprocess.run(["iptables", "-w", "-I", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-w", "-D", *rule], check=True)


@pytest.mark.parametrize("how", ["DROP", "REJECT --reject-with tcp-reset", "detached"])
def test_a_way_that_breaks_is_no_silence_of_the_server(bench, how):
    """It answered, and its own namespace shows that it listens: told, never restarted. From within that it answers."""
    one = bench.ollama("cut-off")
    daemon = bench.daemon(one, wrapper=KILL_ONLY, leak__unreachable_hold="3s", leak__unreachable_restart="6s")
    outlive_grace(4)
    before = one.life()
    with way_is_broken(bench, one, how):
        if how == "detached":
            daemon.wait("ollama unreachable", 20, container="cut-off")
        else:
            daemon.wait("verdict raised", 30, container="cut-off", verdict="unreachable")
        time.sleep(15)
        assert one.life() == before and not daemon.find("acting", container="cut-off"), daemon.text()
        daemon.end()
        inside = bench.daemon(one, leak__unreachable_hold="3s", leak__unreachable_restart="6s")
        time.sleep(8)
        assert seen(bench, one)["reachable"] and one.life() == before, inside.text()
        assert not inside.find("verdict raised", container="cut-off", verdict="unreachable"), inside.text()
