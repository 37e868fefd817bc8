// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClearingHouse} from "../../ClearingHouse.sol";
import {MerchantStatus, Role} from "../../interfaces/IClearingHouse.sol";
import {MerchantPosition} from "../../types/MerchantPosition.sol";

/// @notice halmos proves what a withdrawal does, for all positions, funds, amounts and references: it goes through if, and only if, all
/// that allows it is given; then it takes exactly the amount from the position and from the funds and changes nothing else. The proofs
/// call the real contract's `withdraw`, from outside, in any state that these words can have.
contract WithdrawalProof is ClearingHouse {
    uint32 private constant MERCHANT = 1;
    uint32 private constant OTHER = 2;

    constructor() ClearingHouse(address(1), "operator", 28_800) {}

    /// @dev Who calls is this contract, which holds the treasury's role or does not.
    function check_withdrawsExactlyWhatIsAllowed(
        uint256 packedPosition,
        uint256 packedOther,
        int256 funds,
        uint96 micros,
        bytes32 bankRef,
        bool isTreasury,
        bool isPaused,
        bool isUsed
    ) external {
        MerchantPosition position = MerchantPosition.wrap(packedPosition);
        if (funds < 0 || funds > 2 ** 94) return; // `Settlement` explains this bound
        if (position.micros() < -2 ** 63 || position.micros() >= 2 ** 95) return; // and these
        _merchant(MERCHANT).position = position;
        _merchant(OTHER).position = MerchantPosition.wrap(packedOther);
        settlementFunds = funds;
        hasRole[Role.Treasury][address(this)] = isTreasury;
        bankRefUsed[bankRef] = isUsed;
        if (isPaused) _pause();

        bool done = _withdraws(micros, bankRef);

        bool isKnown = uint8(packedPosition) != uint8(MerchantStatus.None);
        int256 amount = int256(uint256(micros));
        bool isAllowed = isTreasury && !isPaused && !isUsed && isKnown && amount > 0;
        assert(done == (isAllowed && position.micros() >= amount && funds >= amount));
        MerchantPosition after_ = _merchant(MERCHANT).position;
        assert(after_.micros() == position.micros() - (done ? amount : int256(0)));
        assert(!done || after_.micros() >= 0); // credit is never paid out
        assert(uint160(MerchantPosition.unwrap(after_)) == uint160(packedPosition)); // limit and status stay
        assert(MerchantPosition.unwrap(_merchant(OTHER).position) == packedOther);
        assert(settlementFunds == funds - (done ? amount : int256(0)));
        assert(settlementFunds >= 0);
        assert(bankRefUsed[bankRef] == (isUsed || done));
    }

    /// @dev Whatever is left after a withdrawal, its reference pays nothing out again: to nobody, whatever the amount.
    function check_neverTwiceByOneReference(
        uint256 packedPosition,
        uint256 packedOther,
        uint96 micros,
        uint96 again,
        bytes32 bankRef,
        bool toTheOther
    ) external {
        MerchantPosition position = MerchantPosition.wrap(packedPosition);
        if (position.micros() < -2 ** 63 || position.micros() >= 2 ** 95) return;
        _merchant(MERCHANT).position = position;
        _merchant(OTHER).position = MerchantPosition.wrap(packedOther);
        settlementFunds = 2 ** 94;
        hasRole[Role.Treasury][address(this)] = true;
        if (!_withdraws(micros, bankRef)) return;
        int256 left = settlementFunds;

        (bool done,) = address(this)
            .call(abi.encodeWithSelector(this.withdraw.selector, toTheOther ? OTHER : MERCHANT, again, bankRef));

        assert(!done);
        assert(settlementFunds == left);
    }

    function _withdraws(uint96 micros, bytes32 bankRef) private returns (bool done) {
        (done,) = address(this).call(abi.encodeWithSelector(this.withdraw.selector, MERCHANT, micros, bankRef));
    }
}
