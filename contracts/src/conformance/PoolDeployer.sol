// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title PoolDeployer
/// @notice Creates pools whose constructors ask their deployer for parameters, as those of Uniswap V3 and
/// Pancake V3 do. The latter's own deployer is not published.
contract PoolDeployer {
    struct Parameters {
        address factory;
        address token0;
        address token1;
        uint24 fee;
        int24 tickSpacing;
    }

    Parameters public parameters;

    error ConstructorReverted();

    /// @notice Runs a pool's creation code with these parameters at hand.
    function deploy(bytes memory creationCode, Parameters calldata wanted) external returns (address pool) {
        parameters = wanted;
        assembly ("memory-safe") {
            pool := create(0, add(creationCode, 32), mload(creationCode))
        }
        require(pool != address(0), ConstructorReverted());
    }
}
