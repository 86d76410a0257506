"""The nodes that a command line or the configuration names: one, or several that stand in for each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from chain.networks import Network
from chain.provider_pool import ProviderPool
from chain.providers import Node, Provider
from core.errors import InputError
from core.settings import HttpUrl, Web3Settings, WsUrl
from pipeline.discovery_plan import check_chain_id


def http_urls(texts: Sequence[str], web3: Web3Settings) -> tuple[str, ...]:
    """Return the addresses that were given, or the configured ones.

    Raises
    ------
    InputError
        If one is no HTTP address.
    """
    if not texts:
        return (web3.http_url, *web3.fallback_http_urls)
    try:
        urls = TypeAdapter(tuple[HttpUrl, ...]).validate_python(tuple(texts))
    except ValidationError:
        # what was given may hold a key, so it is not repeated
        raise InputError("--rpc is no HTTP address; it starts with http:// or https://") from None
    return tuple(map(checked_url, urls))


def checked_url(text: str) -> str:
    """Return an HTTP or WebSocket address that names a host, and a port if any.

    Raises
    ------
    InputError
        If it does not; the message does not repeat it, since it may hold a key.

    Examples
    --------
    >>> checked_url("ws://[::1]:8546")
    'ws://[::1]:8546'
    """
    try:
        url = TypeAdapter(HttpUrl | WsUrl).validate_python(text)
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            raise ValueError("no host or no port")
    except ValueError:
        raise InputError(
            "--rpc is no address of a node; write it as http://host:8545 or ws://host:8546, with a port "
            "up to 65535"
        ) from None
    return url


@asynccontextmanager
async def open_nodes(urls: Sequence[str], network: Network, timeout_seconds: float) -> AsyncIterator[Node]:
    """Open one node, or several as one that moves on when a node fails.

    Parameters
    ----------
    urls
        HTTP addresses, the preferred one first.
    network
        Chain that they must be of.
    timeout_seconds
        Longest wait for one answer.

    Raises
    ------
    InputError
        If the only node is of another chain.
    RpcError
        If no node answers.
    """
    if len(urls) == 1:
        async with Provider(urls[0], timeout_seconds=timeout_seconds) as node:
            await check_chain_id(node, network)
            yield node
        return
    providers = [Provider(url, timeout_seconds=timeout_seconds, attempts=2) for url in urls]
    async with ProviderPool(providers, chain_id=network.chain_id) as pool:
        await check_chain_id(pool, network)
        yield pool
