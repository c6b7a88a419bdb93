"""Builds the Debian package, with a Python of its own: `python packaging/deb/build.py --output dist`, or `make deb`.

The interpreter that runs this is the one that is packed: the package depends on the C library of the system that it is
built on, and runs on that release and later ones. The same sources, the same interpreter and the same versions of the
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
from layout import HOME, RULES, Places, build, run, settle

HERE = Path(__file__).parent
PLACES = Places(units="lib/systemd/system", zsh="usr/share/zsh/vendor-completions")
CONFFILES = ("etc/shipper/shipper.toml", *(f"etc/shipper/rules.d/{name}" for name in RULES))


def pack(stage: Path, version: str, stamp: int, output: Path) -> Path:
    """Write control files and build the package."""
    control = stage / "DEBIAN"
    control.mkdir()
    shutil.copy(HERE / "copyright", stage / "usr/share/doc/shipper")
    installed = sum(path.lstat().st_size for path in stage.rglob("*") if not path.is_dir()) // 1024
    architecture = run("dpkg", "--print-architecture").strip()
    text = (HERE / "control").read_text()
    filled = {"VERSION": version, "ARCHITECTURE": architecture, "SIZE": str(installed), "DEPENDS": libraries(stage)}
    (control / "control").write_text(re.sub(r"@([A-Z]+)@", lambda found: filled[found[1]], text))
    (control / "conffiles").write_text("".join(f"/{name}\n" for name in CONFFILES))
    for script in ("postinst", "prerm", "postrm"):
        shutil.copy(HERE / script, control)
        (control / script).chmod(0o755)
    settle(stage, stamp)
    package = output / f"shipper_{version}_{architecture}.deb"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(stamp)}
    run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", stage, package, environment=environment)
    return package


def libraries(stage: Path) -> str:
    """Give the packages whose libraries the binaries need, with the versions they need."""
    with tempfile.TemporaryDirectory() as scratch:
        debian = Path(scratch) / "debian"
        debian.mkdir()
        (debian / "control").write_text("Source: shipper\n\nPackage: shipper\nArchitecture: any\n")
        # of a wheel some bring their libraries along, beside them
        own = sorted({str(path.parent) for path in stage.rglob("*.so*")})
        binaries = [stage / HOME / "bin/python3", *sorted(stage.rglob("*.so*"))]
        told = run(
            "dpkg-shlibdeps", "-O", "--ignore-missing-info", "--warnings=0", *(f"-l{each}" for each in own),
            *(f"-e{path}" for path in binaries), directory=Path(scratch),
        )  # fmt: skip
    needed = told.strip().partition("=")[2].split(", ")
    # that one is packed
    return ", ".join(each for each in needed if not each.startswith("libpython3"))


if __name__ == "__main__":
    build(__doc__, PLACES, pack)
