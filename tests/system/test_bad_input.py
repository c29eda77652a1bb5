"""Bad input: one sentence on stderr that names the thing, the value and the remedy; nothing changed."""

import json
import os
import socket
import subprocess
import time

import pytest

import program
from bench import outlive_grace
from engine import ROOT
from sizes import MIB

RECORDING = ROOT / "tests/recordings/memory/ollama-0.33-two-models.jsonl"


def one_sentence(done, code, *words):
    assert done.code == code, done
    assert len(done.err.strip().splitlines()) == 1, done
    for word in words:
        assert str(word) in done.err, f"{word} is not named\n{done}"


@pytest.mark.parametrize("arguments, words", [
    (["statsu"], ["statsu", "status"]),
    (["fix-olama"], ["fix-olama", "fix-ollama"]),
    (["status", "--jsn"], ["--jsn", "--json"]),
    (["fix-ollama", "--hold"], ["--hold"]),
    (["fix-ollama", "--hold", "28x"], ["28x"]),
    (["unload"], ["unload", "MODEL"]),
    (["replay"], ["replay", "FILE"]),
    (["status", "too", "many"], ["too"]),
    (["--set", "leak.hodl=5s", "config", "check"], ["leak.hodl", "leak.hold"]),
    (["--set", "leek.hold=5s", "config", "check"], ["leek"]),
    (["--set", "leak.threshold=28x", "config", "check"], ["leak.threshold", "28x"]),
    (["--set", "leak.hold=-5s", "config", "check"], ["leak.hold", "-5s"]),
    (["--set", "leak.hold=nan", "config", "check"], ["leak.hold", "nan"]),
    (["--set", "leak.hold", "config", "check"], ["leak.hold"]),
    (["--set", "supervisor.mode=enforec", "config", "check"], ["enforec", "enforce"]),
    (["--set", "leak.threshold=99999999999999999999G", "config", "check"], ["leak.threshold"]),
    (["--host", "tcp://127.0.0.1:2375", "status"], ["tcp://127.0.0.1:2375", "unix://"]),
    (["help", "statsu"], ["statsu", "status"]),
    (["-c", "/nowhere/at/all.ini", "config", "check"], ["/nowhere/at/all.ini"]),
])
def test_usage(arguments, words):
    one_sentence(program.run(*arguments), 2, *words)


def test_no_command_at_all():
    done = program.run()
    assert done.code == 2 and "help" in done.err, done


@pytest.mark.parametrize("name, value", [
    ("SUPERVISOR_LEAK_HOLD", "soon"), ("SUPERVISOR_MODE", "enforec"),
])
def test_environment(name, value):
    one_sentence(program.run("status", env={name: value}), 2, name, value)


def test_engine_elsewhere():
    one_sentence(program.run("status", env={"DOCKER_HOST": "tcp://127.0.0.1:2375"}), 2, "tcp://127.0.0.1:2375", "unix://")


@pytest.mark.parametrize("text, words", [
    ("[leak]\nhodl = 5s\n", ["hodl", "hold", ":2"]),
    ("[leak]\nhold = 28x\n", ["hold", "28x", ":2"]),
    ("[leek]\nhold = 5s\n", ["leek", "leak"]),
    ("[leak]\nhold\n", [":2"]),
    ("[memory]\n\nlimit = 8 apples\n", ["limit", "8 apples", ":3"]),
    ('[profile "33b"]\nmemry = 20g\n', ["memry", "memory", "33b", ":2"]),
    ('[profile "33b"]\nmemory = 2m\n', ["memory", "2m", "6m", ":2"]),
    ('[profile "33b"]\n[leak]\n[profile "33b"]\n', ["33b", ":3", "line 1"]),
    ("[profile 33b]\n", ['[profile "33b"]', ":1"]),
    ("".join(f'[profile "p{i}"]\n' for i in range(13)), ["p12", "16", ":13"]),
    ("\0\1\2\3", ["supervisor.ini"]),
])
def test_configuration_file(text, words, tmp_path):
    file = tmp_path / "supervisor.ini"
    file.write_text(text)
    one_sentence(program.run("-c", file, "config", "check"), 2, *words)
    one_sentence(program.run("-c", file, "status"), 2, *words)


# ---- recordings

def test_torn_and_foreign_lines_are_skipped_and_counted(tmp_path):
    lines = RECORDING.read_text().splitlines()
    worlds = [line for line in lines if line.startswith('{"world"')]
    bad = [worlds[0][:200], "not JSON at all", "[1, 2]", '{"world": 1}x', '{"some": "thing"}', "\xff\xfe"]
    path = tmp_path / "torn.jsonl"
    path.write_bytes("\n".join([*worlds[:5], *bad, *worlds[5:]]).encode("latin-1"))
    done = program.run("replay", path)
    assert done.code == 0, done
    assert "6" in done.err and len(done.err.strip().splitlines()) == 1, done


@pytest.mark.parametrize("content", [b"", b"\n\n", b"hello\n", b'{"event": "alone"}\n', bytes(range(256)) * 40, b"{" * 100000])
def test_recording_without_any_world_is_refused(content, tmp_path):
    path = tmp_path / "none.jsonl"
    path.write_bytes(content)
    done = program.run("replay", path)
    one_sentence(done, 2, path)
    assert done.out == "", done


def test_recording_that_cannot_be_read(tmp_path):
    one_sentence(program.run("replay", tmp_path / "absent.jsonl"), 2, tmp_path / "absent.jsonl")
    one_sentence(program.run("replay", tmp_path), 2, tmp_path)


def test_record_to_a_place_that_cannot_be_written(bench, tmp_path):
    done = bench.supervisor("record", "-o", tmp_path / "no/such/file", "--seconds", "1")
    one_sentence(done, 1, tmp_path / "no/such")


# ---- the engine's socket

def test_socket_that_is_not_there(tmp_path):
    one_sentence(program.run("--host", f"unix://{tmp_path}/docker.sock", "status"), 3, f"{tmp_path}/docker.sock")


def test_socket_that_nobody_listens_on(tmp_path):
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    one_sentence(program.run("--host", f"unix://{path}", "status"), 3, path)
    (tmp_path / "file.sock").write_text("")
    one_sentence(program.run("--host", f"unix://{tmp_path}/file.sock", "status"), 3, "file.sock")


def test_socket_path_that_is_too_long(tmp_path):
    done = program.run("--host", f"unix:///{'x' * 200}", "status")
    one_sentence(done, 2, "longer than 170 characters")


def test_socket_that_may_not_be_opened_names_its_owner(engine, built, tmp_path):
    """As an ordinary person, outside the group of the socket."""
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program.PROGRAM, "--host", engine.url, "status"]
    os.chmod(engine.directory, 0o755)
    done = subprocess.run(command, env=program.environment({"HOME": "/"}), capture_output=True, text=True, timeout=20, check=False)
    outcome = program.Outcome(command, done.returncode, done.stdout, done.stderr, 0)
    one_sentence(outcome, 3, engine.socket, "root")
    assert "run as root or join the group" in done.stderr, outcome


@pytest.mark.parametrize("command", ["events", "health", "release one", "run", "replay {}/file", "config show -c {}/file"])
def test_who_may_is_said_where_permission_is_denied(command, built, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "history.db").touch()
    os.chown(theirs, 65534, 65534)
    theirs.chmod(0o700)
    bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", program.PROGRAM]
    done = subprocess.run([*bare, "--state", theirs, *command.format(theirs).split()], env=program.environment(),
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "permission denied; run as root (sudo)" in done.stderr, done


def test_engine_that_speaks_no_http(tmp_path):
    path = tmp_path / "odd.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(8)
        child = subprocess.Popen([program.PROGRAM, "--host", f"unix://{path}", "status"], env=program.environment(),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        server.settimeout(0.2)
        end = time.monotonic() + 20
        while child.poll() is None and time.monotonic() < end:
            try:
                peer, _ = server.accept()
                peer.recv(4096)
                peer.sendall(b"220 mail.example ESMTP\r\n")
                peer.close()
            except OSError:
                pass
        out, err = child.communicate(timeout=5)
    one_sentence(program.Outcome(child.args, child.returncode, out, err, 0), 3, path)


# ---- the world behind the engine

def test_unknown_container_suggests_the_nearest(bench):
    one = bench.ollama("ollama-main")
    for command in (["fix-ollama", "ollama-mian"], ["unload", "tiny", "--container", "ollama-mian"], ["enforce", "ollama-mian"],
                    ["flush", "--container", "ollama-mian"]):
        done = bench.supervisor(*command)
        one_sentence(done, 2, "ollama-mian", "ollama-main")
    assert one.stop_signals() == 0


def test_without_cgroup_access_it_says_what_is_missing(bench, tmp_path):
    one = bench.ollama("unseen")
    outlive_grace()
    one.leak(300 * MIB)
    started = one.started_at()
    done = bench.supervisor("status", paths__cgroupfs=tmp_path)
    assert done.code == 0 and "cgroup" in done.out + done.err, done
    world = json.loads(bench.supervisor("status", "--json", paths__cgroupfs=tmp_path).out)
    assert world["containers"][0]["name"] == "unseen"
    fixed = bench.supervisor("fix-ollama", "unseen", paths__cgroupfs=tmp_path)
    assert fixed.code == 1, fixed
    one_sentence(bench.supervisor("fix-ollama", "unseen", paths__procfs=tmp_path), 3, tmp_path)
    assert one.started_at() == started


def test_unreachable_ollama(bench):
    one = bench.ollama("refusing")
    one.set(refuse=True)
    time.sleep(0.3)
    status = bench.supervisor("status")
    assert status.code == 0 and "models Ollama does not answer: http" in " ".join(status.out.split()), status
    one_sentence(bench.supervisor("unload", "tiny", "--container", "refusing"), 3, "its Ollama does not answer")
    assert one.stop_signals() == 0


def test_state_directory_that_cannot_be_made(bench):
    done = bench.supervisor("run", "--state", "/proc/nowhere", timeout=10)
    one_sentence(done, 3, "/proc/nowhere")
