// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface IFeePairToken {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// @title FeePair
/// @notice Constant product pair with a fee per input token, for the conformance tests: stands in for forks of
/// Uniswap V2 whose bytecode is not published.
/// @dev Two ways to take the fee in the product check. PancakeSwap V2 (denominator 10000) never divides it;
/// Camelot V2 (denominator 100000) rounds it down to whole units first, so its pair accepts a little more
/// than `getAmountOut` says. The fee stays in the reserves. No liquidity tokens: whoever holds the tokens
/// sends them and calls `sync`, or takes them with `take`.
contract FeePair {
    uint256 public immutable FEE_DENOMINATOR;
    bool public immutable roundsFeeDown;
    address public immutable token0;
    address public immutable token1;
    address public immutable owner;

    uint112 private reserve0;
    uint112 private reserve1;
    uint16 public token0FeePercent;
    uint16 public token1FeePercent;

    event FeePercentUpdated(uint16 token0FeePercent, uint16 token1FeePercent);
    event Swap(
        address indexed sender,
        uint256 amount0In,
        uint256 amount1In,
        uint256 amount0Out,
        uint256 amount1Out,
        address indexed to
    );
    event Sync(uint112 reserve0, uint112 reserve1);

    error NotOwner(address caller);
    error NothingAsked();
    error NothingPaid();
    error NotEnoughReserves();
    error ProductFalls(uint256 product, uint256 wanted);
    error TooMuchForReserves(uint256 balance0, uint256 balance1);
    error PaymentFailed(address token);

    constructor(address token0_, address token1_, uint256 denominator, uint16 fee0, uint16 fee1, bool down) {
        (token0, token1, owner) = (token0_, token1_, msg.sender);
        (FEE_DENOMINATOR, roundsFeeDown) = (denominator, down);
        (token0FeePercent, token1FeePercent) = (fee0, fee1);
    }

    function getReserves() external view returns (uint112, uint112, uint16, uint16) {
        return (reserve0, reserve1, token0FeePercent, token1FeePercent);
    }

    function setFeePercent(uint16 fee0, uint16 fee1) external {
        require(msg.sender == owner, NotOwner(msg.sender));
        (token0FeePercent, token1FeePercent) = (fee0, fee1);
        emit FeePercentUpdated(fee0, fee1);
    }

    function getAmountOut(uint256 amountIn, address tokenIn) external view returns (uint256) {
        bool zeroIn = tokenIn == token0;
        (uint256 reserveIn, uint256 reserveOut) = zeroIn ? (reserve0, reserve1) : (reserve1, reserve0);
        uint256 kept = amountIn * (FEE_DENOMINATOR - (zeroIn ? token0FeePercent : token1FeePercent));
        return kept * reserveOut / (reserveIn * FEE_DENOMINATOR + kept);
    }

    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata) external {
        require(amount0Out > 0 || amount1Out > 0, NothingAsked());
        require(amount0Out < reserve0 && amount1Out < reserve1, NotEnoughReserves());
        if (amount0Out > 0) _pay(token0, to, amount0Out);
        if (amount1Out > 0) _pay(token1, to, amount1Out);
        (uint256 balance0, uint256 balance1) = _balances();
        uint256 amount0In = balance0 > reserve0 - amount0Out ? balance0 - (reserve0 - amount0Out) : 0;
        uint256 amount1In = balance1 > reserve1 - amount1Out ? balance1 - (reserve1 - amount1Out) : 0;
        require(amount0In > 0 || amount1In > 0, NothingPaid());
        _checkProduct(
            _scaled(balance0) - _fee(amount0In, token0FeePercent),
            _scaled(balance1) - _fee(amount1In, token1FeePercent)
        );
        _update(balance0, balance1);
        emit Swap(msg.sender, amount0In, amount1In, amount0Out, amount1Out, to);
    }

    function sync() external {
        (uint256 balance0, uint256 balance1) = _balances();
        _update(balance0, balance1);
    }

    function skim(address to) external {
        (uint256 balance0, uint256 balance1) = _balances();
        _pay(token0, to, balance0 - reserve0);
        _pay(token1, to, balance1 - reserve1);
    }

    function take(uint256 amount0, uint256 amount1) external {
        require(msg.sender == owner, NotOwner(msg.sender));
        _pay(token0, owner, amount0);
        _pay(token1, owner, amount1);
        (uint256 balance0, uint256 balance1) = _balances();
        _update(balance0, balance1);
    }

    function _scaled(uint256 balance) private view returns (uint256) {
        return balance * FEE_DENOMINATOR;
    }

    function _fee(uint256 amount, uint256 percent) private view returns (uint256) {
        return roundsFeeDown ? _scaled(amount * percent / FEE_DENOMINATOR) : amount * percent;
    }

    function _checkProduct(uint256 adjusted0, uint256 adjusted1) private view {
        uint256 wanted = _scaled(reserve0) * _scaled(reserve1);
        require(adjusted0 * adjusted1 >= wanted, ProductFalls(adjusted0 * adjusted1, wanted));
    }

    function _update(uint256 balance0, uint256 balance1) private {
        bool fits = balance0 <= type(uint112).max && balance1 <= type(uint112).max;
        require(fits, TooMuchForReserves(balance0, balance1));
        (reserve0, reserve1) = (uint112(balance0), uint112(balance1));
        emit Sync(reserve0, reserve1);
    }

    function _balances() private view returns (uint256, uint256) {
        return (IFeePairToken(token0).balanceOf(address(this)), IFeePairToken(token1).balanceOf(address(this)));
    }

    function _pay(address token, address to, uint256 amount) private {
        require(IFeePairToken(token).transfer(to, amount), PaymentFailed(token));
    }
}
