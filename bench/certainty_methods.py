#!/usr/bin/python3
"""Other ways to decide, beside Facegate's, on the same teams of the same people.

    bench/certainty_methods.py PEOPLE.npz COHORT.npy

PEOPLE.npz: `facegate eval openset --photos 1 --out PEOPLE.npz`; COHORT.npy: data/cache/cohort-*.npy, which the same run
leaves. Members are enrolled from three photos. Prints Markdown rows: what each score is worth (members refused with the
border that the strangers themselves would set at 0.1 %; for Facegate's with looser ones, too), what the 90 % rule does
with the usual calibrations, and whose attempts the best border refuses.
Needs python3-numpy and python3-sklearn.
"""
import sys
import warnings

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

SIZES = [5, 10, 20, 40]
PHOTOS, FAR, FOLDS, NEAREST = 3, 0.001, 3, 100
LOOSER = [0.002, 0.003, 0.005]  # what else strangers may be let in, for comparison
OURS = 'the same, SVMs on one scale'  # as Facegate's evidence, but for its least deviations
U = np.uint64


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


# -- people and teams, drawn as src/flow/openset.c draws them

def load_people(path):
    """One embedding a photo, and for each person the numbers of their photos."""
    file = np.load(path)
    first = np.flatnonzero(np.r_[True, np.diff(file['segment']) != 0])
    labels = file['label'][first]
    starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1], True])
    return file['data'][first].astype(float), labels, [np.arange(a, b) for a, b in zip(starts, starts[1:])]


def split_mix(seed, count):
    with np.errstate(over='ignore'):
        z = U(seed) + U(0x9e3779b97f4a7c15) * np.arange(1, count + 1, dtype=U)
        z = (z ^ (z >> U(30))) * U(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> U(27))) * U(0x94d049bb133111eb)
        return [int(v) for v in z ^ (z >> U(31))]


def draw_team(people, members, number):
    """Photos of the members, a row each; genuine probes and whose they are; one photo of each stranger."""
    order = [i for i, photos in enumerate(people) if len(photos) > PHOTOS]
    eligible, own = len(order), []
    random = iter(split_mix(1000003 + members * 10007 + number, 4 * sum(map(len, people))))
    enrolled, probes, owners = [], [], []
    for place in range(members):
        j = place + next(random) % (eligible - place)
        person, order[j] = order[j], order[place]
        own.append(person)
        wanted, left, kept = PHOTOS, len(people[person]), []
        for photo in people[person]:
            if next(random) % left >= wanted:
                probes.append(photo)
                owners.append(place)
            else:
                kept.append(photo)
                wanted -= 1
            left -= 1
        enrolled.append(kept)
    own = set(own)
    strangers = [photos[next(random) % len(photos)] for i, photos in enumerate(people) if i not in own]
    return np.array(enrolled), np.array(probes), np.array(owners), np.array(strangers)


# -- what is known of a probe: members x probes

class Team:
    def __init__(self, embeddings, cohort, enrolled):
        self.templates = embeddings[enrolled]  # members x PHOTOS x size
        self.cohort = cohort
        self.means = unit(unit(self.templates).sum(1))
        self.of_cohort = self.means @ cohort.T
        flat = self.templates.reshape(-1, cohort.shape[1])
        self.pool = np.r_[cohort, flat]
        self.owner = np.r_[np.full(len(cohort), -1), np.repeat(np.arange(len(enrolled)), PHOTOS)]
        self.fold = np.r_[np.arange(len(cohort)) % FOLDS, np.tile(np.arange(PHOTOS) % FOLDS, len(enrolled))]
        self.gram = self.pool @ self.pool.T

    def machine(self, member, c=1.0, without=None):
        """One against all others. Held out: a third of the strangers, and one of the member's own photos."""
        mine = self.owner == member
        kept = np.flatnonzero((self.fold != without) | ~(mine | (self.owner < 0)))
        svm = SVC(C=c, kernel='precomputed', class_weight='balanced').fit(self.gram[np.ix_(kept, kept)], mine[kept])
        return svm.dual_coef_[0] @ self.pool[kept[svm.support_]], svm.intercept_[0]

    def machines(self, c=1.0, without=None):
        weights, biases = zip(*(self.machine(m, c, without) for m in range(len(self.means))))
        return np.array(weights), np.array(biases)[:, None]


def held_out(team):
    """What each member's machine and mean say of the cohort, and of that member's own photos."""
    machine, cosine = np.empty_like(team.of_cohort), team.of_cohort
    own_machine, own_cosine = np.empty(team.templates.shape[:2]), np.empty(team.templates.shape[:2])
    for fold in range(FOLDS):
        w, b = team.machines(1.0, fold)
        machine[:, fold::FOLDS] = w @ team.cohort[fold::FOLDS].T + b
        rest = unit(unit(np.delete(team.templates, fold, 1)).sum(1))
        own_machine[:, fold] = (w * team.templates[:, fold]).sum(1) + b[:, 0]
        own_cosine[:, fold] = (rest * team.templates[:, fold]).sum(1)
    return machine, cosine, own_machine, own_cosine


def s_norm(team, probes, nearest):
    def top(x):
        x = np.sort(x, 1)[:, -nearest:]
        return x.mean(1), x.std(1)
    (mean, sd), (probe_mean, probe_sd) = top(team.of_cohort), top(probes @ team.cohort.T)
    cosine = team.means @ probes.T
    return ((cosine - mean[:, None]) / sd[:, None] + (cosine - probe_mean) / probe_sd) / 2


def scores(team, probes, machine1, machine10, known):
    """By name: members x probes."""
    of_cohort, _, own_machine, own_cosine = known
    cosine = team.means @ probes.T
    mean, sd = team.of_cohort.mean(1)[:, None], team.of_cohort.std(1)[:, None]
    z = (cosine - mean) / sd
    raw, raw10 = (w @ probes.T + b for w, b in (machine1, machine10))
    machine_mean, machine_sd = of_cohort.mean(1)[:, None], of_cohort.std(1)[:, None]
    shared = np.exp(np.log(machine_sd).mean())
    s = s_norm(team, probes, team.cohort.shape[0])
    # A fusion of both with the margin to the next member, learnt from what was held out.
    def features(c, m):
        second = np.sort(c, 0)[-2]
        best = c.argmax(0)
        margin = c - c.max(0)
        margin[best, np.arange(c.shape[1])] = (c.max(0) - second)
        return np.stack([c, m, margin], -1)
    impostors = features(team.of_cohort, of_cohort).reshape(-1, 3)
    others = np.einsum('mk,npk->mnp', team.means, team.templates)
    others[np.arange(len(others)), np.arange(len(others))] = -1
    genuine = np.stack([own_cosine, own_machine, own_cosine - others.max(0)], -1).reshape(-1, 3)
    fusion = LogisticRegression(class_weight='balanced', max_iter=300).fit(
        np.r_[impostors, genuine], np.r_[np.zeros(len(impostors)), np.ones(len(genuine))])
    return {
        'cosine to the mean template': cosine,
        'cosine, z-norm': z,
        'cosine, s-norm': s,
        f'cosine, s-norm by the nearest {NEAREST}': s_norm(team, probes, NEAREST),
        'one SVM a member, C = 1': raw,
        'one SVM a member, C = 10': raw10,
        'SVM, C = 10, and s-norm': raw10 + 0.3 * s,
        'z-norms of cosine and SVM': z + (raw - machine_mean) / machine_sd,
        OURS: z + (raw - machine_mean) / shared,
        'logistic fusion of cosine, SVM and margin': features(cosine, raw) @ fusion.coef_[0],
    }


# -- the 90 % rule with the usual calibrations

def calibrated(team, probes, machine1, known):
    """By name: members x probes, probabilities of a member's machine each on its own."""
    of_cohort, _, own_machine, _ = known
    raw, out = machine1[0] @ probes.T + machine1[1], {}
    values = np.c_[of_cohort, own_machine]
    labels = np.r_[np.zeros(of_cohort.shape[1]), np.ones(PHOTOS)]
    weights = np.where(labels > 0, of_cohort.shape[1] / PHOTOS, 1.0)
    platt, isotonic = np.empty_like(raw), np.empty_like(raw)
    for m in range(len(raw)):
        platt[m] = LogisticRegression(C=1e6, max_iter=300).fit(
            values[m][:, None], labels, weights).predict_proba(raw[m][:, None])[:, 1]
        isotonic[m] = IsotonicRegression(out_of_bounds='clip').fit(values[m], labels, sample_weight=weights).predict(raw[m])
    out["one SVM a member, Platt's scaling of held-out values"] = platt
    out['one SVM a member, isotonic'] = isotonic
    return out


def usual(team, probes, cohort_too):
    """scikit-learn's SVC(probability=True), as most programs use it."""
    mine = team.owner >= 0
    rows = team.pool if cohort_too else team.pool[mine]
    labels = team.owner if cohort_too else team.owner[mine]
    svc = SVC(C=1, kernel='linear', probability=True, random_state=1).fit(rows, labels)
    return svc.predict_proba(probes).T[1 if cohort_too else 0:]


def main():
    warnings.simplefilter('ignore')
    embeddings, labels, people = load_people(sys.argv[1])
    cohort = np.load(sys.argv[2]).astype(float)
    cohort = unit(cohort - cohort.mean(0))
    sizes = [n for n in SIZES if n <= sum(len(p) > PHOTOS for p in people)]
    worth, rule, refused = {}, {}, []
    for size in sizes:
        genuine, strangers, counts, tried = {}, {}, {}, []
        for number in range(max(20, -(-400 // size))):
            enrolled, probes, owners, others = draw_team(people, size, number)
            team = Team(embeddings, cohort, enrolled)
            all_probes, n = embeddings[np.r_[probes, others]], len(probes)
            tried.append(probes)
            machine1, machine10, known = team.machines(), team.machines(10.0), held_out(team)
            for name, s in scores(team, all_probes, machine1, machine10, known).items():
                right = s[:, :n].argmax(0) == owners
                genuine.setdefault(name, []).append(np.where(right, s[:, :n].max(0), -np.inf))
                strangers.setdefault(name, []).append(s[:, n:].max(0))
            rules = calibrated(team, all_probes, machine1, known)
            if number < 5:  # many pairs of members: slow
                rules['SVC(probability=True) of the members'] = usual(team, all_probes, False)
                rules['the same with the cohort as one more class'] = usual(team, all_probes, True)
            for name, p in rules.items():
                granted = p.max(0) >= 0.9
                c = counts.setdefault(name, np.zeros(4))
                c += [(granted[n:]).sum(), len(others), n - (granted[:n] & (p[:, :n].argmax(0) == owners)).sum(), n]
        for name, found in genuine.items():
            ranked = np.sort(np.concatenate(strangers[name]))[::-1]
            values = np.concatenate(found)
            share = lambda far: f'{100 * np.mean(values <= ranked[int(far * len(ranked))]):.2f}'
            worth.setdefault(name, []).append(share(FAR))
            if name == OURS:
                refused.extend(np.concatenate(tried)[values <= ranked[int(FAR * len(ranked))]])
                for far in LOOSER:
                    worth.setdefault(f'these with {100 * far:.1f} % of strangers let in', []).append(share(far))
        for name, c in counts.items():
            rule.setdefault(name, []).append(f'{100 * c[0] / c[1]:.2f} / {100 * c[2] / c[3]:.1f}')
        print(f'teams of {size} done', file=sys.stderr)
    for title, table in (('refused at best, %', worth), ('90 % rule: let in / refused, %', rule)):
        print(f'| {title} | ' + ' | '.join(map(str, sizes)) + ' |')
        print('|---|' + '---|' * len(sizes))
        for name, cells in table.items():
            print(f'| {name} | ' + ' | '.join(cells) + ' |')
        print()
    names, counts = np.unique(labels[refused], return_counts=True)
    print(f'{len(refused)} attempts refused, with {len(set(refused))} photos of {len(names)} people:')
    print(', '.join(f'{names[i]} {counts[i]}' for i in np.argsort(-counts)[:12]))


main()
