"""Runs espalier and passes on its standard error: expect.py CODE ARGUMENT...

Fails unless the exit code is CODE. A failure has to say one thing: a line `error: ...`, or a located one, which may be
followed by its source line and notes. Nothing else may come out.
"""
import re
import subprocess
import sys

code, *arguments = sys.argv[1:]
result = subprocess.run(["espalier", *arguments], capture_output=True, text=True)
print(result.stderr, end="")
errors = re.findall(r"^(?:\S.*:\d+:\d+: )?error: ", result.stderr, re.M)
if result.returncode != int(code):
    sys.exit(f"expected exit code {code}, but got {result.returncode}")
if code != "0" and (len(errors) != 1 or result.stdout):
    sys.exit(f"expected one error and no output, but got {len(errors)} errors and: {result.stdout[:200]}")
