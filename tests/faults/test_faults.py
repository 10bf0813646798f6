import pytest
from faults.faults import VARIABLE, cases, thorough


def test_few_cases_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert (thorough(), cases(3, 20)) == (False, 3)
    monkeypatch.setenv(VARIABLE, "full")
    assert (thorough(), cases(3, 20)) == (True, 20)


def test_misspelt_variable_is_not_taken_for_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "ful")
    with pytest.raises(ValueError, match="expected 'full'"):
        cases(3, 20)
