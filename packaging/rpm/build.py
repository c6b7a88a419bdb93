"""Builds the RPM package, with a Python of its own: `python packaging/rpm/build.py --output dist`, or `make rpm`.

The interpreter that runs this is the one that is packed: the package asks for the C library of the system that it is
built on, and runs with that version and later ones. The same sources, the same interpreter and the same versions of the
libraries give the same bytes.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

# a script knows the modules of its own directory only
sys.path.insert(0, str(Path(__file__).parent.parent))
from layout import HOME, ROOT, Places, build, run, settle

HERE = Path(__file__).parent
PLACES = Places(units="usr/lib/systemd/system", zsh="usr/share/zsh/site-functions")


def pack(stage: Path, version: str, stamp: int, output: Path) -> Path:
    """Fit what is laid out to RPM, and build the package."""
    (stage / "var/lib/shipper").mkdir(parents=True)
    keys = (ROOT / "packaging/systemd/credentials.env").read_text().splitlines(keepends=True)
    # a key that is set to nothing would hide those that are found elsewhere
    (stage / "etc/shipper/credentials.env").write_text("".join(f"# {line}" for line in keys))
    libraries = sorted(stage.rglob("*.so*"))
    for binary in (stage / HOME / "bin/python3", *libraries):
        # the library has this name on Debian alone; both are links to the same one there
        run("patchelf", "--replace-needed", "libbz2.so.1.0", "libbz2.so.1", binary)
        # rpmbuild looks for what is needed in executable files only
        binary.chmod(0o755)
    settle(stage, stamp)
    with tempfile.TemporaryDirectory(prefix="shipper-rpm-") as scratch:
        given = {"_topdir": scratch, "stage": stage, "shipper_version": version, "packed": packed(libraries)}
        defined = [part for name, value in given.items() for part in ("--define", f"{name} {value}")]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(stamp)}
        run("rpmbuild", "-bb", "--quiet", *defined, HERE / "shipper.spec", environment=environment)
        package = next(Path(scratch, "RPMS").rglob("*.rpm"))
        return Path(shutil.copy(package, output))


def packed(libraries: list[Path]) -> str:
    """Give a pattern of the libraries that are packed, which no host has to bring."""
    names = sorted({run("patchelf", "--print-soname", each).strip() for each in libraries} - {""})
    # in brackets, as a backslash has a meaning of its own for rpmbuild
    return "|".join(re.sub(r"[^\w-]", r"[\g<0>]", name) + "[(]" for name in names)


if __name__ == "__main__":
    build(__doc__, PLACES, pack)
