"""The user that the installed agent runs as, and what that user may read."""

from __future__ import annotations

import os
import pwd
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shipper.tailing import access
from shipper.tailing.files import HOST_FILES, LogFile, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "shipper"


def agent_user(name: str = NAME) -> pwd.struct_passwd | None:
    """Give the user of the installed agent; None when there is none, or only root could ask for it."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


@contextmanager
def acting_as(user: pwd.struct_passwd | None) -> Iterator[None]:
    """Do something with the rights of a user and their groups; of one's own for None."""
    if user is None:
        yield
        return
    uid, gid, groups = os.geteuid(), os.getegid(), os.getgroups()
    os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        yield
    finally:
        os.seteuid(uid)
        os.setegid(gid)
        os.setgroups(groups)


def refusal(path: str) -> str | None:
    """Say why a log cannot be read by whoever asks, and what to do; None when it can."""
    try:
        LogFile.open(path).close()
    except UnreadableError as error:
        return access.open_reason(error, path, HOST_FILES)
    return None
