"""Prints a graph that nobody writes by hand: large_graph.py {chain|fan-in|adds} COUNT."""

import sys

kind, count = sys.argv[1], int(sys.argv[2])
row = "tensor<?x4xf32>"
print(f'cg.graph @large(%x: {row} {{cg.name = "x", cg.dims = ["N", "4"]}}) -> {row} {{')
if kind == "chain":
    print(f"  %v0 = cg.relu %x : {row}")
    for i in range(1, count):
        print(f'  %v{i} = cg.relu %v{i - 1} {{cg.scope = "block{i}.relu"}} : {row}')
    print(f"  cg.return %v{count - 1} : {row}")
else:
    for i in range(count):
        print(f"  %v{i} = cg.relu %x : {row}")
    if kind == "fan-in":
        names = ", ".join(f"%v{i}" for i in range(count))
        print(f"  %all = cg.concat {names} {{axis = 0 : i64}} : {', '.join([row] * count)}")
        print(f"  cg.return %all : {row}")
    else:
        print(f"  %s0 = cg.add %v0, %x : {row}, {row}")
        for i in range(1, count):
            print(f"  %s{i} = cg.add %s{i - 1}, %v{i} : {row}, {row}")
        print(f"  cg.return %s{count - 1} : {row}")
print("}")
