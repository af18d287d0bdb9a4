"""Prints the documented example of every op as a module that espalier-opt can read, `// -----` between them.

op_examples.py ROOT TD_FILE...

The examples are the ```mlir blocks of the descriptions of ops and dialects. One that has graphs, functions or programs
of its own is a module as it stands. Any other becomes the body of a graph whose arguments are the values that the
example uses and does not define: the types behind the colon are those of the operands, in order. Fails on an op that no
example of its dialect shows.
"""
import json
import re
import subprocess
import sys

root, *td_files = sys.argv[1:]
errors = []


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def type_list(statement):
    """The types behind the last colon outside brackets, split at the commas outside brackets."""
    depth, colon = 0, None
    for i, char in enumerate(statement):
        depth += (char in "([{<") - (char in ")]}>")
        if char == ":" and depth == 0:
            colon = i
    types, depth = [""], 0
    text = statement[colon + 1:] if colon is not None else ""
    function = re.match(r" \((.*)\) -> ", text)
    for char in function.group(1) if function else text:
        depth += (char in "([{<") - (char in ")]}>")
        if char == "," and depth == 0:
            types.append("")
        else:
            types[-1] += char
    return [type.strip() for type in types if type.strip()]


def wrap(name, example):
    """A module with the example in the body of a graph."""
    arguments, defined, results = {}, set(), ""
    for statement in re.split(r"\n(?=[%a-z])", example):
        before, equals, after = re.sub(r" \{\n.*", "", statement, flags=re.S).partition(" = ")
        left, right = (before, after) if equals and before.startswith("%") else ("", before + equals + after)
        operands = re.findall(r"%\w+", right)
        types = type_list(right) if operands else []
        if len(operands) != len(types):
            errors.append(f"{name}: {len(operands)} operands but {len(types)} types in the example: {statement}")
        for operand, type in zip(operands, types):
            if operand not in defined:
                arguments[operand] = type
        defined.update(re.findall(r"%\w+", left))
        if right.startswith("cg.return"):
            results = f" -> ({', '.join(types)})"
    signature = ", ".join(f"{value}: {type}" for value, type in arguments.items())
    end = "" if results else "\n  cg.return"
    body = "\n".join("  " + line for line in example.split("\n"))
    return f"cg.graph @example({signature}){results} {{\n{body}{end}\n}}"


modules, ops = [], []
headers = f"{root}/dialects/include"
for td_file in td_files:
    records = json.loads(run("llvm-tblgen", "--dump-json", f"-I{headers}", "-I" + run("llvm-config", "--includedir").strip(),
                             f"{headers}/{td_file}"))
    own = {name for name in records["!instanceof"]["Dialect"] if records[name]["name"] in ("cg", "plan")}
    for record in [records[name] for name in sorted(own)] + [records[name] for name in records["!instanceof"]["Op"]]:
        if record["!name"] in own:
            name = record["name"]
        elif record["opDialect"]["def"] in own:
            name = f'{records[record["opDialect"]["def"]]["name"]}.{record["opName"]}'
            ops.append(name)
        else:
            continue
        lines = (record["description"] or "").split("\n")
        # As mlir-tblgen does: the first line that is not blank tells the indentation of all.
        indent = next((len(line) - len(line.lstrip()) for line in lines if line.strip()), 0)
        text = "\n".join(line[indent:] for line in lines)
        for example in re.findall(r"^```mlir\n(.*?)\n```$", text, re.M | re.S):
            whole = re.search(r"^(cg\.graph|func\.func|plan\.program|module)\b", example, re.M)
            modules.append(f"// The example of {name}.\n{example if whole else wrap(name, example)}\n")

text = "\n// -----\n".join(modules)
for op in ops:
    if not re.search(rf"(?<!// The example of )\b{re.escape(op)}\b(?![.\w])", text):
        errors.append(f"{op}: no ```mlir example of its dialect shows it")
print(text)
sys.exit("\n".join(errors) or None)
