#!/usr/bin/env python3
"""Compares two detectors by what `facegate --json detect` said of the same pictures.

    detect_compare.py OURS.jsonl PUBLISHED.jsonl [--portraits]

The second is taken as the truth: recall, faces that only the first finds, distance of the points and overlap. With --portraits,
of pictures with somebody in their middle, also in how many of them each finds a face there. Measuring only; nothing is chosen by
it. Prints one JSON document."""
import json
import math
import sys


def read(path):
    return {d["input"]: d for d in map(json.loads, open(path)) if "faces" in d}


def in_the_middle(d):
    x, y = d["width"] / 2, d["height"] / 2
    return any(f["box"][0] < x < f["box"][0] + f["box"][2] and f["box"][1] < y < f["box"][1] + f["box"][3] for f in d["faces"])


def overlap(a, b):
    w = [max(0, min(a[i] + a[i + 2], b[i] + b[i + 2]) - max(a[i], b[i])) for i in (0, 1)]
    both = w[0] * w[1]
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def main():
    ours, truth = read(sys.argv[1]), read(sys.argv[2])
    faces = found = extra = 0
    overlaps, distances = [], []
    for name, known in truth.items():
        left = list(ours[name]["faces"]) if name in ours else []
        faces += len(known["faces"])
        for f in known["faces"]:
            best = max(left, key=lambda g: overlap(g["box"], f["box"]), default=None)
            if best is None or overlap(best["box"], f["box"]) < 0.5:
                continue
            left.remove(best)
            found += 1
            overlaps.append(overlap(best["box"], f["box"]))
            distances.append(sum(map(math.dist, best["points"], f["points"])) / 5 / f["box"][2])
        extra += len(left)
    share = lambda v, q: round(sorted(v)[int(q * (len(v) - 1))], 4) if v else None
    result = {"pictures": len(truth), "faces": faces, "recall": round(found / max(faces, 1), 4), "only_first": extra,
              "overlap_median": share(overlaps, 0.5), "points_median": share(distances, 0.5), "points_95": share(distances, 0.95)}
    if "--portraits" in sys.argv[3:]:
        portraits = lambda found_by: round(sum(map(in_the_middle, found_by.values())) / max(len(truth), 1), 4)
        result |= {"portraits": portraits(ours), "portraits_published": portraits(truth)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
