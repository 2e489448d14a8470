"""Figures of a study by scikit-learn (made with 1.2.1): each fold's own value, averaged over three folds.

    /usr/bin/python3 src-main/engine/study/study-figures.golden.py
"""
import json
import pathlib

import numpy as np
import sklearn.metrics as sm

rng = np.random.default_rng(23)


def study(classes, rows=72):
    truth = np.tile(np.arange(classes), rows // classes)
    fold = np.repeat(np.arange(3), rows // 3)
    p = rng.dirichlet(np.ones(classes), rows) + 0.6 * np.eye(classes)[truth] * rng.random((rows, 1))
    p = np.round(p / p.sum(1, keepdims=True), 3)
    p[:, -1] = np.round(1 - p[:, :-1].sum(1), 3)
    thresholds = [0.4, 0.5, 0.62]
    per_class = [1] if classes == 2 else range(classes)

    def over(figure):
        return float(np.mean([figure(truth[fold == f], p[fold == f], f) for f in range(3)]))

    def against(score):
        return over(lambda y, q, f: np.mean([score(y == c, q[:, c]) for c in per_class]))

    figures = {
        "AUC": against(sm.roc_auc_score),
        "PR-AUC": against(sm.average_precision_score),
        "Brier": against(sm.brier_score_loss),
        "balanced accuracy": over(lambda y, q, f: sm.balanced_accuracy_score(y, q.argmax(1))),
        "accuracy": over(lambda y, q, f: sm.accuracy_score(y, q.argmax(1))),
        "macro F1": over(lambda y, q, f: sm.f1_score(y, q.argmax(1), average="macro")),
        "Cohen's kappa": over(lambda y, q, f: sm.cohen_kappa_score(y, q.argmax(1))),
    }
    if classes == 2:
        called = lambda q, f: (q[:, 1] >= thresholds[f]).astype(int)
        figures["sensitivity"] = over(lambda y, q, f: sm.recall_score(y, called(q, f)))
        figures["specificity"] = over(lambda y, q, f: sm.recall_score(1 - y, 1 - called(q, f)))
    return {
        "truth": truth.tolist(),
        "fold": fold.tolist(),
        "probabilities": p.tolist(),
        "thresholds": thresholds,
        "figures": figures,
    }


out = {"two": study(2), "three": study(3)}
(pathlib.Path(__file__).parent / "study-figures.golden.json").write_text(json.dumps(out) + "\n")
