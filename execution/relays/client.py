"""Talk to relays: sign the exact bytes, read every shape of error, ask all relays at once.

A bundle lands only if the builder that wins the slot has it, so it goes to every relay in
parallel, and one relay that fails never holds up or hides the others.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from chain.signers import HEADER, FlashbotsIdentity
from core.errors import RelayError
from execution.bundle import to_params
from execution.command import Bundle
from execution.relays.wire import nests_too_deeply


@dataclass(frozen=True, slots=True)
class TransactionCall:
    """What one transaction of a simulated bundle did.

    Parameters
    ----------
    transaction_hash
        Which one.
    gas_used
        Gas.
    coinbase_payment
        Wei that the fee recipient gained, by fee and by transfer.
    error
        Empty if it succeeded, else why it failed, as the relay words it.
    """

    transaction_hash: bytes
    gas_used: int
    coinbase_payment: int
    error: str


@dataclass(frozen=True, slots=True)
class BundleCall:
    """Answer of ``eth_callBundle``.

    Parameters
    ----------
    bundle_hash
        Name of the bundle.
    gas_used
        Gas of all transactions.
    coinbase_payment
        Wei that the fee recipient gained, by fees and by transfers.
    transactions
        One by one, in order.
    """

    bundle_hash: bytes
    gas_used: int
    coinbase_payment: int
    transactions: tuple[TransactionCall, ...]

    @property
    def ok(self) -> bool:
        """Whether no transaction failed."""
        return not any(transaction.error for transaction in self.transactions)


class RelayClient:
    """One relay.

    Parameters
    ----------
    url
        Where it listens.
    identity
        Key that signs requests; reputation hangs on it, funds must not.
    http
        Connections and time-outs; shared between clients, closed by its owner.
    name
        How logs and results call it; the host unless given.
    """

    def __init__(
        self, url: str, identity: FlashbotsIdentity, http: httpx.AsyncClient, name: str = ""
    ) -> None:
        self.url = url
        self.name = name or httpx.URL(url).host
        self._identity = identity
        self._http = http

    async def send_bundle(self, bundle: Bundle, replacement_uuid: str | None = None) -> bytes:
        """Send a bundle for its target block and return its hash.

        Raises
        ------
        RelayError
            If the relay refuses, does not answer, or confirms another bundle.
        """
        result = await self._call("eth_sendBundle", to_params(bundle, replacement_uuid))
        return self._confirmed(result, bundle)

    async def call_bundle(self, bundle: Bundle) -> BundleCall:
        """Ask the relay what the bundle would do on the latest state.

        Raises
        ------
        RelayError
            If the relay refuses or does not answer.
        """
        params = to_params(bundle) | {"stateBlockNumber": "latest"}
        result = await self._call("eth_callBundle", params)
        try:
            return BundleCall(
                bundle_hash=self._confirmed(result, bundle),
                gas_used=int(result["totalGasUsed"]),
                coinbase_payment=int(result["coinbaseDiff"]),
                transactions=tuple(_transaction_call(entry) for entry in result["results"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._error("answered eth_callBundle in another shape", message=str(error)) from error

    async def cancel_bundle(self, replacement_uuid: str) -> None:
        """Withdraw the bundle sent under this name by this identity; best effort by nature.

        Raises
        ------
        RelayError
            If the relay refuses or does not answer.
        """
        await self._call("eth_cancelBundle", {"replacementUuid": replacement_uuid})

    async def send_private_transaction(self, raw: bytes, max_block: int) -> bytes:
        """Send one transaction past the public mempool, valid up to a block; return its hash.

        Raises
        ------
        RelayError
            If the relay refuses or does not answer.
        """
        params = {"tx": "0x" + raw.hex(), "maxBlockNumber": hex(max_block)}
        result = await self._call("eth_sendPrivateTransaction", params)
        try:
            return bytes.fromhex(result[2:])
        except (TypeError, ValueError) as error:
            raise self._error("answered with something that is no hash", message=str(result)) from error

    def _confirmed(self, result: Any, bundle: Bundle) -> bytes:
        confirmed = result.get("bundleHash") if isinstance(result, dict) else None
        if confirmed != "0x" + bundle.bundle_hash.hex():
            raise self._error(
                "confirmed another bundle than was sent; do not rely on it", message=str(confirmed)
            )
        return bundle.bundle_hash

    async def _call(self, method: str, params: dict[str, Any]) -> Any:
        # serialised once: the signature is over these bytes, and these bytes are sent
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": [params]}).encode()
        headers = {"Content-Type": "application/json", HEADER: self._identity.header(body)}
        try:
            response = await self._http.post(self.url, content=body, headers=headers)
        except httpx.HTTPError as error:
            words = str(error) or type(error).__name__
            raise self._error("did not answer; check its URL and the network", message=words) from error
        return self._read(response)

    def _read(self, response: httpx.Response) -> Any:
        """Take the result out of an answer; relays word errors in three ways, results in two."""
        try:
            content = None if nests_too_deeply(response.content) else response.json()
        except ValueError:
            content = None
        if isinstance(content, dict) and content.get("error"):
            raise self._refused(response.status_code, content["error"])
        if response.status_code != httpx.codes.OK or not isinstance(content, dict):
            raise self._refused(response.status_code, response.text.strip()[:500])
        return content.get("result", content)

    def _refused(self, status: int, error: Any) -> RelayError:
        code, message, data = None, str(error), None
        if isinstance(error, dict):
            code, message, data = error.get("code"), str(error.get("message", error)), error.get("data")
        reason = data.get("reason") if isinstance(data, dict) else None
        return self._error(f"refused: {message}", status=status, code=code, message=message, reason=reason)

    def _error(
        self,
        text: str,
        *,
        message: str,
        status: int | None = None,
        code: int | None = None,
        reason: str | None = None,
    ) -> RelayError:
        return RelayError(
            f"relay {self.name} {text}",
            relay=self.name,
            status=status,
            code=code,
            message=message,
            reason=reason,
        )


def _transaction_call(entry: dict[str, Any]) -> TransactionCall:
    return TransactionCall(
        transaction_hash=bytes.fromhex(entry["txHash"][2:]),
        gas_used=int(entry["gasUsed"]),
        coinbase_payment=int(entry["coinbaseDiff"]),
        error=str(entry.get("revert") or entry.get("error") or ""),
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """What one relay said to a bundle; ``error`` is ``None`` if it took it."""

    relay: str
    error: RelayError | None


class BundleSender:
    """Several relays as one.

    Parameters
    ----------
    relays
        At least one; results keep this order.
    """

    def __init__(self, relays: Sequence[RelayClient]) -> None:
        self._relays = tuple(relays)

    async def send(self, bundle: Bundle, replacement_uuid: str | None = None) -> tuple[Sent, ...]:
        """Send to every relay at once and return what each one said; no relay's failure is raised."""
        return tuple(
            await asyncio.gather(*(self._send(relay, bundle, replacement_uuid) for relay in self._relays))
        )

    async def _send(self, relay: RelayClient, bundle: Bundle, replacement_uuid: str | None) -> Sent:
        try:
            await relay.send_bundle(bundle, replacement_uuid)
        except RelayError as error:
            return Sent(relay.name, error)
        return Sent(relay.name, None)
