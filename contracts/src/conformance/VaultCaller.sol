// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface IPaidToken {
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

interface IUnlockedVault {
    function unlock(bytes calldata data) external returns (bytes memory);
    function settle(address token, uint256 amountHint) external returns (uint256 credit);
    function sendTo(address token, address to, uint256 amount) external;
    function getTokenDelta(address token) external view returns (int256);
}

/// @title VaultCaller
/// @notice Makes one call to Balancer V3's vault for the conformance tests and settles what it leaves:
/// the caller pays what is owed to the vault and receives what the vault owes.
contract VaultCaller {
    IUnlockedVault private immutable VAULT;

    error NotTheVault(address caller);

    constructor(address vault) {
        VAULT = IUnlockedVault(vault);
    }

    /// @notice Unlocks the vault, calls it with `data`, and settles these tokens with the sender.
    function perform(bytes calldata data, address[] calldata tokens) external {
        VAULT.unlock(abi.encodeCall(this.performUnlocked, (data, tokens, msg.sender)));
    }

    /// @notice Called back by the unlocked vault.
    function performUnlocked(bytes calldata data, address[] calldata tokens, address payer) external {
        require(msg.sender == address(VAULT), NotTheVault(msg.sender));
        (bool done, bytes memory answer) = address(VAULT).call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
        for (uint256 i = 0; i < tokens.length; i++) {
            _settle(tokens[i], payer);
        }
    }

    function _settle(address token, address payer) private {
        int256 owed = VAULT.getTokenDelta(token);
        if (owed > 0) {
            IPaidToken(token).transferFrom(payer, address(VAULT), uint256(owed));
            VAULT.settle(token, uint256(owed));
        } else if (owed < 0) {
            VAULT.sendTo(token, payer, uint256(-owed));
        }
    }
}
