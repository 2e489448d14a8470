"""Golden values for metrics, tests of significance and CKA from scikit-learn and scipy (made with 1.2.1 and 1.10.1).

    /usr/bin/python3 src-main/engine/study/study.golden.py

DeLong is written here from its definition (placements by a double loop), which shares nothing with the ranks used there.
"""
import json
import pathlib

import numpy as np
import scipy.stats as st
import sklearn
import sklearn.metrics as sm
from sklearn.calibration import calibration_curve

rng = np.random.default_rng(11)
out = {"sklearn": sklearn.__version__}

n = 90
truth = (rng.random(n) < 0.4).astype(int)
scores_a = np.round(rng.normal(size=n) + truth * 0.9, 1)  # rounded: many ties
scores_b = np.round(rng.normal(size=n) + truth * 0.4 + 0.5 * scores_a, 1)
prob = np.round(1 / (1 + np.exp(-scores_a)), 3)
pred_a = (scores_a > 0.5).astype(int)
pred_b = (scores_b > 0.6).astype(int)
multi_truth = rng.integers(0, 4, n)
multi_scores = np.round(rng.dirichlet(np.ones(4), n) + 0.35 * np.eye(4)[multi_truth], 2)
multi_pred = multi_scores.argmax(1)


def ece(y, p, bins):
    share, mean = calibration_curve(y, p, n_bins=bins)
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p), minlength=bins)
    return float((counts[counts > 0] * abs(share - mean)).sum() / len(y))


def reliability(y, p, **options):
    share, mean = calibration_curve(y, p, **options)
    return [[float(m), float(s)] for m, s in zip(mean, share)]


def delong(y, a, b):
    def parts(s):
        x, z = s[y == 1], s[y == 0]
        psi = (x[:, None] > z[None]) + 0.5 * (x[:, None] == z[None])
        return psi.mean(), psi.mean(1), psi.mean(0)

    (auc_a, a10, a01), (auc_b, b10, b01) = parts(a), parts(b)
    s10, s01 = np.cov(a10, b10), np.cov(a01, b01)
    cov = s10 / len(a10) + s01 / len(a01)
    z = (auc_b - auc_a) / np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    return {"z": z, "p": 2 * st.norm.sf(abs(z)), "varianceA": cov[0, 0]}


out["binary"] = {
    "truth": truth.tolist(),
    "a": scores_a.tolist(),
    "b": scores_b.tolist(),
    "probability": prob.tolist(),
    "predicted": pred_a.tolist(),
    "predictedB": pred_b.tolist(),
    "auc": sm.roc_auc_score(truth, scores_a),
    "aucB": sm.roc_auc_score(truth, scores_b),
    "averagePrecision": sm.average_precision_score(truth, scores_a),
    "brier": sm.brier_score_loss(truth, prob),
    "ece": ece(truth, prob, 10),
    "accuracy": sm.accuracy_score(truth, pred_a),
    "balanced": sm.balanced_accuracy_score(truth, pred_a),
    "f1": sm.f1_score(truth, pred_a),
    "kappa": sm.cohen_kappa_score(truth, pred_a),
    "sensitivity": sm.recall_score(truth, scores_a >= 0.5),
    "specificity": sm.recall_score(1 - truth, ~(scores_a >= 0.5)),
    "delong": delong(truth, scores_a, scores_b),
    "mcnemar": st.binomtest(
        int(((pred_a == truth) & (pred_b != truth)).sum()), int(((pred_a == truth) != (pred_b == truth)).sum())
    ).pvalue,
}
out["multi"] = {
    "truth": multi_truth.tolist(),
    "predicted": multi_pred.tolist(),
    "scores": multi_scores.ravel().tolist(),
    "accuracy": sm.accuracy_score(multi_truth, multi_pred),
    "balanced": sm.balanced_accuracy_score(multi_truth, multi_pred),
    "macroF1": sm.f1_score(multi_truth, multi_pred, average="macro"),
    "kappa": sm.cohen_kappa_score(multi_truth, multi_pred),
    "macroAuc": float(np.mean([sm.roc_auc_score(multi_truth == c, multi_scores[:, c]) for c in range(4)])),
}
tasks = np.round(rng.random((9, 4)), 1)
out["ranks"] = {
    "scores": tasks.tolist(),
    "averageRanks": st.rankdata(-tasks, axis=1).mean(0).tolist(),
}
untied = rng.random((9, 4))
friedman = st.friedmanchisquare(*untied.T)
out["friedman"] = {"scores": untied.tolist(), "statistic": friedman.statistic, "p": friedman.pvalue}
z = [0.0, 0.1, 1.0, 1.96, 3.3, 8.0, 20.0]
out["distributions"] = {
    "z": z,
    "normalTwoSided": (2 * st.norm.sf(z)).tolist(),
    "chi": [[x, k, float(st.chi2.sf(x, k))] for x in (0.1, 1.0, 3.84, 9.2, 60.0) for k in (1, 2, 3, 9)],
    "binomial": [[k, m, float(st.binom.cdf(k, m, 0.5))] for k, m in ((0, 5), (3, 10), (40, 100), (450, 999))],
    "spearman": float(st.spearmanr(scores_a, scores_b)[0]),
}

np.random.seed(1337)  # the published fixture of the CKA reference notebook
x = np.random.randn(100, 10)
y = np.random.randn(100, 10) + x
out["cka"] = {"x": np.round(x, 12).ravel().tolist(), "y": np.round(y, 12).ravel().tolist()}
# Probabilities of one digit lie on the edges of the bins; distinct ones fall into groups of one size.
coarse = np.round(prob, 1)
distinct = (rng.permutation(60) + 0.5) / 60
distinct_truth = (rng.random(60) < distinct).astype(int)
out["reliability"] = {
    "coarse": coarse.tolist(),
    "tenths": reliability(truth, coarse, n_bins=10),
    "ece": ece(truth, coarse, 10),
    "sevenths": reliability(truth, prob, n_bins=7),
    "distinct": distinct.tolist(),
    "distinctTruth": distinct_truth.tolist(),
    "groups": reliability(distinct_truth, distinct, n_bins=10, strategy="quantile"),
}
(pathlib.Path(__file__).parent / "study.golden.json").write_text(json.dumps(out) + "\n")
