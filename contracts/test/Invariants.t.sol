// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {Handler} from "./support/Handler.sol";

/// @notice Checks after each of the handler's random actions what docs/contracts.md says always holds.
contract InvariantsTest is Test {
    Handler private handler;

    function setUp() public {
        handler = Handler(deployCode("Handler.sol:Handler"));
        bytes4[] memory actions = new bytes4[](17);
        for (uint256 i = 0; i < 5; ++i) {
            actions[i] = Handler.trade.selector; // a third of all actions
        }
        actions[5] = Handler.roundTrip.selector;
        actions[6] = Handler.depositMoney.selector;
        actions[7] = Handler.withdrawMoney.selector;
        actions[8] = Handler.changeLimit.selector;
        actions[9] = Handler.suspendOrResume.selector;
        actions[10] = Handler.pauseOrRestart.selector;
        actions[11] = Handler.rotateKey.selector;
        actions[12] = Handler.waitFor.selector;
        actions[13] = Handler.renew.selector;
        actions[14] = Handler.emptyTheBank.selector;
        actions[15] = Handler.undoneByTarget.selector;
        actions[16] = Handler.changeCap.selector;
        targetSelector(FuzzSelector(address(handler), actions));
        targetContract(address(handler));
    }

    /// @dev One function, because each invariant function would have a campaign of its own.
    function invariant_TheStateAddsUp() public view {
        handler.checkProgramsAddUp();
        handler.checkIssuesKeepToTheirCaps();
        handler.checkPositionsSumToTheFunds();
        handler.checkSettlementFundsAreNeverNegative();
        handler.checkNoPositionIsBelowItsLimit();
        handler.checkNothingWasDoneTwice();
        handler.checkNoCycleGains();
        handler.checkTheJournalIsRebuiltFromEvents();
    }

    function afterInvariant() public view {
        handler.report();
    }

    /// @notice Shows that the handler's random actions reach every kind and every reason.
    function test_TheHandlerReachesEveryKindAndEveryReason() public {
        for (uint256 i = 0; gasleft() > 250_000_000 && bytes(handler.missing()).length != 0; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            uint256 action = seed % 20;
            if (action < 12) handler.trade(seed);
            else if (action == 12) handler.roundTrip(seed);
            else if (action == 13) handler.depositMoney(uint32(seed >> 8), uint96(seed >> 40));
            else if (action == 14) handler.withdrawMoney(uint32(seed >> 8), uint96(seed >> 40));
            else if (action == 15) handler.changeLimit(uint32(seed >> 8), uint96(seed >> 40));
            else if (action == 16) handler.suspendOrResume(uint32(seed >> 8));
            else if (action == 17) handler.pauseOrRestart(uint32(seed >> 8));
            else if (action == 18) handler.rotateKey(uint32(seed >> 8));
            else handler.waitFor(uint32(seed >> 8));
            if (i % 50 == 0) handler.renew(seed);
            if (i % 50 == 25) handler.pauseTheNetworkForAMoment();
            if (i % 50 == 30) handler.changeCap(uint32(seed >> 8), uint64(seed >> 40));
            if (i % 50 == 40) handler.emptyTheBank();
            if (i % 50 == 10) handler.undoneByTarget(seed);
            if (i % 200 == 199) invariant_TheStateAddsUp();
        }
        handler.report();
        assertEq(handler.missing(), "");
        assertGt(handler.undone(), 0);
        invariant_TheStateAddsUp();
    }
}
