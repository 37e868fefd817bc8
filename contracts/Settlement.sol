// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClearingHouse, Role} from "./interfaces/IClearingHouse.sol";
import {Registry} from "./Registry.sol";

/// @title Settlement
/// @notice Who owes whom, net: positions, credit limits, and the money that came in and went out through the settlement bank.
abstract contract Settlement is Registry {
    /// @inheritdoc IClearingHouse
    int256 public override settlementFunds;

    /// @inheritdoc IClearingHouse
    mapping(bytes32 bankRef => bool) public override bankRefUsed;

    // ---------------------------------------------------------------- operator and treasury

    /// @inheritdoc IClearingHouse
    function setCreditLimit(uint32 merchant, uint96 micros) external override onlyRole(Role.Operator) {
        Merchant storage m = _knownMerchant(merchant);
        bool covers = micros <= uint96(type(int96).max) && m.position >= -int96(micros);
        if (!covers) revert BadCreditLimit(merchant, micros, m.position);

        m.creditLimit = micros;

        emit CreditLimitChanged(merchant, micros);
    }

    /// @inheritdoc IClearingHouse
    function deposit(uint32 merchant, uint96 micros, bytes32 bankRef) external override onlyRole(Role.Treasury) {
        Merchant storage m = _knownMerchant(merchant);
        _useBankRef(micros, bankRef);

        m.position += int96(micros);
        settlementFunds += int256(uint256(micros));

        emit Deposited(merchant, micros, bankRef);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(uint32 merchant, uint96 micros, bytes32 bankRef) external override onlyRole(Role.Treasury) {
        Merchant storage m = _knownMerchant(merchant);
        _useBankRef(micros, bankRef);
        if (m.position < int96(micros)) revert PositionTooLow(merchant, m.position, micros);

        m.position -= int96(micros);
        settlementFunds -= int256(uint256(micros));

        emit Withdrawn(merchant, micros, bankRef);
    }

    /// @dev Half of the range is plenty, and keeps the sum of two positions inside it.
    function _useBankRef(uint96 micros, bytes32 bankRef) private {
        if (micros == 0) revert ZeroAmount();
        if (micros > uint96(type(int96).max)) revert AmountOutOfRange(micros);
        if (bankRefUsed[bankRef]) revert BankRefUsed(bankRef);
        bankRefUsed[bankRef] = true;
    }

    // ---------------------------------------------------------------- movements

    /// @dev Whether `payer` can pay `micros` without going below its credit limit.
    function _canPay(uint32 payer, uint256 micros) internal view returns (bool) {
        Merchant storage m = _merchants[payer];
        return int256(m.position) - int256(micros) >= -int256(uint256(m.creditLimit));
    }

    /// @dev Warning: the caller has checked `_canPay`. Positions are sums of at most 2^32 merchants' money, each far from 2^95.
    function _pay(uint32 payer, uint32 payee, uint256 micros) internal {
        if (micros == 0) return;
        _merchants[payer].position -= int96(int256(micros));
        _merchants[payee].position += int96(int256(micros));
    }
}
