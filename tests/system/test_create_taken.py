"""supervisor create --replace: the places of models, settings, ports and companions that a person's container may have."""

import contextlib
import os
import socket
import subprocess

import pytest

import wait
from making import STANDARD, answers, free_port, result, sound
from test_create_replace import HOME, each_engine, fill, has, mounts, own  # pylint: disable=unused-import


def refusals(done):
    return [f["text"] for f in result(done)["findings"] if f["severity"] == "refusal"]


@pytest.mark.parametrize("env, at", [("HOME=/data", "/data/.ollama"), ("OLLAMA_MODELS=/weights", "/weights")])
def test_models_that_lie_elsewhere_are_saved_and_used(own, tmp_path, env, at):
    bench = own.bench
    old = own(Env=[env])
    host = os.environ | {"DOCKER_HOST": bench.engine.url}
    (tmp_path / at[1:] / "blobs").mkdir(parents=True)
    (tmp_path / at[1:] / "blobs/sha256-1").write_text("weights")
    subprocess.run(["docker", "cp", f"{tmp_path}/{at[1:].split('/')[0]}", "trial:/"], env=host, check=True)
    done = bench.create("trial", "--replace", "--discard", "--json")
    refusal, = refusals(done)
    assert done.code == 1 and f"own layer below {at}," in refusal and bench.inspect("trial")["Id"] == old["Id"], done
    refusal, = refusals(bench.create("trial", "--replace", "--json"))
    command = refusal[refusal.index("docker create"):refusal.index("; then")]
    saved = subprocess.run(["bash", "-euo", "pipefail", "-c", command], env=host, capture_output=True, text=True, check=False)
    assert saved.returncode == 0, saved
    done = bench.create("trial", "--replace", "--volume", "trial-models")
    assert done.code == 0, done
    one = sound(bench, "trial")
    assert mounts(one)[at] == ("volume", "trial-models", True) and env in one["Config"]["Env"]
    assert has(bench, "trial", f"{at}/blobs/sha256-1")


def test_home_of_another_user(own, tmp_path):
    """Whose home the image alone knows."""
    bench = own.bench
    own(User="1000:1000", HostConfig={"Binds": [f"models:{HOME}"]})
    (tmp_path / "home/me/.ollama/models").mkdir(parents=True)
    subprocess.run(["docker", "cp", f"{tmp_path}/home", "trial:/"], env=os.environ | {"DOCKER_HOST": bench.engine.url}, check=True)
    refusal, = refusals(bench.create("trial", "--replace", "--discard", "--json"))
    assert "own layer below /home/me/.ollama," in refusal


def test_the_volume_is_mounted_as_it_was(own, tmp_path):
    """And later runs do not tell it as another."""
    bench, api = own.bench, own.bench.engine.api
    ways = [{"Binds": [f"models:{HOME}/:ro,nocopy"]}]
    if tuple(map(int, api.call("GET", "/version")["ApiVersion"].split("."))) >= (1, 45):
        ways.append({"Mounts": [{"Type": "volume", "Source": "shared", "Target": HOME, "VolumeOptions": {"Subpath": "mine"}}]})
        api.call("POST", "/containers/create", {"Image": STANDARD, "HostConfig": {"Binds": ["shared:/shared"]}}, query={"name": "maker"})
        api.call("POST", "/containers/maker/start")
        subprocess.run(["docker", "cp", f"{tmp_path}", "maker:/shared/mine"],
                       env=os.environ | {"DOCKER_HOST": bench.engine.url}, check=True)
        api.remove("maker")
    for way in ways:
        old = own(HostConfig=way)
        done = bench.create("trial", "--replace", "--json")
        assert done.code == 0, done
        one = sound(bench, "trial")
        assert mounts(one) == mounts(old)
        is_now = [m.get("VolumeOptions") for m in one["HostConfig"].get("Mounts") or []]
        assert is_now == [m.get("VolumeOptions") for m in way.get("Mounts", [])] and len(mounts(one)) > 0, one["HostConfig"]
        again = result(bench.create("trial", "--json"))
        assert again["differs"] == [], again["differs"]
        assert bench.create("trial", "--discard").code == 0
        api.remove("trial")


def test_what_was_set_stays_or_is_named(own):
    bench = own.bench
    host = {"Binds": [f"models:{HOME}"], "PidsLimit": 77, "CpuShares": 512, "CpuQuota": 150000, "CpuPeriod": 100000, "ReadonlyRootfs": True,
            "Init": False, "OomScoreAdj": 10, "MaskedPaths": [], "ReadonlyPaths": ["/proc/sys"], "CgroupnsMode": "host"}
    config = {"Hostname": "llm-host", "Domainname": "d.example", "WorkingDir": "/tmp", "StopTimeout": 120, "StopSignal": "SIGINT",
              "Healthcheck": {"Test": ["NONE"]}, "Tty": True}
    api = bench.engine.api
    api.call("POST", "/networks/create", {"Name": "own-n", "IPAM": {"Config": [{"Subnet": "10.77.1.0/24"}]}})
    mac = {} if tuple(map(int, api.call("GET", "/version")["ApiVersion"].split("."))) < (1, 44) else {"MacAddress": "02:42:0a:4d:07:63"}
    own(**config, HostConfig={**host, "NetworkMode": "own-n", "PublishAllPorts": True, "MemoryReservation": 64 << 20},
        NetworkingConfig={"EndpointsConfig": {"own-n": mac}})
    named = {d["what"]: (d["is"], d["would_be"]) for d in result(bench.create("trial", "--replace", "--dry-run", "--json"))["differs"]}
    assert named["PublishAllPorts"] == ("true", "unset") and named["MemoryReservation"] == (str(64 << 20), "unset")
    assert "CpuQuota" not in named and named["restart policy"] == ("no", "unless-stopped")
    done = bench.create("trial", "--replace")
    assert done.code == 0, done
    one = sound(bench, "trial")
    assert {k: one["HostConfig"][k] for k in host} == host and {k: one["Config"][k] for k in config} == config
    assert mac.items() <= one["NetworkSettings"]["Networks"]["own-n"].items()
    cpus = bench.create("trial", "--replace", "--discard", "--json", **{'profile "trial".cpus': "1"})
    named = {d["what"]: d["would_be"] for d in result(cpus)["differs"]}
    assert cpus.code == 0 and named["CpuQuota"] == named["CpuPeriod"] == "unset", cpus


def test_the_port_that_is_published_is_the_one_that_it_listens_on(own):
    bench, port, was = own.bench, free_port(), free_port()
    own(Env=["OLLAMA_HOST=0.0.0.0:8080"], ExposedPorts={"8080/tcp": {}},
        HostConfig={"Binds": [f"models:{HOME}"], "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(was)}]}})
    done = bench.create("trial", "--replace", "--port", port)
    assert done.code == 0 and f"http://127.0.0.1:{port}" in done.out, done
    assert list(bench.inspect("trial")["HostConfig"]["PortBindings"]) == ["8080/tcp"]
    wait.until(lambda: answers(port), 10, f"it answers at {port}")


def test_ports_of_another_network_or_address(own):
    bench, port = own.bench, free_port()
    binding = [{"HostIp": "127.0.0.2", "HostPort": str(port)}]
    own(HostConfig={"Binds": [f"models:{HOME}"], "PortBindings": {"11434/tcp": binding}})
    with contextlib.closing(socket.create_server(("127.0.0.1", port))):
        refusal, = refusals(bench.create("trial", "--replace", "--port", port, "--dry-run", "--json"))
        assert f"port {port} of 127.0.0.1 is taken by another program" in refusal
    bench.engine.api.remove("trial")
    own(Env=[f"OLLAMA_HOST=127.0.0.1:{port}"], HostConfig={"Binds": [f"models:{HOME}"], "NetworkMode": "host"})
    wait.until(lambda: answers(port), 10, "the old one listens there")
    done = bench.create("trial", "--replace", "--port", port)
    assert done.code == 0 and f"port {port} is not published" in done.out, done
    assert bench.inspect("trial")["HostConfig"]["NetworkMode"] == "host" and answers(port)
