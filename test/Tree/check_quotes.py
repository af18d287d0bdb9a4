"""Compares the quotes in Markdown pages with the files they are from.

check_quotes.py ROOT PAGE...

A quote is a code block right after a line `From [name](path):`. Its lines occur in the file as they are, in order and
without gaps but where the quote has a line `...`.
"""
import os
import re
import sys

root, *pages = sys.argv[1:]
quotes, wrong = 0, []
for page in pages:
    with open(os.path.join(root, page), encoding="utf-8") as file:
        text = file.read()
    for target, _, quote in re.findall(r"^From \[[^]]+\]\(([^)]+)\):\n(`{3,})\S*\n(.*?)\n\2$", text, re.M | re.S):
        quotes += 1
        with open(os.path.normpath(os.path.join(root, os.path.dirname(page), target)), encoding="utf-8") as file:
            source = file.read()
        place = 0
        for part in re.split(r"^\.\.\.\n", quote, flags=re.M):
            part = part.rstrip("\n") + "\n"
            found = source.find(part, place)
            if found < 0:
                wrong.append(f"{page}: this is not in {target}, or not in this order:\n{part}")
                break
            place = found + len(part)
print("\n".join(wrong) or f"{quotes} quotes")
sys.exit(bool(wrong) or not quotes)
