// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry} from "./Registry.sol";
import {IClearingHouse, Role} from "./interfaces/IClearingHouse.sol";
import {MerchantPosition} from "./types/MerchantPosition.sol";
import {WordCopy} from "./types/WordCopy.sol";

/// @title Settlement
/// @notice What merchants owe each other, net: positions, credit limits, and the money that the settlement bank holds for them.
/// @dev No position can leave its 96 bits. It is never below minus its credit limit, which is less than 2^63. It is never above
/// the money in the bank (at most `MAX_FUNDS`) plus all that the others owe, which is less than 2^32 * 2^63.
abstract contract Settlement is Registry {
    /// @dev Bounds deposits, so that none can make a later settlement fail.
    int256 private constant MAX_FUNDS = 2 ** 94;

    /// @inheritdoc IClearingHouse
    /// @dev From 0 to `MAX_FUNDS`.
    int256 public override settlementFunds;

    /// @inheritdoc IClearingHouse
    mapping(bytes32 bankRef => bool) public override bankRefUsed;

    // ---------------------------------------------------------------- operator

    /// @inheritdoc IClearingHouse
    function setCreditLimit(uint32 merchant, uint96 micros) external override onlyRole(Role.Operator) whileRunning {
        MerchantPosition position = _knownMerchant(merchant);
        bool covers = micros <= MAX_CREDIT_LIMIT && position.micros() >= -int256(uint256(micros));
        if (!covers) revert BadCreditLimit(merchant, micros, int96(position.micros()));

        _merchant(merchant).position = position.withCreditLimit(micros);

        emit CreditLimitChanged(merchant, micros);
    }

    // ---------------------------------------------------------------- treasury

    /// @inheritdoc IClearingHouse
    function deposit(uint32 merchant, uint96 micros, bytes32 bankRef)
        external
        override
        onlyRole(Role.Treasury)
        whileRunning
    {
        MerchantPosition position = _knownMerchant(merchant);
        _useBankRef(micros, bankRef);
        int256 funds = settlementFunds + int256(uint256(micros));
        if (funds > MAX_FUNDS) revert AmountOutOfRange(micros);

        _merchant(merchant).position = position.plus(micros);
        settlementFunds = funds;

        emit Deposited(merchant, micros, bankRef);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(uint32 merchant, uint96 micros, bytes32 bankRef)
        external
        override
        onlyRole(Role.Treasury)
        whileRunning
    {
        MerchantPosition position = _knownMerchant(merchant);
        _useBankRef(micros, bankRef);
        bool covers = position.micros() >= int256(uint256(micros));
        if (!covers) revert PositionTooLow(merchant, int96(position.micros()), micros);
        int256 funds = settlementFunds - int256(uint256(micros));
        if (funds < 0) revert FundsTooLow(uint96(uint256(settlementFunds)), micros);

        _merchant(merchant).position = position.minus(micros);
        settlementFunds = funds;

        emit Withdrawn(merchant, micros, bankRef);
    }

    function _useBankRef(uint96 micros, bytes32 bankRef) private {
        if (micros == 0) revert ZeroAmount();
        if (bankRefUsed[bankRef]) revert BankRefUsed(bankRef);
        bankRefUsed[bankRef] = true;
    }

    // ---------------------------------------------------------------- payments

    /// @dev Takes `micros` from the copy of a position if that then stays within its credit limit. Otherwise changes nothing and
    /// returns false.
    function _tryCharge(WordCopy merchant, uint256 micros) internal pure returns (bool) {
        MerchantPosition position = MerchantPosition.wrap(merchant.word());
        if (!position.covers(micros)) return false;
        merchant.set(MerchantPosition.unwrap(position.minus(micros)));
        return true;
    }

    function _pay(WordCopy merchant, uint256 micros) internal pure {
        merchant.set(MerchantPosition.unwrap(MerchantPosition.wrap(merchant.word()).plus(micros)));
    }
}
