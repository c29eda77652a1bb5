"""Whose memory it is: the list, the server that gave it and the runners below it belong together."""

import time

from bench import HOLD, outlive_grace


def untouched(bench, one, seconds=3 * HOLD):
    """A daemon looks for much longer than its holds, and does nothing about the container."""
    daemon = bench.daemon(one)
    before = one.life()
    time.sleep(seconds)
    assert one.life() == before, daemon.text()
    assert not daemon.find("acting", container=one.name), daemon.text()
    return daemon


def test_a_pull_of_a_newer_one_makes_no_orphan_of_what_is_loaded(bench):
    one = bench.ollama("pulled", env={"OLLAMA_KEEP_ALIVE": "1h"})
    one.load("tiny")
    one.sim("renew", {"model": "tiny"})
    outlive_grace()
    assert not untouched(bench, one).find("verdict raised", container="pulled", verdict="orphan-runner")
