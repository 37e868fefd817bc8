"""What the Dockerfile makes, without Docker: its steps run in a sandbox with a root like the image's, and so does what they made.

The sandbox is bubblewrap's: a file system of its own that is read-only but for /tmp and /dev/shm, processes of its own, the user
10001 without a capability. It has this machine's C library and Python in the place of the image's, and its network.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "deploy" / "docker"
USER = 10_001
_OF_THE_NETWORK = re.compile(r"(PIP_\w+|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|(https?|no)_proxy)", re.IGNORECASE)
"""Variables by which this machine reaches a package index."""


@dataclass(frozen=True)
class Image:
    """The environment that the image has in /opt/tongdui."""

    directory: Path

    @classmethod
    def built(cls, directory: Path, part: str = "network") -> Image:
        """Runs the steps of the stage `build` on what the Dockerfile copies, and nothing else of the checkout."""
        source, opt = directory / "src", directory / "opt"
        copy_context(source)
        shutil.copytree(ROOT / "pages" / "static" / "dist", source / "pages" / "static" / "dist")  # the stage `pages`
        opt.mkdir()
        network = {name: value for name, value in os.environ.items() if _OF_THE_NETWORK.fullmatch(name)}
        mounts = ["--bind", str(source), "/src", "--bind", str(opt), "/opt", "--ro-bind", "/etc", "/etc"]
        command = sandbox(["/src/deploy/docker/build.sh", "/opt/tongdui", part], network, mounts, user=0)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        directory.chmod(0o755)
        return cls(opt / "tongdui")

    def command(
        self, arguments: Sequence[str], environment: Mapping[str, str], secrets: Mapping[str, Path] = {}
    ) -> list[str]:
        """The command that runs something in the image as its user, with these secrets in /run/secrets."""
        mounts = ["--ro-bind", str(self.directory), "/opt/tongdui"]
        for file in ("resolv.conf", "hosts", "ssl"):
            mounts += ["--ro-bind-try", f"/etc/{file}", f"/etc/{file}"]
        for name, path in secrets.items():
            mounts += ["--ro-bind", str(path), f"/run/secrets/{name}"]
        return sandbox(arguments, environment, mounts, user=USER)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str] = {}, secrets: Mapping[str, Path] = {}
    ) -> subprocess.CompletedProcess[str]:
        """Runs something in the image to its end."""
        command = self.command(arguments, environment, secrets)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def copy_context(to: Path) -> None:
    """Copies what Dockerfile.dockerignore leaves of the checkout."""
    lines = [
        line for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    assert lines[0] == "*"
    left_out = {ROOT / line for line in lines[1:] if line[0] not in "!*"}
    names = {line.removeprefix("**/") for line in lines if line.startswith("**/")}

    def ignored(directory: str, found: list[str]) -> set[str]:
        return {name for name in found if name in names or Path(directory) / name in left_out}

    for line in lines:
        if line.startswith("!"):
            for path in sorted(ROOT.glob(line[1:])):
                target = to / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    shutil.copytree(path, target, ignore=ignored)
                else:
                    shutil.copy2(path, target)


def sandbox(arguments: Sequence[str], environment: Mapping[str, str], mounts: Sequence[str], *, user: int) -> list[str]:
    """The command that runs something in a root file system of its own."""
    root = ["--ro-bind", "/usr", "/usr"]
    directories = ["/etc", "/opt", "/run", "/run/secrets"]
    if sys.base_prefix != "/usr":
        directories += map(str, reversed(Path(sys.base_prefix).parents))
    for directory in directories:  # the sandbox makes what it needs itself for root alone
        root += ["--perms", "0755", "--dir", directory]
    if sys.base_prefix != "/usr":
        root += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    for name in ("bin", "lib", "lib64"):
        root += ["--symlink", f"usr/{name}", f"/{name}"]
    root += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]
    root += ["--perms", "1777", "--tmpfs", "/tmp"]
    own = {"PATH": f"/opt/tongdui/bin:{sys.base_prefix}/bin:/usr/bin:/bin", "HOME": "/tmp", **image_environment()}
    variables = [word for pair in {**environment, **own}.items() for word in ("--setenv", *pair)]
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all", "--no-new-privs"]
    return [
        "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--die-with-parent",
        "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID",
        *root, *mounts, "--remount-ro", "/", "--chdir", "/tmp", "--clearenv", *variables,
        *become, *arguments,
    ]  # fmt: skip


def image_environment() -> dict[str, str]:
    """What the image's ENV says, save what the sandbox has to say itself."""
    (line,) = re.findall(r"^ENV (.*)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    return {name: value for name, value in re.findall(r"(\w+)=(\S+)", line) if name not in ("PATH", "HOME")}
