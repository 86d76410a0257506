// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IBalancerVault, IERC20, IUniswapV2Pair, IUniswapV3Pool, IWETH} from "./interfaces/Protocols.sol";

/// @title OmniArbExecutor
/// @notice Runs one cycle of swaps with borrowed money and keeps the profit, or reverts as a whole.
/// @dev Every promise to a foreign contract (who may call back, and with which data) is a hash in
/// transient storage that is consumed by the first call back. Nothing else can enter a callback.
contract OmniArbExecutor {
    /// @notice Kind of contract a hop trades with.
    enum Venue {
        UNISWAP_V2,
        UNISWAP_V3,
        BALANCER_V2
    }

    /// @notice Where the input of the first hop comes from.
    /// @dev FIRST_POOL and LAST_POOL: the first or last hop's own pool pays out first and is paid in its
    /// callback, after the other hops. A route with a Balancer hop needs that: the vault's loan holds the
    /// vault's lock. If the first hop is a Balancer pool, which is paid before it pays, it needs LAST_POOL.
    enum Funding {
        BALANCER_V2_VAULT,
        FIRST_POOL,
        LAST_POOL
    }

    /// @notice One swap. Its input token and amount are the output of the hop before.
    /// @param venue Kind of contract.
    /// @param pool Address of the pair or pool (right-aligned), or id of the Balancer pool.
    /// @param tokenOut Token that comes out.
    /// @param fee Parts per million of the input that the pair keeps; read for UNISWAP_V2 only.
    struct Hop {
        Venue venue;
        bytes32 pool;
        address tokenOut;
        uint32 fee;
    }

    /// @notice A cycle that starts and ends in `token`.
    /// @param token Start and profit token.
    /// @param amountIn Input of the first hop, raw units.
    /// @param minProfit Raw units of `token` that must stay here after loan and bid are paid.
    /// @param bid Wei paid to the block's fee recipient; needs WETH as `token`.
    /// @param targetBlock The one block in which this may run.
    /// @param funding Source of `amountIn`.
    /// @param lastAmountIn Input of the last hop, raw units; read for LAST_POOL only, whose pool must be
    /// told before the other hops have run.
    /// @param hops Swaps in order.
    struct Route {
        address token;
        uint256 amountIn;
        uint256 minProfit;
        uint256 bid;
        uint256 targetBlock;
        Funding funding;
        uint256 lastAmountIn;
        Hop[] hops;
    }

    /// @dev What a callback has to do: run `hops` with `spend` of `tokenIn`, then pay `owed` of `token`.
    /// A `spend` of zero means all that was received.
    struct Debt {
        address token;
        uint256 owed;
        address tokenIn;
        uint256 spend;
        Hop[] hops;
    }

    uint160 private constant MIN_SQRT_RATIO = 4295128739;
    uint160 private constant MAX_SQRT_RATIO = 1461446703485210103287273052203988822378723970342;
    uint256 private constant PPM = 1_000_000;

    /// @notice Wrapped native token; the only sender of ether this contract accepts.
    IWETH public immutable weth;
    /// @notice Balancer V2 Vault: flash loans and swaps.
    IBalancerVault public immutable vault;

    /// @notice May do everything; the only one who can take money out.
    address public owner;
    /// @notice Proposed owner, who has to accept.
    address public pendingOwner;
    /// @notice Whether `execute` is stopped.
    bool public paused;
    /// @notice Who may execute and pause, and nothing else.
    mapping(address account => bool allowed) public operators;

    /// @dev Hash of (promised caller, promised data); zero when nobody may call back.
    bytes32 private transient promised;
    bool private transient running;

    event Executed(address indexed token, uint256 profit, uint256 bid);
    event OperatorSet(address indexed operator, bool allowed);
    event Paused(address indexed by);
    event Unpaused(address indexed by);
    event Swept(address indexed token, uint256 amount);
    event OwnershipOffered(address indexed owner, address indexed pendingOwner);
    event OwnershipTaken(address indexed owner);

    error NotOwner(address caller);
    error NotOperator(address caller);
    error NotPendingOwner(address caller);
    error ZeroAddress();
    error ExecutionPaused();
    error AlreadyRunning();
    error WrongBlock(uint256 current, uint256 target);
    error EmptyRoute();
    error CycleNotClosed(address start, address end);
    error HopCannotFund(uint256 hop);
    error BidNeedsWeth(address token);
    error UnexpectedCallback(address caller);
    error CallbackMissing();
    error PartialFill(uint256 wanted, uint256 taken);
    error RouteLoses(uint256 amountOut, uint256 owed);
    error LastHopUnpaid(uint256 amountOut, uint256 owed);
    error NotProfitable(uint256 balance, uint256 required);
    error BalanceDropped(address token, uint256 balance, uint256 required);
    error AmountTooLarge(uint256 amount);
    error TransferFailed(address token);
    error ApprovalFailed(address token);
    error EtherTransferFailed(address to);
    error EtherOnlyFromWeth(address sender);

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    modifier onlyOperator() {
        if (!operators[msg.sender] && msg.sender != owner) revert NotOperator(msg.sender);
        _;
    }

    /// @param weth_ Wrapped native token.
    /// @param vault_ Balancer V2 Vault.
    /// @param owner_ First owner; a key that need not be online.
    /// @param operator_ First operator; the key that signs bundles.
    constructor(address weth_, address vault_, address owner_, address operator_) {
        if (weth_ == address(0) || vault_ == address(0) || owner_ == address(0)) revert ZeroAddress();
        weth = IWETH(weth_);
        vault = IBalancerVault(vault_);
        owner = owner_;
        emit OwnershipTaken(owner_);
        if (operator_ != address(0)) {
            operators[operator_] = true;
            emit OperatorSet(operator_, true);
        }
    }

    /// @notice Accepts ether from WETH's `withdraw` only.
    receive() external payable {
        if (msg.sender != address(weth)) revert EtherOnlyFromWeth(msg.sender);
    }

    // ---------------------------------------------------------------- execution

    /// @notice Runs a route; reverts unless it leaves `minProfit` here after loan and bid.
    /// @dev No balance of any token of the route may drop, so that not even a stolen operator key with
    /// pools of its own can take what this contract holds.
    /// @param route The cycle and its conditions.
    function execute(Route calldata route) external onlyOperator {
        if (paused) revert ExecutionPaused();
        if (running) revert AlreadyRunning();
        if (block.number != route.targetBlock) revert WrongBlock(block.number, route.targetBlock);
        if (route.bid != 0 && route.token != address(weth)) revert BidNeedsWeth(route.token);
        if (route.hops.length == 0) revert EmptyRoute();
        uint256 last = route.hops.length - 1;
        if (route.hops[last].tokenOut != route.token) {
            revert CycleNotClosed(route.token, route.hops[last].tokenOut);
        }
        running = true;

        uint256[] memory held = new uint256[](last + 1);
        for (uint256 i = 0; i <= last; ++i) held[i] = _balance(route.hops[i].tokenOut);

        if (route.funding == Funding.FIRST_POOL) _fundByFirstPool(route);
        else if (route.funding == Funding.LAST_POOL) _fundByLastPool(route);
        else _fundByVault(route);
        if (promised != bytes32(0)) revert CallbackMissing();

        for (uint256 i = 0; i < last; ++i) {
            address token = route.hops[i].tokenOut;
            uint256 left = _balance(token);
            if (left < held[i]) revert BalanceDropped(token, left, held[i]);
        }
        uint256 balance = _balance(route.token);
        uint256 required = held[last] + route.minProfit + route.bid;
        if (balance < required) revert NotProfitable(balance, required);
        if (route.bid != 0) _payBid(route.bid);
        emit Executed(route.token, balance - held[last] - route.bid, route.bid);
        running = false;
    }

    /// @dev Comes last and after the profit check, since the fee recipient may be a contract.
    function _payBid(uint256 bid) private {
        weth.withdraw(bid);
        _sendEther(block.coinbase, bid);
    }

    function _fundByVault(Route calldata route) private {
        address[] memory tokens = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        tokens[0] = route.token;
        amounts[0] = route.amountIn;
        bytes memory data = abi.encode(Debt(route.token, route.amountIn, route.token, 0, route.hops));
        _promise(address(vault), data);
        vault.flashLoan(address(this), tokens, amounts, data);
    }

    function _fundByFirstPool(Route calldata route) private {
        Hop calldata hop = route.hops[0];
        Debt memory debt = Debt(route.token, route.amountIn, hop.tokenOut, 0, route.hops[1:]);
        _swapFirst(0, hop, route.token, route.amountIn, abi.encode(debt));
    }

    /// @dev The last pool is promised exactly `lastAmountIn`. What the hops before it give beyond that stays
    /// here; if they give less, because the state moved, there is nothing to pay it with.
    function _fundByLastPool(Route calldata route) private {
        uint256 last = route.hops.length - 1;
        address token = last == 0 ? route.token : route.hops[last - 1].tokenOut;
        Debt memory debt = Debt(token, route.lastAmountIn, route.token, route.amountIn, route.hops[:last]);
        _swapFirst(last, route.hops[last], token, route.lastAmountIn, abi.encode(debt));
    }

    /// @dev Swaps at a pool that pays out before it is paid; its callback finds what to do in `data`.
    function _swapFirst(uint256 index, Hop calldata hop, address tokenIn, uint256 amountIn, bytes memory data)
        private
    {
        address pool = _address(hop.pool);
        if (hop.venue == Venue.UNISWAP_V2) {
            _promise(pool, data);
            _swapPair(pool, tokenIn, hop.tokenOut, hop.fee, amountIn, data);
        } else if (hop.venue == Venue.UNISWAP_V3) {
            _swapPool(pool, tokenIn, hop.tokenOut, amountIn, data);
        } else {
            revert HopCannotFund(index);
        }
    }

    // ---------------------------------------------------------------- callbacks

    /// @notice Called by the Balancer V2 Vault during our own loan.
    function receiveFlashLoan(
        address[] calldata,
        uint256[] calldata amounts,
        uint256[] calldata feeAmounts,
        bytes calldata userData
    ) external {
        Debt memory debt = _redeem(userData);
        _settle(debt, amounts[0], debt.owed + feeAmounts[0]);
    }

    /// @notice Called by a Uniswap V2 pair that funds the route.
    function uniswapV2Call(address sender, uint256 amount0, uint256 amount1, bytes calldata data) external {
        if (sender != address(this)) revert UnexpectedCallback(msg.sender);
        Debt memory debt = _redeem(data);
        _settle(debt, amount0 == 0 ? amount1 : amount0, debt.owed);
    }

    /// @notice Called by a Uniswap V3 pool of the route.
    function uniswapV3SwapCallback(int256 amount0Delta, int256 amount1Delta, bytes calldata data) external {
        Debt memory debt = _redeem(data);
        (int256 owed, int256 received) =
            amount0Delta > 0 ? (amount0Delta, -amount1Delta) : (amount1Delta, -amount0Delta);
        if (uint256(owed) != debt.owed) revert PartialFill(debt.owed, uint256(owed));
        _settle(debt, uint256(received), debt.owed);
    }

    /// @dev Runs the other hops of the route, then pays `owed` to the caller.
    function _settle(Debt memory debt, uint256 received, uint256 owed) private {
        if (debt.spend != 0) {
            if (received < debt.spend) revert RouteLoses(received, debt.spend);
            uint256 amountOut = _run(debt.hops, debt.tokenIn, debt.spend);
            if (amountOut < owed) revert LastHopUnpaid(amountOut, owed);
        } else if (debt.hops.length != 0) {
            uint256 amountOut = _run(debt.hops, debt.tokenIn, received);
            if (amountOut < owed) revert RouteLoses(amountOut, owed);
        }
        _transfer(debt.token, msg.sender, owed);
    }

    /// @dev Consumes the promise: only the promised caller passes, once, with the promised data.
    function _redeem(bytes calldata data) private returns (Debt memory) {
        if (_promiseHash(msg.sender, keccak256(data)) != promised) revert UnexpectedCallback(msg.sender);
        promised = bytes32(0);
        return abi.decode(data, (Debt));
    }

    function _promise(address caller, bytes memory data) private {
        promised = _promiseHash(caller, keccak256(data));
    }

    function _promiseHash(address caller, bytes32 dataHash) private pure returns (bytes32) {
        return keccak256(abi.encode(caller, dataHash));
    }

    // ---------------------------------------------------------------- hops

    /// @dev Runs `hops` with `amount` of `token` and returns what the last one gave.
    function _run(Hop[] memory hops, address token, uint256 amount) private returns (uint256) {
        for (uint256 i = 0; i < hops.length; ++i) {
            Hop memory hop = hops[i];
            if (hop.venue == Venue.UNISWAP_V2) {
                address pair = _address(hop.pool);
                _transfer(token, pair, amount);
                amount = _swapPair(pair, token, hop.tokenOut, hop.fee, amount, "");
            } else if (hop.venue == Venue.UNISWAP_V3) {
                bytes memory data = abi.encode(Debt(token, amount, token, 0, new Hop[](0)));
                amount = _swapPool(_address(hop.pool), token, hop.tokenOut, amount, data);
            } else {
                amount = _swapVault(hop.pool, token, hop.tokenOut, amount);
            }
            token = hop.tokenOut;
        }
        return amount;
    }

    /// @dev Takes what the pair's reserves and fee give for `amountIn`; the caller or the callback pays.
    function _swapPair(
        address pair,
        address tokenIn,
        address tokenOut,
        uint256 fee,
        uint256 amountIn,
        bytes memory data
    ) private returns (uint256 amountOut) {
        (uint256 reserveIn, uint256 reserveOut,) = IUniswapV2Pair(pair).getReserves();
        bool zeroForOne = tokenIn < tokenOut;
        if (!zeroForOne) (reserveIn, reserveOut) = (reserveOut, reserveIn);
        uint256 kept = amountIn * (PPM - fee);
        amountOut = (kept * reserveOut) / (reserveIn * PPM + kept);
        (uint256 out0, uint256 out1) = zeroForOne ? (uint256(0), amountOut) : (amountOut, uint256(0));
        IUniswapV2Pair(pair).swap(out0, out1, address(this), data);
    }

    /// @dev Exact input; the pool is paid in `uniswapV3SwapCallback`.
    function _swapPool(address pool, address tokenIn, address tokenOut, uint256 amountIn, bytes memory data)
        private
        returns (uint256)
    {
        if (amountIn > uint256(type(int256).max)) revert AmountTooLarge(amountIn);
        bool zeroForOne = tokenIn < tokenOut;
        _promise(pool, data);
        (int256 amount0, int256 amount1) = IUniswapV3Pool(pool).swap(
            address(this), zeroForOne, int256(amountIn), zeroForOne ? MIN_SQRT_RATIO + 1 : MAX_SQRT_RATIO - 1, data
        );
        return uint256(-(zeroForOne ? amount1 : amount0));
    }

    /// @dev Allows the vault exactly `amountIn`, which the swap uses up: no approval is left.
    function _swapVault(bytes32 poolId, address tokenIn, address tokenOut, uint256 amountIn)
        private
        returns (uint256)
    {
        _approve(tokenIn, address(vault), amountIn);
        return vault.swap(
            IBalancerVault.SingleSwap(poolId, IBalancerVault.SwapKind.GIVEN_IN, tokenIn, tokenOut, amountIn, ""),
            IBalancerVault.FundManagement(address(this), false, payable(address(this)), false),
            0, // the profit check bounds the whole route
            block.timestamp
        );
    }

    // ---------------------------------------------------------------- roles

    /// @notice Allows or forbids an operator.
    function setOperator(address operator, bool allowed) external onlyOwner {
        operators[operator] = allowed;
        emit OperatorSet(operator, allowed);
    }

    /// @notice Stops `execute`; operators may do it too, as an emergency stop.
    function pause() external onlyOperator {
        paused = true;
        emit Paused(msg.sender);
    }

    /// @notice Allows `execute` again.
    function unpause() external onlyOwner {
        paused = false;
        emit Unpaused(msg.sender);
    }

    /// @notice Sends `amount` of `token` to the owner.
    function sweep(address token, uint256 amount) external onlyOwner {
        _transfer(token, owner, amount);
        emit Swept(token, amount);
    }

    /// @notice Sends `amount` wei to the owner.
    function sweepEther(uint256 amount) external onlyOwner {
        _sendEther(owner, amount);
        emit Swept(address(0), amount);
    }

    /// @notice Offers ownership; nothing changes until `newOwner` accepts. Zero withdraws an offer.
    function transferOwnership(address newOwner) external onlyOwner {
        pendingOwner = newOwner;
        emit OwnershipOffered(owner, newOwner);
    }

    /// @notice Takes the ownership that was offered to the caller.
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotPendingOwner(msg.sender);
        owner = msg.sender;
        pendingOwner = address(0);
        emit OwnershipTaken(msg.sender);
    }

    // ---------------------------------------------------------------- transfers

    function _address(bytes32 pool) private pure returns (address) {
        return address(uint160(uint256(pool)));
    }

    function _balance(address token) private view returns (uint256) {
        return IERC20(token).balanceOf(address(this));
    }

    function _sendEther(address to, uint256 amount) private {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert EtherTransferFailed(to);
    }

    /// @dev Some tokens return nothing; a missing return value counts as success, `false` does not.
    function _transfer(address token, address to, uint256 amount) private {
        if (!_callToken(token, abi.encodeCall(IERC20.transfer, (to, amount)))) revert TransferFailed(token);
    }

    function _approve(address token, address spender, uint256 amount) private {
        if (!_callToken(token, abi.encodeCall(IERC20.approve, (spender, amount)))) revert ApprovalFailed(token);
    }

    function _callToken(address token, bytes memory data) private returns (bool) {
        (bool ok, bytes memory result) = token.call(data);
        return ok && (result.length == 0 ? token.code.length != 0 : abi.decode(result, (bool)));
    }
}
