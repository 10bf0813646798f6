"""The connection to KFP: tokens that are renewed, certificates, and what is never sent."""

import ssl
from pathlib import Path

import pytest
import trustme
from kfp_server import Kfp, serve

from components.common.base.errors import WorkError
from programs.submit.connection import Connection
from programs.submit.target import Place


@pytest.fixture(autouse=True)
def no_secrets_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MUSHROOM_KFP_TOKEN", "MUSHROOM_KFP_COOKIE", "KF_PIPELINES_SA_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


def look(connection: Connection) -> None:
    connection.call("look", connection.api.runs.run_service_list_runs)


def test_renewed_token_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    with serve(Kfp(token="first")) as kfp:
        connection = Connection(Place(host=kfp.address, token_file=str(file)))
        kfp.token = "second"
        file.write_text("second\n")
        look(connection)
        assert kfp.headers[-1]["authorization"] == "Bearer second"


def test_cookie_goes_along(tmp_path: Path) -> None:
    (tmp_path / "cookie").write_text("authservice_session=abc")
    with serve(Kfp()) as kfp:
        Connection(Place(host=kfp.address, cookie_file=str(tmp_path / "cookie")))
        assert kfp.headers[0]["cookie"] == "authservice_session=abc"
        assert "authorization" not in kfp.headers[0]


def test_certificate_is_checked_against_the_authority_that_is_named(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serve(Kfp(), context) as kfp:
        look(Connection(Place(host=kfp.address, ca_file=str(tmp_path / "ca.pem"))))
        with pytest.raises(WorkError, match="--ca_file"):
            Connection(Place(host=kfp.address))


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("canary")
    with serve(Kfp(token="canary")) as kfp:
        connection = Connection(Place(host=kfp.address, token_file=str(tmp_path / "token")))
        assert "canary" not in repr(connection.place) + repr(connection)
