// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {TokenBase} from "./TokenBase.sol";

/// @title HoneypotToken
/// @notice Can be bought; who sells it meets a trap.
contract HoneypotToken is TokenBase {
    enum Trap {
        REVERTS, // with a reason
        RETURNS_FALSE, // and moves nothing
        MOVES_NOTHING, // and returns true
        BURNS_GAS, // all there is
        FLOODS, // reverts with as much data as it can pay for
        SAME_BLOCK, // only in the block of the holder's purchase
        SHUTS_BOTH_WAYS, // nobody can buy it either
        HIDES_BALANCE // of whoever bought it: reading it burns all gas
    }

    Trap public trap;
    mapping(address account => uint256) private boughtIn;

    error SellingIsOff();

    function setTrap(Trap trap_) external onlyOwner {
        trap = trap_;
    }

    function balanceOf(address account) public view override returns (uint256) {
        if (trap == Trap.HIDES_BALANCE && boughtIn[account] != 0) _burnGas();
        return held[account];
    }

    function transfer(address to, uint256 amount) external override returns (bool) {
        if (msg.sender == pool) {
            require(trap != Trap.SHUTS_BOTH_WAYS, SellingIsOff());
            boughtIn[to] = block.number;
        }
        if (to == pool && msg.sender != owner) {
            if (trap == Trap.RETURNS_FALSE) return false;
            if (trap == Trap.MOVES_NOTHING) return true;
            if (trap == Trap.BURNS_GAS) _burnGas();
            if (trap == Trap.FLOODS) _flood();
            require(trap == Trap.SAME_BLOCK && boughtIn[msg.sender] < block.number, SellingIsOff());
        }
        _move(msg.sender, to, amount);
        return true;
    }

    function _burnGas() private pure {
        while (true) {}
    }

    function _flood() private view {
        uint256 size = 32 * (gasleft() / 40);
        if (size > 1_000_000) size = 1_000_000;
        assembly {
            revert(0, size)
        }
    }
}
