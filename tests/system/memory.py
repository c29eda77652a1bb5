"""What a container holds, read from its cgroup by the tests themselves, to judge the program's words."""

import contextlib
import ctypes
import functools
import mmap
import os
import pathlib

V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
ROOT = pathlib.Path("/sys/fs/cgroup" if V2 else "/sys/fs/cgroup/memory")


@functools.cache
def directory(container_id):
    """The container's memory cgroup, found by its id; it has the same name after a restart."""
    for path, names, _ in os.walk(ROOT):
        for name in names:
            if container_id in name:
                return pathlib.Path(path, name)
    raise FileNotFoundError(f"no cgroup of {container_id[:12]} under {ROOT}")


def stat(path):
    return {k: int(v) for k, v in (line.split() for line in (path / "memory.stat").read_text().splitlines())}


def held(container_id):
    """anon + shmem + swap, less swapcached on version 2."""
    path = directory(container_id)
    values = stat(path)
    if V2:
        swap = path / "memory.swap.current"
        swapped = int(swap.read_text()) - values.get("swapcached", 0) if swap.exists() else 0
        return values["anon"] + values["shmem"] + swapped
    return values["total_rss"] + values.get("total_shmem", 0) + values.get("total_swap", 0)


def of_processes(container_id):
    """RssAnon + VmSwap of its processes. What is on its way to the swap lies in the swap cache and is mapped by nobody:
    `held` counts such a page neither as anonymous nor, less swapcached, as swapped, while a slow disk writes it."""
    total = 0
    for pid in (directory(container_id) / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
            total += sum(int(status.get(key, "0 kB").split()[0]) * 1024 for key in ("RssAnon", "VmSwap"))
    return total


def born(pid):
    """A process by its pid and its start (ticks since boot): never another one's."""
    return pid, pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def page_cache(container_id):
    values = stat(directory(container_id))
    return values["file"] - values["shmem"] if V2 else values["total_cache"] - values.get("total_shmem", 0)


def limit(container_id):
    path = directory(container_id)
    text = (path / ("memory.max" if V2 else "memory.limit_in_bytes")).read_text().strip()
    return None if text == "max" or int(text) > 1 << 60 else int(text)


MAP_LOCKED = 0x2000


@contextlib.contextmanager
def pinned(path):
    """Keeps a file's pages in memory, charged to whom they are charged now: some kernels evict cold ones."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        pages = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED | MAP_LOCKED, file.fileno(), 0)
    if pages == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), f"{path} cannot be kept in memory")
    try:
        yield
    finally:
        libc.munmap(pages, size)


def hundredth_of_host():
    """Bytes of the machine's memory: what a stop must give back, lest the kill switch relieve nothing."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) * 1024 // 100
