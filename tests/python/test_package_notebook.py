"""`import ctp10` in a notebook: the example, its output, its bar, and its prompts."""

import os

import jupyter_client
import nbclient
import nbformat
import pytest
from conftest import BINARY, LIMIT_S, ROOT, environment
from package import ASKS, LIT, at_home  # noqa: F401

EXAMPLES = sorted((ROOT / "python/examples").glob("*.ipynb"))


@pytest.fixture
def kernel(monkeypatch):
    """The kernel has the environment of this process."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    wanted = environment(PYTHONPATH=str(ROOT / "python"), CTP10_BIN=os.path.abspath(BINARY))
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)


def executed(notebook):
    """Executes all cells, and gives what each of them shows: texts by MIME type, and streams by name."""
    nbclient.NotebookClient(notebook, timeout=2 * LIMIT_S, kernel_name="python3").execute()
    shown = []
    for cell in notebook.cells:
        texts = {}
        for output in cell.get("outputs", []):
            for kind, text in output.get("data", {}).items():
                texts[kind] = texts.get(kind, "") + str(text)
            if "name" in output:
                texts[output["name"]] = texts.get(output["name"], "") + output["text"]
        shown.append(texts)
    return shown


def cells(*sources):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_from_its_first_to_its_last_cell(kernel, path):
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code"), "clear the outputs"
    shown = executed(notebook)
    everything = "\n".join(text for texts in shown for text in texts.values())
    assert "<progress max='1' value='1.000'></progress>" in everything and "SIMULATED" in everything
    assert any("<svg" in texts.get("image/svg+xml", "") for texts in shown)
    assert "did you mean `sweep`?" in shown[-1]["stdout"]
    assert not any("Traceback" in texts.get("stderr", "") for texts in shown)


def test_a_notebook_that_nobody_watches_is_not_asked(kernel):
    (shown,) = executed(cells(f"import ctp10; ctp10.run({ASKS!r}, instrument='sim')"))
    assert "the fibre is left" in shown["stderr"] and "done" in shown["text/html"]


def test_an_interrupted_cell_aborts_its_run(kernel):
    """What *Interrupt the kernel* does: a signal to the kernel's group of processes."""
    begin = (
        "import ctp10, os, signal, threading\n"
        f"run = ctp10.start({LIT!r}, instrument='sim')\n"
        "def interrupt():\n"
        "    next(event for event in run.events() if 'wait' in event.get('step', {}).get('operation', {}))\n"
        "    os.killpg(os.getpgid(0), signal.SIGINT)\n"
        "threading.Thread(target=interrupt).start()\n"
        "try:\n"
        "    run.wait()\n"
        "except KeyboardInterrupt:\n"
        "    print(run.result().status, run.result().reason)\n"
    )
    (shown,) = executed(cells(begin))
    assert shown["stdout"] == "aborted stopped by Ctrl-C\n"


def test_a_prompt_is_asked_and_answered_in_the_notebook(kernel):
    asked, shown = [], []

    def answer(message):
        asked.append(message["content"]["prompt"])
        client.input("middle" if len(asked) == 1 else "right")

    with jupyter_client.run_kernel(kernel_name="python3") as client:
        reply = client.execute_interactive(
            f"import ctp10; ctp10.run({ASKS!r}, instrument='sim')",
            timeout=2 * LIMIT_S,
            stdin_hook=answer,
            output_hook=lambda message: shown.append(message["content"].get("text", "")),
        )
    assert reply["content"]["status"] == "ok" and asked == ["answer: "] * 2
    assert "? Which fibre? [left / right]" in "".join(shown)
    assert "`middle` is not one of the answers: left, right" in "".join(shown)
    assert "the fibre is right" in "".join(shown)
