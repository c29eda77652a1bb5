"""supervisor create --replace: everything that was mounted, joined, set and published is taken over or named; nothing is lost."""

import io
import os
import subprocess
import tarfile

import pytest

import wait
from engine import Engine
from engine_api import UnixConnection
from making import KEPT, STANDARD, Making, bench, free_port, making, proxied, result, sound, trial, variant

HOME = "/root/.ollama"


@pytest.fixture(params=["installed", pytest.param("sid", marks=pytest.mark.engine("sid"))], scope="module")
def each_engine(request, built):
    engine, one = Engine(request.param), None
    try:
        one = Making(engine.start(), trial(port=0))
        yield one
    finally:
        if one:
            one.close()
        engine.close()


@pytest.fixture
def own(each_engine):
    """A person's container named trial; made by own(body), gone at the end with everything beside it."""
    api = each_engine.engine.api

    def make(networks=(), **body):
        one = api.call("POST", "/containers/create", {"Image": STANDARD, **body}, query={"name": "trial"})["Id"]
        for name, endpoint in networks:
            api.call("POST", f"/networks/{name}/connect", {"Container": one, "EndpointConfig": endpoint})
        api.call("POST", f"/containers/{one}/start")
        return api.inspect(one)
    make.bench = each_engine
    yield make
    for one in each_engine.ids():
        api.remove(one)
    for network in api.call("GET", "/networks"):
        if network["Name"].startswith("own"):
            api.call("DELETE", f"/networks/{network['Id']}")
    each_engine.clear()


def fill(bench, container, path):
    run = bench.engine.api.exec_start(container, ["sim", "fill", path, "4096"])
    wait.until(lambda: not bench.engine.api.exec_state(run)["Running"], 10, f"{path} written")
    assert bench.engine.api.exec_state(run)["ExitCode"] == 0


def has(bench, container, path):
    return bench.engine.api.raw("GET", f"/containers/{container}/archive", query={"path": path})


def mounts(one):
    return {m["Destination"]: (m["Type"], m.get("Name") or m["Source"], m["RW"]) for m in one["Mounts"]}


def test_everything_is_taken_over(own, tmp_path):
    bench, api, port = own.bench, own.bench.engine.api, free_port()
    for name in ("own-a", "own-b"):
        api.call("POST", "/networks/create", {"Name": name})
    old = own(Env=["MINE=1", "OLLAMA_ORIGINS=*", "OLLAMA_NUM_PARALLEL=7"], Volumes={"/anonymous": {}}, Labels={"my.label": "x"},
              ExposedPorts={"9999/tcp": {}},
              NetworkingConfig={"EndpointsConfig": {"own-a": {"Aliases": ["llm", "ollama"]}}},
              networks=[("own-b", {"Aliases": ["second"]})],
              HostConfig={"NetworkMode": "own-a", "Binds": [f"{tmp_path}:/host:ro", f"models:{HOME}"],
                          "Mounts": [{"Type": "volume", "Source": "named", "Target": "/named"}, {"Type": "volume", "Target": "/unnamed"},
                                     {"Type": "tmpfs", "Target": "/scratch"}],
                          "Tmpfs": {"/fast": "size=1m"}, "ExtraHosts": ["there:10.1.2.3"], "CapAdd": ["SYS_NICE"],
                          "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/mine", "CgroupPermissions": "rw"}],
                          "PortBindings": {"9999/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]},
                          "RestartPolicy": {"Name": "always"}})
    for path in (f"{HOME}/kept", "/anonymous/kept", "/unnamed/kept", "/named/kept"):
        fill(bench, "trial", path)
    done = bench.create("trial", "--replace", "--json")
    assert done.code == 0, done
    one = sound(bench, "trial")
    assert one["Id"] != old["Id"] and mounts(one) == mounts(old)
    for path in (f"{HOME}/kept", "/anonymous/kept", "/unnamed/kept", "/named/kept"):
        assert has(bench, "trial", path), path
    host, config = one["HostConfig"], one["Config"]
    assert host["Tmpfs"] == {"/fast": "size=1m"} and host["ExtraHosts"] == ["there:10.1.2.3"]
    assert [c.removeprefix("CAP_") for c in host["CapAdd"]] == ["SYS_NICE"] and [d["PathInContainer"] for d in host["Devices"]] == ["/dev/mine"]
    assert host["PortBindings"]["9999/tcp"] == old["HostConfig"]["PortBindings"]["9999/tcp"]
    assert {"MINE=1", "OLLAMA_ORIGINS=*"} <= set(config["Env"]) and config["Labels"]["my.label"] == "x"
    networks = one["NetworkSettings"]["Networks"]
    assert set(networks) == {"own-a", "own-b"} and {"llm", "ollama"} <= set(networks["own-a"]["Aliases"])
    assert "second" in networks["own-b"]["Aliases"] and old["Id"][:12] not in networks["own-a"]["Aliases"]
    differs = {d["what"]: (d["is"], d["would_be"]) for d in result(done)["differs"]}
    assert differs["OLLAMA_NUM_PARALLEL"] == ("7", "1") and differs["restart policy"] == ("always", "unless-stopped")
    assert differs["limit"] == ("none", "256m")
    kept = bench.inspect("trial" + KEPT)
    assert kept["Id"] == old["Id"] and one["Config"]["Labels"]["supervisor.replaces"] == old["Id"]
    assert one["Config"]["Labels"]["supervisor.replaces.restart"] == "always"


def test_what_differs_is_named_before_anything_happens(own):
    bench = own.bench
    old = own(Cmd=["serve"], User="0", Labels={"com.docker.compose.project": "shop"}, HostConfig={"Binds": [f"models:{HOME}"]})
    done = bench.create("trial", "--replace", "--dry-run")
    assert done.code == 0 and "limit is none, will be 256m" in done.out, done
    assert "com.docker.compose.project is shop, will be unset" in done.out and "user is \"0\", will be the image's" in done.out
    assert bench.inspect("trial")["Id"] == old["Id"] and bench.inspect("trial")["State"]["Running"]


@pytest.mark.parametrize("at, below", [(HOME, ""), ("/root", "/.ollama")])
def test_a_directory_of_the_host(own, tmp_path, at, below):
    bench = own.bench
    (tmp_path / below.lstrip("/")).mkdir(exist_ok=True)
    own(HostConfig={"Binds": [f"{tmp_path}:{at}"]})
    fill(bench, "trial", f"{HOME}/kept")
    done = bench.create("trial", "--replace", "--json")
    assert done.code == 0, done
    one = sound(bench, "trial")
    assert mounts(one) == {at: ("bind", str(tmp_path), True)} and has(bench, "trial", f"{HOME}/kept")
    assert (tmp_path / below.lstrip("/") / "kept").exists() and not bench.volumes()
    assert result(done)["facts"]["disk_path"] == f"{tmp_path}{below}"


def test_what_its_image_declares(own):
    """LocalAI's settings lie in volumes that nobody named."""
    bench = own.bench
    image = variant(bench.engine, "ollama/ollama:declares")
    made = bench.engine.api.call("POST", "/containers/create", {"Image": image})["Id"]
    bench.engine.api.call("POST", "/commit", {"Volumes": {"/configuration": {}}, "Entrypoint": ["/bin/ollama"], "Cmd": ["serve"]},
                          query={"container": made, "repo": "ollama/ollama", "tag": "declares"})
    bench.engine.api.remove(made)
    own(Image=image, HostConfig={"Binds": [f"models:{HOME}"]})
    fill(bench, "trial", "/configuration/api_keys.json")
    done = bench.create("trial", "--replace", "--image", image)
    assert done.code == 0, done
    sound(bench, "trial")
    assert has(bench, "trial", "/configuration/api_keys.json")
    volumes = bench.volumes()
    assert bench.create("trial", "--discard").code == 0
    assert list(bench.there()) == ["trial"] and bench.volumes() == volumes and has(bench, "trial", "/configuration/api_keys.json")


def test_what_lies_in_its_own_layer_refuses_with_the_command_that_saves_it(own):
    bench = own.bench
    old = own()
    fill(bench, "trial", f"{HOME}/models")
    done = bench.create("trial", "--replace", "--json")
    refusal, = [f["text"] for f in result(done)["findings"] if f["severity"] == "refusal"]
    assert done.code == 1 and "own layer" in refusal and f"{HOME}/models" in refusal
    assert bench.inspect("trial")["Id"] == old["Id"] and bench.inspect("trial")["State"]["Running"] and not bench.volumes()
    command = refusal[refusal.index("docker create"):refusal.index("; then")]
    saved = subprocess.run(["bash", "-euo", "pipefail", "-c", command], env=os.environ | {"DOCKER_HOST": bench.engine.url},
                           capture_output=True, text=True, check=False)
    assert saved.returncode == 0, saved
    done = bench.create("trial", "--replace", "--volume", "trial-models")
    assert done.code == 0 and "they stay in it" in done.out, done
    sound(bench, "trial")
    assert has(bench, "trial", f"{HOME}/models") and has(bench, "trial" + KEPT, f"{HOME}/models")
    refused = bench.create("trial", "--discard")
    assert refused.code == 1 and "own layer" in refused.out and bench.inspect("trial" + KEPT)["Id"] == old["Id"], refused


def put(bench, container, path):
    """Writes a file into the container, with the directories above it."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = 4, 0o644
        tar.addfile(entry, io.BytesIO(b"kept"))
    connection = UnixConnection(bench.engine.socket, 30)
    connection.request("PUT", f"/containers/{container}/archive?path=/", data.getvalue(), {"Content-Type": "application/x-tar"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()


@pytest.mark.parametrize("root", ["/my models", "/m;touch $PLACE/ran", "/it's `touch ran`"])
def test_the_printed_command_does_what_it_says_and_no_more(own, root, tmp_path):
    bench = own.bench
    old = own(Env=[f"OLLAMA_MODELS={root}"])
    put(bench, old["Id"], f"{root}/kept")
    done = bench.create("trial", "--replace", "--json")
    refusal, = [f["text"] for f in result(done)["findings"] if f["severity"] == "refusal"]
    command = refusal[refusal.index("docker create"):refusal.index("; then name")]
    saved = subprocess.run(["bash", "-euo", "pipefail", "-c", command], env=os.environ | {"DOCKER_HOST": bench.engine.url, "PLACE": str(tmp_path)},
                           capture_output=True, text=True, check=False, cwd=tmp_path)
    assert saved.returncode == 0 and not os.listdir(tmp_path), saved
    done = bench.create("trial", "--replace", "--volume", "trial-models")
    assert done.code == 0, done
    assert has(bench, "trial", f"{root}/kept") and mounts(bench.inspect("trial"))[root][1] == "trial-models"


def test_a_command_that_is_too_long_is_not_cut(own):
    bench, root = own.bench, "/" + "/".join("'" * 30 for _ in range(6))
    old = own(Env=[f"OLLAMA_MODELS={root}"])
    put(bench, old["Id"], f"{root}/kept")
    done = bench.create("trial", "--replace", "--json")
    refusal, = [f["text"] for f in result(done)["findings"] if f["severity"] == "refusal"]
    assert done.code == 1 and "docker create" not in refusal and refusal.endswith("then name that volume: --volume"), refusal


def test_a_port_that_stays_published_is_not_taken_twice(own):
    bench, port = own.bench, free_port()
    old = own(ExposedPorts={"9999/tcp": {}}, HostConfig={"Binds": [f"models:{HOME}"], "PortBindings": {
        "9999/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}})
    done = bench.create("trial", "--replace", "--port", str(port))
    assert done.code == 1 and "publishes its port 9999/tcp" in done.out and "nothing was changed" in done.out, done
    assert bench.inspect("trial")["State"]["StartedAt"] == old["State"]["StartedAt"]
    assert bench.create("trial", "--replace", "--port", str(free_port())).code == 0


def test_what_else_goes_with_the_discarded_is_named(own):
    bench = own.bench
    old = own(HostConfig={"Binds": [f"models:{HOME}"]})
    put(bench, old["Id"], "/app/data/web.db")
    put(bench, old["Id"], "/tmp/passing")
    done = bench.create("trial", "--replace", "--discard", "--dry-run", "--json")
    warnings = [f["text"] for f in result(done)["findings"] if f["severity"] == "warning"]
    assert done.code == 0 and any("/app" in text and "docker cp" in text for text in warnings), done
    assert not any("/tmp" in text for text in warnings), warnings
    kept = bench.create("trial", "--replace", "--dry-run", "--json")
    assert not any("/app" in f["text"] for f in result(kept)["findings"]), kept


def test_kept_until_a_person_says_so(own):
    bench = own.bench
    old = own(Volumes={"/anonymous": {}}, HostConfig={"Binds": [f"models:{HOME}"], "RestartPolicy": {"Name": "always"}})
    fill(bench, "trial", "/anonymous/kept")
    assert bench.create("trial", "--replace").code == 0
    first = sound(bench, "trial")["Id"]
    told = bench.create("trial")
    assert told.code == 0 and "trial" + KEPT in told.out and "--discard" in told.out, told
    refused = bench.create("trial", "--replace")
    assert refused.code == 1 and "--discard" in refused.out and sound(bench, "trial")["Id"] == first, refused
    bench.engine.stop()
    bench.engine.start()
    wait.until(lambda: bench.inspect("trial")["State"]["Running"], 20, "the new one is back")
    kept = bench.inspect("trial" + KEPT)
    assert kept["Id"] == old["Id"] and not kept["State"]["Running"]
    volumes = bench.volumes()
    done = bench.create("trial", "--replace", "--discard")
    assert done.code == 0 and "its volumes stay" in done.out, done
    assert list(bench.there()) == ["trial"] and bench.volumes() == volumes
    assert sound(bench, "trial")["Id"] != first and has(bench, "trial", "/anonymous/kept")


def test_only_what_is_recorded_is_discarded(own):
    bench = own.bench
    assert bench.create("trial", "--name", "trial" + KEPT).code == 0
    assert bench.create("trial").code == 0
    done = bench.create("trial", "--discard")
    assert done.code == 1 and f"docker rm trial{KEPT}" in done.out, done
    assert bench.inspect("trial" + KEPT)["State"]["Running"]


def test_what_fails_puts_everything_back(own):
    bench = own.bench
    dies = variant(bench.engine, "ollama/ollama:dies", entrypoint=["/bin/ollama", "no-such-command"])
    old = own(HostConfig={"Binds": [f"models:{HOME}"], "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}})
    done = bench.create("trial", "--replace", "--image", dies)
    assert done.code == 1 and "is back and runs" in done.out, done
    there = bench.inspect("trial")
    assert there["Id"] == old["Id"] and there["State"]["Running"]
    assert there["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert bench.ids() == {old["Id"]}


def test_no_wait_leaves_it_to_the_next_run(bench):
    assert bench.create("trial").code == 0
    old = bench.inspect("trial")["Id"]
    done = bench.create("trial", "--replace", "--no-wait")
    assert done.code == 0 and bench.inspect("trial-replaced-by-supervisor")["Id"] == old, done
    done = bench.create("trial")
    assert done.code == 0 and "in the place of" in done.out, done
    sound(bench, "trial")
    assert bench.inspect("trial" + KEPT)["Id"] == old


def test_no_request_removes_a_volume(proxied):
    dies = variant(proxied.engine, "ollama/ollama:dies", entrypoint=["/bin/ollama", "no-such-command"])
    assert proxied.create("trial", "--image", dies).code == 1
    assert proxied.create("trial").code == 0
    assert proxied.create("trial", "--replace", "--image", dies).code == 1
    assert proxied.create("trial", "--replace").code == 0
    assert proxied.create("trial", "--discard").code == 0
    removed = [r.path for r in proxied.proxy.requests if r.method == "DELETE"]
    assert len(removed) == 3 and all("/containers/" in path and "v=" not in path for path in removed), removed


def test_not_stopped_by_us(bench):
    """A daemon that watched it does not tell that what is kept does not run."""
    daemon = bench.daemon()
    made = bench.create("trial")
    assert made.code == 0, made
    daemon.wait("supervising", 15, container="trial")
    made = bench.create("trial", "--replace")
    assert made.code == 0, made
    status = result(bench.supervisor("status", "--json"))
    assert not [line for line in daemon.lines if "unknown label" in line], daemon.text()
    verdicts = [v for c in status["containers"] for v in c.get("verdicts", [])]
    assert "stopped-by-us" not in {v["kind"] for v in verdicts}, f"{verdicts}\n{daemon.text()}"
    daemon.end()
