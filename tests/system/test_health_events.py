"""A health that changes is seen when the engine tells it, and what the checks themselves do costs nothing."""

import json
import re
import time

import pytest

import wait
from bench import Bench
from engine import Engine

SUITES = ["installed", pytest.param("sid", marks=pytest.mark.engine("sid"))]
SECOND = 10**9
BROKEN = {"Test": ["CMD", "curl", "-f", "http://localhost:11434"], "Interval": 3 * SECOND, "Timeout": SECOND, "Retries": 1}
LISTS = {"Test": ["CMD", "/bin/ollama", "list"], "Interval": SECOND, "Timeout": SECOND, "Retries": 2}


@pytest.fixture(scope="module", params=SUITES)
def talkative(request, built):
    """Its log has every request."""
    one = Engine(request.param, options=["--debug"])
    try:
        yield one.start()
    finally:
        one.close()


def inspects(engine, container):
    log = (engine.directory / "log").read_text(errors="replace")
    return len(re.findall(f"/v[0-9.]+/containers/{container.id}/json", log))


def became(engine, one, health, after=0.0):
    """The moment at which the engine said so."""
    def told():
        return [e["at"] for e in engine.events.of(one.id, "health_status")
                if e["Action"] == f"health_status: {health}" and e["at"] > after]
    return wait.until(told, 30, f"{one.name} becomes {health}")[0]


def seen(bench, one):
    state = json.loads(bench.supervisor("status", "--json").out)
    return next(c["health"] for c in state["containers"] if c["name"] == one.name)


def test_health_is_followed(talkative):
    bench = Bench(talkative)
    try:
        broken, listing = (bench.ollama(name, healthcheck=check) for name, check in (("broken", BROKEN), ("listing", LISTS)))
        daemon = bench.daemon(broken, listing)
        at = became(talkative, broken, "unhealthy")
        record = daemon.wait("verdict raised", 5, container="broken", verdict="broken-healthcheck")
        assert record.at - at < 2, f"{record.at - at:.1f} s after the engine's word\n{daemon.text('broken')}"
        assert not daemon.find("acting")

        became(talkative, listing, "healthy")
        wait.until(lambda: seen(bench, listing) == "healthy", 2, "seen healthy")
        time.sleep(1)
        before = inspects(talkative, listing), inspects(talkative, broken)
        runs = len(talkative.events.of(listing.id, "exec_start"))
        time.sleep(8)
        assert len(talkative.events.of(listing.id, "exec_start")) - runs >= 4, "its check runs"
        assert (inspects(talkative, listing), inspects(talkative, broken)) == before, daemon.text()

        hung = time.monotonic()
        listing.set(hang=1)
        became(talkative, listing, "unhealthy", after=hung)
        wait.until(lambda: seen(bench, listing) == "unhealthy", 2, "seen unhealthy")
        assert not daemon.find("verdict raised", container="listing", verdict="broken-healthcheck"), "it can run"
        back = time.monotonic()
        listing.set(hang=0)
        became(talkative, listing, "healthy", after=back)
        wait.until(lambda: seen(bench, listing) == "healthy", 2, "seen healthy again")
        assert broken.stop_signals() == listing.stop_signals() == 0
    finally:
        bench.close()
