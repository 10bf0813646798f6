"""Which addresses are public, and what a name may resolve to."""

import time

import pytest

from components.common.web import addresses
from components.common.web.addresses import RefusedAddress, check_addresses, is_public, resolve


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",  # carrier-grade NAT
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",  # metadata services of clouds
        "172.16.0.1",
        "192.0.2.1",  # documentation
        "192.168.1.1",
        "198.18.0.1",  # benchmarking
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "2001:0:7f00:1::1",  # Teredo
        "2001:db8::1",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "fec0::1",  # site-local, as it was once
        "4000::1",  # not given out yet
        "::ffff:0:127.0.0.1",  # SIIT
        "192.0.0.9",  # protocol assignments
        "192.88.99.1",  # relays of 6to4
        "168.63.129.16",  # the host of Azure's machines
        "100.100.100.200",  # metadata service of Alibaba
        "2001:470:1f0b::5efe:7f00:1",  # ISATAP of 127.0.0.1
        "2606:4700::200:5efe:10.0.0.1",
        "3fff::1",  # documentation
        "5f00::1",  # segment routing
        "64:ff9b:1::a9fe:a9fe",  # NAT64 within a network
    ],
)
def test_address_within_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::5db8:d822"),
        *("::ffff:8.8.8.8", "168.63.129.17", "2606:4700::200:5efe:8.8.8.8"),
    ],
)
def test_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


def test_one_address_that_is_not_public_spoils_the_name() -> None:
    check_addresses("a.example", ["93.184.216.34", "8.8.8.8"], ())
    with pytest.raises(RefusedAddress, match=r"a\.example is at 10\.0\.0\.1, which is not"):
        check_addresses("a.example", ["93.184.216.34", "10.0.0.1"], ())


def test_host_is_allowed_by_the_name_that_the_address_writes() -> None:
    check_addresses("Minio.internal", ["10.0.0.1"], {"minio.internal"})
    with pytest.raises(RefusedAddress):
        check_addresses("10.0.0.1", ["10.0.0.1"], {"minio.internal"})


def test_silent_name_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *a, **k: time.sleep(1) or [])
    with pytest.raises(TimeoutError, match="name server"):
        resolve("slow.example", 80, timeout_s=0.2)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 70 + ".example", "."])
def test_name_that_cannot_be_is_an_os_error(host: str) -> None:
    with pytest.raises(OSError, match=r".+"):
        resolve(host, 80)
