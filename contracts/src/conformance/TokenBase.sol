// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title TokenBase
/// @notice Ledger of the tokens with bad manners, for the tests of the token probe.
/// @dev Its owner mints at will and names the pool, on which the bad manners of some tokens depend.
abstract contract TokenBase {
    uint8 public constant decimals = 18;
    string public constant symbol = "BAD";
    address public immutable owner = msg.sender;
    address public pool;
    uint256 public totalSupply;
    mapping(address account => uint256) internal held;
    mapping(address account => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 amount);
    event Approval(address indexed account, address indexed spender, uint256 amount);

    error NotOwner(address caller);

    modifier onlyOwner() {
        require(msg.sender == owner, NotOwner(msg.sender));
        _;
    }

    function setPool(address pool_) external onlyOwner {
        pool = pool_;
    }

    function mint(address to, uint256 amount) external virtual onlyOwner {
        totalSupply += amount;
        held[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    function balanceOf(address account) public view virtual returns (uint256) {
        return held[account];
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        emit Approval(msg.sender, spender, amount);
        return true;
    }

    function transfer(address to, uint256 amount) external virtual returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external virtual returns (bool) {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return true;
    }

    function _move(address from, address to, uint256 amount) internal virtual {
        held[from] -= amount;
        held[to] += amount;
        emit Transfer(from, to, amount);
    }
}
