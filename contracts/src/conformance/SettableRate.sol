// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title SettableRate
/// @notice A rate provider of Balancer whose rate anybody sets, for the conformance tests.
contract SettableRate {
    uint256 public getRate;

    constructor(uint256 rate) {
        getRate = rate;
    }

    function setRate(uint256 rate) external {
        getRate = rate;
    }
}
