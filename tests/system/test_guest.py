"""Cgroup v2 with swap and pressure figures, on a stock Debian kernel: tests/system/inside, in the emulated machine."""

import pytest

import guest


@pytest.mark.guest
@pytest.mark.slow
@pytest.mark.parametrize("name", guest.names())
def test_inside(emulated, name):
    results = emulated.wait()
    assert name in results, f"{name} did not run; the machine ended with {emulated.process.returncode}:\n{emulated.text[-6000:]}"
    outcome, text = results[name]
    assert outcome == "passed", f"{name} {outcome} in the emulated machine:\n{text}"
