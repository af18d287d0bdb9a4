"""Fails unless the pipeline given holds every cg pass of the list on standard input, as --list-passes prints it."""

import re
import sys

registered = set(re.findall(r"^\s*--(cg-[\w-]+)\s", sys.stdin.read(), re.M))
missing = registered - set(re.findall(r"cg-[\w-]+", sys.argv[1]))
if not registered or missing:
    sys.exit(f"passes that no large network goes through: {sorted(missing)}")
