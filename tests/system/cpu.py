"""How much CPU time a container may use and has used, read from its cgroup by the tests themselves."""

import functools
import os
import pathlib
import time

import memory

ROOT = pathlib.Path("/sys/fs/cgroup")


@functools.cache
def directory(container_id, controller="cpu"):
    """Where its quota lies; on version 1 in a hierarchy of its own."""
    if memory.V2:
        return memory.directory(container_id)
    relative = memory.directory(container_id).relative_to(memory.ROOT)
    for name in sorted(os.listdir(ROOT)):
        if controller in name.split(",") and (ROOT / name / relative).is_dir():
            return ROOT / name / relative
    raise FileNotFoundError(f"no {controller} cgroup of {container_id[:12]} under {ROOT}")


def quota(container_id):
    """As the kernel writes it: "max 100000", "50000 100000"; "-1 100000" on version 1."""
    path = directory(container_id)
    if memory.V2:
        return (path / "cpu.max").read_text().strip()
    return f"{(path / 'cpu.cfs_quota_us').read_text().strip()} {(path / 'cpu.cfs_period_us').read_text().strip()}"


NONE = "max 100000" if memory.V2 else "-1 100000"


def used_us(container_id):
    if memory.V2:
        lines = (memory.directory(container_id) / "cpu.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec"))
    return int((directory(container_id, "cpuacct") / "cpuacct.usage").read_text()) // 1000


def times_throttled(container_id):
    """In how many periods the kernel held it back."""
    lines = (directory(container_id) / "cpu.stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("nr_throttled"))


def use(container_id, seconds):
    """Cores it used over the next seconds."""
    before, start = used_us(container_id), time.monotonic()
    time.sleep(seconds)
    return (used_us(container_id) - before) / 1e6 / (time.monotonic() - start)
