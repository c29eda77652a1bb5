"""No false restart: what looks like a leak and is none. All at once under one daemon, for five holds."""

import contextlib
import socket
import time
import types

import pytest

from bench import BUSY, HOLD, Bench, in_time, outlive_grace
from ollama import PORT
from sizes import GIB, KIB, MIB

WATCHED = 5 * HOLD + BUSY
LOW = {"supervisor.leak.threshold": "128M", "supervisor.leak.threshold_percent": "0", "supervisor.leak.baseline": "64M"}


def prepare(bench):
    """The containers, each with a reason to look ill and none to be."""
    slow, low = {"load_ms": int(3 * HOLD * 1000)}, {"labels": LOW}
    c = {
        "page-cache": bench.ollama("page-cache", models="filed=64M:2100M"),
        "slow-load": bench.ollama("slow-load", models="big=600M", **low),
        "idle-model": bench.ollama("idle-model", models="big=600M", **low),
        "streaming": bench.ollama("streaming", models="big=300M", **low),
        "stalled": bench.ollama("stalled", models="big=300M", **low),
        "pulling": bench.ollama("pulling", **low),
        "connected": bench.ollama("connected", **low),
        "tmpfs": bench.ollama("tmpfs", tmpfs={"/models": "size=2200m"}),
        "foreign": bench.ollama("foreign"),
        "ghost": bench.ollama("ghost", models="big=300M", **low),
        "polled": bench.ollama("polled", models="big=300M", **low),
        "localai": bench.ollama("localai", labels=LOW | {"supervisor.kind": "localai"}),
    }
    c["idle-model"].load("big")
    c["tmpfs"].fill("/models/weights", 2 * GIB)
    c["slow-load"].set(**slow)
    c["streaming"].load("big")
    c["streaming"].set(tokens_per_s=20)
    c["stalled"].set(stall_load=True)
    c["ghost"].load("big")
    c["localai"].leak(300 * MIB)
    return c


@pytest.fixture(scope="module")
def quiet(engine, built):
    bench = Bench(engine)
    with contextlib.ExitStack() as ends:
        ends.callback(bench.close)
        c = prepare(bench)
        c["page-cache"].load("filed")
        ends.enter_context(c["page-cache"].pinned_weights())
        c["page-cache"].unload("filed")
        started = {name: one.started_at() for name, one in c.items()}
        daemon = bench.daemon(*c.values())
        outlive_grace()
        pulling, connected = ends.enter_context(contextlib.ExitStack()), ends.enter_context(contextlib.ExitStack())
        received = pulling.enter_context(c["pulling"].inbound())
        connected.enter_context(socket.create_connection((c["connected"].address, PORT), 5))
        for name in ("pulling", "connected"):
            c[name].leak(300 * MIB)
        c["foreign"].foreign(2 * GIB, 120)
        c["ghost"].ghost("big")
        with c["stalled"].streaming("big"), c["slow-load"].streaming("big") as loaded, \
                c["streaming"].streaming("big") as tokens:
            began = time.monotonic()
            while time.monotonic() < began + WATCHED:
                c["polled"].loaded()  # somebody else's eyes on /api/ps are not a reason for anything
                time.sleep(0.5)
            yield types.SimpleNamespace(bench=bench, containers=c, daemon=daemon, started=started,
                                        excuses={"pulling": pulling, "connected": connected}, tokens=list(tokens),
                                        loaded=list(loaded), received=received[0])


def nothing_happened(quiet, name, *verdicts):
    """No remedy was taken, and no verdict raised but these."""
    one = quiet.containers[name]
    assert one.started_at() == quiet.started[name]
    assert one.stop_signals() == 0
    for msg in ("acting", "would act", "healed"):
        assert not quiet.daemon.find(msg, container=name), quiet.daemon.text()
    raised = {r["verdict"] for r in quiet.daemon.find("verdict raised", container=name)}
    assert raised - {"no-limit"} <= set(verdicts)
    for verdict in verdicts:
        record = quiet.daemon.wait("verdict raised", 5, container=name, verdict=verdict)
        assert record["remedy"] == "none"
    return one


def test_page_cache_of_an_unloaded_model(quiet):
    one = nothing_happened(quiet, "page-cache")
    assert one.page_cache() >= 2 * GIB, "the page cache was not there to be mistaken"


def test_load_of_three_holds(quiet):
    one = nothing_happened(quiet, "slow-load")
    assert one.loaded() == ["big"]
    assert quiet.loaded, "the request that waited for the load got no answer"


def test_idle_model(quiet):
    one = nothing_happened(quiet, "idle-model")
    assert one.loaded() == ["big"] and one.held() >= 600 * MIB


def test_one_answer_streamed_for_three_holds(quiet):
    nothing_happened(quiet, "streaming")
    assert len(quiet.tokens) > 20 * 3 * HOLD, "the stream stopped"


def test_stalled_load_with_its_client_waiting(quiet):
    one = nothing_happened(quiet, "stalled", "stalled-load")
    assert one.loaded() == [] and len(one.runners()) == 1


def test_pull(quiet):
    one = nothing_happened(quiet, "pulling")
    assert quiet.received >= 64 * KIB * WATCHED, "too little was received to be a pull"
    assert one.held() >= 300 * MIB


def test_foreign_connection(quiet):
    nothing_happened(quiet, "connected")


def test_tmpfs(quiet):
    one = nothing_happened(quiet, "tmpfs", "held-elsewhere")
    assert one.held() >= 2 * GIB


def test_foreign_process(quiet):
    one = nothing_happened(quiet, "foreign", "held-elsewhere")
    assert one.held() >= 2 * GIB


def test_another_server_than_ollama(quiet):
    """Nobody can ask it what is loaded."""
    one = nothing_happened(quiet, "localai")
    assert one.held() >= 300 * MIB
    assert one.state()["requests"]["GET /api/ps"] == 0 < quiet.containers["polled"].state()["requests"]["GET /api/ps"]
    assert "localai was not asked" in quiet.bench.supervisor("status").out


def test_ghost_model(quiet):
    one = nothing_happened(quiet, "ghost", "ghost-model")
    assert one.loaded() == ["big"] and one.runners() == []


def test_foreign_polls(quiet):
    nothing_happened(quiet, "polled")


@pytest.mark.parametrize("name", ["pulling", "connected"])
def test_leak_is_found_when_its_excuse_ends(quiet, name):
    """So that the quiet above was the excuse's doing. (Last: it heals these two.)"""
    quiet.excuses[name].close()
    ended = time.monotonic()
    record = quiet.daemon.wait("verdict raised", in_time() + 5, container=name, verdict="idle-leak")
    assert record.at - ended <= in_time()
    quiet.daemon.wait("healed", 15, container=name)
    assert quiet.containers[name].stop_signals() == 1
