"""GPUs in `status`: a library with NVML's names (tests/fake_nvml) and a tree as amdgpu makes it."""

import json
import pathlib
import subprocess
import time

import pytest

import wait
from engine import ROOT
from sizes import GIB

THERMAL_HOLD = 30  # seconds: no setting
DRIVER = """count 2
name0 NVIDIA GeForce RTX 4090
uuid0 GPU-11
total0 25757220864
used0 1073741824
gpu0 42
celsius0 55
milliwatts0 61400
compute0 4242:536870912
name1 NVIDIA T400
total1 2147483648
used1 0
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-fPIC", "-shared", "-DNVML_PROCESSES=2", "-o", path,
                    ROOT / "tests/fake_nvml/nvml.c"], check=True)
    return path


class Gpus:
    def __init__(self, library, where: pathlib.Path):
        self.driver, self.sysfs, self.library = where / "driver", where / "sys", library
        self.sysfs.mkdir()
        self.environment = {"FAKE_NVML": str(self.driver)}

    def settings(self):
        return {"paths__nvml": self.library, "paths__sysfs": self.sysfs}

    def amd(self, **files):
        for name, text in {"vendor": "0x1002\n", "device": "0x744c\n", **files}.items():
            path = self.sysfs / "class/drm/card1/device" / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


@pytest.fixture
def gpus(library, tmp_path):
    return Gpus(library, tmp_path)


def status(bench, gpus, *arguments):
    return bench.supervisor("status", *arguments, env=gpus.environment, **gpus.settings())


def test_status_shows_them(bench, gpus):
    gpus.driver.write_text(DRIVER)
    gpus.amd(mem_info_vram_total=f"{16 * GIB}\n", mem_info_vram_used=f"{4 * GIB}\n", gpu_busy_percent="7\n")
    world = json.loads(status(bench, gpus, "--json").out)
    assert world["gpus"][0] == {
        "index": 0, "vendor": "nvidia", "name": "NVIDIA GeForce RTX 4090", "uuid": "GPU-11", "vram_total": 25757220864,
        "vram_used": GIB, "utilization": 42.0, "celsius": 55, "watts": 61.4,
        "processes": [{"pid": 4242, "vram": GIB // 2}]}
    assert world["gpus"][1] == {
        "index": 1, "vendor": "nvidia", "name": "NVIDIA T400", "vram_total": 2 * GIB, "vram_used": 0}
    assert world["gpus"][2] == {
        "index": 0, "vendor": "amd", "name": "AMD 1002:744c", "vram_total": 16 * GIB, "vram_used": 4 * GIB,
        "utilization": 7.0}
    assert "gpus_missing" not in world
    text = status(bench, gpus)
    assert text.code == 0 and text.err == "", text
    assert max(map(len, text.out.splitlines())) <= 80, text
    words = " ".join(text.out.split())
    assert "GPU 0 NVIDIA GeForce RTX 4090, 1.0 GiB of 24.0 GiB VRAM used, 42 % busy, 55 °C, 61 W" in words, text
    assert "GPU 1 NVIDIA T400, 0 B of 2.0 GiB VRAM used" in words, text
    assert "GPU 0 AMD 1002:744c, 4.0 GiB of 16.0 GiB VRAM used, 7 % busy" in words, text


def test_a_driver_that_cannot_be_asked_is_said(bench, gpus):
    gpus.driver.write_text("init 18\n")
    world = json.loads(status(bench, gpus, "--json").out)
    assert world["gpus"] == [] and "different versions" in world["gpus_missing"]
    text = status(bench, gpus)
    assert text.code == 0 and "different versions" in " ".join(text.out.split()), text


def test_a_machine_without_says_nothing(bench, gpus):
    gpus.library = "/nonexistent/libnvidia-ml.so.1"
    world = json.loads(status(bench, gpus, "--json").out)
    assert world["gpus"] == [] and "gpus_missing" not in world
    assert "GPU" not in status(bench, gpus).out


@pytest.mark.slow
def test_hot_gpu_is_told_and_nothing_is_done(bench, gpus, bystander):
    gpus.driver.write_text(DRIVER.replace("celsius0 55", "celsius0 71"))
    began = time.monotonic()
    daemon = bench.daemon(bystander.one, env=gpus.environment, **gpus.settings())
    raised = daemon.wait("verdict raised", THERMAL_HOLD + 15, verdict="thermal")
    assert raised.at - began >= THERMAL_HOLD and "container" not in raised
    assert raised["remedy"] == "none" and (raised["gpu"], raised["celsius"], raised["alert"]) == ("0", "71", "70")
    gpus.driver.write_text(DRIVER)
    daemon.wait("verdict cleared", 15, verdict="thermal")
    assert len(daemon.find("verdict raised", verdict="thermal")) == 1 and not daemon.find("acting")


def test_the_daemon_follows_them(bench, gpus):
    gpus.driver.write_text(DRIVER)
    daemon = bench.daemon(env=gpus.environment, **gpus.settings())
    daemon.wait("first look", 10)

    def celsius():
        return [g.get("celsius") for g in json.loads(status(bench, gpus, "--json").out).get("gpus", [])]
    wait.until(lambda: celsius() == [55, None], 10, celsius)
    gpus.driver.write_text(DRIVER.replace("celsius0 55", "celsius0 71"))
    wait.until(lambda: celsius() == [71, None], 10, celsius)
    gpus.driver.write_text(DRIVER.replace("count 2", "count 2\nhandle0 15"))
    wait.until(lambda: celsius() == [None], 10, celsius)
    world = json.loads(status(bench, gpus, "--json").out)
    assert world["source"] == "daemon" and "GPU 0" in world["gpus_missing"]
    assert daemon.end()[0] == 0
