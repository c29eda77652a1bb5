"""The Dockerfile: built on a bare Debian, with nothing but an engine, it gives the image that scripts/image makes."""

import json
import os
import re
import shutil
import subprocess

import pytest

import wait
from engine import CACHE, LAB, ROOT
from sizes import MIB

INSTRUCTIONS = ("CMD", "ENTRYPOINT", "ENV", "HEALTHCHECK", "LABEL")
pytestmark = pytest.mark.slow


def run(*command, engine=None, timeout=60, **options):
    more = {"DOCKER_HOST": engine.url, "DOCKER_BUILDKIT": "0"} if engine else {}  # 20.10 has the classic builder
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=timeout, check=False,
                          env=os.environ | {"LAB_CACHE": CACHE} | more, **({"stdin": subprocess.DEVNULL} | options))
    assert done.returncode == 0, f"{command}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def host_suite():
    with open("/etc/os-release") as file:
        return dict(line.rstrip().split("=", 1) for line in file if "=" in line).get("VERSION_CODENAME", "").strip('"')


@pytest.fixture(scope="module")
def images(engine, built):
    """The image of scripts/image and that of the Dockerfile, whose builder begins with the host's own suite, so that
    both have the same libraries. It fetches packages over the host's network: engines that start and stop beside this
    one change the firewall under a bridge."""
    suite, asked = host_suite(), re.search(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.M)[1]
    if not shutil.which("debootstrap") or suite not in ("bookworm", "trixie"):
        pytest.skip("this machine lacks debootstrap, or is no Debian 12 or 13")
    bare = run(LAB / "root", suite, timeout=300).strip()
    base = asked.replace("bookworm", suite)
    with subprocess.Popen(["tar", "-C", bare, "-c", "."], stdout=subprocess.PIPE) as tar:
        run("docker", "import", "-", base, engine=engine, stdin=tar.stdout)
    run(ROOT / "scripts/image", "image:host", engine=engine)
    run("docker", "build", "--network", "host", "-t", "image:docker", *(["--build-arg", f"BASE={base}"] if base != asked else []), ROOT,
        engine=engine, timeout=400)
    return engine


def content(engine, image):
    """Paths with type, mode, owner and target, as a container finds them."""
    made = engine.api.call("POST", "/containers/create", {"Image": image})["Id"]
    try:
        listing = subprocess.run(["tar", "--numeric-owner", "-tvf", "-"], input=engine.api.raw("GET", f"/containers/{made}/export"),
                                 capture_output=True, check=True).stdout.decode()
    finally:
        engine.api.remove(made)
    lines = [line.split(maxsplit=5) for line in listing.splitlines()]
    return {words[5].rstrip("/"): (words[0], words[1]) for words in lines}


def test_both_images_hold_the_same(images):
    ours, theirs = content(images, "image:host"), content(images, "image:docker")
    assert ours == theirs
    assert ours["bin/supervisor"] == ("-rwxr-xr-x", "0/0") and "etc/ssl/certs/ca-certificates.crt" in ours
    assert not [path for path in ours if path.startswith("bin/") and path != "bin/supervisor"], "no shell, nothing else"


def test_both_images_start_the_same(images):
    ours, theirs = (images.api.call("GET", f"/images/{i}/json")["Config"] for i in ("image:host", "image:docker"))
    ours["Labels"].pop("supervisor.content")
    for key in ("Entrypoint", "Cmd", "Env", "Healthcheck", "Labels", "User"):
        assert ours.get(key) == theirs.get(key), key
    assert ours["Labels"]["supervisor.version"] == (ROOT / "VERSION").read_text().strip(), "Dockerfile names another version"
    said = [run("docker", "run", "--rm", image, "version", engine=images) for image in ("image:host", "image:docker")]
    assert said[0] == said[1] and (ROOT / "VERSION").read_text().strip() in said[0]


def test_images_are_small(images):
    for image in ("image:host", "image:docker"):
        assert images.api.call("GET", f"/images/{image}/json")["Size"] <= 40 * MIB


def test_every_instruction_is_one_that_an_import_knows():
    last = (ROOT / "Dockerfile").read_text().split("\nFROM scratch\n")[1].splitlines()
    assert [line.split()[0] for line in last if line][0] == "COPY"
    assert all(line.split()[0] in INSTRUCTIONS and not line.endswith("\\") for line in last[1:] if line)

def test_container_of_the_image_is_healthy(images, tmp_path):
    """The supervisor inside, the probe that the image names run by the engine, nothing of a shell there."""
    body = {"Image": "image:docker", "Healthcheck": {"Interval": 10**9, "Retries": 30}, "HostConfig": {
        "Binds": [f"{images.socket}:/var/run/docker.sock", f"{tmp_path}:/var/lib/supervisor", "/proc:/host/proc:ro",
                  "/sys/fs/cgroup:/host/sys/fs/cgroup:ro"],
        "PidMode": "host", "NetworkMode": "host"},
        "Env": ["SUPERVISOR_PATHS_PROCFS=/host/proc", "SUPERVISOR_PATHS_CGROUPFS=/host/sys/fs/cgroup"]}
    one = images.api.call("POST", "/containers/create", body, query={"name": "healthy"})["Id"]
    try:
        images.api.call("POST", f"/containers/{one}/start")

        def health():
            return images.api.inspect(one)["State"]["Health"]
        wait.until(lambda: health()["Status"] == "healthy", 20, lambda: f"{json.dumps(health())}\n{images.api.logs(one)}")
        assert health()["Log"][-1]["ExitCode"] == 0
    finally:
        images.api.remove(one)
