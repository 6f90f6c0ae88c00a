"""A secret is shown by nothing but `reveal`."""

from __future__ import annotations

import copy
import logging
import pickle

import pytest

from cxfs.credentials import AccessToken, ClientSecret, SignIn

SECRET = "s3cr3t-t0ken"


def test_a_token_shows_itself_to_reveal_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever prints, formats or logs it prints no secret."""
    token = AccessToken(SECRET)
    logging.getLogger("test").warning("%s %r", token, token)

    shown = [str(token), repr(token), f"{token}", f"{token!r}", str([token]), str({"token": token}), caplog.text]

    assert [text for text in shown if SECRET in text] == []
    assert token.reveal() == SECRET


def test_a_token_is_not_pickled() -> None:
    """A pickle is a file with the secret in it."""
    with pytest.raises(TypeError):
        pickle.dumps(AccessToken(SECRET))


def test_tokens_are_equal_by_what_they_hold() -> None:
    """A running mount compares a new one with its own."""
    assert AccessToken(SECRET) == AccessToken(SECRET)
    assert AccessToken(SECRET) != AccessToken("another")
    assert AccessToken(SECRET) != SECRET


def test_a_token_is_not_copied_either() -> None:
    """Copying goes the way of pickling."""
    with pytest.raises(TypeError):
        copy.copy(AccessToken(SECRET))


def test_kinds_of_secrets_are_not_each_other() -> None:
    """A client secret in the place of a token would be sent in a URL."""
    assert ClientSecret(SECRET) != AccessToken(SECRET)


def test_a_sign_in_hides_its_secrets() -> None:
    """It is a dataclass, whose repr shows every field."""
    sign_in = SignIn(AccessToken(SECRET), "https://cx", "id", "ann", 1, "app", ClientSecret("of-the-app"))

    assert SECRET not in repr(sign_in)
    assert "of-the-app" not in repr(sign_in)
