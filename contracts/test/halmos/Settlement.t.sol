// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClearingHouse} from "../../ClearingHouse.sol";
import {CopyTableLib} from "../../types/CopyTable.sol";
import {MerchantPosition} from "../../types/MerchantPosition.sol";

/// @notice halmos proves two properties of payments, for all positions, limits and amounts: the sum of the positions stays the same,
/// and a payer that is covered stays within its limit. The proofs run on the real contract's storage and on its own `_tryPay` and
/// `_payFees`, through which every instruction moves money. Payer, payee and operator (merchant 0) can coincide; each way has a
/// proof of its own.
contract SettlementProof is ClearingHouse {
    constructor() ClearingHouse(address(1), "operator", 28_800) {}

    function check_twoMerchants(uint256[3] calldata packedPositions, uint64 settled, uint64 fee) external {
        _prove(packedPositions, 1, 2, settled, fee);
    }

    function check_oneMerchantAndItself(uint256[3] calldata packedPositions, uint64 settled, uint64 fee) external {
        _prove(packedPositions, 1, 1, settled, fee);
    }

    function check_operatorPays(uint256[3] calldata packedPositions, uint64 settled, uint64 fee) external {
        _prove(packedPositions, 0, 1, settled, fee);
    }

    function check_operatorIsPaid(uint256[3] calldata packedPositions, uint64 settled, uint64 fee) external {
        _prove(packedPositions, 1, 0, settled, fee);
    }

    function check_operatorAndItself(uint256[3] calldata packedPositions, uint64 settled, uint64 fee) external {
        _prove(packedPositions, 0, 0, settled, fee);
    }

    /// @dev Each position becomes what it should, and the expected positions have the same sum as the original ones.
    function _prove(uint256[3] calldata packedPositions, uint256 payer, uint256 payee, uint64 settled, uint64 fee)
        private
    {
        int256[3] memory expected;
        for (uint256 i = 0; i < 3; ++i) {
            expected[i] = _micros(packedPositions[i]);
            if (expected[i] < -2 ** 63 || expected[i] >= 2 ** 94) return; // `Settlement` explains these bounds
            _merchant(i).position = MerchantPosition.wrap(packedPositions[i]);
        }
        unchecked {
            expected[payer] -= int256(uint256(settled) + fee);
            expected[payee] += int256(uint256(settled));
            expected[0] += int256(uint256(fee));
        }

        Cursor memory cursor;
        cursor.copies = CopyTableLib.create();
        if (!_tryPay(cursor, _position(cursor, payer), _position(cursor, payee), settled, fee)) return;
        _payFees(cursor);
        cursor.copies.storeAll();

        for (uint256 i = 0; i < 3; ++i) {
            MerchantPosition position = _merchant(i).position;
            assert(position.micros() == expected[i]);
            assert(uint160(MerchantPosition.unwrap(position)) == uint160(packedPositions[i])); // limit and status stay
        }
        assert(expected[payer] >= -int256(MerchantPosition.wrap(packedPositions[payer]).creditLimitMicros()));
        assert(
            _sum(expected)
                == _sum([_micros(packedPositions[0]), _micros(packedPositions[1]), _micros(packedPositions[2])])
        );
    }

    function _micros(uint256 word) private pure returns (int256) {
        return MerchantPosition.wrap(word).micros();
    }

    function _sum(int256[3] memory positions) private pure returns (int256) {
        unchecked {
            return positions[0] + positions[1] + positions[2];
        }
    }
}
