"""supervisor create: what it makes, what it says is there, what it replaces and whom it stops."""

import json

import pytest

import memory
import program
import wait
from making import LIMIT, STANDARD, answers, available, bench, free_port, limit_of, localai, making, profile, result, sound, trial, variant
from sizes import GIB, MIB

SIZES = {"create-standard": 8, "create-33b": 28, "create-70b": 30, "create-localai": 12}


@pytest.mark.parametrize("command, gib", SIZES.items())
def test_dry_run_at_the_real_size(bench, command, gib):
    port = free_port()
    done = bench.create(command, "--dry-run", "--json", "--gpu", "none", "--port", port)
    told = result(done)
    request = told["request"]
    assert told["outcome"] == "planned" and done.code == (1 if told["plan"]["refused"] else 0)
    assert request["HostConfig"]["Memory"] == request["HostConfig"]["MemorySwap"] == gib * GIB
    assert request["HostConfig"]["RestartPolicy"] == {"Name": "unless-stopped"}
    assert request["Labels"]["supervisor.memory"] == f"{gib}g" and request["Labels"]["supervisor.made"] == "true"
    binding, = request["HostConfig"]["PortBindings"].values()
    assert binding == [{"HostIp": "127.0.0.1", "HostPort": str(port)}]
    total, _ = available()
    fits = gib * GIB <= total - (GIB if gib in (28, 30) else 4 * GIB)
    margin = told["plan"].get("margin")
    assert (margin is None) == (gib not in (28, 30) or gib * GIB > total)
    if margin:  # of these settings: the host's pressure acts by per cent alone (bench.CALM)
        assert margin["beside"] == total - gib * GIB and margin.get("stop_below") is None
    memory_refused = any(f["about"] == "memory" and f["severity"] == "refusal" for f in told["findings"])
    assert memory_refused != fits
    if command != "create-localai":
        assert told["plan"]["ledger"]["limit"] == gib * GIB
        assert any(e.startswith("LLAMA_ARG_CACHE_RAM=") for e in request["Env"])
    assert not bench.there() and not bench.volumes()


def test_a_large_one_says_what_it_leaves(bench):
    """By the host's true numbers; without a kill switch, which the bench has not, by what it has."""
    total, free = available()
    told = result(bench.create("create-70b", "--memory", "256m", "--gpu", "none", "--port", free_port(), "--dry-run", "--json"))
    margin = told["plan"]["margin"]
    assert margin["beside"] == total - 256 * MIB and abs(margin["full"] - (free - 256 * MIB)) < GIB
    assert "stop_below" not in margin and "unload_below" not in margin
    switch = {"pressure.action_unload": "99.92%", "pressure.action_kill_switch": "99.95%"}
    done = bench.create("create-70b", "--memory", "256m", "--gpu", "none", "--port", free_port(), "--dry-run",
                        *(f"--set={key}={value}" for key, value in switch.items()))
    assert "margin" in done.out and "beside it" in done.out and "MiB available, models are unloaded below" in done.out, done
    standard = result(bench.create("create-standard", "--memory", "256m", "--reserve", "1g", "--gpu", "none", "--dry-run", "--json"))
    assert "margin" not in standard["plan"]


def test_dry_run_for_a_person_is_the_request(bench):
    done = bench.create("trial", "--dry-run")
    assert done.code == 0, done
    request = json.loads(done.out[done.out.index("{"):])
    assert request["HostConfig"]["Memory"] == LIMIT
    assert "available now" in done.out and "POST /containers/create?name=trial" in done.out


def test_refused_dry_run_is_short(bench):
    done = bench.create("trial", "--memory", "4000g", "--dry-run")
    assert done.code == 1 and "refused: " in done.out and done.out.endswith("trial: refused, nothing would be made\n"), done
    assert "POST" not in done.out and "{" not in done.out


@pytest.mark.parametrize("command, image, inside", [
    ("create-standard", STANDARD, "11434/tcp"), ("create-33b", STANDARD, "11434/tcp"),
    ("create-70b", STANDARD, "11434/tcp"), ("create-localai", "localai/localai:latest-gpu-nvidia-cuda-12", "8080/tcp")])
def test_made(bench, command, image, inside):
    if command == "create-localai":
        localai(bench.engine)
    port = free_port()
    done = bench.create(command, "--memory", "256m", "--reserve", "1g", "--gpu", "none", "--port", port, "--json")
    assert done.code == 0, done
    told = result(done)
    name = told["container"]
    one = bench.inspect(name)
    assert told["outcome"] == "made" and told["id"] == one["Id"] and told["address"] == f"http://127.0.0.1:{port}"
    assert limit_of(bench, name) == told["limit"] == LIMIT
    host, config = one["HostConfig"], one["Config"]
    assert host["MemorySwap"] == host["Memory"] == LIMIT
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["PortBindings"] == {inside: [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    assert config["Image"] == image
    assert config["Labels"]["supervisor.profile"] == command.removeprefix("create-")
    assert config["Labels"]["supervisor.memory"] == "256m"
    target = "/models" if command == "create-localai" else "/root/.ollama"
    assert [m["Name"] for m in one["Mounts"] if m["Destination"] == target] == list(bench.volumes())
    assert answers(port, "/readyz" if command == "create-localai" else "/api/version")
    if command == "create-localai":
        assert config["Labels"]["supervisor.kind"] == "localai" and not config.get("Healthcheck")
        return
    check = config["Healthcheck"]
    assert check["Test"] == ["CMD", "ollama", "list"] and check["Interval"] == 30 * 10**9 and check["Retries"] == 3
    env = dict(e.split("=", 1) for e in config["Env"])
    assert env["OLLAMA_MAX_LOADED_MODELS"] == "1" and env["OLLAMA_KEEP_ALIVE"] and env["OLLAMA_NUM_PARALLEL"] == "1"
    assert (config["Labels"].get("supervisor.exclusive") == "true") == (command != "create-standard")


def test_swap_is_given_where_asked_for(bench):
    assert bench.create("trial", "--swap", "64m").code == 0
    one = bench.inspect("trial")
    assert one["HostConfig"]["MemorySwap"] == LIMIT + 64 * MIB
    assert one["Config"]["Labels"]["supervisor.memory.swap"] == "64m"


def test_a_daemon_keeps_what_was_made(bench):
    daemon = bench.daemon()
    assert bench.create("trial").code == 0
    record = daemon.wait("supervising", 15, container="trial")
    assert record["mode"] == "enforce", str(record)
    assert not [line for line in daemon.lines if "unknown label" in line]
    one = bench.inspect("trial")
    bench.engine.api.call("POST", f"/containers/{one['Id']}/update", {"Memory": GIB, "MemorySwap": GIB})
    daemon.wait("limit applied", 20, container="trial")
    wait.until(lambda: limit_of(bench, "trial") == LIMIT, 10, "the limit is back")
    daemon.end()


def test_health_check_works_in_the_image(bench):
    assert bench.create("trial").code == 0
    one = bench.inspect("trial")
    run = bench.engine.api.exec_start(one["Id"], one["Config"]["Healthcheck"]["Test"][1:])
    state = wait.until(lambda: (s := bench.engine.api.exec_state(run)) and not s["Running"] and s, 10, "the check ends")
    assert state["ExitCode"] == 0


def test_twice_is_no_error_and_says_what_differs(bench):
    assert bench.create("trial").code == 0
    before = bench.inspect("trial")
    again = bench.create("trial")
    assert again.code == 0 and "runs already" in again.out and "would be" not in again.out, again
    changed = bench.create("trial", "--memory", "300m", "--port", "0", "--json")
    told = result(changed)
    assert changed.code == 0 and told["outcome"] == "there" and told["limit"] == LIMIT
    differs = {d["what"]: (d["is"], d["would_be"]) for d in told["differs"]}
    assert differs["limit"] == ("256m", "300m") and differs["port"][1] == "not published"
    assert set(differs) >= {"limit with swap", "supervisor.memory"}
    after = bench.inspect("trial")
    assert after["Id"] == before["Id"] and after["State"]["StartedAt"] == before["State"]["StartedAt"]


def test_one_that_is_stopped_is_started(bench):
    assert bench.create("trial").code == 0
    bench.engine.api.call("POST", "/containers/trial/stop", query={"t": 1})
    done = bench.create("trial")
    assert done.code == 0 and "was there, and runs now" in done.out, done
    sound(bench, "trial")


def test_no_wait(bench):
    done = bench.create("trial", "--no-wait")
    assert done.code == 0 and "answers" not in done.out, done
    sound(bench, "trial")


def write(bench, container, path, size):
    run = bench.engine.api.exec_start(container, ["sim", "fill", path, str(size)])
    wait.until(lambda: not bench.engine.api.exec_state(run)["Running"], 10, f"{path} written")
    assert bench.engine.api.exec_state(run)["ExitCode"] == 0


def has(bench, container, path):
    return bench.engine.api.raw("GET", f"/containers/{container}/archive", query={"path": path})


def test_replace_keeps_the_volume(bench):
    assert bench.create("trial").code == 0
    before = bench.inspect("trial")
    write(bench, "trial", "/root/.ollama/kept", 4096)
    done = bench.create("trial", "--replace", "--memory", "300m")
    assert done.code == 0, done
    after = sound(bench, "trial", 300 * MIB)
    assert after["Id"] != before["Id"] and has(bench, "trial", "/root/.ollama/kept")


def test_replace_takes_over_the_volume_that_there_is(bench):
    assert bench.create("trial", "--volume", "elsewhere").code == 0
    done = bench.create("trial", "--replace")
    assert done.code == 0, done
    assert [m["Name"] for m in bench.inspect("trial")["Mounts"]] == ["elsewhere"]


def test_replacement_that_fails_brings_the_old_one_back(bench):
    variant(bench.engine, "ollama/ollama:dies", entrypoint=["/bin/ollama", "no-such-command"])
    assert bench.create("trial").code == 0
    before = bench.inspect("trial")
    done = bench.create("trial", "--replace", "--image", "ollama/ollama:dies")
    assert done.code == 1 and "instead of answering" in done.err, done
    after = sound(bench, "trial")
    assert after["Id"] == before["Id"]


# ---- names


@pytest.fixture
def stranger(making):
    ids = []

    def make(image, **more):
        ids.append(making.engine.api.call("POST", "/containers/create", {"Image": image, **more}, query={"name": "trial"})["Id"])
        return ids[-1]
    yield make
    for one in ids:
        making.engine.api.remove(one)


@pytest.mark.parametrize("options", [(), ("--replace",)])
def test_a_strangers_container_is_left_alone(bench, stranger, options):
    other = stranger(bench.engine.tag("0.33", "somebody/else", "1"))
    done = bench.create("trial", *options)
    assert done.code == 1 and "somebody else's" in done.out and "--name" in done.out, done
    assert bench.inspect("trial")["Id"] == other and not bench.volumes()


def test_an_ollama_of_that_name_is_replaced_only_when_told(bench, stranger):
    other = stranger(STANDARD)
    done = bench.create("trial")
    assert done.code == 1 and "--replace" in done.out, done
    assert bench.inspect("trial")["Id"] == other
    done = bench.create("trial", "--replace")
    assert done.code == 0, done
    assert sound(bench, "trial")["Id"] != other


def test_one_with_rm_is_not_replaced(bench, stranger):
    other = stranger(STANDARD, HostConfig={"AutoRemove": True})
    done = bench.create("trial", "--replace")
    assert done.code == 1 and "--rm" in done.out, done
    assert bench.inspect("trial")["Id"] == other


# ---- others give way


@pytest.fixture
def crowded(making):
    """One of normal priority that may take half of the host, and a profile that wants the most of it."""
    total, _ = available()
    making.settings |= trial("small", memory=f"{total // 2 // MIB}m", priority="normal")
    making.settings |= trial("big", memory=f"{total * 3 // 4 // MIB}m", priority="high", exclusive="on")
    assert making.create("small").code == 0
    yield making
    making.clear()


def test_large_one_is_refused_beside_others_and_evicts_when_told(crowded):
    refused = crowded.create("big")
    assert refused.code == 1 and "--evict stops small" in refused.out, refused
    assert crowded.inspect("small")["State"]["Running"]
    done = crowded.create("big", "--evict")
    assert done.code == 0 and "small stopped" in done.out, done
    assert not crowded.inspect("small")["State"]["Running"] and crowded.inspect("big")["State"]["Running"]
    assert memory.limit(crowded.inspect("big")["Id"]) // 4096 == available()[0] * 3 // 4 // MIB * MIB // 4096


def test_evicted_ones_run_again_if_it_fails(crowded):
    variant(crowded.engine, "ollama/ollama:dies", entrypoint=["/bin/ollama", "no-such-command"])
    done = crowded.create("big", "--evict", "--image", "ollama/ollama:dies")
    assert done.code == 1, done
    assert list(crowded.there()) == ["small"] and crowded.inspect("small")["State"]["Running"]


def test_one_that_is_stopped_evicts_too(crowded):
    assert crowded.create("big", "--evict").code == 0
    crowded.engine.api.call("POST", "/containers/big/stop", query={"t": 1})
    crowded.engine.api.call("POST", "/containers/small/start")
    refused = crowded.create("big")
    assert refused.code == 1 and not crowded.inspect("big")["State"]["Running"], refused
    done = crowded.create("big", "--evict")
    assert done.code == 0 and "small stopped" in done.out, done
    assert not crowded.inspect("small")["State"]["Running"] and crowded.inspect("big")["State"]["Running"]


def test_one_that_is_only_observed_is_never_stopped(crowded):
    crowded.clear()
    total, _ = available()
    labels = {crowded.label: "true", "supervisor.mode": "observe", "supervisor.priority": "low"}
    one = crowded.engine.api.call("POST", "/containers/create", {"Image": STANDARD, "Labels": labels, "HostConfig": {"Memory": total // 2}},
                                  query={"name": "watched"})["Id"]
    try:
        crowded.engine.api.call("POST", f"/containers/{one}/start")
        done = crowded.create("big", "--evict")
        assert done.code == 1 and "is only observed" in done.out, done
        assert crowded.inspect("watched")["State"]["Running"]
    finally:
        crowded.engine.api.remove(one)


def test_two_exclusive_ones_at_once(making):
    """Each would fit alone: the one that looks second sees the other one run."""
    total, _ = available()
    for name in ("one", "two"):
        making.settings |= trial(name, memory=f"{total * 3 // 4 // MIB}m", exclusive="on")
    try:
        for _ in range(3):
            several = [making.started(name) for name in ("one", "two")]
            ends = [(*one.communicate(timeout=60), one.returncode) for one in several]
            assert sorted(code for *_, code in ends) == [0, 1], ends
            assert [c["State"] for c in making.there().values()] == ["running"]
            assert any("it is exclusive" in out for out, *_ in ends), ends
            making.clear()
    finally:
        making.clear()


def test_one_that_another_tool_created_is_not_removed(bench):
    """Compose and Portainer write the profile's labels too, and create before they start."""
    body = {"Image": STANDARD, "Labels": {"supervisor.profile": "trial", "com.docker.compose.project": "x"}}
    one = bench.engine.api.call("POST", "/containers/create", body, query={"name": "trial"})["Id"]
    done = bench.create("trial")
    assert done.code == 0 and "was there, and runs now" in done.out, done
    assert bench.inspect("trial")["Id"] == one


# ---- the command line


@pytest.mark.parametrize("arguments, words", [
    (("create", "nobody"), "there is no profile"), (("create",), "needs PROFILE"),
    (("create-standard", "--memory", "28x"), "--memory"), (("create-standard", "--memory", "1m"), "--memory"),
    (("create-standard", "--port", "70000"), "--port"), (("create-standard", "--port", "here"), "--port"),
    (("create-standard", "--gpu", "some"), "--gpu"), (("create-standard", "--name", "../x"), "--name"),
    (("create-standard", "--volume", "/data"), "--volume"), (("create-standard", "--image", "a b"), "--image"),
    (("create-standard", "--model", "x;y"), "--model"), (("create-standard", "--reserve", "much"), "--reserve"),
    (("create-standard", "--swap", "-1"), "--swap"), (("create-standard", "--pull"), "--model"),
    (("create-standard", "--wait", "--no-wait"), "--no-wait"), (("create-33b", "--pull", "--no-wait"), "--no-wait"),
    (("create-localai", "--pull", "--model", "x"), "LocalAI"), (("create-standard", "--memori", "8g"), "--memory"),
    (("create-standard", "33b"), "takes no"), (("create", "a" * 200), "there is no profile")])
def test_garbage_is_refused_in_one_sentence(bench, arguments, words):
    done = bench.supervisor(*arguments)
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1 and not done.out, done
    assert not bench.there() and not bench.volumes()


def test_help_says_what_becomes_of_a_failure(built):
    done = program.run("create-33b", "--help")
    assert done.code == 0 and "taken away" in done.out and "--replace" in done.out


def test_a_profile_of_ones_own(bench):
    bench.settings |= trial("mine", memory="128m", cpus="0.5", context="2048", keep_alive="30s")
    done = bench.create("mine")
    assert done.code == 0, done
    one = bench.inspect("mine")
    assert one["HostConfig"]["NanoCpus"] == 5 * 10**8 and limit_of(bench, "mine") == 128 * MIB
    assert {"OLLAMA_CONTEXT_LENGTH=2048", "OLLAMA_KEEP_ALIVE=30s"} <= set(one["Config"]["Env"])
    assert profile("mine", memory="128m").items() <= bench.settings.items()
