// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {TokenBase} from "./TokenBase.sol";

/// @title RebasingToken
/// @notice Balances are shares of a total that changes without a transfer, with time or when the owner says so.
contract RebasingToken is TokenBase {
    uint256 private constant ONE = 1e18;
    uint256 public index = ONE;
    uint256 public growthPerSecond;
    uint256 private grownSince;

    /// @param index_ Units per share, 1e18 for one.
    /// @param growthPerSecond_ What is added to it every second.
    function rebase(uint256 index_, uint256 growthPerSecond_) external onlyOwner {
        (index, growthPerSecond, grownSince) = (index_, growthPerSecond_, block.timestamp);
    }

    function currentIndex() public view returns (uint256) {
        return index + growthPerSecond * (block.timestamp - grownSince);
    }

    function mint(address to, uint256 amount) external override onlyOwner {
        held[to] += amount * ONE / currentIndex();
        emit Transfer(address(0), to, amount);
    }

    function balanceOf(address account) public view override returns (uint256) {
        return held[account] * currentIndex() / ONE;
    }

    function _move(address from, address to, uint256 amount) internal override {
        uint256 shares = amount * ONE / currentIndex();
        held[from] -= shares;
        held[to] += shares;
        emit Transfer(from, to, amount);
    }
}
