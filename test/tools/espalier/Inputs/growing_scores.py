"""Did the scores of filters begin again between two checkpoints? growing_scores.py BEFORE.safetensors AFTER.safetensors"""

import sys

from safetensors_file import read_tensors, unpack

before, after = (unpack(read_tensors(path)["conv.weight#score"][1])[0] for path in sys.argv[1:])
print(f"{before:.3g} before, {after:.3g} after:", "begun again" if 0 < after < before / 10 else "summed up on")
