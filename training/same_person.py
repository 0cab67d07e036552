#!/usr/bin/env python3
"""The manifest's "same_person" and "unclear_below" of an embedder: the cosine that one in 1,000 pairs of strangers exceeds, and the
magnitude that one in 100 photos falls below.

    same_person.py FACEGATE IMAGE_DIR [FLAG OF facegate]...

IMAGE_DIR holds UTKFace's pictures (age_gender_race_date.jpg), one stranger each; adults only, since babies look alike to every network. A few
people are in it twice, so the figure errs on the safe side."""
import glob
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

PICTURES = 1500


def main():
    facegate, folder, flags = sys.argv[1], sys.argv[2], sys.argv[3:]
    files = [f for f in sorted(glob.glob(os.path.join(folder, "*.jpg"))) if 16 <= int(os.path.basename(f).split("_")[0]) <= 80]
    files = files[:: max(1, len(files) // PICTURES)][:PICTURES]
    rows, magnitudes = [], []
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, "e.npy")

        def take(some):
            run = subprocess.run([facegate, "--quiet", "--json", *flags, "embed", "--out", out, *some], capture_output=True)
            if run.returncode == 0:
                rows.append(np.load(out))
                magnitudes.extend(json.loads(run.stdout)["magnitudes"])
            return run.returncode == 0

        for k in range(0, len(files), 50):
            if not take(files[k : k + 50]):  # a picture without a usable face spoils its batch: then one by one
                for f in files[k : k + 50]:
                    take([f])
    e = np.concatenate(rows)
    s = (e @ e.T)[np.triu_indices(len(e), 1)]
    print(json.dumps({"pictures": len(e), "pairs": len(s), "same_person": round(float(np.quantile(s, 0.999)), 3),
                      "unclear_below": round(float(np.quantile(magnitudes, 0.01)), 2)}))


if __name__ == "__main__":
    main()
