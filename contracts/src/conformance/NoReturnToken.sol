// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title NoReturnToken
/// @notice A well-behaved token whose transfer returns nothing, as some old ones do.
contract NoReturnToken {
    address public immutable owner = msg.sender;
    mapping(address account => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 amount);

    error NotOwner(address caller);

    function mint(address to, uint256 amount) external {
        require(msg.sender == owner, NotOwner(msg.sender));
        balanceOf[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        emit Transfer(msg.sender, to, amount);
    }
}
