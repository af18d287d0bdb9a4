"""Disassembles the code of an artifact: disassemble.py FILE.espx. The layout is in espalier/CodeGen/Artifact.h."""

import struct
import subprocess
import sys
import tempfile

with open(sys.argv[1], "rb") as file:
    data = file.read()
manifest_bytes, object_bytes = struct.unpack_from("<QQ", data, 16)
begin = (32 + manifest_bytes + 63) // 64 * 64
assert begin + object_bytes == len(data)
with tempfile.NamedTemporaryFile(suffix=".so") as code:
    code.write(data[begin:])
    code.flush()
    subprocess.run(["llvm-objdump", "-d", "--no-show-raw-insn", code.name], check=True)
