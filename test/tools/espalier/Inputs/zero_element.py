"""Sets an element of a tensor to zero: zero_element.py IN.safetensors NAME INDEX OUT.safetensors"""

import sys

from safetensors_file import pack, read_tensors, unpack, write_tensors

tensors = read_tensors(sys.argv[1])
shape, content = tensors[sys.argv[2]]
numbers = list(unpack(content))
numbers[int(sys.argv[3])] = 0.0
write_tensors(sys.argv[4], {**tensors, sys.argv[2]: (shape, pack(numbers))})
