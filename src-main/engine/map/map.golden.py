"""Golden values for PCA, k-means and cosine similarity from scikit-learn (made with 1.2.1).

    /usr/bin/python3 src-main/engine/map/map.golden.py
"""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity

rng = np.random.default_rng(7)


def exact(x):
    """Rounded to multiples of 1/64, so that float32 holds the values exactly."""
    return (np.round(np.asarray(x) * 64) / 64).astype(np.float32)


def pca_case(x):
    fit = PCA(3, svd_solver="full").fit(x.astype(np.float64))
    return {
        "x": x.ravel().tolist(),
        "dim": x.shape[1],
        "components": fit.components_.tolist(),
        "variance": fit.explained_variance_.tolist(),
        "share": fit.explained_variance_ratio_.tolist(),
        "scores": fit.transform(x.astype(np.float64)).tolist(),
    }


def kmeans_case(x, k):
    fit = KMeans(k, n_init=50, random_state=0, algorithm="lloyd", tol=0, max_iter=1000).fit(x.astype(np.float64))
    sizes = sorted(np.bincount(fit.labels_).tolist(), reverse=True)
    return {"x": x.ravel().tolist(), "dim": x.shape[1], "k": k, "inertia": fit.inertia_, "sizes": sizes}


mixed = exact(rng.normal(size=(60, 5)) @ rng.normal(size=(5, 12)) + 0.3 * rng.normal(size=(60, 12)) + 20)
wide = exact(rng.normal(size=(6, 20)))
blobs = exact(make_blobs(160, 8, centers=5, cluster_std=2.0, random_state=3)[0])
iris = exact(load_iris().data)
query = exact(rng.normal(size=(10, 7)))
out = {
    "sklearn": sklearn.__version__,
    "pca": [pca_case(mixed), pca_case(wide)],
    "kmeans": [kmeans_case(blobs, 5), kmeans_case(iris, 3), kmeans_case(iris, 8)],
    "cosine": {
        "x": query.ravel().tolist(),
        "dim": 7,
        "toThird": cosine_similarity(query.astype(np.float64))[3].tolist(),
    },
    "quantiles": {
        "x": query[:, 0].tolist(),
        "q": [0, 0.01, 0.37, 0.5, 0.99, 1],
        "values": np.quantile(query[:, 0].astype(np.float64), [0, 0.01, 0.37, 0.5, 0.99, 1]).tolist(),
    },
}
(pathlib.Path(__file__).parent / "map.golden.json").write_text(json.dumps(out) + "\n")
