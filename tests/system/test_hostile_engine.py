"""An engine that lies, and a proxy that adds thousands of false containers to a true one's: the daemon stays small, answers,
ends, and heals what is really there."""

import json
import socket
import subprocess
import sys
import time

import pytest

import program
import wait
from bench import in_time, outlive_grace
from engine import ROOT
from sizes import MIB
from test_hostile import LEAK, MOST_KIB, SETTINGS, peak_kib

AT_MOST = 256  # containers that are followed
ODD = {"inspects": ["good", "large", "deep", "values", "types", "other", "endless", "cut", "garbage", "never"],
       "entries": ["good", "good", "good", "deep", "types", "id", "again", "huge"]}
# What the engine is like, how many containers of it the daemon follows at least, and seconds beyond that.
ENGINES = {
    "thousands": ({}, AT_MOST, 8),
    "of many small labels": ({"label_value": 8, "label_bytes": 16 << 10, "pad": 400 << 10}, AT_MOST, 8),
    "with models": ({"containers": AT_MOST, "ollama": "models"}, AT_MOST, 8),
    "odd": (ODD | {"events": "line"}, 8, 15),
    "in a flood of known ones": ({"containers": 300, "events": "start"}, AT_MOST, 8),
    "in a flood of unknown ones": ({"containers": 300, "events": "new"}, AT_MOST, 8),
    "garbage": ({"containers": 300, "events": "garbage"}, AT_MOST, 8),
    "without end": ({"list_end": False, "events": "endless"}, 8, 15),
}


class Liar:
    """A false engine, or with `real` a proxy, in a process of its own."""

    def __init__(self, path, **options):
        self.url = f"unix://{path}"
        self.process = subprocess.Popen([sys.executable, ROOT / "tests/system/hostile_engine.py", path, json.dumps(options)],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline() == "listens\n"

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def liars(tmp_path):
    """Starts them; they end with the test."""
    there = []

    def start(**options):
        there.append(Liar(tmp_path / f"{len(there)}.sock", **options))
        return there[-1]
    yield start
    for one in there:
        one.close()


def daemon_of(bench, liar, state="state"):
    one = program.Daemon(["-c", bench.configure(), "--host", liar.url, "--state", bench.directory / state])
    bench.daemons.append(one)
    one.wait("started", 10)
    return one


def asked(state):
    """What the daemon itself answers, in seconds."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        one.connect(str(state / "supervisor.sock"))
        text = b""
        while piece := one.recv(1 << 20):
            text += piece
    return json.loads(text)


def is_small(daemon):
    assert daemon.alive() and peak_kib(daemon) < MOST_KIB, f"{peak_kib(daemon)} KiB\n{daemon.text()[:20000]}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENGINES)
def test_daemon_stays_small(bench, liars, kind):
    """And answers by itself, and ends at once."""
    options, least, seconds = ENGINES[kind]
    liar = liars(**options)
    daemon = daemon_of(bench, liar)
    daemon.wait("first look", 60)

    def followed_by_the_daemon():
        containers = asked(bench.state)["containers"]
        return containers if len(containers) >= least else None
    wait.until(followed_by_the_daemon, 120, "so many are followed", every=1)
    time.sleep(seconds)
    is_small(daemon)
    followed = followed_by_the_daemon()
    assert followed and len(followed) <= AT_MOST and len({c["id"] for c in followed}) == len(followed), len(followed)
    assert all(len(json.dumps([c.get("labels"), c.get("env")])) < 10000 for c in followed)
    told = daemon.find("too many containers")
    # It is told when a list has ended, and not again while the lists have as many.
    most = 0 if kind == "with models" else 1
    assert most - (kind in ("odd", "without end")) <= len(told) <= most, daemon.text()[:20000]
    is_small(daemon)
    code, took = daemon.end()
    assert code == 0 and took < 2, f"{code} after {took:.1f} s"
    assert daemon.foreign == [], "".join(daemon.foreign)


@pytest.mark.parametrize("kind", ["thousands", "odd"])
def test_what_is_really_there_is_healed(bench, liars, kind):
    """4,096 false containers come before it in the list, all of them to be healed by what they say; those whose inspects
    never come too."""
    liar = liars(real=bench.engine.api.socket_path, label_bytes=4 << 10, **(ODD if kind == "odd" else {}))
    neighbour = bench.ollama("neighbour")
    daemon = daemon_of(bench, liar)
    daemon.wait("supervising", 45, container="neighbour", mode="enforce")
    outlive_grace()
    neighbour.leak(LEAK)
    daemon.wait("verdict raised", in_time() + 20, container="neighbour", verdict="idle-leak")
    daemon.wait("healed", 40, container="neighbour")
    assert neighbour.held() < 100 * MIB
    told = daemon.find("too many containers")
    assert len(told) == 1 and f"at most {AT_MOST}" in told[0]["why"], daemon.text("neighbour")
    assert not daemon.find("container gone", container="neighbour"), daemon.text("neighbour")
    later = bench.ollama("later")  # and one that is started while all places are taken
    daemon.wait("supervising", 45, container="later", mode="enforce")
    assert later.held() < 100 * MIB
    is_small(daemon)
    code, took = daemon.end()
    assert code == 0 and took < 2, f"{code} after {took:.1f} s"
