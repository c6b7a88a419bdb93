"""The local sink of the benchmarks: the emulator without a quota, in a process of its own. Ends with its stdin."""

from __future__ import annotations

import sys

from shipper.cloudmonitor.emulator.server import Emulator
from shipper.cloudmonitor.emulator.settings import Settings

if __name__ == "__main__":
    with Emulator(Settings(qps=0)) as emulator:
        sys.stdout.write(emulator.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()
