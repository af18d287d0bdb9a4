"""Writes test/Unit/Runtime/goldens/schedules.json: learning rates of PyTorch's schedulers.

    python3 tools/dev/goldens/schedules.py test/Unit/Runtime/goldens        (needs torch)

Each case is a recipe and the learning rate of every step of a run of 8 epochs with 5 steps each.
"""

import json
import os
import sys

import torch
from torch.optim import lr_scheduler as schedulers

EPOCHS, STEPS = 8, 5
TOTAL = EPOCHS * STEPS


def rates(top, make):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=top)
    scheduler = make(optimizer)
    result = []
    for _ in range(TOTAL):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


def with_warmup(epochs, make):
    """`make` takes the optimizer and the number of steps that are left."""

    def chain(optimizer):
        steps = epochs * STEPS
        rise = schedulers.LinearLR(optimizer, start_factor=1 / steps, total_iters=steps - 1)
        return schedulers.SequentialLR(optimizer, [rise, make(optimizer, TOTAL - steps)], milestones=[steps])

    return chain


cases = [
    ("schedule = 'step'\nstep_epochs = 3\ngamma = 0.2", lambda o: schedulers.StepLR(o, 3 * STEPS, 0.2)),
    (
        "schedule = 'multi-step'\nmilestones = [2, 5, 6]\ngamma = 0.3",
        lambda o: schedulers.MultiStepLR(o, [2 * STEPS, 5 * STEPS, 6 * STEPS], 0.3),
    ),
    ("schedule = 'cosine'\nmin_learning_rate = 0.01", lambda o: schedulers.CosineAnnealingLR(o, TOTAL, eta_min=0.01)),
    ("schedule = 'polynomial'\npower = 2", lambda o: schedulers.PolynomialLR(o, TOTAL, power=2)),
    ("schedule = 'one-cycle'", lambda o: schedulers.OneCycleLR(o, 0.8, TOTAL)),
    (
        "schedule = 'one-cycle'\n[one_cycle]\nrise = 0.45\nstart_divisor = 4\nend_divisor = 50",
        lambda o: schedulers.OneCycleLR(o, 0.8, TOTAL, pct_start=0.45, div_factor=4, final_div_factor=50),
    ),
    ("schedule = 'constant'\nwarmup_epochs = 2", with_warmup(2, lambda o, left: schedulers.ConstantLR(o, 1, left))),
    (
        "schedule = 'cosine'\nmin_learning_rate = 0.02\nwarmup_epochs = 1",
        with_warmup(1, lambda o, left: schedulers.CosineAnnealingLR(o, left, eta_min=0.02)),
    ),
    (
        "schedule = 'polynomial'\npower = 0.9\nwarmup_epochs = 3",
        with_warmup(3, lambda o, left: schedulers.PolynomialLR(o, left, power=0.9)),
    ),
]
golden = [{"recipe": recipe, "rates": rates(0.8, make)} for recipe, make in cases]
os.makedirs(sys.argv[1], exist_ok=True)
with open(os.path.join(sys.argv[1], "schedules.json"), "w", encoding="utf-8") as file:
    json.dump({"epochs": EPOCHS, "steps": STEPS, "learning_rate": 0.8, "cases": golden}, file, indent=0)
    file.write("\n")
