"""Every architecture file and module under a folder survives print -> parse -> print, and bytecode.

roundtrip.py FOLDER
"""

import pathlib
import subprocess
import sys


def opt(args, data=None):
    run = subprocess.run(["espalier-opt", *args], input=data, capture_output=True)
    if run.returncode != 0:
        sys.exit(f"espalier-opt {' '.join(args)}: exit code {run.returncode}\n{run.stderr.decode()}")
    return run.stdout


# Files in a folder `lib` hold blocks alone: others import them.
files = [path for path in sorted(pathlib.Path(sys.argv[1]).rglob("*"))
         if path.suffix in (".esp", ".mlir") and path.parent.name != "lib"]
for path in files:
    text = opt([str(path), "--mlir-print-debuginfo"])
    for form in (["--emit-bytecode"], ["--mlir-print-debuginfo"]):
        again = opt(["-", "--mlir-print-debuginfo"], opt([str(path), *form]))
        if again != text:
            sys.exit(f"{path}: differs after {form[0]}")
print(f"{len(files)} files")
