"""The guide as a reader follows it: each file is written, and each command is run, in the order of the page."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import BINARY

GUIDE = pathlib.Path(__file__).parents[2] / "docs" / "guide"
PAGES = sorted(page.name for page in GUIDE.glob("*.md") if page.name != "SUMMARY.md")
BLOCK = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    return BLOCK.findall((GUIDE / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_each_file_and_each_command_of_a_page_works(page, tmp_path):
    folders = [pathlib.Path(BINARY).absolute().parent, pathlib.Path(sys.executable).parent, os.environ["PATH"]]
    path = os.pathsep.join(map(str, folders))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CTP10_")}
    environment |= {"PATH": path, "CTP10_LISTEN": "off", "XDG_CONFIG_HOME": str(tmp_path / "none")}
    environment |= {"XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONPATH": str(GUIDE.parents[1] / "python")}
    environment.pop("XDG_RUNTIME_DIR", None)
    for language, option, text in blocks(page):
        if option.startswith("file="):
            (tmp_path / option.removeprefix("file=")).write_text(text, encoding="utf-8")
        if language != "sh" or option == "example":
            continue
        for line in text.splitlines():
            command, _, remark = line.partition("#")
            stated = re.search(r"exit code (\d+)", remark)
            expected = int(stated[1]) if stated else None
            ended = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=120, check=False,
            )
            # A run whose figures cannot be measured says so with a code of its own.
            allowed = [expected] if stated else [0, 4] if "not measured" in remark else [0]
            assert ended.returncode in allowed, f"{page}: {command}\n{ended.stdout}\n{ended.stderr}"
            assert ended.stdout or ended.stderr, f"{page}: {command} prints nothing"


def test_every_page_is_in_the_summary_and_every_link_leads_somewhere():
    summary = (GUIDE / "SUMMARY.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\((\S+\.md)\)", summary)) == PAGES
    for page in [*PAGES, "SUMMARY.md"]:
        text = (GUIDE / page).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
            assert (GUIDE / link).exists(), f"{page}: {link}"


def test_the_messages_of_the_troubleshooting_page_are_messages_of_the_program():
    sources = (pathlib.Path(__file__).parents[2] / "src").rglob("*.rs")
    program = re.sub(r"\\\n\s*", "", "\n".join(source.read_text(encoding="utf-8") for source in sources))
    page = (GUIDE / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(messages) > 10
    for message in messages:
        assert message in program, message
