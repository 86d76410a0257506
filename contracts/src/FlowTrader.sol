// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface IFlowToken {
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

interface IFlowPair {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function getReserves() external view returns (uint112 reserve0, uint112 reserve1, uint32 updatedAt);
    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata data) external;
}

interface IFlowPool {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function swap(address recipient, bool zeroForOne, int256 amount, uint160 priceLimit, bytes calldata data)
        external
        returns (int256 amount0, int256 amount1);
    function mint(address recipient, int24 lower, int24 upper, uint128 liquidity, bytes calldata data)
        external
        returns (uint256 amount0, uint256 amount1);
}

/// @title FlowTrader
/// @notice Lets an account trade with pairs and pools directly: the local chain's only router.
/// @dev Holds nothing. It pays from the caller's approval, and a callback can spend only the approval of
/// whoever opened the current call, only for the pool that call named.
contract FlowTrader {
    uint160 private constant LOWEST_PRICE = 4295128740;
    uint160 private constant HIGHEST_PRICE = 1461446703485210103287273052203988822378723970341;

    address private transient pool;
    address private transient payer;

    error TooLittle(uint256 amountOut, uint256 wanted);
    error Reentered();
    error NotThePool(address caller);
    error PaymentFailed(address token);

    modifier paysFor(address pool_) {
        require(pool == address(0), Reentered());
        (pool, payer) = (pool_, msg.sender);
        _;
        (pool, payer) = (address(0), address(0));
    }

    /// @notice Sells an exact amount to a Uniswap V2 pair with the standard 0.3 % fee.
    function swapV2(address pair, bool zeroForOne, uint256 amountIn, uint256 minimumOut) external {
        (uint256 reserveIn, uint256 reserveOut,) = IFlowPair(pair).getReserves();
        if (!zeroForOne) (reserveIn, reserveOut) = (reserveOut, reserveIn);
        uint256 taxed = amountIn * 997;
        uint256 amountOut = taxed * reserveOut / (reserveIn * 1000 + taxed);
        require(amountOut >= minimumOut, TooLittle(amountOut, minimumOut));
        _pay(zeroForOne ? IFlowPair(pair).token0() : IFlowPair(pair).token1(), msg.sender, pair, amountIn);
        IFlowPair(pair).swap(zeroForOne ? 0 : amountOut, zeroForOne ? amountOut : 0, msg.sender, "");
    }

    /// @notice Sells an exact amount to a Uniswap V3 pool, through as many ticks as it takes.
    function swapV3(address pool_, bool zeroForOne, uint256 amountIn, uint256 minimumOut) external paysFor(pool_) {
        (int256 amount0, int256 amount1) = IFlowPool(pool_).swap(
            msg.sender, zeroForOne, int256(amountIn), zeroForOne ? LOWEST_PRICE : HIGHEST_PRICE, ""
        );
        uint256 amountOut = uint256(-(zeroForOne ? amount1 : amount0));
        require(amountOut >= minimumOut, TooLittle(amountOut, minimumOut));
    }

    /// @notice Adds liquidity to a Uniswap V3 pool; the caller owns the position and may burn it directly.
    function mintV3(address pool_, int24 lower, int24 upper, uint128 liquidity) external paysFor(pool_) {
        IFlowPool(pool_).mint(msg.sender, lower, upper, liquidity, "");
    }

    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _payPool(amount0 > 0 ? uint256(amount0) : 0, amount1 > 0 ? uint256(amount1) : 0);
    }

    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        _payPool(amount0, amount1);
    }

    function _payPool(uint256 amount0, uint256 amount1) private {
        require(msg.sender == pool, NotThePool(msg.sender));
        if (amount0 > 0) _pay(IFlowPool(msg.sender).token0(), payer, msg.sender, amount0);
        if (amount1 > 0) _pay(IFlowPool(msg.sender).token1(), payer, msg.sender, amount1);
    }

    function _pay(address token, address from, address to, uint256 amount) private {
        require(IFlowToken(token).transferFrom(from, to, amount), PaymentFailed(token));
    }
}
