"""Licences as sources write them."""

import pytest

from components.common.base.errors import InputError
from components.common.dataset.licences import (
    IMAGENET_TERMS,
    Licence,
    check_licences,
    is_non_commercial,
    parse,
)


@pytest.mark.parametrize(
    ("text", "spdx", "name"),
    [
        # iNaturalist
        ("cc0", "CC0-1.0", "CC0 1.0"),
        ("cc-by", "CC-BY", "CC BY"),
        ("cc-by-nc-sa", "CC-BY-NC-SA", "CC BY-NC-SA"),
        ("cc-by-nd", "CC-BY-ND", "CC BY-ND"),
        # GBIF
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0", "CC BY 4.0"),
        (
            "https://creativecommons.org/licenses/by-nc/4.0/legalcode",
            "CC-BY-NC-4.0",
            "CC BY-NC 4.0",
        ),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0", "CC0 1.0"),
        ("CC BY-NC-ND 4.0 International", "CC-BY-NC-ND-4.0", "CC BY-NC-ND 4.0"),
        ("CC BY 3.0 Unported", "CC-BY-3.0", "CC BY 3.0"),
        ("CC0 1.0 Universal", "CC0-1.0", "CC0 1.0"),
        ("CC_BY_NC_4_0", "CC-BY-NC-4.0", "CC BY-NC 4.0"),
        ("CC-BY-SA-4.0", "CC-BY-SA-4.0", "CC BY-SA 4.0"),
        # Commons
        ("CC BY-SA 3.0 de", "CC-BY-SA-3.0-DE", "CC BY-SA 3.0 DE"),
        ("https://creativecommons.org/licenses/by/2.5/es/deed.en", "CC-BY-2.5-ES", "CC BY 2.5 ES"),
        ("Public domain", "CC-PDM-1.0", "Public domain 1.0"),
        ("CC0", "CC0-1.0", "CC0 1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0", "Public domain 1.0"),
    ],
)
def test_licence_is_read_and_written_as_spdx(text: str, spdx: str, name: str) -> None:
    licence = parse(text)
    assert licence is not None
    assert (licence.spdx, licence.name) == (spdx, name)
    assert parse(licence.spdx) == licence  # what the manifest says can be read again


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GFDL",
        "© all rights reserved",
        "not cc-by",
        "CC BY or ask me",
        "cc-by-xx",
        "All rights reserved",
        "some rights reserved (CC BY-NC)",
        "https://creativecommons.org/about/",
        # Which of the two holds for the photo is not said.
        "Text: https://creativecommons.org/licenses/by/4.0/ "
        "photos: https://creativecommons.org/licenses/by-nc-nd/4.0/",
        "https://creativecommons.org/licenses/sampling+/1.0/",
        "Copyrighted free use",
    ],
)
def test_what_is_no_known_licence_is_none(text: str) -> None:
    assert parse(text) is None


def test_same_page_named_twice_is_one_licence() -> None:
    deed = "https://creativecommons.org/licenses/by/4.0/"
    assert parse(f"{deed} ({deed}legalcode)") == Licence("cc-by", "4.0")


def test_licence_has_its_page() -> None:
    pages = {
        "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
        "CC-BY-SA-3.0-DE": "https://creativecommons.org/licenses/by-sa/3.0/de/",
        "CC0": "https://creativecommons.org/publicdomain/zero/1.0/",
        "Public domain": "https://creativecommons.org/publicdomain/mark/1.0/",
        "cc-by": "",  # which version is not known
    }
    assert {text: getattr(parse(text), "url", None) for text in pages} == pages


def test_licences_that_are_asked_for() -> None:
    assert check_licences("cc0, CC-BY,cc-by-nc") == {"cc0", "pdm", "cc-by", "cc-by-nc"}
    assert check_licences("cc-by") == {"cc-by"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cc-by-nd", "forbids derivatives"),
        ("cc0,cc-by-nc-nd", "forbids derivatives"),
        ("gfdl", "'gfdl' is not one of cc0"),
        ("", "names none"),
        (" , ", "names none"),
    ],
)
def test_senseless_licences_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_licences(text)


def test_non_commercial_is_told() -> None:
    texts = ["CC-BY-NC-4.0", "cc-by-nc-sa", IMAGENET_TERMS, "CC-BY-4.0", "CC0-1.0", "", "mine"]
    assert [is_non_commercial(text) for text in texts] == [True] * 3 + [False] * 4
