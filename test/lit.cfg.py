import os

import lit.formats

config.name = "Espalier"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".esp", ".test"]
# Frontend/errors holds the inputs of a GoogleTest.
config.excludes = ["Inputs", "Unit", "bench", "errors"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.build_root, "test")

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.build_root, "bin"), config.llvm_bin, os.environ["PATH"]]
)
# The folder with the larger public data sets; tests that need it say so with REQUIRES: data.
data = os.environ.get("ESPALIER_DATA", "")
if data and os.path.isdir(data):
    config.available_features.add("data")
    config.environment["ESPALIER_DATA"] = os.path.abspath(data)

# `lit -Droundtrip=1` has espalier-opt print and parse every module once more, in text and bytecode.
opt = "espalier-opt --verify-roundtrip" if lit_config.params.get("roundtrip") else "espalier-opt"
config.substitutions += [
    ("%root", config.source_root),
    ("%build", config.build_root),
    (r"\bespalier-opt\b", opt),
    (r"\bFileCheck\b", "FileCheck --enable-var-scope"),
    ("%python", config.python),
]
