"""Every constraint of an op (C1, C2, ... in its description) has a check that names it and a negative test.

usage: check_constraints.py ROOT (with mlir-tblgen in PATH)

The check of constraint C2 of `cg.slice` carries the comment `slice_c2`; its test is a function or graph whose name
starts with `slice_c2`, in a file that runs with --verify-diagnostics.
"""

import pathlib
import re
import shutil
import subprocess
import sys

DIALECTS = {"cg": "CG"}


def constraints(root, tblgen, dialect):
    """Labels of all ops of a dialect, from the reference that TableGen makes of its records."""
    records = root / f"dialects/include/espalier/Dialect/{DIALECTS[dialect]}/IR/{DIALECTS[dialect]}Ops.td"
    llvm = pathlib.Path(tblgen).resolve().parent.parent / "include"
    command = [tblgen, "-gen-op-doc", f"-I{root}/dialects/include", f"-I{llvm}", str(records)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    labels = []
    op = None
    for line in text.splitlines():
        heading = re.match(r"### `" + dialect + r"\.(\w+)`", line)
        if heading:
            op = heading.group(1)
        label = re.match(r"\s*C(\d+)\. ", line)
        if label and op:
            labels.append(f"{op}_c{label.group(1)}")
    return labels


def occurrences(files, pattern):
    found = set()
    for file in files:
        found.update(re.findall(pattern, file.read_text()))
    return found


def main():
    root, tblgen = pathlib.Path(sys.argv[1]), shutil.which("mlir-tblgen")
    if not tblgen:
        print("mlir-tblgen is not in PATH")
        return 1
    faults = []
    for dialect, folder in DIALECTS.items():
        labels = constraints(root, tblgen, dialect)
        if not labels:
            faults.append(f"{dialect}: no constraints found in its records")
        checks = occurrences((root / f"dialects/lib/{folder}").rglob("*.cpp"), r"(?<=[/ ,])\w+_c\d+\b")
        tests = [f for f in (root / f"test/Dialect/{folder}").rglob("*.mlir") if "--verify-diagnostics" in f.read_text()]
        negative = occurrences(tests, r"@(\w+?_c\d+)(?:_\w+)?\b")
        for label in labels:
            if label not in checks:
                faults.append(f"{label}: no check in dialects/lib/{folder} carries its name")
            if label not in negative:
                faults.append(f"{label}: no negative test in test/Dialect/{folder}")
        for label in sorted(checks - set(labels)):
            faults.append(f"{label}: a check names it, but no op has it")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
