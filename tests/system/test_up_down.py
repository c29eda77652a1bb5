"""scripts/up and scripts/down: they take away what is theirs and nothing else, wherever they lie and whoever calls them."""

import os
import re
import shutil
import signal
import subprocess

import pytest

import debian
import program
from composed import Composed, mode
from debian import good, inside
from engine import ROOT

NOBODY = 65534


@pytest.fixture(scope="module")
def place(tmp_path_factory, built):
    """A checkout, what was built in it, a state directory and the engine's socket, all at paths with spaces."""
    directory = tmp_path_factory.mktemp("up") / "a place"
    directory.mkdir()
    one = Composed("installed", directory)
    one.state = directory / "its state"
    try:
        one.start(servers=False)
        shutil.rmtree(one.tree)
        debian.copy_sources(one.tree)
        (one.tree / "build").mkdir()
        for name in ("release", "supervisor", "simollama"):
            subprocess.run(["cp", "-a", "--reflink=auto", ROOT / "build" / name, one.tree / "build" / name], check=True)
        socket = directory / "the engine's.sock"
        socket.symlink_to(one.engine.socket)
        one.env |= {"DOCKER_HOST": f"unix://{socket}", "OLLAMA_IMAGE": "supervisor-standin:latest", "OLLAMA_MEMORY": "1g"}
        del one.env["DOCKER_SOCKET"]
        yield one
    finally:
        one.close()


def ok(done):
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def names(place):
    return {name for c in place.engine.api.containers() for name in c["Names"]}


def test_up_and_purge_beside_somebody_else(place):
    api = place.engine.api
    said = ok(place.run("scripts/up", timeout=300))
    assert "Running." in said and str(place.state) in said and names(place) == {"/ollama", "/supervisor"}
    assert (place.state / "supervisor.lock").exists()
    for line in re.findall(r"^  (docker -H .* status)$", said, re.M):  # as it is printed, into a shell
        assert "ollama" in ok(place.run("sh", "-c", line, env={"DOCKER_HOST": ""}))
    assert "nothing was changed" in ok(place.run("scripts/up", timeout=300))
    other = api.call("POST", "/containers/create", {"Image": "ollama/ollama:latest", "HostConfig": {
        "NetworkMode": "supervisor_default", "Mounts": [{"Type": "volume", "Source": "supervisor_ollama", "Target": "/models"}]}},
        query={"name": "somebody-else"})["Id"]
    api.call("POST", f"/containers/{other}/start")
    del place.env["SUPERVISOR_STATE"]  # it is known by the container
    said = ok(place.run("scripts/down", "--purge"))
    assert names(place) == {"/somebody-else"} and api.inspect(other)["State"]["Running"]
    assert "network supervisor_default stays" in said and "volume supervisor_ollama stays" in said
    assert not place.state.exists() and not [i for i in api.call("GET", "/images/json") for tag in i["RepoTags"] or [] if tag.startswith("supervisor")]
    api.remove(other)
    assert "stays" not in ok(place.run("scripts/down", "--purge"))
    assert {n["Name"] for n in api.call("GET", "/networks")} == {"bridge", "host", "none"}
    assert not api.call("GET", "/volumes")["Volumes"]


def test_what_a_person_replaced_is_not_composes(place):
    """It has Compose's labels still."""
    api = place.engine.api
    ok(place.run("scripts/up", timeout=300))
    old = place.id("ollama")
    ok(place.run("build/supervisor", "--host", place.engine.url, "--state", str(place.directory / "person"), "create-standard", "--name", "ollama",
                 "--port", place.env["OLLAMA_PORT"], "--memory", "1g", "--image", place.env["OLLAMA_IMAGE"], "--replace"))
    try:
        kept = "ollama-kept-by-supervisor"
        assert place.id(kept) == old != place.id("ollama")
        assert "a container named ollama is here already" in ok(place.run("scripts/up", timeout=300))
        for stopped in (False, True):  # nobody would start it again without its network
            assert "network supervisor_default stays" in ok(place.run("scripts/down", "--purge"))
            assert names(place) == {"/ollama", f"/{kept}"} and place.id(kept) == old
            assert place.config("ollama")["State"]["Running"] != stopped
            if not stopped:
                api.call("POST", "/containers/ollama/stop", query={"t": 1})
        api.call("POST", "/containers/ollama/start")
    finally:
        place.remove_all()


def test_purge_keeps_a_state_that_a_daemon_holds(place):
    state = place.directory / "another's state"
    daemon = program.Daemon(["--state", state, "--host", "unix:///nowhere.sock"])
    try:
        daemon.wait("started", 10)
        done = place.run("scripts/down", "--purge", env={"SUPERVISOR_STATE": str(state)})
        assert done.returncode == 1 and f"pid {daemon.process.pid})" in done.stderr and "is kept" in done.stderr, done
        assert (state / "supervisor.db").exists() and daemon.alive()
    finally:
        daemon.end()
    for name in ("adopted", "adopted.new", "anothers"):
        (state / name).touch()
    said = ok(place.run("scripts/down", "--purge", env={"SUPERVISOR_STATE": str(state)}))
    assert [file.name for file in state.iterdir()] == ["anothers"] and f"{state} stays, with what is not the supervisor's: anothers" in said, said
    (state / "anothers").unlink()
    ok(place.run("scripts/down", "--purge", env={"SUPERVISOR_STATE": str(state)}))
    assert not state.exists()


def test_purge_without_an_engine_takes_nothing(place):
    place.state.mkdir(exist_ok=True)
    (place.state / "supervisor.db").touch()
    done = place.run("scripts/down", "--purge", env={"DOCKER_HOST": "unix:///nowhere.sock", "SUPERVISOR_STATE": str(place.state)})
    assert done.returncode == 3 and "/nowhere.sock" in done.stderr and (place.state / "supervisor.db").exists()


def test_down_of_another_engine_leaves_the_one_that_up_started(place, tmp_path):
    """/run/supervisor is one of the test's own: there are a living engine's pid, as scripts/up notes it, and everybody's locks."""
    script = """set -e
        mkdir -p /run/supervisor && mount -t tmpfs tmpfs /run/supervisor && mkdir /run/supervisor/locks
        exec=$(mktemp -d)  # a short path: its containerd's socket is below
        dockerd --bridge none --iptables=false --data-root "$1/data" --exec-root "$exec" --pidfile /run/supervisor/engine.pid \\
          -H "unix://$1/own.sock" >"$1/log" 2>&1 </dev/null &
        trap 'kill $!; wait; rm -rf --one-file-system "$exec"' EXIT
        for i in $(seq 300); do ! curl -fs --unix-socket "$1/own.sock" http://d/_ping >/dev/null || break; sleep 0.1; done
        scripts/down
        curl -fsS --unix-socket "$1/own.sock" http://d/_ping
        [ -s /run/supervisor/engine.pid ] && [ -d /run/supervisor/locks ]"""
    done = place.run("unshare", "--mount", "bash", "-c", script, "sh", str(tmp_path))
    assert ok(done).endswith("OK"), done
    assert "stopping the engine" not in done.stdout


# ---- compose/.env

# Before each command of the script: what is open to others in compose/ is noted. $AT: the signal as soon as a copy is there.
WATCH = """set -T
trap 'find "$TREE/compose" -name ".env*" -perm /077 >>"$SEEN"
  if [[ -n ${AT:-} && -n $(find "$TREE/compose" -name ".env.*" -size +0) ]]; then kill -s "$AT" $$; fi' DEBUG
"""


@pytest.mark.parametrize("at", ["", "INT", "TERM", "KILL"])
def test_settings_are_nobody_elses_from_their_first_byte(tmp_path, at):
    tree, seen = tmp_path / "a tree", tmp_path / "seen"
    for name in ("scripts", "compose"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns(".env*"))
    subprocess.run(["git", "init", "-q", tree], check=True)
    shutil.copy(ROOT / ".gitignore", tree)
    env, watch = tree / "compose/.env", tmp_path / "watch"
    env.write_text("POSTGRES_PASSWORD=secret\nDEFAULT_MODEL=old\n# a[b]=c")
    env.chmod(0o600)
    watch.write_text(WATCH)
    seen.touch()
    done = subprocess.run([tree / "scripts/configure_small_models_default.sh"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, timeout=60, preexec_fn=lambda: os.umask(0),
                          env=program.environment({"BASH_ENV": str(watch), "TREE": str(tree), "SEEN": str(seen), "AT": at,
                                                   "DOCKER_HOST": "unix:///nowhere.sock"}))
    assert done.returncode == {"": 0, "INT": 130, "TERM": 143, "KILL": -signal.SIGKILL}[at], done
    assert seen.read_text() == "", "open to others while it ran"
    lines = env.read_text().splitlines()
    assert lines[:1] == ["POSTGRES_PASSWORD=secret"] and lines[2] == "# a[b]=c" and mode(env) == 0o600
    assert lines[1] == ("DEFAULT_MODEL=old" if at else "DEFAULT_MODEL=qwen2.5:3b")
    copies = [path for path in env.parent.glob(".env*") if path != env]
    assert len(copies) == (1 if at == "KILL" else 0)
    for path in [env, *copies]:
        assert mode(path) == 0o600
        subprocess.run(["git", "-C", tree, "check-ignore", "-q", path], check=True)


# ---- sudo

def documented():
    """The variables that a person may set: those of scripts/up, of the Compose files and of what they start; the proxies of apt."""
    found = set(re.findall(r"^#   ([A-Z_]+)=", (ROOT / "scripts/up").read_text(), re.M))
    for file in (ROOT / "compose").glob("*.yml"):
        found |= set(re.findall(r"\$\{([A-Z_]+)", file.read_text())) | set(re.findall(r"^ +([A-Z_]+):$", file.read_text(), re.M))
    assert {"OLLAMA_MEMORY", "SUPERVISOR_LEAK_HOLD", "MAX_MODEL_MEMORY_GB", "SOCKET_PROXY_IMAGE"} <= found
    return found | {"http_proxy", "https_proxy", "no_proxy", "LAB_CACHE"}


def test_sudo_keeps_what_is_documented(tmp_path):
    if not shutil.which("debootstrap"):
        pytest.skip("this machine lacks debootstrap")
    tree = tmp_path / "a tree"
    shutil.copytree(ROOT / "scripts", tree / "scripts")
    probe = tree / "scripts/probe"
    probe.write_text('#!/usr/bin/env bash\nset -euo pipefail\n. "$(dirname "$0")/lib.sh"\nguard\nneed_root "$@"\n'
                     'echo "by $(id -u): $*"; env; trap - EXIT\n')
    probe.chmod(0o755)
    tmp_path.chmod(0o755)
    variables = " ".join(f"{name}='{name.lower()} *'" for name in sorted(documented()))
    where = debian.root("bookworm", "sudo")
    command = f"""mount -t tmpfs -o mode=755 tmpfs /etc/sudoers.d
        echo 'nobody ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/nobody
        cd '/mnt/a tree/scripts' && setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups env {variables} UNKNOWN=x bash probe 'a b' c
        cd / && setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups '/mnt/a tree/scripts/probe' d"""
    said = good(inside(where, command, tmp_path)).splitlines()
    assert "by 0: a b c" in said and "by 0: d" in said and "UNKNOWN=x" not in said
    assert {f"{name}={name.lower()} *" for name in documented()} <= set(said)
