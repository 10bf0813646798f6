"""Which dangerous classes are named beside an answer, and which mistake is a dangerous one."""

import numpy as np
import pytest
from danger_items import DANGEROUS_CLASSES, FACTS, sure_of

from components.common.dataset.class_facts import EDIBILITIES, ClassFacts
from components.common.dataset.dangers import NAMED_ABOVE, is_confusion, possible


@pytest.mark.parametrize("predicted", EDIBILITIES)
@pytest.mark.parametrize("true", EDIBILITIES)
def test_only_a_dangerous_class_taken_for_an_edible_one_is_a_dangerous_confusion(
    true: str, predicted: str
) -> None:
    facts = ClassFacts(edibility={"true": true, "predicted": predicted})
    dangerous = true in ("deadly", "poisonous") and predicted == "edible"
    assert is_confusion("true", "predicted", facts) == dangerous
    assert not is_confusion("true", "predicted", facts, unknown=True)


@pytest.mark.parametrize("edibility", EDIBILITIES)
@pytest.mark.parametrize(
    ("share", "named"), [(0.0, False), (NAMED_ABOVE, False), (0.0051, True), (0.3, True)]
)
def test_dangerous_class_is_named_above_the_stated_probability(
    edibility: str, share: float, named: bool
) -> None:
    facts = ClassFacts(edibility={"other": edibility})
    found = possible((1 - share, share), ("answer", "other"), facts)
    if named and edibility in ("deadly", "poisonous"):
        (danger,) = found
        assert (danger.label, danger.edibility, danger.probability) == ("other", edibility, share)
    else:
        assert found == ()


def test_likeliest_class_is_named_however_small_its_probability() -> None:
    classes = tuple(str(place) for place in range(1000))
    facts = ClassFacts(edibility=dict.fromkeys(classes, "poisonous"))
    shares = np.full(1000, 0.000999)
    shares[7] = 1 - 0.000999 * 999
    assert [danger.label for danger in possible(shares.tolist(), classes, facts)] == ["7"]


def test_deadly_classes_come_first_then_the_likelier() -> None:
    shares = sure_of("fly agaric", ("death cap", 0.02), ("champignon", 0.3))
    found = possible(shares, DANGEROUS_CLASSES, FACTS)
    assert [danger.label for danger in found] == ["death cap", "fly agaric"]


def test_probability_that_passes_1_by_rounding_is_1() -> None:
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    (danger,) = possible((above,), ("death cap",), FACTS)
    assert danger.probability == 1


def test_without_stated_edibility_nothing_is_dangerous() -> None:
    assert possible((0.5, 0.5), ("death cap", "champignon"), ClassFacts()) == ()
