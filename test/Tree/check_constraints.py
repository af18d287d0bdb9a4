"""Every constraint of an op or attribute (C1, C2, ... in its description) has a check that names it and a negative test.

usage: check_constraints.py ROOT (with mlir-tblgen in PATH)

The check of constraint C2 of `cg.slice` carries the comment `slice_c2`; its test is a function or graph whose name
starts with `slice_c2`, in a file that runs with --verify-diagnostics.
"""

import pathlib
import re
import shutil
import subprocess
import sys

def snake_case(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def constraints(root, tblgen, folder):
    """Labels of all ops and attributes of a dialect, from the reference that TableGen makes of its records."""
    records = root / f"dialects/include/espalier/Dialect/{folder}/IR/{folder}Ops.td"
    llvm = pathlib.Path(tblgen).resolve().parent.parent / "include"
    labels = []
    for backend in ["-gen-op-doc", "-gen-attrdef-doc"]:
        command = [tblgen, backend, f"-I{root}/dialects/include", f"-I{llvm}", str(records)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        owner = None
        for line in text.splitlines():
            if heading := re.match(r"### `\w+\.(\w+)`", line):
                owner = heading.group(1)
            elif heading := re.match(r"### (\w+)Attr$", line):
                owner = snake_case(heading.group(1))
            if owner and (label := re.match(r"\s*C(\d+)\. ", line)):
                labels.append(f"{owner}_c{label.group(1)}")
    return labels


def occurrences(files, pattern):
    found = set()
    for file in files:
        found.update(re.findall(pattern, file.read_text()))
    return found


def negative_tests(root, folder):
    """Labels that have a negative test."""
    files = [f for f in (root / f"test/Dialect/{folder}").rglob("*.mlir") if "--verify-diagnostics" in f.read_text()]
    return occurrences(files, r"@(\w+?_c\d+)(?:_\w+)?\b")


def main():
    root, tblgen = pathlib.Path(sys.argv[1]), shutil.which("mlir-tblgen")
    if not tblgen:
        print("mlir-tblgen is not in PATH")
        return 1
    faults = []
    for folder in sorted(path.name for path in (root / "dialects/include/espalier/Dialect").iterdir()):
        labels = constraints(root, tblgen, folder)
        if not labels:
            faults.append(f"{folder}: no constraints found in its records")
        checks = occurrences((root / f"dialects/lib/{folder}").rglob("*.cpp"), r"(?<=[/ ,])\w+_c\d+\b")
        negative = negative_tests(root, folder)
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
