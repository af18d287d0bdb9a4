"""Runs the example in the help of every verb, in the order of the help page, as a user in the root of the tree would.

run_examples.py ROOT    (espalier comes from PATH)

The commands run in a folder that sees ROOT/examples, so that what they write is thrown away, and that later ones may
read what earlier ones wrote.
"""
import os
import re
import subprocess
import sys
import tempfile

root = sys.argv[1]


def help_text(*verb):
    return subprocess.run(["espalier", *verb, "--help"], check=True, capture_output=True, text=True).stdout


verbs = re.findall(r"^  ([a-z]+) ", help_text().split("Subcommands:")[1], re.M)
failed = not verbs
with tempfile.TemporaryDirectory() as folder:
    os.symlink(os.path.join(root, "examples"), os.path.join(folder, "examples"))
    for verb in verbs:
        example = re.search(r"^Example:\n  (.+)", help_text(verb), re.M)
        if not example or not example.group(1).startswith(f"espalier {verb} "):
            print(f"{verb}: its help has no example")
            failed = True
            continue
        result = subprocess.run(["bash", "-c", example.group(1)], cwd=folder, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        if result.returncode:
            print(f"{example.group(1)}: failed with {result.returncode}\n{result.stdout[-4000:]}")
            failed = True
        else:
            print(f"{verb}: ok")
sys.exit(failed)
