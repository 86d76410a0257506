// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {TokenBase} from "./TokenBase.sol";

/// @title BlacklistToken
/// @notice Refuses to be moved by or to addresses its owner dislikes, or other than through its pool.
contract BlacklistToken is TokenBase {
    mapping(address account => bool) public isBlacklisted;
    bool public poolOnly;

    error Blacklisted(address account);
    error OnlyThroughThePool();

    function setBlacklisted(address account, bool disliked) external onlyOwner {
        isBlacklisted[account] = disliked;
    }

    function setPoolOnly(bool poolOnly_) external onlyOwner {
        poolOnly = poolOnly_;
    }

    function _move(address from, address to, uint256 amount) internal override {
        require(!isBlacklisted[from], Blacklisted(from));
        require(!isBlacklisted[to], Blacklisted(to));
        require(!poolOnly || from == pool || to == pool, OnlyThroughThePool());
        super._move(from, to, amount);
    }
}
