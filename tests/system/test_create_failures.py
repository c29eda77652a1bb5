"""supervisor create where something stands in the way, fails half-way, or ends it half-way."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

import program
import wait
from engine import ROOT, Engine
from engine_api import EngineError
from making import Making, available, bench, holding, making, result, small_disk, sound, trial, variant
from registry import Registry, Slow
from sizes import GIB, MIB


def refusals(done):
    assert done.code == 1, done
    return {f["about"]: f for f in result(done)["findings"] if f["severity"] == "refusal"}


# ---- refused before anything is made


def test_limit_above_what_the_host_can_give(bench):
    total, _ = available()
    done = bench.create("trial", "--memory", f"{total // MIB}m", "--reserve", "1g", "--json")
    found = refusals(done)
    assert list(found) == ["memory"]
    assert abs(found["memory"]["missing"] - GIB) < 2 * MIB and "--memory" in found["memory"]["text"]
    assert not bench.there() and not bench.volumes()


def warned(bench, limit):
    """The bytes that are short by the plan's warning, 0 without one."""
    done = bench.create("trial", "--memory", f"{limit // MIB}m", "--reserve", "1m", "--dry-run", "--json")
    found = [f for f in result(done)["findings"] if f["about"] == "memory"]
    assert all(f["severity"] == "warning" for f in found), found
    return found[0]["missing"] if found else 0


def test_memory_that_others_hold_now_is_a_warning(bench):
    seen = []
    for _ in range(5):  # others may take and give memory meanwhile
        with holding(2 * GIB):
            limit = available()[1] + GIB
            held = warned(bench, limit)
        seen.append((held, warned(bench, limit)))
        if held > GIB // 2 and held - seen[-1][1] >= GIB // 2:
            return
    pytest.fail(f"short while 2 GiB are held, and after: {seen}")


def test_everything_that_is_wrong_is_said_at_once(bench):
    total, _ = available()
    with listener() as port:
        done = bench.create("trial", "--memory", f"{total // MIB}m", "--port", port, "--gpu", "all", "--json")
    assert set(refusals(done)) == {"memory", "port", "gpu"}


class listener:
    """A port on which somebody listens."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        return self.socket.getsockname()[1]

    def __exit__(self, *_):
        self.socket.close()


def test_port_that_a_program_has(bench):
    with listener() as port:
        done = bench.create("trial", "--port", port)
    assert done.code == 1 and f"port {port} of 127.0.0.1 is taken" in done.out and "is free: --port" in done.out, done
    assert not bench.there() and not bench.volumes()


def test_port_that_a_container_has(bench):
    assert bench.create("trial").code == 0
    port = bench.inspect("trial")["HostConfig"]["PortBindings"]["11434/tcp"][0]["HostPort"]
    done = bench.create("trial", "--name", "second", "--port", f"0.0.0.0:{port}")
    assert done.code == 1 and "taken by the container trial" in done.out, done
    assert list(bench.there()) == ["trial"]


def volume_at(bench, name, directory):
    bench.engine.api.call("POST", "/volumes/create", {"Name": name, "Driver": "local", "DriverOpts": {
        "type": "none", "o": "bind", "device": str(directory)}})


@pytest.fixture
def tight(bench, tmp_path):
    """A volume on a disk of 96 MiB."""
    with small_disk(tmp_path) as mount:
        volume_at(bench, "tight", mount)
        yield mount
        bench.clear()


def test_disk_too_small_for_the_model(bench, tight):
    total, _ = available()
    done = bench.create("trial", "--volume", "tight", "--model", "qwen2.5:0.5b", "--memory", f"{total // 2 // MIB}m", "--pull", "--json")
    found = refusals(done)
    assert list(found) == ["disk"] and str(tight) in found["disk"]["text"]
    assert 100 * MIB < found["disk"]["missing"] < GIB
    assert not bench.there()


def test_pull_that_turns_out_too_large_is_ended(bench, tight):
    """The size is not known before: sim/slow says 1 GiB when it is under way."""
    done = bench.create("trial", "--volume", "tight", "--model", "sim/slow", "--pull")
    assert done.code == 1 and "does not fit" in done.err and str(tight) in done.err, done
    assert not bench.there() and "tight" in bench.volumes()


@pytest.fixture(params=["tmpfs", "ext4"])
def unmounted(bench, tmp_path, request):
    """A volume that the engine mounts while a container uses it: before that its directory is on the engine's disk."""
    options, device = {"type": "tmpfs", "device": "tmpfs", "o": "size=96m"}, None
    if request.param == "ext4":
        with open(tmp_path / "disk", "wb") as file:
            file.truncate(96 * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-F", tmp_path / "disk"], check=True)
        device = subprocess.run(["losetup", "-f", "--show", tmp_path / "disk"], check=True, capture_output=True, text=True).stdout.strip()
        options = {"type": "ext4", "device": device}
    bench.engine.api.call("POST", "/volumes/create", {"Name": "tight", "Driver": "local", "DriverOpts": options})
    try:
        yield
    finally:
        bench.clear()
        if device:
            subprocess.run(["losetup", "-d", device], check=True)


def test_disk_of_a_volume_that_is_not_mounted_yet(bench, unmounted):
    """It is asked of the volume's own mount: before the pull, and by the plan where it runs."""
    total, _ = available()
    arguments = ("trial", "--volume", "tight", "--memory", f"{total // 2 // MIB}m")
    pull = ("--model", "qwen2.5:0.5b", "--pull")
    done = bench.create(*arguments, *pull)
    assert done.code == 1 and "cannot be seen from here" in done.out and "does not fit" in done.err, done
    assert not bench.there()
    assert bench.create(*arguments).code == 0
    found = refusals(bench.create(*arguments, *pull, "--json"))
    assert list(found) == ["disk"] and 100 * MIB < found["disk"]["missing"] < GIB
    assert bench.create(*arguments, *pull, "--replace", "--json").code == 1 and len(bench.there()) == 1


# ---- the cgroups above it


@contextlib.contextmanager
def limited_group(limit):
    """A group with a limit, below which containers may come; gives its path."""
    name = f"lab-limited-{os.getpid()}"
    v1 = pathlib.Path("/sys/fs/cgroup/memory")
    directory = (v1 if v1.is_dir() else v1.parent) / name
    directory.mkdir()
    try:
        (directory / ("memory.limit_in_bytes" if v1.is_dir() else "memory.max")).write_text(str(limit))
        yield f"/{name}"
    finally:
        for one in sorted(pathlib.Path("/sys/fs/cgroup").glob(f"**/{name}"), reverse=True):
            for below, _, _ in os.walk(one, topdown=False):
                os.rmdir(below)


def test_limit_of_the_group_above_counts(bench):
    with limited_group(200 * MIB) as group:
        one = bench.engine.api.call("POST", "/containers/create", {"Image": "ollama/ollama:latest", "HostConfig": {"CgroupParent": group}},
                                    query={"name": "trial"})["Id"]
        try:
            found = refusals(bench.create("trial", "--replace", "--json"))
            assert list(found) == ["memory"] and found["memory"]["missing"] == 56 * MIB and group[1:] in found["memory"]["text"]
            assert "--memory 200m" in found["memory"]["text"]
        finally:
            bench.engine.api.remove(one)


def test_limit_of_the_group_that_the_engine_uses_counts(built):
    with limited_group(200 * MIB) as group:
        engine = Engine(options=["--cgroup-parent", group])
        try:
            own = Making(engine.start(), trial(port=0))
            done = own.create("trial")
            assert done.code == 1 and "a cgroup above" in done.err and "200.0 MiB" in done.err, done
            assert not own.there()
            assert own.create("trial", "--memory", "150m").code == 0
            own.close()
        finally:
            engine.close()


# ---- GPUs


@pytest.fixture(scope="module")
def hook(tmp_path_factory):
    """A PATH with what the engine and supervisor take for NVIDIA's toolkit; the engine looks for it when it starts."""
    path = tmp_path_factory.mktemp("toolkit") / "nvidia-container-runtime-hook"
    path.write_text("#!/bin/sh\ncat >/dev/null\n")
    path.chmod(0o755)
    return {"PATH": f"{path.parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def nvidia(tmp_path_factory):
    """Settings and environment of a host with two cards."""
    where = tmp_path_factory.mktemp("nvml")
    library, driver = where / "libnvidia-ml.so.1", where / "driver"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-fPIC", "-shared", "-DNVML_PROCESSES=2", "-o", library, ROOT / "tests/fake_nvml/nvml.c"], check=True)
    driver.write_text(f"count 1\nname0 NVIDIA RTX\nuuid0 GPU-11\ntotal0 {24 * GIB}\nused0 0\n")
    (where / "sys").mkdir()
    return {"paths__nvml": library, "paths__sysfs": where / "sys"}, {"FAKE_NVML": str(driver)}


def test_no_gpu_runtime(bench, nvidia):
    settings, env = nvidia
    done = bench.create("trial", "--gpu", "all", "--json", env=env, **settings)
    assert "NVIDIA Container Toolkit" in refusals(done)["gpu"]["text"]
    assert not bench.there()


@pytest.mark.parametrize("gpu, request_", [("all", {"Count": -1}), ("0", {"DeviceIDs": ["0"]}), ("GPU-11", {"DeviceIDs": ["GPU-11"]}),
                                           ("auto", {"Count": -1})])
def test_gpus_in_the_request(bench, hook, nvidia, gpu, request_):
    settings, env = nvidia
    done = bench.create("trial", "--gpu", gpu, "--dry-run", "--json", env=env | hook, **settings)
    assert done.code == 0, done
    one, = result(done)["request"]["HostConfig"]["DeviceRequests"]
    assert one == {"Driver": "nvidia", "Capabilities": [["gpu"]], **request_}
    unknown = bench.create("trial", "--gpu", "7", "--dry-run", "--json", env=env | hook, **settings)
    assert "there is no GPU 7" in refusals(unknown)["gpu"]["text"]


def test_engine_that_cannot_hand_out_gpus_after_all(bench, hook, nvidia):
    """It looks for the toolkit when it starts: this one was started before that was there."""
    settings, env = nvidia
    done = bench.create("trial", "--gpu", "all", env=env | hook, **settings)
    assert done.code == 1 and "could not select device driver" in done.err, done
    assert not bench.there() and bench.volumes() == {"trial-models"}


@pytest.mark.parametrize("suite", ["installed", pytest.param("sid", marks=pytest.mark.engine("sid"))])
def test_made_with_gpus(hook, nvidia, suite):
    settings, env = nvidia
    engine, path = Engine(suite), os.environ["PATH"]
    try:
        os.environ |= hook
        try:
            engine.start()
        finally:
            os.environ["PATH"] = path
        own = Making(engine, trial(port=0))
        done = own.create("trial", "--gpu", "all", env=env | hook, **settings)
        assert done.code == 0, done
        one, = sound(own, "trial")["HostConfig"]["DeviceRequests"]
        assert (one["Driver"], one["Count"], one["Capabilities"]) == ("nvidia", -1, [["gpu"]])
        again = own.create("trial", "--gpu", "none", env=env | hook, **settings)
        assert again.code == 0 and "GPUs is all, would be none" in again.out, again
        own.close()
    finally:
        engine.close()


@pytest.fixture
def amd(tmp_path):
    """Settings of a host with two of AMD's cards, whose devices are there: its /proc with another root."""
    for number, render in ((1, 128), (2, 130)):
        device = tmp_path / f"sys/class/drm/card{number}/device"
        (device / f"drm/renderD{render}").mkdir(parents=True)
        for name, text in {"vendor": "0x1002\n", "device": "0x744c\n", "unique_id": f"{number:016x}\n",
                           "mem_info_vram_total": f"{16 * GIB}\n", "mem_info_vram_used": "0\n"}.items():
            (device / name).write_text(text)
        (tmp_path / f"root/dev/dri/renderD{render}").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"root/dev/dri/renderD{render}").touch()
    (tmp_path / "root/dev/kfd").touch()
    (tmp_path / "proc/1").mkdir(parents=True)
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            (tmp_path / "proc" / entry).symlink_to(f"/proc/{entry}")
    (tmp_path / "proc/1/root").symlink_to(tmp_path / "root")
    (tmp_path / "proc/1/net").symlink_to("/proc/1/net")
    return {"paths__sysfs": tmp_path / "sys", "paths__procfs": tmp_path / "proc"}


@pytest.mark.parametrize("gpu, devices, visible", [
    ("all", ["/dev/kfd", "/dev/dri"], None), ("auto", ["/dev/kfd", "/dev/dri"], None),
    ("1", ["/dev/kfd", "/dev/dri/renderD130"], "GPU-0000000000000002"), ("GPU-0000000000000001", ["/dev/kfd", "/dev/dri/renderD128"], "GPU-0000000000000001"),
    ("1,0", ["/dev/kfd", "/dev/dri/renderD128", "/dev/dri/renderD130"], "GPU-0000000000000001,GPU-0000000000000002")])
def test_amd_gets_its_devices_and_image(bench, amd, gpu, devices, visible):
    done = bench.create("trial", "--gpu", gpu, "--dry-run", "--json", **amd)
    assert done.code == 0, done
    request = result(done)["request"]
    assert request["Image"] == "ollama/ollama:rocm" and [d["PathOnHost"] for d in request["HostConfig"]["Devices"]] == devices
    assert [e.split("=")[1] for e in request["Env"] if e.startswith("ROCR_VISIBLE_DEVICES=")] == ([visible] if visible else [])


def test_amd_without_its_devices(bench, amd, tmp_path):
    (tmp_path / "root/dev/kfd").unlink()
    done = bench.create("trial", "--gpu", "all", "--dry-run", "--json", **amd)
    assert list(refusals(done)) == ["gpu"]


def test_amd_that_there_is_not(bench, amd):
    done = bench.create("trial", "--gpu", "2", "--dry-run", "--json", **amd)
    assert "there is no GPU 2" in refusals(done)["gpu"]["text"]


# ---- images


@pytest.fixture(scope="module")
def registry():
    one = Registry()
    try:
        yield one.start()
    finally:
        one.close()


def test_image_is_pulled(bench, registry):
    name = registry.publish(bench.engine, "ollama/ollama", "fetched", extra_bytes=8 * MIB)
    done = bench.create("trial", "--image", name)
    assert done.code == 0 and f"image {name} pulled" in done.out, done
    sound(bench, "trial")
    bench.clear()
    bench.engine.api.call("DELETE", f"/images/{name}")
    with Slow(registry, 4 * MIB) as slow:
        code, text = program.run_on_terminal(*bench.options(), "create", "trial", "--image", slow.name(name))
    assert code == 0 and "pulled in" in text
    sound(bench, "trial")


def test_image_that_is_nowhere(bench, registry):
    done = bench.create("trial", "--image", f"{registry.address}/no/such:tag")
    assert done.code == 1 and "no/such" in done.err, done
    assert not bench.there() and not bench.volumes()


def test_interrupted_while_the_image_is_pulled(bench, registry):
    name = registry.publish(bench.engine, "ollama/ollama", "large", extra_bytes=48 * MIB)
    with Slow(registry, MIB) as slow:
        child = bench.started("trial", "--image", slow.name(name))
        line = child.stderr.readline()  # a line of progress
        assert "of" in line and "ollama" in line, line
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
    assert child.returncode == 130 and "interrupted" in err, out + err
    assert not bench.there() and not bench.volumes()


# ---- models


@pytest.fixture(scope="module")
def quick_pull(making):
    return variant(making.engine, "ollama/ollama:quick-pull", env=["SIMOLLAMA_PULL_MS=1500"])


def test_model_is_pulled(bench, quick_pull):
    done = bench.create("trial", "--image", quick_pull, "--model", "sim/slow", "--pull")
    assert done.code == 0 and "model sim/slow pulled" in done.out, done
    sound(bench, "trial")


def test_model_that_there_is_not(bench):
    done = bench.create("trial", "--model", "no-such", "--pull")
    assert done.code == 1 and "no-such" in done.err, done
    assert not bench.there() and bench.volumes() == {"trial-models"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_while_the_model_is_pulled(bench, number):
    child = bench.started("trial", "--model", "sim/slow", "--pull", "--port", "0")
    wait.until(lambda: "trial" in bench.there() and pulling(bench), 20, "the pull is under way")
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 128 + number and "taken away again" in out, out + err
    assert not bench.there() and bench.volumes() == {"trial-models"}


def pulling(bench):
    """By the container's own count of what it was asked. The engine lists one a moment before it can be inspected."""
    try:
        address = next(iter(bench.inspect("trial")["NetworkSettings"]["Networks"].values()))["IPAddress"]
        with urllib.request.urlopen(f"http://{address}:11435/sim/state", timeout=2) as answer:
            return json.load(answer)["requests"]["POST /api/pull"]
    except (OSError, EngineError):
        return False


def test_volume_keeps_what_was_downloaded(bench):
    """An interrupted pull leaves its blobs; the next one goes on from there."""
    child = bench.started("trial", "--model", "sim/slow", "--pull", "--port", "0")
    wait.until(lambda: "trial" in bench.there() and pulling(bench), 20, "the pull is under way")
    blobs = pathlib.Path(bench.engine.api.call("GET", "/volumes/trial-models")["Mountpoint"], "models/blobs")
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / "sha256-51a0-partial").write_bytes(bytes(4096))
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130 and "stays" in out, out + err
    assert not bench.there() and bench.volumes() == {"trial-models"}


# ---- fails half-way


def test_one_that_dies_is_taken_away(bench):
    variant(bench.engine, "ollama/ollama:dies", entrypoint=["/bin/ollama", "no-such-command"])
    done = bench.create("trial", "--image", "ollama/ollama:dies")
    assert done.code == 1 and "instead of answering" in done.err and "last words" in done.err, done
    assert not bench.there() and bench.volumes() == {"trial-models"}


def test_one_that_cannot_start_is_taken_away(bench):
    variant(bench.engine, "ollama/ollama:nothing", entrypoint=["/no/such/program"])
    done = bench.create("trial", "--image", "ollama/ollama:nothing")
    assert done.code == 1 and "/no/such/program" in done.err, done
    assert not bench.there() and bench.volumes() == {"trial-models"}


def test_interrupted_while_it_does_not_answer(bench):
    variant(bench.engine, "ollama/ollama:silent", env=["SIMOLLAMA_REFUSE=1"])
    child = bench.started("trial", "--image", "ollama/ollama:silent")
    wait.until(lambda: bench.there().get("trial", {}).get("State") == "running", 20, "it runs")
    time.sleep(0.5)
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 143 and "interrupted" in err, out + err
    assert not bench.there() and bench.volumes() == {"trial-models"}


def test_engine_that_is_not_there(bench):
    done = program.run("--host", "unix:///tmp/no-such.sock", "--state", bench.state, "create-standard")
    assert done.code == 3 and "cannot reach the Docker Engine" in done.err, done
