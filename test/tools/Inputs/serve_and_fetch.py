"""Serves a small data set on this machine and gets it with tools/fetch-data: whole, after a stop, and damaged."""

import functools
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile
import threading

root, folder = sys.argv[1:]
served, data = os.path.join(folder, "served"), os.path.join(folder, "data")
os.makedirs(served)
content = {"cifar-10-batches-bin/data_batch_1.bin": bytes(3073) * 4, "cifar-10-batches-bin/test_batch.bin": bytes(3073),
           "../escape.bin": b"kept inside"}
with tarfile.open(os.path.join(served, "set.tar.gz"), "w:gz") as archive:
    for name, bytes_ in content.items():
        member = tarfile.TarInfo(name)
        member.size = len(bytes_)
        archive.addfile(member, io.BytesIO(bytes_))

handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=served)
handler.log_message = None
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/set.tar.gz"


def fetch(name, md5, file="set.tar.gz"):
    sources = os.path.join(folder, "sources.json")
    with open(sources, "w", encoding="utf-8") as out:
        json.dump({name: [{"url": url.replace("set.tar.gz", file), "md5": md5}]}, out)
    run = subprocess.run([os.path.join(root, "tools/fetch-data"), "--sources", sources, "--to", data, name],
                         capture_output=True, text=True)
    print(f"{name}: exit code {run.returncode} {run.stderr.splitlines()[-1] if run.stderr else ''}")


with open(os.path.join(served, "set.tar.gz"), "rb") as file:
    whole = file.read()
md5 = hashlib.md5(whole).hexdigest()
fetch("good", md5)
print(sorted(os.listdir(os.path.join(data, "good"))))
fetch("bad", "0" * 32)
fetch("missing", md5, "none.tar.gz")
print(sorted(name for name in os.listdir(data) if not name.endswith(".partial")))
