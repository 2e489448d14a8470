"""Golden values for linear models, nearest neighbours and shrunk covariance from scikit-learn (made with 1.2.1).

    /usr/bin/python3 src-main/engine/study/linear-models.golden.py
"""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.covariance import LedoitWolf
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC


def case(classes, dim, c, seed):
    x, y = make_classification(
        120, dim, n_informative=max(4, dim // 2), n_classes=classes, class_sep=0.7, flip_y=0.1, random_state=seed
    )
    x = (np.round(x * 64) / 64).astype(np.float32)
    svm = LinearSVC(C=c, tol=1e-10, max_iter=1_000_000, random_state=0).fit(x.astype(float), y)
    logistic = LogisticRegression(C=c, solver="newton-cg", tol=1e-12, max_iter=100_000).fit(x.astype(float), y)
    return {
        "classes": classes,
        "dim": dim,
        "c": c,
        "x": x.ravel().tolist(),
        "y": y.tolist(),
        "svm": np.ravel(svm.decision_function(x.astype(float))).tolist(),
        "svmAccuracy": svm.score(x.astype(float), y),
        "logistic": logistic.predict_proba(x.astype(float)).ravel().tolist(),
        "logisticAccuracy": logistic.score(x.astype(float), y),
    }


out = {"sklearn": sklearn.__version__, "cases": [case(2, 10, 1.0, 1), case(2, 10, 1e-3, 2), case(4, 8, 0.1, 3)]}
rng = np.random.default_rng(4)
x = np.round(rng.normal(size=(25, 4)) @ rng.normal(size=(4, 9)) + 0.2 * rng.normal(size=(25, 9)), 6)
fit = LedoitWolf().fit(x)
knn = KNeighborsClassifier(5, metric="cosine").fit(x[:20], np.arange(20) % 3)
out["covariance"] = {
    "x": x.ravel().tolist(),
    "dim": 9,
    "shrinkage": fit.shrinkage_,
    "distances": np.sqrt(fit.mahalanobis(x)).tolist(),
    "neighbours": knn.predict_proba(x[20:]).ravel().tolist(),
}
(pathlib.Path(__file__).parent / "linear-models.golden.json").write_text(json.dumps(out) + "\n")
