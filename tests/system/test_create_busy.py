"""supervisor create where the engine is still at work for one that was killed: it is waited for, told, and at most a minute."""

import json
import signal
import threading
import time

import pytest

import proxy
import wait
from making import KEPT, LIMIT, making, proxied as bench, sound, trial, variant

OLD = "trial-replaced-by-supervisor"
CREATE, INSPECT = r"/containers/create\?name=trial", "/containers/trial/json"
CONFLICT = "Conflict. The container name is already in use by container 0123. You have to remove (or rename) that container."
AT_WORK = 2.0  # seconds for which the engine carries on without its client


def killed_at(bench, method, path, *arguments):
    """Killed as soon as it has asked that; the engine is at work on it until the rule that is given back is done."""
    rule = bench.proxy.rule(method, path, proxy.PASS, delay=AT_WORK, times=1)
    child = bench.started("trial", *arguments)
    wait.until(lambda: rule.taken, 20, "it was asked for")
    child.kill()
    child.communicate()
    return rule


def meanwhile(bench, rule, *faults):
    """Those faults stand until the engine has done what that rule delays."""
    def end():
        assert rule.done.wait(20)
        time.sleep(proxy.BEGUN)
        bench.proxy.off(*faults)
    thread = threading.Thread(target=end)
    thread.start()
    return thread


def finished(bench, *arguments, code=0):
    done = bench.create("trial", *arguments)
    assert done.code == code, done
    return done


def test_it_is_being_made(bench):
    """The name is taken, and whose it is cannot be seen yet; then it is there, and nobody will start it."""
    rule = killed_at(bench, "POST", CREATE)
    end = meanwhile(bench, rule, bench.proxy.answer(409, CREATE, "POST", CONFLICT))
    done = finished(bench)
    end.join()
    assert "still at work on trial" in done.out and "never started, is removed" in done.out, done
    sound(bench, "trial", LIMIT)


def test_it_is_being_made_in_the_place_of_another(bench):
    finished(bench, "--memory", "200m")
    rule = killed_at(bench, "POST", CREATE, "--replace")
    assert list(bench.there()) == [OLD]
    end = meanwhile(bench, rule, bench.proxy.answer(409, CREATE, "POST", CONFLICT))
    done = finished(bench)
    end.join()
    assert "still at work on trial" in done.out, done
    sound(bench, "trial", LIMIT)


def test_what_was_set_aside_comes_back_although_it_is_being_made(bench):
    """The undo wants the name back, which the engine gives to what this run asked for and had no answer to."""
    finished(bench)
    old = bench.inspect("trial")["Id"]
    bench.engine.api.call("POST", f"/containers/{old}/stop", query={"t": 1})
    bench.engine.api.call("POST", f"/containers/{old}/rename", query={"name": OLD})
    refused = bench.proxy.answer(400, CREATE, "POST")
    rename = bench.proxy.answer(409, r"/rename\?name=trial$", "POST", CONFLICT, times=3)
    done = finished(bench, code=1)
    bench.proxy.off(refused)
    assert rename.taken == 3 and "still at work on trial" in done.out and "is back and runs" in done.out, done
    assert sound(bench, "trial")["Id"] == old


def test_what_is_in_its_way_is_being_removed(bench):
    finished(bench)
    made = bench.inspect("trial")
    bench.engine.api.remove(made["Id"])
    left = bench.engine.api.call("POST", "/containers/create", made["Config"] | {"HostConfig": made["HostConfig"]},
                                 query={"name": "trial"})["Id"]
    rule = killed_at(bench, "DELETE", left)
    end = meanwhile(bench, rule, bench.proxy.answer(409, left, "DELETE", f"removal of container {left} is already in progress"))
    done = finished(bench)
    end.join()
    assert "still removing trial" in done.out, done
    sound(bench, "trial", LIMIT)


@pytest.mark.parametrize("name", ["trial", OLD])
def test_it_is_seen_to_be_removed(bench, name):
    """Inspect says so: it is neither started nor taken for one that stays."""
    finished(bench)
    seen = bench.inspect("trial")
    one = seen["Id"] if name == "trial" else "0" * 64
    body = json.dumps(seen | {"Id": one, "Name": f"/{name}", "State": seen["State"] | {"Status": "removing", "Running": False, "Dead": False}})
    if name == "trial":
        bench.engine.api.remove(seen["Id"])
    rule = bench.proxy.rule("GET", f"/containers/{name}/json", proxy.ANSWER, 200, body.encode(), times=4)
    done = finished(bench)
    assert rule.taken == 4 and f"still removing {name}" in done.out and "removed;" not in done.out, done
    sound(bench, "trial", LIMIT)


def test_it_is_being_stopped(bench):
    """Killed while what it replaces stops: it is told once, and waited for."""
    slow = variant(bench.engine, "ollama/ollama:stops-slowly", env=["SIMOLLAMA_STOP_DELAY_MS=3000"])
    finished(bench, "--image", slow)
    old = bench.inspect("trial")
    child = bench.started("trial", "--image", slow, "--replace")
    wait.until(lambda: [r for r in bench.proxy.since(0) if r.path.endswith("/stop?t=10")], 20, "it is being stopped")
    time.sleep(proxy.BEGUN)
    child.kill()
    child.communicate()
    done = finished(bench, "--image", slow)
    assert f"still stopping {OLD}" in done.out and len([r for r in bench.proxy.since(0) if old["Id"] in r.path and "/stop" in r.path]) == 1, done
    assert sound(bench, "trial", LIMIT)["Id"] != old["Id"] and bench.inspect("trial" + KEPT)["Id"] == old["Id"]


def test_it_is_renamed_between_two_questions(bench):
    """It has both names then; it is one, and is not removed as the replaced one of itself."""
    finished(bench)
    old = bench.inspect("trial")["Id"]
    bench.engine.api.call("POST", f"/containers/{old}/stop", query={"t": 1})
    rule = bench.proxy.rule("GET", f"/containers/{OLD}/json", proxy.PASS, delay=1.0, times=1)
    child = bench.started("trial")
    wait.until(lambda: rule.taken, 10, "one name was asked for")
    bench.engine.api.call("POST", f"/containers/{old}/rename", query={"name": OLD})
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0 and f"set {OLD} aside" in out, out + err
    assert sound(bench, "trial", LIMIT)["Id"] != old


def test_it_is_renamed_back_between_two_questions(bench):
    """It has neither name then; it is there."""
    finished(bench)
    old = bench.inspect("trial")["Id"]
    bench.engine.api.call("POST", f"/containers/{old}/rename", query={"name": OLD})
    rule = bench.proxy.rule("GET", f"/containers/{OLD}/json", proxy.PASS, delay=1.0, times=1)
    child = bench.started("trial")
    wait.until(lambda: rule.taken, 10, "one name was asked for")
    bench.engine.api.call("POST", f"/containers/{old}/rename", query={"name": "trial"})
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0 and "runs already" in out, out + err
    assert sound(bench, "trial", LIMIT)["Id"] == old


def test_waiting_in_its_look_can_be_interrupted(bench):
    """Nothing was begun: the status is that of the signal, and what was seen is told."""
    finished(bench)
    seen = bench.inspect("trial")
    bench.engine.api.remove(seen["Id"])
    body = json.dumps(seen | {"State": seen["State"] | {"Status": "removing", "Running": False}})
    rule = bench.proxy.rule("GET", "/containers/trial/json", proxy.ANSWER, 200, body.encode())
    child = bench.started("trial", "--json")
    wait.until(lambda: rule.taken > 2, 20, "it waits")
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    bench.proxy.off(rule)
    said = json.loads(out)
    assert child.returncode == 130 and said["outcome"] == "failed" and said["error"] == "interrupted", out + err
    assert said["container"] == "trial" and "facts" not in said and "plan" not in said, said
    assert not bench.there()


def test_waiting_for_the_engine_can_be_interrupted(bench):
    rule = bench.proxy.answer(409, CREATE, "POST", CONFLICT)
    child = bench.started("trial")
    line = ""
    while "still at work on trial" not in line:
        line = child.stdout.readline()
        assert line, child.stderr.read()
    child.terminate()
    out, err = child.communicate(timeout=20)
    bench.proxy.off(rule)
    assert child.returncode == 143 and "interrupted" in err, out + err
    assert not bench.there() and bench.volumes() == {"trial-models"}
