"""Which file systems keep changes to themselves: those of the network and of user space (hazard 2.3).

There inotify accepts a watch and then stays silent about what another host writes, so such directories are polled.
Overlay and bind mounts do tell (measured). Only Linux has the table; without it nothing counts as such.
"""

from __future__ import annotations

import os
from typing import Final

MOUNT_TABLE: Final = "/proc/self/mountinfo"
_SILENT: Final = frozenset(
    {
        "9p", "acfs", "afs", "autofs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse", "fuseblk", "gfs2", "gpfs",
        "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs",
        "vmhgfs",
    }
)  # fmt: skip


def silent_devices(table: str = MOUNT_TABLE) -> dict[int, str]:
    """Give the types of the mounted file systems that do not tell all changes, by device number.

    Args:
        table: the file of mounts, in the form of proc_pid_mountinfo(5); one that is not there has no mounts.
    """
    try:
        with open(table, "rb") as file:
            lines = file.read().decode("utf-8", "surrogateescape").split("\n")
    except OSError:
        return {}
    found: dict[int, str] = {}
    for line in lines:
        mount, _, rest = line.partition(" - ")
        fields, kind = mount.split(" "), rest.split(" ")[0]
        if len(fields) > 2 and is_silent(kind):
            major, _, minor = fields[2].partition(":")
            found[os.makedev(int(major), int(minor))] = kind
    return found


def is_silent(kind: str) -> bool:
    """Tell whether a type of file system, as the mount table names it, keeps changes to itself."""
    return kind in _SILENT or kind.startswith("fuse.")
