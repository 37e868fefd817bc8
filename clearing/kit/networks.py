"""Networks of addresses, as text: `203.0.113.0/24`, `2001:db8::/32`, `198.51.100.7` (one address)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def canonical_network(text: str) -> str:
    """The one way in which we write this network. Raises ValueError, in words, if it is none."""
    try:
        return str(ip_network(text))
    except ValueError:
        pass
    try:
        wider = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            "must be an address or a network, such as 198.51.100.7, 203.0.113.0/24 or 2001:db8::/32"
        ) from None
    raise ValueError(f"has bits behind its prefix: did you mean {wider}?")


def address_of(text: str) -> Address | None:
    """The address; None if the text is none. An IPv4 address that arrives in IPv6 (`::ffff:198.51.100.7`) is the IPv4 address."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def neighbourhood(text: str) -> str:
    """What an address is counted by: itself; of IPv6 its /64, which is the least that anybody is given."""
    address = address_of(text)
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address or text)


def is_inside(text: str, networks: Iterable[str]) -> bool:
    """Whether the address is in one of the networks. A text that is no address is in none."""
    address = address_of(text)
    return address is not None and any(address in _parsed(network) for network in networks)


def first_outside(networks: Sequence[str], allowed: Iterable[str]) -> int | None:
    """The place of the first network that is not wholly within the allowed ones; None if they all are."""
    wide = _collapsed(allowed)
    return next((place for place, one in enumerate(networks) if not _is_within(_parsed(one), wide)), None)


def _is_within(network: Network, wide: Sequence[Network]) -> bool:
    return any(
        isinstance(network, IPv4Network) == isinstance(one, IPv4Network) and network.subnet_of(one)  # type: ignore[arg-type]
        for one in wide
    )


def _collapsed(networks: Iterable[str]) -> list[Network]:
    """The same addresses in as few networks as possible: what lies in two neighbours lies in the one that they make."""
    parsed = [_parsed(one) for one in networks]
    fours = [one for one in parsed if isinstance(one, IPv4Network)]
    sixes = [one for one in parsed if isinstance(one, IPv6Network)]
    return [*collapse_addresses(fours), *collapse_addresses(sixes)]


@lru_cache(maxsize=4_096)
def _parsed(network: str) -> Network:
    return ip_network(network)
