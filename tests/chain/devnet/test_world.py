"""The world is the same on both backends, deep, and where Ethereum has it."""

from __future__ import annotations

import pickle

import pytest
from eth_account import Account
from eth_utils import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.devnet import flow
from chain.devnet.accounts import dev_account
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import Backend, PyrevmBackend
from chain.devnet.calldata import decode_result, encode_call
from chain.devnet.world import World, balance_of, build_world, fund
from core.errors import DevnetError

MAINNET_POOLS = {
    ("uniswap_v2", "WETH", "USDC", 3000): "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc",
    ("uniswap_v2", "WETH", "DAI", 3000): "0xA478c2975Ab1Ea89e8196811F51A7B7Ade33eB11",
    ("uniswap_v2", "WETH", "WBTC", 3000): "0xBb2b8038a1640196FbE3e38816F3e67Cba72D940",
    ("uniswap_v3", "WETH", "USDC", 500): "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640",
    ("uniswap_v3", "WETH", "USDC", 3000): "0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8",
    ("uniswap_v3", "WETH", "WBTC", 3000): "0xCBCdF9626bC03E24f779434178A73a0B4bad62eD",
    ("uniswap_v3", "WETH", "DAI", 3000): "0xC2e9F25Be6257c210d7Adf0D4Cd6E3E881ba25f8",
}
SLOT0 = "uint160,int24,uint16,uint16,uint16,uint8,bool"
ETHER = 10**18


def read(backend: Backend, to: str, signature: str, types: str, *arguments: object) -> tuple:
    return decode_result(types, backend.call(to, encode_call(signature, *arguments)))


def pool_state(backend: Backend, world: World) -> dict[str, object]:
    state: dict[str, object] = {}
    for pool in world.pools:
        if pool.family == "uniswap_v2":
            state[pool.pool_id] = read(backend, pool.address, "getReserves()", "uint112,uint112,uint32")
        elif pool.family == "uniswap_v3":
            slot0 = read(backend, pool.address, "slot0()", SLOT0)
            state[pool.pool_id] = (slot0, read(backend, pool.address, "liquidity()", "uint128"))
        else:
            identity = bytes.fromhex(pool.pool_id[2:])
            types = "address[],uint256[],uint256"
            state[pool.pool_id] = read(backend, pool.address, "getPoolTokens(bytes32)", types, identity)
    return state


def test_both_backends_build_the_same_world(devnet, pyrevm_world):
    process, world = pyrevm_world
    assert world == devnet.world
    assert pool_state(process, world) == pool_state(devnet.backend, world)
    contracts = {pool.address for pool in world.pools} | {world.vault, world.weth, world.flow_trader}
    contracts |= {world.fees_collector, world.v3_factory, *world.v2_factories.values()}
    contracts |= {token.address for token in world.tokens.values()}
    for address in contracts:
        assert process.get_code(address) == devnet.backend.get_code(address) != b""
        slots = range(12)
        assert [process.get_storage(address, slot) for slot in slots] == [
            devnet.backend.get_storage(address, slot) for slot in slots
        ]


@pytest.mark.parametrize("key", MAINNET_POOLS, ids=lambda key: "-".join(map(str, key)))
def test_pools_stand_where_ethereum_has_them(pyrevm_world, key):
    _, world = pyrevm_world
    assert world.pool(*key).address == MAINNET_POOLS[key].lower()


def test_init_code_hashes_are_the_published_ones():
    hashes = [keccak(load_artifact(name).bytecode).hex() for name in ("UniswapV2Pair", "UniswapV3Pool")]
    assert hashes == [
        "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f",
        "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54",
    ]


def test_prices_agree_over_all_pools(pyrevm_world):
    backend, world = pyrevm_world
    worth = {world.tokens[s].address: u for s, u in {"WETH": ETHER, "DAI": 2000 * 10**18}.items()}
    worth |= {world.tokens["USDC"].address: 2000 * 10**6, world.tokens["WBTC"].address: 5 * 10**6}
    for pool in world.pools:
        first, second = (worth[token] for token in pool.tokens)
        if pool.family == "uniswap_v2":
            reserves = read(backend, pool.address, "getReserves()", "uint112,uint112,uint32")
            assert reserves[0] * second == reserves[1] * first
        elif pool.family == "uniswap_v3":
            root, _ = read(backend, pool.address, "slot0()", SLOT0)[:2]
            assert root**2 / 2**192 == pytest.approx(second / first, rel=1e-9)
        else:
            identity = bytes.fromhex(pool.pool_id[2:])
            _, balances, _ = read(
                backend, pool.address, "getPoolTokens(bytes32)", "address[],uint256[],uint256", identity
            )
            shares = [balance / weight for balance, weight in zip(balances, pool.weights, strict=True)]
            assert shares[1] / shares[0] == pytest.approx(second / first)


def test_vault_lends_deeply_in_every_token(pyrevm_world):
    backend, world = pyrevm_world
    for symbol, at_least in {"WETH": 20_000, "DAI": 40_000_000, "USDC": 40_000_000, "WBTC": 1_000}.items():
        token = world.tokens[symbol]
        assert balance_of(backend, token.address, world.vault) >= at_least * 10**token.decimals


def test_vault_flash_loan_reaches_its_borrower_and_must_be_paid_back(pyrevm_world):
    backend, world = pyrevm_world
    borrower = "0x" + "b0" * 20
    borrower_that_keeps_it = bytes.fromhex("00")
    backend.set_code(borrower, borrower_that_keeps_it)
    signature = "flashLoan(address,address[],uint256[],bytes)"
    amount = 10_000 * ETHER
    loan = encode_call(signature, borrower, [world.weth], [amount], b"")
    with pytest.raises(DevnetError) as caught:
        backend.call(world.vault, loan)
    assert bytes.fromhex(caught.value.fields["output"][2:])[68:75] == b"BAL#515"
    fund(backend, world, borrower, "WETH", amount)
    pay_back = encode_call("transfer(address,uint256)", world.vault, amount)
    backend.set_code(borrower, _calls(world.weth, pay_back))
    assert backend.send(world.accounts["searcher"].address, world.vault, loan).ok
    assert balance_of(backend, world.weth, borrower) == amount


def _calls(to: str, data: bytes) -> bytes:
    """Return code that calls a contract with fixed data."""
    push = b"".join(
        b"\x7f" + data[i : i + 32].ljust(32, b"\0") + b"\x61" + i.to_bytes(2, "big") + b"\x52"
        for i in range(0, len(data), 32)
    )
    rest = b"\x5f\x5f\x61" + len(data).to_bytes(2, "big") + b"\x5f\x5f\x73" + bytes.fromhex(to[2:])
    return push + rest + b"\x5a\xf1\x00"


def test_seed_moves_accounts_and_nothing_else(pyrevm_world):
    _, world = pyrevm_world
    other = build_world(PyrevmBackend(), seed="another")
    assert other.pools == world.pools
    assert other.tokens == world.tokens
    assert not {a.address for a in other.accounts.values()} & {a.address for a in world.accounts.values()}


def test_account_keys_belong_to_their_addresses_and_stay_hidden():
    account = dev_account("seed", "trader-0")
    assert Account.from_key(account.key).address.lower() == account.address
    assert account.key.hex() not in repr(account)


def test_world_travels_to_another_process(pyrevm_world):
    _, world = pyrevm_world
    assert pickle.loads(pickle.dumps(world)) == world


def test_a_second_world_on_the_same_chain_is_refused(pyrevm_world):
    with pytest.raises(DevnetError, match="has a world already"):
        build_world(pyrevm_world[0])


def test_a_pool_must_be_named_without_doubt(pyrevm_world):
    _, world = pyrevm_world
    with pytest.raises(DevnetError, match="2 pools"):
        world.pool("uniswap_v3", "WETH", "USDC")


def test_fund_gives_what_it_says(devnet, pyrevm_world):
    address = "0x" + "a1" * 20
    for backend in (devnet.backend, pyrevm_world[0]):
        for symbol, token in devnet.world.tokens.items():
            fund(backend, devnet.world, address, symbol, 123_456)
            assert balance_of(backend, token.address, address) == 123_456


def swaps(world: World, trader: str, amount: int) -> list[tuple[str, str, flow.Call]]:
    calls = []
    for pool in world.pools:
        for zero_for_one in (True, False):
            token_in, token_out = pool.tokens if zero_for_one else pool.tokens[::-1]
            units = {6: 2000 * 10**6, 8: 5 * 10**6, 18: ETHER if token_in == world.weth else 2000 * ETHER}
            decimals = next(t.decimals for t in world.tokens.values() if t.address == token_in)
            sold = units[decimals] * amount // 1000
            if pool.family == "uniswap_v2":
                call = flow.swap_v2(world.flow_trader, pool.address, zero_for_one, sold)
            elif pool.family == "uniswap_v3":
                call = flow.swap_v3(world.flow_trader, pool.address, zero_for_one, sold)
            else:
                call = flow.swap_vault(pool.address, pool.pool_id, trader, token_in, token_out, sold)
            calls.append((token_in, token_out, call))
    return calls


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=st.integers(min_value=1, max_value=140_000), index=st.integers(0, 19))
def test_traders_swap_in_every_pool_and_both_backends_pay_the_same(devnet, amount, index):
    process, world = PyrevmBackend(), devnet.world
    build_world(process)
    trader = world.accounts["trader-0"].address
    token_in, token_out, call = swaps(world, trader, amount)[index]
    changes = []
    mark = devnet.backend.snapshot()
    for backend in (process, devnet.backend):
        before = [balance_of(backend, token, trader) for token in (token_in, token_out)]
        assert backend.send(trader, call.to, call.data).ok
        after = [balance_of(backend, token, trader) for token in (token_in, token_out)]
        changes.append([new - old for old, new in zip(before, after, strict=True)])
    devnet.backend.revert(mark)
    assert changes[0] == changes[1]
    assert changes[0][0] < 0 < changes[0][1]


def test_large_swaps_cross_ticks(pyrevm_world):
    backend, world = pyrevm_world
    trader = world.accounts["trader-1"].address
    for pool in (pool for pool in world.pools if pool.family == "uniswap_v3"):
        (before,) = read(backend, pool.address, "liquidity()", "uint128")
        call = flow.swap_v3(world.flow_trader, pool.address, False, 300 * ETHER)
        assert backend.send(trader, call.to, call.data).ok
        (after,) = read(backend, pool.address, "liquidity()", "uint128")
        assert 0 < after < before


def test_a_swap_below_its_minimum_reverts(pyrevm_world):
    backend, world = pyrevm_world
    trader = world.accounts["trader-0"].address
    pair, pool = world.pool("uniswap_v2", "WETH", "DAI"), world.pool("uniswap_v3", "WETH", "DAI")
    for call in (
        flow.swap_v2(world.flow_trader, pair.address, False, ETHER, 2000 * ETHER),
        flow.swap_v3(world.flow_trader, pool.address, False, ETHER, 2000 * ETHER),
    ):
        assert not backend.send(trader, call.to, call.data).ok


def test_positions_belong_to_their_minter(pyrevm_world):
    backend, world = pyrevm_world
    trader = world.accounts["trader-2"].address
    pool = world.pool("uniswap_v3", "WETH", "USDC", 500)
    _, tick, *_ = read(backend, pool.address, "slot0()", SLOT0)
    lower, upper = tick // 10 * 10 - 100, tick // 10 * 10 + 100
    held = [balance_of(backend, token, trader) for token in pool.tokens]
    for call in (
        flow.mint_v3(world.flow_trader, pool.address, lower, upper, 10**18),
        flow.burn_v3(pool.address, lower, upper, 10**18),
        flow.collect_v3(pool.address, trader, lower, upper),
    ):
        assert backend.send(trader, call.to, call.data).ok
    lost = [old - balance_of(backend, token, trader) for old, token in zip(held, pool.tokens, strict=True)]
    assert all(0 <= amount <= 1 for amount in lost)


def test_a_stranger_cannot_spend_an_approval(pyrevm_world):
    backend, world = pyrevm_world
    thief = world.accounts["searcher"].address
    for signature in (
        "uniswapV3SwapCallback(int256,int256,bytes)",
        "uniswapV3MintCallback(uint256,uint256,bytes)",
    ):
        victim = b"\0" * 12 + bytes.fromhex(world.accounts["trader-0"].address[2:])
        assert not backend.send(thief, world.flow_trader, encode_call(signature, 1, 1, victim)).ok
