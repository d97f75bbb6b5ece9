"""A disk that takes seconds to sync a file. A step may end while its file is being published."""

import json
import shutil
import subprocess

import pytest

from conftest import ctp10

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first sync of a trace waits: the mark is removed by it. */
int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        if (strstr(path, "/traces/") && unlink(getenv("SLOW_ONCE")) == 0) sleep(4);
    }
    return real(fd);
}
"""

RECIPE = """
name: slow
instrument: sim
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1540, stop_nm: 1550, speed_nm_s: 100, power_dbm: 5 }
  - configure_scan: { start_nm: 1540, stop_nm: 1550, resolution_pm: 10 }
  - sweep: {}
  - fetch_trace: { detector: 4/1, traces: [raw], timeout_s: 2RETRY }
"""


@pytest.fixture(scope="module")
def slow_once(tmp_path_factory):
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "shim.so", "shim.c", "-ldl"], cwd=folder, check=True)
    return folder / "shim.so"


def run(folder, shim, retry):
    (folder / "slow.yaml").write_text(RECIPE.replace("RETRY", retry))
    mark = folder / "mark"
    mark.touch()
    done = ctp10(
        "run", "slow.yaml", "--sidecar", "off", "--out", "runs", cwd=folder, LD_PRELOAD=str(shim), SLOW_ONCE=str(mark)
    )
    assert not mark.exists(), f"no trace was synced: {done.stderr}"
    (run,) = (folder / "runs").glob("*_slow_*")
    return done, run


@pytest.mark.parametrize("retry", ["", ", retry: { times: 5, backoff_s: 0.1 }"])
def test_a_trace_whose_step_ends_while_it_is_published_is_in_the_journal(tmp_path, slow_once, retry):
    done, folder = run(tmp_path, slow_once, retry)
    assert (done.returncode == 0) == bool(retry), done.stderr
    files = {f"traces/{file.name}" for file in (folder / "traces").iterdir()}
    listed = set()
    for record in map(json.loads, (folder / "journal.jsonl").read_text().splitlines()):
        if record["event"] == "trace_stored":
            listed.add(record["trace"]["file"])
        elif record["event"] == "trace_withdrawn":
            listed.remove(record["file"])
    assert files == listed
    verified = ctp10("runs", "verify", folder)
    assert verified.returncode == 0 and "extra" not in verified.stdout, verified.stdout
    if retry:
        assert len(files) == 1
