"""A certificate with another error of its output: edit_certificate.py IN OUT max_absolute|relative FACTOR"""

import json
import sys

source, target, error, factor = sys.argv[1:]
with open(source) as file:
    certificate = json.load(file)
certificate["outputs"][0][error] *= float(factor)
with open(target, "w") as file:
    json.dump(certificate, file)
