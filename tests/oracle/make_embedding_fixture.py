"""Writes tests/fixtures/embedding/expected.json: what scikit-learn, scipy and numpy make of two
small groups of features.

    python make_embedding_fixture.py [OUT]

Features are multiples of 1/64, so that text holds them exactly.
"""

import json
import pathlib
import sys

import numpy as np
import scipy.linalg
from scipy.spatial.distance import squareform
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, _t_sne, trustworthiness
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

HERE = pathlib.Path(__file__).resolve().parent
PERPLEXITY, NEIGHBOURS = 7.0, 22


def groups():
    rng = np.random.default_rng(5)
    a = rng.normal(size=(40, 6))
    b = rng.normal(size=(28, 6)) @ rng.normal(size=(6, 6)) * 0.7 + 0.8
    return np.round(a * 64) / 64, np.round(b * 64) / 64


def affinities(x):
    distances = euclidean_distances(x, squared=True)
    exact = squareform(_t_sne._joint_probabilities(distances, PERPLEXITY, 0))
    graph = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(x).kneighbors_graph(mode="distance")
    graph.data **= 2
    near = _t_sne._joint_probabilities_nn(graph, PERPLEXITY, 0).toarray()
    return exact, near


def gradient(y, p):
    kl, grad = _t_sne._kl_divergence(y.ravel(), squareform(p, checks=False), 1, len(y), 2)
    return kl, grad.reshape(-1, 2)


def first_steps(x, p):
    """Thirty steps with P exaggerated, then ten without, from the components."""
    y = PCA(2, svd_solver="full").fit_transform(x)
    y = y / np.std(y[:, 0]) * 1e-4
    args = [squareform(p, checks=False) * 12, 1, len(x), 2]
    for first, steps, momentum in ((0, 30, 0.5), (30, 10, 0.8)):
        y, _, _ = _t_sne._gradient_descent(
            _t_sne._kl_divergence, y.ravel(), first, first + steps, momentum=momentum,
            learning_rate=50, min_grad_norm=0, kwargs={"skip_num_points": 0}, args=args,
        )
        args[0] = args[0] / 12
    return y.reshape(-1, 2)


def frechet(a, b):
    sa, sb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(sa @ sb).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sa + sb - 2 * root)


def frechet_variance(a, b):
    """Of the distance, by its derivative (differences of 1e-5) in the direction of each picture."""

    def moments(x, weights):
        mean = weights @ x
        return mean, (x - mean) * np.sqrt(weights * len(x) / (len(x) - 1))[:, None]

    def at(x, y, i, step):
        weights = np.full(len(x), (1 - step) / len(x))
        weights[i] += step
        (ma, xa), (mb, xb) = moments(x, weights), moments(y, np.full(len(y), 1 / len(y)))
        root = np.linalg.svd(xa @ xb.T, compute_uv=False).sum()
        return ((ma - mb) ** 2).sum() + (xa**2).sum() + (xb**2).sum() - 2 * root

    total = 0
    for x, y in ((a, b), (b, a)):
        moves = [(at(x, y, i, 1e-5) - at(x, y, i, -1e-5)) / 2e-5 for i in range(len(x))]
        total += np.var(moves, ddof=1) / len(x)
    return total


def inception_score(logits):
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    kl = (p * np.log(p / p.mean(0))).sum(1)
    return np.exp(kl.mean()), kl.std(ddof=1) / np.sqrt(len(kl))


def clusters(x, shots):
    """Nearest shot of each row; mean distance of all pairs of each cluster; their mean; its error as a
    mean over pairs has it, from the means of each row's pairs."""
    squared = euclidean_distances(x, squared=True)
    nearest = euclidean_distances(x, shots, squared=True).argmin(1)
    means, variance = [], 0
    for k in range(len(shots)):
        part = squared[np.ix_(nearest == k, nearest == k)]
        n = len(part)
        means.append(part[np.triu_indices(n, 1)].mean())
        variance += 4 * np.var(part.sum(1) / (n - 1), ddof=1) / n
    return nearest, means, np.mean(means), np.sqrt(variance) / len(shots)


def kernel_distance(a, b):
    """As torch-fidelity's polynomial_mmd."""

    def k(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x):
        m = k(x, x)
        return (m.sum() - np.trace(m)) / (len(x) * (len(x) - 1))

    return within(a) + within(b) - 2 * k(a, b).mean()


def two_sample_accuracy(a, b):
    n = min(len(a), len(b))
    a, b = (g[np.arange(n) * len(g) // n] for g in (a, b))
    x, y = np.vstack([a, b]), np.repeat([0, 1], n)
    hits = [
        KNeighborsClassifier(1).fit(np.delete(x, i, 0), np.delete(y, i)).predict(x[i : i + 1]) == y[i]
        for i in range(2 * n)
    ]
    return float(np.mean(hits))


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures/embedding"
    a, b = groups()
    x = np.vstack([a, b])
    y = np.round(np.random.default_rng(9).normal(size=(len(x), 2)) * 64) / 64
    exact, near = affinities(x)
    kl, grad = gradient(y, exact)
    pca = PCA(3, svd_solver="full").fit(x)
    wide = np.hstack([a[:9], a[9:18]]), np.hstack([b[:9], b[9:18]])
    score, score_error = inception_score(a)
    nearest, distances, diversity, diversity_error = clusters(a, b[:3])
    settings = dict(perplexity=PERPLEXITY, init="pca", method="exact", max_iter=1000)
    tsne = TSNE(n_components=2, **settings, n_iter_without_progress=1000, min_grad_norm=1e-12).fit(x)
    expected = {
        "a": a.tolist(),
        "b": b.tolist(),
        "y": y.tolist(),
        "p": exact[np.triu_indices(len(x), 1)].tolist(),
        "p_near": near[np.triu_indices(len(x), 1)].tolist(),
        "kl": kl,
        "gradient": grad.tolist(),
        "pca": pca.transform(x).tolist(),
        "pca_variances": pca.explained_variance_.tolist(),
        "steps": first_steps(x, exact).tolist(),
        "tsne_kl": tsne.kl_divergence_,
        "trustworthiness": trustworthiness(x, y, n_neighbors=5),
        "frechet": frechet(a, b),
        "frechet_wide": frechet(*wide),
        "frechet_variance": frechet_variance(a, b),
        "frechet_wide_variance": frechet_variance(*wide),
        "inception_score": score,
        "inception_error": score_error,
        "cluster_nearest": nearest.tolist(),
        "cluster_distances": distances,
        "cluster_diversity": diversity,
        "cluster_error": diversity_error,
        "kernel_distance": kernel_distance(a, b),
        "two_sample_accuracy": two_sample_accuracy(a, b),
    }
    out.mkdir(parents=True, exist_ok=True)
    lines = [f'"{key}":{json.dumps(value, separators=(",", ":"))}' for key, value in expected.items()]
    (out / "expected.json").write_text("{" + ",\n".join(lines) + "}\n")


main()
