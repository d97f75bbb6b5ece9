"""The packages of `packaging/dist`: each is installed on its own and measures. Only where CTP10_TEST_THOROUGH is set and
`packaging/build` has been run."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from conftest import ROOT, environment

DIST = ROOT / "packaging" / "dist"
LARGEST_WHEEL = 20_000_000
# Their terms must come with what contains them.
OTHER_LIBRARIES = ["SQLite", "zstd", "ring", "plotly.js", "Swagger UI"]
# Crates of the parts that a build from source leaves out.
CRATES_OF_FEATURES = ["async-nats", "object_store"]

pytestmark = [
    pytest.mark.skipif("CTP10_TEST_THOROUGH" not in os.environ, reason="only in thorough mode"),
    pytest.mark.skipif(not DIST.is_dir(), reason="packaging/build has not been run"),
]


def the_only(pattern):
    (found,) = DIST.glob(pattern)
    return found


def said_by(*command, cwd=None, **variables):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def measures(*command, cwd):
    """Runs a shipped recipe on the simulator with an installed program."""
    shutil.copy(ROOT / "recipes" / "quickstart.yaml", cwd)
    said = said_by(*command, "run", "quickstart.yaml", "--instrument", "sim", cwd=cwd)
    assert "SIMULATED" in said
    assert list(pathlib.Path(cwd).glob("runs/*/traces/*.parquet")), said


def test_the_checksums_are_those_of_the_packages():
    sums = dict(reversed(line.split()) for line in (DIST / "SHA256SUMS").read_text().splitlines())
    assert len(sums) == 3
    for name, expected in sums.items():
        assert hashlib.sha256((DIST / name).read_bytes()).hexdigest() == expected, name


def test_the_wheel_is_installed_into_a_fresh_environment_without_a_network(tmp_path):
    wheel = the_only("*.whl")
    assert wheel.stat().st_size <= LARGEST_WHEEL
    assert "manylinux_2_17_x86_64" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ["THIRD-PARTY.md", "LICENSE-MIT", "LICENSE-APACHE", "ctp10/py.typed"]:
        assert any(name.endswith(wanted) for name in names), wanted
    venv = tmp_path / "venv"
    said_by(sys.executable, "-m", "venv", venv)
    said_by(venv / "bin" / "pip", "install", "--no-index", wheel)
    measures(venv / "bin" / "ctp10", cwd=tmp_path)
    # The program is found beside the interpreter, because the environment is not activated.
    script = "import ctp10; print(len(ctp10.run('quickstart.yaml', instrument='sim').traces))"
    said = said_by(venv / "bin" / "python", "-c", script, cwd=tmp_path, PATH="/usr/bin:/bin")
    assert int(said.split()[-1]) > 0


def test_the_archive_has_the_program_its_manual_and_the_terms_of_its_parts(tmp_path):
    with tarfile.open(the_only("*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    measures(folder / "ctp10", cwd=tmp_path)
    assert (folder / "man" / "ctp10-run.1").read_text().startswith(".ie")
    for shell in ["bash", "zsh", "fish"]:
        assert (folder / "completions" / f"ctp10.{shell}").stat().st_size > 0
    terms = (folder / "THIRD-PARTY.md").read_text()
    assert [name for name in [*OTHER_LIBRARIES, *CRATES_OF_FEATURES, "ratatui"] if name not in terms] == []
    for recipe in [*folder.glob("recipes/*.yaml"), *folder.glob("scripts/*.rhai")]:
        said_by(folder / "ctp10", "check", "--strict", recipe, cwd=folder)


def test_the_program_of_the_archive_has_the_store_and_the_fleet(tmp_path):
    with tarfile.open(the_only("*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    (program,) = tmp_path.glob("*/ctp10")
    uses_store_and_fleet(program, tmp_path)


def uses_store_and_fleet(program, folder):
    store = folder / "store"
    store.mkdir()
    shutil.copy(ROOT / "recipes" / "quickstart.yaml", folder)
    said = said_by(program, "run", "quickstart.yaml", "--sidecar", "off", cwd=folder, CTP10_STORE=f"file://{store}")
    assert list(store.glob("index/*/*.parquet")), said
    # Nobody listens on port 1, so only a program that has the fleet tries to reach a broker.
    words = [str(program), "fleet", "status", "--fleet", "nats://127.0.0.1:1"]
    asked = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False, timeout=60)
    assert "the broker at nats://127.0.0.1:1 cannot be reached" in asked.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("debootstrap"), reason="needs root and debootstrap")
def test_the_debian_package_is_installed_in_a_system_of_its_own_with_its_service(tmp_path):
    system = tmp_path / "system"
    mirror = os.environ.get("CTP10_TEST_DEBIAN_MIRROR", "http://deb.debian.org/debian")
    said_by("debootstrap", "--variant=minbase", "--include=adduser,systemd", "bookworm", system, mirror)
    shutil.copy(the_only("*.deb"), system / "ctp10.deb")
    within = ["chroot", system]
    said_by(*within, "dpkg", "--install", "/ctp10.deb")
    (system / "work").mkdir()
    shutil.copy(ROOT / "recipes" / "quickstart.yaml", system / "work")
    said = said_by(*within, "sh", "-c", "cd /work && ctp10 run quickstart.yaml --instrument sim", HOME="/root")
    assert "SIMULATED" in said and list(system.glob("work/runs/*/traces/*.parquet")), said
    said_by(*within, "systemd-analyze", "verify", "ctp10.service")
    # The package creates the user of the service, and neither enables nor starts the service.
    assert "ctp10" in said_by(*within, "getent", "passwd", "ctp10")
    assert not list(system.glob("etc/systemd/system/*.wants/ctp10.service"))
    for wanted in ["man/man1/ctp10.1.gz", "bash-completion/completions/ctp10", "doc/ctp10/THIRD-PARTY.md"]:
        assert (system / "usr" / "share" / wanted).exists() or (system / "usr/share" / f"{wanted}.gz").exists(), wanted
    said_by(*within, "dpkg", "--purge", "ctp10")
    assert not (system / "usr" / "bin" / "ctp10").exists()
