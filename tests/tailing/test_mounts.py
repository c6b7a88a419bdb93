"""Which file systems tell of changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shipper.tailing.mounts import is_silent, silent_devices

TABLE = r"""24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
31 24 0:27 / /mnt/with\040space\040-\040dash rw,nosuid shared:5 master:2 - nfs4 server:/export rw,vers=4.2
32 24 0:28 / /mnt/s3 rw - fuse.s3fs s3fs rw
33 24 0:29 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
34 24 0:30 / /tmp rw - tmpfs tmpfs rw
35 24 0:31 /sub /mnt/c rw - 9p drvfs rw
garbage
"""


def test_network_and_user_space_file_systems_are_silent(tmp_path: Path) -> None:
    """They are known by the device number that a look at any of their files gives (hazard 2.3)."""
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)

    assert silent_devices(str(table)) == {
        os.makedev(0, 27): "nfs4",
        os.makedev(0, 28): "fuse.s3fs",
        os.makedev(0, 31): "9p",
    }


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "afs", "ceph", "gfs2", "lustre"])
def test_silent_types(kind: str) -> None:
    """What another host may write to is polled (hazard 2.3)."""
    assert is_silent(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "f2fs", "fusectl"])
def test_local_types(kind: str) -> None:
    """What only this host writes to is heard; overlay and bind mounts, too (measured)."""
    assert not is_silent(kind)


def test_this_host(tmp_path: Path) -> None:
    """The real table can be read, and the disk of the tests is in no list; without a table nothing is."""
    assert tmp_path.stat().st_dev not in silent_devices()
    assert silent_devices(str(tmp_path / "missing")) == {}
