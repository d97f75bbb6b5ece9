"""A terminal that is closed during a run: the run ends cleanly."""

import json
import os
import pty
import signal

from conftest import BINARY, environment

LIT = """
name: lit
steps:
  - configure_laser: { laser: 1, output: true }
  - wait: 600
finally:
  - log: cleaning up
"""


def test_a_run_ends_cleanly_when_its_terminal_is_closed(tmp_path):
    (tmp_path / "lit.yaml").write_text(LIT)
    arguments = [BINARY, "run", "lit.yaml", "--instrument", "sim", "--sidecar", "off", "--out", "runs"]
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        # Tests that are started with `nohup` ignore this signal, and so would the run.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.execve(BINARY, [str(argument) for argument in arguments], environment(TERM="xterm-256color"))
    said = b""
    while b"wait" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    (folder,) = (tmp_path / "runs").glob("*_lit_*")
    manifest = json.loads((folder / "run.json").read_text())
    assert (manifest["status"], manifest["reason"]) == ("aborted", "stopped by SIGHUP (the terminal was closed)")
    assert "cleaning up" in (folder / "journal.jsonl").read_text().split('"event":"log"')[-1]
    assert (folder / "report.html").exists()
    assert os.waitstatus_to_exitcode(status) == 130
