#!/usr/bin/env python3
"""Prints the parameters and running statistics of torchvision's nets, `net path extents`, as test/Unit/Frontend/ZooTest
expects them in torchvision-parameters.txt. Needs torchvision; made with 0.29."""

import torchvision

NETS = ["vgg11", "vgg11_bn", "vgg16", "vgg16_bn", "resnet18", "resnet34", "resnet50", "mobilenet_v2"]

for net in NETS:
    for path, tensor in getattr(torchvision.models, net)(weights=None).state_dict().items():
        if not path.endswith("num_batches_tracked"):
            print(net, path, "x".join(map(str, tensor.shape)))
