"""What the packages hold, whatever their format: a Python of its own, the program, its configuration and documents.

The scripts beside it, `deb/build.py` and `rpm/build.py`, pack what is laid out here.
"""

from __future__ import annotations

import argparse
import compileall
import gzip
import hashlib
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = "opt/shipper"
LEFT_OUT = (
    "__pycache__", "config-*", "site-packages", "test", "tests", "_test*", "_ctypes_test*", "_xxtestfuzz*",
    "xxlimited*", "*.a", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "tkinter", "_tkinter*",
    "turtledemo", "turtle.py", "curses", "_curses*", "readline.*", "nis.*", "_dbm*", "_gdbm*", "_crypt.*", "_uuid.*",
    "ossaudiodev*", "spwd.*",
)  # fmt: skip
RULES = ("linux-kernel.toml", "sshd.toml", "systemd.toml")
"""Rule files that are in force from the start."""
SCRIPT = "#!/opt/shipper/bin/python3 -I\nimport sys\n\nfrom shipper.__main__ import main\n\nsys.exit(main())\n"


@dataclass(frozen=True)
class Places:
    """Where the families of distributions look for the same thing in different directories."""

    units: str
    zsh: str


Pack = Callable[[Path, str, int, Path], Path]
"""Makes a package of a directory, for a version, as of a time, in an output directory."""


def build(about: str | None, places: Places, pack: Pack) -> None:
    """Build, and say what came of it."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="directory for the package (default: dist)")
    parser.add_argument("--version", default=None, help="instead of the project's own, for tests of upgrades")
    options = parser.parse_args()
    stamp = int(os.environ.get("SOURCE_DATE_EPOCH") or _last_change())
    version = options.version or _project_version()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shipper-package-") as scratch:
        stage = Path(scratch) / "root"
        stage.mkdir()
        lay_out_python(stage / HOME)
        install_program(stage / HOME, Path(scratch))
        lay_out_system_files(stage, places)
        write_documents(stage, places, version, stamp)
        compile_all(stage / HOME)
        package = pack(stage, version, stamp, options.output)
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    sys.stdout.write(f"{package} ({package.stat().st_size / 1e6:.1f} MB, sha256 {digest})\n")


def lay_out_python(home: Path) -> None:
    """Copy the interpreter and the parts of its library that an agent can need."""
    base, name = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    # the interpreter knows whether it is lib or, as the families of RPM build it, lib64
    lib = sys.platlibdir
    library = home / lib / name
    shutil.copytree(base / lib / name, library, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    (library / "site-packages").mkdir()
    (home / "bin").mkdir()
    shutil.copy2(base / "bin" / name, home / "bin" / "python3")
    for shared in sorted((base / lib).glob("libpython3*.so*")):
        if not shared.is_symlink():
            shutil.copy2(shared, home / lib)
    for binary in [home / "bin" / "python3", *library.rglob("*.so"), *(home / lib).glob("*.so*")]:
        # what looks for libraries where it was built would load them from whoever has that directory on a host
        run("patchelf", "--remove-rpath", binary)
        run("strip", "--strip-unneeded", binary)
    # the library of the interpreter lies beside it, and $ORIGIN needs /proc
    run("patchelf", "--set-rpath", f"$ORIGIN/../{lib}:/{HOME}/{lib}", home / "bin" / "python3")


def install_program(home: Path, scratch: Path) -> None:
    """Install the project and what it needs."""
    packages = next((home / sys.platlibdir).glob("python3*/site-packages"))
    wheels = scratch / "wheels"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", wheels, ROOT)
    run(*pip, "install", "--no-compile", "--target", packages, *sorted(wheels.glob("*.whl")))
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for about in packages.glob("*.dist-info"):
        # where and when it was installed from is of this machine, not of the package
        for name in ("direct_url.json", "REQUESTED", "INSTALLER", "RECORD"):
            (about / name).unlink(missing_ok=True)
    script, restart = home / "bin" / "shipper", home / "libexec" / "restart"
    script.write_text(SCRIPT)
    restart.parent.mkdir()
    shutil.copy(ROOT / "packaging/systemd/restart.py", restart)
    for program in (script, restart):
        program.chmod(0o755)


def lay_out_system_files(stage: Path, places: Places) -> None:
    """Put everything outside of `/opt` in its place."""
    for directory in ("etc/shipper/rules.d", "usr/share/shipper/rules", "usr/bin", places.units):
        (stage / directory).mkdir(parents=True)
    shutil.copy(ROOT / "packaging/systemd/shipper.toml", stage / "etc/shipper/shipper.toml")
    for rules in sorted((ROOT / "rules").glob("*.toml")):
        shutil.copy(rules, stage / "usr/share/shipper/rules")
        if rules.name in RULES:
            shutil.copy(rules, stage / "etc/shipper/rules.d")
    shutil.copy(ROOT / "packaging/systemd/shipper.service", stage / places.units)
    (stage / "usr/bin/shipper").symlink_to(f"/{HOME}/bin/shipper")
    for extra in ("prometheus/alerts.yml", "grafana/shipper.json"):
        (stage / "usr/share/shipper" / extra).parent.mkdir()
        shutil.copy(ROOT / "packaging" / extra, stage / "usr/share/shipper" / extra)


def write_documents(stage: Path, places: Places, version: str, stamp: int) -> None:
    """Write the manual, the completions, the documentation and the list of what is packed (CycloneDX)."""
    python = (stage / HOME / "bin" / "python3", "-B", "-I")
    completions = {
        "bash": "usr/share/bash-completion/completions/shipper",
        "zsh": f"{places.zsh}/_shipper",
        "fish": "usr/share/fish/vendor_completions.d/shipper.fish",
    }
    for shell, place in completions.items():
        (stage / place).parent.mkdir(parents=True)
        # bash is asked for its version, which does not matter for what is written
        environment = {**os.environ, "_SHIPPER_COMPLETE": f"{shell}_source"}
        (stage / place).write_text(run(*python, "-c", _COMPLETE, environment=environment))
    manual = stage / "usr/share/man/man1/shipper.1.gz"
    manual.parent.mkdir(parents=True)
    date = time.strftime("%Y-%m-%d", time.gmtime(stamp))
    text = run(*python, ROOT / "packaging/manual.py", "--version", version, "--date", date)
    manual.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    documents = stage / "usr/share/doc/shipper"
    documents.mkdir(parents=True)
    (documents / "changelog.gz").write_bytes(gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), 9, mtime=0))
    (documents / "sbom.cdx.json").write_text(json.dumps(bill_of_materials(stage, version), indent=2) + "\n")
    for page in documentation():
        (documents / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / page, documents / page)


def documentation() -> list[Path]:
    """Give the pages and their pictures; on a host they lie as they do here, so their links lead somewhere."""
    found = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("docs/**/*.png"),
        *ROOT.glob("packaging/*/*.md"),
    ]
    return sorted(page.relative_to(ROOT) for page in found if page.name != "CHANGELOG.md")


_COMPLETE = "import sys; sys.argv[0] = 'shipper'; from shipper.cli.app import shipper; shipper(prog_name='shipper')"


def bill_of_materials(stage: Path, version: str) -> dict[str, object]:
    """Tell what is packed, in CycloneDX."""
    found = [PathDistribution(about) for about in sorted(stage.glob(f"{HOME}/lib*/python3*/site-packages/*.dist-info"))]
    components = [
        {
            "type": "library",
            "name": each.metadata["Name"],
            "version": each.version,
            "purl": f"pkg:pypi/{each.metadata['Name'].lower().replace('_', '-')}@{each.version}",
        }
        for each in found
    ]
    python = ".".join(map(str, sys.version_info[:3]))
    components.append(
        {"type": "application", "name": "CPython", "version": python, "purl": f"pkg:generic/cpython@{python}"}
    )
    about = {"component": {"type": "application", "name": "cloudmonitor-shipper", "version": version}}
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": about, "components": components}


def compile_all(home: Path) -> None:
    """Compile everything, so that nothing has to be written where the program may not write."""
    checked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    all_of_it = compileall.compile_dir(
        home / sys.platlibdir,
        stripdir=str(home.parent.parent),
        prependdir="/",
        quiet=2,
        invalidation_mode=checked,
        workers=0,
    )
    if not all_of_it:
        # some files of the library are no Python of this version, and never imported
        sys.stderr.write("some files could not be compiled\n")


def settle(stage: Path, stamp: int) -> None:
    """Give everything the mode that it has on a host, and one time, whenever Python was installed here."""
    for path in (stage, *sorted(stage.rglob("*"))):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        os.utime(path, (stamp, stamp), follow_symlinks=False)


def _project_version() -> str:
    found = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("pyproject.toml names no version")
    return found[1]


def _last_change() -> str:
    return run("git", "-C", ROOT, "log", "-1", "--format=%ct").strip()


def run(*command: object, environment: dict[str, str] | None = None, directory: Path | None = None) -> str:
    """Give what a program prints, or end with what it complains of."""
    done = subprocess.run(  # noqa: S603  programs that are named here
        [str(part) for part in command], env=environment, cwd=directory, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
