"""The peers of `benchmarks.cleaning`, each run by the Python of its own virtual environment.

Prints JSON on the last line: for CleanVision the issues of each file and groups of duplicates, for
imagededup the duplicates of each file by method, for cleanlab the rows that it takes for wrong.
"""

import json
import sys
import types
from pathlib import Path


def cleanvision_files(folder: str) -> dict[str, object]:
    """Files that its reader cannot read. Its whole run ends with a traceback at the first one."""
    from cleanvision import Imagelab

    dataset = Imagelab(data_path=folder)._dataset
    unreadable = {path.name for path in Path(folder).iterdir()} - {
        Path(index).name for index in dataset.index
    }
    for index in dataset.index:
        try:
            readable = dataset[index] is not None
        except Exception:
            readable = False
        if not readable:
            unreadable.add(Path(index).name)
    return {"unreadable": sorted(unreadable)}


def cleanvision(folder: str) -> dict[str, object]:
    """Issues by file name, and pairs of duplicates."""
    from cleanvision import Imagelab

    lab = Imagelab(data_path=folder)
    lab.find_issues(n_jobs=2)
    issues = {
        Path(index).name: [
            name.removeprefix("is_").removesuffix("_issue")
            for name, value in row.items()
            if name.startswith("is_") and value is True
        ]
        for index, row in lab.issues.iterrows()
    }
    sets = [
        [Path(path).name for path in group]
        for kind in ("exact_duplicates", "near_duplicates")
        for group in lab.info.get(kind, {}).get("sets", [])
    ]
    pairs = [[a, b] for group in sets for a in group for b in group if a < b]
    return {"issues": issues, "pairs": pairs}


def imagededup(folder: str) -> dict[str, object]:
    """For each hashing method: pairs of duplicates, and files without a hash."""
    # Its CNN fetches weights as soon as it is imported; only the hashing methods are compared.
    cnn = types.ModuleType("imagededup.methods.cnn")
    cnn.CNN = None  # type: ignore[attr-defined]
    sys.modules[cnn.__name__] = cnn
    from imagededup import methods

    names = {path.name for path in Path(folder).iterdir()}
    found: dict[str, object] = {}
    for name in ("PHash", "DHash", "AHash", "WHash"):
        hasher = getattr(methods, name)(verbose=False)
        encodings = hasher.encode_images(image_dir=folder)
        hashes = {key: value for key, value in encodings.items() if value}
        duplicates = hasher.find_duplicates(encoding_map=hashes, max_distance_threshold=10)
        pairs = [[a, b] for a, others in duplicates.items() for b in others if a < b]
        found[name] = {"pairs": pairs, "unreadable": sorted(names - set(hashes))}
    return found


def cleanlab(file: str) -> dict[str, object]:
    """Rows whose label looks wrong, by 5-fold logistic regression on the same features."""
    import numpy as np
    from cleanlab.filter import find_label_issues
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with np.load(file) as given:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=1000))
        chances = cross_val_predict(
            model, given["features"], given["labels"], cv=5, method="predict_proba"
        )
        found = find_label_issues(given["labels"], chances, n_jobs=1)
    return {"rows": np.flatnonzero(found).tolist()}


PEERS = {
    "cleanvision": cleanvision,
    "cleanvision-files": cleanvision_files,
    "imagededup": imagededup,
    "cleanlab": cleanlab,
}


def main() -> None:
    """`cleaning_peers.py PEER PATH`."""
    name, place = sys.argv[1:]
    print("\n" + json.dumps(PEERS[name](place)))


if __name__ == "__main__":
    main()
