"""Prints a network and a loss of a size that nobody writes by hand.

    large_structure.py {chain|fan-in|fan-out|parameters} COUNT

chain        COUNT ops, each on the result of the one before
fan-in       a concatenation of COUNT values
fan-out      COUNT readers of one value, summed up
parameters   COUNT parameters, each with its own product
"""

import sys

kind, count = sys.argv[1], int(sys.argv[2])
row = "tensor<?x4xf32>"
weight = "tensor<4xf32>"
print(f'cg.graph @large(%x: {row} {{cg.name = "x", cg.dims = ["N", "4"]}}) -> {row} {{')
print(f'  %w = cg.parameter "w" : {weight} init #cg.fill<1.0>')
print(f"  %v0 = cg.mul %x, %w : {row}, {weight}")
if kind == "chain":
    for i in range(1, count):
        op = ("relu", "sigmoid", "tanh")[i % 3]
        print(f"  %v{i} = cg.{op} %v{i - 1} : {row}")
    result = f"%v{count - 1}"
elif kind == "fan-in":
    for i in range(1, count):
        print(f"  %c{i} = cg.constant dense<{i}.0> : tensor<f32>\n  %v{i} = cg.mul %v0, %c{i} : {row}, tensor<f32>")
    names = ", ".join(f"%v{i}" for i in range(count))
    print(f"  %all = cg.concat {names} {{axis = 0 : i64}} : {', '.join([row] * count)}")
    result = "%all"
else:
    previous = "%v0"
    for i in range(1, count):
        if kind == "fan-out":
            print(f"  %c{i} = cg.constant dense<{i}.0> : tensor<f32>\n  %m{i} = cg.mul %v0, %c{i} : {row}, tensor<f32>")
        else:
            print(f'  %w{i} = cg.parameter "w{i}" : {weight}\n  %m{i} = cg.mul %v0, %w{i} : {row}, {weight}')
        print(f"  %v{i} = cg.add {previous}, %m{i} : {row}, {row}")
        previous = f"%v{i}"
    result = previous
print(f"  cg.return {result} : {row}")
print("}")
print(f"""cg.graph @large.loss(%y: {row} {{cg.name = "y", cg.dims = ["N", "4"]}}) -> tensor<f32> {{
  %0 = cg.reduce_sum %y {{axes = array<i64: 0, 1>}} : {row}
  cg.return %0 : tensor<f32>
}}""")
