#!/opt/shipper/bin/python3 -I
"""Restarts a running agent after an upgrade, but never into a broken configuration; the packages call it."""

import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path

UNIT = "shipper.service"
CHECK = ("/opt/shipper/bin/shipper", "check", "--config", "/etc/shipper/shipper.toml")


def main() -> None:
    """Check with what is installed now, and restart if it finds no error; else the version before runs on."""
    if systemctl("is-active", "--quiet", UNIT).returncode:
        return
    pid = systemctl("show", "--property", "MainPID", "--value", UNIT).stdout.strip()
    account = pwd.getpwnam("shipper")
    done = subprocess.run(  # noqa: S603  a program that is named here
        CHECK,
        env=environment(pid),
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[each.gr_gid for each in grp.getgrall() if "shipper" in each.gr_mem],
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        systemctl("restart", UNIT)
        return
    sys.stderr.write(done.stdout)
    sys.stderr.write(
        "The agent of the version before runs on. Mend the configuration, then: systemctl restart shipper\n"
    )


def environment(pid: str) -> dict[str, str]:
    """Give the environment of the running agent: a configuration may name keys that are set there only."""
    try:
        held = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    return dict(each.split("=", 1) for each in os.fsdecode(held).split("\0") if "=" in each)


def systemctl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Ask systemd."""
    return subprocess.run(  # noqa: S603  a program that is named here
        ["systemctl", *arguments],  # noqa: S607  its directory differs between distributions
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    main()
