"""The newer engines: version negotiated, a leak healed, events across their restart, a limit."""

import pytest

from bench import Bench, in_time, outlive_grace
from engine import Engine
from sizes import GIB, MIB

SUITES = [pytest.param(s, marks=pytest.mark.engine(s)) for s in ("trixie", "sid")]


@pytest.fixture(scope="module", params=SUITES)
def newer(request, built):
    one = Engine(request.param)
    try:
        yield one.start()
    finally:
        one.close()


def test_supervision_on_a_newer_engine(newer):
    bench = Bench(newer)
    try:
        bench.settings |= {"leak.threshold": "128M", "leak.threshold_percent": "0", "leak.baseline": "64M"}
        newest = tuple(map(int, newer.api.call("GET", "/version")["ApiVersion"].split(".")))
        one = bench.ollama("newer", labels={"supervisor.memory": "1g"}, restart="always")
        daemon = bench.daemon(one)
        daemon.wait("limit applied", 10, container="newer")
        assert one.inspect()["HostConfig"]["Memory"] == GIB
        outlive_grace()
        heal(daemon, one)

        newer.stop()
        daemon.wait("engine lost", 2)
        newer.start()
        back = daemon.wait("engine back", 3)
        assert tuple(map(int, back["api"].split("."))) == min(newest, (1, 52))
        one.wait_until_it_answers()
        late = bench.ollama("later")  # seen by the new event stream
        daemon.wait("supervising", 2, container="later")
        outlive_grace()
        heal(daemon, one)
        assert late.stop_signals() == 0
    finally:
        bench.close()


def heal(daemon, one):
    signals = one.stop_signals()
    leaked = one.leak(300 * MIB)
    record = daemon.wait("verdict raised", in_time() + 5, after=leaked, container=one.name, verdict="idle-leak")
    assert record.at - leaked <= in_time()
    daemon.wait("healed", 15, after=leaked, container=one.name)
    assert one.held() < 100 * MIB and one.stop_signals() == signals + 1
    one.wait_until_it_answers()
