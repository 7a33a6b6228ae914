"""Chromium for the browser tests: the machine's own, or Debian's through apt where that is allowed."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = (
    "The browser tests need Chromium: sudo apt install chromium"
    " (Ubuntu: sudo snap install chromium, macOS: brew install --cask chromium)"
)


def find() -> str | None:
    """The program's path; None when there is none."""
    return next(filter(None, (shutil.which(name) for name in (*NAMES, *MACOS))), None)


def find_or_install() -> str:
    """The program's path, after asking apt for it if need be. Exits with one sentence when it cannot be had."""
    return find() or _install() or sys.exit(MISSING)


def _install() -> str | None:
    if not shutil.which("apt-get") or not _may_install():
        return None
    print("Installing Chromium …", flush=True)
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        subprocess.run([*rights, "apt-get", *command], env=quiet, stdout=subprocess.DEVNULL, check=False)
    return find()


def _may_install() -> bool:
    if os.geteuid() == 0:
        return True
    return bool(shutil.which("sudo")) and subprocess.run(["sudo", "-n", "true"], check=False).returncode == 0
