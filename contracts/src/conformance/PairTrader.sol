// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface IPairTraderToken {
    function transfer(address to, uint256 amount) external returns (bool);
}

interface IPairTraderPool {
    function token0() external view returns (address);
    function getAmountOut(uint256 amountIn, address tokenIn) external view returns (uint256);
    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata data) external;
}

/// @title PairTrader
/// @notice Pays a pair and names the output, in one call, for the conformance tests.
/// @dev Trades with its own tokens, so that nothing has changed after a revert.
contract PairTrader {
    error PaymentFailed(address token);

    /// @notice Sells an exact amount for an output that the caller names.
    function sell(address pool, address tokenIn, uint256 amountIn, uint256 amountOut, address to) public {
        require(IPairTraderToken(tokenIn).transfer(pool, amountIn), PaymentFailed(tokenIn));
        bool zeroIn = IPairTraderPool(pool).token0() == tokenIn;
        IPairTraderPool(pool).swap(zeroIn ? 0 : amountOut, zeroIn ? amountOut : 0, to, "");
    }

    /// @notice Sells an exact amount for what the pool itself quotes, as the protocols' routers do.
    function sellQuoted(address pool, address tokenIn, uint256 amountIn, address to) external {
        sell(pool, tokenIn, amountIn, IPairTraderPool(pool).getAmountOut(amountIn, tokenIn), to);
    }
}
