"""Lays out the root of the container image: `python packaging/container/lay_out.py DIRECTORY`, run by Dockerfile.

It is what the Debian package holds, below the same paths, and the libraries of the system that this needs: nothing
else, so no shell, no package manager and no compiler. What another system would bring, and why it is here, is told at
each part. The interpreter that runs this is the one that is packed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "packaging"))

import layout  # noqa: E402  what the packages hold, too

USER = 10001
ACCOUNTS = {
    # who runs as a number needs no name; `~` and messages do
    "etc/passwd": f"root:x:0:0:root:/root:/nonexistent\nshipper:x:{USER}:{USER}::/var/lib/shipper:/nonexistent\n",
    "etc/group": f"root:x:0:\nshipper:x:{USER}:\n",
    # without it names in /etc/hosts, as `--add-host` writes them, would be asked of the network first
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def main() -> None:
    """Lay it out."""
    stage = Path(sys.argv[1])
    stage.mkdir(parents=True)
    home = stage / layout.HOME
    layout.lay_out_python(home)
    with tempfile.TemporaryDirectory() as scratch:
        layout.install_program(home, Path(scratch))
    layout.lay_out_system_files(stage, layout.Places(units="units", zsh="usr/share/zsh"))
    # there is no systemd, and no upgrade in place
    shutil.rmtree(stage / "units")
    shutil.rmtree(home / "libexec")
    layout.compile_all(home)
    lay_out_libraries(stage)
    lay_out_surroundings(stage)
    version = os.environ.get("VERSION") or "unknown"
    documents = stage / "usr/share/doc/shipper"
    documents.mkdir(parents=True)
    (documents / "sbom.cdx.json").write_text(json.dumps(layout.bill_of_materials(stage, version), indent=2) + "\n")


def lay_out_libraries(stage: Path) -> None:
    """Copy the libraries of the system that the binaries need, and the loader, to where the loader looks for them."""
    needed: set[str] = set()
    for binary in [stage / layout.HOME / "bin/python3", *stage.rglob("*.so"), *stage.rglob("*.so.*")]:
        told = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)  # noqa: S603, S607
        for line in told.stdout.splitlines():
            # `name => path (address)`; the loader itself is told by its path alone
            words = line.split()
            if "not found" in line:
                raise SystemExit(f"{binary}: {line.strip()}")
            needed.update(word for word in words[2:3] or words[:1] if word.startswith("/"))
    for path in sorted(needed):
        # of Python the one beside its interpreter is taken
        if not Path(path).is_relative_to(stage) and not Path(path).name.startswith("libpython3"):
            target = stage / path.removeprefix("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(path), target)


def lay_out_surroundings(stage: Path) -> None:
    """Put what is no program in its place."""
    for name, text in ACCOUNTS.items():
        (stage / name).write_text(text)
    # the C library reads zones from here: with TZ=Asia/Shanghai and no such file it would quietly take UTC
    zones = next((stage / layout.HOME / "lib").glob("python3*/site-packages/tzdata/zoneinfo"))
    (stage / "usr/share/zoneinfo").symlink_to("/" + str(zones.relative_to(stage)))
    (stage / "tmp").mkdir()
    (stage / "tmp").chmod(0o1777)
    (stage / "var/lib").mkdir(parents=True)
    (stage / "var/log").mkdir()


if __name__ == "__main__":
    main()
