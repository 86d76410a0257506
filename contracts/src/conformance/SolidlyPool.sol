// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface ISolidlyToken {
    function decimals() external view returns (uint8);
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// @title SolidlyFactory
/// @notice Creates pools and sets their fees in the manner of Velodrome V2 and Aerodrome V2.
contract SolidlyFactory {
    uint256 public constant MAX_FEE = 300;
    uint256 public constant ZERO_FEE_INDICATOR = 420;

    address public immutable owner;
    bool public isPaused;
    mapping(bool stable => uint256 fee) public defaultFee;
    mapping(address pool => uint256 fee) public customFee;

    event PoolCreated(
        address indexed token0, address indexed token1, bool indexed stable, address pool, uint256 count
    );
    event SetCustomFee(address indexed pool, uint256 fee);

    error NotOwner(address caller);
    error FeeTooHigh(uint256 fee);
    error WrongOrder(address token0, address token1);

    constructor() {
        owner = msg.sender;
        (defaultFee[true], defaultFee[false]) = (5, 30);
    }

    function createPool(address token0, address token1, bool stable) external returns (address pool) {
        require(token0 < token1, WrongOrder(token0, token1));
        pool = address(new SolidlyPool(token0, token1, stable));
        emit PoolCreated(token0, token1, stable, pool, 0);
    }

    function setCustomFee(address pool, uint256 fee) external {
        require(msg.sender == owner, NotOwner(msg.sender));
        require(fee <= MAX_FEE || fee == ZERO_FEE_INDICATOR, FeeTooHigh(fee));
        customFee[pool] = fee;
        emit SetCustomFee(pool, fee);
    }

    function setFee(bool stable, uint256 fee) external {
        require(msg.sender == owner, NotOwner(msg.sender));
        require(fee > 0 && fee <= MAX_FEE, FeeTooHigh(fee));
        defaultFee[stable] = fee;
    }

    function setPauseState(bool paused) external {
        require(msg.sender == owner, NotOwner(msg.sender));
        isPaused = paused;
    }

    function getFee(address pool, bool stable) external view returns (uint256) {
        uint256 custom = customFee[pool];
        if (custom == ZERO_FEE_INDICATOR) return 0;
        return custom == 0 ? defaultFee[stable] : custom;
    }
}

/// @title SolidlyPool
/// @notice A pool of Solidly's volatile or stable curve in the manner of Velodrome V2 and Aerodrome V2, for the
/// conformance tests: their bytecode is not published.
/// @dev Written from the formulas, quirks included: the solver's test of the next balance scales arguments
/// that are scaled already. Fees leave the pool when it is paid. No liquidity tokens: whoever holds the tokens
/// sends them and calls `sync`, or takes them with `take`.
contract SolidlyPool {
    uint256 private constant ONE = 1e18;
    uint256 private constant FEE_DENOMINATOR = 10_000;
    uint256 private constant ROUNDS = 255;
    address private constant FEES = address(0xFEE5);

    SolidlyFactory public immutable factory;
    address public immutable token0;
    address public immutable token1;
    bool public immutable stable;
    uint256 private immutable unit0;
    uint256 private immutable unit1;

    uint256 public reserve0;
    uint256 public reserve1;

    event Fees(address indexed sender, uint256 amount0, uint256 amount1);
    event Swap(
        address indexed sender,
        address indexed to,
        uint256 amount0In,
        uint256 amount1In,
        uint256 amount0Out,
        uint256 amount1Out
    );
    event Sync(uint256 reserve0, uint256 reserve1);

    error Paused();
    error NotOwner(address caller);
    error NothingAsked();
    error NothingPaid();
    error NotEnoughReserves();
    error CurveFalls(uint256 k, uint256 wanted);
    error NoSolution();
    error PaymentFailed(address token);

    constructor(address token0_, address token1_, bool stable_) {
        (factory, token0, token1, stable) = (SolidlyFactory(msg.sender), token0_, token1_, stable_);
        unit0 = 10 ** ISolidlyToken(token0_).decimals();
        unit1 = 10 ** ISolidlyToken(token1_).decimals();
    }

    function getReserves() external view returns (uint256, uint256, uint256) {
        return (reserve0, reserve1, block.timestamp);
    }

    function metadata() external view returns (uint256, uint256, uint256, uint256, bool, address, address) {
        return (unit0, unit1, reserve0, reserve1, stable, token0, token1);
    }

    function getAmountOut(uint256 amountIn, address tokenIn) external view returns (uint256) {
        amountIn -= _feeOn(amountIn);
        bool zeroIn = tokenIn == token0;
        (uint256 reserveIn, uint256 reserveOut) = zeroIn ? (reserve0, reserve1) : (reserve1, reserve0);
        if (!stable) return amountIn * reserveOut / (reserveIn + amountIn);
        (uint256 unitIn, uint256 unitOut) = zeroIn ? (unit0, unit1) : (unit1, unit0);
        uint256 scaledOut = reserveOut * ONE / unitOut;
        uint256 balanceIn = amountIn * ONE / unitIn + reserveIn * ONE / unitIn;
        uint256 left = _solve(balanceIn, _k(reserve0, reserve1), scaledOut);
        return (scaledOut - left) * unitOut / ONE;
    }

    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata) external {
        require(!factory.isPaused(), Paused());
        require(amount0Out > 0 || amount1Out > 0, NothingAsked());
        require(amount0Out < reserve0 && amount1Out < reserve1, NotEnoughReserves());
        if (amount0Out > 0) _pay(token0, to, amount0Out);
        if (amount1Out > 0) _pay(token1, to, amount1Out);
        (uint256 balance0, uint256 balance1) = _balances();
        uint256 amount0In = balance0 > reserve0 - amount0Out ? balance0 - (reserve0 - amount0Out) : 0;
        uint256 amount1In = balance1 > reserve1 - amount1Out ? balance1 - (reserve1 - amount1Out) : 0;
        require(amount0In > 0 || amount1In > 0, NothingPaid());
        _takeFees(amount0In, amount1In);
        (balance0, balance1) = _balances();
        (uint256 k, uint256 wanted) = (_k(balance0, balance1), _k(reserve0, reserve1));
        require(k >= wanted, CurveFalls(k, wanted));
        _update(balance0, balance1);
        emit Swap(msg.sender, to, amount0In, amount1In, amount0Out, amount1Out);
    }

    function sync() external {
        (uint256 balance0, uint256 balance1) = _balances();
        _update(balance0, balance1);
    }

    function skim(address to) external {
        (uint256 balance0, uint256 balance1) = _balances();
        _pay(token0, to, balance0 - reserve0);
        _pay(token1, to, balance1 - reserve1);
    }

    function take(uint256 amount0, uint256 amount1) external {
        address owner = factory.owner();
        require(msg.sender == owner, NotOwner(msg.sender));
        _pay(token0, owner, amount0);
        _pay(token1, owner, amount1);
        (uint256 balance0, uint256 balance1) = _balances();
        _update(balance0, balance1);
    }

    function _feeOn(uint256 amount) private view returns (uint256) {
        return amount * factory.getFee(address(this), stable) / FEE_DENOMINATOR;
    }

    function _takeFees(uint256 amount0In, uint256 amount1In) private {
        (uint256 fee0, uint256 fee1) = (_feeOn(amount0In), _feeOn(amount1In));
        if (fee0 > 0) _pay(token0, FEES, fee0);
        if (fee1 > 0) _pay(token1, FEES, fee1);
        emit Fees(msg.sender, fee0, fee1);
    }

    /// @dev What must not fall, of raw balances.
    function _k(uint256 amount0, uint256 amount1) private view returns (uint256) {
        if (!stable) return amount0 * amount1;
        return _f(amount0 * ONE / unit0, amount1 * ONE / unit1);
    }

    /// @dev x * y * (x^2 + y^2), of balances with 18 decimals.
    function _f(uint256 x, uint256 y) private pure returns (uint256) {
        return x * y / ONE * (x * x / ONE + y * y / ONE) / ONE;
    }

    /// @dev The derivative of `_f` by its second argument.
    function _slope(uint256 x, uint256 y) private pure returns (uint256) {
        return 3 * x * (y * y / ONE) / ONE + x * x / ONE * x / ONE;
    }

    /// @dev Newton's method for the other balance, starting from what it was.
    function _solve(uint256 x, uint256 k, uint256 y) private view returns (uint256) {
        for (uint256 round; round < ROUNDS; ++round) {
            uint256 found = _f(x, y);
            uint256 step = (found < k ? k - found : found - k) * ONE / _slope(x, y);
            if (found < k) {
                if (step == 0) {
                    if (_k(x, y + 1) > k) return y + 1;
                    step = 1;
                }
                y += step;
            } else {
                if (step == 0) {
                    if (found == k || _f(x, y - 1) < k) return y;
                    step = 1;
                }
                y -= step;
            }
        }
        revert NoSolution();
    }

    function _update(uint256 balance0, uint256 balance1) private {
        (reserve0, reserve1) = (balance0, balance1);
        emit Sync(balance0, balance1);
    }

    function _balances() private view returns (uint256, uint256) {
        return (ISolidlyToken(token0).balanceOf(address(this)), ISolidlyToken(token1).balanceOf(address(this)));
    }

    function _pay(address token, address to, uint256 amount) private {
        require(ISolidlyToken(token).transfer(to, amount), PaymentFailed(token));
    }
}
