"""Gives every value, graph and parameter of a module in text a name that says nothing: scramble.py IN OUT SEED."""

import random
import re
import sys


def main():
    source, result, seed = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        text = file.read()
    draw = random.Random(int(seed))
    names = {}

    def rename(match):
        prefix, name = match.group(1), match.group(2)
        if (prefix, name) not in names:
            names[prefix, name] = f"{draw.choice('abcxyz')}{draw.getrandbits(40):x}"
        return prefix + names[prefix, name]

    text = re.sub(r'\{cg\.scope = "[^"]*"\}|cg\.scope = "[^"]*", |, cg\.scope = "[^"]*"', "", text)
    text = re.sub(r"([%@])([A-Za-z_0-9]+)", rename, text)
    text = re.sub(r'(cg\.(?:parameter|state) ")([^"]+)', rename, text)
    with open(result, "w", encoding="utf-8") as file:
        file.write(text)


main()
