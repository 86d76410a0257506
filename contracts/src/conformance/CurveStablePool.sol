// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface ICurveToken {
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

/// @title CurveStablePool
/// @notice A StableSwap pool of two to eight coins in the manner of three generations of Curve, for the
/// conformance tests: Curve's bytecode is not published.
/// @dev Written from the formulas. `balances` are without the administrator's fees, as the generations
/// agree after every trade. No liquidity tokens: the owner deposits and withdraws.
contract CurveStablePool {
    /// @dev How the generations differ: the unit of A, where the invariant rounds, what happens if a solver
    /// does not settle, and the fee.
    enum Generation {
        LEGACY,
        TEMPLATE,
        NG
    }

    uint256 private constant ONE = 1e18;
    uint256 private constant FEE_DENOMINATOR = 1e10;
    uint256 private constant ROUNDS = 255;

    address public immutable owner;
    Generation public immutable generation;
    uint256 private immutable count;
    uint256 private immutable precision;

    address[] public coins;
    uint256[] public balances;
    uint256[] public rates;
    uint256 public fee;
    uint256 public admin_fee;
    uint256 public offpeg_fee_multiplier;
    uint256 public initial_A;
    uint256 public future_A;
    uint256 public initial_A_time;
    uint256 public future_A_time;

    event TokenExchange(
        address indexed buyer, int128 sold_id, uint256 tokens_sold, int128 bought_id, uint256 tokens_bought
    );
    event RampA(uint256 old_A, uint256 new_A, uint256 initial_time, uint256 future_time);
    event ApplyNewFee(uint256 fee, uint256 offpeg_fee_multiplier);

    error NotOwner(address caller);
    error SameCoin(int128 index);
    error NothingSold();
    error TooLittle(uint256 bought, uint256 wanted);
    error NoSolution();
    error TooLargeForOracle(uint256 invariant);
    error PaymentFailed(address token);

    modifier onlyOwner() {
        require(msg.sender == owner, NotOwner(msg.sender));
        _;
    }

    constructor(Generation generation_, address[] memory coins_, uint256[] memory rates_, uint256 A_) {
        (owner, generation, coins, rates) = (msg.sender, generation_, coins_, rates_);
        (count, balances) = (coins_.length, new uint256[](coins_.length));
        precision = generation_ == Generation.LEGACY ? 1 : 100;
        (initial_A, future_A) = (A_, A_);
    }

    function set_fees(uint256 fee_, uint256 admin_fee_, uint256 multiplier) external onlyOwner {
        (fee, admin_fee, offpeg_fee_multiplier) = (fee_, admin_fee_, multiplier);
        emit ApplyNewFee(fee_, multiplier);
    }

    function set_rates(uint256[] calldata rates_) external onlyOwner {
        rates = rates_;
    }

    function ramp_A(uint256 future_A_, uint256 future_time) external onlyOwner {
        initial_A = _amplification();
        (future_A, initial_A_time, future_A_time) = (future_A_, block.timestamp, future_time);
        emit RampA(initial_A, future_A_, block.timestamp, future_time);
    }

    function deposit(uint256[] calldata amounts) external onlyOwner {
        for (uint256 index; index < count; ++index) {
            balances[index] += amounts[index];
            if (amounts[index] > 0) _collect(coins[index], amounts[index]);
        }
    }

    function withdraw(uint256[] calldata amounts) external onlyOwner {
        for (uint256 index; index < count; ++index) {
            balances[index] -= amounts[index];
            if (amounts[index] > 0) _pay(coins[index], amounts[index]);
        }
    }

    /// @notice A, in the unit of its own `A_precise`.
    function A_precise() external view returns (uint256) {
        return _amplification();
    }

    function exchange(int128 i, int128 j, uint256 dx, uint256 min_dy) external returns (uint256 dy) {
        require(i != j, SameCoin(i));
        require(dx > 0, NothingSold());
        uint256 kept;
        (dy, kept) = _trade(uint256(int256(i)), uint256(int256(j)), dx);
        require(dy >= min_dy, TooLittle(dy, min_dy));
        balances[uint256(int256(i))] += dx;
        balances[uint256(int256(j))] -= dy + kept;
        _collect(coins[uint256(int256(i))], dx);
        _pay(coins[uint256(int256(j))], dy);
        emit TokenExchange(msg.sender, i, dx, j, dy);
    }

    /// @return dy what the trader gets
    /// @return kept the administrator's part of the fee
    function _trade(uint256 i, uint256 j, uint256 dx) private view returns (uint256 dy, uint256 kept) {
        uint256[] memory xp = _scaledBalances();
        uint256 x = xp[i] + dx * rates[i] / ONE;
        uint256 ann = _amplification() * count;
        uint256 D = _invariant(xp, ann);
        uint256 y = _solve(i, j, x, xp, ann, D);
        dy = xp[j] - y - 1;
        uint256 fees = dy * _feeAt((xp[i] + x) / 2, (xp[j] + y) / 2) / FEE_DENOMINATOR;
        dy = (dy - fees) * ONE / rates[j];
        kept = fees * admin_fee / FEE_DENOMINATOR * ONE / rates[j];
        if (generation == Generation.NG) {
            (xp[i], xp[j]) = (x, y);
            _checkOracle(xp, ann, D);
        }
    }

    function _amplification() private view returns (uint256) {
        if (block.timestamp >= future_A_time) return future_A;
        (uint256 passed, uint256 whole) = (block.timestamp - initial_A_time, future_A_time - initial_A_time);
        if (future_A > initial_A) return initial_A + (future_A - initial_A) * passed / whole;
        return initial_A - (initial_A - future_A) * passed / whole;
    }

    function _scaledBalances() private view returns (uint256[] memory xp) {
        xp = new uint256[](count);
        for (uint256 index; index < count; ++index) {
            xp[index] = balances[index] * rates[index] / ONE;
        }
    }

    /// @dev The fee out of 1e10; of the newest generation it rises as the two balances part.
    function _feeAt(uint256 a, uint256 b) private view returns (uint256) {
        uint256 multiplier = offpeg_fee_multiplier;
        if (generation != Generation.NG || multiplier <= FEE_DENOMINATOR) return fee;
        uint256 closeness = (multiplier - FEE_DENOMINATOR) * 4 * a * b / (a + b) ** 2;
        return multiplier * fee / (closeness + FEE_DENOMINATOR);
    }

    /// @dev Newton's method for D. If it does not settle, the oldest generation takes what it has.
    function _invariant(uint256[] memory xp, uint256 ann) private view returns (uint256 D) {
        uint256 sum;
        for (uint256 index; index < count; ++index) sum += xp[index];
        if (sum == 0) return 0;
        D = sum;
        for (uint256 round; round < ROUNDS; ++round) {
            uint256 product = _productTerm(xp, D);
            uint256 before = D;
            D = (ann * sum / precision + product * count) * D
                / ((ann - precision) * D / precision + (count + 1) * product);
            if ((D > before ? D - before : before - D) <= 1) return D;
        }
        require(generation == Generation.LEGACY, NoSolution());
    }

    /// @dev D^(n+1) / (n^n * product of all balances), rounded as the generation does.
    function _productTerm(uint256[] memory xp, uint256 D) private view returns (uint256 term) {
        term = D;
        uint256 divisor = generation == Generation.NG ? 1 : count;
        for (uint256 index; index < count; ++index) term = term * D / (xp[index] * divisor);
        if (generation == Generation.NG) term /= count ** count;
    }

    /// @dev Newton's method for the balance of coin j when coin i has `x`.
    function _solve(uint256 i, uint256 j, uint256 x, uint256[] memory xp, uint256 ann, uint256 D)
        private
        view
        returns (uint256 y)
    {
        uint256 sum;
        uint256 c = D;
        for (uint256 index; index < count; ++index) {
            if (index == j) continue;
            uint256 balance = index == i ? x : xp[index];
            sum += balance;
            c = c * D / (balance * count);
        }
        c = c * D * precision / (ann * count);
        uint256 b = sum + D * precision / ann;
        y = D;
        for (uint256 round; round < ROUNDS; ++round) {
            uint256 before = y;
            y = (y * y + c) / (2 * y + b - D);
            if ((y > before ? y - before : before - y) <= 1) return y;
        }
        require(generation == Generation.LEGACY, NoSolution());
    }

    /// @dev The newest generation stores prices after a trade; what its arithmetic refuses, the trade cannot do.
    function _checkOracle(uint256[] memory xp, uint256 ann, uint256 D) private view {
        require(D < 1 << 128, TooLargeForOracle(D));
        uint256 term = D / count ** count;
        for (uint256 index; index < count; ++index) term = term * D / xp[index];
        uint256 first = ann * xp[0] / precision;
        for (uint256 index = 1; index < count; ++index) {
            ONE * (first + term * xp[0] / xp[index]) / (first + term);
        }
    }

    function _collect(address token, uint256 amount) private {
        require(ICurveToken(token).transferFrom(msg.sender, address(this), amount), PaymentFailed(token));
    }

    function _pay(address token, uint256 amount) private {
        require(ICurveToken(token).transfer(msg.sender, amount), PaymentFailed(token));
    }
}
