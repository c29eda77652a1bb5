"""`supervisor test`: memory that can be had, memory that cannot, and what is left behind by a test that was killed."""

import json
import mmap
import os
import signal
import subprocess
import threading
import time

import pytest

import memory
import program
import proxy
import wait
from engine import ROOT, Engine
from engine_api import EngineError
from sizes import GIB, MIB
from test_bad_input import one_sentence

LABEL = "supervisor.probe"
SUITES = [pytest.param("installed"), pytest.param("sid", marks=pytest.mark.engine("sid"))]


@pytest.fixture(scope="module", params=SUITES)
def one(request, built):
    engine = Engine(request.param)
    try:
        yield engine.start()
    finally:
        engine.close()


def probes(engine):
    return [c for c in engine.api.containers() if LABEL in c["Labels"]]


def images(engine):
    return [tag for i in engine.api.call("GET", "/images/json") for tag in i["RepoTags"] or []]


def nothing_left(engine):
    assert probes(engine) == [] and not [i for i in images(engine) if i.startswith("supervisor-probe:")]


def available():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/meminfo") if line.startswith("MemAvailable:"))


class Watch:
    """Looks at the probes' cgroups and settings while a test runs."""

    def __init__(self, engine):
        self.engine, self.seen, self.ended = engine, {}, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.ended.is_set():
            for probe in probes(self.engine):
                try:
                    state = self.engine.api.inspect(probe["Id"])
                    if state["State"]["Running"] and state["HostConfig"]["Memory"] not in self.seen:
                        score = open(f"/proc/{state['State']['Pid']}/oom_score_adj").read()
                        self.seen[state["HostConfig"]["Memory"]] = (memory.limit(probe["Id"]), int(score), state)
                except (OSError, EngineError):
                    pass  # it has just ended
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(10)


class Running:
    """A test that goes on in the background."""

    def __init__(self, engine, *arguments):
        self.engine = engine
        self.process = subprocess.Popen([program.PROGRAM, "--host", engine.url, "test", *arguments], env=program.environment(),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def until_it_touches(self, least):
        """Waits until its container holds so much; gives the container's id."""
        def touching():
            assert self.process.poll() is None, self.process.communicate()
            for probe in probes(self.engine):
                try:
                    if memory.held(probe["Id"]) >= least:
                        return probe["Id"]
                except OSError:
                    pass
            return None
        return wait.until(touching, 30, "the probe touches memory", every=0.01)

    def end(self, number):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def test_memory_that_is_there(one):
    with Watch(one) as watch:
        done = program.run("--host", one.url, "test", "256m", "512m", "1g", "--json")
    assert done.code == 0, done
    report = json.loads(done.out)
    assert report["reserve"] == 4 * GIB and report["taken_away"] == []
    for row, size in zip(report["sizes"], (256 * MIB, 512 * MIB, GIB), strict=True):
        assert row["had"] and row["outcome"] == "had" and not row["oom_killed"], row
        assert row["size"] == row["limit_engine"] == row["limit_cgroup"] == size
        assert row["touched"] == row["wanted"] and row["wanted"] >= size - size // 256 - 16 * MIB - 4096
        assert row["touched"] <= row["peak"] <= size and 0 < row["seconds"] < 30
    limit, score, state = watch.seen[GIB]
    assert limit == GIB and score == 1000
    host = state["HostConfig"]
    assert host["MemorySwap"] == GIB and host["NetworkMode"] == "none" and host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"] and state["Config"]["Labels"]["supervisor.enable"] == "false"
    nothing_left(one)


def test_table(one):
    done = program.run("--host", one.url, "test", "64m")
    assert done.code == 0 and done.err == "", done
    lines = done.out.splitlines()
    assert "4.0 GiB stay reserved" in lines[0] and "supervisor-probe:" in lines[0]
    assert lines[2].split() == ["SIZE", "LIMIT", "TOUCHED", "TIME", "PEAK", "OOM", "RESULT"]
    assert lines[3].startswith("64.0 MiB    64.0 MiB    47.8 MiB ") and lines[3].endswith("no   had")
    nothing_left(one)


def test_larger_than_the_host(one):
    done = program.run("--host", one.url, "test", "900t", "64m", "--json")
    assert done.code == 1, done
    large, small = json.loads(done.out)["sizes"]
    assert large["outcome"] == "too large" and "touched" not in large and "the host has" in large["reason"]
    total = next(int(line.split()[1]) * 1024 for line in open("/proc/meminfo") if line.startswith("MemTotal:"))
    assert large["missing"] == (900 << 40) - total
    assert small["had"]
    nothing_left(one)


def test_memory_taken_by_another_process(one):
    """What another process holds is not taken from it: the reserve stops the probe. (Other tests give memory back
    meanwhile, so more than 3 GiB are short.)"""
    with mmap.mmap(-1, 2 * GIB) as taken:
        for at in range(0, 2 * GIB, 4096):
            taken[at] = 1
        reserve = available() - 512 * MIB
        done = program.run("--host", one.url, "test", "4g", "--reserve", str(reserve), "--json")
    assert done.code == 1, done
    row = json.loads(done.out)["sizes"][0]
    assert row["outcome"] == "short" and not row["had"] and not row["oom_killed"], row
    assert row["limit_engine"] == row["limit_cgroup"] == 4 * GIB and row["touched"] < row["wanted"], row
    assert row["available"] < reserve + 64 * MIB, "it stopped before it had to"
    assert row["missing"] == row["wanted"] - row["touched"] + reserve - row["available"] and "must be free" in row["reason"]
    nothing_left(one)


def test_nothing_above_the_reserve(one):
    done = program.run("--host", one.url, "test", "64m", "--reserve", "900t")
    assert done.code == 1 and "0 B of 47.8 MiB touched" in done.out and "must be free" in done.out, done
    nothing_left(one)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(one, number):
    test = Running(one, "6g", "64m")
    test.until_it_touches(100 * MIB)
    code, out, err = test.end(number)
    assert code == 128 + number and "interrupted" in out and "taken away again" in err, (code, out, err)
    assert len(out.splitlines()) == 4, "it went on"
    nothing_left(one)


def test_killed(one):
    test = Running(one, "6g")
    container = test.until_it_touches(100 * MIB)
    test.end(signal.SIGKILL)
    left = one.api.inspect(container)["Name"].lstrip("/")
    assert [i for i in images(one) if i.startswith("supervisor-probe:")]
    done = program.run("--host", one.url, "test", "64m")
    assert done.code == 0, done
    assert f"the container {left} of an earlier test is taken away" in done.out, done
    assert "the image supervisor-probe:" in done.out.splitlines()[1], done
    nothing_left(one)


def test_what_is_being_removed_is_waited_for(one, tmp_path):
    """It has its memory and its image until it is gone."""
    test = Running(one, "6g")
    container = test.until_it_touches(100 * MIB)
    test.end(signal.SIGKILL)
    left = one.api.inspect(container)["Name"].lstrip("/")
    between = proxy.EngineProxy(one.socket, tmp_path)
    try:
        rule = between.answer(409, f"/containers/{left}", "DELETE", f"removal of container {left} is already in progress", times=3)
        done = program.run("--host", between.url, "test", "64m")
    finally:
        between.close()
    assert done.code == 0 and rule.taken == 3, done
    assert done.out.count(f"the container {left} of an earlier test is taken away") == 1, done
    nothing_left(one)


def test_the_engine_goes_away(one):
    """At once, with its containers: nothing can be taken away then."""
    test = Running(one, "6g")
    container = test.until_it_touches(100 * MIB)
    left = one.api.inspect(container)["Name"].lstrip("/")
    one.kill()
    _, err = test.process.communicate(timeout=60)
    assert test.process.returncode == 3 and f"the container {left} may be left behind" in err and one.socket in err, err
    one.start()
    done = program.run("--host", one.url, "test", "64m")
    assert done.code == 0 and f"the container {left} of an earlier test is taken away" in done.out, done
    nothing_left(one)


def test_oom_killed(one):
    """The kernel's word is told: here because the limit is lowered under the probe."""
    test = Running(one, "6g", "--json")
    container = test.until_it_touches(500 * MIB)
    one.api.call("POST", f"/containers/{container}/update", {"Memory": 1200 * MIB, "MemorySwap": 1200 * MIB})
    out, _ = test.process.communicate(timeout=60)
    row = json.loads(out)["sizes"][0]
    assert test.process.returncode == 1 and row["outcome"] in ("killed", "not limited"), row
    if row["outcome"] == "killed":
        assert row["oom_killed"] and row["touched"] <= 1200 * MIB and "out of memory" in row["reason"], row
    nothing_left(one)


def test_two_at_once(one):
    first = Running(one, "6g")
    container = first.until_it_touches(100 * MIB)
    one_sentence(program.run("--host", one.url, "test", "64m"), 1, "another", "under way")
    assert one.api.inspect(container)["State"]["Running"], "the other's was taken away"
    first.end(signal.SIGINT)
    nothing_left(one)


def test_the_program_is_what_runs(one):
    """On the host its own file and libraries, in an image with nothing in it; whatever else is called by its name is
    not. In a container that container's image."""
    done = subprocess.run([ROOT / "scripts/image"], env=os.environ | {"DOCKER_HOST": one.url}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done
    with Watch(one) as watch:
        report = json.loads(program.run("--host", one.url, "test", "300m", "--json").out)
    assert report["image"] == "supervisor-probe:empty" and report["sizes"][0]["had"], report
    _, _, state = watch.seen[300 * MIB]
    mounts = {m["Destination"]: m for m in state["Mounts"]}
    assert mounts["/supervisor"]["Source"] == str(program.PROGRAM.resolve()) and len(mounts) > 10, mounts
    assert not any(m["RW"] for m in mounts.values()), mounts
    assert "supervisor:latest" in images(one)
    inside = one.api.call("POST", "/containers/create", {
        "Image": "supervisor:latest", "Cmd": ["test", "64m", "--json"],
        "HostConfig": {"Binds": [f"{one.socket}:/var/run/docker.sock"], "NetworkMode": "host"}})["Id"]
    one.api.call("POST", f"/containers/{inside}/start")
    assert one.api.call("POST", f"/containers/{inside}/wait")["StatusCode"] == 0, one.api.logs(inside)
    report = json.loads(one.api.logs(inside))
    assert report["image"] == one.api.inspect(inside)["Image"] and report["sizes"][0]["had"], "the container's own image"
    one.api.remove(inside)
    one.api.call("DELETE", "/images/supervisor:latest")
    nothing_left(one)


@pytest.mark.parametrize("arguments, words", [
    (["3x"], ["3x"]),
    (["31m"], ["31m", "32m"]),
    (["0"], ["32m"]),
    (["-5g"], ["-5"]),
    (["99999999999999999999g"], ["99999999999999999999g"]),
    (["1g", "--reserve", "lots"], ["--reserve", "lots"]),
    (["1g", "--reserve"], ["--reserve"]),
    (["1g"] * 17, ["1g"]),
])
def test_usage(arguments, words):
    one_sentence(program.run("test", *arguments), 2, *words)


def test_engine_away(tmp_path):
    one_sentence(program.run("--host", f"unix://{tmp_path}/docker.sock", "test"), 3, tmp_path)
