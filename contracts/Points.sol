// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry} from "./Registry.sol";
import {BalancePage, BalancePageLib} from "./types/BalancePage.sol";

/// @title Points
/// @notice Members' balances, four programs to a slot. A program's totals are in `Registry`; whoever moves points updates them.
abstract contract Points is Registry {
    /// @dev One slot. A struct, so that code can keep a reference to it and its place is hashed only once.
    struct BalanceSlot {
        BalancePage page;
    }

    mapping(uint256 memberAndPage => BalanceSlot) private _balanceSlots;

    // ---------------------------------------------------------------- movements

    /// @dev Warning: the caller makes sure that the program can mint `points`, or that they came out of another balance of the same
    /// program.
    function _credit(uint256 member, uint256 program, uint256 points) internal {
        BalanceSlot storage slot = _balanceSlot(member, program);
        slot.page = slot.page.credit(program, points);
    }

    /// @dev Takes `points` from a balance that covers them. Otherwise changes nothing and returns false.
    function _tryDebit(uint256 member, uint256 program, uint256 points) internal returns (bool) {
        BalanceSlot storage slot = _balanceSlot(member, program);
        BalancePage page = slot.page;
        if (page.balance(program) < points) return false;
        slot.page = page.debit(program, points);
        return true;
    }

    /// @dev Warning: the caller makes sure that the balance covers `points`.
    function _debit(uint256 member, uint256 program, uint256 points) internal {
        BalanceSlot storage slot = _balanceSlot(member, program);
        slot.page = slot.page.debit(program, points);
    }

    /// @dev Takes `points` of program `source` from the member's `slot`, which holds `page`, and adds `out` of program `target`.
    /// Two programs of one page cost one write.
    /// Warning: the caller makes sure that the page covers `points` and that `target` can mint `out`.
    function _swap(
        uint256 member,
        BalanceSlot storage slot,
        BalancePage page,
        uint256 source,
        uint256 points,
        uint256 target,
        uint256 out
    ) internal {
        page = page.debit(source, points);
        if (BalancePageLib.pageOf(source) != BalancePageLib.pageOf(target)) {
            slot.page = page;
            slot = _balanceSlot(member, target);
            page = slot.page;
        }
        slot.page = page.credit(target, out);
    }

    function _balance(uint256 member, uint256 program) internal view returns (uint256) {
        return _balanceSlot(member, program).page.balance(program);
    }

    /// @dev The slot with the member's points of `program` and of the three other programs of its page.
    function _balanceSlot(uint256 member, uint256 program) internal view returns (BalanceSlot storage) {
        return _balanceSlots[BalancePageLib.pageOf(program) << 160 | member];
    }
}
