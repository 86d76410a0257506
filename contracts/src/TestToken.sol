// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title TestToken
/// @notice Plain ERC-20 whose owner mints at will: stands in for DAI, USDC and WBTC on the local chain.
contract TestToken {
    string public name;
    string public symbol;
    uint8 public immutable decimals;
    address public immutable owner;

    uint256 public totalSupply;
    mapping(address account => uint256) public balanceOf;
    mapping(address account => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 amount);
    event Approval(address indexed account, address indexed spender, uint256 amount);

    error NotOwner(address caller);
    error InsufficientBalance(address account, uint256 has, uint256 wanted);
    error InsufficientAllowance(address account, address spender, uint256 has, uint256 wanted);

    constructor(string memory name_, string memory symbol_, uint8 decimals_, address owner_) {
        name = name_;
        symbol = symbol_;
        decimals = decimals_;
        owner = owner_;
    }

    function mint(address to, uint256 amount) external {
        require(msg.sender == owner, NotOwner(msg.sender));
        totalSupply += amount;
        unchecked {
            balanceOf[to] += amount; // never more than totalSupply, which did not overflow
        }
        emit Transfer(address(0), to, amount);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        emit Approval(msg.sender, spender, amount);
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            require(allowed >= amount, InsufficientAllowance(from, msg.sender, allowed, amount));
            unchecked {
                allowance[from][msg.sender] = allowed - amount;
            }
        }
        _move(from, to, amount);
        return true;
    }

    function _move(address from, address to, uint256 amount) private {
        uint256 has = balanceOf[from];
        require(has >= amount, InsufficientBalance(from, has, amount));
        unchecked {
            balanceOf[from] = has - amount;
            balanceOf[to] += amount;
        }
        emit Transfer(from, to, amount);
    }
}
