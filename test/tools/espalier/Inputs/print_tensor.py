"""The elements of an f32 tensor of a safetensors file: print_tensor.py FILE NAME"""

import sys

from safetensors_file import read_tensors, unpack

tensors = read_tensors(sys.argv[1])
if sys.argv[2] in tensors:
    print(*(f"{value:.7g}" for value in unpack(tensors[sys.argv[2]][1])))
else:
    print("no such tensor")
