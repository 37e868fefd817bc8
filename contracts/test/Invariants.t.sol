// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {Handler} from "./support/Handler.sol";

/// @notice What holds whatever happens: the invariants of DESIGN 4, by number, after each of a handler's random actions.
contract InvariantsTest is Test {
    Handler private handler;

    function setUp() public {
        handler = Handler(deployCode("Handler.sol:Handler"));
        bytes4[] memory actions = new bytes4[](15);
        for (uint256 i = 0; i < 5; ++i) {
            actions[i] = Handler.trade.selector; // a third of what happens
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
        targetSelector(FuzzSelector(address(handler), actions));
        targetContract(address(handler));
    }

    /// @dev One function, because each has a campaign of its own.
    function invariant_TheBooksAddUp() public view {
        handler.checkProgramsAddUp(); // 1
        handler.checkPositionsSumToTheFunds(); // 2
        handler.checkSettlementFundsAreNeverNegative();
        handler.checkNoPositionIsBelowItsLimit(); // 3
        handler.checkNothingWasDoneTwice(); // 4
        handler.checkNoCycleGains(); // 5
        handler.checkTheJournalIsRebuiltFromEvents(); // 6
    }

    function afterInvariant() public view {
        handler.report();
    }

    /// @notice Shows that what the handler does at random comes everywhere: to each kind and to each reason.
    function test_TheHandlerReachesEveryKindAndEveryReason() public {
        for (uint256 i = 0; gasleft() > 250_000_000 && bytes(handler.missing()).length != 0; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            uint256 what = seed % 20;
            if (what < 12) handler.trade(seed);
            else if (what == 12) handler.roundTrip(seed);
            else if (what == 13) handler.depositMoney(uint32(seed >> 8), uint96(seed >> 40));
            else if (what == 14) handler.withdrawMoney(uint32(seed >> 8), uint96(seed >> 40));
            else if (what == 15) handler.changeLimit(uint32(seed >> 8), uint96(seed >> 40));
            else if (what == 16) handler.suspendOrResume(uint32(seed >> 8));
            else if (what == 17) handler.pauseOrRestart(uint32(seed >> 8));
            else if (what == 18) handler.rotateKey(uint32(seed >> 8));
            else handler.waitFor(uint32(seed >> 8));
            if (i % 50 == 0) handler.renew(seed);
            if (i % 50 == 25) handler.pauseTheNetworkForAMoment();
            if (i % 50 == 40) handler.emptyTheBank();
            if (i % 200 == 199) invariant_TheBooksAddUp();
        }
        handler.report();
        assertEq(handler.missing(), "");
        invariant_TheBooksAddUp();
    }
}
