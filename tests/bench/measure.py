"""Runs a command and tells its wall time, CPU time and peak memory."""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass
class Cost:
    """What one run cost: seconds of wall and CPU time, peak resident bytes."""

    wall: float
    cpu: float
    peak: int


def run(command, env, log):
    """Runs to the end; a failure ends the bench with the command's last words."""
    with open(log, "wb") as out:
        start = time.monotonic()
        child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
    code = os.waitstatus_to_exitcode(status)
    child.returncode = code
    if code != 0:
        with open(log, encoding="utf-8", errors="replace") as text:
            tail = "".join(text.readlines()[-15:])
        sys.exit(f"bench: exit {code} of {' '.join(command)}\n{tail}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def median(costs):
    """The median of each figure on its own."""
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "peak")))
