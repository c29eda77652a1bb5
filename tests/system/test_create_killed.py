"""supervisor create twice at once, killed, and with an engine that goes away: what is left, the next run finishes."""

import subprocess
import time

import pytest

import program
from engine import Engine
from making import LIMIT, Making, bench, limit_of, making, result, sound, trial


def test_two_at_once(bench):
    several = [bench.started("trial", "--port", "0") for _ in range(2)]
    ends = [(one, *one.communicate(timeout=30)) for one in several]
    assert sorted(one.returncode for one, _, _ in ends) in ([0, 0], [0, 1]), ends
    for one, out, err in ends:
        assert one.returncode == 0 or "is being made by another supervisor" in err, out + err
    sound(bench, "trial")


def test_two_at_once_with_states_of_their_own(bench, tmp_path):
    """Only the engine knows of both."""
    several = [subprocess.Popen([str(program.PROGRAM), *map(str, bench.options(state=tmp_path / str(i))), "create", "trial", "--port", "0"],
                                env=program.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for i in range(2)]
    ends = [one.communicate(timeout=30) for one in several]
    assert 0 in [one.returncode for one in several], ends
    sound(bench, "trial")


# ---- killed half-way


def finished(bench, *arguments):
    """The next run names what is there and finishes it."""
    done = bench.create("trial", *arguments)
    assert done.code == 0, done
    sound(bench, "trial", LIMIT)
    return done


DELAYS = [0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.36, 0.45]


@pytest.mark.parametrize("delay", DELAYS)
def test_killed(bench, delay):
    child = bench.started("trial")
    time.sleep(delay)
    child.kill()
    child.communicate()
    assert len(bench.there()) <= 1
    finished(bench)


@pytest.mark.parametrize("delay", DELAYS)
def test_killed_while_replacing(bench, delay):
    assert bench.create("trial", "--memory", "200m").code == 0
    child = bench.started("trial", "--replace")
    time.sleep(delay)
    child.kill()
    child.communicate()
    names = set(bench.there())
    assert names and names <= {"trial", "trial-replaced-by-supervisor"}, names
    done = bench.create("trial")
    assert done.code == 0, done
    assert bench.create("trial", "--replace").code == 0
    sound(bench, "trial", LIMIT)


def test_what_was_set_aside_and_nothing_made_is_finished(bench):
    assert bench.create("trial").code == 0
    old = bench.inspect("trial")["Id"]
    bench.engine.api.call("POST", f"/containers/{old}/stop", query={"t": 1})
    bench.engine.api.call("POST", f"/containers/{old}/rename", query={"name": "trial-replaced-by-supervisor"})
    done = finished(bench)
    assert "set trial-replaced-by-supervisor aside" in done.out and bench.inspect("trial")["Id"] != old


def test_what_was_set_aside_comes_back_if_finishing_fails(bench):
    assert bench.create("trial").code == 0
    old = bench.inspect("trial")["Id"]
    bench.engine.api.call("POST", f"/containers/{old}/stop", query={"t": 1})
    bench.engine.api.call("POST", f"/containers/{old}/rename", query={"name": "trial-replaced-by-supervisor"})
    done = bench.create("trial", "--image", "127.0.0.1:1/no/such:tag")
    assert done.code == 1 and "is back and runs" in done.out, done
    assert sound(bench, "trial")["Id"] == old


def test_created_and_never_started_is_made_anew(bench):
    assert bench.create("trial").code == 0
    made = bench.inspect("trial")
    bench.engine.api.remove(made["Id"])
    body = made["Config"] | {"HostConfig": made["HostConfig"]}
    left = bench.engine.api.call("POST", "/containers/create", body, query={"name": "trial"})["Id"]
    done = finished(bench)
    assert "never started it" in done.out and bench.inspect("trial")["Id"] != left


def test_replaced_one_left_behind_goes_when_the_new_one_answers(bench):
    assert bench.create("trial", "--name", "trial-replaced-by-supervisor", "--port", "0").code == 0
    bench.engine.api.call("POST", "/containers/trial-replaced-by-supervisor/stop", query={"t": 1})
    body = bench.create("trial", "--dry-run", "--json")
    request = result(body)["request"]
    one = bench.engine.api.call("POST", "/containers/create", request, query={"name": "trial"})["Id"]
    bench.engine.api.call("POST", f"/containers/{one}/start")
    done = finished(bench)
    assert "left trial-replaced-by-supervisor behind" in done.out and bench.inspect("trial")["Id"] == one
    assert limit_of(bench, "trial") == LIMIT


# ---- the engine goes away half-way


@pytest.fixture
def own_engine(built):
    one = Engine()
    try:
        yield one.start()
    finally:
        one.close()


def test_engine_restarted_half_way(own_engine):
    """Whatever was under way is finished, or taken away again; nothing stays half-way."""
    bench = Making(own_engine, trial(port=0))
    try:
        for delay in (0.05, 0.2):
            child = bench.started("trial", "--replace")
            time.sleep(delay)
            own_engine.stop()
            own_engine.start()
            out, err = child.communicate(timeout=60)
            assert child.returncode in (0, 1, 3), out + err
            assert "trial-replaced-by-supervisor" not in bench.there() or "left" in out + err, out + err
            done = bench.create("trial")
            assert done.code == 0, f"{done}\nbefore: {out}{err}"
            assert list(bench.there()) == ["trial"] and limit_of(bench, "trial") == LIMIT
    finally:
        bench.close()
