"""Writes the licences of everything that the program contains, as Markdown on stdout. The optional argument is the system that
the program is built for, as a target triple of Rust.

`cargo about` knows the crates. What crates and this repository contain besides Rust is listed here by hand."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The name, what it is for, its licence, and the file with its text: in this repository, or in a crate.
BY_HAND = [
    ("SQLite", "the catalogue of runs", "public domain", None),
    ("zstd", "compression of traces", "BSD-3-Clause", ("zstd-sys", "zstd/LICENSE")),
    ("parts of BoringSSL in ring", "TLS", "Apache-2.0, ISC", ("ring", "LICENSE-BoringSSL")),
    ("plotly.js", "curves of the dashboard", "MIT", "src/sidecar/dashboard/vendor/LICENSE-plotly"),
    ("DejaVu Sans (a part of its characters)", "text in pictures", "Bitstream Vera", "src/picture/DejaVuSans-subset.LICENSE"),
    ("Swagger UI", "the page of the API", "Apache-2.0, with parts under MIT and BSD-3-Clause", "src/sidecar/dashboard/vendor/LICENSE-swagger-ui"),
]


def command(*words):
    return subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def folders():
    """The folder of each crate, by its name."""
    packages = json.loads(command("cargo", "metadata", "--format-version", "1", "--locked", "--offline"))["packages"]
    return {package["name"]: pathlib.Path(package["manifest_path"]).parent for package in packages}


def main():
    crates = folders()
    print("# What ctp10 contains besides Rust crates\n")
    for name, purpose, licence, text in BY_HAND:
        print(f"## {name}\n\nFor {purpose}. Licence: {licence}.\n")
        if text is not None:
            path = ROOT / text if isinstance(text, str) else crates[text[0]] / text[1]
            print(f"```text\n{path.read_text(encoding='utf-8').rstrip()}\n```\n")
    sys.stdout.flush()
    about = ["cargo", "about", "generate", "--offline", "--locked", "--fail", "--config", "packaging/about.toml"]
    about += ["--features", "store,fleet"]
    for target in sys.argv[1:]:
        about += ["--target", target]
    print(command(*about, "packaging/licences.hbs"))


main()
