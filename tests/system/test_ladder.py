"""The ladder: what a runner has leaked near its limit is unloaded; where that is not enough its runner is killed; where
that cannot be done its container is restarted. Each step only while nothing works there and nobody is connected. All
containers grow at the same time."""

import contextlib
import re
import signal
import socket
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

import intents
import memory
import wait
from bench import BUSY, QUICK, Bench, outlive_grace
from ollama import PORT
from sizes import KIB, MIB

GROWTH, GROWS = 45.0, 75.0  # the hold, and how long they grow: the verdict stands some 40 s longer than the growth
# Of each container: ten minutes of growth and more. How far they grow, which is critical by these settings.
LIMIT, NEAR = 2304 * MIB, 128 * MIB
LAST = 256 * MIB  # the limit of those that never rest; it is less than ten minutes away when the growth is seen
UNLOAD = 10.0  # how long an unload is waited for
SETTINGS = QUICK | {"leak.growth_hold": f"{GROWTH:g}s", "leak.growth": "8m", "leak.threshold": "48M",
                    "leak.threshold_percent": "0", "leak.baseline": "16M", "leak.stuck_hold": "10m",
                    "pressure.level_medium": "3", "pressure.level_high": "4", "pressure.level_critical": "5"}
NO_KILL = ("setpriv", "--bounding-set=-kill", "--inh-caps=-kill")


def held(one):
    with contextlib.suppress(OSError):
        return one.held()
    return 0


def prompts(one, enough):
    """Distinct prompts, one after the other."""
    while not enough():
        with contextlib.suppress(OSError, AssertionError):
            one.post("/api/generate", {"model": "big", "prompt": f"prompt of {time.time_ns()}", "stream": False,
                                       "options": {"num_predict": 1}})
        time.sleep(0.2)


def prompts_until_near(one, seconds=GROWS):
    """As long as its runner lives: on a slow machine it may be healed before."""
    runners, ends = one.runners(), time.monotonic() + seconds
    prompts(one, lambda: time.monotonic() > ends and held(one) > NEAR or one.runners() != runners or time.monotonic() > ends + 120)


def prompts_without_end(one):
    """As long as its runner lives."""
    runners, ends = one.runners(), time.monotonic() + 400
    prompts(one, lambda: one.runners() != runners or time.monotonic() > ends)


def together(jobs):
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GROWS + 180)


@contextlib.contextmanager
def client(one):
    with socket.create_connection((one.address, PORT), 5):
        yield


@pytest.fixture(scope="module")
def ward(engine, built):
    bench = Bench(engine, SETTINGS)
    unable = Bench(engine, SETTINGS, label="unable.enable")  # its daemon may not kill
    crashed = Bench(engine, SETTINGS, label="crashed.enable")  # its daemon dies
    person = Bench(engine, SETTINGS, label="person.enable")  # without a daemon: fix-ollama
    blobs = bench.directory / "blobs"
    blobs.mkdir()
    blobs.chmod(0o777)
    make = {
        "unloads": {},
        "ignores": {"env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}},
        "stuck": {"env": {"SIMOLLAMA_STUCK_UNLOAD": "1"}},
        "busy": {"env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}},
        "busy-later": {"env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}},
        "connected": {"env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}},
        "connected-later": {"env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}},
        "by-hand": {"env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}},
        "server": {"version": "0.33", "models": "big=24M"},
        "unable": {"env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}, "user": "1000:1000", "binds": [f"{blobs}:/root/.ollama"]},
        "by-command": {"env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}},
        "stopping": {"env": {"SIMOLLAMA_STUCK_UNLOAD": "1"}},
        "crashed": {"env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}},
        "healthy": {},
        "last-minutes": {"memory_limit": LAST},
        "last-minute": {"memory_limit": LAST, "env": {"SIMOLLAMA_KEEP_ANSWERING": "1"}},
    }
    of = {"unable": unable, "crashed": crashed, "by-command": person, "stopping": person}
    with contextlib.ExitStack() as ends:
        ends.callback(bench.close)
        ends.callback(unable.close)
        ends.callback(crashed.close)
        c = {}
        for name, options in make.items():
            c[name] = of.get(name, bench).ollama(name, **{"version": "0.24", "models": "big=40M", "memory_limit": LIMIT} | options)
            c[name].load("big")
            lever = "leak_per_request" if name == "server" else "cache_per_prompt"
            c[name].set(**{lever: 0 if name in ("healthy", "stopping") else 400 * KIB})
        w = types.SimpleNamespace(bench=bench, containers=c, unable=unable, crashed=crashed, between={},
                                  started={n: one.started_at() for n, one in c.items()},
                                  pids={n: one.pid() for n, one in c.items()},
                                  runners={n: one.runners() for n, one in c.items()})
        w.daemon = bench.daemon(*(one for n, one in c.items() if n not in of))
        w.daemon_that_dies = crashed.daemon(c["crashed"])
        w.daemon_without = unable.daemon(c["unable"], wrapper=NO_KILL)
        outlive_grace()
        c["stopping"].post("/api/generate", {"model": "big", "keep_alive": 0})
        c["by-command"].orphan(16 * MIB)  # what keeps fix-ollama there until the growth is found
        pool = ends.enter_context(ThreadPoolExecutor(4))
        ends.callback(person.close)  # without its containers fix-ollama ends
        w.fixes = {name: pool.submit(person.supervisor, "fix-ollama", name, timeout=600, leak__stuck_hold="20s",
                                     leak__orphan_hold="200s") for name in ("stopping", "by-command")}
        w.without_end = {name: pool.submit(prompts_without_end, c[name]) for name in ("last-minutes", "last-minute")}
        ends.enter_context(client(c["connected"]))
        for name in ("busy-later", "connected-later", "by-hand", "crashed"):
            w.between[name] = ends.enter_context(contextlib.ExitStack())

        def grows(name):
            prompts_until_near(c[name])
            if name == "busy":
                ends.enter_context(c[name].streaming("big"))
            if name in w.between:  # the unload is under way: somebody comes before the next step
                daemon = w.daemon_that_dies if name == "crashed" else w.daemon
                daemon.wait("acting", BUSY + 60, container=name, step="unload")
                w.between[name].enter_context(c[name].inbound() if name == "busy-later" else client(c[name]))
        together([lambda n=name: grows(n) for name in c if name not in ("healthy", "stopping", *w.without_end)])
        w.rests = time.monotonic()
        yield w


def acted(ward, name):
    return [r["step"] for r in ward.daemon.find("acting", container=name)]


def same_life(ward, name):
    one = ward.containers[name]
    assert one.started_at() == ward.started[name] and one.pid() == ward.pids[name] and one.stop_signals() == 0
    return one


def not_enough(ward, name, daemon=None):
    """The unload's end, with what was expected, what came back, and what comes next."""
    record = (daemon or ward.daemon).wait("not healed", BUSY + UNLOAD + 25, container=name, step="unload")
    assert "expected" in record["why"] and "came back; next: kill-runner" in record["why"]
    assert int(record["expected"]) >= 80 * MIB and int(record["before"]) - int(record["after"]) < 10 * MIB
    return record


def test_daemon_that_dies_between_two_steps(ward):
    not_enough(ward, "crashed", ward.daemon_that_dies)
    ward.daemon_that_dies.end(signal.SIGKILL)
    ward.between["crashed"].close()
    assert [r["step"] for r in intents.rows(ward.crashed.state)] == ["unload"]


def test_person_who_restarts_between_two_steps(ward):
    one = ward.containers["by-hand"]
    not_enough(ward, "by-hand")
    one.engine.api.call("POST", f"/containers/{one.id}/restart", query={"t": 5})
    ward.between["by-hand"].close()
    one.wait_until_it_answers()


def test_unload_alone_heals(ward):
    healed = ward.daemon.wait("healed", BUSY + UNLOAD + 25, container="unloads")
    assert healed["step"] == "unload" and healed["verdict"] == "growth-leak"
    assert int(healed["expected"]) >= 80 * MIB
    assert int(healed["before"]) - int(healed["after"]) >= int(healed["expected"]) // 2
    one = same_life(ward, "unloads")
    assert one.loaded() == [] and one.runners() == [] and acted(ward, "unloads") == ["unload"]


@pytest.mark.parametrize("name", ["ignores", "stuck"])
def test_runner_that_stays_is_killed(ward, name):
    not_enough(ward, name)
    healed = ward.daemon.wait("healed", 25, container=name)
    assert healed["step"] == "kill"
    assert int(healed["before"]) - int(healed["after"]) >= int(healed["expected"]) // 2 >= 40 * MIB
    assert ward.daemon.find("acting", container=name, step="kill")[0]["why"] == "unload was not enough"
    one = same_life(ward, name)
    assert one.runners() == [] and acted(ward, name) == ["unload", "kill"]
    raised = [r["remedy"] for r in ward.daemon.find("verdict raised", container=name, verdict="growth-leak")]
    assert raised[-2:] == ["unload", "kill-runner"]


def test_runner_that_cannot_be_killed_is_restarted(ward):
    one, daemon = ward.containers["unable"], ward.daemon_without
    daemon.wait("not healed", BUSY + UNLOAD + 25, container="unable", step="unload")
    refused = daemon.wait("not healed", 25, container="unable", step="kill")
    assert "the capability KILL is missing" in refused["why"] and refused["why"].endswith("; next: restart")
    healed = daemon.wait("healed", 40, container="unable")
    assert healed["step"] == "restart" and int(healed["before"]) - int(healed["after"]) >= 80 * MIB
    assert one.started_at() != ward.started["unable"] and one.starts() == 2
    rows = intents.rows(ward.unable.state)
    assert [r["step"] for r in rows] == ["unload", "kill", "restart"]
    assert [r["state"] for r in rows] == [intents.FAILED, intents.FAILED, intents.DONE]


def test_growth_of_the_server_is_restarted_at_once(ward):
    healed = ward.daemon.wait("healed", BUSY + 45, container="server")
    assert healed["step"] == "restart" and healed["verdict"] == "growth-leak"
    assert int(healed["expected"]) >= 48 * MIB
    assert int(healed["before"]) - int(healed["after"]) >= int(healed["expected"])
    one = ward.containers["server"]
    assert one.started_at() != ward.started["server"] and one.starts() == 2
    assert acted(ward, "server") == ["restart"]


@pytest.mark.parametrize("name", ["busy", "connected"])
def test_no_step_at_all_while_somebody_works_or_is_connected(ward, name):
    raised = ward.daemon.wait("verdict raised", 5, container=name, verdict="growth-leak")
    assert raised["remedy"] == "none"
    time.sleep(max(0.0, ward.rests + BUSY + UNLOAD + 15 - time.monotonic()))
    assert held(ward.containers[name]) > NEAR - 8 * MIB  # it was near enough
    assert same_life(ward, name).runners() == ward.runners[name] and acted(ward, name) == []


@pytest.mark.parametrize("name", ["busy-later", "connected-later"])
def test_nothing_follows_while_somebody_works_or_is_connected(ward, name):
    if name == "connected-later":
        not_enough(ward, name)
    else:
        ward.daemon.wait("remedy pending", BUSY + UNLOAD + 25, container=name, step="unload")
    time.sleep(max(0.0, ward.rests + BUSY + 2 * UNLOAD + 15 - time.monotonic()))
    assert same_life(ward, name).runners() == ward.runners[name] and acted(ward, name) == ["unload"]


def test_nothing_follows_a_restart_by_hand(ward):
    one = ward.containers["by-hand"]
    time.sleep(max(0.0, ward.rests + BUSY + 2 * UNLOAD + 15 - time.monotonic()))
    assert acted(ward, "by-hand") == ["unload"] and one.starts() == 2 and one.stop_signals() == 1


def test_runner_that_never_rests_goes_at_the_end_of_a_request(ward):
    """Less than ten minutes before the limit."""
    ward.without_end["last-minutes"].result(500)
    healed = ward.daemon.wait("healed", 20, container="last-minutes")
    assert healed["step"] == "unload" and healed["verdict"] == "growth-leak"
    assert acted(ward, "last-minutes") == ["unload"] and same_life(ward, "last-minutes")


def test_runner_that_never_rests_is_killed_in_the_last_minute(ward):
    """What it was told to do it did not. Nobody but its runner dies, and not by the kernel's hand."""
    ward.without_end["last-minute"].result(500)
    healed = ward.daemon.wait("healed", 20, container="last-minute")
    assert healed["step"] == "kill" and int(healed["before"]) < LAST
    assert acted(ward, "last-minute") == ["unload", "kill"] and same_life(ward, "last-minute")
    assert not ward.daemon.find("verdict raised", container="last-minute", verdict="oom-kill")


def test_others_are_left_alone(ward):
    assert same_life(ward, "healthy").runners() == ward.runners["healthy"]
    assert ward.containers["healthy"].loaded() == ["big"] and acted(ward, "healthy") == []


def test_climb_can_be_read(ward):
    out = ward.bench.supervisor("events").out
    text = " ".join(out.split())
    assert "not healed by unload (growth-leak)" in text and "came back; next: kill-runner" in text
    assert "kill begins (growth-leak)" in text and "unload was not enough" in text
    assert "healed by kill (growth-leak)" in text


@pytest.mark.slow
def test_successor_goes_on_and_does_no_step_twice(ward):
    """It earns the verdict anew, and finds in the database that the unload was not enough."""
    one = same_life(ward, "crashed")
    daemon = ward.crashed.daemon(one)
    prompts_until_near(one)
    dropped = daemon.wait("remedy dropped", BUSY + 25, container="crashed", step="unload")
    assert dropped["why"] == "an earlier supervisor has done it, and it was not enough; next: kill-runner"
    healed = daemon.wait("healed", 25, container="crashed")
    assert healed["step"] == "kill" and not daemon.find("acting", container="crashed", step="unload")
    rows = intents.rows(ward.crashed.state)
    assert [(r["step"], r["state"]) for r in rows] == [("unload", intents.FAILED), ("kill", intents.DONE)]
    assert same_life(ward, "crashed").runners() == []


@pytest.mark.slow
def test_fix_ollama_climbs(ward):
    """Beside an orphan, which it is there for."""
    done = ward.fixes["by-command"].result(400)
    assert done.code == 0, str(done)
    steps = re.findall(r"^by-command: (growth-leak|orphan-runner|unload|kill): ", done.out, re.MULTILINE)
    assert steps == ["growth-leak", "unload", "growth-leak", "kill", "orphan-runner", "kill"], str(done)
    assert same_life(ward, "by-command").runners() == []


@pytest.mark.slow
def test_fix_ollama_watches_what_it_found_stopping_for_six_minutes(ward):
    done = ward.fixes["stopping"].result(500)
    assert done.code == 0 and 360 <= done.took < 400, done
    assert "watched for up to 372 s" in done.out and "stuck-stopping" in done.out, done
    assert "supervisor unload --force --container stopping big:latest" in done.out, done
    assert "healed" in done.out and same_life(ward, "stopping").runners() == []
