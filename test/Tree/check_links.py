"""Fails on a relative link in a tracked Markdown file whose target does not exist."""
import os
import re
import subprocess
import sys

root = sys.argv[1]
files = subprocess.run(["git", "ls-files", "*.md"], cwd=root, check=True, capture_output=True, text=True).stdout.split()
dead = []
for name in files:
    with open(os.path.join(root, name), encoding="utf-8") as file:
        text = re.sub(r"```.*?```", "", file.read(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path = target.split("#")[0]
        if path and not re.match(r"[a-z]+:", path):
            if not os.path.exists(os.path.join(root, os.path.dirname(name), path)):
                dead.append(f"{name}: {target}")
print("\n".join(dead) or f"{len(files)} files, no dead link")
sys.exit(bool(dead))
