"""supervisor create and what others do between its runs, or stand beside it: nobody's work is undone, and nobody is harmed without a word."""

import pytest

import proxy
import wait
from making import KEPT, LABEL, STANDARD, available, bench, killed_at, making, proxied, result, sound, through_proxy, trial
from sizes import MIB

OLD = "-replaced-by-supervisor"


def act(bench, what, name, **query):
    bench.engine.api.call("POST", f"/containers/{name}/{what}", query=query)


def runs(bench, *names):
    return [bench.inspect(name)["State"]["Running"] for name in names]


def findings(done, severity):
    return [one["text"] for one in result(done)["findings"] if one["severity"] == severity]


@pytest.fixture
def persons(making):
    """A person's container; all are gone at the end."""
    made = []

    def make(name, start=True, labels=(), **body):
        body = {"Image": STANDARD, "Labels": dict(labels), **body}
        made.append(making.engine.api.call("POST", "/containers/create", body, query={"name": name})["Id"])
        if start:
            act(making, "start", name)
        return made[-1]
    yield make
    for one in reversed(made):
        making.engine.api.remove(one)


# ---- back to the kept one


def test_the_kept_one_that_runs_is_not_removed_nor_run_beside(bench):
    free = ("--port", "0")
    assert bench.create("trial", *free).code == 0 and bench.create("trial", "--replace", *free).code == 0
    act(bench, "stop", "trial", t=1)
    act(bench, "start", "trial" + KEPT)
    before = bench.ids()
    for more in ((), ("--discard",), ("--replace", "--discard")):
        done = bench.create("trial", *free, *more)
        assert done.code == 1 and f"trial{KEPT}, which trial replaced, runs" in done.out, done
        assert bench.ids() == before and runs(bench, "trial", "trial" + KEPT) == [False, True]
    act(bench, "start", "trial")
    done = bench.create("trial", *free)
    assert done.code == 0 and "warning" in done.out and "is kept, stopped" not in done.out, done
    assert bench.create("trial", "--discard", *free).code == 1 and bench.ids() == before


def test_the_kept_one_that_is_started_meanwhile_is_not_removed(proxied):
    free = ("--port", "0")
    assert proxied.create("trial", *free).code == 0 and proxied.create("trial", "--replace", *free).code == 0
    act(proxied, "stop", "trial", t=1)
    rule = proxied.proxy.rule("POST", r"/start$", proxy.PASS, delay=3)
    child = proxied.started("trial", "--discard", *free)
    wait.until(lambda: rule.taken, 30, "it starts the new one")
    act(proxied, "start", "trial" + KEPT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0 and "was started meanwhile" in err, out + err
    assert runs(proxied, "trial", "trial" + KEPT) == [True, True]


# ---- a refusal behind an interrupted run


def test_a_refusal_leaves_what_a_person_stopped(bench):
    assert bench.create("trial").code == 0 and bench.create("trial", "--replace", "--no-wait").code == 0
    act(bench, "stop", "trial", t=1)
    before = bench.ids()
    done = bench.create("trial", "--memory", "900g")
    assert done.code == 1 and "refused, nothing was changed" in done.out and "taken away" not in done.out, done
    assert bench.ids() == before and runs(bench, "trial", "trial" + OLD) == [False, False]


def test_a_refusal_takes_back_what_was_begun_and_says_so(proxied):
    assert proxied.create("trial").code == 0
    old = proxied.inspect("trial")["Id"]
    assert killed_at(proxied, 5, proxy.HANG, "--replace").endswith("/start")
    assert runs(proxied, "trial" + OLD) == [False]
    done = proxied.create("trial", "--memory", "900g")
    assert done.code == 1 and "refused, what an earlier run had begun was taken back" in done.out, done
    assert sound(proxied, "trial")["Id"] == old and proxied.ids() == {old}


# ---- beside a large one


@pytest.fixture
def crowded(making):
    """One of normal priority that may take half of the host, and a profile that wants the most of it."""
    total, _ = available()
    making.settings |= trial("small", memory=f"{total // 2 // MIB}m", priority="normal")
    making.settings |= trial("big", memory=f"{total * 3 // 4 // MIB}m", priority="high", exclusive="on")
    yield making
    making.clear()


def test_a_refusal_starts_those_again_that_were_stopped(crowded):
    assert crowded.create("small").code == 0
    with through_proxy(crowded) as bench:
        rule = bench.proxy.rule("POST", r"/start$", proxy.HANG)
        child = bench.started("big", "--evict")
        wait.until(lambda: rule.taken, 60, "big is to start")
        child.kill()
        child.communicate()
        bench.proxy.off(rule)
        assert runs(bench, "small", "big") == [False, False]
        done = bench.create("big", "--memory", "900g", "--json")
        assert done.code == 1 and result(done)["outcome"] == "refused" and result(done)["taken_back"], done
        assert set(bench.there()) == {"small"} and runs(bench, "small") == [True]


@pytest.mark.parametrize("way, path, act", [("POST", r"/start$", proxy.HANG), ("POST", r"/start$", proxy.LOSE),
                                             ("DELETE", r"/containers/", proxy.HANG), ("DELETE", r"/containers/", proxy.LOSE)])
def test_taking_back_that_is_killed_leaves_nobody_stopped(crowded, way, path, act):
    assert crowded.create("small").code == 0
    with through_proxy(crowded) as bench:
        def killed_where(way, path, act, *arguments):
            rule = bench.proxy.rule(way, path, act)
            child = bench.started("big", *arguments)
            wait.until(lambda: rule.taken, 60, f"{way} {path}")
            if act == proxy.LOSE:
                assert rule.done.wait(30)
            child.kill()
            child.communicate()
            bench.proxy.off(rule)
        killed_where("POST", r"/start$", proxy.HANG, "--evict")
        assert runs(bench, "small", "big") == [False, False]
        killed_where(way, path, act, "--memory", "900g")
        done = bench.create("big", "--memory", "900g")
        assert done.code == 1 and set(bench.there()) == {"small"} and runs(bench, "small") == [True], done


def test_one_to_be_stopped_that_goes_by_itself(crowded):
    assert crowded.create("small").code == 0
    with through_proxy(crowded) as bench:
        rule = bench.proxy.rule("POST", r"/containers/create\?name=big$", proxy.PASS, delay=3)
        child = bench.started("big", "--evict")
        wait.until(lambda: rule.taken, 60, "big is made")
        bench.engine.api.remove(bench.inspect("small")["Id"])
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0 and "No such container" not in err, out + err
        assert set(bench.there()) == {"big"} and runs(bench, "big") == [True]


def test_an_adopted_one_gives_way_and_would_come_back(crowded, persons):
    persons("mine", labels={"supervisor.priority": "low"},
            HostConfig={"Memory": available()[0] // 2, "RestartPolicy": {"Name": "always"}})
    adopted = crowded.supervisor("adopt", "mine")
    assert adopted.code == 0, adopted
    refused = crowded.create("big")
    assert refused.code == 1 and "--evict stops mine" in refused.out, refused
    done = crowded.create("big", "--evict", "--json")
    assert done.code == 0 and result(done)["plan"]["evict"] == ["mine"], done
    assert any("mine has the restart policy always" in text for text in findings(done, "warning")), done
    assert runs(crowded, "mine", "big") == [False, True]


def test_those_that_do_not_run_take_no_place(crowded, persons):
    assert crowded.create("small").code == 0
    for i in range(64):  # as many as are counted, and newer
        persons(f"made-{i}", start=False, labels={LABEL: "true"})
    done = crowded.create("big", "--dry-run")
    assert done.code == 1 and "--evict stops small" in done.out, done


# ---- those that depend on it


def test_those_that_depend_on_the_replaced_one_are_named(bench, persons):
    old = persons("trial", HostConfig={"Binds": ["models:/root/.ollama"]})
    how = {"network": ({"NetworkMode": f"container:{old}"}, "network"), "by-name": ({"NetworkMode": "container:trial"}, "network"),
           "pid": ({"PidMode": "container:trial"}, "PID namespace"), "linked": ({"Links": ["trial:llm"]}, "by a link")}
    for i, (name, (host, _)) in enumerate(how.items()):
        persons(name, HostConfig=host, Env=[f"OLLAMA_HOST=127.0.0.1:{11500 + i}", f"SIMOLLAMA_CONTROL=127.0.0.1:{11600 + i}"])
    persons("beside")
    done = bench.create("trial", "--replace", "--json")
    refusals = findings(done, "refusal")
    assert done.code == 1 and runs(bench, "trial", *how) == [True] * 5, done
    assert len(refusals) == 4, refusals
    for name, (_, what) in how.items():
        assert any(text.startswith(f"{name} has the ") and what in text and f"docker stop {name}" in text for text in refusals), refusals
        act(bench, "stop", name, t=1)
    done = bench.create("trial", "--replace", "--dry-run", "--json")
    warnings = findings(done, "warning")
    assert done.code == 0 and [any(f"{name}, which is stopped" in text for text in warnings) for name in how] == [True] * 4, done


def test_those_that_depend_on_what_an_interrupted_run_set_aside_are_named(proxied, persons):
    old = persons("trial", HostConfig={"Binds": ["models:/root/.ollama"]})
    assert killed_at(proxied, 1, proxy.LOSE, "--replace").endswith("name=trial" + OLD)
    persons("late", HostConfig={"NetworkMode": f"container:{old}"}, Env=["OLLAMA_HOST=127.0.0.1:11500", "SIMOLLAMA_CONTROL=127.0.0.1:11600"])
    done = proxied.create("trial", "--replace", "--json")
    assert done.code == 1 and any(text.startswith("late has the network") for text in findings(done, "refusal")), done
    assert proxied.inspect("trial")["Id"] == old and runs(proxied, "trial", "late") == [True, True]


def test_what_is_composes_is_named(bench, persons):
    persons("trial", labels={"com.docker.compose.project": "shop", "com.docker.compose.service": "llm"},
            HostConfig={"Binds": ["models:/root/.ollama"]})
    for more, what in (((), "start the kept one"), (("--discard",), "make another one")):
        done = bench.create("trial", "--replace", "--dry-run", "--json", *more)
        assert done.code == 0 and any("service llm" in text and f"would {what}" in text for text in findings(done, "warning")), done
