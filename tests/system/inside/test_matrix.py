"""Cells of the fault matrix whose remedies only cgroup v2 has. Runs in the emulated machine (tests/system/guest.py)."""

from matrix import Cell


def test_high_is_written_although_its_daemon_is_killed(engine, built):
    Cell(engine, 0, "high", "deed", "killed").run()


def test_high_waits_for_a_disk_that_is_full(engine, built):
    Cell(engine, 1, "high", "commit", "disk full").run()


def test_reclaim_ends_where_its_daemon_is_killed(engine, built):
    Cell(engine, 2, "reclaim", "deed", "killed").run()
