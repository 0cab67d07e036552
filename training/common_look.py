#!/usr/bin/env python3
"""The manifest's "common_look" of an embedder: the mean cosine of strangers whose pictures were taken in one way.

    common_look.py FACEGATE PHOTO... -- [FLAG OF facegate]...

A photo of each of a dozen people or more, whole photos and not face crops; none that accuracy is measured with."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np


def main():
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    facegate, photos, flags = sys.argv[1], sys.argv[2:cut], sys.argv[cut + 1 :]
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, "e.npy")
        subprocess.run([facegate, "--quiet", *flags, "embed", "--out", out, *photos], check=True, stdout=subprocess.DEVNULL)
        e = np.load(out)
    s = (e @ e.T)[np.triu_indices(len(e), 1)]
    print(json.dumps({"photos": len(e), "common_look": round(float(s.mean()), 3), "deviation": round(float(s.std()), 3)}))


if __name__ == "__main__":
    main()
