#!/usr/bin/env python3
"""Brings what cargo does not into the project's cache folder. Python's standard library and pip are enough.

    scripts/setup.py onnxruntime    .cache/onnxruntime/<version>/libonnxruntime.so.<version>, from the PyPI wheel
                                    pinned in scripts/onnxruntime.version
    scripts/setup.py python         .cache/python/bin/python3, a Python that has tests/interop/requirements.txt
    scripts/setup.py peers          .cache/peers/bin/python3, a Python that has benches/requirements.txt

Idempotent, and silent when there is nothing to do. Nothing half done is ever left under a final name. Nothing is
written outside .cache.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
CACHE = PROJECT / ".cache"
PIN = PROJECT / "scripts" / "onnxruntime.version"
REQUIREMENTS = {
    "python": PROJECT / "tests" / "interop" / "requirements.txt",
    "peers": PROJECT / "benches" / "requirements.txt",
}
# What to take out of the wheel, by its place there.
WANTED = ("onnxruntime/capi/libonnxruntime", "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt")


class SetupError(Exception):
    """What went wrong and what to do, in one sentence."""


def main(tasks):
    known = {"onnxruntime": setup_onnxruntime}
    known |= {name: lambda name=name: setup_python(name) for name in REQUIREMENTS}
    unknown = [task for task in tasks if task not in known]
    if unknown or not tasks:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        for task in tasks:
            known[task]()
    except (SetupError, OSError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def setup_onnxruntime():
    own = os.environ.get("ORT_DYLIB_PATH")
    if own:
        if not Path(own).is_file():
            raise SetupError(f"ORT_DYLIB_PATH names {own}, which is no file: correct it, or unset it")
        return
    version, wheels = read_pin(PIN.read_text(encoding="utf-8"))
    final = CACHE / "onnxruntime" / version
    if (final / f"libonnxruntime.so.{version}").is_file():
        return
    this = f"{platform.system().lower()}-{platform.machine().lower()}"
    if this not in wheels:
        raise SetupError(
            f"no ONNX Runtime is pinned for {this}, only for {', '.join(wheels)}:"
            " install ONNX Runtime yourself and set ORT_DYLIB_PATH to its library"
        )
    tag, sha256 = wheels[this]
    print(f"setup: bringing ONNX Runtime {version} into {final.relative_to(PROJECT)}", flush=True)
    with working_folder() as folder:
        pip(
            "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder),
            # The wheel that was pinned, whatever Python runs here.
            "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--platform", tag,
            f"onnxruntime=={version}",
        )  # fmt: skip
        (wheel,) = folder.glob("*.whl")
        check_sha256(wheel, sha256)
        with zipfile.ZipFile(wheel) as archive:
            unpacked = folder / "unpacked"
            unpacked.mkdir()
            for name in archive.namelist():
                if name.startswith(WANTED):
                    (unpacked / Path(name).name).write_bytes(archive.read(name))
        put_in_place(unpacked, final)


def read_pin(text):
    """The version, and for each platform (wheel tag, sha256)."""
    version, wheels = None, {}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) == 2 and words[0] == "version":
            version = words[1]
        elif len(words) == 3:
            wheels[words[0]] = (words[1], words[2])
        elif words:
            raise SetupError(f"{PIN}: cannot read the line {line!r}")
    if version is None:
        raise SetupError(f"{PIN}: no line `version …`")
    return version, wheels


def check_sha256(path, wanted):
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wanted:
        raise SetupError(f"{path.name} has sha256 {found}, pinned is {wanted}: it was thrown away, nothing was installed")


def setup_python(name):
    """A virtual environment; where Python lacks ensurepip (Debian without python3-venv), a folder of packages and a
    starter script in the same place."""
    final, requirements = CACHE / name, REQUIREMENTS[name]
    # The stamp names what is installed and for which Python.
    stamp = f"{sys.version.split()[0]}\n{hashlib.sha256(requirements.read_bytes()).hexdigest()}\n"
    stamp_file = final / "setup.stamp"
    if stamp_file.is_file() and stamp_file.read_text(encoding="utf-8") == stamp:
        return
    print(f"setup: bringing {requirements.relative_to(PROJECT)} into {final.relative_to(PROJECT)}", flush=True)
    shutil.rmtree(final, ignore_errors=True)
    interpreter = final / "bin" / "python3"
    # A virtual environment cannot be moved, so it is made in place; the stamp, written last, says that it is whole.
    made = subprocess.run([sys.executable, "-m", "venv", str(final)], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        pip("install", "--requirement", str(requirements), python=str(interpreter))
    else:
        shutil.rmtree(final, ignore_errors=True)
        packages = final / "packages"
        pip("install", "--target", str(packages), "--requirement", str(requirements))
        interpreter.parent.mkdir(parents=True)
        interpreter.write_text(
            f'#!/bin/sh\nPYTHONPATH="{packages}${{PYTHONPATH:+:$PYTHONPATH}}" exec "{sys.executable}" "$@"\n',
            encoding="utf-8",
        )
        interpreter.chmod(0o755)
    stamp_file.write_text(stamp, encoding="utf-8")


def pip(*arguments, python=sys.executable):
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise SetupError(f"{python} has no pip: install it, on Debian and Ubuntu with `apt-get install python3-pip`")
    raise SetupError(f"`{' '.join(command)}` failed; is the network there?\n{(done.stderr or done.stdout).strip()}")


def working_folder():
    CACHE.mkdir(exist_ok=True)
    return TemporaryFolder(prefix="setup-", dir=CACHE)


class TemporaryFolder(tempfile.TemporaryDirectory):
    def __enter__(self):
        return Path(super().__enter__())


def put_in_place(folder, final):
    """One rename, so that the final name never holds something half done."""
    final.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
