"""What an address must not tell is taken out of it, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.base.errors import InputError
from components.common.untrusted.redact import (
    check_no_secret,
    text_without_secrets,
    without_secrets,
)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "class/1.jpg",
        "s3://bucket/key with spaces?x",
        "https://example.org/1.jpg?size=large&&b=%2F&expires=3#part",
        "https://example.org/?key=photos/1.jpg",
        "https://example.org/?key=short",
        "https://example.org/a@b/c?next=x@y",
        "http://[::1]:8080/a@b",
        "https://example.org:443/x",
        "https://example.org/?u=https%3A%2F%2Fexample.net%2F1.jpg",
        "https://[broken",
    ],
)
def test_address_without_a_secret_stays_letter_by_letter(url: str) -> None:
    assert without_secrets(url) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://me:pass@h/1", "https://h/1"),
        ("https://token@h/1", "https://h/1"),
        ("https://me:p@ss@h/1", "https://h/1"),
        ("https://me:p/ss@h/1", "https://h/1"),  # no valid address, but a password
        ("https://me:p?ss@h/1", "https://h/1"),
        ("https://@::?@", "https://"),  # without its user there is another one
        ("//me:pass@h/1", "//h/1"),
        ("https://h/1?X-Amz-Algorithm=a&X-Amz-Signature=b&a=1", "https://h/1?a=1"),
        ("https://h/1?a=1&x-goog-signature=b", "https://h/1?a=1"),
        ("https://h/1?X%2DAmz%2DSecurity%2DToken=b", "https://h/1"),
        ("https://h/1?sv=2024&sig=b%2Fc;access_token=d;a=1", "https://h/1?sv=2024;a=1"),
        ("https://h/1?Expires=3&Signature=b&Key-Pair-Id=c&Policy=d", "https://h/1?Expires=3"),
        ("https://h/1?key=AIzaSyA-1234567890_abcdefghijk", "https://h/1"),
        ("https://h/1#access_token=d", "https://h/1"),
        ("https://h/?u=https%3A%2F%2Fn%2F1%3Fsig%3Db%26a%3D1&c", "https://h/?u=https%3A%2F%2Fn%2F1%3Fa%3D1&c"),
    ],
)  # fmt: skip
def test_secret_is_taken_out_of_an_address(url: str, expected: str) -> None:
    assert without_secrets(url) == expected


@given(st.text("ab:/?#@[]&;=%sig", max_size=30))
def test_any_text_comes_to_an_end_that_stays(text: str) -> None:
    once = without_secrets(f"https://{text}")
    assert without_secrets(once) == once


def test_addresses_within_a_message_lose_their_secrets() -> None:
    text = "GET https://me:pass@h/simple/: 401 (see 'https://h/1?sig=b')"
    assert text_without_secrets(text) == "GET https://h/simple/: 401 (see 'https://h/1')"


def test_option_with_a_secret_is_refused_without_repeating_it() -> None:
    check_no_secret("url_list", "https://h/list.csv?version=2")
    with pytest.raises(InputError, match="--url_list has a password") as caught:
        check_no_secret("url_list", "https://h/list.csv?X-Amz-Signature=canary")
    assert "canary" not in str(caught.value)
