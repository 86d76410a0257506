// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20, IUniswapV2Pair, IUniswapV3Pool} from "./interfaces/Protocols.sol";

interface IWrappedNative {
    function deposit() external payable;
}

error TransferRefused(address token);
error NotTheOwner(address caller);

/// @dev Some tokens return nothing: a missing answer counts as success, `false` does not.
function moveTokens(address token, address to, uint256 amount) {
    (bool ok, bytes memory answer) = token.call(abi.encodeCall(IERC20.transfer, (to, amount)));
    if (!ok) {
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }
    if (answer.length != 0 && !abi.decode(answer, (bool))) revert TransferRefused(token);
}

/// @title TokenReceiver
/// @notice An address that nobody has ever seen: takes tokens and gives them back to who made it.
contract TokenReceiver {
    address private immutable owner = msg.sender;

    function giveBack(address token, uint256 amount) external {
        if (msg.sender != owner) revert NotTheOwner(msg.sender);
        moveTokens(token, owner, amount);
    }
}

/// @title TokenProbe
/// @notice Buys a token, passes it on and sells it again, and tells what each step moved.
/// @dev Never deployed: a simulated call places this code, and ether, at an address. Every step runs in a call of
/// its own with a gas limit, and at most MAX_FAILURE bytes of its answer are kept, so a token that reverts, burns
/// all gas or returns megabytes spoils its own step only. Amounts are differences of balances, not what a
/// token or pool says. Nothing is kept in storage, so the code may stand at an address with storage of its own.
contract TokenProbe {
    /// @notice The steps.
    /// FUND turns ether into the hub token. BUY buys the token with it. HOLD reads the balance of the token.
    /// SEND passes half of it to a new contract, which gives half of that back in RETURN. SELL sells a part.
    /// Never all of it, so that a fee on top can be paid.
    enum Stage {
        FUND,
        BUY,
        HOLD,
        SEND,
        RETURN,
        SELL
    }

    /// @param concentrated Whether it is a Uniswap V3 pool, or one with the same `swap`; else a Uniswap V2 pair.
    /// @param fee0 Parts per million of an input of the lower token; pairs only.
    /// @param fee1 The same for the higher token.
    struct Pool {
        address at;
        bool concentrated;
        uint256 fee0;
        uint256 fee1;
    }

    /// @param wrapped Wrapped native token.
    /// @param hub Token that `pool` trades against `token`.
    /// @param funding Pool that trades `wrapped` against `hub`; not used if they are the same.
    /// @param amountIn Wei to start with.
    struct Order {
        address wrapped;
        address hub;
        address token;
        Pool funding;
        Pool pool;
        uint256 amountIn;
    }

    /// @param gasUsed Gas of the step with its readings.
    /// @param sent What left the giver: raw units of the token (FUND: wei).
    /// @param received What arrived (FUND: raw units of the hub token; HOLD: the balance).
    /// @param hubAmount Raw units of the hub token paid (BUY) or got (SELL).
    /// @param failure Start of the revert data.
    struct Step {
        bool ok;
        uint256 gasUsed;
        uint256 sent;
        uint256 received;
        uint256 hubAmount;
        bytes failure;
    }

    struct Flow {
        uint256 paid;
        uint256 arrived;
        uint256 given;
        uint256 got;
    }

    uint256 private constant STAGE_GAS = 2_500_000;
    uint256 private constant MAX_FAILURE = 256;
    uint256 private constant SOLD_PART = 16;
    uint256 private constant PPM = 1_000_000;
    uint160 private constant LOWEST_PRICE = 4295128740;
    uint160 private constant HIGHEST_PRICE = 1461446703485210103287273052203988822378723970341;

    bool private transient running;
    uint256 private transient funds;
    TokenReceiver private transient receiver;
    // what a pool that was just called may claim, once
    address private transient claimant;
    address private transient claimedToken;
    uint256 private transient paidToClaimant;
    uint256 private transient arrivedAtClaimant;

    error AlreadyRunning();
    error OnlyTheProbe(address caller);
    error UnexpectedCallback(address caller);
    error NothingHeld();
    error NothingArrived();

    /// @notice Carries out some steps in order; a step that fails does not stop the next.
    function run(Order calldata order, Stage[] calldata stages) external returns (Step[] memory steps) {
        if (running) revert AlreadyRunning();
        running = true;
        steps = new Step[](stages.length);
        for (uint256 i = 0; i < stages.length; ++i) {
            steps[i] = _attempt(abi.encodeCall(this.perform, (order, stages[i])));
        }
        running = false;
    }

    /// @notice One step; the probe calls it on itself.
    function perform(Order calldata order, Stage stage)
        external
        returns (uint256 sent, uint256 received, uint256 hubAmount)
    {
        if (msg.sender != address(this)) revert OnlyTheProbe(msg.sender);
        if (stage == Stage.FUND) return _fund(order);
        if (stage == Stage.BUY) return _buy(order);
        if (stage == Stage.SEND) return _send(order.token);
        if (stage == Stage.RETURN) return _return(order.token);
        if (stage == Stage.SELL) return _sell(order);
        received = sent = _balance(order.token, address(this));
    }

    /// @notice Called by a Uniswap V3 pool, or by Slipstream's.
    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _payClaim(amount0, amount1);
    }

    /// @notice Called by a PancakeSwap V3 pool.
    function pancakeV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _payClaim(amount0, amount1);
    }

    /// @notice Called by an Algebra pool.
    function algebraSwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _payClaim(amount0, amount1);
    }

    /// @dev Copies no more of the answer than it keeps.
    function _attempt(bytes memory data) private returns (Step memory step) {
        uint256 gasBefore = gasleft();
        bool ok;
        uint256 size;
        bytes memory answer = new bytes(MAX_FAILURE);
        assembly ("memory-safe") {
            ok := call(STAGE_GAS, address(), 0, add(data, 32), mload(data), add(answer, 32), MAX_FAILURE)
            size := returndatasize()
            if lt(size, MAX_FAILURE) { mstore(answer, size) }
        }
        step.ok = ok;
        step.gasUsed = gasBefore - gasleft();
        if (ok) (step.sent, step.received, step.hubAmount) = abi.decode(answer, (uint256, uint256, uint256));
        else step.failure = answer;
    }

    // ---------------------------------------------------------------- steps

    function _fund(Order calldata order) private returns (uint256, uint256, uint256) {
        uint256 before = _balance(order.hub, address(this));
        IWrappedNative(order.wrapped).deposit{value: order.amountIn}();
        if (order.hub != order.wrapped) _swap(order.funding, order.wrapped, order.hub, order.amountIn);
        funds = _gain(before, _balance(order.hub, address(this)));
        return (order.amountIn, funds, 0);
    }

    function _buy(Order calldata order) private returns (uint256, uint256, uint256) {
        if (funds == 0) revert NothingHeld();
        Flow memory flow = _swap(order.pool, order.hub, order.token, funds);
        return (flow.given, flow.got, flow.paid);
    }

    function _send(address token) private returns (uint256, uint256, uint256) {
        uint256 before = _balance(token, address(this));
        uint256 amount = before / 2;
        if (amount == 0) revert NothingHeld();
        receiver = new TokenReceiver();
        moveTokens(token, address(receiver), amount);
        uint256 lost = _loss(before, _balance(token, address(this)));
        return (_larger(amount, lost), _balance(token, address(receiver)), 0);
    }

    function _return(address token) private returns (uint256, uint256, uint256) {
        if (address(receiver) == address(0)) revert NothingHeld();
        uint256 mine = _balance(token, address(this));
        uint256 held = _balance(token, address(receiver));
        uint256 amount = held - held / 2;
        if (amount == 0) revert NothingHeld();
        receiver.giveBack(token, amount);
        uint256 lost = _loss(held, _balance(token, address(receiver)));
        return (_larger(amount, lost), _gain(mine, _balance(token, address(this))), 0);
    }

    /// @dev A part, so that a pool that insists on a full payment can be paid more than it asks.
    function _sell(Order calldata order) private returns (uint256, uint256, uint256) {
        uint256 held = _balance(order.token, address(this));
        if (held == 0) revert NothingHeld();
        uint256 amount = held < SOLD_PART ? held : held / SOLD_PART;
        Flow memory flow = _swap(order.pool, order.token, order.hub, amount);
        return (flow.paid, flow.arrived, flow.got);
    }

    // ---------------------------------------------------------------- swaps

    function _swap(Pool calldata pool, address tokenIn, address tokenOut, uint256 amountIn)
        private
        returns (Flow memory flow)
    {
        uint256 mine = _balance(tokenOut, address(this));
        uint256 theirs = _balance(tokenOut, pool.at);
        uint256 promised = pool.concentrated
            ? _swapConcentrated(pool, tokenIn, tokenOut, amountIn, flow)
            : _swapPair(pool, tokenIn, tokenOut, amountIn, flow);
        flow.got = _gain(mine, _balance(tokenOut, address(this)));
        flow.given = _larger(promised, _loss(theirs, _balance(tokenOut, pool.at)));
    }

    /// @dev Asks for what the pair owes for what really arrived there; for nothing if it is empty.
    function _swapPair(Pool calldata pool, address tokenIn, address tokenOut, uint256 amountIn, Flow memory flow)
        private
        returns (uint256 amountOut)
    {
        (flow.paid, flow.arrived) = _pay(tokenIn, pool.at, amountIn);
        (uint256 reserveIn, uint256 reserveOut,) = IUniswapV2Pair(pool.at).getReserves();
        bool zeroForOne = tokenIn < tokenOut;
        if (!zeroForOne) (reserveIn, reserveOut) = (reserveOut, reserveIn);
        uint256 kept = (_balance(tokenIn, pool.at) - reserveIn) * (PPM - (zeroForOne ? pool.fee0 : pool.fee1));
        amountOut = (kept * reserveOut) / (reserveIn * PPM + kept);
        if (amountOut == 0) return 0;
        IUniswapV2Pair(pool.at).swap(zeroForOne ? 0 : amountOut, zeroForOne ? amountOut : 0, address(this), "");
    }

    function _swapConcentrated(
        Pool calldata pool,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        Flow memory flow
    ) private returns (uint256) {
        bool zeroForOne = tokenIn < tokenOut;
        (claimant, claimedToken) = (pool.at, tokenIn);
        (int256 amount0, int256 amount1) = IUniswapV3Pool(pool.at).swap(
            address(this), zeroForOne, int256(amountIn), zeroForOne ? LOWEST_PRICE : HIGHEST_PRICE, ""
        );
        (flow.paid, flow.arrived) = (paidToClaimant, arrivedAtClaimant);
        int256 change = zeroForOne ? amount1 : amount0;
        return change < 0 ? uint256(-change) : 0;
    }

    /// @dev Pays until all that is owed has arrived, whatever the token keeps on the way.
    function _payClaim(int256 amount0, int256 amount1) private {
        if (msg.sender != claimant) revert UnexpectedCallback(msg.sender);
        claimant = address(0);
        uint256 owed = uint256(amount0 > 0 ? amount0 : amount1);
        (uint256 paid, uint256 arrived) = _pay(claimedToken, msg.sender, owed);
        while (arrived < owed) {
            if (arrived == 0) revert NothingArrived();
            (uint256 morePaid, uint256 moreArrived) =
                _pay(claimedToken, msg.sender, ((owed - arrived) * paid) / arrived + 1);
            (paid, arrived) = (paid + morePaid, arrived + moreArrived);
        }
        (paidToClaimant, arrivedAtClaimant) = (paid, arrived);
    }

    // ---------------------------------------------------------------- balances

    /// @return paid What left here, at least `amount`.
    /// @return arrived What the receiver has more.
    function _pay(address token, address to, uint256 amount) private returns (uint256 paid, uint256 arrived) {
        uint256 mine = _balance(token, address(this));
        uint256 theirs = _balance(token, to);
        moveTokens(token, to, amount);
        paid = _larger(amount, _loss(mine, _balance(token, address(this))));
        arrived = _gain(theirs, _balance(token, to));
    }

    function _balance(address token, address account) private view returns (uint256) {
        return IERC20(token).balanceOf(account);
    }

    function _gain(uint256 before, uint256 afterwards) private pure returns (uint256) {
        return afterwards > before ? afterwards - before : 0;
    }

    function _loss(uint256 before, uint256 afterwards) private pure returns (uint256) {
        return _gain(afterwards, before);
    }

    function _larger(uint256 first, uint256 second) private pure returns (uint256) {
        return first > second ? first : second;
    }
}
