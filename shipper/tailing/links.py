"""Which symbolic links are followed (spec, section 3 "Links"; hazards 1.10, 10.3).

A link is followed if its directory is owned by root or by the agent's user, or if the target has the link's owner. The
rule holds for links to files, also those named outright, and for links to directories that a wildcard leads to. It does
not hold for the directories of a pattern's fixed part: whoever wrote `/var/log/app/*.log` chose `/var/log/app`, link or
not. `**` follows no link to a directory at all.

What that keeps safe, and what not:

- A link that somebody else puts into their own log directory, to a file that is not theirs, is refused. Both looks, at
  the link and at its target, are at what is there at that moment; the owner compared is that of the very file whose
  identity is then required of the opened descriptor. Exchanging the link between the looks, or before the opening,
  therefore never gives the agent another file than the one that was judged.
- A path that was no link when it was looked at is judged by that look alone, and the same identity is required after
  opening: a link put in its place in between leads to another identity and is closed unread.
- A directory owned by root that all may write to, such as `/tmp`, counts as root's: there a link by anybody is
  followed, as the specification says. Kernels refuse such links by themselves (`fs.protected_symlinks`, on by default
  in the distributions): that is then the reason told.
- A hard link is the file itself; that nobody makes one to a file that is not theirs is the kernel's
  `fs.protected_hardlinks`.
- A person who may write in a directory *above* the files can exchange a whole directory for a link between listing it
  and looking into it. What they reach is what the agent's user may read: run the agent as a user of its own with the
  groups it needs, not as root (hazard 10.1), and let a wildcard begin below what users own.
"""

from __future__ import annotations

import os
from typing import Final

REFUSED: Final = (
    "a link by another user to what is not theirs is not followed; name the target itself in `paths`, "
    "or give link and target one owner"
)


def is_trusted(directory: os.stat_result, link: os.stat_result, target: os.stat_result) -> bool:
    """Tell whether a link is followed.

    Args:
        directory: the status of the directory that holds the link.
        link: the status of the link itself.
        target: the status of what it leads to.
    """
    return directory.st_uid in {0, os.geteuid()} or link.st_uid == target.st_uid
