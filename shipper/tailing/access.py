"""Why the system refuses a path to the agent's user: which component, its mode, and what to do (hazard 10.1)."""

from __future__ import annotations

import errno
import functools
import grp
import os
import pwd
import shlex
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shipper.tailing.files import Files, UnreadableError

_READ: Final = 4
_ENTER: Final = 1
_GROUPS_OF_LOGS: Final = ("adm", "systemd-journal")


def reason(error: OSError, path: str, files: Files) -> str:
    """Say for people why a path could not be looked at, listed or opened.

    Args:
        error: what the system answered.
        path: what was asked for.
        files: the file system.
    """
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"permission denied: {_refusal(path, files)}"
    if error.errno == errno.ELOOP:
        return "its symbolic links form a loop, or there are too many of them; make the link lead to a file"
    if error.errno == errno.ENAMETOOLONG:
        return "the path is longer than the system allows"
    return error.strerror or str(error)


def open_reason(error: UnreadableError, path: str, files: Files) -> str:
    """Say for people why a file could not be opened; see `reason`."""
    return str(error) if error.number is None else reason(OSError(error.number, str(error)), path, files)


def _refusal(path: str, files: Files) -> str:
    for above in _directories_above(path):
        try:
            status = files.status(above)
        except OSError:
            return f"{above} cannot be looked at by this user"
        if not _allows(status, _ENTER):
            return f"the directory {above} ({_described(status)}) may not be entered; {_remedy(above, status, 'x')}"
    try:
        status = files.status(path)
    except OSError:
        return "one of its links leads where this user may not go, or the kernel refuses it (fs.protected_symlinks)"
    if not _allows(status, _READ):
        noun, rights = ("directory", "rx") if stat.S_ISDIR(status.st_mode) else ("file", "r")
        return f"the {noun} ({_described(status)}) may not be read; {_remedy(path, status, rights)}"
    return (
        f"its mode ({_described(status)}) allows it, so an ACL, SELinux, AppArmor or the service's sandbox refuses; "
        "see `getfacl`, the audit log and the unit's settings"
    )


def _directories_above(path: str) -> list[str]:
    above, found = os.path.dirname(path), []
    while above not in {"", "/"}:
        found.append(above)
        above = os.path.dirname(above)
    return ["/", *reversed(found)]


def _allows(status: os.stat_result, right: int) -> bool:
    """Tell what the mode grants the agent's user; the first of owner, group and others that applies decides."""
    if status.st_uid == os.geteuid():
        return bool(status.st_mode >> 6 & right)
    if status.st_gid in {os.getegid(), *os.getgroups()}:
        return bool(status.st_mode >> 3 & right)
    return bool(status.st_mode & right)


def _described(status: os.stat_result) -> str:
    owner, group = _user_name(status.st_uid), _group_name(status.st_gid)
    return f"mode {stat.S_IMODE(status.st_mode):04o}, owner {owner}, group {group}"


def _remedy(path: str, status: os.stat_result, rights: str) -> str:
    user, group = _user_name(os.geteuid()), _group_name(status.st_gid)
    acl = f"`setfacl -m u:{user}:{rights} {shlex.quote(path)}`"
    right = _READ if "r" in rights else _ENTER
    if group in _GROUPS_OF_LOGS and status.st_mode >> 3 & right:
        return f"add the agent's user to its group, `usermod -aG {group} {user}`, and restart the agent, or {acl}"
    return f"allow it with {acl}"


@functools.lru_cache(256)
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@functools.lru_cache(256)
def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
