// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClearingHouse, MerchantStatus} from "../interfaces/IClearingHouse.sol";
import {Network} from "./support/Network.sol";

/// @notice Deposits, withdrawals and credit limits, and positions that add up.
contract SettlementTest is Network {
    uint96 private constant MOST_CREDIT = uint96(uint64(type(int64).max));
    uint96 private constant MOST_FUNDS = 2 ** 94;

    function test_DepositRaisesThePosition() public {
        vm.expectEmit(address(house));
        emit IClearingHouse.Deposited(CINEMA, 70, "bank 70");
        vm.prank(treasury);
        house.deposit(CINEMA, 70, "bank 70");
        assertEq(_position(CINEMA), int96(DEPOSIT) + 70);
        assertEq(house.settlementFunds(), 4 * int96(DEPOSIT) + 70);
        assertTrue(house.bankRefUsed("bank 70"));
    }

    function test_WithdrawalLowersThePosition() public {
        vm.expectEmit(address(house));
        emit IClearingHouse.Withdrawn(CINEMA, DEPOSIT, "bank 71");
        vm.prank(treasury);
        house.withdraw(CINEMA, DEPOSIT, "bank 71");
        assertEq(_position(CINEMA), 0);
        assertEq(house.settlementFunds(), 3 * int96(DEPOSIT));
        assertTrue(house.bankRefUsed("bank 71"));
    }

    function test_CreditCannotBeWithdrawn() public {
        bytes memory expected =
            abi.encodeWithSelector(IClearingHouse.PositionTooLow.selector, CINEMA, int96(DEPOSIT), DEPOSIT + 1);
        vm.expectRevert(expected);
        vm.prank(treasury);
        house.withdraw(CINEMA, DEPOSIT + 1, "ref");
        assertFalse(house.bankRefUsed("ref"), "the reference stays free");
    }

    function test_DebtorCannotWithdrawAnything() public {
        _putIntoDebt();
        int96 position = int96(_position(GAS_STATION));
        assertEq(position, -900_900);
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.PositionTooLow.selector, GAS_STATION, position, uint96(1))
        );
        vm.prank(treasury);
        house.withdraw(GAS_STATION, 1, "ref");
    }

    /// @dev All 20,000.00 of deposits are paid out. The cinema is owed 9.00, which the gas station has not paid in.
    function test_NoMoreIsPaidOutThanIsInTheBank() public {
        _withdraw(CINEMA, DEPOSIT);
        _withdraw(SUPERMARKET, DEPOSIT);
        _withdraw(CAR_WASH, DEPOSIT);
        _withdraw(GAS_STATION, DEPOSIT);
        _accept(GAS_STATION, _issue(FUEL, ann, 1000));
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        assertEq(_position(CINEMA), 9e6);
        assertEq(house.settlementFunds(), 0);

        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.FundsTooLow.selector, uint96(0), uint96(9e6)));
        vm.prank(treasury);
        house.withdraw(CINEMA, 9e6, "ref");
        assertFalse(house.bankRefUsed("ref"), "the reference stays free");

        _deposit(GAS_STATION, 4e6);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.FundsTooLow.selector, uint96(4e6), uint96(4e6 + 1)));
        vm.prank(treasury);
        house.withdraw(CINEMA, 4e6 + 1, "ref");
        _withdraw(CINEMA, 4e6);
        assertEq(_position(CINEMA), 5e6);
        assertEq(house.settlementFunds(), 0);
    }

    function _putIntoDebt() private {
        _withdraw(GAS_STATION, DEPOSIT);
        _accept(GAS_STATION, _issue(FUEL, ann, 100));
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 100));
    }

    function test_BankReferenceIsUsedOnceForEither() public {
        vm.startPrank(treasury);
        house.deposit(CINEMA, 1, "ref");
        bytes memory expected = abi.encodeWithSelector(IClearingHouse.BankRefUsed.selector, bytes32("ref"));
        vm.expectRevert(expected);
        house.deposit(CINEMA, 1, "ref");
        vm.expectRevert(expected);
        house.deposit(GAS_STATION, 2, "ref");
        vm.expectRevert(expected);
        house.withdraw(CINEMA, 1, "ref");
        house.withdraw(CINEMA, 1, "other");
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BankRefUsed.selector, bytes32("other")));
        house.deposit(CINEMA, 1, "other");
    }

    function test_NothingIsNoMoney() public {
        vm.startPrank(treasury);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.deposit(CINEMA, 0, "ref");
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.withdraw(CINEMA, 0, "ref");
    }

    function test_FundsStayBelowWhatPositionsCanHold() public {
        uint96 capacity = MOST_FUNDS - 4 * DEPOSIT;
        vm.startPrank(treasury);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AmountOutOfRange.selector, capacity + 1));
        house.deposit(CINEMA, capacity + 1, "ref");
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AmountOutOfRange.selector, type(uint96).max));
        house.deposit(CINEMA, type(uint96).max, "ref");
        house.deposit(CINEMA, capacity, "ref");
        vm.stopPrank();
        assertEq(_position(CINEMA), int96(capacity + DEPOSIT));
        assertEq(house.settlementFunds(), int256(uint256(MOST_FUNDS)));
    }

    function test_ClosedMerchantIsPaidOutAndCanPayItsDebts() public {
        _putIntoDebt();
        _setStatus(GAS_STATION, MerchantStatus.Closed);
        _deposit(GAS_STATION, 900_901);
        _withdraw(GAS_STATION, 1);
        assertEq(_position(GAS_STATION), 0);
        _setCreditLimit(GAS_STATION, 0);
        _setStatus(CINEMA, MerchantStatus.Suspended);
        _withdraw(CINEMA, DEPOSIT);
        (MerchantStatus status,,) = lens.merchantOf(GAS_STATION);
        assertEq(uint256(status), uint256(MerchantStatus.Closed));
    }

    function test_CreditLimitIsNotSetBelowWhatIsUsed() public {
        _putIntoDebt();
        vm.expectRevert(
            abi.encodeWithSelector(
                IClearingHouse.BadCreditLimit.selector, GAS_STATION, uint96(900_899), int96(-900_900)
            )
        );
        _setCreditLimit(GAS_STATION, 900_899);
        vm.expectEmit(address(house));
        emit IClearingHouse.CreditLimitChanged(GAS_STATION, 900_900);
        _setCreditLimit(GAS_STATION, 900_900);
        (MerchantStatus status, int96 position, uint96 limit) = lens.merchantOf(GAS_STATION);
        assertEq(uint256(status), uint256(MerchantStatus.Active));
        assertEq(position, -900_900);
        assertEq(limit, 900_900);
    }

    function test_CreditLimitFits63Bits() public {
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.BadCreditLimit.selector, GAS_STATION, MOST_CREDIT + 1, int96(DEPOSIT))
        );
        _setCreditLimit(GAS_STATION, MOST_CREDIT + 1);
        _setCreditLimit(GAS_STATION, MOST_CREDIT);
        (,, uint96 limit) = lens.merchantOf(GAS_STATION);
        assertEq(limit, MOST_CREDIT);
    }

    function test_PositionsAlwaysSumToTheFunds() public {
        _accept(GAS_STATION, _issue(FUEL, ann, 1000));
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 500));
        _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 101));
        _accept(CINEMA, _spend(CINE_AT_GAS_STATION, CINE, ann, 33));
        _accept(GAS_STATION, _exchange(FUEL_TO_FLEET, FUEL, ann, 7));
        _withdraw(CAR_WASH, 77);
        int256 sum;
        for (uint32 merchant = 0; merchant < house.merchantCount(); ++merchant) {
            sum += _position(merchant);
        }
        assertEq(sum, house.settlementFunds());
        assertEq(sum, 4 * int96(DEPOSIT) - 77);
    }

    function test_OperatorsFeesArePaidOutLikeAnyPosition() public {
        _putIntoDebt();
        _withdraw(OPERATOR, 900);
        assertEq(_position(OPERATOR), 0);
    }
}
