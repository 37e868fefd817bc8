// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClearingHouse} from "../../ClearingHouse.sol";
import {MerchantStatus, Role} from "../../interfaces/IClearingHouse.sol";
import {MerchantPosition} from "../../types/MerchantPosition.sol";

/// @notice The real contract, with a way into any state that a withdrawal can meet.
contract AnyHouse is ClearingHouse {
    constructor() ClearingHouse(address(1), "operator", 28_800) {}

    function put(uint256 merchant, uint256 packedPosition) external {
        _merchant(merchant).position = MerchantPosition.wrap(packedPosition);
    }

    function putFunds(int256 funds) external {
        settlementFunds = funds;
    }

    function useBankRef(bytes32 bankRef) external {
        bankRefUsed[bankRef] = true;
    }

    function makeTreasury(address account) external {
        hasRole[Role.Treasury][account] = true;
    }

    function pauseNow() external {
        _pause();
    }

    function position(uint256 merchant) external view returns (uint256) {
        return MerchantPosition.unwrap(_merchant(merchant).position);
    }
}

/// @notice halmos proves what a withdrawal does, for all positions, funds, amounts and references: it goes through if, and only if, all
/// that allows it is given; then it takes exactly the amount from the position and from the funds, and changes nothing else.
contract WithdrawalProof {
    uint32 private constant MERCHANT = 1;
    uint32 private constant OTHER = 2;

    AnyHouse private house;

    function setUp() public {
        house = new AnyHouse();
    }

    function check_withdrawsExactlyWhatIsAllowed(
        uint256 packedPosition,
        uint256 packedOther,
        int256 funds,
        uint96 micros,
        bytes32 bankRef,
        bool[3] calldata hindrances
    ) external {
        int256 micros_ = MerchantPosition.wrap(packedPosition).micros();
        if (funds < 0 || funds > 2 ** 94) return; // `Settlement` explains these bounds
        if (micros_ < -2 ** 63 || micros_ >= 2 ** 95) return;
        house.put(MERCHANT, packedPosition);
        house.put(OTHER, packedOther);
        house.putFunds(funds);
        if (!hindrances[0]) house.makeTreasury(address(this));
        if (hindrances[1]) house.pauseNow();
        if (hindrances[2]) house.useBankRef(bankRef);

        bool done = _withdraws(MERCHANT, micros, bankRef);

        int256 amount = int256(uint256(micros));
        bool allowed = !hindrances[0] && !hindrances[1] && !hindrances[2];
        allowed = allowed && uint8(packedPosition) != uint8(MerchantStatus.None) && amount > 0;
        assert(done == (allowed && micros_ >= amount && funds >= amount));
        uint256 left = house.position(MERCHANT);
        assert(MerchantPosition.wrap(left).micros() == (done ? micros_ - amount : micros_));
        assert(uint160(left) == uint160(packedPosition)); // limit and status stay
        assert(house.position(OTHER) == packedOther);
        assert(house.settlementFunds() == (done ? funds - amount : funds));
        assert(house.bankRefUsed(bankRef) == (hindrances[2] || done));
    }

    /// @dev A reference that paid something out pays nothing out again: to nobody, whatever the amount.
    function check_neverTwiceByOneReference(
        uint256 packedPosition,
        uint256 packedOther,
        uint96 micros,
        uint96 again,
        bytes32 bankRef,
        bool toTheOther
    ) external {
        house.put(MERCHANT, packedPosition);
        house.put(OTHER, packedOther);
        house.putFunds(2 ** 94);
        house.makeTreasury(address(this));
        if (!_withdraws(MERCHANT, micros, bankRef)) return;
        int256 funds = house.settlementFunds();

        assert(!_withdraws(toTheOther ? OTHER : MERCHANT, again, bankRef));

        assert(house.settlementFunds() == funds);
    }

    function _withdraws(uint32 merchant, uint96 micros, bytes32 bankRef) private returns (bool) {
        try house.withdraw(merchant, micros, bankRef) {
            return true;
        } catch {
            return false;
        }
    }
}
