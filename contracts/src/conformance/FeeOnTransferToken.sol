// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {TokenBase} from "./TokenBase.sol";

/// @title FeeOnTransferToken
/// @notice Burns a part of what is moved: another part for buys, sells and other transfers.
contract FeeOnTransferToken is TokenBase {
    uint256 public buyPpm;
    uint256 public sellPpm;
    uint256 public transferPpm;
    bool public onTop;

    /// @param onTop_ Whether the giver pays the fee beside the amount, and all of the amount arrives.
    function setFees(uint256 buyPpm_, uint256 sellPpm_, uint256 transferPpm_, bool onTop_) external onlyOwner {
        (buyPpm, sellPpm, transferPpm, onTop) = (buyPpm_, sellPpm_, transferPpm_, onTop_);
    }

    function _move(address from, address to, uint256 amount) internal virtual override {
        uint256 fee = amount * (from == pool ? buyPpm : to == pool ? sellPpm : transferPpm) / 1_000_000;
        held[from] -= onTop ? amount + fee : amount;
        held[to] += onTop ? amount : amount - fee;
        totalSupply -= fee;
        emit Transfer(from, to, amount - fee);
        emit Transfer(from, address(0), fee);
    }
}
