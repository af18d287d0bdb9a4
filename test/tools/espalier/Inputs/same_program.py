"""Compares two artifacts: their kernels, dispatch rows, places and code, not where in the source they come from.

  same_program.py FIRST.espx SECOND.espx

Exits with 1, and names the first difference, where the programs are not the same.
"""

import json
import struct
import sys

HEADER = struct.Struct("<8sIIQQ")  # magic, version, checksum, bytes of the table, bytes of the object


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    _, _, _, table_size, object_size = HEADER.unpack_from(data)
    table = json.loads(data[HEADER.size : HEADER.size + table_size])
    start = data.index(b"\x7fELF", HEADER.size + table_size)
    code = data[start : start + object_size]
    if len(code) != object_size:
        sys.exit(f"{path} is cut off")
    # How training would start belongs to no forward pass.
    del table["metadata"]["initializers"]
    for program in table["programs"]:
        for row in program["rows"]:
            del row["location"], row["scope"]
    return table, code


def find_difference(first, second, path=""):
    if type(first) is not type(second):
        return f"{path}: {first} and {second}"
    if isinstance(first, dict):
        first, second = sorted(first.items()), sorted(second.items())
    if isinstance(first, (list, tuple)):
        if len(first) != len(second):
            return f"{path}: {len(first)} and {len(second)} entries"
        differences = (find_difference(a, b, f"{path}/{i}") for i, (a, b) in enumerate(zip(first, second)))
        return next((difference for difference in differences if difference), None)
    return None if first == second else f"{path}: {first} and {second}"


(first, first_code), (second, second_code) = read(sys.argv[1]), read(sys.argv[2])
difference = find_difference(first, second)
if difference:
    sys.exit(f"the programs differ at {difference}")
if first_code != second_code:
    sys.exit("the code differs")
rows = sum(len(program["rows"]) for program in first["programs"])
print(f"the same {len(first['kernels'])} kernels, {rows} rows and {len(first_code)} bytes of code")
