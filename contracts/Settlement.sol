// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry} from "./Registry.sol";
import {IClearingHouse, Role} from "./interfaces/IClearingHouse.sol";
import {Account} from "./libraries/Account.sol";

/// @title Settlement
/// @notice Who owes whom, net: positions, credit limits, and the money that came in and went out through the settlement bank.
/// @dev Positions cannot leave their 96 bits. A position is never below minus its credit limit, which is less than 2^63. It is
/// never above the money in the bank (at most `MAX_FUNDS`) plus what all others owe, which is less than 2^32 * 2^63.
abstract contract Settlement is Registry {
    /// @dev With it, no deposit can make a later settlement fail.
    int256 private constant MAX_FUNDS = 2 ** 94;

    /// @inheritdoc IClearingHouse
    /// @dev From 0 to `MAX_FUNDS`.
    int256 public override settlementFunds;

    /// @inheritdoc IClearingHouse
    mapping(bytes32 bankRef => bool) public override bankRefUsed;

    // ---------------------------------------------------------------- operator and treasury

    /// @inheritdoc IClearingHouse
    function setCreditLimit(uint32 merchant, uint96 micros) external override onlyRole(Role.Operator) {
        Account account = _knownMerchant(merchant);
        bool covers = micros <= MAX_CREDIT_LIMIT && account.position() >= -int256(uint256(micros));
        if (!covers) revert BadCreditLimit(merchant, micros, int96(account.position()));

        _merchant(merchant).account = account.withCreditLimit(micros);

        emit CreditLimitChanged(merchant, micros);
    }

    /// @inheritdoc IClearingHouse
    function deposit(uint32 merchant, uint96 micros, bytes32 bankRef) external override onlyRole(Role.Treasury) {
        Account account = _knownMerchant(merchant);
        _useBankRef(micros, bankRef);
        int256 funds = settlementFunds + int256(uint256(micros));
        if (funds > MAX_FUNDS) revert AmountOutOfRange(micros);

        _merchant(merchant).account = account.plus(micros);
        settlementFunds = funds;

        emit Deposited(merchant, micros, bankRef);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(uint32 merchant, uint96 micros, bytes32 bankRef) external override onlyRole(Role.Treasury) {
        Account account = _knownMerchant(merchant);
        _useBankRef(micros, bankRef);
        bool covers = account.position() >= int256(uint256(micros));
        if (!covers) revert PositionTooLow(merchant, int96(account.position()), micros);
        int256 funds = settlementFunds - int256(uint256(micros));
        if (funds < 0) revert FundsTooLow(uint96(uint256(settlementFunds)), micros);

        _merchant(merchant).account = account.minus(micros);
        settlementFunds = funds;

        emit Withdrawn(merchant, micros, bankRef);
    }

    function _useBankRef(uint96 micros, bytes32 bankRef) private {
        if (micros == 0) revert ZeroAmount();
        if (bankRefUsed[bankRef]) revert BankRefUsed(bankRef);
        bankRefUsed[bankRef] = true;
    }

    // ---------------------------------------------------------------- movements

    /// @dev Takes `micros` from a position if it stays within its credit limit; else returns false and has changed nothing.
    function _tryCharge(Merchant storage m, uint256 micros) internal returns (bool) {
        Account account = m.account;
        if (!account.covers(micros)) return false;
        m.account = account.minus(micros);
        return true;
    }

    function _pay(Merchant storage m, uint256 micros) internal {
        m.account = m.account.plus(micros);
    }
}
