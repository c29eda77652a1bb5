"""Debian roots: commands in them, the package made and installed in them, their systemd booted."""

import fcntl
import os
import pathlib
import shutil
import subprocess

import wait
from engine import CACHE, LAB, ROOT, Engine


def packages_build(suite):
    """What the README's scripts install to build in that Debian; one list for all."""
    done = subprocess.run(["bash", "-c", 'set -euo pipefail; . scripts/lib.sh; packages_build_in "$1"', "bash", suite], cwd=ROOT,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return done.stdout.split()


def root(suite, *packages):
    """The path of a shared root: not to be changed."""
    done = subprocess.run([LAB / "root", suite, *packages], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=os.environ | {"LAB_CACHE": CACHE}, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


def inside(where, command, mounted=None, timeout=120):
    """A shell command in a root, with /proc and an own /tmp, and a directory of the host at /mnt. What it mounts and
    leaves running ends with it."""
    script = """set -e
        mount -t proc proc "$0/proc"
        mount -t tmpfs tmpfs "$0/tmp"
        [ -z "$1" ] || mount --bind "$1" "$0/mnt"
        exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \\
            sh -c "$2" """
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, where,
                           mounted or "", command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False)


def good(done):
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def copy_sources(to):
    shutil.copytree(ROOT, to, symlinks=True, ignore=shutil.ignore_patterns("build", ".git", "__pycache__", ".pytest_cache",
                                                                          "recordings", ".env*"))


class Booted:
    """The systemd of a root, running; `mounts`: directory or socket of the host → path in it, below run/."""

    def __init__(self, where, mounts):
        pairs = [f"{source}:{target}" for source, target in mounts.items()]
        self.process = subprocess.Popen([LAB / "boot", where, *pairs], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.pid = self.process.stdout.readline().strip()
        assert self.pid.isdigit(), f"systemd did not come up: {self.pid}{self.process.communicate()[0]}"
        try:
            wait.until(lambda: self.call("systemctl", "is-active", "multi-user.target").stdout == "active\n", 60,
                       lambda: self.call("systemctl", "list-jobs").stdout)
        except BaseException:
            self.close()
            raise

    def call(self, *command, timeout=30):
        return subprocess.run(["nsenter", "-t", self.pid, "-a", "-r", "-w", *command], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout, check=False)

    def log(self):
        return self.call("journalctl", "-u", "ollama-supervisor", "-o", "cat", "--no-pager").stdout

    def close(self):
        self.process.terminate()
        self.process.communicate(timeout=30)


class EngineAmong(Engine):
    """An engine among the processes of a booted system, so that both see the same ones."""

    def __init__(self):
        super().__init__()
        self.booted = None  # set before it is started

    def _lab(self, *arguments, timeout=60):
        among = ["nsenter", "-t", self.booted.pid, "--pid", "unshare", "--mount", "sh", "-c",
                 'mount -t proc proc /proc && exec "$0" "$@"', LAB / "engine"]
        with open("/tmp/supervisor-lab.lock", "w") as lock:  # as its parent's
            fcntl.flock(lock, fcntl.LOCK_EX)
            return subprocess.run([*among, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  env=os.environ | {"LAB_CACHE": CACHE}, timeout=timeout, check=False)
