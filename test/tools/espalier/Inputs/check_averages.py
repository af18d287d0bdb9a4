"""Whether weights are the averages of the last checkpoint of a run: check_averages.py RUN WEIGHTS"""

import glob
import sys

from safetensors_file import read_tensors

checkpoint, weights = read_tensors(sorted(glob.glob(sys.argv[1] + "/checkpoint-*.safetensors"))[-1]), read_tensors(sys.argv[2])
assert weights
for name, value in weights.items():
    assert value == checkpoint[name + "#average"], name
    assert value != checkpoint[name], name
