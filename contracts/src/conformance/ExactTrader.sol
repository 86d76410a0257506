// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface ITradedToken {
    function transfer(address to, uint256 amount) external returns (bool);
}

interface ITradedPool {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function swap(address recipient, bool zeroForOne, int256 amount, uint160 priceLimit, bytes calldata data)
        external
        returns (int256 amount0, int256 amount1);
    function mint(address recipient, int24 lower, int24 upper, uint128 liquidity, bytes calldata data)
        external
        returns (uint256 amount0, uint256 amount1);
    function mint(
        address sender,
        address recipient,
        int24 lower,
        int24 upper,
        uint128 liquidity,
        bytes calldata data
    ) external returns (uint256 amount0, uint256 amount1, uint128 added);
}

/// @title ExactTrader
/// @notice Trades with pools of concentrated liquidity for the conformance tests: all of an amount, or nothing.
/// @dev Pays from its own balance whatever a pool asks for, under the callback names of each protocol.
contract ExactTrader {
    uint160 private constant LOWEST_PRICE = 4295128740;
    uint160 private constant HIGHEST_PRICE = 1461446703485210103287273052203988822378723970341;

    error Stopped(int256 amount0, int256 amount1);
    error TooDear(int256 amount0, int256 amount1);
    error PaymentFailed(address token);

    /// @notice Sells an exact amount; reverts if the pool takes only a part of it.
    function sell(address pool, bool zeroForOne, int256 amountIn, address recipient) external {
        (int256 amount0, int256 amount1) = _swap(pool, zeroForOne, amountIn, recipient);
        require((zeroForOne ? amount0 : amount1) == amountIn, Stopped(amount0, amount1));
    }

    /// @notice Buys an exact amount; reverts if the pool has less, or wants more than `mostIn` for it.
    function buy(address pool, bool zeroForOne, int256 amountOut, int256 mostIn, address recipient) external {
        (int256 amount0, int256 amount1) = _swap(pool, zeroForOne, -amountOut, recipient);
        require((zeroForOne ? amount1 : amount0) == -amountOut, Stopped(amount0, amount1));
        require((zeroForOne ? amount0 : amount1) <= mostIn, TooDear(amount0, amount1));
    }

    /// @notice Adds liquidity in the manner of Uniswap V3 and Pancake V3; the recipient owns the position.
    function mintUniswap(address pool, address recipient, int24 lower, int24 upper, uint128 liquidity) external {
        ITradedPool(pool).mint(recipient, lower, upper, liquidity, "");
    }

    /// @notice Adds liquidity in the manner of Algebra; the recipient owns the position.
    function mintAlgebra(address pool, address recipient, int24 lower, int24 upper, uint128 liquidity) external {
        ITradedPool(pool).mint(address(this), recipient, lower, upper, liquidity, "");
    }

    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _payPositive(amount0, amount1);
    }

    function pancakeV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _payPositive(amount0, amount1);
    }

    function algebraSwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _payPositive(amount0, amount1);
    }

    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        _pay(amount0, amount1);
    }

    function pancakeV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        _pay(amount0, amount1);
    }

    function algebraMintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        _pay(amount0, amount1);
    }

    function _swap(address pool, bool zeroForOne, int256 amount, address recipient)
        private
        returns (int256 amount0, int256 amount1)
    {
        uint160 limit = zeroForOne ? LOWEST_PRICE : HIGHEST_PRICE;
        return ITradedPool(pool).swap(recipient, zeroForOne, amount, limit, "");
    }

    function _payPositive(int256 amount0, int256 amount1) private {
        _pay(amount0 > 0 ? uint256(amount0) : 0, amount1 > 0 ? uint256(amount1) : 0);
    }

    function _pay(uint256 amount0, uint256 amount1) private {
        if (amount0 > 0) _transfer(ITradedPool(msg.sender).token0(), amount0);
        if (amount1 > 0) _transfer(ITradedPool(msg.sender).token1(), amount1);
    }

    function _transfer(address token, uint256 amount) private {
        require(ITradedToken(token).transfer(msg.sender, amount), PaymentFailed(token));
    }
}
