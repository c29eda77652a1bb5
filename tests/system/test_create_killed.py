"""supervisor create twice at once, killed, and with an engine that goes away: what is left, the next run finishes."""

import re
import subprocess
import time

import pytest

import program
import proxy
import wait
from engine import Engine
from making import KEPT, LIMIT, STANDARD, Making, bench, change, killed_at, limit_of, making, proxied, result, sound, trial, variant
from sizes import MIB


def test_two_at_once(bench):
    several = [bench.started("trial", "--port", "0") for _ in range(2)]
    ends = [(one, *one.communicate(timeout=30)) for one in several]
    codes = sorted(one.returncode for one, _, _ in ends)
    assert codes in ([0, 0], [0, 1]), ends
    locked_out = [err for one, _, err in ends if one.returncode == 1 and "is being made by another supervisor" in err]
    assert len(locked_out) == codes.count(1), ends
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


WHEN = pytest.mark.parametrize("act", [proxy.HANG, proxy.LOSE], ids=["before", "behind"])
FRESH = ["volume", "create", "start"]
REPLACE = ["aside", "create", "policy", "stop", "start", "keep"]
TAKEN_BACK = [*REPLACE[:-1], "stop", "policy", "remove", "start", "back"]


def kill(proxied, steps, number, act, *arguments):
    said = killed_at(proxied, number, act, *arguments)
    assert re.search(change(steps[number - 1]), said), said


def each(steps):
    return pytest.mark.parametrize("number", range(1, len(steps) + 1), ids=[f"{i}-{step}" for i, step in enumerate(steps, 1)])


@WHEN
@each(FRESH)
def test_killed(proxied, number, act):
    kill(proxied, FRESH, number, act)
    finished(proxied)


def write(bench, name="trial"):
    run = bench.engine.api.exec_start(name, ["sim", "fill", "/root/.ollama/kept", "4096"])
    wait.until(lambda: not bench.engine.api.exec_state(run)["Running"], 10, "it is written")


def keeps(bench, old):
    """What was there is there, in both containers; the one that was replaced as it was."""
    there = bench.ids()
    assert old["Id"] in there, there
    assert bench.engine.api.raw("GET", "/containers/trial/archive", query={"path": "/root/.ollama/kept"})


@WHEN
@each(REPLACE)
@pytest.mark.parametrize("arguments", [(), ("--replace",)], ids=["plain", "replace"])
def test_killed_while_replacing(proxied, number, act, arguments):
    """The next run finishes it, with the option or without it; the old one is kept."""
    assert proxied.create("trial", "--memory", "200m").code == 0
    write(proxied)
    old = proxied.inspect("trial")
    kill(proxied, REPLACE, number, act, "--replace")
    if (number, act) == (1, proxy.HANG) and not arguments:  # nothing was begun
        assert proxied.create("trial").code == 0 and sound(proxied, "trial", 200 * MIB)["Id"] == old["Id"]
        return
    over = (number, act) == (len(REPLACE), proxy.LOSE)
    done = proxied.create("trial", *arguments)
    if over and arguments:  # that one was finished: this would be the next one
        assert done.code == 1 and "--discard" in done.out, done
    else:
        assert done.code == 0, done
    assert sound(proxied, "trial", LIMIT)["Id"] != old["Id"]
    assert proxied.inspect("trial" + KEPT)["Id"] == old["Id"]
    keeps(proxied, old)


@pytest.fixture
def dies(making):
    return variant(making.engine, "ollama/ollama:dies", entrypoint=["/bin/ollama", "no-such-command"])


@WHEN
@each(TAKEN_BACK)
def test_killed_while_replacing_by_one_that_dies(proxied, dies, number, act):
    """The next run that wants the same puts the old one back, with its restart policy."""
    assert proxied.create("trial").code == 0
    write(proxied)
    old = proxied.inspect("trial")
    kill(proxied, TAKEN_BACK, number, act, "--replace", "--image", dies)
    done = proxied.create("trial", "--image", dies)
    there = sound(proxied, "trial")
    assert there["Id"] == old["Id"] and there["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    nothing = (number, act) in ((1, proxy.HANG), (len(TAKEN_BACK), proxy.LOSE))
    assert (done.code, "is back and runs" in done.out) == ((0, False) if nothing else (1, True)), done
    keeps(proxied, old)


@WHEN
@each(REPLACE)
def test_killed_while_replacing_a_persons_own(proxied, number, act):
    """Made by docker run: what was begun is finished also without the option."""
    body = {"Image": STANDARD, "HostConfig": {"Binds": ["own:/root/.ollama"], "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}}
    old = proxied.engine.api.call("POST", "/containers/create", body, query={"name": "trial"})["Id"]
    try:
        proxied.engine.api.call("POST", f"/containers/{old}/start")
        kill(proxied, REPLACE, number, act, "--replace")
        done = proxied.create("trial")
        if (number, act) == (1, proxy.HANG):
            assert done.code == 1 and proxied.inspect("trial")["State"]["Running"], done
            return
        assert done.code == 0, done
        one = sound(proxied, "trial")
        assert [m["Name"] for m in one["Mounts"]] == ["own"] and one["Id"] != old
        kept = proxied.inspect("trial" + KEPT)
        assert kept["Id"] == old and not kept["State"]["Running"] and kept["HostConfig"]["RestartPolicy"]["Name"] == "no"
        assert one["Config"]["Labels"]["supervisor.replaces.restart"] == "on-failure:3"
    finally:
        proxied.engine.api.remove(old)


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


def test_one_of_that_name_that_nobody_recorded_is_left_alone(bench):
    assert bench.create("trial").code == 0
    assert bench.create("trial", "--name", "trial-replaced-by-supervisor", "--port", "0").code == 0
    one = bench.inspect("trial")["Id"]
    done = bench.create("trial")
    assert done.code == 0 and "left alone" in done.out, done
    refused = bench.create("trial", "--replace")
    assert refused.code == 1 and "does not name it" in refused.out, refused
    assert bench.inspect("trial")["Id"] == one and bench.inspect("trial-replaced-by-supervisor")["State"]["Running"]


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
            child = bench.started("trial", "--replace", "--discard")
            time.sleep(delay)
            own_engine.stop()
            own_engine.start()
            out, err = child.communicate(timeout=60)
            assert child.returncode in (0, 1, 3), out + err
            if "trial-replaced-by-supervisor" in bench.there():
                assert child.returncode != 0 and "trial-replaced-by-supervisor" in err, out + err
            done = bench.create("trial")
            assert done.code == 0, f"{done}\nbefore: {out}{err}"
            assert set(bench.there()) - {"trial" + KEPT} == {"trial"} and limit_of(bench, "trial") == LIMIT
    finally:
        bench.close()
