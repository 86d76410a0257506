// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {FeeOnTransferToken} from "./FeeOnTransferToken.sol";

/// @title ReentrantToken
/// @notice Takes a fee, and calls whoever moves it with prepared data before and after every transfer.
contract ReentrantToken is FeeOnTransferToken {
    bytes[] private messages;
    bool private busy;

    function addMessage(bytes calldata message) external onlyOwner {
        messages.push(message);
    }

    function _move(address from, address to, uint256 amount) internal override {
        _pester(from);
        _pester(to);
        super._move(from, to, amount);
        _pester(from);
        _pester(to);
    }

    /// @dev A call that goes through shows as a higher fee.
    function _pester(address target) private {
        if (busy || target == pool || target.code.length == 0) return;
        busy = true;
        for (uint256 i = 0; i < messages.length; ++i) {
            (bool ok,) = target.call{gas: 200_000}(messages[i]);
            if (ok) (transferPpm, sellPpm) = (999_999, 999_999);
        }
        busy = false;
    }
}
