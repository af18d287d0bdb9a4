"""A process that takes training steps in PyTorch: training.py starts one for each way of running a network.

    training_peer.py NET BATCH THREADS PRECISION eager|compile

Answers in JSON lines: first the peak memory after the imports; then, for each line `RUNS` read, the median of so many
steps and the peak memory up to then. Inputs, loss and optimiser are those of `espalier bench --train`.
"""

import json
import os
import resource
import sys

import torch
import torchvision
from harness import ROOT, median_ms

sys.path.insert(0, os.path.join(ROOT, "tools", "dev", "goldens"))
import pytorch_nets

NETS = {
    "cifar_resnet20": lambda: (pytorch_nets.ResNet20(), (3, 32, 32)),
    "cifar_resnet18": lambda: (pytorch_nets.cifar_resnet18(), (3, 32, 32)),
    "cifar_vgg16": lambda: (pytorch_nets.CifarVGG16(), (3, 32, 32)),
    "resnet18": lambda: (torchvision.models.resnet18(), (3, 224, 224)),
    "mlp": lambda: (pytorch_nets.mlp(), (4,)),
}


def make_step(net, batch, precision, compiled):
    model, shape = NETS[net]()
    model.train()
    images = torch.randn(batch, *shape)
    if len(shape) == 3:
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    labels = torch.zeros(batch, dtype=torch.int64)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=True)

    def loss():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = model(images)
        return torch.nn.functional.cross_entropy(logits.float(), labels)

    if compiled:
        loss = torch.compile(loss)

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def answer(**fields):
    print(json.dumps(fields), flush=True)


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    net, batch, threads, precision, mode = sys.argv[1:]
    torch.set_num_threads(int(threads))
    answer(peak_bytes=peak_bytes())
    step = make_step(net, int(batch), precision, mode == "compile")
    for line in sys.stdin:
        median = median_ms(step, int(line))
        answer(median_ms=median, peak_bytes=peak_bytes())


main()
