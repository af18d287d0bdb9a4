"""Runs the commands of Markdown pages, each ```sh block in order, in a folder that sees the examples of the tree.

run_commands.py ROOT PAGE...    (pages are named from ROOT; the programs come from PATH)

A command that fails ends the page.
"""
import os
import re
import subprocess
import sys
import tempfile

root, *pages = sys.argv[1:]
failed = False
for page in pages:
    with open(os.path.join(root, page), encoding="utf-8") as file:
        blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.M | re.S)
    if not blocks:
        print(f"{page}: has no commands")
        failed = True
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.join(root, "examples"), os.path.join(folder, "examples"))
        result = subprocess.run(["bash", "-e", "-o", "pipefail", "-x", "-c", "".join(blocks)], cwd=folder, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        print(f"{page}: a command failed with {result.returncode}\n{result.stdout[-4000:]}")
        failed = True
sys.exit(failed)
