"""Runs a Dockerfile where no container engine does: each stage is a directory, each RUN a chroot into it.

It knows the instructions that ours has, and no more; one that it does not know fails the test. What only an engine
does is not tested by it: layers, their caches, pushing and pulling.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHROOT = """
set -e
mount -t proc proc "$0/proc"
[ ! -d "$0/dev/shm" ] || mount -t tmpfs tmpfs "$0/dev/shm"
exec chroot "$0" /bin/sh -c "$1"
"""


@dataclass
class Image:
    """A stage: its files, and what they are started with."""

    root: Path
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    volumes: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def build(
    dockerfile: Path, context: Path, bases: Mapping[str, Path], scratch: Path, arguments: Mapping[str, str]
) -> Image:
    """Run all of it; gives the last stage.

    Args:
        dockerfile: the file; what it leaves out of its context is said by `.dockerignore` behind its name.
        context: the directory that is copied from.
        bases: for the image that a FROM names, a root that may be used up.
        scratch: a directory for the roots of stages made from nothing.
        arguments: as `--build-arg` gives them.
    """
    stages: dict[str, Image] = {}
    globals_: dict[str, str] = {}
    image: Image | None = None
    ignored = dockerfile.with_name(dockerfile.name + ".dockerignore").read_text()
    for instruction, rest in instructions(dockerfile.read_text()):
        known = globals_ if image is None else {**image.arguments, **image.environment}
        if instruction == "RUN":
            assert image is not None
            _run(image, rest)
            continue
        text = _expand(rest, known)
        words = shlex.split(text) if not text.startswith("[") else []
        if instruction == "ARG":
            name, _, default = text.partition("=")
            (globals_ if image is None else image.arguments)[name] = arguments.get(name, default)
        elif instruction == "FROM":
            root = scratch / f"stage{len(stages)}" if words[0] == "scratch" else bases[words[0]]
            root.mkdir(exist_ok=True)
            image = stages[words[2] if words[1:2] == ["AS"] else str(len(stages))] = Image(root)
        else:
            assert image is not None
            match instruction:
                case "COPY":
                    options = dict(word[2:].split("=") for word in words if word.startswith("--"))
                    source, target = (word for word in words if not word.startswith("--"))
                    origin = stages[options["from"]].root if "from" in options else _context(context, ignored, scratch)
                    _copy(origin / source.strip("/"), image.root / target.strip("/"), options.get("chown", "0:0"))
                case "ENV":
                    image.environment |= dict(word.split("=", 1) for word in words)
                case "LABEL":
                    image.labels |= dict(word.split("=", 1) for word in words)
                case "USER":
                    image.user = text
                case "VOLUME":
                    image.volumes.append(text)
                case "ENTRYPOINT":
                    image.entrypoint = json.loads(text)
                case "CMD":
                    image.command = json.loads(text)
                case "HEALTHCHECK":
                    image.health = json.loads(text[text.index("CMD ") + 4 :])
                case _:
                    raise AssertionError(f"{instruction} is not known here")
    assert image is not None
    return image


def instructions(text: str) -> list[tuple[str, str]]:
    """Give them, with what stands behind each."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in joined.splitlines()]


def _expand(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: known[found[1]], text)


def _run(image: Image, command: str) -> None:
    # the settings of pip are those of this host: where packages come from, and whom to trust
    settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **image.arguments, **settings}
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", CHROOT, image.root, command],
        env=environment | image.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"RUN {command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def _copy(source: Path, target: Path, owner: str) -> None:
    """Copy what lies in a directory, with modes and links; everything gets the owner."""
    before = set(target.rglob("*")) if target.exists() else set()
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    user, group = map(int, owner.split(":"))
    for path in target.rglob("*"):
        if path not in before:
            os.chown(path, user, group, follow_symlinks=False)


def _context(context: Path, ignored: str, scratch: Path) -> Path:
    """Give what of the context is not ignored: the last pattern that fits decides."""
    patterns = [line for line in ignored.splitlines() if line and not line.startswith("#")]

    def left_out(directory: str, names: list[str]) -> list[str]:
        inside = Path(directory).relative_to(context)
        return [name for name in names if _is_ignored(inside / name, patterns)]

    target = scratch / "context"
    shutil.copytree(context, target, ignore=left_out, symlinks=True)
    return target


def _is_ignored(path: Path, patterns: list[str]) -> bool:
    verdict = False
    for pattern in patterns:
        if _covers(pattern.removeprefix("!"), path):
            verdict = not pattern.startswith("!")
    return verdict


def _covers(pattern: str, path: Path) -> bool:
    """Tell whether a pattern fits a path, or a directory above it; a star stays within a name."""
    above = [path, *path.parents[:-1]]
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(each.name, pattern[3:]) for each in above)
    depth = pattern.count("/") + 1
    return any(len(each.parts) == depth and fnmatch.fnmatchcase(each.as_posix(), pattern) for each in above)
