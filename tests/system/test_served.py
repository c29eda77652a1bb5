"""Forks and bundles: whoever runs `ollama serve` is found by its process, watched, and healed only where it is meant."""

import json
import time

import pytest

import wait
from bench import HOLD, in_time, outlive_grace
from sizes import MIB
from test_whose import script, shell_image  # noqa: F401


@pytest.fixture
def fork_image(engine):
    name = engine.tag("0.33", "open-webui", "ollama")
    yield name
    engine.api.call("DELETE", f"/images/{name}")


def modes(bench, **settings):
    state = json.loads(bench.supervisor("status", "--json", **settings).out)
    return {c["name"]: (c["mode"], c["mode_why"]) for c in state["containers"]}


def test_a_fork_is_watched_and_healed_by_name(bench, fork_image):
    """Also where everything else is healed."""
    bench.settings |= {"leak.threshold": "128M", "leak.threshold_percent": "0", "leak.baseline": "64M"}
    fork = bench.ollama("fork", mode=None, image=fork_image)
    life = fork.started_at()
    daemon = bench.daemon(fork, supervisor__mode="enforce")
    assert modes(bench) == {"fork": ("observe", "found by process")}
    outlive_grace()
    fork.leak(300 * MIB)
    daemon.wait("would act", in_time() + 8, container="fork", step="restart")
    daemon.end()
    unnamed = bench.supervisor("fix-ollama")
    assert unnamed.code == 1 and "by its process alone; name it" in unnamed.err and fork.started_at() == life, unnamed
    named = bench.supervisor("fix-ollama", "fork")
    assert named.code == 0 and "healed" in named.out and fork.started_at() != life, named


def test_who_said_no_is_left_alone(bench, fork_image, engine):
    bench.ollama("no", mode=None, image=fork_image, labels={"supervisor.enable": "off"})
    bench.ollama("fork", mode=None, image=fork_image)
    assert modes(bench) == {"fork": ("observe", "found by process")}
    assert modes(bench, docker__process="off") == {}


def test_beside_one_that_is_healed(bench, fork_image):
    """A fork beside it does not make the other one any other than the only one."""
    bench.ollama("fork", mode=None, image=fork_image)
    bench.ollama("own")
    done = bench.supervisor("fix-ollama", "--dry-run")
    assert done.code == 0 and "own: " in done.out and "fork: only observed (found by process)" in done.out, done


def test_it_is_found_whenever_it_begins(bench, shell_image, engine):  # noqa: F811
    """At the next list: another container starts. One that only asks an Ollama is none."""
    image = "somebodys/bundle:1"
    engine.api.call("POST", f"/images/{shell_image}/tag", query={"repo": "somebodys/bundle", "tag": "1"})
    try:
        late = bench.ollama("late", mode=None, image=image, answers=False, body=script("while [ ! -e /tmp/go ]; do sleep 0.1; done; exec ollama serve"))
        bench.ollama("client", mode=None, image=image, answers=False, body=script("while :; do ollama list; sleep 0.2; done"))
        first = bench.ollama("first")
        daemon = bench.daemon(first)
        time.sleep(HOLD)
        assert set(modes(bench)) == {"first"}
        late.exec("/bin/sh", "-c", ": >/tmp/go")
        wait.until(lambda: any("serve" in argv for argv in late.processes().values()), 10, "it serves")
        bench.ollama("next")
        daemon.wait("supervising", 10, container="late", mode="observe", why="found by process")
        assert set(modes(bench)) == {"first", "late", "next"}
        late.remove()
        daemon.wait("container gone", 10, container="late")
    finally:
        for one in bench.containers:
            if one.name in ("late", "client"):
                one.remove()
        engine.api.call("DELETE", f"/images/{image}")
