// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClearingHouse} from "../../ClearingHouse.sol";
import {Account} from "../../libraries/Account.sol";

/// @notice Proofs by halmos, on the real contract's storage and its own `_tryPay` and `_bookFees`, through which every instruction moves money: for all
/// positions, limits and amounts the sum of the positions stays, and a covered payer stays within its limit. One proof for each
/// way in which payer, payee and operator (merchant 0) can be the same merchant.
contract SettlementProof is ClearingHouse {
    constructor() ClearingHouse(address(1), "operator", 28_800) {}

    function check_twoMerchants(uint256[3] calldata accounts, uint64 settled, uint64 fee) external {
        _prove(accounts, 1, 2, settled, fee);
    }

    function check_oneMerchantAndItself(uint256[3] calldata accounts, uint64 settled, uint64 fee) external {
        _prove(accounts, 1, 1, settled, fee);
    }

    function check_operatorPays(uint256[3] calldata accounts, uint64 settled, uint64 fee) external {
        _prove(accounts, 0, 1, settled, fee);
    }

    function check_operatorIsPaid(uint256[3] calldata accounts, uint64 settled, uint64 fee) external {
        _prove(accounts, 1, 0, settled, fee);
    }

    function check_operatorAndItself(uint256[3] calldata accounts, uint64 settled, uint64 fee) external {
        _prove(accounts, 0, 0, settled, fee);
    }

    /// @dev Each position becomes what it should; the sum of what they should be is the sum of what they were.
    function _prove(uint256[3] calldata accounts, uint256 payer, uint256 payee, uint64 settled, uint64 fee) private {
        int256[3] memory expected;
        for (uint256 i = 0; i < 3; ++i) {
            expected[i] = Account.wrap(accounts[i]).position();
            if (expected[i] < -2 ** 63 || expected[i] >= 2 ** 94) return; // see `Settlement` for why
            _merchant(i).account = Account.wrap(accounts[i]);
        }
        unchecked {
            expected[payer] -= int256(uint256(settled) + fee);
            expected[payee] += int256(uint256(settled));
            expected[0] += int256(uint256(fee));
        }

        Cursor memory c;
        if (!_tryPay(c, payer, payee, settled, fee)) return;
        _bookFees(c);

        for (uint256 i = 0; i < 3; ++i) {
            Account account = _merchant(i).account;
            assert(account.position() == expected[i]);
            assert(uint160(Account.unwrap(account)) == uint160(accounts[i])); // limit and status stay
        }
        assert(expected[payer] >= -int256(Account.wrap(accounts[payer]).creditLimit()));
        assert(_sum(expected) == _sum([_position(accounts[0]), _position(accounts[1]), _position(accounts[2])]));
    }

    function _position(uint256 word) private pure returns (int256) {
        return Account.wrap(word).position();
    }

    function _sum(int256[3] memory positions) private pure returns (int256) {
        unchecked {
            return positions[0] + positions[1] + positions[2];
        }
    }
}
